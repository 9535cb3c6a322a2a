/* SPDX-License-Identifier: MIT */
/* One monotonic deadline over everything that waits. */
#ifndef EST_DEADLINE_H
#define EST_DEADLINE_H

#include "est.h"

struct deadline {
	int64_t end_ms;                    /* on deadline_now_ms()'s clock */
	const volatile sig_atomic_t *stop; /* non-zero ends every wait; may be NULL */
};

int64_t deadline_now_ms(void); /* CLOCK_MONOTONIC */
struct deadline deadline_start(unsigned ms, const volatile sig_atomic_t *stop);
/* The same, but ending after ms at the latest. */
struct deadline deadline_within(const struct deadline *deadline, int64_t ms);
int64_t deadline_left_ms(const struct deadline *deadline); /* never negative */
/* What has passed since then, a time of deadline_now_ms(), does not count: a human took it. */
void deadline_forgive(struct deadline *deadline, int64_t since_ms);

/* For work that waits for nothing: EST_OK as long as there is time.  EST_E_TIMEOUT,
 * EST_E_INTERRUPTED. */
enum est_code deadline_check(const struct deadline *deadline, const char *doing,
	struct est_error *err) EST_MUST_CHECK;

/* Waits for events on fd (-1: for time alone).  EST_E_TIMEOUT when the deadline passes, or idle_ms
 * without an event (negative: no such limit); EST_E_INTERRUPTED.  doing: "while reading ...". */
enum est_code deadline_poll(const struct deadline *deadline, int fd, short events, int64_t idle_ms,
	const char *doing, struct est_error *err) EST_MUST_CHECK;

#endif

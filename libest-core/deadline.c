/* SPDX-License-Identifier: MIT */
/* Everything that waits does so in slices, to notice the deadline and a signal. */
#include "deadline.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define SLICE_MS 250 /* a signal that comes just before poll() is seen this much later */

int64_t deadline_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct deadline deadline_start(unsigned ms, const volatile sig_atomic_t *stop)
{
	return (struct deadline){ deadline_now_ms() + ms, stop };
}

struct deadline deadline_within(const struct deadline *deadline, int64_t ms)
{
	int64_t end = deadline_now_ms() + ms;

	return (struct deadline){ end < deadline->end_ms ? end : deadline->end_ms, deadline->stop };
}

int64_t deadline_left_ms(const struct deadline *deadline)
{
	int64_t left = deadline->end_ms - deadline_now_ms();

	return left > 0 ? left : 0;
}

void deadline_forgive(struct deadline *deadline, int64_t since_ms)
{
	deadline->end_ms += deadline_now_ms() - since_ms;
}

enum est_code deadline_check(const struct deadline *deadline, const char *doing,
	struct est_error *err)
{
	if (deadline->stop && *deadline->stop)
		return est_fail(err, EST_E_INTERRUPTED, "interrupted %s", doing);
	if (deadline_left_ms(deadline) == 0)
		return est_fail(err, EST_E_TIMEOUT, "timed out %s", doing);
	return EST_OK;
}

enum est_code deadline_poll(const struct deadline *deadline, int fd, short events, int64_t idle_ms,
	const char *doing, struct est_error *err)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	struct deadline idle = *deadline;
	int64_t left;
	int n;

	if (idle_ms >= 0)
		idle = deadline_within(deadline, idle_ms);
	for (;;) {
		if (deadline->stop && *deadline->stop)
			return est_fail(err, EST_E_INTERRUPTED, "interrupted %s", doing);
		left = deadline_left_ms(&idle);
		if (left == 0 && deadline_left_ms(deadline) == 0)
			return est_fail(err, EST_E_TIMEOUT,
				"timed out %s (the total time is used "
				"up)",
				doing); /* also for a peer that never pauses */
		n = poll(&pfd, 1, left < SLICE_MS ? (int)left : SLICE_MS);
		if (n > 0)
			return EST_OK;
		if (n < 0 && errno != EINTR)
			return est_fail(err, EST_E_INTERNAL, "poll: %s", strerror(errno));
		if (n == 0 && left == 0)
			return est_fail(err, EST_E_TIMEOUT, "timed out %s (%s)", doing,
				deadline_left_ms(deadline) > 0 ? "nothing came for too long"
							       : "the total time is used up");
	}
}

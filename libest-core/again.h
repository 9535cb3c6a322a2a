/* SPDX-License-Identifier: MIT */
/* Whether a failed operation is repeated, and when: 202, and what may work later. */
#ifndef EST_AGAIN_H
#define EST_AGAIN_H

#include "exchange.h"

#define AGAIN_PENDING_S     10  /* for a 202 without a usable Retry-After */
#define AGAIN_RETRY_AFTER_S 600 /* the longest that a 5xx is waited for */

struct again {             /* of one operation; begins as zeroes */
	unsigned retries;  /* made */
	int64_t waited_ms; /* for 202 */
};

/* At least ms, never below a second for a 202, at most a tenth more and at most limit_ms. */
int64_t again_jitter(int64_t ms, int64_t limit_ms);
/* What an error that is not a 202 makes us wait: retry_delay_ms doubled with each retry, or what
 * the server asks for when that is longer. */
int64_t again_backoff(unsigned retry_delay_ms, unsigned retries, int64_t retry_after_s);

/* *err is how an attempt has ended.  Waits as the configuration allows, clears *err and returns
 * EST_OK when the operation is to be repeated, with a time limit of its own; else returns
 * err->code.  sent: the attempt may have reached the server, which makes a POST final (H-19)
 * unless the server has answered that it failed. */
enum est_code client_again(struct est_client *client, const struct operation *operation, bool sent,
	struct again *again, struct est_error *err) EST_MUST_CHECK;
/* *err is EST_E_PENDING and says when to come back, before anything is sent: waits for that, and
 * takes it off what the configuration allows for waiting; or returns err->code. */
enum est_code again_come_back(struct est_client *client, struct est_error *err) EST_MUST_CHECK;

#endif

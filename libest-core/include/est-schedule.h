/* SPDX-License-Identifier: MIT */
/* Part of est.h, which includes it: when to renew. */
#ifndef EST_SCHEDULE_API_H
#define EST_SCHEDULE_API_H

#ifndef EST_H
#error "include est.h"
#endif

struct est_renew_policy {
	int64_t before_s;   /* seconds of the lifetime left; 0: percent counts */
	unsigned percent;   /* of the lifetime left, 1 to 100 */
	uint32_t jitter_ms; /* over which the renewals of many devices spread; 0: none */
	uint64_t seed;      /* of this device, est_cert_seed() */
	int64_t installed;  /* when it was put in place; counts if it was due then; 0: unknown */
};

enum est_due {
	EST_DUE_LATER,   /* from due_at on */
	EST_DUE_NEVER,   /* notAfter is 99991231235959Z (RFC 5280 section 4.1.2.5) */
	EST_DUE_NO_DATE, /* the clock is before notBefore: it cannot tell */
	EST_DUE_NOW,
	EST_DUE_EXPIRED /* due, and past notAfter */
};

struct est_schedule {
	enum est_due due;
	int64_t due_at;   /* POSIX time; with EST_DUE_NEVER notAfter */
	uint32_t wait_ms; /* when due: this device's share of the jitter, the same each time */
};

/* Decides from its arguments alone.  However large before_s is, a third of the lifetime passes
 * between two renewals, so that a CA with short lifetimes is not asked each time; 100 percent is
 * due from notBefore on.  A clock before notBefore never makes a renewal due, for what is issued
 * under it would not be valid yet and so be rejected, each time again.  One that was due as soon as
 * it was there tells of a clock that is fast: half of what it had left then passes before the next.
 * The wait ends before half of what is left of the certificate. */
EST_API void est_schedule(int64_t not_before, int64_t not_after, int64_t now,
	const struct est_renew_policy *policy, struct est_schedule *out);
/* Of subject and subjectAltName, so that it stays the same when a certificate is renewed.
 * EST_E_PROTOCOL when that is no certificate. */
EST_API enum est_code est_cert_seed(struct est_span der, uint64_t *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

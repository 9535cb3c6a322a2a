/* SPDX-License-Identifier: MIT */
/* When a certificate is to be renewed: arithmetic, without a clock of its own. */
#include "cert.h"

#define NO_EXPIRY 253402300799 /* 9999-12-31T23:59:59Z */
#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

/* How long before notAfter; lifetime_s > 0. */
static int64_t before(const struct est_renew_policy *policy, int64_t lifetime_s)
{
	int64_t most_s = lifetime_s - lifetime_s / 3;

	if (policy->before_s <= 0)
		return lifetime_s / 100 * policy->percent +
		       lifetime_s % 100 * policy->percent / 100;
	return policy->before_s < most_s ? policy->before_s : most_s;
}

/* On a clock that is fast, what has just been issued is due at once, each time again. */
static void rest(int64_t not_after, int64_t now, const struct est_renew_policy *policy,
	struct est_schedule *out)
{
	const int64_t until = policy->installed + (not_after - policy->installed) / 2;

	if (policy->installed <= 0 || policy->installed < out->due_at || policy->installed > now ||
		until <= now)
		return;
	out->due = EST_DUE_LATER;
	out->due_at = until;
}

/* splitmix64's last step: seeds that differ in a bit give waits that have nothing in common. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

void est_schedule(int64_t not_before, int64_t not_after, int64_t now,
	const struct est_renew_policy *policy, struct est_schedule *out)
{
	int64_t left_ms;

	*out = (struct est_schedule){ .due = EST_DUE_LATER, .due_at = not_after };
	if (not_after > not_before)
		out->due_at = not_after - before(policy, not_after - not_before);
	if (now > not_after)
		out->due = EST_DUE_EXPIRED;
	else if (now < not_before)
		out->due = EST_DUE_NO_DATE;
	else if (not_after == NO_EXPIRY && (policy->before_s > 0 || policy->percent < 100))
		*out = (struct est_schedule){ .due = EST_DUE_NEVER, .due_at = not_after };
	else if (now >= out->due_at)
		out->due = EST_DUE_NOW;
	if (out->due == EST_DUE_NOW)
		rest(not_after, now, policy, out);
	if (out->due < EST_DUE_NOW || policy->jitter_ms == 0)
		return;
	out->wait_ms = (uint32_t)(mix(policy->seed) % policy->jitter_ms);
	left_ms = (not_after - now) * 500;
	if (out->due == EST_DUE_NOW && left_ms < out->wait_ms)
		out->wait_ms = (uint32_t)left_ms;
}

/* FNV-1a: spread is wanted here, not secrecy. */
static uint64_t hash(uint64_t seed, struct est_span in)
{
	for (size_t i = 0; i < in.n; i++)
		seed = (seed ^ in.p[i]) * FNV_PRIME;
	return seed;
}

enum est_code est_cert_seed(struct est_span der, uint64_t *out, struct est_error *err)
{
	struct est_span sans = { 0 };
	struct cert_view view;
	enum est_code rc = cert_view(der, "the certificate", &view, err);

	if (rc != EST_OK)
		return rc;
	(void)cert_extension(&view, CERT_OID_SAN, NULL, &sans);
	*out = hash(hash(FNV_BASIS, view.subject), sans);
	return EST_OK;
}

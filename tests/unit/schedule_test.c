/* SPDX-License-Identifier: MIT */
/* When a certificate is due, on clocks that are right and on others. */
#include "est.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "certmake.h"

#define HOUR  3600ll
#define DAY   (24 * HOUR)
#define YEAR  (365 * DAY)
#define T     1800000000ll /* 2027 */
#define NEVER 253402300799ll
#define A_WEEK                                                                                     \
	{                                                                                          \
		.before_s = 7 * DAY                                                                \
	}

static struct est_schedule decide(int64_t from, int64_t to, int64_t now,
	struct est_renew_policy policy)
{
	struct est_schedule s = { .wait_ms = 1 };

	est_schedule(from, to, now, &policy, &s);
	return s;
}

static void due_by_lifetime_policy_and_clock(void **state)
{
	const struct {
		int64_t from, to, now;
		struct est_renew_policy policy;
		enum est_due due;
		int64_t due_at;
	} cases[] = {
		/* a third of 90 days left, to the second */
		{ T, T + 100, T + 66, { .percent = 33 }, EST_DUE_LATER, T + 67 },
		{ T, T + 100, T + 67, { .percent = 33 }, EST_DUE_NOW, T + 67 },
		{ T, T + 90 * DAY, T, { .percent = 33 }, EST_DUE_LATER, T + 5209920 },
		{ T, T + 90 * DAY, T + 5209919, { .percent = 33 }, EST_DUE_LATER, T + 5209920 },
		{ T, T + 90 * DAY, T + 5209920, { .percent = 33 }, EST_DUE_NOW, T + 5209920 },
		{ T, T + 90 * DAY, T + 83 * DAY - 1, A_WEEK, EST_DUE_LATER, T + 83 * DAY },
		{ T, T + 90 * DAY, T + 83 * DAY, A_WEEK, EST_DUE_NOW, T + 83 * DAY },
		/* the last second, and the one after it */
		{ T, T + 90 * DAY, T + 90 * DAY, { .percent = 1 }, EST_DUE_NOW, T + 7698240 },
		{ T, T + 90 * DAY, T + 90 * DAY + 1, { .percent = 1 }, EST_DUE_EXPIRED,
			T + 7698240 },
		/* minutes: 30 days before the end would be always */
		{ T, T + 300, T, { .percent = 33 }, EST_DUE_LATER, T + 201 },
		{ T, T + 300, T + 99, { .before_s = 30 * DAY }, EST_DUE_LATER, T + 100 },
		{ T, T + 300, T + 100, { .before_s = 30 * DAY }, EST_DUE_NOW, T + 100 },
		{ T, T + 1, T, { .percent = 33 }, EST_DUE_LATER, T + 1 },
		/* a century, and no end at all */
		{ T, T + 100 * YEAR, T + 66 * YEAR, { .percent = 33 }, EST_DUE_LATER,
			T + 67 * YEAR },
		{ T, T + 100 * YEAR, T + 67 * YEAR, { .percent = 33 }, EST_DUE_NOW, T + 67 * YEAR },
		{ T, NEVER, T + 60 * YEAR, { .percent = 99 }, EST_DUE_NEVER, NEVER },
		{ T, NEVER, NEVER, A_WEEK, EST_DUE_NEVER, NEVER },
		{ T, NEVER, T, { .percent = 100 }, EST_DUE_NOW, T },
		{ 0, NEVER - 1, NEVER - 2, { .percent = 1 }, EST_DUE_NOW, 250868277791ll },
		{ -YEAR, YEAR, 0, { .percent = 33 }, EST_DUE_LATER, -YEAR + 42258240 },
		/* 100 percent: always, but never on a clock that is known to be wrong */
		{ T, T + DAY, T, { .percent = 100 }, EST_DUE_NOW, T },
		{ T, T + DAY, T - 1, { .percent = 100 }, EST_DUE_NO_DATE, T },
		{ T, T + DAY, 0, { .percent = 33 }, EST_DUE_NO_DATE, T + 57888 },
		{ T, T + DAY, T - 40 * YEAR, A_WEEK, EST_DUE_NO_DATE, T + 8 * HOUR },
		/* far ahead: expired, which the server's own certificate then is too */
		{ T, T + DAY, T + 200 * YEAR, A_WEEK, EST_DUE_EXPIRED, T + 8 * HOUR },
		/* due as soon as it was there: after half of what it had left; set back, as ever */
		{ T, T + 90 * DAY, T + 70 * DAY, { .percent = 33, .installed = T + 70 * DAY },
			EST_DUE_LATER, T + 80 * DAY },
		{ T, T + 90 * DAY, T + 80 * DAY - 1, { .percent = 33, .installed = T + 70 * DAY },
			EST_DUE_LATER, T + 80 * DAY },
		{ T, T + 90 * DAY, T + 80 * DAY, { .percent = 33, .installed = T + 70 * DAY },
			EST_DUE_NOW, T + 60 * DAY + 25920 },
		{ T, T + 90 * DAY, T + 65 * DAY, { .percent = 33, .installed = T + 70 * DAY },
			EST_DUE_NOW, T + 60 * DAY + 25920 },
		{ T, T + 90 * DAY, T + 95 * DAY, { .percent = 33, .installed = T + 92 * DAY },
			EST_DUE_EXPIRED, T + 60 * DAY + 25920 },
		{ T, T + 90 * DAY, T + 20 * DAY, { .percent = 33, .installed = T + 10 * DAY },
			EST_DUE_LATER, T + 60 * DAY + 25920 },
		/* in place before it was due */
		{ T, T + 90 * DAY, T + 70 * DAY, { .percent = 33, .installed = T + 60 * DAY },
			EST_DUE_NOW, T + 60 * DAY + 25920 },
		/* a certificate that is never valid */
		{ T, T, T, { .percent = 33 }, EST_DUE_NOW, T },
		{ T, T - DAY, T, { .percent = 33 }, EST_DUE_EXPIRED, T - DAY },
		{ T, T - DAY, T - 2 * DAY, A_WEEK, EST_DUE_NO_DATE, T - DAY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct est_schedule s = decide(cases[i].from, cases[i].to, cases[i].now,
			cases[i].policy);

		if (s.due != cases[i].due || s.due_at != cases[i].due_at || s.wait_ms != 0)
			fail_msg("case %zu: due %d at %lld", i, (int)s.due, (long long)s.due_at);
	}
}

/* Whatever the policy and the lifetime: what was issued just now is not due at once, else cron
 * would renew at each run.  Also when the clock goes back after it was issued. */
static void a_fresh_certificate_is_never_due(void **state)
{
	static const int64_t lifetimes[] = { 3, 300, HOUR, DAY, 90 * DAY, YEAR, 100 * YEAR,
		NEVER - T };
	static const int64_t jumps[] = { 0, -1, -30 * 60, -DAY, -20 * YEAR };
	static const int64_t befores[] = { 1, 300, DAY, 30 * DAY, 1000 * YEAR };

	(void)state;
	for (size_t l = 0; l < sizeof(lifetimes) / sizeof(lifetimes[0]); l++) {
		for (size_t j = 0; j < sizeof(jumps) / sizeof(jumps[0]); j++) {
			int64_t to = T + lifetimes[l], now = T + jumps[j];

			for (unsigned percent = 1; percent < 67; percent++)
				assert_true(decide(T, to, now,
						    (struct est_renew_policy){ .percent = percent })
						    .due < EST_DUE_NOW);
			for (size_t b = 0; b < sizeof(befores) / sizeof(befores[0]); b++)
				assert_true(
					decide(T, to, now,
						(struct est_renew_policy){ .before_s = befores[b] })
						.due < EST_DUE_NOW);
		}
	}
}

static void the_wait_spreads_devices_and_ends_before_the_certificate(void **state)
{
	struct est_renew_policy policy = { .percent = 33, .jitter_ms = 1000 };
	unsigned tenth[10] = { 0 };
	struct est_schedule s;

	(void)state;
	for (policy.seed = 0; policy.seed < 1000; policy.seed++) {
		s = decide(T, T + DAY, T + DAY - HOUR, policy);
		assert_int_equal(s.wait_ms, decide(T, T + DAY, T + DAY - 2 * HOUR, policy).wait_ms);
		assert_in_range(s.wait_ms, 0, 999);
		tenth[s.wait_ms / 100]++;
		/* two seconds are left */
		assert_in_range(decide(T, T + DAY, T + DAY - 1, policy).wait_ms, 0, 500);
		assert_int_equal(decide(T, T + DAY, T + DAY, policy).wait_ms, 0);
		assert_int_equal(decide(T, T + DAY, T + 2 * DAY, policy).wait_ms, s.wait_ms);
		assert_int_equal(decide(T, T + DAY, T, policy).wait_ms, 0); /* not due */
	}
	for (size_t i = 0; i < 10; i++)
		assert_in_range(tenth[i], 60, 140);
	policy.jitter_ms = UINT32_MAX;
	assert_in_range(decide(T, NEVER - 1, NEVER - YEAR, policy).wait_ms, 0, UINT32_MAX - 1);
}

static void the_seed_is_of_the_names_alone(void **state)
{
	const struct certmake_spec specs[] = { { .dn = "CN=a", .dns = "x.example" },
		{ .dn = "CN=a",
			.dns = "x.example",
			.bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1) },
		{ .dn = "CN=a", .dns = "y.example" }, { .dn = "CN=b", .dns = "x.example" },
		{ .dn = "CN=a" } };
	struct est_error err = { 0 };
	struct certmake made;
	uint64_t seed[5];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		certmake_make(&specs[i], NULL, &made);
		assert_int_equal(est_cert_seed(est_buf_span(&made.der), &seed[i], &err), EST_OK);
		made.der.n--;
		assert_int_equal(est_cert_seed(est_buf_span(&made.der), &seed[i], &err),
			EST_E_PROTOCOL);
		certmake_wipe(&made);
		for (size_t j = 1; j < i; j++)
			assert_true(seed[i] != seed[j]);
	}
	assert_true(seed[0] == seed[1]); /* another key, another serial number */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(due_by_lifetime_policy_and_clock),
		cmocka_unit_test(a_fresh_certificate_is_never_due),
		cmocka_unit_test(the_wait_spreads_devices_and_ends_before_the_certificate),
		cmocka_unit_test(the_seed_is_of_the_names_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

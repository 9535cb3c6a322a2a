/* SPDX-License-Identifier: MIT */
/* How long an attempt that has failed is slept on. */
#include "again.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void jitter_goes_upwards_by_a_tenth_at_most(void **state)
{
	bool varies = false;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		int64_t ms = again_jitter(10000, INT64_MAX);

		assert_true(ms >= 10000 && ms <= 11000);
		varies |= ms != 10000;
	}
	assert_true(varies);
	assert_int_equal(again_jitter(1, INT64_MAX), 1);
	assert_int_equal(again_jitter(0, INT64_MAX), 0);
}

static void jitter_keeps_to_the_limit_but_is_never_early(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		int64_t ms = again_jitter(10000, 10003);

		assert_true(ms >= 10000 && ms <= 10003);
		assert_int_equal(again_jitter(10000, 10000), 10000);
		assert_int_equal(again_jitter(10000, 5), 10000);
	}
}

/* proves: R7030-4.2.3-11 */
static void the_pause_doubles_up_to_five_minutes(void **state)
{
	(void)state;
	assert_int_equal(again_backoff(0, 0, -1), 1000);
	assert_int_equal(again_backoff(500, 0, -1), 500);
	assert_int_equal(again_backoff(500, 3, -1), 4000);
	assert_int_equal(again_backoff(1000, 9, -1), 300000);
	assert_int_equal(again_backoff(1000, 1000, -1), 300000);
	assert_int_equal(again_backoff(400000, 7, -1), 400000); /* as the operator wants */
	assert_int_equal(again_backoff(86400000, 1000, -1), 86400000);
}

/* proves: R7030-4.2.3-11 */
static void the_server_can_only_make_it_longer(void **state)
{
	(void)state;
	assert_int_equal(again_backoff(1000, 0, 30), 30000);
	assert_int_equal(again_backoff(1000, 0, 0), 1000);
	assert_int_equal(again_backoff(8000, 1, 3), 16000);
	assert_int_equal(again_backoff(1000, 0, INT64_C(9999999999)), INT64_C(9999999999000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jitter_goes_upwards_by_a_tenth_at_most),
		cmocka_unit_test(jitter_keeps_to_the_limit_but_is_never_early),
		cmocka_unit_test(the_pause_doubles_up_to_five_minutes),
		cmocka_unit_test(the_server_can_only_make_it_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tolerated deviations. */
#include "quirk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void every_quirk_has_a_bit_an_id_and_a_text_of_its_own(void **state)
{
	(void)state;
	assert_true(EST_QUIRKS <= 32);
	for (int q = 0; q < EST_QUIRKS; q++) {
		const char *id = est_quirk_id(q);

		assert_int_equal(strncmp(id, "Q-", 2), 0);
		assert_int_equal(strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"), strlen(id));
		assert_true(strlen(est_quirk_text(q)) > 10);
		for (int other = 0; other < q; other++)
			assert_string_not_equal(id, est_quirk_id(other));
	}
	/* Ids and their places never change: a few that must stay. */
	assert_string_equal(est_quirk_id(0), "Q-RAW-DER");
	assert_int_equal(EST_Q_RAW_DER, 0);
	assert_string_equal(est_quirk_id(EST_Q_NO_CLOSE_NOTIFY), "Q-NO-CLOSE-NOTIFY");
}

static void a_deviation_is_recorded_and_tolerated(void **state)
{
	struct est_quirks quirks = { 0 };
	struct est_error err = { .msg = "kept" };

	(void)state;
	assert_int_equal(quirk_note(&quirks, EST_Q_PEM, "body", &err), EST_OK);
	assert_int_equal(quirk_note(&quirks, EST_Q_BOM, "body", &err), EST_OK);
	assert_int_equal(quirk_note(&quirks, EST_Q_PEM, "body", &err), EST_OK);
	assert_int_equal(quirks.seen, 1u << EST_Q_PEM | 1u << EST_Q_BOM);
	assert_string_equal(err.msg, "kept");
	assert_int_equal(quirk_note(NULL, EST_Q_PEM, "body", &err), EST_OK);
}

static void strict_makes_every_one_an_error_that_names_it(void **state)
{
	(void)state;
	for (int q = 0; q < EST_QUIRKS; q++) {
		struct est_quirks quirks = { .strict = true };
		struct est_error err = { 0 };

		assert_int_equal(quirk_note(&quirks, q, "the answer", &err), EST_E_PROTOCOL);
		assert_int_equal(err.code, EST_E_PROTOCOL);
		assert_int_equal(quirks.seen, 1u << q);
		assert_int_equal(strncmp(err.msg, "the answer: ", 12), 0);
		assert_non_null(strstr(err.msg, est_quirk_id(q)));
		assert_non_null(strstr(err.msg, est_quirk_text(q)));
		assert_non_null(strstr(err.msg, "--strict"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_quirk_has_a_bit_an_id_and_a_text_of_its_own),
		cmocka_unit_test(a_deviation_is_recorded_and_tolerated),
		cmocka_unit_test(strict_makes_every_one_an_error_that_names_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

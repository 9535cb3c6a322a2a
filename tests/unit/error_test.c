/* SPDX-License-Identifier: MIT */
/* One struct with the context, one code per cause; the numbers are the exit codes. */
#include "est.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void a_failure_is_one_statement(void **state)
{
	struct est_error err;

	(void)state;
	memset(&err, 0xa5, sizeof(err));
	assert_int_equal(est_fail(&err, EST_E_INPUT, "%s: line %d", "file", 7), EST_E_INPUT);
	assert_int_equal(err.code, EST_E_INPUT);
	assert_string_equal(err.msg, "file: line 7");
	assert_string_equal(err.hint, "");
	assert_null(err.reason);
	assert_int_equal(err.http_status, 0);
	assert_int_equal(err.retry_after_s, -1);
	assert_int_equal(est_reason(&err, "id"), EST_E_INPUT);
	assert_int_equal(est_hint(&err, "try %s", "this"), EST_E_INPUT);
	assert_string_equal(err.reason, "id");
	assert_string_equal(err.hint, "try this");
	assert_string_equal(err.msg, "file: line 7");
	/* The next one starts anew. */
	assert_int_equal(est_fail(&err, EST_E_TLS, "x"), EST_E_TLS);
	assert_null(err.reason);
	assert_string_equal(err.hint, "");
}

static void what_is_too_long_is_cut_between_characters(void **state)
{
	struct est_error err;
	char text[1200];

	(void)state;
	memset(text, 'm', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	est_fail(&err, EST_E_INPUT, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	est_hint(&err, "%s", text);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
	/* Two bytes a character, at each of the two alignments: no half of one is left, or the
	 * JSON that holds it is not UTF-8. */
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[sizeof(text) - 2] = '\0';
	for (int shift = 0; shift <= 1; shift++) {
		est_fail(&err, EST_E_INPUT, "%s%s", shift ? "x" : "", text);
		assert_int_equal((strlen(err.msg) - (size_t)shift) % 2, 0);
		assert_true(strlen(err.msg) >= sizeof(err.msg) - 2);
		est_hint(&err, "%s%s", shift ? "x" : "", text);
		assert_int_equal((strlen(err.hint) - (size_t)shift) % 2, 0);
	}
	/* Bytes that are not UTF-8 are not made less, and a whole character at the end stays. */
	memset(text, 0xff, sizeof(text));
	text[1000] = '\0';
	est_fail(&err, EST_E_INPUT, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	est_fail(&err, EST_E_INPUT, "caf\xc3\xa9");
	assert_string_equal(err.msg, "caf\xc3\xa9");
}

static void names_and_numbers_are_frozen(void **state)
{
	static const struct {
		enum est_code code;
		int number;
		const char *name;
		bool retryable;
	} rows[] = {
		{ EST_OK, 0, "ok", false },
		{ EST_E_INTERNAL, 1, "internal", false },
		{ EST_E_USAGE, 2, "usage", false },
		{ EST_E_INPUT, 3, "input", false },
		{ EST_E_OUTPUT, 4, "output", false },
		{ EST_E_NETWORK, 5, "network", true },
		{ EST_E_TIMEOUT, 6, "timeout", true },
		{ EST_E_UNTRUSTED, 7, "untrusted", false },
		{ EST_E_TLS, 8, "tls", false },
		{ EST_E_AUTH, 9, "auth", false },
		{ EST_E_REFUSED, 10, "refused", false },
		{ EST_E_SERVER, 11, "server", true },
		{ EST_E_PENDING, 12, "pending", true },
		{ EST_E_PROTOCOL, 13, "protocol", false },
		{ EST_E_REJECTED, 14, "rejected", false },
		{ EST_E_CONDITION, 15, "condition", false },
		{ EST_E_HOOK, 16, "hook", false },
		{ EST_E_CLOCK, 17, "clock", false },
		{ EST_E_INTERRUPTED, 128, "interrupted", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal((int)rows[i].code, rows[i].number);
		assert_string_equal(est_code_name(rows[i].code), rows[i].name);
		assert_int_equal(est_code_retryable(rows[i].code), rows[i].retryable);
	}
	assert_string_equal(est_code_name((enum est_code)99), "internal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_one_statement),
		cmocka_unit_test(what_is_too_long_is_cut_between_characters),
		cmocka_unit_test(names_and_numbers_are_frozen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

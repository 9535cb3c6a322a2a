/* SPDX-License-Identifier: MIT */
/* Media types, dates and Retry-After. */
#include "http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples */

/* ---- Media types ------------------------------------------------------------------------------
 */

static void expect_media(const char *value, const char *type, const char *subtype,
	const char *smime_type)
{
	struct http_media_type media;

	if (!http_media_type(est_span_str(value), &media))
		fail_msg("%s: refused", value);
	assert_true(http_media_is(&media, type, subtype));
	assert_true(est_span_eq(media.smime_type, est_span_str(smime_type)));
}

/* proves: R7030-3.2.1-02 */
static void media_types_ignore_case_blanks_and_other_parameters(void **state)
{
	(void)state;
	expect_media("application/pkcs7-mime", "application", "pkcs7-mime", "");
	expect_media("Application/PKCS7-MIME", "application", "pkcs7-mime", "");
	expect_media(" application/csrattrs \t", "application", "csrattrs", "");
	expect_media("application/pkcs7-mime; smime-type=certs-only", "application", "pkcs7-mime",
		"certs-only");
	expect_media("application/pkcs7-mime ;\tSMIME-Type=\"CMC-Response\" ; name=\"a;b\\\"c\"",
		"application", "pkcs7-mime", "CMC-Response");
	expect_media("multipart/mixed ; boundary=x; charset=utf-8", "multipart", "mixed", "");
	expect_media("a/b;", "a", "b", "");
	expect_media("a/b; ; x=y;;", "a", "b", "");
	expect_media("a/b; smime-type=\"\"", "a", "b", "");
	expect_media("a/b; smime-type=x; SMIME-TYPE=X", "a", "b", "x");
}

static void malformed_media_types_are_refused(void **state)
{
	static const char *const values[] = { "", " ", "application", "application/", "/pkcs10",
		"a /b", "a/ b", "a/b/c", "a/b c", "a/b, c/d", "a/b; x", "a/b; x=", "a/b; =y",
		"a/b; x =y", "a/b; x= y", "a/b; x=\"y", "a/b; x=\"y\\\"", "a/b; x=\"y\"z",
		"a/b x=y", "a/b; x=y z", "\"a\"/b", "a/b; smime-type=x; smime-type=y" };
	struct http_media_type media = { .type = { (const uint8_t *)"kept", 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (http_media_type(est_span_str(values[i]), &media))
			fail_msg("\"%s\" was taken", values[i]);
		assert_int_equal(media.type.n, 4);
	}
}

static void another_media_type_does_not_match(void **state)
{
	struct http_media_type media;

	(void)state;
	assert_true(http_media_type(est_span_str("text/html"), &media));
	assert_false(http_media_is(&media, "text", "htm"));
	assert_false(http_media_is(&media, "text", "html5"));
	assert_false(http_media_is(&media, "tex", "html"));
}

/* ---- Dates ------------------------------------------------------------------------------------
 */

static void expect_date(const char *text, time_t now, time_t want)
{
	time_t got = 0;

	if (!http_date(est_span_str(text), now, &got))
		fail_msg("%s: refused", text);
	assert_int_equal(got, want);
}

static void the_three_forms_of_a_date_are_read(void **state)
{
	(void)state;
	expect_date("Sun, 06 Nov 1994 08:49:37 GMT", 0, NOW);
	expect_date("Sunday, 06-Nov-94 08:49:37 GMT", NOW, NOW);
	expect_date("Sun Nov  6 08:49:37 1994", 0, NOW);
	expect_date("Sun Nov 16 08:49:37 1994", 0, NOW + 10 * 86400);
	expect_date("Thu, 29 Feb 2024 00:00:00 GMT", 0, 1709164800);
	expect_date("Sat, 31 Dec 2016 23:59:60 GMT", 0, 1483228800); /* a leap second */
	expect_date("Fri, 31 Dec 9999 23:59:59 GMT", 0, INT64_C(253402300799));
}

static void a_year_of_two_digits_is_at_most_fifty_years_ahead(void **state)
{
	(void)state;
	expect_date("Friday, 06-Nov-44 08:49:37 GMT", NOW,
		2362034977); /* fifty years to the second */
	expect_date("Monday, 06-Nov-44 08:49:38 GMT", NOW, -793725022); /* one more */
	expect_date("Sunday, 06-Nov-45 08:49:37 GMT", NOW, -762189023);
	expect_date("Tuesday, 01-Jan-30 00:00:00 GMT", 1700000000, 1893456000);
	expect_date("Friday, 31-Dec-99 23:59:59 GMT", 1700000000, 946684799);
	expect_date("Saturday, 01-Jan-00 00:00:00 GMT", 1700000000, 946684800);
}

static void malformed_dates_are_refused(void **state)
{
	static const char *const dates[] = { "", "Sun", "Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000",
		"Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT",
		"sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 gmt", "Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun,  6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
		"Sun, 29 Feb 2023 08:49:37 GMT", "Sun, 29 Feb 1900 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
		"Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 19945 08:49:37 GMT",
		"Xyz, 06 Nov 1994 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
		"Sunday, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
		"Sunday, 06-Nov-1994 08:49:37 GMT", "Sunday, 31-Feb-94 08:49:37 GMT",
		"Sun Nov 6 08:49:37 1994", "Sun Nov    08:49:37 1994", "Sun Nov  6 08:49:37 94",
		"Sun Nov  6 08:49:37 1994 GMT", "1994-11-06T08:49:37Z", "784111777" };
	time_t when = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		if (http_date(est_span_str(dates[i]), NOW, &when))
			fail_msg("\"%s\" was taken", dates[i]);
		assert_int_equal(when, 7);
	}
}

/* ---- Retry-After ------------------------------------------------------------------------------
 */

static int64_t wait_of(const char *fields, time_t now)
{
	struct http_response response = { 0 };
	struct http_parser parser;
	struct est_buf in = { 0 };
	struct est_error err = { 0 };
	struct est_span span;
	int64_t wait;

	assert_int_equal(est_buf_printf(&in, &err,
				 "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n%s\r\n", fields),
		EST_OK);
	span = est_buf_span(&in);
	http_parser_init(&parser, &response, 100, NULL);
	assert_int_equal(http_parser_feed(&parser, &span, &err), EST_OK);
	assert_true(http_parser_done(&parser));
	wait = http_retry_after(&response, now);
	http_parser_wipe(&parser);
	http_response_wipe(&response);
	est_buf_free(&in);
	return wait;
}

static void retry_after_in_seconds(void **state)
{
	(void)state;
	assert_int_equal(wait_of("Retry-After: 120\r\n", NOW), 120);
	assert_int_equal(wait_of("Retry-After: 0\r\n", NOW), 0);
	assert_int_equal(wait_of("Retry-After: 0000000000007\r\n", NOW), 7);
	assert_int_equal(wait_of("Retry-After: 5\r\nRetry-After: 5\r\n", NOW), 5);
	assert_int_equal(wait_of("Date: Sun, 06 Nov 1994 08:00:00 GMT\r\nRetry-After: 5\r\n", NOW),
		5);
}

static void a_huge_retry_after_is_long_and_does_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(wait_of("Retry-After: 9999999999\r\n", NOW), HTTP_RETRY_AFTER_MAX);
	assert_int_equal(wait_of("Retry-After: 10000000000\r\n", NOW), HTTP_RETRY_AFTER_MAX);
	assert_int_equal(wait_of("Retry-After: 18446744073709551617\r\n", NOW),
		HTTP_RETRY_AFTER_MAX);
	assert_int_equal(wait_of("Retry-After: 99999999999999999999999999\r\n", NOW),
		HTTP_RETRY_AFTER_MAX);
	assert_int_equal(wait_of("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n", NOW),
		HTTP_RETRY_AFTER_MAX);
}

static void retry_after_as_a_date(void **state)
{
	(void)state;
	assert_int_equal(wait_of("Retry-After: Sun, 06 Nov 1994 08:49:47 GMT\r\n", NOW), 10);
	assert_int_equal(wait_of("Retry-After: Sun Nov  6 08:49:47 1994\r\n", NOW), 10);
	assert_int_equal(wait_of("Retry-After: Sunday, 06-Nov-94 08:49:47 GMT\r\n", NOW), 10);
	assert_int_equal(wait_of("Retry-After: Sun, 06 Nov 1994 08:49:27 GMT\r\n", NOW), 0);
}

static void the_date_field_cancels_a_wrong_clock(void **state)
{
	(void)state;
	assert_int_equal(wait_of("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
				 "Retry-After: Sun, 06 Nov 1994 08:51:37 GMT\r\n",
				 0),
		120);
	assert_int_equal(wait_of("Date: yesterday\r\n"
				 "Retry-After: Sun, 06 Nov 1994 08:51:37 GMT\r\n",
				 NOW),
		120);
}

/* proves: H-05 */
static void an_unusable_retry_after_counts_as_none(void **state)
{
	static const char *const values[] = { "", "+5", "-5", "1.5", "5s", "5 5", "5, 6", "0x5",
		"soon", "\"5\"", "Sun, 06 Nov 1994 08:49:37" };
	char fields[100];

	(void)state;
	assert_int_equal(wait_of("", NOW), -1);
	assert_int_equal(wait_of("Retry-After: 5\r\nRetry-After: 6\r\n", NOW), -1);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_true(snprintf(fields, sizeof(fields), "Retry-After: %s\r\n", values[i]) > 0);
		if (wait_of(fields, NOW) != -1)
			fail_msg("\"%s\" was taken", values[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_types_ignore_case_blanks_and_other_parameters),
		cmocka_unit_test(malformed_media_types_are_refused),
		cmocka_unit_test(another_media_type_does_not_match),
		cmocka_unit_test(the_three_forms_of_a_date_are_read),
		cmocka_unit_test(a_year_of_two_digits_is_at_most_fifty_years_ahead),
		cmocka_unit_test(malformed_dates_are_refused),
		cmocka_unit_test(retry_after_in_seconds),
		cmocka_unit_test(a_huge_retry_after_is_long_and_does_not_overflow),
		cmocka_unit_test(retry_after_as_a_date),
		cmocka_unit_test(the_date_field_cancels_a_wrong_clock),
		cmocka_unit_test(an_unusable_retry_after_counts_as_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

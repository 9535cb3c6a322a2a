/* SPDX-License-Identifier: MIT */
/* The response parser: status line, header section, length of the body. */
#include "http_run.h"

/* ---- Status line ------------------------------------------------------------------------------
 */

/* proves: H-10 */
static void status_lines_are_read(void **state)
{
	(void)state;
	expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true, 0);
	expect("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, "", true, 0);
	expect("HTTP/1.1 444 No\tway \xe4\r\nContent-Length: 0\r\n\r\n", 444, "", true, 0);
	expect("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", false, 0);
	expect("HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n", 999, "", true, 0);
}

/* proves: H-10 */
static void a_missing_reason_is_tolerated(void **state)
{
	(void)state;
	expect("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", true, BIT(NO_REASON));
}

/* proves: H-10 */
static void other_status_lines_are_refused(void **state)
{
	static const char *const lines[] = { "HTTP/2 200 OK\r\n", "HTTP/1.2 200 OK\r\n",
		"HTTP/0.9 200 OK\r\n", "HTTP/1.10 200 OK\r\n", "http/1.1 200 OK\r\n",
		"HTTP/1.1  200 OK\r\n", "HTTP/1.1\t200 OK\r\n", " HTTP/1.1 200 OK\r\n",
		"\r\nHTTP/1.1 200 OK\r\n", "\nHTTP/1.1 200 OK\r\n", "ICY 200 OK\r\n",
		"HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 20x OK\r\n",
		"HTTP/1.1 200OK\r\n", "HTTP/1.1 200\tOK\r\n", "HTTP/1.1 +20 OK\r\n",
		"HTTP/1.1 099 OK\r\n", "HTTP/1.1 000 OK\r\n", "HTTP/1.1 \r\n",
		"\xef\xbb\xbfHTTP/1.1 200 OK\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		refuse(lines[i], "HTTP");
	refuse("<html>\x1b[31m\r\n", "control");
	refuse("HTTP/1.1 200 O\rK\r\n", "control");
	refuse("garbage\xff\r\n", "\\xff");
}

/* ---- Header lines -----------------------------------------------------------------------------
 */

static void fields_are_found_by_name_in_any_case(void **state)
{
	static const char in[] = OK "Content-Length: 0\r\nX-A:1\r\nx-a: \t 2 \t\r\nX-Empty:\r\n"
				    "!#$%&'*+-.^_`|~9a: odd: \"x\", y\r\nX-Utf: \xc3\xa4\r\n\r\n";

	(void)state;
	expect_field(in, "x-A", 0, "1");
	expect_field(in, "X-a", 1, "2");
	expect_field(in, "x-a", 2, NULL);
	expect_field(in, "x-empty", 0, "");
	expect_field(in, "!#$%&'*+-.^_`|~9A", 0, "odd: \"x\", y");
	expect_field(in, "x-utf", 0, "\xc3\xa4");
	expect_field(in, "x", 0, NULL);
	expect_field(in, "", 0, NULL);
}

/* proves: H-11 */
static void bare_lf_is_tolerated_in_the_header_section(void **state)
{
	(void)state;
	expect("HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, "x", true, BIT(BARE_LF));
	expect(OK "Content-Length: 1\r\n\nx", 200, "x", true, BIT(BARE_LF));
	expect_field("HTTP/1.1 200 OK\nA: b\nContent-Length: 0\n\n", "a", 0, "b");
}

/* proves: H-11 */
static void stray_cr_and_nul_are_refused(void **state)
{
	static const char nul[] = OK "A: b\0c\r\n\r\n";

	(void)state;
	refuse(OK "A: b\rc\r\n\r\n", "0x0d");
	refuse(OK "A: b\r\r\n\r\n", "0x0d");
	refuse(OK "\r\r\n", "0x0d");
	refuse(OK "A\r: b\r\n\r\n", "0x0d");
	refuse(OK "A: b\x7f\r\n\r\n", "0x7f");
	refuse(OK "A: \x1b[31m\r\n\r\n", "0x1b");
	refuse_span((struct est_span){ (const uint8_t *)nul, sizeof(nul) - 1 }, OPEN, "0x00");
}

/* proves: H-12 */
static void lines_that_are_no_fields_are_refused(void **state)
{
	(void)state;
	refuse(OK "A : b\r\n", "name: value");
	refuse(OK "A\t: b\r\n", "name: value");
	refuse(OK ": b\r\n", "name: value");
	refuse(OK "no colon\r\n", "name: value");
	refuse(OK "A\r\n", "name: value");
	refuse(OK "A(x): b\r\n", "name: value");
	refuse(OK "\xc3\xa4: b\r\n", "name: value");
	refuse(OK "\"A\": b\r\n", "name: value");
	refuse(OK " A: b\r\n", "before the first");
	refuse(OK "\tA: b\r\n", "before the first");
	refuse(OK " \r\n", "before the first");
	refuse(OK "A: 1\r\nHTTP/1.1 200 OK\r\n", "name: value");
}

/* proves: H-13 */
static void folded_lines_are_joined_by_one_space(void **state)
{
	static const char in[] = OK "A: x\r\n   y \r\n\tz\r\nB:\r\n  v\r\nC: w\r\n  \r\n"
				    "Content-Length: 0\r\n\r\n";

	(void)state;
	expect(in, 200, "", true, BIT(OBS_FOLD));
	expect_field(in, "A", 0, "x y z");
	expect_field(in, "B", 0, "v");
	expect_field(in, "C", 0, "w");
	expect_field(in, "Content-Length", 0, "0");
	expect_field(OK "A: x\r\n y: z\r\nContent-Length: 0\r\n\r\n", "y", 0, NULL);
}

/* proves: H-13 */
static void folding_is_refused_where_the_value_decides(void **state)
{
	(void)state;
	refuse(OK "Content-Length: 1\r\n 0\r\n", "folded Content-Length");
	refuse(OK "content-length:\r\n 0\r\n", "folded Content-Length");
	refuse(OK "Transfer-Encoding:\r\n chunked\r\n", "folded Transfer-Encoding");
	refuse(OK "Location: https://a\r\n .example/\r\n", "folded Location");
	refuse(OK "WWW-Authenticate: Basic\r\n\trealm=x\r\n", "folded WWW-Authenticate");
	refuse(OK "Location: x\r\n \r\n", "folded Location");
}

/* proves: H-20 */
static void singletons_with_two_values_are_refused(void **state)
{
	(void)state;
	refuse(OK "Content-Type: a/b\r\nContent-Type: a/c\r\nContent-Length: 0\r\n\r\n",
		"two different Content-Type");
	refuse("HTTP/1.1 302 x\r\nLocation: /a\r\nX: y\r\nlocation: /b\r\nContent-Length: 0\r\n\r\n",
		"two different Location");
	refuse(OK "Date: a\r\nDate: b\r\nContent-Length: 0\r\n\r\n", "two different Date");
	expect(OK "Content-Type: a/b\r\nContent-Type: a/b\r\nContent-Length: 0\r\n\r\n", 200, "",
		true, 0);
	expect(OK "Retry-After: 1\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n", 200, "", true,
		0);
}

/* proves: H-02 */
static void a_content_coding_is_refused_on_success(void **state)
{
	(void)state;
	refuse(OK "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", "gzip");
	refuse(OK "Content-Encoding: identity, br\r\nContent-Length: 0\r\n\r\n", "br");
	refuse(OK "Content-Encoding: identity\r\nContent-Encoding: x\r\nContent-Length: 0\r\n\r\n",
		"is x");
	expect(OK "Content-Encoding: Identity\r\nContent-Length: 0\r\n\r\n", 200, "", true, 0);
	expect(OK "Content-Encoding:\r\nContent-Length: 0\r\n\r\n", 200, "", true, 0);
	expect("HTTP/1.1 502 x\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 502, "x",
		true, 0);
}

/* ---- Body length ------------------------------------------------------------------------------
 */

/* proves: H-14 */
static void content_length_counts_the_body(void **state)
{
	(void)state;
	expect(OK "Content-Length: 5\r\n\r\nhello", 200, "hello", true, 0);
	expect(OK "Content-Length: 0005\r\n\r\nhello", 200, "hello", true, 0);
	expect(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true, 0);
	expect(OK "Content-Length: 5, 5\r\n\r\nhello", 200, "hello", true, 0);
}

/* proves: H-14 */
static void other_content_lengths_are_refused(void **state)
{
	static const char *const values[] = { "", "+5", "-5", "5 5", "0x5", "5.0", "5,", ",5", ",",
		"5,,5", "\"5\"", "5;", "9223372036854775808", "18446744073709551616",
		"99999999999999999999999999", "5, 6", "5, x" };
	char in[200];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_true(
			snprintf(in, sizeof(in), OK "Content-Length: %s\r\n\r\n", values[i]) > 0);
		refuse(in, "Content-Length");
	}
	refuse(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "both 5 and 6");
	refuse("HTTP/1.1 404 x\r\nContent-Length: 5\r\ncontent-length: 6\r\n\r\n", "both 5 and 6");
}

/* proves: H-14 */
static void both_framings_together_are_refused(void **state)
{
	(void)state;
	refuse(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "both");
	refuse(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "both");
	refuse("HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "both");
}

/* proves: H-14 H-16 */
static void other_transfer_codings_are_refused(void **state)
{
	static const char *const values[] = { "", "gzip", "gzip, chunked", "chunked, gzip",
		"chunked, chunked", "chunked;q=1", "\"chunked\"", "xchunked", "chunked,",
		"identity" };
	char in[200];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_true(snprintf(in, sizeof(in), OK "Transfer-Encoding: %s\r\n\r\n",
				    values[i]) > 0);
		refuse(in, "Transfer-Encoding");
	}
	refuse(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "single");
	refuse("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0");
}

/* proves: H-14 */
static void some_statuses_have_no_body(void **state)
{
	struct run r;

	(void)state;
	expect("HTTP/1.1 204 x\r\n\r\n", 204, "", true, 0);
	expect("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", 204, "", true, 0);
	expect("HTTP/1.1 304 x\r\nContent-Length: 10\r\n\r\n", 304, "", false, 0);
	expect("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n", 204, "", false, 0);
	run_all(&r, est_span_str("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\nhello"), OPEN);
	assert_true(r.done);
	assert_int_equal(r.left, 5);
	assert_false(r.response.reusable);
	run_wipe(&r);
}

/* proves: H-14 */
static void a_body_without_length_ends_with_the_connection(void **state)
{
	(void)state;
	expect_end(OK "\r\nhello", CLEAN, 200, "hello", false, 0);
	expect_end(OK "\r\n", CLEAN, 200, "", false, 0);
	expect_end("HTTP/1.0 401 x\r\nConnection: keep-alive\r\n\r\nwho?", CLEAN, 401, "who?",
		false, 0);
}

/* proves: H-14 H-15 */
static void a_missing_close_notify_is_tolerated_only_for_a_whole_value(void **state)
{
	(void)state;
	expect_end(OK "\r\nMAMCAQc=", CUT, 200, "MAMCAQc=", false, BIT(NO_CLOSE_NOTIFY));
	expect_end(OK "\r\nMAMC\nAQc=\n", CUT, 200, "MAMC\nAQc=\n", false, BIT(NO_CLOSE_NOTIFY));
	expect_end(OK "\r\n\x30\x03\x02\x01\x07", CUT, 200, "\x30\x03\x02\x01\x07", false,
		BIT(NO_CLOSE_NOTIFY));
	expect_end("HTTP/1.1 404 x\r\n\r\nno such", CUT, 404, "no such", false,
		BIT(NO_CLOSE_NOTIFY));
	refuse_span(est_span_str(OK "\r\nMAMCAQ=="), CUT, "close_notify");
	refuse_span(est_span_str(OK "\r\nMAMC"), CUT, "close_notify");
	refuse_span(est_span_str(OK "\r\nMAMCAQcx"), CUT, "close_notify");
	refuse_span(est_span_str(OK "\r\n\x30\x03\x02\x01"), CUT, "close_notify");
	refuse_span(est_span_str(OK "\r\nhello"), CUT, "close_notify");
	refuse_span(est_span_str(OK "\r\n"), CUT, "close_notify");
	/* More certificates may have followed. */
	refuse_span(est_span_str(OK "\r\n-----BEGIN CERTIFICATE-----\nMAMCAQc=\n"
				    "-----END CERTIFICATE-----\n"),
		CUT, "close_notify");
}

/* proves: H-15 */
static void truncated_responses_are_refused(void **state)
{
	static const char *const cut[] = { "H", "HTTP/1.1 200 OK", OK, OK "A: b\r\n",
		OK "A: b\r\n\r", OK "Content-Length: 5\r\n\r\n", OK "Content-Length: 5\r\n\r\nhell",
		OK "Content-Length: 9\r\n\r\nMAMCAQc=",
		"HTTP/1.1 404 x\r\nContent-Length: 5\r\n\r\nx",
		OK "Transfer-Encoding: chunked\r\n\r\n", OK "Transfer-Encoding: chunked\r\n\r\n5",
		OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
		OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello",
		OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		refuse_span(est_span_str(cut[i]), CLEAN, "truncated");
		refuse_span(est_span_str(cut[i]), CUT, "truncated");
	}
}

static void no_byte_at_all_is_a_network_error(void **state)
{
	struct run r;

	(void)state;
	run(&r, (struct est_span){ NULL, 0 }, 1, CLEAN, false);
	assert_int_equal(r.rc, EST_E_NETWORK);
	run(&r, (struct est_span){ NULL, 0 }, 1, CUT, false);
	assert_int_equal(r.rc, EST_E_NETWORK);
}

static void the_end_of_the_connection_after_the_response_is_fine(void **state)
{
	(void)state;
	expect_end(OK "Content-Length: 2\r\n\r\nhi", CUT, 200, "hi", true, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_lines_are_read),
		cmocka_unit_test(a_missing_reason_is_tolerated),
		cmocka_unit_test(other_status_lines_are_refused),
		cmocka_unit_test(fields_are_found_by_name_in_any_case),
		cmocka_unit_test(bare_lf_is_tolerated_in_the_header_section),
		cmocka_unit_test(stray_cr_and_nul_are_refused),
		cmocka_unit_test(lines_that_are_no_fields_are_refused),
		cmocka_unit_test(folded_lines_are_joined_by_one_space),
		cmocka_unit_test(folding_is_refused_where_the_value_decides),
		cmocka_unit_test(singletons_with_two_values_are_refused),
		cmocka_unit_test(a_content_coding_is_refused_on_success),
		cmocka_unit_test(content_length_counts_the_body),
		cmocka_unit_test(other_content_lengths_are_refused),
		cmocka_unit_test(both_framings_together_are_refused),
		cmocka_unit_test(other_transfer_codings_are_refused),
		cmocka_unit_test(some_statuses_have_no_body),
		cmocka_unit_test(a_body_without_length_ends_with_the_connection),
		cmocka_unit_test(a_missing_close_notify_is_tolerated_only_for_a_whole_value),
		cmocka_unit_test(truncated_responses_are_refused),
		cmocka_unit_test(no_byte_at_all_is_a_network_error),
		cmocka_unit_test(the_end_of_the_connection_after_the_response_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

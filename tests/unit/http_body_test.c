/* SPDX-License-Identifier: MIT */
/* The response parser: chunks, limits, interim responses, reuse of the connection. */
#include "http_run.h"

/* ---- Chunks -----------------------------------------------------------------------------------
 */

#define CHUNKED OK "Transfer-Encoding: Chunked\r\n\r\n"

/* proves: H-16 */
static void chunks_are_joined(void **state)
{
	(void)state;
	expect(CHUNKED "5\r\nhello\r\n0\r\n\r\n", 200, "hello", true, 0);
	expect(CHUNKED "1\r\nh\r\n00A\r\n0123456789\r\n000\r\n\r\n", 200, "h0123456789", true, 0);
	expect(CHUNKED "a\r\n\r\n0\r\n\r\n\r\n0\r\n0\r\n\r\n", 200, "\r\n0\r\n\r\n\r\n0", true, 0);
	expect(CHUNKED "0\r\n\r\n", 200, "", true, 0);
	expect(CHUNKED "000000000000005\r\nhello\r\n0\r\n\r\n", 200, "hello", true, 0);
}

/* proves: H-16 */
static void chunk_extensions_and_trailers_are_dropped(void **state)
{
	static const char in[] = CHUNKED "5;a=b\r\nhello\r\n1 \t; x=\"y;\"\r\n!\r\n0;last\r\n"
					 "Content-Length: 9\r\nX: y\r\n\r\n";

	(void)state;
	expect(in, 200, "hello!", true, 0);
	expect_field(in, "X", 0, NULL);
	expect_field(in, "Content-Length", 0, NULL);
}

/* proves: H-16 */
static void broken_chunks_are_refused(void **state)
{
	char in[600];

	(void)state;
	refuse(CHUNKED "\r\n", "chunk size");
	refuse(CHUNKED " 5\r\n", "chunk size");
	refuse(CHUNKED "5 \r\n", "chunk size");
	refuse(CHUNKED "0x5\r\n", "chunk size");
	refuse(CHUNKED "-5\r\n", "chunk size");
	refuse(CHUNKED "g\r\n", "chunk size");
	refuse(CHUNKED "5 x\r\n", "chunk size");
	refuse(CHUNKED ";a\r\n", "chunk size");
	refuse(CHUNKED "0000000000000005\r\n", "chunk size"); /* sixteen digits */
	refuse(CHUNKED "fffffffffffffffff\r\n", "chunk size");
	refuse(CHUNKED "5\nhello\r\n", "CRLF");
	refuse(CHUNKED "5\r\nhello\n0\r\n\r\n", "CRLF");
	refuse(CHUNKED "5\r\nhello0\r\n", "longer than its size");
	refuse(CHUNKED "5\r\nhello!!\r\n", "longer than its size");
	refuse(CHUNKED "5\r\nhello\r\r\n", "longer than its size");
	refuse(CHUNKED "5;a\rb\r\n", "control");
	refuse(CHUNKED "0\r\n\n", "CRLF");
	refuse(CHUNKED "0\r\nA: b\n\r\n", "CRLF");
	refuse(CHUNKED "0\r\nA : b\r\n\r\n", "name: value");
	refuse(CHUNKED "0\r\nA: b\r\n c\r\n\r\n", "name: value");
	memset(in, 'x', sizeof(in));
	memcpy(in, CHUNKED "5;", strlen(CHUNKED "5;"));
	in[sizeof(in) - 1] = '\0';
	refuse(in, "256 bytes");
}

/* ---- Limits -----------------------------------------------------------------------------------
 */

static struct est_span filled(struct est_buf *buf, const char *start, char c, size_t n,
	const char *end)
{
	struct est_error err;

	est_buf_free(buf);
	assert_int_equal(est_buf_append(buf, est_span_str(start), &err), EST_OK);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(est_buf_append(buf, (struct est_span){ (uint8_t *)&c, 1 }, &err),
			EST_OK);
	assert_int_equal(est_buf_append(buf, est_span_str(end), &err), EST_OK);
	return est_buf_span(buf);
}

static void long_lines_and_headers_are_refused(void **state)
{
	struct est_buf in = { 0 }, lines = { 0 };
	struct est_error err;
	struct run r;

	(void)state;
	run_all(&r, filled(&in, OK "A: ", 'x', HTTP_LINE_MAX - 5, "\r\n"), OPEN);
	assert_int_equal(r.rc, EST_OK);
	run_wipe(&r);
	refuse_span(filled(&in, OK "A: ", 'x', HTTP_LINE_MAX - 4, "\r\n"), OPEN, "8 KiB");
	refuse_span(filled(&in, OK "A: ", 'x', 20000, ""), OPEN, "8 KiB");
	refuse_span(filled(&in, "", 'H', 20000, ""), OPEN, "8 KiB");
	/* Eight lines of 8 KiB and one of eight bytes too much; with nothing after it, it fits. */
	assert_int_equal(est_buf_append(&lines, est_span_str(OK), &err), EST_OK);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(est_buf_append(&lines, filled(&in, "A: ", 'x', 8000, "\r\n"),
					 &err),
			EST_OK);
	(void)filled(&in, "B: ", 'x', HTTP_HEAD_MAX - lines.n - 5, "\r\n");
	assert_int_equal(est_buf_append(&lines, est_buf_span(&in), &err), EST_OK);
	assert_int_equal(lines.n, HTTP_HEAD_MAX);
	run_all(&r, est_buf_span(&lines), OPEN);
	assert_int_equal(r.rc, EST_OK);
	run_wipe(&r);
	assert_int_equal(est_buf_append(&lines, est_span_str("\r"), &err), EST_OK);
	refuse_span(est_buf_span(&lines), OPEN, "64 KiB");
	est_buf_free(&in);
	est_buf_free(&lines);
}

static void folding_does_not_get_round_the_limit_of_the_header_section(void **state)
{
	struct est_buf in = { 0 };
	struct est_error err;

	(void)state;
	assert_int_equal(est_buf_append(&in, est_span_str(OK "A: b\r\n"), &err), EST_OK);
	for (size_t i = 0; i < HTTP_HEAD_MAX / 3; i++)
		assert_int_equal(est_buf_append(&in, est_span_str(" \r\n"), &err), EST_OK);
	refuse_span(est_buf_span(&in), OPEN, "64 KiB");
	est_buf_free(&in);
}

static void more_than_a_hundred_fields_are_refused(void **state)
{
	struct est_buf in = { 0 };
	struct est_error err;
	struct run r;

	(void)state;
	assert_int_equal(est_buf_append(&in, est_span_str(OK), &err), EST_OK);
	for (size_t i = 0; i < HTTP_FIELDS_MAX; i++)
		assert_int_equal(est_buf_append(&in, est_span_str("A:\r\n"), &err), EST_OK);
	run_all(&r, est_buf_span(&in), OPEN);
	assert_int_equal(r.rc, EST_OK);
	assert_int_equal(r.response.n_fields, HTTP_FIELDS_MAX);
	run_wipe(&r);
	assert_int_equal(est_buf_append(&in, est_span_str("A:\r\n"), &err), EST_OK);
	refuse_span(est_buf_span(&in), OPEN, "100");
	est_buf_free(&in);
}

static void a_large_trailer_section_is_refused(void **state)
{
	struct est_buf in = { 0 };
	struct est_error err;

	(void)state;
	refuse_span(filled(&in, CHUNKED "0\r\nA: ", 'x', HTTP_TRAILER_MAX, "\r\n"), OPEN, "8 KiB");
	est_buf_free(&in);
	assert_int_equal(est_buf_append(&in, est_span_str(CHUNKED "0\r\n"), &err), EST_OK);
	for (size_t i = 0; i <= HTTP_TRAILER_MAX / 4; i++)
		assert_int_equal(est_buf_append(&in, est_span_str("A:\r\n"), &err), EST_OK);
	refuse_span(est_buf_span(&in), OPEN, "trailer");
	est_buf_free(&in);
}

static void a_success_larger_than_the_limit_is_refused_before_it_is_read(void **state)
{
	struct est_buf in = { 0 };
	struct run r;

	(void)state;
	refuse(OK "Content-Length: 1001\r\n\r\n", "--max-size");
	refuse(OK "Content-Length: 9223372036854775807\r\n\r\n", "--max-size");
	refuse(CHUNKED "3e9\r\n", "--max-size");
	refuse(CHUNKED "fffffffffffffff\r\n", "--max-size");
	refuse(CHUNKED "1\r\nx\r\n3e8\r\n", "--max-size");
	refuse_span(filled(&in, OK "\r\n", 'x', MAX + 1, ""), CLEAN, "--max-size");
	run_all(&r, filled(&in, OK "\r\n", 'x', MAX, ""), CLEAN);
	assert_int_equal(r.rc, EST_OK);
	assert_int_equal(r.response.body.n, MAX);
	run_wipe(&r);
	run_all(&r, filled(&in, CHUNKED "3e8\r\n", 'x', MAX, "\r\n0\r\n\r\n"), OPEN);
	assert_int_equal(r.rc, EST_OK);
	assert_int_equal(r.response.body.n, MAX);
	run_wipe(&r);
	est_buf_free(&in);
}

static void expect_cut(struct est_span in)
{
	struct run r;

	run_all(&r, in, OPEN);
	assert_int_equal(r.rc, EST_OK);
	assert_true(r.done);
	assert_int_equal(r.response.status, 500);
	assert_int_equal(r.response.body.n, EST_ERROR_BODY_MAX);
	assert_false(r.response.reusable);
	run_wipe(&r);
}

static void the_body_of_an_error_is_cut(void **state)
{
	struct est_buf in = { 0 };
	struct run r;

	(void)state;
	expect_cut(filled(&in, "HTTP/1.1 500 x\r\nContent-Length: 65537\r\n\r\n", 'x', 65537, ""));
	expect_cut(filled(&in, "HTTP/1.1 500 x\r\nContent-Length: 9223372036854775807\r\n\r\n", 'x',
		65536, ""));
	expect_cut(filled(&in, "HTTP/1.1 500 x\r\n\r\n", 'x', 65537, ""));
	expect_cut(
		filled(&in, "HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n",
			'x', 65536, ""));
	expect_cut(filled(&in, "HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n", 'x',
		65536, "\r\n1\r\n"));
	/* Just as much is read and the connection stays usable. */
	run_all(&r, filled(&in, "HTTP/1.1 500 x\r\nContent-Length: 65536\r\n\r\n", 'x', 65536, ""),
		OPEN);
	assert_true(r.done);
	assert_true(r.response.reusable);
	run_wipe(&r);
	est_buf_free(&in);
}

/* ---- Interim responses and reuse ---------------------------------------------------------------
 */

#define INTERIM "HTTP/1.1 103 Early\r\nLink: x\r\nContent-Length: 7\r\n\r\n"

/* proves: H-14 H-21 */
static void interim_responses_are_skipped(void **state)
{
	static const char in[] = "HTTP/1.1 100 Continue\r\n\r\n" INTERIM OK
				 "Content-Length: 2\r\n\r\nhi";

	(void)state;
	expect(in, 200, "hi", true, 0);
	expect_field(in, "Link", 0, NULL);
	expect_field(in, "Content-Length", 0, "2");
	expect(INTERIM INTERIM INTERIM INTERIM INTERIM OK "Content-Length: 0\r\n\r\n", 200, "",
		true, 0);
}

/* proves: H-21 */
static void too_many_interim_responses_are_refused(void **state)
{
	(void)state;
	refuse(INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM, "more than 5");
	refuse("HTTP/1.1 101 Switching\r\n\r\n", "101");
	refuse(INTERIM "HTTP/1.1 101 Switching\r\n\r\n", "101");
}

/* proves: H-18 */
static void connection_close_ends_the_connection(void **state)
{
	(void)state;
	expect(OK "Connection: close\r\nContent-Length: 0\r\n\r\n", 200, "", false, 0);
	expect(OK "Connection: x, CLOSE\r\nContent-Length: 0\r\n\r\n", 200, "", false, 0);
	expect(OK "Connection: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, "", false,
		0);
	expect(OK "Connection: closed\r\nContent-Length: 0\r\n\r\n", 200, "", true, 0);
	expect("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200, "",
		false, 0);
}

/* proves: H-17 */
static void bytes_after_the_response_are_left(void **state)
{
	struct run r;

	(void)state;
	run_all(&r, est_span_str(OK "Content-Length: 2\r\n\r\nhi" OK), OPEN);
	assert_true(r.done);
	assert_int_equal(r.left, strlen(OK));
	run_wipe(&r);
	run_all(&r, est_span_str(CHUNKED "0\r\n\r\nx"), OPEN);
	assert_true(r.done);
	assert_int_equal(r.left, 1);
	run_wipe(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_are_joined),
		cmocka_unit_test(chunk_extensions_and_trailers_are_dropped),
		cmocka_unit_test(broken_chunks_are_refused),
		cmocka_unit_test(long_lines_and_headers_are_refused),
		cmocka_unit_test(folding_does_not_get_round_the_limit_of_the_header_section),
		cmocka_unit_test(more_than_a_hundred_fields_are_refused),
		cmocka_unit_test(a_large_trailer_section_is_refused),
		cmocka_unit_test(a_success_larger_than_the_limit_is_refused_before_it_is_read),
		cmocka_unit_test(the_body_of_an_error_is_cut),
		cmocka_unit_test(interim_responses_are_skipped),
		cmocka_unit_test(too_many_interim_responses_are_refused),
		cmocka_unit_test(connection_close_ends_the_connection),
		cmocka_unit_test(bytes_after_the_response_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

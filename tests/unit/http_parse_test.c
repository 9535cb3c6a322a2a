/* SPDX-License-Identifier: MIT */
/* The response parser.  Every input is fed whole, byte by byte and in odd pieces; the outcome must
 * be the same each time. */
#include "http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BIT(q) (1u << EST_Q_##q)
#define OK     "HTTP/1.1 200 OK\r\n"
#define MAX    1000 /* bytes of a body here */

enum end { OPEN, CLEAN, CUT }; /* what happens to the connection after the bytes */

struct run {
	struct http_response response;
	struct est_quirks quirks;
	struct est_error err;
	enum est_code rc;
	size_t left;
	bool done;
};

static void run(struct run *run, struct est_span in, size_t piece, enum end end, bool strict)
{
	struct http_parser parser;
	struct est_span part;
	size_t at = 0;

	*run = (struct run){ .quirks.strict = strict };
	http_parser_init(&parser, &run->response, MAX, &run->quirks);
	while (run->rc == EST_OK && at < in.n && !http_parser_done(&parser)) {
		/* A copy of its own size, so that reading beyond it is seen. */
		size_t n = in.n - at < piece ? in.n - at : piece;
		uint8_t *copy = malloc(n);

		assert_non_null(copy);
		memcpy(copy, in.p + at, n);
		part = (struct est_span){ copy, n };
		run->rc = http_parser_feed(&parser, &part, &run->err);
		at += n - part.n;
		free(copy);
	}
	run->left = in.n - at;
	if (run->rc == EST_OK && end != OPEN)
		run->rc = http_parser_eof(&parser, end == CLEAN, &run->err);
	run->done = http_parser_done(&parser);
	http_parser_wipe(&parser);
}

static void run_wipe(struct run *run)
{
	http_response_wipe(&run->response);
}

static void same(const struct run *a, const struct run *b)
{
	assert_int_equal(a->rc, b->rc);
	assert_string_equal(a->err.msg, b->err.msg);
	assert_int_equal(a->quirks.seen, b->quirks.seen);
	if (a->rc != EST_OK)
		return;
	assert_int_equal(a->done, b->done);
	assert_int_equal(a->response.status, b->response.status);
	assert_int_equal(a->response.reusable, b->response.reusable);
	assert_int_equal(a->response.n_fields, b->response.n_fields);
	for (size_t i = 0; i < a->response.n_fields; i++)
		assert_memory_equal(&a->response.fields[i], &b->response.fields[i],
			sizeof(a->response.fields[i]));
	assert_true(est_span_eq(est_buf_span(&a->response.head), est_buf_span(&b->response.head)));
	assert_true(est_span_eq(est_buf_span(&a->response.body), est_buf_span(&b->response.body)));
}

static void run_all(struct run *whole, struct est_span in, enum end end)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64 };
	struct run split;

	run(whole, in, SIZE_MAX, end, false);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		run(&split, in, pieces[i], end, false);
		same(whole, &split);
		run_wipe(&split);
	}
}

/* A complete response with this body and these quirks; an error under strict if there are any. */
static void expect_end(
	const char *in, enum end end, int status, const char *body, bool reusable, uint32_t seen)
{
	struct run r, strict;

	run_all(&r, est_span_str(in), end);
	if (r.rc != EST_OK)
		fail_msg("%s", r.err.msg);
	assert_true(r.done);
	assert_int_equal(r.left, 0);
	assert_int_equal(r.response.status, status);
	assert_true(est_span_eq(est_buf_span(&r.response.body), est_span_str(body)));
	assert_int_equal(r.response.reusable, reusable);
	assert_int_equal(r.quirks.seen, seen);
	run_wipe(&r);
	run(&strict, est_span_str(in), SIZE_MAX, end, true);
	assert_int_equal(strict.rc, seen ? EST_E_PROTOCOL : EST_OK);
	run_wipe(&strict);
}

static void expect(const char *in, int status, const char *body, bool reusable, uint32_t seen)
{
	expect_end(in, OPEN, status, body, reusable, seen);
}

static void refuse_span(struct est_span in, enum end end, const char *says)
{
	struct run r;

	run_all(&r, in, end);
	assert_int_equal(r.rc, EST_E_PROTOCOL);
	assert_false(r.done);
	if (!strstr(r.err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", r.err.msg, says);
	run_wipe(&r);
}

static void refuse(const char *in, const char *says)
{
	refuse_span(est_span_str(in), OPEN, says);
}

static void expect_field(const char *in, const char *name, size_t i, const char *want)
{
	struct est_span value;
	struct run r;

	run_all(&r, est_span_str(in), OPEN);
	if (r.rc != EST_OK)
		fail_msg("%s", r.err.msg);
	assert_int_equal(http_field(&r.response, name, i, &value), want != NULL);
	if (want)
		assert_true(est_span_eq(value, est_span_str(want)));
	run_wipe(&r);
}

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
	expect_end(
		"HTTP/1.1 404 x\r\n\r\nno such", CUT, 404, "no such", false, BIT(NO_CLOSE_NOTIFY));
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

static struct est_span filled(
	struct est_buf *buf, const char *start, char c, size_t n, const char *end)
{
	struct est_error err;

	est_buf_free(buf);
	assert_int_equal(est_buf_append(buf, est_span_str(start), &err), EST_OK);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			est_buf_append(buf, (struct est_span){ (uint8_t *)&c, 1 }, &err), EST_OK);
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
		assert_int_equal(
			est_buf_append(&lines, filled(&in, "A: ", 'x', 8000, "\r\n"), &err),
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

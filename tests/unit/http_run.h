/* SPDX-License-Identifier: MIT */
/* Runs the response parser.  Every input is fed whole, byte by byte and in odd pieces; the outcome
 * must be the same each time. */
#ifndef HTTP_RUN_H
#define HTTP_RUN_H

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

static inline void run(struct run *run, struct est_span in, size_t piece, enum end end, bool strict)
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

static inline void run_wipe(struct run *run)
{
	http_response_wipe(&run->response);
}

static inline void same(const struct run *a, const struct run *b)
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

static inline void run_all(struct run *whole, struct est_span in, enum end end)
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
static inline void expect_end(const char *in, enum end end, int status, const char *body,
	bool reusable, uint32_t seen)
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

static inline void expect(const char *in, int status, const char *body, bool reusable,
	uint32_t seen)
{
	expect_end(in, OPEN, status, body, reusable, seen);
}

static inline void refuse_span(struct est_span in, enum end end, const char *says)
{
	struct run r;

	run_all(&r, in, end);
	assert_int_equal(r.rc, EST_E_PROTOCOL);
	assert_false(r.done);
	if (!strstr(r.err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", r.err.msg, says);
	run_wipe(&r);
}

static inline void refuse(const char *in, const char *says)
{
	refuse_span(est_span_str(in), OPEN, says);
}

static inline void expect_field(const char *in, const char *name, size_t i, const char *want)
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

#endif

/* SPDX-License-Identifier: MIT */
/* One response through the parser, whole and in pieces: same outcome, and nothing out of bounds. */
#include <stdlib.h>
#include <string.h>

#include "http_parse.h"

#define MAX 4096

struct run {
	struct http_response response;
	struct est_quirks quirks;
	struct est_error err;
	enum est_code rc;
	size_t left;
	bool done;
};

static void check(bool good)
{
	if (!good)
		abort();
}

/* Pieces of 1 to max bytes, their sizes drawn from the bytes themselves. */
static void run(struct run *run, struct est_span in, size_t max, bool clean, bool strict)
{
	struct http_parser parser;
	struct est_span part;
	size_t at = 0, n;

	*run = (struct run){ .quirks.strict = strict };
	http_parser_init(&parser, &run->response, MAX, &run->quirks);
	while (run->rc == EST_OK && at < in.n && !http_parser_done(&parser)) {
		n = max == SIZE_MAX ? in.n : 1 + (in.p[at] * 7u + at) % max;
		if (n > in.n - at)
			n = in.n - at;
		part = (struct est_span){ in.p + at, n };
		run->rc = http_parser_feed(&parser, &part, &run->err);
		check(part.n == 0 || run->rc != EST_OK || http_parser_done(&parser));
		at += n - part.n;
	}
	run->left = in.n - at;
	if (run->rc == EST_OK)
		run->rc = http_parser_eof(&parser, clean, &run->err);
	run->done = http_parser_done(&parser);
	check(run->rc != EST_OK || run->done);
	check(run->rc == EST_OK || run->rc == EST_E_PROTOCOL ||
		(run->rc == EST_E_NETWORK && in.n == 0));
	http_parser_wipe(&parser);
}

static void check_response(const struct run *run)
{
	const struct http_response *r = &run->response;

	check(r->n_fields <= HTTP_FIELDS_MAX);
	check(r->head.n <= HTTP_HEAD_MAX + HTTP_LINE_MAX);
	check(r->body.n <= (r->status / 100 == 2 ? MAX : EST_ERROR_BODY_MAX));
	if (run->rc != EST_OK)
		return;
	check(r->status >= 200 && r->status <= 999);
	check(r->minor == 0 || r->minor == 1);
	check(!r->reusable || r->minor == 1);
	for (size_t i = 0; i < r->n_fields; i++) {
		const struct http_field *f = &r->fields[i];

		check(f->name_len > 0 && f->name + f->name_len <= r->head.n);
		check(f->value + f->value_len <= r->head.n);
		check(!memchr(r->head.p + f->value, '\n', f->value_len));
		check(!memchr(r->head.p + f->value, '\r', f->value_len));
		check(!memchr(r->head.p + f->value, 0, f->value_len));
	}
}

static void check_same(const struct run *a, const struct run *b)
{
	check(a->rc == b->rc && a->done == b->done);
	check(strcmp(a->err.msg, b->err.msg) == 0);
	check(a->quirks.seen == b->quirks.seen);
	if (a->rc != EST_OK)
		return;
	check(a->response.status == b->response.status);
	check(a->response.reusable == b->response.reusable);
	check(a->response.n_fields == b->response.n_fields);
	check(memcmp(a->response.fields, b->response.fields,
		      a->response.n_fields * sizeof(a->response.fields[0])) == 0);
	check(est_span_eq(est_buf_span(&a->response.head), est_buf_span(&b->response.head)));
	check(est_span_eq(est_buf_span(&a->response.body), est_buf_span(&b->response.body)));
	/* Of an error that was cut, the rest of what came in the same piece is dropped. */
	if (a->response.body.n < EST_ERROR_BODY_MAX)
		check(a->left == b->left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 3, 40, 700 };
	struct est_span in = { data, size };
	struct run whole, other;

	for (int clean = 0; clean < 2; clean++) {
		run(&whole, in, SIZE_MAX, clean, false);
		check_response(&whole);
		for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			run(&other, in, pieces[i], clean, false);
			check_response(&other);
			check_same(&whole, &other);
			http_response_wipe(&other.response);
		}
		/* --strict refuses exactly what deviates. */
		run(&other, in, SIZE_MAX, clean, true);
		check((other.rc == EST_OK) == (whole.rc == EST_OK && whole.quirks.seen == 0));
		http_response_wipe(&other.response);
		http_response_wipe(&whole.response);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Header lines of a 401: the challenges in them, and the other fields that have a grammar. */
#include <stdlib.h>
#include <string.h>

#include "http_auth.h"
#include "http_lex.h"

static void check(bool good)
{
	if (!good)
		abort();
}

static bool inside(const struct http_response *response, struct est_span span)
{
	const uint8_t *head = response->head.p;

	return span.p >= head && span.p + span.n <= head + response->head.n;
}

static bool is_token(struct est_span span)
{
	for (size_t i = 0; i < span.n; i++)
		if (!http_is_tchar(span.p[i]))
			return false;
	return span.n > 0;
}

static void check_challenge(const struct http_response *response, const struct http_challenge *c)
{
	check(inside(response, c->scheme) && is_token(c->scheme));
	check(c->token68.n == 0 || (inside(response, c->token68) && c->n_params == 0));
	check(c->n_params <= HTTP_AUTH_PARAMS_MAX);
	for (size_t i = 0; i < c->n_params; i++) {
		const struct http_auth_param *p = &c->params[i];

		check(inside(response, p->name) && is_token(p->name));
		check(inside(response, p->value));
		if (p->quoted)
			check(p->value.n >= 2 && p->value.p[0] == '"' &&
				p->value.p[p->value.n - 1] == '"');
		else
			check(is_token(p->value));
		for (size_t k = 0; k < i; k++)
			check(!http_same(p->name, c->params[k].name));
	}
}

static void check_fields(const struct http_response *response)
{
	struct http_media_type media;
	struct est_span value;
	int64_t wait = http_retry_after(response, 1700000000);
	time_t when;

	check(wait >= -1 && wait <= HTTP_RETRY_AFTER_MAX);
	if (http_field(response, "Content-Type", 0, &value) && http_media_type(value, &media)) {
		check(inside(response, media.type) && is_token(media.type));
		check(inside(response, media.subtype) && is_token(media.subtype));
		check(media.smime_type.n == 0 || inside(response, media.smime_type));
	}
	if (http_field(response, "Date", 0, &value) && http_date(value, 1700000000, &when))
		check(when <= INT64_C(253402300799)); /* the end of the year 9999 */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char before[] = "HTTP/1.1 401 x\r\nContent-Length: 0\r\n";
	struct http_challenge challenges[HTTP_CHALLENGES_MAX];
	struct http_response response = { 0 };
	struct http_parser parser;
	struct est_span parts[] = { est_span_str(before), { data, size },
		est_span_str("\r\n\r\n") };
	struct est_error err;
	size_t n;

	http_parser_init(&parser, &response, 100, NULL);
	for (size_t i = 0; i < 3; i++)
		if (http_parser_feed(&parser, &parts[i], &err) != EST_OK)
			break;
	if (http_parser_done(&parser)) {
		n = http_challenges(&response, "WWW-Authenticate", challenges);
		check(n <= HTTP_CHALLENGES_MAX);
		for (size_t i = 0; i < n; i++)
			check_challenge(&response, &challenges[i]);
		check_fields(&response);
	}
	http_parser_wipe(&parser);
	http_response_wipe(&response);
	return 0;
}

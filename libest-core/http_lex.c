/* SPDX-License-Identifier: MIT */
/* Steps over tokens, blanks, quoted strings and lists; no step reads beyond its span. */
#include "http_lex.h"

#include <string.h>

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static void skip(struct est_span *in, size_t n)
{
	in->p += n;
	in->n -= n;
}

bool http_is_tchar(uint8_t c)
{
	return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
	       (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool http_same(struct est_span a, struct est_span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool http_is(struct est_span a, const char *b)
{
	return http_same(a, est_span_str(b));
}

struct est_span http_trim(struct est_span in)
{
	http_skip_blanks(&in);
	while (in.n > 0 && is_blank(in.p[in.n - 1]))
		in.n--;
	return in;
}

void http_skip_blanks(struct est_span *in)
{
	while (in->n > 0 && is_blank(in->p[0]))
		skip(in, 1);
}

bool http_skip_char(struct est_span *in, uint8_t c)
{
	if (in->n == 0 || in->p[0] != c)
		return false;
	skip(in, 1);
	return true;
}

bool http_token(struct est_span *in, struct est_span *out)
{
	size_t n = 0;

	while (n < in->n && http_is_tchar(in->p[n]))
		n++;
	if (n == 0)
		return false;
	*out = (struct est_span){ in->p, n };
	skip(in, n);
	return true;
}

bool http_quoted(struct est_span *in, struct est_span *out)
{
	if (in->n == 0 || in->p[0] != '"')
		return false;
	for (size_t i = 1; i < in->n; i++) {
		if (in->p[i] == '"') {
			*out = (struct est_span){ in->p, i + 1 };
			skip(in, i + 1);
			return true;
		}
		if (in->p[i] == '\\')
			i++;
	}
	return false;
}

bool http_digits(struct est_span *in, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; n < in->n && in->p[n] >= '0' && in->p[n] <= '9'; n++) {
		unsigned digit = in->p[n] - (unsigned)'0';

		if (value > max / 10 || value * 10 > max - digit)
			value = max;
		else
			value = value * 10 + digit;
	}
	if (n == 0)
		return false;
	skip(in, n);
	*out = value;
	return true;
}

bool http_list_next(struct est_span *in, struct est_span *out)
{
	struct est_span rest = *in, element;
	const uint8_t *comma;

	while (rest.n > 0) {
		comma = memchr(rest.p, ',', rest.n);
		element = (struct est_span){ rest.p, comma ? (size_t)(comma - rest.p) : rest.n };
		skip(&rest, element.n + (comma != NULL));
		element = http_trim(element);
		if (element.n > 0) {
			*in = rest;
			*out = element;
			return true;
		}
	}
	return false;
}

int http_hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum est_code http_put_field(struct est_buf *out, const char *name, struct est_span value,
	struct est_error *err)
{
	enum est_code rc = est_buf_append(out, est_span_str(name), err);

	if (rc == EST_OK)
		rc = est_buf_append(out, est_span_str(": "), err);
	if (rc == EST_OK)
		rc = est_buf_append(out, value, err);
	return rc == EST_OK ? est_buf_append(out, est_span_str("\r\n"), err) : rc;
}

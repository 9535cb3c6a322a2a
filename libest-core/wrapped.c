/* SPDX-License-Identifier: MIT */
#include "wrapped.h"

#include <string.h>

#include "http_lex.h"
#include "span.h"

/* A line without its end, off the front of *in. */
static struct est_span line_take(struct est_span *in)
{
	const uint8_t *end = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;
	size_t n = end ? (size_t)(end - in->p) : in->n;
	struct est_span line = { in->p, n };

	*in = span_after(*in, n + (end != NULL));
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static bool begins(struct est_span in, const char *word)
{
	size_t n = strlen(word);

	return in.n >= n && strncasecmp((const char *)in.p, word, n) == 0;
}

/* Offset of a word in any case; in.n: not there. */
static size_t find(struct est_span in, const char *word)
{
	for (size_t i = 0; i < in.n; i++) {
		if (begins(span_after(in, i), word))
			return i;
	}
	return in.n;
}

/* The value of the parameter boundary. */
static struct est_span boundary_of(struct est_span value)
{
	size_t at = find(value, "boundary="), n;

	if (at == value.n)
		return (struct est_span){ 0 };
	value = span_after(value, at + strlen("boundary="));
	if (value.n > 0 && value.p[0] == '"') {
		value = span_after(value, 1);
		for (n = 0; n < value.n && value.p[n] != '"';)
			n++;
	} else {
		for (n = 0; n < value.n && !memchr("; \t\r\n", value.p[n], 5);)
			n++;
	}
	return n <= WRAPPED_BOUNDARY_MAX ? (struct est_span){ value.p, n } : (struct est_span){ 0 };
}

/* Length of the field's name; 0: the line is no field. */
static size_t field_name(struct est_span line)
{
	for (size_t i = 0; i < line.n && i < 100; i++) {
		if (line.p[i] == ':')
			return i;
		if (line.p[i] <= ' ' || line.p[i] >= 0x7f)
			return 0;
	}
	return 0;
}

/* One field with its continuation lines; true when it is about what follows. */
static bool field_note(struct est_span field, bool http, struct wrapped *out)
{
	if (begins(field, "Content-Type:")) {
		if (find(field, "multipart/") < field.n)
			out->boundary = boundary_of(field);
		out->est_type = http && (find(field, "application/pkcs7-mime") < field.n ||
						find(field, "application/csrattrs") < field.n);
		return true;
	}
	if (begins(field, "Transfer-Encoding:"))
		out->chunked = find(field, "chunked") < field.n;
	return begins(field, "Content-") || begins(field, "MIME-Version:") ||
	       begins(field, "Transfer-Encoding:");
}

bool wrapped_read(struct est_span text, bool part, struct wrapped *out)
{
	struct wrapped found = { 0 };
	bool http = false, content = part;
	struct est_span line, rest = text;

	if (begins(rest, "HTTP/")) {
		(void)line_take(&rest);
		http = content = true;
	}
	for (;;) {
		struct est_span field;

		if (rest.n == 0)
			return false; /* fields alone */
		line = line_take(&rest);
		if (line.n == 0)
			break;
		if (field_name(line) == 0)
			return false;
		while (rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t'))
			(void)line_take(&rest);
		field = (struct est_span){ line.p, (size_t)(rest.p - line.p) };
		content |= field_note(field, http, &found);
	}
	if (!content)
		return false;
	found.body = rest;
	*out = found;
	return true;
}

bool wrapped_begins(struct est_span text)
{
	struct est_span line;

	if (begins(text, "HTTP/"))
		(void)line_take(&text);
	while (text.n > 0 && memchr(text.p, '\n', text.n)) {
		line = line_take(&text);
		if (line.n == 0 || (field_name(line) == 0 && line.p[0] != ' ' && line.p[0] != '\t'))
			return false;
	}
	return true;
}

bool wrapped_boundary(struct est_span boundary, struct wrapped_boundary *out)
{
	if (boundary.n == 0 || boundary.n > WRAPPED_BOUNDARY_MAX)
		return false;
	out->n = boundary.n + 3;
	memcpy(out->text, "\n--", 3);
	memcpy(out->text + 3, boundary.p, boundary.n);
	return true;
}

size_t wrapped_delimiter(struct est_span in, const struct wrapped_boundary *boundary)
{
	const uint8_t *at = in.p, *end = in.p + in.n;

	while ((size_t)(end - at) >= boundary->n) {
		at = memchr(at, '\n', (size_t)(end - at) - (boundary->n - 1));
		if (!at)
			break;
		if (memcmp(at, boundary->text, boundary->n) == 0)
			return (size_t)(at - in.p);
		at++;
	}
	return in.n;
}

/* The size at the beginning of a chunk's line; false: none. */
static bool chunk_size(struct est_span line, size_t *out)
{
	size_t n = 0, i;

	for (i = 0; i < line.n && i < 8 && http_hex(line.p[i]) >= 0; i++)
		n = n << 4 | (size_t)http_hex(line.p[i]);
	*out = n;
	return i > 0 && (i == line.n || line.p[i] == ';' || line.p[i] == ' ');
}

size_t wrapped_chunk(struct est_span in, bool behind, size_t *size)
{
	const size_t n = in.n;
	struct est_span line;

	if (behind && line_take(&in).n > 0)
		return 0;
	if (in.n == 0 || !memchr(in.p, '\n', in.n < WRAPPED_CHUNK_LINE ? in.n : WRAPPED_CHUNK_LINE))
		return 0;
	line = line_take(&in);
	return chunk_size(line, size) ? n - in.n : 0;
}

bool wrapped_in_chunks(struct est_span body)
{
	size_t size, n = wrapped_chunk(body, false, &size);

	if (n == 0)
		return false;
	body = span_after(body, n);
	if (size == 0 || size >= body.n)
		return true;
	body = span_after(body, size);
	return body.p[0] == '\n' || body.p[0] == '\r';
}

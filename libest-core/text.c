/* SPDX-License-Identifier: MIT */
/* Bytes from outside made fit for a terminal and a log. */
#include "est.h"

#include <stdio.h>
#include <string.h>

#define PIECE_MAX 16 /* "\u{E0041}" with its NUL, or four bytes of UTF-8 */

/* One character of well-formed UTF-8 (RFC 3629 section 4: no overlong forms, no surrogates,
 * nothing above U+10FFFF); its length, or 0. */
static size_t utf8_next(struct est_span in, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c = in.p[0];
	size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;

	if (n == 0 || n > in.n)
		return 0;
	if (n > 1)
		c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if (in.p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (in.p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return n;
}

/* Characters that move the cursor, turn the writing direction, break the line or cannot be seen:
 * with them a server could make a message say what it does not. */
static bool is_deceptive(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00, 0x1f },       /* C0 */
		{ 0x7f, 0x9f },       /* DEL, C1 */
		{ 0x061c, 0x061c },   /* Arabic letter mark */
		{ 0x200b, 0x200f },   /* zero width, direction marks */
		{ 0x2028, 0x202e },   /* line and paragraph separator, embeddings, overrides */
		{ 0x2060, 0x2064 },   /* word joiner, invisible operators */
		{ 0x2066, 0x2069 },   /* isolates */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xfff9, 0xfffb },   /* interlinear annotation */
		{ 0xe0000, 0xe007f }, /* tags */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* Takes one character or invalid byte off the front and writes what is shown for it; returns the
 * bytes of that, and in *chars how many characters they are. */
static size_t piece_next(struct est_span *in, char piece[PIECE_MAX], size_t *chars)
{
	uint32_t c = 0;
	size_t n = utf8_next(*in, &c);
	int len;

	if (n == 0 || (n == 1 && is_deceptive(c) && c != '\n' && c != '\t')) {
		len = snprintf(piece, PIECE_MAX, "\\x%02x", in->p[0]);
		n = 1;
	} else if (c == '\n' || c == '\t' || c == '\\') {
		len = snprintf(piece, PIECE_MAX, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : '\\');
	} else if (is_deceptive(c)) {
		len = snprintf(piece, PIECE_MAX, "\\u{%04X}", (unsigned)c);
	} else {
		memcpy(piece, in->p, n);
		len = (int)n;
	}
	*chars = n > 1 && piece[0] != '\\' ? 1 : (size_t)len;
	in->p += n;
	in->n -= n;
	return (size_t)len;
}

/* printable: a backslash is one that was put there to escape something. */
static enum est_code escape(struct est_buf *buf, struct est_span in, size_t max, bool printable,
	struct est_error *err)
{
	size_t start = buf->n, chars, len;
	enum est_code rc = EST_OK;
	char piece[PIECE_MAX];

	while (rc == EST_OK && in.n > 0) {
		len = piece_next(&in, piece, &chars);
		if (printable && piece[0] == '\\' && piece[1] == '\\')
			len = chars = 1;
		if (chars > max) { /* an escape is never cut in two */
			rc = est_buf_append(buf, est_span_str("..."), err);
			break;
		}
		max -= chars;
		rc = est_buf_append(buf, (struct est_span){ (uint8_t *)piece, len }, err);
	}
	if (rc != EST_OK)
		buf->n = start;
	return rc;
}

enum est_code est_buf_printable(struct est_buf *buf, struct est_span in, size_t max,
	struct est_error *err)
{
	return escape(buf, in, max, true, err);
}

enum est_code est_buf_escape(struct est_buf *buf, struct est_span in, size_t max,
	struct est_error *err)
{
	return escape(buf, in, max, false, err);
}

const char *est_escape(char *out, size_t size, struct est_span in)
{
	size_t used = 0, mark = 0, chars, len;
	char piece[PIECE_MAX];

	if (size == 0)
		return out;
	while (in.n > 0) {
		if (used + 3 < size)
			mark = used; /* "..." would still fit here */
		len = piece_next(&in, piece, &chars);
		if (len >= size - used) {
			used = mark;
			for (size_t i = 0; i < 3 && used + 1 < size; i++)
				out[used++] = '.';
			break;
		}
		memcpy(out + used, piece, len);
		used += len;
	}
	out[used] = '\0';
	return out;
}

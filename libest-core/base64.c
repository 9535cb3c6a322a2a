/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <string.h>

#include "quirk.h"

#define PAD   64
#define BLANK 65
#define WRONG 66

#define PIECE 1024 /* characters decoded at once */

/* PAD, BLANK, WRONG, or what a character stands for. */
static const uint8_t sextets[128] = {
	/* clang-format off */
	66, 66, 66, 66, 66, 66, 66, 66, 66, 65, 65, 66, 66, 65, 66, 66,
	66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
	65, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 62, 66, 66, 66, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 66, 66, 66, 64, 66, 66,
	66, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 66, 66, 66, 66, 66,
	66, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 66, 66, 66, 66, 66,
	/* clang-format on */
};

static unsigned sextet(uint8_t c)
{
	return c < sizeof(sextets) ? sextets[c] : WRONG;
}

/* Whole groups of four off the front, as long as nothing else is between them. */
static size_t groups(struct est_span in, uint8_t *out, size_t *used)
{
	size_t i = 0;
	unsigned a, b, c, d;

	for (; in.n - i >= 4; i += 4) {
		a = sextet(in.p[i]);
		b = sextet(in.p[i + 1]);
		c = sextet(in.p[i + 2]);
		d = sextet(in.p[i + 3]);
		if ((a | b | c | d) > 63)
			break;
		out[(*used)++] = (uint8_t)(a << 2 | b >> 4);
		out[(*used)++] = (uint8_t)(b << 4 | c >> 2);
		out[(*used)++] = (uint8_t)(c << 6 | d);
	}
	return i;
}

enum est_code base64_more(struct base64_reader *r, struct est_span in, const char *what,
	uint8_t *out, size_t *used, struct est_error *err)
{
	unsigned value;

	for (size_t i = 0; i < in.n; i++) {
		if (r->n == 0 && r->pads == 0)
			i += groups((struct est_span){ in.p + i, in.n - i }, out, used);
		if (i == in.n)
			break;
		value = sextet(in.p[i]);
		if (value == BLANK)
			continue;
		if (value == PAD) {
			r->pads++;
			continue;
		}
		if (value == WRONG)
			return est_fail(err, EST_E_PROTOCOL,
				"%s: byte 0x%02x at offset %zu is not base64%s (RFC 4648 section "
				"4)",
				what, in.p[i], r->offset + i,
				in.p[i] == '-' || in.p[i] == '_' ? " but its URL-safe variant"
								 : "");
		if (r->pads > 0)
			return est_fail(err, EST_E_PROTOCOL,
				"%s: base64 goes on after its padding at offset %zu (RFC 4648 "
				"section 4)",
				what, r->offset + i);
		r->bits = r->bits << 6 | value;
		if (++r->n < 4)
			continue;
		out[(*used)++] = (uint8_t)(r->bits >> 16);
		out[(*used)++] = (uint8_t)(r->bits >> 8);
		out[(*used)++] = (uint8_t)r->bits;
		r->n = 0;
	}
	r->offset += in.n;
	return EST_OK;
}

enum est_code base64_end(const struct base64_reader *r, const char *what, struct est_quirks *quirks,
	uint8_t *out, size_t *used, struct est_error *err)
{
	unsigned n = r->n, pads = r->pads;

	if (n == 1 || (n == 0 && pads > 0) || (n > 0 && pads > 0 && n + pads != 4))
		return est_fail(err, EST_E_PROTOCOL,
			"%s: base64 ends with %u characters and %u \"=\", which is cut short or "
			"wrongly padded (RFC 4648 section 4)",
			what, n, pads);
	if ((n == 2 && r->bits & 0xf) || (n == 3 && r->bits & 0x3))
		return est_fail(err, EST_E_PROTOCOL,
			"%s: base64 with bits set under its padding (RFC 4648 section 3.5)", what);
	if (n >= 2)
		out[(*used)++] = (uint8_t)(r->bits >> (n == 2 ? 4 : 10));
	if (n == 3)
		out[(*used)++] = (uint8_t)(r->bits >> 2);
	return n > 0 && pads == 0 ? quirk_note(quirks, EST_Q_PADDING, what, err) : EST_OK;
}

enum est_code base64_decode(struct est_span in, const char *what, struct est_quirks *quirks,
	struct est_buf *out, struct est_error *err)
{
	struct base64_reader r = { 0 };
	size_t start = out->n, used, n;
	enum est_code rc = EST_OK;
	uint8_t chunk[BASE64_ROOM(PIECE)];

	while (rc == EST_OK && in.n > 0) {
		n = in.n < PIECE ? in.n : PIECE;
		used = 0;
		rc = base64_more(&r, (struct est_span){ in.p, n }, what, chunk, &used, err);
		if (rc == EST_OK)
			rc = est_buf_append(out, (struct est_span){ chunk, used }, err);
		in = (struct est_span){ in.p + n, in.n - n };
	}
	used = 0;
	if (rc == EST_OK)
		rc = base64_end(&r, what, quirks, chunk, &used, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, (struct est_span){ chunk, used }, err);
	explicit_bzero(chunk, sizeof(chunk)); /* may have been a key */
	if (rc != EST_OK && out->n > start) {
		explicit_bzero(out->p + start, out->n - start);
		out->n = start;
	}
	return rc;
}

enum est_code base64_encode(struct est_span in, size_t columns, struct est_buf *out,
	struct est_error *err)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t start = out->n, column = 0, used = 0;
	enum est_code rc = EST_OK;
	uint8_t text[1024];
	uint32_t bits;

	for (size_t i = 0; rc == EST_OK && i < in.n; i += 3) {
		bits = (uint32_t)in.p[i] << 16;
		if (in.n - i > 1)
			bits |= (uint32_t)in.p[i + 1] << 8;
		if (in.n - i > 2)
			bits |= in.p[i + 2];
		for (size_t k = 0; k < 4; k++) {
			text[used++] = k > in.n - i ? (uint8_t)'='
						    : (uint8_t)alphabet[bits >> (18 - 6 * k) & 63];
			if (columns > 0 && ++column == columns) {
				text[used++] = '\n';
				column = 0;
			}
		}
		if (used > sizeof(text) - 8) {
			rc = est_buf_append(out, (struct est_span){ text, used }, err);
			used = 0;
		}
	}
	if (rc == EST_OK && column > 0)
		text[used++] = '\n';
	if (rc == EST_OK)
		rc = est_buf_append(out, (struct est_span){ text, used }, err);
	explicit_bzero(text, sizeof(text)); /* may be a password */
	if (rc != EST_OK)
		out->n = start;
	return rc;
}

enum est_code est_base64_append(struct est_buf *out, struct est_span in, struct est_error *err)
{
	return base64_encode(in, 64, out, err);
}

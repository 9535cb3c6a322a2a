/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <string.h>

#include "quirk.h"

#define PAD   64
#define BLANK 65
#define WRONG 66

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
static size_t groups(struct est_span in, uint8_t *out, size_t room, size_t *used)
{
	size_t i = 0;
	unsigned a, b, c, d;

	for (; in.n - i >= 4 && room - *used >= 3; i += 4) {
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

/* The characters of the last, incomplete group: how many, what they hold, the "=" after them. */
static enum est_code check_end(unsigned n, uint32_t bits, unsigned pads, const char *what,
	struct est_quirks *quirks, struct est_error *err)
{
	if (n == 1 || (n == 0 && pads > 0) || (n > 0 && pads > 0 && n + pads != 4))
		return est_fail(err, EST_E_PROTOCOL,
			"%s: base64 ends with %u characters and %u \"=\", which is cut short or "
			"wrongly padded (RFC 4648 section 4)",
			what, n, pads);
	if ((n == 2 && bits & 0xf) || (n == 3 && bits & 0x3))
		return est_fail(err, EST_E_PROTOCOL,
			"%s: base64 with bits set under its padding (RFC 4648 section 3.5)", what);
	if (n > 0 && pads == 0)
		return quirk_note(quirks, EST_Q_PADDING, what, err);
	return EST_OK;
}

enum est_code base64_decode(struct est_span in, const char *what, struct est_quirks *quirks,
	struct est_buf *out, struct est_error *err)
{
	size_t start = out->n;
	unsigned n = 0, pads = 0, value;
	uint32_t bits = 0;
	uint8_t chunk[768];
	size_t used = 0;
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < in.n; i++) {
		if (n == 0 && pads == 0)
			i += groups((struct est_span){ in.p + i, in.n - i }, chunk,
				sizeof(chunk) - 3, &used); /* the next group fits */
		if (i == in.n)
			break;
		value = sextet(in.p[i]);
		if (value == BLANK)
			continue;
		if (value == PAD) {
			pads++;
			continue;
		}
		if (value == WRONG) {
			rc = est_fail(err, EST_E_PROTOCOL,
				"%s: byte 0x%02x at offset %zu is not base64%s (RFC 4648 section "
				"4)",
				what, in.p[i], i,
				in.p[i] == '-' || in.p[i] == '_' ? " but its URL-safe variant"
								 : "");
		} else if (pads > 0) {
			rc = est_fail(err, EST_E_PROTOCOL,
				"%s: base64 goes on after its padding at offset %zu (RFC 4648 "
				"section 4)",
				what, i);
		}
		bits = bits << 6 | value;
		if (++n < 4)
			continue;
		chunk[used++] = (uint8_t)(bits >> 16);
		chunk[used++] = (uint8_t)(bits >> 8);
		chunk[used++] = (uint8_t)bits;
		n = 0;
		if (used == sizeof(chunk) && rc == EST_OK) {
			rc = est_buf_append(out, (struct est_span){ chunk, used }, err);
			used = 0;
		}
	}
	if (rc == EST_OK)
		rc = check_end(n, bits, pads, what, quirks, err);
	if (rc == EST_OK && n >= 2)
		chunk[used++] = (uint8_t)(bits >> (n == 2 ? 4 : 10));
	if (rc == EST_OK && n == 3)
		chunk[used++] = (uint8_t)(bits >> 2);
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

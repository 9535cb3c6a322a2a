/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <string.h>

#include "quirk.h"

#define PAD   64
#define BLANK 65
#define WRONG 66

static unsigned sextet(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - (unsigned)'A';
	if (c >= 'a' && c <= 'z')
		return c - (unsigned)'a' + 26;
	if (c >= '0' && c <= '9')
		return c - (unsigned)'0' + 52;
	switch (c) {
	case '+':
		return 62;
	case '/':
		return 63;
	case '=':
		return PAD;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		return BLANK;
	}
	return WRONG;
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

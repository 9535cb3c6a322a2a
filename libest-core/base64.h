/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648 section 4), strict and linear. */
#ifndef EST_BASE64_H
#define EST_BASE64_H

#include "est.h"

/* Appends the octets.  Blanks and line ends anywhere are skipped; missing padding is
 * EST_Q_PADDING; any other byte, the URL-safe alphabet, data after padding and bits under it are
 * EST_E_PROTOCOL.  The message begins with what. */
enum est_code base64_decode(struct est_span in, const char *what, struct est_quirks *quirks,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;

/* The same piece by piece. */
struct base64_reader {
	size_t offset; /* of the next piece */
	uint32_t bits; /* of n characters that are no group of four yet */
	unsigned n, pads;
};

#define BASE64_ROOM(n) (((n) + 3) / 4 * 3 + 3) /* octets of n more characters, and the end */

/* Writes behind the *used octets in out, where there is room, and adds to *used.  Whoever keeps
 * secrets wipes out on failure too. */
enum est_code base64_more(struct base64_reader *r, struct est_span in, const char *what,
	uint8_t *out, size_t *used, struct est_error *err) EST_MUST_CHECK;
enum est_code base64_end(const struct base64_reader *r, const char *what, struct est_quirks *quirks,
	uint8_t *out, size_t *used, struct est_error *err) EST_MUST_CHECK;

/* Appends the text: lines of so many columns, each ended by LF, or for 0 one line without. */
enum est_code base64_encode(struct est_span in, size_t columns, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

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
/* Appends the text: lines of so many columns, each ended by LF, or for 0 one line without. */
enum est_code base64_encode(struct est_span in, size_t columns, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

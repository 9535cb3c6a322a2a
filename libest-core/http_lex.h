/* SPDX-License-Identifier: MIT */
/* The few lexical elements that HTTP field values share (RFC 9110 section 5.6). */
#ifndef EST_HTTP_LEX_H
#define EST_HTTP_LEX_H

#include "est.h"

bool http_is_tchar(uint8_t c);
/* ASCII case is ignored. */
bool http_is(struct est_span a, const char *b);
bool http_same(struct est_span a, struct est_span b);
struct est_span http_trim(struct est_span in); /* SP and HTAB at both ends */

/* Each takes something off the front of *in; on false *in and *out are unchanged. */
void http_skip_blanks(struct est_span *in);
bool http_skip_char(struct est_span *in, uint8_t c);
bool http_token(struct est_span *in, struct est_span *out);
/* *out has the quotes and escapes still in it. */
bool http_quoted(struct est_span *in, struct est_span *out);
/* One or more digits; the value ends at max when it is larger. */
bool http_digits(struct est_span *in, uint64_t max, uint64_t *out);
/* The next element of a comma-separated list, blanks removed, empty ones left out; false: none
 * is left.  For lists whose elements have no quoted strings. */
bool http_list_next(struct est_span *in, struct est_span *out);

/* One hexadecimal digit; -1: none. */
int http_hex(uint8_t c);

/* Appends "Name: value" and CRLF, without a copy: the value may be a secret. */
enum est_code http_put_field(struct est_buf *out, const char *name, struct est_span value,
	struct est_error *err) EST_MUST_CHECK;

#endif

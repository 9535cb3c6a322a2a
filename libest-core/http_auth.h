/* SPDX-License-Identifier: MIT */
/* Challenges in WWW-Authenticate (RFC 9110 section 11.6.1) and what answers them. */
#ifndef EST_HTTP_AUTH_H
#define EST_HTTP_AUTH_H

#include "http_parse.h"

#define HTTP_CHALLENGES_MAX  16
#define HTTP_AUTH_PARAMS_MAX 16

struct http_auth_param {
	struct est_span name, value; /* value still in its quotes when quoted */
	bool quoted;
};

struct http_challenge {
	struct est_span scheme, token68;
	struct http_auth_param params[HTTP_AUTH_PARAMS_MAX];
	size_t n_params;
};

/* All challenges of all WWW-Authenticate fields, in order; unknown schemes are there too, a
 * malformed challenge or one with a parameter twice is left out, the others stay.  Returns how
 * many were written to out (at most HTTP_CHALLENGES_MAX).  Spans borrow from the response. */
size_t http_challenges(const struct http_response *response, struct http_challenge *out);
bool http_challenge_is(const struct http_challenge *challenge, const char *scheme);

/* "Basic ..." (RFC 7617) appended to out, which then holds a secret.  EST_E_USAGE for a colon in
 * the user name or a control character in either. */
enum est_code http_basic(const char *user, struct est_span password, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

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

/* All challenges of all fields of that name (WWW-Authenticate, Proxy-Authenticate), in order;
 * unknown schemes are there too, a malformed challenge or one with a parameter twice is left out,
 * the others stay.  Returns how many were written to out (at most HTTP_CHALLENGES_MAX).  Spans
 * borrow from the response. */
size_t http_challenges(const struct http_response *response, const char *field,
	struct http_challenge *out);
bool http_challenge_is(const struct http_challenge *challenge, const char *scheme);

/* The parameter of that name, any case; NULL: there is none. */
const struct http_auth_param *http_auth_find(const struct http_challenge *challenge,
	const char *name);
/* Its value as it stands between the quotes, or without any; false: there is none.  And whether it
 * is this word, any case.  Nobody writes the words of this protocol with escapes. */
bool http_auth_plain(const struct http_challenge *challenge, const char *name,
	struct est_span *out);
bool http_auth_is(const struct http_challenge *challenge, const char *name, const char *word);
/* Its value without quotes and escapes, appended to out.  EST_E_PROTOCOL when there is none. */
enum est_code http_auth_value(const struct http_challenge *challenge, const char *name,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;
/* The parameters of all fields of that name together, as Authentication-Info has them (RFC 9110
 * section 11.6.3): a challenge without a scheme.  false: none, malformed, one of them twice. */
bool http_auth_info(const struct http_response *response, const char *field,
	struct http_challenge *out);

/* What no scheme may carry (RFC 7617 section 2).  EST_E_USAGE for a colon in the user name or a
 * control character in either. */
enum est_code http_check_credentials(const char *user, struct est_span password,
	struct est_error *err) EST_MUST_CHECK;
/* "Basic ..." (RFC 7617) appended to out, which then holds a secret.  EST_E_USAGE as above. */
enum est_code http_basic(const char *user, struct est_span password, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* "Bearer ..." (RFC 6750 section 2.1), likewise.  EST_E_INPUT for what is not a token. */
enum est_code http_bearer(struct est_span token, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* HTTP authentication of one client (RFC 7030 section 3.2.3): which challenge is answered, how
 * often, and what goes along with the requests that follow.  Nothing is sent before an authorised
 * server has challenged (R7030-3.2.3-10, R7030-3.2.3-11). */
#ifndef EST_AUTHENTICATE_H
#define EST_AUTHENTICATE_H

#include "authz.h"
#include "http_digest.h"

#define AUTH_CNONCE    33 /* 128 bits in hex, with the NUL */
#define AUTH_STALE_MAX 3  /* repeats of one request because its nonce was too old */

struct est_client;
struct http_request;

enum auth_scheme { AUTH_SCHEME_NONE, AUTH_SCHEME_BASIC, AUTH_SCHEME_BEARER, AUTH_SCHEME_DIGEST };

struct auth { /* zero-initialised: nobody has challenged */
	enum auth_scheme scheme;
	bool proven;                  /* the server has taken it: it goes along from now on */
	bool carried;                 /* the last request had it */
	enum auth_scheme refused;     /* what it had, and got 401 all the same */
	bool answered;                /* a challenge to the request under way */
	unsigned stale;               /* repeats of that request */
	const char *method;           /* of the last request, static */
	struct est_buf host, target;  /* of the last request, NUL-terminated */
	struct est_buf origin, space; /* of the challenge: host, and path up to the last slash */
	struct est_buf value;         /* "Basic ..." or "Bearer ...", secret; empty: not made yet */
	struct digest_challenge digest;
	bool utf8;            /* the server wants the secrets in Normalization Form C */
	struct est_buf user;  /* in this form, NUL-terminated */
	char key[DIGEST_HEX]; /* of Digest, secret; "": not made yet */
	char cnonce[AUTH_CNONCE];
	uint32_t nc;                    /* requests with this nonce */
	struct est_buf password, token; /* secrets, asked for once */
	bool has_password, has_token;
};

void auth_wipe(struct auth *auth);
/* Before the first sending of each request: its challenges are counted from here. */
void auth_begin(struct est_client *client);
/* What this request carries in Authorization, appended to out, a secret; nothing unless this very
 * origin and path have challenged.  authz: of the session that will carry it. */
enum est_code auth_header(struct est_client *client, const struct authz *authz,
	const struct http_request *request, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* Looks at the answer.  *again: a challenge that can be met; get the secret with auth_secret() and
 * send the request again.  EST_E_AUTH when the server does not prove that it knows the password
 * although it says so (rspauth, RFC 7616 section 3.5): the body is not to be believed. */
enum est_code auth_judge(struct est_client *client, const struct http_response *response,
	bool *again, struct est_error *err) EST_MUST_CHECK;
/* Asks for the secret that the challenge needs, unless it is known.  authz: of the session that
 * will carry the answer. */
enum est_code auth_secret(struct est_client *client, const struct authz *authz,
	struct est_error *err) EST_MUST_CHECK;
/* What to do about a 401 that is final. */
void auth_hint(const struct est_client *client, const struct http_response *response,
	struct est_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* HTTP Digest (RFC 7616): what is computed from a challenge.  No connection, no state, no
 * randomness: who keeps count and draws the client nonce is authenticate.c. */
#ifndef EST_HTTP_DIGEST_H
#define EST_HTTP_DIGEST_H

#include "http_auth.h"

#define DIGEST_HEX 65 /* the longest hash in hex, with the NUL */

enum digest_hash { DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512_256 }; /* weakest first */

struct digest_challenge { /* owned; without quotes and escapes */
	struct est_buf realm, nonce, opaque;
	enum digest_hash hash;
	bool named;      /* the server named the algorithm; if not, it is MD5 */
	bool sess;       /* one key for the whole session, RFC 7616 section 3.4.2 */
	bool qop;        /* "auth" is offered; false: a server from before RFC 2617 */
	bool has_opaque; /* it may be empty */
	bool userhash, utf8, stale;
};

/* EST_E_PROTOCOL: a challenge that cannot be answered, to be skipped: an algorithm that is not
 * known, no realm or nonce, no qop that we have, control characters. */
enum est_code digest_parse(const struct http_challenge *in, struct digest_challenge *out,
	struct est_error *err) EST_MUST_CHECK;
void digest_wipe(struct digest_challenge *challenge);
const char *digest_algorithm(const struct digest_challenge *challenge); /* "SHA-256-sess" */

/* H(A1), a secret: in hex as the other hashes take it.  cnonce counts for -sess alone. */
void digest_key(const struct digest_challenge *challenge, struct est_span user,
	struct est_span password, const char *cnonce, char key[DIGEST_HEX]);

struct digest_use { /* one request; borrowed */
	const char *method, *target, *cnonce;
	struct est_span user;
	uint32_t nc;
};

/* "Digest ..." appended to out. */
enum est_code digest_authorization(const struct digest_challenge *challenge,
	const char key[DIGEST_HEX], const struct digest_use *use, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* What the server's rspauth has to be (RFC 7616 section 3.5).  body: NULL, or the content when the
 * server's qop is auth-int. */
void digest_rspauth(const struct digest_challenge *challenge, const char key[DIGEST_HEX],
	const struct digest_use *use, const struct est_span *body, char out[DIGEST_HEX]);

#endif

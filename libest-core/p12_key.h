/* SPDX-License-Identifier: MIT */
/* Passwords of PKCS #12 files: encryption (RFC 8018, RFC 7292 appendix C) and MAC. */
#ifndef EST_P12_KEY_H
#define EST_P12_KEY_H

#include "est.h"

/* Rounds of a hash or HMAC for one key, and for all keys of a file: GnuTLS writes 600,000 for each
 * of its certificates. */
#define P12_KEY_MAX 1000000u
#define P12_ALL_MAX 8000000u

struct p12_budget {
	size_t left;
};

/* A password is UTF-8; NULL: none, which for a key made as RFC 7292 has it is not the empty one. */

/* Appends what algorithm, the contents of an AlgorithmIdentifier, has encrypted.  EST_E_INPUT when
 * the padding tells that the password is wrong, EST_E_PROTOCOL. */
enum est_code p12_decrypt(struct est_span algorithm, const char *password,
	struct p12_budget *budget, struct est_span sealed, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* Whether mac is the HMAC of content (RFC 7292 section 5.1); true for a hash that is not known.  An
 * empty password becomes NULL where that is the one.  iterations: contents of an INTEGER, empty:
 * 1. */
enum est_code p12_mac(struct est_span hash, const char **password, struct est_span salt,
	struct est_span iterations, struct p12_budget *budget, struct est_span content,
	struct est_span mac, bool *match, struct est_error *err) EST_MUST_CHECK;

#endif

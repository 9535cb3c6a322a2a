/* SPDX-License-Identifier: MIT */
/* Server authorisation (RFC 7030 section 3.6).  A struct authz is the proof that it took place:
 * nobody else can make one, and what reads a response or answers a 401 demands it. */
#ifndef EST_AUTHZ_H
#define EST_AUTHZ_H

#include "trust.h"
#include "url.h"

struct authz;

/* The name in the URL against the certificate by RFC 9525: subjectAltName required, no common
 * name, wildcards as the whole left-most label only, addresses as iPAddress.  EST_E_UNTRUSTED,
 * reason no-san or name-mismatch. */
enum est_code authz_check(const struct url *url, enum trust_db db, gnutls_x509_crt_t leaf,
	struct authz **out, struct est_error *err) EST_MUST_CHECK;
void authz_free(struct authz *authz);
enum trust_db authz_db(const struct authz *authz);
const char *authz_identity(const struct authz *authz); /* the reference identity that matched */

#endif

/* SPDX-License-Identifier: MIT */
/* Server authorisation (RFC 7030 section 3.6).  A struct authz is the proof that it took place:
 * nobody else can make one, and what reads a response or answers a 401 demands it. */
#ifndef EST_AUTHZ_H
#define EST_AUTHZ_H

#include "trust.h"
#include "url.h"

struct authz;

struct authz_query {
	const struct url *server;   /* as the operator named it */
	const struct url *redirect; /* the most recent redirect to another place; NULL: none */
	enum trust_db db;           /* which database vouched for the certificate */
	gnutls_x509_crt_t leaf;
	bool no_cmc_ra; /* the operator does not accept id-kp-cmcRA in place of a name */
};

/* Explicit anchors (section 3.6.1): the server's name or the redirect's matches, or the certificate
 * has the key purpose id-kp-cmcRA.  Implicit ones (3.6.2): the name of this very connection
 * matches.  Names by RFC 9525: subjectAltName required, no common name, wildcards as the whole
 * left-most label only, addresses as iPAddress.  EST_E_UNTRUSTED, reason no-san or name-mismatch.
 */
enum est_code authz_check(const struct authz_query *query, struct authz **out,
	struct est_error *err) EST_MUST_CHECK;
/* Certificate-less TLS has taken place with this user's password, which is the authorisation
 * (section 3.3.3): no name is compared, and no database vouched. */
enum est_code authz_certificateless(const char *user, struct authz **out,
	struct est_error *err) EST_MUST_CHECK;
void authz_free(struct authz *authz);
enum trust_db authz_db(const struct authz *authz);
/* The reference identity that matched; "id-kp-cmcRA" when none did and none had to. */
const char *authz_identity(const struct authz *authz);
/* No name matched: the key purpose id-kp-cmcRA decided. */
bool authz_by_cmc_ra(const struct authz *authz);

#define AUTHZ_KP_CMC_RA "1.3.6.1.5.5.7.3.28" /* RFC 6402 section 2.10 */

#endif

/* SPDX-License-Identifier: MIT */
/* What RFC 5280 and this client ask of a path that GnuTLS has found valid: it is soft in places.
 */
#ifndef EST_PATH_RULES_H
#define EST_PATH_RULES_H

#include "revocation.h"

struct path_rules {                   /* borrowed */
	const struct cert_view *path; /* [0] the leaf, then its issuers below the anchor */
	size_t n;
	const struct cert_view *anchor; /* may be the leaf itself */
	const struct crls *crls;        /* NULL: none were given */
	time_t now;
	bool server;    /* the leaf is a TLS server's */
	bool handshake; /* this is its handshake, in which OCSP answers might have come */
	const struct est_span *sent, *staples; /* certificates, and the answer for each or empty;
						* NULL: no answers */
	size_t n_sent;
	const char *what; /* begins the message */
};

/* Signatures with MD5 or SHA-1, RSA keys under 2048 bits, critical extensions that are not acted
 * upon, name constraints, revocation; a server's certificate is neither a CA's nor of an old
 * version.  EST_E_UNTRUSTED with reason weak, critical-extension, name-constraint, revoked,
 * crl-stale, no-crl, no-staple, ca-as-server, x509-version.  *note: of the staple, static or NULL.
 */
enum est_code path_rules_check(const struct path_rules *rules, const char **note,
	struct est_error *err) EST_MUST_CHECK;

#endif

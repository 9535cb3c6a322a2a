/* SPDX-License-Identifier: MIT */
/* Real certificates and requests, made with GnuTLS at run time so that none expires.  Everything
 * here ends the test when it cannot be done. */
#ifndef EST_TESTS_CERTMAKE_H
#define EST_TESTS_CERTMAKE_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "est.h"

struct certmake {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	struct est_buf der;
};

struct certmake_spec {            /* all may be 0 */
	const char *dn;           /* RFC 4514; NULL: CN=test */
	gnutls_pk_algorithm_t pk; /* 0: ECDSA */
	unsigned bits;            /* 0: P-256, or 2048 for RSA; GNUTLS_CURVE_TO_BITS() for curves */
	bool ca;
	int path_len;                       /* with ca; -1: none */
	const char *dns, *email, *uri, *ip; /* subjectAltNames */
	unsigned key_usage;                 /* GNUTLS_KEY_... */
	const char *eku;                    /* dotted */
	time_t not_before, not_after;       /* 0: yesterday, in a year */
	gnutls_digest_algorithm_t hash;     /* 0: SHA-256 */
};

/* issuer NULL: self-signed. */
void certmake_make(const struct certmake_spec *spec, const struct certmake *issuer,
	struct certmake *out);
void certmake_wipe(struct certmake *ca);
/* A request for the same; challenge may be NULL.  DER is appended. */
void certmake_csr(const struct certmake_spec *spec, const char *challenge, struct est_buf *out);
/* A CRL of that CA with n serial numbers. */
void certmake_crl(const struct certmake *ca, unsigned n, struct est_buf *out);

#endif

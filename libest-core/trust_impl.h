/* SPDX-License-Identifier: MIT */
/* What trust.c loads and trust_path.c uses. */
#ifndef EST_TRUST_IMPL_H
#define EST_TRUST_IMPL_H

#include "revocation.h"
#include "trust.h"

struct trust {
	gnutls_x509_trust_list_t list[TRUST_DBS]; /* by enum trust_db; NULL: not in use */
	struct est_certs *anchors;                /* of the explicit database, as they came */
	struct est_certs *helpers; /* intermediates of the explicit files and of proven paths */
	const struct crls *crls;   /* borrowed; NULL: none were given */
	bool marked;               /* an explicit file begins with EST_IMPLICIT_MARK */
	bool constrained;          /* an explicit anchor has name constraints */
	/* The issuer directly below which the server's certificate was proved in this run: the
	 * certificate issued mostly has the same, and signatures are what costs time. */
	gnutls_x509_trust_list_t proven; /* holds that issuer alone; NULL: none */
	struct est_span proven_issuer;   /* its DER, borrowed from helpers */
	char proven_purpose[64];         /* what its path was proved to be good for */
};

#endif

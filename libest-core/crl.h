/* SPDX-License-Identifier: MIT */
/* One CRL as borrowed slices of its DER (RFC 5280 section 5.1): it may be large, and no library
 * sees more of it than its issuer's name. */
#ifndef EST_CRL_H
#define EST_CRL_H

#include "cert.h"

struct crl_view {
	struct est_span der;
	struct est_span tbs;           /* whole TLV */
	struct est_span issuer;        /* whole Name TLV */
	struct est_span revoked;       /* contents of revokedCertificates; empty: none */
	struct est_span extensions;    /* contents of the SEQUENCE OF; empty: none */
	struct est_span signature_oid; /* OID contents */
	time_t this_update, next_update;
	bool has_next_update;
	int version;
	size_t n_revoked;
};

/* Strict DER, one linear pass.  EST_E_PROTOCOL; "CRL" begins the message. */
enum est_code crl_view(struct est_span der, struct crl_view *out,
	struct est_error *err) EST_MUST_CHECK;

/* The issuer's key has signed it; with an algorithm that is not broken, or with any. */
bool crl_signed_by(const struct crl_view *view, const struct cert_view *issuer, bool any);
/* Its keyUsage, if it has one, has cRLSign (section 4.2.1.3). */
bool crl_may_sign(const struct cert_view *issuer);

#define CRL_OID_REASON        CERT_OID(0x55, 0x1d, 0x15)
#define CRL_OID_NUMBER        CERT_OID(0x55, 0x1d, 0x14)
#define CRL_OID_DISTRIBUTION  CERT_OID(0x55, 0x1d, 0x1c)
#define CERT_OID_DISTRIBUTION CERT_OID(0x55, 0x1d, 0x1f)

#endif

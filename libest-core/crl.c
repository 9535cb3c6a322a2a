/* SPDX-License-Identifier: MIT */
/* CRLs taken apart, and their signatures (RFC 5280 section 5). */
#include "crl.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "priority.h"

#define WHAT "CRL"

static enum est_code malformed(struct est_span der, const uint8_t *at, const char *why,
	struct est_error *err)
{
	return est_fail(err, EST_E_PROTOCOL, WHAT ": %s at offset %zu (RFC 5280 section 5.1)", why,
		(size_t)(at - der.p));
}

static bool next_is_time(struct est_span in)
{
	return in.n > 0 && (in.p[0] == DER_UTCTIME || in.p[0] == DER_GENTIME);
}

/* The algorithm in the signed part is compared with the one outside of it. */
static enum est_code read_tbs(struct crl_view *crl, struct est_span tbs, struct est_span *inner,
	struct est_error *err)
{
	struct est_span der = crl->der;
	struct der_tlv tlv, issuer, entry, list;

	crl->version = der_expect(&tbs, DER_INTEGER, &tlv) && tlv.body.n == 1 &&
				       tlv.body.p[0] < 0x7f
			       ? tlv.body.p[0] + 1
			       : 1;
	if (!der_expect(&tbs, DER_SEQUENCE, &tlv))
		return malformed(der, tbs.p, "no signature algorithm", err);
	*inner = tlv.whole;
	if (!der_expect(&tbs, DER_SEQUENCE, &issuer))
		return malformed(der, tbs.p, "no issuer", err);
	crl->issuer = issuer.whole;
	if (!der_next(&tbs, &tlv) || !der_time(&tlv, &crl->this_update))
		return malformed(der, tbs.p, "thisUpdate is not a time", err);
	if (next_is_time(tbs)) {
		if (!der_next(&tbs, &tlv) || !der_time(&tlv, &crl->next_update))
			return malformed(der, tbs.p, "nextUpdate is not a time", err);
		crl->has_next_update = true;
	}
	if (der_expect(&tbs, DER_SEQUENCE, &list)) {
		crl->revoked = list.body;
		for (; list.body.n > 0; crl->n_revoked++) {
			if (!der_expect(&list.body, DER_SEQUENCE, &entry))
				return malformed(der, list.body.p, "no revoked certificate", err);
		}
	}
	if (der_expect(&tbs, DER_CONTEXT_C(0), &tlv)) {
		if (!der_expect(&tlv.body, DER_SEQUENCE, &list) || tlv.body.n > 0)
			return malformed(der, tlv.body.p, "not one list of extensions", err);
		crl->extensions = list.body;
	}
	if (tbs.n > 0)
		return malformed(der, tbs.p, "something after the extensions", err);
	return cert_check_name(issuer.whole, WHAT ": issuer", err);
}

enum est_code crl_view(struct est_span der, struct crl_view *out, struct est_error *err)
{
	struct crl_view view = { .der = der };
	struct der_tlv crl, tbs, algorithm, oid, signature;
	struct est_span in = der, inner;
	enum est_code rc;

	rc = der_walk(der, false, WHAT, NULL, err);
	if (rc != EST_OK)
		return rc;
	if (!der_expect(&in, DER_SEQUENCE, &crl) || !der_expect(&crl.body, DER_SEQUENCE, &tbs))
		return malformed(der, der.p, "no tbsCertList", err);
	view.tbs = tbs.whole;
	rc = read_tbs(&view, tbs.body, &inner, err);
	if (rc != EST_OK)
		return rc;
	if (!der_expect(&crl.body, DER_SEQUENCE, &algorithm) ||
		!est_span_eq(algorithm.whole, inner) || !der_expect(&algorithm.body, DER_OID, &oid))
		return malformed(der, crl.body.p, "not the signatureAlgorithm that was signed",
			err);
	view.algorithm = algorithm.whole;
	view.signature_oid = oid.body;
	if (!der_expect(&crl.body, DER_BIT_STRING, &signature) || crl.body.n > 0 ||
		signature.body.n < 2 || signature.body.p[0] != 0)
		return malformed(der, crl.body.p, "not one signature at the end", err);
	view.signature = (struct est_span){ signature.body.p + 1, signature.body.n - 1 };
	*out = view;
	return EST_OK;
}

/* RSASSA-PSS-params name the hash in [0] (RFC 4055 section 3.1); without it, SHA-1. */
static gnutls_sign_algorithm_t pss_algorithm(struct est_span params, gnutls_pk_algorithm_t pk)
{
	static const struct {
		uint8_t last; /* octet of the hash's OID under 2.16.840.1.101.3.4.2 */
		gnutls_sign_algorithm_t pss, rsae;
	} hashes[] = {
		{ 1, GNUTLS_SIGN_RSA_PSS_SHA256, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256 },
		{ 2, GNUTLS_SIGN_RSA_PSS_SHA384, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384 },
		{ 3, GNUTLS_SIGN_RSA_PSS_SHA512, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512 },
	};
	struct der_tlv seq, outer, algorithm, oid;

	if (!der_expect(&params, DER_SEQUENCE, &seq) ||
		!der_expect(&seq.body, DER_CONTEXT_C(0), &outer) ||
		!der_expect(&outer.body, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.body, DER_OID, &oid) || oid.body.n == 0)
		return GNUTLS_SIGN_UNKNOWN;
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (oid.body.n == 9 && oid.body.p[8] == hashes[i].last && oid.body.p[7] == 2)
			return pk == GNUTLS_PK_RSA_PSS ? hashes[i].pss : hashes[i].rsae;
	}
	return GNUTLS_SIGN_UNKNOWN;
}

static gnutls_sign_algorithm_t algorithm_of(const struct crl_view *view, gnutls_pubkey_t key)
{
	struct est_span in = view->algorithm;
	char dotted[DER_OID_TEXT_MAX];
	struct der_tlv seq, oid;

	if (!der_expect(&in, DER_SEQUENCE, &seq) || !der_expect(&seq.body, DER_OID, &oid) ||
		!der_oid_text(oid.body, dotted))
		return GNUTLS_SIGN_UNKNOWN;
	if (est_span_eq(oid.body, CERT_OID_RSA_PSS))
		return pss_algorithm(seq.body,
			(gnutls_pk_algorithm_t)gnutls_pubkey_get_pk_algorithm(key, NULL));
	return gnutls_oid_to_sign(dotted);
}

bool crl_may_sign(const struct cert_view *issuer)
{
	struct est_span value;
	struct der_tlv bits;

	if (!cert_extension(issuer, CERT_OID_KEY_USAGE, NULL, &value))
		return true;
	return der_expect(&value, DER_BIT_STRING, &bits) && bits.body.n >= 2 &&
	       bits.body.p[1] & 0x02;
}

bool crl_signed_by(const struct crl_view *view, const struct cert_view *issuer, bool any)
{
	const unsigned flags = any ? GNUTLS_VERIFY_ALLOW_BROKEN | GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1
				   : 0;
	gnutls_datum_t spki = { (unsigned char *)issuer->spki.p, (unsigned)issuer->spki.n };
	gnutls_datum_t tbs = { (unsigned char *)view->tbs.p, (unsigned)view->tbs.n };
	gnutls_datum_t signature = { (unsigned char *)view->signature.p,
		(unsigned)view->signature.n };
	gnutls_sign_algorithm_t algorithm;
	gnutls_pubkey_t key = NULL;
	bool verified = false;

	if (gnutls_pubkey_init(&key) >= 0 &&
		gnutls_pubkey_import(key, &spki, GNUTLS_X509_FMT_DER) >= 0) {
		algorithm = algorithm_of(view, key);
		verified = algorithm != GNUTLS_SIGN_UNKNOWN &&
			   (any || !priority_bad_signature(algorithm)) &&
			   gnutls_pubkey_verify_data2(key, algorithm, flags, &tbs, &signature) >= 0;
	}
	gnutls_pubkey_deinit(key);
	return verified;
}

/* SPDX-License-Identifier: MIT */
/* CRLs taken apart, and their signatures (RFC 5280 section 5). */
#include "crl.h"

#include "signed.h"

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
	view.signature_oid = oid.body;
	if (!der_expect(&crl.body, DER_BIT_STRING, &signature) || crl.body.n > 0 ||
		signature.body.n < 2 || signature.body.p[0] != 0)
		return malformed(der, crl.body.p, "not one signature at the end", err);
	*out = view;
	return EST_OK;
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
	return signed_by(view->der, issuer->spki, any);
}

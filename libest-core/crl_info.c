/* SPDX-License-Identifier: MIT */
/* What people ask of a CRL (RFC 5280 section 5.1), read in one linear pass: a CRL may be large,
 * and no library sees more of it than its issuer's name. */
#include <stdlib.h>

#include "cert.h"
#include "x509_text.h"

#define WHAT "CRL"

#define OID_CRL_NUMBER CERT_OID(0x55, 0x1d, 0x14)

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

/* The cRLNumber in the contents of [0]; none is no error. */
static enum est_code read_number(struct est_span extensions, struct est_crl_info *info,
	struct est_error *err)
{
	struct der_tlv list, ext, oid, tlv, number;
	struct est_buf text = { 0 };
	enum est_code rc;

	if (!der_expect(&extensions, DER_SEQUENCE, &list))
		return EST_OK;
	while (der_expect(&list.body, DER_SEQUENCE, &ext)) {
		if (!der_expect(&ext.body, DER_OID, &oid) || !est_span_eq(oid.body, OID_CRL_NUMBER))
			continue;
		(void)der_expect(&ext.body, DER_BOOLEAN, &tlv);
		if (!der_expect(&ext.body, DER_OCTET_STRING, &tlv) ||
			!der_expect(&tlv.body, DER_INTEGER, &number))
			return EST_OK;
		rc = x509_integer(number.body, &text, err);
		if (rc == EST_OK)
			rc = x509_string(&text, &info->number, err);
		est_buf_free(&text);
		return rc;
	}
	return EST_OK;
}

static enum est_code read_tbs(struct est_span der, struct est_span tbs, struct est_crl_info *info,
	struct est_error *err)
{
	struct der_tlv tlv, issuer, entry;
	struct est_buf text = { 0 };
	enum est_code rc;

	(void)der_expect(&tbs, DER_INTEGER, &tlv);
	if (!der_expect(&tbs, DER_SEQUENCE, &tlv))
		return malformed(der, tbs.p, "no signature algorithm", err);
	if (!der_expect(&tbs, DER_SEQUENCE, &issuer))
		return malformed(der, tbs.p, "no issuer", err);
	if (!der_next(&tbs, &tlv) || !der_time(&tlv, &info->this_update))
		return malformed(der, tbs.p, "thisUpdate is not a time", err);
	if (next_is_time(tbs)) {
		if (!der_next(&tbs, &tlv) || !der_time(&tlv, &info->next_update))
			return malformed(der, tbs.p, "nextUpdate is not a time", err);
		info->has_next_update = true;
	}
	if (der_expect(&tbs, DER_SEQUENCE, &tlv)) {
		for (; tlv.body.n > 0; info->n_revoked++) {
			if (!der_expect(&tlv.body, DER_SEQUENCE, &entry))
				return malformed(der, tlv.body.p, "no revoked certificate", err);
		}
	}
	rc = cert_check_name(issuer.whole, WHAT ": issuer", err);
	if (rc == EST_OK)
		rc = x509_name(issuer.whole, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->issuer, err);
	if (rc == EST_OK && der_expect(&tbs, DER_CONTEXT_C(0), &tlv))
		rc = read_number(tlv.body, info, err);
	if (rc == EST_OK && tbs.n > 0)
		rc = malformed(der, tbs.p, "something after the extensions", err);
	est_buf_free(&text);
	return rc;
}

static enum est_code read_crl(struct est_span der, struct est_crl_info *info, struct est_error *err)
{
	struct der_tlv crl, tbs, algorithm, oid, signature;
	struct est_buf text = { 0 };
	struct est_span in = der;
	enum est_code rc;

	rc = der_walk(der, false, WHAT, NULL, err);
	if (rc != EST_OK)
		return rc;
	if (!der_expect(&in, DER_SEQUENCE, &crl) || !der_expect(&crl.body, DER_SEQUENCE, &tbs))
		return malformed(der, der.p, "no tbsCertList", err);
	rc = read_tbs(der, tbs.body, info, err);
	if (rc != EST_OK)
		return rc;
	if (!der_expect(&crl.body, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.body, DER_OID, &oid))
		return malformed(der, crl.body.p, "no signatureAlgorithm", err);
	if (!der_expect(&crl.body, DER_BIT_STRING, &signature) || crl.body.n > 0)
		return malformed(der, crl.body.p, "not one signature at the end", err);
	rc = x509_oid(oid.body, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->signature, err);
	est_buf_free(&text);
	return rc == EST_OK ? x509_sha256(der, info->sha256, err) : rc;
}

enum est_code est_crl_info(struct est_span der, struct est_crl_info *out, struct est_error *err)
{
	struct est_crl_info info = { 0 };
	enum est_code rc = read_crl(der, &info, err);

	if (rc == EST_OK)
		*out = info;
	else
		est_crl_info_wipe(&info);
	return rc;
}

void est_crl_info_wipe(struct est_crl_info *info)
{
	free(info->issuer);
	free(info->signature);
	free(info->number);
	*info = (struct est_crl_info){ 0 };
}

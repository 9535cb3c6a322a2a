/* SPDX-License-Identifier: MIT */
/* What people ask of a certification request (RFC 2986). */
#include <stdlib.h>

#include "cert.h"
#include "csr_parts.h"
#include "signed.h"
#include "x509_text.h"

#define WHAT "certification request"
/* Elements of a request.  GnuTLS expands its attributes, in quadratic time. */
#define ELEMENTS_MAX 4096

#define OID_EXT_REQ   CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e)
#define OID_CHALLENGE CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07)

static enum est_code malformed(struct est_span der, const uint8_t *at, const char *why,
	struct est_error *err)
{
	return est_fail(err, EST_E_PROTOCOL, WHAT ": %s at offset %zu (RFC 2986 section 4)", why,
		(size_t)(at - der.p));
}

enum est_code csr_parts(struct est_span der, struct csr_parts *out, struct est_error *err)
{
	struct der_tlv csr, info, tlv;
	struct der_stats stats;
	struct est_span in = der;
	enum est_code rc;

	if (der.n > EST_CERT_BYTES_MAX)
		return est_fail(err, EST_E_PROTOCOL, WHAT ": %zu bytes, more than the limit of %u",
			der.n, EST_CERT_BYTES_MAX);
	rc = der_walk(der, false, WHAT, &stats, err);
	if (rc != EST_OK)
		return rc;
	if (stats.elements > ELEMENTS_MAX)
		return est_fail(err, EST_E_PROTOCOL, WHAT ": more than %d elements, the limit",
			ELEMENTS_MAX);
	if (!der_expect(&in, DER_SEQUENCE, &csr) || !der_expect(&csr.body, DER_SEQUENCE, &info))
		return malformed(der, der.p, "no certificationRequestInfo", err);
	if (!der_expect(&info.body, DER_INTEGER, &tlv) || tlv.body.n != 1 || tlv.body.p[0] != 0)
		return malformed(der, info.body.p, "no version 0", err);
	if (!der_expect(&info.body, DER_SEQUENCE, &tlv))
		return malformed(der, info.body.p, "no subject", err);
	out->subject = tlv.whole;
	if (!der_expect(&info.body, DER_SEQUENCE, &tlv))
		return malformed(der, info.body.p, "no subjectPKInfo", err);
	out->spki = tlv.whole;
	/* attributes is not OPTIONAL, but old software leaves an empty one out. */
	if (der_expect(&info.body, DER_CONTEXT_C(0), &tlv))
		out->attributes = tlv.body;
	if (info.body.n > 0)
		return malformed(der, info.body.p, "something after the attributes", err);
	if (!der_expect(&csr.body, DER_SEQUENCE, &info) || !der_expect(&info.body, DER_OID, &tlv))
		return malformed(der, csr.body.p, "no signatureAlgorithm", err);
	out->signature_oid = tlv.body;
	if (!der_expect(&csr.body, DER_BIT_STRING, &tlv) || csr.body.n > 0)
		return malformed(der, csr.body.p, "not one signature at the end", err);
	rc = cert_check_name(out->subject, WHAT ": subject", err);
	return rc == EST_OK ? cert_check_spki(out->spki, WHAT ": public key", err) : rc;
}

/* The extensions of one extensionRequest value that are lists of words. */
static enum est_code read_extensions(struct est_span value, struct x509_list lists[3],
	struct est_error *err)
{
	static enum est_code (*const read[])(struct est_span value, struct x509_list * out,
		bool *valid,
		struct est_error *err) = { x509_sans, x509_key_usage, x509_ext_key_usage };
	const struct est_span oids[] = { CERT_OID_SAN, CERT_OID_KEY_USAGE, CERT_OID_EXT_KEY_USAGE };
	struct der_tlv seq, ext, oid, tlv;
	enum est_code rc = EST_OK;
	bool valid = true;

	if (!der_expect(&value, DER_SEQUENCE, &seq))
		valid = false;
	while (rc == EST_OK && valid && seq.body.n > 0) {
		valid = der_expect(&seq.body, DER_SEQUENCE, &ext) &&
			der_expect(&ext.body, DER_OID, &oid);
		if (!valid)
			break;
		(void)der_expect(&ext.body, DER_BOOLEAN, &tlv);
		valid = der_expect(&ext.body, DER_OCTET_STRING, &tlv);
		for (int i = 0; valid && rc == EST_OK && i < 3; i++) {
			if (!est_span_eq(oid.body, oids[i]))
				continue;
			if (lists[i].n > 0)
				return est_fail(err, EST_E_PROTOCOL,
					WHAT ": an extension twice (RFC 5280 section 4.2)");
			rc = read[i](tlv.body, &lists[i], &valid, err);
		}
	}
	if (rc == EST_OK && !valid)
		rc = est_fail(err, EST_E_PROTOCOL,
			WHAT ": malformed extensionRequest (RFC 2985 section 5.4.2)");
	return rc;
}

static enum est_code read_attributes(struct est_span in, struct est_csr_info *info,
	struct x509_list lists[3], struct x509_list *names, struct est_error *err)
{
	struct der_tlv attr, oid, values;
	struct est_buf text = { 0 };
	enum est_code rc = EST_OK;

	while (rc == EST_OK && in.n > 0) {
		if (!der_expect(&in, DER_SEQUENCE, &attr) ||
			!der_expect(&attr.body, DER_OID, &oid) ||
			!der_expect(&attr.body, DER_SET, &values) || attr.body.n > 0) {
			rc = est_fail(err, EST_E_PROTOCOL,
				WHAT ": malformed attribute (RFC 2986 section 4.1)");
			break;
		}
		if (est_span_eq(oid.body, OID_CHALLENGE))
			info->challenge_password = true;
		if (est_span_eq(oid.body, OID_EXT_REQ))
			rc = read_extensions(values.body, lists, err);
		if (rc == EST_OK)
			rc = x509_oid(oid.body, &text, err);
		if (rc == EST_OK)
			rc = x509_list_add(names, &text, err);
	}
	est_buf_free(&text);
	return rc;
}

static enum est_code fill(struct est_span der, const struct csr_parts *parts,
	struct est_csr_info *info, struct est_error *err)
{
	struct x509_list lists[3] = { 0 }, names = { 0 };
	struct est_buf text = { 0 };
	enum est_code rc;

	rc = x509_name(parts->subject, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->subject, err);
	if (rc == EST_OK)
		rc = x509_key(parts->spki, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->key, err);
	if (rc == EST_OK)
		rc = x509_signature(parts->signature_oid, der, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->signature, err);
	if (rc == EST_OK)
		rc = read_attributes(parts->attributes, info, lists, &names, err);
	est_buf_free(&text);
	/* Handed over on failure too: the caller wipes info. */
	info->sans = lists[0].item;
	info->n_sans = lists[0].n;
	info->key_usage = lists[1].item;
	info->n_key_usage = lists[1].n;
	info->ext_key_usage = lists[2].item;
	info->n_ext_key_usage = lists[2].n;
	info->attributes = names.item;
	info->n_attributes = names.n;
	return rc;
}

enum est_code est_csr_info(struct est_span der, struct est_csr_info *out, struct est_error *err)
{
	struct est_csr_info info = { 0 };
	struct csr_parts parts = { 0 };
	enum est_code rc;

	rc = csr_parts(der, &parts, err);
	if (rc != EST_OK)
		return rc;
	rc = fill(der, &parts, &info, err);
	if (rc == EST_OK)
		rc = x509_sha256(der, info.sha256, err);
	if (rc != EST_OK) {
		est_csr_info_wipe(&info);
		return rc;
	}
	info.verified = signed_by(der, parts.spki, true);
	*out = info;
	return EST_OK;
}

void est_csr_info_wipe(struct est_csr_info *info)
{
	free(info->subject);
	free(info->key);
	free(info->signature);
	x509_strings_free(info->sans, info->n_sans);
	x509_strings_free(info->key_usage, info->n_key_usage);
	x509_strings_free(info->ext_key_usage, info->n_ext_key_usage);
	x509_strings_free(info->attributes, info->n_attributes);
	*info = (struct est_csr_info){ 0 };
}

/* SPDX-License-Identifier: MIT */
/* How strong a certificate's key and signature are, and whose key it carries. */
#include "est-inspect.h"

#include <limits.h>
#include <string.h>

#include "cert.h"
#include "key.h"
#include "x509_text.h"

/* Curves, keys without parameters, hashes and the signatures that name one (NIST SP 800-57 part 1
 * tables 2 and 3; a hash counts with its collision resistance). */
static const struct {
	const char *dotted;
	unsigned bits;
} strengths[] = {
	{ "1.2.840.10045.3.1.1", 80 },
	{ "1.2.840.10045.3.1.7", 128 },
	{ "1.3.132.0.10", 128 },
	{ "1.3.132.0.33", 112 },
	{ "1.3.132.0.34", 192 },
	{ "1.3.132.0.35", 256 },
	{ "1.3.36.3.3.2.8.1.1.7", 128 },
	{ "1.3.36.3.3.2.8.1.1.11", 192 },
	{ "1.3.36.3.3.2.8.1.1.13", 256 },
	{ "1.3.101.112", 128 },
	{ "1.3.101.113", 224 },
	{ "2.16.840.1.101.3.4.3.17", 128 },
	{ "2.16.840.1.101.3.4.3.18", 192 },
	{ "2.16.840.1.101.3.4.3.19", 256 },
	{ "1.3.14.3.2.26", 61 }, /* SHA-1: what the best attack costs */
	{ "2.16.840.1.101.3.4.2.4", 112 },
	{ "2.16.840.1.101.3.4.2.1", 128 },
	{ "2.16.840.1.101.3.4.2.2", 192 },
	{ "2.16.840.1.101.3.4.2.3", 256 },
	{ "2.16.840.1.101.3.4.2.8", 128 },
	{ "2.16.840.1.101.3.4.2.9", 192 },
	{ "2.16.840.1.101.3.4.2.10", 256 },
	{ "1.2.840.10040.4.3", 61 },
	{ "1.2.840.10045.4.1", 61 },
	{ "1.2.840.10045.4.3.1", 112 },
	{ "1.2.840.10045.4.3.2", 128 },
	{ "1.2.840.10045.4.3.3", 192 },
	{ "1.2.840.10045.4.3.4", 256 },
	{ "1.2.840.113549.1.1.2", 63 }, /* MD2, MD5 */
	{ "1.2.840.113549.1.1.4", 18 },
	{ "1.2.840.113549.1.1.5", 61 },
	{ "1.2.840.113549.1.1.14", 112 },
	{ "1.2.840.113549.1.1.11", 128 },
	{ "1.2.840.113549.1.1.12", 192 },
	{ "1.2.840.113549.1.1.13", 256 },
};

static unsigned oid_strength(struct est_span oid)
{
	char dotted[DER_OID_TEXT_MAX];

	if (!der_oid_text(oid, dotted))
		return 0;
	for (size_t i = 0; i < sizeof(strengths) / sizeof(strengths[0]); i++) {
		if (strcmp(dotted, strengths[i].dotted) == 0)
			return strengths[i].bits;
	}
	return 0;
}

static unsigned rsa_strength(size_t modulus_bits)
{
	static const struct {
		size_t modulus;
		unsigned bits;
	} steps[] = { { 15360, 256 }, { 7680, 192 }, { 3072, 128 }, { 2048, 112 }, { 1024, 80 } };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (modulus_bits >= steps[i].modulus)
			return steps[i].bits;
	}
	return 0;
}

unsigned x509_key_strength(struct est_span spki)
{
	struct der_tlv outer, algorithm, oid, key;

	if (!der_expect(&spki, DER_SEQUENCE, &outer) ||
		!der_expect(&outer.body, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.body, DER_OID, &oid) ||
		!der_expect(&outer.body, DER_BIT_STRING, &key))
		return 0;
	if (est_span_eq(oid.body, CERT_OID_RSA) || est_span_eq(oid.body, CERT_OID_RSA_PSS))
		return rsa_strength(x509_rsa_bits(key.body));
	if (der_expect(&algorithm.body, DER_OID, &key)) /* ecPublicKey: the curve */
		return oid_strength(key.body);
	return oid_strength(oid.body);
}

/* RSASSA-PSS-params name the hash in [0] (RFC 4055 section 3.1); without it, SHA-1. */
static struct est_span pss_hash(struct est_span oid, struct est_span der)
{
	struct est_span rest = { oid.p + oid.n, (size_t)(der.p + der.n - (oid.p + oid.n)) };
	static const uint8_t sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
	struct der_tlv params, outer, hash;

	if (der_expect(&rest, DER_SEQUENCE, &params) &&
		der_expect(&params.body, DER_CONTEXT_C(0), &outer) &&
		der_expect(&outer.body, DER_SEQUENCE, &params) &&
		der_expect(&params.body, DER_OID, &hash))
		return hash.body;
	return (struct est_span){ sha1, sizeof(sha1) };
}

unsigned x509_signature_strength(struct est_span oid, struct est_span der)
{
	return oid_strength(est_span_eq(oid, CERT_OID_RSA_PSS) ? pss_hash(oid, der) : oid);
}

enum est_code x509_signature(struct est_span oid, struct est_span der, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = x509_oid(oid, out, err);

	if (rc != EST_OK || !est_span_eq(oid, CERT_OID_RSA_PSS))
		return rc;
	rc = est_buf_append(out, est_span_str(" with "), err);
	return rc == EST_OK ? x509_oid(pss_hash(oid, der), out, err) : rc;
}

enum est_code est_cert_strength(struct est_span der, unsigned *key, unsigned *signature,
	struct est_error *err)
{
	struct cert_view view;
	enum est_code rc = cert_view(der, "certificate", &view, err);

	if (rc != EST_OK)
		return rc;
	*key = x509_key_strength(view.spki);
	*signature = cert_is_root(&view) ? UINT_MAX
					 : x509_signature_strength(view.signature_oid, view.der);
	return EST_OK;
}

enum est_code est_public_key_info(struct est_span spki, char **key, char sha256[EST_SHA256_HEX],
	struct est_error *err)
{
	struct est_buf text = { 0 };
	enum est_code rc;

	rc = der_walk(spki, false, "public key", NULL, err);
	if (rc == EST_OK)
		rc = cert_check_spki(spki, "public key", err);
	if (rc == EST_OK)
		rc = x509_sha256(spki, sha256, err);
	if (rc == EST_OK)
		rc = x509_key(spki, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, key, err);
	est_buf_free(&text);
	return rc;
}

/* The third part of a CertificationRequestInfo (RFC 2986 section 4.1). */
static bool csr_spki(struct est_span der, struct est_span *out)
{
	struct der_tlv csr, info, tlv;

	if (!der_expect(&der, DER_SEQUENCE, &csr) || !der_expect(&csr.body, DER_SEQUENCE, &info) ||
		!der_expect(&info.body, DER_INTEGER, &tlv) ||
		!der_expect(&info.body, DER_SEQUENCE, &tlv) ||
		!der_expect(&info.body, DER_SEQUENCE, &tlv))
		return false;
	*out = tlv.whole;
	return true;
}

enum est_code est_key_is_in(const struct est_key *key, struct est_span der, bool csr, bool *out,
	struct est_error *err)
{
	struct cert_view view = { 0 };
	struct est_buf spki = { 0 };
	enum est_code rc = EST_OK;

	if (csr && !csr_spki(der, &view.spki))
		rc = est_fail(err, EST_E_PROTOCOL, "certification request: no public key");
	else if (!csr)
		rc = cert_view(der, "certificate", &view, err);
	if (rc == EST_OK)
		rc = key_spki(key, &spki, err);
	if (rc == EST_OK)
		*out = est_span_eq(est_buf_span(&spki), view.spki);
	est_buf_free(&spki);
	return rc;
}

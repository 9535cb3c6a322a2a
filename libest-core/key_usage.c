/* SPDX-License-Identifier: MIT */
/* What a key is for, as its PKCS #8 file says (RFC 5958): keys that must not sign, or cannot. */
#include "key.h"

#include <string.h>

#include "der.h"
#include "pem.h"

/* [0] { keyUsage { nonRepudiation, keyEncipherment, dataEncipherment, keyAgreement } }: anything
 * but digitalSignature (RFC 5280 section 4.2.1.3). */
static const uint8_t mark[] = { 0xa0, 13, 0x30, 11, 0x06, 3, 0x55, 0x1d, 0x0f, 0x31, 4, 0x03, 2, 3,
	0x78 };

struct pkcs8 {                      /* borrowed */
	struct est_span before;     /* what stands before the attributes, in the SEQUENCE */
	struct est_span algorithm;  /* OID contents */
	struct est_span attributes; /* contents; empty: none */
};

static bool pkcs8_view(struct est_span der, struct pkcs8 *out)
{
	struct der_tlv key, tlv, algorithm;
	struct est_span body;

	*out = (struct pkcs8){ 0 };
	if (!der_expect(&der, DER_SEQUENCE, &key))
		return false;
	body = key.body;
	if (!der_expect(&body, DER_INTEGER, &tlv) || !der_expect(&body, DER_SEQUENCE, &algorithm) ||
		!der_expect(&body, DER_OCTET_STRING, &tlv) ||
		!der_expect(&algorithm.body, DER_OID, &tlv))
		return false;
	out->algorithm = tlv.body;
	out->before = (struct est_span){ key.body.p, (size_t)(body.p - key.body.p) };
	if (der_expect(&body, DER_CONTEXT_C(0), &tlv))
		out->attributes = tlv.body;
	return true;
}

/* Has a keyUsage without digitalSignature, its first bit. */
static bool forbids_signatures(struct est_span attributes)
{
	static const uint8_t oid[] = { 0x55, 0x1d, 0x0f };
	struct der_tlv attribute, type, values, bits;

	while (der_expect(&attributes, DER_SEQUENCE, &attribute)) {
		if (der_expect(&attribute.body, DER_OID, &type) &&
			est_span_eq(type.body, (struct est_span){ oid, sizeof(oid) }) &&
			der_expect(&attribute.body, DER_SET, &values) &&
			der_expect(&values.body, DER_BIT_STRING, &bits))
			return bits.body.n < 2 || !(bits.body.p[1] & 0x80);
	}
	return false;
}

/* Keys that agree on secrets: X25519 and X448 (RFC 8410), Diffie-Hellman of PKCS #3 and X9.42. */
static bool only_agrees(struct est_span algorithm)
{
	static const struct {
		uint8_t oid[9], n;
	} kinds[] = {
		{ { 0x2b, 0x65, 0x6e }, 3 },
		{ { 0x2b, 0x65, 0x6f }, 3 },
		{ { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 3, 1 }, 9 },
		{ { 0x2a, 0x86, 0x48, 0xce, 0x3e, 2, 1 }, 7 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (est_span_eq(algorithm, (struct est_span){ kinds[i].oid, kinds[i].n }))
			return true;
	}
	return false;
}

enum key_signs key_signs(struct est_span text)
{
	enum key_signs answer = KEY_SIGNS;
	struct est_buf der = { 0 };
	struct pem_reader reader;
	struct est_error ignored;
	struct pem_block block;
	struct pkcs8 key;
	bool found = false;

	if (!pem_present(text)) {
		(void)pkcs8_view(text, &key);
	} else {
		pem_init(&reader, text);
		if (pem_next(&reader, &block, &found, &ignored) != EST_OK || !found ||
			!pem_is(&block, "PRIVATE KEY") ||
			pem_decode(&block, &der, &ignored) != EST_OK)
			goto out;
		(void)pkcs8_view(est_buf_span(&der), &key);
	}
	if (only_agrees(key.algorithm))
		answer = KEY_CANNOT_SIGN;
	else if (forbids_signatures(key.attributes))
		answer = KEY_MUST_NOT_SIGN;
out:
	est_buf_free(&der);
	return answer;
}

enum est_code key_mark(struct est_span der, struct est_buf *out, struct est_error *err)
{
	struct est_buf body = { 0 };
	struct pkcs8 key;
	enum est_code rc;

	if (!pkcs8_view(der, &key))
		return est_fail(err, EST_E_INTERNAL, "cannot write the key: not PKCS #8");
	rc = est_buf_append(&body, key.before, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, (struct est_span){ mark, sizeof(mark) }, err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&body), err);
	est_buf_free(&body);
	return rc;
}

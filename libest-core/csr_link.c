/* SPDX-License-Identifier: MIT */
/* Attributes of a request that hold a string: secrets, and the channel binding of the session that
 * carries it (RFC 2985 section 5.4.1, RFC 7894). */
#include "csr.h"

#include <string.h>

#include "cert.h"
#include "key.h"
#include "span.h"

#define CHALLENGE_MAX 255 /* characters: pkcs-9-ub-challengePassword */

static size_t characters(struct est_span utf8)
{
	size_t n = 0;

	for (size_t i = 0; i < utf8.n; i++)
		n += (utf8.p[i] & 0xc0) != 0x80;
	return n;
}

enum est_code csr_challenge(struct est_span text, const char *what, struct est_buf *out,
	struct est_error *err)
{
	uint8_t tag = csr_string_tag(text);

	if (!tag)
		return est_fail(err, EST_E_INPUT, "%s: not valid UTF-8 (RFC 7894 section 3)", what);
	if (text.n == 0 || characters(text) > CHALLENGE_MAX)
		return est_fail(err, EST_E_INPUT,
			"%s: %zu characters; 1 to %d fit (RFC 2985 section 5.4.1)", what,
			characters(text), CHALLENGE_MAX);
	return der_put(out, tag, text, err);
}

enum est_code est_csr_check_secret(struct est_span text, const char *what, struct est_error *err)
{
	struct est_buf out = { 0 };
	enum est_code rc = csr_challenge(text, what, &out, err);

	est_buf_free(&out);
	return rc;
}

bool csr_attribute(struct est_span attributes, struct est_span oid)
{
	struct der_tlv attribute, type;

	while (der_expect(&attributes, DER_SEQUENCE, &attribute)) {
		if (der_expect(&attribute.body, DER_OID, &type) && est_span_eq(type.body, oid))
			return true;
	}
	return false;
}

static bool are_attributes(struct est_span set)
{
	struct der_tlv attribute;

	while (set.n > 0) {
		if (!der_expect(&set, DER_SEQUENCE, &attribute))
			return false;
	}
	return true;
}

/* X.690 section 11.6: a SET OF is in the order of its elements' bytes. */
static bool goes_before(struct est_span a, struct est_span b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order < 0 || (order == 0 && a.n < b.n);
}

static enum est_code put_sorted(struct est_span set, struct est_span element, struct est_buf *out,
	struct est_error *err)
{
	struct est_span rest = set, before = { set.p, 0 };
	struct der_tlv tlv;
	enum est_code rc;

	while (der_next(&rest, &tlv) && goes_before(tlv.whole, element))
		before.n += tlv.whole.n;
	rc = est_buf_append(out, before, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, element, err);
	if (rc == EST_OK && set.n > before.n)
		rc = est_buf_append(out, span_after(set, before.n), err);
	return rc;
}

static enum est_code put_attribute(struct est_span oid, struct est_span text, struct est_buf *out,
	struct est_error *err)
{
	struct est_buf string = { 0 }, body = { 0 };
	enum est_code rc;

	rc = csr_challenge(text, "the channel binding", &string, err);
	if (rc == EST_OK)
		rc = der_put(&body, DER_OID, oid, err);
	if (rc == EST_OK)
		rc = der_put(&body, DER_SET, est_buf_span(&string), err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&body), err);
	est_buf_free(&string);
	est_buf_free(&body);
	return rc;
}

enum est_code csr_link(struct est_span csr, const struct est_key *key, struct est_span oid,
	struct est_span text, struct est_buf *out, struct est_error *err)
{
	static const uint8_t version[] = { DER_INTEGER, 1, 0 };
	struct est_buf attribute = { 0 }, attributes = { 0 }, body = { 0 }, info = { 0 };
	gnutls_sign_algorithm_t algorithm = GNUTLS_SIGN_UNKNOWN;
	struct csr_view view;
	enum est_code rc;

	rc = csr_view(csr, "the request", &view, err);
	if (rc == EST_OK && !are_attributes(view.attributes))
		rc = est_fail(err, EST_E_INPUT,
			"the request: not all attributes are one (RFC 2986)");
	if (rc == EST_OK)
		rc = key_signature_as(key, view.algorithm, &algorithm, err);
	if (rc == EST_OK)
		rc = put_attribute(oid, text, &attribute, err);
	if (rc == EST_OK)
		rc = put_sorted(view.attributes, est_buf_span(&attribute), &attributes, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, (struct est_span){ version, sizeof(version) }, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, view.subject, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, view.spki, err);
	if (rc == EST_OK)
		rc = der_put(&body, DER_CONTEXT_C(0), est_buf_span(&attributes), err);
	if (rc == EST_OK)
		rc = der_put(&info, DER_SEQUENCE, est_buf_span(&body), err);
	if (rc == EST_OK)
		rc = csr_sign(key, algorithm, view.algorithm, est_buf_span(&info), out, err);
	est_buf_free(&attribute);
	est_buf_free(&attributes);
	est_buf_free(&body);
	est_buf_free(&info);
	return rc;
}

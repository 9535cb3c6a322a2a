/* SPDX-License-Identifier: MIT */
/* The attributes of a request in words (RFC 2985, RFC 7894, RFC 9908), and the extensions that it
 * asks for.  What proves something to the CA is a secret: it is described and not shown. */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "cert.h"
#include "csr_parts.h"
#include "csrattrs.h"
#include "details.h"
#include "x509_text.h"

#define WHAT "certification request"

#define SMIME_AA(last) CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, last)
#define OID_CHALLENGE  CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07)
#define OID_EXT_REQ    CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e)
#define OID_SUBJECT    CERT_OID(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x07, 0x24)

static enum est_code put(struct est_buf *out, const char *s, struct est_error *err)
{
	return est_buf_append(out, est_span_str(s), err);
}

/* A channel binding goes into a request as base64 (RFC 7030 section 3.5), and its length tells
 * which one it is: tls-unique of TLS 1.2 has 12 bytes, tls-exporter 32 (RFC 9266). */
static enum est_code secret_text(struct est_span value, struct est_buf *out, struct est_error *err)
{
	struct est_buf bytes = { 0 };
	struct est_error ignored;
	const char *binding = NULL;
	struct der_tlv tlv = { 0 };
	enum est_code rc;

	(void)der_next(&value, &tlv);
	if (tlv.body.n <= 64 && base64_decode(tlv.body, "", NULL, &bytes, &ignored) == EST_OK)
		binding = bytes.n == 12 ? "tls-unique" : bytes.n == 32 ? "tls-exporter" : NULL;
	est_buf_free(&bytes);
	rc = est_buf_printf(out, err, "%zu characters, not shown", tlv.body.n);
	if (rc == EST_OK && binding)
		return est_buf_printf(out, err, "; has the form of a channel binding (%s)",
			binding);
	return rc == EST_OK ? put(out, "; not of the form of a channel binding", err) : rc;
}

/* ChangeSubjectName (RFC 6402 section 2.8). */
static enum est_code subject_text(struct est_span value, struct est_buf *out, struct est_error *err)
{
	struct der_tlv seq, name;
	struct est_error ignored;
	struct x509_list list = { 0 };
	struct est_buf sans = { 0 };
	bool valid;
	enum est_code rc = EST_OK;

	if (!der_expect(&value, DER_SEQUENCE, &seq))
		return put(out, "malformed", err);
	if (der_expect(&seq.body, DER_SEQUENCE, &name))
		rc = cert_check_name(name.whole, WHAT, &ignored) == EST_OK
			     ? x509_name(name.whole, out, err)
			     : put(out, "malformed", err);
	if (rc == EST_OK && der_expect(&seq.body, DER_CONTEXT_C(1), &name)) {
		rc = der_put(&sans, DER_SEQUENCE, name.body, err);
		if (rc == EST_OK)
			rc = x509_sans(est_buf_span(&sans), &list, &valid, err);
		if (rc == EST_OK)
			rc = put(out, "; ", err);
		if (rc == EST_OK)
			rc = valid ? x509_list_text(&list, out, err) : put(out, "malformed", err);
	}
	est_buf_free(&sans);
	x509_list_wipe(&list);
	return rc;
}

/* One value of an attribute. */
static enum est_code value_text(struct est_span oid, const struct est_extension *name,
	struct est_span value, struct est_buf *out, struct est_error *err)
{
	const struct est_span secrets[] = { OID_CHALLENGE, SMIME_AA(56), SMIME_AA(57),
		SMIME_AA(58) };
	const struct est_csrattr attr = { name->oid, name->name, true, &value, 1 };

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (est_span_eq(oid, secrets[i]))
			return secret_text(value, out, err);
	}
	if (est_span_eq(oid, OID_SUBJECT))
		return subject_text(value, out, err);
	return est_csrattr_value_text(&attr, 0, out, err);
}

static enum est_code read_attribute(struct est_span *in, struct est_cert_details *d,
	struct est_error *err)
{
	struct est_extension *out = &d->attribute[d->n_attributes];
	struct der_tlv attr, oid, set, value, list;
	struct est_buf text = { 0 };
	struct est_span rest;
	enum est_code rc;

	if (d->n_attributes == EST_EXTENSIONS_MAX || !der_expect(in, DER_SEQUENCE, &attr) ||
		!der_expect(&attr.body, DER_OID, &oid) || !der_expect(&attr.body, DER_SET, &set))
		return est_fail(err, EST_E_PROTOCOL,
			WHAT ": a malformed attribute, or more than %d", EST_EXTENSIONS_MAX);
	d->n_attributes++;
	rc = details_name(oid.body, out, err);
	for (size_t n = 0; rc == EST_OK && set.body.n > 0; n++) {
		if (!der_next(&set.body, &value)) {
			rc = est_fail(err, EST_E_PROTOCOL, WHAT ": a malformed value");
			break;
		}
		rest = value.whole;
		if (n > 0)
			rc = put(&text, ", ", err);
		if (rc == EST_OK && est_span_eq(oid.body, OID_EXT_REQ) &&
			der_expect(&rest, DER_SEQUENCE, &list)) {
			rc = details_extensions(list.body, false, d, err);
			if (rc == EST_OK)
				rc = est_buf_printf(&text, err, "%zu extension%s, shown below",
					d->n_extensions, d->n_extensions == 1 ? "" : "s");
		} else if (rc == EST_OK) {
			rc = value_text(oid.body, out, value.whole, &text, err);
		}
	}
	if (rc == EST_OK)
		rc = x509_string(&text, &out->value, err);
	est_buf_free(&text);
	return rc;
}

enum est_code est_csr_details(struct est_span der, struct est_cert_details *out,
	struct est_error *err)
{
	struct est_cert_details d = { .version = 1 };
	struct csr_parts parts = { 0 };
	enum est_code rc = csr_parts(der, &parts, err);

	if (rc == EST_OK)
		rc = x509_sha256(parts.spki, d.spki_sha256, err);
	if (rc != EST_OK)
		return rc;
	d.key_bits = x509_key_strength(parts.spki);
	d.signature_bits = x509_signature_strength(parts.signature_oid, der);
	d.attribute = calloc(EST_EXTENSIONS_MAX, sizeof(*d.attribute));
	if (!d.attribute)
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	while (rc == EST_OK && parts.attributes.n > 0)
		rc = read_attribute(&parts.attributes, &d, err);
	if (rc == EST_OK)
		*out = d;
	else
		est_cert_details_wipe(&d);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Certification requests (RFC 2986): built through the schema, signed, read, checked. */
#include "csr.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <libtasn1.h>

#include "asn1.h"
#include "cert.h"
#include "key.h"
#include "pem.h"

#define OID_EXTENSION_REQUEST "1.2.840.113549.1.9.14"
#define CSR_BYTES_MAX         EST_CERT_BYTES_MAX

static enum est_code fail_asn1(int ret, struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, "cannot encode the request: %s", asn1_strerror(ret));
}

static enum est_code encode(asn1_node node, struct est_buf *out, struct est_error *err)
{
	char why[ASN1_MAX_ERROR_DESCRIPTION_SIZE];
	enum est_code rc;
	uint8_t *der;
	int n = 0, ret;

	ret = asn1_der_coding(node, "", NULL, &n, why);
	if (ret != ASN1_MEM_ERROR || n <= 0)
		return fail_asn1(ret, err);
	der = malloc((size_t)n);
	if (!der)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	ret = asn1_der_coding(node, "", der, &n, why);
	rc = ret == ASN1_SUCCESS ? est_buf_append(out, (struct est_span){ der, (size_t)n }, err)
				 : fail_asn1(ret, err);
	free(der);
	return rc;
}

struct field {
	const char *name;
	const void *value; /* NULL with "NEW" as text below */
	int n;
};

static enum est_code write_fields(asn1_node node, const struct field *fields, size_t n,
	struct est_error *err)
{
	int ret;

	for (size_t i = 0; i < n; i++) {
		ret = asn1_write_value(node, fields[i].name, fields[i].value, fields[i].n);
		if (ret != ASN1_SUCCESS)
			return fail_asn1(ret, err);
	}
	return EST_OK;
}

static enum est_code create(const char *type, asn1_node *defs, asn1_node *out,
	struct est_error *err)
{
	char why[ASN1_MAX_ERROR_DESCRIPTION_SIZE];
	int ret;

	ret = asn1_array2tree(est_pkcs10_asn1_tab, defs, why);
	if (ret == ASN1_SUCCESS)
		ret = asn1_create_element(*defs, type, out);
	return ret == ASN1_SUCCESS ? EST_OK : fail_asn1(ret, err);
}

/* CertificationRequestInfo in DER, ready to be signed. */
static enum est_code encode_info(struct est_span subject, struct est_span spki,
	struct est_span extensions, struct est_buf *out, struct est_error *err)
{
	asn1_node defs = NULL, node = NULL;
	const struct field fields[] = {
		{ "version", "\0", 1 },
		{ "subject", subject.p, (int)subject.n },
		{ "subjectPKInfo", spki.p, (int)spki.n },
		{ "attributes", "NEW", 1 },
		{ "attributes.?LAST.type", OID_EXTENSION_REQUEST, 1 },
		{ "attributes.?LAST.values", "NEW", 1 },
		{ "attributes.?LAST.values.?LAST", extensions.p, (int)extensions.n },
	};
	enum est_code rc;

	rc = create("PKCS10.CertificationRequestInfo", &defs, &node, err);
	if (rc == EST_OK) /* without extensions the attributes are an empty SET */
		rc = write_fields(node, fields, extensions.n ? 7 : 3, err);
	if (rc == EST_OK)
		rc = encode(node, out, err);
	asn1_delete_structure(&node);
	asn1_delete_structure(&defs);
	return rc;
}

static enum est_code encode_request(struct est_span info, struct est_span algorithm,
	struct est_span signature, struct est_buf *out, struct est_error *err)
{
	asn1_node defs = NULL, node = NULL;
	const struct field fields[] = {
		{ "certificationRequestInfo", info.p, (int)info.n },
		{ "signatureAlgorithm", algorithm.p, (int)algorithm.n },
		{ "signature", signature.p, (int)signature.n * 8 }, /* bits */
	};
	enum est_code rc;

	rc = create("PKCS10.CertificationRequest", &defs, &node, err);
	if (rc == EST_OK)
		rc = write_fields(node, fields, sizeof(fields) / sizeof(fields[0]), err);
	if (rc == EST_OK)
		rc = encode(node, out, err);
	asn1_delete_structure(&node);
	asn1_delete_structure(&defs);
	return rc;
}

static enum est_code spec_subject(const struct est_csr_spec *spec, struct est_buf *out,
	struct est_error *err)
{
	struct cert_view old;
	enum est_code rc;

	if (!spec->renew.n)
		return csr_subject(spec->subject, out, err);
	if (spec->subject || spec->dns || spec->ip || spec->email || spec->uri)
		return est_fail(err, EST_E_USAGE,
			"a renewal keeps subject and subjectAltName (RFC 7030 section 4.2.2)");
	rc = cert_view(spec->renew, "the certificate to renew", &old, err);
	return rc == EST_OK ? est_buf_append(out, old.subject, err) : rc;
}

enum est_code est_csr_build(const struct est_csr_spec *spec, const struct est_key *key,
	struct est_buf *der, struct est_error *err)
{
	struct est_buf subject = { 0 }, extensions = { 0 }, spki = { 0 }, info = { 0 };
	struct est_buf signature = { 0 };
	gnutls_sign_algorithm_t algorithm = GNUTLS_SIGN_UNKNOWN;
	struct est_span identifier = { 0 };
	enum est_code rc;

	rc = key_signature(key, spec->hash, &algorithm, &identifier, err);
	if (rc == EST_OK)
		rc = spec_subject(spec, &subject, err);
	if (rc == EST_OK) /* 30 00 is the empty name */
		rc = csr_extensions(spec, subject.n == 2, &extensions, err);
	if (rc == EST_OK)
		rc = key_spki(key, &spki, err);
	if (rc == EST_OK)
		rc = encode_info(est_buf_span(&subject), est_buf_span(&spki),
			est_buf_span(&extensions), &info, err);
	if (rc == EST_OK)
		rc = key_sign(key, algorithm, est_buf_span(&info), &signature, err);
	if (rc == EST_OK)
		rc = encode_request(est_buf_span(&info), identifier, est_buf_span(&signature), der,
			err);
	est_buf_free(&subject);
	est_buf_free(&extensions);
	est_buf_free(&spki);
	est_buf_free(&info);
	est_buf_free(&signature);
	return rc;
}

/* The first value of the extensionRequest among the attributes (RFC 2985 section 5.4.2). */
static struct est_span requested_extensions(struct est_span attributes)
{
	static const uint8_t oid[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14 };
	struct der_tlv attribute, type, values, extensions;
	struct est_span body;

	while (der_expect(&attributes, DER_SEQUENCE, &attribute)) {
		body = attribute.body;
		if (!der_expect(&body, DER_OID, &type) || !der_expect(&body, DER_SET, &values))
			break;
		body = values.body;
		if (est_span_eq(type.body, (struct est_span){ oid, sizeof(oid) }) &&
			der_expect(&body, DER_SEQUENCE, &extensions))
			return extensions.body;
	}
	return (struct est_span){ 0 };
}

enum est_code csr_view(struct est_span der, const char *what, struct csr_view *out,
	struct est_error *err)
{
	struct der_tlv request, info, algorithm = { 0 }, version, subject, spki, attributes;
	struct est_span rest = der, body;
	enum est_code rc;

	rc = der.n > CSR_BYTES_MAX
		     ? est_fail(err, EST_E_INPUT, "%s: larger than %u bytes", what, CSR_BYTES_MAX)
		     : der_walk(der, false, what, NULL, err);
	if (rc != EST_OK)
		return err->code = EST_E_INPUT;
	if (!der_expect(&rest, DER_SEQUENCE, &request))
		goto bad;
	body = request.body;
	if (!der_expect(&body, DER_SEQUENCE, &info))
		goto bad;
	(void)der_expect(&body, DER_SEQUENCE, &algorithm);
	body = info.body;
	if (!der_expect(&body, DER_INTEGER, &version) || version.body.n != 1 ||
		version.body.p[0] != 0 || !der_expect(&body, DER_SEQUENCE, &subject) ||
		!der_expect(&body, DER_SEQUENCE, &spki))
		goto bad;
	*out = (struct csr_view){
		.info = info.whole,
		.algorithm = algorithm.whole,
		.subject = subject.whole,
		.spki = spki.whole,
	};
	if (der_expect(&body, DER_CONTEXT_C(0), &attributes))
		out->extensions = requested_extensions(attributes.body);
	return EST_OK;
bad:
	return est_fail(err, EST_E_INPUT, "%s: not a certification request (RFC 2986)", what);
}

/* Proof of possession: the request is signed by the key it carries. */
static enum est_code check_signature(struct est_span der, const char *what, struct est_error *err)
{
	gnutls_datum_t data = { (unsigned char *)der.p, (unsigned)der.n };
	gnutls_x509_crq_t crq;
	int ret = gnutls_x509_crq_init(&crq);

	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret));
	ret = gnutls_x509_crq_import(crq, &data, GNUTLS_X509_FMT_DER);
	if (ret >= 0)
		ret = gnutls_x509_crq_verify(crq, 0);
	gnutls_x509_crq_deinit(crq);
	if (ret < 0)
		return est_fail(err, EST_E_INPUT, "%s: the request's own signature: %s", what,
			gnutls_strerror(ret));
	return EST_OK;
}

/* The DER in PEM, in base64, or as it is. */
static enum est_code unwrap(struct est_span text, struct est_buf *der, struct est_error *err)
{
	struct pem_reader reader;
	struct pem_block block;
	enum est_code rc;
	bool found;

	if (!pem_present(text))
		return text.n > 0 && text.p[0] == DER_SEQUENCE ? est_buf_append(der, text, err)
							       : pem_decode_base64(text, der, err);
	pem_init(&reader, text);
	do {
		rc = pem_next(&reader, &block, &found, err);
		if (rc == EST_OK && !found)
			rc = est_fail(err, EST_E_INPUT, "no CERTIFICATE REQUEST in it");
	} while (rc == EST_OK && !pem_is(&block, "CERTIFICATE REQUEST") &&
		 !pem_is(&block, "NEW CERTIFICATE REQUEST"));
	return rc == EST_OK ? pem_decode(&block, der, err) : rc;
}

enum est_code est_csr_load(const char *path, struct est_buf *out, struct est_error *err)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	struct est_buf text = { 0 }, der = { 0 };
	struct est_error why;
	struct csr_view view;
	enum est_code rc;

	rc = est_read_file(path, EST_FILE_MAX, &text, err);
	if (rc != EST_OK)
		goto out;
	rc = unwrap(est_buf_span(&text), &der, &why);
	if (rc != EST_OK) {
		est_fail(err, rc, "%s: %s", name, why.msg);
		goto out;
	}
	rc = csr_view(est_buf_span(&der), name, &view, err);
	if (rc == EST_OK)
		rc = check_signature(est_buf_span(&der), name, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, est_buf_span(&der), err);
out:
	est_buf_free(&der);
	est_buf_free(&text);
	return rc;
}

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

#define CSR_BYTES_MAX EST_CERT_BYTES_MAX

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
	explicit_bzero(der, (size_t)n);
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

/* One Attribute with one value; none when there is no value. */
static enum est_code add_attribute(asn1_node node, const char *oid, struct est_span value,
	struct est_error *err)
{
	const struct field fields[] = {
		{ "attributes", "NEW", 1 },
		{ "attributes.?LAST.type", oid, 1 },
		{ "attributes.?LAST.values", "NEW", 1 },
		{ "attributes.?LAST.values.?LAST", value.p, (int)value.n },
	};

	return value.n ? write_fields(node, fields, 4, err) : EST_OK;
}

struct info { /* of a CertificationRequestInfo */
	struct est_buf subject, spki;
	/* attribute values; empty: none */
	struct est_buf extensions, change, challenge, otp, revocation;
};

static void info_wipe(struct info *info)
{
	est_buf_free(&info->subject);
	est_buf_free(&info->spki);
	est_buf_free(&info->extensions);
	est_buf_free(&info->change);
	est_buf_free(&info->challenge);
	est_buf_free(&info->otp);
	est_buf_free(&info->revocation);
}

/* CertificationRequestInfo in DER, ready to be signed. */
static enum est_code encode_info(const struct info *info, struct est_buf *out,
	struct est_error *err)
{
	asn1_node defs = NULL, node = NULL;
	const struct field fields[] = {
		{ "version", "\0", 1 },
		{ "subject", info->subject.p, (int)info->subject.n },
		{ "subjectPKInfo", info->spki.p, (int)info->spki.n },
	};
	const struct {
		const char *oid;
		const struct est_buf *value;
	} attributes[] = {
		{ "1.2.840.113549.1.9.14", &info->extensions }, /* extensionRequest */
		{ "1.3.6.1.5.5.7.7.36", &info->change },        /* ChangeSubjectName */
		{ "1.2.840.113549.1.9.7", &info->challenge },   /* challengePassword */
		{ "1.2.840.113549.1.9.16.2.56", &info->otp },
		{ "1.2.840.113549.1.9.16.2.57", &info->revocation },
	};
	enum est_code rc;

	rc = create("PKCS10.CertificationRequestInfo", &defs, &node, err);
	if (rc == EST_OK)
		rc = write_fields(node, fields, sizeof(fields) / sizeof(fields[0]), err);
	/* Without any the attributes are an empty SET. */
	for (size_t i = 0; rc == EST_OK && i < sizeof(attributes) / sizeof(attributes[0]); i++)
		rc = add_attribute(node, attributes[i].oid, est_buf_span(attributes[i].value), err);
	if (rc == EST_OK)
		rc = encode(node, out, err);
	asn1_delete_structure2(&node, ASN1_DELETE_FLAG_ZEROIZE); /* some are secrets */
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

enum est_code csr_sign(const struct est_key *key, gnutls_sign_algorithm_t algorithm,
	struct est_span identifier, struct est_span info, struct est_buf *out,
	struct est_error *err)
{
	struct est_buf signature = { 0 };
	enum est_code rc;

	rc = key_sign(key, algorithm, info, &signature, err);
	if (rc == EST_OK)
		rc = encode_request(info, identifier, est_buf_span(&signature), out, err);
	est_buf_free(&signature);
	return rc;
}

/* RFC 7894 section 3. */
static enum est_code spec_secrets(const struct est_csr_spec *spec, struct info *info,
	struct est_error *err)
{
	const struct {
		struct est_span text;
		const char *what;
		struct est_buf *out;
	} secrets[] = {
		{ spec->challenge, "challengePassword", &info->challenge },
		{ spec->otp, "otpChallenge", &info->otp },
		{ spec->revocation, "revocationChallenge", &info->revocation },
	};
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (secrets[i].text.p)
			rc = csr_challenge(secrets[i].text, secrets[i].what, secrets[i].out, err);
	}
	return rc;
}

enum est_code csr_spec_subject(const struct est_csr_spec *spec, struct est_buf *out,
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

/* RFC 6402 section 2.8: ChangeSubjectName ::= SEQUENCE { subject Name OPTIONAL, subjectAlt
 * GeneralNames OPTIONAL }.  What is not in it goes, so the old subjectAltName is. */
enum est_code csr_spec_change(const struct est_csr_spec *spec, struct est_buf *out,
	struct est_error *err)
{
	struct est_buf names = { 0 };
	struct est_span san = { 0 };
	struct est_error why = { 0 };
	struct cert_view old;
	enum est_code rc;

	if (!spec->change_subject)
		return EST_OK;
	if (!spec->renew.n)
		return est_fail(err, EST_E_USAGE, "only a renewal can change a subject");
	rc = csr_subject(spec->change_subject, &names, &why);
	if (rc != EST_OK) {
		est_fail(err, rc, "%s%s", strncmp(why.msg, "--subject", 9) ? "" : "--change",
			why.msg + (strncmp(why.msg, "--subject", 9) ? 0 : 1));
		goto out;
	}
	rc = cert_view(spec->renew, "the certificate to renew", &old, err);
	if (rc == EST_OK && cert_extension(&old, CERT_OID_SAN, NULL, &san))
		rc = est_buf_append(&names, san, err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&names), err);
out:
	est_buf_free(&names);
	return rc;
}

enum est_code est_csr_build(const struct est_csr_spec *spec, const struct est_key *key,
	struct est_buf *der, struct est_error *err)
{
	const struct est_plan *plan = spec->plan;
	struct est_buf tbs = { 0 };
	struct info info = { 0 };
	gnutls_sign_algorithm_t algorithm = GNUTLS_SIGN_UNKNOWN;
	struct est_span identifier = { 0 };
	enum est_code rc;

	rc = key_signature(est_key_type(key), plan && *plan->hash ? plan->hash : spec->hash,
		&algorithm, &identifier, err);
	if (rc == EST_OK)
		rc = plan ? est_buf_append(&info.subject, est_buf_span(&plan->subject), err)
			  : csr_spec_subject(spec, &info.subject, err);
	if (rc == EST_OK && plan)
		rc = est_buf_append(&info.extensions, est_buf_span(&plan->extensions), err);
	else if (rc == EST_OK) /* 30 00 is the empty name */
		rc = csr_extensions(spec, info.subject.n == 2, &info.extensions, err);
	if (rc == EST_OK)
		rc = csr_spec_change(spec, &info.change, err);
	if (rc == EST_OK)
		rc = spec_secrets(spec, &info, err);
	if (rc == EST_OK)
		rc = key_spki(key, &info.spki, err);
	if (rc == EST_OK)
		rc = encode_info(&info, &tbs, err);
	if (rc == EST_OK)
		rc = csr_sign(key, algorithm, identifier, est_buf_span(&tbs), der, err);
	info_wipe(&info);
	est_buf_free(&tbs);
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
	if (der_expect(&body, DER_CONTEXT_C(0), &attributes)) {
		out->attributes = attributes.body;
		out->extensions = requested_extensions(attributes.body);
	}
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

enum est_code csr_from_text(struct est_span text, const char *name, struct est_buf *out,
	struct est_error *err)
{
	struct est_buf der = { 0 };
	struct est_error why;
	struct csr_view view;
	enum est_code rc;

	rc = unwrap(text, &der, &why);
	if (rc != EST_OK)
		est_fail(err, rc, "%s: %s", name, why.msg);
	if (rc == EST_OK)
		rc = csr_view(est_buf_span(&der), name, &view, err);
	if (rc == EST_OK)
		rc = check_signature(est_buf_span(&der), name, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, est_buf_span(&der), err);
	est_buf_free(&der);
	return rc;
}

enum est_code est_csr_load(const char *path, struct est_buf *out, struct est_error *err)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	struct est_buf text = { 0 };
	enum est_code rc;

	rc = est_read_file(path, EST_FILE_MAX, &text, err);
	if (rc == EST_OK)
		rc = csr_from_text(est_buf_span(&text), name, out, err);
	est_buf_free(&text);
	return rc;
}

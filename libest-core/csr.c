/* SPDX-License-Identifier: MIT */
/* Certification requests (RFC 2986): built, signed, read, checked. */
#include "csr.h"

#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "cert.h"
#include "key.h"
#include "pem.h"

#define CSR_BYTES_MAX EST_CERT_BYTES_MAX

/* One Attribute with one value; none when there is no value. */
static enum est_code put_attribute(struct est_span oid, struct est_span value, struct est_buf *out,
	struct est_error *err)
{
	struct est_buf body = { 0 };
	enum est_code rc;

	if (value.n == 0)
		return EST_OK;
	rc = der_put(&body, DER_OID, oid, err);
	if (rc == EST_OK)
		rc = der_put(&body, DER_SET, value, err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&body), err);
	est_buf_free(&body);
	return rc;
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

#define ATTRIBUTES 5

/* In the order that DER has for a SET OF (X.690 section 11.6). */
static enum est_code put_sorted(struct est_buf items[ATTRIBUTES], struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t round = 0; rc == EST_OK && round < ATTRIBUTES; round++) {
		struct est_buf *least = NULL;

		for (size_t i = 0; i < ATTRIBUTES; i++) {
			struct est_buf *item = &items[i];

			/* No encoding begins another one: the shorter decides. */
			if (item->n &&
				(!least || memcmp(item->p, least->p,
						   item->n < least->n ? item->n : least->n) < 0))
				least = item;
		}
		if (!least)
			break;
		rc = est_buf_append(out, est_buf_span(least), err);
		est_buf_free(least);
	}
	return rc;
}

/* CertificationRequestInfo (RFC 2986 section 4.1) in DER, ready to be signed. */
static enum est_code encode_info(const struct info *info, struct est_buf *out,
	struct est_error *err)
{
#define OID(bytes)                                                                                 \
	{                                                                                          \
		(const uint8_t *)(bytes), sizeof(bytes) - 1                                        \
	}
	const struct {
		struct est_span oid;
		const struct est_buf *value;
	} attributes[ATTRIBUTES] = {
		{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"), &info->extensions },
		{ OID("\x2b\x06\x01\x05\x05\x07\x07\x24"), &info->change },
		{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"), &info->challenge },
		{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x38"), &info->otp },
		{ OID("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x39"), &info->revocation },
	};
	struct est_buf body = { 0 }, set = { 0 }, items[ATTRIBUTES] = { { 0 } };
	enum est_code rc;

	rc = der_put(&body, DER_INTEGER, (struct est_span){ (const uint8_t *)"", 1 }, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, est_buf_span(&info->subject), err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, est_buf_span(&info->spki), err);
	for (size_t i = 0; rc == EST_OK && i < ATTRIBUTES; i++)
		rc = put_attribute(attributes[i].oid, est_buf_span(attributes[i].value), &items[i],
			err);
	if (rc == EST_OK)
		rc = put_sorted(items, &set, err);
	if (rc == EST_OK) /* without any they are an empty SET */
		rc = der_put(&body, DER_CONTEXT_C(0), est_buf_span(&set), err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&body), err);
	for (size_t i = 0; i < ATTRIBUTES; i++) /* some are secrets */
		est_buf_free(&items[i]);
	est_buf_free(&set);
	est_buf_free(&body);
	return rc;
}

static enum est_code encode_request(struct est_span info, struct est_span algorithm,
	struct est_span signature, struct est_buf *out, struct est_error *err)
{
	struct est_buf body = { 0 }, bits = { 0 };
	enum est_code rc;

	rc = est_buf_append(&bits, (struct est_span){ (const uint8_t *)"", 1 }, err);
	if (rc == EST_OK)
		rc = est_buf_append(&bits, signature, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, info, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, algorithm, err);
	if (rc == EST_OK)
		rc = der_put(&body, DER_BIT_STRING, est_buf_span(&bits), err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&body), err);
	est_buf_free(&bits);
	est_buf_free(&body);
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

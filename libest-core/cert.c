/* SPDX-License-Identifier: MIT */
/* Certificates as slices: one linear pass that checks the shape of RFC 5280 section 4.1 and the
 * caps, so that what a library is handed afterwards cannot make it slow. */
#include "cert.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "span.h"

#define TAG_VERSION     DER_CONTEXT_C(0)
#define TAG_ISSUER_UID  DER_CONTEXT(1)
#define TAG_SUBJECT_UID DER_CONTEXT(2)
#define TAG_EXTENSIONS  DER_CONTEXT_C(3)
#define OID_DSA         CERT_OID(0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01)
#define OID_PKCS1       CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01) /* and one more arc */
#define OID_ISSUER_ALT  CERT_OID(0x55, 0x1d, 0x12)

/* Elements in one extension.  A library expands them all, in quadratic time; eight for each
 * subjectAltName is more than any name but a directoryName needs. */
#define EXT_ELEMENTS_MAX (8 * EST_SANS_MAX)

/* Verifying a signature with a key of any size takes any time: RFC 8017 sets no limit, so these
 * do.  Twice what anybody uses; with these, one takes 2 ms. */
#define RSA_MODULUS_BYTES_MAX  1024
#define RSA_EXPONENT_BYTES_MAX 8
#define DSA_SPKI_BYTES_MAX     2200

/* What is being taken apart, for the messages. */
struct source {
	struct est_span der;
	const char *what;
	const char *kind; /* "certificate" */
	struct est_error *err;
};

static enum est_code malformed(const struct source *src, const uint8_t *at, const char *why)
{
	return est_fail(src->err, EST_E_PROTOCOL,
		"%s: not a valid %s: %s at offset %zu (RFC 5280 section 4.1)", src->what, src->kind,
		why, (size_t)(at - src->der.p));
}

static enum est_code too_many(const struct source *src, const char *of, size_t max)
{
	return est_fail(src->err, EST_E_PROTOCOL, "%s: more than %zu %s, the limit", src->what, max,
		of);
}

/* Takes one element of this tag off *in; why names it when it is not there. */
static enum est_code take(const struct source *src, struct est_span *in, uint8_t tag,
	const char *why, struct der_tlv *out)
{
	if (!der_expect(in, tag, out))
		return malformed(src, in->p, why);
	return EST_OK;
}

/* AlgorithmIdentifier: an OID and anything or nothing. */
static enum est_code take_algorithm(const struct source *src, struct est_span *in, const char *why,
	struct der_tlv *whole, struct est_span *oid)
{
	struct der_tlv tlv, params;
	struct est_span body;
	enum est_code rc;

	rc = take(src, in, DER_SEQUENCE, why, whole);
	if (rc != EST_OK)
		return rc;
	body = whole->body;
	rc = take(src, &body, DER_OID, "no algorithm OID", &tlv);
	if (rc != EST_OK)
		return rc;
	if ((body.n > 0 && !der_next(&body, &params)) || body.n > 0)
		return malformed(src, body.p, "more than the algorithm's parameters");
	*oid = tlv.body;
	return EST_OK;
}

/* Name: SEQUENCE OF SET OF SEQUENCE { OID, value }. */
static enum est_code take_name(const struct source *src, struct est_span *in, const char *why,
	struct est_span *out)
{
	struct der_tlv name, rdn, attr, part;
	enum est_code rc;
	size_t n = 0;

	rc = take(src, in, DER_SEQUENCE, why, &name);
	while (rc == EST_OK && name.body.n > 0) {
		rc = take(src, &name.body, DER_SET, "no RDN in a name", &rdn);
		if (rc == EST_OK && rdn.body.n == 0)
			rc = malformed(src, rdn.body.p, "an RDN without attributes");
		while (rc == EST_OK && rdn.body.n > 0) {
			rc = take(src, &rdn.body, DER_SEQUENCE, "no attribute in an RDN", &attr);
			if (rc == EST_OK)
				rc = take(src, &attr.body, DER_OID, "no type in a name attribute",
					&part);
			if (rc == EST_OK && (!der_next(&attr.body, &part) || attr.body.n > 0))
				rc = malformed(src, attr.body.p,
					"not one value in a name attribute");
			if (rc == EST_OK && ++n > EST_RDNS_MAX)
				rc = too_many(src, "attributes in one name", EST_RDNS_MAX);
		}
	}
	if (rc == EST_OK)
		*out = name.whole;
	return rc;
}

static enum est_code take_validity(const struct source *src, struct est_span *in,
	struct cert_view *view)
{
	struct der_tlv validity, tlv;
	enum est_code rc;

	rc = take(src, in, DER_SEQUENCE, "no validity", &validity);
	if (rc != EST_OK)
		return rc;
	if (!der_next(&validity.body, &tlv) || !der_time(&tlv, &view->not_before))
		return malformed(src, validity.body.p, "notBefore is not a time");
	if (!der_next(&validity.body, &tlv) || !der_time(&tlv, &view->not_after))
		return malformed(src, validity.body.p, "notAfter is not a time");
	if (validity.body.n > 0)
		return malformed(src, validity.body.p, "more than two times in the validity");
	return EST_OK;
}

/* A key that a library can use in reasonable time. */
static enum est_code check_key(const struct source *src, struct est_span oid, size_t spki_bytes,
	struct est_span key)
{
	struct der_tlv seq, modulus, exponent;

	if (est_span_eq(oid, OID_DSA) && spki_bytes > DSA_SPKI_BYTES_MAX)
		return too_many(src, "bytes in a DSA key", DSA_SPKI_BYTES_MAX);
	if (oid.n != OID_PKCS1.n + 1 || memcmp(oid.p, OID_PKCS1.p, OID_PKCS1.n) != 0)
		return EST_OK;
	key = span_after(key, 1);
	if (!der_expect(&key, DER_SEQUENCE, &seq) || key.n > 0 ||
		!der_expect(&seq.body, DER_INTEGER, &modulus) ||
		!der_expect(&seq.body, DER_INTEGER, &exponent) || seq.body.n > 0)
		return malformed(src, key.p, "no RSA public key (RFC 8017 appendix A.1.1)");
	if (modulus.body.n > RSA_MODULUS_BYTES_MAX + 1)
		return too_many(src, "bytes in an RSA modulus", RSA_MODULUS_BYTES_MAX);
	if (exponent.body.n > RSA_EXPONENT_BYTES_MAX + 1)
		return too_many(src, "bytes in an RSA exponent", RSA_EXPONENT_BYTES_MAX);
	return EST_OK;
}

static enum est_code take_spki(const struct source *src, struct est_span *in, struct est_span *out)
{
	struct der_tlv spki, algorithm, key = { 0 };
	struct est_span oid;
	enum est_code rc;

	rc = take(src, in, DER_SEQUENCE, "no subjectPublicKeyInfo", &spki);
	if (rc == EST_OK)
		rc = take_algorithm(src, &spki.body, "no public key algorithm", &algorithm, &oid);
	if (rc == EST_OK)
		rc = take(src, &spki.body, DER_BIT_STRING, "no public key", &key);
	if (rc == EST_OK && spki.body.n > 0)
		rc = malformed(src, spki.body.p, "more than a key in subjectPublicKeyInfo");
	if (rc == EST_OK && (key.body.n < 2 || key.body.p[0] != 0))
		rc = malformed(src, key.whole.p, "a public key that is no whole number of bytes");
	if (rc == EST_OK)
		rc = check_key(src, oid, spki.whole.n, key.body);
	if (rc == EST_OK)
		*out = spki.whole;
	return rc;
}

/* An encoded FALSE is not DER, but too many CAs write it to refuse it. */
bool cert_next_extension(struct est_span *in, bool partial, struct cert_ext *out)
{
	struct der_tlv ext, oid, value, critical;
	struct est_span rest = *in;

	if (!der_expect(&rest, DER_SEQUENCE, &ext) || !der_expect(&ext.body, DER_OID, &oid))
		return false;
	*out = (struct cert_ext){ .oid = oid.body };
	if (der_expect(&ext.body, DER_BOOLEAN, &critical)) {
		if (critical.body.n != 1)
			return false;
		out->critical = critical.body.p[0] != 0;
	}
	if (der_expect(&ext.body, DER_OCTET_STRING, &value))
		out->value = value.body;
	if (ext.body.n > 0 || (!out->value.p && !partial))
		return false;
	*in = rest;
	return true;
}

static bool oid_twice(struct est_span before, const struct cert_ext *ext)
{
	struct cert_ext other;

	while (before.n > 0 && cert_next_extension(&before, false, &other)) {
		if (est_span_eq(other.oid, ext->oid))
			return true;
	}
	return false;
}

/* The contents of one extension: few enough elements for a library, and names counted. */
static enum est_code check_extension(const struct source *src, const struct cert_ext *ext)
{
	bool names = est_span_eq(ext->oid, CERT_OID_SAN) || est_span_eq(ext->oid, OID_ISSUER_ALT);
	struct der_stats stats = { 0 };
	struct est_span value = ext->value;
	struct est_error ignored;
	struct der_tlv list, name;
	size_t n = 0;

	if (!names) {
		/* What is inside an unknown extension need not be DER; then it is not expanded. */
		if (der_walk(value, true, src->what, &stats, &ignored) == EST_OK &&
			stats.elements > EXT_ELEMENTS_MAX)
			return too_many(src, "elements in one extension", EXT_ELEMENTS_MAX);
		return EST_OK;
	}
	if (der_walk(value, false, src->what, &stats, &ignored) != EST_OK ||
		!der_expect(&value, DER_SEQUENCE, &list))
		return malformed(src, ext->value.p,
			"an alternative name extension that is not DER");
	for (; list.body.n > 0; n++) {
		if (n == EST_SANS_MAX)
			return too_many(src, "names in one subjectAltName", EST_SANS_MAX);
		if (!der_next(&list.body, &name) || (name.tag & 0xc0) != 0x80)
			return malformed(src, list.body.p, "no GeneralName in an alternative name");
	}
	if (stats.elements > EXT_ELEMENTS_MAX)
		return too_many(src, "elements in one extension", EXT_ELEMENTS_MAX);
	return EST_OK;
}

static enum est_code take_extensions(const struct source *src, struct est_span in,
	struct cert_view *view)
{
	struct est_span rest;
	struct der_tlv list;
	struct cert_ext ext;
	enum est_code rc;
	size_t n = 0;

	rc = take(src, &in, DER_SEQUENCE, "no list of extensions", &list);
	if (rc == EST_OK && in.n > 0)
		rc = malformed(src, in.p, "more than one list of extensions");
	if (rc != EST_OK)
		return rc;
	rest = list.body;
	while (rest.n > 0) {
		struct est_span before = { list.body.p, list.body.n - rest.n };
		const uint8_t *at = rest.p;

		if (n++ == EST_EXTENSIONS_MAX)
			return too_many(src, "extensions", EST_EXTENSIONS_MAX);
		if (!cert_next_extension(&rest, false, &ext))
			return malformed(src, at, "no valid extension");
		if (oid_twice(before, &ext))
			return malformed(src, at, "an extension twice (section 4.2)");
		rc = check_extension(src, &ext);
		if (rc != EST_OK)
			return rc;
	}
	view->extensions = list.body;
	return EST_OK;
}

/* version: absent is v1.  An encoded v1 is not DER, but old roots have it. */
static enum est_code take_version(const struct source *src, struct est_span *in, int *version)
{
	struct der_tlv outer, number;

	*version = 1;
	if (!der_expect(in, TAG_VERSION, &outer))
		return EST_OK;
	if (!der_expect(&outer.body, DER_INTEGER, &number) || outer.body.n > 0 ||
		number.body.n != 1 || number.body.p[0] > 2)
		return malformed(src, outer.whole.p, "a version other than 1, 2, 3");
	*version = number.body.p[0] + 1;
	return EST_OK;
}

/* What follows the public key in TBSCertificate. */
static enum est_code take_tail(const struct source *src, struct est_span in, struct cert_view *view)
{
	const uint8_t *at = in.p;
	struct der_tlv tlv;
	bool uid = false;

	if (der_expect(&in, TAG_ISSUER_UID, &tlv))
		uid = true;
	if (der_expect(&in, TAG_SUBJECT_UID, &tlv))
		uid = true;
	if (uid && view->version < 2)
		return malformed(src, at, "a unique identifier in version 1");
	at = in.p;
	if (der_expect(&in, TAG_EXTENSIONS, &tlv)) {
		if (view->version < 3)
			return malformed(src, at, "extensions in a version before 3");
		if (in.n > 0)
			return malformed(src, in.p, "something after the extensions");
		return take_extensions(src, tlv.body, view);
	}
	return in.n > 0 ? malformed(src, in.p, "something after the public key") : EST_OK;
}

static enum est_code take_tbs(const struct source *src, struct est_span tbs, struct cert_view *view,
	struct est_span *algorithm)
{
	struct der_tlv tlv = { 0 };
	struct est_span oid;
	enum est_code rc;

	rc = take_version(src, &tbs, &view->version);
	if (rc == EST_OK)
		rc = take(src, &tbs, DER_INTEGER, "no serial number", &tlv);
	if (rc == EST_OK && tlv.body.n == 0)
		rc = malformed(src, tlv.whole.p, "an empty serial number");
	if (rc != EST_OK)
		return rc;
	view->serial = tlv.body;
	rc = take_algorithm(src, &tbs, "no signature algorithm", &tlv, &oid);
	if (rc != EST_OK)
		return rc;
	*algorithm = tlv.whole;
	rc = take_name(src, &tbs, "no issuer", &view->issuer);
	if (rc == EST_OK)
		rc = take_validity(src, &tbs, view);
	if (rc == EST_OK)
		rc = take_name(src, &tbs, "no subject", &view->subject);
	if (rc == EST_OK)
		rc = take_spki(src, &tbs, &view->spki);
	return rc == EST_OK ? take_tail(src, tbs, view) : rc;
}

enum est_code cert_view(struct est_span der, const char *what, struct cert_view *out,
	struct est_error *err)
{
	struct source src = { .der = der, .what = what, .kind = "certificate", .err = err };
	struct cert_view view = { .der = der };
	struct est_span inner = { 0 }, in = der;
	struct der_tlv cert, tbs, tlv;
	enum est_code rc;

	if (der.n > EST_CERT_BYTES_MAX)
		return est_fail(err, EST_E_PROTOCOL,
			"%s: a certificate of %zu bytes, more than the limit of %u", what, der.n,
			EST_CERT_BYTES_MAX);
	rc = der_walk(der, false, what, NULL, err);
	if (rc == EST_OK)
		rc = take(&src, &in, DER_SEQUENCE, "no SEQUENCE", &cert);
	if (rc == EST_OK)
		rc = take(&src, &cert.body, DER_SEQUENCE, "no tbsCertificate", &tbs);
	if (rc != EST_OK)
		return rc;
	view.tbs = tbs.whole;
	rc = take_tbs(&src, tbs.body, &view, &inner);
	if (rc == EST_OK)
		rc = take_algorithm(&src, &cert.body, "no signatureAlgorithm", &tlv,
			&view.signature_oid);
	if (rc == EST_OK && !est_span_eq(tlv.whole, inner))
		rc = malformed(&src, tlv.whole.p,
			"a signatureAlgorithm that differs from the signed one");
	if (rc == EST_OK)
		rc = take(&src, &cert.body, DER_BIT_STRING, "no signature", &tlv);
	if (rc == EST_OK && cert.body.n > 0)
		rc = malformed(&src, cert.body.p, "something after the signature");
	if (rc == EST_OK)
		*out = view;
	return rc;
}

enum est_code cert_check_name(struct est_span name, const char *what, struct est_error *err)
{
	struct source src = { .der = name, .what = what, .kind = "name", .err = err };
	struct est_span in = name, whole;
	enum est_code rc = take_name(&src, &in, "no name", &whole);

	return rc == EST_OK && in.n > 0 ? malformed(&src, in.p, "something after it") : rc;
}

enum est_code cert_check_spki(struct est_span spki, const char *what, struct est_error *err)
{
	struct source src = { .der = spki, .what = what, .kind = "public key", .err = err };
	struct est_span in = spki, whole;
	enum est_code rc = take_spki(&src, &in, &whole);

	return rc == EST_OK && in.n > 0 ? malformed(&src, in.p, "something after it") : rc;
}

bool cert_extension(const struct cert_view *view, struct est_span oid, bool *critical,
	struct est_span *value)
{
	return cert_find_extension(view->extensions, oid, critical, value);
}

bool cert_find_extension(struct est_span rest, struct est_span oid, bool *critical,
	struct est_span *value)
{
	struct cert_ext ext;

	while (rest.n > 0 && cert_next_extension(&rest, false, &ext)) {
		if (!est_span_eq(ext.oid, oid))
			continue;
		if (critical)
			*critical = ext.critical;
		*value = ext.value;
		return true;
	}
	return false;
}

bool cert_is_ca(const struct cert_view *view, int *path_len)
{
	struct est_span value;
	struct der_tlv seq, ca, len;
	int n = -1;

	if (path_len)
		*path_len = -1;
	if (!cert_extension(view, CERT_OID_BASIC_CONSTRAINTS, NULL, &value) ||
		!der_expect(&value, DER_SEQUENCE, &seq) || value.n > 0 ||
		!der_expect(&seq.body, DER_BOOLEAN, &ca) || ca.body.n != 1 || ca.body.p[0] == 0)
		return false;
	if (der_expect(&seq.body, DER_INTEGER, &len)) {
		if (len.body.n == 0 || len.body.p[0] & 0x80)
			return false;
		n = 0; /* longer than INT_MAX is no limit on any chain: it stays there */
		for (size_t i = 0; i < len.body.n; i++)
			n = n > INT_MAX >> 8 ? INT_MAX : (n << 8 | len.body.p[i]);
	}
	if (seq.body.n > 0)
		return false;
	if (path_len)
		*path_len = n;
	return true;
}

bool cert_is_self_issued(const struct cert_view *view)
{
	return est_span_eq(view->issuer, view->subject);
}

bool cert_has_name_constraints(const struct cert_view *view)
{
	struct est_span value;
	bool critical;

	return cert_extension(view, CERT_OID_NAME_CONSTRAINTS, &critical, &value);
}

bool cert_is_root(const struct cert_view *view)
{
	struct est_span own, issuer, body;
	struct der_tlv tlv, id;

	if (!cert_is_self_issued(view))
		return false;
	if (cert_extension(view, CERT_OID_SUBJECT_KEY_ID, NULL, &own) &&
		cert_extension(view, CERT_OID_AUTHORITY_KEY_ID, NULL, &issuer) &&
		der_expect(&own, DER_OCTET_STRING, &id) &&
		der_expect(&issuer, DER_SEQUENCE, &tlv)) {
		body = tlv.body;
		if (der_expect(&body, DER_CONTEXT(0), &tlv))
			return est_span_eq(tlv.body, id.body);
	}
	return cert_verifies_itself(view);
}

void cert_time_text(time_t when, char out[CERT_TIME_TEXT])
{
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(out, CERT_TIME_TEXT, "%Y-%m-%d %H:%M:%S UTC", &tm))
		(void)snprintf(out, CERT_TIME_TEXT, "a date out of range");
}

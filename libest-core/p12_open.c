/* SPDX-License-Identifier: MIT */
/* PKCS #12 files are read here and not by the library: that one takes the first 32 things of a
 * bag for all of them, has no limit on iterations, and is quadratic. */
#include "p12_open.h"

#include <string.h>

#include <gnutls/crypto.h>

#include "cert.h"
#include "p12_key.h"
#include "x509_text.h"

#define WHAT "PKCS #12 file"

#define NAMES_MAX 8 /* of algorithms that are told of one key */

#define NEST_MAX 4 /* of safeContentsBags, and of the pieces of an OCTET STRING */

#define PKCS9(...)    CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, __VA_ARGS__)
#define OID_DATA      CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01)
#define OID_ENCRYPTED CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06)
#define OID_CERT      PKCS9(0x16, 0x01)
#define OID_CRL       PKCS9(0x17, 0x01)
#define OID_NAME      PKCS9(0x14)

struct p12 {
	const char *password;
	bool given;
	struct p12_budget budget;
	p12_fn *fn;
	void *ctx;
	struct est_buf protection; /* of the file, in words */
	struct est_buf name;       /* of the bag at hand */
	struct est_error *err;
};

static enum est_code malformed(const struct p12 *p, const char *why)
{
	return est_fail(p->err, EST_E_PROTOCOL, WHAT ": %s (RFC 7292 section 4)", why);
}

static enum est_code no_password(const struct p12 *p)
{
	est_fail(p->err, EST_E_INPUT, WHAT ": %s",
		p->given ? "the password is wrong" : "it needs a password");
	return est_reason(p->err, "p12-password");
}

static bool take(struct est_span *in, uint8_t tag, struct der_tlv *out)
{
	return in->n > 0 && in->p[0] == tag && ber_next(in, out);
}

static enum est_code emit(struct p12 *p, enum est_file_kind kind, struct est_span der,
	struct est_span protection)
{
	const struct est_object object = {
		.kind = kind,
		.der = der,
		.name = est_buf_span(&p->name),
		.protection = protection,
	};

	return p->fn(p->ctx, &object);
}

/* The algorithms in an AlgorithmIdentifier or MacData, and the iterations, which stand behind a
 * salt: "PBES2, PBKDF2, 2048 iterations, hmacWithSHA256, aes256-CBC". */
static enum est_code put_algorithms(struct p12 *p, struct est_span in, unsigned *n,
	struct est_buf *out)
{
	enum est_code rc = EST_OK;
	struct der_tlv tlv;
	bool salt = false;
	size_t number;

	while (rc == EST_OK && *n < NAMES_MAX && in.n > 0 && ber_next(&in, &tlv)) {
		if (tlv.tag == DER_SEQUENCE) {
			rc = put_algorithms(p, tlv.body, n, out);
		} else if (tlv.tag == DER_OID) {
			if ((*n)++ > 0)
				rc = est_buf_append(out, est_span_str(", "), p->err);
			if (rc == EST_OK)
				rc = x509_oid(tlv.body, out, p->err);
		} else if (tlv.tag == DER_INTEGER && salt && tlv.body.n <= 4) {
			number = 0;
			for (size_t i = 0; i < tlv.body.n; i++)
				number = number << 8 | tlv.body.p[i];
			rc = est_buf_printf(out, p->err, ", %zu iterations", number);
		}
		salt = tlv.tag == DER_OCTET_STRING;
	}
	return rc;
}

/* The attributes of a bag: its friendlyName (RFC 2985 section 5.5.1). */
static enum est_code read_name(struct p12 *p, struct est_span in)
{
	struct der_tlv set, attr, oid, values, value;

	p->name.n = 0;
	if (!take(&in, DER_SET, &set))
		return EST_OK;
	while (take(&set.body, DER_SEQUENCE, &attr)) {
		if (take(&attr.body, DER_OID, &oid) && est_span_eq(oid.body, OID_NAME) &&
			take(&attr.body, DER_SET, &values) && ber_next(&values.body, &value))
			return x509_value(value.whole, &p->name, p->err);
	}
	return EST_OK;
}

/* An EncryptedPrivateKeyInfo says how. */
static enum est_code sealed_key(struct p12 *p, struct est_span in)
{
	struct est_buf text = { 0 };
	struct der_tlv info, algorithm;
	unsigned n = 0;
	enum est_code rc = EST_OK;

	if (take(&in, DER_SEQUENCE, &info) && take(&info.body, DER_SEQUENCE, &algorithm))
		rc = put_algorithms(p, algorithm.body, &n, &text);
	if (rc == EST_OK)
		rc = emit(p, EST_FILE_ENCRYPTED_KEY, (struct est_span){ 0 }, est_buf_span(&text));
	est_buf_free(&text);
	return rc;
}

/* One more line of how the file is protected. */
static enum est_code put_protection(struct p12 *p, const char *what, struct est_span algorithm)
{
	unsigned n = 0;
	enum est_code rc;

	if (p->protection.n > X509_TEXT_MAX)
		return EST_OK;
	rc = est_buf_printf(&p->protection, p->err, "%s%s", p->protection.n > 0 ? "; " : "", what);
	return rc == EST_OK ? put_algorithms(p, algorithm, &n, &p->protection) : rc;
}

/* The octets of an OCTET STRING or of [0] IMPLICIT one, in one piece or several (BER). */
static bool octets(const struct der_tlv *tlv, int depth, struct est_buf *out, struct est_error *err)
{
	struct est_span in = tlv->body;
	struct der_tlv piece;

	if (!(tlv->tag & 0x20))
		return est_buf_append(out, in, err) == EST_OK;
	while (in.n > 0) {
		if (depth == NEST_MAX || !ber_next(&in, &piece) ||
			(piece.tag & 0xdf) != DER_OCTET_STRING ||
			!octets(&piece, depth + 1, out, err))
			return false;
	}
	return true;
}

/* CertBag and CRLBag: an OID and [0] OCTET STRING. */
static enum est_code value_bag(struct p12 *p, struct est_span in, enum est_file_kind kind)
{
	const struct est_span due = kind == EST_FILE_CERT ? OID_CERT : OID_CRL, none = { 0 };
	struct der_tlv bag, oid, outer, value;
	struct est_buf der = { 0 };
	enum est_code rc;

	if (!take(&in, DER_SEQUENCE, &bag) || !take(&bag.body, DER_OID, &oid))
		return malformed(p, "a bag without a type");
	if (!est_span_eq(oid.body, due)) /* SDSI */
		return emit(p, EST_FILE_UNKNOWN, none, none);
	if (!take(&bag.body, DER_CONTEXT_C(0), &outer) || !ber_next(&outer.body, &value) ||
		!octets(&value, 0, &der, p->err))
		rc = malformed(p, "a bag without contents");
	else
		rc = emit(p, kind, est_buf_span(&der), none);
	est_buf_free(&der);
	return rc;
}

static enum est_code safe_contents(struct p12 *p, struct est_span in, int depth);

/* One SafeBag, by the last octet of its type (section 4.2). */
static enum est_code safe_bag(struct p12 *p, struct est_span in, int depth)
{
	static const uint8_t types[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a,
		0x01 };
	const struct est_span none = { 0 };
	struct der_tlv oid, value;
	enum est_code rc;

	if (!take(&in, DER_OID, &oid) || !take(&in, DER_CONTEXT_C(0), &value))
		return malformed(p, "a bag without a type or contents");
	rc = read_name(p, in);
	if (rc != EST_OK)
		return rc;
	if (oid.body.n != sizeof(types) + 1 || memcmp(oid.body.p, types, sizeof(types)) != 0)
		return emit(p, EST_FILE_UNKNOWN, none, none);
	switch (oid.body.p[sizeof(types)]) {
	case 1:
		return emit(p, EST_FILE_PRIVATE_KEY, none, none);
	case 2:
		return sealed_key(p, value.body);
	case 3:
		return value_bag(p, value.body, EST_FILE_CERT);
	case 4:
		return value_bag(p, value.body, EST_FILE_CRL);
	case 6:
		return depth < NEST_MAX ? safe_contents(p, value.body, depth + 1)
					: malformed(p, "bags in bags");
	default: /* secrets */
		return emit(p, EST_FILE_UNKNOWN, none, none);
	}
}

static enum est_code safe_contents(struct p12 *p, struct est_span in, int depth)
{
	struct der_tlv list, bag;
	enum est_code rc = EST_OK;

	if (!take(&in, DER_SEQUENCE, &list))
		return malformed(p, "no list of bags");
	while (rc == EST_OK && list.body.n > 0)
		rc = take(&list.body, DER_SEQUENCE, &bag) ? safe_bag(p, bag.body, depth)
							  : malformed(p, "no bag in its list");
	return rc;
}

/* EncryptedData (RFC 5652 section 8): decrypted, then as if it had not been encrypted. */
static enum est_code encrypted_safe(struct p12 *p, struct est_span in)
{
	struct est_buf sealed = { 0 }, plain = { 0 };
	struct der_tlv data, info, tlv, algorithm, content;
	struct est_span opened;
	enum est_code rc;

	if (!take(&in, DER_SEQUENCE, &data) || !take(&data.body, DER_INTEGER, &tlv) ||
		!take(&data.body, DER_SEQUENCE, &info) || !take(&info.body, DER_OID, &tlv) ||
		!take(&info.body, DER_SEQUENCE, &algorithm) || !ber_next(&info.body, &content) ||
		(content.tag & 0xdf) != DER_CONTEXT(0) || !octets(&content, 0, &sealed, p->err)) {
		rc = malformed(p, "no EncryptedData");
		goto out;
	}
	rc = put_protection(p, "safe encrypted ", algorithm.body);
	if (rc != EST_OK)
		goto out;
	rc = p12_decrypt(algorithm.body, p->password, &p->budget, est_buf_span(&sealed), &plain,
		p->err);
	/* A wrong password may leave padding that looks right. */
	opened = est_buf_span(&plain);
	if (rc == EST_E_INPUT ||
		(rc == EST_OK && (!take(&opened, DER_SEQUENCE, &tlv) || opened.n > 0)))
		rc = no_password(p);
	if (rc == EST_OK)
		rc = safe_contents(p, est_buf_span(&plain), 0);
out:
	est_buf_free(&sealed);
	est_buf_free(&plain);
	return rc;
}

/* One ContentInfo of the AuthenticatedSafe. */
static enum est_code one_safe(struct p12 *p, struct est_span in)
{
	const struct est_span none = { 0 };
	struct est_buf plain = { 0 };
	struct der_tlv oid, outer, value;
	enum est_code rc;

	if (!take(&in, DER_OID, &oid) || !take(&in, DER_CONTEXT_C(0), &outer))
		return malformed(p, "a safe without contents");
	if (est_span_eq(oid.body, OID_ENCRYPTED))
		return encrypted_safe(p, outer.body);
	if (!est_span_eq(oid.body, OID_DATA)) /* for a recipient's key */
		return emit(p, EST_FILE_OTHER_CMS, none, none);
	if (!ber_next(&outer.body, &value) || !octets(&value, 0, &plain, p->err))
		rc = malformed(p, "a safe that is no OCTET STRING");
	else
		rc = put_protection(p, "safe not encrypted", none);
	if (rc == EST_OK)
		rc = safe_contents(p, est_buf_span(&plain), 0);
	est_buf_free(&plain);
	return rc;
}

/* MacData (section 4): says whether the password is the one.  An algorithm that is not known is
 * left to the decryption. */
static enum est_code check_mac(struct p12 *p, struct est_span in, struct est_span content)
{
	struct der_tlv mac, info, algorithm, oid, digest, salt, iterations = { 0 };
	struct est_error ignored;
	bool match = false;
	enum est_code rc;

	if (in.n == 0) /* trust stores without a password */
		return put_protection(p, "no MAC", in);
	rc = put_protection(p, "MAC ", in);
	if (rc != EST_OK)
		return rc;
	if (!take(&in, DER_SEQUENCE, &mac) || !take(&mac.body, DER_SEQUENCE, &info) ||
		!take(&info.body, DER_SEQUENCE, &algorithm) ||
		!take(&algorithm.body, DER_OID, &oid) ||
		!take(&info.body, DER_OCTET_STRING, &digest) ||
		!take(&mac.body, DER_OCTET_STRING, &salt))
		return malformed(p, "no valid MacData");
	(void)take(&mac.body, DER_INTEGER, &iterations);
	rc = p12_mac(oid.body, &p->password, salt.body, iterations.body, &p->budget, content,
		digest.body, &match, p->err);
	if (rc == EST_OK && !match && *p->password) { /* one password for many files */
		p->password = "";
		if (p12_mac(oid.body, &p->password, salt.body, iterations.body, &p->budget, content,
			    digest.body, &match, &ignored) != EST_OK)
			match = false; /* too many iterations to try that too */
	}
	return rc == EST_OK && !match ? no_password(p) : rc;
}

static enum est_code open_all(struct p12 *p, struct est_span in, struct est_buf *content)
{
	struct der_tlv pfx, tlv, info, oid, outer, list;
	struct est_span safes;
	enum est_code rc;

	if (!take(&in, DER_SEQUENCE, &pfx) || !take(&pfx.body, DER_INTEGER, &tlv) ||
		!take(&pfx.body, DER_SEQUENCE, &info) || !take(&info.body, DER_OID, &oid))
		return malformed(p, "no authSafe");
	if (!est_span_eq(oid.body, OID_DATA))
		return malformed(p, "signed and not protected by a password");
	if (!take(&info.body, DER_CONTEXT_C(0), &outer) || !ber_next(&outer.body, &tlv) ||
		!octets(&tlv, 0, content, p->err))
		return malformed(p, "an authSafe without contents");
	rc = check_mac(p, pfx.body, est_buf_span(content));
	safes = est_buf_span(content);
	if (rc == EST_OK && !take(&safes, DER_SEQUENCE, &list))
		return malformed(p, "an authSafe that is no list");
	while (rc == EST_OK && list.body.n > 0)
		rc = take(&list.body, DER_SEQUENCE, &info) ? one_safe(p, info.body)
							   : malformed(p, "no safe in its list");
	return rc;
}

enum est_code p12_open(struct est_span der, const char *password, p12_fn *fn, void *ctx,
	struct est_error *err)
{
	struct p12 p = {
		.password = password ? password : "",
		.given = password != NULL,
		.budget = { P12_ALL_MAX },
		.fn = fn,
		.ctx = ctx,
		.err = err,
	};
	struct est_buf content = { 0 };
	enum est_code rc;

	if (der.n > EST_FILE_MAX)
		return est_fail(err, EST_E_PROTOCOL, WHAT ": %zu bytes, more than the limit of %u",
			der.n, EST_FILE_MAX);
	rc = der_walk(der, true, WHAT, NULL, err);
	if (rc == EST_OK)
		rc = open_all(&p, der, &content);
	p.name.n = 0;
	if (rc == EST_OK)
		rc = emit(&p, EST_FILE_PKCS12, (struct est_span){ 0 }, est_buf_span(&p.protection));
	est_buf_free(&p.protection);
	est_buf_free(&p.name);
	est_buf_free(&content);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Names what a file looks like, so that the wrong one is called by its name. */
#include "file_kind.h"

#include <string.h>

#include "der.h"
#include "span.h"
#include "wrapped.h"

#define CHILDREN 7 /* as many as it takes to tell the structures apart */

/* The tags of the first children of an element, and how many there are, at most CHILDREN + 1. */
struct shape {
	struct der_tlv child[CHILDREN];
	size_t n;
};

static bool shape_read(struct est_span body, struct shape *out)
{
	struct der_tlv tlv;

	out->n = 0;
	while (body.n > 0 && out->n <= CHILDREN) {
		if (!ber_next(&body, &tlv))
			return false;
		if (out->n < CHILDREN)
			out->child[out->n] = tlv;
		out->n++;
	}
	return true;
}

/* The shape begins with these tags. */
static bool shape_is(const struct shape *shape, const uint8_t *tags, size_t n)
{
	if (shape->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (shape->child[i].tag != tags[i])
			return false;
	}
	return true;
}

#define SHAPE_IS(shape, ...)                                                                       \
	shape_is((shape), (const uint8_t[]){ __VA_ARGS__ },                                        \
		sizeof((const uint8_t[]){ __VA_ARGS__ }))

static bool is_one_byte(const struct der_tlv *tlv, uint8_t max)
{
	return tlv->body.n == 1 && tlv->body.p[0] <= max;
}

/* A version, which may be left out, an algorithm, a name, a time. */
static bool tbs_is_crl(const struct shape *s)
{
	const size_t i = s->n > 0 && s->child[0].tag == DER_INTEGER;

	return s->n >= i + 3 && s->child[i].tag == DER_SEQUENCE &&
	       s->child[i + 1].tag == DER_SEQUENCE &&
	       (s->child[i + 2].tag == DER_UTCTIME || s->child[i + 2].tag == DER_GENTIME);
}

/* SEQUENCE { SEQUENCE, SEQUENCE, BIT STRING }: something signed; its first part tells what. */
static enum est_file_kind signed_kind(const struct der_tlv *tbs)
{
	struct shape s;

	if (!shape_read(tbs->body, &s))
		return EST_FILE_CERT; /* broken inside: the likeliest, and the reader says where */
	if (SHAPE_IS(&s, DER_INTEGER, DER_SEQUENCE, DER_SEQUENCE) &&
		(s.n == 3 || s.child[3].tag == DER_CONTEXT_C(0)))
		return EST_FILE_CSR;
	return tbs_is_crl(&s) ? EST_FILE_CRL : EST_FILE_CERT;
}

/* SEQUENCE { OBJECT IDENTIFIER, ... }: a ContentInfo or a list of attributes. */
static enum est_file_kind oid_kind(const struct shape *s)
{
	static const uint8_t pkcs7[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07 };
	static const uint8_t smime_ct[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10,
		0x01 };
	struct est_span oid = s->child[0].body;

	if (oid.n == sizeof(pkcs7) + 1 && memcmp(oid.p, pkcs7, sizeof(pkcs7)) == 0)
		return oid.p[oid.n - 1] == 2 ? EST_FILE_SIGNED_DATA : EST_FILE_OTHER_CMS;
	if (oid.n > sizeof(smime_ct) && memcmp(oid.p, smime_ct, sizeof(smime_ct)) == 0 &&
		s->n == 2 && s->child[1].tag == DER_CONTEXT_C(0))
		return EST_FILE_OTHER_CMS;
	return EST_FILE_CSRATTRS;
}

/* SEQUENCE { INTEGER, ... }: keys, PKCS#12, SignedData without its wrapper. */
static enum est_file_kind integer_kind(const struct shape *s)
{
	if (SHAPE_IS(s, DER_INTEGER, DER_SET, DER_SEQUENCE))
		return EST_FILE_BARE_SIGNED;
	if (SHAPE_IS(s, DER_INTEGER, DER_SEQUENCE, DER_OCTET_STRING) ||
		(SHAPE_IS(s, DER_INTEGER, DER_OCTET_STRING) && is_one_byte(&s->child[0], 1)) ||
		(SHAPE_IS(s, DER_INTEGER, DER_INTEGER, DER_INTEGER, DER_INTEGER) &&
			is_one_byte(&s->child[0], 1)))
		return EST_FILE_PRIVATE_KEY;
	if (SHAPE_IS(s, DER_INTEGER, DER_SEQUENCE) && is_one_byte(&s->child[0], 3) && s->n <= 3)
		return EST_FILE_PKCS12;
	if (SHAPE_IS(s, DER_INTEGER, DER_INTEGER) && s->n == 2)
		return EST_FILE_PUBLIC_KEY;
	return EST_FILE_UNKNOWN;
}

static enum est_file_kind sequence_kind(const struct shape *s)
{
	struct shape first;

	if (SHAPE_IS(s, DER_SEQUENCE, DER_SEQUENCE, DER_BIT_STRING) && s->n == 3)
		return signed_kind(&s->child[0]);
	if (!shape_read(s->child[0].body, &first) || first.n == 0 || first.child[0].tag != DER_OID)
		return EST_FILE_UNKNOWN;
	if (s->n == 2 && s->child[1].tag == DER_BIT_STRING)
		return EST_FILE_PUBLIC_KEY;
	if (s->n == 2 && s->child[1].tag == DER_OCTET_STRING)
		return EST_FILE_ENCRYPTED_KEY;
	if (first.n == 2 && first.child[1].tag == DER_SET)
		return EST_FILE_CSRATTRS;
	return EST_FILE_UNKNOWN;
}

enum est_file_kind file_kind_der(struct est_span data)
{
	struct der_tlv outer;
	struct shape s;

	if (data.n == 0 || data.p[0] != DER_SEQUENCE || !ber_next(&data, &outer))
		return EST_FILE_UNKNOWN;
	if (!shape_read(outer.body, &s))
		return EST_FILE_UNKNOWN;
	if (s.n == 0)
		return EST_FILE_CSRATTRS;
	switch (s.child[0].tag) {
	case DER_OID:
		return oid_kind(&s);
	case DER_INTEGER:
		return integer_kind(&s);
	case DER_SEQUENCE:
		return sequence_kind(&s);
	default:
		return EST_FILE_UNKNOWN;
	}
}

/* The contents of a SEQUENCE, as far as they are there. */
static bool open_front(struct est_span *in)
{
	struct der_tlv tlv;
	bool indefinite;

	if (in->n == 0 || in->p[0] != DER_SEQUENCE || !ber_open(*in, &tlv, &indefinite))
		return false;
	*in = span_after(*in, (size_t)(tlv.body.p - in->p));
	return true;
}

enum est_file_kind file_kind_front(struct est_span front)
{
	struct est_span in = front;
	struct shape s = { 0 };
	bool cms;

	if (!open_front(&in) || in.n == 0)
		return EST_FILE_UNKNOWN;
	cms = in.p[0] == DER_OID;
	if (!cms && !open_front(&in))
		return EST_FILE_UNKNOWN;
	while (s.n < CHILDREN && ber_next(&in, &s.child[s.n]))
		s.n++;
	if (cms)
		return s.n > 0 && oid_kind(&s) == EST_FILE_OTHER_CMS ? EST_FILE_OTHER_CMS
								     : EST_FILE_UNKNOWN;
	return s.n > 0 && tbs_is_crl(&s) ? EST_FILE_CRL : EST_FILE_UNKNOWN;
}

enum est_file_kind file_kind_label(const struct pem_block *block)
{
	static const struct {
		const char *label;
		enum est_file_kind kind;
	} labels[] = {
		{ "CERTIFICATE", EST_FILE_CERT },
		{ "X509 CERTIFICATE", EST_FILE_CERT },
		{ "X.509 CERTIFICATE", EST_FILE_CERT },
		{ "TRUSTED CERTIFICATE", EST_FILE_TRUSTED_CERT },
		{ "CERTIFICATE REQUEST", EST_FILE_CSR },
		{ "NEW CERTIFICATE REQUEST", EST_FILE_CSR },
		{ "X509 CRL", EST_FILE_CRL },
		{ "CRL", EST_FILE_CRL },
		{ "PUBLIC KEY", EST_FILE_PUBLIC_KEY },
		{ "PKCS7", EST_FILE_SIGNED_DATA },
		{ "PKCS #7 SIGNED DATA", EST_FILE_SIGNED_DATA },
		{ "CMS", EST_FILE_SIGNED_DATA },
		{ "CERTIFICATE CHAIN", EST_FILE_SIGNED_DATA },
		{ "PKCS12", EST_FILE_PKCS12 },
		{ "OPENSSH PRIVATE KEY", EST_FILE_OPENSSH_KEY },
	};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		if (pem_is(block, labels[i].label))
			return labels[i].kind;
	}
	if (pem_is_private_key(block))
		return pem_is_encrypted(block) ? EST_FILE_ENCRYPTED_KEY : EST_FILE_PRIVATE_KEY;
	if (block->label.n > 4 && memcmp(block->label.p, "PGP ", 4) == 0)
		return EST_FILE_PGP;
	return block->label.n > 10 &&
			       memcmp(block->label.p + block->label.n - 10, "PUBLIC KEY", 10) == 0
		       ? EST_FILE_PUBLIC_KEY
		       : EST_FILE_OTHER_PEM;
}

static enum est_file_kind pem_kind(struct est_span data)
{
	struct est_buf der = { 0 };
	enum est_file_kind kind;
	struct pem_reader reader;
	struct pem_block block;
	struct est_error ignored;
	bool found;

	pem_init(&reader, data);
	if (pem_next(&reader, &block, &found, &ignored) != EST_OK || !found)
		return EST_FILE_OTHER_PEM;
	kind = file_kind_label(&block);
	if (kind != EST_FILE_SIGNED_DATA)
		return kind;
	if (pem_decode(&block, &der, &ignored) == EST_OK)
		kind = file_kind_der(est_buf_span(&der));
	est_buf_free(&der);
	return kind == EST_FILE_UNKNOWN ? EST_FILE_SIGNED_DATA : kind;
}

static bool has_prefix(struct est_span data, const char *prefix, bool any_case)
{
	size_t n = strlen(prefix);

	return data.n >= n && (any_case ? strncasecmp((const char *)data.p, prefix, n)
					: memcmp(data.p, prefix, n)) == 0;
}

/* Text that is no PEM and no base64 of something known. */
static enum est_file_kind text_kind(struct est_span data)
{
	static const char *const html[] = { "<!doctype html", "<html", "<head", "<body", "<?xml" };
	static const char *const ssh[] = { "ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-",
		"---- BEGIN SSH2 PUBLIC KEY" };

	for (size_t i = 0; i < sizeof(html) / sizeof(html[0]); i++) {
		if (has_prefix(data, html[i], true))
			return EST_FILE_HTML;
	}
	for (size_t i = 0; i < sizeof(ssh) / sizeof(ssh[0]); i++) {
		if (has_prefix(data, ssh[i], false))
			return EST_FILE_OPENSSH_PUBLIC_KEY;
	}
	if (data.p[0] == '{' || data.p[0] == '[')
		return EST_FILE_JSON;
	for (size_t i = 0; i < data.n; i++) {
		if (data.p[i] < 0x20 && !memchr("\t\n\r\f\v", data.p[i], 5))
			return EST_FILE_UNKNOWN;
	}
	return EST_FILE_TEXT;
}

static struct est_span skip_blank(struct est_span data)
{
	if (data.n >= 3 && memcmp(data.p, "\xef\xbb\xbf", 3) == 0)
		data = span_after(data, 3);
	while (data.n > 0 && memchr(" \t\r\n\f\v", data.p[0], 6))
		data = span_after(data, 1);
	return data;
}

/* An OpenPGP packet (RFC 4880 sections 4.2 and 5) that begins a file of them: a key, a signature or
 * a message, with a version and an algorithm that there are. */
static bool is_openpgp(struct est_span data)
{
	static const struct {
		uint8_t tag, version, at; /* where its algorithm is */
	} packets[] = { { 1, 3, 9 }, { 2, 4, 2 }, { 3, 4, 1 }, { 5, 4, 5 }, { 6, 4, 5 } };
	uint8_t tag, length;
	size_t head;

	if (data.n < 16 || !(data.p[0] & 0x80))
		return false;
	length = data.p[0] & 0x40 ? data.p[1] : data.p[0] & 3;
	tag = data.p[0] & 0x40 ? data.p[0] & 0x3f : data.p[0] >> 2 & 15;
	if (data.p[0] & 0x40)
		head = length < 192 ? 2 : length < 224 ? 3 : 6;
	else
		head = length == 0 ? 2 : length == 1 ? 3 : 5;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		if (packets[i].tag == tag && packets[i].version == data.p[head] &&
			data.p[head + packets[i].at] - 1u < 28)
			return true;
	}
	return false;
}

/* What the first bytes tell. */
static enum est_file_kind magic_kind(struct est_span data)
{
	static const struct {
		const char *magic;
		uint16_t at, n;
		enum est_file_kind kind;
	} magics[] = {
		{ "\x1f\x8b", 0, 2, EST_FILE_GZIP },
		{ "\xff\xfe", 0, 2, EST_FILE_UTF16 },
		{ "\xfe\xff", 0, 2, EST_FILE_UTF16 },
		{ "-\0-", 0, 4, EST_FILE_UTF16 }, /* PEM without its mark */
		{ "\0-\0-", 0, 4, EST_FILE_UTF16 },
		{ "\xfe\xed\xfe\xed", 0, 4, EST_FILE_KEYSTORE },
		{ "\xce\xce\xce\xce", 0, 4, EST_FILE_KEYSTORE },
		{ "PK\x03\x04", 0, 4, EST_FILE_ARCHIVE },
		{ "BZh", 0, 3, EST_FILE_ARCHIVE },
		{ "\xfd"
		  "7zXZ",
			0, 5, EST_FILE_ARCHIVE },
		{ "\x28\xb5\x2f\xfd", 0, 4, EST_FILE_ARCHIVE },
		{ "ustar", 257, 5, EST_FILE_ARCHIVE },
		{ "KBXf", 8, 4, EST_FILE_PGP },
	};

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		if (data.n >= (size_t)magics[i].at + magics[i].n &&
			memcmp(data.p + magics[i].at, magics[i].magic, magics[i].n) == 0)
			return magics[i].kind;
	}
	return is_openpgp(data) ? EST_FILE_PGP : EST_FILE_UNKNOWN;
}

enum est_file_kind file_kind_decode(struct est_span data, enum est_encoding *encoding,
	struct est_buf *der)
{
	enum est_file_kind kind;
	struct est_error ignored;
	struct wrapped wrapped;

	*encoding = EST_ENCODING_RAW;
	if (data.n == 0)
		return EST_FILE_EMPTY;
	kind = file_kind_der(data);
	if (kind == EST_FILE_UNKNOWN)
		kind = magic_kind(data);
	if (kind != EST_FILE_UNKNOWN)
		return kind;
	if (wrapped_read(data, false, &wrapped))
		return EST_FILE_WRAPPED;
	if (pem_present(data)) {
		*encoding = EST_ENCODING_PEM;
		return pem_kind(data);
	}
	data = skip_blank(data);
	if (data.n == 0)
		return EST_FILE_EMPTY;
	if (pem_decode_base64(data, der, &ignored) == EST_OK)
		kind = file_kind_der(est_buf_span(der));
	if (kind != EST_FILE_UNKNOWN) {
		*encoding = EST_ENCODING_BASE64;
		return kind;
	}
	return text_kind(data);
}

enum est_file_kind est_file_kind(struct est_span data, enum est_encoding *encoding)
{
	enum est_encoding ignored;
	struct est_buf der = { 0 };
	enum est_file_kind kind = file_kind_decode(data, encoding ? encoding : &ignored, &der);

	est_buf_free(&der);
	return kind;
}

const char *est_file_kind_text(enum est_file_kind kind)
{
	static const char *const text[] = {
		[EST_FILE_UNKNOWN] = "data of an unknown kind",
		[EST_FILE_EMPTY] = "an empty file",
		[EST_FILE_TEXT] = "plain text",
		[EST_FILE_CERT] = "a certificate",
		[EST_FILE_SIGNED_DATA] = "CMS signed data",
		[EST_FILE_OTHER_CMS] = "a CMS message that is not signed data",
		[EST_FILE_BARE_SIGNED] = "CMS signed data without its ContentInfo",
		[EST_FILE_CSR] = "a certification request (CSR)",
		[EST_FILE_CRL] = "a certificate revocation list (CRL)",
		[EST_FILE_CSRATTRS] = "a list of CSR attributes",
		[EST_FILE_PRIVATE_KEY] = "a private key",
		[EST_FILE_ENCRYPTED_KEY] = "an encrypted private key",
		[EST_FILE_PUBLIC_KEY] = "a public key",
		[EST_FILE_PKCS12] = "a PKCS#12 file",
		[EST_FILE_TRUSTED_CERT] = "an OpenSSL TRUSTED CERTIFICATE",
		[EST_FILE_OTHER_PEM] = "PEM with another label",
		[EST_FILE_OPENSSH_KEY] = "an OpenSSH private key",
		[EST_FILE_OPENSSH_PUBLIC_KEY] = "an OpenSSH public key",
		[EST_FILE_PGP] = "OpenPGP data",
		[EST_FILE_HTML] = "an HTML or XML page",
		[EST_FILE_JSON] = "JSON",
		[EST_FILE_GZIP] = "gzip-compressed data",
		[EST_FILE_WRAPPED] = "an HTTP response or mail with its header fields",
		[EST_FILE_UTF16] = "UTF-16 text",
		[EST_FILE_ARCHIVE] = "an archive",
		[EST_FILE_KEYSTORE] = "a Java keystore",
	};

	return (unsigned)kind < sizeof(text) / sizeof(text[0]) ? text[kind] : text[0];
}

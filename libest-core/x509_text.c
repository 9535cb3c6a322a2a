/* SPDX-License-Identifier: MIT */
/* Names, keys and extensions in words.  Whatever came from outside is escaped here. */
#include "x509_text.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert.h"

#define HEX_MAX      32 /* bytes of an opaque value that are shown */
#define VALUES_DEPTH 4

#define OID_EC   CERT_OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01)
#define OID_P256 CERT_OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07)
#define OID_P384 CERT_OID(0x2b, 0x81, 0x04, 0x00, 0x22)
#define OID_P521 CERT_OID(0x2b, 0x81, 0x04, 0x00, 0x23)

static const char digits[] = "0123456789abcdef";

static enum est_code put(struct est_buf *out, const char *s, struct est_error *err)
{
	return est_buf_append(out, est_span_str(s), err);
}

enum est_code x509_hex(struct est_span bytes, size_t max, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = EST_OK;
	uint8_t chunk[64];
	size_t n = 0;

	for (size_t i = 0; i < bytes.n && i < max && rc == EST_OK; i++) {
		chunk[n++] = (uint8_t)digits[bytes.p[i] >> 4];
		chunk[n++] = (uint8_t)digits[bytes.p[i] & 15];
		if (n < sizeof(chunk) && i + 1 < bytes.n && i + 1 < max)
			continue;
		rc = est_buf_append(out, (struct est_span){ chunk, n }, err);
		n = 0;
	}
	if (rc == EST_OK && bytes.n > max)
		rc = put(out, "...", err);
	return rc;
}

enum est_code x509_oid(struct est_span oid, struct est_buf *out, struct est_error *err)
{
	char dotted[DER_OID_TEXT_MAX];
	const char *name;
	enum est_code rc;

	if (der_oid_text(oid, dotted)) {
		name = est_oid_name(dotted);
		return put(out, name ? name : dotted, err);
	}
	rc = put(out, "OID #", err);
	return rc == EST_OK ? x509_hex(oid, HEX_MAX, out, err) : rc;
}

enum est_code x509_name(struct est_span name, struct est_buf *out, struct est_error *err)
{
	gnutls_datum_t der = { (unsigned char *)name.p, (unsigned)name.n }, text = { 0 };
	enum est_code rc;
	bool plain;
	int ret;

	if (name.n == 2)
		return EST_OK; /* the empty name */
	rc = x509_name_plain(name, out, &plain, err);
	if (rc != EST_OK || plain)
		return rc;
	ret = gnutls_x509_rdn_get2(&der, &text, 0);
	if (ret == GNUTLS_E_MEMORY_ERROR)
		return est_fail(err, EST_E_INTERNAL, "name: %s", gnutls_strerror(ret));
	if (ret < 0) { /* a string type that nobody should use */
		rc = put(out, "#", err);
		return rc == EST_OK ? x509_hex(name, HEX_MAX, out, err) : rc;
	}
	rc = est_buf_printable(out, (struct est_span){ text.data, text.size }, X509_TEXT_MAX, err);
	gnutls_free(text.data);
	return rc;
}

size_t x509_rsa_bits(struct est_span key)
{
	struct der_tlv seq, n;
	uint8_t top;
	size_t bits;

	if (key.n < 1 || key.p[0] != 0)
		return 0;
	key = (struct est_span){ key.p + 1, key.n - 1 };
	if (!der_expect(&key, DER_SEQUENCE, &seq) || !der_expect(&seq.body, DER_INTEGER, &n))
		return 0;
	while (n.body.n > 0 && n.body.p[0] == 0)
		n.body = (struct est_span){ n.body.p + 1, n.body.n - 1 };
	if (n.body.n == 0)
		return 0;
	bits = n.body.n * 8;
	for (top = n.body.p[0]; !(top & 0x80); top <<= 1)
		bits--;
	return bits;
}

static enum est_code ec_curve(struct est_span params, struct est_buf *out, struct est_error *err)
{
	struct der_tlv oid;
	enum est_code rc = put(out, params.n > 0 ? "EC " : "EC", err);

	if (rc != EST_OK || params.n == 0)
		return rc;
	if (!der_expect(&params, DER_OID, &oid))
		return put(out, "with explicit parameters", err);
	if (est_span_eq(oid.body, OID_P256))
		return put(out, "P-256", err);
	if (est_span_eq(oid.body, OID_P384))
		return put(out, "P-384", err);
	if (est_span_eq(oid.body, OID_P521))
		return put(out, "P-521", err);
	return x509_oid(oid.body, out, err);
}

enum est_code x509_key_body(struct est_span body, struct est_buf *out, struct est_error *err)
{
	struct der_tlv algorithm, oid, key;
	bool rsa, pss;

	if (!der_expect(&body, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.body, DER_OID, &oid))
		return put(out, "malformed", err);
	rsa = est_span_eq(oid.body, CERT_OID_RSA);
	pss = est_span_eq(oid.body, CERT_OID_RSA_PSS);
	if ((rsa || pss) && der_expect(&body, DER_BIT_STRING, &key))
		return est_buf_printf(out, err, "%s %zu", rsa ? "RSA" : "RSA-PSS",
			x509_rsa_bits(key.body));
	if (rsa || pss)
		return put(out, rsa ? "RSA" : "RSA-PSS", err);
	if (est_span_eq(oid.body, OID_EC))
		return ec_curve(algorithm.body, out, err);
	return x509_oid(oid.body, out, err);
}

enum est_code x509_key(struct est_span spki, struct est_buf *out, struct est_error *err)
{
	struct der_tlv outer;

	if (!der_expect(&spki, DER_SEQUENCE, &outer))
		return put(out, "malformed", err);
	return x509_key_body(outer.body, out, err);
}

static enum est_code ip_text(struct est_span ip, struct est_buf *out, struct est_error *err)
{
	char text[INET6_ADDRSTRLEN] = "";
	enum est_code rc;

	if ((ip.n == 4 && inet_ntop(AF_INET, ip.p, text, sizeof(text))) ||
		(ip.n == 16 && inet_ntop(AF_INET6, ip.p, text, sizeof(text))))
		return put(out, text, err);
	rc = put(out, "#", err);
	return rc == EST_OK ? x509_hex(ip, HEX_MAX, out, err) : rc;
}

/* OtherName: an OID and [0] EXPLICIT anything. */
static enum est_code other_name(struct est_span body, struct est_buf *out, struct est_error *err)
{
	struct der_tlv oid, value;
	enum est_code rc;

	if (!der_expect(&body, DER_OID, &oid) || !der_expect(&body, DER_CONTEXT_C(0), &value))
		return put(out, "malformed", err);
	rc = x509_oid(oid.body, out, err);
	if (rc == EST_OK)
		rc = put(out, ":", err);
	return rc == EST_OK ? x509_values(value.body, out, err) : rc;
}

static enum est_code directory_name(struct est_span body, struct est_buf *out,
	struct est_error *err)
{
	struct est_error ignored;
	struct der_tlv name;
	enum est_code rc;

	if (body.n == 0)
		return EST_OK; /* RFC 9908 section 3.4: to be filled in */
	if (!der_expect(&body, DER_SEQUENCE, &name) || body.n > 0)
		return put(out, "malformed", err);
	if (cert_check_name(name.whole, "name", &ignored) == EST_OK)
		return x509_name(name.whole, out, err);
	rc = put(out, "#", err);
	return rc == EST_OK ? x509_hex(name.whole, HEX_MAX, out, err) : rc;
}

enum est_code x509_general_name(const struct der_tlv *name, struct est_buf *out,
	struct est_error *err)
{
	static const struct {
		uint8_t tag;
		const char *prefix;
	} kinds[] = {
		{ DER_CONTEXT_C(0), "othername:" },
		{ DER_CONTEXT(1), "email:" },
		{ DER_CONTEXT(2), "dns:" },
		{ DER_CONTEXT_C(3), "x400:#" },
		{ DER_CONTEXT_C(4), "dirname:" },
		{ DER_CONTEXT_C(5), "ediparty:#" },
		{ DER_CONTEXT(6), "uri:" },
		{ DER_CONTEXT(7), "ip:" },
		{ DER_CONTEXT(8), "rid:" },
	};
	enum est_code rc = EST_OK;
	size_t i = 0;

	while (i < sizeof(kinds) / sizeof(kinds[0]) && kinds[i].tag != name->tag)
		i++;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		rc = est_buf_printf(out, err, "tag-%02x:#", name->tag);
	else
		rc = put(out, kinds[i].prefix, err);
	if (rc != EST_OK)
		return rc;
	switch (name->tag) {
	case DER_CONTEXT_C(0):
		return other_name(name->body, out, err);
	case DER_CONTEXT(1):
	case DER_CONTEXT(2):
	case DER_CONTEXT(6):
		return est_buf_escape(out, name->body, X509_TEXT_MAX, err);
	case DER_CONTEXT_C(4):
		return directory_name(name->body, out, err);
	case DER_CONTEXT(7):
		return name->body.n == 0 ? EST_OK : ip_text(name->body, out, err);
	case DER_CONTEXT(8):
		return x509_oid(name->body, out, err);
	default:
		return x509_hex(name->body, HEX_MAX, out, err);
	}
}

/* An INTEGER that fits a long; false: it does not, or is negative. */
static bool small_integer(struct est_span body, unsigned long *out)
{
	if (body.n == 0 || body.n > sizeof(*out) || body.p[0] & 0x80)
		return false;
	*out = 0;
	for (size_t i = 0; i < body.n; i++)
		*out = *out << 8 | body.p[i];
	return true;
}

/* BMPString, which in practice is UTF-16; half a pair comes out as bytes that are no UTF-8. */
static enum est_code bmp_text(struct est_span in, struct est_buf *out, struct est_error *err)
{
	struct est_buf utf8 = { 0 };
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i + 1 < in.n; i += 2) {
		uint32_t c = (uint32_t)(in.p[i] << 8 | in.p[i + 1]), n;
		uint8_t text[4];

		if (c >> 10 == 0x36 && i + 3 < in.n && in.p[i + 2] >> 2 == 0x37) {
			c = 0x10000 + ((c & 0x3ff) << 10) +
			    (uint32_t)((in.p[i + 2] & 3) << 8 | in.p[i + 3]);
			i += 2;
		}
		n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		for (uint32_t k = n; k-- > 1; c >>= 6)
			text[k] = (uint8_t)(0x80 | (c & 0x3f));
		text[0] = (uint8_t)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
		rc = est_buf_append(&utf8, (struct est_span){ text, n }, err);
	}
	if (rc == EST_OK)
		rc = est_buf_escape(out, est_buf_span(&utf8), X509_TEXT_MAX, err);
	est_buf_free(&utf8);
	return rc;
}

enum est_code x509_value(struct est_span der, struct est_buf *out, struct est_error *err)
{
	struct est_span in = der;
	struct der_tlv tlv;
	unsigned long n;
	enum est_code rc;

	if (der_next(&in, &tlv) && in.n == 0) {
		switch (tlv.tag) {
		case DER_UTF8:
		case DER_PRINTABLE:
		case DER_NUMERIC:
		case DER_IA5:
		case DER_VISIBLE:
		case DER_GENERAL:
			return est_buf_escape(out, tlv.body, X509_TEXT_MAX, err);
		case DER_BMP:
			return bmp_text(tlv.body, out, err);
		case DER_OID:
			return x509_oid(tlv.body, out, err);
		case DER_NULL:
			return put(out, "NULL", err);
		case DER_INTEGER:
			if (small_integer(tlv.body, &n))
				return est_buf_printf(out, err, "%lu", n);
			break;
		default:
			break;
		}
	}
	rc = put(out, "#", err);
	return rc == EST_OK ? x509_hex(der, HEX_MAX, out, err) : rc;
}

/* What is built of values, and of what is built of them. */
static enum est_code values(struct est_span der, int depth, struct est_buf *out,
	struct est_error *err)
{
	struct est_span in = der;
	struct der_tlv tlv, part;
	enum est_code rc;

	if (!der_next(&in, &tlv) || in.n > 0 || depth == VALUES_DEPTH || !(tlv.tag & 0x20))
		return x509_value(der, out, err);
	rc = put(out, "{", err);
	for (in = tlv.body; rc == EST_OK && in.n > 0;) {
		if (in.p != tlv.body.p)
			rc = put(out, ", ", err);
		part = (struct der_tlv){ .whole = in };
		if (!der_next(&in, &part))
			in.n = 0; /* the rest as it is */
		if (rc == EST_OK && part.tag == DER_OCTET_STRING)
			rc = x509_hex(part.body, HEX_MAX, out, err);
		else if (rc == EST_OK)
			rc = values(part.whole, depth + 1, out, err);
	}
	return rc == EST_OK ? put(out, "}", err) : rc;
}

enum est_code x509_values(struct est_span der, struct est_buf *out, struct est_error *err)
{
	return values(der, 0, out, err);
}

enum est_code x509_string(struct est_buf *buf, char **out, struct est_error *err)
{
	char *s = malloc(buf->n + 1);

	if (!s)
		return est_fail(err, EST_E_INTERNAL, "out of memory (%zu bytes)", buf->n + 1);
	if (buf->n > 0)
		memcpy(s, buf->p, buf->n);
	s[buf->n] = '\0';
	*out = s;
	est_buf_free(buf);
	return EST_OK;
}

enum est_code x509_list_add(struct x509_list *list, struct est_buf *text, struct est_error *err)
{
	size_t cap = list->cap ? list->cap * 2 : 8;
	char **item;
	enum est_code rc;

	if (list->n == list->cap) {
		item = realloc(list->item, cap * sizeof(*item));
		if (!item)
			return est_fail(err, EST_E_INTERNAL, "out of memory (%zu strings)", cap);
		list->item = item;
		list->cap = cap;
	}
	rc = x509_string(text, &list->item[list->n], err);
	if (rc == EST_OK)
		list->n++;
	return rc;
}

void x509_strings_free(char **item, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(item[i]);
	free(item);
}

void x509_list_wipe(struct x509_list *list)
{
	x509_strings_free(list->item, list->n);
	*list = (struct x509_list){ 0 };
}

/* Takes what item() makes of the front of *in, which has content, into the list. */
typedef enum est_code item_fn(struct est_span *in, size_t n, struct est_buf *text, bool *valid,
	struct est_error *err);

static enum est_code list_of(struct est_span in, item_fn *item, struct x509_list *out, bool *valid,
	struct est_error *err)
{
	struct x509_list list = { 0 };
	struct est_buf text = { 0 };
	enum est_code rc = EST_OK;

	for (size_t n = 0; *valid && in.n > 0 && rc == EST_OK; n++) {
		rc = item(&in, n, &text, valid, err);
		if (rc == EST_OK && *valid && text.n > 0)
			rc = x509_list_add(&list, &text, err);
	}
	est_buf_free(&text);
	if (rc == EST_OK && *valid)
		*out = list;
	else
		x509_list_wipe(&list);
	return rc;
}

static enum est_code take_name(struct est_span *in, size_t n, struct est_buf *text, bool *valid,
	struct est_error *err)
{
	struct der_tlv name;

	*valid = n < EST_SANS_MAX && der_next(in, &name);
	return *valid ? x509_general_name(&name, text, err) : EST_OK;
}

static enum est_code take_oid(struct est_span *in, size_t n, struct est_buf *text, bool *valid,
	struct est_error *err)
{
	struct der_tlv oid;

	(void)n;
	*valid = der_expect(in, DER_OID, &oid);
	return *valid ? x509_oid(oid.body, text, err) : EST_OK;
}

/* Of a BIT STRING's octets; one bit a call, the octet stays until its eight are done. */
static enum est_code take_usage(struct est_span *in, size_t n, struct est_buf *text, bool *valid,
	struct est_error *err)
{
	static const char *const names[] = { "digitalSignature", "nonRepudiation",
		"keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign",
		"encipherOnly", "decipherOnly" };
	bool set = in->p[0] & 0x80 >> n % 8;

	(void)valid;
	if (n + 1 == sizeof(names) / sizeof(names[0]))
		in->n = 0;
	else if (n % 8 == 7)
		*in = (struct est_span){ in->p + 1, in->n - 1 };
	return set ? put(text, names[n], err) : EST_OK;
}

enum est_code x509_sans(struct est_span value, struct x509_list *out, bool *valid,
	struct est_error *err)
{
	struct der_tlv seq = { 0 };

	*valid = der_expect(&value, DER_SEQUENCE, &seq) && value.n == 0;
	return list_of(seq.body, take_name, out, valid, err);
}

enum est_code x509_key_usage(struct est_span value, struct x509_list *out, bool *valid,
	struct est_error *err)
{
	struct der_tlv bits = { 0 };

	*valid = der_expect(&value, DER_BIT_STRING, &bits) && value.n == 0 && bits.body.n >= 1 &&
		 bits.body.p[0] < 8;
	if (*valid)
		bits.body = (struct est_span){ bits.body.p + 1, bits.body.n - 1 };
	return list_of(bits.body, take_usage, out, valid, err);
}

enum est_code x509_ext_key_usage(struct est_span value, struct x509_list *out, bool *valid,
	struct est_error *err)
{
	struct der_tlv seq = { 0 };

	*valid = der_expect(&value, DER_SEQUENCE, &seq) && value.n == 0;
	return list_of(seq.body, take_oid, out, valid, err);
}

enum est_code x509_list_text(const struct x509_list *list, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = 0; i < list->n && rc == EST_OK; i++)
		rc = est_buf_printf(out, err, "%s%s", i > 0 ? ", " : "", list->item[i]);
	return rc;
}

enum est_code x509_sha256(struct est_span der, char out[EST_SHA256_HEX], struct est_error *err)
{
	uint8_t digest[32];
	int ret = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.p, der.n, digest);

	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "SHA-256: %s", gnutls_strerror(ret));
	for (size_t i = 0; i < sizeof(digest); i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * sizeof(digest)] = '\0';
	return EST_OK;
}

enum est_code x509_integer(struct est_span integer, struct est_buf *out, struct est_error *err)
{
	if (integer.n > 1 && integer.p[0] == 0)
		integer = (struct est_span){ integer.p + 1, integer.n - 1 };
	return x509_hex(integer, X509_TEXT_MAX / 2, out, err);
}

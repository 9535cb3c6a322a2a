/* SPDX-License-Identifier: MIT */
/* Parts of certificates and requests in words that are safe to print.  All append to out. */
#ifndef EST_X509_TEXT_H
#define EST_X509_TEXT_H

#include "der.h"

#define X509_TEXT_MAX 8192 /* characters of one name or value */

struct x509_list { /* owned strings */
	char **item;
	size_t n, cap;
};

enum est_code x509_hex(struct est_span bytes, size_t max, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* INTEGER contents in hex, without the octet that only keeps the number positive. */
enum est_code x509_integer(struct est_span integer, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code x509_sha256(struct est_span der, char out[EST_SHA256_HEX],
	struct est_error *err) EST_MUST_CHECK;
/* Its short name, else dotted, for OID contents. */
enum est_code x509_oid(struct est_span oid, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* RFC 4514 of a whole Name TLV, which has passed a cap on its size. */
enum est_code x509_name(struct est_span name, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* The same, only when every part is plain text of a common type; *plain is false for any other, and
 * then nothing was appended. */
enum est_code x509_name_plain(struct est_span name, struct est_buf *out, bool *plain,
	struct est_error *err) EST_MUST_CHECK;
/* "EC P-256", "RSA 2048" of a whole SubjectPublicKeyInfo TLV. */
enum est_code x509_key(struct est_span spki, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* The same of its contents; the key itself may be missing (RFC 9908 section 3.4). */
enum est_code x509_key_body(struct est_span body, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* Of the modulus in the BIT STRING contents of an RSAPublicKey (RFC 8017 appendix A.1.1); 0:
 * malformed. */
size_t x509_rsa_bits(struct est_span key);
/* Bits of security as est_cert_strength() has them: of a whole SubjectPublicKeyInfo TLV, and of a
 * signature algorithm by OID contents that lie in der, its parameters behind them. */
unsigned x509_key_strength(struct est_span spki);
unsigned x509_signature_strength(struct est_span oid, struct est_span der);
/* The same algorithm's name, "RSASSA-PSS with sha256". */
enum est_code x509_signature(struct est_span oid, struct est_span der, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* "dns:a.example" and so on of one GeneralName. */
enum est_code x509_general_name(const struct der_tlv *name, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* A string of one of the ASN.1 string types as it is, an OID by name, a small INTEGER as number,
 * anything else as hex of at most 32 bytes. */
enum est_code x509_value(struct est_span der, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

/* The same, and what is built of such values as "{1.2.3, text, 0c0d}". */
enum est_code x509_values(struct est_span der, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

/* extnValue contents as lists of words; a malformed value leaves *out empty and returns false in
 * *valid. */
enum est_code x509_sans(struct est_span value, struct x509_list *out, bool *valid,
	struct est_error *err) EST_MUST_CHECK;
enum est_code x509_key_usage(struct est_span value, struct x509_list *out, bool *valid,
	struct est_error *err) EST_MUST_CHECK;
enum est_code x509_ext_key_usage(struct est_span value, struct x509_list *out, bool *valid,
	struct est_error *err) EST_MUST_CHECK;
/* One extension's value in words: every extension of RFC 5280, and the timestamps of RFC 6962;
 * others as "#" and hex, malformed ones with "malformed " before that. */
enum est_code x509_extension_value(struct est_span oid, struct est_span value, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

/* The text of a buffer as an owned string; the buffer is emptied. */
enum est_code x509_string(struct est_buf *buf, char **out, struct est_error *err) EST_MUST_CHECK;
enum est_code x509_list_add(struct x509_list *list, struct est_buf *text,
	struct est_error *err) EST_MUST_CHECK;
enum est_code x509_list_text(const struct x509_list *list, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
void x509_strings_free(char **item, size_t n);
void x509_list_wipe(struct x509_list *list);

#endif

/* SPDX-License-Identifier: MIT */
/* One certificate as borrowed slices of its DER (RFC 5280 section 4.1), nothing decoded twice. */
#ifndef EST_CERT_H
#define EST_CERT_H

#include "der.h"

struct cert_view {
	struct est_span der;
	struct est_span tbs;           /* whole TLV */
	struct est_span serial;        /* INTEGER contents */
	struct est_span issuer;        /* whole Name TLV */
	struct est_span subject;       /* whole Name TLV */
	struct est_span spki;          /* whole TLV */
	struct est_span extensions;    /* contents of the SEQUENCE OF; empty: none */
	struct est_span signature_oid; /* OID contents of signatureAlgorithm */
	time_t not_before, not_after;
	int version; /* 1..3 */
};

/* Slices one certificate that fills der and enforces the caps of est.h on it: size, depth, name
 * attributes, extensions, subjectAltNames.  Strict DER.  EST_E_PROTOCOL; what ("certificate 3 of
 * the bag") begins the message.  No library may see a certificate that did not pass here. */
enum est_code cert_view(struct est_span der, const char *what, struct cert_view *out,
	struct est_error *err) EST_MUST_CHECK;
/* A whole Name or SubjectPublicKeyInfo TLV from elsewhere, held to the same rules and caps. */
enum est_code cert_check_name(struct est_span name, const char *what,
	struct est_error *err) EST_MUST_CHECK;
enum est_code cert_check_spki(struct est_span spki, const char *what,
	struct est_error *err) EST_MUST_CHECK;
struct cert_ext {
	struct est_span oid, value; /* contents; value.p NULL: absent, in an ExtensionTemplate */
	bool critical;
};

/* Takes one Extension, or with partial one ExtensionTemplate (RFC 9908 section 3.4), off the front
 * of *in.  False: it is malformed, *in is unchanged. */
bool cert_next_extension(struct est_span *in, bool partial, struct cert_ext *out);
/* The extension with these OID contents: extnValue's contents.  False: not there. */
bool cert_extension(const struct cert_view *view, struct est_span oid, bool *critical,
	struct est_span *value);
/* The same in the contents of any Extensions, as a request has them. */
bool cert_find_extension(struct est_span extensions, struct est_span oid, bool *critical,
	struct est_span *value);
/* basicConstraints says cA TRUE.  path_len may be NULL; -1: none. */
bool cert_is_ca(const struct cert_view *view, int *path_len);
/* The issuer's key, and its own key, have signed it; says nothing of names, dates or strength. */
bool cert_signed_by(const struct cert_view *view, const struct cert_view *issuer);
bool cert_verifies_itself(const struct cert_view *view);
/* Self-issued and signed by its own key, which a link certificate between an old and a new root is
 * not (RFC 4210 section 4.4).  Where key identifiers tell, the signature is not looked at. */
bool cert_is_root(const struct cert_view *view);
bool cert_has_name_constraints(const struct cert_view *view);
/* Subject and issuer are byte-equal; says nothing of the signature. */
bool cert_is_self_issued(const struct cert_view *view);

#define CERT_TIME_TEXT 40
/* "2031-12-31 23:59:59 UTC". */
void cert_time_text(time_t when, char out[CERT_TIME_TEXT]);

#define CERT_OID(...)                                                                              \
	((struct est_span){ (const uint8_t[]){ __VA_ARGS__ },                                      \
		sizeof((const uint8_t[]){ __VA_ARGS__ }) })
#define CERT_OID_SAN               CERT_OID(0x55, 0x1d, 0x11)
#define CERT_OID_BASIC_CONSTRAINTS CERT_OID(0x55, 0x1d, 0x13)
#define CERT_OID_KEY_USAGE         CERT_OID(0x55, 0x1d, 0x0f)
#define CERT_OID_SUBJECT_KEY_ID    CERT_OID(0x55, 0x1d, 0x0e)
#define CERT_OID_AUTHORITY_KEY_ID  CERT_OID(0x55, 0x1d, 0x23)
#define CERT_OID_NAME_CONSTRAINTS  CERT_OID(0x55, 0x1d, 0x1e)
#define CERT_OID_EXT_KEY_USAGE     CERT_OID(0x55, 0x1d, 0x25)
#define CERT_OID_TLS_FEATURE       CERT_OID(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18)
#define CERT_OID_RSA               CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01)
#define CERT_OID_RSA_PSS           CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a)

#endif

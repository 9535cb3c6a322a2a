/* SPDX-License-Identifier: MIT */
/* Slices of a certification request (RFC 2986). */
#ifndef EST_CSR_H
#define EST_CSR_H

#include <gnutls/gnutls.h>

#include "est.h"

/* Attributes that hold one string, for CERT_OID() of cert.h. */
#define CSR_OID_CHALLENGE_PASSWORD CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7)
#define CSR_OID_OTP                CSR_OID_RFC7894(56)
#define CSR_OID_REVOCATION         CSR_OID_RFC7894(57)
#define CSR_OID_IDENTITY_LINKING   CSR_OID_RFC7894(58)
#define CSR_OID_RFC7894(n)         CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, n)

struct csr_view {                   /* borrowed from the DER */
	struct est_span info;       /* certificationRequestInfo, whole TLV: what is signed */
	struct est_span algorithm;  /* signatureAlgorithm, whole TLV; empty: not there */
	struct est_span subject;    /* whole Name TLV */
	struct est_span spki;       /* whole TLV */
	struct est_span attributes; /* contents of the set; empty: none */
	struct est_span extensions; /* contents of the extensionRequest; empty: none */
};

/* The request in a text, as est_csr_load() takes it from a file. */
enum est_code csr_from_text(struct est_span text, const char *name, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* Strict DER that fills der.  EST_E_INPUT, the message begins with what. */
enum est_code csr_view(struct est_span der, const char *what, struct csr_view *out,
	struct est_error *err) EST_MUST_CHECK;

/* DER of the Name that this RFC 4514 text means; NULL and "" are the empty one.  EST_E_USAGE. */
enum est_code csr_subject(const char *text, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

/* DER of the Name that a spec means, for a renewal that of the old certificate. */
enum est_code csr_spec_subject(const struct est_csr_spec *spec, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* The value of its ChangeSubjectName; empty: none. */
enum est_code csr_spec_change(const struct est_csr_spec *spec, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* Appends an RDN of these attributes, whole TLVs, in DER's order. */
enum est_code csr_put_rdn(struct est_span pairs, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

struct csr_oid { /* contents octets */
	uint8_t der[168];
	size_t n;
};

/* A dotted OID of 2 to 32 arcs below 2^31; false, and *out untouched, for anything else. */
bool csr_oid(const char *dotted, struct csr_oid *out);

/* The DirectoryString for a value: DER_PRINTABLE where it fits, else DER_UTF8; 0: not UTF-8. */
uint8_t csr_string_tag(struct est_span value);
/* DER of a DirectoryString of 1 to 255 characters; EST_E_INPUT, the message begins with what. */
enum est_code csr_challenge(struct est_span text, const char *what, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* Whether csr_view.attributes has one of this type. */
bool csr_attribute(struct est_span attributes, struct est_span oid);

/* CertificationRequest for a certificationRequestInfo; identifier: the AlgorithmIdentifier. */
enum est_code csr_sign(const struct est_key *key, gnutls_sign_algorithm_t algorithm,
	struct est_span identifier, struct est_span info, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* The request with one more attribute, which holds text, signed anew by its key in the same way. */
enum est_code csr_link(struct est_span csr, const struct est_key *key, struct est_span oid,
	struct est_span text, struct est_buf *out, struct est_error *err) EST_MUST_CHECK;

/* Appends one Extension. */
enum est_code csr_put_extension(struct est_buf *out, struct est_span oid, bool critical,
	struct est_span value, struct est_error *err) EST_MUST_CHECK;
/* DER of the Extensions that a spec asks for; empty when it asks for none. */
enum est_code csr_extensions(const struct est_csr_spec *spec, bool subject_empty,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;

#endif

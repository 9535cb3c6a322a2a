/* SPDX-License-Identifier: MIT */
/* Slices of a certification request (RFC 2986). */
#ifndef EST_CSR_H
#define EST_CSR_H

#include "est.h"

struct csr_view {                   /* borrowed from the DER */
	struct est_span info;       /* certificationRequestInfo, whole TLV: what is signed */
	struct est_span algorithm;  /* signatureAlgorithm, whole TLV; empty: not there */
	struct est_span subject;    /* whole Name TLV */
	struct est_span spki;       /* whole TLV */
	struct est_span extensions; /* contents of the extensionRequest; empty: none */
};

/* Strict DER that fills der.  EST_E_INPUT, the message begins with what. */
enum est_code csr_view(struct est_span der, const char *what, struct csr_view *out,
	struct est_error *err) EST_MUST_CHECK;

/* DER of the Name that this RFC 4514 text means; NULL and "" are the empty one.  EST_E_USAGE. */
enum est_code csr_subject(const char *text, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

struct csr_oid { /* contents octets */
	uint8_t der[168];
	size_t n;
};

/* A dotted OID of 2 to 32 arcs below 2^31; false, and *out untouched, for anything else. */
bool csr_oid(const char *dotted, struct csr_oid *out);

/* DER of the Extensions that a spec asks for; empty when it asks for none. */
enum est_code csr_extensions(const struct est_csr_spec *spec, bool subject_empty,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* Slices of a certification request (RFC 2986). */
#ifndef EST_CSR_H
#define EST_CSR_H

#include "est.h"

struct csr_view {		 /* borrowed from the DER */
	struct est_span subject; /* whole Name TLV */
	struct est_span spki;	 /* whole TLV */
};

/* Strict DER that fills der.  EST_E_INPUT, the message begins with what. */
enum est_code csr_view(struct est_span der, const char *what, struct csr_view *out,
	struct est_error *err) EST_MUST_CHECK;

/* DER of the Extensions that a spec asks for; empty when it asks for none. */
enum est_code csr_extensions(const struct est_csr_spec *spec, bool subject_empty,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* One certification request as slices of its DER (RFC 2986 section 4). */
#ifndef EST_CSR_PARTS_H
#define EST_CSR_PARTS_H

#include "est.h"

struct csr_parts {                     /* borrowed */
	struct est_span subject, spki; /* whole TLVs */
	struct est_span attributes;    /* contents of the set */
	struct est_span signature_oid; /* contents */
};

/* Holds the request to the caps on its size, its elements, its name and its key.  No library may
 * see one that did not pass here. */
enum est_code csr_parts(struct est_span der, struct csr_parts *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

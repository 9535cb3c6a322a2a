/* SPDX-License-Identifier: MIT */
#ifndef EST_DETAILS_H
#define EST_DETAILS_H

#include "est-inspect.h"

/* Adds each Extension in the contents of a list, as hex when there is too much to decode; the
 * caller wipes d.  EST_E_PROTOCOL for one that is none, and for more than EST_EXTENSIONS_MAX. */
enum est_code details_extensions(struct est_span extensions, bool hex, struct est_cert_details *d,
	struct est_error *err) EST_MUST_CHECK;
/* Dotted and by name, from OID contents. */
enum est_code details_name(struct est_span oid, struct est_extension *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

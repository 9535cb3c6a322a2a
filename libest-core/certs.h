/* SPDX-License-Identifier: MIT */
/* What the library itself does with a list of certificates. */
#ifndef EST_CERTS_H
#define EST_CERTS_H

#include "est.h"

/* An empty list, and one more certificate at its end (copied; a duplicate is kept out when
 * unique, and *added, which may be NULL, says so). */
enum est_code certs_new(struct est_certs **out, struct est_error *err) EST_MUST_CHECK;
enum est_code certs_add(struct est_certs *certs, struct est_span der, bool unique, bool *added,
	struct est_error *err) EST_MUST_CHECK;

#endif

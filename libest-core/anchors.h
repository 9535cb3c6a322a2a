/* SPDX-License-Identifier: MIT */
/* Root certificates among those of a CA, and what the others are good for (RFC 7030 section
 * 4.1.3). */
#ifndef EST_ANCHORS_H
#define EST_ANCHORS_H

#include "cert.h"
#include "deadline.h"
#include "trust.h"

/* A CA certificate that its own key has signed, whatever its key identifiers say. */
bool anchors_is_root(const struct cert_view *view);
bool anchors_is_timely(const struct cert_view *view, time_t now);
/* Each certificate takes signatures, and a bag can be made for that: no walk over one goes on after
 * the deadline.  EST_E_TIMEOUT, EST_E_INTERRUPTED. */
enum est_code anchors_in_time(const struct deadline *deadline,
	struct est_error *err) EST_MUST_CHECK;
/* The current root (RFC 7030 section 4.1.3): of the roots that are valid at now (0: of all) the one
 * with the latest notAfter.  *index is est_certs_count(bag) when there is none. */
enum est_code anchors_current(const struct est_certs *bag, time_t now,
	const struct deadline *deadline, size_t *index, struct est_error *err) EST_MUST_CHECK;
/* EST_E_PROTOCOL, reason no-root, when there is no self-signed certificate.  trust may be NULL. */
enum est_code anchors_require_root(const struct trust *trust, const struct est_certs *bag,
	const struct deadline *deadline, struct est_error *err) EST_MUST_CHECK;
/* Each certificate of bag that is not in out->anchors leads to an anchor of trust by RFC 5280
 * section 6, and is an intermediate, or does not, and is a stray. */
enum est_code anchors_sort(struct trust *trust, const struct est_certs *bag,
	const struct deadline *deadline, struct est_anchors *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* Whether an issued certificate is the one that was asked for, and may be installed. */
#ifndef EST_CHECK_H
#define EST_CHECK_H

#include "trust.h"

/* Finds the certificate with this public key (DER of SubjectPublicKeyInfo) among those that came.
 * EST_E_REJECTED, reason wrong-key, when there is none. */
enum est_code check_pick(const struct est_certs *certs, struct est_span spki, size_t *index,
	struct est_error *err) EST_MUST_CHECK;

/* The picked one: not a CA, valid now within 30 minutes, a path to an anchor with the help of
 * certs and more (NULL: none).  *chain: the certificate, then its issuers without a root.
 * EST_E_REJECTED with reason is-ca, expired, not-yet-valid, unknown-ca, ... */
enum est_code check_issued(struct trust *trust, const struct est_certs *certs, size_t index,
	const struct est_certs *more, struct est_certs **chain,
	struct est_error *err) EST_MUST_CHECK;

#endif

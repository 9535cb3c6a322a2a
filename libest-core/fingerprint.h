/* SPDX-License-Identifier: MIT */
/* Fingerprints of certificates, as people pass them on (RFC 7030 section 4.1.1). */
#ifndef EST_FINGERPRINT_H
#define EST_FINGERPRINT_H

#include <gnutls/gnutls.h>

#include "est.h"

#define FINGERPRINT_MAX 64 /* bytes: SHA-512 */

struct fingerprint {
	gnutls_digest_algorithm_t hash;
	uint8_t bytes[FINGERPRINT_MAX];
	size_t n;
};

/* "sha256:" or "sha512:" and all its digits, of either case, without separators or with a colon
 * after each two.  EST_E_USAGE. */
enum est_code fingerprint_parse(const char *text, struct fingerprint *out,
	struct est_error *err) EST_MUST_CHECK;
/* Whether der, the whole certificate, has it; takes the same time wherever they differ. */
enum est_code fingerprint_match(const struct fingerprint *fingerprint, struct est_span der,
	bool *match, struct est_error *err) EST_MUST_CHECK;

#endif

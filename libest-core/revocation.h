/* SPDX-License-Identifier: MIT */
/* CRLs that the operator gave (RFC 5280 sections 5 and 6.3).  None is ever fetched. */
#ifndef EST_REVOCATION_H
#define EST_REVOCATION_H

#include "cert.h"

#define CRL_FILE_MAX  (16u << 20) /* bytes of a file with CRLs */
#define CRL_FILES_MAX 64          /* CRLs in all of them */

struct crls;

/* files is NULL-terminated; each holds at least one CRL: PEM, DER or in a certs-only message.
 * EST_E_INPUT.  *out is owned, crls_free(). */
enum est_code crls_load(const char *const *files, struct crls **out,
	struct est_error *err) EST_MUST_CHECK;
void crls_free(struct crls *crls);
/* Adds those in the contents of one file.  *crls may be NULL to begin with and is the caller's,
 * whatever happens.  What is wrong is EST_E_INPUT or EST_E_PROTOCOL. */
enum est_code crls_add(struct crls **crls, struct est_span data,
	struct est_error *err) EST_MUST_CHECK;

/* That no CRL of issuer revokes cert.  EST_E_UNTRUSTED: it is revoked (reason revoked); the CRL of
 * its issuer has not begun or has ended (crl-stale); due, and there is no CRL that its issuer has
 * signed and that covers it (no-crl).  who begins the message. */
enum est_code crls_check(const struct crls *crls, const struct cert_view *cert,
	const struct cert_view *issuer, time_t now, bool due, const char *who,
	struct est_error *err) EST_MUST_CHECK;

#endif

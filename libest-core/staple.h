/* SPDX-License-Identifier: MIT */
/* An OCSP answer that came in the TLS handshake (RFC 6066 section 8, RFC 6960). */
#ifndef EST_STAPLE_H
#define EST_STAPLE_H

#include "cert.h"

#define STAPLE_MAX (64u << 10) /* bytes of one */

/* response is empty when none came.  EST_E_UNTRUSTED: it says that cert is revoked (reason
 * revoked); or cert is a server's, must not come without one (RFC 7633) and this is none that
 * counts: missing, broken, not signed for issuer, too old, about another certificate, or without an
 * answer (no-staple).  Anything else is EST_OK, and *note (static) says what it was; note is NULL
 * for the certificate of a CA, whose TLS feature binds what it issues. */
enum est_code staple_check(struct est_span response, const struct cert_view *cert,
	const struct cert_view *issuer, time_t now, const char *who, const char **note,
	struct est_error *err) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* Which trust anchors a client has, told to the server so that it can choose its chain (RFC 7030
 * section 4.1.3): trusted_ca_keys (RFC 6066 section 6) for TLS 1.2 and certificate_authorities (RFC
 * 8446 section 4.2.4) for TLS 1.3. */
#ifndef EST_INDICATION_H
#define EST_INDICATION_H

#include <gnutls/gnutls.h>

#include "est.h"

#define INDICATION_MAX 4096 /* bytes of one list; anchors beyond it are left out */

/* Both go into the ClientHello of this session, whose pointer is its struct session, with the
 * explicit anchors of its parameters; GnuTLS's code. */
int indication_register(gnutls_session_t tls);

/* The bodies of the two extensions: each anchor by its name and the SHA-1 of its certificate, and
 * by its name.  Appends nothing when there are no anchors. */
enum est_code indication_trusted_ca_keys(const struct est_certs *anchors, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code indication_authorities(const struct est_certs *anchors, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* Certificate-less TLS (RFC 7030 section 3.3.3): both sides prove that they know one password, by
 * SRP (RFC 5054), which tells it to nobody who does not. */
#ifndef EST_SRP_H
#define EST_SRP_H

#include <gnutls/gnutls.h>

#include "est.h"

#define SRP_BITS_MIN 2048 /* of the group; GnuTLS takes those of RFC 5054 alone */

/* User and password of config, which is asked for it, and what may be negotiated with them: TLS
 * 1.2, and of the SRP suites those without certificates and with AES.  EST_E_USAGE where GnuTLS has
 * no SRP, and for options that contradict it. */
enum est_code srp_load(const struct est_config *config, gnutls_srp_client_credentials_t *out,
	gnutls_priority_t *priority, struct est_error *err) EST_MUST_CHECK;
void srp_free(gnutls_srp_client_credentials_t credentials);
/* Before the handshake; below 0: an error of GnuTLS. */
int srp_setup(gnutls_session_t tls, gnutls_srp_client_credentials_t credentials);
/* What was negotiated is what was offered. */
bool srp_negotiated(gnutls_session_t tls);

#endif

/* SPDX-License-Identifier: MIT */
/* The TLS below both kinds of session: the one to an authorised server, and the provisional one. */
#ifndef EST_SESSION_IMPL_H
#define EST_SESSION_IMPL_H

#include <gnutls/gnutls.h>

#include "session.h"

struct session {
	const struct session_params *params;
	gnutls_session_t tls;
	int fd;
	bool established, broken; /* broken: no close_notify would arrive */
	unsigned renegotiations;  /* declined so far */
	uint8_t first[8];         /* of what the server sent, for a diagnosis */
	size_t n_first;
	struct authz *authz;
	struct est_error verdict; /* of the check inside the handshake */
	const char *staple;       /* what the OCSP answer of the server was; NULL: none */
	char address[NET_ADDRESS_TEXT], via[NET_ADDRESS_TEXT]; /* via: the proxy's, or "" */
	char *description;
};

/* TCP and TLS as session_open() has them, but for who the server is: verify is asked about that,
 * inside the handshake, with the struct session as the pointer of the GnuTLS session.  flags are
 * added to those of gnutls_init(). */
enum est_code session_start(const struct session_params *params,
	gnutls_certificate_verify_function *verify, unsigned flags, struct deadline *deadline,
	struct session **out, struct est_error *err) EST_MUST_CHECK;

#endif

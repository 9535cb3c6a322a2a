/* SPDX-License-Identifier: MIT */
/* Channel bindings: what tells one TLS session from every other (RFC 5929, RFC 9266). */
#ifndef EST_BINDING_H
#define EST_BINDING_H

#include <gnutls/gnutls.h>

#include "est.h"

struct binding {
	const char *name;    /* "tls-unique", "tls-exporter", static */
	struct est_buf text; /* base64 in one line, as it goes into a request; empty: none */
};

/* The binding of an established session: tls-unique of its latest handshake in TLS 1.2; in TLS 1.3,
 * which has none, tls-exporter where exporter allows it.  EST_E_TLS, reason no-binding, says why
 * the session has none that proves anything. */
enum est_code binding_get(gnutls_session_t tls, bool exporter, struct binding *out,
	struct est_error *err) EST_MUST_CHECK;
void binding_wipe(struct binding *binding);

#endif

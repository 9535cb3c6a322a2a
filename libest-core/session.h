/* SPDX-License-Identifier: MIT */
/* One TLS session to a server that was verified and authorised; there is no other kind. */
#ifndef EST_SESSION_H
#define EST_SESSION_H

#include "authz.h"
#include "proxy.h"

struct resume;
struct session;

struct session_params {             /* borrowed for the session's life */
	const struct url *url;      /* as the operator named it */
	const struct url *redirect; /* where a redirect has led; NULL: nowhere else */
	bool no_cmc_ra;
	bool indicate; /* the explicit anchors are named in the ClientHello */
	struct trust *trust;
	bool tls12_only; /* priority offers nothing else: linking, or SRP, needs it */
	gnutls_priority_t priority;
	gnutls_certificate_credentials_t credentials;
	gnutls_srp_client_credentials_t srp; /* certificate-less TLS with these; or NULL */
	struct net_target target;
	struct proxy *proxy;             /* the client's; NULL: none */
	struct resume *resume;           /* sessions to take up again; NULL: none, and keep none */
	const struct est_config *config; /* what these are bound to */
	int64_t idle_ms;
};

/* TCP, TLS 1.2 or 1.3 by our own priorities, path validation and authorisation inside the
 * handshake, so that the client certificate goes to nobody else, and a second look at what was
 * negotiated.  EST_E_NETWORK, EST_E_TIMEOUT, EST_E_TLS, EST_E_UNTRUSTED, and what a proxy says
 * (proxy.h).  The time that a human takes for a password is added to the deadline. */
enum est_code session_open(const struct session_params *params, struct deadline *deadline,
	struct session **out, struct est_error *err) EST_MUST_CHECK;
/* Closes with close_notify; NULL is accepted. */
void session_close(struct session *session);

/* The proof of authorisation, borrowed; never NULL. */
const struct authz *session_authz(const struct session *session);
const char *session_address(const struct session *session);
const char *session_proxy(const struct session *session);       /* its address; NULL: none */
const char *session_tls_version(const struct session *session); /* "TLS1.3" */
const char *session_description(const struct session *session);
/* "good", or why the OCSP answer of the server does not count; NULL: it sent none. */
const char *session_staple(const struct session *session);
/* Adds to an error that the server had asked for a client certificate and got none. */
void session_hint_cert(const struct session *session, struct est_error *err);
/* In this handshake, in a later one (renegotiation, RFC 8446 section 4.6.2), or in the session that
 * was resumed. */
bool session_client_cert_sent(const struct session *session);
/* An earlier session was taken up; there was no certificate at all, which goes without name and
 * anchor. */
bool session_is_resumed(const struct session *session);
bool session_is_certificateless(const struct session *session);
/* While a request that is bound to this session is under way (RFC 7030 section 3.5) a server that
 * asks for renegotiation is told no. */
void session_set_bound(struct session *session, bool bound);
bool session_has_declined(const struct session *session);

/* Sends all of it. */
enum est_code session_send(struct session *session, struct est_span bytes,
	const struct deadline *deadline, struct est_error *err) EST_MUST_CHECK;
/* At least one byte, or the end: *n is 0 then and *clean says whether by close_notify. */
enum est_code session_recv(struct session *session, uint8_t *out, size_t size, size_t *n,
	bool *clean, const struct deadline *deadline, struct est_error *err) EST_MUST_CHECK;
/* Something has come on a connection that waits for nothing: its end, or what nobody asked for.
 * Either way it cannot carry another request. */
bool session_spent(struct session *session);

#endif

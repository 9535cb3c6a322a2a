/* SPDX-License-Identifier: MIT */
/* The TLS below both kinds of session: the one to an authorised server, and the provisional one. */
#ifndef EST_SESSION_IMPL_H
#define EST_SESSION_IMPL_H

#include <gnutls/gnutls.h>

#include "resume.h"
#include "session.h"

struct session {
	const struct session_params *params;
	gnutls_session_t tls;
	int fd;
	bool established, broken; /* broken: no close_notify would arrive */
	bool resumable;           /* it was opened, and nothing was refused since */
	unsigned renegotiations;  /* asked for so far */
	bool resumed, declined;
	bool bound;                /* a request that is bound to the session is under way */
	bool checked_again;        /* the server has proved itself in it */
	struct resume_facts facts; /* of the session that was offered for resumption */
	uint8_t first[8];          /* of what the server sent, for a diagnosis */
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

/* session.c */
/* Whom the session is with: who was named, or where a redirect has led. */
const struct url *session_origin(const struct session_params *params);
enum est_code session_handshake(struct session *s, const struct deadline *deadline,
	struct est_error *err) EST_MUST_CHECK;
enum est_code session_check_negotiated(struct session *s, struct est_error *err) EST_MUST_CHECK;
enum est_code session_check_peer(struct session *s, struct est_error *err) EST_MUST_CHECK;
/* After ret, which is not fatal: waits for the socket, or only looks at the clock, for records
 * without data must not outrun the deadline. */
enum est_code session_wait(struct session *s, ssize_t ret, const struct deadline *deadline,
	const char *doing, struct est_error *err) EST_MUST_CHECK;
enum est_code session_fail_handshake(struct session *s, int ret, struct est_error *err);

/* session_late.c */
/* Before the handshake: offers a session of an earlier one. */
enum est_code session_offer(struct session *s, struct est_error *err) EST_MUST_CHECK;
/* After it: the server is authorised, in a resumed session anew and as it was before. */
enum est_code session_accept(struct session *s, struct est_error *err) EST_MUST_CHECK;
/* At the end of a session that is resumable: keeps what a later one can be resumed with. */
void session_keep(struct session *s);
/* Inside a renegotiation, before the client shows anything: the server is still authorised.  That
 * it has the same certificate GnuTLS sees to. */
enum est_code session_check_again(struct session *s, struct est_error *err) EST_MUST_CHECK;
/* gnutls_record_recv() has returned GNUTLS_E_REHANDSHAKE or GNUTLS_E_REAUTH_REQUEST. */
enum est_code session_late(struct session *s, ssize_t ret, const struct deadline *deadline,
	struct est_error *err) EST_MUST_CHECK;

#endif

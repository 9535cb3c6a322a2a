/* SPDX-License-Identifier: MIT */
/* TLS: set up, verify, authorise, look again, then carry bytes. */
#include "session_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/ocsp.h>

#include "alert.h"
#include "indication.h"
#include "priority.h"
#include "srp.h"

#define PEERS_MAX 16 /* certificates a server may send */

const struct authz *session_authz(const struct session *session)
{
	return session->authz;
}

const char *session_address(const struct session *session)
{
	return session->address;
}

const char *session_proxy(const struct session *session)
{
	return *session->via ? session->via : NULL;
}

const char *session_tls_version(const struct session *session)
{
	return gnutls_protocol_get_name(gnutls_protocol_get_version(session->tls));
}

const char *session_description(const struct session *session)
{
	return session->description;
}

bool session_is_resumed(const struct session *session)
{
	return session->resumed;
}

bool session_is_certificateless(const struct session *session)
{
	return session->params->srp != NULL;
}

bool session_has_declined(const struct session *session)
{
	return session->declined;
}

void session_set_bound(struct session *session, bool bound)
{
	session->bound = bound;
}

bool session_client_cert_sent(const struct session *session)
{
	if (session->resumed && session->facts.client_cert)
		return true;
	return gnutls_certificate_client_get_request_status(session->tls) &&
	       gnutls_certificate_get_ours(session->tls) != NULL;
}

const char *session_staple(const struct session *session)
{
	return session->staple;
}

void session_hint_cert(const struct session *s, struct est_error *err)
{
	if (s->authz && gnutls_certificate_client_get_request_status(s->tls) &&
		!gnutls_certificate_get_ours(s->tls))
		est_hint(err, "it had asked for a client certificate: --cert FILE --key FILE");
}

const struct url *session_origin(const struct session_params *params)
{
	return params->redirect ? params->redirect : params->url;
}

static ssize_t pull(gnutls_transport_ptr_t ptr, void *out, size_t size)
{
	struct session *s = ptr;
	ssize_t n = recv(s->fd, out, size, 0);
	size_t keep;

	if (n > 0 && s->n_first < sizeof(s->first)) {
		keep = sizeof(s->first) - s->n_first;
		keep = (size_t)n < keep ? (size_t)n : keep;
		memcpy(s->first + s->n_first, out, keep);
		s->n_first += keep;
	}
	return n;
}

static ssize_t push(gnutls_transport_ptr_t ptr, const void *in, size_t size)
{
	return send(((struct session *)ptr)->fd, in, size, MSG_NOSIGNAL);
}

static int pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
	struct pollfd pfd = { .fd = ((struct session *)ptr)->fd, .events = POLLIN };

	return poll(&pfd, 1, (int)ms);
}

/* The certificates the server sent, borrowed from GnuTLS. */
static enum est_code peer_certs(struct session *s, struct est_span *certs, size_t *n,
	struct est_error *err)
{
	const gnutls_datum_t *raw;
	unsigned count = 0;

	raw = gnutls_certificate_type_get(s->tls) == GNUTLS_CRT_X509
		      ? gnutls_certificate_get_peers(s->tls, &count)
		      : NULL;
	if (!raw || count == 0)
		return est_fail(err, EST_E_UNTRUSTED, "the server sent no X.509 certificate");
	if (count > PEERS_MAX)
		return est_fail(err, EST_E_UNTRUSTED,
			"the server sent %u certificates, at most %d are read", count, PEERS_MAX);
	for (*n = 0; *n < count; (*n)++)
		certs[*n] = (struct est_span){ raw[*n].data, raw[*n].size };
	return EST_OK;
}

/* Whether the path leads to an anchor; the leaf and its database are then in who. */
static enum est_code check_path(struct session *s, struct authz_query *who, struct est_error *err)
{
	struct est_span certs[PEERS_MAX], staples[PEERS_MAX] = { 0 };
	struct trust_query query = {
		.certs = certs,
		.staples = staples,
		.purpose = GNUTLS_KP_TLS_WWW_SERVER,
		.explicit_purpose = s->params->no_cmc_ra ? NULL : AUTHZ_KP_CMC_RA,
		.what = "the server's certificate",
		.server = true,
		.handshake = !gnutls_session_is_resumed(s->tls),
	};
	struct trust_answer answer;
	gnutls_datum_t staple;
	enum est_code rc;

	rc = peer_certs(s, certs, &query.n, err);
	if (rc != EST_OK)
		return rc;
	for (unsigned i = 0; i < query.n; i++) {
		if (gnutls_ocsp_status_request_get2(s->tls, i, &staple) >= 0)
			staples[i] = (struct est_span){ staple.data, staple.size };
	}
	rc = trust_verify(s->params->trust, &query, &answer, err);
	if (rc != EST_OK)
		return rc;
	who->db = answer.db;
	s->staple = answer.staple;
	return trust_import(certs[0], query.what, &who->leaf, err);
}

enum est_code session_check_peer(struct session *s, struct est_error *err)
{
	struct authz_query who = {
		.server = s->params->url,
		.redirect = s->params->redirect,
		.no_cmc_ra = s->params->no_cmc_ra,
	};
	enum est_code rc;

	rc = check_path(s, &who, err);
	if (rc == EST_OK) {
		rc = authz_check(&who, &s->authz, err);
		gnutls_x509_crt_deinit(who.leaf);
	}
	if (rc == EST_E_PROTOCOL)
		rc = err->code = EST_E_UNTRUSTED;
	if (rc == EST_E_UNTRUSTED && est_has_reason(err, "unknown-ca"))
		est_hint(err, "if this is the right server, name the root certificate of its CA "
			      "with --cacert FILE");
	return rc;
}

/* Runs before the client certificate is sent; a refusal ends the handshake. */
static int verify_callback(gnutls_session_t tls)
{
	struct session *s = gnutls_session_get_ptr(tls);

	if (s->established)
		return session_check_again(s, &s->verdict) == EST_OK ? 0
								     : GNUTLS_E_CERTIFICATE_ERROR;
	if (session_check_peer(s, &s->verdict) == EST_OK) {
		s->verdict = (struct est_error){ 0 };
		return 0;
	}
	if (s->params->resume)
		s->params->resume->offered = false; /* it was declined: this verdict is final */
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static enum est_code session_setup(struct session *s, gnutls_certificate_verify_function *verify,
	unsigned flags, struct est_error *err)
{
	const struct url *url = session_origin(s->params);
	gnutls_datum_t alpn = { (unsigned char *)"http/1.1", 8 };
	int ret;

	ret = gnutls_init(&s->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
					   GNUTLS_FORCE_CLIENT_CERT | flags);
	if (ret >= 0)
		ret = gnutls_priority_set(s->tls, s->params->priority);
	if (ret >= 0)
		ret = s->params->srp ? srp_setup(s->tls, s->params->srp)
				     : gnutls_credentials_set(s->tls, GNUTLS_CRD_CERTIFICATE,
					       s->params->credentials);
	if (ret >= 0 && !url->is_ip) /* RFC 6066 section 3: names only */
		ret = gnutls_server_name_set(s->tls, GNUTLS_NAME_DNS, url->host, strlen(url->host));
	if (ret >= 0)
		ret = gnutls_alpn_set_protocols(s->tls, &alpn, 1, 0);
	if (ret >= 0 && s->params->indicate && s->params->trust)
		ret = indication_register(s->tls);
	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "cannot set up TLS: %s", gnutls_strerror(ret));
	gnutls_session_set_ptr(s->tls, s);
	gnutls_session_set_verify_function(s->tls, verify);
	gnutls_transport_set_ptr(s->tls, s);
	gnutls_transport_set_pull_function(s->tls, pull);
	gnutls_transport_set_push_function(s->tls, push);
	gnutls_transport_set_pull_timeout_function(s->tls, pull_timeout);
	gnutls_handshake_set_timeout(s->tls, GNUTLS_INDEFINITE_TIMEOUT); /* ours is the deadline */
	return EST_OK;
}

enum est_code session_wait(struct session *s, ssize_t ret, const struct deadline *deadline,
	const char *doing, struct est_error *err)
{
	short events = gnutls_record_get_direction(s->tls) ? POLLOUT : POLLIN;

	if (ret != GNUTLS_E_AGAIN && ret != GNUTLS_E_INTERRUPTED)
		return deadline_check(deadline, doing, err);
	return deadline_poll(deadline, s->fd, events, s->params->idle_ms, doing, err);
}

static void hint_srp(struct est_error *err)
{
	est_hint(err,
		"user or password for SRP is wrong, or the server has no SRP; no second guess is "
		"made");
}

enum est_code session_fail_handshake(struct session *s, int ret, struct est_error *err)
{
	char shown[40];

	if (s->verdict.code != EST_OK) {
		*err = s->verdict;
		return err->code;
	}
	if (s->n_first > 0 && s->first[0] != 0x16 && s->first[0] != 0x15) {
		est_escape(shown, sizeof(shown), (struct est_span){ s->first, s->n_first });
		est_fail(err, EST_E_TLS, "%s does not speak TLS: it answered \"%s...\"", s->address,
			shown);
		est_reason(err, "not-tls");
		return est_hint(err, "is this the port for https?");
	}
	switch (ret) {
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		(void)alert_fail(s->tls, s->address, err);
		if (s->params->srp && !s->established)
			hint_srp(err);
		return EST_E_TLS;
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		est_fail(err, EST_E_NETWORK, "%s broke the connection during the handshake",
			s->address);
		if (s->params->srp)
			hint_srp(err);
		session_hint_cert(s, err);
		return EST_E_NETWORK;
	case GNUTLS_E_SESSION_USER_ID_CHANGED:
		est_fail(err, EST_E_UNTRUSTED,
			"%s shows another certificate in the renegotiation than before",
			s->address);
		return est_reason(err, "renegotiation");
	case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
		est_fail(err, EST_E_TLS,
			"%s speaks no version of TLS that is offered, and those before TLS 1.2 "
			"are not safe (RFC 8996)",
			s->address);
		return est_reason(err, "version");
	default:
		return est_fail(err, EST_E_TLS, "TLS handshake with %s failed: %s", s->address,
			gnutls_strerror(ret));
	}
}

enum est_code session_handshake(struct session *s, const struct deadline *deadline,
	struct est_error *err)
{
	enum est_code rc;
	int ret;

	while ((ret = gnutls_handshake(s->tls)) != GNUTLS_E_SUCCESS) {
		/* Data in the middle of a renegotiation could be taken for part of either side of
		 * it. */
		if (gnutls_error_is_fatal(ret) || ret == GNUTLS_E_GOT_APPLICATION_DATA) {
			(void)gnutls_alert_send_appropriate(s->tls, ret);
			return session_fail_handshake(s, ret, err);
		}
		rc = session_wait(s, ret, deadline, "in the TLS handshake", err);
		if (rc != EST_OK)
			return rc;
	}
	s->established = true;
	gnutls_free(s->description);
	s->description = gnutls_session_get_desc(s->tls);
	return EST_OK;
}

/* RFC 7030 section 3.3: an acceptable suite, and authentication, before any EST data. */
static bool is_acceptable(const struct session *s)
{
	gnutls_protocol_t version = gnutls_protocol_get_version(s->tls);

	if (s->params->srp)
		return srp_negotiated(s->tls);
	return !priority_bad_version(version) && !priority_bad_cipher(gnutls_cipher_get(s->tls)) &&
	       !(version == GNUTLS_TLS1_2 && priority_bad_kx(gnutls_kx_get(s->tls))) &&
	       gnutls_auth_get_type(s->tls) == GNUTLS_CRD_CERTIFICATE &&
	       !priority_bad_signature(gnutls_sign_algorithm_get(s->tls)) &&
	       !priority_bad_signature(gnutls_sign_algorithm_get_client(s->tls));
}

/* What was offered had nothing else, but it is the outcome that counts. */
enum est_code session_check_negotiated(struct session *s, struct est_error *err)
{
	if (is_acceptable(s))
		return EST_OK;
	return est_fail(err, EST_E_TLS, "%s negotiated %s, which is not acceptable", s->address,
		s->description ? s->description : "nothing known");
}

/* What the client answers to the server's first flight can be held against one password, and an
 * impostor is not given a second: no failure from there on is one to try again after. */
static enum est_code srp_guessed(struct session *s, struct est_error *err)
{
	if ((err->code != EST_E_NETWORK && err->code != EST_E_TIMEOUT) || !s->params->srp ||
		gnutls_handshake_get_last_out(s->tls) == GNUTLS_HANDSHAKE_CLIENT_HELLO)
		return err->code;
	hint_srp(err);
	return err->code = EST_E_TLS;
}

enum est_code session_start(const struct session_params *params,
	gnutls_certificate_verify_function *verify, unsigned flags, struct deadline *deadline,
	struct session **out, struct est_error *err)
{
	struct session *s = calloc(1, sizeof(*s));
	enum est_code rc;

	if (!s)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	s->params = params;
	s->fd = -1;
	rc = proxy_connect(params->proxy, &params->target, deadline, &s->fd, s->address, s->via,
		err);
	if (rc == EST_OK)
		rc = session_setup(s, verify, flags, err);
	if (rc == EST_OK)
		rc = session_offer(s, err);
	if (rc == EST_OK) {
		rc = session_handshake(s, deadline, err);
		rc = rc == EST_OK ? session_check_negotiated(s, err) : srp_guessed(s, err);
	}
	if (rc != EST_OK) {
		session_close(s);
		return rc;
	}
	*out = s;
	return EST_OK;
}

/* One connection to the end of its handshake, with a server that is authorised. */
static enum est_code open_once(const struct session_params *params, struct deadline *deadline,
	struct session **out, struct est_error *err)
{
	struct session *s = NULL;
	enum est_code rc;

	rc = session_start(params, verify_callback, GNUTLS_POST_HANDSHAKE_AUTH, deadline, &s, err);
	if (rc == EST_OK)
		rc = session_accept(s, err);
	if (rc != EST_OK) {
		session_close(s);
		return rc;
	}
	s->resumable = true;
	*out = s;
	return EST_OK;
}

/* An earlier session was offered, the server did not decline it, and that may be what has failed.
 */
static bool resumption_failed(const struct session_params *params, enum est_code rc)
{
	return (rc == EST_E_TLS || rc == EST_E_UNTRUSTED) && params->resume &&
	       params->resume->offered;
}

enum est_code session_open(const struct session_params *params, struct deadline *deadline,
	struct session **out, struct est_error *err)
{
	enum est_code rc;

	if (!params->trust) /* a client that was made to bootstrap, and has not done so */
		return est_fail(err, EST_E_USAGE,
			"before the bootstrap there is nobody to trust (RFC 7030 section 4.1.1)");
	rc = open_once(params, deadline, out, err);
	/* Each session is offered once, so this one has a full handshake. */
	return resumption_failed(params, rc) ? open_once(params, deadline, out, err) : rc;
}

void session_close(struct session *s)
{
	if (!s)
		return;
	if (s->established && !s->broken) {
		if (s->resumable)
			session_keep(s);
		(void)gnutls_bye(s->tls, GNUTLS_SHUT_WR); /* sent if the socket takes it at once */
	}
	if (s->tls)
		gnutls_deinit(s->tls);
	if (s->fd >= 0)
		(void)close(s->fd);
	authz_free(s->authz);
	gnutls_free(s->description);
	free(s);
}

static enum est_code fail_record(struct session *s, int ret, struct est_error *err)
{
	uint8_t byte;

	s->broken = true;
	/* Who refuses our certificate in TLS 1.3 says so and closes while we are sending. */
	if (ret == GNUTLS_E_PUSH_ERROR &&
		gnutls_record_recv(s->tls, &byte, 1) == GNUTLS_E_FATAL_ALERT_RECEIVED)
		ret = GNUTLS_E_FATAL_ALERT_RECEIVED;
	if (ret == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return alert_fail(s->tls, s->address, err);
	if (ret == GNUTLS_E_PULL_ERROR || ret == GNUTLS_E_PUSH_ERROR ||
		ret == GNUTLS_E_PREMATURE_TERMINATION) {
		est_fail(err, EST_E_NETWORK, "the connection to %s broke", s->address);
		session_hint_cert(s, err);
		return EST_E_NETWORK;
	}
	return est_fail(err, EST_E_TLS, "TLS with %s failed: %s", s->address, gnutls_strerror(ret));
}

enum est_code session_send(struct session *s, struct est_span bytes,
	const struct deadline *deadline, struct est_error *err)
{
	enum est_code rc;
	ssize_t n;

	while (bytes.n > 0) {
		n = gnutls_record_send(s->tls, bytes.p, bytes.n);
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
			rc = session_wait(s, n, deadline, "while sending the request", err);
			if (rc != EST_OK)
				return rc;
		} else if (n < 0) {
			return fail_record(s, (int)n, err);
		} else {
			bytes.p += n;
			bytes.n -= (size_t)n;
		}
	}
	return EST_OK;
}

enum est_code session_recv(struct session *s, uint8_t *out, size_t size, size_t *n, bool *clean,
	const struct deadline *deadline, struct est_error *err)
{
	enum est_code rc;
	ssize_t got;

	for (;;) {
		got = gnutls_record_recv(s->tls, out, size);
		if (got >= 0 || got == GNUTLS_E_PREMATURE_TERMINATION) {
			*n = got > 0 ? (size_t)got : 0;
			*clean = got == 0;
			s->broken = got < 0;
			return EST_OK;
		}
		if (gnutls_error_is_fatal((int)got))
			return fail_record(s, (int)got, err);
		if (got == GNUTLS_E_REHANDSHAKE || got == GNUTLS_E_REAUTH_REQUEST) {
			rc = session_late(s, got, deadline, err);
			s->resumable &= rc == EST_OK;
		} else {
			rc = session_wait(s, got, deadline, "while waiting for the server's answer",
				err);
		}
		if (rc != EST_OK)
			return rc;
	}
}

bool session_spent(struct session *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
	uint8_t byte;
	ssize_t n;

	if (gnutls_record_check_pending(s->tls) > 0)
		return true;
	if (poll(&pfd, 1, 0) <= 0)
		return false;
	/* A TLS 1.3 session ticket is no data, and leaves nothing to read. */
	n = gnutls_record_recv(s->tls, &byte, 1);
	/* RFC 5246 section 7.2.2: after a fatal alert it is not taken up again. */
	s->broken |= n < 0 && gnutls_error_is_fatal((int)n);
	return n != GNUTLS_E_AGAIN;
}

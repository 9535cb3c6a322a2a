/* SPDX-License-Identifier: MIT */
/* What goes beyond one full handshake: sessions taken up again, and servers that want to know the
 * client only after they have seen what it asks for. */
#include "session_impl.h"

#include <string.h>

#include "cert.h"
#include "resume.h"

#define RENEG_MAX 4 /* renegotiations that are asked for in one session before it ends */

/* ---- Sessions taken up again --------------------------------------------------------------------
 */

static enum est_code binding(const struct session *s, uint8_t out[RESUME_BINDING],
	struct est_error *err)
{
	enum est_code rc = resume_binding(s->params->config, session_origin(s->params),
		s->params->trust, s->params->credentials, out, err);

	/* What linking leaves of the offer is another one. */
	if (rc == EST_OK && s->params->tls12_only)
		out[0] ^= 1;
	return rc;
}

enum est_code session_offer(struct session *s, struct est_error *err)
{
	struct resume *resume = s->params->resume;
	uint8_t bound_to[RESUME_BINDING];
	struct est_buf data = { 0 };
	enum est_code rc;

	if (!resume)
		return EST_OK;
	resume->offered = false;
	rc = binding(s, bound_to, err);
	if (rc == EST_OK && resume_take(resume, bound_to, &s->facts, &data)) {
		/* What GnuTLS does not take is no loss. */
		resume->offered = gnutls_session_set_data(s->tls, data.p, data.n) >= 0;
		est_buf_free(&data);
	}
	return rc;
}

enum est_code session_accept(struct session *s, struct est_error *err)
{
	enum est_code rc = EST_OK;

	if (s->params->srp)
		return authz_certificateless(s->params->config->srp_user, &s->authz, err);
	s->resumed = gnutls_session_is_resumed(s->tls) != 0;
	if (!s->authz) { /* the verify callback does not run for a resumed session */
		rc = session_check_peer(s, err);
		if (rc == EST_OK && (!s->resumed || authz_db(s->authz) != s->facts.db ||
					    strcmp(authz_identity(s->authz), s->facts.identity)))
			rc = est_fail(err, EST_E_UNTRUSTED,
				"the session that was resumed was authorised in another way");
	}
	return rc;
}

/* Without the extended master secret two TLS 1.2 sessions can be made to look alike (RFC 7627);
 * such a one lives once. */
static bool is_resumable(const struct session *s)
{
	unsigned flags = gnutls_session_get_flags(s->tls);
	gnutls_datum_t id = { 0 };

	if (gnutls_auth_get_type(s->tls) != GNUTLS_CRD_CERTIFICATE)
		return false;
	/* In TLS 1.3 what there is before a ticket has come leads nowhere. */
	if (gnutls_protocol_get_version(s->tls) == GNUTLS_TLS1_3)
		return flags & GNUTLS_SFLAGS_SESSION_TICKET;
	return flags & GNUTLS_SFLAGS_EXT_MASTER_SECRET &&
	       (flags & GNUTLS_SFLAGS_SESSION_TICKET ||
		       (gnutls_session_get_id2(s->tls, &id) == 0 && id.size > 0));
}

void session_keep(struct session *s)
{
	struct resume_facts facts = { .client_cert = session_client_cert_sent(s) };
	struct resume *resume = s->params->resume;
	uint8_t bound_to[RESUME_BINDING];
	const gnutls_datum_t *peers;
	gnutls_datum_t data = { 0 };
	struct est_error ignored = { 0 };
	struct est_buf copy = { 0 };
	struct cert_view leaf;
	unsigned n = 0;

	if (!resume || !s->authz || !is_resumable(s))
		return;
	peers = gnutls_certificate_get_peers(s->tls, &n);
	if (!peers || n == 0 ||
		cert_view((struct est_span){ peers[0].data, peers[0].size }, "", &leaf, &ignored) !=
			EST_OK ||
		binding(s, bound_to, &ignored) != EST_OK ||
		gnutls_session_get_data2(s->tls, &data) < 0)
		return;
	facts.db = authz_db(s->authz);
	facts.until = leaf.not_after;
	memcpy(facts.identity, authz_identity(s->authz), strlen(authz_identity(s->authz)) + 1);
	if (est_buf_append(&copy, (struct est_span){ data.data, data.size }, &ignored) == EST_OK)
		resume_put(resume, bound_to, &facts, &copy);
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
}

/* ---- The client is asked for late ---------------------------------------------------------------
 */

enum est_code session_check_again(struct session *s, struct est_error *err)
{
	struct authz *first = s->authz;
	enum est_code rc;

	s->authz = NULL; /* made anew, and the first one is still in use */
	rc = session_check_peer(s, err);
	authz_free(s->authz);
	s->authz = first;
	s->checked_again = rc == EST_OK;
	return rc;
}

/* TLS 1.2, RFC 5746. */
static enum est_code renegotiate(struct session *s, const struct deadline *deadline,
	struct est_error *err)
{
	enum est_code rc = session_handshake(s, deadline, err);

	if (rc != EST_OK)
		return rc;
	if (!s->checked_again)
		return est_fail(err, EST_E_UNTRUSTED,
			"the server did not prove in the renegotiation who it is");
	s->checked_again = false;
	return session_check_negotiated(s, err);
}

/* TLS 1.3, RFC 8446 section 4.6.2: the server does not prove itself again, and nothing of the
 * session changes. */
static enum est_code authenticate_late(struct session *s, const struct deadline *deadline,
	struct est_error *err)
{
	enum est_code rc = EST_OK;
	int ret;

	while (rc == EST_OK && (ret = gnutls_reauth(s->tls, 0)) != GNUTLS_E_SUCCESS) {
		if (gnutls_error_is_fatal(ret))
			return session_fail_handshake(s, ret, err);
		rc = session_wait(s, ret, deadline, "while showing the client certificate", err);
	}
	return rc;
}

enum est_code session_late(struct session *s, ssize_t ret, const struct deadline *deadline,
	struct est_error *err)
{
	if (++s->renegotiations > RENEG_MAX)
		return est_fail(err, EST_E_TLS, "%s keeps asking for renegotiation", s->address);
	if (ret == GNUTLS_E_REAUTH_REQUEST)
		return authenticate_late(s, deadline, err);
	/* A provisional server gets nothing, and RFC 7030 section 3.5 wants none between the
	 * channel binding and the answer. */
	if (s->authz && !s->bound && !s->params->srp && gnutls_safe_renegotiation_status(s->tls))
		return renegotiate(s, deadline, err);
	s->declined = s->bound;
	(void)gnutls_alert_send(s->tls, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
	return deadline_check(deadline, "while waiting for the server's answer", err);
}

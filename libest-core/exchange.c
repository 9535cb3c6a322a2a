/* SPDX-License-Identifier: MIT */
/* Requests on connections: when to open one, when to keep it, when to answer a challenge. */
#include "exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http_auth.h"

const struct operation operation_cacerts = { "cacerts", "GET", "application/pkcs7-mime", NULL };
const struct operation operation_csrattrs = { "csrattrs", "GET", "application/csrattrs", NULL };
const struct operation operation_simpleenroll = { "simpleenroll", "POST", "application/pkcs7-mime",
	"application/pkcs10" };
const struct operation operation_simplereenroll = { "simplereenroll", "POST",
	"application/pkcs7-mime", "application/pkcs10" };

void client_log(const struct est_client *client, enum est_log_level level, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!client->config.log)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	client->config.log(client->config.log_ctx, level, line);
}

static void describe_session(struct est_client *c)
{
	const struct authz *authz = session_authz(c->session);

	(void)snprintf(
		c->tls_version, sizeof(c->tls_version), "%s", session_tls_version(c->session));
	(void)snprintf(c->cipher, sizeof(c->cipher), "%s", session_description(c->session));
	(void)snprintf(c->identity, sizeof(c->identity), "%s", authz_identity(authz));
	(void)snprintf(c->address, sizeof(c->address), "%s", session_address(c->session));
	c->info.tls_version = c->tls_version;
	c->info.cipher = c->cipher;
	c->info.identity = c->identity;
	c->info.address = c->address;
	c->info.vouched_by = trust_db_name(authz_db(authz));
	c->info.client_cert_sent = session_client_cert_sent(c->session);
	c->info.connections++;
	client_log(c, EST_LOG_INFO, "connected to %s, %s", c->address, c->cipher);
	client_log(c, EST_LOG_INFO, "%s matched; an anchor of the %s database vouched", c->identity,
		c->info.vouched_by);
	if (c->config.cert_file && !c->info.client_cert_sent)
		client_log(c, EST_LOG_NOTICE, "the server did not ask for the client certificate");
}

/* A connection that can carry a request; *reused: it has carried one before. */
static enum est_code ensure_session(struct est_client *c, bool *reused, struct est_error *err)
{
	enum est_code rc;

	if (!c->started)
		c->deadline = deadline_start(c->config.max_time_ms, c->config.stop);
	c->started = true;
	if (c->session && session_spent(c->session)) {
		session_close(c->session);
		c->session = NULL;
	}
	*reused = c->session != NULL;
	if (c->session)
		return EST_OK;
	rc = session_open(&c->params, &c->deadline, &c->session, err);
	if (rc == EST_OK)
		describe_session(c);
	return rc;
}

static enum est_code exchange_once(struct est_client *c, const struct operation *op,
	struct est_span body, struct est_span authorization, struct http_response *out, bool *sent,
	struct est_error *err)
{
	struct http_request request = {
		.method = op->method,
		.host = c->url.authority,
		.accept = op->accept,
		.content_type = op->content_type,
		.body = body,
		.authorization = authorization,
	};
	const struct http_limits limits = { c->config.max_size, &c->quirks };
	bool reused = false, silent = false, again = false;
	struct est_buf target = { 0 };
	enum est_code rc;

	rc = url_target(&c->url, op->name, &target, err);
	if (rc == EST_OK)
		rc = est_buf_append(&target, (struct est_span){ (const uint8_t *)"", 1 }, err);
	request.target = (const char *)target.p;
	while (rc == EST_OK) {
		rc = ensure_session(c, &reused, err);
		if (rc != EST_OK)
			break;
		client_log(c, EST_LOG_DEBUG, "%s %s", op->method, request.target);
		if (sent)
			*sent = true;
		rc = http_exchange(c->session, session_authz(c->session), &request, &limits,
			&c->deadline, out, &silent, err);
		if (rc == EST_OK && out->reusable)
			break;
		session_close(c->session);
		c->session = NULL;
		/* H-19: only what changes nothing at the server is repeated, and once. */
		if (rc != EST_E_NETWORK || !silent || !reused || again || op->content_type)
			break;
		again = true;
		http_response_wipe(out);
		rc = EST_OK;
	}
	est_buf_free(&target);
	return rc;
}

static bool offers_basic(const struct http_response *response)
{
	struct http_challenge challenges[HTTP_CHALLENGES_MAX];
	size_t n = http_challenges(response, challenges);

	for (size_t i = 0; i < n; i++) {
		if (http_challenge_is(&challenges[i], "Basic"))
			return true;
	}
	return false;
}

/* The answer to a challenge of this authorised server; the value is a secret. */
static enum est_code answer_challenge(struct est_client *c, const struct authz *authz,
	struct est_buf *authorization, struct est_error *err)
{
	int64_t asked_ms = deadline_now_ms();
	struct est_buf password = { 0 };
	char what[320];
	enum est_code rc;

	(void)snprintf(what, sizeof(what), "password of %.100s at %.150s", c->config.user,
		authz_identity(authz));
	if (!c->config.password)
		return est_fail(err, EST_E_INPUT, "%s needed", what);
	rc = c->config.password(c->config.secret_ctx, what, &password, err);
	if (rc == EST_OK)
		rc = http_basic(c->config.user, est_buf_span(&password), authorization, err);
	est_buf_free(&password);
	c->deadline.end_ms += deadline_now_ms() - asked_ms; /* a human's time is not the server's */
	return rc;
}

enum est_code client_exchange(struct est_client *c, const struct operation *op,
	struct est_span body, struct http_response *out, bool *sent, struct est_error *err)
{
	struct est_buf authorization = { 0 };
	enum est_code rc;

	rc = exchange_once(c, op, body, (struct est_span){ 0 }, out, sent, err);
	if (rc == EST_OK && out->status == 401 && sent)
		*sent = false; /* it was read, and not acted on */
	if (rc != EST_OK || out->status != 401 || !c->config.user || !offers_basic(out))
		return rc;
	/* The server that challenged may have closed; whoever is there now is checked anew. */
	rc = c->session ? EST_OK : session_open(&c->params, &c->deadline, &c->session, err);
	if (rc == EST_OK)
		rc = answer_challenge(c, session_authz(c->session), &authorization, err);
	if (rc == EST_OK) {
		http_response_wipe(out);
		client_log(c, EST_LOG_INFO, "answering the server's Basic challenge");
		rc = exchange_once(c, op, body, est_buf_span(&authorization), out, sent, err);
	}
	est_buf_free(&authorization);
	return rc;
}

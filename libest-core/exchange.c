/* SPDX-License-Identifier: MIT */
/* Requests on connections: when to open one, when to keep it, when to answer a challenge. */
#include "exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

	(void)snprintf(c->tls_version, sizeof(c->tls_version), "%s",
		session_tls_version(c->session));
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
	struct est_span body, struct http_response *out, bool *sent, struct est_error *err)
{
	struct http_request request = {
		.method = op->method,
		.host = c->url.authority,
		.accept = op->accept,
		.content_type = op->content_type,
		.base64_field = c->config.compat & EST_COMPAT_CTE,
		.body = body,
	};
	const struct http_limits limits = { c->config.max_size, &c->quirks };
	bool reused = false, silent = false, again = false;
	struct est_buf target = { 0 }, authorization = { 0 };
	enum est_code rc;

	rc = url_target(&c->url, op->name, &target, err);
	if (rc == EST_OK)
		rc = est_buf_append(&target, (struct est_span){ (const uint8_t *)"", 1 }, err);
	request.target = (const char *)target.p;
	while (rc == EST_OK) {
		rc = ensure_session(c, &reused, err);
		if (rc == EST_OK)
			rc = auth_header(c, session_authz(c->session), &request, &authorization,
				err);
		if (rc != EST_OK)
			break;
		request.authorization = est_buf_span(&authorization);
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
		est_buf_free(&authorization);
		rc = EST_OK;
	}
	est_buf_free(&authorization);
	est_buf_free(&target);
	return rc;
}

enum est_code client_exchange(struct est_client *c, const struct operation *op,
	struct est_span body, struct http_response *out, bool *sent, struct est_error *err)
{
	const bool sent_before = sent && *sent;
	bool again = true, reused;
	enum est_code rc;

	auth_begin(c);
	for (;;) {
		rc = exchange_once(c, op, body, out, sent, err);
		if (rc == EST_OK && out->status == 401 && sent)
			*sent = sent_before; /* it was read, and not acted on */
		if (rc == EST_OK)
			rc = auth_judge(c, out, &again, err);
		if (rc != EST_OK || !again)
			break;
		http_response_wipe(out);
		/* Who challenged may have closed; whoever is there now is checked anew. */
		rc = ensure_session(c, &reused, err);
		if (rc == EST_OK)
			rc = auth_secret(c, session_authz(c->session), err);
		if (rc != EST_OK)
			break;
	}
	if (rc != EST_OK || out->status == 401) { /* R7030-3.2.3-08 */
		session_close(c->session);
		c->session = NULL;
	}
	return rc;
}

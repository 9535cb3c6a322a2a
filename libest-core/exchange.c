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

/* ---- Connections --------------------------------------------------------------------------------
 */

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
	(void)snprintf(c->proxy_address, sizeof(c->proxy_address), "%s",
		session_proxy(c->session) ? session_proxy(c->session) : "");
	c->info.proxy = *c->proxy_address ? c->proxy_address : NULL;
	c->info.vouched_by = session_is_certificateless(c->session)
				     ? "srp"
				     : trust_db_name(authz_db(authz));
	c->info.was_implicit |= authz && authz_db(authz) == TRUST_IMPLICIT;
	c->info.cmc_ra = authz_by_cmc_ra(authz);
	c->info.client_cert_sent = session_client_cert_sent(c->session);
	c->info.resumed = session_is_resumed(c->session);
	c->info.connections++;
	client_log(c, EST_LOG_INFO, "connected to %s%s%s, %s%s", c->address,
		c->info.proxy ? " through the proxy " : "", c->proxy_address, c->cipher,
		c->info.resumed ? ", resumed" : "");
	if (c->info.cmc_ra)
		client_log(c, EST_LOG_NOTICE,
			"the server's certificate does not name %s; its key purpose id-kp-cmcRA "
			"authorises it (RFC 7030 section 3.6.1)",
			c->url.host);
	if (session_is_certificateless(c->session))
		client_log(c, EST_LOG_INFO, "the server knows the password of %s (SRP)",
			c->identity);
	else
		client_log(c, EST_LOG_INFO, "%s matched; an anchor of the %s database vouched",
			c->identity, c->info.vouched_by);
	if (session_staple(c->session))
		client_log(c, EST_LOG_INFO, "OCSP answer of the server: %s",
			session_staple(c->session));
}

/* It may ask before the handshake ends, or when it has seen the request. */
static void describe_identity(struct est_client *c)
{
	bool before = c->info.client_cert_sent;

	c->info.client_cert_sent = session_client_cert_sent(c->session);
	if (session_has_declined(c->session))
		client_log(c, EST_LOG_NOTICE,
			"the server wanted to renegotiate while a request was under way that is "
			"linked to the session, and was told no (RFC 7030 section 3.5); --pop off "
			"sends one that is not linked");
	if (c->info.client_cert_sent && !before)
		client_log(c, EST_LOG_INFO,
			"the server has asked for the client certificate after the request");
	if (c->config.cert_file && !c->info.client_cert_sent && !c->unasked)
		client_log(c, EST_LOG_NOTICE, "the server did not ask for the client certificate");
	c->unasked |= !c->info.client_cert_sent;
}

void client_disconnect(struct est_client *c)
{
	session_close(c->session);
	c->session = NULL;
}

/* A connection that can carry a request; *reused: it has carried one before. */
static enum est_code ensure_session(struct est_client *c, bool *reused, struct est_error *err)
{
	enum est_code rc;

	if (!c->started)
		c->deadline = deadline_start(c->config.max_time_ms, c->config.stop);
	c->started = true;
	if (c->session && session_spent(c->session))
		client_disconnect(c);
	*reused = c->session != NULL;
	if (c->session)
		return EST_OK;
	rc = session_open(&c->params, &c->deadline, &c->session, err);
	if (rc != EST_OK)
		return linking_hint(c, err);
	describe_session(c);
	return rc;
}

/* ---- Where requests go --------------------------------------------------------------------------
 */

/* The connection belongs to one origin: who moves to another leaves it.  The challenges of the
 * place are counted from here. */
static void move_to(struct est_client *c, struct place *place)
{
	if (c->at.url.host && !place_same_origin(&c->at.url, &place->url))
		client_disconnect(c);
	place_wipe(&c->at);
	c->at = *place;
	*place = (struct place){ 0 };
	c->params.redirect = place_same_origin(&c->at.url, &c->url) ? NULL : &c->at.url;
	c->params.target.host = c->at.url.host;
	c->params.target.port = c->at.url.port;
	auth_begin(c);
}

/* Where the operator said: every operation starts there. */
static enum est_code move_home(struct est_client *c, const struct operation *op,
	struct est_error *err)
{
	struct place place = { 0 };
	enum est_code rc;

	rc = url_authority(est_span_str(c->url.authority), &place.url, err);
	if (rc == EST_OK)
		rc = url_target(&c->url, op->name, &place.target, err);
	if (rc == EST_OK)
		move_to(c, &place);
	place_wipe(&place);
	return rc;
}

enum est_code client_connect(struct est_client *c, struct est_error *err)
{
	enum est_code rc = move_home(c, &operation_cacerts, err);
	bool reused;

	return rc == EST_OK ? ensure_session(c, &reused, err) : rc;
}

/* ---- Redirects ----------------------------------------------------------------------------------
 */

/* RFC 7030 section 3.2.1: the same method again; an enrolment cannot become a GET. */
static bool is_redirect(const struct operation *op, int status)
{
	return status == 301 || status == 302 || status == 307 || status == 308 ||
	       (status == 303 && !op->content_type);
}

static enum est_code fail_redirect(const struct place *place, const char *why,
	struct est_error *err)
{
	char where[512];

	(void)snprintf(where, sizeof(where), "https://%s%s", place->url.authority, place->target);
	return redirect_fail(est_span_str(where), why, err);
}

/* The yes is for all of the run: csrattrs and the request after it may be redirected alike. */
static bool asked_for(struct est_client *c, const struct url *url)
{
	struct est_error ignored;

	for (size_t i = 0; i < c->n_agreed; i++) {
		if (place_same_origin(url, &c->agreed[i]))
			return true;
	}
	if (!c->config.consent || !c->config.consent(c->config.secret_ctx, url->authority))
		return false;
	if (c->n_agreed < REDIRECT_MAX && url_authority(est_span_str(url->authority),
						  &c->agreed[c->n_agreed], &ignored) == EST_OK)
		c->n_agreed++;
	return true;
}

/* Another origin needs the operator's word, given before or now. */
static enum est_code ask_consent(struct est_client *c, const struct place *place,
	struct est_error *err)
{
	const char *const *allowed = c->config.redirect_to;
	int64_t asked_ms = deadline_now_ms();
	struct est_error ignored;
	bool same = place_same_origin(&place->url, &c->at.url) ||
		    place_same_origin(&place->url, &c->url);

	if (!same && c->config.srp_user)
		return fail_redirect(place,
			"one server alone shares the SRP password (RFC 7030 section 6)", err);
	for (; !same && allowed && *allowed; allowed++) {
		struct url url = { 0 };

		same = url_parse(*allowed, NULL, &url, &ignored) == EST_OK &&
		       place_same_origin(&place->url, &url);
		url_wipe(&url);
	}
	same = same || asked_for(c, &place->url);
	deadline_forgive(&c->deadline, asked_ms);
	if (same)
		return EST_OK;
	fail_redirect(place, "another origin, which is not followed unasked", err);
	return est_hint(err, "if that server is the right one, allow it with --redirect-to %.200s",
		place->url.authority);
}

/* A redirect may name the earliest time for it (RFC 9110 section 10.2.3). */
static enum est_code wait_before(struct est_client *c, const struct http_response *response,
	struct est_error *err)
{
	int64_t wait_ms = http_retry_after(response, time(NULL)) * 1000;
	struct deadline until = deadline_within(&c->deadline, wait_ms);
	enum est_code rc;

	if (wait_ms <= 0)
		return EST_OK;
	if (wait_ms >= deadline_left_ms(&c->deadline))
		return est_fail(err, EST_E_TIMEOUT,
			"the server wants the redirect to be followed in %lld s, after the total "
			"time is used up",
			(long long)wait_ms / 1000);
	rc = deadline_poll(&until, -1, 0, -1, "before a redirect", err);
	return rc == EST_E_TIMEOUT ? EST_OK : rc;
}

/* ---- One exchange -------------------------------------------------------------------------------
 */

struct exchange {
	struct est_client *client;
	const struct operation *op;
	struct linking *post;           /* makes the body of a POST; NULL: a GET */
	struct http_response *response; /* to what was sent last */
	bool sent;                      /* the request may have had its effect */
	struct place visited[REDIRECT_MAX + 1];
	size_t hops; /* redirects followed; visited has one place more */
};

/* The request on the connection that there is, which ends with it unless it can carry another.
 * *silent: it broke before the server said anything. */
static enum est_code send_once(struct exchange *x, bool *silent, struct est_error *err)
{
	struct est_client *c = x->client;
	struct http_request request = {
		.method = x->op->method,
		.host = c->at.url.authority,
		.target = c->at.target,
		.accept = x->op->accept,
		.content_type = x->op->content_type,
		.base64_field = c->config.compat & EST_COMPAT_CTE,
	};
	const struct http_limits limits = { c->config.max_size, &c->quirks };
	const struct authz *authz = session_authz(c->session);
	struct est_buf authorization = { 0 };
	enum est_code rc = EST_OK;

	if (x->post)
		rc = linking_prepare(c, x->post, err);
	if (rc == EST_OK)
		rc = auth_header(c, authz, &request, &authorization, err);
	if (rc == EST_OK) {
		request.authorization = est_buf_span(&authorization);
		if (x->post)
			request.body = est_buf_span(&x->post->body);
		client_log(c, EST_LOG_DEBUG, "%s %s", request.method, request.target);
		x->sent = true;
		rc = http_exchange(c->session, authz, &request, &limits, &c->deadline, x->response,
			silent, err);
		describe_identity(c);
	}
	est_buf_free(&authorization);
	if (rc != EST_OK || !x->response->reusable)
		client_disconnect(c);
	return rc;
}

/* A kept connection may turn out to be dead.  H-19: only what changes nothing at the server is
 * repeated then, and once. */
static enum est_code send_request(struct exchange *x, struct est_error *err)
{
	bool reused, silent = false;
	enum est_code rc;

	rc = ensure_session(x->client, &reused, err);
	if (rc == EST_OK)
		rc = send_once(x, &silent, err);
	if (rc != EST_E_NETWORK || !silent || !reused || x->op->content_type)
		return rc;
	http_response_wipe(x->response);
	rc = ensure_session(x->client, &reused, err);
	return rc == EST_OK ? send_once(x, &silent, err) : rc;
}

/* Who challenged may have closed; whoever is there now is checked before the secret is given. */
static enum est_code get_secret(struct exchange *x, struct est_error *err)
{
	struct est_client *c = x->client;
	bool reused;
	enum est_code rc = ensure_session(c, &reused, err);

	return rc == EST_OK ? auth_secret(c, session_authz(c->session), err) : rc;
}

/* Where the redirect leads, when it is neither a loop nor one too many. */
static enum est_code next_place(const struct exchange *x, struct place *out, struct est_error *err)
{
	struct est_span location;
	enum est_code rc;

	if (!http_field(x->response, "Location", 0, &location)) {
		est_fail(err, EST_E_PROTOCOL, "a redirect (%d) without Location",
			x->response->status);
		return est_reason(err, "redirect");
	}
	rc = redirect_resolve(&x->client->at, location, out, err);
	if (rc == EST_OK && x->hops == REDIRECT_MAX)
		rc = fail_redirect(out, "more than five redirects", err);
	for (size_t i = 0; rc == EST_OK && i <= x->hops; i++) {
		if (place_same_origin(&out->url, &x->visited[i].url) &&
			strcmp(out->target, x->visited[i].target) == 0)
			rc = fail_redirect(out, "it has been there, a loop", err);
	}
	return rc;
}

static enum est_code follow(struct exchange *x, struct est_error *err)
{
	struct est_client *c = x->client;
	struct place place = { 0 };
	enum est_code rc;

	rc = next_place(x, &place, err);
	if (rc == EST_OK)
		rc = ask_consent(c, &place, err);
	if (rc == EST_OK)
		rc = wait_before(c, x->response, err);
	if (rc == EST_OK)
		rc = place_copy(&place, &x->visited[x->hops + 1], err);
	if (rc == EST_OK) {
		x->hops++;
		client_log(c, EST_LOG_INFO, "redirected (%d) to https://%s%s", x->response->status,
			place.url.authority, place.target);
		move_to(c, &place);
	} else {
		err->http_status = x->response->status;
	}
	place_wipe(&place);
	return rc;
}

enum next { NEXT_DONE, NEXT_AUTHENTICATE, NEXT_FOLLOW };

/* What the answer asks for. */
static enum est_code judge(struct exchange *x, enum next *next, struct est_error *err)
{
	int status = x->response->status;
	bool challenged;
	enum est_code rc = auth_judge(x->client, x->response, &challenged, err);

	*next = challenged                   ? NEXT_AUTHENTICATE
		: is_redirect(x->op, status) ? NEXT_FOLLOW
					     : NEXT_DONE;
	if (status == 401 || (rc == EST_OK && *next == NEXT_FOLLOW))
		x->sent = false; /* it was read, and not acted on */
	return rc;
}

/* From request to final answer. */
static enum est_code run(struct exchange *x, struct est_error *err)
{
	enum est_code rc;
	enum next next;

	for (;;) {
		rc = send_request(x, err);
		if (rc == EST_OK)
			rc = judge(x, &next, err);
		if (rc == EST_OK && next == NEXT_DONE)
			return EST_OK;
		if (rc == EST_OK && next == NEXT_AUTHENTICATE)
			rc = get_secret(x, err);
		else if (rc == EST_OK)
			rc = follow(x, err);
		if (rc != EST_OK)
			return rc;
		http_response_wipe(x->response);
	}
}

enum est_code client_exchange(struct est_client *c, const struct operation *op,
	struct linking *post, struct http_response *out, bool *sent, struct est_error *err)
{
	struct exchange x = { .client = c, .op = op, .post = post, .response = out };
	enum est_code rc;

	rc = move_home(c, op, err);
	if (rc == EST_OK)
		rc = place_copy(&c->at, &x.visited[0], err);
	if (rc == EST_OK)
		rc = run(&x, err);
	if (rc != EST_OK || out->status == 401) /* R7030-3.2.3-08 */
		client_disconnect(c);
	for (size_t i = 0; i <= x.hops; i++)
		place_wipe(&x.visited[i]);
	*sent = x.sent;
	return rc;
}

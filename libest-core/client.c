/* SPDX-License-Identifier: MIT */
/* The EST operations: cacerts, csrattrs, simpleenroll, simplereenroll (RFC 7030 section 4). */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "again.h"
#include "anchors.h"
#include "cert.h"
#include "certs.h"
#include "check.h"
#include "csr.h"
#include "exchange.h"
#include "pending.h"
#include "priority.h"
#include "quirk.h"
#include "revocation.h"
#include "srp.h"

#define DEFAULT_CONNECT_MS 10000
#define DEFAULT_TOTAL_MS   60000
#define DEFAULT_IDLE_MS    20000
#define DAY_S              86400

static void set_defaults(struct est_config *config)
{
	if (!config->connect_timeout_ms)
		config->connect_timeout_ms = DEFAULT_CONNECT_MS;
	if (!config->max_time_ms)
		config->max_time_ms = DEFAULT_TOTAL_MS;
	if (!config->idle_timeout_ms)
		config->idle_timeout_ms = DEFAULT_IDLE_MS;
	if (!config->max_size)
		config->max_size = EST_BODY_MAX;
	if (config->srp_user) /* RFC 7030 section 4.1.1 */
		config->auth = EST_AUTH_NONE;
}

static enum est_code check_redirect_to(const char *const *origins, struct est_error *err)
{
	struct est_error why;
	enum est_code rc;

	for (; origins && *origins; origins++) {
		struct url url = { 0 };

		rc = url_parse(*origins, NULL, &url, &why);
		url_wipe(&url);
		if (rc != EST_OK)
			return est_fail(err, rc, "--redirect-to: %s", why.msg);
	}
	return EST_OK;
}

/* Where the server is, and the way there. */
static enum est_code load_addresses(struct est_client *c, struct est_error *err)
{
	const struct est_config *config = &c->config;
	enum est_code rc;

	rc = url_parse(config->server, config->label, &c->url, err);
	if (rc == EST_OK)
		rc = net_check_resolve(config->resolve, err);
	if (rc == EST_OK)
		rc = check_redirect_to(config->redirect_to, err);
	if (rc == EST_OK)
		rc = proxy_load(config->proxy, &c->proxy, err);
	c->proxy.bypass = config->no_proxy;
	c->proxy.password = config->proxy_password;
	c->proxy.secret_ctx = config->secret_ctx;
	return rc;
}

/* What TLS is offered. */
static enum est_code load_priority(struct est_client *c, struct est_error *err)
{
	const struct est_config *config = &c->config;
	gnutls_priority_t *priority = &c->params.priority;

	c->params.tls12_only = config->pop == EST_POP_REQUIRE || config->srp_user;
	if (config->srp_user)
		return srp_load(config, &c->params.srp, priority, err);
	if (c->params.tls12_only)
		return linking_priority(config, priority, err);
	return priority_make(config->priority, config->tls13_only ? GNUTLS_TLS1_3 : GNUTLS_TLS1_2,
		priority, err);
}

/* Without certificates the server needs no anchor; what it issues does (RFC 7030 section 3.3.3). */
static enum est_code load_anchors(const struct est_config *config, struct trust **out,
	struct est_error *err)
{
	const bool named = config->system_trust || (config->cacert && *config->cacert);
	struct est_certs *none = NULL;
	enum est_code rc;

	rc = trust_load(config->cacert, config->system_trust, config->system_trust_file, out, err);
	if (rc != EST_E_INPUT || !config->srp_user || named)
		return rc;
	rc = certs_new(&none, err);
	if (rc == EST_OK)
		rc = trust_from(none, out, err);
	est_certs_free(none);
	return rc;
}

/* Whom to believe: anchors, which a bootstrap has to find first, and CRLs. */
static enum est_code load_trust(struct est_client *c, struct est_error *err)
{
	const struct est_config *config = &c->config;
	enum est_code rc = EST_OK;

	if (!config->bootstrap)
		rc = load_anchors(config, &c->trust, err);
	if (rc == EST_OK && config->ca_indication && c->trust &&
		est_certs_count(trust_anchors(c->trust)) == 0)
		rc = est_fail(err, EST_E_USAGE,
			"--ca-indication names explicit trust anchors, and there are none "
			"(--cacert)");
	if (rc == EST_OK && config->crl && *config->crl)
		rc = crls_load(config->crl, &c->crls, err);
	if (rc != EST_OK || !c->trust)
		return rc;
	trust_set_crls(c->trust, c->crls);
	c->info.was_implicit = trust_has_mark(c->trust);
	return EST_OK;
}

/* A bootstrap believes nothing that was known before. */
static enum est_code load_sessions(struct est_client *c, struct est_error *err)
{
	enum est_code rc = EST_OK;
	const char *note = NULL;

	if (c->config.bootstrap)
		return EST_OK;
	if (c->config.session_cache)
		rc = resume_load(&c->resume, c->config.session_cache, &note, err);
	if (note)
		client_log(c, EST_LOG_NOTICE, "%s: %s", c->config.session_cache, note);
	c->params.resume = &c->resume;
	c->params.config = &c->config;
	return rc;
}

static enum est_code client_load(struct est_client *c, struct est_error *err)
{
	enum est_code rc;

	rc = load_addresses(c, err);
	if (rc == EST_OK)
		rc = load_priority(c, err);
	if (rc == EST_OK)
		rc = load_trust(c, err);
	if (rc == EST_OK)
		rc = load_sessions(c, err);
	if (rc == EST_OK)
		rc = identity_load(&c->config, &c->params.credentials, &c->key, err);
	return rc;
}

enum est_code est_client_new(const struct est_config *config, struct est_client **out,
	struct est_error *err)
{
	struct est_client *c = calloc(1, sizeof(*c));
	enum est_code rc;

	if (!c)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	c->config = *config;
	set_defaults(&c->config);
	c->quirks.strict = config->strict;
	rc = client_load(c, err);
	if (rc != EST_OK) {
		est_client_free(c);
		return rc;
	}
	c->params.proxy = &c->proxy;
	c->params.url = &c->url;
	c->params.trust = c->trust;
	c->params.no_cmc_ra = config->no_cmc_ra;
	c->params.indicate = config->ca_indication || c->info.was_implicit;
	c->params.idle_ms = c->config.idle_timeout_ms;
	c->params.target = (struct net_target){
		.family = config->family,
		.resolve = config->resolve,
		.connect_timeout_ms = c->config.connect_timeout_ms,
	};
	*out = c;
	return EST_OK;
}

void est_client_free(struct est_client *c)
{
	struct est_error err = { 0 };

	if (!c)
		return;
	client_disconnect(c);
	if (resume_save(&c->resume, &err) != EST_OK)
		client_log(c, EST_LOG_NOTICE, "the TLS session is not kept: %s", err.msg);
	resume_wipe(&c->resume);
	auth_wipe(&c->auth);
	if (c->params.credentials)
		gnutls_certificate_free_credentials(c->params.credentials);
	if (c->params.priority)
		gnutls_priority_deinit(c->params.priority);
	est_key_free(c->key);
	srp_free(c->params.srp);
	trust_free(c->trust);
	proxy_wipe(&c->proxy);
	crls_free(c->crls);
	place_wipe(&c->at);
	while (c->n_agreed > 0)
		url_wipe(&c->agreed[--c->n_agreed]);
	url_wipe(&c->url);
	free(c);
}

const struct est_session_info *est_client_session(const struct est_client *c)
{
	return &c->info;
}

const struct est_quirks *est_client_quirks(const struct est_client *c)
{
	return &c->quirks;
}

/* Request, status, body and its decoding in one; an answer that is not a success is an error. */
static enum est_code fetch_once(struct est_client *c, const struct operation *op,
	struct linking *post, bool *sent, struct est_certs **out, struct est_error *err)
{
	struct http_response response = { 0 };
	enum est_code rc;

	rc = client_exchange(c, op, post, &response, sent, err);
	if (post)
		linking_done(c, post);
	if (rc == EST_OK)
		rc = client_certs(c, op, &response, out, err);
	http_response_wipe(&response);
	return rc;
}

/* Only a redirect or a client error says that the server did not issue. */
static bool certainly_not_issued(const struct est_error *err)
{
	return (err->http_status >= 300 && err->http_status < 500) || err->http_status == 501;
}

/* *maybe_issued: what one attempt leaves open, no answer to a later one takes back. */
static enum est_code fetch_certs(struct est_client *c, const struct operation *op,
	struct linking *post, bool *maybe_issued, struct est_certs **out, struct est_error *err)
{
	struct again again = { 0 };
	enum est_code rc;
	bool sent;

	do {
		sent = false;
		rc = fetch_once(c, op, post, &sent, out, err);
		*maybe_issued |= sent && (rc == EST_OK || !certainly_not_issued(err));
	} while (rc != EST_OK && client_again(c, op, sent, &again, err) == EST_OK);
	return rc == EST_OK ? EST_OK : err->code;
}

enum est_code est_cacerts(struct est_client *c, struct est_certs **out, struct est_error *err)
{
	struct est_certs *certs = NULL;
	bool ignored = false;
	enum est_code rc;

	rc = fetch_certs(c, &operation_cacerts, NULL, &ignored, &certs, err);
	if (rc == EST_OK)
		rc = anchors_require_root(c->trust, certs, &c->deadline, err);
	if (rc == EST_OK)
		*out = certs;
	else
		est_certs_free(certs);
	return rc;
}

/* "None available" is an answer (RFC 7030 section 4.5.2). */
static bool no_attributes(const struct http_response *response)
{
	return response->status == 204 || response->status == 404;
}

static enum est_code csrattrs_once(struct est_client *c, struct est_csrattrs **out,
	struct est_error *err)
{
	const struct operation *op = &operation_csrattrs;
	struct http_response response = { 0 };
	struct est_buf der = { 0 };
	bool ignored;
	enum est_code rc;

	rc = client_exchange(c, op, NULL, &response, &ignored, err);
	if (rc == EST_OK && no_attributes(&response)) {
		client_log(c, EST_LOG_INFO, "the server has no CSR attributes (%d)",
			response.status);
		*out = NULL;
		goto out;
	}
	if (rc == EST_OK)
		rc = client_status(c, op, &response, err);
	if (rc == EST_OK && response.body.n == 0) {
		rc = quirk_note(&c->quirks, EST_Q_EMPTY_BODY, op->name, err);
		if (rc == EST_OK)
			*out = NULL;
		goto out;
	}
	if (rc == EST_OK)
		rc = client_body(c, op, &response, &der, err);
	if (rc == EST_OK)
		rc = est_csrattrs_decode(est_buf_span(&der), &c->quirks, out, err);
out:
	est_buf_free(&der);
	http_response_wipe(&response);
	return rc;
}

enum est_code est_csrattrs(struct est_client *c, struct est_csrattrs **out, struct est_error *err)
{
	struct again again = { 0 };
	enum est_code rc;

	do
		rc = csrattrs_once(c, out, err);
	while (rc != EST_OK && client_again(c, &operation_csrattrs, true, &again, err) == EST_OK);
	c->paused_ms = deadline_now_ms(); /* making a key may take longer than the server */
	return rc == EST_OK ? EST_OK : err->code;
}

/* The server's path may need an intermediate that only /cacerts has; the connection is open. */
static enum est_code check_with_cacerts(struct est_client *c, const struct est_certs *certs,
	size_t index, struct est_certs **chain, struct est_error *err)
{
	struct est_certs *more = NULL;
	struct est_error first = { 0 };
	enum est_code rc;

	rc = check_issued(c->trust, certs, index, NULL, chain, &first);
	if (rc != EST_E_REJECTED || !est_has_reason(&first, "unknown-ca")) {
		*err = first;
		return rc;
	}
	client_log(c, EST_LOG_INFO, "looking for the issuer of the certificate in /cacerts");
	rc = est_cacerts(c, &more, err);
	if (rc == EST_OK)
		rc = check_issued(c->trust, certs, index, more, chain, err);
	else if (rc != EST_E_INTERRUPTED && rc != EST_E_INTERNAL) {
		*err = first; /* the certificate is what matters, not the second look */
		rc = first.code;
	}
	est_certs_free(more);
	return rc;
}

/* For the clock to be set, or for the CA's to be; short beside a lifetime, for the old certificate
 * may be near its end. */
static int64_t wait_for_clock(const struct cert_view *view, int64_t now)
{
	const int64_t part = (view->not_after - view->not_before) / 32;
	int64_t wait = part < DAY_S ? part : DAY_S;

	if (view->not_before > now && view->not_before - now < wait)
		wait = view->not_before - now;
	return wait;
}

/* A renewal that this clock takes for not valid yet, or for expired, would be issued and rejected
 * at each run. */
static void come_back(struct est_client *c, struct est_span der, struct est_error *err)
{
	const int64_t now = time(NULL);
	struct est_error ignored;
	struct cert_view view;

	if (!c->pending || err->code != EST_E_REJECTED ||
		(!est_has_reason(err, "not-yet-valid") && !est_has_reason(err, "expired")) ||
		cert_view(der, "", &view, &ignored) != EST_OK)
		return;
	pending_told(c->pending, wait_for_clock(&view, now));
	est_hint(err,
		"is this clock right? so that not each run asks for one, the next is to wait");
}

/* The CA may have other ideas (RFC 7030 section 4.2.3); the operator learns of them. */
static void note_changed_names(const struct est_client *c, const struct csr_view *csr,
	const struct est_certs *chain)
{
	struct est_span asked = { 0 }, given = { 0 };
	struct est_error ignored;
	struct cert_view cert;

	if (cert_view(est_certs_get(chain, 0), "", &cert, &ignored) != EST_OK)
		return;
	if (!est_span_eq(csr->subject, cert.subject))
		client_log(c, EST_LOG_NOTICE,
			"the CA has issued another subject than the request has");
	(void)cert_find_extension(csr->extensions, CERT_OID_SAN, NULL, &asked);
	(void)cert_extension(&cert, CERT_OID_SAN, NULL, &given);
	if (!est_span_eq(asked, given))
		client_log(c, EST_LOG_NOTICE,
			"the CA has issued another subjectAltName than the request has");
}

enum est_code est_enroll(struct est_client *c, const struct est_enrollment *ask,
	struct est_issued *out, bool *maybe_issued, struct est_error *err)
{
	const struct operation *op = ask->operation == EST_SIMPLEREENROLL
					     ? &operation_simplereenroll
					     : &operation_simpleenroll;
	struct est_certs *certs = NULL;
	struct linking post = { 0 };
	struct csr_view view;
	enum est_code rc;
	size_t index = 0;

	if (c->paused_ms)
		c->deadline.end_ms += deadline_now_ms() - c->paused_ms;
	c->paused_ms = 0;
	c->pending = ask->pending;
	rc = csr_view(ask->csr, "the request", &view, err);
	if (rc == EST_OK)
		rc = linking_begin(c, ask, &view, &post, err);
	if (rc == EST_OK) {
		rc = fetch_certs(c, op, &post, maybe_issued, &certs, err);
		if (rc != EST_OK)
			linking_explain(&post, err);
	}
	if (rc == EST_OK)
		rc = check_pick(certs, view.spki, &index, err);
	if (rc == EST_OK && est_certs_count(certs) > 1)
		rc = quirk_note(&c->quirks, EST_Q_EXTRA_CERTS, op->name, err);
	if (rc == EST_OK)
		rc = check_with_cacerts(c, certs, index, &out->chain, err);
	if (rc == EST_E_REJECTED && op == &operation_simplereenroll)
		come_back(c, est_certs_get(certs, index), err);
	if (rc == EST_OK)
		note_changed_names(c, &view, out->chain);
	est_certs_free(certs);
	linking_wipe(&post);
	c->pending = NULL;
	return rc;
}

void est_issued_wipe(struct est_issued *issued)
{
	est_certs_free(issued->chain);
	*issued = (struct est_issued){ 0 };
}

/* SPDX-License-Identifier: MIT */
/* From no trust anchor to the CA's own (RFC 7030 section 4.1.1). */
#include <stdlib.h>
#include <string.h>

#include "anchors.h"
#include "certs.h"
#include "exchange.h"
#include "fingerprint.h"

#define FINGERPRINTS_MAX 64 /* --ca-fingerprint */

struct bootstrap {
	struct est_client *client;
	struct fingerprint fingerprints[FINGERPRINTS_MAX];
	size_t n_fingerprints;
	est_accept_fn *accept;
	void *ctx;
};

static enum est_code parse_fingerprints(struct bootstrap *b, const char *const *texts,
	struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (; rc == EST_OK && texts && *texts; texts++) {
		if (b->n_fingerprints == FINGERPRINTS_MAX)
			return est_fail(err, EST_E_USAGE,
				"--ca-fingerprint: given more than %d times", FINGERPRINTS_MAX);
		rc = fingerprint_parse(*texts, &b->fingerprints[b->n_fingerprints++], err);
	}
	if (rc == EST_OK && b->n_fingerprints == 0 && !b->accept) {
		est_fail(err, EST_E_UNTRUSTED,
			"nothing to recognise the CA by: neither a fingerprint nor somebody to ask "
			"(RFC 7030 section 4.1.1)");
		est_reason(err, "no-fingerprint");
		return est_hint(err, "give --ca-fingerprint sha256:HEX, of the root certificate");
	}
	return rc;
}

/* The answer as it came, of a server that nothing vouches for.  The connection carries this one
 * request and is closed, whatever happens. */
static enum est_code fetch(struct est_client *c, struct est_certs **out, struct est_error *err)
{
	const struct http_limits limits = { c->config.max_size, &c->quirks };
	const struct operation *op = &operation_cacerts;
	struct http_response response = { 0 };
	struct provisional *p = NULL;
	enum est_code rc;

	rc = provisional_open(&c->params, &c->deadline, &p, err);
	if (rc != EST_OK)
		return rc;
	c->info.connections++;
	client_log(c, EST_LOG_INFO, "connected to %s, %s, which nothing vouches for yet",
		provisional_address(p), provisional_description(p));
	rc = http_provisional_cacerts(p, &c->url, &limits, &c->deadline, &response, err);
	provisional_close(p);
	if (rc == EST_OK)
		rc = client_certs(c, op, &response, out, err);
	if (rc == EST_E_AUTH)
		est_hint(err, "before the server is known no password and no token is given to it "
			      "(RFC 7030 section 4.1.1)");
	http_response_wipe(&response);
	return rc;
}

/* EST_OK for a root that can be an anchor now. */
static enum est_code check_root(struct est_span der, struct est_error *err)
{
	time_t now = time(NULL);
	struct cert_view view;
	enum est_code rc;

	rc = cert_view(der, "the root certificate", &view, err);
	if (rc != EST_OK || anchors_is_timely(&view, now))
		return rc;
	est_fail(err, EST_E_UNTRUSTED, "the root certificate of the CA %s by the local clock",
		now < view.not_before ? "is not valid yet" : "has expired");
	return est_reason(err, now < view.not_before ? "not-yet-valid" : "expired");
}

/* Each root with one of the fingerprints. */
static enum est_code accept_by_fingerprint(const struct bootstrap *b, const struct est_certs *bag,
	struct est_certs *anchors, struct est_error *err)
{
	enum est_code rc = EST_OK;
	struct cert_view view;
	struct est_span der;
	bool match = false;

	for (size_t i = 0; rc == EST_OK && i < est_certs_count(bag); i++) {
		der = est_certs_get(bag, i);
		match = false;
		for (size_t k = 0; rc == EST_OK && !match && k < b->n_fingerprints; k++)
			rc = fingerprint_match(&b->fingerprints[k], der, &match, err);
		if (rc == EST_OK && match)
			rc = cert_view(der, "the certificate with that fingerprint", &view, err);
		if (rc != EST_OK || !match || !anchors_is_root(&view))
			continue;
		rc = check_root(der, err);
		if (rc == EST_OK)
			rc = certs_add(anchors, der, true, NULL, err);
	}
	if (rc != EST_OK || est_certs_count(anchors) > 0)
		return rc;
	est_fail(err, EST_E_UNTRUSTED,
		"no root certificate of the answer (%zu certificates) has a fingerprint that was "
		"given with --ca-fingerprint",
		est_certs_count(bag));
	est_reason(err, "fingerprint");
	return est_hint(err, "this may be another server than the one you mean, or another CA");
}

/* The current root, for somebody to look at. */
static enum est_code accept_by_somebody(const struct bootstrap *b, const struct est_certs *bag,
	struct est_certs *anchors, struct est_error *err)
{
	struct est_span der;
	enum est_code rc;
	size_t index;

	rc = anchors_current(bag, 0, &b->client->deadline, &index, err);
	if (rc != EST_OK)
		return rc;
	if (index == est_certs_count(bag)) {
		est_fail(err, EST_E_PROTOCOL,
			"cacerts: no root certificate that could be trusted is in the answer");
		return est_reason(err, "no-root");
	}
	der = est_certs_get(bag, index);
	rc = check_root(der, err);
	if (rc == EST_OK)
		rc = b->accept(b->ctx, der, err);
	return rc == EST_OK ? certs_add(anchors, der, true, NULL, err) : rc;
}

static void note_strays(const struct est_client *c, const struct est_anchors *sorted)
{
	size_t n = est_certs_count(sorted->strays);

	if (n > 0)
		client_log(c, EST_LOG_NOTICE,
			"%zu of the certificates in the answer do not lead to an accepted root and "
			"are dropped (RFC 7030 section 4.1.3)",
			n);
}

/* Nothing of the first connection lives on: whoever is there now must prove to be of this CA. */
static enum est_code prove(struct est_client *c, const struct est_anchors *sorted,
	struct est_error *err)
{
	enum est_code rc = trust_add_helpers(c->trust, sorted->intermediates, err);

	if (rc == EST_OK)
		rc = client_connect(c, err);
	if (rc == EST_E_UNTRUSTED)
		est_hint(err, "the root is the right one, but this server does not prove to belong "
			      "to it; nothing was written");
	return rc;
}

enum est_code est_bootstrap(struct est_client *c, const char *const *fingerprints,
	est_accept_fn *accept, void *ctx, struct est_anchors *out, struct est_error *err)
{
	struct bootstrap b = { .client = c, .accept = accept, .ctx = ctx };
	struct est_anchors sorted = { 0 };
	struct est_certs *bag = NULL;
	enum est_code rc;

	rc = parse_fingerprints(&b, fingerprints, err);
	if (rc == EST_OK && c->trust)
		rc = est_fail(err, EST_E_USAGE, "there are trust anchors already");
	if (rc != EST_OK)
		return rc;
	c->deadline = deadline_start(c->config.max_time_ms, c->config.stop);
	c->started = true;
	c->params.target.host = c->url.host;
	c->params.target.port = c->url.port;
	rc = fetch(c, &bag, err);
	if (rc == EST_OK)
		rc = anchors_require_root(NULL, bag, &c->deadline, err);
	if (rc == EST_OK)
		rc = certs_new(&sorted.anchors, err);
	if (rc == EST_OK && b.n_fingerprints > 0)
		rc = accept_by_fingerprint(&b, bag, sorted.anchors, err);
	else if (rc == EST_OK) {
		rc = accept_by_somebody(&b, bag, sorted.anchors, err);
		/* People take their time. */
		c->deadline = deadline_start(c->config.max_time_ms, c->config.stop);
	}
	if (rc == EST_OK)
		rc = trust_from(sorted.anchors, &c->trust, err);
	c->params.trust = c->trust;
	if (rc == EST_OK)
		trust_set_crls(c->trust, c->crls);
	if (rc == EST_OK)
		rc = anchors_sort(c->trust, bag, &c->deadline, &sorted, err);
	if (rc == EST_OK)
		note_strays(c, &sorted);
	if (rc == EST_OK)
		rc = prove(c, &sorted, err);
	est_certs_free(bag);
	if (rc != EST_OK) { /* what was accepted without proof is forgotten */
		trust_free(c->trust);
		c->trust = NULL;
		c->params.trust = NULL;
		est_anchors_wipe(&sorted);
		return rc;
	}
	*out = sorted;
	return EST_OK;
}

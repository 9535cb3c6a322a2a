/* SPDX-License-Identifier: MIT */
/* Stored anchors and what has become of them (RFC 7030 section 4.1.3). */
#include <stdlib.h>

#include "certs.h"
#include "exchange.h"
#include "rollover.h"

/* The anchors as the notes have them now. */
static enum est_code collect(struct est_update *u, struct est_error *err)
{
	enum est_code rc;

	est_certs_free(u->certs.anchors);
	u->certs.anchors = NULL;
	rc = certs_new(&u->certs.anchors, err);
	for (size_t i = 0; rc == EST_OK && i < u->n_notes; i++) {
		if (u->notes[i].change != EST_ANCHOR_REMOVED)
			rc = certs_add(u->certs.anchors, u->notes[i].cert, true, NULL, err);
	}
	return rc;
}

static bool removes_any(const struct est_update *u)
{
	for (size_t i = 0; i < u->n_notes; i++) {
		if (u->notes[i].change == EST_ANCHOR_REMOVED)
			return true;
	}
	return false;
}

/* The client trusts these from now on; its session was verified by others. */
static enum est_code adopt(struct est_client *c, const struct est_update *u, struct est_error *err)
{
	struct trust *trust = NULL;
	enum est_code rc = trust_from(u->certs.anchors, &trust, err);

	if (rc != EST_OK)
		return rc;
	trust_set_crls(trust, c->crls);
	client_disconnect(c);
	trust_free(c->trust);
	c->trust = c->params.trust = trust;
	return EST_OK;
}

/* A device must not lose the anchor that its server still needs. */
static enum est_code remove_safely(struct est_client *c, struct est_update *u,
	struct est_error *err)
{
	struct est_error why = { 0 };
	enum est_code rc;

	rc = client_connect(c, &why);
	if (rc != EST_E_UNTRUSTED) {
		*err = why;
		return rc;
	}
	for (size_t i = 0; i < u->n_notes; i++) {
		if (u->notes[i].change != EST_ANCHOR_REMOVED)
			continue;
		u->notes[i].change = EST_ANCHOR_KEPT;
		u->notes[i].why = "the server cannot be verified without it";
	}
	rc = collect(u, err);
	return rc == EST_OK ? adopt(c, u, err) : rc;
}

static void log_kinds(const struct est_client *c, const struct est_certs *bag)
{
	enum rollover_kind *kinds = calloc(est_certs_count(bag) + 1, sizeof(*kinds));
	struct est_cert_info info;
	struct est_error ignored;

	if (!kinds || !c->config.log) {
		free(kinds);
		return;
	}
	rollover_classify(bag, &c->deadline, kinds);
	for (size_t i = 0; i < est_certs_count(bag); i++) {
		if (kinds[i] == ROLLOVER_NONE ||
			est_cert_words(est_certs_get(bag, i), &info, &ignored) != EST_OK)
			continue;
		client_log(c, EST_LOG_INFO, "%s: %s, sha256 %s", rollover_kind_name(kinds[i]),
			info.subject, info.sha256);
		est_cert_info_wipe(&info);
	}
	free(kinds);
}

enum est_code est_update_anchors(struct est_client *c, struct est_update *out,
	struct est_error *err)
{
	struct est_update update = { 0 };
	struct est_certs *bag = NULL;
	enum est_code rc;

	if (!c->trust || est_certs_count(trust_anchors(c->trust)) == 0 || c->config.system_trust)
		return est_fail(err, EST_E_USAGE,
			"an update starts from stored anchors, and from these alone");
	rc = est_cacerts(c, &bag, err);
	if (rc == EST_E_UNTRUSTED && est_has_reason(err, "unknown-ca"))
		est_hint(err, "if the CA has changed its root, bootstrap again: est cacerts "
			      "--bootstrap --ca-fingerprint");
	if (rc != EST_OK)
		return rc;
	log_kinds(c, bag);
	rc = rollover_plan(trust_anchors(c->trust), bag, c->crls, time(NULL), &c->deadline, &update,
		err);
	if (rc == EST_OK)
		rc = collect(&update, err);
	if (rc == EST_OK)
		rc = adopt(c, &update, err);
	if (rc == EST_OK && removes_any(&update))
		rc = remove_safely(c, &update, err);
	if (rc == EST_OK)
		rc = anchors_sort(c->trust, bag, &c->deadline, &update.certs, err);
	if (rc == EST_OK)
		rc = trust_add_helpers(c->trust, update.certs.intermediates, err);
	est_certs_free(bag);
	if (rc == EST_OK)
		*out = update;
	else
		est_update_wipe(&update);
	return rc;
}

enum est_code est_find_strays(struct est_client *c, const struct est_certs *certs,
	struct est_certs **out, struct est_error *err)
{
	struct est_anchors sorted = { 0 };
	struct trust *trust = NULL;
	enum est_code rc;
	size_t index;

	rc = certs_new(&sorted.anchors, err);
	if (rc == EST_OK)
		rc = anchors_current(certs, time(NULL), &c->deadline, &index, err);
	if (rc == EST_OK && index < est_certs_count(certs))
		rc = certs_add(sorted.anchors, est_certs_get(certs, index), true, NULL, err);
	for (size_t i = 0; rc == EST_OK && i < est_certs_count(trust_anchors(c->trust)); i++)
		rc = certs_add(sorted.anchors, est_certs_get(trust_anchors(c->trust), i), true,
			NULL, err);
	if (rc == EST_OK)
		rc = trust_from(sorted.anchors, &trust, err);
	if (rc == EST_OK)
		rc = anchors_sort(trust, certs, &c->deadline, &sorted, err);
	if (rc == EST_OK) {
		*out = sorted.strays;
		sorted.strays = NULL;
	}
	trust_free(trust);
	est_anchors_wipe(&sorted);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* A new root is believed because an old one says so, never because it came along. */
#include "rollover.h"

#include <stdlib.h>
#include <string.h>

#include "certs.h"

/* Signatures that one answer may cost; each is of a certificate with the right name and key. */
#define SIGNATURES_MAX 256
#define ADDED_MAX      16 /* roots that one answer may add */

struct plan {
	const struct est_certs *bag;
	struct cert_view *views; /* of the bag; der.n 0: cannot be read */
	size_t n;
	const struct crls *crls; /* NULL: none were given */
	time_t now;
	const struct deadline *deadline;
	unsigned signatures;
	struct est_error revoked; /* what a CRL has against a link certificate */
	struct est_update *update;
};

const char *rollover_kind_name(enum rollover_kind kind)
{
	switch (kind) {
	case ROLLOVER_NONE:
		return "none";
	case ROLLOVER_NEW_WITH_NEW:
		return "NewWithNew";
	case ROLLOVER_OLD_WITH_OLD:
		return "OldWithOld";
	case ROLLOVER_NEW_WITH_OLD:
		return "NewWithOld";
	case ROLLOVER_OLD_WITH_NEW:
		return "OldWithNew";
	}
	return "none";
}

/* Zeros where a certificate cannot be read; NULL: no memory. */
static struct cert_view *view_all(const struct est_certs *certs)
{
	size_t n = est_certs_count(certs);
	struct cert_view *views = calloc(n ? n : 1, sizeof(*views));
	struct est_error ignored;

	for (size_t i = 0; views && i < n; i++) {
		if (cert_view(est_certs_get(certs, i), "", &views[i], &ignored) != EST_OK)
			views[i] = (struct cert_view){ 0 };
	}
	return views;
}

/* A certificate that is no root: whose key, and whose signature? */
static enum rollover_kind link_kind(const struct cert_view *views, size_t n,
	const enum rollover_kind *kinds, const struct cert_view *cert, const struct cert_view *next,
	unsigned *left)
{
	bool is_new = est_span_eq(cert->spki, next->spki);

	for (size_t i = 0; i<n && * left> 0; i++) {
		if (kinds[i] != ROLLOVER_OLD_WITH_OLD)
			continue;
		if (is_new && est_span_eq(cert->issuer, views[i].subject) &&
			((*left)--, cert_signed_by(cert, &views[i])))
			return ROLLOVER_NEW_WITH_OLD;
		if (!is_new && est_span_eq(cert->spki, views[i].spki) &&
			est_span_eq(cert->issuer, next->subject) &&
			((*left)--, cert_signed_by(cert, next)))
			return ROLLOVER_OLD_WITH_NEW;
	}
	return ROLLOVER_NONE;
}

void rollover_classify(const struct est_certs *bag, const struct deadline *deadline,
	enum rollover_kind *out)
{
	struct cert_view *views = view_all(bag);
	size_t n = est_certs_count(bag), next;
	unsigned left = SIGNATURES_MAX;
	struct est_error ignored;

	memset(out, 0, n * sizeof(*out));
	if (!views || anchors_current(bag, 0, deadline, &next, &ignored) != EST_OK || next == n) {
		free(views);
		return;
	}
	for (size_t i = 0; i < n && left > 0; i++) {
		if (i == next)
			out[i] = ROLLOVER_NEW_WITH_NEW;
		else if (cert_is_self_issued(&views[i]) && cert_is_ca(&views[i], NULL) &&
			 left-- > 0 && cert_verifies_itself(&views[i]))
			out[i] = ROLLOVER_OLD_WITH_OLD;
	}
	for (size_t i = 0; i < n && left > 0; i++) {
		if (out[i] == ROLLOVER_NONE && views[i].der.n > 0)
			out[i] = link_kind(views, n, out, &views[i], &views[next], &left);
	}
	free(views);
}

static enum est_code note(struct plan *p, struct est_span cert, enum est_anchor_change change,
	const char *why, struct est_error *err)
{
	struct est_update *u = p->update;
	struct est_anchor_note *notes;
	enum est_code rc;

	rc = certs_add(u->all, cert, false, NULL, err);
	notes = realloc(u->notes, (u->n_notes + 1) * sizeof(*notes));
	if (rc == EST_OK && !notes)
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	if (notes)
		u->notes = notes;
	if (rc != EST_OK)
		return rc;
	notes[u->n_notes] = (struct est_anchor_note){
		.cert = est_certs_get(u->all, u->n_notes),
		.change = change,
		.why = why,
	};
	u->n_notes++;
	return EST_OK;
}

/* A whole path of one: signature, dates, CA bit, strength. */
static bool valid_under(struct plan *p, struct est_span cert, struct est_span anchor)
{
	struct trust_query query = { .certs = &cert, .n = 1, .what = "link certificate" };
	struct est_certs *one = NULL;
	struct trust_answer answer;
	struct trust *trust = NULL;
	struct est_error why = { 0 };
	bool valid;

	if (p->signatures == SIGNATURES_MAX)
		return false;
	p->signatures++;
	valid = certs_new(&one, &why) == EST_OK &&
		certs_add(one, anchor, false, NULL, &why) == EST_OK &&
		trust_from(one, &trust, &why) == EST_OK;
	if (valid) {
		trust_set_crls(trust, p->crls);
		valid = trust_verify(trust, &query, &answer, &why) == EST_OK;
	}
	if (why.reason &&
		(strcmp(why.reason, "revoked") == 0 || strcmp(why.reason, "crl-stale") == 0))
		p->revoked = why;
	trust_free(trust);
	est_certs_free(one);
	return valid;
}

/* Why an anchor vouches for the root; NULL: it does not. */
static const char *vouches(struct plan *p, const struct cert_view *anchor,
	const struct cert_view *root)
{
	const struct cert_view *link;

	if (!anchors_is_timely(anchor, p->now))
		return NULL;
	if (est_span_eq(anchor->spki, root->spki) && est_span_eq(anchor->subject, root->subject))
		return "key and name of a stored anchor";
	for (size_t i = 0; i < p->n; i++) {
		link = &p->views[i];
		/* R4210-4.4-02, each of its conditions. */
		if (link->der.n > 0 && est_span_eq(link->spki, root->spki) &&
			est_span_eq(link->subject, root->subject) &&
			est_span_eq(link->issuer, anchor->subject) &&
			!est_span_eq(link->der, root->der) && cert_is_ca(link, NULL) &&
			anchors_is_timely(link, p->now) && valid_under(p, link->der, anchor->der))
			return "NewWithOld is signed with the key of an anchor";
	}
	return NULL;
}

static bool is_noted(const struct est_update *u, struct est_span cert)
{
	for (size_t i = 0; i < u->n_notes; i++) {
		if (est_span_eq(u->notes[i].cert, cert))
			return true;
	}
	return false;
}

/* Adds each root of the bag that an anchor vouches for, then those that these vouch for. */
static enum est_code take_roots(struct plan *p, struct est_error *err)
{
	struct est_update *u = p->update;
	enum est_code rc = EST_OK;
	struct est_error ignored;
	struct cert_view anchor;
	const size_t held = u->n_notes;
	const char *why;

	/* The list grows while it is walked. */
	for (size_t a = 0; rc == EST_OK && a < u->n_notes; a++) {
		if (cert_view(u->notes[a].cert, "", &anchor, &ignored) != EST_OK)
			continue;
		for (size_t i = 0; rc == EST_OK && i < p->n; i++) {
			if (u->n_notes - held == ADDED_MAX || p->views[i].der.n == 0 ||
				!cert_is_self_issued(&p->views[i]) ||
				!anchors_is_timely(&p->views[i], p->now) ||
				is_noted(u, p->views[i].der))
				continue;
			rc = anchors_in_time(p->deadline, err);
			why = rc == EST_OK ? vouches(p, &anchor, &p->views[i]) : NULL;
			if (why && anchors_is_root(&p->views[i]))
				rc = note(p, p->views[i].der, EST_ANCHOR_ADDED, why, err);
		}
	}
	return rc;
}

/* The CA has another root of the same name, and nothing of this one's key is in the answer: neither
 * itself nor a link certificate of it or by it. */
static bool is_retired(struct plan *p, const struct cert_view *anchor)
{
	bool successor = false;

	for (size_t i = 0; i < p->n; i++) {
		const struct cert_view *v = &p->views[i];

		if (v->der.n == 0)
			continue;
		if (est_span_eq(v->spki, anchor->spki) || p->signatures == SIGNATURES_MAX)
			return false;
		if (is_noted(p->update, v->der) && est_span_eq(v->subject, anchor->subject))
			successor = true;
		else if (est_span_eq(v->issuer, anchor->subject) &&
			 (p->signatures++, cert_signed_by(v, anchor)))
			return false;
	}
	return successor;
}

static enum est_code drop_anchors(struct plan *p, struct est_error *err)
{
	struct est_update *u = p->update;
	struct cert_view anchor;
	size_t valid = 0;
	enum est_code rc;
	bool expired;

	for (size_t i = 0; i < u->n_notes; i++) {
		rc = cert_view(u->notes[i].cert, "a stored anchor", &anchor, err);
		if (rc != EST_OK)
			return rc;
		valid += anchors_is_timely(&anchor, p->now);
	}
	for (size_t i = 0; i < u->n_notes; i++) {
		if (u->notes[i].change != EST_ANCHOR_KEPT ||
			cert_view(u->notes[i].cert, "", &anchor, err) != EST_OK)
			continue;
		expired = p->now > anchor.not_after;
		if (expired && valid > 0) {
			u->notes[i].change = EST_ANCHOR_REMOVED;
			u->notes[i].why = "expired";
		} else if (!expired && valid > 1 && is_retired(p, &anchor)) {
			u->notes[i].change = EST_ANCHOR_REMOVED;
			u->notes[i].why = "retired: the CA does not name it any more";
			valid -= anchors_is_timely(&anchor, p->now);
		}
	}
	return EST_OK;
}

/* RFC 7030 section 4.1.3: the current root is the self-signed one with the latest notAfter. */
static enum est_code check_current(struct plan *p, struct est_error *err)
{
	struct est_cert_info info;
	enum est_code rc;
	size_t index;

	rc = anchors_current(p->bag, p->now, p->deadline, &index, err);
	if (rc != EST_OK)
		return rc;
	if (index == p->n) {
		est_fail(err, EST_E_UNTRUSTED,
			"no root certificate in the answer is valid by the local clock");
		return est_reason(err, "expired");
	}
	if (is_noted(p->update, est_certs_get(p->bag, index)))
		return EST_OK;
	if (p->revoked.code != EST_OK) {
		*err = p->revoked;
		return err->code;
	}
	rc = est_cert_words(est_certs_get(p->bag, index), &info, err);
	if (rc != EST_OK)
		return rc;
	est_fail(err, EST_E_UNTRUSTED,
		"no stored anchor vouches for the current root certificate of the CA, %s (sha256 "
		"%s): a NewWithOld certificate is due (RFC 4210 section 4.4)",
		info.subject, info.sha256);
	est_cert_info_wipe(&info);
	est_reason(err, "not-vouched");
	return est_hint(err,
		"if this CA is the right one, bootstrap again: est cacerts --bootstrap "
		"--ca-fingerprint with a fingerprint that came another way");
}

enum est_code rollover_plan(const struct est_certs *held, const struct est_certs *bag,
	const struct crls *crls, time_t now, const struct deadline *deadline,
	struct est_update *out, struct est_error *err)
{
	struct est_update update = { 0 };
	struct plan p = {
		.bag = bag,
		.n = est_certs_count(bag),
		.crls = crls,
		.now = now,
		.deadline = deadline,
		.update = &update,
	};
	enum est_code rc;

	p.views = view_all(bag);
	rc = p.views ? certs_new(&update.all, err) : est_fail(err, EST_E_INTERNAL, "out of memory");
	for (size_t i = 0; rc == EST_OK && i < est_certs_count(held); i++)
		rc = note(&p, est_certs_get(held, i), EST_ANCHOR_KEPT, "stored", err);
	if (rc == EST_OK)
		rc = take_roots(&p, err);
	if (rc == EST_OK)
		rc = check_current(&p, err);
	if (rc == EST_OK)
		rc = drop_anchors(&p, err);
	free(p.views);
	if (rc == EST_OK)
		*out = update;
	else
		est_update_wipe(&update);
	return rc;
}

void est_update_wipe(struct est_update *update)
{
	est_anchors_wipe(&update->certs);
	est_certs_free(update->all);
	free(update->notes);
	*update = (struct est_update){ 0 };
}

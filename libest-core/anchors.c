/* SPDX-License-Identifier: MIT */
/* Sorts what /cacerts answers. */
#include "anchors.h"

#include <stdlib.h>
#include <string.h>

#include "certs.h"

bool anchors_is_root(const struct cert_view *view)
{
	return cert_is_self_issued(view) && cert_is_ca(view, NULL) && cert_verifies_itself(view);
}

bool anchors_is_timely(const struct cert_view *view, time_t now)
{
	return now >= view->not_before && now <= view->not_after;
}

static bool has(const struct est_certs *certs, struct est_span der)
{
	for (size_t i = 0; certs && i < est_certs_count(certs); i++) {
		if (est_span_eq(est_certs_get(certs, i), der))
			return true;
	}
	return false;
}

enum est_code anchors_in_time(const struct deadline *deadline, struct est_error *err)
{
	return deadline_check(deadline, "while the certificates of the answer were checked", err);
}

enum est_code anchors_current(const struct est_certs *bag, time_t now,
	const struct deadline *deadline, size_t *index, struct est_error *err)
{
	size_t n = est_certs_count(bag), found = n;
	enum est_code rc = EST_OK;
	struct est_error ignored;
	struct cert_view view;
	time_t latest = 0;

	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		rc = anchors_in_time(deadline, err);
		if (rc != EST_OK ||
			cert_view(est_certs_get(bag, i), "", &view, &ignored) != EST_OK ||
			(found < n && view.not_after <= latest) ||
			(now && !anchors_is_timely(&view, now)) || !anchors_is_root(&view))
			continue;
		found = i;
		latest = view.not_after;
	}
	if (rc == EST_OK)
		*index = found;
	return rc;
}

enum est_code anchors_require_root(const struct trust *trust, const struct est_certs *bag,
	const struct deadline *deadline, struct est_error *err)
{
	struct est_error ignored;
	struct cert_view view;
	enum est_code rc;

	for (size_t i = 0; i < est_certs_count(bag); i++) {
		if (cert_view(est_certs_get(bag, i), "", &view, &ignored) != EST_OK ||
			!cert_is_self_issued(&view))
			continue;
		rc = anchors_in_time(deadline, err);
		if (rc != EST_OK)
			return rc;
		/* The signature of what is known is not verified. */
		if ((trust && trust_is_anchor(trust, view.der)) || cert_is_root(&view))
			return EST_OK;
	}
	est_fail(err, EST_E_PROTOCOL,
		"cacerts: no self-signed certificate among the %zu; the current root must be there "
		"(RFC 7030 section 4.1.3)",
		est_certs_count(bag));
	return est_reason(err, "no-root");
}

/* What may stand in a path below an anchor. */
static bool can_issue(struct est_span der)
{
	struct est_error ignored;
	struct cert_view view;

	return cert_view(der, "", &view, &ignored) == EST_OK && cert_is_ca(&view, NULL) &&
	       !cert_is_root(&view);
}

enum est_code anchors_sort(struct trust *trust, const struct est_certs *bag,
	const struct deadline *deadline, struct est_anchors *out, struct est_error *err)
{
	size_t n = est_certs_count(bag);
	struct trust_query query = { .deadline = deadline, .what = "certificate of the answer" };
	struct est_span *chain = calloc(n + 1, sizeof(*chain)), der;
	struct trust_answer answer;
	struct est_error why;
	enum est_code rc;

	if (!chain)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	query.certs = chain;
	query.n = 1;
	rc = certs_new(&out->intermediates, err);
	if (rc == EST_OK)
		rc = certs_new(&out->strays, err);
	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		rc = anchors_in_time(deadline, err);
		if (rc == EST_OK && can_issue(est_certs_get(bag, i)))
			chain[query.n++] = est_certs_get(bag, i);
	}
	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		der = chain[0] = est_certs_get(bag, i);
		if (has(out->anchors, der))
			continue;
		rc = anchors_in_time(deadline, err);
		if (rc != EST_OK)
			break;
		rc = trust_verify(trust, &query, &answer, &why);
		if (rc == EST_E_INTERNAL)
			*err = why;
		else
			rc = certs_add(rc == EST_OK ? out->intermediates : out->strays, der, true,
				NULL, err);
	}
	free(chain);
	return rc;
}

void est_anchors_wipe(struct est_anchors *anchors)
{
	est_certs_free(anchors->anchors);
	est_certs_free(anchors->intermediates);
	est_certs_free(anchors->strays);
	*anchors = (struct est_anchors){ 0 };
}

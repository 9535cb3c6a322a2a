/* SPDX-License-Identifier: MIT */
/* Checks on what the CA has issued, before anything is written. */
#include "check.h"

#include <stdlib.h>

#include "cert.h"
#include "certs.h"

#define SKEW_S (30 * 60) /* between the CA's clock and ours */

enum est_code check_pick(const struct est_certs *certs, struct est_span spki, size_t *index,
	struct est_error *err)
{
	size_t n = est_certs_count(certs);
	struct cert_view view;
	enum est_code rc;

	for (size_t i = 0; i < n; i++) {
		rc = cert_view(est_certs_get(certs, i), "certificate in the answer", &view, err);
		if (rc != EST_OK)
			return rc;
		if (est_span_eq(view.spki, spki)) {
			*index = i;
			return EST_OK;
		}
	}
	est_fail(err, EST_E_REJECTED,
		"the certificate issued is for another public key than the request's "
		"(%zu in the answer)",
		n);
	return est_reason(err, "wrong-key");
}

/* Everything that may help to build the path, the certificate in question first. */
static enum est_code gather(const struct est_certs *certs, size_t index,
	const struct est_certs *more, struct est_span **out, size_t *n, struct est_error *err)
{
	size_t n_certs = est_certs_count(certs), n_more = more ? est_certs_count(more) : 0;
	struct est_span *all = calloc(n_certs + n_more, sizeof(*all));

	if (!all)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	*n = 0;
	all[(*n)++] = est_certs_get(certs, index);
	for (size_t i = 0; i < n_certs; i++) {
		if (i != index)
			all[(*n)++] = est_certs_get(certs, i);
	}
	for (size_t i = 0; i < n_more; i++)
		all[(*n)++] = est_certs_get(more, i);
	*out = all;
	return EST_OK;
}

static enum est_code make_chain(const struct trust_answer *answer, struct est_certs **out,
	struct est_error *err)
{
	struct est_certs *chain = NULL;
	enum est_code rc;

	rc = certs_new(&chain, err);
	for (size_t i = 0; rc == EST_OK && i < answer->n; i++)
		rc = certs_add(chain, answer->path[i], false, NULL, err);
	if (rc == EST_OK)
		*out = chain;
	else
		est_certs_free(chain);
	return rc;
}

/* A refusal here is about the certificate, not about the server. */
static enum est_code rejected(struct est_error *err)
{
	err->code = EST_E_REJECTED;
	if (est_has_reason(err, "unknown-ca"))
		est_hint(err, "is the CA's root among the --cacert files? est cacerts fetches it");
	return EST_E_REJECTED;
}

enum est_code check_issued(struct trust *trust, const struct est_certs *certs, size_t index,
	const struct est_certs *more, struct est_certs **chain, struct est_error *err)
{
	struct est_span der = est_certs_get(certs, index);
	struct trust_query query = { .skew_s = SKEW_S, .what = "the certificate issued" };
	struct est_span *all = NULL;
	struct trust_answer answer;
	struct cert_view view;
	enum est_code rc;

	rc = cert_view(der, query.what, &view, err);
	if (rc != EST_OK)
		return rc;
	if (cert_is_ca(&view, NULL)) {
		est_fail(err, EST_E_REJECTED,
			"the certificate issued is a CA certificate, and none was asked for");
		return est_reason(err, "is-ca");
	}
	rc = gather(certs, index, more, &all, &query.n, err);
	if (rc == EST_OK) {
		query.certs = all;
		rc = trust_verify(trust, &query, &answer, err);
	}
	if (rc == EST_E_UNTRUSTED)
		rc = rejected(err);
	if (rc == EST_OK)
		rc = make_chain(&answer, chain, err);
	free(all);
	return rc;
}

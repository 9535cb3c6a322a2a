/* SPDX-License-Identifier: MIT */
/* Checks on what the CA has issued, before anything is written. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "cert.h"
#include "certs.h"

#define SKEW_S (30 * 60) /* between the CA's clock and ours */

enum est_code check_pick(
	const struct est_certs *certs, struct est_span spki, size_t *index, struct est_error *err)
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

struct pool {
	gnutls_x509_crt_t *certs;
	size_t n;
};

static void pool_free(struct pool *pool)
{
	for (size_t i = 0; i < pool->n; i++)
		gnutls_x509_crt_deinit(pool->certs[i]);
	free(pool->certs);
}

static enum est_code pool_add(
	struct pool *pool, const struct est_certs *certs, size_t skip, struct est_error *err)
{
	size_t n = est_certs_count(certs);
	gnutls_x509_crt_t *grown;
	enum est_code rc = EST_OK;

	grown = realloc(pool->certs, (pool->n + n + 1) * sizeof(*grown));
	if (!grown)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	pool->certs = grown;
	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		if (i == skip)
			continue;
		rc = trust_import(est_certs_get(certs, i), "certificate in the answer",
			&pool->certs[pool->n], err);
		if (rc == EST_OK)
			pool->n++;
	}
	return rc;
}

static enum est_code make_chain(
	const struct trust_answer *answer, struct est_certs **out, struct est_error *err)
{
	struct est_certs *chain = NULL;
	gnutls_datum_t der = { 0 };
	enum est_code rc;

	rc = certs_new(&chain, err);
	for (size_t i = 0; rc == EST_OK && i < answer->n; i++) {
		if (i > 0 && gnutls_x509_crt_check_issuer(answer->path[i], answer->path[i]))
			break; /* the root is the reader's own */
		if (gnutls_x509_crt_export2(answer->path[i], GNUTLS_X509_FMT_DER, &der) < 0)
			rc = est_fail(err, EST_E_INTERNAL, "out of memory");
		else
			rc = certs_add(
				chain, (struct est_span){ der.data, der.size }, false, NULL, err);
		gnutls_free(der.data);
		der.data = NULL;
	}
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
	if (err->reason && strcmp(err->reason, "unknown-ca") == 0)
		est_hint(err, "is the CA's root among the --cacert files? est cacerts fetches it");
	return EST_E_REJECTED;
}

enum est_code check_issued(struct trust *trust, const struct est_certs *certs, size_t index,
	const struct est_certs *more, struct est_certs **chain, struct est_error *err)
{
	struct est_span der = est_certs_get(certs, index);
	struct trust_query query = { .skew_s = SKEW_S, .what = "the certificate issued" };
	struct trust_answer answer;
	struct pool pool = { 0 };
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
	pool.certs = calloc(1, sizeof(*pool.certs));
	if (!pool.certs)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	rc = trust_import(der, query.what, &pool.certs[0], err);
	if (rc == EST_OK)
		pool.n = 1;
	if (rc == EST_OK)
		rc = pool_add(&pool, certs, index, err);
	if (rc == EST_OK && more)
		rc = pool_add(&pool, more, SIZE_MAX, err);
	if (rc == EST_OK) {
		query.certs = pool.certs;
		query.n = pool.n;
		rc = trust_verify(trust, &query, &answer, err);
		if (rc == EST_E_UNTRUSTED)
			rc = rejected(err);
	}
	if (rc == EST_OK)
		rc = make_chain(&answer, chain, err);
	pool_free(&pool);
	return rc;
}

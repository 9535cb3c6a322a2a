/* SPDX-License-Identifier: MIT */
/* The new key of an enrolment under way in a PKCS #11 token.  Its request lies beside the
 * certificate, KEY.est-csr being CERT.est-csr, from before it leaves until everything has its final
 * name: it says that there is something in the token to go on with or to put in order.
 *
 *   requested  LABEL, LABEL.est-new                        -> sent again
 *   swapping   LABEL becomes LABEL.est-old, LABEL.est-new becomes LABEL, the certificate is renamed
 *                                                          -> forward, or back: as the keys match
 *   committed  LABEL.est-old becomes LABEL.prev or goes    -> likewise
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "key.h"
#include "newkey.h"
#include "token.h"

enum est_code est_newkey_token_check(const char *url, const char *type, struct est_error *err)
{
	gnutls_pk_algorithm_t pk;
	unsigned bits;

	if (!key_type_parse(type, &pk, &bits))
		return key_type_check(type, err);
	return token_place_check(url, pk, err);
}

static enum est_code generate(struct est_newkey *nk, const char *type, est_secret_fn *ask,
	void *ctx, struct est_error *err)
{
	struct est_error ignored;
	gnutls_pk_algorithm_t pk;
	enum est_code rc, gone;
	unsigned bits;

	if (!key_type_parse(type, &pk, &bits))
		return key_type_check(type, err);
	rc = token_place_remove(nk->place, TOKEN_NEW, err); /* half of one, by a kill */
	if (rc == EST_OK)
		rc = token_place_generate(nk->place, pk, bits, err);
	if (rc == EST_OK)
		rc = est_key_load(nk->path, ask, ctx, &nk->key, err);
	if (rc != EST_OK) { /* nobody has seen a request for it */
		gone = token_place_remove(nk->place, TOKEN_NEW, &ignored);
		(void)gone;
	}
	return rc;
}

static enum est_code open_place(struct est_newkey *nk, const char *url, est_secret_fn *ask,
	void *ctx, struct est_error *err)
{
	enum est_code rc = token_place_open(url, ask, ctx, &nk->place, err);

	if (rc != EST_OK)
		return rc;
	free(nk->path);
	nk->path = strdup(token_place_url(nk->place, TOKEN_NEW));
	return nk->path ? EST_OK : est_fail(err, EST_E_INTERNAL, "out of memory");
}

static bool signs(const struct est_key *key)
{
	gnutls_sign_algorithm_t algorithm;
	struct est_buf signature = { 0 };
	struct est_span identifier;
	struct est_error ignored;
	bool good;

	good = key_signature(est_key_type(key), NULL, &algorithm, &identifier, &ignored) ==
		       EST_OK &&
	       key_sign(key, algorithm, est_span_str("est"), &signature, &ignored) == EST_OK;
	est_buf_free(&signature);
	return good;
}

enum est_code est_newkey_token_open(const char *url, const char *beside, const char *type,
	est_secret_fn *ask, void *ctx, struct est_newkey **out, bool *resumed,
	struct est_error *err)
{
	struct est_newkey *nk = newkey_alloc(beside, 0, err);
	bool has = false;
	enum est_code rc;

	if (!nk)
		return err->code;
	rc = open_place(nk, url, ask, ctx, err);
	if (rc == EST_OK)
		rc = token_place_has(nk->place, TOKEN_NEW, &has, err);
	if (rc == EST_OK && has)
		rc = est_key_load(nk->path, ask, ctx, &nk->key, err);
	/* A kill while the token made it: not whole, and never sent for. */
	if ((rc == EST_OK || rc == EST_E_INPUT) && has && access(nk->csr_path, F_OK) != 0 &&
		!(rc == EST_OK && signs(nk->key))) {
		rc = EST_OK;
		has = false;
		est_key_free(nk->key);
		nk->key = NULL;
	}
	if (rc == EST_OK && has)
		rc = newkey_check_resumed(nk, type, est_key_signs(nk->key), err);
	if (rc == EST_OK && !has)
		rc = generate(nk, type, ask, ctx, err);
	if (rc != EST_OK) {
		est_newkey_free(nk);
		return rc;
	}
	*resumed = has;
	*out = nk;
	return EST_OK;
}

enum est_code newkey_token_stage(const struct est_newkey *nk, struct est_error *err)
{
	enum est_code rc = token_place_rename(nk->place, TOKEN_KEY, TOKEN_OLD, err);

	return rc == EST_OK ? token_place_rename(nk->place, TOKEN_NEW, TOKEN_KEY, err) : rc;
}

/* As it was.  With the old key out of the way, what has its label is of the new one. */
static enum est_code unstage(const struct est_newkey *nk, struct est_error *err)
{
	bool away = false;
	enum est_code rc = token_place_has(nk->place, TOKEN_OLD, &away, err);

	if (rc == EST_OK && away)
		rc = token_place_rename(nk->place, TOKEN_KEY, TOKEN_NEW, err);
	return rc == EST_OK ? token_place_rename(nk->place, TOKEN_OLD, TOKEN_KEY, err) : rc;
}

void newkey_token_unstage(const struct est_newkey *nk)
{
	struct est_error ignored;
	enum est_code rc = unstage(nk, &ignored);

	(void)rc; /* what cannot be put back now is left to the next run */
}

enum est_code newkey_token_settle(const struct est_newkey *nk, unsigned keep, struct est_error *err)
{
	bool has = false;
	enum est_code rc;

	if (keep == 0)
		return token_place_remove(nk->place, TOKEN_OLD, err);
	rc = token_place_has(nk->place, TOKEN_OLD, &has, err);
	if (rc == EST_OK && has)
		rc = token_place_remove(nk->place, TOKEN_PREV, err);
	return rc == EST_OK ? token_place_rename(nk->place, TOKEN_OLD, TOKEN_PREV, err) : rc;
}

/* Which of the generations has the key of that certificate. */
static enum est_code matching(const struct est_newkey *nk, est_secret_fn *ask, void *ctx,
	struct est_span cert, bool found[TOKEN_PREV], bool fits[TOKEN_PREV], struct est_error *err)
{
	struct est_error ignored;
	enum est_code rc = EST_OK;

	for (int i = TOKEN_KEY; rc == EST_OK && i < TOKEN_PREV; i++) {
		struct est_key *key = NULL;

		found[i] = fits[i] = false;
		rc = token_place_has(nk->place, (enum token_name)i, &found[i], err);
		if (rc == EST_OK && found[i])
			fits[i] = est_key_load(token_place_url(nk->place, (enum token_name)i), ask,
					  ctx, &key, &ignored) == EST_OK &&
				  est_key_match(key, "", cert, "", &ignored) == EST_OK;
		est_key_free(key);
	}
	return rc;
}

static enum est_code repair(struct est_newkey *nk, est_secret_fn *ask, void *ctx,
	struct est_span cert, unsigned keep, bool look, bool *repaired, struct est_error *err)
{
	bool found[TOKEN_PREV], fits[TOKEN_PREV];
	enum est_code rc = matching(nk, ask, ctx, cert, found, fits, err);

	if (rc != EST_OK)
		return rc;
	if (!fits[TOKEN_NEW] && (fits[TOKEN_OLD] || found[TOKEN_NEW])) {
		if (!look)
			return unstage(nk, err); /* the certificate has not been swapped */
		*repaired = found[TOKEN_OLD];
		return EST_OK;
	}
	if (!fits[TOKEN_NEW] && !fits[TOKEN_KEY])
		return EST_OK; /* no key of these fits: that is said elsewhere */
	*repaired = fits[TOKEN_NEW] || found[TOKEN_OLD];
	if (look)
		return EST_OK;
	if (fits[TOKEN_NEW])
		rc = newkey_token_stage(nk, err);
	else
		rc = token_place_remove(nk->place, TOKEN_NEW, err); /* the half of one */
	if (rc == EST_OK)
		rc = newkey_token_settle(nk, keep, err);
	if (rc == EST_OK)
		(void)unlink(nk->csr_path);
	return rc;
}

enum est_code est_newkey_token_repair(const char *url, const char *beside, est_secret_fn *ask,
	void *ctx, struct est_span cert, unsigned keep, bool look, bool *repaired,
	struct est_error *err)
{
	struct est_newkey *nk = newkey_alloc(beside, 0, err);
	enum est_code rc;

	if (!nk)
		return err->code;
	rc = open_place(nk, url, ask, ctx, err);
	if (rc == EST_OK)
		rc = repair(nk, ask, ctx, cert, keep, look, repaired, err);
	est_newkey_free(nk);
	return rc;
}

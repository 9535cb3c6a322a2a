/* SPDX-License-Identifier: MIT */
/* Who may: HTTP authentication of either kind, and the labels that demand it of everything. */
#include "server.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#define NONCE_LIFE_S 300

/* The one line end of an editor is not part of a secret. */
static void chomp(struct est_buf *secret, size_t from)
{
	if (secret->n > from && secret->p[secret->n - 1] == '\n')
		secret->n--;
	if (secret->n > from && secret->p[secret->n - 1] == '\r')
		secret->n--;
}

/* Only hashes of the secrets stay. */
static enum est_code account_load(struct server *srv, struct est_error *err)
{
	struct est_buf pair = { 0 }, triple = { 0 };
	size_t user;
	enum est_code rc;
	int r;

	rc = est_buf_printf(&pair, err, "%s:", srv->opt.user);
	user = pair.n;
	if (rc == EST_OK)
		rc = est_read_file(srv->opt.password_file, EST_SECRET_MAX, &pair, err);
	if (rc != EST_OK)
		goto out;
	chomp(&pair, user);
	rc = est_buf_printf(&triple, err, "%s:%s:", srv->opt.user, REALM);
	if (rc == EST_OK)
		rc = est_buf_append(&triple, (struct est_span){ pair.p + user, pair.n - user },
			err);
	if (rc != EST_OK)
		goto out;
	for (enum hash h = HASH_MD5; h <= HASH_SHA512_256; h++)
		hash_hex(h, est_buf_span(&triple), srv->a1[h]);
	r = gnutls_hash_fast(GNUTLS_DIG_SHA256, pair.p, pair.n, srv->account);
	if (r < 0)
		rc = gnutls_fail(err, "SHA-256", r);
	else
		srv->has_account = true;
	if (rc == EST_OK && srv->opt.srp_port >= 0)
		rc = est_buf_append(&pair, (struct est_span){ (const uint8_t *)"", 1 }, err);
	if (rc == EST_OK && srv->opt.srp_port >= 0)
		rc = srp_account(srv, (const char *)pair.p + user, err);
out:
	est_buf_free(&pair);
	est_buf_free(&triple);
	return rc;
}

enum est_code auth_load(struct server *srv, struct est_error *err)
{
	struct est_buf token = { 0 };
	enum est_code rc = srv->opt.user ? account_load(srv, err) : EST_OK;
	int r;

	if (rc != EST_OK || !srv->opt.token_file)
		return rc;
	rc = est_read_file(srv->opt.token_file, EST_TOKEN_MAX, &token, err);
	chomp(&token, 0);
	if (rc == EST_OK && token.n == 0)
		rc = est_fail(err, EST_E_INPUT, "%s: empty", srv->opt.token_file);
	if (rc == EST_OK) {
		r = gnutls_hash_fast(GNUTLS_DIG_SHA256, token.p, token.n, srv->token);
		rc = r < 0 ? gnutls_fail(err, "SHA-256", r) : EST_OK;
		srv->has_token = rc == EST_OK;
	}
	est_buf_free(&token);
	return rc;
}

bool basic_ok(const struct server *srv, const char *authorization)
{
	struct est_buf plain = { 0 };
	uint8_t digest[DIGEST_SIZE];
	struct est_error err;
	bool ok = false;

	if (!srv->has_account || strncasecmp(authorization, "Basic ", 6) != 0)
		return false;
	if (b64_decode(est_span_str(authorization + 6), &plain, &err) == EST_OK && plain.n &&
		gnutls_hash_fast(GNUTLS_DIG_SHA256, plain.p, plain.n, digest) == 0)
		/* Digests are compared, so that neither length nor content shows in the time. */
		ok = gnutls_memcmp(digest, srv->account, sizeof(digest)) == 0;
	est_buf_free(&plain);
	return ok;
}

static bool bearer_ok(const struct server *srv, const char *authorization)
{
	uint8_t digest[DIGEST_SIZE];
	const char *token = authorization + 7;

	return srv->has_token && strncasecmp(authorization, "Bearer ", 7) == 0 &&
	       gnutls_hash_fast(GNUTLS_DIG_SHA256, token, strlen(token), digest) == 0 &&
	       gnutls_memcmp(digest, srv->token, sizeof(digest)) == 0;
}

enum est_code challenge_basic(struct answer *ans, const char *why, struct est_error *err)
{
	enum est_code rc = answer_text(ans, err, 401, "%s\n", why);

	if (rc == EST_OK)
		rc = answer_field(ans, "WWW-Authenticate",
			"Basic realm=\"" REALM "\", charset=\"UTF-8\"", err);
	return rc;
}

/* libmicrohttpd's own Digest: its challenge is made when the answer is sent (http.c). */
static enum est_code mhd_digest(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	bool md5 = rq->use.id == LABEL_DIGEST_MD5;
	enum hash h = md5 ? HASH_MD5 : HASH_SHA256;
	uint8_t a1[DIGEST_SIZE];
	size_t n = sizeof(a1);
	gnutls_datum_t hex = { (uint8_t *)srv->a1[h], (unsigned)strlen(srv->a1[h]) };
	int r = MHD_NO;
	enum est_code rc;

	if (!rq->mhd) /* the raw listener */
		return answer_text(ans, err, 404, "not on this listener\n");
	if (rq->use.id == LABEL_DIGEST_OR_BASIC && rq->authorization &&
		basic_ok(srv, rq->authorization))
		r = MHD_YES;
	else if (rq->authorization && gnutls_hex_decode(&hex, a1, &n) == 0)
		r = MHD_digest_auth_check_digest2(rq->mhd, REALM, srv->opt.user, a1, n,
			NONCE_LIFE_S, md5 ? MHD_DIGEST_ALG_MD5 : MHD_DIGEST_ALG_SHA256);
	explicit_bzero(a1, sizeof(a1));
	rq->auth_ok = r == MHD_YES;
	if (rq->auth_ok)
		return EST_OK;
	rc = answer_text(ans, err, 401, "Digest authentication is needed\n");
	ans->mhd_digest = md5 ? MHD_DIGEST_ALG_MD5 : MHD_DIGEST_ALG_SHA256;
	ans->mhd_stale = r == MHD_INVALID_NONCE;
	if (rc == EST_OK && rq->use.id == LABEL_DIGEST_OR_BASIC)
		rc = answer_field(ans, "WWW-Authenticate", "Basic realm=\"" REALM "\"", err);
	return rc;
}

static enum est_code bearer(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	enum est_code rc;

	rq->auth_ok = rq->authorization && bearer_ok(srv, rq->authorization);
	if (rq->auth_ok)
		return EST_OK;
	rc = answer_text(ans, err, 401, "a token is needed\n");
	if (rc == EST_OK)
		rc = answer_field(ans, "WWW-Authenticate",
			rq->authorization ? "Bearer realm=\"" REALM "\", error=\"invalid_token\""
					  : "Bearer realm=\"" REALM "\"",
			err);
	return rc;
}

static enum est_code basic(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	rq->auth_ok = rq->authorization && basic_ok(srv, rq->authorization);
	return rq->auth_ok ? EST_OK
			   : challenge_basic(ans, "a user name and a password are needed", err);
}

/* Everything there is, in several lines and several in one; unknown schemes among it, one with a
 * comma in quotes. */
static enum est_code any(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	enum est_code rc;

	rq->auth_ok = rq->authorization &&
		      (basic_ok(srv, rq->authorization) || bearer_ok(srv, rq->authorization));
	if (rq->auth_ok)
		return EST_OK;
	rc = digest_check(srv, rq, ans, err);
	if (rc != EST_OK || rq->auth_ok)
		return rc;
	return answer_field(ans, "WWW-Authenticate",
		"Negotiate, Unknown a=\"b, Basic c=d\", Basic realm=\"" REALM "\", Bearer", err);
}

bool auth_guards(enum label_id id)
{
	switch (id) {
	case LABEL_BASIC:
	case LABEL_BEARER:
	case LABEL_DIGEST:
	case LABEL_DIGEST_MD5:
	case LABEL_DIGEST_OR_BASIC:
	case LABEL_OWN_DIGEST:
	case LABEL_ANY_AUTH:
		return true;
	default:
		return false;
	}
}

enum est_code auth_guard(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	if (!auth_guards(rq->use.id))
		return EST_OK;
	if (rq->use.id == LABEL_BEARER)
		return srv->has_token ? bearer(srv, rq, ans, err)
				      : answer_text(ans, err, 403, "there is no --token-file\n");
	if (!srv->has_account)
		return answer_text(ans, err, 403, "there is no account (--user)\n");
	switch (rq->use.id) {
	case LABEL_BASIC:
		return basic(srv, rq, ans, err);
	case LABEL_OWN_DIGEST:
		return digest_check(srv, rq, ans, err);
	case LABEL_ANY_AUTH:
		return any(srv, rq, ans, err);
	default:
		return mhd_digest(srv, rq, ans, err);
	}
}

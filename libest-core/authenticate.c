/* SPDX-License-Identifier: MIT */
/* Answers to 401: the strongest scheme that is offered, allowed and has a secret. */
#include "authenticate.h"

#include <stdio.h>
#include <string.h>
#include <gnutls/crypto.h>

#include "exchange.h"
#include "http_lex.h"

static const char *scheme_name(enum auth_scheme scheme)
{
	switch (scheme) {
	case AUTH_SCHEME_BASIC:
		return "Basic";
	case AUTH_SCHEME_BEARER:
		return "Bearer";
	case AUTH_SCHEME_DIGEST:
		return "Digest";
	case AUTH_SCHEME_NONE:
		break;
	}
	return "none";
}

/* Forgets the challenge; the operator's secrets stay. */
static void drop(struct auth *auth)
{
	auth->scheme = AUTH_SCHEME_NONE;
	auth->proven = false;
	auth->nc = 0;
	est_buf_free(&auth->value);
	est_buf_free(&auth->user);
	digest_wipe(&auth->digest);
	explicit_bzero(auth->key, sizeof(auth->key));
}

void auth_wipe(struct auth *auth)
{
	drop(auth);
	est_buf_free(&auth->host);
	est_buf_free(&auth->target);
	est_buf_free(&auth->origin);
	est_buf_free(&auth->space);
	est_buf_free(&auth->password);
	est_buf_free(&auth->token);
	*auth = (struct auth){ 0 };
}

void auth_begin(struct est_client *c)
{
	struct auth *auth = &c->auth;

	if (!auth->proven)
		drop(auth);
	auth->carried = auth->answered = false;
	auth->refused = AUTH_SCHEME_NONE;
	auth->stale = 0;
}

/* ---- What goes along with a request -------------------------------------------------------------
 */

static enum est_code set_text(struct est_buf *buf, struct est_span text, struct est_error *err)
{
	static const uint8_t nul[1];
	enum est_code rc;

	est_buf_free(buf);
	rc = est_buf_append(buf, text, err);
	return rc == EST_OK ? est_buf_append(buf, (struct est_span){ nul, 1 }, err) : rc;
}

static const char *text_of(const struct est_buf *buf)
{
	return buf->p ? (const char *)buf->p : "";
}

static enum est_code new_cnonce(struct auth *auth, struct est_error *err)
{
	uint8_t random[(AUTH_CNONCE - 1) / 2];
	int r = gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof(random));

	if (r < 0)
		return est_fail(err, EST_E_INTERNAL, "no random numbers: %s", gnutls_strerror(r));
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(auth->cnonce + 2 * i, 3, "%02x", random[i]);
	return EST_OK;
}

static struct digest_use digest_use(const struct auth *auth)
{
	return (struct digest_use){
		.method = auth->method,
		.target = text_of(&auth->target),
		.cnonce = auth->cnonce,
		.user = est_span_str(text_of(&auth->user)),
		.nc = auth->nc,
	};
}

/* Each sending counts, whether the server sees it or not (RFC 7616 section 3.4). */
static enum est_code digest_header(struct auth *auth, struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	struct digest_use use;

	auth->nc++;
	/* In -sess it is part of the key, and some servers take it from each request. */
	if (!auth->digest.sess)
		rc = new_cnonce(auth, err);
	use = digest_use(auth);
	return rc == EST_OK ? digest_authorization(&auth->digest, auth->key, &use, out, err) : rc;
}

/* Whether the request goes to who challenged, and where (RFC 7617 section 2.2; H-06). */
static bool same_space(const struct auth *auth)
{
	const char *space = text_of(&auth->space);

	return strcmp(text_of(&auth->origin), text_of(&auth->host)) == 0 &&
	       strncmp(text_of(&auth->target), space, strlen(space)) == 0;
}

enum est_code auth_header(struct est_client *c, const struct authz *authz,
	const struct http_request *request, struct est_buf *out, struct est_error *err)
{
	struct auth *auth = &c->auth;
	enum est_code rc;

	auth->carried = false;
	auth->method = request->method;
	rc = set_text(&auth->host, est_span_str(request->host), err);
	if (rc == EST_OK)
		rc = set_text(&auth->target, est_span_str(request->target), err);
	if (rc != EST_OK || auth->scheme == AUTH_SCHEME_NONE || !same_space(auth))
		return rc;
	if (!authz || (auth->scheme == AUTH_SCHEME_DIGEST ? !auth->key[0] : !auth->value.n))
		return est_fail(err, EST_E_INTERNAL,
			"no credentials without an authorised server (RFC 7030 section 3.6)");
	auth->carried = true;
	if (auth->scheme == AUTH_SCHEME_DIGEST)
		return digest_header(auth, out, err);
	return est_buf_append(out, est_buf_span(&auth->value), err);
}

/* ---- Challenges ---------------------------------------------------------------------------------
 */

static bool allowed(const struct est_config *config, enum auth_scheme scheme)
{
	static const enum est_auth needed[] = {
		[AUTH_SCHEME_NONE] = EST_AUTH_NONE,
		[AUTH_SCHEME_BASIC] = EST_AUTH_BASIC,
		[AUTH_SCHEME_BEARER] = EST_AUTH_BEARER,
		[AUTH_SCHEME_DIGEST] = EST_AUTH_DIGEST,
	};

	if (config->auth == EST_AUTH_NONE)
		return false;
	return config->auth == EST_AUTH_AUTO || config->auth == needed[scheme];
}

static enum auth_scheme scheme_of(const struct http_challenge *challenge)
{
	static const enum auth_scheme all[] = { AUTH_SCHEME_BASIC, AUTH_SCHEME_BEARER,
		AUTH_SCHEME_DIGEST };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (http_challenge_is(challenge, scheme_name(all[i])))
			return all[i];
	return AUTH_SCHEME_NONE;
}

struct choice {
	enum auth_scheme scheme;
	unsigned rank;
	bool utf8;
	struct digest_challenge digest;
};

/* Digest shows nothing that can be used again, a token less than a password. */
static enum est_code weigh(const struct est_client *c, const struct http_challenge *challenge,
	struct choice *out, struct est_error *err)
{
	struct choice found = { .scheme = scheme_of(challenge) };
	const struct est_config *config = &c->config;
	enum est_code rc;

	if (!allowed(config, found.scheme))
		return EST_OK;
	if (found.scheme == AUTH_SCHEME_BASIC && config->user) {
		found.rank = 1;
		found.utf8 = http_auth_is(challenge, "charset", "UTF-8");
	} else if (found.scheme == AUTH_SCHEME_BEARER && config->token) {
		found.rank = 2;
	} else if (found.scheme == AUTH_SCHEME_DIGEST && config->user) {
		rc = digest_parse(challenge, &found.digest, err);
		if (rc != EST_OK && rc != EST_E_PROTOCOL)
			return rc;
		if (rc == EST_E_PROTOCOL)
			client_log(c, EST_LOG_DEBUG, "a Digest challenge is skipped: %s", err->msg);
		else
			found.rank = 3 + 2 * found.digest.hash + found.digest.qop;
		found.utf8 = found.digest.utf8;
	}
	if (found.rank > out->rank) { /* of equal ones the first */
		digest_wipe(&out->digest);
		*out = found;
	} else {
		digest_wipe(&found.digest);
	}
	return EST_OK;
}

static enum est_code choose(const struct est_client *c, const struct http_response *response,
	struct choice *out, struct est_error *err)
{
	struct http_challenge challenges[HTTP_CHALLENGES_MAX];
	size_t n = http_challenges(response, "WWW-Authenticate", challenges);
	enum est_code rc = EST_OK;

	for (size_t i = 0; i < n && rc == EST_OK; i++)
		rc = weigh(c, &challenges[i], out, err);
	return rc;
}

/* The challenge becomes the one that is answered from now on. */
static enum est_code take(struct auth *auth, struct choice *choice, struct est_error *err)
{
	struct est_span space = est_span_str(text_of(&auth->target));
	uint32_t nc = 0;
	enum est_code rc;

	if (auth->scheme == AUTH_SCHEME_DIGEST && choice->scheme == AUTH_SCHEME_DIGEST &&
		est_span_eq(est_buf_span(&auth->digest.nonce), est_buf_span(&choice->digest.nonce)))
		nc = auth->nc; /* a nonce that is not new goes on counting */
	drop(auth);
	auth->scheme = choice->scheme;
	auth->utf8 = choice->utf8;
	auth->digest = choice->digest;
	choice->digest = (struct digest_challenge){ 0 };
	auth->nc = nc;
	while (space.n > 0 && space.p[space.n - 1] != '/')
		space.n--;
	rc = set_text(&auth->space, space, err);
	return rc == EST_OK ? set_text(&auth->origin, est_span_str(text_of(&auth->host)), err) : rc;
}

/* ---- Authentication-Info ------------------------------------------------------------------------
 */

static enum est_code check_rspauth(const struct auth *auth, const struct http_challenge *info,
	const struct http_response *response, struct est_error *err)
{
	struct est_span body = est_buf_span(&response->body);
	const struct digest_use use = digest_use(auth);
	struct est_buf given = { 0 }, qop = { 0 };
	char due[DIGEST_HEX];
	enum est_code rc;

	rc = http_auth_value(info, "rspauth", &given, err);
	if (rc == EST_OK && http_auth_find(info, "qop"))
		rc = http_auth_value(info, "qop", &qop, err);
	if (rc == EST_OK) {
		digest_rspauth(&auth->digest, auth->key, &use,
			http_is(est_buf_span(&qop), "auth-int") ? &body : NULL, due);
		if (!http_is(est_buf_span(&given), due)) {
			est_fail(err, EST_E_AUTH,
				"the server does not prove that it knows the password: rspauth is "
				"wrong; its answer is discarded (RFC 7616 section 3.5)");
			rc = est_reason(err, "rspauth");
		}
		explicit_bzero(due, sizeof(due));
	}
	est_buf_free(&given);
	est_buf_free(&qop);
	return rc;
}

/* RFC 7616 section 3.5.  A field that is malformed is as good as none: TLS has vouched. */
static enum est_code read_info(struct auth *auth, const struct http_response *response,
	struct est_error *err)
{
	struct http_challenge info;
	struct est_buf nonce = { 0 };
	enum est_code rc = EST_OK;

	if (!http_auth_info(response, "Authentication-Info", &info))
		return EST_OK;
	if (http_auth_find(&info, "rspauth"))
		rc = check_rspauth(auth, &info, response, err);
	if (rc != EST_OK || !http_auth_find(&info, "nextnonce"))
		return rc;
	rc = http_auth_value(&info, "nextnonce", &nonce, err);
	if (rc == EST_OK && nonce.n > 0 &&
		!est_span_eq(est_buf_span(&nonce), est_buf_span(&auth->digest.nonce))) {
		est_buf_free(&auth->digest.nonce);
		auth->digest.nonce = nonce;
		auth->nc = 0;
		return EST_OK;
	}
	est_buf_free(&nonce);
	return rc;
}

/* ---- Verdicts -----------------------------------------------------------------------------------
 */

enum verdict {
	ACCEPTED,   /* whatever went along */
	CHALLENGED, /* and there is something to answer */
	STALE,      /* all that is wrong is the age of the nonce (RFC 7616 section 3.3) */
	REFUSED     /* for good: the same password or token once more would be a guess */
};

static enum verdict verdict_on(const struct auth *auth, int status, const struct choice *best)
{
	const bool same = auth->carried && auth->scheme == best->scheme;
	const bool digest = best->scheme == AUTH_SCHEME_DIGEST;

	if (status != 401)
		return ACCEPTED;
	if (best->rank == 0)
		return REFUSED;
	if (same && digest && best->digest.stale)
		return STALE;
	return auth->answered || (same && !digest) ? REFUSED : CHALLENGED;
}

static void give_up(struct auth *auth)
{
	auth->refused = auth->carried ? auth->scheme : AUTH_SCHEME_NONE;
	drop(auth);
}

enum est_code auth_judge(struct est_client *c, const struct http_response *response, bool *again,
	struct est_error *err)
{
	struct auth *auth = &c->auth;
	struct choice best = { 0 };
	enum est_code rc = EST_OK;

	*again = false;
	if (response->status == 401)
		rc = choose(c, response, &best, err);
	switch (verdict_on(auth, response->status, &best)) {
	case ACCEPTED:
		auth->proven |= auth->carried;
		if (auth->carried && auth->scheme == AUTH_SCHEME_DIGEST)
			rc = read_info(auth, response, err);
		break;
	case CHALLENGED:
		*again = auth->answered = true;
		break;
	case STALE:
		*again = auth->stale++ < AUTH_STALE_MAX;
		if (!*again)
			give_up(auth);
		break;
	case REFUSED:
		give_up(auth);
		break;
	}
	if (rc == EST_OK && *again)
		rc = take(auth, &best, err);
	*again &= rc == EST_OK;
	digest_wipe(&best.digest);
	return rc;
}

/* ---- Secrets ------------------------------------------------------------------------------------
 */

static enum est_code ask(struct est_client *c, est_secret_fn *fn, const char *what,
	struct est_buf *out, struct est_error *err)
{
	int64_t asked_ms = deadline_now_ms();
	struct est_buf secret = { 0 };
	enum est_code rc;

	if (!fn)
		return est_fail(err, EST_E_INPUT, "%s needed", what);
	rc = fn(c->config.secret_ctx, what, &secret, err);
	deadline_forgive(&c->deadline, asked_ms);
	if (rc == EST_OK)
		*out = secret;
	else
		est_buf_free(&secret);
	return rc;
}

static enum est_code get_token(struct est_client *c, const struct authz *authz,
	struct est_error *err)
{
	struct auth *auth = &c->auth;
	enum est_code rc = EST_OK;
	char what[320];

	if (!auth->has_token) {
		(void)snprintf(what, sizeof(what), "token for %.150s", authz_identity(authz));
		rc = ask(c, c->config.token, what, &auth->token, err);
	}
	auth->has_token = rc == EST_OK;
	return rc == EST_OK ? http_bearer(est_buf_span(&auth->token), &auth->value, err) : rc;
}

static enum est_code get_password(struct est_client *c, const struct authz *authz,
	struct est_error *err)
{
	struct auth *auth = &c->auth;
	enum est_code rc = EST_OK;
	char what[320];

	if (!auth->has_password) {
		(void)snprintf(what, sizeof(what), "password%s%.100s at %.150s",
			*c->config.user ? " of " : "", c->config.user, authz_identity(authz));
		rc = ask(c, c->config.password, what, &auth->password, err);
	}
	auth->has_password = rc == EST_OK;
	if (rc == EST_OK)
		rc = http_check_credentials(c->config.user, est_buf_span(&auth->password), err);
	return rc;
}

/* Normalization Form C when the server says UTF-8 (RFC 7616 section 4, RFC 7617 section 2.1); what
 * is no UTF-8 goes as it is, for the server to refuse. */
static enum est_code normalised(struct est_span in, bool utf8, struct est_buf *out,
	struct est_error *err)
{
	gnutls_datum_t nfc = { 0 };
	enum est_code rc;

	if (!utf8 || in.n == 0 || gnutls_utf8_password_normalize(in.p, (unsigned)in.n, &nfc, 0) < 0)
		return set_text(out, in, err);
	rc = set_text(out, (struct est_span){ nfc.data, nfc.size }, err);
	explicit_bzero(nfc.data, nfc.size);
	gnutls_free(nfc.data);
	return rc;
}

/* From user and password to what the scheme sends. */
static enum est_code make_credentials(struct est_client *c, struct est_error *err)
{
	struct auth *auth = &c->auth;
	struct est_buf password = { 0 };
	struct est_span user, secret;
	enum est_code rc;

	rc = normalised(est_span_str(c->config.user), auth->utf8, &auth->user, err);
	if (rc == EST_OK)
		rc = normalised(est_buf_span(&auth->password), auth->utf8, &password, err);
	if (rc == EST_OK && auth->scheme == AUTH_SCHEME_DIGEST)
		rc = new_cnonce(auth, err);
	if (rc != EST_OK)
		goto out;
	user = est_span_str(text_of(&auth->user));
	secret = (struct est_span){ password.p, password.n - 1 };
	if (auth->scheme == AUTH_SCHEME_DIGEST)
		digest_key(&auth->digest, user, secret, auth->cnonce, auth->key);
	else
		rc = http_basic(text_of(&auth->user), secret, &auth->value, err);
out:
	est_buf_free(&password);
	return rc;
}

enum est_code auth_secret(struct est_client *c, const struct authz *authz, struct est_error *err)
{
	struct auth *auth = &c->auth;
	enum est_code rc;

	if (!authz)
		return est_fail(err, EST_E_INTERNAL,
			"no credentials without an authorised server (RFC 7030 section 3.6)");
	client_log(c, EST_LOG_INFO, "answering the server's %s challenge%s%s",
		scheme_name(auth->scheme), auth->scheme == AUTH_SCHEME_DIGEST ? ", " : "",
		auth->scheme == AUTH_SCHEME_DIGEST ? digest_algorithm(&auth->digest) : "");
	if (auth->scheme == AUTH_SCHEME_BEARER)
		return get_token(c, authz, err);
	if (authz_db(authz) == TRUST_IMPLICIT && !c->noted_implicit)
		client_log(c, EST_LOG_NOTICE,
			"an implicit trust anchor vouches for the server that gets the password; a "
			"client certificate, or the CA's root with --cacert, is better (RFC 7030 "
			"section 6)");
	c->noted_implicit = true;
	rc = get_password(c, authz, err);
	return rc == EST_OK ? make_credentials(c, err) : rc;
}

/* ---- When it did not work -----------------------------------------------------------------------
 */

/* "Negotiate, NTLM": each scheme once; tokens need no escaping. */
static void list_schemes(const struct http_challenge *challenges, size_t n, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n && at < size; i++) {
		size_t k = 0;

		while (!http_same(challenges[k].scheme, challenges[i].scheme))
			k++;
		if (k == i)
			at += (size_t)snprintf(out + at, size - at, "%s%.*s", i ? ", " : "",
				(int)(challenges[i].scheme.n > 32 ? 32 : challenges[i].scheme.n),
				(const char *)challenges[i].scheme.p);
	}
}

void auth_hint(const struct est_client *c, const struct http_response *response,
	struct est_error *err)
{
	struct http_challenge challenges[HTTP_CHALLENGES_MAX];
	size_t n = http_challenges(response, "WWW-Authenticate", challenges);
	bool password = false, token = false;
	char schemes[160];

	for (size_t i = 0; i < n; i++) {
		enum auth_scheme scheme = scheme_of(&challenges[i]);

		if (!allowed(&c->config, scheme))
			continue;
		token = token || scheme == AUTH_SCHEME_BEARER;
		password = password || scheme == AUTH_SCHEME_BASIC || scheme == AUTH_SCHEME_DIGEST;
	}
	list_schemes(challenges, n, schemes, sizeof(schemes));
	if (c->config.srp_user)
		est_hint(err, "over TLS without certificates no password and no token goes to the "
			      "server (RFC 7030 section 4.1.1)");
	else if (n == 0)
		est_hint(err, "it names no way to authenticate (no WWW-Authenticate)");
	else if (c->auth.stale > AUTH_STALE_MAX)
		est_hint(err, "the server calls every nonce stale, those it has just made too");
	else if (c->auth.refused)
		est_hint(err, "%s wrong, or not for this operation; the server offers %s",
			c->auth.refused == AUTH_SCHEME_BEARER ? "the token is"
							      : "user or password is",
			schemes);
	else if (password && !c->config.user)
		est_hint(err,
			"the server wants a user and password: --user NAME with --password-file "
			"FILE");
	else if (token && !c->config.token)
		est_hint(err, "the server wants a token: --token-file FILE");
	else if (password || token)
		est_hint(err, "none of its %s challenges can be answered; -vv says why", schemes);
	else
		est_hint(err, "it offers %s; est has Basic, Digest and Bearer%s", schemes,
			c->config.auth == EST_AUTH_AUTO ? "" : ", --auth allows less");
}

/* SPDX-License-Identifier: MIT */
/* Digest as libmicrohttpd does not do it (RFC 7616): SHA-512-256, -sess, userhash, stale nonces,
 * Authentication-Info, old servers.  Written apart from the client's. */
#include "server.h"

#include <gnutls/crypto.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NONCES_MAX 512

struct nonce {
	struct nonce *next;
	char text[33];
	bool seasoned;    /* made by an answer that said stale=true */
	unsigned long nc; /* the last that was seen */
	char session[65]; /* of -sess: H(A1) since the first use */
};

void nonces_free(struct nonce *list)
{
	struct nonce *next;

	for (; list; list = next) {
		next = list->next;
		free(list);
	}
}

void hash_hex(enum hash hash, struct est_span in, char out[65])
{
	struct sha512_256_ctx ctx;
	uint8_t digest[32];
	size_t n = hash == HASH_MD5 ? 16 : 32;

	if (hash == HASH_SHA512_256) {
		sha512_256_init(&ctx);
		sha512_256_update(&ctx, in.n, in.p);
		sha512_256_digest(&ctx, sizeof(digest), digest);
	} else if (gnutls_hash_fast(hash == HASH_MD5 ? GNUTLS_DIG_MD5 : GNUTLS_DIG_SHA256, in.p,
			   in.n, digest) < 0) {
		n = 0; /* equals no answer */
	}
	hex_encode((struct est_span){ digest, n }, out);
}

static const struct {
	const char *name, *sess, *word;
} hashes[] = {
	[HASH_MD5] = { "MD5", "MD5-sess", "md5" },
	[HASH_SHA256] = { "SHA-256", "SHA-256-sess", "sha256" },
	[HASH_SHA512_256] = { "SHA-512-256", "SHA-512-256-sess", "sha512256" },
};

/* What the words of the label ask for. */
struct manner {
	enum hash hash;
	bool sess, userhash, noqop, noalg, utf8, stale, stales, once, next, info, badinfo;
};

static bool manner_parse(const char *words, struct manner *out)
{
	struct {
		const char *word;
		bool *flag;
	} flags[] = { { "sess", &out->sess }, { "userhash", &out->userhash },
		{ "noqop", &out->noqop }, { "noalg", &out->noalg }, { "utf8", &out->utf8 },
		{ "stale", &out->stale }, { "stales", &out->stales }, { "once", &out->once },
		{ "next", &out->next }, { "info", &out->info }, { "badinfo", &out->badinfo } };
	size_t i, n;
	bool known;

	*out = (struct manner){ .hash = HASH_SHA256 };
	for (; *words; words += n + (words[n] == '-')) {
		n = strcspn(words, "-");
		known = false;
		for (i = 0; i < 3 && !known; i++) {
			known = strlen(hashes[i].word) == n &&
				strncmp(words, hashes[i].word, n) == 0;
			if (known)
				out->hash = (enum hash)i;
		}
		for (i = 0; i < sizeof(flags) / sizeof(flags[0]) && !known; i++) {
			known = strlen(flags[i].word) == n && strncmp(words, flags[i].word, n) == 0;
			if (known)
				*flags[i].flag = true;
		}
		if (!known)
			return false;
	}
	return true;
}

/* ---- Authorization: Digest ----------------------------------------------------------------------
 */

/* A quoted string or a token, without quotes and escapes; NULL: neither. */
static const char *take_value(const char *p, char *out, size_t size)
{
	size_t n = 0;
	bool quoted = *p == '"';

	for (p += quoted; quoted ? *p != '"' : !strchr(", \t", *p); p++) {
		if (quoted && *p == '\\')
			p++;
		if (!*p || n + 1 == size)
			return NULL;
		out[n++] = *p;
	}
	out[n] = '\0';
	return p + quoted;
}

/* The parameters as an object, NULL: no Digest, malformed, or one of them twice. */
static struct json_object *params_parse(const char *authorization)
{
	struct json_object *obj;
	char value[4096], name[32];
	const char *p;
	size_t n;

	if (!authorization || strncasecmp(authorization, "Digest ", 7) != 0)
		return NULL;
	obj = json_object_new_object();
	for (p = authorization + 7; p && *p;) {
		p += strspn(p, ", \t");
		n = strcspn(p, "=, \t\"");
		if (n == 0 || n >= sizeof(name) || p[n] != '=')
			break;
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, p);
		p = take_value(p + n + 1, value, sizeof(value));
		if (!p || json_object_object_get_ex(obj, name, NULL))
			break;
		(void)json_object_object_add(obj, name, json_object_new_string(value));
	}
	if (p && !*p)
		return obj;
	(void)json_object_put(obj);
	return NULL;
}

static const char *param(struct json_object *params, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(params, name, &value) ? json_object_get_string(value)
							       : NULL;
}

static bool is(struct json_object *params, const char *name, const char *want)
{
	const char *value = param(params, name);

	return value && strcmp(value, want) == 0;
}

/* H() of the strings with colons between. */
static void joined(enum hash hash, char out[65], const char *const *parts, size_t n)
{
	struct est_buf all = { 0 };
	struct est_error err;
	enum est_code rc = EST_OK;
	size_t i;

	for (i = 0; i < n && rc == EST_OK; i++)
		rc = est_buf_printf(&all, &err, "%s%s", i ? ":" : "", parts[i]);
	if (rc == EST_OK)
		hash_hex(hash, est_buf_span(&all), out);
	else
		out[0] = '\0';
	est_buf_free(&all);
}

#define JOINED(hash, out, ...)                                                                     \
	joined(hash, out, (const char *const[]){ __VA_ARGS__ },                                    \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* The user name in the form that is due (RFC 7616 section 3.4.4). */
static bool user_ok(const struct server *srv, enum hash hash, struct json_object *params)
{
	const char *extended = param(params, "username*");
	char want[65], name[EST_SECRET_MAX];

	if (is(params, "userhash", "true")) {
		JOINED(hash, want, srv->opt.user, REALM);
		return !extended && is(params, "username", want);
	}
	if (!extended)
		return is(params, "username", srv->opt.user);
	return !param(params, "username") && strncmp(extended, "UTF-8''", 7) == 0 &&
	       percent_decode(est_span_str(extended + 7), name, sizeof(name)) &&
	       strcmp(name, srv->opt.user) == 0;
}

/* ---- Nonces -------------------------------------------------------------------------------------
 */

/* Lock held; NULL: no memory. */
static struct nonce *nonce_new(struct server *srv)
{
	struct nonce *fresh = calloc(1, sizeof(*fresh)), **p = &srv->nonces;
	uint8_t random[16];
	size_t n = 0;

	if (!fresh || gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof(random)) < 0) {
		free(fresh);
		return NULL;
	}
	hex_encode((struct est_span){ random, sizeof(random) }, fresh->text);
	fresh->next = srv->nonces;
	srv->nonces = fresh;
	while (*p && n++ < NONCES_MAX)
		p = &(*p)->next;
	nonces_free(*p);
	*p = NULL;
	return fresh;
}

static struct nonce *nonce_find(const struct server *srv, const char *text)
{
	struct nonce *nonce;

	for (nonce = srv->nonces; nonce && strcmp(nonce->text, text) != 0; nonce = nonce->next)
		;
	return nonce;
}

/* ---- Judgement ----------------------------------------------------------------------------------
 */

enum verdict { WRONG, STALE, RIGHT };

struct proof {
	const char *nonce, *nc, *cnonce, *uri, *response;
	char key[65];
	struct nonce *known;
};

/* The response, and with it the nonce; lock held. */
static enum verdict judge(struct server *srv, const struct request *rq, const struct manner *m,
	struct json_object *params, struct proof *out)
{
	char a2[65], want[65];
	unsigned long nc = 0;

	out->known = nonce_find(srv, out->nonce);
	if (!out->known)
		return STALE;
	memcpy(out->key, srv->a1[m->hash], sizeof(out->key));
	if (m->sess && out->known->session[0])
		memcpy(out->key, out->known->session, sizeof(out->key));
	else if (m->sess)
		JOINED(m->hash, out->key, srv->a1[m->hash], out->nonce, out->cnonce);
	JOINED(m->hash, a2, rq->method, out->uri);
	if (m->noqop)
		JOINED(m->hash, want, out->key, out->nonce, a2);
	else
		JOINED(m->hash, want, out->key, out->nonce, out->nc, out->cnonce, "auth", a2);
	if (!want[0] || strcmp(out->response, want) != 0 || !user_ok(srv, m->hash, params))
		return WRONG;
	memcpy(out->known->session, out->key, sizeof(out->key));
	if (m->stales || (m->stale && !out->known->seasoned))
		return STALE;
	if (!m->noqop) {
		nc = strtoul(out->nc, NULL, 16);
		if (strlen(out->nc) != 8 || nc != out->known->nc + 1)
			return WRONG; /* too strict for a server, right for a test */
	} else {
		nc = out->known->nc + 1;
	}
	if ((m->once || m->next) && nc > 1)
		return STALE;
	out->known->nc = nc;
	return RIGHT;
}

/* Every parameter that is due, and none that is not. */
static bool complete(const struct request *rq, const struct manner *m, struct json_object *params,
	struct proof *out)
{
	const char *algorithm = m->sess ? hashes[m->hash].sess : hashes[m->hash].name;

	*out = (struct proof){ .nonce = param(params, "nonce"),
		.nc = param(params, "nc"),
		.cnonce = param(params, "cnonce"),
		.uri = param(params, "uri"),
		.response = param(params, "response") };
	if (!out->nonce || !out->uri || !out->response || !is(params, "realm", REALM) ||
		strcmp(out->uri, rq->target) != 0 || !is(params, "opaque", "o\"p"))
		return false;
	if (m->noalg ? param(params, "algorithm") != NULL : !is(params, "algorithm", algorithm))
		return false;
	if (m->userhash != is(params, "userhash", "true"))
		return false;
	if (m->noqop)
		return !param(params, "qop") && !out->nc && !out->cnonce;
	return is(params, "qop", "auth") && out->nc && out->cnonce && strlen(out->cnonce) >= 8;
}

/* Authentication-Info (RFC 7616 section 3.5); lock held. */
static enum est_code inform(struct server *srv, const struct manner *m, const struct proof *proof,
	struct answer *ans, struct est_error *err)
{
	char a2[65], rspauth[65];
	struct nonce *next = NULL;
	struct est_buf text = { 0 };
	enum est_code rc;

	JOINED(m->hash, a2, "", m->badinfo ? "/elsewhere" : proof->uri);
	if (m->noqop)
		JOINED(m->hash, rspauth, proof->key, proof->nonce, a2);
	else
		JOINED(m->hash, rspauth, proof->key, proof->nonce, proof->nc, proof->cnonce, "auth",
			a2);
	rc = est_buf_printf(&text, err, "rspauth=\"%s\"", rspauth);
	if (rc == EST_OK && !m->noqop)
		rc = est_buf_printf(&text, err, ", qop=auth, cnonce=\"%s\", nc=%s", proof->cnonce,
			proof->nc);
	if (m->next) {
		next = nonce_new(srv);
		if (next && rc == EST_OK) {
			memcpy(next->session, proof->key, sizeof(next->session));
			rc = est_buf_printf(&text, err, ", nextnonce=\"%s\"", next->text);
		}
	}
	if (rc == EST_OK)
		rc = est_buf_printf(&text, err, "%c", '\0');
	if (rc == EST_OK)
		rc = answer_field(ans, "Authentication-Info", (const char *)text.p, err);
	est_buf_free(&text);
	return rc;
}

/* One challenge, with a nonce of its own; lock held. */
static enum est_code offer(struct server *srv, const struct manner *m, bool stale,
	struct answer *ans, struct est_error *err)
{
	struct nonce *nonce = nonce_new(srv);
	struct est_buf text = { 0 };
	enum est_code rc;

	if (!nonce)
		return est_fail(err, EST_E_INTERNAL, "no nonce");
	nonce->seasoned = stale;
	rc = est_buf_printf(&text, err,
		"Digest realm=\"" REALM "\", domain=\"/\", nonce=\"%s\", opaque=\"o\\\"p\"%s%s%s",
		nonce->text, stale ? ", stale=true" : "", m->userhash ? ", userhash=true" : "",
		m->utf8 ? ", charset=UTF-8" : "");
	if (rc == EST_OK && !m->noalg)
		rc = est_buf_printf(&text, err, ", algorithm=%s",
			m->sess ? hashes[m->hash].sess : hashes[m->hash].name);
	if (rc == EST_OK)
		rc = est_buf_printf(&text, err, "%s%c", m->noqop ? "" : ", qop=\"auth-int, auth\"",
			'\0');
	if (rc == EST_OK)
		rc = answer_field(ans, "WWW-Authenticate", (const char *)text.p, err);
	est_buf_free(&text);
	return rc;
}

static enum est_code offer_all(struct server *srv, bool stale, struct answer *ans,
	struct est_error *err)
{
	struct manner m = { 0 };
	enum est_code rc = EST_OK;

	for (m.hash = HASH_MD5; m.hash <= HASH_SHA512_256 && rc == EST_OK; m.hash++)
		rc = offer(srv, &m, stale, ans, err);
	return rc;
}

/* Of the label any-auth: the hash is the client's choice. */
static bool manner_of(struct json_object *params, struct manner *out)
{
	*out = (struct manner){ 0 };
	for (out->hash = HASH_MD5; out->hash <= HASH_SHA512_256; out->hash++)
		if (is(params, "algorithm", hashes[out->hash].name))
			return true;
	out->hash = HASH_MD5;
	return false;
}

enum est_code digest_check(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	bool all = rq->use.id == LABEL_ANY_AUTH;
	struct json_object *params = params_parse(rq->authorization);
	enum verdict verdict = WRONG;
	struct proof proof;
	struct manner m;
	enum est_code rc;

	if (!all && !manner_parse(rq->use.arg, &m)) {
		(void)json_object_put(params);
		return answer_text(ans, err, 400, "the label has a word that is not known\n");
	}
	(void)pthread_mutex_lock(&srv->lock);
	if (params && (!all || manner_of(params, &m)) && complete(rq, &m, params, &proof))
		verdict = judge(srv, rq, &m, params, &proof);
	rq->auth_ok = verdict == RIGHT;
	if (verdict == RIGHT) {
		rc = m.info || m.badinfo || m.next ? inform(srv, &m, &proof, ans, err) : EST_OK;
	} else {
		rc = answer_text(ans, err, 401,
			verdict == STALE ? "the nonce is too old\n"
					 : "Digest authentication is needed\n");
		if (rc == EST_OK)
			rc = all ? offer_all(srv, verdict == STALE, ans, err)
				 : offer(srv, &m, verdict == STALE, ans, err);
	}
	(void)pthread_mutex_unlock(&srv->lock);
	(void)json_object_put(params);
	return rc;
}

/* What of the credentials is no secret, for the log; NULL: no Digest. */
struct json_object *digest_shown(const char *authorization)
{
	static const char *const names[] = { "username", "username*", "uri", "algorithm", "qop",
		"nc", "userhash" };
	struct json_object *params = params_parse(authorization), *shown, *value;
	size_t i;

	if (!params)
		return NULL;
	shown = json_object_new_object();
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (json_object_object_get_ex(params, names[i], &value))
			(void)json_object_object_add(shown, names[i],
				log_string(est_span_str(json_object_get_string(value))));
	(void)json_object_put(params);
	return shown;
}

/* SPDX-License-Identifier: MIT */
/* The hashes of RFC 7616 section 3.4, over what authenticate.c keeps. */
#include "http_digest.h"

#include <string.h>
#include <nettle/md5.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha2.h>

#include "http_lex.h"
#include "span.h"

/* nettle for all of them: GnuTLS has no SHA-512/256, which is not SHA-512 cut short. */
static const struct algorithm {
	const char *name, *sess;
	const struct nettle_hash *hash;
} algorithms[] = {
	[DIGEST_MD5] = { "MD5", "MD5-sess", &nettle_md5 },
	[DIGEST_SHA256] = { "SHA-256", "SHA-256-sess", &nettle_sha256 },
	[DIGEST_SHA512_256] = { "SHA-512-256", "SHA-512-256-sess", &nettle_sha512_256 },
};

#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

/* H() of the parts with a colon between each and the next, in lower-case hex. */
static void hash_joined(enum digest_hash hash, const struct est_span *parts, size_t n,
	char out[DIGEST_HEX])
{
	static const char digits[] = "0123456789abcdef";
	const struct nettle_hash *h = algorithms[hash].hash;
	uint8_t digest[SHA256_DIGEST_SIZE];
	union {
		struct md5_ctx md5;
		struct sha256_ctx sha256;
		struct sha512_256_ctx sha512_256;
	} ctx;

	_Static_assert(sizeof(digest) * 2 < DIGEST_HEX && SHA512_256_DIGEST_SIZE <= sizeof(digest),
		"the longest hash fits");
	h->init(&ctx);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			h->update(&ctx, 1, (const uint8_t *)":");
		if (parts[i].n > 0)
			h->update(&ctx, parts[i].n, parts[i].p);
	}
	h->digest(&ctx, h->digest_size, digest);
	for (size_t i = 0; i < h->digest_size; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * h->digest_size] = '\0';
	explicit_bzero(&ctx, sizeof(ctx)); /* had the password */
	explicit_bzero(digest, sizeof(digest));
}

#define HASH(hash, out, ...)                                                                       \
	hash_joined(hash, (const struct est_span[]){ __VA_ARGS__ },                                \
		sizeof((const struct est_span[]){ __VA_ARGS__ }) / sizeof(struct est_span), out)

/* ---- The challenge ------------------------------------------------------------------------------
 */

static bool find_algorithm(const struct http_challenge *in, struct digest_challenge *out)
{
	out->named = http_auth_find(in, "algorithm") != NULL;
	if (!out->named)
		return true; /* MD5 */
	for (size_t i = 0; i < ALGORITHMS; i++) {
		out->hash = (enum digest_hash)i;
		out->sess = http_auth_is(in, "algorithm", algorithms[i].sess);
		if (out->sess || http_auth_is(in, "algorithm", algorithms[i].name))
			return true;
	}
	return false;
}

static bool offers_auth(const struct http_challenge *in)
{
	struct est_span list, qop;

	if (http_auth_plain(in, "qop", &list)) {
		while (http_list_next(&list, &qop))
			if (http_is(qop, "auth"))
				return true;
	}
	return false;
}

static bool has_control(const struct est_buf *buf)
{
	for (size_t i = 0; i < buf->n; i++)
		if ((buf->p[i] < ' ' && buf->p[i] != '\t') || buf->p[i] == 0x7f)
			return true;
	return false;
}

/* Copies what is sent back. */
static enum est_code take_texts(const struct http_challenge *in, struct digest_challenge *out,
	struct est_error *err)
{
	enum est_code rc;

	rc = http_auth_value(in, "realm", &out->realm, err);
	if (rc == EST_OK)
		rc = http_auth_value(in, "nonce", &out->nonce, err);
	out->has_opaque = http_auth_find(in, "opaque") != NULL;
	if (rc == EST_OK && out->has_opaque)
		rc = http_auth_value(in, "opaque", &out->opaque, err);
	if (rc != EST_OK)
		return rc;
	if (out->nonce.n == 0)
		return est_fail(err, EST_E_PROTOCOL, "the nonce is empty (RFC 7616 section 3.3)");
	if (has_control(&out->realm) || has_control(&out->nonce) || has_control(&out->opaque))
		return est_fail(err, EST_E_PROTOCOL, "a control character in a quoted string");
	return EST_OK;
}

enum est_code digest_parse(const struct http_challenge *in, struct digest_challenge *out,
	struct est_error *err)
{
	struct digest_challenge c = { 0 };
	enum est_code rc;

	if (!find_algorithm(in, &c))
		return est_fail(err, EST_E_PROTOCOL,
			"an algorithm other than MD5, SHA-256 and SHA-512-256 (RFC 7616 section 3.3)");
	c.qop = http_auth_find(in, "qop") != NULL;
	if (c.qop && !offers_auth(in))
		return est_fail(err, EST_E_PROTOCOL,
			"no qop \"auth\" offered (RFC 7616 section 3.3)");
	if (c.sess && !c.qop) /* A1 needs a cnonce, which may not be sent then */
		return est_fail(err, EST_E_PROTOCOL, "-sess without qop (RFC 7616 section 3.4.2)");
	c.userhash = http_auth_is(in, "userhash", "true");
	c.utf8 = http_auth_is(in, "charset", "UTF-8");
	c.stale = http_auth_is(in, "stale", "true");
	rc = take_texts(in, &c, err);
	if (rc == EST_OK)
		*out = c;
	else
		digest_wipe(&c);
	return rc;
}

void digest_wipe(struct digest_challenge *challenge)
{
	est_buf_free(&challenge->realm);
	est_buf_free(&challenge->nonce);
	est_buf_free(&challenge->opaque);
	*challenge = (struct digest_challenge){ 0 };
}

const char *digest_algorithm(const struct digest_challenge *challenge)
{
	const struct algorithm *algorithm = &algorithms[challenge->hash];

	return challenge->sess ? algorithm->sess : algorithm->name;
}

/* ---- The answer ---------------------------------------------------------------------------------
 */

void digest_key(const struct digest_challenge *c, struct est_span user, struct est_span password,
	const char *cnonce, char key[DIGEST_HEX])
{
	HASH(c->hash, key, user, est_buf_span(&c->realm), password);
	if (c->sess)
		HASH(c->hash, key, est_span_str(key), est_buf_span(&c->nonce),
			est_span_str(cnonce));
}

/* KD() over A2, whose hash is given (RFC 7616 section 3.4.1). */
static void response(const struct digest_challenge *c, const char *key,
	const struct digest_use *use, const char *qop, const char *a2, char out[DIGEST_HEX])
{
	struct est_span nonce = est_buf_span(&c->nonce);
	const uint32_t nc = use->nc;
	char count[9];

	if (!c->qop) {
		HASH(c->hash, out, est_span_str(key), nonce, est_span_str(a2));
		return;
	}
	for (int i = 0; i < 8; i++)
		count[i] = "0123456789abcdef"[nc >> (28 - 4 * i) & 15];
	count[8] = '\0';
	HASH(c->hash, out, est_span_str(key), nonce, est_span_str(count), est_span_str(use->cnonce),
		est_span_str(qop), est_span_str(a2));
}

void digest_rspauth(const struct digest_challenge *c, const char key[DIGEST_HEX],
	const struct digest_use *use, const struct est_span *body, char out[DIGEST_HEX])
{
	char a2[DIGEST_HEX], content[DIGEST_HEX];

	if (body) {
		HASH(c->hash, content, *body);
		HASH(c->hash, a2, est_span_str(""), est_span_str(use->target),
			est_span_str(content));
	} else {
		HASH(c->hash, a2, est_span_str(""), est_span_str(use->target));
	}
	response(c, key, use, body ? "auth-int" : "auth", a2, out);
}

/* Appends `, name="value"` with its escapes (RFC 9110 section 5.6.4). */
static enum est_code append_quoted(struct est_buf *out, const char *before, struct est_span value,
	struct est_error *err)
{
	enum est_code rc = est_buf_printf(out, err, "%s=\"", before);
	size_t n;

	while (rc == EST_OK && value.n > 0) {
		for (n = 0; n < value.n && value.p[n] != '"' && value.p[n] != '\\'; n++)
			;
		rc = est_buf_append(out, (struct est_span){ value.p, n }, err);
		if (rc == EST_OK && n < value.n) {
			rc = est_buf_printf(out, err, "\\%c", value.p[n]);
			n++;
		}
		value = span_after(value, n);
	}
	return rc == EST_OK ? est_buf_append(out, est_span_str("\""), err) : rc;
}

static bool is_ascii(struct est_span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] & 0x80)
			return false;
	return true;
}

/* ext-value of RFC 8187 section 3.2: what is not attr-char goes as %XX. */
static enum est_code append_extended(struct est_buf *out, struct est_span value,
	struct est_error *err)
{
	enum est_code rc = est_buf_printf(out, err, "username*=UTF-8''");

	for (size_t i = 0; i < value.n && rc == EST_OK; i++) {
		uint8_t c = value.p[i];

		if (http_is_tchar(c) && !strchr("*'%", c))
			rc = est_buf_append(out, (struct est_span){ &c, 1 }, err);
		else
			rc = est_buf_printf(out, err, "%%%02X", c);
	}
	return rc;
}

/* The user name in one of its three forms (RFC 7616 sections 3.4 and 3.4.4). */
static enum est_code append_user(const struct digest_challenge *c, struct est_span user,
	struct est_buf *out, struct est_error *err)
{
	char hidden[DIGEST_HEX];
	enum est_code rc;

	if (c->userhash) {
		HASH(c->hash, hidden, user, est_buf_span(&c->realm));
		rc = append_quoted(out, "username", est_span_str(hidden), err);
		return rc == EST_OK ? est_buf_printf(out, err, ", userhash=true") : rc;
	}
	if (is_ascii(user))
		return append_quoted(out, "username", user, err);
	return append_extended(out, user, err);
}

enum est_code digest_authorization(const struct digest_challenge *c, const char key[DIGEST_HEX],
	const struct digest_use *use, struct est_buf *out, struct est_error *err)
{
	char a2[DIGEST_HEX], proof[DIGEST_HEX];
	struct est_buf text = { 0 };
	enum est_code rc;

	HASH(c->hash, a2, est_span_str(use->method), est_span_str(use->target));
	response(c, key, use, "auth", a2, proof);
	rc = est_buf_append(&text, est_span_str("Digest "), err);
	if (rc == EST_OK)
		rc = append_user(c, use->user, &text, err);
	if (rc == EST_OK)
		rc = append_quoted(&text, ", realm", est_buf_span(&c->realm), err);
	if (rc == EST_OK)
		rc = append_quoted(&text, ", nonce", est_buf_span(&c->nonce), err);
	if (rc == EST_OK)
		rc = append_quoted(&text, ", uri", est_span_str(use->target), err);
	if (rc == EST_OK)
		rc = est_buf_printf(&text, err, ", response=\"%s\"", proof);
	if (rc == EST_OK && c->named)
		rc = est_buf_printf(&text, err, ", algorithm=%s", digest_algorithm(c));
	if (rc == EST_OK && c->qop)
		rc = est_buf_printf(&text, err, ", qop=auth, nc=%08x, cnonce=\"%s\"",
			(unsigned)use->nc, use->cnonce);
	if (rc == EST_OK && c->has_opaque)
		rc = append_quoted(&text, ", opaque", est_buf_span(&c->opaque), err);
	if (rc == EST_OK)
		rc = est_buf_append(out, est_buf_span(&text), err);
	est_buf_free(&text);
	return rc;
}

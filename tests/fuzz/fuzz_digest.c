/* SPDX-License-Identifier: MIT */
/* Header lines of an answer: the Digest challenges in them and what is sent back; then the whole of
 * HTTP authentication, which must come to an end however the server goes on. */
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "testca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static enum est_code secret(void *ctx, const char *what, struct est_buf *out, struct est_error *err)
{
	(void)ctx;
	check(*what != '\0');
	return est_buf_append(out, est_span_str("s3cret-~"), err);
}

static bool parse(int status, struct est_span fields, struct http_response *out)
{
	struct est_buf before = { 0 };
	struct http_parser parser;
	struct est_error err;
	struct est_span parts[3];
	bool done;

	check(est_buf_printf(&before, &err, "HTTP/1.1 %d x\r\nContent-Length: 0\r\n", status) ==
		EST_OK);
	parts[0] = est_buf_span(&before);
	parts[1] = fields;
	parts[2] = est_span_str("\r\n\r\n");
	http_parser_init(&parser, out, 100, NULL);
	for (size_t i = 0; i < 3; i++)
		if (http_parser_feed(&parser, &parts[i], &err) != EST_OK)
			break;
	done = http_parser_done(&parser);
	http_parser_wipe(&parser);
	est_buf_free(&before);
	return done;
}

/* Nothing that would end the field. */
static void check_value(const struct est_buf *value)
{
	for (size_t i = 0; i < value->n; i++)
		check((value->p[i] >= ' ' || value->p[i] == '\t') && value->p[i] != 0x7f);
}

static void same(const struct http_challenge *sent, const char *name, const struct est_buf *want)
{
	struct est_buf got = { 0 };
	struct est_error err;

	check(http_auth_value(sent, name, &got, &err) == EST_OK);
	check(est_span_eq(est_buf_span(&got), est_buf_span(want)));
	est_buf_free(&got);
}

/* What is sent reads like a challenge, and says back what the server said. */
static void check_answer(const struct digest_challenge *c, const char *user)
{
	const struct digest_use use = { "POST", "/.well-known/est/a%22b/simpleenroll", "c0ffee",
		est_span_str(user), 0xfedcba98 };
	struct http_challenge back[HTTP_CHALLENGES_MAX];
	struct http_response response = { 0 };
	struct est_buf value = { 0 }, field = { 0 };
	struct est_error err;
	char key[DIGEST_HEX];

	digest_key(c, use.user, est_span_str("s3cret-~"), use.cnonce, key);
	check(strlen(key) == (c->hash == DIGEST_MD5 ? 32 : 64));
	check(digest_authorization(c, key, &use, &value, &err) == EST_OK);
	check_value(&value);
	check(est_buf_append(&field, est_span_str("WWW-Authenticate: "), &err) == EST_OK);
	check(est_buf_append(&field, est_buf_span(&value), &err) == EST_OK);
	if (field.n < HTTP_LINE_MAX && parse(401, est_buf_span(&field), &response)) {
		check(http_challenges(&response, "WWW-Authenticate", back) == 1);
		same(&back[0], "realm", &c->realm);
		same(&back[0], "nonce", &c->nonce);
		check(!http_auth_find(&back[0], "opaque") == !c->has_opaque);
		if (c->has_opaque)
			same(&back[0], "opaque", &c->opaque);
		check(!http_auth_find(&back[0], "nc") == !c->qop);
		check(!http_auth_find(&back[0], "username") !=
			!http_auth_find(&back[0], "username*"));
		check(http_auth_is(&back[0], "userhash", "true") == c->userhash);
	} else {
		check(field.n >= HTTP_LINE_MAX);
	}
	http_response_wipe(&response);
	est_buf_free(&value);
	est_buf_free(&field);
}

static struct authz *make_authz(void)
{
	const struct testca_spec spec = {
		.sans = { { GNUTLS_SAN_DNSNAME, est_span_str("a.example") } }
	};
	struct authz *authz = NULL;
	struct testca leaf;
	struct est_error err;
	struct url url;

	testca_issue(&spec, &leaf);
	check(url_parse("a.example", NULL, &url, &err) == EST_OK);
	check(authz_check(&(struct authz_query){ .server = &url,
				  .db = TRUST_EXPLICIT,
				  .leaf = leaf.crt },
		      &authz, &err) == EST_OK);
	testca_wipe(&leaf);
	url_wipe(&url);
	return authz;
}

/* The same answer to each request: one repeat, and those for stale nonces. */
static void check_exchange(const struct http_response *response, struct est_client *client)
{
	static struct authz *authz;
	const struct http_request request = { .method = "GET",
		.target = "/.well-known/est/cacerts",
		.host = "a.example" };
	struct est_buf value = { 0 };
	struct est_error err;
	bool again = true;
	int repeats = -1;

	if (!authz)
		authz = make_authz();
	auth_begin(client);
	while (again) {
		check(++repeats <= 1 + AUTH_STALE_MAX);
		est_buf_free(&value);
		check(auth_header(client, authz, &request, &value, &err) == EST_OK);
		check_value(&value);
		if (auth_judge(client, response, &again, &err) != EST_OK) {
			check(err.code == EST_E_AUTH && !again);
			break;
		}
		if (again)
			check(auth_secret(client, authz, &err) == EST_OK);
		else if (response->status == 401)
			auth_hint(client, response, &err);
	}
	est_buf_free(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct est_client client = {
		.config = { .user = "u\"\\", .password = secret, .token = secret }
	};
	struct http_challenge challenges[HTTP_CHALLENGES_MAX];
	struct http_response response = { 0 }, good = { 0 };
	struct digest_challenge c;
	struct est_error err;
	size_t n;

	if (parse(401, (struct est_span){ data, size }, &response) &&
		parse(200, (struct est_span){ data, size }, &good)) {
		n = http_challenges(&response, "WWW-Authenticate", challenges);
		for (size_t i = 0; i < n; i++) {
			if (!http_challenge_is(&challenges[i], "Digest") ||
				digest_parse(&challenges[i], &c, &err) != EST_OK)
				continue;
			check(c.nonce.n > 0);
			check_answer(&c, client.config.user);
			check_answer(&c, "J\xc3\xa4s\xff");
			digest_wipe(&c);
		}
		check_exchange(&response, &client);
		check_exchange(&response, &client);
		/* Now the fields come with a success. */
		client.config.auth = EST_AUTH_DIGEST;
		check_exchange(&good, &client);
		auth_wipe(&client.auth);
	}
	http_response_wipe(&response);
	http_response_wipe(&good);
	return 0;
}

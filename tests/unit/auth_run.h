/* SPDX-License-Identifier: MIT */
/* Plays the exchange of one client by hand, without a socket: requests leave, answers come. */
#ifndef AUTH_RUN_H
#define AUTH_RUN_H

#include "exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http_made.h"
#include "testca.h"

#define BASIC  "WWW-Authenticate: Basic realm=\"r\"\r\n"
#define BEARER "WWW-Authenticate: Bearer\r\n"
#define DIGEST(rest)                                                                               \
	"WWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n\", algorithm=" rest "\r\n"

static struct authz *authz;
static struct est_client client;
static struct est_buf sent; /* Authorization of the last request; n == 0: none */
static char asked[400];     /* what the secrets were asked with, one after another */
static const char *password = "s3cret", *token = "tok-en";
static struct est_error err;

static inline enum est_code give(const char *secret, const char *what, struct est_buf *out)
{
	size_t n = strlen(asked);

	(void)snprintf(asked + n, sizeof(asked) - n, "%s|", what);
	return secret ? est_buf_append(out, est_span_str(secret), &err)
		      : est_fail(&err, EST_E_INPUT, "none");
}

static inline enum est_code give_password(void *ctx, const char *what, struct est_buf *out,
	struct est_error *e)
{
	(void)ctx;
	(void)e;
	return give(password, what, out);
}

static inline enum est_code give_token(void *ctx, const char *what, struct est_buf *out,
	struct est_error *e)
{
	(void)ctx;
	(void)e;
	return give(token, what, out);
}

/* A client with a user, and with a token when with_token. */
static inline void start(enum est_auth how, const char *user, bool with_token)
{
	auth_wipe(&client.auth);
	client = (struct est_client){ 0 };
	client.config.auth = how;
	client.config.user = user;
	client.config.password = give_password;
	client.config.token = with_token ? give_token : NULL;
	asked[0] = '\0';
	password = "s3cret";
	token = "tok-en";
	auth_begin(&client);
}

static inline int finish(void **state)
{
	(void)state;
	auth_wipe(&client.auth);
	est_buf_free(&sent);
	return 0;
}

/* The next request leaves. */
static inline enum est_code request_to(const char *host, const char *method, const char *target)
{
	const struct http_request request = { .method = method, .target = target, .host = host };

	est_buf_free(&sent);
	return auth_header(&client, authz, &request, &sent, &err);
}

static inline void request(void)
{
	assert_int_equal(request_to("a.example", "POST", "/.well-known/est/l/simpleenroll"),
		EST_OK);
}

/* The answer comes; whether the request is to be repeated. */
static inline enum est_code answer(int status, const char *fields, bool *again)
{
	struct http_response response;
	enum est_code rc;

	http_made(status, fields, &response);
	rc = auth_judge(&client, &response, again, &err);
	if (rc == EST_OK && status == 401 && !*again)
		auth_hint(&client, &response, &err);
	http_response_wipe(&response);
	return rc;
}

static inline bool again(int status, const char *fields)
{
	bool repeat;

	if (answer(status, fields, &repeat) != EST_OK)
		fail_msg("%s", err.msg);
	if (repeat && auth_secret(&client, authz, &err) != EST_OK)
		fail_msg("%s", err.msg);
	return repeat;
}

static inline bool carried(const char *start_of_value)
{
	size_t n = strlen(start_of_value);

	return sent.n >= n && memcmp(sent.p, start_of_value, n) == 0;
}

static inline bool mentions(const char *text)
{
	return sent.n > 0 && memmem(sent.p, sent.n, text, strlen(text)) != NULL;
}

static inline int make_authz(void **state)
{
	const struct testca_spec spec = {
		.sans = { { GNUTLS_SAN_DNSNAME, est_span_str("a.example") } }
	};
	struct testca leaf;
	struct url url;
	enum est_code rc;

	(void)state;
	testca_issue(&spec, &leaf);
	rc = url_parse("a.example", NULL, &url, &err);
	if (rc == EST_OK)
		rc = authz_check(&(struct authz_query){ .server = &url,
					 .db = TRUST_EXPLICIT,
					 .leaf = leaf.crt },
			&authz, &err);
	testca_wipe(&leaf);
	url_wipe(&url);
	return rc == EST_OK ? 0 : -1;
}

static inline int drop_authz(void **state)
{
	(void)state;
	authz_free(authz);
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, finish)

#endif

/* SPDX-License-Identifier: MIT */
/* What comes of passwords, names and tokens, and whether the server proves that it knows them. */
#include "auth_run.h"

/* ---- Authentication-Info ------------------------------------------------------------------------
 */

static void digest_answered(void)
{
	start(EST_AUTH_AUTO, "u", false);
	request();
	assert_true(again(401, DIGEST("SHA-256")));
	request();
}

static void proof(const char *qop, char out[DIGEST_HEX])
{
	const struct digest_use use = { "POST", "/.well-known/est/l/simpleenroll",
		client.auth.cnonce, est_span_str("u"), client.auth.nc };
	struct est_span body = est_span_str("body");

	digest_rspauth(&client.auth.digest, client.auth.key, &use,
		strcmp(qop, "auth-int") == 0 ? &body : NULL, out);
}

static void a_server_that_proves_itself_is_believed(void **state)
{
	static const char *const qops[] = { "auth", "auth-int" };
	char field[200], right[DIGEST_HEX];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		digest_answered();
		proof(qops[i], right);
		(void)snprintf(field, sizeof(field),
			"Authentication-Info: rspauth=\"%s\", qop=%s, nextnonce=\"n\\\"2\"\r\n",
			right, qops[i]);
		assert_false(again(200, field));
		request();
		assert_true(mentions("nonce=\"n\\\"2\"") && mentions("nc=00000001"));
	}
}

static void a_wrong_rspauth_ends_it(void **state)
{
	static const char *const values[] = { "rspauth=\"\"", "rspauth=x",
		"qop=auth, rspauth=\"8ca523f5e9506fed4657c9700eebdbec\"" };
	char field[200], right[DIGEST_HEX];
	bool repeat;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		digest_answered();
		(void)snprintf(field, sizeof(field), "Authentication-Info: %s\r\n", values[i]);
		assert_int_equal(answer(200, field, &repeat), EST_E_AUTH);
		assert_string_equal(err.reason, "rspauth");
	}
	/* That of the body is not that of the head. */
	digest_answered();
	proof("auth-int", right);
	(void)snprintf(field, sizeof(field), "Authentication-Info: rspauth=%s\r\n", right);
	assert_int_equal(answer(200, field, &repeat), EST_E_AUTH);
	/* Nor is an error without it believed more. */
	digest_answered();
	assert_int_equal(answer(500, "Authentication-Info: rspauth=0\r\n", &repeat), EST_E_AUTH);
}

static void a_field_that_says_nothing_changes_nothing(void **state)
{
	static const char *const values[] = { "", "rspauth", "nextnonce=\"\"", "=x",
		"nextnonce=\"a\", nextnonce=\"b\"", "nextnonce=\"a", "nextnonce=\"n\"", "x=y" };
	char field[200];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		digest_answered();
		(void)snprintf(field, sizeof(field), "Authentication-Info: %s\r\n", values[i]);
		assert_false(again(200, field));
		request();
		assert_true(mentions("nonce=\"n\"") && mentions("nc=00000002"));
	}
	start(EST_AUTH_AUTO, "u", false);
	request();
	assert_true(again(401, BASIC));
	request();
	assert_false(again(200, "Authentication-Info: rspauth=0, nextnonce=x\r\n"));
}

/* ---- Secrets ------------------------------------------------------------------------------------
 */

static void refuse_secret(const char *fields, const char *user, const char *secret,
	enum est_code want)
{
	bool repeat;

	start(EST_AUTH_AUTO, user, strcmp(fields, BEARER) == 0);
	password = token = secret;
	request();
	assert_int_equal(answer(401, fields, &repeat), EST_OK);
	assert_true(repeat);
	assert_int_equal(auth_secret(&client, authz, &err), want);
	assert_null(strstr(err.msg, "s3c"));
	assert_int_not_equal(request_to("a.example", "POST", "/.well-known/est/l/simpleenroll"),
		EST_OK);
	assert_int_equal(sent.n, 0);
}

/* proves: R7030-3.2.3-05 */
static void what_cannot_be_sent_is_refused_for_every_scheme(void **state)
{
	static const char *const schemes[] = { BASIC, DIGEST("MD5"), DIGEST("SHA-512-256") };
	static const char *const tokens[] = { "", " ", "s3c ret", "s3c\r\nX: y", "s3c\nret",
		"s3c=r", "=s3c", "s3c,", "s3c\"", "s3c\xc3\xa4", "s3c\x7f", " s3c", "s3c ",
		"Bearer s3c" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		refuse_secret(schemes[i], "u", "s3c\r\nX: y", EST_E_USAGE);
		refuse_secret(schemes[i], "u", "s3c\x7f", EST_E_USAGE);
		refuse_secret(schemes[i], "u\n", "s3c", EST_E_USAGE);
		refuse_secret(schemes[i], "u:", "s3c", EST_E_USAGE);
		refuse_secret(schemes[i], "u", NULL, EST_E_INPUT);
	}
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		refuse_secret(BEARER, "u", tokens[i], EST_E_INPUT);
	refuse_secret(BEARER, "u", NULL, EST_E_INPUT);
}

static void a_token_of_every_allowed_character_goes_as_it_is(void **state)
{
	(void)state;
	start(EST_AUTH_BEARER, NULL, true);
	token = "azAZ09-._~+/==";
	request();
	assert_true(again(401, BEARER));
	request();
	assert_true(est_span_eq(est_buf_span(&sent), est_span_str("Bearer azAZ09-._~+/==")));
	assert_string_equal(asked, "token for a.example|");
}

/* proves: R7030-3.2.3-09 */
static void an_empty_user_name_and_a_colon_in_the_password_are_sent(void **state)
{
	(void)state;
	start(EST_AUTH_AUTO, "", false);
	password = "only:pass";
	request();
	assert_true(again(401, BASIC));
	request();
	assert_true(carried("Basic Om9ubHk6cGFzcw==")); /* ":only:pass" */
	assert_string_equal(asked, "password at a.example|");
	start(EST_AUTH_AUTO, "", false);
	request();
	assert_true(again(401, DIGEST("SHA-256")));
	request();
	assert_true(mentions("username=\"\""));
}

/* "a" and a combining diaeresis become one character, where the server wants UTF-8. */
static void utf8_is_normalised_when_the_server_asks_for_it(void **state)
{
	char composed[DIGEST_HEX];

	(void)state;
	start(EST_AUTH_BASIC, "a\xcc\x88", false);
	password = "o\xcc\x88";
	request();
	assert_true(again(401, BASIC));
	request();
	assert_true(carried("Basic YcyIOm/MiA=="));
	start(EST_AUTH_BASIC, "a\xcc\x88", false);
	password = "o\xcc\x88";
	request();
	assert_true(again(401, "WWW-Authenticate: Basic realm=r, charset=\"utf-8\"\r\n"));
	request();
	assert_true(carried("Basic w6Q6w7Y=")); /* U+00E4 ":" U+00F6 */
	start(EST_AUTH_DIGEST, "a\xcc\x88", false);
	password = "o\xcc\x88";
	request();
	assert_true(again(401, DIGEST("SHA-256, charset=UTF-8")));
	request();
	assert_true(mentions("username*=UTF-8''%C3%A4,"));
	digest_key(&client.auth.digest, est_span_str("\xc3\xa4"), est_span_str("\xc3\xb6"), "",
		composed);
	assert_string_equal(client.auth.key, composed);
	/* What is no UTF-8 is the server's to refuse. */
	start(EST_AUTH_BASIC, "u", false);
	password = "\xff";
	request();
	assert_true(again(401, "WWW-Authenticate: Basic realm=r, charset=UTF-8\r\n"));
	request();
	assert_true(carried("Basic dTr/"));
}

static void nothing_of_a_secret_stays_after_the_client(void **state)
{
	static const struct auth nothing;

	(void)state;
	digest_answered();
	auth_wipe(&client.auth);
	assert_memory_equal(&client.auth, &nothing, sizeof(nothing));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_server_that_proves_itself_is_believed),
		TEST(a_wrong_rspauth_ends_it),
		TEST(a_field_that_says_nothing_changes_nothing),
		TEST(what_cannot_be_sent_is_refused_for_every_scheme),
		TEST(a_token_of_every_allowed_character_goes_as_it_is),
		TEST(an_empty_user_name_and_a_colon_in_the_password_are_sent),
		TEST(utf8_is_normalised_when_the_server_asks_for_it),
		TEST(nothing_of_a_secret_stays_after_the_client),
	};

	return cmocka_run_group_tests(tests, make_authz, drop_authz);
}

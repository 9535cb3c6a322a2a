/* SPDX-License-Identifier: MIT */
/* What is answered to a 401, and how often. */
#include "auth_run.h"

/* ---- Before a challenge -------------------------------------------------------------------------
 */

/* proves: R7030-3.2.3-11 */
static void nothing_is_sent_before_a_challenge(void **state)
{
	(void)state;
	start(EST_AUTH_AUTO, "u", true);
	request();
	assert_int_equal(sent.n, 0);
	assert_false(again(200, BASIC BEARER));
	auth_begin(&client);
	request();
	assert_int_equal(sent.n, 0);
	assert_string_equal(asked, "");
}

/* proves: R7030-3.2.3-10 R7030-4.1.1-05 H-06 */
static void no_secret_is_asked_for_and_none_made_without_an_authorised_server(void **state)
{
	const struct http_request r = { .method = "GET", .target = "/a/b", .host = "a.example" };
	bool repeat;

	(void)state;
	start(EST_AUTH_AUTO, "u", false);
	assert_int_equal(request_to("a.example", "GET", "/a/b"), EST_OK);
	assert_int_equal(answer(401, BASIC, &repeat), EST_OK);
	assert_true(repeat);
	assert_int_equal(auth_secret(&client, NULL, &err), EST_E_INTERNAL);
	assert_string_equal(asked, "");
	assert_int_equal(auth_header(&client, NULL, &r, &sent, &err), EST_E_INTERNAL);
	assert_int_equal(sent.n, 0);
	/* And with one, but before the secret is there. */
	assert_int_equal(auth_header(&client, authz, &r, &sent, &err), EST_E_INTERNAL);
	assert_int_equal(sent.n, 0);
	assert_int_equal(auth_secret(&client, authz, &err), EST_OK);
	assert_int_equal(auth_header(&client, NULL, &r, &sent, &err), EST_E_INTERNAL);
	assert_int_equal(sent.n, 0);
}

/* ---- Choice -------------------------------------------------------------------------------------
 */

/* What is carried after this challenge; NULL: the request is not repeated. */
static void expect_choice(const char *fields, const char *value, const char *with)
{
	request();
	assert_int_equal(again(401, fields), value != NULL);
	request();
	if (!value && sent.n > 0)
		fail_msg("%.*s for %s", (int)sent.n, (const char *)sent.p, fields);
	if (value && (!carried(value) || !mentions(with)))
		fail_msg("%.*s, not %s %s", (int)sent.n, (const char *)sent.p, value, with);
	auth_wipe(&client.auth);
	auth_begin(&client);
}

/* proves: R7030-3.2.3-05 R7030-3.2.3-07 */
static void the_strongest_challenge_is_answered_wherever_it_stands(void **state)
{
	(void)state;
	start(EST_AUTH_AUTO, "u", true);
	expect_choice(BASIC BEARER DIGEST("MD5"), "Digest ", "algorithm=MD5,");
	expect_choice(DIGEST("SHA-256") BASIC, "Digest ", "algorithm=SHA-256,");
	expect_choice(BASIC DIGEST("MD5") DIGEST("SHA-256") DIGEST("MD5"), "Digest ",
		"algorithm=SHA-256,");
	expect_choice(DIGEST("SHA-512-256-sess") DIGEST("SHA-256"), "Digest ",
		"algorithm=SHA-512-256-sess,");
	expect_choice(DIGEST("SHA-512") DIGEST("SHA-256"), "Digest ", "algorithm=SHA-256,");
	expect_choice(
		"WWW-Authenticate: Negotiate, X a=\"b, Basic c=d\", Bearer, Basic realm=x\r\n",
		"Bearer tok-en", "tok-en");
	expect_choice("WWW-Authenticate: Digest realm=r, nonce=n\r\n"
		      "WWW-Authenticate: Digest realm=r, nonce=n, qop=\"auth\"\r\n",
		"Digest ", "qop=auth");
	expect_choice(DIGEST("MD5, x=1") DIGEST("SHA-256, opaque=one")
			      DIGEST("SHA-256, opaque=two"),
		"Digest ", "opaque=\"one\"");
	expect_choice(DIGEST("SHA-1") BASIC, "Basic dTpzM2NyZXQ=", "");
	expect_choice(BEARER BASIC, "Bearer tok-en", "");
}

static void what_has_no_secret_or_is_not_allowed_is_not_chosen(void **state)
{
	static const struct {
		enum est_auth how;
		const char *value;
	} rows[] = { { EST_AUTH_BASIC, "Basic " }, { EST_AUTH_DIGEST, "Digest " },
		{ EST_AUTH_BEARER, "Bearer " }, { EST_AUTH_NONE, NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(rows[i].how, "u", true);
		expect_choice(BASIC DIGEST("SHA-256") BEARER, rows[i].value, "");
	}
	start(EST_AUTH_DIGEST, "u", true);
	expect_choice(BASIC BEARER, NULL, "");
	assert_non_null(strstr(err.hint, "--auth"));
	start(EST_AUTH_AUTO, NULL, true);
	expect_choice(BASIC DIGEST("SHA-256"), NULL, "");
	assert_non_null(strstr(err.hint, "--user"));
	expect_choice(BASIC BEARER DIGEST("SHA-256"), "Bearer ", "");
	start(EST_AUTH_AUTO, "u", false);
	expect_choice(BEARER, NULL, "");
	assert_non_null(strstr(err.hint, "--token-file"));
	expect_choice(BEARER BASIC, "Basic ", "");
}

/* proves: R7030-3.2.3-06 R7030-3.2.3-08 */
static void a_401_that_offers_nothing_we_have_is_final(void **state)
{
	static const char *const fields[] = { "", "WWW-Authenticate: \r\n",
		"WWW-Authenticate: Negotiate, NTLM\r\n", "WWW-Authenticate: Basic2 realm=x\r\n",
		"WWW-Authenticate: Basic realm=x, realm=y\r\n", DIGEST("SHA-1"),
		"WWW-Authenticate: Digest realm=x\r\n", "Proxy-Authenticate: Basic realm=x\r\n",
		"Authentication-Info: Basic realm=x\r\n" };

	(void)state;
	start(EST_AUTH_AUTO, "u", true);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		expect_choice(fields[i], NULL, "");
		assert_string_not_equal(err.hint, "");
	}
	expect_choice("WWW-Authenticate: Negotiate, NTLM, negotiate\r\n", NULL, "");
	assert_non_null(strstr(err.hint, "offers Negotiate, NTLM;"));
	assert_string_equal(asked, "");
	request();
	assert_false(again(403, BASIC));
	assert_false(again(407, BASIC));
}

/* ---- Repeats ------------------------------------------------------------------------------------
 */

/* proves: R7030-3.2.3-08 */
static void refused_credentials_are_sent_once(void **state)
{
	static const char *const fields[] = { BASIC, BEARER, DIGEST("SHA-256") };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		start(EST_AUTH_AUTO, "u", true);
		request();
		assert_true(again(401, fields[i]));
		request();
		assert_true(sent.n > 0);
		/* Neither the same nor something weaker. */
		assert_false(again(401, BASIC BEARER DIGEST("SHA-512-256")));
		assert_non_null(strstr(err.hint, i == 1 ? "token is wrong" : "password is wrong"));
		auth_begin(&client);
		request();
		assert_int_equal(sent.n, 0);
	}
}

#define STALE(nonce)                                                                               \
	"WWW-Authenticate: Digest realm=r, qop=auth, stale=true, nonce=\"" nonce "\"\r\n"

/* proves: R7030-3.2.3-08 */
static void a_stale_nonce_is_replaced_three_times_and_not_once_more(void **state)
{
	(void)state;
	start(EST_AUTH_AUTO, "u", false);
	request();
	assert_true(again(401, STALE("0"))); /* nothing was sent yet: an ordinary challenge */
	request();
	assert_true(again(401, STALE("1")));
	request();
	assert_true(mentions("nonce=\"1\"") && mentions("nc=00000001"));
	assert_true(again(401, STALE("2")));
	request();
	assert_true(again(401, STALE("3")));
	request();
	assert_true(mentions("nonce=\"3\"") && mentions("nc=00000001"));
	assert_false(again(401, STALE("4")));
	assert_non_null(strstr(err.hint, "stale"));
	assert_string_equal(asked, "password of u at a.example|");
}

static void stale_counts_for_digest_that_was_sent_alone(void **state)
{
	(void)state;
	start(EST_AUTH_BASIC, "u", false);
	request();
	assert_true(again(401, "WWW-Authenticate: Basic realm=r, stale=true\r\n"));
	request();
	assert_false(again(401, "WWW-Authenticate: Basic realm=r, stale=true\r\n"));
	start(EST_AUTH_AUTO, "u", false);
	request();
	assert_true(again(401, BASIC));
	request();
	assert_false(again(401, STALE("1")));
}

static void a_nonce_that_comes_again_goes_on_counting(void **state)
{
	(void)state;
	start(EST_AUTH_AUTO, "u", false);
	request();
	assert_true(again(401, STALE("0")));
	request();
	assert_true(mentions("nc=00000001"));
	assert_true(again(401, STALE("0")));
	request();
	assert_true(mentions("nc=00000002"));
}

/* ---- The requests that follow -------------------------------------------------------------------
 */

static void what_was_taken_goes_along_from_then_on(void **state)
{
	struct est_buf first = { 0 };

	(void)state;
	start(EST_AUTH_AUTO, "u", false);
	request();
	assert_true(again(401, DIGEST("SHA-256")));
	request();
	assert_true(mentions("nc=00000001"));
	first = sent;
	sent = (struct est_buf){ 0 };
	assert_false(again(200, ""));
	auth_begin(&client);
	assert_int_equal(request_to("a.example", "GET", "/.well-known/est/l/cacerts"), EST_OK);
	assert_true(mentions("nc=00000002") && mentions("uri=\"/.well-known/est/l/cacerts\""));
	assert_false(again(200, ""));
	assert_false(est_span_eq(est_buf_span(&first), est_buf_span(&sent)));
	est_buf_free(&first);
	assert_string_equal(asked, "password of u at a.example|");
}

/* The client nonce is fresh each time, but in a session, whose key it is part of. */
static void the_client_nonce_changes_but_in_a_session(void **state)
{
	static const char *const fields[] = { DIGEST("SHA-256"), DIGEST("SHA-256-sess") };
	char first[AUTH_CNONCE];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		start(EST_AUTH_AUTO, "u", false);
		request();
		assert_true(again(401, fields[i]));
		request();
		memcpy(first, client.auth.cnonce, sizeof(first));
		assert_int_equal(strlen(first), AUTH_CNONCE - 1);
		assert_true(mentions(first));
		assert_false(again(200, ""));
		auth_begin(&client);
		request();
		assert_true(mentions("nc=00000002") && mentions(client.auth.cnonce));
		assert_int_equal(strcmp(first, client.auth.cnonce) == 0, i == 1);
	}
}

/* proves: H-06 */
static void it_goes_to_no_other_origin_and_to_no_other_path(void **state)
{
	static const char *const elsewhere[][2] = {
		{ "b.example", "/.well-known/est/l/simpleenroll" },
		{ "a.example:8443", "/.well-known/est/l/simpleenroll" },
		{ "a.example.evil", "/.well-known/est/l/simpleenroll" },
		{ "", "/.well-known/est/l/simpleenroll" },
		{ "a.example", "/.well-known/est/m/simpleenroll" },
		{ "a.example", "/.well-known/est/simpleenroll" },
		{ "a.example", "/" },
	};

	(void)state;
	for (size_t scheme = 0; scheme < 3; scheme++) {
		start(scheme == 0     ? EST_AUTH_BASIC
			: scheme == 1 ? EST_AUTH_BEARER
				      : EST_AUTH_DIGEST,
			"u", true);
		request();
		assert_true(again(401, BASIC BEARER DIGEST("SHA-256")));
		request();
		assert_true(sent.n > 0);
		assert_false(again(200, ""));
		for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
			auth_begin(&client);
			assert_int_equal(request_to(elsewhere[i][0], "POST", elsewhere[i][1]),
				EST_OK);
			assert_int_equal(sent.n, 0);
			assert_false(again(200, ""));
		}
		auth_begin(&client);
		request();
		assert_true(sent.n > 0);
	}
}

static void a_challenge_without_an_outcome_is_forgotten(void **state)
{
	(void)state;
	start(EST_AUTH_AUTO, "u", false);
	request();
	assert_true(again(401, BASIC));
	auth_begin(&client); /* the repeat never got an answer */
	request();
	assert_int_equal(sent.n, 0);
}

static void credentials_that_are_no_longer_taken_are_renewed_once_or_given_up(void **state)
{
	(void)state;
	start(EST_AUTH_AUTO, "u", false);
	request();
	assert_true(again(401, DIGEST("SHA-256")));
	request();
	assert_false(again(200, ""));
	auth_begin(&client);
	request();
	assert_true(again(401, "WWW-Authenticate: Digest realm=r, qop=auth, nonce=\"x\"\r\n"));
	request();
	assert_true(mentions("nonce=\"x\""));
	assert_false(again(401, "WWW-Authenticate: Digest realm=r, qop=auth, nonce=\"y\"\r\n"));
	/* The same password once more would be the same guess. */
	start(EST_AUTH_AUTO, "u", false);
	request();
	assert_true(again(401, BASIC));
	request();
	assert_false(again(200, ""));
	auth_begin(&client);
	request();
	assert_false(again(401, BASIC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_sent_before_a_challenge),
		TEST(no_secret_is_asked_for_and_none_made_without_an_authorised_server),
		TEST(the_strongest_challenge_is_answered_wherever_it_stands),
		TEST(what_has_no_secret_or_is_not_allowed_is_not_chosen),
		TEST(a_401_that_offers_nothing_we_have_is_final),
		TEST(refused_credentials_are_sent_once),
		TEST(a_stale_nonce_is_replaced_three_times_and_not_once_more),
		TEST(stale_counts_for_digest_that_was_sent_alone),
		TEST(a_nonce_that_comes_again_goes_on_counting),
		TEST(what_was_taken_goes_along_from_then_on),
		TEST(the_client_nonce_changes_but_in_a_session),
		TEST(it_goes_to_no_other_origin_and_to_no_other_path),
		TEST(a_challenge_without_an_outcome_is_forgotten),
		TEST(credentials_that_are_no_longer_taken_are_renewed_once_or_given_up),
	};

	return cmocka_run_group_tests(tests, make_authz, drop_authz);
}

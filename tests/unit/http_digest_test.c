/* SPDX-License-Identifier: MIT */
/* HTTP Digest against the examples of RFC 7616, and what of a challenge is refused. */
#include "http_digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http_made.h"

static struct http_response response;

/* The first challenge of this WWW-Authenticate value. */
static void challenge(const char *value, struct http_challenge *out)
{
	struct http_challenge found[HTTP_CHALLENGES_MAX];
	struct est_buf field = { 0 };
	struct est_error err;

	http_response_wipe(&response);
	assert_int_equal(est_buf_printf(&field, &err, "WWW-Authenticate: %s\r\n", value), EST_OK);
	http_made(401, (const char *)field.p, &response);
	est_buf_free(&field);
	if (http_challenges(&response, "WWW-Authenticate", found) < 1)
		fail_msg("no challenge in %s", value);
	*out = found[0];
}

static void parse(const char *value, struct digest_challenge *out)
{
	struct http_challenge in;
	struct est_error err = { 0 };

	challenge(value, &in);
	if (digest_parse(&in, out, &err) != EST_OK)
		fail_msg("%s: %s", value, err.msg);
}

static void done(struct digest_challenge *c)
{
	digest_wipe(c);
	http_response_wipe(&response);
}

static void expect_text(const struct est_buf *buf, const char *want)
{
	if (!est_span_eq(est_buf_span(buf), est_span_str(want)))
		fail_msg("%.*s, not %s", (int)buf->n, (const char *)buf->p, want);
}

/* "name=value" stands in the header, as a whole element. */
static bool has(const struct est_buf *header, const char *element)
{
	size_t n = strlen(element);
	const uint8_t *at = memmem(header->p, header->n, element, n), *end = header->p + header->n;

	return at && (at + n == end || at[n] == ',') && at > header->p && at[-1] == ' ';
}

/* One row of the examples; the header is made, and has what it must have. */
static void expect_response(const char *value, const char *user, const char *password,
	const char *target, const char *cnonce, uint32_t nc, const char *want)
{
	struct digest_challenge c;
	struct digest_use use = { "GET", target, cnonce, est_span_str(user), nc };
	struct est_error err = { 0 };
	struct est_buf out = { 0 }, element = { 0 };
	char key[DIGEST_HEX];

	parse(value, &c);
	digest_key(&c, est_span_str(user), est_span_str(password), cnonce, key);
	assert_int_equal(digest_authorization(&c, key, &use, &out, &err), EST_OK);
	assert_int_equal(est_buf_printf(&element, &err, "response=\"%s\"%c", want, 0), EST_OK);
	if (!has(&out, (const char *)element.p))
		fail_msg("%.*s: %s is due", (int)out.n, (const char *)out.p, want);
	est_buf_free(&element);
	est_buf_free(&out);
	done(&c);
}

#define MUFASA_REST                                                                                \
	"realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "                                \
	"nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                                 \
	"opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
#define MUFASA_CNONCE "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

/* proves: R7030-3.2.3-05 */
static void the_examples_of_the_standard_are_computed_for_every_algorithm(void **state)
{
	static const char *const rows[][2] = {
		{ "MD5", "8ca523f5e9506fed4657c9700eebdbec" },
		{ "SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" },
		{ "SHA-512-256",
			"430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0" },
		{ "MD5-sess", "e783283f46242139c486a698fec7211d" },
		{ "SHA-256-sess",
			"2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7" },
		{ "SHA-512-256-sess",
			"3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e" },
		{ "sha-512-256-SESS",
			"3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e" },
		{ "\"md5\"", "8ca523f5e9506fed4657c9700eebdbec" },
	};
	char value[400];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(value, sizeof(value), "Digest " MUFASA_REST ", algorithm=%s",
			rows[i][0]);
		expect_response(value, "Mufasa", "Circle of Life", "/dir/index.html", MUFASA_CNONCE,
			1, rows[i][1]);
	}
	expect_response("Digest " MUFASA_REST, "Mufasa", "Circle of Life", "/dir/index.html",
		MUFASA_CNONCE, 1, rows[0][1]);
}

#define JASON                                                                                      \
	"Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, "                  \
	"nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", "                                 \
	"opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8"
#define JASON_USER   "J\xc3\xa4s\xc3\xb8n Doe"
#define JASON_CNONCE "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"

/* The example of RFC 7616 section 3.9.2 prints SHA-512 cut to 256 bits; this is SHA-512/256, with
 * the initial value of its own. */
/* proves: R7030-3.2.3-05 */
static void sha_512_256_is_not_sha_512_cut_short(void **state)
{
	(void)state;
	expect_response(JASON ", userhash=true", JASON_USER, "Secret, or not?", "/doe.json",
		JASON_CNONCE, 1,
		"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
}

/* The whole header of a challenge. */
static void header(const char *value, const char *user, uint32_t nc, struct est_buf *out)
{
	struct digest_use use = { "POST", "/.well-known/est/label/simpleenroll", "c0ffee",
		est_span_str(user), nc };
	struct digest_challenge c;
	struct est_error err = { 0 };
	char key[DIGEST_HEX];

	est_buf_free(out);
	parse(value, &c);
	digest_key(&c, est_span_str(user), est_span_str("s3cret"), "c0ffee", key);
	assert_int_equal(digest_authorization(&c, key, &use, out, &err), EST_OK);
	assert_null(memmem(out->p, out->n, "s3cret", 6));
	assert_null(memmem(out->p, out->n, key, strlen(key)));
	done(&c);
}

static void the_header_has_what_the_standard_quotes_in_quotes_and_the_rest_bare(void **state)
{
	struct est_buf out = { 0 };

	(void)state;
	header("Digest realm=r, nonce=n, qop=auth, algorithm=sha-256, opaque=\"\"", "me", 255,
		&out);
	assert_memory_equal(out.p, "Digest ", 7);
	assert_true(has(&out, "username=\"me\""));
	assert_true(has(&out, "realm=\"r\""));
	assert_true(has(&out, "nonce=\"n\""));
	assert_true(has(&out, "uri=\"/.well-known/est/label/simpleenroll\""));
	assert_true(has(&out, "algorithm=SHA-256"));
	assert_true(has(&out, "qop=auth"));
	assert_true(has(&out, "nc=000000ff"));
	assert_true(has(&out, "cnonce=\"c0ffee\""));
	assert_true(has(&out, "opaque=\"\""));
	assert_null(memmem(out.p, out.n, "userhash", 8));
	est_buf_free(&out);
}

static void an_old_server_gets_neither_counter_nor_algorithm(void **state)
{
	struct est_buf out = { 0 };

	(void)state;
	header("Digest realm=\"r\", nonce=\"n\"", "me", 1, &out);
	expect_text(&out, "Digest username=\"me\", realm=\"r\", nonce=\"n\", "
			  "uri=\"/.well-known/est/label/simpleenroll\", "
			  /* md5sum of "md5(me:r:s3cret):n:md5(POST:/...)" */
			  "response=\"846c55958533a5f59ecc6fa68dd638b8\"");
	est_buf_free(&out);
}

static void escapes_are_undone_for_the_hash_and_made_again_for_the_wire(void **state)
{
	struct est_buf out = { 0 };
	struct digest_challenge c;

	(void)state;
	parse("Digest realm=\"a \\\"b\\\\ \\c\", nonce=\"\\\"\", qop=\"auth\"", &c);
	expect_text(&c.realm, "a \"b\\ c");
	expect_text(&c.nonce, "\"");
	done(&c);
	header("Digest realm=\"a \\\"b\\\\ \\c\", nonce=\"n\", qop=\"auth\"", "me\"\\", 1, &out);
	assert_true(has(&out, "realm=\"a \\\"b\\\\ c\""));
	assert_true(has(&out, "username=\"me\\\"\\\\\""));
	est_buf_free(&out);
}

static void the_user_name_is_hashed_when_the_server_asks(void **state)
{
	static const char *const rows[][2] = {
		{ "MD5", "username=\"4238f3a16167373febb9bc4d43db9cc4\"" },
		{ "SHA-256",
			"username=\"a947aad205e80e429958a387394944c6b496301e79f89d35a4cc23b6ee12b5b6\"" },
	};
	struct est_buf out = { 0 };
	char value[400];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(value, sizeof(value),
			"Digest " MUFASA_REST ", userhash=TRUE, algorithm=%s", rows[i][0]);
		header(value, "Mufasa", 1, &out);
		assert_true(has(&out, rows[i][1]));
		assert_true(has(&out, "userhash=true"));
		assert_null(memmem(out.p, out.n, "Mufasa", 6));
	}
	header(JASON ", userhash=\"true\"", JASON_USER, 1, &out);
	assert_true(has(&out,
		"username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\""));
	est_buf_free(&out);
}

static void a_name_beyond_ascii_goes_in_the_extended_form_alone(void **state)
{
	struct est_buf out = { 0 };

	(void)state;
	header(JASON, JASON_USER, 1, &out);
	assert_true(has(&out, "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe"));
	assert_null(memmem(out.p, out.n, "username=", 9));
	header(JASON ", userhash=false", "\xc3\xa4*'%", 1, &out);
	assert_true(has(&out, "username*=UTF-8''%C3%A4%2A%27%25"));
	est_buf_free(&out);
}

/* proves: R7030-3.2.3-09 */
static void the_user_name_may_be_empty(void **state)
{
	struct est_buf out = { 0 };

	(void)state;
	header("Digest " MUFASA_REST, "", 1, &out);
	assert_true(has(&out, "username=\"\""));
	est_buf_free(&out);
}

static void the_server_proves_itself_over_another_a2(void **state)
{
	struct digest_use use = { "GET", "/dir/index.html", MUFASA_CNONCE, est_span_str("Mufasa"),
		1 };
	struct est_span body = est_span_str("content"), other = est_span_str("contenT");
	char key[DIGEST_HEX], proof[DIGEST_HEX], again[DIGEST_HEX];
	struct digest_challenge c;

	(void)state;
	parse("Digest " MUFASA_REST ", algorithm=SHA-256", &c);
	digest_key(&c, est_span_str("Mufasa"), est_span_str("Circle of Life"), MUFASA_CNONCE, key);
	digest_rspauth(&c, key, &use, NULL, proof);
	assert_string_equal(proof,
		"86d3b25618d41854ca5039a5d7e53ff6355d5134a9b1fb088a78ac3c462195a0");
	digest_rspauth(&c, key, &use, &body, proof);
	assert_string_equal(proof,
		"f7a29a9333e85fb1dda36d4c1ea9fc4aa91d010d31f335695875c700727bbc84");
	digest_rspauth(&c, key, &use, &other, again);
	assert_string_not_equal(proof, again);
	done(&c);
}

static void a_session_key_depends_on_both_nonces_and_a_plain_one_on_neither(void **state)
{
	char key[DIGEST_HEX], other[DIGEST_HEX];
	struct digest_challenge c;

	(void)state;
	parse("Digest " MUFASA_REST ", algorithm=MD5-sess", &c);
	digest_key(&c, est_span_str("u"), est_span_str("p"), "a", key);
	digest_key(&c, est_span_str("u"), est_span_str("p"), "b", other);
	assert_string_not_equal(key, other);
	done(&c);
	parse("Digest " MUFASA_REST ", algorithm=MD5", &c);
	digest_key(&c, est_span_str("u"), est_span_str("p"), "a", key);
	digest_key(&c, est_span_str("u"), est_span_str("p"), "b", other);
	assert_string_equal(key, other);
	done(&c);
}

static void flags_are_read_with_and_without_quotes(void **state)
{
	struct digest_challenge c;

	(void)state;
	parse("Digest realm=\"r\", nonce=\"n\", stale=TRUE, charset=\"utf-8\", qop=auth,"
	      "userhash=\"True\"",
		&c);
	assert_true(c.stale && c.utf8 && c.qop && c.userhash);
	assert_false(c.named || c.sess || c.has_opaque);
	done(&c);
	parse("Digest realm=\"\", nonce=\"n\", stale=yes, charset=latin1, userhash=1,"
	      "qop=\" x , AUTH\", opaque=\"o\", domain=\"/a /b\", unknown=1",
		&c);
	assert_true(c.qop && c.has_opaque);
	assert_false(c.stale || c.utf8 || c.userhash);
	assert_int_equal(c.realm.n, 0);
	expect_text(&c.opaque, "o");
	done(&c);
}

static void refuse(const char *value, const char *says)
{
	struct digest_challenge c = { 0 };
	struct http_challenge in;
	struct est_error err = { 0 };

	challenge(value, &in);
	assert_int_equal(digest_parse(&in, &c, &err), EST_E_PROTOCOL);
	if (!strstr(err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
	assert_null(c.realm.p);
	assert_null(c.nonce.p);
	http_response_wipe(&response);
}

static void a_challenge_that_cannot_be_answered_is_refused(void **state)
{
	(void)state;
	refuse("Digest", "no realm");
	refuse("Digest nonce=\"n\"", "no realm");
	refuse("Digest abc==", "no realm");
	refuse("Digest realm=\"r\"", "no nonce");
	refuse("Digest realm=\"r\", nonce=\"\"", "nonce is empty");
	refuse("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1", "algorithm");
	refuse("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512", "algorithm");
	refuse("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-ses", "algorithm");
	refuse("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sesss", "algorithm");
	refuse("Digest realm=\"r\", nonce=\"n\", algorithm=\"\"", "algorithm");
	refuse("Digest realm=\"r\", nonce=\"n\", algorithm=\"MD\\5\"", "algorithm");
	refuse("Digest realm=\"r\", nonce=\"n\", qop=auth-int", "qop");
	refuse("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int,authx\"", "qop");
	refuse("Digest realm=\"r\", nonce=\"n\", qop=\"\"", "qop");
	refuse("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess", "-sess without qop");
	refuse("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess, qop=auth-int", "qop");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_standard_are_computed_for_every_algorithm),
		cmocka_unit_test(sha_512_256_is_not_sha_512_cut_short),
		cmocka_unit_test(
			the_header_has_what_the_standard_quotes_in_quotes_and_the_rest_bare),
		cmocka_unit_test(an_old_server_gets_neither_counter_nor_algorithm),
		cmocka_unit_test(escapes_are_undone_for_the_hash_and_made_again_for_the_wire),
		cmocka_unit_test(the_user_name_is_hashed_when_the_server_asks),
		cmocka_unit_test(a_name_beyond_ascii_goes_in_the_extended_form_alone),
		cmocka_unit_test(the_user_name_may_be_empty),
		cmocka_unit_test(the_server_proves_itself_over_another_a2),
		cmocka_unit_test(a_session_key_depends_on_both_nonces_and_a_plain_one_on_neither),
		cmocka_unit_test(flags_are_read_with_and_without_quotes),
		cmocka_unit_test(a_challenge_that_cannot_be_answered_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Challenges as servers write them (RFC 9110 section 11.6.1), and HTTP Basic (RFC 7617). */
#include "http_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http_made.h"

static struct http_challenge found[HTTP_CHALLENGES_MAX];
static struct http_response response;

/* The challenges in these header lines. */
static size_t challenges(const char *fields)
{
	http_response_wipe(&response);
	http_made(401, fields, &response);
	return http_challenges(&response, "WWW-Authenticate", found);
}

/* "Basic(realm="x",charset=UTF-8) Negotiate[abc==]" for what was found. */
static void expect(const char *fields, const char *want)
{
	struct est_error err = { 0 };
	struct est_buf out = { 0 };
	size_t n = challenges(fields);

	for (size_t i = 0; i < n; i++) {
		const struct http_challenge *c = &found[i];

		assert_int_equal(est_buf_printf(&out, &err, "%s%.*s", i ? " " : "",
					 (int)c->scheme.n, (const char *)c->scheme.p),
			EST_OK);
		if (c->token68.n > 0)
			assert_int_equal(est_buf_printf(&out, &err, "[%.*s]", (int)c->token68.n,
						 (const char *)c->token68.p),
				EST_OK);
		for (size_t k = 0; k < c->n_params; k++) {
			const struct http_auth_param *p = &c->params[k];

			assert_int_equal(p->quoted, p->value.p[0] == '"');
			assert_int_equal(est_buf_printf(&out, &err, "%s%.*s=%.*s%s", k ? "," : "(",
						 (int)p->name.n, (const char *)p->name.p,
						 (int)p->value.n, (const char *)p->value.p,
						 k + 1 == c->n_params ? ")" : ""),
				EST_OK);
		}
	}
	assert_int_equal(est_buf_append(&out, (struct est_span){ (const uint8_t *)"", 1 }, &err),
		EST_OK);
	assert_string_equal((const char *)out.p, want);
	est_buf_free(&out);
	http_response_wipe(&response);
}

#define WWW "WWW-Authenticate: "

static void single_challenges_are_read(void **state)
{
	(void)state;
	expect("", "");
	expect(WWW "Basic realm=\"est\"\r\n", "Basic(realm=\"est\")");
	expect(WWW "Basic realm=est\r\n", "Basic(realm=est)");
	expect("www-authenticate: basic  Realm = \"a, b\" , charset=\"UTF-8\"\r\n",
		"basic(Realm=\"a, b\",charset=\"UTF-8\")");
	expect(WWW "Negotiate\r\n", "Negotiate");
	expect(WWW "Negotiate abc==\r\n", "Negotiate[abc==]");
	expect(WWW "Bearer a-._~+/9=\r\n", "Bearer[a-._~+/9=]");
	expect(WWW "Basic realm=\"a \\\"b\\\\\"\r\n", "Basic(realm=\"a \\\"b\\\\\")");
	expect(WWW "Basic realm=\"\"\r\n", "Basic(realm=\"\")");
}

static void several_challenges_in_one_field_are_told_apart(void **state)
{
	(void)state;
	expect(WWW "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", "
		   "Basic realm=\"simple\"\r\n",
		"Newauth(realm=\"apps\",type=1,title=\"Login to \\\"apps\\\"\") Basic(realm=\"simple\")");
	expect(WWW "Negotiate, Basic realm=x\r\n", "Negotiate Basic(realm=x)");
	expect(WWW "Negotiate abc=, Basic realm=x\r\n", "Negotiate[abc=] Basic(realm=x)");
	expect(WWW "Negotiate,NTLM,Basic realm=x\r\n", "Negotiate NTLM Basic(realm=x)");
	expect(WWW
		"Digest qop=\"auth, auth-int\", nonce=\"a\",algorithm=SHA-256, Basic realm=\"x\"\r\n",
		"Digest(qop=\"auth, auth-int\",nonce=\"a\",algorithm=SHA-256) Basic(realm=\"x\")");
	expect(WWW "Basic realm=\"Digest realm=x, Bearer\"\r\n",
		"Basic(realm=\"Digest realm=x, Bearer\")");
}

static void several_fields_are_read_in_order(void **state)
{
	(void)state;
	expect(WWW "Unknown x=y\r\nX: y\r\n" WWW "Basic realm=x\r\nwww-AUTHENTICATE: Bearer\r\n",
		"Unknown(x=y) Basic(realm=x) Bearer");
	expect(WWW "\r\n" WWW "Basic realm=x\r\n", "Basic(realm=x)");
}

static void empty_list_elements_are_skipped(void **state)
{
	(void)state;
	expect(WWW ", ,\t,\r\n", "");
	expect(WWW ",, Basic realm=x,, ,charset=y,,, Bearer,\r\n",
		"Basic(realm=x,charset=y) Bearer");
	expect(WWW "Basic , realm=x\r\n", "Basic(realm=x)");
}

static void a_malformed_challenge_does_not_hide_the_others(void **state)
{
	(void)state;
	expect(WWW "realm=x, Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "Digest realm=\"x\" nonce=\"y\", Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "Digest realm=\"x\"y, opaque=\"z\", Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "Digest realm==x, Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "Digest =x, Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "\"quoted, string\", Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "@, Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "Di(gest realm=x, Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "Negotiate abc, realm=x, Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "Basic realm=y, Digest realm=\"x\r\n", "Basic(realm=y)");
	expect(WWW "Digest realm=\"x\\\"\r\n" WWW "Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "Digest realm=\"x, Basic realm=y\r\n", "");
}

static void a_challenge_with_a_parameter_twice_is_left_out(void **state)
{
	(void)state;
	expect(WWW "Digest realm=a, nonce=b, REALM=c, Basic realm=y\r\n", "Basic(realm=y)");
	expect(WWW "Basic realm=a, realm=a\r\n", "");
	expect(WWW "Basic realm=a, Basic realm=b\r\n", "Basic(realm=a) Basic(realm=b)");
}

static void the_numbers_of_parameters_and_challenges_are_bounded(void **state)
{
	static const char sixteen[] = WWW "X a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,"
					  "n=1,o=1,p=1";
	struct est_error err = { 0 };
	struct est_buf in = { 0 };

	(void)state;
	assert_int_equal(est_buf_printf(&in, &err, "%s\r\n%c", sixteen, '\0'), EST_OK);
	assert_int_equal(challenges((const char *)in.p), 1);
	assert_int_equal(found[0].n_params, HTTP_AUTH_PARAMS_MAX);
	est_buf_free(&in);
	assert_int_equal(est_buf_printf(&in, &err, "%s,q=1, Y\r\n%c", sixteen, '\0'), EST_OK);
	assert_int_equal(challenges((const char *)in.p), 1);
	assert_true(http_challenge_is(&found[0], "y"));
	est_buf_free(&in);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(est_buf_printf(&in, &err, WWW "A%zu, B%zu\r\n", i, i), EST_OK);
	assert_int_equal(est_buf_append(&in, (struct est_span){ (const uint8_t *)"", 1 }, &err),
		EST_OK);
	assert_int_equal(challenges((const char *)in.p), HTTP_CHALLENGES_MAX);
	est_buf_free(&in);
	http_response_wipe(&response);
}

static void schemes_ignore_case(void **state)
{
	(void)state;
	assert_int_equal(challenges(WWW "bAsIc realm=x\r\n"), 1);
	assert_true(http_challenge_is(&found[0], "Basic"));
	assert_false(http_challenge_is(&found[0], "Basi"));
	assert_false(http_challenge_is(&found[0], "Basic2"));
	http_response_wipe(&response);
}

/* ---- Basic ------------------------------------------------------------------------------------
 */

static void expect_basic(const char *user, const char *password, const char *want)
{
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	assert_int_equal(http_basic(user, est_span_str(password), &out, &err), EST_OK);
	assert_true(est_span_eq(est_buf_span(&out), est_span_str(want)));
	est_buf_free(&out);
}

/* The examples of RFC 7617 sections 2 and 2.1, and an enrolment code without a user. */
static void basic_credentials_are_encoded_as_the_standard_prints_them(void **state)
{
	(void)state;
	expect_basic("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	expect_basic("test", "123\xc2\xa3", "Basic dGVzdDoxMjPCow==");
	expect_basic("", "onlypass", "Basic Om9ubHlwYXNz");
	expect_basic("", "", "Basic Og==");
	expect_basic("a", "b:c", "Basic YTpiOmM=");
}

static void a_long_password_stays_on_one_line(void **state)
{
	char password[EST_SECRET_MAX + 1];
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	(void)state;
	memset(password, 'x', EST_SECRET_MAX);
	password[EST_SECRET_MAX] = '\0';
	assert_int_equal(http_basic("u", est_span_str(password), &out, &err), EST_OK);
	assert_int_equal(out.n, strlen("Basic ") + (EST_SECRET_MAX + 2) / 3 * 4);
	assert_null(memchr(out.p, '\n', out.n));
	est_buf_free(&out);
}

static void refuse_basic(const char *user, const char *password, size_t n)
{
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	assert_int_equal(http_basic(user, (struct est_span){ (const uint8_t *)password, n }, &out,
				 &err),
		EST_E_USAGE);
	assert_int_equal(out.n, 0);
	assert_null(strstr(err.msg, "s3cret"));
}

static void what_basic_cannot_express_is_refused(void **state)
{
	(void)state;
	refuse_basic("a:b", "s3cret", 6);
	refuse_basic(":", "s3cret", 6);
	refuse_basic("a\nb", "s3cret", 6);
	refuse_basic("a\x7f", "s3cret", 6);
	refuse_basic("a", "s3cret\n", 7);
	refuse_basic("a", "s3cret\r\nX: y", 12);
	refuse_basic("a", "s3cret\0", 7);
	refuse_basic("a", "s3cret\x7f", 7);
	refuse_basic("a", "\ts3cret", 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_challenges_are_read),
		cmocka_unit_test(several_challenges_in_one_field_are_told_apart),
		cmocka_unit_test(several_fields_are_read_in_order),
		cmocka_unit_test(empty_list_elements_are_skipped),
		cmocka_unit_test(a_malformed_challenge_does_not_hide_the_others),
		cmocka_unit_test(a_challenge_with_a_parameter_twice_is_left_out),
		cmocka_unit_test(the_numbers_of_parameters_and_challenges_are_bounded),
		cmocka_unit_test(schemes_ignore_case),
		cmocka_unit_test(basic_credentials_are_encoded_as_the_standard_prints_them),
		cmocka_unit_test(a_long_password_stays_on_one_line),
		cmocka_unit_test(what_basic_cannot_express_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

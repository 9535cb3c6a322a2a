/* SPDX-License-Identifier: MIT */
/* Where redirects lead: the examples of RFC 3986 section 5.4 and what is refused. */
#include "redirect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct place base_place(void)
{
	struct place base = { 0 };
	struct est_error err;

	assert_int_equal(url_authority(est_span_str("a.example:8443"), &base.url, &err), EST_OK);
	base.target = strdup("/b/c/d?q");
	return base;
}

static enum est_code resolve(const char *location, char *out, size_t size, struct est_error *err)
{
	struct place base = base_place(), place = { 0 };
	enum est_code rc;

	rc = redirect_resolve(&base, est_span_str(location), &place, err);
	if (rc == EST_OK)
		(void)snprintf(out, size, "%s%s", place.url.authority, place.target);
	place_wipe(&place);
	place_wipe(&base);
	return rc;
}

/* proves: R7030-3.2.1-03 */
static void references_resolve_as_rfc_3986_says(void **state)
{
	static const char *const table[][2] = {
		{ "g", "a.example:8443/b/c/g" },
		{ "./g", "a.example:8443/b/c/g" },
		{ "g/", "a.example:8443/b/c/g/" },
		{ "/g", "a.example:8443/g" },
		{ "//g", "g/" },
		{ "?y", "a.example:8443/b/c/d?y" },
		{ "g?y", "a.example:8443/b/c/g?y" },
		{ "#s", "a.example:8443/b/c/d?q" },
		{ "g?y#s", "a.example:8443/b/c/g?y" },
		{ "", "a.example:8443/b/c/d?q" },
		{ ".", "a.example:8443/b/c/" },
		{ "./", "a.example:8443/b/c/" },
		{ "..", "a.example:8443/b/" },
		{ "../g", "a.example:8443/b/g" },
		{ "../..", "a.example:8443/" },
		{ "../../g", "a.example:8443/g" },
		{ "../../../../g", "a.example:8443/g" },
		{ "/./g", "a.example:8443/g" },
		{ "/../g", "a.example:8443/g" },
		{ "g.", "a.example:8443/b/c/g." },
		{ "..g", "a.example:8443/b/c/..g" },
		{ "./g/.", "a.example:8443/b/c/g/" },
		{ "g/../h", "a.example:8443/b/c/h" },
		{ "https://B.Example/x", "b.example/x" },
		{ "HTTPS://b.example:443", "b.example/" },
		{ "https://[::1]:9/x?y=/..", "[::1]:9/x?y=/.." },
	};
	struct est_error err;
	char got[200];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(resolve(table[i][0], got, sizeof(got), &err), EST_OK);
		assert_string_equal(got, table[i][1]);
	}
}

/* proves: R7030-3.2.1-08 */
static void other_schemes_are_refused(void **state)
{
	static const char *const table[] = { "http://a.example/b", "HTTP:g", "ftp://x/",
		"file:///x", "javascript:alert(1)", "httpss://x/" };
	struct est_error err;
	char got[200];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(resolve(table[i], got, sizeof(got), &err), EST_E_REFUSED);
}

static void malformed_references_are_refused(void **state)
{
	static const char *const table[] = { "https:", "https:/x", "https:x", "https:///x",
		"https://user@b.example/", "https://u:p@b.example/", "https://b.example:0/",
		"https://b.example:65536/", "https://b.example:x/", "//", "https://[::1/", "a b",
		"a\tb", "/\x1b[2J", "/caf\xc3\xa9", "/a\"b", "https://b..example/" };
	struct est_error err;
	char got[200], longer[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(resolve(table[i], got, sizeof(got), &err), EST_E_REFUSED);
		assert_null(strpbrk(err.msg, "\x1b\t"));
	}
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(resolve(longer, got, sizeof(got), &err), EST_E_REFUSED);
}

static void an_origin_is_host_and_port(void **state)
{
	struct url a = { 0 }, b = { 0 };
	struct est_error err;

	(void)state;
	assert_int_equal(url_authority(est_span_str("x.example"), &a, &err), EST_OK);
	assert_int_equal(url_authority(est_span_str("X.example:443"), &b, &err), EST_OK);
	assert_true(place_same_origin(&a, &b));
	url_wipe(&b);
	assert_int_equal(url_authority(est_span_str("x.example:8443"), &b, &err), EST_OK);
	assert_false(place_same_origin(&a, &b));
	url_wipe(&b);
	assert_int_equal(url_authority(est_span_str("y.example"), &b, &err), EST_OK);
	assert_false(place_same_origin(&a, &b));
	url_wipe(&b);
	url_wipe(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_resolve_as_rfc_3986_says),
		cmocka_unit_test(other_schemes_are_refused),
		cmocka_unit_test(malformed_references_are_refused),
		cmocka_unit_test(an_origin_is_host_and_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

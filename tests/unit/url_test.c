/* SPDX-License-Identifier: MIT */
/* The address of the server, as operators write it and as it goes on the wire. */
#include "url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void expect(const char *server, const char *label, const char *host, unsigned port,
	const char *authority, const char *base)
{
	struct est_error err = { 0 };
	struct url url = { 0 };

	if (url_parse(server, label, &url, &err) != EST_OK)
		fail_msg("%s: %s", server, err.msg);
	assert_string_equal(url.host, host);
	assert_int_equal(url.port, port);
	assert_string_equal(url.authority, authority);
	assert_string_equal(url.base, base);
	url_wipe(&url);
	assert_null(url.host);
}

/* EST_E_USAGE, the output untouched, and the message says this. */
static void refuse(const char *server, const char *label, const char *says)
{
	struct est_error err = { 0 };
	struct url url = { .port = 7 };

	assert_int_equal(url_parse(server, label, &url, &err), EST_E_USAGE);
	assert_int_equal(url.port, 7);
	assert_null(url.host);
	if (!strstr(err.msg, says))
		fail_msg("%s: \"%s\" does not say \"%s\"", server, err.msg, says);
}

#define EST "/.well-known/est"

/* proves: R7030-3.1-10 */
static void the_three_forms_of_a_server_mean_the_same(void **state)
{
	(void)state;
	expect("ca.example:8443", "lab", "ca.example", 8443, "ca.example:8443", EST "/lab");
	expect("https://ca.example:8443", "lab", "ca.example", 8443, "ca.example:8443", EST "/lab");
	expect("https://ca.example:8443" EST "/lab", NULL, "ca.example", 8443, "ca.example:8443",
		EST "/lab");
	expect("https://ca.example:8443" EST, "lab", "ca.example", 8443, "ca.example:8443",
		EST "/lab");
	expect("ca.example", NULL, "ca.example", 443, "ca.example", EST);
	expect("https://ca.example" EST, NULL, "ca.example", 443, "ca.example", EST);
	expect("https://ca.example/", NULL, "ca.example", 443, "ca.example", EST);
	expect("https://ca.example" EST "/", NULL, "ca.example", 443, "ca.example", EST);
	expect("https://ca.example" EST "/lab/", NULL, "ca.example", 443, "ca.example", EST "/lab");
}

static void scheme_and_host_ignore_case(void **state)
{
	(void)state;
	expect("HTTPS://CA.Example" EST "/Lab", NULL, "ca.example", 443, "ca.example", EST "/Lab");
	expect("XN--bcher-KVA.example", NULL, "xn--bcher-kva.example", 443, "xn--bcher-kva.example",
		EST);
	expect("a_b-c.d9", NULL, "a_b-c.d9", 443, "a_b-c.d9", EST);
	expect("https", NULL, "https", 443, "https", EST);
}

static void the_host_field_has_the_port_unless_it_is_443(void **state)
{
	(void)state;
	expect("h:443", NULL, "h", 443, "h", EST);
	expect("h:00443", NULL, "h", 443, "h", EST);
	expect("h:80", NULL, "h", 80, "h:80", EST); /* https all the same */
	expect("h:65535", NULL, "h", 65535, "h:65535", EST);
}

static void addresses_are_recognised(void **state)
{
	static const struct {
		const char *server;
		bool is_ip;
	} cases[] = { { "127.0.0.1:1", true }, { "[::1]", true }, { "h4", false },
		{ "127.0.0.1.nip.example", false } };
	struct est_error err;
	struct url url;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(url_parse(cases[i].server, NULL, &url, &err), EST_OK);
		assert_int_equal(url.is_ip, cases[i].is_ip);
		url_wipe(&url);
	}
	expect("[::1]", NULL, "::1", 443, "[::1]", EST);
	expect("[::1]:8443", NULL, "::1", 8443, "[::1]:8443", EST);
	expect("https://[2001:DB8:0:0::1]:8443" EST, "x", "2001:db8::1", 8443, "[2001:db8::1]:8443",
		EST "/x");
}

/* proves: R7030-3.2.2-08 */
static void label_segments_are_percent_encoded(void **state)
{
	(void)state;
	expect("h", "a b", "h", 443, "h", EST "/a%20b");
	expect("h", "x/y", "h", 443, "h", EST "/x/y");
	expect("h", "~-._Az9", "h", 443, "h", EST "/~-._Az9");
	expect("h", "a%20b", "h", 443, "h", EST "/a%2520b"); /* an option is taken as it is */
	expect("h", "ä:@+?#&", "h", 443, "h", EST "/%C3%A4%3A%40%2B%3F%23%26");
	expect("h", "...", "h", 443, "h", EST "/...");
}

/* proves: R7030-3.2.2-08 */
static void a_label_in_the_url_is_decoded_and_encoded_again(void **state)
{
	(void)state;
	expect("https://h" EST "/a%20b/%7Ex", NULL, "h", 443, "h", EST "/a%20b/~x");
	expect("https://h" EST "/%41%c3%a4", NULL, "h", 443, "h", EST "/A%C3%A4");
	expect("https://h" EST "/a+b=c", NULL, "h", 443, "h", EST "/a%2Bb%3Dc");
}

/* proves: R7030-3.1-11 */
static void other_schemes_are_refused(void **state)
{
	(void)state;
	refuse("http://h", NULL, "\"http\"");
	refuse("http://h" EST, NULL, "https only");
	refuse("ftp://h", NULL, "\"ftp\"");
	refuse("://h", NULL, "\"\"");
	refuse("httpss://h", NULL, "\"httpss\"");
	refuse("https:h", NULL, "port");
	refuse("https:/h", NULL, "https://");
	refuse("file:///etc/passwd", NULL, "file");
}

/* proves: R7030-3.1-11 */
static void a_password_in_the_url_is_refused_and_not_repeated(void **state)
{
	static const char *const servers[] = { ("https://joe:s3cret@h" EST), "joe:s3cret@h",
		"https://joe:s3cret/x@h", "https://joe:s3cret?x@h", "https://joe:s3cret#x@h",
		"http://joe:s3cret@h", "https://joe:s3cret@" };
	struct est_error err;
	struct url url;

	(void)state;
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		assert_int_equal(url_parse(servers[i], NULL, &url, &err), EST_E_USAGE);
		assert_non_null(strstr(err.msg, "command line"));
		assert_non_null(strstr(err.hint, "--user"));
		assert_null(strstr(err.msg, "s3cret"));
		assert_null(strstr(err.hint, "s3cret"));
	}
}

/* proves: R7030-3.1-11 */
static void query_and_fragment_are_refused(void **state)
{
	(void)state;
	refuse("https://h" EST "?x=1", NULL, "query");
	refuse("https://h" EST "#x", NULL, "fragment");
	refuse("h?x", NULL, "query");
	refuse("https://h" EST "/a?", NULL, "query");
}

static void bad_hosts_are_refused(void **state)
{
	char longest[300];

	(void)state;
	refuse("", NULL, "no host");
	refuse("https://", NULL, "no host");
	refuse("https:///.well-known/est", NULL, "no host");
	refuse(":8443", NULL, "no host");
	refuse("h ost", NULL, "space");
	refuse("host\n", NULL, "control");
	refuse("host\x7f", NULL, "control");
	refuse("b\xc3\xbc"
	       "cher.example",
		NULL, "xn--");
	refuse("a..b", NULL, "0");
	refuse(".a", NULL, "0");
	refuse("a.", NULL, "0");
	refuse("h%41", NULL, "characters");
	refuse("h~", NULL, "characters");
	refuse("h!", NULL, "characters");
	refuse("h\\x", NULL, "characters");
	memset(longest, 'a', sizeof(longest));
	longest[64] = '\0';
	refuse(longest, NULL, "64");
	longest[64] = 'a';
	for (size_t i = 60; i < sizeof(longest); i += 61)
		longest[i] = '.';
	longest[254] = '\0';
	refuse(longest, NULL, "253");
	longest[253] = '\0';
	expect(longest, NULL, longest, 443, longest, EST);
}

static void numbers_that_only_the_c_library_takes_for_addresses_are_refused(void **state)
{
	(void)state;
	refuse("127.1", NULL, "IPv4");
	refuse("2130706433", NULL, "IPv4");
	refuse("0x7f000001", NULL, "IPv4");
	refuse("127.0.0.256", NULL, "IPv4");
	refuse("1.2.3.4.5", NULL, "IPv4");
	refuse("a.0x1F", NULL, "IPv4");
}

static void bad_ipv6_literals_are_refused(void **state)
{
	(void)state;
	refuse("::1", NULL, "brackets");
	refuse("2001:db8::1", NULL, "brackets");
	refuse("[::1", NULL, "closing");
	refuse("[", NULL, "closing");
	refuse("[]", NULL, "not an IPv6");
	refuse("[h]", NULL, "not an IPv6");
	refuse("[127.0.0.1]", NULL, "not an IPv6");
	refuse("[v1.x]", NULL, "not an IPv6");
	refuse("[fe80::1%25eth0]", NULL, "zone");
	refuse("[fe80::1%eth0]:443", NULL, "zone");
	refuse("[::1]x", NULL, "port");
	refuse("[::1]8443", NULL, "port");
}

static void bad_ports_are_refused(void **state)
{
	(void)state;
	refuse("h:0", NULL, "65535");
	refuse("h:65536", NULL, "65535");
	refuse("h:18446744073709551617", NULL, "65535");
	refuse("h:", NULL, "65535");
	refuse("h:+1", NULL, "65535");
	refuse("h:80a", NULL, "65535");
	refuse("h:-1", NULL, "65535");
	refuse("https://h:/", NULL, "65535");
}

static void other_paths_are_refused(void **state)
{
	(void)state;
	refuse("https://h/est", NULL, "path");
	refuse("https://h//", NULL, "path");
	refuse("https://h/.well-known/est2", NULL, "path");
	refuse("https://h/.well-known", NULL, "path");
	refuse("https://h/.WELL-KNOWN/est", NULL, "path");
	refuse("https://h/x/../.well-known/est", NULL, "path");
	refuse("h/.well-known/est", NULL, "full https://");
}

/* proves: R7030-3.2.2-08 */
static void label_segments_that_change_the_path_are_refused(void **state)
{
	(void)state;
	refuse("h", "", "empty");
	refuse("h", "a//b", "empty");
	refuse("h", "/a", "empty");
	refuse("h", "a/", "empty");
	refuse("h", ".", "\".\"");
	refuse("h", "../x", "\"..\"");
	refuse("h", "x/..", "\"..\"");
	refuse("h", "a\nb", "control");
	refuse("https://h" EST "//", NULL, "empty");
	refuse("https://h" EST "/a//b", NULL, "empty");
	refuse("https://h" EST "/%2e%2E", NULL, "\"..\"");
	refuse("https://h" EST "/a%2Fb", NULL, "slash");
	refuse("https://h" EST "/a%00b", NULL, "control");
	refuse("https://h" EST "/a%0d%0ab", NULL, "control");
	refuse("https://h" EST "/a%", NULL, "hexadecimal");
	refuse("https://h" EST "/a%2", NULL, "hexadecimal");
	refuse("https://h" EST "/a%zz", NULL, "hexadecimal");
}

/* proves: R7030-3.2.2-05 */
static void operation_names_are_refused_as_labels(void **state)
{
	static const char *const names[] = { "cacerts", "simpleenroll", "simplereenroll", "fullcmc",
		"serverkeygen", "csrattrs" };
	char label[64], server[128];
	struct est_error err;
	struct url url;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		refuse("h", names[i], "operation");
		assert_true(snprintf(label, sizeof(label), "x/%s", names[i]) > 0);
		refuse("h", label, "operation");
		assert_true(snprintf(label, sizeof(label), "%s/x", names[i]) > 0);
		refuse("h", label, "operation");
		assert_true(snprintf(server, sizeof(server), "https://h" EST "/%s", names[i]) > 0);
		assert_int_equal(url_parse(server, NULL, &url, &err), EST_E_USAGE);
		assert_non_null(strstr(err.hint, "leave the operation out"));
	}
	refuse("https://h" EST "/%63acerts", NULL, "operation");
	expect("h", "CACerts", "h", 443, "h", EST "/CACerts"); /* paths have a case */
	expect("h", "cacerts2", "h", 443, "h", EST "/cacerts2");
}

static void two_labels_are_refused(void **state)
{
	(void)state;
	refuse("https://h" EST "/a", "a", "--label");
}

static void an_endless_label_is_refused(void **state)
{
	char label[URL_LABEL_MAX + 1], full[sizeof("https://h" EST "/") + 3 * URL_LABEL_MAX];
	struct est_error err = { 0 };
	struct url url = { 0 };

	(void)state;
	memset(label, '/', sizeof(label)); /* "a/a/..." */
	for (size_t i = 0; i < sizeof(label); i += 2)
		label[i] = 'a';
	label[URL_LABEL_MAX] = '\0';
	label[URL_LABEL_MAX - 1] = 'a';
	refuse("h", label, "1023");
	label[URL_LABEL_MAX - 1] = '\0';
	/* The longest one, and every byte of it encoded. */
	memset(label, ' ', URL_LABEL_MAX - 1);
	assert_int_equal(url_parse("h", label, &url, &err), EST_OK);
	assert_true(snprintf(full, sizeof(full), "https://h%s", url.base) > 0);
	expect(full, NULL, "h", 443, "h", url.base);
	url_wipe(&url);
}

/* proves: R7030-3.2.2-07 */
static void the_target_is_base_and_operation(void **state)
{
	static const char want[] = EST "/a%20b/simpleenroll";
	struct est_error err = { 0 };
	char *out = NULL;
	struct url url;

	(void)state;
	assert_int_equal(url_parse("h", "a b", &url, &err), EST_OK);
	assert_int_equal(url_target(&url, "simpleenroll", &out, &err), EST_OK);
	assert_string_equal(out, want);
	free(out);
	url_wipe(&url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_forms_of_a_server_mean_the_same),
		cmocka_unit_test(scheme_and_host_ignore_case),
		cmocka_unit_test(the_host_field_has_the_port_unless_it_is_443),
		cmocka_unit_test(addresses_are_recognised),
		cmocka_unit_test(label_segments_are_percent_encoded),
		cmocka_unit_test(a_label_in_the_url_is_decoded_and_encoded_again),
		cmocka_unit_test(other_schemes_are_refused),
		cmocka_unit_test(a_password_in_the_url_is_refused_and_not_repeated),
		cmocka_unit_test(query_and_fragment_are_refused),
		cmocka_unit_test(bad_hosts_are_refused),
		cmocka_unit_test(numbers_that_only_the_c_library_takes_for_addresses_are_refused),
		cmocka_unit_test(bad_ipv6_literals_are_refused),
		cmocka_unit_test(bad_ports_are_refused),
		cmocka_unit_test(other_paths_are_refused),
		cmocka_unit_test(label_segments_that_change_the_path_are_refused),
		cmocka_unit_test(operation_names_are_refused_as_labels),
		cmocka_unit_test(two_labels_are_refused),
		cmocka_unit_test(an_endless_label_is_refused),
		cmocka_unit_test(the_target_is_base_and_operation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

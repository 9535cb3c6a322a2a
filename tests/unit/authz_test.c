/* SPDX-License-Identifier: MIT */
/* Which names a server's certificate is good for. */
#include "authz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "forge.h"
#include "testca.h"

#define NAME(text)                                                                                 \
	{                                                                                          \
		GNUTLS_SAN_DNSNAME,                                                                \
		{                                                                                  \
			(const uint8_t *)(text), sizeof(text) - 1                                  \
		}                                                                                  \
	}
#define V4(...)                                                                                    \
	{                                                                                          \
		GNUTLS_SAN_IPADDRESS,                                                              \
		{                                                                                  \
			(const uint8_t[]){ __VA_ARGS__ }, 4                                        \
		}                                                                                  \
	}
#define V6_LOOPBACK                                                                                \
	{                                                                                          \
		GNUTLS_SAN_IPADDRESS,                                                              \
		{                                                                                  \
			(const uint8_t[16]){ [15] = 1 }, 16                                        \
		}                                                                                  \
	}
#define URI(text)                                                                                  \
	{                                                                                          \
		GNUTLS_SAN_URI,                                                                    \
		{                                                                                  \
			(const uint8_t *)(text), sizeof(text) - 1                                  \
		}                                                                                  \
	}

/* What authz_check() says of a server under this URL with these names. */
static enum est_code judge(const char *server, const struct testca_spec *spec, char *identity,
	size_t size, struct est_error *err)
{
	struct authz *authz = NULL;
	struct testca leaf;
	struct url url;
	enum est_code rc;

	*err = (struct est_error){ 0 };
	if (url_parse(server, NULL, &url, err) != EST_OK)
		fail_msg("%s: %s", server, err->msg);
	testca_issue(spec, &leaf);
	rc = authz_check(&(struct authz_query){ .server = &url,
				 .db = TRUST_EXPLICIT,
				 .leaf = leaf.crt },
		&authz, err);
	if (rc == EST_OK) {
		assert_non_null(authz);
		assert_int_equal(authz_db(authz), TRUST_EXPLICIT);
		(void)snprintf(identity, size, "%s", authz_identity(authz));
	} else {
		assert_null(authz);
		assert_int_equal(rc, EST_E_UNTRUSTED);
	}
	authz_free(authz);
	testca_wipe(&leaf);
	url_wipe(&url);
	return rc;
}

struct row {
	const char *server;
	struct testca_san sans[4];
};

static void expect_match(const struct row *rows, size_t n)
{
	struct est_error err;
	char identity[256];

	for (size_t i = 0; i < n; i++) {
		struct testca_spec spec = { .purpose = GNUTLS_KP_TLS_WWW_SERVER };

		memcpy(spec.sans, rows[i].sans, sizeof(spec.sans));
		if (judge(rows[i].server, &spec, identity, sizeof(identity), &err) != EST_OK)
			fail_msg("%s was refused: %s", rows[i].server, err.msg);
	}
}

/* The common name is always the server's, so that nothing may fall back to it. */
static void expect_refusal(const struct row *rows, size_t n, const char *cn, const char *reason)
{
	struct est_error err;
	char subject[300], identity[256];

	for (size_t i = 0; i < n; i++) {
		struct testca_spec spec = { .purpose = GNUTLS_KP_TLS_WWW_SERVER };

		(void)snprintf(subject, sizeof(subject), "CN=%s", cn ? cn : rows[i].server);
		spec.subject = subject;
		memcpy(spec.sans, rows[i].sans, sizeof(spec.sans));
		if (judge(rows[i].server, &spec, identity, sizeof(identity), &err) == EST_OK)
			fail_msg("%s was accepted in row %zu", rows[i].server, i);
		if (!err.reason || strcmp(err.reason, reason) != 0)
			fail_msg("%s: %s, not %s: %s", rows[i].server, err.reason, reason, err.msg);
	}
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* proves: R6125-6.4-01 */
static void a_dns_name_matches_whatever_its_case(void **state)
{
	const struct row rows[] = {
		{ "est.example", { NAME("est.example") } },
		{ "EST.Example:8443", { NAME("est.example") } },
		{ "est.example", { NAME("EST.EXAMPLE") } },
		{ "est.example", { NAME("other.example"), URI("urn:x"), NAME("est.example") } },
		{ "https://xn--nxasmq6b.example/.well-known/est",
			{ NAME("xn--nxasmq6b.example") } },
		{ "localhost", { NAME("localhost") } },
	};

	(void)state;
	expect_match(rows, COUNT(rows));
}

/* proves: R6125-6.4.3-01 */
static void a_wildcard_is_the_whole_first_label_and_stands_for_one(void **state)
{
	const struct row good[] = {
		{ "a.est.example", { NAME("*.est.example") } },
		{ "A.Est.Example", { NAME("*.est.example") } },
		{ "xn--nxasmq6b.est.example", { NAME("*.est.example") } },
	};
	const struct row bad[] = {
		{ "est.example", { NAME("*.est.example") } },
		{ "a.b.est.example", { NAME("*.est.example") } },
		{ "foo.est.example", { NAME("f*.est.example") } },
		{ "foo.est.example", { NAME("*o.est.example") } },
		{ "foo.est.example", { NAME("f*o.est.example") } },
		{ "foo.est.example", { NAME("foo.*.example") } },
		{ "foo.est.example", { NAME("*.*.example") } },
		{ "foo.est.example", { NAME("*") } },
		{ "example", { NAME("*") } },
		{ "foo.example", { NAME("*.example") } },
		{ "xn--fooa.est.example", { NAME("xn--*.est.example") } },
		{ "foo.est.example", { NAME("**.est.example") } },
		{ "foo.est.example", { NAME(".est.example") } },
	};

	(void)state;
	expect_match(good, COUNT(good));
	expect_refusal(bad, COUNT(bad), NULL, "name-mismatch");
}

/* proves: R6125-6.4-01 */
static void another_name_does_not_match(void **state)
{
	const struct row rows[] = {
		{ "est.example", { NAME("est.example.org") } },
		{ "est.example", { NAME("xest.example") } },
		{ "est.example", { NAME("example") } },
		{ "est.example", { NAME("est.exampl") } },
		{ "a.est.example", { NAME("est.example") } },
		{ "est.example", { NAME("est.example:443") } },
		{ "est.example", { NAME(" est.example") } },
		{ "est.example", { NAME("https://est.example") } },
	};

	(void)state;
	expect_refusal(rows, COUNT(rows), NULL, "name-mismatch");
}

/* proves: R6125-6.4-01 */
static void an_address_matches_an_iPAddress_and_nothing_else(void **state)
{
	const struct row good[] = {
		{ "127.0.0.1", { V4(127, 0, 0, 1) } },
		{ "127.0.0.1:8443", { NAME("x.example"), V4(127, 0, 0, 1) } },
		{ "[::1]:8443", { V6_LOOPBACK } },
		{ "[0:0::1]", { V6_LOOPBACK } },
	};
	const struct row bad[] = {
		{ "127.0.0.1", { NAME("127.0.0.1") } },
		{ "127.0.0.1", { V4(127, 0, 0, 2) } },
		{ "127.0.0.1", { V6_LOOPBACK } },
		{ "[::1]", { NAME("::1") } },
		{ "[::1]", { V4(0, 0, 0, 1) } },
		{ "127.0.0.1", { NAME("*.0.0.1") } },
	};

	(void)state;
	expect_match(good, COUNT(good));
	expect_refusal(bad, COUNT(bad), "127.0.0.1", "name-mismatch");
}

/* proves: R6125-6.4.4-01 */
static void a_common_name_never_counts(void **state)
{
	const struct row none[] = {
		{ "est.example", { { 0 } } },
		{ "127.0.0.1", { { 0 } } },
		{ "est.example", { URI("https://est.example") } },
		{ "est.example", { { GNUTLS_SAN_RFC822NAME, { (const uint8_t *)"a@b", 3 } } } },
	};
	/* A name of the other kind only: libraries like to look at the common name then. */
	const struct row other[] = {
		{ "est.example", { V4(127, 0, 0, 1) } },
		{ "est.example", { V6_LOOPBACK } },
		{ "est.example", { V4(127, 0, 0, 1), URI("https://est.example") } },
		{ "127.0.0.1", { NAME("est.example") } },
	};

	(void)state;
	expect_refusal(none, COUNT(none), NULL, "no-san");
	expect_refusal(other, COUNT(other), NULL, "name-mismatch");
}

static void a_nul_in_a_name_does_not_end_it(void **state)
{
	const struct row rows[] = {
		{ "est.example", { NAME("est.example\0.attacker.example") } },
		{ "est.example", { NAME("est.example\0") } },
		{ "est.example", { NAME("\0est.example") } },
	};

	(void)state;
	expect_refusal(rows, COUNT(rows), NULL, "name-mismatch");
}

static void the_message_names_both_and_shows_no_control(void **state)
{
	struct testca_spec spec = { .sans = { NAME("evil\x1b[2J\nname") } };
	struct est_error err;
	char identity[256];

	(void)state;
	(void)judge("est.example", &spec, identity, sizeof(identity), &err);
	assert_non_null(strstr(err.msg, "est.example"));
	assert_non_null(strstr(err.msg, "evil"));
	for (const char *p = err.msg; *p; p++)
		assert_true((unsigned char)*p >= ' ');
}

/* Both hops are of one connection's certificate: the first is where the operator's URL points, the
 * second where a redirect has led. */
static void judge_hops(const char *server, const char *redirect, enum trust_db db, bool no_cmc_ra,
	const struct testca *leaf, enum est_code due, const char *identity)
{
	struct est_error err = { 0 };
	struct authz *authz = NULL;
	struct url first, second = { 0 };

	assert_int_equal(url_parse(server, NULL, &first, &err), EST_OK);
	if (redirect)
		assert_int_equal(url_parse(redirect, NULL, &second, &err), EST_OK);
	assert_int_equal(authz_check(&(struct authz_query){ .server = &first,
					     .redirect = redirect ? &second : NULL,
					     .db = db,
					     .leaf = leaf->crt,
					     .no_cmc_ra = no_cmc_ra },
				 &authz, &err),
		due);
	if (due == EST_OK) {
		assert_string_equal(authz_identity(authz), identity);
		assert_int_equal(authz_by_cmc_ra(authz), strcmp(identity, "id-kp-cmcRA") == 0);
		assert_int_equal(authz_db(authz), db);
	} else {
		assert_null(authz);
		assert_string_equal(err.reason, "name-mismatch");
	}
	authz_free(authz);
	url_wipe(&first);
	if (redirect)
		url_wipe(&second);
}

/* proves: R7030-3.6.1-01 R7030-3.6.2-01 */
static void sections_3_6_1_and_3_6_2_as_a_table(void **state)
{
	static const char ra[] = "id-kp-cmcRA", any[] = "2.5.29.37.0";
	/* The certificate is always for a.example. */
	static const struct {
		const char *server, *redirect, *purpose;
		enum trust_db db;
		bool no_cmc_ra;
		const char *identity; /* NULL: refused */
	} rows[] = {
		{ "a.example", NULL, NULL, TRUST_EXPLICIT, false, "a.example" },
		{ "a.example", NULL, NULL, TRUST_IMPLICIT, false, "a.example" },
		{ "b.example", NULL, NULL, TRUST_EXPLICIT, false, NULL },
		{ "b.example", NULL, NULL, TRUST_IMPLICIT, false, NULL },
		/* The URL or the latest redirect, below an explicit anchor ... */
		{ "a.example", "b.example", NULL, TRUST_EXPLICIT, false, "a.example" },
		{ "b.example", "a.example", NULL, TRUST_EXPLICIT, false, "a.example" },
		{ "b.example", "c.example", NULL, TRUST_EXPLICIT, false, NULL },
		/* ... and below an implicit one the host of this very connection. */
		{ "a.example", "b.example", NULL, TRUST_IMPLICIT, false, NULL },
		{ "b.example", "a.example", NULL, TRUST_IMPLICIT, false, "a.example" },
		{ "b.example", "c.example", NULL, TRUST_IMPLICIT, false, NULL },
		/* id-kp-cmcRA, for explicit anchors alone, and only when it is listed. */
		{ "b.example", NULL, AUTHZ_KP_CMC_RA, TRUST_EXPLICIT, false, ra },
		{ "b.example", "c.example", AUTHZ_KP_CMC_RA, TRUST_EXPLICIT, false, ra },
		{ "a.example", NULL, AUTHZ_KP_CMC_RA, TRUST_EXPLICIT, false, "a.example" },
		{ "b.example", NULL, AUTHZ_KP_CMC_RA, TRUST_EXPLICIT, true, NULL },
		{ "a.example", NULL, AUTHZ_KP_CMC_RA, TRUST_EXPLICIT, true, "a.example" },
		{ "b.example", NULL, AUTHZ_KP_CMC_RA, TRUST_IMPLICIT, false, NULL },
		{ "a.example", "b.example", AUTHZ_KP_CMC_RA, TRUST_IMPLICIT, false, NULL },
		{ "b.example", NULL, any, TRUST_EXPLICIT, false, NULL },
		{ "b.example", NULL, GNUTLS_KP_TLS_WWW_SERVER, TRUST_EXPLICIT, false, NULL },
	};
	struct testca leaf;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		testca_issue(&(struct testca_spec){ .purpose = rows[i].purpose,
				     .sans = { NAME("a.example") } },
			&leaf);
		judge_hops(rows[i].server, rows[i].redirect, rows[i].db, rows[i].no_cmc_ra, &leaf,
			rows[i].identity ? EST_OK : EST_E_UNTRUSTED, rows[i].identity);
		testca_wipe(&leaf);
	}
}

static void the_identity_is_the_name_that_was_asked_for(void **state)
{
	struct testca_spec spec = { .sans = { NAME("*.est.example") } };
	struct est_error err;
	char identity[256] = "";

	(void)state;
	assert_int_equal(judge("A.est.example", &spec, identity, sizeof(identity), &err), EST_OK);
	assert_string_equal(identity, "a.est.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dns_name_matches_whatever_its_case),
		cmocka_unit_test(a_wildcard_is_the_whole_first_label_and_stands_for_one),
		cmocka_unit_test(another_name_does_not_match),
		cmocka_unit_test(an_address_matches_an_iPAddress_and_nothing_else),
		cmocka_unit_test(a_common_name_never_counts),
		cmocka_unit_test(a_nul_in_a_name_does_not_end_it),
		cmocka_unit_test(the_message_names_both_and_shows_no_control),
		cmocka_unit_test(sections_3_6_1_and_3_6_2_as_a_table),
		cmocka_unit_test(the_identity_is_the_name_that_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

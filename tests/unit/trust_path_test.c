/* SPDX-License-Identifier: MIT */
/* Which paths lead to an anchor. */
#include "trust_run.h"

/* proves: R7030-3.3.1-01 */
static void a_path_is_found_in_any_order_and_with_strangers_between(void **state)
{
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	struct trust_answer answer;
	struct testca low, end;

	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "CN=low",
			     .issuer = &inter,
			     .ca = true,
			     .no_path_len = true,
			     .usage = CERT_SIGN },
		&low);
	testca_issue(&(struct testca_spec){ .subject = "CN=end", .issuer = &low }, &end);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &end, &low, &inter);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &end, &inter, &low);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &end, &root, &leaf, &inter, &other_root, &low);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &end, &low, &low, &inter, &inter);
	trust_free(trust);
	trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	assert_int_equal(VERIFY(trust, &answer, &end, &root, &inter, &low), EST_OK);
	assert_int_equal(answer.n, 3); /* without the root */
	assert_true(est_span_eq(answer.path[0], est_buf_span(&end.der)));
	assert_true(est_span_eq(answer.path[1], est_buf_span(&low.der)));
	assert_true(est_span_eq(answer.path[2], est_buf_span(&inter.der)));
	trust_free(trust);
	testca_wipe(&low);
	testca_wipe(&end);
}

static void an_issuer_that_is_not_there_is_an_unknown_ca(void **state)
{
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);

	(void)state;
	EXPECT_REASON(trust, "unknown-ca", &leaf);
	EXPECT_REASON(trust, "unknown-ca", &leaf, &root);
	EXPECT_REASON(trust, "unknown-ca", &leaf, &other_root);
	EXPECT_REASON(trust, "unknown-ca", &other_root);
	trust_free(trust);
}

/* proves: R7030-3.3.1-02 */
static void the_issuers_name_without_its_key_is_not_enough(void **state)
{
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	struct testca twin, forged;
	struct trust_answer answer;

	(void)state;
	testca_root(&twin); /* CN=root too */
	testca_issue(&(struct testca_spec){ .issuer = &twin }, &forged);
	assert_int_equal(VERIFY(trust, &answer, &forged), EST_E_UNTRUSTED);
	assert_int_equal(VERIFY(trust, &answer, &forged, &root), EST_E_UNTRUSTED);
	assert_int_equal(VERIFY(trust, &answer, &forged, &twin), EST_E_UNTRUSTED);
	assert_int_equal(VERIFY(trust, &answer, &twin), EST_E_UNTRUSTED);
	trust_free(trust);
	testca_wipe(&twin);
	testca_wipe(&forged);
}

static void of_two_issuers_of_one_name_the_one_that_signed_is_found(void **state)
{
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	struct testca twin;

	(void)state; /* an intermediate after its key change */
	testca_inter(&root, &twin);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &inter, &twin);
	trust_free(trust);
	trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &twin, &inter);
	trust_free(trust);
	testca_wipe(&twin);
}

static void what_comes_above_an_anchor_does_not_count(void **state)
{
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	struct testca cross;

	/* The root as an old one had signed it, which has expired by now. */
	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "CN=root",
			     .issuer = &other_root,
			     .key = root.key,
			     .ca = true,
			     .no_path_len = true,
			     .usage = CERT_SIGN,
			     .from = -9 * TESTCA_DAY,
			     .until = -TESTCA_DAY },
		&cross);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &inter, &cross);
	trust_free(trust);
	testca_wipe(&cross);
}

/* One certificate under inter, with a purpose and a skew. */
static const char *reason_for(const struct testca_spec *spec, const char *purpose, unsigned skew_s)
{
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	struct testca_spec with = *spec;
	struct trust_answer answer;
	struct testca x;
	enum est_code rc;

	if (!with.issuer)
		with.issuer = &inter;
	testca_issue(&with, &x);
	rc = verify_for(trust, CHAIN(&x, &inter), 2, purpose, skew_s, &answer);
	testca_wipe(&x);
	trust_free(trust);
	return rc == EST_OK ? "" : err.reason;
}

/* proves: R7030-3.3.1-02 */
static void validity_is_checked_with_the_skew_that_is_given(void **state)
{
	const struct testca_spec expired = { .from = -TESTCA_DAY, .until = -29 * MINUTES };
	const struct testca_spec early = { .from = 29 * MINUTES, .until = TESTCA_DAY };

	(void)state;
	assert_string_equal(reason_for(&expired, NULL, 0), "expired");
	assert_non_null(strstr(err.msg, "expired on 20"));
	assert_string_equal(reason_for(&expired, NULL, 30 * MINUTES), "");
	assert_string_equal(reason_for(&expired, NULL, 28 * MINUTES), "expired");
	assert_string_equal(reason_for(&early, NULL, 0), "not-yet-valid");
	assert_non_null(strstr(err.msg, "not valid before 20"));
	assert_string_equal(reason_for(&early, NULL, 30 * MINUTES), "");
	assert_string_equal(reason_for(&early, NULL, 28 * MINUTES), "not-yet-valid");
}

/* proves: R7030-3.3.1-02 */
static void an_anchor_expires_with_the_skew_that_is_given(void **state)
{
	static const struct {
		time_t from, until;
		unsigned skew_s;
		const char *reason;
	} rows[] = {
		{ -366 * TESTCA_DAY, -365 * TESTCA_DAY, 30 * MINUTES, "expired" },
		{ -TESTCA_DAY, -31 * MINUTES, 30 * MINUTES, "expired" },
		{ -TESTCA_DAY, -29 * MINUTES, 30 * MINUTES, "" },
		{ -TESTCA_DAY, -29 * MINUTES, 0, "expired" },
		{ 31 * MINUTES, TESTCA_DAY, 30 * MINUTES, "expired" },
		{ 29 * MINUTES, TESTCA_DAY, 30 * MINUTES, "" },
	};
	struct testca twin, x, late;
	struct trust_answer answer;
	struct trust *trust;
	enum est_code rc;

	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "CN=old", CA, .usage = CERT_SIGN }, &twin);
	testca_issue(&(struct testca_spec){ .issuer = &twin }, &x);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		testca_issue(&(struct testca_spec){ .subject = "CN=old",
				     CA,
				     .key = twin.key,
				     .usage = CERT_SIGN,
				     .from = rows[i].from,
				     .until = rows[i].until },
			&late);
		for (int last = 0; last < 2; last++) {
			trust = last ? load(FILES(PEM("a.pem", &late)), false, NULL)
				     : load(FILES(NULL), true, PEM("a.pem", &late));
			rc = verify_for(trust, CHAIN(&x), 1, NULL, rows[i].skew_s, &answer);
			if (strcmp(rc == EST_OK ? "" : err.reason, rows[i].reason) != 0)
				fail_msg("row %zu: %s", i, err.msg);
			trust_free(trust);
			/* beside one that is valid, in either order */
			trust = last ? load(FILES(PEM("a.pem", &late, &twin)), false, NULL)
				     : load(FILES(PEM("a.pem", &twin, &late)), false, NULL);
			assert_int_equal(verify_for(trust, CHAIN(&x), 1, NULL, rows[i].skew_s,
						 &answer),
				EST_OK);
			trust_free(trust);
		}
		testca_wipe(&late);
	}
	testca_wipe(&x);
	testca_wipe(&twin);
}

/* proves: R7030-3.3.1-01 */
static void a_long_way_to_an_explicit_anchor_comes_before_a_short_one_to_an_implicit(void **state)
{
	struct trust *trust = load(FILES(PEM("root.pem", &root)), true,
		PEM("sys.pem", &other_root));
	struct trust_answer answer;
	struct testca cross, x;

	(void)state; /* other_root's key, certified by root as well */
	testca_issue(&(struct testca_spec){ .subject = "CN=other root",
			     .issuer = &root,
			     .key = other_root.key,
			     CA,
			     .usage = CERT_SIGN },
		&cross);
	testca_issue(&(struct testca_spec){ .issuer = &other_root }, &x);
	EXPECT_TRUSTED(trust, TRUST_IMPLICIT, &x);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &x, &cross);
	assert_int_equal(VERIFY(trust, &answer, &x, &inter, &cross, &other_root), EST_OK);
	assert_int_equal(answer.db, TRUST_EXPLICIT);
	assert_int_equal(answer.n, 2);
	trust_free(trust);
	testca_wipe(&cross);
	testca_wipe(&x);
}

static void an_expired_ca_certificate_is_said_to_be_one(void **state)
{
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	struct testca old, x;

	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "CN=old",
			     .issuer = &root,
			     .ca = true,
			     .no_path_len = true,
			     .usage = CERT_SIGN,
			     .from = -9 * TESTCA_DAY,
			     .until = -TESTCA_DAY },
		&old);
	testca_issue(&(struct testca_spec){ .issuer = &old }, &x);
	EXPECT_REASON(trust, "expired", &x, &old);
	assert_non_null(strstr(err.msg, "CA certificate above it"));
	trust_free(trust);
	testca_wipe(&old);
	testca_wipe(&x);
}

static void a_purpose_is_checked_when_one_is_due(void **state)
{
	const char *server = GNUTLS_KP_TLS_WWW_SERVER;

	(void)state;
	assert_string_equal(reason_for(&(struct testca_spec){ .purpose = server }, server, 0), "");
	assert_string_equal(reason_for(&(struct testca_spec){ 0 }, server, 0), "");
	assert_string_equal(reason_for(&(struct testca_spec){ .purpose = GNUTLS_KP_TLS_WWW_CLIENT },
				    server, 0),
		"wrong-purpose");
	assert_string_equal(reason_for(&(struct testca_spec){ .purpose = GNUTLS_KP_TLS_WWW_CLIENT },
				    NULL, 0),
		"");
}

/* proves: R7030-3.3.1-02 */
static void weak_keys_and_signatures_are_refused(void **state)
{
	gnutls_x509_privkey_t rsa = testca_key(GNUTLS_PK_RSA, 1024);

	(void)state;
	assert_string_equal(reason_for(&(struct testca_spec){ .key = rsa }, NULL, 0), "weak");
	assert_string_equal(reason_for(&(struct testca_spec){ .hash = GNUTLS_DIG_SHA1 }, NULL, 0),
		"weak");
	assert_string_equal(reason_for(&(struct testca_spec){ .hash = GNUTLS_DIG_SHA1 }, NULL, 60),
		"weak");
	gnutls_x509_privkey_deinit(rsa);
}

/* What is said of x under a CA of this kind, itself under root. */
static const char *reason_under(const struct testca_spec *ca_spec, const struct testca_spec *x_spec)
{
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	struct testca_spec with = *ca_spec;
	struct trust_answer answer;
	struct testca ca, x;
	enum est_code rc;

	with.subject = "CN=sub";
	with.issuer = &root;
	testca_issue(&with, &ca);
	with = *x_spec;
	with.issuer = &ca;
	testca_issue(&with, &x);
	rc = VERIFY(trust, &answer, &x, &ca);
	testca_wipe(&ca);
	testca_wipe(&x);
	trust_free(trust);
	return rc == EST_OK ? "" : err.reason;
}

/* proves: R7030-3.3.1-02 */
static void an_issuer_must_be_a_ca_that_may_sign_certificates(void **state)
{
	const struct testca_spec x = { 0 };

	(void)state;
	assert_string_equal(reason_under(&(struct testca_spec){ CA, .usage = CERT_SIGN }, &x), "");
	assert_string_equal(reason_under(&(struct testca_spec){ CA }, &x), "");
	assert_string_not_equal(reason_under(&(struct testca_spec){ 0 }, &x), "");
	assert_string_not_equal(reason_under(&(struct testca_spec){ .usage = CERT_SIGN }, &x), "");
	assert_string_not_equal(reason_under(&(struct testca_spec){ CA,
						     .usage = GNUTLS_KEY_DIGITAL_SIGNATURE },
					&x),
		"");
	assert_string_not_equal(reason_under(&(struct testca_spec){ CA,
						     .usage = GNUTLS_KEY_CRL_SIGN },
					&x),
		"");
	assert_string_not_equal(reason_under(&(struct testca_spec){ .version = 1 }, &x), "");
}

/* proves: R7030-3.3.1-02 */
static void a_critical_extension_that_nobody_knows_is_refused(void **state)
{
	const struct testca_extension critical = { "1.2.3.4", BYTES(5, 0), true };
	const struct testca_extension plain = { "1.2.3.4", BYTES(5, 0), false };
	const struct testca_spec x = { 0 };

	(void)state;
	assert_string_equal(reason_for(&(struct testca_spec){ .extension = plain }, NULL, 0), "");
	assert_string_not_equal(reason_for(&(struct testca_spec){ .extension = critical }, NULL, 0),
		"");
	assert_string_equal(reason_under(&(struct testca_spec){ CA, .extension = plain }, &x), "");
	assert_string_not_equal(reason_under(&(struct testca_spec){ CA, .extension = critical },
					&x),
		"");
}

/* proves: R7030-3.3.1-02 */
static void name_constraints_bind_what_is_below(void **state)
{
	const struct testca_spec ca = { CA, .usage = CERT_SIGN, .permitted_dns = "good.example" };
	const struct testca_san good = { GNUTLS_SAN_DNSNAME, est_span_str("a.good.example") };
	const struct testca_san bad = { GNUTLS_SAN_DNSNAME, est_span_str("a.bad.example") };

	(void)state;
	assert_string_equal(reason_under(&ca, &(struct testca_spec){ .sans = { good } }), "");
	assert_string_not_equal(reason_under(&ca, &(struct testca_spec){ .sans = { bad } }), "");
	assert_string_not_equal(reason_under(&ca, &(struct testca_spec){ .sans = { good, bad } }),
		"");
}

/* The anchor's path length and that of the CA below it, with a CA too many. */
static void expect_path_len(int anchor_len, int first_len, int second_len, bool good)
{
	struct testca anchor, first, second, end, direct;
	struct trust_answer answer;
	struct trust *trust;

	testca_issue(&(struct testca_spec){ .subject = "CN=anchor",
			     .ca = true,
			     .no_path_len = anchor_len < 0,
			     .path_len = anchor_len,
			     .usage = CERT_SIGN },
		&anchor);
	testca_issue(&(struct testca_spec){ .subject = "CN=first",
			     .issuer = &anchor,
			     .ca = true,
			     .no_path_len = first_len < 0,
			     .path_len = first_len,
			     .usage = CERT_SIGN },
		&first);
	testca_issue(&(struct testca_spec){ .subject = "CN=second",
			     .issuer = &first,
			     .ca = true,
			     .no_path_len = second_len < 0,
			     .path_len = second_len,
			     .usage = CERT_SIGN },
		&second);
	testca_issue(&(struct testca_spec){ .subject = "CN=end", .issuer = &second }, &end);
	testca_issue(&(struct testca_spec){ .subject = "CN=direct", .issuer = &first }, &direct);
	trust = load(FILES(PEM("anchor.pem", &anchor)), false, NULL);
	assert_int_equal(VERIFY(trust, &answer, &end, &second, &first) == EST_OK, good);
	trust_free(trust);
	/* After first was proven by a shorter path the answer is the same. */
	trust = load(FILES(PEM("anchor.pem", &anchor)), false, NULL);
	assert_int_equal(verify_for(trust, CHAIN(&direct, &first), 2, GNUTLS_KP_TLS_WWW_SERVER, 0,
				 &answer) == EST_OK,
		anchor_len != 0);
	assert_int_equal(VERIFY(trust, &answer, &end, &second, &first) == EST_OK, good);
	trust_free(trust);
	testca_wipe(&anchor);
	testca_wipe(&first);
	testca_wipe(&second);
	testca_wipe(&end);
	testca_wipe(&direct);
}

/* proves: R7030-3.3.1-02 */
static void a_path_is_no_longer_than_each_ca_allows(void **state)
{
	(void)state;
	expect_path_len(-1, -1, -1, true);
	expect_path_len(2, 1, 0, true);
	expect_path_len(-1, 1, 0, true);
	expect_path_len(-1, 0, 0, false);
	expect_path_len(-1, 0, -1, false);
	expect_path_len(1, -1, -1, false);
	expect_path_len(1, 1, 0, false);
	expect_path_len(0, -1, -1, false);
}

static void what_was_proven_for_one_purpose_is_not_for_another(void **state)
{
	const char *server = GNUTLS_KP_TLS_WWW_SERVER, *client = GNUTLS_KP_TLS_WWW_CLIENT;
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	struct testca clients, low, a, b;
	struct trust_answer answer;

	/* A CA for clients only, and one below it that says nothing of a purpose. */
	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "CN=clients",
			     .issuer = &root,
			     CA,
			     .usage = CERT_SIGN,
			     .purpose = client },
		&clients);
	testca_issue(&(struct testca_spec){ .subject = "CN=low",
			     .issuer = &clients,
			     CA,
			     .usage = CERT_SIGN },
		&low);
	testca_issue(&(struct testca_spec){ .subject = "CN=a", .issuer = &low }, &a);
	testca_issue(&(struct testca_spec){ .subject = "CN=b", .issuer = &low }, &b);
	assert_int_equal(verify_for(trust, CHAIN(&b, &low, &clients), 3, server, 0, &answer),
		EST_E_UNTRUSTED);
	assert_int_equal(verify_for(trust, CHAIN(&a, &low, &clients), 3, client, 0, &answer),
		EST_OK);
	assert_int_equal(verify_for(trust, CHAIN(&a, &low, &clients), 3, NULL, 0, &answer), EST_OK);
	assert_int_equal(verify_for(trust, CHAIN(&b, &low, &clients), 3, server, 0, &answer),
		EST_E_UNTRUSTED);
	trust_free(trust);
	testca_wipe(&clients);
	testca_wipe(&low);
	testca_wipe(&a);
	testca_wipe(&b);
}

static void what_was_proven_with_a_skew_is_not_without(void **state)
{
	const char *server = GNUTLS_KP_TLS_WWW_SERVER;
	struct testca old, low, a;
	struct trust_answer answer;
	struct trust *trust;

	(void)state; /* the anchor has just expired */
	testca_issue(&(struct testca_spec){ .subject = "CN=old",
			     CA,
			     .usage = CERT_SIGN,
			     .from = -TESTCA_DAY,
			     .until = -10 * MINUTES },
		&old);
	testca_issue(&(struct testca_spec){ .subject = "CN=low",
			     .issuer = &old,
			     CA,
			     .usage = CERT_SIGN },
		&low);
	testca_issue(&(struct testca_spec){ .issuer = &low }, &a);
	trust = load(FILES(PEM("old.pem", &old)), false, NULL);
	assert_int_equal(verify_for(trust, CHAIN(&a, &low), 2, server, 0, &answer),
		EST_E_UNTRUSTED);
	assert_string_equal(err.reason, "expired");
	assert_int_equal(verify_for(trust, CHAIN(&a, &low), 2, server, 30 * MINUTES, &answer),
		EST_OK);
	assert_int_equal(verify_for(trust, CHAIN(&a, &low), 2, server, 0, &answer),
		EST_E_UNTRUSTED);
	trust_free(trust);
	testca_wipe(&old);
	testca_wipe(&low);
	testca_wipe(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_found_in_any_order_and_with_strangers_between),
		cmocka_unit_test(an_issuer_that_is_not_there_is_an_unknown_ca),
		cmocka_unit_test(the_issuers_name_without_its_key_is_not_enough),
		cmocka_unit_test(of_two_issuers_of_one_name_the_one_that_signed_is_found),
		cmocka_unit_test(what_comes_above_an_anchor_does_not_count),
		cmocka_unit_test(validity_is_checked_with_the_skew_that_is_given),
		cmocka_unit_test(an_anchor_expires_with_the_skew_that_is_given),
		cmocka_unit_test(
			a_long_way_to_an_explicit_anchor_comes_before_a_short_one_to_an_implicit),
		cmocka_unit_test(an_expired_ca_certificate_is_said_to_be_one),
		cmocka_unit_test(a_purpose_is_checked_when_one_is_due),
		cmocka_unit_test(weak_keys_and_signatures_are_refused),
		cmocka_unit_test(an_issuer_must_be_a_ca_that_may_sign_certificates),
		cmocka_unit_test(a_critical_extension_that_nobody_knows_is_refused),
		cmocka_unit_test(name_constraints_bind_what_is_below),
		cmocka_unit_test(a_path_is_no_longer_than_each_ca_allows),
		cmocka_unit_test(what_was_proven_for_one_purpose_is_not_for_another),
		cmocka_unit_test(what_was_proven_with_a_skew_is_not_without),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

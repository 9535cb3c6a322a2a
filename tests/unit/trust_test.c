/* SPDX-License-Identifier: MIT */
/* Which files make which anchors. */
#include "trust_run.h"

static void expect_no_load(const char *const *files, bool system, const char *file, const char *why)
{
	struct trust *trust = NULL;

	assert_int_equal(trust_load(files, system, file, &trust, &err), EST_E_INPUT);
	assert_null(trust);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

/* proves: R7030-3.1-06 */
static void anchors_come_from_pem_der_and_a_bag(void **state)
{
	const char *pem = PEM("root.pem", &root), *der = testca_path(dir, "root.der");
	const char *bag = testca_path(dir, "root.p7");
	const struct est_span spans[] = { est_buf_span(&inter.der), est_buf_span(&root.der) };
	struct est_buf cms = { 0 };
	struct trust *trust;

	(void)state;
	testca_write(der, est_buf_span(&root.der));
	assert_int_equal(est_certs_encode(spans, 2, &cms, &err), EST_OK);
	testca_write(bag, est_buf_span(&cms));
	est_buf_free(&cms);
	for (size_t i = 0; i < 3; i++) {
		trust = load(FILES(i == 0 ? pem : i == 1 ? der : bag), false, NULL);
		EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &inter);
		EXPECT_REASON(trust, "unknown-ca", &other_root);
		trust_free(trust);
	}
}

static void only_the_self_signed_of_a_file_are_anchors(void **state)
{
	struct testca stray, under_stray;
	struct trust *trust;

	(void)state; /* RFC 7030 section 4.1.3: an intermediate is not an anchor */
	testca_issue(&(struct testca_spec){ .subject = "CN=stray",
			     .issuer = &other_root,
			     CA,
			     .usage = CERT_SIGN },
		&stray);
	testca_issue(&(struct testca_spec){ .subject = "CN=x", .issuer = &stray }, &under_stray);
	trust = load(FILES(PEM("bag.pem", &inter, &root, &stray)), false, NULL);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf); /* with the help of inter */
	EXPECT_REASON(trust, "unknown-ca", &under_stray);
	EXPECT_REASON(trust, "unknown-ca", &under_stray, &stray);
	trust_free(trust);
	testca_wipe(&stray);
	testca_wipe(&under_stray);
}

static void a_name_alone_does_not_make_a_certificate_self_signed(void **state)
{
	struct testca old, cross, under_old;
	struct trust *trust;

	/* OldWithNew of a root's key change (RFC 4210 section 4.4): subject and issuer are equal,
	 * but another key has signed it. */
	(void)state;
	testca_root(&old);
	testca_issue(&(struct testca_spec){ .subject = "CN=root",
			     .issuer = &root,
			     .key = old.key,
			     .ca = true,
			     .no_path_len = true,
			     .usage = CERT_SIGN },
		&cross);
	testca_issue(&(struct testca_spec){ .subject = "CN=x", .issuer = &old }, &under_old);
	trust = load(FILES(PEM("bag.pem", &other_root, &cross)), false, NULL);
	EXPECT_REASON(trust, "unknown-ca", &under_old);
	trust_free(trust);
	testca_wipe(&old);
	testca_wipe(&cross);
	testca_wipe(&under_old);
}

static void a_file_without_a_root_was_designated_as_it_is(void **state)
{
	struct trust *trust = load(FILES(PEM("inter.pem", &inter)), false, NULL);

	(void)state;
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &inter);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &inter, &root);
	EXPECT_REASON(trust, "unknown-ca", &root);
	trust_free(trust);
}

/* proves: R7030-3.1-06 */
static void one_bad_file_among_three_is_an_error(void **state)
{
	const char *a = PEM("a.pem", &root), *b = PEM("b.pem", &other_root);
	const char *bad = testca_path(dir, "bad.pem"), *cut = testca_path(dir, "cut.der");

	(void)state;
	testca_write(bad, est_span_str("nothing"));
	testca_write(cut, (struct est_span){ root.der.p, root.der.n - 1 });
	expect_no_load(FILES(a, bad, b), false, NULL, "bad.pem");
	expect_no_load(FILES(bad, a, b), false, NULL, "bad.pem");
	expect_no_load(FILES(a, b, "/nonexistent/c.pem"), false, NULL, "/nonexistent/c.pem");
	expect_no_load(FILES(a, cut), false, NULL, "cut.der");
	expect_no_load(FILES(a, dir), false, NULL, "bad.pem"); /* every file of it counts */
	testca_write(bad, NOTHING);
	expect_no_load(FILES(a, bad), false, NULL, "bad.pem");
	trust_free(NULL);
}

/* proves: R7030-3.1-09 */
static void given_anchors_are_the_only_ones(void **state)
{
	const char *system = PEM("system.pem", &other_root);
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, system);
	struct testca x;

	(void)state;
	testca_issue(&(struct testca_spec){ .issuer = &other_root }, &x);
	EXPECT_REASON(trust, "unknown-ca", &x);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &inter);
	trust_free(trust);
	testca_wipe(&x);
}

/* proves: R7030-3.3.1-04 */
static void the_database_that_vouched_is_known(void **state)
{
	const char *explicit = PEM("root.pem", &root), *system = PEM("system.pem", &other_root);
	struct trust *trust;
	struct testca x;

	(void)state;
	testca_issue(&(struct testca_spec){ .issuer = &other_root }, &x);
	trust = load(FILES(explicit), true, system);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &inter);
	EXPECT_TRUSTED(trust, TRUST_IMPLICIT, &x);
	EXPECT_TRUSTED(trust, TRUST_IMPLICIT, &x); /* again, from what was proven */
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &inter);
	trust_free(trust);
	trust = load(FILES(explicit), true, PEM("both.pem", &root, &other_root));
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &leaf, &inter); /* explicit beats implicit */
	EXPECT_TRUSTED(trust, TRUST_IMPLICIT, &x);
	trust_free(trust);
	trust = load(NULL, false, system);
	EXPECT_TRUSTED(trust, TRUST_IMPLICIT, &x);
	EXPECT_REASON(trust, "unknown-ca", &leaf, &inter);
	trust_free(trust);
	assert_string_equal(trust_db_name(TRUST_EXPLICIT), "explicit");
	assert_string_equal(trust_db_name(TRUST_IMPLICIT), "implicit");
	testca_wipe(&x);
}

static void a_system_file_without_anchors_is_an_error(void **state)
{
	const char *empty = testca_path(dir, "empty.pem");

	(void)state;
	testca_write(empty, NOTHING);
	expect_no_load(NULL, true, "/nonexistent/system.pem", "/nonexistent/system.pem");
	expect_no_load(NULL, true, empty, "no trust anchors");
	expect_no_load(FILES(PEM("root.pem", &root)), true, empty, "no trust anchors");
}

static void a_certificate_that_breaks_a_cap_is_not_imported(void **state)
{
	gnutls_x509_crt_t crt = NULL;
	struct est_buf name = { 0 }, der = { 0 };

	(void)state;
	assert_int_equal(trust_import(est_buf_span(&leaf.der), "it", &crt, &err), EST_OK);
	gnutls_x509_crt_deinit(crt);
	crt = NULL;
	forge_name(EST_RDNS_MAX + 1, &name);
	forge_cert(&(struct forge){ .subject = est_buf_span(&name) }, &der);
	assert_int_equal(trust_import(est_buf_span(&der), "it", &crt, &err), EST_E_PROTOCOL);
	assert_int_equal(trust_import(BYTES(0x30, 0), "it", &crt, &err), EST_E_PROTOCOL);
	assert_int_equal(trust_import(NOTHING, "it", &crt, &err), EST_E_PROTOCOL);
	assert_null(crt);
	est_buf_free(&name);
	est_buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anchors_come_from_pem_der_and_a_bag),
		cmocka_unit_test(only_the_self_signed_of_a_file_are_anchors),
		cmocka_unit_test(a_name_alone_does_not_make_a_certificate_self_signed),
		cmocka_unit_test(a_file_without_a_root_was_designated_as_it_is),
		cmocka_unit_test(one_bad_file_among_three_is_an_error),
		cmocka_unit_test(given_anchors_are_the_only_ones),
		cmocka_unit_test(the_database_that_vouched_is_known),
		cmocka_unit_test(a_system_file_without_anchors_is_an_error),
		cmocka_unit_test(a_certificate_that_breaks_a_cap_is_not_imported),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

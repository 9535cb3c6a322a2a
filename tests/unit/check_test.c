/* SPDX-License-Identifier: MIT */
/* What a CA has issued, before anything is written. */
#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cert.h"
#include "certs.h"
#include "forge.h"
#include "testca.h"

#define CA      .ca = true, .no_path_len = true, .usage = GNUTLS_KEY_KEY_CERT_SIGN
#define MINUTES 60

static char *dir;
static struct testca root, inter, leaf, twin;
static struct trust *trust;
static struct est_error err;

static int set_up(void **state)
{
	(void)state;
	dir = testca_dir();
	testca_root(&root);
	testca_inter(&root, &inter);
	testca_issue(&(struct testca_spec){ .subject = "CN=leaf", .issuer = &inter }, &leaf);
	testca_issue(&(struct testca_spec){ .subject = "CN=twin", .issuer = &inter }, &twin);
	testca_write_pem(testca_path(dir, "root.pem"), (const struct testca *[]){ &root }, 1);
	return trust_load((const char *[]){ testca_path(dir, "root.pem"), NULL }, false, NULL,
		       &trust, &err) == EST_OK
		       ? 0
		       : -1;
}

static int tear_down(void **state)
{
	(void)state;
	trust_free(trust);
	testca_wipe(&root);
	testca_wipe(&inter);
	testca_wipe(&leaf);
	testca_wipe(&twin);
	testca_dir_remove(dir);
	return 0;
}

static struct est_certs *list_of(const struct testca *const *certs)
{
	struct est_certs *list = NULL;

	assert_int_equal(certs_new(&list, &err), EST_OK);
	for (; *certs; certs++)
		assert_int_equal(certs_add(list, est_buf_span(&(*certs)->der), false, NULL, &err),
			EST_OK);
	return list;
}

#define LIST(...) list_of((const struct testca *const[]){ __VA_ARGS__, NULL })

static struct est_span spki_of(const struct testca *cert)
{
	struct cert_view view;

	assert_int_equal(cert_view(est_buf_span(&cert->der), "c", &view, &err), EST_OK);
	return view.spki;
}

/* proves: R7030-4.2.1-07 */
static void the_certificate_with_our_key_is_picked(void **state)
{
	struct est_certs *certs = LIST(&root, &twin, &inter, &leaf);
	size_t index = 99;

	(void)state;
	assert_int_equal(check_pick(certs, spki_of(&leaf), &index, &err), EST_OK);
	assert_int_equal(index, 3);
	assert_int_equal(check_pick(certs, spki_of(&twin), &index, &err), EST_OK);
	assert_int_equal(index, 1);
	est_certs_free(certs);
}

/* proves: R7030-4.2.1-07 */
static void a_certificate_for_another_key_is_refused(void **state)
{
	struct est_certs *certs = LIST(&root, &twin, &inter), *none = LIST(NULL);
	size_t index = 99;

	(void)state;
	assert_int_equal(check_pick(certs, spki_of(&leaf), &index, &err), EST_E_REJECTED);
	assert_string_equal(err.reason, "wrong-key");
	assert_non_null(strstr(err.msg, "3 in the answer"));
	assert_int_equal(check_pick(none, spki_of(&leaf), &index, &err), EST_E_REJECTED);
	assert_int_equal(check_pick(certs, NOTHING, &index, &err), EST_E_REJECTED);
	assert_int_equal(index, 99);
	est_certs_free(certs);
	est_certs_free(none);
}

/* The chain that check_issued() makes of certs[index]. */
static enum est_code issued(struct est_certs *certs, size_t index, struct est_certs *more,
	struct est_certs **chain)
{
	enum est_code rc;

	*chain = NULL;
	err = (struct est_error){ 0 };
	rc = check_issued(trust, certs, index, more, chain, &err);
	assert_int_equal(rc == EST_OK, *chain != NULL);
	est_certs_free(certs);
	est_certs_free(more);
	return rc;
}

static void expect_chain(struct est_certs *certs, size_t index, struct est_certs *more,
	const struct testca *const *expected)
{
	struct est_certs *chain;
	size_t n = 0;

	if (issued(certs, index, more, &chain) != EST_OK)
		fail_msg("%s", err.msg);
	for (; expected[n]; n++) {
		assert_true(n < est_certs_count(chain));
		assert_true(est_span_eq(est_certs_get(chain, n), est_buf_span(&expected[n]->der)));
	}
	assert_int_equal(est_certs_count(chain), n);
	est_certs_free(chain);
}

#define CHAIN(...) ((const struct testca *const[]){ __VA_ARGS__, NULL })

/* proves: R7030-4.2.3-01 */
static void the_chain_begins_with_the_certificate_and_has_no_root(void **state)
{
	(void)state;
	expect_chain(LIST(&leaf), 0, LIST(&root, &inter), CHAIN(&leaf, &inter));
	expect_chain(LIST(&leaf), 0, LIST(&inter), CHAIN(&leaf, &inter));
	expect_chain(LIST(&inter, &leaf), 1, NULL, CHAIN(&leaf, &inter));
	expect_chain(LIST(&root, &twin, &leaf, &inter), 2, NULL, CHAIN(&leaf, &inter));
	expect_chain(LIST(&leaf, &leaf), 1, LIST(&inter, &inter), CHAIN(&leaf, &inter));
}

static void expect_reason(struct est_certs *certs, size_t index, struct est_certs *more,
	const char *reason)
{
	struct est_certs *chain;

	assert_int_equal(issued(certs, index, more, &chain), EST_E_REJECTED);
	assert_int_equal(err.code, EST_E_REJECTED);
	if (strcmp(err.reason, reason) != 0)
		fail_msg("%s, not %s: %s", err.reason, reason, err.msg);
	assert_true(strncmp(err.msg, "the certificate issued", 22) == 0);
}

/* proves: R7030-4.2.1-07 */
static void a_certificate_that_leads_nowhere_is_refused(void **state)
{
	struct testca alien;

	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "CN=alien" }, &alien);
	expect_reason(LIST(&leaf), 0, NULL, "unknown-ca");
	assert_non_null(strstr(err.hint, "--cacert"));
	expect_reason(LIST(&leaf), 0, LIST(&root), "unknown-ca");
	expect_reason(LIST(&alien), 0, LIST(&root, &inter), "unknown-ca");
	testca_wipe(&alien);
}

/* proves: R7030-4.2.1-07 */
static void a_ca_certificate_is_refused(void **state)
{
	struct testca sub;

	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "CN=sub", .issuer = &inter, CA }, &sub);
	expect_reason(LIST(&sub), 0, LIST(&inter), "is-ca");
	expect_reason(LIST(&root), 0, NULL, "is-ca");
	testca_wipe(&sub);
}

static const char *reason_of(time_t from, time_t until)
{
	struct est_certs *chain;
	struct testca x;
	enum est_code rc;

	testca_issue(&(struct testca_spec){ .issuer = &inter, .from = from, .until = until }, &x);
	rc = issued(LIST(&x), 0, LIST(&inter), &chain);
	est_certs_free(chain);
	testca_wipe(&x);
	return rc == EST_OK ? "" : err.reason;
}

/* proves: R7030-4.2.1-07 */
static void thirty_minutes_of_skew_are_tolerated_at_both_ends(void **state)
{
	(void)state;
	assert_string_equal(reason_of(29 * MINUTES, TESTCA_DAY), "");
	assert_string_equal(reason_of(31 * MINUTES, TESTCA_DAY), "not-yet-valid");
	assert_string_equal(reason_of(-TESTCA_DAY, -29 * MINUTES), "");
	assert_string_equal(reason_of(-TESTCA_DAY, -31 * MINUTES), "expired");
}

static void weak_and_broken_certificates_are_refused(void **state)
{
	gnutls_x509_privkey_t rsa = testca_key(GNUTLS_PK_RSA, 1024);
	struct est_certs *broken, *chain;
	struct testca weak, sha1;
	struct est_buf der = { 0 };

	(void)state;
	testca_issue(&(struct testca_spec){ .issuer = &inter, .key = rsa }, &weak);
	testca_issue(&(struct testca_spec){ .issuer = &inter, .hash = GNUTLS_DIG_SHA1 }, &sha1);
	expect_reason(LIST(&weak), 0, LIST(&inter), "weak");
	expect_reason(LIST(&sha1), 0, LIST(&inter), "weak");
	forge_append(&der, est_buf_span(&leaf.der));
	der.p[der.n - 1] ^= 1; /* in the signature */
	broken = LIST(NULL);
	assert_int_equal(certs_add(broken, est_buf_span(&der), false, NULL, &err), EST_OK);
	expect_reason(broken, 0, LIST(&inter), "invalid");
	est_buf_free(&der);
	/* A neighbour that is no certificate helps nobody, and hinders neither. */
	broken = LIST(&leaf);
	assert_int_equal(certs_add(broken, BYTES(0x30, 0), false, NULL, &err), EST_OK);
	assert_int_equal(issued(broken, 0, LIST(&inter), &chain), EST_OK);
	assert_int_equal(est_certs_count(chain), 2);
	est_certs_free(chain);
	testca_wipe(&weak);
	testca_wipe(&sha1);
	gnutls_x509_privkey_deinit(rsa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_certificate_with_our_key_is_picked),
		cmocka_unit_test(a_certificate_for_another_key_is_refused),
		cmocka_unit_test(the_chain_begins_with_the_certificate_and_has_no_root),
		cmocka_unit_test(a_certificate_that_leads_nowhere_is_refused),
		cmocka_unit_test(a_ca_certificate_is_refused),
		cmocka_unit_test(thirty_minutes_of_skew_are_tolerated_at_both_ends),
		cmocka_unit_test(weak_and_broken_certificates_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: MIT */
/* Which files make which anchors, and which paths lead to one. */
#include "trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "forge.h"
#include "testca.h"

#define CERT_SIGN GNUTLS_KEY_KEY_CERT_SIGN
#define MINUTES	  60
#define CA	  .ca = true, .no_path_len = true

static char *dir;
static struct testca root, inter, leaf, other_root;
static struct est_error err;

static int set_up(void **state)
{
	(void)state;
	dir = testca_dir();
	testca_root(&root);
	testca_inter(&root, &inter);
	testca_issue(&(struct testca_spec){ .subject = "CN=leaf",
			     .issuer = &inter,
			     .purpose = GNUTLS_KP_TLS_WWW_SERVER },
		&leaf);
	testca_issue(&(struct testca_spec){ .subject = "CN=other root",
			     .ca = true,
			     .no_path_len = true,
			     .usage = CERT_SIGN },
		&other_root);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	testca_wipe(&root);
	testca_wipe(&inter);
	testca_wipe(&leaf);
	testca_wipe(&other_root);
	testca_dir_remove(dir);
	return 0;
}

/* A file of these certificates, NULL-terminated. */
#define PEM(name, ...) pem_file(name, (const struct testca *const[]){ __VA_ARGS__, NULL })

static const char *pem_file(const char *name, const struct testca *const *certs)
{
	const char *path = testca_path(dir, name);
	size_t n = 0;

	while (certs[n])
		n++;
	testca_write_pem(path, certs, n);
	return path;
}

#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct trust *load(const char *const *files, bool system, const char *system_file)
{
	struct trust *trust = NULL;

	if (trust_load(files, system, system_file, &trust, &err) != EST_OK)
		fail_msg("%s", err.msg);
	return trust;
}

/* Verifies a chain as it would come from a server; certs[0] is in question. */
static enum est_code verify_for(struct trust *trust, const struct testca *const *certs, size_t n,
	const char *purpose, unsigned skew_s, struct trust_answer *answer)
{
	struct est_span list[8];
	const struct trust_query query = {
		.certs = list,
		.n = n,
		.purpose = purpose,
		.skew_s = skew_s,
		.what = "the certificate",
	};
	enum est_code rc;

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++)
		list[i] = est_buf_span(&certs[i]->der);
	*answer = (struct trust_answer){ 0 };
	err = (struct est_error){ 0 };
	rc = trust_verify(trust, &query, answer, &err);
	if (rc != EST_OK) {
		assert_int_equal(answer->db, TRUST_NONE); /* untouched */
		assert_int_equal(answer->n, 0);
		assert_int_equal(rc, EST_E_UNTRUSTED);
		assert_non_null(err.reason);
		assert_true(strncmp(err.msg, "the certificate", 15) == 0);
	}
	return rc;
}

#define CHAIN(...) ((const struct testca *const[]){ __VA_ARGS__ })
#define CHAIN_N(...)                                                                               \
	(sizeof((const struct testca *const[]){ __VA_ARGS__ }) / sizeof(const struct testca *))

#define VERIFY(trust, answer, ...)                                                                 \
	verify_for(trust, CHAIN(__VA_ARGS__), CHAIN_N(__VA_ARGS__), NULL, 0, answer)

#define EXPECT_TRUSTED(trust, from, ...)                                                           \
	do {                                                                                       \
		struct trust_answer answer_;                                                       \
		if (VERIFY(trust, &answer_, __VA_ARGS__) != EST_OK)                                \
			fail_msg("line %d: %s", __LINE__, err.msg);                                \
		assert_int_equal(answer_.db, from);                                                \
	} while (0)

#define EXPECT_REASON(trust, id, ...)                                                              \
	do {                                                                                       \
		struct trust_answer answer_;                                                       \
		if (VERIFY(trust, &answer_, __VA_ARGS__) != EST_E_UNTRUSTED)                       \
			fail_msg("line %d: trusted", __LINE__);                                    \
		if (strcmp(err.reason, id) != 0)                                                   \
			fail_msg("line %d: %s: %s", __LINE__, err.reason, err.msg);                \
	} while (0)

static void expect_no_load(const char *const *files, bool system, const char *file, const char *why)
{
	struct trust *trust = NULL;

	assert_int_equal(trust_load(files, system, file, &trust, &err), EST_E_INPUT);
	assert_null(trust);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

/* ---- Loading ----------------------------------------------------------------------------------
 */

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
	testca_issue(
		&(struct testca_spec){
			.subject = "CN=stray", .issuer = &other_root, CA, .usage = CERT_SIGN },
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
	expect_no_load(FILES(a, dir), false, NULL, "directory");
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

/* ---- Paths ------------------------------------------------------------------------------------
 */

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
	assert_string_equal(
		reason_for(&(struct testca_spec){ .purpose = GNUTLS_KP_TLS_WWW_CLIENT }, server, 0),
		"wrong-purpose");
	assert_string_equal(
		reason_for(&(struct testca_spec){ .purpose = GNUTLS_KP_TLS_WWW_CLIENT }, NULL, 0),
		"");
}

/* proves: R7030-3.3.1-02 */
static void weak_keys_and_signatures_are_refused(void **state)
{
	gnutls_x509_privkey_t rsa = testca_key(GNUTLS_PK_RSA, 1024);

	(void)state;
	assert_string_equal(reason_for(&(struct testca_spec){ .key = rsa }, NULL, 0), "weak");
	assert_string_equal(
		reason_for(&(struct testca_spec){ .hash = GNUTLS_DIG_SHA1 }, NULL, 0), "weak");
	assert_string_equal(
		reason_for(&(struct testca_spec){ .hash = GNUTLS_DIG_SHA1 }, NULL, 60), "weak");
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
	assert_string_not_equal(
		reason_under(
			&(struct testca_spec){ CA, .usage = GNUTLS_KEY_DIGITAL_SIGNATURE }, &x),
		"");
	assert_string_not_equal(
		reason_under(&(struct testca_spec){ CA, .usage = GNUTLS_KEY_CRL_SIGN }, &x), "");
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
	assert_string_not_equal(
		reason_for(&(struct testca_spec){ .extension = critical }, NULL, 0), "");
	assert_string_equal(reason_under(&(struct testca_spec){ CA, .extension = plain }, &x), "");
	assert_string_not_equal(
		reason_under(&(struct testca_spec){ CA, .extension = critical }, &x), "");
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
	assert_string_not_equal(
		reason_under(&ca, &(struct testca_spec){ .sans = { good, bad } }), "");
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
	testca_issue(
		&(struct testca_spec){
			.subject = "CN=low", .issuer = &clients, CA, .usage = CERT_SIGN },
		&low);
	testca_issue(&(struct testca_spec){ .subject = "CN=a", .issuer = &low }, &a);
	testca_issue(&(struct testca_spec){ .subject = "CN=b", .issuer = &low }, &b);
	assert_int_equal(verify_for(trust, CHAIN(&b, &low, &clients), 3, server, 0, &answer),
		EST_E_UNTRUSTED);
	assert_int_equal(
		verify_for(trust, CHAIN(&a, &low, &clients), 3, client, 0, &answer), EST_OK);
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
	testca_issue(
		&(struct testca_spec){
			.subject = "CN=low", .issuer = &old, CA, .usage = CERT_SIGN },
		&low);
	testca_issue(&(struct testca_spec){ .issuer = &low }, &a);
	trust = load(FILES(PEM("old.pem", &old)), false, NULL);
	assert_int_equal(
		verify_for(trust, CHAIN(&a, &low), 2, server, 0, &answer), EST_E_UNTRUSTED);
	assert_string_equal(err.reason, "expired");
	assert_int_equal(
		verify_for(trust, CHAIN(&a, &low), 2, server, 30 * MINUTES, &answer), EST_OK);
	assert_int_equal(
		verify_for(trust, CHAIN(&a, &low), 2, server, 0, &answer), EST_E_UNTRUSTED);
	trust_free(trust);
	testca_wipe(&old);
	testca_wipe(&low);
	testca_wipe(&a);
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

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(anchors_come_from_pem_der_and_a_bag),
		TEST(only_the_self_signed_of_a_file_are_anchors),
		TEST(a_name_alone_does_not_make_a_certificate_self_signed),
		TEST(a_file_without_a_root_was_designated_as_it_is),
		TEST(one_bad_file_among_three_is_an_error),
		TEST(given_anchors_are_the_only_ones),
		TEST(the_database_that_vouched_is_known),
		TEST(a_system_file_without_anchors_is_an_error),
		TEST(a_path_is_found_in_any_order_and_with_strangers_between),
		TEST(an_issuer_that_is_not_there_is_an_unknown_ca),
		TEST(the_issuers_name_without_its_key_is_not_enough),
		TEST(of_two_issuers_of_one_name_the_one_that_signed_is_found),
		TEST(what_comes_above_an_anchor_does_not_count),
		TEST(validity_is_checked_with_the_skew_that_is_given),
		TEST(an_expired_ca_certificate_is_said_to_be_one),
		TEST(a_purpose_is_checked_when_one_is_due),
		TEST(weak_keys_and_signatures_are_refused),
		TEST(an_issuer_must_be_a_ca_that_may_sign_certificates),
		TEST(a_critical_extension_that_nobody_knows_is_refused),
		TEST(name_constraints_bind_what_is_below),
		TEST(a_path_is_no_longer_than_each_ca_allows),
		TEST(what_was_proven_for_one_purpose_is_not_for_another),
		TEST(what_was_proven_with_a_skew_is_not_without),
		TEST(a_certificate_that_breaks_a_cap_is_not_imported),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: MIT */
/* What CRLs at hand say of a certificate. */
#include "trust_run.h"

#include <gnutls/abstract.h>
#include <time.h>

#include "der.h"
#include "revocation.h"

#define CRL_SIGN     GNUTLS_KEY_CRL_SIGN
#define HOUR         3600
#define OID_CE(n)    6, 3, 0x55, 0x1d, n
#define ECDSA_SHA256 BYTES(0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2)
#define ECDSA_SHA1   BYTES(0x30, 9, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1)

/* Zero-initialised is the current and empty CRL of ca. */
struct crl_spec {
	const struct testca *key;     /* whose key signs; NULL: the issuer's */
	const struct testca *revoked; /* NULL: none */
	int from, until;              /* seconds from now; both 0: an hour each way */
	bool endless;
	struct est_span entry_ext, ext; /* contents of the extension lists */
	struct est_span block;          /* contents of [0], whatever they are */
	bool sha1;
};

static struct testca ca, cert, ca_cert;

static void put_time(struct est_buf *out, int offset)
{
	time_t when = time(NULL) + offset;
	struct tm tm;
	char text[20];

	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	forge_put(out, DER_UTCTIME, est_span_str(text + 2));
}

static void put_serial(struct est_buf *out, const struct testca *of)
{
	unsigned char serial[32];
	size_t n = sizeof(serial);

	assert_true(gnutls_x509_crt_get_serial(of->crt, serial, &n) >= 0);
	forge_put(out, DER_INTEGER, (struct est_span){ serial, n });
}

static void put_signature(struct est_buf *out, struct est_span tbs, const struct testca *signer,
	bool sha1)
{
	gnutls_datum_t data = { (unsigned char *)tbs.p, (unsigned)tbs.n }, sig;
	struct est_buf body = { 0 };
	gnutls_privkey_t key;

	assert_true(gnutls_privkey_init(&key) >= 0);
	assert_true(gnutls_privkey_import_x509(key, signer->key, 0) >= 0);
	assert_true(gnutls_privkey_sign_data2(key,
			    sha1 ? GNUTLS_SIGN_ECDSA_SHA1 : GNUTLS_SIGN_ECDSA_SHA256, 0, &data,
			    &sig) >= 0);
	forge_append(&body, BYTES(0));
	forge_append(&body, (struct est_span){ sig.data, sig.size });
	forge_put(out, DER_BIT_STRING, est_buf_span(&body));
	est_buf_free(&body);
	gnutls_free(sig.data);
	gnutls_privkey_deinit(key);
}

static void make_crl(const struct crl_spec *spec, struct est_buf *out)
{
	struct est_buf tbs = { 0 }, entry = { 0 }, list = { 0 };
	struct est_span algorithm = spec->sha1 ? ECDSA_SHA1 : ECDSA_SHA256;
	bool dates = spec->from || spec->until;
	gnutls_datum_t name;

	assert_true(gnutls_x509_crt_get_raw_dn(ca.crt, &name) >= 0);
	forge_append(&tbs, BYTES(2, 1, 1));
	forge_append(&tbs, algorithm);
	forge_append(&tbs, (struct est_span){ name.data, name.size });
	gnutls_free(name.data);
	put_time(&tbs, dates ? spec->from : -HOUR);
	if (!spec->endless)
		put_time(&tbs, dates ? spec->until : HOUR);
	if (spec->revoked) {
		put_serial(&entry, spec->revoked);
		put_time(&entry, -HOUR);
		if (spec->entry_ext.n > 0)
			forge_put(&entry, DER_SEQUENCE, spec->entry_ext);
		forge_put(&list, DER_SEQUENCE, est_buf_span(&entry));
		forge_put(&tbs, DER_SEQUENCE, est_buf_span(&list));
	}
	if (spec->ext.n > 0) {
		est_buf_free(&list);
		forge_put(&list, DER_SEQUENCE, spec->ext);
		forge_put(&tbs, DER_CONTEXT_C(0), est_buf_span(&list));
	}
	if (spec->block.n > 0)
		forge_put(&tbs, DER_CONTEXT_C(0), spec->block);
	forge_wrap(&tbs, DER_SEQUENCE);
	forge_append(out, est_buf_span(&tbs));
	forge_append(out, algorithm);
	put_signature(out, est_buf_span(&tbs), spec->key ? spec->key : &ca, spec->sha1);
	forge_wrap(out, DER_SEQUENCE);
	est_buf_free(&tbs);
	est_buf_free(&entry);
	est_buf_free(&list);
}

static const char *crl_file(const char *name, const struct crl_spec *spec)
{
	const char *path = testca_path(dir, name);
	struct est_buf der = { 0 };

	make_crl(spec, &der);
	testca_write(path, est_buf_span(&der));
	est_buf_free(&der);
	return path;
}

/* What is said of a certificate of ca with these files: "" or a reason. */
static const char *verdict(const char *const *files, const struct testca *of, bool due)
{
	struct cert_view view, issuer;
	struct crls *crls = NULL;
	enum est_code rc;

	err = (struct est_error){ 0 };
	if (crls_load(files, &crls, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(cert_view(est_buf_span(&of->der), "", &view, &err), EST_OK);
	assert_int_equal(cert_view(est_buf_span(&ca.der), "", &issuer, &err), EST_OK);
	rc = crls_check(crls, &view, &issuer, time(NULL), due, "the certificate", &err);
	crls_free(crls);
	assert_true(rc == EST_OK || rc == EST_E_UNTRUSTED);
	return rc == EST_OK ? "" : err.reason;
}

static const char *one(const struct crl_spec *spec, const struct testca *of, bool due)
{
	return verdict(FILES(crl_file("one.crl", spec)), of, due);
}

/* proves: R7030-3.3.1-08 */
static void who_is_listed_is_revoked(void **state)
{
	/* reasonCode keyCompromise */
	const struct est_span reason = BYTES(0x30, 10, OID_CE(0x15), 4, 3, 0x0a, 1, 1);

	(void)state;
	assert_string_equal(one(&(struct crl_spec){ 0 }, &cert, true), "");
	assert_string_equal(one(&(struct crl_spec){ .revoked = &ca_cert }, &cert, true), "");
	assert_string_equal(one(&(struct crl_spec){ .revoked = &cert }, &cert, true), "revoked");
	assert_non_null(strstr(err.msg, "(unspecified)"));
	assert_string_equal(one(&(struct crl_spec){ .revoked = &cert, .entry_ext = reason }, &cert,
				    false),
		"revoked");
	assert_non_null(strstr(err.msg, "(keyCompromise)"));
	/* an old list does not forget */
	assert_string_equal(one(&(struct crl_spec){ .revoked = &cert,
					.from = -9 * HOUR,
					.until = -HOUR },
				    &cert, true),
		"revoked");
}

/* proves: R7030-3.3.1-08 */
static void a_list_that_is_not_of_today_is_no_answer(void **state)
{
	const struct crl_spec old = { .from = -9 * HOUR, .until = -HOUR };
	const struct crl_spec early = { .from = HOUR, .until = 9 * HOUR };

	(void)state;
	assert_string_equal(one(&old, &cert, true), "crl-stale");
	assert_non_null(strstr(err.msg, "was due to be replaced on 20"));
	assert_string_equal(one(&old, &cert, false), "crl-stale");
	assert_string_equal(one(&early, &cert, true), "crl-stale");
	assert_non_null(strstr(err.msg, "begins on 20"));
	assert_string_equal(one(&(struct crl_spec){ .endless = true }, &cert, true), "crl-stale");
	/* a second one may be */
	assert_string_equal(verdict(FILES(crl_file("old.crl", &old),
					    crl_file("new.crl", &(struct crl_spec){ 0 })),
				    &cert, true),
		"");
}

/* proves: R7030-3.3.1-08 */
static void a_list_of_somebody_else_is_none(void **state)
{
	const struct crl_spec forged = { .key = &other_root };

	(void)state;
	assert_string_equal(one(&forged, &cert, true), "no-crl");
	assert_non_null(strstr(err.msg, "not signed by its key"));
	assert_string_equal(one(&forged, &cert, false), "");
	assert_string_equal(one(&(struct crl_spec){ .key = &other_root, .revoked = &cert }, &cert,
				    false),
		"");
	assert_string_equal(one(&(struct crl_spec){ .sha1 = true }, &cert, true), "no-crl");
	/* another CA's certificate */
	assert_string_equal(one(&(struct crl_spec){ 0 }, &leaf, true), "no-crl");
	assert_non_null(strstr(err.msg, "CN=inter"));
	assert_string_equal(one(&(struct crl_spec){ 0 }, &leaf, false), "");
}

/* proves: R7030-3.3.1-08 */
static void a_list_for_a_part_counts_for_that_part(void **state)
{
	const struct est_span users = BYTES(0x30, 15, OID_CE(0x1c), 1, 1, 0xff, 4, 5, 0x30, 3, 0x81,
		1, 0xff);
	const struct est_span cas = BYTES(0x30, 15, OID_CE(0x1c), 1, 1, 0xff, 4, 5, 0x30, 3, 0x82,
		1, 0xff);
	const struct est_span indirect = BYTES(0x30, 15, OID_CE(0x1c), 1, 1, 0xff, 4, 5, 0x30, 3,
		0x84, 1, 0xff);
	const struct est_span reasons = BYTES(0x30, 16, OID_CE(0x1c), 1, 1, 0xff, 4, 6, 0x30, 4,
		0x83, 2, 6, 0x40);
	const struct est_span delta = BYTES(0x30, 13, OID_CE(0x1b), 1, 1, 0xff, 4, 3, 2, 1, 1);
	const struct est_span unknown = BYTES(0x30, 11, 6, 2, 0x2a, 3, 1, 1, 0xff, 4, 2, 5, 0);
	/* distributionPoint fullName URI "a" */
	const struct est_span point = BYTES(0x30, 19, OID_CE(0x1c), 1, 1, 0xff, 4, 9, 0x30, 7, 0xa0,
		5, 0xa0, 3, 0x86, 1, 'a');

	(void)state;
	assert_string_equal(one(&(struct crl_spec){ .ext = users }, &cert, true), "");
	assert_string_equal(one(&(struct crl_spec){ .ext = users }, &ca_cert, true), "no-crl");
	assert_string_equal(one(&(struct crl_spec){ .ext = cas }, &ca_cert, true), "");
	assert_string_equal(one(&(struct crl_spec){ .ext = cas }, &cert, true), "no-crl");
	assert_string_equal(one(&(struct crl_spec){ .ext = indirect }, &cert, true), "no-crl");
	assert_string_equal(one(&(struct crl_spec){ .ext = reasons }, &cert, true), "no-crl");
	assert_string_equal(one(&(struct crl_spec){ .ext = delta }, &cert, true), "no-crl");
	assert_string_equal(one(&(struct crl_spec){ .ext = unknown }, &cert, true), "no-crl");
	/* cert names the distribution point "a", ca_cert none */
	assert_string_equal(one(&(struct crl_spec){ .ext = point }, &cert, true), "");
	assert_string_equal(one(&(struct crl_spec){ .ext = point, .revoked = &cert }, &cert, true),
		"revoked");
	assert_string_equal(one(&(struct crl_spec){ .ext = point }, &ca_cert, true), "no-crl");
	/* certificateIssuer, critical: the entry is another CA's */
	assert_string_equal(one(&(struct crl_spec){ .revoked = &ca_cert,
					.entry_ext = BYTES(0x30, 14, OID_CE(0x1d), 1, 1, 0xff, 4, 4,
						0x30, 2, 0x86, 0) },
				    &cert, true),
		"no-crl");
}

static void a_ca_that_may_not_sign_lists_has_none(void **state)
{
	struct testca keep = ca;

	(void)state; /* the same key and name, without cRLSign */
	testca_issue(&(struct testca_spec){ .subject = "CN=list ca",
			     .key = keep.key,
			     CA,
			     .usage = CERT_SIGN },
		&ca);
	assert_string_equal(one(&(struct crl_spec){ 0 }, &cert, true), "no-crl");
	assert_non_null(strstr(err.msg, "cRLSign"));
	testca_wipe(&ca);
	ca = keep;
}

static void expect_bad(struct est_span content, const char *word)
{
	const char *path = testca_path(dir, "bad.crl");
	struct crls *crls = NULL;

	testca_write(path, content);
	assert_int_equal(crls_load(FILES(crl_file("good.crl", &(struct crl_spec){ 0 }), path),
				 &crls, &err),
		EST_E_INPUT);
	assert_null(crls);
	assert_non_null(strstr(err.msg, "bad.crl"));
	if (!strstr(err.msg, word))
		fail_msg("%s", err.msg);
}

static void a_file_without_a_whole_list_is_an_error(void **state)
{
	/* a delta CRL, of parts only: that must not come out as a whole one */
	const struct est_span blocks[] = {
		BYTES(0x31, 15, 0x30, 13, OID_CE(0x1b), 1, 1, 0xff, 4, 3, 2, 1, 1),
		BYTES(0x30, 13, OID_CE(0x1b), 1, 1, 0xff, 4, 3, 2, 1, 1, 5, 0),
		BYTES(5, 0),
	};
	struct est_buf der = { 0 }, pem = { 0 };
	struct crls *crls = NULL;

	(void)state;
	make_crl(&(struct crl_spec){ .revoked = &cert }, &der);
	for (size_t n = 0; n < der.n; n += 7) {
		const char *path = testca_path(dir, "cut.crl");

		testca_write(path, (struct est_span){ der.p, n });
		assert_int_equal(crls_load(FILES(path), &crls, &err), EST_E_INPUT);
	}
	expect_bad(est_buf_span(&ca.der), "no CRL");
	expect_bad(est_span_str("nonsense"), "");
	expect_bad(NOTHING, "");
	/* Neither is opened: what --crl takes is PEM and DER. */
	expect_bad(BYTES(0x30, 8, 2, 1, 3, 0x30, 3, 6, 1, 0x2a), "no CRL");
	expect_bad(est_span_str("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nMA=="),
		"looks like an HTTP response");
	assert_int_equal(est_pem_append(&pem, "X509 CRL", est_buf_span(&der), &err), EST_OK);
	assert_int_equal(est_pem_append(&pem, "X509 CRL", BYTES(0x30, 0), &err), EST_OK);
	expect_bad(est_buf_span(&pem), "CRL");
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		est_buf_free(&der);
		make_crl(&(struct crl_spec){ .block = blocks[i] }, &der);
		expect_bad(est_buf_span(&der), "not one list of extensions");
	}
	assert_int_equal(crls_load(FILES(testca_path(dir, "missing")), &crls, &err), EST_E_INPUT);
	est_buf_free(&der);
	est_buf_free(&pem);
}

/* proves: R7030-3.3.1-08 */
static void every_certificate_of_a_path_is_looked_up(void **state)
{
	const struct crl_spec list = { .revoked = &ca_cert };
	struct crls *crls = NULL;
	struct trust *trust = load(FILES(PEM("ca.pem", &ca)), false, NULL);
	struct testca end;

	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "CN=end", .issuer = &ca_cert }, &end);
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &end, &ca_cert);
	assert_int_equal(crls_load(FILES(crl_file("list.crl", &list)), &crls, &err), EST_OK);
	trust_set_crls(trust, crls);
	EXPECT_REASON(trust, "revoked", &end, &ca_cert);
	assert_non_null(strstr(err.msg, "CN=sub"));
	EXPECT_TRUSTED(trust, TRUST_EXPLICIT, &cert);
	trust_free(trust);
	crls_free(crls);
	testca_wipe(&end);
}

/* proves: R7030-3.3.1-08 */
static void a_proven_issuer_does_not_hide_what_it_has_revoked(void **state)
{
	const struct crl_spec list = { .revoked = &cert };
	const char *server = GNUTLS_KP_TLS_WWW_SERVER;
	struct trust *trust = load(FILES(PEM("root.pem", &root)), false, NULL);
	struct trust_answer answer;
	struct testca keep = ca, first;
	struct crls *crls = NULL;

	/* ca under root: after first it is the proven issuer, and cert was revoked by it */
	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "CN=list ca",
			     .issuer = &root,
			     .key = keep.key,
			     CA,
			     .usage = CERT_SIGN | CRL_SIGN },
		&ca);
	testca_issue(&(struct testca_spec){ .subject = "CN=first", .issuer = &ca }, &first);
	assert_int_equal(crls_load(FILES(crl_file("list.crl", &list)), &crls, &err), EST_OK);
	trust_set_crls(trust, crls);
	assert_int_equal(verify_for(trust, CHAIN(&first, &ca), 2, server, 0, &answer), EST_OK);
	assert_int_equal(verify_for(trust, CHAIN(&cert, &ca), 2, NULL, 0, &answer),
		EST_E_UNTRUSTED);
	assert_string_equal(err.reason, "revoked");
	trust_free(trust);
	crls_free(crls);
	testca_wipe(&first);
	testca_wipe(&ca);
	ca = keep;
}

static int lists_set_up(void **state)
{
	/* cRLDistributionPoints: fullName URI "a" */
	const struct testca_extension point = { "2.5.29.31",
		BYTES(0x30, 9, 0x30, 7, 0xa0, 5, 0xa0, 3, 0x86, 1, 'a'), false };

	set_up(state);
	testca_issue(&(struct testca_spec){ .subject = "CN=list ca",
			     CA,
			     .usage = CERT_SIGN | CRL_SIGN },
		&ca);
	testca_issue(&(struct testca_spec){ .subject = "CN=cert",
			     .issuer = &ca,
			     .extension = point },
		&cert);
	testca_issue(&(struct testca_spec){ .subject = "CN=sub",
			     .issuer = &ca,
			     CA,
			     .usage = CERT_SIGN },
		&ca_cert);
	return 0;
}

static int lists_tear_down(void **state)
{
	testca_wipe(&ca);
	testca_wipe(&cert);
	testca_wipe(&ca_cert);
	return tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_listed_is_revoked),
		cmocka_unit_test(a_list_that_is_not_of_today_is_no_answer),
		cmocka_unit_test(a_list_of_somebody_else_is_none),
		cmocka_unit_test(a_list_for_a_part_counts_for_that_part),
		cmocka_unit_test(a_ca_that_may_not_sign_lists_has_none),
		cmocka_unit_test(a_file_without_a_whole_list_is_an_error),
		cmocka_unit_test(every_certificate_of_a_path_is_looked_up),
		cmocka_unit_test(a_proven_issuer_does_not_hide_what_it_has_revoked),
	};

	return cmocka_run_group_tests(tests, lists_set_up, lists_tear_down);
}

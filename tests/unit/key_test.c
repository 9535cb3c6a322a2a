/* SPDX-License-Identifier: MIT */
/* Private keys: made, written, read in every form, refused, matched and used. */
#include "key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "forge.h"
#include "testca.h"

#define PASSPHRASE "open sesame"

static const char *path;

/* An est_secret_fn; ctx: what it answers, or NULL for nothing. */
static unsigned asked;

static enum est_code answer(void *ctx, const char *what, struct est_buf *out, struct est_error *err)
{
	asked++;
	assert_non_null(strstr(what, "passphrase of "));
	assert_non_null(strstr(what, path));
	if (!ctx)
		return est_fail(err, EST_E_INPUT, "no terminal");
	return est_buf_append(out, est_span_str(ctx), err);
}

static enum est_code load(struct est_span bytes, const char *passphrase, struct est_key **key,
	struct est_error *err)
{
	path = testca_path(testca_tmp, "key");
	testca_write(path, bytes);
	asked = 0;
	*err = (struct est_error){ 0 };
	return est_key_load(path, answer, (void *)passphrase, key, err);
}

/* Loads and expects a key of this type without a question. */
static void expect_type(struct est_span bytes, const char *type)
{
	struct est_key *key = NULL;
	struct est_error err;

	if (load(bytes, NULL, &key, &err) != EST_OK)
		fail_msg("%s: %s", type, err.msg);
	assert_string_equal(est_key_type(key), type);
	assert_int_equal(asked, 0);
	est_key_free(key);
}

static void expect_refused(struct est_span bytes, const char *why)
{
	struct est_key *key = (struct est_key *)&key;
	struct est_error err;

	assert_int_equal(load(bytes, PASSPHRASE, &key, &err), EST_E_INPUT);
	assert_ptr_equal(key, (struct est_key *)&key);
	assert_int_equal(asked, 0);
	if (!strstr(err.msg, why) || !strstr(err.msg, path))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

static struct est_buf export_key(gnutls_x509_privkey_t key, gnutls_x509_crt_fmt_t format,
	bool pkcs8, const char *passphrase, unsigned flags)
{
	struct est_buf out = { 0 };
	gnutls_datum_t text = { 0 };

	if (pkcs8)
		assert_true(gnutls_x509_privkey_export2_pkcs8(key, format, passphrase,
				    passphrase ? flags : GNUTLS_PKCS_PLAIN, &text) >= 0);
	else
		assert_true(gnutls_x509_privkey_export2(key, format, &text) >= 0);
	forge_append(&out, (struct est_span){ text.data, text.size });
	gnutls_free(text.data);
	return out;
}

/* One key in one form, loaded as this type. */
static void expect_form(gnutls_x509_privkey_t key, gnutls_x509_crt_fmt_t format, bool pkcs8,
	const char *type)
{
	struct est_buf text = export_key(key, format, pkcs8, NULL, 0);

	expect_type(est_buf_span(&text), type);
	est_buf_free(&text);
}

static gnutls_x509_privkey_t curve_key(gnutls_pk_algorithm_t pk, gnutls_ecc_curve_t curve)
{
	return testca_key(pk, GNUTLS_CURVE_TO_BITS(curve));
}

static void every_type_is_made_and_survives_its_pem(void **state)
{
	static const char *const types[] = { "ec:p256", "ec:p384", "ec:p521", "rsa:2048",
		"rsa:2056", "ed25519", "ed448" };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct est_key *key = NULL, *again = NULL;
		struct est_buf pem = { 0 }, a = { 0 }, b = { 0 };
		struct est_error err;

		assert_int_equal(est_key_generate(types[i], &key, &err), EST_OK);
		assert_string_equal(est_key_type(key), types[i]);
		assert_int_equal(est_key_pem(key, &pem, &err), EST_OK);
		assert_memory_equal(pem.p, "-----BEGIN PRIVATE KEY-----\n", 28);
		assert_int_equal(pem.p[pem.n - 1], '\n');
		if (load(est_buf_span(&pem), NULL, &again, &err) != EST_OK)
			fail_msg("%s: %s", types[i], err.msg);
		assert_string_equal(est_key_type(again), types[i]);
		assert_int_equal(key_spki(key, &a, &err), EST_OK);
		assert_int_equal(key_spki(again, &b, &err), EST_OK);
		assert_true(est_span_eq(est_buf_span(&a), est_buf_span(&b)));
		est_buf_free(&a);
		est_buf_free(&b);
		est_buf_free(&pem);
		est_key_free(again);
		est_key_free(key);
	}
}

static void no_other_type_is_made(void **state)
{
	static const char *const types[] = { "", "ec", "ec:", "ec:p224", "ec:P256", "ec:p256 ",
		"rsa", "rsa:", "rsa:1024", "rsa:2047", "rsa:2049", "rsa:8200", "rsa:02048",
		"rsa: 2048", "rsa:+2048", "rsa:2048x", "rsa:99999999999999999999", "rsa:0x800",
		"dsa:2048", "x25519", "ED25519", "secp256r1" };
	struct est_key *key = NULL;
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (est_key_generate(types[i], &key, &err) != EST_E_USAGE)
			fail_msg("'%s' was taken", types[i]);
		assert_null(key);
		assert_non_null(strstr(err.msg, "rsa:2048"));
	}
}

static void pkcs8_sec1_and_pkcs1_are_read_in_pem_and_der(void **state)
{
	gnutls_x509_privkey_t ec = curve_key(GNUTLS_PK_EC, GNUTLS_ECC_CURVE_SECP384R1);
	gnutls_x509_privkey_t rsa = testca_key(GNUTLS_PK_RSA, 2048);
	gnutls_x509_privkey_t ed = curve_key(GNUTLS_PK_EDDSA_ED25519, GNUTLS_ECC_CURVE_ED25519);

	(void)state;
	for (int pkcs8 = 0; pkcs8 <= 1; pkcs8++) {
		expect_form(ec, GNUTLS_X509_FMT_PEM, pkcs8, "ec:p384");
		expect_form(ec, GNUTLS_X509_FMT_DER, pkcs8, "ec:p384");
		expect_form(rsa, GNUTLS_X509_FMT_PEM, pkcs8, "rsa:2048");
		expect_form(rsa, GNUTLS_X509_FMT_DER, pkcs8, "rsa:2048");
	}
	expect_form(ed, GNUTLS_X509_FMT_PEM, true, "ed25519");
	expect_form(ed, GNUTLS_X509_FMT_DER, true, "ed25519");
	gnutls_x509_privkey_deinit(ec);
	gnutls_x509_privkey_deinit(rsa);
	gnutls_x509_privkey_deinit(ed);
}

static void a_key_is_found_among_other_things_in_its_file(void **state)
{
	gnutls_x509_privkey_t ec = curve_key(GNUTLS_PK_EC, GNUTLS_ECC_CURVE_SECP256R1);
	static const char params[] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
				     "-----END EC PARAMETERS-----\n";
	struct testca cert;
	struct est_error err;

	(void)state;
	testca_issue(&(struct testca_spec){ .key = ec }, &cert);
	for (int pkcs8 = 0; pkcs8 <= 1; pkcs8++) {
		struct est_buf key = export_key(ec, GNUTLS_X509_FMT_PEM, pkcs8, NULL, 0);
		struct est_buf text = { 0 };

		/* as `openssl ecparam -genkey` writes it */
		forge_append(&text, est_span_str(params));
		forge_append(&text, est_buf_span(&key));
		expect_type(est_buf_span(&text), "ec:p256");
		est_buf_free(&text);
		assert_int_equal(est_pem_append(&text, "CERTIFICATE", est_buf_span(&cert.der),
					 &err),
			EST_OK);
		forge_append(&text, est_buf_span(&key));
		expect_type(est_buf_span(&text), "ec:p256");
		est_buf_free(&text);
		forge_append(&text, est_span_str("0: text that begins like DER\n"));
		forge_append(&text, est_buf_span(&key));
		expect_type(est_buf_span(&text), "ec:p256");
		est_buf_free(&text);
		est_buf_free(&key);
	}
	testca_wipe(&cert);
	gnutls_x509_privkey_deinit(ec);
}

/* Right, wrong, no and unasked-for passphrase of one encrypted form. */
static void expect_encrypted(struct est_span text, const char *type)
{
	struct est_key *key = NULL;
	struct est_error err;

	if (load(text, PASSPHRASE, &key, &err) != EST_OK)
		fail_msg("%s: %s", type, err.msg);
	assert_string_equal(est_key_type(key), type);
	assert_int_equal(asked, 1);
	est_key_free(key);
	key = NULL;
	assert_int_equal(load(text, "wrong", &key, &err), EST_E_INPUT);
	assert_string_equal(err.reason, "wrong-passphrase");
	assert_null(strstr(err.msg, "wrong\n"));
	assert_int_equal(load(text, "", &key, &err), EST_E_INPUT);
	assert_int_equal(load(text, NULL, &key, &err), EST_E_INPUT);
	assert_non_null(strstr(err.msg, "no terminal"));
	assert_int_equal(est_key_load(path, NULL, NULL, &key, &err), EST_E_INPUT);
	assert_non_null(strstr(err.msg, "encrypted"));
	assert_null(key);
}

static void encrypted_pkcs8_asks_for_its_passphrase_once(void **state)
{
	gnutls_x509_privkey_t ec = curve_key(GNUTLS_PK_EC, GNUTLS_ECC_CURVE_SECP256R1);
	struct est_buf text;

	(void)state;
	text = export_key(ec, GNUTLS_X509_FMT_PEM, true, PASSPHRASE, GNUTLS_PKCS_PBES2_AES_256);
	expect_encrypted(est_buf_span(&text), "ec:p256");
	est_buf_free(&text);
	text = export_key(ec, GNUTLS_X509_FMT_DER, true, PASSPHRASE, GNUTLS_PKCS_PKCS12_3DES);
	expect_encrypted(est_buf_span(&text), "ec:p256");
	est_buf_free(&text);
	gnutls_x509_privkey_deinit(ec);
}

static void an_encrypted_key_behind_a_certificate_asks_too(void **state)
{
	gnutls_x509_privkey_t ec = curve_key(GNUTLS_PK_EC, GNUTLS_ECC_CURVE_SECP256R1);
	struct est_buf key, text = { 0 };
	struct testca cert;
	struct est_error err;

	(void)state;
	testca_issue(&(struct testca_spec){ .key = ec }, &cert);
	key = export_key(ec, GNUTLS_X509_FMT_PEM, true, PASSPHRASE, GNUTLS_PKCS_PKCS12_3DES);
	assert_int_equal(est_pem_append(&text, "CERTIFICATE", est_buf_span(&cert.der), &err),
		EST_OK);
	forge_append(&text, est_buf_span(&key));
	expect_encrypted(est_buf_span(&text), "ec:p256");
	est_buf_free(&text);
	est_buf_free(&key);
	testca_wipe(&cert);
	gnutls_x509_privkey_deinit(ec);
}

static void expect_key_refused(gnutls_x509_privkey_t key, bool pkcs8, const char *why)
{
	struct est_buf text = export_key(key, GNUTLS_X509_FMT_PEM, pkcs8, NULL, 0);

	expect_refused(est_buf_span(&text), why);
	est_buf_free(&text);
	gnutls_x509_privkey_deinit(key);
}

static void keys_that_are_weak_or_cannot_sign_a_request_are_refused(void **state)
{
	(void)state;
	expect_key_refused(testca_key(GNUTLS_PK_RSA, 1024), true, "1024 bits");
	expect_key_refused(testca_key(GNUTLS_PK_RSA, 1024), false, "1024 bits");
	expect_key_refused(testca_key(GNUTLS_PK_RSA, 2040), true, "2040 bits");
	expect_key_refused(testca_key(GNUTLS_PK_DSA, 1024), true, "DSA");
	expect_key_refused(curve_key(GNUTLS_PK_ECDH_X25519, GNUTLS_ECC_CURVE_X25519), true,
		"agrees on secrets");
	expect_key_refused(curve_key(GNUTLS_PK_EC, GNUTLS_ECC_CURVE_SECP224R1), true, "EC");
	/* Its certificate and its signatures are named otherwise than plain RSA's. */
	expect_key_refused(testca_key(GNUTLS_PK_RSA_PSS, 2048), true, "RSA-PSS");
}

static void what_is_no_key_is_refused_without_a_question(void **state)
{
	struct testca cert;
	struct est_buf text = { 0 };
	struct est_error err;

	(void)state;
	expect_refused(NOTHING, "empty");
	expect_refused(est_span_str("\n"), "no private key");
	expect_refused(est_span_str("hello"), "no private key");
	expect_refused(est_span_str("0"), "no private key");
	expect_refused(BYTES(0x30), "no private key");
	expect_refused(BYTES(0x30, 0), "no private key");
	expect_refused(BYTES(0x30, 3, 2, 1, 0), "no private key");
	expect_refused(BYTES(0x30, 0x84, 0x7f, 0xff, 0xff, 0xff), "no private key");
	expect_refused(BYTES(0, 0, 0, 0), "no private key");
	expect_refused(est_span_str("-----BEGIN PRIVATE KEY-----\n"), "no private key");
	expect_refused(est_span_str("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
		"no private key");
	expect_refused(est_span_str("-----BEGIN PRIVATE KEY-----\nAAAA\n"
				    "-----END PRIVATE KEY-----\n"),
		"no private key");
	testca_issue(&(struct testca_spec){ 0 }, &cert);
	expect_refused(est_buf_span(&cert.der), "no private key");
	assert_int_equal(est_pem_append(&text, "CERTIFICATE", est_buf_span(&cert.der), &err),
		EST_OK);
	expect_refused(est_buf_span(&text), "no private key");
	est_buf_free(&text);
	testca_wipe(&cert);
}

static void a_key_cut_short_or_too_large_is_refused(void **state)
{
	gnutls_x509_privkey_t ec = curve_key(GNUTLS_PK_EC, GNUTLS_ECC_CURVE_SECP256R1);
	struct est_buf der = export_key(ec, GNUTLS_X509_FMT_DER, true, NULL, 0), head = { 0 };
	struct est_key *key = NULL;
	struct est_error err;

	(void)state;
	for (size_t n = 1; n < der.n; n += 3)
		expect_refused((struct est_span){ der.p, n }, "no private key");
	/* Nested and long enough to cost a library minutes. */
	est_buf_free(&der);
	forge_repeat(&der, BYTES(0x30, 0), 1u << 20);
	forge_wrap(&der, DER_CONTEXT_C(0));
	forge_wrap(&der, DER_SEQUENCE);
	expect_refused(est_buf_span(&der), "no private key");
	est_buf_free(&der);
	forge_repeat(&der, BYTES(0x30, 7, 6, 1, 0x2a, 0x31, 2, 5, 0), 200000);
	forge_wrap(&der, DER_CONTEXT_C(0));
	forge_append(&head,
		BYTES(2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 34, 4, 32, 1, 2, 3, 4, 5, 6, 7,
			8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2));
	forge_append(&head, est_buf_span(&der));
	forge_wrap(&head, DER_SEQUENCE);
	expect_refused(est_buf_span(&head), "no private key");
	est_buf_free(&head);
	assert_int_equal(est_key_load("/nonexistent", NULL, NULL, &key, &err), EST_E_INPUT);
	assert_int_equal(est_key_load("/", NULL, NULL, &key, &err), EST_E_INPUT);
	assert_null(key);
	est_buf_free(&der);
	gnutls_x509_privkey_deinit(ec);
}

static void a_key_matches_the_certificate_with_its_public_key_only(void **state)
{
	struct est_key *key = NULL;
	struct est_buf text;
	struct testca mine, other;
	struct est_error err;

	(void)state;
	testca_issue(&(struct testca_spec){ 0 }, &mine);
	testca_issue(&(struct testca_spec){ 0 }, &other);
	text = export_key(mine.key, GNUTLS_X509_FMT_PEM, true, NULL, 0);
	assert_int_equal(load(est_buf_span(&text), NULL, &key, &err), EST_OK);
	assert_int_equal(est_key_match(key, "my.key", est_buf_span(&mine.der), "my.pem", &err),
		EST_OK);
	assert_int_equal(est_key_match(key, "my.key", est_buf_span(&other.der), "my.pem", &err),
		EST_E_INPUT);
	assert_string_equal(err.reason, "key-mismatch");
	assert_non_null(strstr(err.msg, "my.key"));
	assert_non_null(strstr(err.msg, "my.pem"));
	assert_int_not_equal(est_key_match(key, "my.key", BYTES(0x30, 0), "my.pem", &err), EST_OK);
	est_buf_free(&text);
	est_key_free(key);
	testca_wipe(&mine);
	testca_wipe(&other);
}

/* proves: R7030-4.2.1-02 */
static void each_key_signs_with_the_hashes_that_fit_it(void **state)
{
	static const struct {
		const char *type, *hash;
		gnutls_sign_algorithm_t algorithm; /* 0: refused */
	} rows[] = {
		{ "ec:p256", NULL, GNUTLS_SIGN_ECDSA_SHA256 },
		{ "ec:p384", NULL, GNUTLS_SIGN_ECDSA_SHA384 },
		{ "ec:p521", NULL, GNUTLS_SIGN_ECDSA_SHA512 },
		{ "ec:p256", "sha512", GNUTLS_SIGN_ECDSA_SHA512 },
		{ "ec:p384", "sha256", GNUTLS_SIGN_ECDSA_SHA256 },
		{ "ec:p521", "sha384", GNUTLS_SIGN_ECDSA_SHA384 },
		{ "rsa:2048", NULL, GNUTLS_SIGN_RSA_SHA256 },
		{ "rsa:2048", "sha384", GNUTLS_SIGN_RSA_SHA384 },
		{ "ed25519", NULL, GNUTLS_SIGN_EDDSA_ED25519 },
		{ "ed448", NULL, GNUTLS_SIGN_EDDSA_ED448 },
		{ "ed25519", "sha512", 0 },
		{ "ed448", "sha256", 0 },
		{ "ec:p256", "sha1", 0 },
		{ "ec:p256", "md5", 0 },
		{ "ec:p256", "SHA256", 0 },
		{ "ec:p256", "", 0 },
		{ "rsa:2048", "sha224", 0 },
		{ "rsa:2048", "sha1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		gnutls_sign_algorithm_t algorithm = 0;
		struct est_span identifier = { 0 };
		struct est_error err;
		enum est_code rc;

		rc = key_signature(rows[i].type, rows[i].hash, &algorithm, &identifier, &err);
		assert_int_equal(rc, rows[i].algorithm ? EST_OK : EST_E_USAGE);
		assert_int_equal(algorithm, rows[i].algorithm);
		assert_int_equal(identifier.n > 0, rows[i].algorithm != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_made_and_survives_its_pem),
		cmocka_unit_test(no_other_type_is_made),
		cmocka_unit_test(pkcs8_sec1_and_pkcs1_are_read_in_pem_and_der),
		cmocka_unit_test(a_key_is_found_among_other_things_in_its_file),
		cmocka_unit_test(encrypted_pkcs8_asks_for_its_passphrase_once),
		cmocka_unit_test(an_encrypted_key_behind_a_certificate_asks_too),
		cmocka_unit_test(keys_that_are_weak_or_cannot_sign_a_request_are_refused),
		cmocka_unit_test(what_is_no_key_is_refused_without_a_question),
		cmocka_unit_test(a_key_cut_short_or_too_large_is_refused),
		cmocka_unit_test(a_key_matches_the_certificate_with_its_public_key_only),
		cmocka_unit_test(each_key_signs_with_the_hashes_that_fit_it),
	};

	return cmocka_run_group_tests(tests, testca_tmp_make, testca_tmp_remove);
}

/* SPDX-License-Identifier: MIT */
/* Keys that must not sign, or cannot, by what their PKCS #8 file says. */
#include "key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "forge.h"
#include "testca.h"

static struct est_key *load(const char *path)
{
	struct est_key *key = NULL;
	struct est_error err;

	if (est_key_load(path, NULL, NULL, &key, &err) != EST_OK)
		fail_msg("%s", err.msg);
	return key;
}

/* proves: R7030-4.2.1-03 */
static void a_key_that_must_not_sign_says_so_in_its_file(void **state)
{
	static const char *const types[] = { "ec:p256", "rsa:2048", "ed25519", "ed448" };
	const char *path = testca_path(testca_tmp, "key");
	struct est_buf pem = { 0 }, spki[2] = { { 0 }, { 0 } };
	struct est_key *key, *again;
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_int_equal(est_key_generate(types[i], &key, &err), EST_OK);
		assert_true(est_key_signs(key));
		key_restrict(key);
		assert_false(est_key_signs(key));
		assert_int_equal(est_key_pem(key, &pem, &err), EST_OK);
		testca_write(path, est_buf_span(&pem));
		again = load(path);
		assert_false(est_key_signs(again));
		assert_string_equal(est_key_type(again), types[i]);
		assert_int_equal(key_spki(key, &spki[0], &err), EST_OK);
		assert_int_equal(key_spki(again, &spki[1], &err), EST_OK);
		assert_true(est_span_eq(est_buf_span(&spki[0]), est_buf_span(&spki[1])));
		est_buf_free(&pem);
		assert_int_equal(est_key_pem(again, &pem, &err), EST_OK); /* and goes on to */
		assert_int_equal(key_signs(est_buf_span(&pem)), KEY_MUST_NOT_SIGN);
		est_buf_free(&pem);
		est_buf_free(&spki[0]);
		est_buf_free(&spki[1]);
		est_key_free(key);
		est_key_free(again);
	}
}

/* PrivateKeyInfo with this algorithm and what follows the key. */
static enum key_signs of(struct est_span oid, struct est_span attributes)
{
	struct est_buf der = { 0 }, algorithm = { 0 };
	enum key_signs answer;

	forge_put(&algorithm, DER_OID, oid);
	forge_put(&der, DER_INTEGER, BYTES(0));
	forge_put(&der, DER_SEQUENCE, est_buf_span(&algorithm));
	forge_put(&der, DER_OCTET_STRING, BYTES(4, 0));
	forge_append(&der, attributes);
	forge_wrap(&der, DER_SEQUENCE);
	answer = key_signs(est_buf_span(&der));
	est_buf_free(&der);
	est_buf_free(&algorithm);
	return answer;
}

#define USAGE(...)                                                                                 \
	BYTES(0xa0, 13, 0x30, 11, 0x06, 3, 0x55, 0x1d, 0x0f, 0x31, 4, 0x03, 2, __VA_ARGS__)

/* proves: R7030-4.2.1-03 */
static void the_attribute_key_usage_is_what_counts(void **state)
{
	const struct est_span ed25519 = BYTES(0x2b, 0x65, 0x70);

	(void)state;
	assert_int_equal(of(ed25519, NOTHING), KEY_SIGNS);
	assert_int_equal(of(ed25519, USAGE(7, 0x80)), KEY_SIGNS);
	assert_int_equal(of(ed25519, USAGE(0, 0xff)), KEY_SIGNS);
	assert_int_equal(of(ed25519, USAGE(3, 0x78)), KEY_MUST_NOT_SIGN);
	assert_int_equal(of(ed25519, USAGE(5, 0x20)), KEY_MUST_NOT_SIGN);
	/* no bit at all; another attribute, before it and alone; none in the set */
	assert_int_equal(of(ed25519, BYTES(0xa0, 12, 0x30, 10, 0x06, 3, 0x55, 0x1d, 0x0f, 0x31, 3,
					     0x03, 1, 0)),
		KEY_MUST_NOT_SIGN);
	assert_int_equal(of(ed25519,
				 BYTES(0xa0, 22, 0x30, 7, 0x06, 3, 0x55, 0x1d, 0x0e, 0x31, 0, 0x30,
					 11, 0x06, 3, 0x55, 0x1d, 0x0f, 0x31, 4, 0x03, 2, 5, 0x20)),
		KEY_MUST_NOT_SIGN);
	assert_int_equal(of(ed25519, BYTES(0xa0, 9, 0x30, 7, 0x06, 3, 0x55, 0x1d, 0x0e, 0x31, 0)),
		KEY_SIGNS);
	assert_int_equal(of(ed25519, BYTES(0xa0, 9, 0x30, 7, 0x06, 3, 0x55, 0x1d, 0x0f, 0x31, 0)),
		KEY_SIGNS);
	assert_int_equal(of(ed25519, BYTES(0xa0, 0)), KEY_SIGNS);
	assert_int_equal(of(ed25519, BYTES(0x81, 1, 0)), KEY_SIGNS); /* a public key (RFC 5958) */
}

static void keys_that_agree_on_secrets_cannot_sign(void **state)
{
	(void)state;
	assert_int_equal(of(BYTES(0x2b, 0x65, 0x6e), NOTHING), KEY_CANNOT_SIGN);
	assert_int_equal(of(BYTES(0x2b, 0x65, 0x6f), NOTHING), KEY_CANNOT_SIGN);
	assert_int_equal(of(BYTES(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 3, 1), NOTHING),
		KEY_CANNOT_SIGN);
	assert_int_equal(of(BYTES(0x2a, 0x86, 0x48, 0xce, 0x3e, 2, 1), NOTHING), KEY_CANNOT_SIGN);
	assert_int_equal(of(BYTES(0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1), NOTHING), KEY_SIGNS);
}

static void what_is_no_plain_pkcs8_says_nothing(void **state)
{
	struct est_buf out = { 0 };
	struct est_error err;

	(void)state;
	assert_int_equal(key_signs(NOTHING), KEY_SIGNS);
	assert_int_equal(key_signs(BYTES(0x30, 0x80)), KEY_SIGNS);
	assert_int_equal(key_signs(BYTES(0x30, 3, 2, 1, 0)), KEY_SIGNS);
	assert_int_equal(key_signs(est_span_str("-----BEGIN PRIVATE KEY-----\n????\n"
						"-----END PRIVATE KEY-----\n")),
		KEY_SIGNS);
	assert_int_equal(key_signs(est_span_str("-----BEGIN PRIVATE KEY-----\n")), KEY_SIGNS);
	assert_int_equal(key_mark(BYTES(0x30, 3, 2, 1, 0), &out, &err), EST_E_INTERNAL);
	assert_int_equal(out.n, 0);
}

static void a_resumed_key_is_for_the_same_use(void **state)
{
	const char *path = testca_path(testca_tmp, "new");
	struct est_newkey *nk = NULL;
	struct est_error err;
	bool resumed;

	(void)state;
	for (unsigned flags = 0; flags <= EST_NEWKEY_NO_SIGNATURES;
		flags += EST_NEWKEY_NO_SIGNATURES) {
		assert_int_equal(est_newkey_open(path, "ec:p256", flags, &nk, &resumed, &err),
			EST_OK);
		assert_false(resumed);
		assert_int_equal(est_key_signs(est_newkey_key(nk)), flags == 0);
		est_newkey_free(nk);
		assert_int_equal(est_newkey_open(path, "ec:p256", flags ^ EST_NEWKEY_NO_SIGNATURES,
					 &nk, &resumed, &err),
			EST_E_INPUT);
		assert_non_null(strstr(err.msg, "digitalSignature"));
		assert_int_equal(est_newkey_open(path, "ec:p256", flags, &nk, &resumed, &err),
			EST_OK);
		assert_true(resumed);
		assert_int_equal(est_key_signs(est_newkey_key(nk)), flags == 0);
		est_newkey_discard(nk);
		est_newkey_free(nk);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_that_must_not_sign_says_so_in_its_file),
		cmocka_unit_test(the_attribute_key_usage_is_what_counts),
		cmocka_unit_test(keys_that_agree_on_secrets_cannot_sign),
		cmocka_unit_test(what_is_no_plain_pkcs8_says_nothing),
		cmocka_unit_test(a_resumed_key_is_for_the_same_use),
	};

	return cmocka_run_group_tests(tests, testca_tmp_make, testca_tmp_remove);
}

/* SPDX-License-Identifier: MIT */
/* Whose key has signed something: RSASSA-PSS with every length of salt, and what the key itself
 * allows (RFC 4055 section 3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gnutls/abstract.h>

#include "certmake.h"
#include "der.h"
#include "forge.h"
#include "signed.h"

#define SHA256 1
#define SHA384 2
#define NO     0

static struct certmake rsa;

static int make_key(void **state)
{
	(void)state;
	certmake_make(&(struct certmake_spec){ .pk = GNUTLS_PK_RSA }, NULL, &rsa);
	return 0;
}

static int free_key(void **state)
{
	(void)state;
	certmake_wipe(&rsa);
	return 0;
}

/* Moves what is in one buffer into another under a tag. */
static void wrap(struct est_buf *out, uint8_t tag, struct est_buf *body)
{
	forge_put(out, tag, est_buf_span(body));
	est_buf_free(body);
}

/* id-RSASSA-PSS, with parameters unless the hash is NO. */
static void put_pss(struct est_buf *out, uint8_t hash, uint8_t salt)
{
	struct est_buf oid = { 0 }, algorithm = { 0 }, params = { 0 }, number = { 0 };

	forge_put(&oid, DER_OID, BYTES(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, hash));
	wrap(&algorithm, DER_SEQUENCE, &oid);
	wrap(&params, DER_CONTEXT_C(0), &algorithm);
	forge_put(&number, DER_INTEGER, salt < 128 ? BYTES(salt) : BYTES(0, salt));
	wrap(&params, DER_CONTEXT_C(2), &number);
	forge_put(&algorithm, DER_OID, BYTES(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10));
	if (hash != NO)
		forge_put(&algorithm, DER_SEQUENCE, est_buf_span(&params));
	est_buf_free(&params);
	wrap(out, DER_SEQUENCE, &algorithm);
}

/* Something that the key has signed with this salt and that says, it had that one. */
static void sign(unsigned salt, uint8_t said, struct est_buf *out)
{
	const gnutls_datum_t data = { (unsigned char[]){ 0x30, 0 }, 2 };
	gnutls_datum_t signature;
	struct est_buf body = { 0 }, bits = { 0 };
	gnutls_x509_spki_t spki;
	gnutls_privkey_t key;

	assert_int_equal(gnutls_x509_spki_init(&spki), 0);
	gnutls_x509_spki_set_rsa_pss_params(spki, GNUTLS_DIG_SHA256, salt);
	assert_int_equal(gnutls_privkey_init(&key), 0);
	assert_int_equal(gnutls_privkey_import_x509(key, rsa.key, 0), 0);
	assert_int_equal(gnutls_privkey_set_spki(key, spki, 0), 0);
	assert_int_equal(gnutls_privkey_sign_data2(key, GNUTLS_SIGN_RSA_PSS_SHA256, 0, &data,
				 &signature),
		0);
	forge_append(&body, BYTES(0x30, 0));
	put_pss(&body, SHA256, said);
	forge_append(&bits, BYTES(0));
	forge_append(&bits, (struct est_span){ signature.data, signature.size });
	wrap(&body, DER_BIT_STRING, &bits);
	wrap(out, DER_SEQUENCE, &body);
	gnutls_free(signature.data);
	gnutls_privkey_deinit(key);
	gnutls_x509_spki_deinit(spki);
}

/* The key as one for RSASSA-PSS alone. */
static void put_spki(struct est_buf *out, uint8_t hash, uint8_t salt)
{
	struct est_buf body = { 0 };
	gnutls_pubkey_t key;
	gnutls_datum_t der;
	struct est_span in;
	struct der_tlv seq, tlv;

	assert_int_equal(gnutls_pubkey_init(&key), 0);
	assert_int_equal(gnutls_pubkey_import_x509(key, rsa.crt, 0), 0);
	assert_int_equal(gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der), 0);
	in = (struct est_span){ der.data, der.size };
	assert_true(
		der_expect(&in, DER_SEQUENCE, &seq) && der_expect(&seq.body, DER_SEQUENCE, &tlv));
	put_pss(&body, hash, salt);
	forge_append(&body, seq.body);
	wrap(out, DER_SEQUENCE, &body);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(key);
}

static void a_salt_is_what_the_signature_says_and_the_key_allows(void **state)
{
	static const struct {
		unsigned salt;
		uint8_t said, hash, least;
		bool good;
	} rows[] = {
		{ 32, 32, NO, 0, true },
		{ 222, 222, NO, 0, true },
		{ 32, 20, NO, 0, false },
		{ 222, 32, NO, 0, false },
		{ 222, 221, NO, 0, false },
		{ 32, 32, SHA256, 32, true },
		{ 222, 222, SHA256, 32, true },
		{ 32, 32, SHA256, 33, false },
		{ 48, 48, SHA384, 48, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct est_buf der = { 0 }, spki = { 0 };

		sign(rows[i].salt, rows[i].said, &der);
		put_spki(&spki, rows[i].hash, rows[i].least);
		if (signed_by(est_buf_span(&der), est_buf_span(&spki), false) != rows[i].good)
			fail_msg("row %zu", i);
		assert_int_equal(signed_by(est_buf_span(&der), est_buf_span(&spki), true),
			rows[i].good);
		for (size_t n = 0; n < 80; n++) /* up to its signature */
			assert_false(signed_by((struct est_span){ der.p, n }, est_buf_span(&spki),
				true));
		est_buf_free(&der);
		est_buf_free(&spki);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_salt_is_what_the_signature_says_and_the_key_allows),
	};

	return cmocka_run_group_tests(tests, make_key, free_key);
}

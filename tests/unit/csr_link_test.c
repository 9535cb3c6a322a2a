/* SPDX-License-Identifier: MIT */
/* Secrets in a request, and a request with one attribute more. */
#include "csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gnutls/x509.h>

#include "cert.h"
#include "forge.h"
#include "key.h"

#define OID_CHALLENGE "1.2.840.113549.1.9.7"
#define OID_OTP       "1.2.840.113549.1.9.16.2.56"
#define OID_REVOKE    "1.2.840.113549.1.9.16.2.57"
#define OID_LINKING   "1.2.840.113549.1.9.16.2.58"

static struct est_key *key_of(const char *type)
{
	struct est_key *key = NULL;
	struct est_error err;

	if (est_key_generate(type, &key, &err) != EST_OK)
		fail_msg("%s", err.msg);
	return key;
}

/* The value of an attribute as GnuTLS finds it, in a request that GnuTLS takes. */
static void expect_attribute(struct est_span der, const char *oid, uint8_t tag, const char *text)
{
	gnutls_datum_t data = { (uint8_t *)der.p, (unsigned)der.n };
	struct est_buf due = { 0 };
	gnutls_x509_crq_t crq;
	uint8_t value[1024];
	size_t n = sizeof(value);

	assert_int_equal(gnutls_x509_crq_init(&crq), 0);
	assert_int_equal(gnutls_x509_crq_import(crq, &data, GNUTLS_X509_FMT_DER), 0);
	assert_true(gnutls_x509_crq_verify(crq, 0) >= 0);
	if (gnutls_x509_crq_get_attribute_by_oid(crq, oid, 0, value, &n) < 0)
		n = 0;
	if (text)
		forge_put(&due, tag, est_span_str(text));
	assert_true(est_span_eq(est_buf_span(&due), (struct est_span){ value, n }));
	est_buf_free(&due);
	gnutls_x509_crq_deinit(crq);
}

/* X.690 section 11.6, which GnuTLS would put right by itself. */
static void expect_order(struct est_span der)
{
	struct csr_view view;
	struct est_error err;
	struct der_tlv tlv, last = { 0 };

	assert_int_equal(csr_view(der, "it", &view, &err), EST_OK);
	while (der_next(&view.attributes, &tlv)) {
		size_t n = last.whole.n < tlv.whole.n ? last.whole.n : tlv.whole.n;

		if (n)
			assert_true(memcmp(last.whole.p, tlv.whole.p, n) < 0);
		last = tlv;
	}
}

/* proves: R7894-3-01 R7894-3-02 R7894-3.1-01 R7894-3.2-01 */
static void secrets_are_printable_strings_where_they_can_be(void **state)
{
	struct est_csr_spec spec = { .subject = "CN=a",
		.dns = (const char *const[]){ "a.b", NULL } };
	struct est_key *key = key_of("ec:p256");
	struct est_buf der = { 0 };
	struct est_error err;

	(void)state;
	spec.challenge = est_span_str("Plain (1) text?");
	spec.otp = est_span_str("under_score");
	spec.revocation = est_span_str("h\xc3\xa4sslich \xf0\x9f\x98\x80");
	if (est_csr_build(&spec, key, &der, &err) != EST_OK)
		fail_msg("%s", err.msg);
	expect_attribute(est_buf_span(&der), OID_CHALLENGE, DER_PRINTABLE, "Plain (1) text?");
	expect_attribute(est_buf_span(&der), OID_OTP, DER_UTF8, "under_score");
	expect_attribute(est_buf_span(&der), OID_REVOKE, DER_UTF8,
		"h\xc3\xa4sslich \xf0\x9f\x98\x80");
	expect_attribute(est_buf_span(&der), OID_LINKING, 0, NULL);
	expect_order(est_buf_span(&der));
	est_buf_free(&der);
	est_key_free(key);
}

/* proves: R7030-3.5-06 R7894-3-01 */
static void a_secret_has_1_to_255_characters_of_utf8(void **state)
{
	static const struct {
		const char *unit;
		size_t n;
		bool taken;
	} rows[] = {
		{ "a", 1, true },
		{ "a", 255, true },
		{ "a", 256, false },
		{ "a", 0, false },
		{ "\xc3\xa4", 255, true }, /* 510 bytes */
		{ "\xc3\xa4", 256, false },
		{ "\xff", 1, false },
		{ "\xc0\xaf", 1, false },
		{ "\xed\xa0\x80", 1, false },
		{ "\xc3", 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct est_buf text = { 0 }, out = { 0 };
		struct est_error err = { 0 };

		forge_append(&text, NOTHING);
		forge_repeat(&text, est_span_str(rows[i].unit), rows[i].n);
		if ((csr_challenge(est_buf_span(&text), "otpChallenge", &out, &err) == EST_OK) !=
			rows[i].taken)
			fail_msg("row %zu: %s", i, err.msg);
		if (!rows[i].taken) {
			assert_int_equal(err.code, EST_E_INPUT);
			assert_int_equal(strncmp(err.msg, "otpChallenge: ", 14), 0);
			assert_int_equal(out.n, 0);
		}
		est_buf_free(&text);
		est_buf_free(&out);
	}
}

/* proves: R7030-3.5-06 R7894-3.3-01 R7030-3.4-01 */
static void one_attribute_more_signed_in_the_same_way(void **state)
{
	static const struct {
		const char *type, *hash;
	} keys[] = { { "ec:p256", NULL }, { "ec:p256", "sha512" }, { "ec:p521", NULL },
		{ "rsa:2048", "sha384" }, { "ed25519", NULL }, { "ed448", NULL } };
	struct est_csr_spec specs[3] = { { .subject = "CN=a" }, { .subject = "CN=a" }, { 0 } };
	struct est_buf plain = { 0 }, linked = { 0 };
	struct csr_view before, after;
	struct est_error err;

	(void)state;
	specs[1].dns = (const char *const[]){ "a.example", NULL };
	specs[1].otp = est_span_str("x");
	specs[1].revocation = est_span_str(
		"a longer one, which sorts behind it all, as it is long");
	specs[2].dns = specs[1].dns; /* an empty subject */
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct est_key *key = key_of(keys[i].type);

		for (size_t k = 0; k < 6; k++) {
			const bool own = k % 2;

			specs[k / 2].hash = keys[i].hash;
			assert_int_equal(est_csr_build(&specs[k / 2], key, &plain, &err), EST_OK);
			if (csr_link(est_buf_span(&plain), key,
				    own ? CSR_OID_IDENTITY_LINKING : CSR_OID_CHALLENGE_PASSWORD,
				    est_span_str("MTIzNDU2Nzg5MDEy"), &linked, &err) != EST_OK)
				fail_msg("%s", err.msg);
			expect_attribute(est_buf_span(&linked), own ? OID_LINKING : OID_CHALLENGE,
				DER_PRINTABLE, "MTIzNDU2Nzg5MDEy");
			expect_attribute(est_buf_span(&linked), own ? OID_CHALLENGE : OID_LINKING,
				0, NULL);
			expect_order(est_buf_span(&linked));
			assert_int_equal(csr_view(est_buf_span(&plain), "", &before, &err), EST_OK);
			assert_int_equal(csr_view(est_buf_span(&linked), "", &after, &err), EST_OK);
			assert_true(est_span_eq(before.subject, after.subject));
			assert_true(est_span_eq(before.spki, after.spki));
			assert_true(est_span_eq(before.extensions, after.extensions));
			assert_true(est_span_eq(before.algorithm, after.algorithm));
			assert_true(after.attributes.n > before.attributes.n);
			est_buf_free(&plain);
			est_buf_free(&linked);
		}
		est_key_free(key);
	}
}

static void a_key_of_another_kind_does_not_sign(void **state)
{
	struct est_key *key = key_of("ec:p256"), *other = key_of("ed25519");
	struct est_buf plain = { 0 }, linked = { 0 };
	struct est_error err;

	(void)state;
	assert_int_equal(est_csr_build(&(struct est_csr_spec){ .subject = "CN=a" }, key, &plain,
				 &err),
		EST_OK);
	assert_int_equal(csr_link(est_buf_span(&plain), other, CSR_OID_IDENTITY_LINKING,
				 est_span_str("x"), &linked, &err),
		EST_E_USAGE);
	assert_int_not_equal(csr_link(BYTES(0x30, 0), key, CSR_OID_IDENTITY_LINKING,
				     est_span_str("x"), &linked, &err),
		EST_OK);
	assert_int_equal(linked.n, 0);
	est_buf_free(&plain);
	est_key_free(key);
	est_key_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_printable_strings_where_they_can_be),
		cmocka_unit_test(a_secret_has_1_to_255_characters_of_utf8),
		cmocka_unit_test(one_attribute_more_signed_in_the_same_way),
		cmocka_unit_test(a_key_of_another_kind_does_not_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Several PEM certificates in place of a certs-only message. */
#include "est.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "der.h"

/* Values that are SEQUENCEs, which is all that wrapping them asks for. */
static const uint8_t first[] = { 0x30, 0x03, 0x02, 0x01, 0x07 };
static const uint8_t second[] = { 0x30, 0x02, 0x05, 0x00 };
#define FIRST_B64  "MAMCAQc="
#define SECOND_B64 "MAIFAA=="
#define BLOCK(b64) "-----BEGIN CERTIFICATE-----\n" b64 "\n-----END CERTIFICATE-----\n"

static bool contains(struct est_span set, const uint8_t *der, size_t n)
{
	struct der_tlv cert;

	while (der_next(&set, &cert))
		if (est_span_eq(cert.whole, (struct est_span){ der, n }))
			return true;
	return false;
}

/* proves: H-04 */
static void several_pem_certificates_become_one_certs_only_message(void **state)
{
	static const char body[] = "subject=CN = leaf\n" BLOCK(FIRST_B64) "issuer\n" BLOCK(
		SECOND_B64);
	struct est_quirks quirks = { 0 };
	struct est_error err = { 0 };
	struct est_buf out = { 0 };
	struct der_tlv info, oid, content, data, field;
	struct est_span in;

	(void)state;
	assert_int_equal(est_body_decode(est_span_str(body), &quirks, &out, &err), EST_OK);
	assert_int_equal(quirks.seen, 1u << EST_Q_PEM);
	in = est_buf_span(&out);
	assert_true(der_expect(&in, DER_SEQUENCE, &info)); /* ContentInfo */
	assert_int_equal(in.n, 0);
	assert_true(der_expect(&info.body, DER_OID, &oid));
	assert_true(der_expect(&info.body, DER_CONTEXT_C(0), &content));
	assert_true(der_expect(&content.body, DER_SEQUENCE, &data)); /* SignedData */
	assert_true(der_expect(&data.body, DER_INTEGER, &field));
	assert_true(der_expect(&data.body, DER_SET, &field));
	assert_true(der_expect(&data.body, DER_SEQUENCE, &field));
	assert_true(der_expect(&data.body, DER_CONTEXT_C(0), &field)); /* certificates */
	assert_int_equal(field.body.n, sizeof(first) + sizeof(second));
	assert_true(contains(field.body, first, sizeof(first)));
	assert_true(contains(field.body, second, sizeof(second)));
	est_buf_free(&out);
}

static void refuse(const char *body, const char *says)
{
	struct est_quirks quirks = { 0 };
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	assert_int_equal(est_body_decode(est_span_str(body), &quirks, &out, &err), EST_E_PROTOCOL);
	assert_int_equal(out.n, 0);
	if (!strstr(err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
}

static void a_pem_certificate_that_is_not_der_is_refused(void **state)
{
	(void)state;
	refuse(BLOCK(FIRST_B64) BLOCK("MAIF"), "certificate 2 is not DER"); /* cut short */
	refuse(BLOCK("MAIFAAA=") BLOCK(FIRST_B64),
		"certificate 1 is not DER"); /* a byte too many */
	refuse(BLOCK("AgEH") BLOCK(FIRST_B64), "certificate 1 is not DER");
	refuse(BLOCK(FIRST_B64) BLOCK("MIACAQcAAA=="), "certificate 2 is not DER"); /* BER */
}

static void more_certificates_than_the_limit_are_refused(void **state)
{
	struct est_quirks quirks = { 0 };
	struct est_error err = { 0 };
	struct est_buf body = { 0 }, out = { 0 };

	(void)state;
	for (size_t i = 0; i < EST_CERTS_MAX; i++)
		assert_int_equal(est_buf_append(&body, est_span_str(BLOCK(SECOND_B64)), &err),
			EST_OK);
	assert_int_equal(est_body_decode(est_buf_span(&body), &quirks, &out, &err), EST_OK);
	assert_true(out.n > EST_CERTS_MAX * sizeof(second));
	est_buf_free(&out);
	assert_int_equal(est_buf_append(&body, est_span_str(BLOCK(SECOND_B64)), &err), EST_OK);
	assert_int_equal(est_body_decode(est_buf_span(&body), &quirks, &out, &err), EST_E_PROTOCOL);
	assert_non_null(strstr(err.msg, "1024"));
	assert_int_equal(out.n, 0);
	est_buf_free(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_pem_certificates_become_one_certs_only_message),
		cmocka_unit_test(a_pem_certificate_that_is_not_der_is_refused),
		cmocka_unit_test(more_certificates_than_the_limit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

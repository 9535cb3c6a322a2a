/* SPDX-License-Identifier: MIT */
/* CMS messages described without being opened; the recipients of each kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "est-inspect.h"
#include "forge.h"

#define OID(last) 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last
#define AES       0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2
#define RSA       0x30, 11, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1

/* EnvelopedData for these recipients. */
static void enveloped(struct est_span recipients, struct est_buf *out)
{
	struct est_buf set = { 0 };

	forge_put(&set, DER_SET, recipients);
	forge_append(out, BYTES(2, 1, 0));
	forge_append(out, est_buf_span(&set));
	forge_append(out, BYTES(0x30, 26, OID(1), AES, 0x80, 0));
	forge_wrap(out, DER_SEQUENCE);
	forge_wrap(out, DER_CONTEXT_C(0));
	set.n = 0;
	forge_append(&set, BYTES(OID(3)));
	forge_append(&set, est_buf_span(out));
	out->n = 0;
	forge_put(out, DER_SEQUENCE, est_buf_span(&set));
	est_buf_free(&set);
}

static void recipients_of_every_kind_are_named(void **state)
{
	const struct {
		struct est_span info;
		const char *text;
	} kinds[] = {
		{ BYTES(0x30, 23, 2, 1, 0, 0x30, 5, 0x30, 0, 2, 1, 7, RSA),
			"key transport: issuer , serial 07, rsaEncryption" },
		{ BYTES(0x30, 20, 2, 1, 2, 0x80, 2, 0xab, 0xcd, RSA),
			"key transport: key abcd, rsaEncryption" },
		{ BYTES(0xa2, 21, 2, 1, 4, 0x30, 3, 4, 1, 0x0a, RSA),
			"shared key: key 0a, rsaEncryption" },
		{ BYTES(0xa3, 16, 2, 1, 0, RSA), "password, rsaEncryption" },
		{ BYTES(0xa4, 5, 6, 1, 0x2a, 5, 0), "other: 1.2" },
	};
	struct est_cms_info info;
	struct est_buf der = { 0 };
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		enveloped(kinds[i].info, &der);
		if (est_cms_info(est_buf_span(&der), &info, &err) != EST_OK)
			fail_msg("%zu: %s", i, err.msg);
		assert_string_equal(info.type, "envelopedData");
		assert_string_equal(info.content, "data");
		assert_string_equal(info.encryption, "aes128-CBC");
		assert_int_equal(info.n_recipients, 1);
		assert_string_equal(info.recipients[0], kinds[i].text);
		est_cms_info_wipe(&info);
		est_buf_free(&der);
	}
}

static void key_agreement_names_each_key(void **state)
{
	/* originator, then the algorithm, then two keys. */
	const struct est_span info = BYTES(0xa1, 41, 2, 1, 3, 0xa0, 2, 0x80, 0, RSA, 0x30, 19, 0x30,
		9, 0x30, 5, 0x30, 0, 2, 1, 1, 4, 0, 0x30, 6, 0xa0, 4, 4, 2, 0xbe, 0xef);
	struct est_cms_info cms;
	struct est_buf der = { 0 };
	struct est_error err;

	(void)state;
	enveloped(info, &der);
	if (est_cms_info(est_buf_span(&der), &cms, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(cms.n_recipients, 2);
	assert_string_equal(cms.recipients[0], "key agreement: issuer , serial 01, rsaEncryption");
	assert_string_equal(cms.recipients[1], "key agreement: key beef, rsaEncryption");
	est_cms_info_wipe(&cms);
	est_buf_free(&der);
}

static void a_signed_message_names_its_signer(void **state)
{
	struct est_cms_info info;
	struct est_buf der = { 0 };
	struct est_error err;

	(void)state;
	forge_bag(&(struct forge_bag){ .signers = BYTES(0x31, 22, 0x30, 20, 2, 1, 3, 0x80, 2, 0xab,
					       0xcd, RSA) },
		&der);
	assert_int_equal(est_cms_info(est_buf_span(&der), &info, &err), EST_OK);
	assert_string_equal(info.type, "signedData");
	assert_int_equal(info.n_signers, 1);
	assert_string_equal(info.signers[0], "key abcd, rsaEncryption");
	assert_null(info.encryption);
	est_cms_info_wipe(&info);
	est_buf_free(&der);
}

static void broken_messages_are_refused_with_the_place(void **state)
{
	const struct est_span broken[] = { NOTHING, BYTES(5, 0), BYTES(0x30, 2, 5, 0),
		BYTES(0x30, 15, OID(3), 0xa0, 2, 0x30, 0),          /* no version */
		BYTES(0x30, 13, OID(3), 0xa0, 0, 0x30),             /* cut short */
		BYTES(0x30, 18, OID(6), 0xa0, 5, 0x30, 3, 2, 1, 0), /* no encrypted content */
		BYTES(0x30, 17, OID(2), 0xa0, 4, 0x30, 2, 5, 0) };
	const struct est_span recipients[] = { BYTES(0x30, 0), BYTES(0xa5, 3, 2, 1, 0),
		BYTES(0xa1, 3, 2, 1, 3), BYTES(0xa2, 5, 2, 1, 4, 0x30, 0),
		BYTES(0x30, 7, 2, 1, 0, 0x30, 2, 5, 0), BYTES(0xa3, 3, 2, 1, 0) };
	struct est_cms_info info;
	struct est_buf der = { 0 };
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		assert_int_equal(est_cms_info(broken[i], &info, &err), EST_E_PROTOCOL);
	for (size_t i = 0; i < sizeof(recipients) / sizeof(recipients[0]); i++) {
		enveloped(recipients[i], &der);
		assert_int_equal(est_cms_info(est_buf_span(&der), &info, &err), EST_E_PROTOCOL);
		assert_non_null(strstr(err.msg, "at offset"));
		est_buf_free(&der);
	}
}

static void many_recipients_are_counted(void **state)
{
	struct est_buf many = { 0 }, der = { 0 };
	struct est_cms_info info;
	struct est_error err;

	(void)state;
	forge_repeat(&many, BYTES(0xa4, 3, 6, 1, 0x2a), 1025);
	enveloped(est_buf_span(&many), &der);
	assert_int_equal(est_cms_info(est_buf_span(&der), &info, &err), EST_OK);
	assert_int_equal(info.n_recipients, 257);
	assert_string_equal(info.recipients[256], "769 more");
	est_cms_info_wipe(&info);
	est_buf_free(&many);
	est_buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipients_of_every_kind_are_named),
		cmocka_unit_test(key_agreement_names_each_key),
		cmocka_unit_test(a_signed_message_names_its_signer),
		cmocka_unit_test(broken_messages_are_refused_with_the_place),
		cmocka_unit_test(many_recipients_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

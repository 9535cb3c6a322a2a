/* SPDX-License-Identifier: MIT */
/* Certificates, requests and CRLs in words, real ones and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cert.h"
#include "forge.h"
#include "certmake.h"

static void assert_info(struct est_span der, struct est_cert_info *info)
{
	struct est_error err = { 0 };

	if (est_cert_info(der, info, &err) != EST_OK)
		fail_msg("refused: %s", err.msg);
}

static void every_field_of_a_certificate_is_read(void **state)
{
	const struct certmake_spec spec = {
		.dn = "CN=dev1,O=Example,C=DE",
		.dns = "a.example",
		.email = "x@a.example",
		.uri = "https://a.example/",
		.ip = "::1",
		.key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_AGREEMENT |
			     GNUTLS_KEY_DECIPHER_ONLY,
		.eku = GNUTLS_KP_TLS_WWW_CLIENT,
		.not_before = 1735689600,
		.not_after = 253402300799,
	};
	struct est_cert_info info;
	struct certmake ca, leaf;

	(void)state;
	certmake_make(&(struct certmake_spec){ .dn = "CN=Root", .ca = true, .path_len = 2 }, NULL,
		&ca);
	certmake_make(&spec, &ca, &leaf);
	assert_info(est_buf_span(&leaf.der), &info);
	assert_string_equal(info.subject, "CN=dev1,O=Example,C=DE");
	assert_string_equal(info.issuer, "CN=Root");
	assert_int_equal(strlen(info.serial), 16);
	assert_string_equal(info.key, "EC P-256");
	assert_string_equal(info.signature, "ecdsa-with-SHA256");
	assert_int_equal(info.not_before, 1735689600);
	assert_int_equal(info.not_after, 253402300799);
	assert_false(info.ca);
	assert_int_equal(info.path_len, -1);
	assert_false(info.self_signed);
	assert_int_equal(info.n_sans, 4);
	assert_string_equal(info.sans[0], "dns:a.example");
	assert_string_equal(info.sans[1], "email:x@a.example");
	assert_string_equal(info.sans[2], "uri:https://a.example/");
	assert_string_equal(info.sans[3], "ip:::1");
	assert_int_equal(info.n_key_usage, 3);
	assert_string_equal(info.key_usage[0], "digitalSignature");
	assert_string_equal(info.key_usage[1], "keyAgreement");
	assert_string_equal(info.key_usage[2], "decipherOnly");
	assert_int_equal(info.n_ext_key_usage, 1);
	assert_string_equal(info.ext_key_usage[0], "clientAuth");
	assert_int_equal(strlen(info.sha256), 64);
	est_cert_info_wipe(&info);
	assert_info(est_buf_span(&ca.der), &info);
	assert_true(info.ca);
	assert_int_equal(info.path_len, 2);
	assert_true(info.self_signed);
	est_cert_info_wipe(&info);
	assert_null(info.subject);
	certmake_wipe(&leaf);
	certmake_wipe(&ca);
}

static void keys_are_named_with_their_size(void **state)
{
	static const struct {
		gnutls_pk_algorithm_t pk;
		unsigned bits;
		const char *text;
	} keys[] = {
		{ GNUTLS_PK_RSA, 2048, "RSA 2048" },
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), "EC P-384" },
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1), "EC P-521" },
		{ GNUTLS_PK_EDDSA_ED25519, 0, "Ed25519" },
	};
	struct est_cert_info info;
	struct certmake ca;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		certmake_make(&(struct certmake_spec){ .pk = keys[i].pk, .bits = keys[i].bits },
			NULL, &ca);
		assert_info(est_buf_span(&ca.der), &info);
		assert_string_equal(info.key, keys[i].text);
		assert_true(info.self_signed);
		est_cert_info_wipe(&info);
		certmake_wipe(&ca);
	}
}

static void an_unknown_key_is_a_dotted_oid(void **state)
{
	struct est_cert_info info;
	struct est_buf der = { 0 };

	(void)state;
	forge_cert(&(struct forge){ .spki = BYTES(0x30, 10, 0x30, 4, 6, 2, 0x2a, 0x7b, 3, 2, 0,
					    7) },
		&der);
	assert_info(est_buf_span(&der), &info);
	assert_string_equal(info.key, "1.2.123");
	est_cert_info_wipe(&info);
	est_buf_free(&der);
}

static void only_a_signature_that_verifies_makes_it_self_signed(void **state)
{
	struct est_cert_info info;
	struct certmake ca, twin;
	struct est_buf der = { 0 };

	(void)state;
	/* SHA-1 and long expired, as the samples of RFC 7030: still self-signed. */
	certmake_make(&(struct certmake_spec){ .pk = GNUTLS_PK_RSA,
			      .hash = GNUTLS_DIG_SHA1,
			      .ca = true,
			      .path_len = -1,
			      .not_before = 1000000000,
			      .not_after = 1100000000 },
		NULL, &ca);
	assert_info(est_buf_span(&ca.der), &info);
	assert_string_equal(info.signature, "sha1WithRSAEncryption");
	assert_true(info.self_signed);
	est_cert_info_wipe(&info);
	/* Same name as its issuer, another key: self-issued and not self-signed. */
	certmake_make(&(struct certmake_spec){ 0 }, &ca, &twin);
	assert_info(est_buf_span(&twin.der), &info);
	assert_string_equal(info.subject, info.issuer);
	assert_false(info.self_signed);
	est_cert_info_wipe(&info);
	/* One bit of the signature changed. */
	forge_append(&der, est_buf_span(&ca.der));
	der.p[der.n - 1] ^= 1;
	assert_info(est_buf_span(&der), &info);
	assert_false(info.self_signed);
	est_cert_info_wipe(&info);
	est_buf_free(&der);
	certmake_wipe(&twin);
	certmake_wipe(&ca);
}

static void the_empty_name_is_an_empty_string(void **state)
{
	struct est_cert_info info;
	struct est_buf der = { 0 };

	(void)state;
	forge_cert(&(struct forge){ .subject = BYTES(0x30, 0) }, &der);
	assert_info(est_buf_span(&der), &info);
	assert_string_equal(info.subject, "");
	est_cert_info_wipe(&info);
	est_buf_free(&der);
}

/* What a SAN list of these GeneralNames says. */
static void assert_san(struct est_span names, const char *first)
{
	struct est_buf value = { 0 }, tail = { 0 }, der = { 0 };
	struct est_cert_info info;

	forge_put(&value, DER_SEQUENCE, names);
	forge_extension(CERT_OID_SAN, est_buf_span(&value), &tail);
	forge_cert(&(struct forge){ .tail = est_buf_span(&tail) }, &der);
	assert_info(est_buf_span(&der), &info);
	assert_int_equal(info.n_sans, 1);
	assert_string_equal(info.sans[0], first);
	est_cert_info_wipe(&info);
	est_buf_free(&der);
	est_buf_free(&tail);
	est_buf_free(&value);
}

static void each_kind_of_name_has_its_prefix(void **state)
{
	(void)state;
	assert_san(BYTES(0x82, 1, 'a'), "dns:a");
	assert_san(BYTES(0x81, 1, 'a'), "email:a");
	assert_san(BYTES(0x86, 1, 'a'), "uri:a");
	assert_san(BYTES(0x87, 4, 192, 0, 2, 1), "ip:192.0.2.1");
	assert_san(BYTES(0x87, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
		"ip:2001:db8::1");
	assert_san(BYTES(0x87, 3, 1, 2, 3), "ip:#010203");
	assert_san(BYTES(0x87, 0), "ip:");
	assert_san(BYTES(0x88, 2, 0x2a, 3), "rid:1.2.3");
	assert_san(BYTES(0xa4, 14, 0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0xc, 1, 'x'),
		"dirname:CN=x");
	assert_san(BYTES(0xa0, 9, 6, 2, 0x2a, 3, 0xa0, 3, 0xc, 1, 'u'), "othername:1.2.3:u");
	assert_san(BYTES(0xa0, 10, 6, 2, 0x2a, 3, 0xa0, 4, 4, 2, 0xca, 0xfe),
		"othername:1.2.3:#0402cafe");
	assert_san(BYTES(0xa0, 2, 4, 0), "othername:malformed");
	assert_san(BYTES(0xa5, 2, 5, 0), "ediparty:#0500");
}

static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			return false;
	}
	return true;
}

static void no_control_byte_or_override_survives(void **state)
{
	/* ESC ] 0 ; in a dNSName with a NUL; RIGHT-TO-LEFT OVERRIDE in the subject. */
	const uint8_t name[] = { 0x30, 0x11, 0x31, 0x0f, 0x30, 0x0d, 6, 3, 0x55, 4, 3, 0x0c, 6, 'a',
		0xe2, 0x80, 0xae, 'b', 0x0a };
	struct est_buf value = { 0 }, tail = { 0 }, der = { 0 };
	struct est_cert_info info;

	(void)state;
	forge_put(&value, DER_SEQUENCE, BYTES(0x82, 7, 'a', 0, 0x1b, ']', '0', 0x9b, 0xff));
	forge_extension(CERT_OID_SAN, est_buf_span(&value), &tail);
	forge_cert(&(struct forge){ .subject = { name, sizeof(name) },
			   .tail = est_buf_span(&tail) },
		&der);
	assert_info(est_buf_span(&der), &info);
	assert_true(is_plain(info.sans[0]));
	assert_true(is_plain(info.subject));
	assert_non_null(strcasestr(info.sans[0], "\\x1b"));
	assert_non_null(strstr(info.sans[0], "\\x00"));
	est_cert_info_wipe(&info);
	est_buf_free(&der);
	est_buf_free(&tail);
	est_buf_free(&value);
}

static void a_malformed_usage_is_refused_and_not_left_out(void **state)
{
	const struct {
		struct est_span oid, value;
	} wrong[] = {
		{ CERT_OID_KEY_USAGE, BYTES(0x03, 0) },
		{ CERT_OID_KEY_USAGE, BYTES(0x03, 2, 9, 0x80) },
		{ CERT_OID_KEY_USAGE, BYTES(0x04, 2, 0, 0x80) },
		{ CERT_OID_EXT_KEY_USAGE, BYTES(0x30, 2, 4, 0) },
		{ CERT_OID_EXT_KEY_USAGE, BYTES(0x30, 0, 0) },
	};
	struct est_buf tail = { 0 }, der = { 0 };
	struct est_cert_info info;
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		forge_extension(wrong[i].oid, wrong[i].value, &tail);
		forge_cert(&(struct forge){ .tail = est_buf_span(&tail) }, &der);
		assert_int_equal(est_cert_info(est_buf_span(&der), &info, &err), EST_E_PROTOCOL);
		assert_non_null(strstr(err.msg, "malformed"));
		est_buf_free(&der);
		est_buf_free(&tail);
	}
	assert_int_equal(est_cert_info(BYTES(0x30, 0), &info, &err), EST_E_PROTOCOL);
}

static void a_request_is_read_but_its_password_is_not_shown(void **state)
{
	const struct certmake_spec spec = { .dn = "CN=dev1",
		.dns = "d.example",
		.key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE };
	struct est_csr_info info;
	struct est_error err;
	struct est_buf der = { 0 };

	(void)state;
	certmake_csr(&spec, "hunter2", &der);
	assert_int_equal(est_csr_info(est_buf_span(&der), &info, &err), EST_OK);
	assert_string_equal(info.subject, "CN=dev1");
	assert_string_equal(info.key, "EC P-256");
	assert_string_equal(info.signature, "ecdsa-with-SHA256");
	assert_true(info.verified);
	assert_true(info.challenge_password);
	assert_int_equal(info.n_sans, 1);
	assert_string_equal(info.sans[0], "dns:d.example");
	assert_int_equal(info.n_key_usage, 1);
	assert_int_equal(info.n_attributes, 2);
	for (size_t i = 0; i < info.n_attributes; i++)
		assert_null(strstr(info.attributes[i], "hunter2"));
	est_csr_info_wipe(&info);
	der.p[der.n - 1] ^= 1;
	assert_int_equal(est_csr_info(est_buf_span(&der), &info, &err), EST_OK);
	assert_false(info.verified);
	est_csr_info_wipe(&info);
	for (size_t n = 0; n < der.n; n++)
		assert_int_equal(est_csr_info((struct est_span){ der.p, n }, &info, &err),
			EST_E_PROTOCOL);
	est_buf_free(&der);
}

static void the_requests_of_rfc_7030_verify(void **state)
{
	static const char *const names[] = {
		"tests/data/vectors/rfc7030-a3-simpleenroll-request.der",
		"tests/data/vectors/rfc7030-a4-serverkeygen-request.der",
	};
	struct est_csr_info info;
	struct est_error err;
	struct est_buf der = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(est_read_file(names[i], EST_FILE_MAX, &der, &err), EST_OK);
		assert_int_equal(est_csr_info(est_buf_span(&der), &info, &err), EST_OK);
		assert_true(info.verified);
		assert_true(info.challenge_password);
		assert_string_equal(info.key, "RSA 2048");
		if (i == 0)
			assert_string_equal(info.subject, "CN=demostep4 1368141352");
		else
			assert_non_null(strstr(info.subject, "serialNumber="));
		est_csr_info_wipe(&info);
		est_buf_free(&der);
	}
}

static void a_crl_is_counted_in_one_pass(void **state)
{
	struct est_crl_info info;
	struct est_error err;
	struct est_buf der = { 0 };
	struct certmake ca;

	(void)state;
	certmake_make(&(struct certmake_spec){ .dn = "CN=Root", .ca = true, .path_len = -1 }, NULL,
		&ca);
	certmake_crl(&ca, 5, &der);
	assert_int_equal(est_crl_info(est_buf_span(&der), &info, &err), EST_OK);
	assert_string_equal(info.issuer, "CN=Root");
	assert_string_equal(info.number, "0102");
	assert_string_equal(info.signature, "ecdsa-with-SHA256");
	assert_int_equal(info.n_revoked, 5);
	assert_true(info.has_next_update);
	assert_int_equal(info.next_update - info.this_update, 86400);
	est_crl_info_wipe(&info);
	for (size_t n = 0; n < der.n; n++)
		assert_int_equal(est_crl_info((struct est_span){ der.p, n }, &info, &err),
			EST_E_PROTOCOL);
	est_buf_free(&der);
	certmake_crl(&ca, 0, &der);
	assert_int_equal(est_crl_info(est_buf_span(&der), &info, &err), EST_OK);
	assert_int_equal(info.n_revoked, 0);
	est_crl_info_wipe(&info);
	est_buf_free(&der);
	assert_int_equal(est_crl_info(est_buf_span(&ca.der), &info, &err), EST_E_PROTOCOL);
	certmake_wipe(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_certificate_is_read),
		cmocka_unit_test(keys_are_named_with_their_size),
		cmocka_unit_test(an_unknown_key_is_a_dotted_oid),
		cmocka_unit_test(only_a_signature_that_verifies_makes_it_self_signed),
		cmocka_unit_test(the_empty_name_is_an_empty_string),
		cmocka_unit_test(each_kind_of_name_has_its_prefix),
		cmocka_unit_test(no_control_byte_or_override_survives),
		cmocka_unit_test(a_malformed_usage_is_refused_and_not_left_out),
		cmocka_unit_test(a_request_is_read_but_its_password_is_not_shown),
		cmocka_unit_test(the_requests_of_rfc_7030_verify),
		cmocka_unit_test(a_crl_is_counted_in_one_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

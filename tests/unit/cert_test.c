/* SPDX-License-Identifier: MIT */
/* One certificate by its shape and against the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cert.h"
#include "forge.h"

/* Takes the certificate of these parts apart; the buffer is the caller's. */
static enum est_code view_forged(const struct forge *forge, struct est_buf *der,
	struct cert_view *view, struct est_error *err)
{
	*der = (struct est_buf){ 0 };
	forge_cert(forge, der);
	return cert_view(est_buf_span(der), "certificate 7", view, err);
}

/* The certificate is refused with a message that holds why. */
static void assert_refused(const struct forge *forge, const char *why)
{
	struct cert_view view = { .version = -1 };
	struct est_error err = { 0 };
	struct est_buf der;

	assert_int_equal(view_forged(forge, &der, &view, &err), EST_E_PROTOCOL);
	if (!strstr(err.msg, why) || strncmp(err.msg, "certificate 7: ", 15) != 0)
		fail_msg("'%s' does not say '%s'", err.msg, why);
	assert_int_equal(view.version, -1); /* untouched */
	est_buf_free(&der);
}

static void assert_taken(const struct forge *forge, struct est_buf *der, struct cert_view *view)
{
	struct est_error err = { 0 };

	if (view_forged(forge, der, view, &err) != EST_OK)
		fail_msg("refused: %s", err.msg);
}

static void each_part_is_a_slice_of_the_input(void **state)
{
	struct cert_view view;
	struct est_buf der;

	(void)state;
	assert_taken(&(struct forge){ 0 }, &der, &view);
	assert_ptr_equal(view.der.p, der.p);
	assert_int_equal(view.version, 3);
	assert_true(est_span_eq(view.serial, BYTES(0x01)));
	assert_true(est_span_eq(view.issuer, view.subject));
	assert_true(view.issuer.p != view.subject.p);
	assert_true(cert_is_self_issued(&view));
	assert_int_equal(view.issuer.p[0], 0x30);
	assert_int_equal(view.spki.n, 27);
	assert_true(est_span_eq(view.signature_oid,
		BYTES(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)));
	assert_int_equal(view.not_before, 1735689600); /* 2025-01-01T00:00:00Z */
	assert_int_equal(view.not_after, 2366841600);  /* 2045-01-01T00:00:00Z */
	assert_int_equal(view.extensions.n, 0);
	est_buf_free(&der);
}

static void versions_1_to_3_are_known(void **state)
{
	struct cert_view view;
	struct est_buf der;

	(void)state;
	assert_taken(&(struct forge){ .version = NOTHING }, &der, &view);
	assert_int_equal(view.version, 1);
	est_buf_free(&der);
	assert_taken(&(struct forge){ .version = BYTES(0xa0, 3, 2, 1, 1) }, &der, &view);
	assert_int_equal(view.version, 2);
	est_buf_free(&der);
	assert_refused(&(struct forge){ .version = BYTES(0xa0, 3, 2, 1, 3) }, "version");
	assert_refused(&(struct forge){ .version = BYTES(0xa0, 3, 2, 1, 0xff) }, "version");
	assert_refused(&(struct forge){ .version = BYTES(0xa0, 4, 2, 2, 0, 1) }, "version");
	assert_refused(&(struct forge){ .version = BYTES(0xa0, 0) }, "version");
}

static void what_is_cut_short_is_refused_at_every_length(void **state)
{
	struct cert_view view;
	struct est_error err;
	struct est_buf der = { 0 };

	(void)state;
	forge_cert(&(struct forge){ 0 }, &der);
	for (size_t n = 0; n < der.n; n++) {
		uint8_t *exact = test_malloc(n + 1); /* the sanitizer sees a read past its end */

		memcpy(exact, der.p, n);
		assert_int_equal(cert_view((struct est_span){ exact, n }, "c", &view, &err),
			EST_E_PROTOCOL);
		test_free(exact);
	}
	est_buf_free(&der);
}

static void bytes_after_the_certificate_are_refused(void **state)
{
	struct cert_view view;
	struct est_error err = { 0 };
	struct est_buf der = { 0 };

	(void)state;
	forge_cert(&(struct forge){ 0 }, &der);
	forge_append(&der, BYTES(0));
	assert_int_equal(cert_view(est_buf_span(&der), "c", &view, &err), EST_E_PROTOCOL);
	assert_non_null(strstr(err.msg, "1 bytes after its end"));
	est_buf_free(&der);
	assert_refused(&(struct forge){ .after = BYTES(0x05, 0x00) }, "after the signature");
	assert_refused(&(struct forge){ .tail = BYTES(0x05, 0x00) }, "after the public key");
}

static void ber_lengths_are_refused(void **state)
{
	(void)state;
	assert_refused(&(struct forge){ .serial = BYTES(0x02, 0x81, 0x01, 0x01) }, "DER");
	assert_refused(&(struct forge){ .issuer = BYTES(0x30, 0x80, 0x00, 0x00) }, "DER");
}

static void a_missing_part_is_named(void **state)
{
	(void)state;
	assert_refused(&(struct forge){ .serial = NOTHING }, "serial number");
	assert_refused(&(struct forge){ .serial = BYTES(0x02, 0x00) }, "empty serial");
	assert_refused(&(struct forge){ .algorithm = NOTHING, .issuer = NOTHING }, "algorithm");
	assert_refused(&(struct forge){ .validity = NOTHING, .subject = NOTHING }, "notBefore");
	assert_refused(&(struct forge){ .spki = NOTHING }, "subjectPublicKeyInfo");
	assert_refused(&(struct forge){ .outer_algorithm = NOTHING }, "signatureAlgorithm");
	assert_refused(&(struct forge){ .signature = NOTHING }, "signature");
}

static void two_different_signature_algorithms_are_refused(void **state)
{
	/* ecdsa-with-SHA384 outside, SHA256 inside (RFC 5280 section 4.1.1.2). */
	(void)state;
	assert_refused(&(struct forge){ .outer_algorithm = BYTES(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
						0x48, 0xce, 0x3d, 0x04, 0x03, 0x03) },
		"differs");
}

static void times_are_those_of_rfc_5280(void **state)
{
	struct cert_view view;
	struct est_buf der;

	(void)state;
	assert_taken(&(struct forge){ .validity = BYTES(0x30, 0x20, 0x17, 0x0d, '4', '9', '1', '2',
					      '3', '1', '2', '3', '5', '9', '5', '9', 'Z', 0x18,
					      0x0f, '9', '9', '9', '9', '1', '2', '3', '1', '2',
					      '3', '5', '9', '5', '9', 'Z') },
		&der, &view);
	assert_int_equal(view.not_before, 2524607999);  /* 2049-12-31T23:59:59Z */
	assert_int_equal(view.not_after, 253402300799); /* 9999-12-31T23:59:59Z */
	est_buf_free(&der);
	/* A local time offset, a missing second, a third time. */
	assert_refused(&(struct forge){ .validity = BYTES(0x30, 0x22, 0x17, 0x11, '2', '5', '0',
						'1', '0', '1', '0', '0', '0', '0', '0', '0', '+',
						'0', '1', '0', '0', 0x17, 0x0d, '4', '5', '0', '1',
						'0', '1', '0', '0', '0', '0', '0', '0', 'Z') },
		"notBefore");
	assert_refused(&(struct forge){ .validity = BYTES(0x30, 0x11, 0x17, 0x0d, '2', '5', '0',
						'1', '0', '1', '0', '0', '0', '0', '0', '0', 'Z',
						0x17, 0x00) },
		"notAfter");
}

static void too_large_a_certificate_is_refused_before_it_is_read(void **state)
{
	struct cert_view view;
	struct est_error err = { 0 };
	static uint8_t junk[EST_CERT_BYTES_MAX + 1];

	(void)state;
	assert_int_equal(cert_view((struct est_span){ junk, sizeof(junk) }, "c", &view, &err),
		EST_E_PROTOCOL);
	assert_non_null(strstr(err.msg, "limit of 65536"));
}

static void too_deep_a_certificate_is_refused(void **state)
{
	struct est_buf deep = { 0 };

	(void)state;
	for (int i = 0; i < EST_DEPTH_MAX; i++)
		forge_wrap(&deep, DER_SEQUENCE);
	assert_refused(&(struct forge){ .tail = est_buf_span(&deep) }, "nested too deeply");
	est_buf_free(&deep);
}

static void a_name_may_have_128_attributes_and_no_more(void **state)
{
	struct est_buf name = { 0 }, der;
	struct cert_view view;

	(void)state;
	forge_name(EST_RDNS_MAX, &name);
	assert_taken(&(struct forge){ .subject = est_buf_span(&name) }, &der, &view);
	est_buf_free(&der);
	est_buf_free(&name);
	forge_name(EST_RDNS_MAX + 1, &name);
	assert_refused(&(struct forge){ .subject = est_buf_span(&name) }, "128 attributes");
	assert_refused(&(struct forge){ .issuer = est_buf_span(&name) }, "128 attributes");
	est_buf_free(&name);
	/* An RDN without, one with an attribute without value, one with two values. */
	assert_refused(&(struct forge){ .subject = BYTES(0x30, 2, 0x31, 0) }, "RDN");
	assert_refused(&(struct forge){ .subject = BYTES(0x30, 9, 0x31, 7, 0x30, 5, 6, 3, 0x55, 4,
						3) },
		"value");
	assert_refused(&(struct forge){ .subject = BYTES(0x30, 13, 0x31, 11, 0x30, 9, 6, 3, 0x55, 4,
						3, 5, 0, 5, 0) },
		"value");
}

/* [3] with n extensions of unknown and different types. */
static void extensions_put(size_t n, struct est_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const uint8_t ext[] = { 0x30, 0x07, 0x06, 0x03, 0x2a, 0x03, (uint8_t)i, 0x04,
			0x00 };

		forge_append(out, (struct est_span){ ext, sizeof(ext) });
	}
	forge_wrap(out, DER_SEQUENCE);
	forge_wrap(out, DER_CONTEXT_C(3));
}

static void a_certificate_may_have_64_extensions_and_no_more(void **state)
{
	struct est_buf list = { 0 }, der;
	struct cert_view view;

	(void)state;
	extensions_put(EST_EXTENSIONS_MAX, &list);
	assert_taken(&(struct forge){ .tail = est_buf_span(&list) }, &der, &view);
	assert_int_equal(view.extensions.n, 9 * EST_EXTENSIONS_MAX);
	est_buf_free(&der);
	est_buf_free(&list);
	extensions_put(EST_EXTENSIONS_MAX + 1, &list);
	assert_refused(&(struct forge){ .tail = est_buf_span(&list) }, "64 extensions");
	est_buf_free(&list);
}

static void an_extension_twice_is_refused(void **state)
{
	const struct est_span one = BYTES(0x30, 7, 6, 3, 0x55, 0x1d, 0x0f, 4, 0);
	struct est_buf list = { 0 };

	(void)state;
	forge_repeat(&list, one, 2);
	forge_wrap(&list, DER_SEQUENCE);
	forge_wrap(&list, DER_CONTEXT_C(3));
	assert_refused(&(struct forge){ .tail = est_buf_span(&list) }, "extension twice");
	est_buf_free(&list);
}

static void malformed_extensions_are_refused(void **state)
{
	(void)state;
	/* No list; no OID; no value; a critical of two bytes; something after the value. */
	assert_refused(&(struct forge){ .tail = BYTES(0xa3, 0) }, "list of extensions");
	assert_refused(&(struct forge){ .tail = BYTES(0xa3, 4, 0x30, 0, 0x30, 0) },
		"more than one");
	assert_refused(&(struct forge){ .tail = BYTES(0xa3, 4, 0x30, 2, 0x30, 0) }, "extension");
	assert_refused(&(struct forge){ .tail = BYTES(0xa3, 9, 0x30, 7, 0x30, 5, 6, 3, 0x55, 0x1d,
						0x0f) },
		"extension");
	assert_refused(&(struct forge){ .tail = BYTES(0xa3, 15, 0x30, 13, 0x30, 11, 6, 3, 0x55,
						0x1d, 0x0f, 1, 2, 0, 0xff, 4, 0) },
		"extension");
	assert_refused(&(struct forge){ .tail = BYTES(0xa3, 13, 0x30, 11, 0x30, 9, 6, 3, 0x55, 0x1d,
						0x0f, 4, 0, 4, 0) },
		"extension");
	assert_refused(&(struct forge){ .version = NOTHING, .tail = BYTES(0xa3, 2, 0x30, 0) },
		"version before 3");
	assert_refused(&(struct forge){ .version = NOTHING, .tail = BYTES(0x81, 1, 0) },
		"version 1");
	assert_refused(&(struct forge){ .tail = BYTES(0xa3, 2, 0x30, 0, 0x05, 0) },
		"after the extensions");
}

static void a_san_may_have_1024_names_and_no_more(void **state)
{
	struct est_buf names = { 0 }, tail = { 0 }, der;
	struct cert_view view;

	(void)state;
	forge_repeat(&names, BYTES(0x82, 1, 'a'), EST_SANS_MAX);
	forge_wrap(&names, DER_SEQUENCE);
	forge_extension(CERT_OID_SAN, est_buf_span(&names), &tail);
	assert_taken(&(struct forge){ .tail = est_buf_span(&tail) }, &der, &view);
	est_buf_free(&der);
	est_buf_free(&tail);
	est_buf_free(&names);
	forge_repeat(&names, BYTES(0x82, 1, 'a'), EST_SANS_MAX + 1);
	forge_wrap(&names, DER_SEQUENCE);
	forge_extension(CERT_OID_SAN, est_buf_span(&names), &tail);
	assert_refused(&(struct forge){ .tail = est_buf_span(&tail) }, "1024 names");
	est_buf_free(&tail);
	/* issuerAltName is expanded by the same code of the library. */
	forge_extension(BYTES(0x55, 0x1d, 0x12), est_buf_span(&names), &tail);
	assert_refused(&(struct forge){ .tail = est_buf_span(&tail) }, "1024 names");
	est_buf_free(&tail);
	est_buf_free(&names);
}

static void a_malformed_san_is_refused(void **state)
{
	const struct est_span wrong[] = { NOTHING, BYTES(0x04, 0), BYTES(0x30, 2, 0x0c, 0),
		BYTES(0x30, 3, 0x82, 2, 'a'), BYTES(0x30, 0x80, 0, 0), BYTES(0x30, 0, 0x30, 0) };
	struct est_buf tail = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		forge_extension(CERT_OID_SAN, wrong[i], &tail);
		assert_refused(&(struct forge){ .tail = est_buf_span(&tail) }, "alternative name");
		est_buf_free(&tail);
	}
}

static void an_extension_of_ten_thousand_elements_is_refused(void **state)
{
	struct est_buf inside = { 0 }, tail = { 0 };

	/* nameConstraints, in which GnuTLS is quadratic. */
	(void)state;
	forge_repeat(&inside, BYTES(0x30, 0), 10000);
	forge_wrap(&inside, DER_SEQUENCE);
	forge_extension(BYTES(0x55, 0x1d, 0x1e), est_buf_span(&inside), &tail);
	assert_refused(&(struct forge){ .tail = est_buf_span(&tail) }, "elements in one extension");
	est_buf_free(&inside);
	est_buf_free(&tail);
}

static void opaque_bytes_in_an_unknown_extension_are_nobodys_business(void **state)
{
	struct est_buf tail = { 0 }, der;
	struct cert_view view;
	struct est_span value;
	bool critical = true;

	(void)state;
	forge_extension(BYTES(0x2a, 0x03), BYTES(0xff, 0xff), &tail);
	assert_taken(&(struct forge){ .tail = est_buf_span(&tail) }, &der, &view);
	assert_true(cert_extension(&view, BYTES(0x2a, 0x03), &critical, &value));
	assert_false(critical);
	assert_true(est_span_eq(value, BYTES(0xff, 0xff)));
	assert_false(cert_extension(&view, CERT_OID_SAN, NULL, &value));
	est_buf_free(&der);
	est_buf_free(&tail);
}

/* An RSA key with this many bytes of modulus and exponent. */
static void rsa_spki(size_t modulus, size_t exponent, struct est_buf *out)
{
	struct est_buf key = { 0 }, n = { 0 }, e = { 0 }, bits = { 0 };

	forge_repeat(&n, BYTES(0x7f), modulus);
	forge_repeat(&e, BYTES(0x03), exponent);
	forge_put(&key, DER_INTEGER, est_buf_span(&n));
	forge_put(&key, DER_INTEGER, est_buf_span(&e));
	forge_wrap(&key, DER_SEQUENCE);
	forge_append(&bits, BYTES(0));
	forge_append(&bits, est_buf_span(&key));
	forge_append(out,
		BYTES(0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0));
	forge_put(out, DER_BIT_STRING, est_buf_span(&bits));
	forge_wrap(out, DER_SEQUENCE);
	est_buf_free(&key);
	est_buf_free(&n);
	est_buf_free(&e);
	est_buf_free(&bits);
}

static void rsa_keys_that_take_long_to_verify_with_are_refused(void **state)
{
	struct est_buf spki = { 0 }, der;
	struct cert_view view;

	(void)state;
	rsa_spki(1024, 8, &spki); /* 8,192 bits */
	assert_taken(&(struct forge){ .spki = est_buf_span(&spki) }, &der, &view);
	est_buf_free(&der);
	est_buf_free(&spki);
	rsa_spki(1026, 3, &spki);
	assert_refused(&(struct forge){ .spki = est_buf_span(&spki) }, "RSA modulus");
	est_buf_free(&spki);
	rsa_spki(256, 10, &spki);
	assert_refused(&(struct forge){ .spki = est_buf_span(&spki) }, "RSA exponent");
	est_buf_free(&spki);
}

static void a_key_that_is_no_key_is_refused(void **state)
{
	(void)state;
	assert_refused(&(struct forge){ .spki = BYTES(0x30, 0) }, "public key algorithm");
	assert_refused(&(struct forge){ .spki = BYTES(0x30, 7, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70) },
		"no public key");
	assert_refused(&(struct forge){ .spki = BYTES(0x30, 9, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3,
						0) },
		"whole number of bytes");
	assert_refused(&(struct forge){ .spki = BYTES(0x30, 0x10, 0x30, 0x0b, 6, 9, 0x2a, 0x86,
						0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 3, 1, 0) },
		"whole number of bytes");
	assert_refused(&(struct forge){ .spki = BYTES(0x30, 0x11, 0x30, 0x0b, 6, 9, 0x2a, 0x86,
						0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 3, 2, 0, 5) },
		"RSA public key");
}

/* What cert_is_ca() says of a certificate with this basicConstraints value. */
static bool ca_by(struct est_span value, int *path_len)
{
	struct est_buf tail = { 0 }, der;
	struct cert_view view;
	bool ca;

	forge_extension(CERT_OID_BASIC_CONSTRAINTS, value, &tail);
	assert_taken(&(struct forge){ .tail = est_buf_span(&tail) }, &der, &view);
	ca = cert_is_ca(&view, path_len);
	est_buf_free(&der);
	est_buf_free(&tail);
	return ca;
}

static void only_a_true_ca_flag_makes_a_ca(void **state)
{
	int len;

	(void)state;
	assert_true(ca_by(BYTES(0x30, 3, 1, 1, 0xff), &len));
	assert_int_equal(len, -1);
	assert_true(ca_by(BYTES(0x30, 6, 1, 1, 0xff, 2, 1, 0), &len));
	assert_int_equal(len, 0);
	assert_true(ca_by(BYTES(0x30, 7, 1, 1, 0xff, 2, 2, 1, 0), &len));
	assert_int_equal(len, 256);
	assert_true(ca_by(BYTES(0x30, 14, 1, 1, 0xff, 2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0), &len));
	assert_int_equal(len, INT32_MAX);
	assert_false(ca_by(BYTES(0x30, 0), &len));
	assert_int_equal(len, -1);
	assert_false(ca_by(BYTES(0x30, 3, 1, 1, 0), &len));
	assert_false(ca_by(BYTES(0x30, 3, 2, 1, 0), NULL));
	assert_false(ca_by(BYTES(0x30, 6, 1, 1, 0xff, 2, 1, 0xff), NULL));
	assert_false(ca_by(BYTES(0x30, 5, 1, 1, 0xff, 5, 0), NULL));
	assert_false(ca_by(BYTES(0x30, 3, 1, 1, 0xff, 0), NULL));
	assert_false(ca_by(BYTES(1, 1, 0xff), NULL));
	assert_false(ca_by(NOTHING, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_part_is_a_slice_of_the_input),
		cmocka_unit_test(versions_1_to_3_are_known),
		cmocka_unit_test(what_is_cut_short_is_refused_at_every_length),
		cmocka_unit_test(bytes_after_the_certificate_are_refused),
		cmocka_unit_test(ber_lengths_are_refused),
		cmocka_unit_test(a_missing_part_is_named),
		cmocka_unit_test(two_different_signature_algorithms_are_refused),
		cmocka_unit_test(times_are_those_of_rfc_5280),
		cmocka_unit_test(too_large_a_certificate_is_refused_before_it_is_read),
		cmocka_unit_test(too_deep_a_certificate_is_refused),
		cmocka_unit_test(a_name_may_have_128_attributes_and_no_more),
		cmocka_unit_test(a_certificate_may_have_64_extensions_and_no_more),
		cmocka_unit_test(an_extension_twice_is_refused),
		cmocka_unit_test(malformed_extensions_are_refused),
		cmocka_unit_test(a_san_may_have_1024_names_and_no_more),
		cmocka_unit_test(a_malformed_san_is_refused),
		cmocka_unit_test(an_extension_of_ten_thousand_elements_is_refused),
		cmocka_unit_test(opaque_bytes_in_an_unknown_extension_are_nobodys_business),
		cmocka_unit_test(rsa_keys_that_take_long_to_verify_with_are_refused),
		cmocka_unit_test(a_key_that_is_no_key_is_refused),
		cmocka_unit_test(only_a_true_ca_flag_makes_a_ca),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

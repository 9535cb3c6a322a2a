/* SPDX-License-Identifier: MIT */
/* The payload of a response: base64 of DER (RFC 8951 section 3), and what comes in its place. */
#include "base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BIT(q) (1u << EST_Q_##q)

/* SEQUENCE { INTEGER 5, OCTET STRING "hello" } */
static const uint8_t der[] = { 0x30, 0x0a, 0x02, 0x01, 0x05, 0x04, 0x05, 'h', 'e', 'l', 'l', 'o' };
#define DER_B64 "MAoCAQUEBWhlbGxv"

static struct est_span text(const char *s)
{
	return est_span_str(s);
}

static void expect(struct est_span in, const void *want, size_t n, uint32_t seen)
{
	struct est_quirks quirks = { 0 }, strict = { .strict = true };
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	if (est_body_decode(in, &quirks, &out, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(out.n, n);
	assert_memory_equal(out.p, want, n);
	assert_int_equal(quirks.seen, seen);
	est_buf_free(&out);
	/* Every deviation is an error under --strict, and nothing else is. */
	assert_int_equal(est_body_decode(in, &strict, &out, &err), seen ? EST_E_PROTOCOL : EST_OK);
	assert_int_equal(out.n, seen ? 0 : n);
	est_buf_free(&out);
	/* Nobody has to be told. */
	assert_int_equal(est_body_decode(in, NULL, &out, &err), EST_OK);
	est_buf_free(&out);
}

static void expect_der(const char *in, uint32_t seen)
{
	expect(text(in), der, sizeof(der), seen);
}

static void refuse_span(struct est_span in, const char *says)
{
	static const uint8_t before[] = "kept";
	struct est_quirks quirks = { 0 };
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	assert_int_equal(est_buf_append(&out, (struct est_span){ before, 4 }, &err), EST_OK);
	assert_int_equal(est_body_decode(in, &quirks, &out, &err), EST_E_PROTOCOL);
	assert_int_equal(out.n, 4);
	assert_memory_equal(out.p, before, 4);
	if (!strstr(err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
	est_buf_free(&out);
}

static void refuse(const char *in, const char *says)
{
	refuse_span(text(in), says);
}

/* proves: R8951-3-01 R8951-3-02 R8951-3.1-02 */
static void base64_in_any_wrapping_is_decoded(void **state)
{
	(void)state;
	expect_der(DER_B64, 0);
	expect_der(DER_B64 "\n", 0);
	expect_der(DER_B64 "\r\n\r\n", 0);
	expect_der("MAoC\nAQUE\nBWhl\nbGxv\n", 0);
	expect_der("MAoC\r\nAQUE\r\nBWhl\r\nbGxv", 0);
	expect_der("\n \t M A o C A Q U E B W h l b G x v \t", 0);
	expect_der("M\nA\no\nC\nA\nQ\nU\nE\nB\nW\nh\nl\nb\nG\nx\nv\n", 0);
}

static void padding_of_every_length_is_decoded(void **state)
{
	(void)state;
	expect(text("MAA="), "\x30\x00", 2, 0);
	expect(text("MAMCAQU="), "\x30\x03\x02\x01\x05", 5, 0);
	expect(text("MAIFAA=="), "\x30\x02\x05\x00", 4, 0);
	expect(text("MAIFAA=\n="), "\x30\x02\x05\x00", 4, 0);
	expect(text("MAIFAA==\n"), "\x30\x02\x05\x00", 4, 0);
}

/* proves: H-03 */
static void missing_padding_is_tolerated(void **state)
{
	(void)state;
	expect(text("MAA"), "\x30\x00", 2, BIT(PADDING));
	expect(text("MAIFAA\n"), "\x30\x02\x05\x00", 4, BIT(PADDING));
}

/* proves: H-03 */
static void wrong_padding_is_refused(void **state)
{
	(void)state;
	refuse("MAIFAA=", "wrongly padded");
	refuse("MAIFAA===", "wrongly padded");
	refuse("MAA==", "wrongly padded");
	refuse(DER_B64 "=", "wrongly padded");
	refuse(DER_B64 "====", "wrongly padded");
	refuse("=", "wrongly padded");
	refuse("M", "cut short");
	refuse("MAoCA", "cut short");
	refuse("MAIFAA==MAA=", "after its padding");
	refuse("MAA=MAA=", "after its padding");
	refuse("MAA=\nA", "after its padding");
}

/* proves: H-03 */
static void bits_under_the_padding_are_refused(void **state)
{
	(void)state;
	refuse("MAB=", "under its padding");
	refuse("MAIFAB==", "under its padding");
	refuse("MAIFAP", "under its padding");
}

/* proves: H-03 */
static void foreign_bytes_are_refused(void **state)
{
	(void)state;
	refuse("MAoC-QUEBWhlbGxv", "URL-safe");
	refuse("MAoC_QUEBWhlbGxv", "URL-safe");
	refuse("MAoC.QUEBWhlbGxv", "0x2e at offset 4");
	refuse("MAoC\x0b"
	       "AQUEBWhlbGxv",
		"0x0b");
	refuse("MAoC\xff"
	       "AQUEBWhlbGxv",
		"0xff");
	refuse_span((struct est_span){ (const uint8_t *)DER_B64, sizeof(DER_B64) }, "0x00");
	refuse("MAoC=3DAQUE", "after its padding"); /* quoted-printable */
	refuse("\"" DER_B64 "\"", "0x22");
}

/* proves: H-03 */
static void an_empty_body_is_refused(void **state)
{
	(void)state;
	refuse("", "empty");
	refuse_span((struct est_span){ NULL, 0 }, "empty");
	refuse("\r\n \t", "empty");
}

/* proves: H-04 */
static void raw_der_is_tolerated(void **state)
{
	static const uint8_t empty[] = { 0x30, 0x00 };
	static const uint8_t ber[] = { 0x30, 0x80, 0x02, 0x01, 0x05, 0x00, 0x00 };

	(void)state;
	expect((struct est_span){ der, sizeof(der) }, der, sizeof(der), BIT(RAW_DER));
	expect((struct est_span){ empty, sizeof(empty) }, empty, sizeof(empty), BIT(RAW_DER));
	expect((struct est_span){ ber, sizeof(ber) }, ber, sizeof(ber), BIT(RAW_DER));
}

static void white_space_and_nul_after_raw_der_are_cut_off(void **state)
{
	uint8_t body[sizeof(der) + 4];

	(void)state;
	memcpy(body, der, sizeof(der));
	memcpy(body + sizeof(der), "\r\n \0", 4);
	expect((struct est_span){ body, sizeof(body) }, der, sizeof(der),
		BIT(RAW_DER) | BIT(TRAILING));
	expect((struct est_span){ body, sizeof(der) + 1 }, der, sizeof(der),
		BIT(RAW_DER) | BIT(TRAILING));
	body[sizeof(der) + 3] = 'x';
	refuse_span((struct est_span){ body, sizeof(body) }, "");
}

static void white_space_and_nul_inside_the_base64_are_cut_off(void **state)
{
	(void)state;
	expect(text("MAAK"), "\x30\x00", 2, BIT(TRAILING));     /* a newline */
	expect(text("MAAAAAA="), "\x30\x00", 2, BIT(TRAILING)); /* three NULs */
	expect(text("MAAx"), "\x30\x00\x31", 3, 0); /* not white space: the DER reader's affair */
}

static void broken_raw_der_is_refused_by_its_name(void **state)
{
	uint8_t big[300] = { 0x30, 0x82, 0x01, 0x28 };

	(void)state;
	expect((struct est_span){ big, sizeof(big) }, big, sizeof(big), BIT(RAW_DER));
	refuse_span((struct est_span){ big, sizeof(big) - 1 }, "cut short");
	refuse_span((struct est_span){ big, 4 }, "cut short");
	refuse_span((struct est_span){ big, 2 }, "cut short");
	big[299] = 'x';
	big[3] = 0x27;
	refuse_span((struct est_span){ big, sizeof(big) }, "followed by other bytes");
	refuse_span((struct est_span){ (const uint8_t *)"\x30\x80\x02\x01\x05", 5 }, "cut short");
	refuse_span((struct est_span){ (const uint8_t *)"\x31\x00", 2 }, "base64");
}

static void base64_that_begins_like_der_is_base64(void **state)
{
	/* "0A" is a SEQUENCE of 65 bytes to a hasty reader */
	static const char body[] =
		"0AAA0AAA0AAA0AAA0AAA0AAA0AAA0AAA0AAA0AAA0AAA0AAA0AAA0AAA0AAA0AAA"
		"0AAA";
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	(void)state;
	assert_int_equal(est_body_decode(text(body), NULL, &out, &err), EST_OK);
	assert_int_equal(out.n, 51);
	assert_int_equal(out.p[0], 0xd0);
	est_buf_free(&out);
}

static void a_byte_order_mark_is_tolerated(void **state)
{
	(void)state;
	expect_der("\xef\xbb\xbf" DER_B64, BIT(BOM));
	expect_der("\xef\xbb\xbf-----BEGIN CMS-----\n" DER_B64 "\n-----END CMS-----\n",
		BIT(BOM) | BIT(PEM));
	refuse("\xef\xbb\xbf", "empty");
	refuse("\xef\xbb\xbf\xef\xbb\xbf" DER_B64, "0xef");
	refuse("\xff\xfeM\n", "0xff"); /* UTF-16 */
}

/* proves: H-04 */
static void pem_armour_is_tolerated(void **state)
{
	static const char *const labels[] = { "PKCS7", "CMS", "PKCS #7 SIGNED DATA", "CERTIFICATE",
		"CERTIFICATE CHAIN", "X509 CERTIFICATE" };
	char body[200];

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		assert_true(snprintf(body, sizeof(body),
				    "subject=x\n-----BEGIN %s-----\r\n" DER_B64
				    "\r\n-----END %s-----\r\nbye.",
				    labels[i], labels[i]) > 0);
		expect_der(body, BIT(PEM));
	}
	expect_der("-----BEGIN PKCS7-----" DER_B64 "-----END PKCS7-----", BIT(PEM));
	expect(text("-----BEGIN PKCS7-----\nMAA\n-----END PKCS7-----"), "\x30\x00", 2,
		BIT(PEM) | BIT(PADDING));
	expect(text("-----BEGIN PKCS7-----\nMAAK\n-----END PKCS7-----"), "\x30\x00", 2,
		BIT(PEM) | BIT(TRAILING));
}

static void broken_pem_is_refused(void **state)
{
	(void)state;
	refuse("-----BEGIN PKCS7-----\n" DER_B64 "\n", "END line");
	refuse("-----BEGIN PKCS7-----\n" DER_B64 "\n-----END PKCS", "another label");
	refuse("-----BEGIN PKCS7-----\n" DER_B64 "\n-----END CMS-----", "another label");
	refuse("-----BEGIN PKCS7-----\n" DER_B64 "\n-----BEGIN PKCS7-----", "no END line");
	refuse("-----BEGIN PKCS7\n" DER_B64, "label");
	refuse("-----BEGIN ", "label");
	refuse("-----BEGIN PKCS7-----\n-----END PKCS7-----", "empty");
	refuse("-----BEGIN PKCS7-----\nM*==\n-----END PKCS7-----", "0x2a");
	refuse("-----BEGIN PKCS7-----\nX: y\n\nMAA=\n-----END PKCS7-----", "0x3a");
	refuse("-----BEGIN \x1b[2J-----\nMAA=\n-----END \x1b[2J-----", "without a label");
}

static void other_pem_blocks_and_mixtures_are_refused(void **state)
{
	static const char p7[] = "-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n";
	static const char cert[] = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
	char body[400];

	(void)state;
	refuse("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----", "PRIVATE KEY");
	refuse("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----",
		"CERTIFICATE REQUEST");
	assert_true(snprintf(body, sizeof(body), "%s%s", p7, p7) > 0);
	refuse(body, "more than one");
	assert_true(snprintf(body, sizeof(body), "%s%s", p7, cert) > 0);
	refuse(body, "more than one");
	assert_true(snprintf(body, sizeof(body), "%s%s", cert, p7) > 0);
	refuse(body, "more than one");
	assert_true(snprintf(body, sizeof(body), "%s-----BEGIN CERTIFICATE-----\nMA", cert) > 0);
	refuse(body, "END");
}

static void pages_and_json_are_called_by_their_names(void **state)
{
	(void)state;
	refuse("<html><body>504\x1b[31m</body></html>", "HTML");
	refuse("\n\n  <?xml version=\"1.0\"?>", "XML");
	refuse("<html>-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----</html>", "HTML");
	refuse("{\"error\":\"x\"}", "JSON");
	refuse("[1]", "JSON");
	refuse("<\x1b[31m", "\\x1b");
	refuse("Not found!", "0x21");
}

static void a_large_body_is_decoded_whole(void **state)
{
	const size_t n = 200000;
	struct est_buf b64 = { 0 }, out = { 0 };
	struct est_quirks quirks = { 0 };
	struct est_error err = { 0 };
	uint8_t *big = malloc(n);

	(void)state;
	assert_non_null(big);
	for (size_t i = 0; i < n; i++)
		big[i] = (uint8_t)(i * 31 >> 3);
	for (size_t k = n - 3; k <= n; k++) {
		big[0] = 0x04; /* no SEQUENCE: only base64 is the subject here */
		assert_int_equal(base64_encode((struct est_span){ big, k }, 64, &b64, &err),
			EST_OK);
		assert_int_equal(b64.p[64], '\n');
		assert_int_equal(b64.p[b64.n - 1], '\n');
		assert_int_equal(est_body_decode(est_buf_span(&b64), &quirks, &out, &err), EST_OK);
		assert_int_equal(out.n, k);
		assert_memory_equal(out.p, big, k);
		est_buf_free(&b64);
		est_buf_free(&out);
	}
	assert_int_equal(quirks.seen, 0);
	free(big);
}

/* The vectors of RFC 4648 section 10. */
static void base64_is_encoded_as_the_standard_prints_it(void **state)
{
	static const char *const want[] = { "", "Zg==", "Zm8=", "Zm9v",
		"Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	(void)state;
	for (size_t n = 0; n <= 6; n++) {
		assert_int_equal(base64_encode((struct est_span){ (const uint8_t *)"foobar", n }, 0,
					 &out, &err),
			EST_OK);
		assert_true(est_span_eq(est_buf_span(&out), text(want[n])));
		est_buf_free(&out);
	}
	assert_int_equal(base64_encode(text("foobar"), 4, &out, &err), EST_OK);
	assert_true(est_span_eq(est_buf_span(&out), text("Zm9v\nYmFy\n")));
	est_buf_free(&out);
	assert_int_equal(base64_encode(text("foobar"), 3, &out, &err), EST_OK);
	assert_true(est_span_eq(est_buf_span(&out), text("Zm9\nvYm\nFy\n")));
	est_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_in_any_wrapping_is_decoded),
		cmocka_unit_test(padding_of_every_length_is_decoded),
		cmocka_unit_test(missing_padding_is_tolerated),
		cmocka_unit_test(wrong_padding_is_refused),
		cmocka_unit_test(bits_under_the_padding_are_refused),
		cmocka_unit_test(foreign_bytes_are_refused),
		cmocka_unit_test(an_empty_body_is_refused),
		cmocka_unit_test(raw_der_is_tolerated),
		cmocka_unit_test(white_space_and_nul_after_raw_der_are_cut_off),
		cmocka_unit_test(white_space_and_nul_inside_the_base64_are_cut_off),
		cmocka_unit_test(broken_raw_der_is_refused_by_its_name),
		cmocka_unit_test(base64_that_begins_like_der_is_base64),
		cmocka_unit_test(a_byte_order_mark_is_tolerated),
		cmocka_unit_test(pem_armour_is_tolerated),
		cmocka_unit_test(broken_pem_is_refused),
		cmocka_unit_test(other_pem_blocks_and_mixtures_are_refused),
		cmocka_unit_test(pages_and_json_are_called_by_their_names),
		cmocka_unit_test(a_large_body_is_decoded_whole),
		cmocka_unit_test(base64_is_encoded_as_the_standard_prints_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

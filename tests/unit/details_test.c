/* SPDX-License-Identifier: MIT */
/* Extensions in words: what RFC 5280 section 4.2 names, a few that are met besides, and what is
 * malformed, which is said and shown as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "forge.h"
#include "x509_text.h"

#define CE(last) BYTES(0x55, 0x1d, last)
#define PE(last) BYTES(0x2b, 6, 1, 5, 5, 7, 1, last)

static const struct row {
	struct est_span oid, value;
	const char *text;
} rows[] = {
	/* keyUsage, extKeyUsage, names */
	{ CE(15), BYTES(3, 3, 7, 0x06, 0x80), "keyCertSign, cRLSign, decipherOnly" },
	{ CE(37), BYTES(0x30, 6, 6, 4, 0x55, 0x1d, 0x25, 0), "anyExtendedKeyUsage" },
	{ CE(17), BYTES(0x30, 5, 0xa3, 3, 0x13, 1, 'a'), "x400:#130161" },
	{ CE(18), BYTES(0x30, 5, 0xa5, 3, 0x81, 1, 'a'), "ediparty:#810161" },
	{ CE(18), BYTES(0x30, 0), "" },
	/* netscapeCertType, whose bits are others */
	{ BYTES(0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1), BYTES(3, 2, 2, 0xc4),
		"sslClient, sslServer, sslCA" },
	{ BYTES(0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1), BYTES(3, 2, 2, 0xc4, 0),
		"malformed #030202c400" },
	{ BYTES(0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1), BYTES(3, 0), "malformed #0300" },
	/* basicConstraints, key identifiers */
	{ CE(19), BYTES(0x30, 0), "no CA" },
	{ CE(19), BYTES(0x30, 6, 1, 1, 0xff, 2, 1, 3), "CA, path length 3" },
	{ CE(19), BYTES(0x30, 6, 1, 1, 0xff, 2, 1, 0x80), "malformed #30060101ff020180" },
	{ CE(14), BYTES(4, 2, 0xab, 0xcd), "abcd" },
	{ CE(14), BYTES(4, 3, 0xab, 0xcd), "malformed #0403abcd" },
	{ CE(35), BYTES(0x30, 7, 0x80, 2, 0xab, 0xcd, 0x82, 1, 7), "key abcd, serial 07" },
	/* privateKeyUsagePeriod: RFC 3280 */
	{ CE(16),
		BYTES(0x30, 34, 0x80, 15, '2', '0', '2', '6', '0', '1', '0', '2', '0', '3', '0',
			'4', '0', '5', 'Z', 0x81, 15, '2', '0', '2', '7', '0', '1', '0', '2', '0',
			'3', '0', '4', '0', '5', 'Z'),
		"not before 2026-01-02T03:04:05Z, not after 2027-01-02T03:04:05Z" },
	{ CE(16), BYTES(0x30, 3, 0x80, 1, '2'), "malformed #3003800132" },
	/* nameConstraints */
	{ CE(30),
		BYTES(0x30, 25, 0xa0, 12, 0x30, 10, 0x87, 8, 10, 0, 0, 0, 255, 0, 0, 0, 0xa1, 9,
			0x30, 7, 0x82, 5, '.', 'e', 'v', 'i', 'l'),
		"permitted ip:10.0.0.0/255.0.0.0, excluded dns:.evil" },
	{ CE(30), BYTES(0x30, 7, 0xa0, 5, 0x30, 3, 0x87, 1, 10), "malformed #3007a005300387010a" },
	/* certificatePolicies with both qualifiers, policyMappings, policyConstraints,
	 * inhibitAnyPolicy */
	{ CE(32),
		BYTES(0x30, 35, 0x30, 33, 6, 1, 0x2a, 0x30, 28, 0x30, 12, 6, 8, 0x2b, 6, 1, 5, 5, 7,
			2, 1, 0x16, 0, 0x30, 12, 6, 1, 0x29, 0x30, 7, 0x0c, 5, 't', '\x1b', 'x',
			't', '.'),
		"1.2  notice 't\\x1bxt.'" },
	{ CE(32),
		BYTES(0x30, 36, 0x30, 34, 6, 1, 0x2a, 0x30, 29, 0x30, 27, 6, 1, 0x29, 0x30, 22,
			0x30, 14, 0x1e, 4, 0x00, 0xfc, 0x20, 0xac, 0x30, 6, 2, 1, 1, 2, 1, 2, 0x1a,
			4, 't', 'e', 'x', 't'),
		"1.2 notice of \xc3\xbc\xe2\x82\xac 1 2 'text'" },
	{ CE(32), BYTES(0x30, 9, 0x30, 7, 6, 1, 0x2a, 0x30, 2, 0x30, 0),
		"malformed #3009300706012a30023000" },
	{ CE(33), BYTES(0x30, 8, 0x30, 6, 6, 1, 0x2a, 6, 1, 0x2b), "1.2 = 1.3" },
	{ CE(36), BYTES(0x30, 6, 0x80, 1, 2, 0x81, 1, 0),
		"explicit policy after 2, no mapping after 0" },
	{ CE(54), BYTES(2, 1, 7), "after 7" },
	{ CE(54), BYTES(2, 1, 0xff), "malformed #0201ff" },
	/* cRLDistributionPoints, freshestCRL, issuingDistributionPoint */
	{ CE(31),
		BYTES(0x30, 32, 0x30, 30, 0xa0, 5, 0xa0, 3, 0x86, 1, 'u', 0x81, 3, 7, 0x60, 0x80,
			0xa2, 16, 0xa4, 14, 0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1,
			'I'),
		"uri:u, reasons keyCompromise cACompromise aACompromise, issuer dirname:CN=I" },
	{ CE(46),
		BYTES(0x30, 16, 0x30, 14, 0xa0, 5, 0xa0, 3, 0x86, 1, 'u', 0x81, 3, 7, 0x60, 0x80,
			0x30, 0),
		"malformed #3010300ea005a00386017581030760803000" },
	{ CE(31), BYTES(0x30, 14, 0x30, 12, 0xa0, 5, 0xa0, 3, 0x86, 1, 'u', 0x81, 3, 7, 0x60, 0x80),
		"uri:u, reasons keyCompromise cACompromise aACompromise" },
	{ CE(31),
		BYTES(0x30, 16, 0x30, 14, 0xa0, 12, 0xa1, 10, 0x30, 8, 6, 3, 0x55, 4, 10, 0x0c, 1,
			'O'),
		"below the issuer O=O" },
	{ CE(31), BYTES(0x30, 8, 0x30, 6, 0xa0, 4, 0xa1, 2, 5, 0),
		"malformed #30083006a004a1020500" },
	{ CE(28), BYTES(0x30, 10, 0x82, 1, 0xff, 0x83, 2, 1, 2, 0x84, 1, 0xff),
		"CA certificates alone, reasons certificateHold, indirect" },
	{ CE(28), BYTES(0x30, 3, 0x85, 1, 0), "" },
	{ CE(27), BYTES(2, 2, 0, 0xab), "ab" },
	/* authorityInfoAccess, subjectInfoAccess, TLS features, OCSP no check */
	{ PE(1), BYTES(0x30, 15, 0x30, 13, 6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 0x86, 1, 'u'),
		"ocsp uri:u" },
	{ PE(11), BYTES(0x30, 15, 0x30, 13, 6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 5, 0x86, 1, 'u'),
		"caRepository uri:u" },
	{ PE(24), BYTES(0x30, 9, 2, 1, 5, 2, 1, 17, 2, 1, 42),
		"status_request, status_request_v2, 42" },
	{ PE(24), BYTES(0x30, 3, 4, 1, 5), "malformed #3003040105" },
	{ BYTES(0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5), BYTES(5, 0), "NULL" },
	/* Microsoft's templates: the name, with a character behind the BMP; the OID */
	{ BYTES(0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2),
		BYTES(0x1e, 8, 0, 'E', 0xd8, 0x3d, 0xde, 0, 0xd8, 0x3d),
		"E\xf0\x9f\x98\x80\\xed\\xa0\\xbd" },
	{ BYTES(0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x15, 7),
		BYTES(0x30, 9, 6, 1, 0x2a, 2, 1, 100, 2, 1, 5), "1.2 version 100.5" },
	/* otherName: RFC 4108, a UPN, and what is built of more, or broken */
	{ CE(17),
		BYTES(0x30, 0x1b, 0xa0, 0x19, 6, 8, 0x2b, 6, 1, 5, 5, 7, 8, 4, 0xa0, 0x0d, 0x30,
			0x0b, 6, 5, 0x2b, 6, 1, 4, 1, 4, 2, 0xca, 0xfe),
		"othername:hardwareModuleName:{1.3.6.1.4.1, cafe}" },
	{ CE(17),
		BYTES(0x30, 0x15, 0xa0, 0x13, 6, 0x0a, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2, 3,
			0xa0, 5, 0x0c, 3, 0x75, 0x40, 0x78),
		"othername:msUPN:u@x" },
	{ CE(17),
		BYTES(0x30, 0x18, 0xa0, 0x16, 6, 2, 0x2a, 3, 0xa0, 0x10, 0x30, 0x0e, 0x31, 9, 0x30,
			7, 0xa0, 5, 0x30, 3, 2, 1, 1, 0x1b, 2, 0x52),
		"othername:1.2.3:{{{{#3003020101}}}, #1b0252}" },
	/* two distribution points */
	{ CE(31),
		BYTES(0x30, 0x13, 0x30, 0x0a, 0xa0, 8, 0xa0, 6, 0x86, 1, 0x75, 0x86, 1, 0x76, 0x30,
			5, 0xa2, 3, 0x82, 1, 0x77),
		"uri:u, uri:v; issuer dns:w" },
	{ CE(32), BYTES(0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0), "anyPolicy" },
	/* of a CRL's entries */
	{ CE(23), BYTES(6, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 2, 2), "holdInstructionCallIssuer" },
	{ CE(29),
		BYTES(0x30, 0x10, 0xa4, 0x0e, 0x30, 0x0c, 0x31, 0x0a, 0x30, 8, 6, 3, 0x55, 4, 3,
			0x0c, 1, 0x49),
		"dirname:CN=I" },
	/* qualified certificates, what Certificate Transparency adds, Netscape's comment */
	{ PE(3),
		BYTES(0x30, 0x19, 0x30, 8, 6, 6, 4, 0, 0x8e, 0x46, 1, 1, 0x30, 0x0d, 6, 6, 4, 0,
			0x8e, 0x46, 1, 6, 0x30, 3, 6, 1, 0x2a),
		"{{qcCompliance}, {qcType, {1.2}}}" },
	{ BYTES(0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 3), BYTES(5, 0), "NULL" },
	{ BYTES(0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2),
		BYTES(4, 0x30, 0, 0x2e, 0, 0x29, 0, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
			0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3,
			0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf, 0,
			0, 1, 0x66, 0x17, 0xf1, 0x94, 0x7b, 0, 1, 1),
		"2 signed certificate timestamps: log a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf at 2018-09-26T22:13:20Z, of another version" },
	{ BYTES(0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2), BYTES(4, 2, 0, 0),
		"0 signed certificate timestamps" },
	{ BYTES(0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2),
		BYTES(4, 0x2c, 0, 0x2a, 0, 0x28, 0, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
			0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3,
			0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf, 0,
			0, 1, 0x66, 0x17, 0xf1, 0x94),
		"malformed #042c002a002800a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf0000016617f194" },
	{ BYTES(0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2),
		BYTES(4, 0x2d, 0, 0x2b, 0, 0x29, 0, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
			0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3,
			0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf,
			0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"malformed #042d002b002900a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf7fffffffffffffff" },
	{ BYTES(0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 13), BYTES(0x16, 2, 0x61, 0x1b),
		"a\\x1b" },
	/* Nobody's */
	{ BYTES(0x2a, 3), BYTES(0x0c, 1, 'a'), "#0c0161" },
};

static void extensions_are_words(void **state)
{
	struct est_buf out = { 0 };
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		out.n = 0;
		assert_int_equal(x509_extension_value(rows[i].oid, rows[i].value, &out, &err),
			EST_OK);
		if (out.n != strlen(rows[i].text) || (out.n && memcmp(out.p, rows[i].text, out.n)))
			fail_msg("row %zu: %.*s", i, (int)out.n, (const char *)out.p);
	}
	est_buf_free(&out);
}

/* However a value is cut short, it is read to its end, and what comes out can be printed. */
static void no_prefix_of_a_value_reads_behind_it(void **state)
{
	struct est_buf out = { 0 };
	struct est_error err;
	uint8_t *copy;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t n = 0; n < rows[i].value.n; n++) {
			copy = test_malloc(n + 1);
			memcpy(copy + 1, rows[i].value.p, n);
			out.n = 0;
			assert_int_equal(x509_extension_value(rows[i].oid,
						 (struct est_span){ copy + 1, n }, &out, &err),
				EST_OK);
			for (size_t k = 0; k < out.n; k++)
				assert_true(out.p[k] >= ' ' && out.p[k] != 0x7f);
			test_free(copy);
		}
	}
	est_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extensions_are_words),
		cmocka_unit_test(no_prefix_of_a_value_reads_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

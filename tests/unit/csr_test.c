/* SPDX-License-Identifier: MIT */
/* Certification requests, built. */
#include "csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "forge.h"
#include "key.h"

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct est_key *key;

static int set_up(void **state)
{
	struct est_error err;

	(void)state;
	return est_key_generate("ec:p256", &key, &err) == EST_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	est_key_free(key);
	return 0;
}

/* The request as its parts, and as another implementation sees it. */
static struct built {
	struct est_buf der;
	struct est_span subject, spki, attributes;
	gnutls_x509_crq_t crq;
	bool odd; /* not quite DER, by intent */
} built;

static void built_wipe(void)
{
	if (built.crq)
		gnutls_x509_crq_deinit(built.crq);
	est_buf_free(&built.der);
	built = (struct built){ 0 };
}

static void take_apart(void)
{
	gnutls_datum_t data = { built.der.p, (unsigned)built.der.n };
	struct est_span in = est_buf_span(&built.der);
	struct der_tlv request, info, tlv;
	struct csr_view view;
	struct est_error err;
	gnutls_pubkey_t pub;
	gnutls_datum_t signed_info, signature;

	assert_int_equal(csr_view(in, "built", &view, &err), EST_OK);
	assert_true(der_expect(&in, DER_SEQUENCE, &request));
	assert_true(der_expect(&request.body, DER_SEQUENCE, &info));
	assert_true(der_expect(&info.body, DER_INTEGER, &tlv));
	assert_true(est_span_eq(tlv.whole, BYTES(2, 1, 0))); /* v1 is 0 */
	assert_true(der_expect(&info.body, DER_SEQUENCE, &tlv));
	built.subject = tlv.whole;
	assert_true(der_expect(&info.body, DER_SEQUENCE, &tlv));
	built.spki = tlv.whole;
	assert_true(der_expect(&info.body, DER_CONTEXT_C(0), &tlv));
	built.attributes = tlv.whole;
	assert_int_equal(info.body.n, 0);
	assert_true(est_span_eq(view.subject, built.subject));
	assert_true(est_span_eq(view.spki, built.spki));
	assert_true(gnutls_x509_crq_init(&built.crq) >= 0);
	assert_true(gnutls_x509_crq_import(built.crq, &data, GNUTLS_X509_FMT_DER) >= 0);
	if (!built.odd)
		assert_true(gnutls_x509_crq_verify(built.crq, 0) >= 0);
	/* The bytes as they are: GnuTLS puts a SET in order before it verifies. */
	assert_true(der_expect(&request.body, DER_SEQUENCE, &tlv));
	assert_true(der_expect(&request.body, DER_BIT_STRING, &tlv));
	assert_int_equal(request.body.n + in.n, 0);
	signed_info = (gnutls_datum_t){ (uint8_t *)info.whole.p, (unsigned)info.whole.n };
	signature = (gnutls_datum_t){ (uint8_t *)tlv.body.p + 1, (unsigned)tlv.body.n - 1 };
	assert_true(gnutls_pubkey_init(&pub) >= 0);
	assert_true(gnutls_pubkey_import_x509_crq(pub, built.crq, 0) >= 0);
	assert_true(
		gnutls_pubkey_verify_data2(pub, gnutls_x509_crq_get_signature_algorithm(built.crq),
			0, &signed_info, &signature) >= 0);
	gnutls_pubkey_deinit(pub);
}

static void build_with(const struct est_csr_spec *spec, const struct est_key *with)
{
	struct est_error err;
	bool odd = built.odd;

	built_wipe();
	built.odd = odd;
	if (est_csr_build(spec, with, &built.der, &err) != EST_OK)
		fail_msg("%s", err.msg);
	take_apart();
}

static void build(const struct est_csr_spec *spec)
{
	build_with(spec, key);
}

static void expect_usage(const struct est_csr_spec *spec, const char *why)
{
	struct est_buf der = { 0 };
	struct est_error err = { 0 };

	if (est_csr_build(spec, key, &der, &err) != EST_E_USAGE)
		fail_msg("taken, or not a usage error: %s", err.msg);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
	for (const char *p = err.msg; *p; p++)
		assert_true((unsigned char)*p >= ' ');
	assert_int_equal(der.n, 0);
}

/* The contents of an extension of the request. */
static struct est_buf extension(const char *oid, bool *critical)
{
	struct est_buf out = { 0 };
	uint8_t value[4096];
	size_t n = sizeof(value);
	unsigned crit = 2;

	assert_true(gnutls_x509_crq_get_extension_by_oid(built.crq, oid, 0, value, &n, &crit) >= 0);
	forge_append(&out, (struct est_span){ value, n });
	*critical = crit == 1;
	return out;
}

static void expect_extension(const char *oid, bool critical, struct est_span value)
{
	bool is_critical;
	struct est_buf found = extension(oid, &is_critical);

	assert_int_equal(is_critical, critical);
	assert_true(est_span_eq(est_buf_span(&found), value));
	est_buf_free(&found);
}

/* proves: R7030-4.2.1-02 */
static void every_type_of_key_signs_its_request(void **state)
{
	static const char *const types[] = { "ec:p256", "ec:p384", "ec:p521", "rsa:2048", "ed25519",
		"ed448" };
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct est_key *one = NULL;
		struct est_buf spki = { 0 };

		assert_int_equal(est_key_generate(types[i], &one, &err), EST_OK);
		assert_int_equal(key_spki(one, &spki, &err), EST_OK);
		build_with(&(struct est_csr_spec){ .subject = "CN=a" }, one);
		assert_true(est_span_eq(built.spki, est_buf_span(&spki)));
		if (strncmp(types[i], "ed", 2) != 0) {
			build_with(&(struct est_csr_spec){ .subject = "CN=a", .hash = "sha512" },
				one);
			assert_int_equal(gnutls_sign_get_hash_algorithm(
						 gnutls_x509_crq_get_signature_algorithm(
							 built.crq)),
				GNUTLS_DIG_SHA512);
		}
		est_buf_free(&spki);
		est_key_free(one);
	}
	expect_usage(&(struct est_csr_spec){ .hash = "sha1" }, "--hash sha1");
	built_wipe();
}

static void a_request_without_extensions_has_an_empty_set_of_attributes(void **state)
{
	(void)state; /* RFC 2986 section 4.1: attributes is not OPTIONAL */
	build(&(struct est_csr_spec){ .subject = "CN=a" });
	assert_true(est_span_eq(built.attributes, BYTES(0xa0, 0)));
	build(&(struct est_csr_spec){ 0 });
	assert_true(est_span_eq(built.attributes, BYTES(0xa0, 0)));
	assert_true(est_span_eq(built.subject, BYTES(0x30, 0)));
	build(&(struct est_csr_spec){ .subject = "" });
	assert_true(est_span_eq(built.subject, BYTES(0x30, 0)));
	built_wipe();
}

static void the_subject_is_in_the_reverse_order_of_its_text(void **state)
{
	(void)state; /* RFC 4514 section 2.1: the text begins with the last RDN */
	build(&(struct est_csr_spec){ .subject = "CN=d,O=Ex,C=DE" });
	assert_true(est_span_eq(built.subject,
		BYTES(0x30, 0x26, 0x31, 0x0b, 0x30, 9, 6, 3, 0x55, 4, 6, 0x13, 2, 'D', 'E', 0x31,
			0x0b, 0x30, 9, 6, 3, 0x55, 4, 0x0a, 0x13, 2, 'E', 'x', 0x31, 0x0a, 0x30, 8,
			6, 3, 0x55, 4, 3, 0x13, 1, 'd')));
	built_wipe();
}

/* The value of the one attribute with this OID in the subject. */
static void expect_attribute(const char *subject, const char *oid, const char *value)
{
	char text[256];
	size_t n = sizeof(text);

	build(&(struct est_csr_spec){ .subject = subject });
	if (gnutls_x509_crq_get_dn_by_oid(built.crq, oid, 0, 1, text, &n) < 0)
		fail_msg("%s: no %s", subject, oid);
	/* raw: with identifier and length */
	if (n != strlen(value) + 2 || memcmp(text + 2, value, n - 2) != 0)
		fail_msg("%s: '%.*s', not '%s'", subject, (int)n, text, value);
}

static void escapes_in_the_subject_are_undone(void **state)
{
	(void)state;
	expect_attribute("CN=a\\,b", "2.5.4.3", "a,b");
	expect_attribute("CN=a\\+b", "2.5.4.3", "a+b");
	expect_attribute("CN=\\\"a\\\"", "2.5.4.3", "\"a\"");
	expect_attribute("CN=a\\\\b", "2.5.4.3", "a\\b");
	expect_attribute("CN=a\\=b", "2.5.4.3", "a=b");
	expect_attribute("CN=a=b", "2.5.4.3", "a=b");
	expect_attribute("CN=\\#a", "2.5.4.3", "#a");
	expect_attribute("CN=a\\;b\\<c\\>", "2.5.4.3", "a;b<c>");
	expect_attribute("CN=a b", "2.5.4.3", "a b");
	expect_attribute("CN=\\ a", "2.5.4.3", " a");
	expect_attribute("CN=a\\ ", "2.5.4.3", "a ");
	expect_attribute("CN=a\\20", "2.5.4.3", "a ");
	expect_attribute("CN=\\4c\\75\\c4\\8d", "2.5.4.3", "Lu\xc4\x8d");
	expect_attribute("CN=Lu\xc4\x8d", "2.5.4.3", "Lu\xc4\x8d");
	expect_attribute("CN=a, O=b", "2.5.4.10", "b");
	expect_attribute("2.5.4.3=a", "2.5.4.3", "a");
	expect_attribute("serialNumber=42", "2.5.4.5", "42");
	expect_attribute("DC=example", "0.9.2342.19200300.100.1.25", "example");
	expect_attribute("UID=me", "0.9.2342.19200300.100.1.1", "me");
	built_wipe();
}

static void two_attributes_of_one_rdn_stay_together(void **state)
{
	struct est_span in;
	struct der_tlv name, rdn, one;

	(void)state;
	build(&(struct est_csr_spec){ .subject = "CN=a+serialNumber=1,O=b" });
	in = built.subject;
	assert_true(der_expect(&in, DER_SEQUENCE, &name));
	assert_true(der_expect(&name.body, DER_SET, &rdn)); /* O */
	assert_true(der_expect(&name.body, DER_SET, &rdn));
	assert_int_equal(name.body.n, 0);
	assert_true(der_expect(&rdn.body, DER_SEQUENCE, &one));
	assert_true(der_expect(&rdn.body, DER_SEQUENCE, &one));
	assert_int_equal(rdn.body.n, 0);
	built_wipe();
}

static void expect_subject(const char *subject, struct est_span rdns)
{
	struct est_buf name = { 0 };

	forge_put(&name, DER_SEQUENCE, rdns);
	build(&(struct est_csr_spec){ .subject = subject });
	if (!est_span_eq(built.subject, est_buf_span(&name)))
		fail_msg("%s: another encoding was due", subject);
	est_buf_free(&name);
	built_wipe();
}

static void a_name_has_the_string_type_of_its_attribute(void **state)
{
	(void)state; /* RFC 5280 appendix A.1 */
	expect_subject("c=DE", BYTES(0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 6, 0x13, 2, 'D', 'E'));
	expect_subject("SERIALNUMBER=1-2",
		BYTES(0x31, 12, 0x30, 10, 6, 3, 0x55, 4, 5, 0x13, 3, '1', '-', '2'));
	expect_subject("E=a@b", BYTES(0x31, 18, 0x30, 16, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
					1, 9, 1, 0x16, 3, 'a', '@', 'b'));
	expect_subject("CN=#1e020061", BYTES(0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 3, 0x1e, 2, 0, 'a'));
	expect_subject("1.2.3=x", BYTES(0x31, 9, 0x30, 7, 6, 2, 0x2a, 3, 0x13, 1, 'x'));
	/* The SET of an RDN is in the order of its encodings: shorter first here. */
	expect_subject("CN=ab + 2.5.4.5 = 1 , O = b ",
		BYTES(0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 0x0a, 0x13, 1, 'b', 0x31, 21, 0x30, 8, 6, 3,
			0x55, 4, 5, 0x13, 1, '1', 0x30, 9, 6, 3, 0x55, 4, 3, 0x13, 2, 'a', 'b'));
}

static void a_name_may_have_128_attributes_and_no_more(void **state)
{
	struct est_buf text = { 0 };
	struct est_error err;

	(void)state;
	for (int i = 0; i < EST_RDNS_MAX; i++)
		assert_int_equal(est_buf_printf(&text, &err, "%sOU=%d",
					 i % 2 ? "+"
					 : i   ? ","
					       : "",
					 i),
			EST_OK);
	build(&(struct est_csr_spec){ .subject = (char *)text.p });
	assert_int_equal(est_buf_printf(&text, &err, ",OU=x"), EST_OK);
	expect_usage(&(struct est_csr_spec){ .subject = (char *)text.p }, "more attributes");
	est_buf_free(&text);
	built_wipe();
}

static void a_subject_that_is_no_name_is_refused(void **state)
{
	static const char *const subjects[] = { "a", "CN", "=a", "CN=a,", ",CN=a", "CN=a,,O=b",
		"NOSUCH=a", "CN=a;", "/CN=a", "CN=a,O", "CN=a\\", "CN=\xff\xfe", "C=GERMANY",
		"1.=x", "CN=a\\zz", "CN=#zz", "CN=a\"b", "CN=a+", "CN=", "CN= ", "CN=a+,O=b",
		"CN=\"a\"", "CN=<a>", "CN=#0c01", "CN=#0c0161zz", "CN=#0c01610", "C=D", "C=1A",
		"serialNumber=a*b", "DC=\xc3\xa9", "CN=\xc0\x80", "CN=\xed\xa0\x80",
		"CN=\xf4\x90\x80\x80", "CN=\xe2\x82", "CN=a\\00", "CN=a\\0a", "CN=a\tb", "1.2.3",
		"2.5.4.3.=a", "3.1=a", "CN a=b", "CN\\=a" };

	(void)state;
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		struct est_buf der = { 0 };
		struct est_error err = { 0 };

		if (est_csr_build(&(struct est_csr_spec){ .subject = subjects[i] }, key, &der,
			    &err) != EST_E_USAGE)
			fail_msg("'%s' was taken", subjects[i]);
		assert_non_null(strstr(err.msg, "--subject"));
		assert_int_equal(der.n, 0);
		est_buf_free(&der);
	}
	expect_usage(&(struct est_csr_spec){ .subject = "\x1b[2J" }, "\\x1b");
}

static void every_kind_of_alternative_name_is_written(void **state)
{
	(void)state;
	build(&(struct est_csr_spec){ .subject = "CN=a",
		.dns = LIST("a.example", "*.b.example"),
		.ip = LIST("192.0.2.1", "::1"),
		.email = LIST("m@a.example"),
		.uri = LIST("urn:x:y") });
	expect_extension("2.5.29.17", false,
		BYTES(0x30, 70, 0x82, 9, 'a', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0x82, 11, '*',
			'.', 'b', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0x87, 4, 192, 0, 2, 1,
			0x87, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x81, 11, 'm',
			'@', 'a', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0x86, 7, 'u', 'r', 'n',
			':', 'x', ':', 'y'));
	built_wipe();
}

static void alternative_names_are_critical_when_they_are_all_there_is(void **state)
{
	(void)state; /* RFC 5280 section 4.2.1.6 */
	build(&(struct est_csr_spec){ .dns = LIST("a") });
	assert_true(est_span_eq(built.subject, BYTES(0x30, 0)));
	expect_extension("2.5.29.17", true, BYTES(0x30, 3, 0x82, 1, 'a'));
	build(&(struct est_csr_spec){ .subject = "CN=a", .dns = LIST("a") });
	expect_extension("2.5.29.17", false, BYTES(0x30, 3, 0x82, 1, 'a'));
	built_wipe();
}

static void alternative_names_that_are_none_are_refused(void **state)
{
	static const char *const names[] = { "", "a b", " a", "a\n", "a\x1b", "\xc3\xa9.example",
		"a\x7f", "\xff" };
	static const char *const addresses[] = { "", "a", "1.2.3", "1.2.3.4.5", "256.1.1.1",
		"1.2.3.4/8", "::1/128", "[::1]", "01.2.3.4", "0x7f.1", "fe80::1%eth0", "1.2.3.4 ",
		"::g", "1::2::3" };
	char longest[1026];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		expect_usage(&(struct est_csr_spec){ .dns = LIST(names[i]) }, "--dns");
		expect_usage(&(struct est_csr_spec){ .email = LIST(names[i]) }, "--email");
		expect_usage(&(struct est_csr_spec){ .uri = LIST(names[i]) }, "--uri");
	}
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		expect_usage(&(struct est_csr_spec){ .ip = LIST(addresses[i]) }, "--ip");
	memset(longest, 'a', sizeof(longest));
	longest[1025] = '\0';
	expect_usage(&(struct est_csr_spec){ .dns = LIST(longest) }, "1024");
	expect_usage(&(struct est_csr_spec){ .dns = LIST("good", "b d") }, "--dns b d");
}

static void a_mailbox_has_an_at_sign_and_a_uri_a_scheme(void **state)
{
	static const char *const mail[] = { "a", "@a", "a@", "a.example" };
	static const char *const uri[] = { "a", "//a/b", ":a", "a:", "/path" };

	(void)state; /* RFC 5280 section 4.2.1.6 */
	for (size_t i = 0; i < sizeof(mail) / sizeof(mail[0]); i++)
		expect_usage(&(struct est_csr_spec){ .email = LIST(mail[i]) }, "--email");
	for (size_t i = 0; i < sizeof(uri) / sizeof(uri[0]); i++)
		expect_usage(&(struct est_csr_spec){ .uri = LIST(uri[i]) }, "--uri");
}

static void more_alternative_names_than_a_certificate_may_have_are_refused(void **state)
{
	const char *many[EST_SANS_MAX + 2] = { NULL };

	(void)state;
	for (size_t i = 0; i < EST_SANS_MAX; i++)
		many[i] = "a";
	build(&(struct est_csr_spec){ .dns = many });
	expect_usage(&(struct est_csr_spec){ .dns = many, .uri = LIST("urn:x") }, "1024");
	built_wipe();
}

static void key_usages_are_one_critical_bit_string(void **state)
{
	(void)state;
	build(&(struct est_csr_spec){ .subject = "CN=a", .key_usage = LIST("digitalSignature") });
	expect_extension("2.5.29.15", true, BYTES(3, 2, 7, 0x80));
	build(&(struct est_csr_spec){ .subject = "CN=a",
		.key_usage = LIST("digitalSignature", "keyAgreement", "digitalSignature") });
	expect_extension("2.5.29.15", true, BYTES(3, 2, 3, 0x88));
	build(&(struct est_csr_spec){ .subject = "CN=a",
		.key_usage = LIST("nonRepudiation", "keyEncipherment", "dataEncipherment") });
	expect_extension("2.5.29.15", true, BYTES(3, 2, 4, 0x70));
	expect_usage(&(struct est_csr_spec){ .key_usage = LIST("keyCertSign") }, "--key-usage");
	expect_usage(&(struct est_csr_spec){ .key_usage = LIST("") }, "--key-usage");
	expect_usage(&(struct est_csr_spec){ .key_usage = LIST("DigitalSignature") }, "not one of");
	expect_usage(&(struct est_csr_spec){ .key_usage = LIST("\x1b[2J") }, "--key-usage");
	built_wipe();
}

static void purposes_are_names_or_dotted_oids(void **state)
{
	static const char *const bad[] = { "", "server", ".", "1", "1.", ".1", "1..2", "3.1",
		"1.40", "9.9.9", "1.2.", "1.2.x", "1.2 ", "\x1b[2J",
		"1.2.99999999999999999999999999" };

	(void)state;
	build(&(struct est_csr_spec){ .subject = "CN=a",
		.ext_key_usage = LIST("serverAuth", "clientAuth", "1.3.6.1.5.5.7.3.28") });
	expect_extension("2.5.29.37", false,
		BYTES(0x30, 30, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2, 6,
			8, 0x2b, 6, 1, 5, 5, 7, 3, 28));
	build(&(struct est_csr_spec){ .subject = "CN=a",
		.ext_key_usage = LIST("codeSigning", "emailProtection", "timeStamping",
			"OCSPSigning", "2.5.29.37.0") });
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct est_buf der = { 0 };
		struct est_error err = { 0 };

		if (est_csr_build(&(struct est_csr_spec){ .ext_key_usage = LIST(bad[i]) }, key,
			    &der, &err) != EST_E_USAGE)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.msg, "--ext-key-usage"));
		assert_null(strchr(err.msg, '\x1b'));
		est_buf_free(&der);
	}
	built_wipe();
}

/* ---- Renewal ----------------------------------------------------------------------------------
 */

/* A certificate with this subject and SAN extension (whole Extension), renewed. */
static void expect_renewed(struct est_span subject, struct est_span san, bool critical)
{
	struct est_buf cert = { 0 }, list = { 0 };
	struct est_span ext, value;
	struct der_tlv tlv;

	if (san.n) {
		forge_append(&list, san);
		forge_wrap(&list, DER_SEQUENCE);
		forge_wrap(&list, DER_CONTEXT_C(3));
	}
	forge_cert(&(struct forge){ .subject = subject,
			   .tail = list.n ? est_buf_span(&list) : NOTHING },
		&cert);
	built.odd = true;
	build(&(struct est_csr_spec){ .renew = est_buf_span(&cert) });
	assert_true(est_span_eq(built.subject, subject));
	if (san.n) {
		assert_true(der_expect(&san, DER_SEQUENCE, &tlv));
		ext = tlv.body;
		while (der_next(&ext, &tlv))
			value = tlv.body; /* the last one is extnValue */
		expect_extension("2.5.29.17", critical, value);
	} else {
		assert_true(est_span_eq(built.attributes, BYTES(0xa0, 0)));
	}
	est_buf_free(&cert);
	est_buf_free(&list);
	built_wipe();
}

/* proves: R7030-4.2.2-01 */
static void a_renewal_copies_subject_and_names_byte_for_byte(void **state)
{
	/* A BMPString, a TeletexString, a multi-valued RDN out of order, an unknown attribute. */
	const struct est_span subject = BYTES(0x30, 0x3b, 0x31, 0x0d, 0x30, 0x0b, 6, 3, 0x55, 4, 3,
		0x1e, 4, 0, 'h', 0, 'i', 0x31, 0x0b, 0x30, 9, 6, 3, 0x55, 4, 0x0a, 0x14, 2, 'E',
		'x', 0x31, 0x14, 0x30, 8, 6, 3, 0x55, 4, 5, 0x13, 1, '1', 0x30, 8, 6, 3, 0x55, 4, 3,
		0x13, 1, 'a', 0x31, 7, 0x30, 5, 6, 1, 0x2a, 0x05, 0);
	const struct est_span san = BYTES(0x30, 14, 6, 3, 0x55, 0x1d, 0x11, 4, 7, 0x30, 5, 0x82, 3,
		'A', '.', 'B');
	const struct est_span critical = BYTES(0x30, 17, 6, 3, 0x55, 0x1d, 0x11, 1, 1, 0xff, 4, 7,
		0x30, 5, 0x82, 3, 'A', '.', 'B');
	/* An otherName and a dNSName that nobody would let us ask for. */
	const struct est_span odd = BYTES(0x30, 23, 6, 3, 0x55, 0x1d, 0x11, 4, 16, 0x30, 14, 0xa0,
		7, 6, 1, 0x2a, 0xa0, 2, 5, 0, 0x82, 3, 'a', ' ', 0xe9);

	(void)state;
	expect_renewed(subject, NOTHING, false);
	expect_renewed(subject, san, false);
	expect_renewed(subject, critical, true);
	expect_renewed(subject, odd, false);
	expect_renewed(BYTES(0x30, 0), san, false); /* as the old one has it */
}

/* proves: R6402-2.8-01 */
static void only_a_renewal_changes_a_subject(void **state)
{
	const struct est_csr_spec spec = { .subject = "CN=a", .change_subject = "CN=b" };
	struct est_key *fresh = NULL;
	struct est_buf der = { 0 };
	struct est_error why;

	(void)state;
	assert_int_equal(est_key_generate("ed25519", &fresh, &why), EST_OK);
	assert_int_equal(est_csr_build(&spec, fresh, &der, &why), EST_E_USAGE);
	assert_int_equal(der.n, 0);
	est_key_free(fresh);
}

static void a_renewal_takes_no_other_names_but_usages(void **state)
{
	struct est_buf cert = { 0 };
	struct est_span renew;

	(void)state;
	forge_cert(&(struct forge){ 0 }, &cert);
	renew = est_buf_span(&cert);
	expect_usage(&(struct est_csr_spec){ .renew = renew, .subject = "CN=a" }, "4.2.2");
	expect_usage(&(struct est_csr_spec){ .renew = renew, .dns = LIST("a") }, "4.2.2");
	expect_usage(&(struct est_csr_spec){ .renew = renew, .ip = LIST("::1") }, "4.2.2");
	expect_usage(&(struct est_csr_spec){ .renew = renew, .email = LIST("a@b") }, "4.2.2");
	expect_usage(&(struct est_csr_spec){ .renew = renew, .uri = LIST("a:b") }, "4.2.2");
	build(&(struct est_csr_spec){ .renew = renew, .ext_key_usage = LIST("clientAuth") });
	expect_extension("2.5.29.37", false, BYTES(0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2));
	est_buf_free(&cert);
	built_wipe();
}

static void a_renewal_of_what_is_no_certificate_fails(void **state)
{
	struct est_buf der = { 0 };
	struct est_error err;

	(void)state;
	assert_int_not_equal(est_csr_build(&(struct est_csr_spec){ .renew = BYTES(0x30, 0) }, key,
				     &der, &err),
		EST_OK);
	assert_int_equal(der.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_of_key_signs_its_request),
		cmocka_unit_test(a_request_without_extensions_has_an_empty_set_of_attributes),
		cmocka_unit_test(the_subject_is_in_the_reverse_order_of_its_text),
		cmocka_unit_test(escapes_in_the_subject_are_undone),
		cmocka_unit_test(two_attributes_of_one_rdn_stay_together),
		cmocka_unit_test(a_name_has_the_string_type_of_its_attribute),
		cmocka_unit_test(a_name_may_have_128_attributes_and_no_more),
		cmocka_unit_test(a_subject_that_is_no_name_is_refused),
		cmocka_unit_test(every_kind_of_alternative_name_is_written),
		cmocka_unit_test(alternative_names_are_critical_when_they_are_all_there_is),
		cmocka_unit_test(alternative_names_that_are_none_are_refused),
		cmocka_unit_test(a_mailbox_has_an_at_sign_and_a_uri_a_scheme),
		cmocka_unit_test(more_alternative_names_than_a_certificate_may_have_are_refused),
		cmocka_unit_test(key_usages_are_one_critical_bit_string),
		cmocka_unit_test(purposes_are_names_or_dotted_oids),
		cmocka_unit_test(a_renewal_copies_subject_and_names_byte_for_byte),
		cmocka_unit_test(only_a_renewal_changes_a_subject),
		cmocka_unit_test(a_renewal_takes_no_other_names_but_usages),
		cmocka_unit_test(a_renewal_of_what_is_no_certificate_fails),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

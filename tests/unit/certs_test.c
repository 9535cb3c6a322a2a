/* SPDX-License-Identifier: MIT */
/* Certs-only messages, as the standards print them and as they are broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "certs.h"
#include "forge.h"
#include "vectors.h"

#define BIT(quirk) (1u << EST_Q_##quirk)

/* Decodes what is in der and empties it. */
static enum est_code decode(struct est_buf *der, struct est_quirks *quirks,
	struct est_certs **certs, struct est_error *err)
{
	enum est_code rc = est_certs_decode(est_buf_span(der), quirks, certs, err);

	est_buf_free(der);
	return rc;
}

/* The bag is taken with n certificates and exactly these deviations, and refused under strict if
 * there is one. */
static void assert_taken(const struct forge_bag *bag, size_t n, uint32_t deviations)
{
	struct est_quirks quirks = { 0 }, strict = { .strict = true };
	struct est_certs *certs = NULL;
	struct est_error err = { 0 };
	struct est_buf der = { 0 };

	forge_bag(bag, &der);
	if (decode(&der, &quirks, &certs, &err) != EST_OK)
		fail_msg("refused: %s", err.msg);
	assert_int_equal(est_certs_count(certs), n);
	assert_int_equal(quirks.seen, deviations);
	est_certs_free(certs);
	certs = NULL;
	forge_bag(bag, &der);
	assert_int_equal(decode(&der, &strict, &certs, &err), deviations ? EST_E_PROTOCOL : EST_OK);
	if (deviations) {
		assert_null(certs);
		assert_non_null(strstr(err.msg, "--strict"));
	}
	est_certs_free(certs);
}

static void assert_refused_bytes(struct est_span cms, const char *why)
{
	struct est_quirks quirks = { 0 };
	struct est_certs *certs = NULL;
	struct est_error err = { 0 };

	assert_int_equal(est_certs_decode(cms, &quirks, &certs, &err), EST_E_PROTOCOL);
	assert_null(certs);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void assert_refused(const struct forge_bag *bag, const char *why)
{
	struct est_buf der = { 0 };

	forge_bag(bag, &der);
	assert_refused_bytes(est_buf_span(&der), why);
	est_buf_free(&der);
}

/* n different certificates one after the other. */
static struct est_span some_certs(unsigned n, struct est_buf *buf)
{
	*buf = (struct est_buf){ 0 };
	for (unsigned i = 0; i < n; i++)
		forge_numbered(i, buf);
	return est_buf_span(buf);
}

/* proves: R7030-4.1.3-03 */
static void the_four_certificates_of_rfc_7030_a1_come_in_their_order(void **state)
{
	static const char *const subjects[] = { "CN=estExampleCA OwO", "CN=estExampleCA NwO",
		"CN=estExampleCA OwN", "CN=estExampleCA NwN" };
	struct est_quirks quirks = { .strict = true };
	struct est_certs *certs = NULL;
	struct est_error err = { 0 };
	struct est_cert_info info;
	struct est_buf der = { 0 };

	(void)state;
	read_vector("rfc7030-a1-cacerts-response.der", &der);
	assert_int_equal(decode(&der, &quirks, &certs, &err), EST_OK);
	assert_int_equal(quirks.seen, 0);
	assert_int_equal(est_certs_count(certs), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(est_cert_info(est_certs_get(certs, i), &info, &err), EST_OK);
		assert_string_equal(info.subject, subjects[i]);
		assert_int_equal(info.self_signed, i == 0 || i == 3);
		est_cert_info_wipe(&info);
	}
	est_certs_free(certs);
}

/* proves: R7030-4.2.3-01 */
static void the_issued_certificates_of_rfc_7030_a3_and_a4_decode(void **state)
{
	static const char *const names[] = { "rfc7030-a3-simpleenroll-response.der",
		"rfc7030-a4-serverkeygen-cert.der" };
	static const char *const serials[] = { "15", "16" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct est_quirks quirks = { .strict = true };
		struct est_certs *certs = NULL;
		struct est_error err = { 0 };
		struct est_cert_info info;
		struct est_buf der = { 0 };

		read_vector(names[i], &der);
		assert_int_equal(decode(&der, &quirks, &certs, &err), EST_OK);
		assert_int_equal(est_certs_count(certs), 1);
		assert_int_equal(est_cert_info(est_certs_get(certs, 0), &info, &err), EST_OK);
		assert_string_equal(info.serial, serials[i]);
		assert_string_equal(info.issuer, "CN=estExampleCA NwN");
		assert_false(info.self_signed);
		est_cert_info_wipe(&info);
		est_certs_free(certs);
	}
}

/* proves: R7030-4.1.3-02 */
static void what_is_no_certs_only_message_is_named(void **state)
{
	static const struct {
		const char *vector, *why;
	} others[] = {
		{ "rfc7030-a2-csrattrs.der", "a list of CSR attributes" },
		{ "rfc7030-4.5.2-empty.der", "a list of CSR attributes" },
		{ "rfc7030-a3-simpleenroll-request.der", "a certification request" },
		{ "rfc7030-a4-serverkeygen-key.der", "a private key" },
		{ "rfc7030-a1-cacerts-response.b64", "not a certs-only message" },
		{ "rfc7030-a4-serverkeygen-response.multipart", "not a certs-only message" },
	};
	struct est_buf data = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		read_vector(others[i].vector, &data);
		assert_refused_bytes(est_buf_span(&data), others[i].why);
		est_buf_free(&data);
	}
	assert_refused_bytes(NOTHING, "empty");
	assert_refused_bytes(est_span_str("<!DOCTYPE html><html>"), "HTML");
}

static void a_message_cut_short_is_refused_at_every_length(void **state)
{
	struct est_buf der = { 0 };

	(void)state;
	read_vector("rfc7030-a3-simpleenroll-response.der", &der);
	for (size_t n = 0; n < der.n; n++) {
		uint8_t *exact = test_malloc(n + 1);

		memcpy(exact, der.p, n);
		assert_refused_bytes((struct est_span){ exact, n }, "");
		test_free(exact);
	}
	est_buf_free(&der);
}

/* proves: Q-BER */
static void indefinite_lengths_around_the_set_are_taken(void **state)
{
	struct est_buf certs;

	(void)state;
	assert_taken(&(struct forge_bag){ .certs = some_certs(3, &certs), .indefinite = true }, 3,
		BIT(BER));
	/* Lengths that are longer than they need be, too. */
	assert_taken(&(struct forge_bag){ .certs = est_buf_span(&certs),
			     .digests = BYTES(0x31, 0x81, 0x00) },
		3, BIT(BER));
	est_buf_free(&certs);
}

/* proves: R8951-3-01 */
static void a_certificate_itself_must_be_der(void **state)
{
	struct est_buf cert = { 0 };

	(void)state;
	forge_cert(&(struct forge){ .serial = BYTES(0x02, 0x81, 0x01, 0x05) }, &cert);
	assert_refused(&(struct forge_bag){ .certs = est_buf_span(&cert) }, "not valid DER");
	assert_refused(&(struct forge_bag){ .certs = BYTES(0x30, 0x80, 0, 0), .indefinite = true },
		"certificate 1");
	est_buf_free(&cert);
}

/* proves: Q-ECONTENT */
static void an_empty_or_null_content_is_taken(void **state)
{
	const uint8_t oid[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };
	const struct est_span contents[] = { BYTES(0xa0, 2, 4, 0), BYTES(0xa0, 2, 5, 0),
		BYTES(0xa0, 0), BYTES(0xa0, 4, 0x24, 2, 4, 0) };
	struct est_buf certs, encap = { 0 };

	(void)state;
	(void)some_certs(1, &certs);
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		forge_append(&encap, (struct est_span){ oid, sizeof(oid) });
		forge_append(&encap, contents[i]);
		forge_wrap(&encap, DER_SEQUENCE);
		assert_taken(&(struct forge_bag){ .certs = est_buf_span(&certs),
				     .encap = est_buf_span(&encap) },
			1, BIT(ECONTENT));
		est_buf_free(&encap);
	}
	est_buf_free(&certs);
}

/* proves: R7030-4.1.3-03 */
static void a_message_with_content_is_not_certs_only(void **state)
{
	const uint8_t oid[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };
	const struct est_span contents[] = { BYTES(0xa0, 3, 4, 1, 'x'),
		BYTES(0xa0, 5, 0x24, 3, 4, 1, 'x'), BYTES(0xa0, 3, 5, 1, 0),
		BYTES(0xa0, 2, 0x30, 0), BYTES(0xa0, 4, 4, 0, 4, 0) };
	struct est_buf certs, encap = { 0 };

	(void)state;
	(void)some_certs(1, &certs);
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		forge_append(&encap, (struct est_span){ oid, sizeof(oid) });
		forge_append(&encap, contents[i]);
		forge_wrap(&encap, DER_SEQUENCE);
		assert_refused(&(struct forge_bag){ .certs = est_buf_span(&certs),
				       .encap = est_buf_span(&encap) },
			"not certs-only");
		est_buf_free(&encap);
	}
	/* A SignerInfo, whatever is in it. */
	assert_refused(&(struct forge_bag){ .certs = est_buf_span(&certs),
			       .signers = BYTES(0x31, 2, 0x30, 0) },
		"signature");
	est_buf_free(&certs);
}

/* proves: Q-ECONTENT-TYPE */
static void another_content_type_inside_is_taken(void **state)
{
	struct est_buf certs;

	/* id-digestedData, as GnuTLS writes it. */
	(void)state;
	assert_taken(&(struct forge_bag){ .certs = some_certs(2, &certs),
			     .encap = BYTES(0x30, 0x0b, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1,
				     7, 5) },
		2, BIT(ECONTENT_TYPE));
	est_buf_free(&certs);
}

/* proves: Q-BARE-CERT */
static void a_bare_certificate_is_a_bag_of_one(void **state)
{
	struct est_quirks quirks = { 0 }, strict = { .strict = true };
	struct est_certs *certs = NULL;
	struct est_error err = { 0 };
	struct est_buf der = { 0 };
	struct est_span cert;

	(void)state;
	forge_cert(&(struct forge){ 0 }, &der);
	cert = est_buf_span(&der);
	assert_int_equal(est_certs_decode(cert, &quirks, &certs, &err), EST_OK);
	assert_int_equal(quirks.seen, BIT(BARE_CERT));
	assert_true(est_span_eq(est_certs_get(certs, 0), cert));
	est_certs_free(certs);
	assert_int_equal(est_certs_decode(cert, &strict, &certs, &err), EST_E_PROTOCOL);
	est_buf_free(&der);
}

static void signed_data_without_content_info_gets_a_hint(void **state)
{
	struct est_certs *certs = NULL;
	struct est_quirks quirks = { 0 };
	struct est_error err = { 0 };
	struct est_span outer, inner;
	struct est_buf der = { 0 };
	struct der_tlv tlv;

	(void)state;
	read_vector("rfc7030-a3-simpleenroll-response.der", &der);
	outer = est_buf_span(&der);
	assert_true(der_next(&outer, &tlv));
	inner = tlv.body;
	assert_true(
		der_expect(&inner, DER_OID, &tlv) && der_expect(&inner, DER_CONTEXT_C(0), &tlv));
	assert_int_equal(est_certs_decode(tlv.body, &quirks, &certs, &err), EST_E_PROTOCOL);
	assert_non_null(strstr(err.hint, "ContentInfo"));
	est_buf_free(&der);
}

/* proves: Q-OTHER-CERTS */
static void other_kinds_of_certificates_are_skipped(void **state)
{
	struct est_buf certs;

	(void)state;
	(void)some_certs(1, &certs);
	forge_append(&certs, BYTES(0xa0, 0, 0xa1, 2, 0x30, 0, 0xa2, 0, 0xa3, 0));
	forge_numbered(7, &certs);
	assert_taken(&(struct forge_bag){ .certs = est_buf_span(&certs) }, 2, BIT(OTHER_CERTS));
	est_buf_free(&certs);
	assert_refused(&(struct forge_bag){ .certs = BYTES(0xa1, 0) }, "no certificate");
	assert_refused(&(struct forge_bag){ .certs = BYTES(0xa1, 2, 0x30, 5) }, "certificate 1");
}

/* proves: Q-DUPLICATE */
static void a_certificate_twice_is_kept_once(void **state)
{
	struct est_buf certs;

	(void)state;
	(void)some_certs(40, &certs);
	forge_numbered(3, &certs);
	forge_numbered(3, &certs);
	assert_taken(&(struct forge_bag){ .certs = est_buf_span(&certs) }, 40, BIT(DUPLICATE));
	est_buf_free(&certs);
}

/* proves: R7030-4.1.3-02 */
static void a_bag_without_certificates_is_refused(void **state)
{
	(void)state;
	assert_refused(&(struct forge_bag){ .no_certs = true }, "no certificate");
	assert_refused(&(struct forge_bag){ .certs = NOTHING }, "no certificate");
	assert_refused(&(struct forge_bag){ .certs = NOTHING, .indefinite = true },
		"no certificate");
}

/* proves: Q-TRAILING */
static void only_blanks_and_nul_may_follow_the_message(void **state)
{
	struct est_quirks quirks = { 0 };
	struct est_certs *certs = NULL;
	struct est_error err = { 0 };
	struct est_buf inner, der = { 0 };

	(void)state;
	forge_bag(&(struct forge_bag){ .certs = some_certs(1, &inner) }, &der);
	forge_append(&der, BYTES('\r', '\n', 0, ' ', '\t', 0));
	assert_int_equal(est_certs_decode(est_buf_span(&der), &quirks, &certs, &err), EST_OK);
	assert_int_equal(quirks.seen, BIT(TRAILING));
	est_certs_free(certs);
	quirks = (struct est_quirks){ .strict = true };
	assert_int_equal(est_certs_decode(est_buf_span(&der), &quirks, &certs, &err),
		EST_E_PROTOCOL);
	forge_append(&der, BYTES('x'));
	assert_refused_bytes(est_buf_span(&der), "after its end");
	est_buf_free(&der);
	est_buf_free(&inner);
}

static void a_frame_that_breaks_the_schema_is_refused(void **state)
{
	struct est_buf certs, digests = { 0 };
	struct forge_bag bag = { .certs = some_certs(1, &certs) };

	(void)state;
	bag.version = BYTES(0x04, 1, 1);
	assert_refused(&bag, "version");
	bag.version = NOTHING;
	assert_refused(&bag, "version");
	bag.version = BYTES(0x02, 0);
	assert_refused(&bag, "version");
	bag.version = BYTES(0x02, 1, 6);
	assert_refused(&bag, "version");
	bag.version = (struct est_span){ 0 };
	bag.digests = BYTES(0x31, 2, 0x04, 0);
	assert_refused(&bag, "schema");
	bag.digests = BYTES(0x31, 2, 0x30, 5);
	assert_refused(&bag, "BER");
	forge_repeat(&digests, BYTES(0x30, 3, 6, 1, 0x2a), 1000);
	forge_wrap(&digests, DER_SET);
	bag.digests = est_buf_span(&digests);
	assert_refused(&bag, "more than 4096 bytes");
	bag.digests = (struct est_span){ 0 };
	bag.encap = BYTES(0x30, 0);
	assert_refused(&bag, "eContentType");
	bag.encap = (struct est_span){ 0 };
	bag.signers = NOTHING;
	assert_refused(&bag, "signerInfos");
	bag.signers = BYTES(0x31, 0, 0x31, 0);
	assert_refused(&bag, "signerInfos");
	bag.signers = (struct est_span){ 0 };
	bag.content_type = BYTES(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3);
	assert_refused(&bag, "envelopedData");
	est_buf_free(&digests);
	est_buf_free(&certs);
}

/* proves: R5272-4.1-01 */
static void the_set_may_come_in_any_order(void **state)
{
	struct est_quirks quirks = { .strict = true };
	struct est_certs *certs = NULL;
	struct est_error err = { 0 };
	struct est_buf list = { 0 }, der = { 0 }, first = { 0 };

	(void)state;
	forge_numbered(9, &list);
	forge_numbered(2, &list);
	forge_numbered(5, &list);
	forge_numbered(9, &first);
	forge_bag(&(struct forge_bag){ .certs = est_buf_span(&list) }, &der);
	assert_int_equal(decode(&der, &quirks, &certs, &err), EST_OK);
	assert_int_equal(est_certs_count(certs), 3);
	assert_true(est_span_eq(est_certs_get(certs, 0), est_buf_span(&first)));
	est_certs_free(certs);
	est_buf_free(&list);
	est_buf_free(&first);
}

static void at_most_1024_certificates_and_16_crls_are_taken(void **state)
{
	struct est_buf certs, crls = { 0 };

	(void)state;
	assert_taken(&(struct forge_bag){ .certs = some_certs(EST_CERTS_MAX, &certs) },
		EST_CERTS_MAX, 0);
	forge_numbered(EST_CERTS_MAX, &certs);
	assert_refused(&(struct forge_bag){ .certs = est_buf_span(&certs) },
		"more than 1024 certificates");
	est_buf_free(&certs);
	(void)some_certs(1, &certs);
	forge_repeat(&crls, BYTES(0x30, 0), EST_CRLS_MAX);
	forge_wrap(&crls, DER_CONTEXT_C(1));
	assert_taken(&(struct forge_bag){ .certs = est_buf_span(&certs),
			     .crls = est_buf_span(&crls) },
		1, 0);
	est_buf_free(&crls);
	forge_repeat(&crls, BYTES(0x30, 0), EST_CRLS_MAX + 1);
	forge_wrap(&crls, DER_CONTEXT_C(1));
	assert_refused(&(struct forge_bag){ .certs = est_buf_span(&certs),
			       .crls = est_buf_span(&crls) },
		"more than 16 CRLs");
	est_buf_free(&crls);
	est_buf_free(&certs);
}

/* Processor seconds to refuse a bag of a million of these two bytes. */
static double seconds_for_a_million(struct est_span member, const char *why)
{
	struct est_buf set = { 0 }, der = { 0 };
	clock_t begin;
	double seconds;

	forge_repeat(&set, member, 1000000);
	forge_bag(&(struct forge_bag){ .certs = est_buf_span(&set) }, &der);
	est_buf_free(&set);
	begin = clock();
	assert_refused_bytes(est_buf_span(&der), why);
	seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
	est_buf_free(&der);
	return seconds;
}

static void a_million_empty_members_are_refused_at_once(void **state)
{
	(void)state;
	assert_true(seconds_for_a_million(BYTES(0x30, 0), "certificate 1") < 0.2);
	assert_true(seconds_for_a_million(BYTES(0xa1, 0), "more than 1024") < 0.2);
	assert_true(seconds_for_a_million(BYTES(0x00, 0), "") < 0.2);
}

/* proves: R7030-4.1.3-03 */
static void what_is_encoded_is_der_sorted_and_decodes_again(void **state)
{
	struct est_quirks quirks = { .strict = true };
	struct est_certs *certs = NULL;
	struct est_error err = { 0 };
	struct est_buf one[3] = { 0 }, der = { 0 };
	struct est_span list[3], again;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		forge_numbered(2 - i, &one[i]);
		list[i] = est_buf_span(&one[i]);
	}
	assert_int_equal(est_certs_encode(list, 3, &der, &err), EST_OK);
	again = est_buf_span(&der);
	assert_int_equal(der_walk(again, false, "bag", NULL, &err), EST_OK);
	assert_int_equal(est_certs_decode(again, &quirks, &certs, &err), EST_OK);
	assert_int_equal(est_certs_count(certs), 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(est_span_eq(est_certs_get(certs, i), list[2 - i]));
	}
	for (size_t i = 0; i < 3; i++)
		est_buf_free(&one[i]);
	est_certs_free(certs);
	est_buf_free(&der);
}

static void nothing_and_what_is_no_element_are_not_encoded(void **state)
{
	const struct est_span wrong[] = { BYTES(0x30), NOTHING, BYTES(0x30, 0, 0), BYTES(4, 0) };
	struct est_error err = { 0 };
	struct est_buf der = { 0 };

	(void)state;
	assert_int_equal(est_certs_encode(NULL, 0, &der, &err), EST_E_INTERNAL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(est_certs_encode(&wrong[i], 1, &der, &err), EST_E_INTERNAL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(est_bag_encode(NULL, 0, &wrong[i], 1, &der, &err), EST_E_INTERNAL);
	assert_int_equal(der.n, 0);
}

static void a_list_keeps_duplicates_out_when_asked(void **state)
{
	struct est_certs *certs = NULL;
	struct est_error err = { 0 };
	struct est_buf one = { 0 };
	bool added = false;

	(void)state;
	assert_int_equal(certs_new(&certs, &err), EST_OK);
	for (unsigned i = 0; i < 300; i++) {
		forge_numbered(i % 100, &one);
		assert_int_equal(certs_add(certs, est_buf_span(&one), true, &added, &err), EST_OK);
		assert_int_equal(added, i < 100);
		est_buf_free(&one);
	}
	assert_int_equal(est_certs_count(certs), 100);
	forge_numbered(5, &one);
	assert_int_equal(certs_add(certs, est_buf_span(&one), false, NULL, &err), EST_OK);
	assert_int_equal(est_certs_count(certs), 101);
	est_buf_free(&one);
	est_certs_free(certs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_four_certificates_of_rfc_7030_a1_come_in_their_order),
		cmocka_unit_test(the_issued_certificates_of_rfc_7030_a3_and_a4_decode),
		cmocka_unit_test(what_is_no_certs_only_message_is_named),
		cmocka_unit_test(a_message_cut_short_is_refused_at_every_length),
		cmocka_unit_test(indefinite_lengths_around_the_set_are_taken),
		cmocka_unit_test(a_certificate_itself_must_be_der),
		cmocka_unit_test(an_empty_or_null_content_is_taken),
		cmocka_unit_test(a_message_with_content_is_not_certs_only),
		cmocka_unit_test(another_content_type_inside_is_taken),
		cmocka_unit_test(a_bare_certificate_is_a_bag_of_one),
		cmocka_unit_test(signed_data_without_content_info_gets_a_hint),
		cmocka_unit_test(other_kinds_of_certificates_are_skipped),
		cmocka_unit_test(a_certificate_twice_is_kept_once),
		cmocka_unit_test(a_bag_without_certificates_is_refused),
		cmocka_unit_test(only_blanks_and_nul_may_follow_the_message),
		cmocka_unit_test(a_frame_that_breaks_the_schema_is_refused),
		cmocka_unit_test(the_set_may_come_in_any_order),
		cmocka_unit_test(at_most_1024_certificates_and_16_crls_are_taken),
		cmocka_unit_test(a_million_empty_members_are_refused_at_once),
		cmocka_unit_test(what_is_encoded_is_der_sorted_and_decodes_again),
		cmocka_unit_test(nothing_and_what_is_no_element_are_not_encoded),
		cmocka_unit_test(a_list_keeps_duplicates_out_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

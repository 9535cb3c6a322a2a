/* SPDX-License-Identifier: MIT */
/* The walk over DER and BER that every input passes first. */
#include "der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SPAN(...)                                                                                  \
	((struct est_span){ (const uint8_t[]){ __VA_ARGS__ },                                      \
		sizeof((const uint8_t[]){ __VA_ARGS__ }) })

/* A copy of exactly n bytes, so that reading beyond them is seen. */
static struct est_span copy(struct est_span in, size_t n)
{
	uint8_t *p = malloc(n > 0 ? n : 1);

	assert_non_null(p);
	memcpy(p, in.p, n);
	return (struct est_span){ p, n };
}

static void copy_free(struct est_span in)
{
	free((void *)in.p);
}

static enum est_code walk(struct est_span in, bool ber, struct der_stats *stats)
{
	struct est_error err = { 0 };
	enum est_code rc = der_walk(in, ber, "test", stats, &err);

	if (rc != EST_OK) {
		assert_int_equal(rc, EST_E_PROTOCOL);
		assert_int_equal(strncmp(err.msg, "test: ", 6), 0);
	}
	return rc;
}

static void refuse_element(struct est_span in, bool in_ber)
{
	struct est_span rest = in;
	struct der_tlv tlv = { .tag = 0x99 };

	assert_false(der_next(&rest, &tlv));
	if (!in_ber)
		assert_false(ber_next(&rest, &tlv));
	assert_ptr_equal(rest.p, in.p);
	assert_int_equal(rest.n, in.n);
	assert_int_equal(tlv.tag, 0x99);
	assert_int_equal(walk(in, false, NULL), EST_E_PROTOCOL);
	assert_int_equal(walk(in, true, NULL), in_ber ? EST_OK : EST_E_PROTOCOL);
}

/* ---- Single elements --------------------------------------------------------------------------
 */

static void elements_are_taken_off_the_front(void **state)
{
	struct est_span in = SPAN(0x02, 0x01, 0x05, 0x30, 0x02, 0x05, 0x00, 0x04, 0x00);
	struct der_tlv tlv;

	(void)state;
	assert_true(der_next(&in, &tlv));
	assert_int_equal(tlv.tag, DER_INTEGER);
	assert_int_equal(tlv.whole.n, 3);
	assert_int_equal(tlv.body.n, 1);
	assert_int_equal(tlv.body.p[0], 5);
	assert_false(tlv.ber);
	assert_false(der_expect(&in, DER_SET, &tlv));
	assert_int_equal(in.n, 6);
	assert_true(der_expect(&in, DER_SEQUENCE, &tlv));
	assert_int_equal(tlv.body.n, 2);
	assert_true(ber_next(&in, &tlv));
	assert_int_equal(tlv.body.n, 0);
	assert_false(tlv.ber);
	assert_false(der_next(&in, &tlv));
	assert_false(ber_next(&in, &tlv));
	assert_false(der_expect(&in, DER_OCTET_STRING, &tlv));
}

static void malformed_headers_are_refused(void **state)
{
	(void)state;
	refuse_element(SPAN(0x30), false);
	refuse_element(SPAN(0x1f, 0x01, 0x00), false); /* multi-octet tags */
	refuse_element(SPAN(0xbf, 0x81, 0x01, 0x00), false);
	refuse_element(SPAN(0x00, 0x00), false); /* end-of-contents of nothing */
	refuse_element(SPAN(0x20, 0x00), false);
	refuse_element(SPAN(0x04, 0x80, 0x00, 0x00), false); /* indefinite and primitive */
	refuse_element(SPAN(0x30, 0xff, 0x00), false);       /* X.690 section 8.1.3.5 c */
	refuse_element(SPAN(0x30, 0x85, 0, 0, 0, 0, 0), false);
	refuse_element(SPAN(0x30, 0x01), false);
	refuse_element(SPAN(0x30, 0x84, 0xff, 0xff, 0xff, 0xff), false);
	refuse_element(SPAN(0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), false);
}

static void lengths_that_are_not_the_shortest_are_ber(void **state)
{
	uint8_t big[2 + 2 + 0x80] = { 0x04, 0x82, 0x00, 0x80 };
	struct der_stats stats;

	(void)state;
	refuse_element(SPAN(0x05, 0x81, 0x00), true);
	refuse_element(SPAN(0x04, 0x81, 0x01, 0x07), true);
	refuse_element(SPAN(0x04, 0x84, 0x00, 0x00, 0x00, 0x01, 0x07), true);
	refuse_element((struct est_span){ big, sizeof(big) }, true);
	assert_int_equal(walk(SPAN(0x30, 0x03, 0x05, 0x81, 0x00), true, &stats), EST_OK);
	assert_true(stats.ber);
	assert_int_equal(walk(SPAN(0x30, 0x02, 0x05, 0x00), true, &stats), EST_OK);
	assert_false(stats.ber);
}

static void every_truncation_is_refused(void **state)
{
	static const uint8_t definite[] = { 0x30, 0x10, 0x30, 0x05, 0x02, 0x03, 0x01, 0x02, 0x03,
		0x31, 0x00, 0x04, 0x05, 'h', 'e', 'l', 'l', 'o' };
	static const uint8_t indefinite[] = { 0x30, 0x80, 0x24, 0x80, 0x04, 0x02, 'h', 'i', 0x04,
		0x00, 0x00, 0x00, 0x30, 0x04, 0x30, 0x80, 0x00, 0x00, 0x00, 0x00 };
	struct est_span in = { definite, sizeof(definite) }, cut, rest;
	struct der_tlv tlv;

	(void)state;
	assert_int_equal(walk(in, false, NULL), EST_OK);
	for (size_t n = 0; n < in.n; n++) {
		cut = copy(in, n);
		rest = cut;
		assert_int_equal(walk(cut, false, NULL), EST_E_PROTOCOL);
		assert_int_equal(walk(cut, true, NULL), EST_E_PROTOCOL);
		assert_false(der_next(&rest, &tlv));
		assert_false(ber_next(&rest, &tlv));
		copy_free(cut);
	}
	in = (struct est_span){ indefinite, sizeof(indefinite) };
	assert_int_equal(walk(in, true, NULL), EST_OK);
	assert_int_equal(walk(in, false, NULL), EST_E_PROTOCOL);
	for (size_t n = 0; n < in.n; n++) {
		cut = copy(in, n);
		rest = cut;
		assert_int_equal(walk(cut, true, NULL), EST_E_PROTOCOL);
		assert_false(ber_next(&rest, &tlv));
		copy_free(cut);
	}
}

static void children_that_do_not_fill_their_parent_are_refused(void **state)
{
	(void)state;
	assert_int_equal(walk(SPAN(0x30, 0x03, 0x02, 0x02, 0x01, 0x02), true, NULL),
		EST_E_PROTOCOL);
	assert_int_equal(walk(SPAN(0x30, 0x03, 0x05, 0x00, 0x05), true, NULL), EST_E_PROTOCOL);
	assert_int_equal(walk(SPAN(0x30, 0x04, 0x30, 0x03, 0x05, 0x00), true, NULL),
		EST_E_PROTOCOL);
	/* The end-of-contents lies outside of the definite parent. */
	assert_int_equal(walk(SPAN(0x30, 0x02, 0x30, 0x80, 0x00, 0x00), true, NULL),
		EST_E_PROTOCOL);
	assert_int_equal(walk(SPAN(0x30, 0x03, 0x30, 0x80, 0x00, 0x00), true, NULL),
		EST_E_PROTOCOL);
	/* End-of-contents inside a definite length is no element. */
	assert_int_equal(walk(SPAN(0x30, 0x02, 0x00, 0x00), true, NULL), EST_E_PROTOCOL);
	assert_int_equal(walk(SPAN(0x30, 0x80, 0x00, 0x01, 0x00, 0x00), true, NULL),
		EST_E_PROTOCOL);
}

static void bytes_after_the_value_are_refused(void **state)
{
	(void)state;
	assert_int_equal(walk(SPAN(0x05, 0x00, 0x00), true, NULL), EST_E_PROTOCOL);
	assert_int_equal(walk(SPAN(0x30, 0x80, 0x00, 0x00, 0x00, 0x00), true, NULL),
		EST_E_PROTOCOL);
	assert_int_equal(walk((struct est_span){ NULL, 0 }, true, NULL), EST_E_PROTOCOL);
}

static void an_indefinite_element_is_taken_with_its_end(void **state)
{
	struct est_span in = SPAN(0x30, 0x80, 0x30, 0x80, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04,
		0x00);
	struct der_tlv tlv;

	(void)state;
	assert_true(ber_next(&in, &tlv));
	assert_true(tlv.ber);
	assert_int_equal(tlv.whole.n, 10);
	assert_int_equal(tlv.body.n, 6);
	assert_int_equal(in.n, 2);
	in = tlv.body;
	assert_true(ber_next(&in, &tlv));
	assert_int_equal(tlv.body.n, 2);
	assert_int_equal(in.n, 0);
}

/* ---- Nesting and size --------------------------------------------------------------------------
 */

/* levels SEQUENCEs inside each other, the innermost around content, appended to buf. */
static void nest(struct est_buf *buf, unsigned levels, bool indefinite, struct est_span content)
{
	struct est_buf inner = { 0 }, outer = { 0 };
	struct est_error err;

	assert_int_equal(est_buf_append(&inner, content, &err), EST_OK);
	for (unsigned i = 0; i < levels; i++) {
		if (indefinite) {
			assert_int_equal(est_buf_append(&outer, SPAN(0x30, 0x80), &err), EST_OK);
			assert_int_equal(est_buf_append(&outer, est_buf_span(&inner), &err),
				EST_OK);
			assert_int_equal(est_buf_append(&outer, SPAN(0x00, 0x00), &err), EST_OK);
		} else {
			assert_int_equal(der_put(&outer, DER_SEQUENCE, est_buf_span(&inner), &err),
				EST_OK);
		}
		est_buf_free(&inner);
		inner = outer;
		outer = (struct est_buf){ 0 };
	}
	assert_int_equal(est_buf_append(buf, est_buf_span(&inner), &err), EST_OK);
	est_buf_free(&inner);
}

static void nesting_is_taken_to_32_levels_and_no_further(void **state)
{
	const struct est_span contents[] = { { NULL, 0 }, SPAN(0x05, 0x00) };
	struct est_buf buf = { 0 };
	struct der_stats stats;
	struct est_span rest;
	struct der_tlv tlv;

	(void)state;
	for (int k = 0; k < 4; k++) {
		bool indefinite = k & 1;

		nest(&buf, EST_DEPTH_MAX, indefinite, contents[k / 2]);
		assert_int_equal(walk(est_buf_span(&buf), true, &stats), EST_OK);
		assert_int_equal(stats.depth, EST_DEPTH_MAX);
		rest = est_buf_span(&buf);
		assert_true(ber_next(&rest, &tlv));
		est_buf_free(&buf);
		nest(&buf, EST_DEPTH_MAX + 1, indefinite, contents[k / 2]);
		assert_int_equal(walk(est_buf_span(&buf), true, NULL), EST_E_PROTOCOL);
		rest = est_buf_span(&buf);
		assert_int_equal(ber_next(&rest, &tlv), !indefinite);
		est_buf_free(&buf);
	}
}

static void a_nesting_bomb_is_refused(void **state)
{
	const size_t n = 2u << 20;
	uint8_t *bomb = malloc(n);
	struct est_span in = { bomb, n };
	struct der_tlv tlv;

	(void)state;
	assert_non_null(bomb);
	for (size_t i = 0; i < n; i += 2) {
		bomb[i] = 0x30;
		bomb[i + 1] = 0x80;
	}
	assert_int_equal(walk(in, true, NULL), EST_E_PROTOCOL);
	assert_false(ber_next(&in, &tlv));
	free(bomb);
}

static void a_million_elements_are_walked_in_linear_time(void **state)
{
	/* Quadratic time would be a million million steps: the test would not end. */
	const size_t n = 1000000;
	struct est_error err;
	struct est_buf buf = { 0 };
	struct der_stats stats;
	struct est_span in;
	struct der_tlv tlv;
	size_t count = 0;

	(void)state;
	assert_int_equal(der_put_header(&buf, DER_SEQUENCE, 2 * n, &err), EST_OK);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(est_buf_append(&buf, SPAN(0x30, 0x00), &err), EST_OK);
	assert_int_equal(walk(est_buf_span(&buf), false, &stats), EST_OK);
	assert_int_equal(stats.elements, n + 1);
	assert_int_equal(stats.depth, 2);
	in = est_buf_span(&buf);
	assert_true(der_next(&in, &tlv));
	in = tlv.body;
	while (der_next(&in, &tlv))
		count++;
	assert_int_equal(count, n);
	est_buf_free(&buf);
}

/* ---- Object identifiers ------------------------------------------------------------------------
 */

static void expect_oid(struct est_span body, const char *want)
{
	char text[DER_OID_TEXT_MAX];

	assert_int_equal(der_oid_text(body, text), want != NULL);
	if (want)
		assert_string_equal(text, want);
}

static void object_identifiers_are_written_with_dots(void **state)
{
	(void)state;
	expect_oid(SPAN(0x55, 0x1d, 0x11), "2.5.29.17");
	expect_oid(SPAN(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b),
		"1.2.840.113549.1.1.11");
	expect_oid(SPAN(0x00), "0.0");
	expect_oid(SPAN(0x27), "0.39");
	expect_oid(SPAN(0x28), "1.0");
	expect_oid(SPAN(0x4f), "1.39");
	expect_oid(SPAN(0x50), "2.0");
	expect_oid(SPAN(0x78), "2.40");
	expect_oid(SPAN(0x88, 0x37, 0x03), "2.999.3");
	expect_oid(SPAN(0x2a, 0x00, 0x7f, 0x81, 0x00), "1.2.0.127.128");
	expect_oid(SPAN(0x2a, 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"1.2.18446744073709551615");
}

static void malformed_object_identifiers_are_refused(void **state)
{
	uint8_t many[200];
	char text[DER_OID_TEXT_MAX];

	(void)state;
	expect_oid((struct est_span){ NULL, 0 }, NULL);
	expect_oid(SPAN(0x2a, 0x86), NULL); /* cut short */
	expect_oid(SPAN(0x80), NULL);
	expect_oid(SPAN(0x2a, 0x80, 0x01), NULL); /* leading zeros */
	expect_oid(SPAN(0x80, 0x01), NULL);
	expect_oid(SPAN(0x2a, 0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), NULL);
	memset(many, 0x01, sizeof(many));
	expect_oid((struct est_span){ many, sizeof(many) }, NULL);
	/* "0.1" and 62 arcs of two characters are 127 characters; one more is too long. */
	assert_true(der_oid_text((struct est_span){ many, 63 }, text));
	assert_int_equal(strlen(text), DER_OID_TEXT_MAX - 1);
	expect_oid((struct est_span){ many, 64 }, NULL);
}

/* ---- Times -------------------------------------------------------------------------------------
 */

static void expect_time(uint8_t tag, const char *text, bool good, time_t want)
{
	struct der_tlv tlv = { .tag = tag };
	struct est_span body = copy(est_span_str(text), strlen(text));
	time_t got = 7;

	tlv.body = body;
	if (der_time(&tlv, &got) != good)
		fail_msg("%s: %s", text, good ? "refused" : "taken");
	assert_int_equal(got, good ? want : 7);
	copy_free(body);
}

static void times_are_read(void **state)
{
	(void)state;
	expect_time(DER_UTCTIME, "700101000000Z", true, 0);
	expect_time(DER_UTCTIME, "691231235959Z", true, -1);
	expect_time(DER_UTCTIME, "491231235959Z", true, INT64_C(2524607999));
	expect_time(DER_UTCTIME, "500101000000Z", true, INT64_C(-631152000));
	expect_time(DER_UTCTIME, "240229120000Z", true, 1709208000);
	expect_time(DER_GENTIME, "20500101000000Z", true, INT64_C(2524608000));
	expect_time(DER_GENTIME, "99991231235959Z", true, INT64_C(253402300799));
}

static void malformed_times_are_refused(void **state)
{
	static const char *const utc[] = { "", "700101000000", "7001010000Z", "700101000000+0000",
		"700001000000Z", "701301000000Z", "700100000000Z", "700132000000Z", "700101240000Z",
		"700101006000Z", "700101000060Z", "70010100000 Z", "700101000000z", "7O0101000000Z",
		"-10101000000Z", "19700101000000Z", "230229000000Z", "230431000000Z" };
	static const char *const generalized[] = { "700101000000Z", "20500101000000",
		"20500101000000.5Z", "20500101000000+0", "205001010000Z", "20500230000000Z",
		"21000229000000Z" };

	(void)state;
	for (size_t i = 0; i < sizeof(utc) / sizeof(utc[0]); i++)
		expect_time(DER_UTCTIME, utc[i], false, 0);
	for (size_t i = 0; i < sizeof(generalized) / sizeof(generalized[0]); i++)
		expect_time(DER_GENTIME, generalized[i], false, 0);
	expect_time(DER_PRINTABLE, "700101000000Z", false, 0);
}

/* ---- Writing -----------------------------------------------------------------------------------
 */

static void what_is_written_can_be_read(void **state)
{
	static const size_t sizes[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000 };
	struct est_error err = { 0 };
	struct est_buf body = { 0 }, out = { 0 };
	struct est_span in;
	struct der_tlv tlv;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		while (body.n < sizes[i])
			assert_int_equal(est_buf_append(&body, SPAN(0xa5), &err), EST_OK);
		assert_int_equal(der_put(&out, DER_OCTET_STRING, est_buf_span(&body), &err),
			EST_OK);
		in = est_buf_span(&out);
		assert_true(der_expect(&in, DER_OCTET_STRING, &tlv));
		assert_int_equal(in.n, 0);
		assert_true(est_span_eq(tlv.body, est_buf_span(&body)));
		est_buf_free(&out);
	}
	est_buf_free(&body);
}

static void headers_are_the_shortest(void **state)
{
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	(void)state;
	assert_int_equal(der_put_header(&out, DER_SEQUENCE, 0x7f, &err), EST_OK);
	assert_int_equal(der_put_header(&out, DER_SET, 0x80, &err), EST_OK);
	assert_int_equal(der_put_header(&out, DER_CONTEXT(3), 0x100, &err), EST_OK);
	assert_int_equal(der_put_header(&out, DER_CONTEXT_C(3), 0xfffffe, &err), EST_OK);
	assert_true(
		est_span_eq(est_buf_span(&out), SPAN(0x30, 0x7f, 0x31, 0x81, 0x80, 0x83, 0x82, 0x01,
							0x00, 0xa3, 0x83, 0xff, 0xff, 0xfe)));
	est_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_are_taken_off_the_front),
		cmocka_unit_test(malformed_headers_are_refused),
		cmocka_unit_test(lengths_that_are_not_the_shortest_are_ber),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(children_that_do_not_fill_their_parent_are_refused),
		cmocka_unit_test(bytes_after_the_value_are_refused),
		cmocka_unit_test(an_indefinite_element_is_taken_with_its_end),
		cmocka_unit_test(nesting_is_taken_to_32_levels_and_no_further),
		cmocka_unit_test(a_nesting_bomb_is_refused),
		cmocka_unit_test(a_million_elements_are_walked_in_linear_time),
		cmocka_unit_test(object_identifiers_are_written_with_dots),
		cmocka_unit_test(malformed_object_identifiers_are_refused),
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(malformed_times_are_refused),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(headers_are_the_shortest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

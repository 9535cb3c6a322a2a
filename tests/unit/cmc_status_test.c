/* SPDX-License-Identifier: MIT */
/* What a Full PKI Response says (RFC 5272 section 6.1), from messages made here. */
#include "cmc_status.h"
#include "der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define PKI_RESPONSE "\x2b\x06\x01\x05\x05\x07\x0c\x03"
#define PKI_DATA     "\x2b\x06\x01\x05\x05\x07\x0c\x02"
#define STATUS_INFO  "\x2b\x06\x01\x05\x05\x07\x07\x01"
#define STATUS_V2    "\x2b\x06\x01\x05\x05\x07\x07\x19"
#define NONCE        "\x2b\x06\x01\x05\x05\x07\x07\x06"

#define BYTES(literal) ((struct est_span){ (const uint8_t *)(literal), sizeof(literal) - 1 })

static struct est_error err;

static void put(struct est_buf *out, uint8_t tag, struct est_span body)
{
	assert_int_equal(der_put(out, tag, body, &err), EST_OK);
}

/* What buf holds becomes the contents of one element. */
static void wrap(struct est_buf *buf, uint8_t tag)
{
	struct est_buf whole = { 0 };

	put(&whole, tag, est_buf_span(buf));
	est_buf_free(buf);
	*buf = whole;
}

static void put_control(struct est_buf *out, struct est_span type, struct est_span value)
{
	struct est_buf control = { 0 };

	put(&control, DER_INTEGER, BYTES("\x01"));
	put(&control, DER_OID, type);
	put(&control, DER_SET, value);
	put(out, DER_SEQUENCE, est_buf_span(&control));
	est_buf_free(&control);
}

/* A status with the request it means; words and more, DER, may be empty. */
static void put_status(struct est_buf *out, struct est_span type, uint8_t status,
	struct est_span words, struct est_span more)
{
	struct est_buf info = { 0 };

	put(&info, DER_INTEGER, (struct est_span){ &status, 1 });
	put(&info, DER_SEQUENCE, BYTES("\x02\x01\x01"));
	if (words.n > 0)
		put(&info, DER_UTF8, words);
	assert_int_equal(est_buf_append(&info, more, &err), EST_OK);
	wrap(&info, DER_SEQUENCE);
	put_control(out, type, est_buf_span(&info));
	est_buf_free(&info);
}

/* The controls become a whole message; its signature is left out, nobody looks at it. */
static void finish(struct est_buf *controls, struct est_span type)
{
	static const uint8_t empty[] = { 0x30, 0, 0x30, 0 };
	struct est_buf message = { 0 };

	wrap(controls, DER_SEQUENCE);
	assert_int_equal(est_buf_append(controls, (struct est_span){ empty, 4 }, &err), EST_OK);
	wrap(controls, DER_SEQUENCE);
	wrap(controls, DER_OCTET_STRING);
	wrap(controls, DER_CONTEXT_C(0));
	put(&message, DER_OID, type);
	assert_int_equal(est_buf_append(&message, est_buf_span(controls), &err), EST_OK);
	wrap(&message, DER_SEQUENCE);
	est_buf_free(controls);
	put(controls, DER_INTEGER, BYTES("\x03"));
	put(controls, DER_SET, BYTES(""));
	assert_int_equal(est_buf_append(controls, est_buf_span(&message), &err), EST_OK);
	est_buf_free(&message);
	wrap(controls, DER_SEQUENCE);
	wrap(controls, DER_CONTEXT_C(0));
	put(&message, DER_OID, BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"));
	assert_int_equal(est_buf_append(&message, est_buf_span(controls), &err), EST_OK);
	wrap(&message, DER_SEQUENCE);
	est_buf_free(controls);
	*controls = message;
}

static void says(struct est_span message, const char *want)
{
	struct est_buf text = { 0 };

	assert_int_equal(cmc_status_text(message, &text, &err), EST_OK);
	assert_int_equal(est_buf_append(&text, (struct est_span){ (const uint8_t *)"", 1 }, &err),
		EST_OK);
	assert_string_equal((const char *)text.p, want);
	est_buf_free(&text);
}

static void one_says(struct est_span type, uint8_t status, struct est_span words,
	struct est_span more, const char *want)
{
	struct est_buf message = { 0 };

	put_status(&message, type, status, words, more);
	finish(&message, BYTES(PKI_RESPONSE));
	assert_true(cmc_is_response(est_buf_span(&message)));
	says(est_buf_span(&message), want);
	est_buf_free(&message);
}

/* proves: R5272-6.1-01 */
static void each_status_and_failure_has_its_name(void **state)
{
	(void)state;
	one_says(BYTES(STATUS_V2), 0, BYTES(""), BYTES(""), "success");
	one_says(BYTES(STATUS_V2), 2, BYTES(""), BYTES("\x02\x01\x00"), "failed, badAlg");
	one_says(BYTES(STATUS_V2), 2, BYTES("no link"), BYTES("\x02\x01\x09"),
		"failed, popFailed: no link");
	one_says(BYTES(STATUS_INFO), 2, BYTES("who?"), BYTES("\x02\x01\x0d"),
		"failed, authDataFail: who?");
	one_says(BYTES(STATUS_V2), 3, BYTES("wait"), BYTES("\xa0\x00"), "pending: wait");
	one_says(BYTES(STATUS_INFO), 3, BYTES(""), BYTES("\x30\x00"), "pending");
	one_says(BYTES(STATUS_V2), 4, BYTES(""), BYTES(""), "not supported");
	one_says(BYTES(STATUS_V2), 5, BYTES(""), BYTES(""), "confirmation required");
	one_says(BYTES(STATUS_V2), 6, BYTES(""), BYTES(""), "proof of possession required");
	one_says(BYTES(STATUS_V2), 7, BYTES(""), BYTES(""), "partial");
}

static void a_code_that_nobody_knows_is_said_to_be_one(void **state)
{
	(void)state;
	one_says(BYTES(STATUS_V2), 1, BYTES(""), BYTES(""), "an unknown code");
	one_says(BYTES(STATUS_V2), 8, BYTES(""), BYTES(""), "an unknown code");
	one_says(BYTES(STATUS_V2), 2, BYTES(""), BYTES("\x02\x01\x0e"), "failed, an unknown code");
	one_says(BYTES(STATUS_V2), 2, BYTES(""), BYTES("\x02\x02\x01\x09"),
		"failed, an unknown code");
}

static void the_words_are_escaped_and_cut(void **state)
{
	char many[4000];

	(void)state;
	one_says(BYTES(STATUS_V2), 2, BYTES("a\x1b[2J\nb"), BYTES(""), "failed: a\\x1b[2J\\nb");
	memset(many, 'x', sizeof(many));
	struct est_buf message = { 0 }, text = { 0 };
	put_status(&message, BYTES(STATUS_V2), 2,
		(struct est_span){ (const uint8_t *)many, sizeof(many) }, BYTES(""));
	finish(&message, BYTES(PKI_RESPONSE));
	assert_int_equal(cmc_status_text(est_buf_span(&message), &text, &err), EST_OK);
	assert_true(text.n > 100 && text.n < EST_ERROR_TEXT_MAX + 40);
	est_buf_free(&message);
	est_buf_free(&text);
}

/* proves: R5272-6.1-01 */
static void several_are_told_in_their_order_and_no_more_than_eight(void **state)
{
	struct est_buf message = { 0 };

	(void)state;
	put_control(&message, BYTES(NONCE), BYTES("\x04\x01x"));
	put_status(&message, BYTES(STATUS_V2), 2, BYTES("one"), BYTES(""));
	put_status(&message, BYTES(STATUS_INFO), 3, BYTES("two"), BYTES(""));
	finish(&message, BYTES(PKI_RESPONSE));
	says(est_buf_span(&message), "failed: one; pending: two");
	est_buf_free(&message);
	for (int i = 0; i < CMC_STATUS_MAX + 3; i++)
		put_status(&message, BYTES(STATUS_V2), 7, BYTES(""), BYTES(""));
	finish(&message, BYTES(PKI_RESPONSE));
	says(est_buf_span(&message),
		"partial; partial; partial; partial; partial; partial; partial; partial");
	est_buf_free(&message);
}

static void what_holds_no_status_says_nothing(void **state)
{
	struct est_buf message = { 0 };

	(void)state;
	finish(&message, BYTES(PKI_RESPONSE));
	assert_true(cmc_is_response(est_buf_span(&message)));
	says(est_buf_span(&message), "");
	est_buf_free(&message);
	put_status(&message, BYTES(STATUS_V2), 2, BYTES("a request"), BYTES(""));
	finish(&message, BYTES(PKI_DATA));
	assert_false(cmc_is_response(est_buf_span(&message)));
	says(est_buf_span(&message), "");
	est_buf_free(&message);
	says(BYTES(""), "");
	says(BYTES("\x30\x80"), "");
}

static void a_message_cut_anywhere_is_no_message(void **state)
{
	struct est_buf message = { 0 };

	(void)state;
	put_status(&message, BYTES(STATUS_V2), 2, BYTES("words"), BYTES("\x02\x01\x09"));
	finish(&message, BYTES(PKI_RESPONSE));
	for (size_t n = 0; n < message.n; n++)
		says((struct est_span){ message.p, n }, "");
	est_buf_free(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_status_and_failure_has_its_name),
		cmocka_unit_test(a_code_that_nobody_knows_is_said_to_be_one),
		cmocka_unit_test(the_words_are_escaped_and_cut),
		cmocka_unit_test(several_are_told_in_their_order_and_no_more_than_eight),
		cmocka_unit_test(what_holds_no_status_says_nothing),
		cmocka_unit_test(a_message_cut_anywhere_is_no_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

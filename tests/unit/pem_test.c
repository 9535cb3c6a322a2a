/* SPDX-License-Identifier: MIT */
/* PEM blocks in text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pem.h"

/* The only block of a text, decoded. */
static enum est_code one_block(const char *text, struct est_buf *out, struct est_error *err)
{
	struct pem_reader reader;
	struct pem_block block;
	enum est_code rc;
	bool found;

	*err = (struct est_error){ 0 };
	pem_init(&reader, est_span_str(text));
	rc = pem_next(&reader, &block, &found, err);
	if (rc == EST_OK && !found)
		return EST_E_CONDITION;
	return rc == EST_OK ? pem_decode(&block, out, err) : rc;
}

static void assert_block(const char *text, const char *bytes)
{
	struct est_error err;
	struct est_buf out = { 0 };

	if (one_block(text, &out, &err) != EST_OK)
		fail_msg("refused: %s", err.msg);
	assert_int_equal(out.n, strlen(bytes));
	assert_memory_equal(out.p, bytes, out.n);
	est_buf_free(&out);
}

static void assert_refused(const char *text, const char *why)
{
	struct est_error err;
	struct est_buf out = { 0 };

	assert_int_equal(one_block(text, &out, &err), EST_E_INPUT);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
	assert_int_equal(out.n, 0);
	est_buf_free(&out);
}

static void a_block_is_decoded_whatever_its_line_ends(void **state)
{
	(void)state;
	assert_block("-----BEGIN X-----\naGVsbG8=\n-----END X-----\n", "hello");
	assert_block("-----BEGIN X-----\r\naGVs\r\nbG8=\r\n-----END X-----\r\n", "hello");
	assert_block("-----BEGIN X-----aGVsbG8=-----END X-----", "hello");
	assert_block("text before\n-----BEGIN X-----\n aGVs\n\n\tbG8= \n-----END X-----\nafter",
		"hello");
	assert_block("-----BEGIN X-----\nName: value\nMore: a\n b\n\naGVsbG8=\n-----END X-----\n",
		"hello");
	assert_block("-----BEGIN X-----\r\nName: value\r\n\r\naGVsbG8=\r\n-----END X-----\r\n",
		"hello");
}

static void text_without_a_block_has_none(void **state)
{
	static const char *const texts[] = { "", "-----BEGIN ", "-----BEGIN X",
		"-----BEGIN\nX-----", "-----BEGIN \x01-----\naGVsbG8=\n-----END \x01-----\n",
		"-----END X-----", "----BEGIN X----\naGVsbG8=\n----END X----\n" };
	struct est_error err;
	struct est_buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(one_block(texts[i], &out, &err), EST_E_CONDITION);
	assert_false(pem_present(est_span_str("hello")));
	assert_false(pem_present((struct est_span){ 0 }));
	assert_true(pem_present(est_span_str("x-----BEGIN y")));
}

static void a_block_without_its_end_is_refused(void **state)
{
	(void)state;
	assert_refused("-----BEGIN X-----\naGVsbG8=\n", "no END line");
	assert_refused("-----BEGIN X-----\naGVsbG8=\n-----", "no END line");
	assert_refused("-----BEGIN X-----\naGVsbG8=\n-----END X--", "another label");
	assert_refused("-----BEGIN X-----\naGVsbG8=\n-----END Y-----\n", "another label");
	assert_refused("-----BEGIN X-----\naGVsbG8=\n-----BEGIN X-----\n", "no END line");
}

static void wrong_base64_is_refused(void **state)
{
	(void)state;
	assert_refused("-----BEGIN X-----\n-----END X-----\n", "no base64");
	assert_refused("-----BEGIN X-----\naGV!bG8=\n-----END X-----\n", "0x21");
	assert_refused("-----BEGIN X-----\naGVsbG_=\n-----END X-----\n", "0x5f");
	assert_refused("-----BEGIN X-----\na\n-----END X-----\n", "base64");
	assert_refused("-----BEGIN X-----\naGVsbG8=aGVs\n-----END X-----\n", "base64");
	assert_refused("-----BEGIN X-----\nName: value\naGVsbG8=\n-----END X-----\n", "no base64");
}

static void labels_must_fit_and_match(void **state)
{
	struct pem_reader reader;
	struct pem_block block;
	struct est_error err;
	bool found;

	(void)state;
	pem_init(&reader, est_span_str("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
				       "\nAAAA\n-----END RSA PRIVATE KEY-----\n"
				       "-----BEGIN CERTIFICATE-----\nAAAA\n"
				       "-----END CERTIFICATE-----\n"));
	assert_int_equal(pem_next(&reader, &block, &found, &err), EST_OK);
	assert_true(found && pem_is(&block, "RSA PRIVATE KEY"));
	assert_false(pem_is(&block, "RSA PRIVATE") || pem_is(&block, "RSA PRIVATE KEYS"));
	assert_true(pem_is_private_key(&block));
	assert_true(pem_is_encrypted(&block));
	assert_int_equal(pem_next(&reader, &block, &found, &err), EST_OK);
	assert_true(found && pem_is(&block, "CERTIFICATE"));
	assert_false(pem_is_private_key(&block));
	assert_false(pem_is_encrypted(&block));
	assert_int_equal(block.offset, 91);
	assert_int_equal(pem_next(&reader, &block, &found, &err), EST_OK);
	assert_false(found);
}

static void reading_goes_on_behind_a_broken_block(void **state)
{
	struct pem_reader reader;
	struct pem_block block;
	struct est_error err;
	bool found = false;

	(void)state;
	pem_init(&reader, est_span_str("-----BEGIN A-----\nAAAA\n-----BEGIN B-----\nAAAA\n"
				       "-----END B-----\n"));
	assert_int_equal(pem_next(&reader, &block, &found, &err), EST_E_INPUT);
	assert_int_equal(pem_next(&reader, &block, &found, &err), EST_OK);
	assert_true(found && pem_is(&block, "B"));
}

static void what_is_written_is_read_again(void **state)
{
	uint8_t bytes[200];
	struct est_buf text = { 0 }, back = { 0 };
	struct pem_reader reader;
	struct pem_block block;
	struct est_error err;
	bool found;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t n = 1; n <= sizeof(bytes); n++) {
		const struct est_span in = { bytes, n };

		assert_int_equal(est_pem_append(&text, "CERTIFICATE", in, &err), EST_OK);
		assert_int_equal(text.p[text.n - 1], '\n');
		pem_init(&reader, est_buf_span(&text));
		assert_int_equal(pem_next(&reader, &block, &found, &err), EST_OK);
		assert_int_equal(pem_decode(&block, &back, &err), EST_OK);
		assert_true(est_span_eq(est_buf_span(&back), in));
		est_buf_free(&text);
		est_buf_free(&back);
	}
	assert_int_equal(est_pem_append(&text, "X", (struct est_span){ bytes, 0 }, &err),
		EST_E_INTERNAL);
}

static void a_megabyte_of_begin_lines_is_read_in_linear_time(void **state)
{
	static const char line[] = "-----BEGIN X-----\n";
	struct pem_reader reader;
	struct pem_block block;
	struct est_buf text = { 0 };
	struct est_error err;
	bool found = true;
	clock_t begin;

	(void)state;
	for (int i = 0; i < 60000; i++)
		assert_int_equal(est_buf_append(&text, est_span_str(line), &err), EST_OK);
	begin = clock();
	pem_init(&reader, est_buf_span(&text));
	while (found)
		if (pem_next(&reader, &block, &found, &err) != EST_OK)
			found = true;
	assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 0.5);
	est_buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_decoded_whatever_its_line_ends),
		cmocka_unit_test(text_without_a_block_has_none),
		cmocka_unit_test(a_block_without_its_end_is_refused),
		cmocka_unit_test(wrong_base64_is_refused),
		cmocka_unit_test(labels_must_fit_and_match),
		cmocka_unit_test(reading_goes_on_behind_a_broken_block),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(a_megabyte_of_begin_lines_is_read_in_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

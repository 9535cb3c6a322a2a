/* SPDX-License-Identifier: MIT */
/* What a server's bytes look like when they are shown. */
#include "est.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void expect_bytes(const char *in, size_t n, size_t max, const char *want)
{
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	assert_int_equal(est_buf_escape(&out, (struct est_span){ (const uint8_t *)in, n }, max,
				 &err),
		EST_OK);
	assert_int_equal(out.n, strlen(want));
	assert_memory_equal(out.p ? out.p : (const uint8_t *)"", want, out.n);
	est_buf_free(&out);
}

static void expect(const char *in, const char *want)
{
	expect_bytes(in, strlen(in), 512, want);
}

static void printable_text_stays_as_it_is(void **state)
{
	(void)state;
	expect("", "");
	expect("Not \"found\" <b>'", "Not \"found\" <b>'");
	expect("Jäsøn €uro 漢 😀", "Jäsøn €uro 漢 😀");
	expect("\u00a0 \u0100 \ufffd \U0010fffd", "\u00a0 \u0100 \ufffd \U0010fffd");
}

/* proves: H-22 */
static void control_characters_are_escaped(void **state)
{
	(void)state;
	expect("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m");
	expect("a\nb\tc\rd", "a\\nb\\tc\\x0dd");
	expect_bytes("a\0b", 3, 512, "a\\x00b");
	expect("\x7f\x07", "\\x7f\\x07");
	expect("\xc2\x80\xc2\x9b"
	       "31m\xc2\x9f",
		"\\u{0080}\\u{009B}31m\\u{009F}");
	expect("C:\\x41", "C:\\\\x41"); /* or the reader could not tell it from an escape */
}

/* proves: H-22 */
static void bidirectional_and_invisible_characters_are_escaped(void **state)
{
	(void)state;
	expect("\u202egpj.exe\u202c", "\\u{202E}gpj.exe\\u{202C}");
	expect("\u200e\u200f\u061c", "\\u{200E}\\u{200F}\\u{061C}");
	expect("\u2066\u2067\u2068\u2069", "\\u{2066}\\u{2067}\\u{2068}\\u{2069}");
	expect("\u2028\u2029", "\\u{2028}\\u{2029}");
	expect("\u200b\u200c\u200d\ufeff", "\\u{200B}\\u{200C}\\u{200D}\\u{FEFF}");
	expect("\u2060\ufff9\U000e0041", "\\u{2060}\\u{FFF9}\\u{E0041}");
	expect("\u2010\u2030\u2065", "\u2010\u2030\u2065"); /* their neighbours are harmless */
}

/* proves: H-22 */
static void invalid_utf8_is_escaped_byte_by_byte(void **state)
{
	(void)state;
	expect("\xff\xfe", "\\xff\\xfe");
	expect("\x80", "\\x80");
	expect("\xc0\x8a", "\\xc0\\x8a");                   /* overlong newline */
	expect("\xc1\xbf", "\\xc1\\xbf");                   /* overlong DEL */
	expect("\xe0\x9f\xbf", "\\xe0\\x9f\\xbf");          /* overlong, three bytes */
	expect("\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"); /* overlong, four bytes */
	expect("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogates */
	expect("\xed\xbf\xbf", "\\xed\\xbf\\xbf");
	expect("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
	expect("\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80");
	expect("\xe2\x82", "\\xe2\\x82"); /* cut short */
	expect("\xe2\x82x", "\\xe2\\x82x");
	expect("\xc3\xc3\xa4", "\\xc3ä");
}

static void the_text_is_cut_at_so_many_characters(void **state)
{
	(void)state;
	expect_bytes("abcdef", 6, 6, "abcdef");
	expect_bytes("abcdefg", 7, 6, "abcdef...");
	expect_bytes("äöü", 6, 2, "äö...");
	expect_bytes("ab", 2, 0, "...");
	expect_bytes("", 0, 0, "");
}

static void an_escape_is_never_cut_in_two(void **state)
{
	(void)state;
	expect_bytes("ab\x01", 3, 5, "ab...");
	expect_bytes("ab\x01", 3, 6, "ab\\x01");
	expect_bytes("\u202e", 3, 7, "...");
	expect_bytes("\u202e", 3, 8, "\\u{202E}");
}

static void expect_array(const char *in, size_t size, const char *want)
{
	char out[64];

	memset(out, '#', sizeof(out));
	assert_ptr_equal(est_escape(out, size, est_span_str(in)), out);
	assert_string_equal(out, want);
	assert_int_equal(out[size], '#');
}

static void a_fixed_array_is_never_overrun_and_always_terminated(void **state)
{
	(void)state;
	expect_array("", 1, "");
	expect_array("a", 1, "");
	expect_array("a", 2, "a");
	expect_array("abcd", 5, "abcd");
	expect_array("abcde", 5, "a...");
	expect_array("abcdefghij", 9, "abcde...");
	expect_array("ab\x01\x02", 11, "ab\\x01\\x02");
	expect_array("ab\x01\x02", 10, "ab\\x01...");
	expect_array("ab\x01\x02", 9, "ab...");
	expect_array("ää", 5, "ää");
	expect_array("äää", 6, "ä...");
	expect_array("ab", 2, ".");
}

/* A name that was made safe before is cut behind whole characters, and says that it was. */
static void what_was_escaped_is_cut_to_a_width(void **state)
{
	static const struct {
		const char *in, *out;
		size_t max;
	} cases[] = {
		{ "O=Co.\\, Ltd.", "O=Co.\\, L...", 9 },
		{ "O=Co.\\, Ltd.", "O=Co.\\...", 6 },
		{ "O=Co.\\, Ltd.", "O=Co....", 5 },
		{ "O=Co.\\, Ltd.", "O=Co.\\, Ltd.", 12 },
		{ "gr\xc3\xb6\xc3\xb6\xc3\x9f", "gr\xc3\xb6...", 3 },
		{ "a\x1b", "a...", 3 },
	};
	struct est_buf out = { 0 };
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out.n = 0;
		assert_int_equal(est_buf_printable(&out, est_span_str(cases[i].in), cases[i].max,
					 &err),
			EST_OK);
		assert_int_equal(out.n, strlen(cases[i].out));
		assert_memory_equal(out.p, cases[i].out, out.n);
	}
	est_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printable_text_stays_as_it_is),
		cmocka_unit_test(what_was_escaped_is_cut_to_a_width),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(bidirectional_and_invisible_characters_are_escaped),
		cmocka_unit_test(invalid_utf8_is_escaped_byte_by_byte),
		cmocka_unit_test(the_text_is_cut_at_so_many_characters),
		cmocka_unit_test(an_escape_is_never_cut_in_two),
		cmocka_unit_test(a_fixed_array_is_never_overrun_and_always_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

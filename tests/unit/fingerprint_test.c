/* SPDX-License-Identifier: MIT */
/* Which fingerprints are read, and which are enough. */
#include "fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ABC256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC512                                                                                     \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                         \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static bool matches(const char *text, const char *input)
{
	struct est_error err = { 0 };
	struct fingerprint f;
	bool match = false;

	if (fingerprint_parse(text, &f, &err) != EST_OK)
		fail_msg("%s: %s", text, err.msg);
	assert_int_equal(fingerprint_match(&f, est_span_str(input), &match, &err), EST_OK);
	return match;
}

/* proves: R7030-4.1.1-04 */
static void a_whole_hash_matches_the_whole_input(void **state)
{
	(void)state;
	assert_true(matches("sha256:" ABC256, "abc"));
	assert_true(matches("sha512:" ABC512, "abc"));
	assert_false(matches("sha256:" ABC256, "abd"));
	assert_false(matches("sha256:" ABC256, "ab"));
	assert_false(matches("sha512:" ABC512, "abcd"));
}

static void case_and_colons_do_not_count(void **state)
{
	char upper[65], colons[7 + 96] = "sha256:";

	(void)state;
	(void)snprintf(upper, sizeof(upper), "%s", ABC256);
	for (char *p = upper; *p; p++)
		*p = *p >= 'a' ? (char)(*p - 32) : *p;
	for (size_t i = 0; i < 32; i++)
		(void)snprintf(colons + 7 + 3 * i, 4, "%.2s%s", upper + 2 * i, i < 31 ? ":" : "");
	assert_true(matches(colons, "abc"));
}

/* proves: R7030-4.1.1-04 */
static void one_bit_is_enough_to_differ(void **state)
{
	static const char digits[] = "0123456789abcdef";
	char text[] = "sha256:" ABC256;
	char kept;

	(void)state;
	for (size_t i = 7; text[i]; i++) {
		kept = text[i];
		text[i] = digits[(strchr(digits, kept) - digits) ^ 1];
		assert_false(matches(text, "abc"));
		text[i] = kept;
	}
}

/* proves: R7030-4.1.1-04 */
static void less_than_all_of_it_is_refused(void **state)
{
	struct fingerprint f = { .n = 7 };
	char text[200];
	struct est_error err;

	(void)state;
	for (size_t n = 0; n < 128; n++) {
		(void)snprintf(text, sizeof(text), "sha512:%.*s", (int)n, ABC512);
		err = (struct est_error){ 0 };
		assert_int_equal(fingerprint_parse(text, &f, &err), EST_E_USAGE);
		if (n == 64)
			continue;
		(void)snprintf(text, sizeof(text), "sha256:%.*s", (int)n, ABC512);
		assert_int_equal(fingerprint_parse(text, &f, &err), EST_E_USAGE);
	}
	assert_int_equal(f.n, 7);
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"sha256",
		"sha256:",
		ABC256,
		"sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
		"SHA256:" ABC256,
		"sha256: " ABC256,
		"sha256:" ABC256 " ",
		"sha256:" ABC256 ":",
		"sha256:" ABC512,
		"sha512:" ABC256,
		"sha256:ba:7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015:ad",
		"sha256:+a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	};
	struct est_error err = { 0 };
	struct fingerprint f;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (fingerprint_parse(texts[i], &f, &err) == EST_OK)
			fail_msg("'%s' was accepted", texts[i]);
		assert_int_equal(err.code, EST_E_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_hash_matches_the_whole_input),
		cmocka_unit_test(case_and_colons_do_not_count),
		cmocka_unit_test(one_bit_is_enough_to_differ),
		cmocka_unit_test(less_than_all_of_it_is_refused),
		cmocka_unit_test(other_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Stores: generations of a certificate behind one link. */
#include "est.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pair_run.h"

static enum est_code generate(char pair, unsigned keep, struct est_swap **swap)
{
	struct est_generation *g = NULL;
	struct est_certs *chain = NULL;
	enum est_code rc;

	testca_write(at("chain"), content_of((char)(pair - 'a' + 'A')));
	assert_int_equal(est_certs_load(at("chain"), &chain, &err), EST_OK);
	rc = est_swap_open(at("store"), EST_SWAP_STORE, swap, &err);
	if (rc == EST_OK)
		rc = est_generation_open(at("store"), &g, &err);
	if (rc == EST_OK)
		rc = est_generation_write(g, content_of(pair), chain, &err);
	if (rc == EST_OK)
		rc = est_swap_commit(*swap,
			&(struct est_swap_files){ .generation = g, .keep = keep }, NULL, &err);
	est_generation_free(g);
	est_certs_free(chain);
	return rc;
}

static void expect_store(char pair, size_t generations)
{
	glob_t found;

	assert_int_equal(letter_of(at("store/current/key.pem")), pair);
	assert_int_equal(letter_of(at("store/current/cert.pem")), pair - 'a' + 'A');
	assert_int_equal(letter_of(at("store/current/fullchain.pem")), pair - 'a' + 'A');
	assert_int_equal(access(at("store/current/chain.pem"), F_OK), 0);
	assert_int_equal(glob(at("store/gen-*"), 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, generations);
	globfree(&found);
	assert_int_equal(testca_files(at("store")), generations + 1);
}

static void a_store_has_the_generations_it_is_told_to_keep(void **state)
{
	static const unsigned keep[] = { 0, 1, 1, 0, 2, 2, 2 };
	static const size_t there[] = { 1, 2, 2, 1, 2, 3, 3 };
	struct est_swap *swap = NULL;
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
		if (generate(i % 2 ? 'b' : 'a', keep[i], &swap) != EST_OK)
			fail_msg("%s", err.msg);
		est_swap_free(swap);
		swap = NULL;
		expect_store(i % 2 ? 'b' : 'a', there[i]);
		assert_int_equal(stat(at("store/current/key.pem"), &st), 0);
		assert_int_equal(st.st_mode & 0777, i < 3 ? 0600 : 0640);
		if (i == 2) /* the next generation is as open as this one, but no more than that */
			assert_int_equal(chmod(at("store/current/key.pem"), 0644), 0);
	}
}

/* A look at the store, without a new generation. */
static void open_store(void)
{
	struct est_generation *g = NULL;
	struct est_swap *swap = NULL;

	assert_int_equal(est_swap_open(at("store"), EST_SWAP_STORE, &swap, &err), EST_OK);
	assert_int_equal(est_generation_open(at("store"), &g, &err), EST_OK);
	est_generation_free(g);
	est_swap_free(swap);
}

static void point_current_at(const char *generation)
{
	(void)unlink(at("store/current"));
	assert_int_equal(symlink(generation, at("store/current")), 0);
}

static void a_generation_with_a_number_goes_when_there_is_another_and_not_before(void **state)
{
	struct est_swap *swap = NULL;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(generate(i ? 'b' : 'a', 1, &swap), EST_OK);
		est_swap_free(swap);
		swap = NULL;
	}
	point_current_at("gen-000001"); /* back to the one before */
	open_store();
	expect_store('a', 2);
	assert_int_equal(unlink(at("store/current")), 0); /* a copy without its links */
	open_store();
	assert_int_equal(letter_of(at("store/gen-000001/key.pem")), 'a');
	assert_int_equal(letter_of(at("store/gen-000002/key.pem")), 'b');
	point_current_at("gen-000001");
	assert_int_equal(generate('b', 1, &swap), EST_OK);
	est_swap_free(swap);
	expect_store('b', 2);
	assert_int_equal(letter_of(at("store/gen-000001/key.pem")), 'a'); /* the former one */
}

static void a_store_of_somebody_else_is_refused(void **state)
{
	struct est_swap *swap = NULL;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(generate('a', 1, &swap), EST_OK);
	est_swap_free(swap);
	swap = NULL;
	assert_int_equal(chmod(at("store"), 01777), 0);
	assert_int_equal(lchown(at("store/current"), 1234, 1234), 0);
	assert_int_equal(generate('b', 1, &swap), EST_E_OUTPUT);
	assert_non_null(strstr(err.msg, "store/current: belongs to user 1234"));
	est_swap_free(swap);
	swap = NULL;
	assert_int_equal(lchown(at("store/current"), 0, 0), 0);
	expect_store('a', 1);
	assert_int_equal(chmod(testca_tmp, 01777), 0);
	assert_int_equal(chown(at("store"), 1234, 1234), 0);
	assert_int_equal(generate('b', 1, &swap), EST_E_OUTPUT);
	assert_null(swap);
	assert_int_equal(est_swap_open(at("store/"), EST_SWAP_STORE, &swap, &err), EST_E_OUTPUT);
	assert_non_null(strstr(err.msg, "store: belongs to user 1234"));
	expect_store('a', 1);
}

static void what_was_never_in_use_is_removed(void **state)
{
	struct est_swap *swap = NULL;

	(void)state;
	assert_int_equal(generate('a', 1, &swap), EST_OK);
	est_swap_free(swap);
	assert_int_equal(mkdir(at("store/.est-next"), 0700), 0);
	testca_write(at("store/.est-next/key.pem"), content_of('b'));
	assert_int_equal(mkdir(at("store/gen-000002"), 0700), 0);
	testca_write(at("store/gen-000002/cert.pem"), content_of('B'));
	assert_int_equal(symlink("gen-000002", at("store/.current.est-tmp")), 0);
	swap = NULL;
	assert_int_equal(generate('b', 1, &swap), EST_OK);
	est_swap_free(swap);
	expect_store('b', 2);
}

static void what_is_no_store_is_left_alone(void **state)
{
	struct est_swap *swap = NULL;

	(void)state;
	assert_int_equal(mkdir(at("store"), 0700), 0);
	testca_write(at("store/current"), est_span_str("mine"));
	assert_int_equal(generate('a', 1, &swap), EST_E_OUTPUT);
	assert_int_equal(unlink(at("store/current")), 0);
	assert_int_equal(symlink("/etc", at("store/current")), 0);
	est_swap_free(swap);
	swap = NULL;
	assert_int_equal(generate('a', 1, &swap), EST_E_OUTPUT);
	est_swap_free(swap);
	assert_int_equal(testca_files(at("store")), 1);
	testca_write(at("file"), est_span_str("mine"));
	swap = NULL;
	assert_int_equal(est_swap_open(at("file"), EST_SWAP_STORE, &swap, &err), EST_E_OUTPUT);
	/* A folder made for nothing goes again. */
	assert_int_equal(est_swap_open(at("made"), EST_SWAP_STORE, &swap, &err), EST_OK);
	est_swap_free(swap);
	assert_int_equal(access(at("made"), F_OK), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, testca_tmp_make, testca_tmp_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_store_has_the_generations_it_is_told_to_keep),
		TEST(a_generation_with_a_number_goes_when_there_is_another_and_not_before),
		TEST(a_store_of_somebody_else_is_refused),
		TEST(what_was_never_in_use_is_removed),
		TEST(what_is_no_store_is_left_alone),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}

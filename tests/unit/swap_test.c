/* SPDX-License-Identifier: MIT */
/* The files of one certificate: swapped together, or as they were; and what the next run makes of
 * what a killed one left. */
#include "est.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "forge.h"
#include "journal.h"
#include "pair_run.h"

#define C ".c.pem.est-"
#define K ".k.pem.est-"

/* ---- Files as words: "c=A k=b" ----------------------------------------------------------------
 */

static const struct {
	char letter;
	const char *name;
} files[] = {
	{ 'c', "c.pem" },
	{ 'k', "k.pem" },
	{ 't', C "tmp" },
	{ 'n', "k.pem.est-new" },
	{ 'r', "k.pem.est-csr" },
	{ 'C', C "old" },
	{ 'K', K "old" },
	{ 'p', "c.pem.prev" },
	{ 'q', "k.pem.prev" },
	{ 'o', "o.pem" },
	{ 'u', ".o.pem.est-tmp" },
	{ 'O', ".o.pem.est-old" },
};

#define N_FILES (sizeof(files) / sizeof(files[0]))

static void lay_out(const char *words)
{
	for (const char *p = words; *p; p += p[3] ? 4 : 3) {
		for (size_t i = 0; i < N_FILES; i++) {
			if (files[i].letter == p[0])
				testca_write(at(files[i].name), content_of(p[2]));
		}
	}
}

/* Everything in the folder is named. */
static void expect(const char *words, const char *what)
{
	char found[8 * N_FILES] = "";
	size_t n = 0, count = 0;

	for (size_t i = 0; i < N_FILES; i++) {
		if (access(at(files[i].name), F_OK) != 0)
			continue;
		n += (size_t)snprintf(found + n, sizeof(found) - n, "%s%c=%c", n ? " " : "",
			files[i].letter, letter_of(at(files[i].name)));
		count++;
	}
	if (strcmp(found, words) != 0 || testca_files(testca_tmp) != count)
		fail_msg("%s: %s is there, %s is due, of %zu files", what, found, words,
			testca_files(testca_tmp));
}

/* ---- Recovery
 * ------------------------------------------------------------------------------------ */

/* records: "c+ k-"; H: a hook; 1: one generation is kept. */
static void write_journal(const char *records)
{
	struct journal j = { 0 };
	struct est_buf text = { 0 };

	for (const char *p = records; *p; p++) {
		const char *name = *p == 'c' || *p == 'b' ? "c.pem" : *p == 'o' ? "o.pem" : "k.pem";

		if (*p == 'H')
			j.hook = true;
		else if (*p == '1')
			j.keep = 1;
		else if (*p != ' ' && *p != '+' && *p != '-')
			assert_int_equal(journal_add(&j, (enum journal_part) * p, p[1] == '+',
						 at(name), &err),
				EST_OK);
	}
	assert_int_equal(journal_encode(&j, testca_tmp, &text, &err), EST_OK);
	testca_write(at(C "journal"), est_buf_span(&text));
	est_buf_free(&text);
	journal_wipe(&j);
}

#define NO   EST_RECOVERED_NOTHING
#define NEW  EST_RECOVERED_NEW
#define OLD  EST_RECOVERED_OLD
#define FAIL -1

static const struct {
	const char *name, *before, *records;
	int result;
	const char *after;
	bool owed;
} states[] = {
	{ "nothing is renamed yet", "c=A k=a t=B n=b r=0 C=A K=a", "c+ k+", NEW, "c=B k=b", 0 },
	{ "the certificate is", "c=B k=a n=b r=0 C=A K=a", "c+ k+", NEW, "c=B k=b", 0 },
	{ "both are", "c=B k=b r=0 C=A K=a", "c+ k+", NEW, "c=B k=b", 0 },
	{ "both are, the rest is tidied", "c=B k=b", "c+ k+", NEW, "c=B k=b", 0 },
	{ "old files are kept", "c=B k=a n=b C=A K=a", "1c+ k+", NEW, "c=B k=b p=A q=a", 0 },
	{ "one is kept already", "c=B k=b K=a p=A", "1c+ k+", NEW, "c=B k=b p=A q=a", 0 },
	{ "one kept goes", "c=B k=b C=A K=a p=0 q=1", "1c+ k+", NEW, "c=B k=b p=A q=a", 0 },
	{ "none was there before", "t=B n=b", "c- k-", NEW, "c=B k=b", 0 },
	{ "none was there, one is renamed", "c=B n=b", "c- k-", NEW, "c=B k=b", 0 },
	{ "the key stays", "c=A k=a t=A C=A", "c+ K+", NEW, "c=A k=a", 0 },
	{ "the key that stays is encrypted", "c=A k=0 t=B C=A", "c+ K+", NEW, "c=B k=0", 0 },
	{ "other files", "c=A k=a t=B n=b u=1 o=0 O=0 C=A K=a", "c+ o+ k+", NEW, "c=B k=b o=1", 0 },
	{ "other files alone", "u=1 o=0 O=0", "o+", NEW, "o=1", 0 },
	{ "the key is in another file", "c=B k=a n=b r=0", "o+ d-", NEW, "c=B k=a", 0 },
	/* A hook. */
	{ "a hook is owed besides", "c=A k=a t=B n=b", "Hc+ k+", NEW, "c=B k=b", 1 },
	{ "a hook alone is owed", "c=B k=b", "Hc+ k+", NO, "c=B k=b", 1 },
	/* What was staged is lost or wrong: the pair that is there counts, then the old one. */
	{ "the new certificate is lost", "c=A k=a n=b C=A K=a", "c+ k+", OLD, "c=A k=a n=b", 0 },
	{ "the new certificate is of another key", "c=A k=a t=A n=b", "c+ k+", OLD, "c=A k=a n=b",
		0 },
	{ "the new certificate is torn", "c=A k=a t=0 n=b r=0", "c+ k+", OLD, "c=A k=a n=b r=0",
		0 },
	{ "the new key is torn, one is renamed", "c=B k=a n=0 C=A K=a", "c+ k+", OLD, "c=A k=a n=0",
		0 },
	{ "the new key is lost, one is renamed", "c=B k=a C=A", "c+ k+", OLD, "c=A k=a", 0 },
	{ "somebody has put a pair there", "c=A k=a t=B n=0 C=0 K=1", "c+ k+", OLD, "c=A k=a n=0",
		0 },
	{ "somebody has changed the key that stays", "c=A k=a t=B C=A", "c+ K+", OLD, "c=A k=a",
		0 },
	{ "no pair is left", "c=A k=b n=0", "c+ k+", FAIL, "c=A k=b n=0", 0 },
	{ "no pair is left, nor an old one", "c=A k=b C=A K=b t=0", "c+ k+", FAIL,
		"c=A k=b t=0 C=A K=b", 0 },
};

static void what_a_killed_run_left_is_completed_or_undone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct est_swap *swap = NULL;
		enum est_code rc;

		testca_tmp_remove(NULL);
		testca_tmp_make(NULL);
		lay_out(states[i].before);
		write_journal(states[i].records);
		assert_int_equal(est_swap_open(at("c.pem"), EST_SWAP_LOOK, &swap, &err), EST_OK);
		assert_int_equal(est_swap_recovered(swap), EST_RECOVERY_DUE);
		est_swap_free(swap); /* and nothing has changed */
		swap = NULL;
		assert_true(est_swap_unfinished(at("c.pem"), 0));
		rc = est_swap_open(at("c.pem"), 0, &swap, &err);
		if (states[i].result == FAIL) {
			assert_int_equal(rc, EST_E_INPUT);
			assert_string_equal(err.reason, "no-pair");
			assert_null(swap);
			assert_int_equal(unlink(at(C "journal")), 0);
			expect(states[i].after, states[i].name);
			continue;
		}
		if (rc != EST_OK || (int)est_swap_recovered(swap) != states[i].result)
			fail_msg("%s: %d, %s", states[i].name, rc, rc ? err.msg : "other result");
		assert_int_equal(est_swap_hook_owed(swap), states[i].owed);
		est_swap_free(swap);
		assert_int_equal(est_swap_unfinished(at("c.pem"), 0), states[i].owed);
		(void)unlink(at(C "journal"));
		expect(states[i].after, states[i].name);
	}
}

static void a_journal_that_is_torn_means_nothing_was_done(void **state)
{
	struct est_swap *swap = NULL;
	struct est_buf text = { 0 };

	(void)state;
	write_journal("H1c+ k+");
	assert_int_equal(est_read_file(at(C "journal"), 1000, &text, &err), EST_OK);
	for (size_t n = 0; n < text.n; n++) {
		struct journal j = { .keep = 7 };

		assert_int_equal(journal_decode((struct est_span){ text.p, n }, "", &j, &err),
			EST_E_INPUT);
		assert_int_equal(j.keep, 7); /* untouched */
		lay_out("c=A k=a t=B n=b");
		testca_write(at(C "journal"), (struct est_span){ text.p, n });
		assert_int_equal(est_swap_open(at("c.pem"), 0, &swap, &err), EST_OK);
		assert_int_equal(est_swap_recovered(swap), EST_RECOVERED_NOTHING);
		assert_false(est_swap_hook_owed(swap));
		est_swap_free(swap);
		expect("c=A k=a t=B n=b", "torn");
	}
	est_buf_free(&text);
}

static void a_journal_of_somebody_else_is_not_followed(void **state)
{
	struct est_swap *swap = NULL;

	(void)state;
	lay_out("c=A k=a t=B n=b");
	write_journal("c+ k+");
	if (geteuid() == 0)
		assert_int_equal(chown(at(C "journal"), 12345, (gid_t)-1), 0);
	else
		assert_int_equal(link(at(C "journal"), at("o.pem")), 0);
	assert_int_equal(est_swap_open(at("c.pem"), 0, &swap, &err), EST_E_OUTPUT);
	assert_int_equal(unlink(at(C "journal")), 0);
	(void)unlink(at("o.pem"));
	assert_int_equal(symlink("k.pem", at(C "journal")), 0);
	assert_int_equal(est_swap_open(at("c.pem"), 0, &swap, &err), EST_E_OUTPUT);
	assert_int_equal(unlink(at(C "journal")), 0);
	assert_int_equal(mkfifo(at(C "journal"), 0600), 0);
	assert_int_equal(est_swap_open(at("c.pem"), 0, &swap, &err), EST_E_OUTPUT);
	assert_int_equal(unlink(at(C "journal")), 0);
	expect("c=A k=a t=B n=b", "somebody else's");
	assert_null(swap);
}

/* ---- The swap
 * ------------------------------------------------------------------------------------ */

struct run {
	struct est_swap *swap;
	struct est_output *cert, *other;
	struct est_newkey *key;
};

static void begin(struct run *run, bool with_key)
{
	bool resumed;

	*run = (struct run){ 0 };
	if (est_swap_open(at("c.pem"), 0, &run->swap, &err) != EST_OK ||
		est_output_open(at("c.pem"), 0, &run->cert, &err) != EST_OK ||
		est_output_open(at("o.pem"), 0, &run->other, &err) != EST_OK ||
		(with_key && est_newkey_open(at("k.pem"), "ec:p256", 0, &run->key, &resumed,
				     &err) != EST_OK) ||
		est_output_write(run->cert, content_of('B'), &err) != EST_OK ||
		est_output_write(run->other, content_of('1'), &err) != EST_OK)
		fail_msg("%s", err.msg);
}

static enum est_code commit(struct run *run, unsigned keep, bool hook, bool *changed)
{
	const struct est_swap_files swapped = {
		.cert = run->cert,
		.others = { run->other },
		.newkey = run->key,
		.keep = keep,
		.hook = hook,
	};

	return est_swap_commit(run->swap, &swapped, changed, &err);
}

static void end(struct run *run)
{
	est_newkey_free(run->key);
	est_output_free(run->cert);
	est_output_free(run->other);
	est_swap_free(run->swap);
}

static void a_swap_replaces_all_and_keeps_what_it_is_told_to(void **state)
{
	static const char *const after[] = { "c=B o=1", "c=B p=A o=1" };
	bool changed = false;
	struct run run;

	(void)state;
	for (unsigned keep = 0; keep < 2; keep++) {
		lay_out("c=A o=0");
		begin(&run, false);
		assert_int_equal(commit(&run, keep, false, &changed), EST_OK);
		assert_true(changed);
		end(&run);
		(void)unlink(at("o.pem.prev"));
		expect(after[keep], "swapped");
	}
	begin(&run, false);
	assert_int_equal(commit(&run, 1, true, &changed), EST_OK);
	assert_false(changed); /* equal content stays, and no hook is owed */
	assert_false(est_swap_hook_owed(run.swap));
	end(&run);
	expect(after[1], "the same again");
}

static void old_files_get_older_and_the_oldest_goes(void **state)
{
	struct run run;

	(void)state;
	for (int i = 0; i < 4; i++) {
		lay_out(i == 0 ? "c=0 o=1" : i == 1 ? "c=1 o=1" : i == 2 ? "c=2 o=1" : "c=A o=1");
		begin(&run, false);
		assert_int_equal(commit(&run, 2, false, NULL), EST_OK);
		end(&run);
	}
	assert_int_equal(letter_of(at("c.pem.prev.2")), '2');
	assert_int_equal(access(at("c.pem.prev.3"), F_OK), -1);
	lay_out("c=0");
	begin(&run, false);
	assert_int_equal(commit(&run, 1, false, NULL), EST_OK); /* fewer than before */
	end(&run);
	expect("c=B p=0 o=1", "fewer");
}

static void a_swap_that_fails_in_the_middle_is_undone(void **state)
{
	bool changed = true;
	struct run run;

	(void)state;
	for (int with_key = 0; with_key < 2; with_key++) {
		lay_out("c=A k=a");
		begin(&run, with_key);
		/* After the certificate: this cannot be replaced by a file. */
		assert_int_equal(mkdir(at("o.pem"), 0700), 0);
		assert_int_equal(mkdir(at("o.pem/x"), 0700), 0);
		assert_int_equal(commit(&run, 1, true, &changed), EST_E_OUTPUT);
		assert_true(changed); /* untouched */
		assert_false(est_swap_hook_owed(run.swap));
		assert_int_equal(rmdir(at("o.pem/x")), 0);
		assert_int_equal(rmdir(at("o.pem")), 0);
		end(&run);
		if (with_key) {
			assert_int_equal(letter_of(at("k.pem.est-new")),
				'?'); /* a key of its own */
			assert_int_equal(unlink(at("k.pem.est-new")), 0);
		}
		expect("c=A k=a", "undone");
	}
}

/* What an earlier run has left under a second name is nobody's old file. */
static void a_stale_second_name_does_not_come_back(void **state)
{
	struct run run;

	(void)state;
	lay_out("c=A o=0 O=1");
	begin(&run, false);
	assert_int_equal(mkdir(at(C "old"), 0700), 0); /* so that it fails before o.pem's turn */
	assert_int_equal(commit(&run, 1, false, NULL), EST_E_OUTPUT);
	end(&run);
	assert_int_equal(rmdir(at(C "old")), 0);
	expect("c=A o=0", "failed");
	lay_out("C=0 O=1");
	assert_int_equal(unlink(at("c.pem")), 0);
	begin(&run, false);
	assert_int_equal(commit(&run, 1, false, NULL), EST_OK);
	end(&run);
	assert_int_equal(letter_of(at("o.pem.prev")), '0');
	assert_int_equal(unlink(at("o.pem.prev")), 0);
	expect("c=B o=1", "there was no certificate to keep");
}

static void a_hook_is_owed_until_it_was_run(void **state)
{
	struct run run;

	(void)state;
	for (int round = 0; round < 3; round++) {
		if (round == 0)
			lay_out("c=A o=0");
		begin(&run, false);
		assert_int_equal(est_swap_recovered(run.swap), EST_RECOVERED_NOTHING);
		assert_int_equal(est_swap_hook_owed(run.swap), round > 0);
		if (round == 0)
			assert_int_equal(commit(&run, 0, true, NULL), EST_OK);
		assert_true(est_swap_hook_owed(run.swap));
		if (round == 2)
			est_swap_hook_done(run.swap);
		end(&run);
		assert_int_equal(est_swap_unfinished(at("c.pem"), 0), round < 2);
	}
	expect("c=B o=1", "hook");
}

static void one_run_at_a_time(void **state)
{
	struct est_swap *swap = NULL, *second = NULL;

	(void)state;
	assert_int_equal(est_swap_open(at("c.pem"), 0, &swap, &err), EST_OK);
	assert_int_equal(symlink("c.pem", at("o.pem")), 0); /* the same by another name */
	assert_int_equal(est_swap_open(at("o.pem"), 0, &second, &err), EST_E_OUTPUT);
	assert_string_equal(err.reason, "locked");
	assert_null(second);
	assert_int_equal(est_swap_open(at("k.pem"), 0, &second, &err), EST_OK);
	est_swap_free(second);
	second = NULL;
	est_swap_free(swap);
	assert_int_equal(est_swap_open(at("o.pem"), 0, &second, &err), EST_OK);
	est_swap_free(second);
	est_swap_free(NULL);
	assert_int_equal(unlink(at("o.pem")), 0);
	expect("", "locks");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, testca_tmp_make, testca_tmp_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_killed_run_left_is_completed_or_undone),
		TEST(a_journal_that_is_torn_means_nothing_was_done),
		TEST(a_journal_of_somebody_else_is_not_followed),
		TEST(a_swap_replaces_all_and_keeps_what_it_is_told_to),
		TEST(old_files_get_older_and_the_oldest_goes),
		TEST(a_swap_that_fails_in_the_middle_is_undone),
		TEST(a_stale_second_name_does_not_come_back),
		TEST(a_hook_is_owed_until_it_was_run),
		TEST(one_run_at_a_time),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}

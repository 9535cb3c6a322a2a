/* SPDX-License-Identifier: MIT */
/* The files of one certificate: swapped together, or as they were; and what the next run makes of
 * what a killed one left. */
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

#include "forge.h"
#include "journal.h"
#include "testca.h"

#define C ".c.pem.est-"
#define K ".k.pem.est-"

static struct est_error err;
static struct est_buf cert_pem[2], key_pem[2]; /* two pairs: A with a, B with b */

static void append_pem(struct est_buf *out, const char *label, struct est_span der)
{
	assert_int_equal(est_pem_append(out, label, der, &err), EST_OK);
}

static int group_set_up(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct testca pair;
		gnutls_datum_t pkcs8;

		testca_issue(&(struct testca_spec){ 0 }, &pair);
		append_pem(&cert_pem[i], "CERTIFICATE", est_buf_span(&pair.der));
		assert_int_equal(gnutls_x509_privkey_export2_pkcs8(pair.key, GNUTLS_X509_FMT_PEM,
					 NULL, GNUTLS_PKCS_PLAIN, &pkcs8),
			0);
		assert_int_equal(est_buf_append(&key_pem[i],
					 (struct est_span){ pkcs8.data, pkcs8.size }, &err),
			EST_OK);
		gnutls_free(pkcs8.data);
		testca_wipe(&pair);
	}
	return 0;
}

static int group_tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		est_buf_free(&cert_pem[i]);
		est_buf_free(&key_pem[i]);
	}
	return 0;
}

static const char *at(const char *name)
{
	return testca_path(testca_tmp, name);
}

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

static struct est_span content_of(char c)
{
	static const char other[] = "neither key nor certificate";

	if (c == 'A' || c == 'B')
		return est_buf_span(&cert_pem[c - 'A']);
	if (c == 'a' || c == 'b')
		return est_buf_span(&key_pem[c - 'a']);
	return est_span_str(other + (c - '0'));
}

static void lay_out(const char *words)
{
	for (const char *p = words; *p; p += p[3] ? 4 : 3) {
		for (size_t i = 0; i < N_FILES; i++) {
			if (files[i].letter == p[0])
				testca_write(at(files[i].name), content_of(p[2]));
		}
	}
}

static char letter_of(const char *path)
{
	struct est_buf got = { 0 };
	char found = '?';

	assert_int_equal(est_read_file(path, 1 << 20, &got, &err), EST_OK);
	for (const char *p = "ABab012"; *p; p++) {
		if (est_span_eq(est_buf_span(&got), content_of(*p)))
			found = *p;
	}
	est_buf_free(&got);
	return found;
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

/* ---- Stores
 * --------------------------------------------------------------------------------------- */

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
		TEST(what_a_killed_run_left_is_completed_or_undone),
		TEST(a_journal_that_is_torn_means_nothing_was_done),
		TEST(a_journal_of_somebody_else_is_not_followed),
		TEST(a_swap_replaces_all_and_keeps_what_it_is_told_to),
		TEST(old_files_get_older_and_the_oldest_goes),
		TEST(a_swap_that_fails_in_the_middle_is_undone),
		TEST(a_hook_is_owed_until_it_was_run),
		TEST(one_run_at_a_time),
		TEST(a_store_has_the_generations_it_is_told_to_keep),
		TEST(what_was_never_in_use_is_removed),
		TEST(what_is_no_store_is_left_alone),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}

/* SPDX-License-Identifier: MIT */
/* The key of an enrolment under way. */
#include "est.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "forge.h"
#include "key.h"
#include "testca.h"

static char *dir;
static const char *key_file, *new_file;
static char names[2][128];
static struct est_error err;

static int set_up(void **state)
{
	(void)state;
	dir = testca_dir();
	(void)snprintf(names[0], sizeof(names[0]), "%s/k.pem", dir);
	(void)snprintf(names[1], sizeof(names[1]), "%s/k.pem.est-new", dir);
	key_file = names[0];
	new_file = names[1];
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	testca_dir_remove(dir);
	return 0;
}

static size_t files_in_dir(void)
{
	return testca_files(dir);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static struct est_newkey *open_key(const char *type, unsigned flags, bool resumed)
{
	struct est_newkey *nk = NULL;
	bool is_resumed = !resumed;

	if (est_newkey_open(key_file, type, flags, &nk, &is_resumed, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(is_resumed, resumed);
	assert_string_equal(est_key_type(est_newkey_key(nk)), type);
	assert_string_equal(est_newkey_path(nk), new_file);
	return nk;
}

static enum est_code open_fails(const char *type, unsigned flags)
{
	struct est_newkey *nk = NULL;
	bool resumed = true;
	enum est_code rc = est_newkey_open(key_file, type, flags, &nk, &resumed, &err);

	assert_int_not_equal(rc, EST_OK);
	assert_null(nk);
	assert_true(resumed); /* untouched */
	resumed = false;
	assert_int_equal(est_newkey_open(key_file, type, flags, &nk, &resumed, &err), rc);
	assert_false(resumed);
	return rc;
}

/* The public key, to tell two apart. */
static struct est_buf public_of(const struct est_key *key)
{
	struct est_buf spki = { 0 };

	assert_int_equal(key_spki(key, &spki, &err), EST_OK);
	return spki;
}

static void expect_key_in(const char *path, const struct est_buf *spki)
{
	struct est_key *key = NULL;
	struct est_buf found;

	if (est_key_load(path, NULL, NULL, &key, &err) != EST_OK)
		fail_msg("%s", err.msg);
	found = public_of(key);
	assert_true(est_span_eq(est_buf_span(&found), est_buf_span(spki)));
	est_buf_free(&found);
	est_key_free(key);
}

static void a_new_key_is_on_disk_before_anything_is_sent(void **state)
{
	struct est_newkey *nk = open_key("ec:p256", EST_OUTPUT_NEW, false);
	struct est_buf spki = public_of(est_newkey_key(nk));

	(void)state;
	assert_int_equal(access(key_file, F_OK), -1);
	expect_key_in(new_file, &spki);
	assert_int_equal(mode_of(new_file), 0600);
	testca_write(testca_path(dir, "k.pem.est-csr"), est_span_str("its request"));
	assert_int_equal(est_newkey_commit(nk, &err), EST_OK);
	expect_key_in(key_file, &spki);
	assert_int_equal(mode_of(key_file), 0600);
	assert_int_equal(access(new_file, F_OK), -1);
	est_newkey_discard(nk); /* nothing after the commit */
	est_newkey_free(nk);
	expect_key_in(key_file, &spki);
	assert_int_equal(files_in_dir(), 1);
	est_buf_free(&spki);
}

static void a_key_that_was_not_certified_is_discarded(void **state)
{
	struct est_newkey *nk = open_key("ec:p256", 0, false);

	(void)state;
	est_newkey_discard(nk);
	est_newkey_free(nk);
	est_newkey_free(NULL);
	assert_int_equal(files_in_dir(), 0);
}

static void a_key_that_may_be_certified_is_kept_and_resumed(void **state)
{
	struct est_newkey *nk = open_key("ed25519", EST_OUTPUT_NEW, false);
	struct est_buf spki = public_of(est_newkey_key(nk));

	(void)state;
	est_newkey_free(nk);
	for (int i = 0; i < 2; i++) {
		nk = open_key("ed25519", EST_OUTPUT_NEW, true);
		expect_key_in(new_file, &spki);
		est_newkey_free(nk);
	}
	nk = open_key("ed25519", EST_OUTPUT_NEW, true);
	assert_int_equal(est_newkey_commit(nk, &err), EST_OK);
	est_newkey_free(nk);
	expect_key_in(key_file, &spki);
	est_buf_free(&spki);
}

static void a_key_that_waits_takes_the_place_of_one_that_does_not_fit(void **state)
{
	static const char *const rest[] = { "torn", "" };
	struct testca pair;
	bool repaired = true;

	(void)state;
	testca_issue(&(struct testca_spec){ 0 }, &pair);
	assert_int_equal(est_newkey_repair(key_file, est_buf_span(&pair.der), "c", false, &repaired,
				 &err),
		EST_OK);
	assert_false(repaired);
	for (size_t i = 0; i < 2; i++) {
		testca_write(new_file, est_span_str(rest[i]));
		assert_int_equal(est_newkey_repair(key_file, est_buf_span(&pair.der), "c", false,
					 &repaired, &err),
			EST_OK);
		assert_false(repaired);
	}
	est_newkey_free(open_key("ec:p256", 0, false)); /* it fits another certificate */
	assert_int_equal(est_newkey_repair(key_file, est_buf_span(&pair.der), "c", false, &repaired,
				 &err),
		EST_OK);
	assert_false(repaired);
	assert_int_equal(files_in_dir(), 1);
	testca_wipe(&pair);
}

static void a_key_of_another_type_is_not_thrown_away(void **state)
{
	struct est_newkey *nk = open_key("ed25519", 0, false);
	struct est_buf spki = public_of(est_newkey_key(nk));

	(void)state;
	est_newkey_free(nk);
	assert_int_equal(open_fails("ec:p256", 0), EST_E_INPUT);
	assert_non_null(strstr(err.msg, "ed25519"));
	assert_non_null(strstr(err.msg, "ec:p256"));
	assert_true(err.hint[0]);
	expect_key_in(new_file, &spki);
	est_buf_free(&spki);
}

static void a_type_that_does_not_exist_leaves_no_file(void **state)
{
	(void)state;
	assert_int_equal(open_fails("ec:p999", 0), EST_E_USAGE);
	assert_int_equal(files_in_dir(), 0);
	testca_write(new_file, est_span_str("torn"));
	assert_int_equal(open_fails("ec:p999", 0), EST_E_USAGE);
	assert_int_equal(files_in_dir(), 0);
}

static void a_torn_file_is_replaced_and_narrowed(void **state)
{
	static const char *const torn[] = { "", "-----BEGIN PRIVATE KEY-----\nMIG",
		"-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0\n"
		"-----END PRIVATE KEY-----\nand more text than a key has, and more text than a key "
		"has, and more text than a key has, and more text than a key has, and more text" };

	(void)state;
	for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
		struct est_newkey *nk;
		struct est_buf spki;

		testca_write(new_file, est_span_str(torn[i]));
		assert_int_equal(chmod(new_file, 0666), 0);
		nk = open_key("ec:p256", 0, false);
		spki = public_of(est_newkey_key(nk));
		expect_key_in(new_file, &spki);
		assert_int_equal(mode_of(new_file), 0600);
		est_newkey_discard(nk);
		est_newkey_free(nk);
		est_buf_free(&spki);
	}
}

/* Somebody who can write into the same directory must not choose our key. */
static void a_key_that_somebody_else_has_put_there_is_refused(void **state)
{
	struct est_newkey *nk = open_key("ec:p256", 0, false);

	(void)state;
	if (geteuid() != 0)
		skip();
	est_newkey_free(nk);
	assert_int_equal(chown(new_file, 1234, 1234), 0);
	assert_int_equal(open_fails("ec:p256", 0), EST_E_OUTPUT);
	assert_non_null(strstr(err.msg, "belongs to"));
	assert_int_equal(access(new_file, F_OK), 0);
}

static void one_run_at_a_time(void **state)
{
	struct est_newkey *nk;
	int ready[2], go[2], st;
	char byte = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		bool resumed;

		if (est_newkey_open(key_file, "ec:p256", 0, &nk, &resumed, &err) != EST_OK)
			_exit(1);
		if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(2);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(open_fails("ec:p256", 0), EST_E_OUTPUT);
	assert_string_equal(err.reason, "locked");
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	/* The lock goes with the process, the key stays. */
	nk = open_key("ec:p256", 0, true);
	est_newkey_free(nk);
	for (int i = 0; i < 2; i++) {
		(void)close(ready[i]);
		(void)close(go[i]);
	}
}

static void an_existing_key_is_replaced_only_when_asked(void **state)
{
	struct est_newkey *nk;
	struct est_buf spki;

	(void)state;
	testca_write(key_file, est_span_str("old"));
	assert_int_equal(chmod(key_file, 0644), 0);
	assert_int_equal(open_fails("ec:p256", EST_OUTPUT_NEW), EST_E_OUTPUT);
	assert_string_equal(err.reason, "exists");
	assert_int_equal(files_in_dir(), 1);
	nk = open_key("ec:p256", 0, false);
	spki = public_of(est_newkey_key(nk));
	assert_int_equal(est_newkey_commit(nk, &err), EST_OK);
	est_newkey_free(nk);
	expect_key_in(key_file, &spki);
	assert_int_equal(mode_of(key_file), 0640);
	est_buf_free(&spki);
}

static void a_key_that_came_meanwhile_is_not_replaced(void **state)
{
	struct est_newkey *nk = open_key("ec:p256", EST_OUTPUT_NEW, false);
	struct est_buf spki = public_of(est_newkey_key(nk));

	(void)state;
	testca_write(key_file, est_span_str("theirs"));
	assert_int_equal(est_newkey_commit(nk, &err), EST_E_OUTPUT);
	est_newkey_free(nk);
	expect_key_in(new_file, &spki); /* and ours is not lost */
	assert_int_equal(est_key_load(key_file, NULL, NULL, &(struct est_key *){ NULL }, &err),
		EST_E_INPUT);
	est_buf_free(&spki);
}

static void what_is_no_regular_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(new_file, 0700), 0);
	assert_int_equal(open_fails("ec:p256", 0), EST_E_OUTPUT);
	assert_int_equal(rmdir(new_file), 0);
	assert_int_equal(mkfifo(new_file, 0600), 0);
	assert_int_equal(open_fails("ec:p256", 0), EST_E_OUTPUT);
	assert_int_equal(unlink(new_file), 0);
	assert_int_equal(symlink("elsewhere", new_file), 0);
	assert_int_equal(open_fails("ec:p256", 0), EST_E_OUTPUT);
	assert_int_equal(unlink(new_file), 0);
	assert_int_equal(mkdir(key_file, 0700), 0);
	assert_int_equal(open_fails("ec:p256", 0), EST_E_OUTPUT);
	assert_int_equal(files_in_dir(), 1);
}

static void a_disk_that_is_full_leaves_no_file(void **state)
{
	const struct rlimit none = { 16, RLIM_INFINITY };
	struct rlimit old;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(open_fails("ec:p256", 0), EST_E_OUTPUT);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(files_in_dir(), 0);
}

static void the_key_goes_where_a_link_points(void **state)
{
	const char *link = testca_path(dir, "link");
	struct est_newkey *nk = NULL;
	bool resumed;

	(void)state;
	assert_int_equal(symlink("k.pem", link), 0);
	assert_int_equal(est_newkey_open(link, "ec:p256", 0, &nk, &resumed, &err), EST_OK);
	assert_string_equal(est_newkey_path(nk), new_file);
	assert_int_equal(est_newkey_commit(nk, &err), EST_OK);
	est_newkey_free(nk);
	assert_int_equal(mode_of(key_file), 0600);
	assert_int_equal(files_in_dir(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_key_is_on_disk_before_anything_is_sent),
		TEST(a_key_that_was_not_certified_is_discarded),
		TEST(a_key_that_may_be_certified_is_kept_and_resumed),
		TEST(a_key_that_waits_takes_the_place_of_one_that_does_not_fit),
		TEST(a_key_of_another_type_is_not_thrown_away),
		TEST(a_type_that_does_not_exist_leaves_no_file),
		TEST(a_torn_file_is_replaced_and_narrowed),
		TEST(a_key_that_somebody_else_has_put_there_is_refused),
		TEST(one_run_at_a_time),
		TEST(an_existing_key_is_replaced_only_when_asked),
		TEST(a_key_that_came_meanwhile_is_not_replaced),
		TEST(what_is_no_regular_file_is_refused),
		TEST(a_disk_that_is_full_leaves_no_file),
		TEST(the_key_goes_where_a_link_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

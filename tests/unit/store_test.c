/* SPDX-License-Identifier: MIT */
/* Files that are replaced by one rename, or not at all. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
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
#include "testca.h"

static struct est_error err;

static int set_up(void **state)
{
	(void)umask(022);
	return testca_tmp_make(state);
}

static const char *at(const char *name)
{
	return testca_path(testca_tmp, name);
}

static size_t files_in_dir(void)
{
	return testca_files(testca_tmp);
}

static struct stat status(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static void expect_content(const char *path, const char *text)
{
	struct est_buf got = { 0 };

	assert_int_equal(est_read_file(path, 1 << 20, &got, &err), EST_OK);
	assert_true(est_span_eq(est_buf_span(&got), est_span_str(text)));
	est_buf_free(&got);
}

/* Opens, writes and commits. */
static enum est_code replace(const char *path, unsigned flags, const char *text, bool *changed)
{
	struct est_output *out = NULL;
	enum est_code rc;

	rc = est_output_open(path, flags, &out, &err);
	if (rc == EST_OK)
		rc = est_output_write(out, est_span_str(text), &err);
	if (rc == EST_OK)
		rc = est_output_commit(out, changed, &err);
	est_output_free(out);
	return rc;
}

static void expect_refused(const char *path, unsigned flags, const char *why)
{
	struct est_output *out = NULL;

	if (est_output_open(path, flags, &out, &err) != EST_E_OUTPUT)
		fail_msg("'%s' was taken", path);
	assert_null(out);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void a_new_file_appears_with_the_commit(void **state)
{
	struct est_output *out = NULL;
	const char *path = at("a");
	bool changed = false;

	(void)state;
	assert_int_equal(est_output_open(path, 0, &out, &err), EST_OK);
	assert_int_equal(est_output_write(out, est_span_str("one"), &err), EST_OK);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(est_output_write(out, est_span_str("2"), &err), EST_OK);
	assert_int_equal(est_output_commit(out, &changed, &err), EST_OK);
	est_output_free(out);
	assert_true(changed);
	expect_content(path, "2");
	assert_int_equal(status(path).st_mode & 07777, 0644);
	assert_int_equal(files_in_dir(), 1);
}

static void what_is_not_committed_leaves_nothing_behind(void **state)
{
	struct est_output *out = NULL;

	(void)state;
	assert_int_equal(replace(at("a"), 0, "old", NULL), EST_OK);
	assert_int_equal(est_output_open(at("a"), 0, &out, &err), EST_OK);
	assert_int_equal(files_in_dir(), 2);
	est_output_free(out);
	assert_int_equal(est_output_open(at("b"), 0, &out, &err), EST_OK);
	assert_int_equal(est_output_write(out, est_span_str("new"), &err), EST_OK);
	est_output_free(out);
	est_output_free(NULL);
	assert_int_equal(files_in_dir(), 1);
	expect_content(at("a"), "old");
}

static void nothing_is_committed_that_was_not_written(void **state)
{
	struct est_output *out = NULL;

	(void)state;
	assert_int_equal(est_output_open(at("a"), 0, &out, &err), EST_OK);
	assert_int_equal(est_output_commit(out, NULL, &err), EST_E_INTERNAL);
	est_output_free(out);
	assert_int_equal(files_in_dir(), 0);
}

static void mode_and_owner_of_what_was_there_are_kept(void **state)
{
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	testca_write(at("a"), est_span_str("old"));
	assert_int_equal(chown(at("a"), 1234, 5678), 0);
	assert_int_equal(chmod(at("a"), 0604), 0);
	assert_int_equal(replace(at("a"), 0, "new", NULL), EST_OK);
	st = status(at("a"));
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5678);
	assert_int_equal(st.st_mode & 07777, 0604);
}

static void a_key_is_never_wider_than_0640(void **state)
{
	struct est_output *out = NULL;
	glob_t found;

	(void)state;
	(void)umask(0);
	assert_int_equal(est_output_open(at("new"), EST_OUTPUT_SECRET, &out, &err), EST_OK);
	assert_int_equal(glob(at(".new.*"), 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	/* the temporary file is as narrow from the beginning */
	assert_int_equal(status(found.gl_pathv[0]).st_mode & 0777, 0600);
	globfree(&found);
	assert_int_equal(est_output_write(out, est_span_str("k"), &err), EST_OK);
	assert_int_equal(est_output_commit(out, NULL, &err), EST_OK);
	est_output_free(out);
	assert_int_equal(status(at("new")).st_mode & 07777, 0600);
	testca_write(at("wide"), est_span_str("old"));
	assert_int_equal(chmod(at("wide"), 06777), 0);
	assert_int_equal(replace(at("wide"), EST_OUTPUT_SECRET, "new", NULL), EST_OK);
	assert_int_equal(status(at("wide")).st_mode & 07777, 0640);
	/* The same key again: nothing to write, but not to stay as wide either. */
	assert_int_equal(chmod(at("wide"), 0644), 0);
	assert_int_equal(replace(at("wide"), EST_OUTPUT_SECRET, "new", NULL), EST_OK);
	assert_int_equal(status(at("wide")).st_mode & 07777, 0640);
	assert_int_equal(replace(at("public"), 0, "x", NULL), EST_OK);
	assert_int_equal(status(at("public")).st_mode & 07777, 0644);
	(void)umask(022);
}

/* In a child that is not root: the group that reads a key stays, or nobody's group reads it. */
static void a_group_is_kept_without_being_root_or_does_not_read_a_key(void **state)
{
	const gid_t groups[] = { 5678 };
	int st;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(testca_tmp, 0777), 0);
	testca_write(at("mine"), est_span_str("old"));
	assert_int_equal(chown(at("mine"), 0, 5678), 0);
	assert_int_equal(chmod(at("mine"), 0640), 0);
	testca_write(at("other"), est_span_str("old"));
	assert_int_equal(chown(at("other"), 0, 9999), 0);
	assert_int_equal(chmod(at("other"), 0640), 0);
	pid = fork();
	if (pid == 0) {
		if (setgroups(1, groups) != 0 || setgid(1234) != 0 || setuid(1234) != 0)
			_exit(9);
		if (replace(at("mine"), EST_OUTPUT_SECRET, "new", NULL) != EST_OK ||
			replace(at("other"), EST_OUTPUT_SECRET, "new", NULL) != EST_OK)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	expect_content(at("mine"), "new");
	assert_int_equal(status(at("mine")).st_gid, 5678);
	assert_int_equal(status(at("mine")).st_mode & 07777, 0640);
	assert_int_equal(status(at("other")).st_gid, 1234);
	assert_int_equal(status(at("other")).st_mode & 07777, 0600);
}

static void a_certificate_does_not_replace_a_key(void **state)
{
	const struct est_span keys[] = {
		BYTES(0x30, 8, 2, 1, 0, 0x30, 0, 4, 1, 0),           /* PKCS #8 */
		BYTES(0x30, 6, 2, 1, 1, 4, 1, 0),                    /* EC */
		BYTES(0x30, 12, 2, 1, 0, 2, 1, 7, 2, 1, 7, 2, 1, 7), /* RSA */
		BYTES(0x30, 8, 0x30, 3, 6, 1, 0x2a, 4, 1, 0),        /* encrypted */
		BYTES(0x30, 8, 2, 1, 3, 0x30, 3, 6, 1, 0x2a),        /* PKCS #12 */
		BYTES(0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2),           /* a Java keystore */
		est_span_str("MAYCAQEEAQA="),                        /* EC, base64 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		testca_write(at("k"), keys[i]);
		expect_refused(at("k"), 0, "private key");
	}
	testca_write(at("k"), BYTES(0x30, 5, 0x30, 0, 3, 1, 0)); /* not a public one's */
	assert_int_equal(replace(at("k"), 0, "x", NULL), EST_OK);
	testca_write(at("k"), est_span_str("x\n-----BEGIN EC PRIVATE KEY-----\n"));
	expect_refused(at("k"), 0, "private key");
	assert_string_equal(err.reason, "holds-key");
	assert_int_equal(replace(at("k"), EST_OUTPUT_SECRET, "new key", NULL), EST_OK);
	expect_content(at("k"), "new key");
	assert_int_equal(files_in_dir(), 1);
}

static void equal_content_keeps_the_file(void **state)
{
	struct stat before, after;
	bool changed = true;

	(void)state;
	assert_int_equal(replace(at("a"), 0, "same", NULL), EST_OK);
	before = status(at("a"));
	assert_int_equal(replace(at("a"), 0, "same", &changed), EST_OK);
	after = status(at("a"));
	assert_false(changed);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(replace(at("a"), 0, "samf", &changed), EST_OK);
	assert_true(changed);
	assert_int_equal(replace(at("a"), 0, "sam", &changed), EST_OK);
	assert_true(changed);
	expect_content(at("a"), "sam");
	assert_int_equal(files_in_dir(), 1);
}

static void content_may_be_empty(void **state)
{
	bool changed = false;

	(void)state;
	assert_int_equal(replace(at("a"), 0, "", &changed), EST_OK);
	assert_true(changed);
	assert_int_equal(status(at("a")).st_size, 0);
	assert_int_equal(replace(at("a"), 0, "", &changed), EST_OK);
	assert_false(changed);
	assert_int_equal(replace(at("a"), 0, "x", &changed), EST_OK);
	assert_int_equal(replace(at("a"), 0, "", &changed), EST_OK);
	assert_true(changed);
	assert_int_equal(status(at("a")).st_size, 0);
}

static void a_link_stays_and_what_it_names_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("sub"), 0700), 0);
	testca_write(at("sub/real"), est_span_str("old"));
	assert_int_equal(symlink("sub/second", at("first")), 0);
	assert_int_equal(symlink("real", at("sub/second")), 0); /* relative to its own folder */
	assert_int_equal(replace(at("first"), 0, "new", NULL), EST_OK);
	assert_true(S_ISLNK(status(at("first")).st_mode));
	assert_true(S_ISLNK(status(at("sub/second")).st_mode));
	assert_true(S_ISREG(status(at("sub/real")).st_mode));
	expect_content(at("sub/real"), "new");
	assert_int_equal(symlink(at("sub/real"), at("absolute")), 0);
	assert_int_equal(replace(at("absolute"), 0, "newer", NULL), EST_OK);
	expect_content(at("sub/real"), "newer");
	/* A dangling one says where the new file goes. */
	assert_int_equal(symlink("sub/later", at("dangling")), 0);
	assert_int_equal(replace(at("dangling"), EST_OUTPUT_NEW, "new", NULL), EST_OK);
	assert_true(S_ISLNK(status(at("dangling")).st_mode));
	expect_content(at("sub/later"), "new");
}

/* In a directory where others may write, a file of theirs may wait for a key. */
static void what_somebody_else_has_put_there_is_refused(void **state)
{
	static const struct {
		mode_t mode;
		uid_t dir, file;
		bool refused;
	} cases[] = {
		{ 01777, 0, 1234, true },
		{ 0777, 0, 1234, true },
		{ 0770, 4321, 1234, true },
		{ 01777, 1234, 1234, false }, /* whoever owns the directory could as well */
		{ 01777, 4321, 0, false },
		{ 0755, 0, 1234, false },
	};
	size_t n = sizeof(cases) / sizeof(cases[0]);

	(void)state;
	if (geteuid() != 0)
		skip();
	testca_write(at("file"), est_span_str("old"));
	assert_int_equal(mkdir(at("mine"), 0700), 0);
	testca_write(at("mine/real"), est_span_str("old"));
	assert_int_equal(symlink("mine/real", at("link")), 0);
	for (size_t i = 0; i < 2 * n; i++) {
		const char *path = at(i < n ? "file" : "link");

		assert_int_equal(chmod(testca_tmp, cases[i % n].mode), 0);
		assert_int_equal(chown(testca_tmp, cases[i % n].dir, 0), 0);
		assert_int_equal(lchown(path, cases[i % n].file, 0), 0);
		if (cases[i % n].refused) {
			expect_refused(path, EST_OUTPUT_SECRET, "belongs to user 1234");
			assert_non_null(strstr(err.hint, "give it to the directory's owner"));
			expect_content(at("mine/real"), "old");
		} else {
			assert_int_equal(replace(path, 0, "new", NULL), EST_OK);
			assert_int_equal(replace(path, 0, "old", NULL), EST_OK);
		}
	}
	assert_int_equal(chown(testca_tmp, 0, 0), 0);
}

static void links_in_a_circle_are_refused(void **state)
{
	(void)state;
	assert_int_equal(symlink("b", at("a")), 0);
	assert_int_equal(symlink("a", at("b")), 0);
	assert_int_equal(symlink("self", at("self")), 0);
	assert_int_equal(symlink("nowhere/x", at("lost")), 0);
	expect_refused(at("a"), 0, "too many symbolic links");
	expect_refused(at("self"), 0, "too many symbolic links");
	expect_refused(at("self/x"), 0, "self/x");
	expect_refused(at("lost"), 0, "nowhere");
}

static void what_is_no_regular_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(at("dir"), 0700), 0);
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_int_equal(symlink("/dev/null", at("null")), 0);
	expect_refused(at("dir"), 0, "a directory");
	expect_refused(at("dir/."), 0, "a directory");
	expect_refused(at("fifo"), 0, "a FIFO");
	expect_refused(at("null"), 0, "a device or socket");
	expect_refused("/dev/full", 0, "a device or socket");
	expect_refused("/", 0, "a directory");
	assert_int_equal(files_in_dir(), 3);
}

static void a_name_that_can_never_be_a_file_is_refused_before_anything_is_sent(void **state)
{
	(void)state;
	assert_int_equal(symlink("later/", at("link")), 0);
	expect_refused("", 0, "name of a file");
	expect_refused(at("later/"), 0, "name of a file");
	expect_refused(at("link"), 0, "name of a file");
	expect_refused(at("nowhere/.."), 0, "nowhere");
	assert_int_equal(files_in_dir(), 1);
}

static void a_directory_that_cannot_be_written_is_refused(void **state)
{
	char name[400];

	(void)state;
	testca_write(at("file"), est_span_str(""));
	expect_refused(at("file/x"), 0, "file/x");
	expect_refused(at("nowhere/x"), 0, "nowhere");
	expect_refused("/proc/est-unit-test", 0, "/proc");
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	expect_refused(at(name), 0, "too long");
	assert_int_equal(files_in_dir(), 1);
}

static void a_name_of_255_bytes_has_a_temporary_one(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	assert_int_equal(replace(at(name), 0, "x", NULL), EST_OK);
	expect_content(at(name), "x");
}

static void new_means_that_nothing_is_there(void **state)
{
	struct est_output *out = NULL;

	(void)state;
	assert_int_equal(replace(at("a"), EST_OUTPUT_NEW, "1", NULL), EST_OK);
	expect_refused(at("a"), EST_OUTPUT_NEW, "exists already");
	assert_string_equal(err.reason, "exists");
	assert_int_equal(symlink("a", at("link")), 0);
	expect_refused(at("link"), EST_OUTPUT_NEW, "exists already");
	/* It came while the server was asked. */
	assert_int_equal(est_output_open(at("b"), EST_OUTPUT_NEW, &out, &err), EST_OK);
	assert_int_equal(est_output_write(out, est_span_str("ours"), &err), EST_OK);
	testca_write(at("b"), est_span_str("theirs"));
	assert_int_equal(est_output_commit(out, NULL, &err), EST_E_OUTPUT);
	assert_string_equal(err.reason, "exists");
	est_output_free(out);
	expect_content(at("b"), "theirs");
	assert_int_equal(files_in_dir(), 3);
}

static void a_write_that_fails_leaves_the_old_file(void **state)
{
	const struct rlimit none = { 4096, RLIM_INFINITY }, room = { 100 << 10, RLIM_INFINITY };
	struct est_output *out = NULL;
	struct est_buf big = { 0 };
	struct rlimit old;

	(void)state;
	assert_int_equal(replace(at("a"), 0, "old", NULL), EST_OK);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	expect_refused(at("a"), 0, "64 KiB");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &room), 0);
	forge_repeat(&big, BYTES(1), 200 << 10);
	assert_int_equal(est_output_open(at("a"), 0, &out, &err), EST_OK);
	assert_int_equal(est_output_write(out, est_buf_span(&big), &err), EST_E_OUTPUT);
	assert_int_equal(est_output_commit(out, NULL, &err), EST_E_INTERNAL);
	est_output_free(out);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	expect_content(at("a"), "old");
	assert_int_equal(files_in_dir(), 1);
	est_buf_free(&big);
}

static void a_relative_name_is_beside_us(void **state)
{
	char here[4096];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(testca_tmp), 0);
	assert_int_equal(replace("plain", 0, "x", NULL), EST_OK);
	assert_int_equal(replace("./dotted", 0, "x", NULL), EST_OK);
	assert_int_equal(chdir(here), 0);
	expect_content(at("plain"), "x");
	expect_content(at("dotted"), "x");
	assert_int_equal(files_in_dir(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, testca_tmp_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_file_appears_with_the_commit),
		TEST(what_is_not_committed_leaves_nothing_behind),
		TEST(nothing_is_committed_that_was_not_written),
		TEST(mode_and_owner_of_what_was_there_are_kept),
		TEST(a_key_is_never_wider_than_0640),
		TEST(a_group_is_kept_without_being_root_or_does_not_read_a_key),
		TEST(a_certificate_does_not_replace_a_key),
		TEST(equal_content_keeps_the_file),
		TEST(content_may_be_empty),
		TEST(a_link_stays_and_what_it_names_is_replaced),
		TEST(what_somebody_else_has_put_there_is_refused),
		TEST(links_in_a_circle_are_refused),
		TEST(what_is_no_regular_file_is_refused),
		TEST(a_name_that_can_never_be_a_file_is_refused_before_anything_is_sent),
		TEST(a_directory_that_cannot_be_written_is_refused),
		TEST(a_name_of_255_bytes_has_a_temporary_one),
		TEST(new_means_that_nothing_is_there),
		TEST(a_write_that_fails_leaves_the_old_file),
		TEST(a_relative_name_is_beside_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The request of an enrolment under way, and the time to come back. */
#include "pending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "exchange.h"
#include "testca.h"

#define DAY 86400

static char *dir;
static const char *name, *file;
static char names[2][128], said[1024];
static struct est_error err;
static struct est_key *key;
static struct est_client client;

static void hear(void *ctx, enum est_log_level level, const char *line)
{
	(void)ctx;
	(void)level;
	(void)snprintf(said, sizeof(said), "%s", line);
}

static int set_up(void **state)
{
	static char authority[] = "ca.example", base[] = "/.well-known/est";

	(void)state;
	dir = testca_dir();
	(void)snprintf(names[0], sizeof(names[0]), "%s/k.pem", dir);
	(void)snprintf(names[1], sizeof(names[1]), "%s/k.pem.est-csr", dir);
	name = names[0];
	file = names[1];
	client.url.authority = authority;
	client.url.base = base;
	client.config.log = hear;
	return est_key_generate("ec:p256", &key, &err) == EST_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	est_key_free(key);
	testca_dir_remove(dir);
	return 0;
}

static struct est_pending *open_pending(bool found)
{
	struct est_pending *p = NULL;
	bool is_found = !found;

	*said = 0;
	if (est_pending_open(&client, name, &p, &is_found, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(is_found, found);
	return p;
}

static void request(struct est_pending *p, const char *subject, bool same, struct est_buf *der)
{
	const struct est_csr_spec spec = { .subject = subject };
	bool is_same = !same;

	der->n = 0;
	assert_int_equal(est_csr_build(&spec, key, der, &err), EST_OK);
	if (est_pending_request(p, der, &is_same, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(is_same, same);
}

/* The rest that a new run is told to wait; 0: none. */
static int64_t rest(bool found)
{
	struct est_pending *p = open_pending(found);
	enum est_code rc = est_pending_wait(p, &err);

	est_pending_free(p);
	assert_true(rc == EST_OK || rc == EST_E_PENDING);
	return rc == EST_OK ? 0 : err.retry_after_s;
}

static void expect_rest(int64_t due)
{
	int64_t left = rest(true);

	if (left < due - 2 || left > due) /* the test takes its time, too */
		fail_msg("%lld s are left, of %lld", (long long)left, (long long)due);
}

/* As a run leaves it, with other lines in place of its own. */
static void leave(const char *lines)
{
	struct est_buf der = { 0 }, text = { 0 };
	const struct est_csr_spec spec = { .subject = "CN=a" };

	assert_int_equal(est_csr_build(&spec, key, &der, &err), EST_OK);
	assert_int_equal(est_buf_append(&text, est_span_str(lines), &err), EST_OK);
	assert_int_equal(est_pem_append(&text, "CERTIFICATE REQUEST", est_buf_span(&der), &err),
		EST_OK);
	testca_write(file, est_buf_span(&text));
	est_buf_free(&der);
	est_buf_free(&text);
}

static void leave_times(int64_t date, int64_t when, const char *server)
{
	char lines[512], text[2][40];
	const time_t times[2] = { time(NULL) + (time_t)date, time(NULL) + (time_t)when };
	struct tm tm;

	for (int i = 0; i < 2; i++) {
		assert_non_null(gmtime_r(&times[i], &tm));
		assert_true(strftime(text[i], sizeof(text[i]), "%a, %d %b %Y %H:%M:%S GMT", &tm));
	}
	(void)snprintf(lines, sizeof(lines), "Date: %s\nRetry-After: %s\nServer: %s\n", text[0],
		text[1], server);
	leave(lines);
}

/* proves: R7030-4.2.3-07 R7030-4.2.3-09 */
static void the_request_is_kept_and_the_same_one_comes_back(void **state)
{
	struct est_buf first = { 0 }, again = { 0 };
	struct est_pending *p = open_pending(false);
	struct stat st;

	(void)state;
	assert_int_equal(est_pending_wait(p, &err), EST_OK);
	request(p, "CN=a", false, &first);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	est_pending_free(p);
	p = open_pending(true);
	assert_int_equal(est_pending_wait(p, &err), EST_OK);
	request(p, "CN=a", true, &again);
	assert_true(est_span_eq(est_buf_span(&first), est_buf_span(&again)));
	request(p, "CN=b", false, &again);
	est_pending_free(p);
	p = open_pending(true);
	request(p, "CN=a", false, &again);
	assert_false(est_span_eq(est_buf_span(&first), est_buf_span(&again)));
	assert_int_equal(testca_files(dir), 1);
	est_pending_remove(p);
	assert_int_equal(testca_files(dir), 0);
	est_pending_free(p);
	est_pending_free(NULL);
	est_buf_free(&first);
	est_buf_free(&again);
}

/* proves: R7030-4.2.3-07 */
static void what_a_202_says_counts_for_the_next_run_and_fits_in_place(void **state)
{
	/* Rounded up to the second that begins after it. */
	static const int64_t told[][2] = { { 0, 2 }, { 60, 61 }, { 5, 6 }, { 7 * DAY, 7 * DAY + 1 },
		{ EST_PENDING_MAX_S, EST_PENDING_MAX_S },
		{ EST_PENDING_MAX_S + 1, EST_PENDING_MAX_S }, { INT64_MAX, EST_PENDING_MAX_S } };
	struct est_pending *p = open_pending(false);
	struct est_buf der = { 0 };
	struct stat before, after;
	time_t when;

	(void)state;
	request(p, "CN=a", false, &der);
	assert_int_equal(stat(file, &before), 0);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		pending_told(p, told[i][0]);
		assert_string_equal(said, "");
		expect_rest(told[i][1]);
		assert_true(est_pending_look(name, &when));
		assert_in_range(when - time(NULL) + 2, told[i][1], told[i][1] + 2);
	}
	assert_int_equal(stat(file, &after), 0);
	assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
	est_pending_free(p);
	p = open_pending(true); /* a run that resumes it keeps the time until it is told another */
	request(p, "CN=a", true, &der);
	expect_rest(EST_PENDING_MAX_S);
	request(p, "CN=b", false, &der); /* of which the server has said nothing */
	assert_int_equal(rest(true), 0);
	est_pending_free(p);
	est_buf_free(&der);
}

/* proves: R7030-4.2.3-07 */
static void times_that_no_run_has_left_keep_nobody_waiting(void **state)
{
	static const char here[] = "https://ca.example/.well-known/est";
	static const struct {
		int64_t date, when;
		const char *server;
		int64_t rest;
		const char *notice; /* "": none */
	} cases[] = {
		{ -10, 50, here, 50, "" },
		{ -100, -40, here, 0, "" },
		{ -DAY, EST_PENDING_MAX_S - DAY, here, EST_PENDING_MAX_S - DAY, "" },
		{ -10, EST_PENDING_MAX_S - 5, here, 0, "does not say when" },
		{ -10, -20, here, 0, "does not say when" },
		{ 20, 10, here, 0, "does not say when" },
		{ -10, 50, "https://other.example/.well-known/est", 0, "has asked https://other" },
		{ -10, 50, "https://ca.example/.well-known/est/label", 0, "this one asks" },
		{ -10, 50, "\x1b]0;x\x07\xe2\x80\xae", 0, "has asked \\x1b" },
		{ -10, 50, "", 0, "this one asks" },
		/* The clock was set back: never longer than the server said. */
		{ 1000, 1060, here, 60, "" },
		{ 100 * DAY, 100 * DAY + EST_PENDING_MAX_S, here, EST_PENDING_MAX_S, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		leave_times(cases[i].date, cases[i].when, cases[i].server);
		expect_rest(cases[i].rest);
		if (cases[i].rest == 0 ? !strstr(said, cases[i].notice) : *said)
			fail_msg("case %zu: %s", i, said);
		expect_rest(cases[i].rest); /* and the same once more */
	}
}

static void lines_that_are_torn_keep_nobody_waiting_and_lose_no_request(void **state)
{
	static const char *const lines[] = { "", "\n", "Date: \nRetry-After: \nServer: \n",
		"Date: Sun, 22 Nov 2026 01:02:03 GMT\n",
		"Date: Sun, 22 Nov 2026 01:02:03 GMT\nRetry-After: 60\n"
		"Server: https://ca.example/.well-known/est\n",
		"Retry-After: Sun, 22 Nov 9999 01:02:03 GMT\nDate: Sun, 22 Nov 2026 01:02:03 GMT\n"
		"Server: https://ca.example/.well-known/est\n",
		"Date: Sun, 22 Nov 0001 01:02:03 GMT\nRetry-After: Sun, 22 Nov 9999 01:02:03 GMT\n"
		"Server: https://ca.example/.well-known/est\n" };
	struct est_buf der = { 0 };
	struct est_pending *p;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		leave(lines[i]);
		p = open_pending(true);
		assert_non_null(strstr(said, "does not say when"));
		assert_int_equal(est_pending_wait(p, &err), EST_OK);
		request(p, "CN=a", true, &der);
		pending_told(p, 60);
		est_pending_free(p);
		expect_rest(61);
	}
	est_buf_free(&der);
}

/* Whatever has become of the bytes, no run fails for it, and none waits beyond the limit. */
static void any_byte_may_be_wrong(void **state)
{
	struct est_buf text = { 0 };

	(void)state;
	leave_times(-10, 50, "https://ca.example/.well-known/est");
	assert_int_equal(est_read_file(file, EST_FILE_MAX, &text, &err), EST_OK);
	for (size_t i = 0; i + 1 < text.n; i++) { /* the last is the newline */
		const uint8_t was = text.p[i];

		testca_write(file, (struct est_span){ text.p, i });
		assert_int_equal(rest(true), 0);
		text.p[i] ^= i % 3 == 0 ? 0x80 : i % 3 == 1 ? 0x01 : was;
		testca_write(file, est_buf_span(&text));
		assert_in_range(rest(true), 0, EST_PENDING_MAX_S);
		text.p[i] = was;
	}
	est_buf_free(&text);
}

static void what_somebody_else_may_have_put_there_is_not_used(void **state)
{
	struct est_buf der = { 0 };
	const char *other = testca_path(dir, "other");
	struct est_pending *p;
	struct stat st;
	time_t when;

	(void)state;
	for (int i = geteuid() == 0 ? 0 : 1; i < 4; i++) {
		leave_times(-10, 50, "https://ca.example/.well-known/est");
		assert_int_equal(i == 0 ? chown(file, 1234, 1234) : 0, 0);
		if (i == 1)
			assert_int_equal(rename(file, other) | symlink("other", file), 0);
		if (i == 2)
			assert_int_equal(link(file, other), 0);
		if (i == 3)
			assert_int_equal(unlink(file) | mkfifo(file, 0600), 0);
		assert_false(est_pending_look(name, &when));
		assert_int_equal(when, 0);
		p = open_pending(true);
		assert_int_equal(est_pending_wait(p, &err), EST_OK);
		request(p, "CN=a", false, &der);
		assert_int_equal(lstat(file, &st), 0);
		assert_true(S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid());
		est_pending_free(p);
		(void)unlink(other);
	}
	assert_int_equal(unlink(file) | mkdir(file, 0700), 0);
	p = open_pending(true);
	assert_int_equal(est_pending_request(p, &der, &(bool){ false }, &err), EST_E_OUTPUT);
	est_pending_free(p);
	est_buf_free(&der);
}

/* A request goes where its file is, but for a store: the link to its folder has the name. */
static void the_name_is_that_of_the_file_or_of_the_link_to_a_folder(void **state)
{
	const char *link = testca_path(dir, "link");
	struct est_buf der = { 0 };
	struct est_pending *p;
	time_t when;

	(void)state;
	assert_int_equal(symlink("k.pem", link), 0);
	name = link;
	p = open_pending(false);
	request(p, "CN=a", false, &der);
	est_pending_free(p);
	assert_int_equal(access(file, F_OK), 0);
	assert_true(est_pending_look(names[0], &when));
	assert_int_equal(unlink(link) | unlink(file) | symlink(".", link), 0);
	p = open_pending(false);
	request(p, "CN=a", false, &der);
	est_pending_free(p);
	assert_int_equal(access(testca_path(dir, "link.est-csr"), F_OK), 0);
	est_buf_free(&der);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_request_is_kept_and_the_same_one_comes_back),
		TEST(what_a_202_says_counts_for_the_next_run_and_fits_in_place),
		TEST(times_that_no_run_has_left_keep_nobody_waiting),
		TEST(lines_that_are_torn_keep_nobody_waiting_and_lose_no_request),
		TEST(any_byte_may_be_wrong),
		TEST(what_somebody_else_may_have_put_there_is_not_used),
		TEST(the_name_is_that_of_the_file_or_of_the_link_to_a_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

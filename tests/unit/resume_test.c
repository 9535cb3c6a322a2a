/* SPDX-License-Identifier: MIT */
/* What is kept of TLS sessions, and what a file that claims to hold some may do. */
#include "resume.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define NOW 1800000000

static struct est_error err;
static const uint8_t here[RESUME_BINDING] = "here", there[RESUME_BINDING] = "there";

static void keep(struct resume *r, const uint8_t *binding, const char *text, time_t until)
{
	const struct resume_facts facts = { .db = TRUST_IMPLICIT,
		.client_cert = true,
		.until = until,
		.identity = "a.example" };
	struct est_buf data = { 0 };

	assert_int_equal(est_buf_append(&data, est_span_str(text), &err), EST_OK);
	resume_put(r, binding, &facts, &data);
	assert_int_equal(data.n, 0);
}

/* What is taken out for this binding, or "". */
static const char *take(struct resume *r, const uint8_t *binding)
{
	static char text[100];
	struct resume_facts facts = { 0 };
	struct est_buf data = { 0 };

	text[0] = '\0';
	if (resume_take(r, binding, &facts, &data)) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)data.n, (const char *)data.p);
		assert_int_equal(facts.db, TRUST_IMPLICIT);
		assert_true(facts.client_cert);
		assert_string_equal(facts.identity, "a.example");
	}
	est_buf_free(&data);
	return text;
}

/* proves: R7030-3.3-07 */
static void a_session_is_used_once_and_only_for_what_it_is_bound_to(void **state)
{
	time_t later = time(NULL) + 100;
	struct resume r = { 0 };

	(void)state;
	keep(&r, here, "one", later);
	keep(&r, here, "two", later);
	assert_int_equal(r.n, 1);
	assert_string_equal(take(&r, there), "");
	assert_string_equal(take(&r, here), "two");
	assert_string_equal(take(&r, here), "");
	keep(&r, here, "", later);
	keep(&r, here, "of an expired server", time(NULL) - 1);
	assert_string_equal(take(&r, here), "");
	assert_int_equal(r.n, 0);
	for (uint8_t i = 0; i < RESUME_MAX + 3; i++)
		keep(&r, (const uint8_t[RESUME_BINDING]){ i }, "many", later);
	assert_int_equal(r.n, RESUME_MAX);
	assert_string_equal(take(&r, (const uint8_t[RESUME_BINDING]){ 2 }), "");
	assert_string_equal(take(&r, (const uint8_t[RESUME_BINDING]){ 3 }), "many");
	resume_wipe(&r);
}

/* ---- As bytes -----------------------------------------------------------------------------------
 */

static void two(struct est_buf *out)
{
	struct resume r = { 0 };

	keep(&r, here, "one", NOW + 100);
	keep(&r, there, "two", NOW + 200);
	r.entry[0].made = r.entry[1].made = NOW;
	assert_int_equal(resume_encode(&r, out, &err), EST_OK);
	resume_wipe(&r);
}

/* proves: R7030-3.3-07 */
static void what_is_read_is_what_was_written_but_for_what_is_stale(void **state)
{
	static const struct {
		int64_t at;
		size_t left;
	} cases[] = { { 0, 2 }, { 100, 2 }, { 101, 1 }, { 201, 0 }, { RESUME_AGE_S, 0 },
		{ -1, 0 } };
	struct est_buf bytes = { 0 }, again = { 0 };

	(void)state;
	two(&bytes);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct resume r = { 0 };

		assert_true(resume_decode(est_buf_span(&bytes), NOW + cases[i].at, &r));
		assert_int_equal(r.n, cases[i].left);
		if (r.n == 2) {
			assert_int_equal(resume_encode(&r, &again, &err), EST_OK);
			assert_true(est_span_eq(est_buf_span(&bytes), est_buf_span(&again)));
			est_buf_free(&again);
		}
		resume_wipe(&r);
	}
	est_buf_free(&bytes);
}

static void every_cut_and_every_wrong_length_is_seen(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = { { 48, TRUST_NONE }, { 48, 9 }, { 49, 2 }, { 50, 1 }, { 51, 200 }, { 52, 1 },
		{ 54, 0xff }, { 55, 0 }, { 55, 200 }, { 60, 0 } };
	struct est_buf bytes = { 0 };
	size_t half;

	(void)state;
	two(&bytes);
	half = bytes.n / 2;
	for (size_t n = 1; n < bytes.n; n++) {
		struct resume r = { 0 };
		/* Of its own size, so that a read beyond it is seen. */
		uint8_t *copy = malloc(n);

		assert_non_null(copy);
		memcpy(copy, bytes.p, n);
		if (resume_decode((struct est_span){ copy, n }, NOW, &r) != (n == half))
			fail_msg("cut after %zu", n);
		resume_wipe(&r);
		free(copy);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct resume r = { 0 };
		uint8_t old = bytes.p[bad[i].at];

		bytes.p[bad[i].at] = bad[i].value;
		if (resume_decode((struct est_span){ bytes.p, half }, NOW, &r))
			fail_msg("byte %zu is %u", bad[i].at, bad[i].value);
		bytes.p[bad[i].at] = old;
		resume_wipe(&r);
	}
	est_buf_free(&bytes);
}

/* ---- In a file ----------------------------------------------------------------------------------
 */

static char file[] = "/tmp/resume_test.XXXXXX";

static void write_file(const void *p, size_t n, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static size_t loaded(enum est_code due, bool noted)
{
	struct resume r = { 0 };
	const char *note;
	size_t n;

	assert_int_equal(resume_load(&r, file, &note, &err), due);
	assert_int_equal(note != NULL, noted);
	n = r.n;
	resume_wipe(&r);
	return n;
}

static void a_file_is_read_if_it_is_whole_ours_and_was_closed_to_others(void **state)
{
	uint8_t bytes[4096];
	struct resume r = { 0 };
	struct stat st;
	size_t n;
	int fd;

	(void)state;
	assert_true((fd = mkstemp(file)) >= 0);
	(void)close(fd);
	keep(&r, here, "one", time(NULL) + 100);
	r.file = file;
	assert_int_equal(resume_save(&r, &err), EST_OK);
	assert_false(r.changed);
	resume_wipe(&r);
	assert_int_equal(loaded(EST_OK, false), 1);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	n = (size_t)st.st_size;
	fd = open(file, O_RDONLY);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), n);
	(void)close(fd);
	write_file(bytes, n, 0620);
	assert_int_equal(loaded(EST_OK, true), 0);
	assert_int_equal(loaded(EST_OK, false), 1); /* closed by that */
	for (size_t i = 0; i < n; i++) {
		bytes[i] ^= 1;
		write_file(bytes, n, 0600);
		assert_int_equal(loaded(EST_OK, true), 0);
		bytes[i] ^= 1;
	}
	for (size_t i = 0; i < n; i++) {
		write_file(bytes, i, 0600);
		assert_int_equal(loaded(EST_OK, i > 0), 0);
	}
	assert_int_equal(truncate(file, 2 << 20), 0);
	assert_int_equal(loaded(EST_OK, true), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(loaded(EST_OK, false), 0);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(loaded(EST_E_INPUT, false), 0);
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(loaded(EST_E_INPUT, false), 0);
	assert_int_equal(unlink(file), 0);
	if (geteuid() == 0) {
		write_file(bytes, n, 0600);
		assert_int_equal(chown(file, 1, 1), 0);
		assert_int_equal(loaded(EST_E_INPUT, false), 0);
		assert_int_equal(unlink(file), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_used_once_and_only_for_what_it_is_bound_to),
		cmocka_unit_test(what_is_read_is_what_was_written_but_for_what_is_stale),
		cmocka_unit_test(every_cut_and_every_wrong_length_is_seen),
		cmocka_unit_test(a_file_is_read_if_it_is_whole_ours_and_was_closed_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

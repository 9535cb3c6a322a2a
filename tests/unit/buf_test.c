/* SPDX-License-Identifier: MIT */
/* Buffers, and what may be read into them.  buf.c is compiled into this file under other names, so
 * that what it gives back to the allocator can be looked at. */
#define est_span_str   watched_span_str
#define est_span_eq    watched_span_eq
#define est_buf_span   watched_buf_span
#define est_buf_append watched_buf_append
#define est_buf_printf watched_buf_printf
#define est_buf_free   watched_buf_free
#define est_read_file  watched_read_file

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char secret[] = "correct horse battery staple";
static size_t freed, freed_with_secret;

static void watched_free(void *p)
{
	if (p) {
		freed++;
		freed_with_secret += memmem(p, malloc_usable_size(p), secret, strlen(secret)) !=
				     NULL;
	}
	free(p);
}

#define free watched_free
#include "buf.c"
#undef free

static char dir[] = "/tmp/est-buf-test-XXXXXX";
static char path[sizeof(dir) + 16];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	return snprintf(path, sizeof(path), "%s/file", dir) > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static void file_write(size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(fputc((int)(i % 251), f), EOF);
	assert_int_equal(fclose(f), 0);
}

/* EST_E_INPUT that says this and names the file, with what was in the buffer left alone. */
static void refuse(const char *name, size_t max, const char *says)
{
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };

	assert_int_equal(est_buf_append(&buf, est_span_str("kept"), &err), EST_OK);
	assert_int_equal(est_read_file(name, max, &buf, &err), EST_E_INPUT);
	assert_true(est_span_eq(est_buf_span(&buf), est_span_str("kept")));
	if (!strstr(err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
	if (strcmp(name, "-") != 0)
		assert_non_null(strstr(err.msg, name));
	est_buf_free(&buf);
}

/* ---- Buffers -----------------------------------------------------------------------------------
 */

static void spans_are_compared_by_content(void **state)
{
	(void)state;
	assert_true(est_span_eq(est_span_str("ab"), est_span_str("ab")));
	assert_false(est_span_eq(est_span_str("ab"), est_span_str("ac")));
	assert_false(est_span_eq(est_span_str("ab"), est_span_str("abc")));
	assert_true(est_span_eq((struct est_span){ NULL, 0 }, est_span_str("")));
}

static void appending_keeps_what_was_there(void **state)
{
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };

	(void)state;
	for (size_t i = 0; i < 100000; i++) {
		uint8_t c = (uint8_t)(i % 251);

		assert_int_equal(est_buf_append(&buf, (struct est_span){ &c, 1 }, &err), EST_OK);
	}
	assert_int_equal(buf.n, 100000);
	for (size_t i = 0; i < buf.n; i++)
		assert_int_equal(buf.p[i], i % 251);
	assert_int_equal(est_buf_append(&buf, (struct est_span){ NULL, 0 }, &err), EST_OK);
	assert_int_equal(buf.n, 100000);
	est_buf_free(&buf);
	assert_null(buf.p);
	assert_int_equal(buf.n, 0);
	est_buf_free(&buf);
}

static void formatted_text_is_appended_without_its_nul(void **state)
{
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };

	(void)state;
	assert_int_equal(est_buf_printf(&buf, &err, "%s-%d", "a", 5), EST_OK);
	assert_int_equal(est_buf_printf(&buf, &err, "%s", ""), EST_OK);
	assert_int_equal(est_buf_printf(&buf, &err, "%0300d", 1), EST_OK);
	assert_int_equal(buf.n, 303);
	assert_memory_equal(buf.p, "a-5000", 6);
	assert_int_equal(buf.p[302], '1');
	est_buf_free(&buf);
}

static void an_impossible_size_is_refused(void **state)
{
	volatile size_t huge = SIZE_MAX; /* or the compiler sees what is meant and warns */
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };
	struct est_span in;

	(void)state;
	assert_int_equal(est_buf_append(&buf, est_span_str("x"), &err), EST_OK);
	for (size_t shift = 0; shift < 2; shift++) {
		in = (struct est_span){ buf.p, huge >> shift };
		assert_int_equal(est_buf_append(&buf, in, &err), EST_E_INTERNAL);
	}
	assert_int_equal(buf.n, 1);
	est_buf_free(&buf);
}

static void growth_and_release_wipe_the_old_storage(void **state)
{
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };

	(void)state;
	freed = freed_with_secret = 0;
	assert_int_equal(est_buf_append(&buf, est_span_str(secret), &err), EST_OK);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(est_buf_append(&buf, est_span_str("x"), &err), EST_OK);
	assert_true(freed >= 2);
	assert_memory_equal(buf.p, secret, strlen(secret));
	est_buf_free(&buf);
	assert_int_equal(freed_with_secret, 0);
	/* The same watch does see what was not wiped. */
	watched_free(strdup(secret));
	assert_int_equal(freed_with_secret, 1);
}

static void a_failed_read_wipes_what_it_had_read(void **state)
{
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };
	int fds[2];
	char name[32];

	(void)state;
	freed = freed_with_secret = 0;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], secret, strlen(secret)), strlen(secret));
	assert_int_equal(close(fds[1]), 0);
	assert_true(snprintf(name, sizeof(name), "/dev/fd/%d", fds[0]) > 0);
	assert_int_equal(est_read_file(name, 5, &buf, &err), EST_E_INPUT);
	assert_int_equal(buf.n, 0);
	assert_null(memmem(buf.p, buf.cap, secret, strlen(secret)));
	est_buf_free(&buf);
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(freed_with_secret, 0);
}

/* ---- Files -------------------------------------------------------------------------------------
 */

static void a_regular_file_is_read_up_to_the_limit(void **state)
{
	static const size_t sizes[] = { 0, 1, 255, 256, 257, 4096, 100000 };
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		file_write(sizes[i]);
		assert_int_equal(est_read_file(path, sizes[i], &buf, &err), EST_OK);
		assert_int_equal(buf.n, sizes[i]);
		for (size_t k = 0; k < buf.n; k++)
			assert_int_equal(buf.p[k], k % 251);
		est_buf_free(&buf);
		if (sizes[i] > 0)
			refuse(path, sizes[i] - 1, "larger than");
	}
}

static void a_file_is_appended_to_the_buffer(void **state)
{
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };

	(void)state;
	file_write(10);
	assert_int_equal(est_buf_append(&buf, est_span_str("before"), &err), EST_OK);
	assert_int_equal(est_read_file(path, 10, &buf, &err), EST_OK);
	assert_int_equal(buf.n, 16);
	assert_memory_equal(buf.p, "before\0\1", 8);
	est_buf_free(&buf);
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	(void)unlink(path);
	refuse(path, 100, "No such file");
	refuse("", 100, "No such file");
	refuse(dir, 100, "is a directory");
	refuse("/", 100, "is a directory");
	refuse("/dev/zero", 5000, "larger than");
	refuse("/dev/fd/999", 100, "cannot open");
}

static void a_file_that_may_not_be_read_is_refused(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip(); /* root reads everything */
	file_write(1);
	assert_int_equal(chmod(path, 0), 0);
	refuse(path, 100, "Permission denied");
	assert_int_equal(chmod(path, 0600), 0);
}

static void a_file_of_unknown_size_is_read_whole(void **state)
{
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };

	(void)state;
	/* Its size is 0 to stat(). */
	assert_int_equal(est_read_file("/proc/self/maps", EST_FILE_MAX, &buf, &err), EST_OK);
	assert_true(buf.n > 256);
	assert_int_equal(buf.p[buf.n - 1], '\n');
	est_buf_free(&buf);
	refuse("/proc/self/maps", 100, "larger than");
}

/* A pipe with n bytes in it and its writing end closed; returns the reading end. */
static int pipe_of(size_t n)
{
	uint8_t bytes[60000];
	int fds[2];

	assert_true(n <= sizeof(bytes)); /* what a pipe holds without a reader */
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i % 251);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], bytes, n), n);
	assert_int_equal(close(fds[1]), 0);
	return fds[0];
}

static void a_pipe_is_read_up_to_the_limit(void **state)
{
	static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 60000 };
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };
	char name[32];
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fd = pipe_of(sizes[i]);
		assert_true(snprintf(name, sizeof(name), "/dev/fd/%d", fd) > 0);
		assert_int_equal(est_read_file(name, sizes[i], &buf, &err), EST_OK);
		assert_int_equal(buf.n, sizes[i]);
		for (size_t k = 0; k < buf.n; k++)
			assert_int_equal(buf.p[k], k % 251);
		est_buf_free(&buf);
		assert_int_equal(close(fd), 0);
		if (sizes[i] == 0)
			continue;
		fd = pipe_of(sizes[i]);
		assert_true(snprintf(name, sizeof(name), "/dev/fd/%d", fd) > 0);
		refuse(name, sizes[i] - 1, "larger than");
		assert_int_equal(close(fd), 0);
	}
}

static void standard_input_is_read_and_stays_open(void **state)
{
	struct est_error err = { 0 };
	struct est_buf buf = { 0 };
	int saved = dup(STDIN_FILENO), fd = pipe_of(500);

	(void)state;
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(est_read_file("-", 500, &buf, &err), EST_OK);
	assert_int_equal(buf.n, 500);
	est_buf_free(&buf);
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
	assert_int_equal(close(fd), 0);
	fd = pipe_of(500);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	refuse("-", 499, "standard input");
	assert_int_equal(close(fd), 0);
	if (saved >= 0) {
		assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
		assert_int_equal(close(saved), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_are_compared_by_content),
		cmocka_unit_test(appending_keeps_what_was_there),
		cmocka_unit_test(formatted_text_is_appended_without_its_nul),
		cmocka_unit_test(an_impossible_size_is_refused),
		cmocka_unit_test(growth_and_release_wipe_the_old_storage),
		cmocka_unit_test(a_failed_read_wipes_what_it_had_read),
		cmocka_unit_test(a_regular_file_is_read_up_to_the_limit),
		cmocka_unit_test(a_file_is_appended_to_the_buffer),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(a_file_that_may_not_be_read_is_refused),
		cmocka_unit_test(a_file_of_unknown_size_is_read_whole),
		cmocka_unit_test(a_pipe_is_read_up_to_the_limit),
		cmocka_unit_test(standard_input_is_read_and_stays_open),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

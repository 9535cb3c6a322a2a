/* SPDX-License-Identifier: MIT */
/* One monotonic deadline over everything that waits. */
#include "deadline.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#define LATE_MS 400 /* a loaded machine, and one slice of the loop */

static struct est_error err;
static volatile sig_atomic_t stop;

static void expect_between(int64_t start_ms, int64_t least, int64_t most)
{
	int64_t took = deadline_now_ms() - start_ms;

	if (took < least || took > most)
		fail_msg("took %lld ms", (long long)took);
}

static void what_is_left_never_is_negative(void **state)
{
	struct deadline past = { deadline_now_ms() - 1000, NULL };
	struct deadline d = deadline_start(60000, NULL);

	(void)state;
	assert_int_equal(deadline_left_ms(&past), 0);
	assert_in_range(deadline_left_ms(&d), 59000, 60000);
	d = deadline_start(0, NULL);
	assert_int_equal(deadline_left_ms(&d), 0);
	d = deadline_start(0xffffffff, NULL); /* seven weeks: no overflow */
	assert_true(deadline_left_ms(&d) > 0xfffff000ll);
}

static void a_part_never_ends_after_the_whole(void **state)
{
	struct deadline whole = deadline_start(1000, &stop), part;

	(void)state;
	part = deadline_within(&whole, 60000);
	assert_int_equal(part.end_ms, whole.end_ms);
	part = deadline_within(&whole, 100);
	assert_true(part.end_ms < whole.end_ms);
	assert_ptr_equal(part.stop, &stop);
	part = deadline_within(&whole, -5);
	assert_int_equal(deadline_left_ms(&part), 0);
}

static void a_wait_ends_with_the_deadline(void **state)
{
	struct deadline d = deadline_start(120, NULL);
	int64_t start = deadline_now_ms();
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(deadline_poll(&d, fd[0], POLLIN, -1, "while testing", &err),
		EST_E_TIMEOUT);
	expect_between(start, 120, 120 + LATE_MS);
	assert_non_null(strstr(err.msg, "while testing"));
	assert_non_null(strstr(err.msg, "total time"));
	/* Passed already: no wait at all. */
	start = deadline_now_ms();
	assert_int_equal(deadline_poll(&d, fd[0], POLLIN, -1, "x", &err), EST_E_TIMEOUT);
	expect_between(start, 0, LATE_MS);
	/* A peer that never pauses does not get more time. */
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_int_equal(deadline_poll(&d, fd[0], POLLIN, -1, "x", &err), EST_E_TIMEOUT);
	/* What is there already is not waited for. */
	d = deadline_start(60000, NULL);
	assert_int_equal(deadline_poll(&d, fd[0], POLLIN, 0, "x", &err), EST_OK);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void silence_ends_a_wait_before_the_deadline(void **state)
{
	struct deadline d = deadline_start(60000, NULL);
	int64_t start = deadline_now_ms();
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(deadline_poll(&d, fd[0], POLLIN, 100, "while testing", &err),
		EST_E_TIMEOUT);
	expect_between(start, 100, 100 + LATE_MS);
	assert_non_null(strstr(err.msg, "too long"));
	assert_int_equal(deadline_poll(&d, fd[0], POLLIN, 0, "x", &err), EST_E_TIMEOUT);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static void time_alone_can_be_waited_for(void **state)
{
	struct deadline d = deadline_start(60, NULL);
	int64_t start = deadline_now_ms();

	(void)state;
	assert_int_equal(deadline_poll(&d, -1, 0, -1, "while waiting", &err), EST_E_TIMEOUT);
	expect_between(start, 60, 60 + LATE_MS);
}

static void *stop_later(void *arg)
{
	(void)arg;
	(void)usleep(50000);
	stop = 1;
	return NULL;
}

static void a_stop_ends_every_wait_soon(void **state)
{
	struct deadline d = deadline_start(60000, &stop);
	int64_t start = deadline_now_ms();
	pthread_t thread;

	(void)state;
	stop = 1;
	assert_int_equal(deadline_poll(&d, -1, 0, -1, "while waiting", &err), EST_E_INTERRUPTED);
	expect_between(start, 0, LATE_MS);
	/* Set by nobody's signal to this thread: seen after a slice. */
	stop = 0;
	assert_int_equal(pthread_create(&thread, NULL, stop_later, NULL), 0);
	assert_int_equal(deadline_poll(&d, -1, 0, 30000, "while waiting", &err), EST_E_INTERRUPTED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	expect_between(start, 50, 50 + 250 + LATE_MS);
	assert_non_null(strstr(err.msg, "while waiting"));
	stop = 0;
}

static unsigned ticks;

static void on_alarm(int number)
{
	(void)number;
	ticks++;
}

static void other_signals_do_not_prolong_a_wait(void **state)
{
	const struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { 0 };
	struct sigaction act = { .sa_handler = on_alarm };
	struct deadline d = deadline_start(150, &stop);
	int64_t start = deadline_now_ms();

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &act, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(deadline_poll(&d, -1, 0, -1, "while waiting", &err), EST_E_TIMEOUT);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	expect_between(start, 150, 150 + LATE_MS);
	assert_true(ticks > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_never_is_negative),
		cmocka_unit_test(a_part_never_ends_after_the_whole),
		cmocka_unit_test(a_wait_ends_with_the_deadline),
		cmocka_unit_test(silence_ends_a_wait_before_the_deadline),
		cmocka_unit_test(time_alone_can_be_waited_for),
		cmocka_unit_test(a_stop_ends_every_wait_soon),
		cmocka_unit_test(other_signals_do_not_prolong_a_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The operator's programs: their end, their output, their environment. */
#include "program.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static struct est_error err;
static struct est_buf said;
static volatile sig_atomic_t stop;

static enum est_code run_for(const char *command, unsigned limit_ms)
{
	const struct program_env env[] = { { "EST_ACTION", "renewed" }, { "EST_CHAIN_FILE", NULL },
		{ "EST_SERIAL", "a b" }, { NULL, NULL } };

	est_buf_free(&said);
	err = (struct est_error){ 0 };
	return program_run(command, env, limit_ms, &stop, &said, &err);
}

static enum est_code run(const char *command)
{
	return run_for(command, 10000);
}

static bool has_said(const char *text)
{
	return said.n >= strlen(text) && memmem(said.p, said.n, text, strlen(text));
}

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void how_it_ended_is_told(void **state)
{
	static const struct {
		const char *command;
		enum est_code rc;
		const char *message;
	} cases[] = {
		{ "true", EST_OK, "" },
		{ "", EST_OK, "" },
		{ "exec >&- 2>&-; exit 0", EST_OK, "" },
		{ "exit 3", EST_E_HOOK, "exit status 3" },
		{ "exec >&- 2>&-; exit 4", EST_E_HOOK, "exit status 4" },
		{ "/not/there", EST_E_HOOK, "exit status 127" },
		{ "if", EST_E_HOOK, "exit status 2" },
		{ "kill -9 $$", EST_E_HOOK, "ended by signal 9" },
		{ "kill -PIPE $$", EST_E_HOOK, "ended by signal 13" },
	};

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(run(cases[i].command), cases[i].rc);
		assert_string_equal(err.msg, cases[i].message);
	}
}

static void one_that_hangs_is_ended_with_all_its_processes(void **state)
{
	static const char *const commands[] = { "sleep 50", "sleep 50 & sleep 50",
		"exec >&- 2>&-; sleep 50", "trap '' TERM; while :; do sleep 50; done", "yes",
		"cat /dev/zero" };
	double begin;

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		begin = seconds();
		assert_int_equal(run_for(commands[i], 100), EST_E_HOOK);
		assert_non_null(strstr(err.msg, "ended after"));
		assert_true(seconds() - begin < 4);
	}
	assert_int_equal(run_for("echo $$; exec sleep 50", 300), EST_E_HOOK);
	assert_true(said.n > 0 && said.n < 20);
	assert_int_not_equal(kill(-(pid_t)strtol((char *)said.p, NULL, 10), 0), 0);
}

static void a_daemon_that_it_starts_is_neither_waited_for_nor_ended(void **state)
{
	double begin = seconds();
	pid_t daemon;

	(void)state;
	assert_int_equal(run("sleep 50 & echo $!"), EST_OK);
	assert_true(seconds() - begin < 2);
	daemon = (pid_t)strtol((char *)said.p, NULL, 10);
	assert_int_equal(kill(daemon, SIGKILL), 0);
}

static void a_signal_ends_it_and_us(void **state)
{
	(void)state;
	stop = SIGTERM;
	assert_int_equal(run("sleep 50"), EST_E_INTERRUPTED);
	stop = 0;
}

static void a_flood_is_cut(void **state)
{
	(void)state;
	assert_int_equal(run("head -c 3000000 /dev/zero; echo end; exit 7"), EST_E_HOOK);
	assert_int_equal(said.n, PROGRAM_OUTPUT_MAX);
	assert_string_equal(err.msg, "exit status 7");
	assert_int_equal(run("printf out; printf err >&2"), EST_OK);
	assert_true(has_said("out") && has_said("err"));
}

static void its_environment_has_the_facts_and_no_secret(void **state)
{
	static const char *const secrets[] = { "EST_PASSWORD", "EST_TOKEN", "EST_KEY_PASSWORD",
		"EST_SERVER", "EST_ANYTHING", "MY_PASSWORD", "db_passwd", "VAULT_TOKEN",
		"AWS_SECRET_KEY", "x_api_key", "KeyPassphrase", "https_proxy", "HTTP_PROXY" };
	static const char *const others[] = { "PATHS", "LANGUAGE", "XEST_A", "no_proxy" };

	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		assert_int_equal(setenv(secrets[i], "http://me:ma@rk-of-a-secret", 1), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(setenv(others[i], "kept", 1), 0);
	assert_int_equal(setenv("all_proxy", "http://proxy:3128", 1), 0);
	assert_int_equal(run("env"), EST_OK);
	assert_false(has_said("rk-of-a-secret"));
	assert_true(has_said("PATHS=kept\n") && has_said("LANGUAGE=kept\n"));
	assert_true(has_said("XEST_A=kept\n") && has_said("no_proxy=kept\n"));
	assert_true(has_said("all_proxy=http://proxy:3128\n"));
	assert_true(has_said("EST_ACTION=renewed\n") && has_said("EST_SERIAL=a b\n"));
	assert_false(has_said("EST_CHAIN_FILE"));
}

static void it_gets_no_descriptor_and_no_input(void **state)
{
	int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a caller's */

	(void)state;
	assert_true(fd >= 0 && dup2(fd, 77) == 77);
	assert_int_equal(run("ls /proc/self/fd | tr '\\n' ' '; cat"), EST_OK);
	assert_true(said.n == 8 && memcmp(said.p, "0 1 2 3 ", 8) == 0); /* 3 is that of ls */
	assert_int_equal(close(77) | close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_it_ended_is_told),
		cmocka_unit_test(one_that_hangs_is_ended_with_all_its_processes),
		cmocka_unit_test(a_daemon_that_it_starts_is_neither_waited_for_nor_ended),
		cmocka_unit_test(a_signal_ends_it_and_us),
		cmocka_unit_test(a_flood_is_cut),
		cmocka_unit_test(its_environment_has_the_facts_and_no_secret),
		cmocka_unit_test(it_gets_no_descriptor_and_no_input),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	est_buf_free(&said);
	return failed;
}

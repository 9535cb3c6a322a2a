/* SPDX-License-Identifier: MIT */
/* A program of the operator's, in its own process group and within its time. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 2000 /* from SIGTERM to SIGKILL */
#define SLICE_MS 100  /* how late the end of a program is seen that another one outlives */
#define DRAINS   64   /* reads after its end */

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whether a variable, "NAME=value", may hold a secret. */
static bool is_secret(const char *variable)
{
	static const char *const words[] = { "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN",
		"API_KEY", "APIKEY" };
	const char *value = strchr(variable, '=');
	char name[256];
	size_t n = value ? (size_t)(value - variable) : 0;

	if (n == 0 || n >= sizeof(name) || strncmp(variable, "EST_", 4) == 0)
		return true;
	(void)snprintf(name, sizeof(name), "%.*s", (int)n, variable);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasestr(name, words[i]))
			return true;
	}
	return strcasestr(name, "_proxy") && strchr(value, '@');
}

static void free_environment(char **env)
{
	for (size_t i = 0; env && env[i]; i++)
		free(env[i]);
	free(env);
}

static enum est_code make_environment(const struct program_env *add, char ***out,
	struct est_error *err)
{
	size_t n = 0, have = 0;
	char **env;

	for (char **e = environ; e && *e; e++)
		have++;
	for (const struct program_env *e = add; e->name; e++)
		have++;
	env = calloc(have + 1, sizeof(*env));
	if (!env)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	for (char **e = environ; e && *e; e++) {
		if (!is_secret(*e) && !(env[n++] = strdup(*e)))
			goto memory;
	}
	for (const struct program_env *e = add; e->name; e++) {
		if (e->value && asprintf(&env[n++], "%s=%s", e->name, e->value) < 0) {
			env[n - 1] = NULL;
			goto memory;
		}
	}
	*out = env;
	return EST_OK;
memory:
	free_environment(env);
	return est_fail(err, EST_E_INTERNAL, "out of memory");
}

/* A password may have come to us through an inherited descriptor. */
static void close_descriptors(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0)
		return;
#endif
	for (int fd = 3; fd < 1024; fd++)
		(void)close(fd);
}

/* In the child.  Handlers of ours are gone with exec(); what is ignored would stay so. */
__attribute__((noreturn)) static void become(const char *command, char **env, int in, int out)
{
	sigset_t none;

	(void)setpgid(0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2) {
		close_descriptors();
		(void)execle("/bin/sh", "sh", "-c", command, (char *)NULL, env);
	}
	_exit(127);
}

/* All of the group, the stubborn ones after a moment.  What its parent has left is our child. */
static void end_group(pid_t pid)
{
	const struct timespec tick = { 0, 10 * 1000000l };
	int64_t end;
	pid_t got;

	for (int i = 0; i < 2; i++) {
		(void)kill(-pid, i == 0 ? SIGTERM : SIGKILL);
		end = now_ms() + GRACE_MS;
		while ((got = waitpid(-pid, NULL, WNOHANG)) >= 0 && now_ms() < end) {
			if (got == 0)
				(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
		}
		if (got < 0)
			return; /* none is left */
	}
}

/* One read; false when nothing is there, or never will be. */
static bool hear_once(int fd, struct est_buf *output, bool *end)
{
	struct est_error ignored;
	uint8_t piece[4096];
	ssize_t n = read(fd, piece, sizeof(piece));

	*end = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n <= 0)
		return false;
	if ((size_t)n > PROGRAM_OUTPUT_MAX - output->n)
		n = (ssize_t)(PROGRAM_OUTPUT_MAX - output->n);
	return est_buf_append(output, (struct est_span){ piece, (size_t)n }, &ignored) == EST_OK;
}

/* Waits for output, or with *silent for the time alone. */
static void hear(int fd, int64_t ms, struct est_buf *output, bool *silent)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, *silent ? 0 : 1, (int)ms) > 0)
		(void)hear_once(fd, output, silent);
}

static enum est_code watch(pid_t pid, int fd, unsigned limit_ms, const volatile sig_atomic_t *stop,
	struct est_buf *output, struct est_error *err)
{
	int64_t end_ms = now_ms() + limit_ms, left, nap = 1, tick;
	bool silent = false;
	int status = 0;
	pid_t ended;

	while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
		left = end_ms - now_ms();
		if (*stop || left <= 0)
			end_group(pid);
		if (*stop)
			return est_fail(err, EST_E_INTERRUPTED, "interrupted");
		if (left <= 0)
			return est_fail(err, EST_E_HOOK, "ended after %u s", limit_ms / 1000);
		/* Silent, it is about to end, or has let go of the pipe for longer. */
		if (silent && nap < SLICE_MS)
			nap *= 2;
		tick = silent ? nap : SLICE_MS;
		hear(fd, left < tick ? left : tick, output, &silent);
	}
	for (int i = 0; i < DRAINS && !silent && hear_once(fd, output, &silent); i++)
		;
	if (ended != pid)
		return est_fail(err, EST_E_HOOK, "lost: %s", strerror(errno));
	if (WIFSIGNALED(status))
		return est_fail(err, EST_E_HOOK, "ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return est_fail(err, EST_E_HOOK, "exit status %d", WEXITSTATUS(status));
	return EST_OK;
}

static enum est_code not_started(struct est_error *err)
{
	est_fail(err, EST_E_HOOK, "cannot be started: %s", strerror(errno));
	return est_reason(err, "not-started");
}

enum est_code program_run(const char *command, const struct program_env *env, unsigned limit_ms,
	const volatile sig_atomic_t *stop, struct est_buf *output, struct est_error *err)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out[2] = { -1, -1 };
	char **environment = NULL;
	enum est_code rc;
	pid_t pid;

	rc = make_environment(env, &environment, err);
	if (rc != EST_OK)
		goto out;
	if (in < 0 || pipe2(out, O_CLOEXEC) != 0 || fcntl(out[0], F_SETFL, O_NONBLOCK) != 0) {
		rc = not_started(err);
		goto out;
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)signal(SIGCHLD, SIG_DFL); /* our caller may have chosen not to hear of its children */
	pid = fork();
	if (pid == 0)
		become(command, environment, in, out[1]);
	if (pid < 0) {
		rc = not_started(err);
		goto out;
	}
	(void)setpgid(pid, pid); /* whichever of us comes first */
	(void)close(out[1]);
	out[1] = -1;
	rc = watch(pid, out[0], limit_ms, stop, output, err);
out:
	for (int i = 0; i < 2; i++) {
		if (out[i] >= 0)
			(void)close(out[i]);
	}
	if (in >= 0)
		(void)close(in);
	free_environment(environment);
	return rc;
}

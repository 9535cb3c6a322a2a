/* SPDX-License-Identifier: MIT */
/* --config-dir: a process for each profile, so that none can harm another. */
#include "profiles.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "jsonc.h"

#define SUFFIX       ".conf"
#define SLICE_NS     (20 * 1000000l) /* how late the end of a process, or a signal, is seen */
#define PARALLEL_MAX 64

const struct cmd_option cmd_options_profiles[] = {
	{ "config-dir", 0, CMD_STRING, CMD_AT(config_dir), "DIR", NULL,
		"do this for each profile DIR/NAME.conf, a file as --config takes it" },
	{ "parallel", 0, CMD_NUMBER, CMD_AT(parallel), "N", NULL,
		"so many profiles at a time (default 1)" },
	{ 0 },
};

struct child {
	pid_t pid; /* 0: not started, or at its end */
	char name[160];
};

struct run {
	struct cmd *cmd;
	struct dirent **files;
	struct child *child;
	bool *skipped; /* shared with the children, in lock */
	int n, running, lock;
	int worst, rank; /* exit status, and how bad that is */
};

static int is_profile(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);

	return *entry->d_name != '.' && n > suffix &&
	       strcmp(entry->d_name + n - suffix, SUFFIX) == 0;
}

/* What passes by itself is less bad than what somebody has to look at. */
static int rank_of(int status, bool skipped)
{
	switch (status) {
	case EST_E_PENDING:
		return skipped ? 0 : 2;
	case EST_E_NETWORK:
	case EST_E_TIMEOUT:
	case EST_E_SERVER:
		return skipped ? 0 : 3;
	case EST_OK:
		return skipped ? 0 : 1;
	default:
		return skipped ? 0 : status > 128 ? 6 : status == EST_E_HOOK ? 4 : 5;
	}
}

static enum est_code check(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	const struct {
		const char *option, *value;
	} own[] = {
		{ "config", v->config },
		{ "cert", v->cert },
		{ "key", v->key },
		{ "output", v->output },
		{ "key-out", v->key_out },
		{ "chain-out", v->chain_out },
		{ "combined", v->combined },
		{ "store", v->store },
		{ "p12", v->p12 },
		{ "alt-cert", v->alt_cert },
		{ "alt-key", v->alt_key },
		{ "change-subject", v->change_subject },
	};
	enum est_code rc = cmd_no_operands(cmd);

	for (size_t i = 0; rc == EST_OK && i < sizeof(own) / sizeof(own[0]); i++) {
		if (!own[i].value)
			continue;
		est_fail(&cmd->err, EST_E_USAGE,
			"--%s is for one certificate, --config-dir for several", own[i].option);
		return est_hint(&cmd->err, "take it out of the command line and the environment; "
					   "the profiles have it");
	}
	if (rc == EST_OK && v->parallel > PARALLEL_MAX)
		rc = est_fail(&cmd->err, EST_E_USAGE, "--parallel is from 1 to %d", PARALLEL_MAX);
	return rc;
}

/* A profile names commands that run as this user, so nobody else is to have a hand in it; and what
 * is no file could keep the others waiting. */
static enum est_code check_file(const char *dir, const char *path, struct est_error *err)
{
	struct stat st, in;

	if (stat(path, &st) != 0 || stat(dir, &in) != 0 || S_ISDIR(st.st_mode))
		return EST_OK; /* reading it says more */
	if (!S_ISREG(st.st_mode))
		return est_fail(err, EST_E_INPUT, "%s: not a file", path);
	if (st.st_mode & S_IWOTH || (in.st_mode & (S_IWGRP | S_IWOTH) && st.st_uid != 0 &&
					    st.st_uid != geteuid() && st.st_uid != in.st_uid)) {
		est_fail(err, EST_E_INPUT,
			"%s: others may write to it (user %ju, mode %04o), and it can name commands",
			path, (uintmax_t)st.st_uid, (unsigned)st.st_mode & 07777);
		return est_hint(err,
			"look at it, then give it to the owner of %s and chmod go-w it", dir);
	}
	return EST_OK;
}

/* In the child: the same command line, with --config in front. */
__attribute__((noreturn)) static void become(struct run *r, int i)
{
	struct est_error refused = { 0 };
	struct cmd_profile profile = { r->child[i].name, r->lock, &r->skipped[i], NULL };
	struct cmd *cmd = r->cmd;
	char **argv = calloc((size_t)cmd->argc + 3, sizeof(*argv));
	char config[] = "--config";
	int status = EST_E_INTERNAL;
	char *path = NULL;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* lines of several do not mix */
	if (argv && asprintf(&path, "%s/%s", cmd->v.config_dir, r->files[i]->d_name) >= 0) {
		if (check_file(cmd->v.config_dir, path, &refused) != EST_OK)
			profile.refused = &refused;
		argv[0] = cmd->argv[0];
		argv[1] = config;
		argv[2] = path;
		memcpy(argv + 3, cmd->argv + 1, (size_t)(cmd->argc - 1) * sizeof(*argv));
		status = cmd_run(cmd->entry, cmd->argc + 2, argv, cmd->secrets, &profile);
	} else {
		cmd->v.quiet = false; /* an error, and of this process alone */
		cmd_notice(cmd, "%s: out of memory", r->child[i].name);
	}
	(void)fflush(NULL);
	_exit(status);
}

static enum est_code start(struct run *r, int i)
{
	const char *file = r->files[i]->d_name;
	pid_t pid;

	est_escape(r->child[i].name, sizeof(r->child[i].name),
		(struct est_span){ (const uint8_t *)file, strlen(file) - strlen(SUFFIX) });
	pid = fork();
	if (pid == 0)
		become(r, i);
	if (pid < 0)
		return est_fail(&r->cmd->err, EST_E_INTERNAL, "cannot start a process: %s",
			strerror(errno));
	r->child[i].pid = pid;
	r->running++;
	return EST_OK;
}

static void ended(struct run *r, pid_t pid, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), i, rank;

	for (i = 0; i < r->n && r->child[i].pid != pid; i++)
		;
	if (i == r->n)
		return;
	r->child[i].pid = 0;
	r->running--;
	rank = rank_of(code, r->skipped[i]);
	if (rank > r->rank) {
		r->rank = rank;
		r->worst = code;
	}
	if (WIFSIGNALED(status))
		cmd_notice(r->cmd, "%s: ended by signal %d", r->child[i].name, WTERMSIG(status));
}

/* Until fewer than most are running. */
static void wait_for(struct run *r, int most)
{
	const struct timespec slice = { 0, SLICE_NS };
	bool told = false;
	int status;
	pid_t pid;

	while (r->running >= most && r->running > 0) {
		for (int i = 0; cmd_stop && !told && i < r->n; i++) {
			if (r->child[i].pid > 0)
				(void)kill(r->child[i].pid, cmd_stop);
		}
		told = cmd_stop != 0;
		pid = waitpid(-1, &status, WNOHANG);
		if (pid > 0)
			ended(r, pid, status);
		else
			(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &slice, NULL);
	}
}

static enum est_code run_all(struct run *r)
{
	struct cmd *cmd = r->cmd;
	int parallel = cmd->v.parallel ? (int)cmd->v.parallel : 1;
	enum est_code rc = EST_OK;

	r->lock = memfd_create("est", MFD_CLOEXEC);
	r->child = calloc((size_t)r->n, sizeof(*r->child));
	if (r->lock >= 0 && ftruncate(r->lock, r->n) == 0)
		r->skipped = mmap(NULL, (size_t)r->n, PROT_READ | PROT_WRITE, MAP_SHARED, r->lock,
			0);
	if (!r->child || r->skipped == MAP_FAILED)
		rc = est_fail(&cmd->err, EST_E_INTERNAL, "out of memory");
	(void)signal(SIGCHLD, SIG_DFL);
	for (int i = 0; rc == EST_OK && !cmd_stop && i < r->n; i++) {
		wait_for(r, parallel);
		if (!cmd_stop)
			rc = start(r, i);
	}
	if (r->child)
		wait_for(r, 1);
	if (rc == EST_OK && cmd_stop)
		rc = est_fail(&cmd->err, EST_E_INTERRUPTED, "interrupted");
	if (r->skipped != MAP_FAILED)
		(void)munmap(r->skipped, (size_t)r->n);
	if (r->lock >= 0)
		(void)close(r->lock);
	free(r->child);
	return rc;
}

enum est_code profiles_run(struct cmd *cmd)
{
	struct run r = { .cmd = cmd, .rank = -1, .lock = -1, .skipped = MAP_FAILED };
	enum est_code rc = check(cmd);

	if (rc != EST_OK)
		return rc;
	r.n = scandir(cmd->v.config_dir, &r.files, is_profile, alphasort);
	if (r.n < 0)
		return est_fail(&cmd->err, EST_E_INPUT, "%s: %s", cmd->v.config_dir,
			strerror(errno));
	if (r.n == 0)
		rc = est_fail(&cmd->err, EST_E_INPUT, "%s: no profile in it, no NAME" SUFFIX,
			cmd->v.config_dir);
	else
		rc = run_all(&r);
	for (int i = 0; i < r.n; i++)
		free(r.files[i]);
	free(r.files);
	if (rc != EST_OK)
		return rc;
	cmd->status = r.worst;
	json_object_put(cmd->json); /* each profile has printed its own */
	cmd->json = NULL;
	return EST_OK;
}

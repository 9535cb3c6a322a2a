/* SPDX-License-Identifier: MIT */
/* Whether a run of reenroll has something to do: --renew-before, --jitter, --status. */
#include "schedule.h"
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "jsonc.h"

#define DAY_S           86400
#define DEFAULT_PERCENT 33
#define STATUS_MAX      255
#define MARK_S          60

const struct cmd_option cmd_options_schedule[] = {
	{ "renew-before", 0, CMD_STRING, CMD_AT(renew_before), "TIME", NULL,
		"renew when so much is left: 30d, 12h, or 33% of the lifetime (the default)" },
	{ "jitter", 0, CMD_PAUSE, CMD_AT(jitter_ms), "SECONDS", NULL,
		"wait a part of this, always the same on this device, before a renewal" },
	{ "skip-status", 0, CMD_NUMBER, CMD_AT(skip_status), "N", NULL,
		"exit status when nothing was due (default 0)" },
	{ "status", 0, CMD_FLAG, CMD_AT(status), NULL, NULL,
		"print what the next run would do, and do nothing" },
	{ 0 },
};

/* "30d" or "33%". */
static bool parse_before(const char *text, struct est_renew_policy *out)
{
	unsigned percent = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && percent <= 100; p++)
		percent = percent * 10 + (unsigned)(*p - '0');
	if (p != text && strcmp(p, "%") == 0 && percent >= 1 && percent <= 100) {
		out->percent = percent;
		return true;
	}
	return cmd_duration(text, &out->before_s) && out->before_s > 0;
}

enum est_code schedule_check(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	struct est_renew_policy ignored;
	char shown[80];

	if (v->renew_before && !parse_before(v->renew_before, &ignored))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--renew-before: '%s' is neither a number with s, m, h, d or w after it nor "
			"from 1%% to 100%%",
			est_escape(shown, sizeof(shown), est_span_str(v->renew_before)));
	if (v->skip_status > STATUS_MAX)
		return est_fail(&cmd->err, EST_E_USAGE, "--skip-status is from 0 to %d",
			STATUS_MAX);
	if (v->status && v->dry_run)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--status and --dry-run exclude each other");
	return EST_OK;
}

/* What the next run is to do, and the certificate whose dates say so. */
struct plan {
	enum schedule_step step;
	struct est_certs *certs; /* NULL with SCHEDULE_RECOVER unless --status asks */
	const char *file;        /* they are in; borrowed */
	struct est_cert_info info;
	struct est_schedule when;
	bool pending;        /* an earlier run has left something */
	time_t ask_again_at; /* its server may be asked; 0: now */
};

const char *schedule_name(const struct est_cert_info *info)
{
	return *info->subject ? info->subject : info->n_sans ? info->sans[0] : info->serial;
}

/* The certificate whose dates count: with -o, once it is there, the renewed one, else each run
 * would renew the old one again. */
static enum est_code load(struct cmd *cmd, const struct schedule_files *files, struct plan *p)
{
	const char *installed = files->installed;
	struct est_certs *fresh = NULL;
	struct est_error ignored;
	enum est_code rc = est_certs_load(files->cert, &p->certs, &cmd->err);

	p->file = files->cert;
	if (rc != EST_OK || !installed || strcmp(installed, "-") == 0 ||
		strcmp(installed, files->cert) == 0 || access(installed, F_OK) != 0 ||
		est_certs_load(installed, &fresh, &ignored) != EST_OK)
		return rc;
	if (est_cert_same_subject(est_certs_get(p->certs, 0), est_certs_get(fresh, 0))) {
		est_certs_free(p->certs);
		p->certs = fresh;
		p->file = installed;
	} else {
		est_certs_free(fresh);
	}
	return EST_OK;
}

static struct est_renew_policy policy_of(const struct cmd *cmd)
{
	struct est_renew_policy policy = { .percent = DEFAULT_PERCENT,
		.jitter_ms = cmd->v.jitter_ms };

	if (cmd->v.renew_before)
		(void)parse_before(cmd->v.renew_before, &policy);
	return policy;
}

/* When schedule_installed() has marked a file; 0: it has not.  The time that a copy or touch gives
 * does not pass for it, and would have to be one at which the certificate was due.  (Where times
 * are whole seconds one in 60 does: that file waits for half of what it has left, once.)  What
 * changes but the status of a file, like chmod or a link, does not make it wait longer. */
static int64_t marked(const char *file, int64_t not_before)
{
	struct stat st;

	if (stat(file, &st) != 0 || st.st_mtim.tv_nsec != 0 ||
		(st.st_mtim.tv_sec - not_before) % MARK_S != 0)
		return 0;
	return st.st_mtim.tv_sec;
}

void schedule_installed(struct cmd *cmd, const struct est_cert_info *info)
{
	struct timespec mark[2] = { { .tv_nsec = UTIME_OMIT } };
	struct est_renew_policy policy = policy_of(cmd);
	const int64_t now = time(NULL);
	const char *file = cmd->v.output ? cmd->v.output : cmd->v.combined;
	char stored[PATH_MAX], again[40];
	struct est_schedule s;

	if (cmd->v.store)
		file = request_stored(&cmd->v, "current/cert.pem", stored);
	est_schedule(info->not_before, info->not_after, now, &policy, &s);
	if (s.due != EST_DUE_NOW || policy.percent == 100)
		return;
	policy.installed = now - (now - info->not_before) % MARK_S;
	mark[1].tv_sec = policy.installed;
	est_schedule(info->not_before, info->not_after, now, &policy, &s);
	if (s.due != EST_DUE_LATER || strcmp(file, "-") == 0 ||
		utimensat(AT_FDCWD, file, mark, 0) != 0) {
		cmd_notice(cmd, "%s is due at once by this clock: is it right?",
			schedule_name(info));
		return;
	}
	(void)cmd_time_text(s.due_at, again, sizeof(again));
	cmd_notice(cmd,
		"%s is due at once by this clock: is it right? it is not renewed again before %s",
		schedule_name(info), again);
}

static enum est_code read_dates(struct cmd *cmd, struct plan *p)
{
	struct est_renew_policy policy = policy_of(cmd);
	const struct est_span cert = est_certs_get(p->certs, 0);
	enum est_code rc;

	rc = est_cert_seed(cert, &policy.seed, &cmd->err);
	if (rc == EST_OK)
		rc = est_cert_words(cert, &p->info, &cmd->err);
	if (rc != EST_OK)
		return rc;
	policy.installed = marked(p->file, p->info.not_before);
	est_schedule(p->info.not_before, p->info.not_after, time(NULL), &policy, &p->when);
	if (cmd->v.force && p->when.due < EST_DUE_NOW)
		p->when.due = EST_DUE_NOW;
	if (cmd->v.force)
		p->when.wait_ms = 0;
	return EST_OK;
}

static void plan_wipe(struct plan *p)
{
	est_cert_info_wipe(&p->info);
	est_certs_free(p->certs);
	*p = (struct plan){ 0 };
}

/* From what is on disk, the options and the time; nothing is written, nobody is asked. */
static enum est_code plan_make(struct cmd *cmd, const struct schedule_files *files, struct plan *p)
{
	const bool recover = !files->recovered && delivery_unfinished(cmd);
	const bool resume = request_unfinished(cmd, &p->ask_again_at);
	enum est_code rc = EST_OK;

	p->pending = recover || resume;
	/* The certificate is read when it is whole again. */
	if (!recover || cmd->v.status)
		rc = load(cmd, files, p);
	if (rc == EST_OK && p->certs)
		rc = read_dates(cmd, p);
	p->step = recover                                        ? SCHEDULE_RECOVER
		  : resume                                       ? SCHEDULE_RESUME
		  : p->when.due >= EST_DUE_NOW || cmd->v.dry_run ? SCHEDULE_RENEW
								 : SCHEDULE_SKIP;
	return rc;
}

/* "is valid until ..., and due from ... on" */
static void explain(const struct est_cert_info *info, const struct est_schedule *s, char *out,
	size_t size)
{
	char from[40], until[40], due[40], now[40];

	(void)cmd_time_text(info->not_before, from, sizeof(from));
	(void)cmd_time_text(info->not_after, until, sizeof(until));
	(void)cmd_time_text(s->due_at, due, sizeof(due));
	(void)cmd_time_text(time(NULL), now, sizeof(now));
	switch (s->due) {
	case EST_DUE_LATER:
		(void)snprintf(out, size, "is valid until %s, and due from %s on", until, due);
		return;
	case EST_DUE_NEVER:
		(void)snprintf(out, size, "does not expire");
		return;
	case EST_DUE_NO_DATE:
		(void)snprintf(out, size,
			"is valid from %s on, and the clock says %s: is it right?", from, now);
		return;
	case EST_DUE_NOW:
		(void)snprintf(out, size, "is valid until %s, and due", until);
		return;
	case EST_DUE_EXPIRED:
		(void)snprintf(out, size, "has expired %s, and is due", until);
		return;
	}
}

static void json_schedule(struct cmd *cmd, const struct est_schedule *s)
{
	if (cmd->json)
		json_object_object_add(cmd->json, "renew_at",
			s->due == EST_DUE_NEVER ? NULL : cmd_json_time(s->due_at));
}

static enum est_code skip(struct cmd *cmd, const struct plan *p)
{
	char text[200];

	explain(&p->info, &p->when, text, sizeof(text));
	cmd_notice(cmd, "skipped: %s %s", schedule_name(&p->info), text);
	cmd->status = (int)cmd->v.skip_status;
	cmd->skipped = true;
	cmd_json_string(cmd, "action", "skipped");
	cmd_json_bool(cmd, "changed", false);
	json_schedule(cmd, &p->when);
	return cmd_json_certs(cmd, p->certs, false);
}

/* CLOCK_MONOTONIC, in pieces: a clock that jumps does not change it, a signal ends it. */
static enum est_code wait_turn(struct cmd *cmd, uint32_t ms)
{
	struct timespec piece;

	cmd_verbose(cmd, "waiting %u.%u s for the turn of this device (--jitter)", ms / 1000,
		ms % 1000 / 100);
	for (uint32_t n; ms > 0 && !cmd_stop; ms -= n) {
		n = ms < 1000 ? ms : 1000;
		piece = (struct timespec){ n / 1000, n % 1000 * 1000000l };
		while (clock_nanosleep(CLOCK_MONOTONIC, 0, &piece, &piece) == EINTR && !cmd_stop)
			;
	}
	return cmd_stop ? est_fail(&cmd->err, EST_E_INTERRUPTED, "interrupted") : EST_OK;
}

/* --status: the line on standard output, or the names in JSON. */
static enum est_code status(struct cmd *cmd, const char *cert_file, const struct plan *p)
{
	static const char *const steps[] = { [SCHEDULE_SKIP] = "skip",
		[SCHEDULE_RENEW] = "renew",
		[SCHEDULE_RESUME] = "resume",
		[SCHEDULE_RECOVER] = "recover" };
	int64_t left_s = (int64_t)p->info.not_after - time(NULL);
	struct est_buf line = { 0 };
	char text[200], ask[64] = "", at[40];
	enum est_code rc;

	/* The last second of a day belongs to it, before and after the end. */
	left_s = left_s < 0 ? (left_s - DAY_S + 1) / DAY_S : left_s / DAY_S;
	cmd_json_string(cmd, "action", "status");
	cmd_json_string(cmd, "next", steps[p->step]);
	cmd_json_bool(cmd, "pending", p->pending);
	if (cmd->json && p->ask_again_at > 0)
		json_object_object_add(cmd->json, "ask_again_at", cmd_json_time(p->ask_again_at));
	json_schedule(cmd, &p->when);
	if (cmd->json)
		jsonc_number(cmd->json, "days_left", left_s);
	if (cmd->json)
		return cmd_json_certs(cmd, p->certs, false);
	explain(&p->info, &p->when, text, sizeof(text));
	if (p->ask_again_at > time(NULL) && cmd_time_text(p->ask_again_at, at, sizeof(at)))
		(void)snprintf(ask, sizeof(ask), ", not before %s", at);
	rc = est_buf_printf(&line, &cmd->err, "%s: %s: %lld days left, %s, next: %s%s; it %s",
		cmd->profile ? cmd->profile->name : cert_file, schedule_name(&p->info),
		(long long)left_s, p->pending ? "pending" : "nothing pending", steps[p->step], ask,
		text);
	if (rc == EST_OK) /* the file's name came from outside */
		rc = est_buf_printable(&cmd->product, est_buf_span(&line), 4 * line.n, &cmd->err);
	if (rc == EST_OK)
		rc = est_buf_append(&cmd->product, est_span_str("\n"), &cmd->err);
	est_buf_free(&line);
	return rc;
}

enum est_code schedule_next(struct cmd *cmd, const struct schedule_files *files,
	enum schedule_step *step)
{
	const bool waits = !files->locked && !cmd->v.dry_run && !cmd->v.status;
	struct plan p = { 0 };
	enum est_code rc = plan_make(cmd, files, &p);

	if (rc == EST_OK && waits && p.when.due >= EST_DUE_NOW && p.when.wait_ms > 0) {
		rc = wait_turn(cmd, p.when.wait_ms);
		plan_wipe(&p);
		if (rc == EST_OK) /* another run may have renewed it meanwhile */
			rc = plan_make(cmd, files, &p);
	}
	*step = cmd->v.status ? SCHEDULE_SKIP : p.step;
	if (rc == EST_OK && cmd->v.status)
		rc = status(cmd, files->cert, &p);
	else if (rc == EST_OK && p.step == SCHEDULE_SKIP)
		rc = skip(cmd, &p);
	plan_wipe(&p);
	return rc;
}

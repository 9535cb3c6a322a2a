/* SPDX-License-Identifier: MIT */
/* One run of an applet, from argv to the exit code. */
#include "cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include "jsonc.h"

#define NOTICE_MAX 1024 /* bytes of one line on stderr */

volatile sig_atomic_t cmd_stop;

const struct cmd_entry *cmd_find(const char *name)
{
	for (const struct cmd_entry *e = cmd_applets; e->name; e++) {
		if (strcmp(e->name, name) == 0)
			return e;
	}
	return NULL;
}

const char *cmd_name(const struct cmd_applet *applet)
{
	for (const struct cmd_entry *e = cmd_applets; e->name; e++) {
		if (e->applet == applet)
			return e->name;
	}
	return "";
}

/* Of any applet. */
static bool known_option(const char *name)
{
	for (const struct cmd_entry *e = cmd_applets; e->name; e++) {
		if (cmd_option_find(e->applet->groups, name))
			return true;
	}
	return false;
}

void cmd_printable(char *text, size_t size)
{
	struct est_buf safe = { 0 };
	struct est_error ignored;

	if (est_buf_printable(&safe, est_span_str(text), size, &ignored) == EST_OK)
		(void)snprintf(text, size, "%.*s", (int)safe.n, safe.n ? (const char *)safe.p : "");
	est_buf_free(&safe);
}

static void say(const struct cmd *cmd, const char *line)
{
	const char *profile = cmd->profile ? cmd->profile->name : "";

	fprintf(stderr, "est: %s: %s%s%s\n", cmd_name(cmd->applet), profile, *profile ? ": " : "",
		line);
}

__attribute__((format(printf, 2, 0))) static void print_line(const struct cmd *cmd, const char *fmt,
	va_list ap)
{
	char line[NOTICE_MAX];

	(void)vsnprintf(line, sizeof(line), fmt, ap);
	cmd_printable(line, sizeof(line));
	say(cmd, line);
}

void cmd_notice(const struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	if (cmd->v.quiet)
		return;
	va_start(ap, fmt);
	print_line(cmd, fmt, ap);
	va_end(ap);
}

void cmd_verbose(const struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	if (cmd->v.verbose == 0)
		return;
	va_start(ap, fmt);
	print_line(cmd, fmt, ap);
	va_end(ap);
}

enum est_code cmd_choice(struct cmd *cmd, const char *option, const char *value, const char *words,
	unsigned *out)
{
	const char *word = words;
	char shown[80];
	unsigned i = 0;
	size_t n;

	for (; value && *word; word += n + strspn(word + n, ", "), i++) {
		n = strcspn(word, ",");
		if (strlen(value) == n && memcmp(value, word, n) == 0)
			break;
	}
	if (!*word)
		return est_fail(&cmd->err, EST_E_USAGE, "--%s: '%s' is none of %s", option,
			est_escape(shown, sizeof(shown), est_span_str(value)), words);
	*out = i;
	return EST_OK;
}

enum est_code cmd_no_operands(struct cmd *cmd)
{
	char shown[80];

	if (cmd->n_operands == 0)
		return EST_OK;
	est_fail(&cmd->err, EST_E_USAGE, "unexpected argument: %s",
		est_escape(shown, sizeof(shown), est_span_str(cmd->operands[0])));
	if (cmd->v.wait_ms && cmd->operands[0][0] >= '0' && cmd->operands[0][0] <= '9')
		return est_hint(&cmd->err, "the time for --wait follows behind =: --wait=%s",
			shown);
	return est_hint(&cmd->err, "the server goes with --server URL; see est help %s",
		cmd_name(cmd->applet));
}

enum est_code cmd_stdout(struct est_span bytes, struct est_error *err)
{
	if (bytes.n == 0 || fwrite(bytes.p, 1, bytes.n, stdout) == bytes.n)
		return EST_OK;
	return est_fail(err, EST_E_OUTPUT, "cannot write to standard output: %s", strerror(errno));
}

enum est_code cmd_flush(struct est_error *err)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EST_OK;
	return est_fail(err, EST_E_OUTPUT, "cannot write to standard output: %s", strerror(errno));
}

enum est_code cmd_print(struct cmd *cmd, struct est_span text)
{
	enum est_code rc = EST_OK;

	cmd->printed = cmd->json != NULL;
	if (cmd->json)
		cmd_json_print(cmd, EST_OK);
	else
		rc = cmd_stdout(text, &cmd->err);
	return rc == EST_OK ? cmd_flush(&cmd->err) : rc;
}

enum est_code cmd_output(struct cmd *cmd, const char *path, unsigned flags, struct est_output **out)
{
	if (!path || strcmp(path, "-") == 0)
		return EST_OK;
	return est_output_open(path, flags, out, &cmd->err);
}

enum est_code cmd_check_stdout(struct cmd *cmd, const char *path)
{
	if (cmd->json && path && strcmp(path, "-") == 0)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--json prints its object on standard output, which \"-\" would share");
	return EST_OK;
}

enum est_code cmd_deliver(struct cmd *cmd, struct est_output *out, struct est_span content)
{
	bool changed = true;
	enum est_code rc;

	if (!out) {
		rc = est_buf_append(&cmd->product, content, &cmd->err);
	} else {
		rc = est_output_write(out, content, &cmd->err);
		if (rc == EST_OK)
			rc = est_output_commit(out, &changed, &cmd->err);
	}
	if (rc == EST_OK)
		cmd_json_bool(cmd, "changed", changed);
	return rc;
}

int cmd_exit_code(enum est_code code)
{
	switch (code) {
	case EST_OK:
	case EST_E_INTERNAL:
	case EST_E_USAGE:
	case EST_E_INPUT:
	case EST_E_OUTPUT:
	case EST_E_NETWORK:
	case EST_E_TIMEOUT:
	case EST_E_UNTRUSTED:
	case EST_E_TLS:
	case EST_E_AUTH:
	case EST_E_REFUSED:
	case EST_E_SERVER:
	case EST_E_PENDING:
	case EST_E_PROTOCOL:
	case EST_E_REJECTED:
	case EST_E_CONDITION:
	case EST_E_HOOK:
	case EST_E_CLOCK:
		return (int)code;
	case EST_E_INTERRUPTED:
		return 128 + (int)cmd_stop;
	}
	return EST_E_INTERNAL;
}

static void on_signal(int number)
{
	cmd_stop = number;
}

/* Secrets stay out of core files and out of reach of other processes of this user. */
static void harden_process(void)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__)
	(void)prctl(PR_SET_DUMPABLE, 0); /* the leak checker attaches to its own process */
#endif
	(void)unsetenv("SSLKEYLOGFILE"); /* GnuTLS would write the session's secrets there */
	/* No SA_RESTART: every wait notices.  What no wait interrupts, a second signal ends. */
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGHUP, &act, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void report_error(struct cmd *cmd)
{
	cmd_printable(cmd->err.msg, sizeof(cmd->err.msg));
	cmd_printable(cmd->err.hint, sizeof(cmd->err.hint));
	say(cmd, cmd->err.msg);
	if (cmd->err.hint[0])
		fprintf(stderr, "est: hint: %s%s%s\n", cmd->profile ? cmd->profile->name : "",
			cmd->profile ? ": " : "", cmd->err.hint);
}

/* The product goes out only when everything has worked, and a failed write is a failure. */
static enum est_code finish(struct cmd *cmd, enum est_code rc)
{
	enum est_code written = EST_OK;

	if (cmd->profile) /* let go when this process ends */
		(void)!lockf(cmd->profile->lock, F_LOCK, 0);
	if (rc == EST_OK && jsonc_lost())
		rc = est_fail(&cmd->err, EST_E_INTERNAL, "out of memory");
	if (rc == EST_OK && !cmd->json && cmd->product.n > 0)
		rc = cmd_stdout(est_buf_span(&cmd->product), &cmd->err);
	if (rc == EST_OK)
		rc = cmd_flush(&cmd->err);
	if (rc != EST_OK)
		report_error(cmd);
	if ((!cmd->json && !jsonc_lost()) || cmd->printed)
		return rc;
	cmd_json_print(cmd, rc);
	if (rc == EST_OK)
		written = cmd_flush(&cmd->err);
	if (written != EST_OK && cmd->installed)
		est_hint(&cmd->err, "the new files are installed");
	if (written != EST_OK)
		report_error(cmd);
	return written != EST_OK ? written : rc;
}

/* A mistake before --json was reached does not take the promised object away. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "--json-lines") == 0)
			return true;
	}
	return false;
}

int cmd_run(const struct cmd_entry *entry, int argc, char **argv, struct est_buf *secrets,
	const struct cmd_profile *profile)
{
	struct cmd_parsed parsed = { 0 };
	struct cmd cmd = { .applet = entry->applet,
		.entry = entry,
		.profile = profile,
		.argc = argc,
		.argv = argv,
		.secrets = secrets };
	enum est_code rc = EST_OK;

	if (!profile)
		rc = cmd_take_secrets(secrets, &cmd.err);
	else if (profile->refused)
		rc = (cmd.err = *profile->refused).code;
	if (rc == EST_OK)
		rc = cmd_parse(entry->applet->groups, argc, argv, getenv, known_option, &parsed,
			&cmd.err);
	cmd.v = parsed.v;
	cmd.v.json |= cmd.v.json_lines;
	cmd.operands = parsed.operands;
	cmd.n_operands = parsed.n_operands;
	if ((cmd.v.json && !cmd.v.help && !cmd.v.version) ||
		(rc != EST_OK && wants_json(argc, argv)))
		cmd.json = json_object_new_object();
	if (rc == EST_E_USAGE && !cmd.err.hint[0])
		est_hint(&cmd.err, "est help %s lists the options", entry->name);
	if (rc == EST_OK && cmd.v.help)
		cmd_help_applet(entry);
	else if (rc == EST_OK && cmd.v.version)
		printf("est %s (GnuTLS %s)\n", EST_VERSION, gnutls_check_version(NULL));
	else if (rc == EST_OK)
		rc = entry->applet->run(&cmd);
	rc = finish(&cmd, rc);
	json_object_put(cmd.json);
	est_buf_free(&cmd.product);
	if (profile)
		*profile->skipped = cmd.skipped;
	cmd_parsed_wipe(entry->applet->groups, &parsed);
	return rc == EST_OK ? cmd.status : cmd_exit_code(rc);
}

int cmd_main(const struct cmd_entry *entry, int argc, char **argv)
{
	struct est_buf secrets[CMD_SECRETS] = { { 0 } };
	int status;

	harden_process();
	status = cmd_run(entry, argc, argv, secrets, NULL);
	for (int i = 0; i < CMD_SECRETS; i++)
		est_buf_free(&secrets[i]);
	return status;
}

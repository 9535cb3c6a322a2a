/* SPDX-License-Identifier: MIT */
/* Passwords and tokens: from a file or descriptor, the environment, or the terminal; never from
 * argv. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* The one line end that an editor or echo adds is not part of the secret. */
static void chomp(struct est_buf *secret)
{
	if (secret->n > 0 && secret->p[secret->n - 1] == '\n')
		secret->n--;
	if (secret->n > 0 && secret->p[secret->n - 1] == '\r')
		secret->n--;
}

static const char *const variables[CMD_PROXY_URL] = {
	[CMD_PASSWORD] = "EST_PASSWORD",
	[CMD_TOKEN] = "EST_TOKEN",
	[CMD_KEY_PASSWORD] = "EST_KEY_PASSWORD",
	[CMD_PROXY_PASSWORD] = "EST_PROXY_PASSWORD",
};

/* The password goes, the proxy stays. */
static enum est_code take_proxy(struct est_buf *out, struct est_error *err)
{
	static const char *const names[] = { "https_proxy", "HTTPS_PROXY" };
	char *value, *at, *start, *colon;
	enum est_code rc = EST_OK;
	bool first = true;

	for (size_t i = 0; rc == EST_OK && i < sizeof(names) / sizeof(names[0]); i++) {
		value = getenv(names[i]);
		at = value ? strrchr(value, '@') : NULL;
		start = at ? strstr(value, "://") : NULL;
		start = start && start < at ? start + 3 : value;
		colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;
		if (colon && first)
			rc = est_buf_append(out,
				(struct est_span){ (uint8_t *)value, strlen(value) + 1 }, err);
		first = first && (!value || !*value);
		if (!colon)
			continue;
		memmove(colon, at, strlen(at) + 1);
		explicit_bzero(colon + strlen(colon) + 1, (size_t)(at - colon));
	}
	return rc;
}

enum est_code cmd_take_secrets(struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	char *value;

	for (int i = 0; rc == EST_OK && i < CMD_PROXY_URL; i++) {
		value = getenv(variables[i]);
		if (!value)
			continue;
		rc = est_buf_append(&out[i],
			(struct est_span){ (uint8_t *)value, strlen(value) + 1 }, err);
		explicit_bzero(value, strlen(value)); /* for whoever reads /proc/PID/environ */
		(void)unsetenv(variables[i]);
	}
	return rc == EST_OK ? take_proxy(&out[CMD_PROXY_URL], err) : rc;
}

/* What the environment had, without the NUL behind it; p is NULL when it had none. */
static struct est_span taken(const struct cmd *cmd, enum cmd_secret_id id)
{
	const struct est_buf *b = &cmd->secrets[id];

	return (struct est_span){ b->p, b->n > 0 ? b->n - 1 : 0 };
}

static enum est_code read_line(int fd, struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	uint8_t c = 0;
	ssize_t n;

	while (rc == EST_OK && c != '\n') {
		n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR && !cmd_stop)
			continue;
		if (n <= 0)
			rc = cmd_stop ? est_fail(err, EST_E_INTERRUPTED, "interrupted")
				      : est_fail(err, EST_E_INPUT, "nothing was typed");
		else if (out->n == EST_SECRET_MAX)
			rc = est_fail(err, EST_E_INPUT, "longer than %d bytes", EST_SECRET_MAX);
		else
			rc = est_buf_append(out, (struct est_span){ &c, 1 }, err);
	}
	explicit_bzero(&c, sizeof(c));
	return rc;
}

static enum est_code ask_terminal(const char *prompt, const char *option, const char *variable,
	struct est_buf *out, struct est_error *err)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios old, quiet;
	enum est_code rc;

	if (fd < 0 || tcgetattr(fd, &old) != 0) {
		if (fd >= 0)
			(void)close(fd);
		est_fail(err, EST_E_INPUT, "%s needed, and there is no terminal to ask on", prompt);
		est_reason(err, "no-secret");
		return est_hint(err, "give it with --%s FILE or %s", option, variable);
	}
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	(void)tcsetattr(fd, TCSAFLUSH, &quiet);
	if (write(fd, prompt, strlen(prompt)) < 0 || write(fd, ": ", 2) < 0)
		rc = est_fail(err, EST_E_INPUT, "cannot write to the terminal: %s",
			strerror(errno));
	else
		rc = read_line(fd, out, err);
	(void)tcsetattr(fd, TCSAFLUSH, &old);
	if (write(fd, "\n", 1) < 0 && rc == EST_OK)
		rc = est_fail(err, EST_E_INPUT, "cannot write to the terminal: %s",
			strerror(errno));
	(void)close(fd);
	return rc;
}

static enum est_code find_secret(const struct cmd *cmd, const char *what, const char *file,
	const char *option, enum cmd_secret_id id, struct est_buf *out, struct est_error *err)
{
	const struct est_span env = taken(cmd, id);
	enum est_code rc;

	if (file)
		rc = est_read_file(file, EST_SECRET_MAX, out, err);
	else if (env.p)
		rc = est_buf_append(out, env, err);
	else
		rc = ask_terminal(what, option, variables[id], out, err);
	if (rc == EST_OK)
		chomp(out);
	return rc;
}

enum est_code cmd_key_secret(void *ctx, const char *what, struct est_buf *out,
	struct est_error *err)
{
	const struct cmd *cmd = ctx;

	return find_secret(cmd, what, cmd->v.key_password_file, "key-password-file",
		CMD_KEY_PASSWORD, out, err);
}

enum est_code cmd_secret(void *ctx, const char *what, struct est_buf *out, struct est_error *err)
{
	const struct cmd *cmd = ctx;

	return find_secret(cmd, what, cmd->v.password_file, "password-file", CMD_PASSWORD, out,
		err);
}

enum est_code cmd_proxy_secret(void *ctx, const char *what, struct est_buf *out,
	struct est_error *err)
{
	const struct cmd *cmd = ctx;

	return find_secret(cmd, what, cmd->v.proxy_password_file, "proxy-password-file",
		CMD_PROXY_PASSWORD, out, err);
}

enum est_code cmd_secret_file(const char *file, struct est_buf *out, struct est_error *err)
{
	enum est_code rc = est_read_file(file, EST_SECRET_MAX, out, err);

	if (rc == EST_OK)
		chomp(out);
	return rc;
}

#define SECRET_FILES 8

static void secret_files(const struct cmd_values *v, const char *out[SECRET_FILES])
{
	const char *const files[SECRET_FILES] = { v->password_file, v->token_file,
		v->p12_password_file, v->key_password_file, v->proxy_password_file,
		v->challenge_file, v->otp_file, v->revocation_challenge_file };

	memcpy(out, files, sizeof(files));
}

/* Not opened: what is in a pipe can be read but once, and a FIFO would keep us waiting. */
enum est_code cmd_check_secret_files(struct cmd *cmd)
{
	const char *files[SECRET_FILES];
	struct stat st;

	secret_files(&cmd->v, files);
	for (size_t i = 0; i < SECRET_FILES; i++) {
		if (!files[i] || strcmp(files[i], "-") == 0)
			continue;
		if (access(files[i], R_OK) != 0)
			return est_fail(&cmd->err, EST_E_INPUT, "%s: cannot open: %s", files[i],
				strerror(errno));
		if (stat(files[i], &st) == 0 && S_ISDIR(st.st_mode))
			return est_fail(&cmd->err, EST_E_INPUT, "%s: is a directory, not a file",
				files[i]);
	}
	return EST_OK;
}

enum est_code cmd_check_stdin(struct cmd *cmd)
{
	const char *files[SECRET_FILES];
	unsigned users = 0;

	secret_files(&cmd->v, files);
	for (size_t i = 0; i < SECRET_FILES; i++)
		users += files[i] && strcmp(files[i], "-") == 0;
	return users > 1 ? est_fail(&cmd->err, EST_E_USAGE,
				   "standard input can be only one of the secrets")
			 : EST_OK;
}

bool cmd_has_token(const struct cmd *cmd)
{
	return cmd->v.token_file || taken(cmd, CMD_TOKEN).n > 0;
}

enum est_code cmd_token(void *ctx, const char *what, struct est_buf *out, struct est_error *err)
{
	const struct cmd *cmd = ctx;
	const struct est_span env = taken(cmd, CMD_TOKEN);
	enum est_code rc;

	if (cmd->v.token_file)
		rc = est_read_file(cmd->v.token_file, EST_TOKEN_MAX, out, err);
	else if (!env.p)
		rc = est_fail(err, EST_E_INPUT, "%s needed", what);
	else if (env.n > EST_TOKEN_MAX)
		rc = est_fail(err, EST_E_INPUT, "EST_TOKEN: longer than %d bytes", EST_TOKEN_MAX);
	else
		rc = est_buf_append(out, env, err);
	if (rc == EST_OK)
		chomp(out);
	return rc;
}

/* No terminal, or anything but y, is no. */
static bool confirm(const char *question)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct est_buf answer = { 0 };
	struct est_error ignored;
	bool yes;

	if (fd < 0)
		return false;
	yes = write(fd, question, strlen(question)) >= 0 && write(fd, " [y/N] ", 7) >= 0 &&
	      read_line(fd, &answer, &ignored) == EST_OK && answer.n > 0 &&
	      (answer.p[0] == 'y' || answer.p[0] == 'Y');
	est_buf_free(&answer);
	(void)close(fd);
	return yes;
}

bool cmd_consent(void *ctx, const char *origin)
{
	char question[400];

	(void)ctx;
	(void)snprintf(question, sizeof(question), "The server redirects to %s. Go there?", origin);
	return confirm(question);
}

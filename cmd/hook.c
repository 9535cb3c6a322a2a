/* SPDX-License-Identifier: MIT */
/* --hook and --verify-with: which facts they get, and what their end means. */
#include "hook.h"
#include "program.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_MS 60000u

const struct cmd_option cmd_options_hook[] = {
	{ "verify-with", 0, CMD_STRING, CMD_AT(verify_with), "CMD", NULL,
		"try the new certificate with this command before it is installed" },
	{ "hook", 0, CMD_STRING, CMD_AT(hook), "CMD", NULL,
		"run this command when the new files are in place" },
	{ 0 },
};

/* A hook may change its folder.  Not realpath(): a link may be what is to be used. */
static const char *absolute(const char *path, char *out, size_t size)
{
	char here[PATH_MAX];

	if (!path || *path == '/' || est_is_token_url(path) || !getcwd(here, sizeof(here)) ||
		(size_t)snprintf(out, size, "%s/%s", here, path) >= size)
		return path;
	return out;
}

/* What it has said, a line each: with -v, and when it failed. */
static void repeat(const struct cmd *cmd, const char *option, struct est_span text, bool failed)
{
	const uint8_t *end;
	size_t n;

	for (; text.n > 0; text.p += n, text.n -= n) {
		end = memchr(text.p, '\n', text.n);
		n = end ? (size_t)(end - text.p) + 1 : text.n;
		(failed ? cmd_notice : cmd_verbose)(cmd, "%s: %.*s", option, (int)(end ? n - 1 : n),
			(const char *)text.p);
	}
}

static enum est_code run_with(struct cmd *cmd, const char *option, const char *command,
	const char *action, const struct hook_files *files, const struct est_certs *certs)
{
	char paths[3][2 * PATH_MAX], not_after[40];
	struct est_cert_info info = { 0 };
	struct est_error why = { 0 };
	struct est_buf output = { 0 };
	const bool quiet = cmd->v.quiet;
	enum est_code rc = est_cert_words(est_certs_get(certs, 0), &info, &cmd->err);

	if (rc != EST_OK)
		return rc;
	(void)cmd_time_text(info.not_after, not_after, sizeof(not_after));
	const struct program_env env[] = {
		{ "EST_ACTION", action },
		{ "EST_CERT_FILE", absolute(files->cert, paths[0], sizeof(paths[0])) },
		{ "EST_KEY_FILE", absolute(files->key, paths[1], sizeof(paths[1])) },
		{ "EST_CHAIN_FILE", absolute(files->chain, paths[2], sizeof(paths[2])) },
		{ "EST_NOT_AFTER", not_after },
		{ "EST_SERIAL", info.serial },
		{ "EST_FINGERPRINT", info.sha256 },
		{ NULL, NULL },
	};

	rc = program_run(command, env, LIMIT_MS, &cmd_stop, &output, &why);
	cmd->v.quiet &= rc == EST_OK; /* why it has failed is a part of the error */
	repeat(cmd, option, est_buf_span(&output), rc != EST_OK);
	cmd->v.quiet = quiet;
	if (rc != EST_OK) {
		est_fail(&cmd->err, rc, "--%s: %s", option, why.msg);
		est_reason(&cmd->err, why.reason);
	}
	est_buf_free(&output);
	est_cert_info_wipe(&info);
	return rc;
}

enum est_code hook_installed(struct cmd *cmd, const char *action, const struct hook_files *files,
	const struct est_certs *certs)
{
	enum est_code rc;

	if (!cmd->v.hook)
		return EST_OK;
	rc = run_with(cmd, "hook", cmd->v.hook, action, files, certs);
	cmd_json_string(cmd, "hook", rc == EST_OK ? "done" : "failed");
	return rc == EST_E_HOOK ? est_hint(&cmd->err, "the new files are installed") : rc;
}

enum est_code hook_verify(struct cmd *cmd, const struct hook_files *files,
	const struct est_certs *certs)
{
	enum est_code rc;

	if (!cmd->v.verify_with)
		return EST_OK;
	rc = run_with(cmd, "verify-with", cmd->v.verify_with, "verify", files, certs);
	if (rc != EST_E_HOOK)
		return rc;
	cmd->err.code = EST_E_REJECTED;
	est_hint(&cmd->err, "the new certificate is not installed, every file is as it was");
	return est_reason(&cmd->err, "verify-with");
}

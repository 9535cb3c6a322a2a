/* SPDX-License-Identifier: MIT */
/* est csr: a key and a certification request, without a server. */
#include "request.h"

#include <string.h>

#include "jsonc.h"

static const struct cmd_option options[] = {
	{ "from", 0, CMD_STRING, CMD_AT(from), "FILE", NULL,
		"follow the CSR attributes in this file, DER or base64" },
	{ "output", 'o', CMD_STRING, CMD_AT(output), "FILE", NULL,
		"where the request goes (default: standard output)" },
	{ "outform", 0, CMD_STRING, CMD_AT(outform), "FORM", NULL, "pem (default) or der" },
	{ "key-password-file", 0, CMD_STRING, CMD_AT(key_password_file), "FILE", NULL,
		"passphrase of an encrypted key; or EST_KEY_PASSWORD, or a prompt" },
	{ "force", 0, CMD_FLAG, CMD_AT(force), NULL, NULL,
		"let a new key replace the one that --key-out names" },
	{ "dry-run", 'n', CMD_FLAG, CMD_AT(dry_run), NULL, NULL,
		"check the options, write nothing" },
	{ 0 },
};

static enum est_code check_options(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	unsigned der = 0;
	enum est_code rc = cmd_no_operands(cmd);

	if (rc == EST_OK)
		rc = request_check(cmd);
	if (rc == EST_OK)
		rc = cmd_choice(cmd, "outform", v->outform, "pem, der", &der);
	if (rc != EST_OK)
		return rc;
	if (v->json && !v->output && der)
		return est_fail(&cmd->err, EST_E_USAGE, "--json with --outform der needs -o FILE");
	if (!v->use_key && !v->key_out) {
		est_fail(&cmd->err, EST_E_USAGE, "a new key needs --key-out FILE");
		return est_hint(&cmd->err, "or name a key with --use-key");
	}
	return request_check_name(cmd, request_has_name(v) || v->from);
}

static enum est_code json_request(struct cmd *cmd, struct est_span der)
{
	struct est_csr_info info;
	enum est_code rc;

	if (!cmd->json)
		return EST_OK;
	rc = est_csr_info(der, &info, &cmd->err);
	if (rc != EST_OK)
		return rc;
	json_object_object_add(cmd->json, "request", cmd_json_csr(&info));
	est_csr_info_wipe(&info);
	return EST_OK;
}

static enum est_code write_request(struct cmd *cmd, struct request *request, struct est_output *out)
{
	struct est_span der = est_buf_span(&request->csr);
	struct est_buf text = { 0 };
	enum est_code rc;

	if (cmd->v.outform && strcmp(cmd->v.outform, "der") == 0)
		rc = est_buf_append(&text, der, &cmd->err);
	else
		rc = est_pem_append(&text, "CERTIFICATE REQUEST", der, &cmd->err);
	if (rc == EST_OK)
		rc = json_request(cmd, der);
	if (rc == EST_OK && !out)
		cmd_json_text(cmd, "csr", est_buf_span(&text));
	if (rc == EST_OK)
		cmd_json_string(cmd, "action", "created");
	if (rc == EST_OK)
		rc = out ? cmd_deliver(cmd, out, est_buf_span(&text))
			 : cmd_print(cmd, est_buf_span(&text));
	if (rc == EST_OK && request->newkey)
		rc = est_newkey_commit(request->newkey, &cmd->err);
	if (rc == EST_OK)
		request->fate = REQUEST_USED;
	est_buf_free(&text);
	return rc;
}

static enum est_code run(struct cmd *cmd)
{
	const bool secret = cmd->v.challenge_file || cmd->v.otp_file ||
			    cmd->v.revocation_challenge_file;
	struct request request = { 0 };
	struct est_output *out = NULL;
	enum est_code rc;

	rc = check_options(cmd);
	if (rc == EST_OK && cmd->v.from)
		rc = attrs_from_file(cmd, &request.attrs);
	if (rc == EST_OK)
		rc = cmd_output(cmd, cmd->v.output, secret ? EST_OUTPUT_SECRET : 0, &out);
	if (rc == EST_OK)
		rc = request_make(cmd, (struct est_span){ 0 }, "ec:p256", &request);
	if (rc == EST_OK && cmd->v.dry_run)
		cmd_json_string(cmd, "action", "dry-run");
	else if (rc == EST_OK)
		rc = write_request(cmd, &request, out);
	request_wipe(&request);
	est_output_free(out);
	return rc;
}

const struct cmd_applet csr_applet = {
	.operands = "",
	.groups = { cmd_options_request, cmd_options_signing, options, cmd_options_common },
	.run = run,
};

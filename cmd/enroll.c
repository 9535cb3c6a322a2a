/* SPDX-License-Identifier: MIT */
/* est enroll: simple enrolment (RFC 7030 section 4.2.1). */
#include "request.h"

static const struct cmd_option options[] = {
	{ "csr", 0, CMD_STRING, CMD_AT(csr), "FILE", NULL,
		"send this certification request as it is" },
	{ "output", 'o', CMD_STRING, CMD_AT(output), "FILE", NULL,
		"where the certificate goes (default: standard output)" },
	{ "force", 0, CMD_FLAG, CMD_AT(force), NULL, NULL,
		"let a new key replace the file that is its only place" },
	{ 0 },
};

static enum est_code check_options(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	enum est_code rc = cmd_no_operands(cmd);

	if (rc == EST_OK)
		rc = request_check(cmd);
	if (rc != EST_OK)
		return rc;
	if (v->csr && request_bundle(v))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--%s needs the key, which --csr does not bring", request_bundle(v));
	if (!v->csr && !v->use_key && !v->key_out && !request_bundle(v)) {
		est_fail(&cmd->err, EST_E_USAGE,
			"a new key needs --key-out, --combined or --p12 FILE, or --store DIR");
		return est_hint(&cmd->err, "or name a key with --use-key, or a request with --csr");
	}
	rc = request_check_name(cmd, v->csr || request_has_name(v) || attrs_required(cmd));
	if (rc != EST_OK)
		return rc;
	if (!v->cert && !v->user && !v->srp_user && !cmd_has_token(cmd) && !v->dry_run) {
		est_fail(&cmd->err, EST_E_USAGE,
			"nothing to authenticate with (RFC 7030 section 3.3.2)");
		return est_hint(&cmd->err,
			"give --cert and --key, --user and --password-file, --token-file, or "
			"--srp-user");
	}
	return EST_OK;
}

static enum est_code run(struct cmd *cmd)
{
	const struct est_span nothing_old = { 0 };
	struct est_client *client = NULL;
	struct delivery delivery = { .no_replace = !cmd->v.force };
	struct request request = { 0 };
	enum est_code rc;

	rc = check_options(cmd);
	if (rc == EST_OK)
		rc = cmd_client(cmd, &client);
	if (rc == EST_OK)
		rc = delivery_open(cmd, &delivery);
	if (rc == EST_OK && delivery.finished) {
		rc = delivery_recovered(cmd, &delivery, cmd->v.use_key);
		goto out;
	}
	if (!cmd->v.dry_run)
		request.client = client;
	if (rc == EST_OK)
		rc = request_make(cmd, nothing_old, "ec:p256", &request);
	if (rc == EST_OK)
		rc = delivery_order(cmd, &delivery, &request, nothing_old, "enrolled");
out:
	request_wipe(&request);
	delivery_wipe(&delivery);
	est_client_free(client);
	return rc;
}

const struct cmd_applet enroll_applet = {
	.operands = "",
	.groups = { cmd_options_network, cmd_options_request, cmd_options_signing, options,
		cmd_options_files, cmd_options_sending, cmd_options_hook, cmd_options_common },
	.run = run,
};

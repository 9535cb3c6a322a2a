/* SPDX-License-Identifier: MIT */
/* est enroll: simple enrolment (RFC 7030 section 4.2.1). */
#include "request.h"

#include <string.h>

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
	if (v->csr && (v->combined || v->p12 || v->store))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--%s needs the key, which --csr does not bring",
			v->combined ? "combined"
			: v->p12    ? "p12"
				    : "store");
	if (!v->csr && !v->use_key && !v->key_out && !v->combined && !v->p12 && !v->store) {
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

static enum est_code enroll(struct cmd *cmd, struct est_client *client, struct request *request,
	struct delivery *delivery)
{
	const struct est_enrollment ask = {
		.operation = EST_SIMPLEENROLL,
		.csr = est_buf_span(&request->csr),
		.key = request_key(request),
		.demands = request->plan.demands,
		.pending = request->pending,
	};
	struct est_issued issued = { 0 };
	bool maybe_issued = false;
	enum est_code rc;

	rc = est_enroll(client, &ask, &issued, &maybe_issued, &cmd->err);
	request_outcome(cmd, request, maybe_issued, rc);
	cmd_report_session(cmd, client);
	if (rc == EST_OK)
		rc = delivery_install(cmd, delivery, &issued, request, "enrolled");
	if (rc == EST_OK)
		rc = delivery_hook(cmd, delivery, request_done(cmd, request, "enrolled"),
			cmd->v.output, request->key_file, issued.chain);
	est_issued_wipe(&issued);
	return rc;
}

static enum est_code run(struct cmd *cmd)
{
	struct est_client *client = NULL;
	struct delivery delivery = { .no_replace = !cmd->v.force };
	struct request request = { .will_send = !cmd->v.dry_run };
	enum est_code rc;

	rc = check_options(cmd);
	if (rc == EST_OK)
		rc = cmd_client(cmd, &client);
	if (rc == EST_OK)
		rc = delivery_open(cmd, cmd->v.output, &delivery);
	if (rc == EST_OK && delivery.finished) {
		rc = delivery_recovered(cmd, &delivery, cmd->v.output, cmd->v.use_key);
		goto out;
	}
	if (request.will_send)
		request.client = client;
	if (rc == EST_OK)
		rc = request_make(cmd, (struct est_span){ 0 }, "ec:p256", &request);
	if (rc == EST_OK && cmd->v.dry_run)
		request_dry_run(cmd, &request);
	else if (rc == EST_OK)
		rc = enroll(cmd, client, &request, &delivery);
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

/* SPDX-License-Identifier: MIT */
/* est cacerts: distribution of CA certificates (RFC 7030 section 4.1). */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>

static const struct cmd_option options[] = {
	{ "output", 'o', CMD_STRING, CMD_AT(output), "FILE", NULL,
		"where the certificates go (default: standard output)" },
	{ "outform", 0, CMD_STRING, CMD_AT(outform), "FORM", NULL,
		"pem (default), or the certs-only message as der or p7 (PEM)" },
	{ "dry-run", 'n', CMD_FLAG, CMD_AT(dry_run), NULL, NULL,
		"check options and files, send nothing" },
	{ 0 },
};

static enum est_code render(const struct est_certs *certs, const char *form, struct est_buf *out,
	struct est_error *err)
{
	size_t n = est_certs_count(certs);
	struct est_buf bag = { 0 };
	struct est_span *spans;
	enum est_code rc = EST_OK;

	if (!form || strcmp(form, "pem") == 0) {
		for (size_t i = 0; rc == EST_OK && i < n; i++)
			rc = est_pem_append(out, "CERTIFICATE", est_certs_get(certs, i), err);
		return rc;
	}
	rc = est_certs_spans(certs, &spans, err);
	if (rc != EST_OK)
		return rc;
	rc = est_certs_encode(spans, n, &bag, err);
	free(spans);
	if (rc == EST_OK && strcmp(form, "p7") == 0)
		rc = est_pem_append(out, "PKCS7", est_buf_span(&bag), err);
	else if (rc == EST_OK)
		rc = est_buf_append(out, est_buf_span(&bag), err);
	est_buf_free(&bag);
	return rc;
}

static enum est_code check_options(struct cmd *cmd)
{
	const char *form = cmd->v.outform;
	enum est_code rc = cmd_no_operands(cmd);

	if (rc != EST_OK)
		return rc;
	if (form && strcmp(form, "pem") && strcmp(form, "der") && strcmp(form, "p7"))
		return est_fail(&cmd->err, EST_E_USAGE, "--outform is pem, der or p7");
	return cmd_check_stdout(cmd, cmd->v.output);
}

static enum est_code run(struct cmd *cmd)
{
	struct est_client *client = NULL;
	struct est_output *out = NULL;
	struct est_certs *certs = NULL;
	struct est_buf text = { 0 };
	enum est_code rc;

	rc = check_options(cmd);
	if (rc == EST_OK)
		rc = cmd_client(cmd, &client);
	if (rc == EST_OK)
		rc = cmd_output(cmd, cmd->v.output, 0, &out);
	if (rc == EST_OK && cmd->v.dry_run)
		cmd_json_string(cmd, "action", "dry-run");
	if (rc != EST_OK || cmd->v.dry_run)
		goto out;
	rc = est_cacerts(client, &certs, &cmd->err);
	cmd_report_session(cmd, client);
	if (rc == EST_OK)
		rc = render(certs, cmd->v.outform, &text, &cmd->err);
	if (rc == EST_OK)
		rc = cmd_json_certs(cmd, certs, !out);
	if (rc == EST_OK)
		rc = cmd_deliver(cmd, out, est_buf_span(&text));
	if (rc == EST_OK)
		cmd_json_string(cmd, "action", "fetched");
out:
	est_buf_free(&text);
	est_certs_free(certs);
	est_output_free(out);
	est_client_free(client);
	return rc;
}

const struct cmd_applet cacerts_applet = {
	.operands = "",
	.groups = { cmd_options_network, options, cmd_options_common },
	.run = run,
};

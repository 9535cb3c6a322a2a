/* SPDX-License-Identifier: MIT */
/* est cacerts: distribution of CA certificates (RFC 7030 section 4.1). */
#include "cacerts.h"

#include <stdlib.h>
#include <string.h>

static const struct cmd_option options[] = {
	{ "output", 'o', CMD_STRING, CMD_AT(output), "FILE", NULL,
		"where the certificates go (default: standard output)" },
	{ "outform", 0, CMD_STRING, CMD_AT(outform), "FORM", NULL,
		"pem (default), or the certs-only message as der or p7 (PEM)" },
	{ "bootstrap", 0, CMD_FLAG, CMD_AT(bootstrap), NULL, NULL,
		"get the first trust anchors, by --ca-fingerprint or a yes on the terminal" },
	{ "ca-fingerprint", 0, CMD_LIST, CMD_AT(ca_fingerprint), "HASH:HEX", NULL,
		"root to accept: sha256:HEX or sha512:HEX of the certificate (repeat)" },
	{ "update", 0, CMD_STRING, CMD_AT(update), "FILE", NULL,
		"refresh stored anchors: a new root only if a stored one vouches for it" },
	{ "if-older", 0, CMD_STRING, CMD_AT(if_older), "AGE", NULL,
		"with --update: only when the last time was that long ago, as 7d or 12h" },
	{ "chain-out", 0, CMD_STRING, CMD_AT(chain_out), "FILE", NULL,
		"where the intermediates go that lead to the anchors" },
	{ 0 },
};

/* Certificates as --outform says. */
static enum est_code render(const struct est_certs *certs, const char *form, struct est_buf *out,
	struct est_error *err)
{
	size_t n = est_certs_count(certs);
	struct est_buf bag = { 0 };
	struct est_span *spans;
	enum est_code rc;

	if (!form || strcmp(form, "pem") == 0)
		return est_certs_pem(certs, 0, n, out, err);
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

/* RFC 7030 section 4.1.3: whoever uses these anchors in place of the implicit ones has to name them
 * to the server, and learns it from this line. */
static enum est_code cacerts_mark(struct cmd *cmd, bool marked, struct est_buf *out)
{
	if (!marked || (cmd->v.outform && strcmp(cmd->v.outform, "pem") != 0))
		return EST_OK;
	return est_buf_append(out, est_span_str(EST_IMPLICIT_MARK), &cmd->err);
}

enum est_code cacerts_open(struct cmd *cmd, const char *anchors, struct cacerts_files *out)
{
	enum est_code rc = cmd_output(cmd, anchors, 0, &out->anchors);

	return rc == EST_OK ? cmd_output(cmd, cmd->v.chain_out, 0, &out->chain) : rc;
}

enum est_code cacerts_deliver(struct cmd *cmd, const struct cacerts_files *files,
	const struct est_anchors *certs)
{
	struct est_buf anchors = { 0 }, chain = { 0 };
	bool changed = !files->keep, chain_changed = false;
	enum est_code rc;

	rc = cacerts_mark(cmd, files->marked, &anchors);
	if (rc == EST_OK)
		rc = render(certs->anchors, cmd->v.outform, &anchors, &cmd->err);
	if (rc == EST_OK)
		rc = render(certs->intermediates, NULL, &chain, &cmd->err);
	if (rc == EST_OK && files->anchors && !files->keep)
		rc = est_output_write(files->anchors, est_buf_span(&anchors), &cmd->err);
	if (rc == EST_OK && files->chain)
		rc = est_output_write(files->chain, est_buf_span(&chain), &cmd->err);
	if (rc == EST_OK && files->chain)
		rc = est_output_commit(files->chain, &chain_changed, &cmd->err);
	if (rc == EST_OK && files->anchors && !files->keep)
		rc = est_output_commit(files->anchors, &changed, &cmd->err);
	else if (rc == EST_OK && !files->anchors)
		rc = est_buf_append(&cmd->product, est_buf_span(&anchors), &cmd->err);
	if (rc == EST_OK)
		cmd_json_bool(cmd, "changed", changed || chain_changed);
	est_buf_free(&anchors);
	est_buf_free(&chain);
	return rc;
}

void cacerts_close(struct cacerts_files *files)
{
	est_output_free(files->anchors);
	est_output_free(files->chain);
	*files = (struct cacerts_files){ 0 };
}

static enum est_code check_options(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	unsigned ignored;
	enum est_code rc = cmd_no_operands(cmd);

	if (rc == EST_OK)
		rc = cmd_choice(cmd, "outform", v->outform, "pem, der, p7", &ignored);
	if (rc != EST_OK)
		return rc;
	if (v->ca_fingerprint.n > 0 && !v->bootstrap)
		return est_fail(&cmd->err, EST_E_USAGE, "--ca-fingerprint goes with --bootstrap");
	for (size_t i = 0; rc == EST_OK && i < v->ca_fingerprint.n; i++)
		rc = est_fingerprint_check(v->ca_fingerprint.v[i], &cmd->err);
	if (rc != EST_OK)
		return rc;
	if (v->chain_out && !v->bootstrap && !v->update)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--chain-out goes with --bootstrap or --update");
	if (v->chain_out && strcmp(v->chain_out, "-") == 0)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--chain-out needs a file: standard output is for the anchors");
	rc = cacerts_check_update(cmd);
	if (rc != EST_OK)
		return rc;
	if (v->bootstrap && (v->cacert.n > 0 || v->system_trust)) {
		est_fail(&cmd->err, EST_E_USAGE,
			"--bootstrap is for a client without trust anchors: %s contradicts it",
			v->cacert.n > 0 ? "--cacert (or EST_CACERT)" : "--system-trust");
		return est_hint(&cmd->err, "with anchors there is no need for it");
	}
	if (v->chain_out && v->output && est_same_file(v->chain_out, v->output))
		return est_fail(&cmd->err, EST_E_USAGE, "--output and --chain-out are one file");
	return cmd_check_stdout(cmd, v->output);
}

#define STRAYS_SHOWN 16

/* They stay in the output: which of several roots is the CA's is for the operator to say. */
static enum est_code report_strays(struct cmd *cmd, struct est_client *client,
	const struct est_certs *certs)
{
	struct est_certs *strays = NULL;
	struct est_cert_info info;
	enum est_code rc;

	if (!cmd->json && cmd->v.verbose == 0)
		return EST_OK; /* it takes signatures */
	rc = est_find_strays(client, certs, &strays, &cmd->err);
	if (rc == EST_OK)
		rc = cmd_json_cert_list(cmd, "strays", strays, false);
	for (size_t i = 0; rc == EST_OK && i < est_certs_count(strays) && i < STRAYS_SHOWN; i++) {
		rc = est_cert_words(est_certs_get(strays, i), &info, &cmd->err);
		if (rc != EST_OK)
			break;
		cmd_verbose(cmd,
			"stray: %s, sha256 %s leads neither to an anchor nor to the "
			"current root of the answer",
			info.subject, info.sha256);
		est_cert_info_wipe(&info);
	}
	if (rc == EST_OK && est_certs_count(strays) > STRAYS_SHOWN)
		cmd_verbose(cmd, "stray: %zu more", est_certs_count(strays) - STRAYS_SHOWN);
	est_certs_free(strays);
	return rc;
}

static enum est_code fetch(struct cmd *cmd)
{
	struct est_client *client = NULL;
	struct est_output *out = NULL;
	struct est_certs *certs = NULL;
	struct est_buf text = { 0 };
	enum est_code rc;

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
		rc = cacerts_mark(cmd, est_client_session(client)->was_implicit, &text);
	if (rc == EST_OK)
		rc = render(certs, cmd->v.outform, &text, &cmd->err);
	if (rc == EST_OK)
		rc = cmd_json_certs(cmd, certs, !out);
	if (rc == EST_OK)
		rc = report_strays(cmd, client, certs);
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

static enum est_code run(struct cmd *cmd)
{
	enum est_code rc = check_options(cmd);

	if (rc != EST_OK)
		return rc;
	if (cmd->v.bootstrap)
		return cacerts_bootstrap(cmd);
	return cmd->v.update ? cacerts_update(cmd) : fetch(cmd);
}

const struct cmd_applet cacerts_applet = {
	.operands = "",
	.groups = { cmd_options_network, options, cmd_options_dry_run, cmd_options_common },
	.run = run,
};

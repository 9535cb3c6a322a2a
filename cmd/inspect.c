/* SPDX-License-Identifier: MIT */
/* est inspect: what is in a certificate file or bag, offline.  Nothing is fetched, no key is ever
 * shown, and a broken object does not hide the others. */
#include "inspect.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jsonc.h"

static const struct cmd_option options[] = {
	{ "recursive", 'r', CMD_FLAG, CMD_AT(recursive), NULL, NULL,
		"read the files in folders, and in the folders in these" },
	{ "p12-password-file", 0, CMD_STRING, CMD_AT(p12_password_file), "FILE", NULL,
		"the password of PKCS #12 files" },
	{ "entries", 0, CMD_FLAG, CMD_AT(entries), NULL, NULL,
		"list what a CRL revokes, not only how many" },
	{ "json-lines", 0, CMD_FLAG, CMD_AT(json_lines), NULL, NULL,
		"as --json, one line for each object as it is read and one for the rest" },
	{ "tree", 0, CMD_FLAG, CMD_AT(tree), NULL, NULL,
		"who issued whom, and what a client would trust; the default on a terminal" },
	{ "dot", 0, CMD_FLAG, CMD_AT(dot), NULL, NULL, "write the tree as a graph for Graphviz" },
	{ "svg", 0, CMD_FLAG, CMD_AT(svg), NULL, NULL,
		"write it as a picture, where the program dot is installed" },
	{ "color", 0, CMD_STRING, CMD_AT(color), "WHEN", NULL,
		"auto (default: on a terminal, without NO_COLOR), always, never" },
	{ "diff", 0, CMD_FLAG, CMD_AT(diff), NULL, NULL,
		"what the second file added, removed, renewed; exit 15 when they differ" },
	{ "extract", 0, CMD_LIST, CMD_AT(extract), "WHICH", NULL,
		"write the certificate with this number or fingerprint, root, leaf (repeat)" },
	{ "sort", 0, CMD_FLAG, CMD_AT(sort), NULL, NULL,
		"write the certificates, each followed by its issuer" },
	{ "dedup", 0, CMD_FLAG, CMD_AT(dedup), NULL, NULL, "write each certificate once" },
	{ "outform", 0, CMD_STRING, CMD_AT(outform), "FORM", NULL,
		"write as pem (default), or the certs-only message as der or p7 (PEM)" },
	{ "output", 'o', CMD_STRING, CMD_AT(output), "FILE", NULL,
		"where what is written goes (default: standard output)" },
	{ "split", 0, CMD_STRING, CMD_AT(split), "DIR", NULL,
		"write each certificate to a file of its own in DIR" },
	{ "expires-within", 0, CMD_STRING, CMD_AT(expires_within), "TIME", NULL,
		"exit 15 when a certificate expires within 30d, 12h, ... or has expired" },
	{ "verify", 0, CMD_FLAG, CMD_AT(verify), NULL, NULL,
		"exit 15 unless the client would trust the certificates" },
	{ "cacert", 0, CMD_LIST, CMD_AT(cacert), "FILE", NULL,
		"with --verify: trust anchors in place of the system's (repeat)" },
	{ "crl", 0, CMD_LIST, CMD_AT(crl), "FILE", NULL,
		"with --verify: a revocation list to hold them against (repeat)" },
	{ "hostname", 0, CMD_STRING, CMD_AT(hostname), "NAME", NULL,
		"with --verify: the server it has to be" },
	{ "purpose", 0, CMD_STRING, CMD_AT(purpose), "NAME", NULL,
		"with --verify: serverAuth, clientAuth, ... or an OID" },
	{ "at", 0, CMD_STRING, CMD_AT(at), "TIME", NULL,
		"ask for this time, 2031-01-31 or 2031-01-31T00:00:00Z, not for now" },
	{ "match-key", 0, CMD_STRING, CMD_AT(match_key), "FILE", NULL,
		"exit 15 unless a certificate or request is for this private key" },
	{ "key-password-file", 0, CMD_STRING, CMD_AT(key_password_file), "FILE", NULL,
		"passphrase of an encrypted key; or EST_KEY_PASSWORD, or a prompt" },
	{ "min-strength", 0, CMD_STRING, CMD_AT(min_strength), "BITS", NULL,
		"exit 15 when a key or signature has fewer bits of security (112: RSA 2048)" },
	{ "has-root", 0, CMD_LIST, CMD_AT(has_root), "SHA256", NULL,
		"exit 15 unless the root with this fingerprint is there (repeat)" },
	{ 0 },
};

/* What waited for all certificates to be there. */
static enum est_code show_rest(struct inspect *in)
{
	struct est_error *err = &in->cmd->err;
	bool tree = (in->tree || in->hold) && in->bag.n > 0;
	enum est_code rc = EST_OK;

	if (in->work)
		rc = in->cmd->v.diff                    ? diff_run(in)
		     : in->cmd->v.dot || in->cmd->v.svg ? dot_run(in)
							: edit_run(in);
	if (in->work)
		return rc == EST_OK && in->cmd->json ? inspect_crls(in, err) : rc;
	if (in->hold && in->bag.n < 2) {
		rc = inspect_release(in, err);
		return rc == EST_OK ? inspect_crls(in, err) : rc;
	}
	/* A tree has a line for each CRL, which is not all there is to say of it. */
	if (!tree || in->cmd->json || in->cmd->v.verbose || in->cmd->v.entries)
		rc = inspect_crls(in, err);
	if (rc == EST_OK && in->hold)
		rc = cmd_stdout(est_buf_span(&in->others), err);
	else if (rc == EST_OK && tree && in->n_shown > 0)
		rc = cmd_stdout(est_span_str("\n"), err);
	return rc == EST_OK && tree ? tree_show(in, err) : rc;
}

static enum est_code prepare(struct inspect *in)
{
	static const char *const lists[] = { "certificates", "requests", "crls", "csrattrs",
		"messages", "keys", "broken", "skipped" };
	struct cmd *cmd = in->cmd;
	enum est_code rc = gate_at(in);

	if (rc == EST_OK)
		rc = tree_check(cmd);
	if (rc == EST_OK)
		rc = edit_check(cmd);
	if (rc == EST_OK && cmd->v.diff && cmd->n_operands != 2)
		rc = est_fail(&cmd->err, EST_E_USAGE, "--diff needs two files");
	if (rc == EST_OK)
		rc = gates_open(in, &in->gates);
	if (rc != EST_OK)
		return rc;
	if (cmd->n_operands == 0) {
		est_fail(&cmd->err, EST_E_USAGE, "no file given");
		return est_hint(&cmd->err, "est inspect FILE..., - for standard input");
	}
	if (cmd->v.p12_password_file) {
		rc = cmd_secret_file(cmd->v.p12_password_file, &in->secret, &cmd->err);
		if (rc == EST_OK) /* a string from now on */
			rc = est_buf_append(&in->secret, (struct est_span){ (uint8_t *)"", 1 },
				&cmd->err);
		if (rc != EST_OK)
			return rc;
		in->password = (const char *)in->secret.p;
	}
	in->work = edit_asked(cmd) || cmd->v.diff || cmd->v.dot || cmd->v.svg;
	in->prepared = true;
	in->silent = in->work || (in->gates && cmd->v.quiet);
	in->tree = cmd->v.tree;
	in->hold = !in->tree && !cmd->json && !in->silent && !cmd->v.verbose &&
		   isatty(STDOUT_FILENO);
	inspect_progress_begin(in);
	in->keep = in->tree || in->hold || in->work || cmd->v.verify;
	in->keep_crls = in->work ? edit_asked(cmd) && cmd->v.extract.n == 0
				 : !in->silent && (in->tree || in->hold || cmd->v.verify ||
							  cmd->v.verbose);
	in->keep_cas = in->keep_crls;
	for (size_t i = 0; cmd->json && !cmd->v.json_lines && i < sizeof(lists) / sizeof(lists[0]);
		i++)
		json_object_object_add(cmd->json, lists[i], json_object_new_array());
	return EST_OK;
}

static void wipe(struct inspect *in)
{
	gates_free(in->gates);
	bag_wipe(&in->bag);
	crl_wipe(&in->bag);
	est_buf_free(&in->text);
	est_buf_free(&in->secret);
	est_buf_free(&in->others);
	free(in->seen);
	while (in->n_files > 0)
		free(in->files[--in->n_files]);
	free(in->files);
}

static enum est_code run(struct cmd *cmd)
{
	struct inspect in = { .cmd = cmd };
	struct est_quirks all = { 0 };
	enum est_code rc = prepare(&in);

	for (int i = 0; i < cmd->n_operands && rc == EST_OK; i++)
		rc = inspect_operand(&in, cmd->operands[in.operand = i]);
	all.seen = in.all_quirks;
	if (in.prepared)
		cmd_json_quirks(cmd, &all);
	/* What is written comes after the questions, and not by halves; what is shown before them.
	 */
	if (rc == EST_OK && !in.work)
		rc = show_rest(&in);
	if (rc == EST_OK && in.gates)
		rc = gates_finish(in.gates, &cmd->err);
	if (rc == EST_OK && in.work &&
		(in.rc == EST_OK || (in.rc == EST_E_CONDITION && cmd->v.diff)))
		rc = show_rest(&in);
	inspect_progress_end(&in);
	if (rc == EST_OK && in.rc != EST_OK) {
		cmd->err = in.kept;
		rc = in.rc;
	}
	wipe(&in);
	return rc;
}

const struct cmd_applet inspect_applet = {
	.operands = "FILE...",
	.groups = { options, cmd_options_common },
	.run = run,
};

/* SPDX-License-Identifier: MIT */
/* est reenroll: simple re-enrolment (RFC 7030 section 4.2.2).  Renews with the same key, in place
 * or to -o; rekeys to --key-out. */
#include "request.h"
#include "schedule.h"

#include <string.h>

static const struct cmd_option options[] = {
	{ "new-key", 0, CMD_STRING, CMD_AT(new_key), "TYPE", NULL,
		"type of the new key with --key-out (default: that of the old key)" },
	{ "key-out", 0, CMD_STRING, CMD_AT(key_out), "FILE", NULL,
		"rekey: make a new key and put it here; without it the old key is kept" },
	{ "change-subject", 0, CMD_STRING, CMD_AT(change_subject), "DN", NULL,
		"ask for another subject from now on (RFC 6402 ChangeSubjectName)" },
	{ "hash", 0, CMD_STRING, CMD_AT(hash), "NAME", NULL,
		"hash of the request's signature: sha256, sha384, sha512" },
	{ "alt-cert", 0, CMD_STRING, CMD_AT(alt_cert), "FILE", NULL,
		"for TLS when --cert cannot be used there: a certificate of the same subject" },
	{ "alt-key", 0, CMD_STRING, CMD_AT(alt_key), "FILE", NULL,
		"its private key; default: the file of --alt-cert" },
	{ "output", 'o', CMD_STRING, CMD_AT(output), "FILE", NULL,
		"where the certificate goes (default: over --cert)" },
	{ "fullchain", 0, CMD_FLAG, CMD_AT(fullchain), NULL, NULL,
		"the certificate and its intermediates in one file" },
	{ "chain-out", 0, CMD_STRING, CMD_AT(chain_out), "FILE", NULL,
		"where the intermediates go" },
	{ "combined", 0, CMD_STRING, CMD_AT(combined), "FILE", NULL,
		"key, certificate and intermediates in one file, replaced by one rename" },
	{ "p12", 0, CMD_STRING, CMD_AT(p12), "FILE", NULL,
		"key, certificate and intermediates in one encrypted PKCS #12 file" },
	{ "p12-password-file", 0, CMD_STRING, CMD_AT(p12_password_file), "FILE", NULL,
		"password of the PKCS #12 file, - for stdin" },
	{ "force", 0, CMD_FLAG, CMD_AT(force), NULL, NULL,
		"renew now, whatever the date; let a new key replace that of --key-out" },
	{ "compat", 0, CMD_STRING, CMD_AT(compat), "HOW", NULL,
		"wrap the request for an odd server: cte, pem, oneline, with commas between" },
	{ "wait", 0, CMD_WAIT, CMD_AT(wait_ms), "SECONDS", "EST_WAIT",
		"wait for a certificate that is issued later (202); alone: 600" },
	{ "dry-run", 'n', CMD_FLAG, CMD_AT(dry_run), NULL, NULL,
		"check options and files, make the request, send nothing" },
	{ 0 },
};

static enum est_code check_options(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	enum est_code rc = cmd_no_operands(cmd);

	if (rc == EST_OK)
		rc = schedule_check(cmd);
	if (rc == EST_OK)
		rc = request_check_files(cmd);
	if (rc != EST_OK)
		return rc;
	if (!v->cert) {
		est_fail(&cmd->err, EST_E_USAGE, "no certificate to renew");
		return est_hint(&cmd->err, "name it with --cert FILE and its key with --key FILE");
	}
	if (v->alt_key && !v->alt_cert)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--alt-key is the key of --alt-cert, which is missing");
	if (v->new_key && !v->key_out)
		return est_fail(&cmd->err, EST_E_USAGE, "--new-key needs --key-out FILE");
	if (v->key_out && !v->output && !v->combined) {
		est_fail(&cmd->err, EST_E_USAGE,
			"--key-out needs -o FILE too: one of the pair alone would not fit the "
			"other");
		return est_hint(&cmd->err, "without --key-out the certificate is renewed with its "
					   "old key, in place");
	}
	if (!v->output && !v->combined && strcmp(v->cert, "-") == 0)
		return est_fail(&cmd->err, EST_E_USAGE, "--cert - needs -o FILE");
	return EST_OK;
}

/* RFC 7030 section 3.3.2: the certificate being replaced authenticates if it can, then another of
 * the same subject, then HTTP.  Whether it has a way at all is for the server to say. */
static enum est_code choose_identity(struct cmd *cmd, struct est_span old)
{
	struct est_error *err = &cmd->err, why = { 0 };
	const char *cert = cmd->v.cert, *alt = cmd->v.alt_cert;
	struct est_certs *certs = NULL;
	enum est_code rc;
	bool use = false;

	if (est_cert_tls_client(old, cert, &why) == EST_OK)
		return EST_OK;
	if (alt) {
		rc = est_certs_load(alt, &certs, err);
		if (rc != EST_OK)
			return rc;
		if (!est_cert_same_subject(old, est_certs_get(certs, 0)))
			cmd_notice(cmd, "%s is not used: it has another subject than %s", alt,
				cert);
		else if (est_cert_tls_client(est_certs_get(certs, 0), alt, err) != EST_OK)
			cmd_notice(cmd, "%s", err->msg);
		else
			use = true;
		est_certs_free(certs);
	}
	if (use) {
		cmd_notice(cmd, "%s; %s is used in TLS", why.msg, alt);
		cmd->v.cert = alt;
		cmd->v.key = cmd->v.alt_key;
	} else if (cmd->v.user || cmd_has_token(cmd)) {
		cmd_notice(cmd, "%s; HTTP authentication alone is used", why.msg);
		cmd->v.cert = cmd->v.key = NULL;
	}
	return EST_OK;
}

static const char *done_word(const struct cmd *cmd)
{
	return cmd->v.key_out ? "rekeyed" : "renewed";
}

static enum est_code say_done(struct cmd *cmd, const char *done, const struct est_issued *issued)
{
	struct est_cert_info info;
	char until[40];
	enum est_code rc;

	rc = est_cert_info(est_certs_get(issued->chain, 0), &info, &cmd->err);
	if (rc != EST_OK)
		return rc;
	(void)cmd_time_text(info.not_after, until, sizeof(until));
	cmd_notice(cmd, "%s %s, valid until %s", done, schedule_name(&info), until);
	est_cert_info_wipe(&info);
	return EST_OK;
}

static enum est_code reenroll(struct cmd *cmd, struct est_client *client, struct est_span old,
	struct request *request, struct delivery *delivery)
{
	struct est_issued issued = { 0 };
	bool sent = false;
	enum est_code rc;

	rc = est_enroll(client, EST_SIMPLEREENROLL, est_buf_span(&request->csr), &issued, &sent,
		&cmd->err);
	if (rc == EST_OK)
		rc = est_issued_renews(&issued, old, &cmd->err);
	request_outcome(cmd, client, request, sent, rc);
	cmd_report_session(cmd, client);
	if (rc == EST_OK)
		rc = delivery_install(cmd, delivery, request, &issued);
	if (rc == EST_OK)
		rc = cmd_json_certs(cmd, issued.chain, delivery_prints(delivery));
	if (rc == EST_OK)
		rc = say_done(cmd, request_done(cmd, request, done_word(cmd)), &issued);
	est_issued_wipe(&issued);
	return rc;
}

static enum est_code run(struct cmd *cmd)
{
	const char *cert_file = cmd->v.cert, *output = cmd->v.output;
	const char *key_file = cmd->v.key ? cmd->v.key : cert_file;
	struct est_client *client = NULL;
	struct delivery delivery = { 0 };
	struct request request = { .will_send = !cmd->v.dry_run };
	struct est_certs *old = NULL;
	struct est_key *key = NULL;
	bool due = true;
	enum est_code rc;

	rc = check_options(cmd);
	if (rc == EST_OK && !cmd->v.status)
		rc = cmd_check_network(cmd);
	if (rc == EST_OK)
		rc = schedule_due(cmd, cert_file, output ? output : cmd->v.combined, &due);
	if (rc != EST_OK || !due)
		return rc;
	rc = est_certs_load(cert_file, &old, &cmd->err);
	if (rc == EST_OK)
		rc = choose_identity(cmd, est_certs_get(old, 0));
	if (rc == EST_OK)
		rc = cmd_client(cmd, &client);
	if (rc == EST_OK)
		rc = est_key_load(key_file, cmd_secret, cmd, &key, &cmd->err);
	if (rc == EST_OK)
		rc = est_key_match(key, key_file, est_certs_get(old, 0), cert_file, &cmd->err);
	if (rc != EST_OK)
		goto out;
	if (!output && !cmd->v.combined)
		output = cert_file;
	rc = delivery_open(cmd, output, &delivery);
	if (rc == EST_E_OUTPUT && cmd->err.reason && strcmp(cmd->err.reason, "holds-key") == 0)
		est_hint(&cmd->err, "--combined %s writes key and certificate together", output);
	if (rc == EST_OK && !cmd->v.key_out) {
		request.key = key;
		key = NULL;
	}
	if (rc == EST_OK)
		rc = request_make(cmd, est_certs_get(old, 0), key ? est_key_type(key) : NULL,
			&request);
	if (rc == EST_OK && cmd->v.dry_run)
		request_dry_run(cmd, &request);
	else if (rc == EST_OK)
		rc = reenroll(cmd, client, est_certs_get(old, 0), &request, &delivery);
out:
	request_wipe(&request);
	delivery_wipe(&delivery);
	est_key_free(key);
	est_certs_free(old);
	est_client_free(client);
	return rc;
}

const struct cmd_applet reenroll_applet = {
	.operands = "",
	.groups = { cmd_options_network, options, cmd_options_schedule, cmd_options_common },
	.run = run,
};

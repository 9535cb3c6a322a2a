/* SPDX-License-Identifier: MIT */
/* est reenroll: simple re-enrolment (RFC 7030 section 4.2.2), for a new key in the place of the old
 * one, for one in --key-out, or for the same key. */
#include "profiles.h"
#include "request.h"
#include "schedule.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct cmd_option options[] = {
	{ "new-key", 0, CMD_STRING, CMD_AT(new_key), "TYPE", NULL,
		"type of the new key (default: that of the old key)" },
	{ "key-out", 0, CMD_STRING, CMD_AT(key_out), "FILE", NULL,
		"put the new key here, and the certificate where -o says" },
	{ "rekey", 0, CMD_FLAG, CMD_AT(rekey), NULL, NULL,
		"make a new key, in place of the old one: the default where that is possible" },
	{ "reuse-key", 0, CMD_FLAG, CMD_AT(reuse_key), NULL, NULL, "keep the key" },
	{ "change-subject", 0, CMD_STRING, CMD_AT(change_subject), "DN", NULL,
		"ask for another subject from now on (RFC 6402 ChangeSubjectName)" },
	{ "alt-cert", 0, CMD_STRING, CMD_AT(alt_cert), "FILE", NULL,
		"for TLS when --cert cannot be used there: a certificate of the same subject" },
	{ "alt-key", 0, CMD_STRING, CMD_AT(alt_key), "FILE", NULL,
		"its private key; default: the file of --alt-cert" },
	{ "output", 'o', CMD_STRING, CMD_AT(output), "FILE", NULL,
		"where the certificate goes (default: over --cert)" },
	{ "force", 0, CMD_FLAG, CMD_AT(force), NULL, NULL,
		"renew now, whatever the date; let a new key replace that of --key-out" },
	{ 0 },
};

static bool is_one_file(const struct cmd_values *v)
{
	return !v->key || est_same_file(v->key, v->cert);
}

/* A new key is as open as its file: it does not take the place of an encrypted one unasked. */
static bool is_encrypted(const char *file)
{
	static const char mark[] = "ENCRYPTED";
	struct est_buf text = { 0 };
	struct est_error ignored;
	bool found = false;

	if (est_read_file(file, EST_FILE_MAX, &text, &ignored) == EST_OK && text.n > 0)
		found = memmem(text.p, text.n, mark, strlen(mark)) ||
			est_file_kind(est_buf_span(&text), NULL) == EST_FILE_ENCRYPTED_KEY;
	est_buf_free(&text);
	return found;
}

/* Without a word of the operator's the key is new where it has a place, one that changes together
 * with the certificate's; with -o alone it has none.  No file is looked at yet. */
static bool may_rekey(const struct cmd_values *v)
{
	const char *file = v->key ? v->key : v->cert;

	return v->cert && !v->rekey && !v->reuse_key && !v->key_out && strcmp(file, "-") != 0 &&
	       !est_is_token_url(file) && (v->combined || v->store || (v->key && !v->output));
}

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
	if (v->reuse_key && (v->rekey || v->new_key || v->key_out))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--reuse-key keeps the key: no --rekey, --new-key or --key-out with it");
	if (v->new_key && !v->key_out && !v->rekey && !may_rekey(v))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--new-key needs --rekey or --key-out FILE");
	if (v->rekey && (v->key_out || (v->output && !v->combined)))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--rekey replaces --key and --cert in place; for other places there are "
			"--key-out and -o together");
	if (v->rekey && est_is_token_url(v->key ? v->key : v->cert) &&
		(!v->key || v->combined || v->store || est_is_token_url(v->cert)))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--rekey of a key in a token replaces the file of --cert: no token, "
			"--combined or --store takes its place");
	if (v->rekey && !v->combined && !v->store && is_one_file(v))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--rekey of certificate and key in one file needs --combined %s", v->cert);
	if (v->key_out && !v->output && !v->combined) {
		est_fail(&cmd->err, EST_E_USAGE,
			"--key-out needs -o FILE too: one of the pair alone would not fit the "
			"other");
		return est_hint(&cmd->err, "without --key-out both are replaced in place");
	}
	if (!v->output && !v->combined && strcmp(v->cert, "-") == 0)
		return est_fail(&cmd->err, EST_E_USAGE, "--cert - needs -o FILE");
	return EST_OK;
}

/* RFC 7030 section 3.3.2: the certificate being replaced authenticates if it can, then another of
 * the same subject, then HTTP.  Whether it has a way at all is for the server to say. */
static enum est_code choose_identity(struct cmd *cmd, struct est_span old,
	const struct est_key *key)
{
	struct est_error *err = &cmd->err, why = { 0 };
	const char *cert = cmd->v.cert, *alt = cmd->v.alt_cert;
	struct est_certs *certs = NULL;
	enum est_code rc;
	bool use = false;

	if (cmd->v.srp_user) { /* TLS without certificates: the password says who we are */
		cmd->v.cert = cmd->v.key = NULL;
		return EST_OK;
	}
	if (est_cert_tls_client(old, cert, &why) == EST_OK) {
		if (est_key_signs(key))
			return EST_OK;
		est_fail(&why, EST_E_INPUT, "the key of %s must not be used for signatures", cert);
	}
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
	return cmd->v.key_out || cmd->v.rekey ? "rekeyed" : "renewed";
}

/* The files are in place: nothing that goes wrong here changes that. */
static void say_done(struct cmd *cmd, const char *done, const struct est_issued *issued)
{
	struct est_cert_info info;
	struct est_error ignored;
	char until[40];

	if (est_cert_info(est_certs_get(issued->chain, 0), &info, &ignored) != EST_OK) {
		cmd_notice(cmd, "%s", done);
		return;
	}
	(void)cmd_time_text(info.not_after, until, sizeof(until));
	cmd_notice(cmd, "%s %s, valid until %s", done, schedule_name(&info), until);
	schedule_installed(cmd, &info);
	est_cert_info_wipe(&info);
}

static enum est_code reenroll(struct cmd *cmd, struct est_client *client, struct est_span old,
	struct request *request, struct delivery *delivery)
{
	const struct est_enrollment ask = {
		.operation = EST_SIMPLEREENROLL,
		.csr = est_buf_span(&request->csr),
		.key = request_key(request),
		.demands = request->plan.demands,
		.pending = request->pending,
	};
	struct est_issued issued = { 0 };
	const char *done = NULL;
	bool maybe_issued = false;
	enum est_code rc;

	rc = est_enroll(client, &ask, &issued, &maybe_issued, &cmd->err);
	if (rc == EST_OK)
		rc = est_issued_renews(&issued, old, &cmd->err);
	request_outcome(cmd, request, maybe_issued, rc);
	cmd_report_session(cmd, client);
	if (rc == EST_OK)
		rc = delivery_install(cmd, delivery, &issued, request, done_word(cmd));
	if (rc == EST_OK)
		say_done(cmd, done = request_done(cmd, request, done_word(cmd)), &issued);
	if (rc == EST_OK)
		rc = delivery_hook(cmd, delivery, done, cmd->v.output, request->key_file,
			issued.chain);
	est_issued_wipe(&issued);
	return rc;
}

/* stored: certificate and key of --store; without --cert they are what is renewed. */
static void name_stored(struct cmd_values *v, char stored[2][PATH_MAX])
{
	if (!v->store)
		return;
	(void)snprintf(stored[0], PATH_MAX, "%s/current/cert.pem", v->store);
	(void)snprintf(stored[1], PATH_MAX, "%s/current/key.pem", v->store);
	if (v->cert)
		return;
	v->cert = stored[0];
	v->key = stored[1];
}

static void name_outputs(struct cmd_values *v)
{
	if (!v->output && !v->combined && !v->store)
		v->output = v->cert;
}

/* Where a new key goes; the files are looked at when a certificate is due, and not before. */
static enum est_code place_key(struct cmd *cmd, const char *key_file, bool unasked)
{
	struct cmd_values *v = &cmd->v;
	const bool no_place = unasked && !v->combined && !v->store && is_one_file(v);

	if (no_place && v->new_key)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--new-key for certificate and key in one file needs --combined %s",
			v->cert);
	if (unasked && !no_place && !v->new_key && is_encrypted(key_file)) {
		cmd_notice(cmd, "%s is encrypted, which a new key would not be: it is kept",
			key_file);
		v->rekey = false;
	}
	v->rekey &= !no_place;
	if (v->rekey && !v->combined && !v->store)
		v->key_out = v->key;
	return EST_OK;
}

/* The old certificate is read when nobody else is at work on it, and nothing is left to repair.
 * *changed is set when another run has replaced it in the meantime. */
static enum est_code open_files(struct cmd *cmd, struct est_certs **old, struct delivery *delivery,
	bool *changed)
{
	const char *output = cmd->v.store || cmd->v.combined ? NULL : cmd->v.output;
	const bool in_token = cmd->v.rekey && est_is_token_url(cmd->v.key);
	struct est_certs *again = NULL;
	enum est_code rc;

	rc = est_certs_load(cmd->v.cert, old, &cmd->err);
	if (rc == EST_OK)
		rc = delivery_open(cmd, cmd->v.output, delivery);
	if (output && rc == EST_E_OUTPUT && est_has_reason(&cmd->err, "holds-key"))
		est_hint(&cmd->err, "--combined %s writes key and certificate together", output);
	if (rc != EST_OK || strcmp(cmd->v.cert, "-") == 0 ||
		(delivery->finished && (!in_token || cmd->v.dry_run)))
		return rc;
	rc = est_certs_load(cmd->v.cert, &again, &cmd->err);
	if (rc != EST_OK)
		return rc;
	*changed |= in_token || !est_span_eq(est_certs_get(*old, 0), est_certs_get(again, 0));
	est_certs_free(*old);
	*old = again;
	if (in_token && (delivery->finished || request_unfinished(cmd, NULL)))
		rc = est_newkey_token_repair(cmd->v.key, cmd->v.output, cmd_key_secret, cmd,
			est_certs_get(*old, 0), delivery_keep(&cmd->v), cmd->v.dry_run,
			&delivery->recovered, &cmd->err);
	else if (cmd->v.key && !in_token)
		rc = est_newkey_repair(cmd->v.key, est_certs_get(*old, 0), cmd->v.cert,
			cmd->v.dry_run, &delivery->recovered, &cmd->err);
	delivery->finished |= delivery->recovered;
	return rc;
}

static enum est_code run(struct cmd *cmd)
{
	char stored[2][PATH_MAX];
	struct est_client *client = NULL;
	struct delivery delivery = { 0 };
	struct request request = { .will_send = !cmd->v.dry_run };
	const char *cert_file, *output;
	struct est_certs *old = NULL;
	struct est_key *key = NULL;
	bool due = true, look_again, unasked;
	enum est_code rc;

	if (cmd->v.config_dir && !cmd->profile)
		return profiles_run(cmd);
	name_stored(&cmd->v, stored);
	unasked = may_rekey(&cmd->v);
	rc = check_options(cmd);
	if (rc == EST_OK && !cmd->v.status)
		rc = cmd_check_network(cmd);
	if (rc != EST_OK)
		return rc;
	name_outputs(&cmd->v);
	cmd->v.rekey |= unasked;
	cert_file = cmd->v.cert;
	request.key_file = cmd->v.key ? cmd->v.key : cert_file;
	output = cmd->v.store    ? (cert_file != stored[0] ? stored[0] : NULL)
		 : cmd->v.output ? cmd->v.output
				 : cmd->v.combined;
	if (request_unfinished(cmd, NULL)) { /* does this run go on with it? */
		place_key(cmd, request.key_file, unasked);
		unasked = false;
	}
	look_again = !cmd->v.status && delivery_unfinished(cmd, cmd->v.output);
	if (!look_again)
		rc = schedule_due(cmd, cert_file, output, &due);
	if (rc != EST_OK || !due)
		return rc;
	rc = place_key(cmd, request.key_file, unasked);
	if (rc != EST_OK)
		return rc;
	rc = open_files(cmd, &old, &delivery, &look_again);
	if (rc == EST_OK && delivery.finished) {
		rc = delivery_recovered(cmd, &delivery, cmd->v.output, request.key_file);
		goto out;
	}
	if (rc == EST_OK && look_again)
		rc = schedule_due(cmd, cert_file, output, &due);
	if (rc != EST_OK || !due)
		goto out;
	rc = est_key_load(request.key_file, cmd_key_secret, cmd, &key, &cmd->err);
	if (rc == EST_OK)
		rc = est_key_match(key, request.key_file, est_certs_get(old, 0), cert_file,
			&cmd->err);
	if (rc == EST_OK)
		rc = choose_identity(cmd, est_certs_get(old, 0), key);
	if (rc == EST_OK)
		rc = cmd_client(cmd, &client);
	if (rc == EST_OK && !cmd->v.key_out && !cmd->v.rekey) {
		request.key = key;
		key = NULL;
	}
	if (request.will_send)
		request.client = client;
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
	.groups = { cmd_options_network, options, cmd_options_signing, cmd_options_files,
		cmd_options_sending, cmd_options_schedule, cmd_options_hook, cmd_options_profiles,
		cmd_options_common },
	.run = run,
};

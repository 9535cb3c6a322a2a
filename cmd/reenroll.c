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
 * with the certificate's; with -o alone, or in one file with it, it has none. */
static bool may_rekey(const struct cmd_values *v)
{
	const char *file = v->key ? v->key : v->cert;

	return v->cert && !v->rekey && !v->reuse_key && !v->key_out && strcmp(file, "-") != 0 &&
	       !est_is_token_url(file) &&
	       (v->combined || v->store || (v->key && !v->output && !is_one_file(v)));
}

static enum est_code check_options(struct cmd *cmd, bool unasked)
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
	if (v->rekey && (v->key_out || (v->output && !v->combined)))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--rekey replaces --key and --cert in place; for other places there are "
			"--key-out and -o together");
	if (v->rekey && est_is_token_url(v->key ? v->key : v->cert) &&
		(!v->key || v->combined || v->store || est_is_token_url(v->cert)))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--rekey of a key in a token replaces the file of --cert: no token, "
			"--combined or --store takes its place");
	if (!v->output && !v->combined && !v->store && !v->key_out && is_one_file(v) &&
		(v->rekey || (v->new_key && v->key)))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--%s of certificate and key in one file needs --combined %s",
			v->rekey ? "rekey" : "new-key", v->cert);
	if (v->new_key && !v->key_out && !v->rekey && !unasked)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--new-key needs --rekey or --key-out FILE");
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

/* One certificate on its way to its successor. */
struct renewal {
	struct schedule_files files;
	const char *key_file;
	char stored[2][PATH_MAX]; /* certificate and key of --store */
	bool rekey_unasked;       /* nobody has said that the key is to be a new one */
	struct est_certs *old;
	bool changed;                 /* since the files were looked at first */
	struct est_error not_started; /* the hook that an earlier run owed; code EST_OK: it was */
	struct delivery delivery;
	struct request request;
};

/* Without --cert, what is in the store is renewed. */
static void name_stored(struct cmd_values *v, struct renewal *r)
{
	if (!v->store)
		return;
	r->files.installed = request_stored(v, "current/cert.pem", r->stored[0]);
	request_stored(v, "current/key.pem", r->stored[1]);
	if (v->cert)
		return;
	v->cert = r->stored[0];
	v->key = r->stored[1];
}

/* Where certificate and key go when the options leave it open. */
static void name_outputs(struct cmd_values *v, struct renewal *r)
{
	if (!v->output && !v->combined && !v->store)
		v->output = v->cert;
	if (!v->store)
		r->files.installed = v->output ? v->output : v->combined;
	r->files.cert = v->cert;
	r->key_file = v->key ? v->key : v->cert;
	v->rekey |= r->rekey_unasked;
	if (v->rekey && !v->combined && !v->store)
		v->key_out = v->key;
}

/* A new key is as open as its file: it does not take the place of an encrypted one unasked. */
static void spare_encrypted(struct cmd *cmd, struct renewal *r)
{
	if (!r->rekey_unasked || cmd->v.new_key || !is_encrypted(r->key_file))
		return;
	cmd_notice(cmd, "%s is encrypted, which a new key would not be: it is kept", r->key_file);
	r->rekey_unasked = cmd->v.rekey = false;
	cmd->v.key_out = NULL;
}

/* What an earlier run has left of a new key: its certificate is in place, and it is not. */
static enum est_code repair_key(struct cmd *cmd, struct est_span cert, struct delivery *d)
{
	const struct cmd_values *v = &cmd->v;
	enum est_code rc = EST_OK;

	if (v->rekey && est_is_token_url(v->key)) {
		if (d->finished || request_unfinished(cmd, NULL))
			rc = est_newkey_token_repair(v->key, v->output, cmd_key_secret, cmd, cert,
				delivery_keep(v), v->dry_run, &d->recovered, &cmd->err);
	} else if (v->key) {
		rc = est_newkey_repair(v->key, cert, v->cert, v->dry_run, &d->recovered, &cmd->err);
	}
	d->finished |= d->recovered;
	return rc;
}

/* Locks the files, and puts in order what an earlier run has left.  Only then is the certificate
 * the one to renew: another run may have replaced it. */
static enum est_code open_files(struct cmd *cmd, struct renewal *r)
{
	const char *output = cmd->v.store || cmd->v.combined ? NULL : cmd->v.output;
	const bool in_token = cmd->v.rekey && est_is_token_url(cmd->v.key);
	struct est_certs *again = NULL;
	enum est_code rc;

	r->delivery.hook_tried = r->not_started.code != EST_OK;
	rc = est_certs_load(cmd->v.cert, &r->old, &cmd->err);
	if (rc == EST_OK)
		rc = delivery_open(cmd, &r->delivery);
	if (output && rc == EST_E_OUTPUT && est_has_reason(&cmd->err, "holds-key"))
		est_hint(&cmd->err, "--combined %s writes key and certificate together", output);
	r->files.locked = r->files.recovered = true;
	if (rc != EST_OK || strcmp(cmd->v.cert, "-") == 0 ||
		(r->delivery.finished && (!in_token || cmd->v.dry_run)))
		return rc;
	rc = est_certs_load(cmd->v.cert, &again, &cmd->err);
	if (rc != EST_OK)
		return rc;
	r->changed = in_token || !est_span_eq(est_certs_get(r->old, 0), est_certs_get(again, 0));
	est_certs_free(r->old);
	r->old = again;
	return repair_key(cmd, est_certs_get(again, 0), &r->delivery);
}

/* The old key has to be there even when a new one is made: the old certificate authenticates. */
static enum est_code renew(struct cmd *cmd, struct renewal *r)
{
	const struct est_span old = est_certs_get(r->old, 0);
	struct est_client *client = NULL;
	struct est_key *key = NULL;
	const char *new_type = NULL;
	enum est_code rc;

	rc = est_key_load_for(old, r->files.cert, cmd->v.key, cmd_key_secret, cmd, &key, &cmd->err);
	if (rc == EST_OK)
		rc = choose_identity(cmd, old, key);
	if (rc == EST_OK)
		rc = cmd_client(cmd, &client);
	if (rc != EST_OK)
		goto out;
	r->request.key_file = r->key_file;
	if (cmd->v.key_out || cmd->v.rekey) {
		new_type = est_key_type(key);
	} else {
		r->request.key = key;
		key = NULL;
	}
	if (!cmd->v.dry_run)
		r->request.client = client;
	rc = request_make(cmd, old, new_type, &r->request);
	if (rc == EST_OK)
		rc = delivery_order(cmd, &r->delivery, &r->request, old,
			new_type ? "rekeyed" : "renewed");
out:
	request_wipe(&r->request);
	est_key_free(key);
	est_client_free(client);
	return rc;
}

/* The lock goes: nobody waits for it while this run waits for its turn. */
static void close_files(struct renewal *r)
{
	delivery_wipe(&r->delivery);
	est_certs_free(r->old);
	r->old = NULL;
	r->files.locked = r->changed = false;
}

/* With SCHEDULE_RENEW and SCHEDULE_RESUME the files are locked. */
static enum est_code next_step(struct cmd *cmd, struct renewal *r, enum schedule_step *step)
{
	enum est_code rc = schedule_next(cmd, &r->files, step);

	if (rc != EST_OK || *step == SCHEDULE_SKIP)
		return rc;
	spare_encrypted(cmd, r);
	rc = open_files(cmd, r);
	if (rc == EST_OK && r->delivery.finished) {
		*step = SCHEDULE_SKIP; /* it is all that one run does */
		rc = delivery_recovered(cmd, &r->delivery, r->key_file);
		if (rc == EST_E_HOOK && est_has_reason(&cmd->err, "not-started")) {
			r->not_started = cmd->err;
			*step = SCHEDULE_RECOVER; /* but nothing may wait for that for ever */
			rc = EST_OK;
		}
	} else if (rc == EST_OK && *step != SCHEDULE_RECOVER && r->changed) {
		rc = schedule_next(cmd, &r->files, step);
	}
	return rc;
}

/* What there is to do is decided before anything is locked, anew when what an earlier run has left
 * is in order, and again when another run has changed what that was decided from. */
static enum est_code renew_if_due(struct cmd *cmd, struct renewal *r)
{
	enum schedule_step step;
	enum est_code rc;

	if (request_unfinished(cmd, NULL)) /* is it for a key that this run would make? */
		spare_encrypted(cmd, r);
	do {
		close_files(r);
		rc = next_step(cmd, r, &step);
	} while (rc == EST_OK && step == SCHEDULE_RECOVER);
	if (rc == EST_OK && step != SCHEDULE_SKIP)
		return renew(cmd, r);
	if (rc == EST_OK && r->not_started.code != EST_OK)
		rc = (cmd->err = r->not_started).code;
	return rc;
}

static enum est_code run(struct cmd *cmd)
{
	struct renewal renewal = { 0 };
	enum est_code rc;

	if (cmd->v.config_dir && !cmd->profile)
		return profiles_run(cmd);
	name_stored(&cmd->v, &renewal);
	renewal.rekey_unasked = may_rekey(&cmd->v);
	rc = check_options(cmd, renewal.rekey_unasked);
	if (rc == EST_OK && !cmd->v.status)
		rc = cmd_check_network(cmd);
	if (rc != EST_OK)
		return rc;
	name_outputs(&cmd->v, &renewal);
	rc = renew_if_due(cmd, &renewal);
	delivery_wipe(&renewal.delivery);
	est_certs_free(renewal.old);
	return rc;
}

const struct cmd_applet reenroll_applet = {
	.operands = "",
	.groups = { cmd_options_network, options, cmd_options_signing, cmd_options_files,
		cmd_options_sending, cmd_options_schedule, cmd_options_hook, cmd_options_profiles,
		cmd_options_common },
	.run = run,
};

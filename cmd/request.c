/* SPDX-License-Identifier: MIT */
/* The key and the request of csr, enroll and reenroll. */
#include "request.h"

#include <stdio.h>
#include <string.h>

bool request_has_name(const struct cmd_values *v)
{
	return v->subject || v->dns.n || v->ip.n || v->email.n || v->uri.n;
}

static bool any_name(const struct cmd_values *v)
{
	return request_has_name(v) || v->key_usage.n || v->ext_key_usage.n || v->hash ||
	       v->challenge_file || v->otp_file || v->revocation_challenge_file;
}

const char *request_bundle(const struct cmd_values *v)
{
	return v->store ? "store" : v->combined ? "combined" : v->p12 ? "p12" : NULL;
}

const char *request_stored(const struct cmd_values *v, const char *name, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/%s", v->store, name);
	return out;
}

struct named { /* a file that an option names */
	const char *option, *file;
};

/* Each output is a file of its own, and none of them a key that is needed. */
static enum est_code check_distinct(struct cmd *cmd, const struct named *outputs, size_t n)
{
	const struct cmd_values *v = &cmd->v;
	const struct named keys[] = { { "use-key", v->use_key }, { "key", v->key } };
	struct error_pair {
		const struct named *a, *b;
	} clash = { 0 };

	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; outputs[i].file && j < n; j++) {
			if (outputs[j].file && est_same_file(outputs[i].file, outputs[j].file))
				clash = (struct error_pair){ &outputs[i], &outputs[j] };
		}
		for (size_t j = 0; outputs[i].file && j < 2; j++) {
			if (keys[j].file && outputs[i].file != v->combined &&
				est_same_file(outputs[i].file, keys[j].file))
				clash = (struct error_pair){ &outputs[i], &keys[j] };
		}
	}
	if (!clash.a)
		return EST_OK;
	return est_fail(&cmd->err, EST_E_USAGE,
		"--%s and --%s name the same file, and one would replace the other",
		clash.a->option, clash.b->option);
}

/* RFC 7030 section 3.5: what challengePassword holds is the channel binding. */
static enum est_code check_pop(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	enum est_pop pop;
	enum est_code rc = cmd_pop(cmd, &pop);

	if (rc != EST_OK || (pop != EST_POP_REQUIRE && pop != EST_POP_TLS_EXPORTER))
		return rc;
	if (v->challenge_file)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--challenge-file and --pop %s exclude each other: both go into "
			"challengePassword (RFC 7030 section 3.5)",
			v->pop);
	if (v->srp_user)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--srp-user and --pop %s exclude each other: the request is linked to "
			"sessions with a server certificate (RFC 7030 section 3.5)",
			v->pop);
	if (v->csr)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--csr is sent as it is: it cannot be linked to the TLS session (--pop %s)",
			v->pop);
	return EST_OK;
}

enum est_code request_check_files(struct cmd *cmd)
{
	const struct named outputs[] = {
		{ "key-out", cmd->v.key_out },
		{ "chain-out", cmd->v.chain_out },
		{ "combined", cmd->v.combined },
		{ "p12", cmd->v.p12 },
		{ "output", cmd->v.output && strcmp(cmd->v.output, "-") ? cmd->v.output : NULL },
	};
	const size_t n = sizeof(outputs) / sizeof(outputs[0]);
	enum est_code rc;

	for (size_t i = 0; i < n; i++) {
		if (outputs[i].file && strcmp(outputs[i].file, "-") == 0)
			return est_fail(&cmd->err, EST_E_USAGE,
				"--%s needs a file: standard output is for the certificate",
				outputs[i].option);
	}
	if (cmd->v.output && strcmp(cmd->v.output, "-") == 0 && request_bundle(&cmd->v))
		return est_fail(&cmd->err, EST_E_USAGE,
			"-o - is for a certificate that goes into no other file: not with --%s",
			request_bundle(&cmd->v));
	for (size_t i = 0; cmd->v.store && i < n; i++) {
		if (outputs[i].file && outputs[i].file != cmd->v.p12)
			return est_fail(&cmd->err, EST_E_USAGE,
				"--store has its own files: --%s cannot be given with it",
				outputs[i].option);
	}
	if (cmd->v.store && strlen(cmd->v.store) > PATH_MAX - NAME_MAX)
		return est_fail(&cmd->err, EST_E_USAGE, "--store: the name is too long");
	if (!cmd->v.p12 != !cmd->v.p12_password_file)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--p12 and --p12-password-file need each other");
	rc = check_distinct(cmd, outputs, n);
	if (rc == EST_OK)
		rc = attrs_check(cmd);
	if (rc == EST_OK)
		rc = check_pop(cmd);
	if (rc == EST_OK)
		rc = cmd_check_stdin(cmd);
	return rc == EST_OK ? cmd_check_stdout(cmd, cmd->v.output) : rc;
}

enum est_code request_check(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	struct est_error *err = &cmd->err;

	if ((v->new_key != NULL) + (v->use_key != NULL) + (v->csr != NULL) > 1)
		return est_fail(err, EST_E_USAGE,
			"--new-key, --use-key and --csr exclude each other");
	if (v->csr && any_name(v))
		return est_fail(err, EST_E_USAGE,
			"--csr is sent as it is: no --subject, names, usages, --hash or secrets "
			"with it");
	if (v->csr && v->key_out)
		return est_fail(err, EST_E_USAGE, "--key-out is for a new key, not for --csr");
	if (v->use_key && v->key_out)
		return est_fail(err, EST_E_USAGE, "--key-out is for a new key, not for --use-key");
	return request_check_files(cmd);
}

const struct est_key *request_key(const struct request *r)
{
	return r->newkey ? est_newkey_key(r->newkey) : r->key;
}

enum est_code request_check_name(struct cmd *cmd, bool named)
{
	if (named)
		return EST_OK;
	est_fail(&cmd->err, EST_E_USAGE, "no name to ask for");
	return est_hint(&cmd->err, "give --subject, --dns, --ip, --email or --uri");
}

/* Without --key-out the new key's only place is one file that is replaced as a whole. */
static const char *key_file(const struct cmd_values *v, char stored[PATH_MAX])
{
	return v->key_out    ? v->key_out
	       : v->combined ? v->combined
	       : v->store    ? request_stored(v, "key.pem", stored)
	       : v->rekey    ? v->key
			     : v->p12;
}

static unsigned key_flags(const struct cmd_values *v)
{
	return v->force || v->rekey || !v->key_out ? 0 : EST_OUTPUT_NEW;
}

static enum est_code hint_exists(struct cmd *cmd, enum est_code rc)
{
	if (rc == EST_E_OUTPUT && est_has_reason(&cmd->err, "exists"))
		est_hint(&cmd->err,
			"--use-key %s makes the request with that key, --force replaces it",
			cmd->v.key_out);
	return rc;
}

/* Its type is known only when the CA has been asked, but whether there is a place for it now. */
static enum est_code try_key_file(struct cmd *cmd, const char *key_type)
{
	struct est_output *out = NULL;
	enum est_code rc;

	if (!cmd->v.key_out)
		return EST_OK; /* one of the outputs, which are open */
	if (cmd->v.rekey && est_is_token_url(cmd->v.key_out))
		return est_newkey_token_check(cmd->v.key_out, key_type, &cmd->err);
	rc = est_output_open(cmd->v.key_out, EST_OUTPUT_SECRET | key_flags(&cmd->v), &out,
		&cmd->err);
	est_output_free(out);
	return hint_exists(cmd, rc);
}

/* Without a new key, what the certificate goes to has the request beside it; NULL: no file does. */
static const char *kept_file(const struct cmd_values *v, char stored[PATH_MAX])
{
	return v->store ? request_stored(v, "current", stored) : delivery_file(v);
}

/* With one, the key has; one in a token has no file, and its certificate must have one. */
static const char *beside_key(const struct cmd_values *v, char stored[PATH_MAX])
{
	const char *file = key_file(v, stored);

	return v->rekey && est_is_token_url(file) ? v->output : file;
}

/* A token is not asked unless something is due: there the request tells. */
static bool new_key_waits(const struct cmd_values *v, char stored[PATH_MAX])
{
	const char *file = beside_key(v, stored);
	time_t ignored;

	if (!file)
		return false;
	return v->rekey && est_is_token_url(v->key) ? est_pending_look(file, &ignored)
						    : est_newkey_waits(file);
}

bool request_unfinished(const struct cmd *cmd, time_t *when)
{
	const struct cmd_values *v = &cmd->v;
	char stored[PATH_MAX];
	const char *kept;
	time_t ignored;

	if (!when)
		when = &ignored;
	*when = 0;
	if ((v->key_out || v->rekey) && new_key_waits(v, stored)) {
		(void)est_pending_look(beside_key(v, stored), when);
		return true;
	}
	kept = kept_file(v, stored);
	return kept && est_pending_look(kept, when);
}

/* Before anybody is asked anything: the server may have said when that is to be. */
static enum est_code open_pending(struct cmd *cmd, struct request *r, bool *found)
{
	const struct cmd_values *v = &cmd->v;
	const bool new_key = !r->key && !v->csr;
	char stored[PATH_MAX];
	const char *file = new_key ? beside_key(v, stored) : kept_file(v, stored);
	enum est_code rc;

	if (!r->client || !file)
		return EST_OK;
	rc = est_pending_open(r->client, file, &r->pending, found, &cmd->err);
	r->fate = *found ? REQUEST_KEPT : REQUEST_REMOVED;
	if (rc != EST_OK || (new_key && !new_key_waits(v, stored)))
		return rc; /* a request is worth nothing without its key */
	rc = est_pending_wait(r->pending, &cmd->err);
	if (rc == EST_E_PENDING)
		cmd_json_string(cmd, "action", "pending");
	return rc;
}

static enum est_code make_key(struct cmd *cmd, const char *key_type, struct request *r)
{
	char stored[PATH_MAX];
	enum est_code rc;

	if (cmd->v.rekey && est_is_token_url(cmd->v.key_out))
		rc = est_newkey_token_open(cmd->v.key_out, cmd->v.output, key_type, cmd_key_secret,
			cmd, &r->newkey, &r->resumed, &cmd->err);
	else
		rc = est_newkey_open(key_file(&cmd->v, stored), key_type,
			key_flags(&cmd->v) | (r->plan.no_signatures ? EST_NEWKEY_NO_SIGNATURES : 0),
			&r->newkey, &r->resumed, &cmd->err);
	if (rc == EST_OK)
		r->fate = r->resumed ? REQUEST_KEPT : REQUEST_REMOVED;
	if (rc == EST_OK && r->resumed)
		cmd_notice(cmd, "going on with the key of an unfinished run in %s",
			est_newkey_path(r->newkey));
	return hint_exists(cmd, rc);
}

/* What the operator wants, and then what the CA wants too. */
static enum est_code plan_request(struct cmd *cmd, const struct est_csr_spec *spec,
	const char *key_type, struct request *r)
{
	const bool fixed = r->key || cmd->v.new_key;
	enum est_code rc;

	if (cmd->v.new_key)
		key_type = cmd->v.new_key;
	rc = est_plan_make(spec, r->key ? est_key_type(r->key) : key_type, fixed, NULL, &r->plan,
		&cmd->err);
	if (rc == EST_OK && r->client && !r->key)
		rc = try_key_file(cmd, r->plan.key_type);
	if (rc == EST_OK && r->client)
		rc = attrs_fetch(cmd, r->client, &r->attrs);
	if (rc != EST_OK || !r->attrs)
		return rc;
	est_plan_wipe(&r->plan);
	rc = est_plan_make(spec, r->key ? est_key_type(r->key) : key_type, fixed, r->attrs,
		&r->plan, &cmd->err);
	if (rc == EST_OK)
		attrs_report(cmd, &r->plan);
	return rc;
}

/* On disk before it leaves: the next run sends the same.  found: one was there. */
static enum est_code keep_request(struct cmd *cmd, struct request *r, bool found)
{
	bool same = true;
	enum est_code rc;

	if (!r->pending)
		return EST_OK;
	rc = est_pending_request(r->pending, &r->csr, &same, &cmd->err);
	if (rc != EST_OK)
		return rc;
	if (!same && (r->resumed || found))
		cmd_notice(cmd, "the unfinished run has left no such request: a new one is made");
	r->resumed |= same;
	r->fate = r->resumed ? REQUEST_KEPT : REQUEST_REMOVED;
	return EST_OK;
}

/* A request that is ready follows nobody, but what cannot be had with it is known before it leaves:
 * whether the CA wants it linked (RFC 7030 section 3.5). */
static enum est_code take_csr(struct cmd *cmd, struct request *r)
{
	enum est_code rc = est_csr_load(cmd->v.csr, &r->csr, &cmd->err);
	bool found = false;

	if (rc == EST_OK)
		rc = open_pending(cmd, r, &found);
	if (rc == EST_OK && r->client)
		rc = attrs_fetch(cmd, r->client, &r->attrs);
	if (rc == EST_OK && r->attrs)
		rc = est_plan_make(NULL, "ec:p256", false, r->attrs, &r->plan, &cmd->err);
	return rc == EST_OK ? keep_request(cmd, r, found) : rc;
}

struct secrets {
	struct est_buf challenge, otp, revocation;
};

static enum est_code read_secrets(struct cmd *cmd, struct secrets *s, struct est_csr_spec *spec)
{
	const struct {
		const char *file;
		struct est_buf *text;
		struct est_span *out;
	} files[] = {
		{ cmd->v.challenge_file, &s->challenge, &spec->challenge },
		{ cmd->v.otp_file, &s->otp, &spec->otp },
		{ cmd->v.revocation_challenge_file, &s->revocation, &spec->revocation },
	};
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < sizeof(files) / sizeof(files[0]); i++) {
		if (!files[i].file)
			continue;
		rc = cmd_secret_file(files[i].file, files[i].text, &cmd->err);
		if (rc == EST_OK)
			rc = est_csr_check_secret(est_buf_span(files[i].text), files[i].file,
				&cmd->err);
		*files[i].out = est_buf_span(files[i].text);
	}
	return rc;
}

enum est_code request_make(struct cmd *cmd, struct est_span renew, const char *key_type,
	struct request *r)
{
	const struct cmd_values *v = &cmd->v;
	struct secrets secrets = { 0 };
	struct est_csr_spec spec = {
		.subject = v->subject,
		.dns = v->dns.v,
		.ip = v->ip.v,
		.email = v->email.v,
		.uri = v->uri.v,
		.key_usage = v->key_usage.v,
		.ext_key_usage = v->ext_key_usage.v,
		.hash = v->hash,
		.renew = renew,
		.change_subject = v->change_subject,
		.plan = &r->plan,
	};
	enum est_code rc = EST_OK;
	bool found = false;

	if (v->csr)
		return take_csr(cmd, r);
	rc = read_secrets(cmd, &secrets, &spec);
	if (rc == EST_OK && v->use_key) {
		r->key_file = v->use_key;
		rc = est_key_load(v->use_key, cmd_key_secret, cmd, &r->key, &cmd->err);
	}
	if (rc == EST_OK && r->key && request_bundle(v) && !est_key_exportable(r->key))
		rc = est_fail(&cmd->err, EST_E_USAGE,
			"--%s needs the key, and a token does not give it away", request_bundle(v));
	if (rc == EST_OK)
		rc = open_pending(cmd, r, &found);
	if (rc == EST_OK)
		rc = plan_request(cmd, &spec, key_type, r);
	if (rc == EST_OK)
		rc = request_check_name(cmd, r->plan.named || renew.n > 0);
	if (rc == EST_OK && !r->key)
		rc = make_key(cmd, r->plan.key_type, r);
	if (rc == EST_OK && cmd_stop) /* a large RSA key takes its time */
		rc = est_fail(&cmd->err, EST_E_INTERRUPTED, "interrupted");
	if (rc == EST_OK)
		rc = est_csr_build(&spec, request_key(r), &r->csr, &cmd->err);
	if (rc == EST_OK)
		rc = keep_request(cmd, r, found);
	est_buf_free(&secrets.challenge);
	est_buf_free(&secrets.otp);
	est_buf_free(&secrets.revocation);
	return rc;
}

void request_outcome(struct cmd *cmd, struct request *r, bool maybe_issued, enum est_code rc)
{
	/* An issued certificate is not in place yet, and nothing is if its key is lost; where the
	 * key stays, only a request that the server has accepted is worth more than a new one. */
	if (r->newkey ? maybe_issued
		      : rc != EST_OK && r->pending && est_pending_accepted(r->pending))
		r->fate = REQUEST_KEPT;
	else if (rc == EST_OK)
		r->fate = REQUEST_USED;
	if (rc == EST_E_PENDING)
		cmd_json_string(cmd, "action", "pending");
	if (r->newkey && rc != EST_OK && r->fate == REQUEST_KEPT)
		cmd_notice(cmd, "the new key is kept in %s: the same command goes on with it",
			est_newkey_path(r->newkey));
}

void request_wipe(struct request *r)
{
	if (r->newkey && r->fate == REQUEST_REMOVED)
		est_newkey_discard(r->newkey);
	if (r->pending && !r->newkey && r->fate != REQUEST_KEPT)
		est_pending_remove(r->pending);
	est_pending_free(r->pending);
	est_newkey_free(r->newkey);
	est_key_free(r->key);
	est_csrattrs_free(r->attrs);
	est_plan_wipe(&r->plan);
	est_buf_free(&r->csr);
	*r = (struct request){ 0 };
}

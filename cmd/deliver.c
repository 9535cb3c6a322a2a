/* SPDX-License-Identifier: MIT */
/* An issued certificate, its chain and its key on their way to files. */
#include "request.h"
#include "schedule.h"

#include "jsonc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_MS 100 /* between two looks whether the lock is free */

/* A file for the key among other things.  Where that is a new key's only place it must be free, as
 * --key-out must: what is there may be the only copy of another. */
static enum est_code open_with_key(struct cmd *cmd, const char *option, const char *file,
	const struct delivery *d, struct est_output **out)
{
	const struct cmd_values *v = &cmd->v;
	const bool only_place = !v->use_key && !v->key_out && (!v->combined || file == v->combined);
	enum est_code rc;

	rc = est_output_open(file,
		EST_OUTPUT_SECRET | (d->no_replace && only_place ? EST_OUTPUT_NEW : 0), out,
		&cmd->err);
	if (rc == EST_E_OUTPUT && est_has_reason(&cmd->err, "exists"))
		est_hint(&cmd->err, "--force lets --%s replace it and a key in it", option);
	return rc;
}

static enum est_code open_p12(struct cmd *cmd, struct delivery *d)
{
	const char *file = cmd->v.p12_password_file;
	enum est_code rc;

	rc = open_with_key(cmd, "p12", cmd->v.p12, d, &d->p12.file);
	if (rc == EST_OK)
		rc = cmd_secret_file(file, &d->p12_password, &cmd->err);
	if (rc != EST_OK)
		return rc;
	if (d->p12_password.n == 0 || memchr(d->p12_password.p, 0, d->p12_password.n))
		return est_fail(&cmd->err, EST_E_INPUT, "%s: %s", file,
			d->p12_password.n ? "a NUL byte in the password" : "an empty password");
	return est_buf_append(&d->p12_password, (struct est_span){ (const uint8_t *)"", 1 },
		&cmd->err);
}

/* The files of a store, or of a generation of it. */
struct store_files {
	char cert[PATH_MAX], key[PATH_MAX], chain[PATH_MAX];
};

static struct hook_files store_files(const char *folder, struct store_files *out)
{
	(void)snprintf(out->cert, sizeof(out->cert), "%s/cert.pem", folder);
	(void)snprintf(out->key, sizeof(out->key), "%s/key.pem", folder);
	(void)snprintf(out->chain, sizeof(out->chain), "%s/chain.pem", folder);
	return (struct hook_files){ .cert = out->cert, .key = out->key, .chain = out->chain };
}

static unsigned ms_since(const struct timespec *begin)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)((now.tv_sec - begin->tv_sec) * 1000 +
			  (now.tv_nsec - begin->tv_nsec) / 1000000);
}

static bool is_locked(enum est_code rc, const struct est_error *err)
{
	return rc == EST_E_OUTPUT && est_has_reason(err, "locked");
}

/* Another run ends within its --max-time, or is killed, and its lock with it. */
static enum est_code lock(struct cmd *cmd, const char *file, unsigned flags, struct est_swap **out)
{
	const struct timespec poll = { 0, POLL_MS * 1000000L };
	struct timespec begin;
	enum est_code rc;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	while (is_locked(rc = est_swap_open(file, flags, out, &cmd->err), &cmd->err)) {
		if (cmd_stop)
			return est_fail(&cmd->err, EST_E_INTERRUPTED, "interrupted");
		if (ms_since(&begin) >= cmd->v.lock_wait_ms) {
			if (!cmd->v.lock_wait_ms)
				est_hint(&cmd->err, "--lock-wait SECONDS waits for it");
			return rc;
		}
		(void)nanosleep(&poll, NULL);
	}
	return rc;
}

/* NULL: standard output, or there is no file of the certificate alone. */
static const char *cert_file(const struct cmd_values *v)
{
	return v->output && strcmp(v->output, "-") != 0 ? v->output : NULL;
}

const char *delivery_file(const struct cmd_values *v)
{
	const char *const files[] = { v->store, cert_file(v), v->combined, v->key_out, v->p12,
		v->chain_out };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i])
			return files[i];
	}
	return NULL;
}

bool delivery_unfinished(const struct cmd *cmd)
{
	const char *file = delivery_file(&cmd->v);

	return file && est_swap_unfinished(file, cmd->v.store ? EST_SWAP_STORE : 0);
}

static enum est_code open_swap(struct cmd *cmd, struct delivery *d)
{
	const struct cmd_values *v = &cmd->v;
	const char *file = delivery_file(v);
	enum est_code rc;

	if (!file)
		return EST_OK;
	rc = lock(cmd, file, (v->store ? EST_SWAP_STORE : 0) | (v->dry_run ? EST_SWAP_LOOK : 0),
		&d->swap);
	if (rc != EST_OK)
		return rc;
	d->recovered = est_swap_recovered(d->swap) == EST_RECOVERED_NEW;
	d->finished = d->recovered || (est_swap_hook_owed(d->swap) && v->hook && !d->hook_tried) ||
		      est_swap_recovered(d->swap) == EST_RECOVERY_DUE;
	if (est_swap_hook_owed(d->swap) && !v->hook)
		cmd_notice(cmd,
			"the hook of an earlier run has not been run, and stays owed: this run "
			"has no --hook");
	if (est_swap_recovered(d->swap) == EST_RECOVERED_OLD)
		cmd_notice(cmd, "an unfinished run's files were no pair, the old ones are in place "
				"again");
	return EST_OK;
}

enum est_code delivery_open(struct cmd *cmd, struct delivery *d)
{
	const struct cmd_values *v = &cmd->v;
	enum est_code rc;

	if (v->verify_with && !v->combined && !v->store && !cert_file(v))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--verify-with needs a file to try: -o FILE, --combined FILE or --store DIR");
	if (jsonc_lost())
		return est_fail(&cmd->err, EST_E_INTERNAL, "out of memory");
	rc = open_swap(cmd, d);
	if (rc != EST_OK || d->finished)
		return rc;
	rc = cmd_output(cmd, v->output, 0, &d->cert.file);
	if (rc == EST_OK && v->chain_out)
		rc = est_output_open(v->chain_out, 0, &d->chain.file, &cmd->err);
	if (rc == EST_OK && v->combined)
		rc = open_with_key(cmd, "combined", v->combined, d, &d->combined.file);
	if (rc == EST_OK && v->store)
		rc = est_generation_open(v->store, &d->generation, &cmd->err);
	return rc == EST_OK && v->p12 ? open_p12(cmd, d) : rc;
}

unsigned delivery_keep(const struct cmd_values *v)
{
	return v->keep != CMD_KEEP_DEFAULT ? v->keep : v->rekey || v->store;
}

/* The certificate has no other place than standard output. */
static bool prints(const struct delivery *d)
{
	return !d->cert.file && !d->combined.file && !d->p12.file && !d->generation;
}

static enum est_code render(struct cmd *cmd, struct delivery *d, const struct request *request,
	const struct est_certs *chain)
{
	size_t n = est_certs_count(chain);
	struct est_error *err = &cmd->err;
	enum est_code rc;

	rc = est_certs_pem(chain, 0, cmd->v.fullchain ? n : 1, &d->cert.content, err);
	if (rc == EST_OK && d->chain.file)
		rc = est_certs_pem(chain, 1, n, &d->chain.content, err);
	if (rc == EST_OK && d->combined.file)
		rc = est_key_pem(request_key(request), &d->combined.content, err);
	if (rc == EST_OK && d->combined.file)
		rc = est_certs_pem(chain, 0, n, &d->combined.content, err);
	if (rc == EST_OK && d->p12.file)
		rc = est_p12_encode(request_key(request), chain, (const char *)d->p12_password.p,
			&d->p12.content, err);
	return rc;
}

/* The store's key: a file that stays in it is copied as it is, for it may be encrypted. */
static enum est_code render_key(struct cmd *cmd, struct delivery *d, const struct request *request)
{
	const char *key_file = request->key_file;
	char stored[PATH_MAX];

	request_stored(&cmd->v, "current/key.pem", stored);
	if (!request->newkey && key_file && est_same_file(key_file, stored))
		return est_read_file(key_file, EST_FILE_MAX, &d->stored_key, &cmd->err);
	return est_key_pem(request_key(request), &d->stored_key, &cmd->err);
}

static enum est_code write_all(struct cmd *cmd, struct delivery *d, const struct est_certs *chain)
{
	const struct delivery_part *const parts[] = { &d->cert, &d->chain, &d->combined, &d->p12 };
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i]->file)
			rc = est_output_write(parts[i]->file, est_buf_span(&parts[i]->content),
				&cmd->err);
	}
	if (rc == EST_OK && d->generation)
		rc = est_generation_write(d->generation, est_buf_span(&d->stored_key), chain,
			&cmd->err);
	return rc;
}

/* --verify-with sees the new pair while the old one is in place. */
static enum est_code try_pair(struct cmd *cmd, const struct delivery *d,
	const struct request *request, const struct est_certs *chain)
{
	const char *combined = d->combined.file ? est_output_temp(d->combined.file) : NULL;
	struct hook_files files = {
		.cert = d->cert.file ? est_output_temp(d->cert.file) : combined,
		.key = request->newkey ? est_newkey_path(request->newkey)
		       : combined      ? combined
				       : request->key_file,
		.chain = d->chain.file ? est_output_temp(d->chain.file) : combined,
	};
	struct store_files store = { 0 };

	if (d->generation)
		files = store_files(est_generation_folder(d->generation), &store);
	return hook_verify(cmd, &files, chain);
}

/* Before the files change: a certificate that nobody has seen must not be all that is left. */
static enum est_code print(struct cmd *cmd, const struct delivery *d, const char *action)
{
	cmd_json_string(cmd, "action", action);
	cmd_json_bool(cmd, "changed", true);
	return cmd_print(cmd, est_buf_span(&d->cert.content));
}

/* States received, in memory; verified, when try_pair() is content; then those of the swap. */
static enum est_code install(struct cmd *cmd, struct delivery *d, const struct est_certs *chain,
	struct request *request, const char *action)
{
	const struct cmd_values *v = &cmd->v;
	const struct est_swap_files files = {
		.cert = d->cert.file,
		.combined = d->combined.file,
		.others = { d->chain.file, d->p12.file },
		.generation = d->generation,
		.newkey = request->newkey,
		.newkey_inside = !v->key_out,
		.key_file = request->newkey ? NULL : request->key_file,
		.keep = delivery_keep(v),
		.hook = (v->hook && (d->cert.file || d->combined.file || d->generation)) ||
			(d->swap && est_swap_hook_owed(d->swap)),
	};
	const bool printed = prints(d);
	struct est_error *err = &cmd->err;
	bool changed = true;
	enum est_code rc;

	rc = cmd_json_certs(cmd, chain, printed);
	if (rc == EST_OK && jsonc_lost()) /* before anything changes */
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	if (rc == EST_OK)
		rc = render(cmd, d, request, chain);
	if (rc == EST_OK && d->generation)
		rc = render_key(cmd, d, request);
	if (rc == EST_OK)
		rc = write_all(cmd, d, chain);
	if (rc == EST_OK)
		rc = try_pair(cmd, d, request, chain);
	if (rc == EST_OK && printed && !(cmd->json && v->hook)) /* whose end the object tells */
		rc = print(cmd, d, action);
	if (rc == EST_OK && d->swap)
		rc = est_swap_commit(d->swap, &files, &changed, err);
	if (rc != EST_OK)
		return rc;
	request->fate = REQUEST_USED;
	cmd->installed = d->swap && changed;
	cmd_json_bool(cmd, "changed", changed || printed);
	cmd_json_string(cmd, "action", action);
	return EST_OK;
}

/* For what is in place now. */
static enum est_code run_hook(struct cmd *cmd, struct delivery *d, const char *action,
	const char *key_file, const struct est_certs *chain)
{
	const struct cmd_values *v = &cmd->v;
	const char *cert = cert_file(v);
	struct hook_files files = {
		.cert = cert ? cert : v->combined,
		.key = v->key_out    ? v->key_out
		       : v->combined ? v->combined
				     : key_file,
		.chain = v->chain_out ? v->chain_out : v->combined,
	};
	struct store_files store = { 0 };
	char current[PATH_MAX];
	enum est_code rc;

	if (v->store)
		files = store_files(request_stored(v, "current", current), &store);
	rc = hook_installed(cmd, action, &files, chain);
	if (d->swap && v->hook &&
		(rc == EST_OK || (rc == EST_E_HOOK && !est_has_reason(&cmd->err, "not-started"))))
		est_swap_hook_done(d->swap);
	return rc;
}

/* The files are in place: nothing that goes wrong here changes that. */
static void say_renewed(struct cmd *cmd, const char *action, const struct est_certs *chain)
{
	struct est_cert_info info;
	struct est_error ignored;
	char until[40];

	if (est_cert_info(est_certs_get(chain, 0), &info, &ignored) != EST_OK) {
		cmd_notice(cmd, "%s", action);
		return;
	}
	(void)cmd_time_text(info.not_after, until, sizeof(until));
	cmd_notice(cmd, "%s %s, valid until %s", action, schedule_name(&info), until);
	schedule_installed(cmd, &info);
	est_cert_info_wipe(&info);
}

static enum est_code dry_run(struct cmd *cmd, const struct request *request)
{
	cmd_notice(cmd, "dry run: would send a request of %zu bytes", request->csr.n);
	cmd_json_string(cmd, "action", "dry-run");
	return EST_OK;
}

enum est_code delivery_order(struct cmd *cmd, struct delivery *d, struct request *request,
	struct est_span old, const char *done)
{
	const struct est_enrollment ask = {
		.operation = old.n > 0 ? EST_SIMPLEREENROLL : EST_SIMPLEENROLL,
		.csr = est_buf_span(&request->csr),
		.key = request_key(request),
		.demands = request->plan.demands,
		.pending = request->pending,
	};
	const char *action = request->resumed ? "recovered" : done;
	struct est_issued issued = { 0 };
	bool maybe_issued = false;
	enum est_code rc;

	if (!request->client)
		return dry_run(cmd, request);
	rc = est_enroll(request->client, &ask, &issued, &maybe_issued, &cmd->err);
	if (rc == EST_OK && old.n > 0)
		rc = est_issued_renews(&issued, old, &cmd->err);
	request_outcome(cmd, request, maybe_issued, rc);
	cmd_report_session(cmd, request->client);
	if (rc == EST_OK)
		rc = install(cmd, d, issued.chain, request, action);
	if (rc == EST_OK && old.n > 0)
		say_renewed(cmd, action, issued.chain);
	if (rc == EST_OK)
		rc = run_hook(cmd, d, action, request->key_file, issued.chain);
	est_issued_wipe(&issued);
	return rc;
}

enum est_code delivery_recovered(struct cmd *cmd, struct delivery *d, const char *key_file)
{
	const struct cmd_values *v = &cmd->v;
	struct est_certs *certs = NULL;
	char stored[PATH_MAX];
	const char *file = v->store      ? request_stored(v, "current/cert.pem", stored)
			   : v->combined ? v->combined
					 : cert_file(v);
	enum est_code rc;

	if (v->dry_run) {
		cmd_notice(cmd, "dry run: would first finish or undo what an unfinished run left");
		cmd_json_string(cmd, "action", "dry-run");
		return EST_OK;
	}
	cmd_notice(cmd, d->recovered ? "recovered: the files of an unfinished run are in place now"
				     : "recovered: an unfinished run's files are in place");
	cmd_json_string(cmd, "action", "recovered");
	cmd_json_bool(cmd, "changed", d->recovered);
	if (!est_swap_hook_owed(d->swap) || !v->hook)
		return EST_OK;
	if (!file) {
		cmd_notice(cmd,
			"its hook has not been run, and this run has no file of a certificate");
		est_swap_hook_done(d->swap);
		return EST_OK;
	}
	rc = est_certs_load(file, &certs, &cmd->err);
	if (rc == EST_OK)
		rc = run_hook(cmd, d, "recovered", key_file, certs);
	est_certs_free(certs);
	return rc;
}

static void part_wipe(struct delivery_part *part)
{
	est_output_free(part->file);
	est_buf_free(&part->content);
}

void delivery_wipe(struct delivery *d)
{
	part_wipe(&d->cert);
	part_wipe(&d->chain);
	part_wipe(&d->combined);
	part_wipe(&d->p12);
	est_generation_free(d->generation);
	est_swap_free(d->swap); /* the lock, last */
	est_buf_free(&d->stored_key);
	est_buf_free(&d->p12_password);
	*d = (struct delivery){ 0 };
}

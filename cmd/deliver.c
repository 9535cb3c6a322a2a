/* SPDX-License-Identifier: MIT */
/* An issued certificate, its chain and its key on their way to files. */
#include "request.h"

#include "jsonc.h"

#include <limits.h>
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

	rc = open_with_key(cmd, "p12", cmd->v.p12, d, &d->p12);
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

const char *delivery_file(const struct cmd_values *v, const char *cert)
{
	const char *const files[] = { v->store, cert && strcmp(cert, "-") != 0 ? cert : NULL,
		v->combined, v->key_out, v->p12, v->chain_out };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i])
			return files[i];
	}
	return NULL;
}

bool delivery_unfinished(const struct cmd *cmd, const char *cert)
{
	const char *file = delivery_file(&cmd->v, cert);

	return file && est_swap_unfinished(file, cmd->v.store ? EST_SWAP_STORE : 0);
}

static enum est_code open_swap(struct cmd *cmd, const char *cert, struct delivery *d)
{
	const struct cmd_values *v = &cmd->v;
	const char *file = delivery_file(v, cert);
	enum est_code rc;

	if (!file)
		return EST_OK;
	rc = lock(cmd, file, (v->store ? EST_SWAP_STORE : 0) | (v->dry_run ? EST_SWAP_LOOK : 0),
		&d->swap);
	if (rc != EST_OK)
		return rc;
	d->recovered = est_swap_recovered(d->swap) == EST_RECOVERED_NEW;
	d->finished = d->recovered || (est_swap_hook_owed(d->swap) && v->hook) ||
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

enum est_code delivery_open(struct cmd *cmd, const char *cert, struct delivery *d)
{
	const struct cmd_values *v = &cmd->v;
	enum est_code rc;

	if (v->verify_with && !v->combined && !v->store && (!cert || strcmp(cert, "-") == 0))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--verify-with needs a file to try: -o FILE, --combined FILE or --store DIR");
	if (jsonc_lost())
		return est_fail(&cmd->err, EST_E_INTERNAL, "out of memory");
	rc = open_swap(cmd, cert, d);
	if (rc != EST_OK || d->finished)
		return rc;
	rc = cmd_output(cmd, cert, 0, &d->cert);
	if (rc == EST_OK && v->chain_out)
		rc = est_output_open(v->chain_out, 0, &d->chain, &cmd->err);
	if (rc == EST_OK && v->combined)
		rc = open_with_key(cmd, "combined", v->combined, d, &d->combined);
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
	return !d->cert && !d->combined && !d->p12 && !d->generation;
}

static enum est_code render(struct cmd *cmd, struct delivery *d, const struct request *request,
	const struct est_certs *chain)
{
	size_t n = est_certs_count(chain);
	struct est_error *err = &cmd->err;
	enum est_code rc;

	rc = est_certs_pem(chain, 0, cmd->v.fullchain ? n : 1, &d->cert_text, err);
	if (rc == EST_OK && d->chain)
		rc = est_certs_pem(chain, 1, n, &d->chain_text, err);
	if (rc == EST_OK && d->combined)
		rc = est_key_pem(request_key(request), &d->combined_text, err);
	if (rc == EST_OK && d->combined)
		rc = est_certs_pem(chain, 0, n, &d->combined_text, err);
	if (rc == EST_OK && d->p12)
		rc = est_p12_encode(request_key(request), chain, (const char *)d->p12_password.p,
			&d->p12_bytes, err);
	return rc;
}

/* The store's key: a file that stays in it is copied as it is, for it may be encrypted. */
static enum est_code render_key(struct cmd *cmd, struct delivery *d, const struct request *request)
{
	const char *key_file = request->key_file;
	char stored[PATH_MAX];

	(void)snprintf(stored, sizeof(stored), "%s/current/key.pem", cmd->v.store);
	if (!request->newkey && key_file && est_same_file(key_file, stored))
		return est_read_file(key_file, EST_FILE_MAX, &d->key_text, &cmd->err);
	return est_key_pem(request_key(request), &d->key_text, &cmd->err);
}

static enum est_code write_all(struct cmd *cmd, struct delivery *d, const struct est_certs *chain)
{
	const struct {
		struct est_output *out;
		const struct est_buf *content;
	} files[] = {
		{ d->cert, &d->cert_text },
		{ d->chain, &d->chain_text },
		{ d->combined, &d->combined_text },
		{ d->p12, &d->p12_bytes },
	};
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i].out)
			rc = est_output_write(files[i].out, est_buf_span(files[i].content),
				&cmd->err);
	}
	if (rc == EST_OK && d->generation)
		rc = est_generation_write(d->generation, est_buf_span(&d->key_text), chain,
			&cmd->err);
	return rc;
}

/* --verify-with sees the new pair while the old one is in place. */
static enum est_code try_pair(struct cmd *cmd, const struct delivery *d,
	const struct request *request, const struct est_certs *chain)
{
	const char *combined = d->combined ? est_output_temp(d->combined) : NULL;
	struct hook_files files = {
		.cert = d->cert ? est_output_temp(d->cert) : combined,
		.key = request->newkey ? est_newkey_path(request->newkey)
		       : combined      ? combined
				       : request->key_file,
		.chain = d->chain ? est_output_temp(d->chain) : combined,
	};
	struct store_files store = { 0 };

	if (d->generation)
		files = store_files(est_generation_folder(d->generation), &store);
	return hook_verify(cmd, &files, chain);
}

/* Before the files change: a certificate that nobody has seen must not be all that is left. */
static enum est_code print(struct cmd *cmd, const struct delivery *d, const struct request *request,
	const char *done)
{
	(void)request_done(cmd, request, done);
	cmd_json_bool(cmd, "changed", true);
	return cmd_print(cmd, est_buf_span(&d->cert_text));
}

/* States received, in memory; verified, when try_pair() is content; then those of the swap. */
enum est_code delivery_install(struct cmd *cmd, struct delivery *d, const struct est_issued *issued,
	struct request *request, const char *done)
{
	const char *key_file = request->newkey ? NULL : request->key_file;
	const struct cmd_values *v = &cmd->v;
	const struct est_swap_files files = {
		.cert = d->cert,
		.combined = d->combined,
		.others = { d->chain, d->p12 },
		.generation = d->generation,
		.newkey = request->newkey,
		.newkey_inside = !v->key_out,
		.key_file = key_file,
		.keep = delivery_keep(v),
		.hook = (v->hook && (d->cert || d->combined || d->generation)) ||
			(d->swap && est_swap_hook_owed(d->swap)),
	};
	const bool printed = prints(d);
	struct est_error *err = &cmd->err;
	bool changed = true;
	enum est_code rc;

	rc = cmd_json_certs(cmd, issued->chain, printed);
	if (rc == EST_OK && jsonc_lost()) /* before anything changes */
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	if (rc == EST_OK)
		rc = render(cmd, d, request, issued->chain);
	if (rc == EST_OK && d->generation)
		rc = render_key(cmd, d, request);
	if (rc == EST_OK)
		rc = write_all(cmd, d, issued->chain);
	if (rc == EST_OK)
		rc = try_pair(cmd, d, request, issued->chain);
	if (rc == EST_OK && printed && !(cmd->json && v->hook)) /* whose end the object tells */
		rc = print(cmd, d, request, done);
	if (rc == EST_OK && d->swap)
		rc = est_swap_commit(d->swap, &files, &changed, err);
	request->keep = rc != EST_OK; /* issued, and not in place */
	if (rc != EST_OK)
		return rc;
	cmd->installed = d->swap && changed;
	cmd_json_bool(cmd, "changed", changed || printed);
	(void)request_done(cmd, request, done);
	return EST_OK;
}

enum est_code delivery_hook(struct cmd *cmd, struct delivery *d, const char *action,
	const char *cert, const char *key_file, const struct est_certs *chain)
{
	const struct cmd_values *v = &cmd->v;
	struct hook_files files = {
		.cert = cert && strcmp(cert, "-") != 0 ? cert : v->combined,
		.key = v->key_out    ? v->key_out
		       : v->combined ? v->combined
				     : key_file,
		.chain = v->chain_out ? v->chain_out : v->combined,
	};
	struct store_files store = { 0 };
	char current[PATH_MAX];
	enum est_code rc;

	if (v->store) {
		(void)snprintf(current, sizeof(current), "%s/current", v->store);
		files = store_files(current, &store);
	}
	rc = hook_installed(cmd, action, &files, chain);
	if (d->swap && v->hook &&
		(rc == EST_OK || (rc == EST_E_HOOK && !est_has_reason(&cmd->err, "not-started"))))
		est_swap_hook_done(d->swap);
	return rc;
}

enum est_code delivery_recovered(struct cmd *cmd, struct delivery *d, const char *cert,
	const char *key_file)
{
	const struct cmd_values *v = &cmd->v;
	const char *file = v->combined ? v->combined : cert && strcmp(cert, "-") != 0 ? cert : NULL;
	struct est_certs *certs = NULL;
	enum est_code rc;
	char stored[PATH_MAX];

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
	if (v->store) {
		(void)snprintf(stored, sizeof(stored), "%s/current/cert.pem", v->store);
		file = stored;
	}
	if (!file) {
		cmd_notice(cmd,
			"its hook has not been run, and this run has no file of a certificate");
		est_swap_hook_done(d->swap);
		return EST_OK;
	}
	rc = est_certs_load(file, &certs, &cmd->err);
	if (rc == EST_OK)
		rc = delivery_hook(cmd, d, "recovered", cert, key_file, certs);
	est_certs_free(certs);
	return rc;
}

void delivery_wipe(struct delivery *d)
{
	est_output_free(d->cert);
	est_output_free(d->chain);
	est_output_free(d->combined);
	est_output_free(d->p12);
	est_generation_free(d->generation);
	est_swap_free(d->swap); /* the lock, last */
	est_buf_free(&d->cert_text);
	est_buf_free(&d->chain_text);
	est_buf_free(&d->combined_text);
	est_buf_free(&d->key_text);
	est_buf_free(&d->p12_bytes);
	est_buf_free(&d->p12_password);
	*d = (struct delivery){ 0 };
}

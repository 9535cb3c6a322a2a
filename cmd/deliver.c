/* SPDX-License-Identifier: MIT */
/* An issued certificate, its chain and its key on their way to files. */
#include "request.h"

#include <string.h>

static enum est_code open_p12(struct cmd *cmd, struct delivery *d)
{
	const char *file = cmd->v.p12_password_file;
	enum est_code rc;

	rc = est_output_open(cmd->v.p12, EST_OUTPUT_SECRET, &d->p12, &cmd->err);
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

enum est_code delivery_open(struct cmd *cmd, const char *cert, struct delivery *d)
{
	const struct cmd_values *v = &cmd->v;
	enum est_code rc;

	if (v->verify_with && !v->combined && (!cert || strcmp(cert, "-") == 0))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--verify-with needs a file to try: -o FILE or --combined FILE");
	rc = cmd_output(cmd, cert, 0, &d->cert);
	if (rc == EST_OK && v->chain_out)
		rc = est_output_open(v->chain_out, 0, &d->chain, &cmd->err);
	if (rc == EST_OK && v->combined)
		rc = est_output_open(v->combined, EST_OUTPUT_SECRET, &d->combined, &cmd->err);
	return rc == EST_OK && v->p12 ? open_p12(cmd, d) : rc;
}

bool delivery_prints(const struct delivery *d)
{
	return !d->cert && !d->combined && !d->p12;
}

static enum est_code pem_range(const struct est_certs *certs, size_t from, size_t to,
	struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = from; rc == EST_OK && i < to; i++)
		rc = est_pem_append(out, "CERTIFICATE", est_certs_get(certs, i), err);
	return rc;
}

static enum est_code render(struct cmd *cmd, struct delivery *d, const struct request *request,
	const struct est_certs *chain)
{
	size_t n = est_certs_count(chain);
	struct est_error *err = &cmd->err;
	enum est_code rc;

	rc = pem_range(chain, 0, cmd->v.fullchain ? n : 1, &d->cert_text, err);
	if (rc == EST_OK && d->chain)
		rc = pem_range(chain, 1, n, &d->chain_text, err);
	if (rc == EST_OK && d->combined)
		rc = est_key_pem(request_key(request), &d->combined_text, err);
	if (rc == EST_OK && d->combined)
		rc = pem_range(chain, 0, n, &d->combined_text, err);
	if (rc == EST_OK && d->p12)
		rc = est_p12_encode(request_key(request), chain, (const char *)d->p12_password.p,
			&d->p12_bytes, err);
	return rc;
}

static enum est_code commit(struct cmd *cmd, struct est_output *out, bool *any_changed)
{
	bool changed = false;
	enum est_code rc = out ? est_output_commit(out, &changed, &cmd->err) : EST_OK;

	*any_changed |= changed;
	return rc;
}

/* --verify-with sees the new pair while the old one is in place. */
static enum est_code try_pair(struct cmd *cmd, const struct delivery *d,
	const struct request *request, const struct est_certs *chain)
{
	const char *combined = d->combined ? est_output_temp(d->combined) : NULL;
	const struct hook_files files = {
		.cert = d->cert ? est_output_temp(d->cert) : combined,
		.key = request->newkey ? est_newkey_path(request->newkey)
		       : combined      ? combined
				       : request->key_file,
		.chain = d->chain ? est_output_temp(d->chain) : combined,
	};

	return hook_verify(cmd, &files, chain);
}

struct hook_files delivery_files(const struct cmd *cmd, const struct delivery *d, const char *cert,
	const char *key)
{
	const struct cmd_values *v = &cmd->v;

	return (struct hook_files){
		.cert = d->cert ? cert : v->combined,
		.key = v->key_out    ? v->key_out
		       : v->combined ? v->combined
				     : key,
		.chain = v->chain_out ? v->chain_out : v->combined,
	};
}

enum est_code delivery_install(struct cmd *cmd, struct delivery *d, struct request *request,
	const struct est_issued *issued)
{
	struct est_error *err = &cmd->err;
	bool changed = false;
	enum est_code rc;

	rc = render(cmd, d, request, issued->chain);
	if (rc == EST_OK && d->cert)
		rc = est_output_write(d->cert, est_buf_span(&d->cert_text), err);
	if (rc == EST_OK && d->chain)
		rc = est_output_write(d->chain, est_buf_span(&d->chain_text), err);
	if (rc == EST_OK && d->combined)
		rc = est_output_write(d->combined, est_buf_span(&d->combined_text), err);
	if (rc == EST_OK && d->p12)
		rc = est_output_write(d->p12, est_buf_span(&d->p12_bytes), err);
	if (rc == EST_OK)
		rc = try_pair(cmd, d, request, issued->chain);
	if (rc == EST_OK)
		rc = commit(cmd, d->combined, &changed);
	if (rc == EST_OK)
		rc = commit(cmd, d->p12, &changed);
	if (rc == EST_OK)
		rc = commit(cmd, d->chain, &changed);
	if (rc == EST_OK)
		rc = commit(cmd, d->cert, &changed);
	if (rc == EST_OK && delivery_prints(d)) {
		rc = cmd_print(cmd, est_buf_span(&d->cert_text));
		changed = true;
	}
	if (rc == EST_OK && request->newkey && cmd->v.key_out)
		rc = est_newkey_commit(request->newkey, err);
	else if (rc == EST_OK && request->newkey)
		est_newkey_discard(request->newkey); /* --combined or --p12 has it */
	request->keep = rc != EST_OK;                /* issued, and not everything is in place */
	if (rc == EST_OK)
		cmd_json_bool(cmd, "changed", changed);
	return rc;
}

void delivery_wipe(struct delivery *d)
{
	est_output_free(d->cert);
	est_output_free(d->chain);
	est_output_free(d->combined);
	est_output_free(d->p12);
	est_buf_free(&d->cert_text);
	est_buf_free(&d->chain_text);
	est_buf_free(&d->combined_text);
	est_buf_free(&d->p12_bytes);
	est_buf_free(&d->p12_password);
	*d = (struct delivery){ 0 };
}

/* SPDX-License-Identifier: MIT */
/* est inspect: what is in a certificate file or bag, offline.  Nothing is fetched, no key is ever
 * shown, and a broken object does not hide the others. */
#include "inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "inspect_show.h"

#define INSPECT_FILE_MAX (256u << 20) /* bytes; text goes out object by object */

#define TREE_MAX 1024 /* certificates that a terminal is shown as a tree unasked */

static const struct cmd_option options[] = {
	{ "json-lines", 0, CMD_FLAG, CMD_AT(json_lines), NULL, NULL,
		"as --json, one line for each object as it is read and one for the rest" },
	{ "tree", 0, CMD_FLAG, CMD_AT(tree), NULL, NULL,
		"who issued whom, and what a client would trust; the default on a terminal" },
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

/* A failure of one object or file; the work goes on.  Every message but one is printed now, that
 * one at the end. */
void inspect_failure(struct inspect *in, const struct est_error *why)
{
	struct est_error err = *why;

	if (in->rc == EST_OK) {
		in->rc = why->code;
		in->kept = *why;
		return;
	}
	cmd_printable(err.msg, sizeof(err.msg));
	/* Errors, not notices: --quiet does not hide them. */
	fprintf(stderr, "est: %s: %s\n", cmd_name(in->cmd->applet), err.msg);
	if (why->hint[0])
		fprintf(stderr, "est: hint: %s\n", why->hint);
}

void inspect_place(struct json_object *o, const struct inspect *in, const struct est_object *object)
{
	json_object_object_add(o, "file", json_object_new_string(in->file));
	json_object_object_add(o, "index", json_object_new_int64((int64_t)object->index));
	json_object_object_add(o, "offset", json_object_new_int64((int64_t)object->offset));
}

/* Into the array of this name, or on a line of its own. */
static enum est_code add_json(struct inspect *in, const char *name, struct json_object *o,
	struct est_error *err)
{
	struct json_object *list;
	enum est_code rc;

	if (!in->cmd->v.json_lines) {
		list = json_object_object_get(in->cmd->json, name);
		json_object_array_add(list, o);
		return EST_OK;
	}
	json_object_object_add(o, "type", json_object_new_string(name));
	rc = cmd_stdout(est_span_str(
				json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE)),
		err);
	json_object_put(o);
	return rc == EST_OK ? cmd_stdout(est_span_str("\n"), err) : rc;
}

static void report_broken(struct inspect *in, const struct est_object *object,
	const struct est_error *why)
{
	struct est_error err = { 0 };
	struct json_object *o;

	if (++in->n_broken > INSPECT_FAILURES_MAX)
		return;
	est_fail(&err, EST_E_INPUT, "%s: object %zu at offset %zu: %.480s", in->file, object->index,
		object->offset, why->msg);
	if (why->hint[0])
		est_hint(&err, "%s", why->hint);
	inspect_failure(in, &err);
	if (!in->cmd->json)
		return;
	o = json_object_new_object();
	inspect_place(o, in, object);
	json_object_object_add(o, "message", json_object_new_string(why->msg));
	(void)add_json(in, "broken", o, &err); /* a full device is found again at the end */
}

/* The lines that say which object this is. */
static enum est_code begin_text(struct inspect *in, const struct est_object *object,
	const char *name, struct est_error *err)
{
	enum est_code rc;

	in->text.n = 0;
	rc = text_line(&in->text, "object", name, err);
	if (rc == EST_OK)
		rc = text_line(&in->text, "file", in->file, err);
	if (rc == EST_OK)
		rc = text_line(&in->text, "index", "", err);
	if (rc != EST_OK)
		return rc;
	in->text.n--;
	return est_buf_printf(&in->text, err, "%zu\n", object->index);
}

/* An empty line between two. */
static enum est_code append_text(struct est_buf *out, struct est_span text, struct est_error *err)
{
	enum est_code rc = out->n > 0 ? est_buf_append(out, est_span_str("\n"), err) : EST_OK;

	return rc == EST_OK ? est_buf_append(out, text, err) : rc;
}

static enum est_code show_text(struct inspect *in, bool cert, struct est_error *err)
{
	struct est_span text = est_buf_span(&in->text);
	enum est_code rc = EST_OK;

	if (in->silent || (in->tree && cert))
		return EST_OK;
	if (in->hold) {
		rc = append_text(&in->held, text, err);
		return rc == EST_OK && !cert ? append_text(&in->others, text, err) : rc;
	}
	if (in->n_shown++ > 0)
		rc = cmd_stdout(est_span_str("\n"), err);
	return rc == EST_OK ? cmd_stdout(text, err) : rc;
}

static enum est_code end_object(struct inspect *in, const struct est_object *object,
	struct json_object *o, const char *list, struct est_error *err)
{
	in->n_objects++;
	if (!in->cmd->json)
		return show_text(in,
			object->kind == EST_FILE_CERT || object->kind == EST_FILE_TRUSTED_CERT,
			err);
	inspect_place(o, in, object);
	return add_json(in, list, o, err);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static enum est_code remember(struct inspect *in, const char *sha256, struct est_error *err)
{
	size_t cap = in->cap_seen ? in->cap_seen * 2 : 256;
	char first[17] = "";
	uint64_t *seen;

	if (in->n_seen == in->cap_seen) {
		seen = realloc(in->seen, cap * sizeof(*seen));
		if (!seen)
			return est_fail(err, EST_E_INTERNAL, "out of memory");
		in->seen = seen;
		in->cap_seen = cap;
	}
	memcpy(first, sha256, sizeof(first) - 1);
	in->seen[in->n_seen++] = strtoull(first, NULL, 16);
	return EST_OK;
}

/* What was held back goes out as the list that it is, and so does what follows. */
static enum est_code release(struct inspect *in, struct est_error *err)
{
	enum est_code rc = cmd_stdout(est_buf_span(&in->held), err);

	in->n_shown = in->held.n > 0;
	in->hold = false;
	in->keep = in->cmd->v.verify;
	if (!in->keep)
		bag_wipe(&in->bag);
	est_buf_free(&in->held);
	return rc;
}

/* What -v adds. */
static enum est_code add_details(struct inspect *in, struct est_span der, struct json_object *o,
	struct est_error *err)
{
	struct est_cert_details details = { 0 };
	enum est_code rc = est_cert_details(der, &details, err);

	if (rc != EST_OK)
		return rc;
	if (o)
		json_object_object_add(o, "details", json_details(&details));
	else
		rc = text_details(&details, &in->text, err);
	est_cert_details_wipe(&details);
	return rc;
}

static enum est_code on_cert(struct inspect *in, const struct est_object *object,
	struct est_error *err)
{
	struct est_cert_info info = { 0 };
	struct json_object *o = NULL;
	struct est_error why;
	enum est_code rc;

	rc = est_cert_info(object->der, &info, &why);
	if (rc == EST_E_PROTOCOL) {
		report_broken(in, object, &why);
		return EST_OK;
	}
	if (rc != EST_OK) {
		*err = why;
		return rc;
	}
	rc = remember(in, info.sha256, err);
	if (rc == EST_OK && in->gates)
		rc = gates_cert(in->gates, object, &info, err);
	if (rc == EST_OK && in->keep)
		rc = bag_add(in, object, &info, err);
	if (rc == EST_OK && in->hold && in->bag.n > TREE_MAX)
		rc = release(in, err);
	if (rc == EST_OK && in->cmd->json) {
		o = cmd_json_cert(&info);
	} else if (rc == EST_OK) {
		rc = begin_text(in, object, "certificate", err);
		if (rc == EST_OK)
			rc = text_cert(&info, &in->text, err);
	}
	if (rc == EST_OK && in->cmd->v.verbose > 0)
		rc = add_details(in, object->der, o, err);
	est_cert_info_wipe(&info);
	return rc == EST_OK ? end_object(in, object, o, "certificates", err) : rc;
}

static enum est_code on_csr(struct inspect *in, const struct est_object *object,
	struct est_error *err)
{
	struct est_csr_info info = { 0 };
	struct json_object *o = NULL;
	struct est_error why;
	enum est_code rc;

	rc = est_csr_info(object->der, &info, &why);
	if (rc == EST_E_PROTOCOL) {
		report_broken(in, object, &why);
		return EST_OK;
	}
	if (rc != EST_OK) {
		*err = why;
		return rc;
	}
	if (in->gates)
		rc = gates_csr(in->gates, object, err);
	if (rc == EST_OK && in->cmd->json) {
		o = cmd_json_csr(&info);
	} else if (rc == EST_OK) {
		rc = begin_text(in, object, "request", err);
		if (rc == EST_OK)
			rc = text_csr(&info, &in->text, err);
	}
	est_csr_info_wipe(&info);
	return rc == EST_OK ? end_object(in, object, o, "requests", err) : rc;
}

static enum est_code on_crl(struct inspect *in, const struct est_object *object,
	struct est_error *err)
{
	struct est_crl_info info = { 0 };
	struct json_object *o = NULL;
	struct est_error why;
	enum est_code rc;

	rc = est_crl_info(object->der, &info, &why);
	if (rc == EST_E_PROTOCOL) {
		report_broken(in, object, &why);
		return EST_OK;
	}
	if (rc != EST_OK) {
		*err = why;
		return rc;
	}
	if (in->cmd->json) {
		o = json_crl(&info);
	} else {
		rc = begin_text(in, object, "crl", err);
		if (rc == EST_OK)
			rc = text_crl(&info, &in->text, err);
	}
	est_crl_info_wipe(&info);
	return rc == EST_OK ? end_object(in, object, o, "crls", err) : rc;
}

static enum est_code on_csrattrs(struct inspect *in, const struct est_object *object,
	struct est_error *err)
{
	struct est_csrattrs *attrs = NULL;
	struct json_object *o = NULL;
	struct est_error why;
	enum est_code rc;

	rc = est_csrattrs_decode(object->der, &in->quirks, &attrs, &why);
	if (rc == EST_E_PROTOCOL) {
		report_broken(in, object, &why);
		return EST_OK;
	}
	if (rc != EST_OK) {
		*err = why;
		return rc;
	}
	if (in->cmd->json) {
		rc = json_csrattrs(attrs, &o, err);
	} else {
		rc = begin_text(in, object, "csrattrs", err);
		if (rc == EST_OK)
			rc = text_csrattrs(attrs, &in->text, err);
	}
	est_csrattrs_free(attrs);
	return rc == EST_OK ? end_object(in, object, o, "csrattrs", err) : rc;
}

/* Keys and other blocks are named and not opened. */
static enum est_code on_named(struct inspect *in, const struct est_object *object,
	struct est_error *err)
{
	const char *name = est_file_kind_text(object->kind);
	struct json_object *o = NULL;
	enum est_code rc = EST_OK;

	if (object->kind == EST_FILE_OTHER_PEM)
		name = "other PEM block";
	else if (strncmp(name, "a ", 2) == 0 || strncmp(name, "an ", 3) == 0)
		name = strchr(name, ' ') + 1;
	if (in->cmd->json) {
		o = json_object_new_object();
		json_object_object_add(o, "kind", json_object_new_string(name));
	} else {
		rc = begin_text(in, object, name, err);
	}
	return rc == EST_OK ? end_object(in, object, o, "keys", err) : rc;
}

static enum est_code on_object(void *ctx, const struct est_object *object, struct est_error *err)
{
	struct inspect *in = ctx;

	if (cmd_stop)
		return est_fail(err, EST_E_INTERRUPTED, "interrupted");
	if (object->broken) {
		report_broken(in, object, object->broken);
		return EST_OK;
	}
	switch (object->kind) {
	case EST_FILE_CERT:
	case EST_FILE_TRUSTED_CERT:
		return on_cert(in, object, err);
	case EST_FILE_CSR:
		return on_csr(in, object, err);
	case EST_FILE_CRL:
		return on_crl(in, object, err);
	case EST_FILE_CSRATTRS:
		return on_csrattrs(in, object, err);
	default:
		return on_named(in, object, err);
	}
}

/* What is odd about a file that could be read; with --strict it is an error. */
static void report_quirks(struct inspect *in)
{
	struct est_error err = { 0 };

	if (in->n_seen > 1)
		qsort(in->seen, in->n_seen, sizeof(*in->seen), by_value);
	for (size_t i = 1; i < in->n_seen; i++) {
		if (in->seen[i] == in->seen[i - 1])
			in->quirks.seen |= 1u << EST_Q_DUPLICATE;
	}
	for (int q = 0; q < EST_QUIRKS; q++) {
		if (!(in->quirks.seen & 1u << q))
			continue;
		if (in->cmd->v.strict) {
			est_fail(&err, EST_E_PROTOCOL, "%s: %s (%s), refused by --strict", in->file,
				est_quirk_text(q), est_quirk_id(q));
			inspect_failure(in, &err);
		} else {
			cmd_verbose(in->cmd, "%s: %s (%s)", in->file, est_quirk_text(q),
				est_quirk_id(q));
		}
	}
}

/* EST_OK also when the file is bad, which in->rc then says; another code ends the run. */
static enum est_code inspect_file(struct inspect *in, const char *path, uint32_t *quirks)
{
	struct est_error err = { 0 }, inner;
	struct est_buf data = { 0 };
	char shown[512], **files;
	enum est_code rc;
	size_t before = in->n_objects;

	(void)est_escape(shown, sizeof(shown),
		est_span_str(strcmp(path, "-") == 0 ? "standard input" : path));
	files = realloc(in->files, (in->n_files + 1) * sizeof(*files));
	if (files)
		in->files = files;
	in->file = files ? files[in->n_files] = strdup(shown) : NULL;
	if (!in->file)
		return est_fail(&in->cmd->err, EST_E_INTERNAL, "out of memory");
	in->n_files++;
	in->quirks = (struct est_quirks){ 0 };
	in->n_seen = in->n_broken = 0;
	rc = est_read_file(path, INSPECT_FILE_MAX, &data, &err);
	if (rc == EST_E_INPUT) { /* the name in it came from a folder, perhaps by a shell's * */
		inner = err;
		(void)est_escape(err.msg, sizeof(err.msg), est_span_str(inner.msg));
	}
	if (rc == EST_OK) {
		rc = est_objects(est_buf_span(&data), &in->quirks, on_object, in, &err);
		if (rc == EST_E_INPUT || rc == EST_E_PROTOCOL) {
			inner = err;
			rc = est_fail(&err, EST_E_INPUT, "%s: %.480s", in->file, inner.msg);
		}
	}
	est_buf_free(&data);
	if (rc == EST_OK && in->n_broken > INSPECT_FAILURES_MAX) {
		est_fail(&err, EST_E_INPUT, "%s: %zu broken objects in all", in->file,
			in->n_broken);
		inspect_failure(in, &err);
	}
	if (rc == EST_OK && in->n_objects == before && in->n_broken == 0) {
		est_fail(&err, EST_E_INPUT, "%s: nothing to show in it", in->file);
		inspect_failure(in, &err);
	}
	report_quirks(in);
	*quirks |= in->quirks.seen;
	if (rc == EST_E_INPUT) {
		inspect_failure(in, &err);
		rc = EST_OK;
	}
	if (rc != EST_OK)
		in->cmd->err = err;
	return rc;
}

/* What waited for all certificates to be there. */
static enum est_code show_rest(struct inspect *in)
{
	struct est_error *err = &in->cmd->err;
	enum est_code rc = EST_OK;

	if (in->work && in->rc != EST_OK) /* not half of it */
		return EST_OK;
	if (in->work)
		return in->cmd->v.diff ? diff_run(in) : edit_run(in);
	if (in->hold && in->bag.n < 2)
		return release(in, err);
	if (!in->hold && !in->tree)
		return EST_OK;
	if (in->hold)
		rc = cmd_stdout(est_buf_span(&in->others), err);
	if (rc == EST_OK && in->bag.n > 0 && (in->others.n > 0 || in->n_shown > 0))
		rc = cmd_stdout(est_span_str("\n"), err);
	return rc == EST_OK && in->bag.n > 0 ? tree_show(in, err) : rc;
}

static enum est_code prepare(struct inspect *in)
{
	static const char *const lists[] = { "certificates", "requests", "crls", "csrattrs", "keys",
		"broken" };
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
	in->work = edit_asked(cmd) || cmd->v.diff;
	in->prepared = true;
	in->silent = in->work || (in->gates && cmd->v.quiet);
	in->tree = cmd->v.tree;
	in->hold = !in->tree && !cmd->json && !in->silent && !cmd->v.verbose &&
		   isatty(STDOUT_FILENO);
	in->keep = in->tree || in->hold || in->work || cmd->v.verify;
	for (size_t i = 0; cmd->json && !cmd->v.json_lines && i < sizeof(lists) / sizeof(lists[0]);
		i++)
		json_object_object_add(cmd->json, lists[i], json_object_new_array());
	return EST_OK;
}

static void wipe(struct inspect *in)
{
	gates_free(in->gates);
	bag_wipe(&in->bag);
	est_buf_free(&in->text);
	est_buf_free(&in->held);
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
		rc = inspect_file(&in, cmd->operands[i], &all.seen);
	if (in.prepared)
		cmd_json_quirks(cmd, &all);
	if (rc == EST_OK)
		rc = show_rest(&in);
	if (rc == EST_OK && in.gates)
		rc = gates_finish(in.gates, &cmd->err);
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

/* SPDX-License-Identifier: MIT */
/* est inspect: the objects of a file as they come, each shown at once where that is possible. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonc.h"

#include "inspect.h"
#include "inspect_show.h"

#define TREE_MAX   1024        /* certificates that a terminal is shown as a tree unasked */
#define TEXT_BYTES (64u << 10) /* of one object's text, kept before it goes out */

/* A failure of one object or file; the work goes on.  Every message but one is printed now, that
 * one at the end. */
void inspect_failure(struct inspect *in, const struct est_error *why)
{
	struct est_error err = *why;

	/* What cannot be read comes before an answer: it may be no for another reason. */
	if (in->rc == EST_OK || (in->rc == EST_E_CONDITION && why->code != in->rc)) {
		bool first = in->rc == EST_OK;

		err = in->kept;
		in->kept = *why;
		in->rc = why->code;
		if (first)
			return;
	}
	inspect_progress_end(in);
	cmd_printable(err.msg, sizeof(err.msg));
	/* Errors, not notices: --quiet does not hide them. */
	fprintf(stderr, "est: %s: %s\n", cmd_name(in->cmd->applet), err.msg);
	if (err.hint[0])
		fprintf(stderr, "est: hint: %s\n", err.hint);
}

static void add_place(struct json_object *o, const struct inspect *in,
	const struct est_object *object)
{
	jsonc_string(o, "file", in->file);
	jsonc_number(o, "index", object->index);
	jsonc_number(o, "offset", object->offset);
}

static enum est_code flush_text(struct inspect *in, struct est_error *err);

static void report_broken(struct inspect *in, const struct est_object *object,
	const struct est_error *why)
{
	struct est_error err = { 0 };
	struct json_object *o;

	if (in->announced == object->index) { /* a full device is found again at the end */
		in->text.n = 0;
		(void)!text_line(&in->text, "broken", why->msg, &err);
		(void)!flush_text(in, &err);
		in->announced = 0;
	}
	if (++in->n_broken > INSPECT_FAILURES_MAX)
		return;
	est_fail(&err, EST_E_INPUT, "%s: object %zu at offset %zu: %.480s", in->file, object->index,
		object->offset, why->msg);
	if (why->hint[0])
		est_hint(&err, "%s", why->hint);
	else if (why->reason && strcmp(why->reason, "p12-password") == 0)
		est_hint(&err, "--p12-password-file FILE");
	if (why->reason)
		est_reason(&err, why->reason);
	inspect_failure(in, &err);
	if (!in->cmd->json)
		return;
	o = json_object_new_object();
	add_place(o, in, object);
	jsonc_string(o, "message", why->msg);
	(void)inspect_json(in, "broken", o, &err);
}

/* The lines that say which object this is. */
static enum est_code begin_text(struct inspect *in, const char *file, size_t index,
	const char *name, struct est_error *err)
{
	enum est_code rc;

	in->text.n = 0;
	in->begun = false;
	in->announced = 0; /* what comes in between is not in the midst of it */
	rc = text_line(&in->text, "object", name, err);
	if (rc == EST_OK)
		rc = text_line(&in->text, "file", file, err);
	return rc == EST_OK ? text_number(&in->text, "index", index, err) : rc;
}

/* What there is of an object's text goes out, an empty line before the first of it. */
static enum est_code flush_text(struct inspect *in, struct est_error *err)
{
	enum est_code rc = EST_OK;

	if (!in->begun && in->n_shown++ > 0)
		rc = cmd_stdout(est_span_str("\n"), err);
	in->begun = true;
	if (rc == EST_OK)
		rc = cmd_stdout(est_buf_span(&in->text), err);
	in->text.n = 0;
	return rc;
}

/* Certificates that a tree will show, or may, are not said one by one. */
static enum est_code end_text(struct inspect *in, struct est_error *err)
{
	enum est_code rc;

	if (in->silent)
		return EST_OK;
	if (!in->hold)
		return flush_text(in, err);
	rc = est_buf_append(&in->others, est_buf_span(&in->text), err);
	return rc == EST_OK ? est_buf_append(&in->others, est_span_str("\n"), err) : rc;
}

static enum est_code end_object(struct inspect *in, const struct est_object *object,
	struct json_object *o, const char *list, struct est_error *err)
{
	in->n_objects++;
	if (!in->cmd->json)
		return end_text(in, err);
	add_place(o, in, object);
	return inspect_json(in, list, o, err);
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

/* What PKCS #12 says of what is in it; nothing where it does not. */
static enum est_code add_span(struct inspect *in, const char *name, const char *json_name,
	struct est_span value, struct json_object *o, struct est_error *err)
{
	if (value.n > 0 && o)
		json_object_object_add(o, json_name,
			json_object_new_string_len((const char *)value.p, (int)value.n));
	return value.n > 0 && !o ? text_span(&in->text, name, value, err) : EST_OK;
}

/* What -v adds. */
static enum est_code add_details(struct inspect *in, enum est_file_kind kind, struct est_span der,
	struct json_object *o, struct est_error *err)
{
	struct est_cert_details details = { 0 };
	enum est_code rc;

	if (in->cmd->v.verbose == 0)
		return EST_OK;
	rc = kind == EST_FILE_CSR   ? est_csr_details(der, &details, err)
	     : kind == EST_FILE_CRL ? est_crl_details(der, &details, err)
				    : est_cert_details(der, &details, err);
	if (rc != EST_OK)
		return rc;
	if (o)
		json_object_object_add(o, "details", json_details(kind, &details));
	else
		rc = text_details(kind, &details, &in->text, err);
	est_cert_details_wipe(&details);
	return rc == EST_OK
		       ? add_span(in, "friendly-name", "friendly_name", in->object->name, o, err)
		       : rc;
}

/* Nobody counts days from a date. */
static enum est_code add_state(struct inspect *in, const struct est_cert_info *info,
	struct est_error *err)
{
	const bool begun = info->not_before <= in->at, ended = info->not_after < in->at;
	const int64_t s = !begun  ? (int64_t)info->not_before - in->at
			  : ended ? (int64_t)in->at - info->not_after
				  : (int64_t)info->not_after - in->at;
	char text[80];

	if (in->cmd->v.verbose == 0)
		return EST_OK;
	(void)snprintf(text, sizeof(text), "%s %lld %s%s",
		!begun  ? "not valid before"
		: ended ? "expired"
			: "expires in",
		(long long)(s / (s < 172800 ? 3600 : 86400)), s < 172800 ? "hours" : "days",
		!begun  ? " have passed"
		: ended ? " ago"
			: "");
	return text_line(&in->text, "state", text, err);
}

static enum est_code cert_as_text(struct inspect *in, const char *file, size_t index,
	struct est_span der, const struct est_cert_info *info, struct est_error *err)
{
	enum est_code rc = begin_text(in, file, index, "certificate", err);

	if (rc == EST_OK)
		rc = text_cert(info, &in->text, err);
	if (rc == EST_OK)
		rc = add_state(in, info, err);
	return rc == EST_OK ? add_details(in, EST_FILE_CERT, der, NULL, err) : rc;
}

/* The other objects up to here, with an empty line behind each. */
static enum est_code put_others(struct inspect *in, size_t *from, size_t to, struct est_error *err)
{
	struct est_span text = { in->others.p + *from, to - *from };

	*from = to;
	return cmd_stdout(text, err);
}

/* What was held back goes out as the list that it is, and so does what follows. */
enum est_code inspect_release(struct inspect *in, struct est_error *err)
{
	struct est_cert_info info = { 0 };
	enum est_code rc = EST_OK;
	size_t from = 0;

	inspect_progress_end(in);
	for (size_t i = 0; rc == EST_OK && i < in->bag.n; i++) {
		const struct bag_cert *cert = &in->bag.cert[i];

		if (i > 0)
			rc = cmd_stdout(est_span_str("\n"), err);
		if (rc == EST_OK)
			rc = put_others(in, &from, cert->others, err);
		if (rc == EST_OK)
			rc = est_cert_info(cert->der, &info, err);
		if (rc == EST_OK)
			rc = cert_as_text(in, cert->file, cert->index, cert->der, &info, err);
		if (rc == EST_OK)
			rc = cmd_stdout(est_buf_span(&in->text), err);
		est_cert_info_wipe(&info);
	}
	if (rc == EST_OK && in->others.n > from) {
		if (in->bag.n > 0)
			rc = cmd_stdout(est_span_str("\n"), err);
		if (rc == EST_OK)
			rc = put_others(in, &from, in->others.n - 1, err);
	}
	in->n_shown = in->bag.n + in->others.n > 0;
	in->hold = in->may_tell = false; /* the terminal is written to from now on */
	in->keep = in->cmd->v.verify || in->bag.n_crls > 0;
	if (!in->keep) {
		in->keep_cas = in->keep_crls = false;
		bag_wipe(&in->bag);
	}
	return rc;
}

/* Whether it is signed by its own key costs a millisecond, and a tree finds out by itself. */
static enum est_code read_cert(const struct inspect *in, struct est_span der,
	struct est_cert_info *out, struct est_error *err)
{
	bool tree = in->hold || (in->tree && !in->cmd->json);

	return tree && !in->gates ? est_cert_words(der, out, err) : est_cert_info(der, out, err);
}

static enum est_code on_cert(struct inspect *in, const struct est_object *object,
	struct est_error *err)
{
	struct est_cert_info info = { 0 };
	struct json_object *o = NULL;
	struct est_error why;
	bool shown = !in->silent && !in->tree && !in->hold;
	enum est_code rc;

	rc = read_cert(in, object->der, &info, &why);
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
	if (rc == EST_OK && (in->keep || (in->keep_cas && info.ca)))
		rc = bag_add(in, object, &info, err);
	if (rc == EST_OK && in->cmd->json) {
		o = cmd_json_cert(&info);
		rc = add_details(in, EST_FILE_CERT, object->der, o, err);
		if (rc == EST_OK)
			rc = end_object(in, object, o, "certificates", err);
		else
			json_object_put(o);
	} else if (rc == EST_OK) {
		in->n_objects++;
		if (shown)
			rc = cert_as_text(in, in->file, object->index, object->der, &info, err);
		if (rc == EST_OK && shown)
			rc = flush_text(in, err);
	}
	if (rc == EST_OK && in->hold && in->bag.n > TREE_MAX)
		rc = inspect_release(in, err);
	est_cert_info_wipe(&info);
	return rc;
}

static enum est_code on_entry(void *ctx, const struct est_crl_entry *entry, struct est_error *err)
{
	struct inspect *in = ctx;
	enum est_code rc;

	if (in->cmd->v.json_lines) {
		struct json_object *o = json_entry(entry);

		add_place(o, in, in->object);
		return inspect_json(in, "entries", o, err);
	}
	if (in->cmd->json)
		return inspect_json_entry(in, json_entry(entry), err);
	rc = text_entry(entry, &in->text, err);
	if (rc == EST_OK && !in->hold && !in->silent && in->text.n > TEXT_BYTES)
		rc = flush_text(in, err);
	return rc;
}

static enum est_code add_entries(struct inspect *in, const struct est_object *object,
	struct json_object *o, struct est_error *err)
{
	if (!in->cmd->v.entries)
		return EST_OK;
	in->n_entries = 0;
	if (o)
		json_object_object_add(o, "entries", in->entries = json_object_new_array());
	return est_crl_entries(object->der, on_entry, in, err);
}

union info {
	struct est_csr_info csr;
	struct est_crl_info crl;
	struct est_cms_info cms;
	struct est_csrattrs *attrs;
};

/* What an object of a kind other than a certificate has to say of itself. */
static enum est_code read_info(struct inspect *in, const struct est_object *object,
	union info *info, struct est_error *err)
{
	switch (object->kind) {
	case EST_FILE_CSR:
		return est_csr_info(object->der, &info->csr, err);
	case EST_FILE_CRL:
		return est_crl_info(object->der, &info->crl, err);
	case EST_FILE_CSRATTRS:
		return est_csrattrs_decode(object->der, &in->quirks, &info->attrs, err);
	default:
		return est_cms_info(object->der, &info->cms, err);
	}
}

static void wipe_info(enum est_file_kind kind, union info *info)
{
	switch (kind) {
	case EST_FILE_CSR:
		est_csr_info_wipe(&info->csr);
		break;
	case EST_FILE_CRL:
		est_crl_info_wipe(&info->crl);
		break;
	case EST_FILE_CSRATTRS:
		est_csrattrs_free(info->attrs);
		break;
	default:
		est_cms_info_wipe(&info->cms);
	}
}

static enum est_code info_text(struct inspect *in, const struct est_object *object,
	const union info *info, const char *name, struct est_error *err)
{
	enum est_code rc = EST_OK;

	in->text.n = 0;
	if (in->announced != object->index || in->announced_kind != object->kind)
		rc = begin_text(in, in->file, object->index, name, err);
	if (rc != EST_OK)
		return rc;
	switch (object->kind) {
	case EST_FILE_CSR:
		return text_csr(&info->csr, &in->text, err);
	case EST_FILE_CRL:
		return text_crl(&info->crl, &in->text, err);
	case EST_FILE_CSRATTRS:
		return text_csrattrs(info->attrs, &in->text, err);
	default:
		return text_cms(&info->cms, &in->text, err);
	}
}

static enum est_code info_json(const struct est_object *object, const union info *info,
	struct json_object **out, struct est_error *err)
{
	switch (object->kind) {
	case EST_FILE_CSR:
		*out = cmd_json_csr(&info->csr);
		return EST_OK;
	case EST_FILE_CRL:
		*out = json_crl(&info->crl);
		return EST_OK;
	case EST_FILE_CSRATTRS:
		return json_csrattrs(info->attrs, out, err);
	default:
		*out = json_cms(&info->cms);
		return EST_OK;
	}
}

/* Requests, CRLs, CSR attributes, CMS messages. */
static enum est_code on_other(struct inspect *in, const struct est_object *object, const char *name,
	const char *list, struct est_error *err)
{
	bool more = object->kind == EST_FILE_CSR || object->kind == EST_FILE_CRL;
	struct json_object *o = NULL;
	/* Entries that are printed as they are read follow the rest of their CRL. */
	bool behind = object->kind == EST_FILE_CRL && in->cmd->v.entries &&
		      inspect_json_begins(in, list);
	struct est_error why = { 0 };
	union info info = { 0 };
	enum est_code rc = read_info(in, object, &info, &why);

	if (rc == EST_OK && object->kind == EST_FILE_CRL && in->keep_crls) {
		wipe_info(object->kind, &info);
		rc = crl_keep(in, object, &why);
		goto out;
	}
	if (rc != EST_OK)
		goto out;
	rc = in->cmd->json ? info_json(object, &info, &o, &why)
			   : info_text(in, object, &info, name, &why);
	if (rc == EST_OK && in->crl && o)
		crl_json(in, in->crl, o);
	else if (rc == EST_OK && in->crl)
		rc = crl_text(in, in->crl, &in->text, &why);
	if (rc == EST_OK && more)
		rc = add_details(in, object->kind, object->der, o, &why);
	if (rc == EST_OK && object->kind == EST_FILE_CRL && !behind)
		rc = add_entries(in, object, o, &why);
	wipe_info(object->kind, &info);
	if (rc == EST_OK && object->kind == EST_FILE_CSR && in->gates)
		rc = gates_csr(in->gates, object, &why);
	if (rc == EST_OK) {
		rc = end_object(in, object, o, list, &why);
		o = NULL;
	}
	if (rc == EST_OK && behind) {
		rc = add_entries(in, object, NULL, &why);
		if (!in->cmd->v.json_lines && rc != EST_E_OUTPUT)
			rc = inspect_json_entries_end(in, rc, &why);
	}
out:
	json_object_put(o);
	if (rc == EST_E_PROTOCOL) {
		report_broken(in, object, &why);
		return EST_OK;
	}
	if (rc != EST_OK)
		*err = why;
	return rc;
}

/* A public key alone says which it is, to be found again in a certificate's details. */
static enum est_code add_public_key(struct inspect *in, const struct est_object *object,
	struct json_object *o, struct est_error *err)
{
	char sha256[EST_SHA256_HEX], *key = NULL;
	struct est_error ignored;
	enum est_code rc;

	if (object->kind != EST_FILE_PUBLIC_KEY ||
		est_public_key_info(object->der, &key, sha256, &ignored) != EST_OK)
		return EST_OK; /* RSAPublicKey has no algorithm */
	rc = add_span(in, "key", "key", est_span_str(key), o, err);
	free(key);
	return rc == EST_OK
		       ? add_span(in, "spki-sha256", "spki_sha256", est_span_str(sha256), o, err)
		       : rc;
}

/* Keys and other blocks are named and not opened. */
static enum est_code on_named(struct inspect *in, const struct est_object *object,
	struct est_error *err)
{
	const char *name = est_file_kind_text(object->kind);
	struct json_object *o = NULL;
	enum est_code rc = EST_OK;
	char label[80] = "";

	if (object->kind == EST_FILE_OTHER_PEM)
		name = "other PEM block";
	else if (strncmp(name, "a ", 2) == 0 || strncmp(name, "an ", 3) == 0)
		name = strchr(name, ' ') + 1;
	if (object->label.n > 0)
		(void)est_escape(label, sizeof(label), object->label);
	if (in->cmd->json) {
		o = json_object_new_object();
		jsonc_string(o, "kind", name);
		jsonc_string(o, "label", *label ? label : NULL);
	} else {
		rc = begin_text(in, in->file, object->index, name, err);
		if (rc == EST_OK && *label)
			rc = text_line(&in->text, "label", label, err);
	}
	if (rc == EST_OK)
		rc = add_span(in, "friendly-name", "friendly_name", object->name, o, err);
	if (rc == EST_OK)
		rc = add_span(in, "protection", "protection", object->protection, o, err);
	if (rc == EST_OK)
		rc = add_public_key(in, object, o, err);
	if (rc == EST_OK)
		return end_object(in, object, o, "keys", err);
	json_object_put(o);
	return rc;
}

/* What is shown one after the other can begin before it is known to its end. */
enum est_code inspect_begins(void *ctx, const struct est_object *object, struct est_error *err)
{
	const char *name = object->kind == EST_FILE_CRL ? "crl" : "message";
	struct inspect *in = ctx;
	enum est_code rc;

	if (in->cmd->json || in->silent || in->hold || (object->kind == EST_FILE_CRL && in->tree))
		return EST_OK;
	rc = begin_text(in, in->file, object->index, name, err);
	if (rc == EST_OK)
		rc = flush_text(in, err);
	in->announced = object->index;
	in->announced_kind = object->kind;
	return rc == EST_OK ? cmd_flush(err) : rc;
}

enum est_code inspect_object(void *ctx, const struct est_object *object, struct est_error *err)
{
	struct inspect *in = ctx;

	if (cmd_stop)
		return est_fail(err, EST_E_INTERRUPTED, "interrupted");
	inspect_progress(in, "%zu objects, %s", in->n_objects, in->file);
	if (object->broken) {
		report_broken(in, object, object->broken);
		return EST_OK;
	}
	in->object = object;
	switch (object->kind) {
	case EST_FILE_CERT:
	case EST_FILE_TRUSTED_CERT:
		return on_cert(in, object, err);
	case EST_FILE_CSR:
		return on_other(in, object, "request", "requests", err);
	case EST_FILE_CRL:
		return on_other(in, object, "crl", "crls", err);
	case EST_FILE_CSRATTRS:
		return on_other(in, object, "csrattrs", "csrattrs", err);
	case EST_FILE_OTHER_CMS:
		if (object->der.n > 0)
			return on_other(in, object, "message", "messages", err);
		return on_named(in, object, err);
	case EST_FILE_PKCS12: /* only what was in it, and came before, can be left out */
		return in->work ? EST_OK : on_named(in, object, err);
	default:
		return on_named(in, object, err);
	}
}

/* SPDX-License-Identifier: MIT */
/* Objects as JSON; the names are those of the text, with underscores. */
#include "inspect_show.h"

#include <limits.h>

#include "jsonc.h"

#include "cmd.h"

static void add_bits(struct json_object *o, const char *name, unsigned bits)
{
	json_object_object_add(o, name,
		bits == UINT_MAX ? NULL : json_object_new_int64((int64_t)bits));
}

static void add_extensions(struct json_object *o, const char *name, const struct est_extension *e,
	size_t n)
{
	struct json_object *list = json_object_new_array(), *one;

	json_object_object_add(o, name, list);
	for (size_t i = 0; i < n; i++) {
		one = json_object_new_object();
		jsonc_string(one, "oid", e[i].oid);
		jsonc_string(one, "name", e[i].name);
		jsonc_bool(one, "critical", e[i].critical);
		jsonc_string(one, "value", e[i].value);
		json_object_array_add(list, one);
	}
}

struct json_object *json_details(enum est_file_kind kind, const struct est_cert_details *d)
{
	struct json_object *o = json_object_new_object();

	jsonc_number(o, "version", d->version);
	add_bits(o, "key_bits", kind == EST_FILE_CRL ? UINT_MAX : d->key_bits);
	add_bits(o, "signature_bits", d->signature_bits);
	jsonc_string(o, "spki_sha256", *d->spki_sha256 ? d->spki_sha256 : NULL);
	add_extensions(o, "extensions", d->extension, d->n_extensions);
	if (kind == EST_FILE_CSR)
		add_extensions(o, "attributes", d->attribute, d->n_attributes);
	return o;
}

struct json_object *json_crl(const struct est_crl_info *info)
{
	struct json_object *o = json_object_new_object();

	jsonc_string(o, "issuer", info->issuer);
	json_object_object_add(o, "this_update", cmd_json_time(info->this_update));
	json_object_object_add(o, "next_update",
		info->has_next_update ? cmd_json_time(info->next_update) : NULL);
	jsonc_string(o, "number", info->number);
	jsonc_string(o, "signature", info->signature);
	jsonc_number(o, "revoked", info->n_revoked);
	jsonc_string(o, "sha256", info->sha256);
	return o;
}

struct json_object *json_entry(const struct est_crl_entry *entry)
{
	struct json_object *o = json_object_new_object();

	jsonc_string(o, "serial", entry->serial);
	json_object_object_add(o, "revoked", cmd_json_time(entry->revoked));
	jsonc_string(o, "reason", entry->reason);
	json_object_object_add(o, "since", entry->has_since ? cmd_json_time(entry->since) : NULL);
	if (entry->n_extensions > 0)
		add_extensions(o, "extensions", entry->extension, entry->n_extensions);
	return o;
}

struct json_object *json_cms(const struct est_cms_info *info)
{
	struct json_object *o = json_object_new_object();

	jsonc_string(o, "content_type", info->type);
	jsonc_string(o, "content", info->content);
	jsonc_string(o, "encryption", info->encryption);
	json_object_object_add(o, "recipients",
		cmd_json_strings(info->recipients, info->n_recipients));
	json_object_object_add(o, "signers", cmd_json_strings(info->signers, info->n_signers));
	jsonc_string(o, "sha256", info->sha256);
	return o;
}

static enum est_code json_attr(const struct est_csrattr *attr, struct json_object *o,
	struct est_error *err)
{
	struct json_object *values = json_object_new_array();
	struct est_buf text = { 0 };
	enum est_code rc = EST_OK;

	jsonc_string(o, "oid", attr->oid);
	jsonc_string(o, "name", attr->name);
	jsonc_string(o, "kind", attr->attribute ? "attribute" : "oid");
	json_object_object_add(o, "values", values);
	for (size_t i = 0; i < attr->n_values && rc == EST_OK; i++) {
		text.n = 0;
		rc = est_csrattr_value_text(attr, i, &text, err);
		if (rc == EST_OK)
			json_object_array_add(values,
				json_object_new_string_len((const char *)text.p, (int)text.n));
	}
	est_buf_free(&text);
	return rc;
}

enum est_code json_csrattrs(const struct est_csrattrs *attrs, struct json_object **out,
	struct est_error *err)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array(), *attr;
	enum est_code rc = EST_OK;

	json_object_object_add(o, "attributes", list);
	for (size_t i = 0; i < est_csrattrs_count(attrs) && rc == EST_OK; i++) {
		attr = json_object_new_object();
		json_object_array_add(list, attr);
		rc = json_attr(est_csrattrs_get(attrs, i), attr, err);
	}
	if (rc == EST_OK)
		*out = o;
	else
		json_object_put(o);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* est csrattrs: what the CA wants in a request (RFC 7030 section 4.5, RFC 9908). */
#include "request.h"

#include <string.h>

#include "jsonc.h"

static const struct cmd_option options[] = {
	{ "from", 0, CMD_STRING, CMD_AT(from), "FILE", NULL,
		"read the attributes from FILE, ask no server" },
	{ "explain", 0, CMD_FLAG, CMD_AT(explain), NULL, NULL, "say what enroll makes of them" },
	{ "output", 'o', CMD_STRING, CMD_AT(output), "FILE", NULL,
		"where they go (default: standard output)" },
	{ "outform", 0, CMD_STRING, CMD_AT(outform), "FORM", NULL, "text (default), der or b64" },
	{ 0 },
};

static enum est_code render_value(const struct est_csrattr *attr, size_t i, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = est_buf_append(out, est_span_str("\n    "), err);

	return rc == EST_OK ? est_csrattr_value_text(attr, i, out, err) : rc;
}

static enum est_code render_text(const struct est_csrattrs *attrs, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < est_csrattrs_count(attrs); i++) {
		const struct est_csrattr *a = est_csrattrs_get(attrs, i);

		rc = est_buf_printf(out, err, "%s %s%s", a->oid,
			a->name ? a->name : "(unknown, ignored)", a->attribute ? ":" : "");
		for (size_t v = 0; rc == EST_OK && v < a->n_values; v++)
			rc = render_value(a, v, out, err);
		if (rc == EST_OK)
			rc = est_buf_append(out, est_span_str("\n"), err);
	}
	return rc;
}

static enum est_code json_attr(const struct est_csrattr *a, struct json_object *o,
	struct est_error *err)
{
	struct json_object *values = json_object_new_array();
	struct est_buf text = { 0 };
	enum est_code rc = EST_OK;

	jsonc_string(o, "oid", a->oid);
	jsonc_string(o, "name", a->name);
	jsonc_string(o, "kind", a->attribute ? "attribute" : "oid");
	json_object_object_add(o, "values", values);
	for (size_t v = 0; rc == EST_OK && v < a->n_values; v++) {
		text.n = 0;
		rc = est_csrattr_value_text(a, v, &text, err);
		if (rc == EST_OK)
			json_object_array_add(values,
				json_object_new_string_len((const char *)text.p, (int)text.n));
	}
	est_buf_free(&text);
	return rc;
}

static enum est_code json_attrs(struct cmd *cmd, const struct est_csrattrs *attrs)
{
	struct json_object *array, *o;
	enum est_code rc = EST_OK;

	if (!cmd->json)
		return EST_OK;
	array = json_object_new_array();
	json_object_object_add(cmd->json, "csrattrs", array);
	for (size_t i = 0; rc == EST_OK && attrs && i < est_csrattrs_count(attrs); i++) {
		o = json_object_new_object();
		json_object_array_add(array, o);
		rc = json_attr(est_csrattrs_get(attrs, i), o, &cmd->err);
	}
	return rc;
}

static enum est_code render(const struct est_csrattrs *attrs, const char *form, struct est_buf *out,
	struct est_error *err)
{
	if (!attrs)
		return EST_OK; /* no demands: nothing to print */
	if (!form || strcmp(form, "text") == 0)
		return render_text(attrs, out, err);
	if (strcmp(form, "der") == 0)
		return est_buf_append(out, est_csrattrs_der(attrs), err);
	return est_base64_append(out, est_csrattrs_der(attrs), err);
}

/* What est would do, line by line; the operator's part is not known here. */
static enum est_code explain(struct cmd *cmd, const struct est_csrattrs *attrs, struct est_buf *out)
{
	struct est_span notes, wants, does;
	struct est_plan plan = { 0 };
	enum est_code rc = EST_OK;

	if (attrs)
		rc = est_plan_make(NULL, "ec:p256", false, attrs, &plan, &cmd->err);
	notes = est_buf_span(&plan.notes);
	while (rc == EST_OK && attrs_note_next(&notes, &wants, &does))
		rc = est_buf_printf(out, &cmd->err, "%.*s: %.*s\n", (int)wants.n,
			(const char *)wants.p, (int)does.n, (const char *)does.p);
	if (rc == EST_OK)
		attrs_report(cmd, &plan);
	est_plan_wipe(&plan);
	return rc;
}

static enum est_code check_options(struct cmd *cmd)
{
	const char *form = cmd->v.outform;
	unsigned ignored;
	enum est_code rc = cmd_no_operands(cmd);

	if (rc == EST_OK)
		rc = cmd_choice(cmd, "outform", form, "text, der, b64", &ignored);
	if (rc != EST_OK)
		return rc;
	if (form && cmd->v.explain)
		return est_fail(&cmd->err, EST_E_USAGE,
			"--explain is text of its own: no --outform with it");
	return cmd_check_stdout(cmd, cmd->v.output);
}

static enum est_code run(struct cmd *cmd)
{
	struct est_csrattrs *attrs = NULL;
	struct est_client *client = NULL;
	struct est_output *out = NULL;
	struct est_buf text = { 0 };
	enum est_code rc;

	rc = check_options(cmd);
	if (rc == EST_OK && !cmd->v.from)
		rc = cmd_client(cmd, &client);
	if (rc == EST_OK)
		rc = cmd_output(cmd, cmd->v.output, 0, &out);
	if (rc == EST_OK && cmd->v.dry_run)
		cmd_json_string(cmd, "action", "dry-run");
	if (rc != EST_OK || cmd->v.dry_run)
		goto out;
	if (cmd->v.from) {
		rc = attrs_from_file(cmd, &attrs);
	} else {
		rc = est_csrattrs(client, &attrs, &cmd->err);
		cmd_report_session(cmd, client);
	}
	if (rc == EST_OK && !attrs)
		cmd_verbose(cmd, "the CA has no demands");
	if (rc == EST_OK)
		rc = cmd->v.explain ? explain(cmd, attrs, &text)
				    : render(attrs, cmd->v.outform, &text, &cmd->err);
	if (rc == EST_OK)
		rc = json_attrs(cmd, attrs);
	if (rc == EST_OK)
		rc = cmd_deliver(cmd, out, est_buf_span(&text));
	if (rc == EST_OK)
		cmd_json_string(cmd, "action", cmd->v.from ? "read" : "fetched");
out:
	est_buf_free(&text);
	est_csrattrs_free(attrs);
	est_output_free(out);
	est_client_free(client);
	return rc;
}

const struct cmd_applet csrattrs_applet = {
	.operands = "",
	.groups = { cmd_options_network, options, cmd_options_dry_run, cmd_options_common },
	.run = run,
};

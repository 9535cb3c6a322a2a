/* SPDX-License-Identifier: MIT */
/* The CA's CSR attributes on their way into a request (RFC 7030 section 4.5, RFC 9908). */
#include "request.h"

#include <string.h>

#include "jsonc.h"

enum est_code attrs_check(struct cmd *cmd)
{
	unsigned ignored;
	enum est_code rc = cmd_choice(cmd, "csrattrs", cmd->v.csrattrs, "auto, ignore, require",
		&ignored);

	if (rc == EST_OK && cmd->v.csr && attrs_required(cmd))
		return est_fail(&cmd->err, EST_E_USAGE,
			"--csr is sent as it is: CSR attributes could not change it");
	return rc;
}

bool attrs_required(const struct cmd *cmd)
{
	return cmd->v.csrattrs && strcmp(cmd->v.csrattrs, "require") == 0;
}

enum est_code attrs_from_file(struct cmd *cmd, struct est_csrattrs **out)
{
	struct est_quirks quirks = { .strict = cmd->v.strict };
	static const char sent[] = "response body: "; /* which this is not */
	struct est_error why;
	struct est_buf text = { 0 }, der = { 0 };
	enum est_code rc;

	rc = est_read_file(cmd->v.from, EST_FILE_MAX, &text, &cmd->err);
	if (rc == EST_OK && text.n > 0 && text.p[0] == 0x30)
		rc = est_buf_append(&der, est_buf_span(&text), &cmd->err); /* a file may be DER */
	else if (rc == EST_OK)
		rc = est_body_decode(est_buf_span(&text), &quirks, &der, &cmd->err);
	if (rc == EST_OK)
		rc = est_csrattrs_decode(est_buf_span(&der), &quirks, out, &cmd->err);
	if (rc == EST_E_PROTOCOL) { /* it is a local file */
		why = cmd->err;
		rc = est_fail(&cmd->err, cmd->v.strict ? rc : EST_E_INPUT, "%s: %s", cmd->v.from,
			why.msg + (strncmp(why.msg, sent, strlen(sent)) ? 0 : strlen(sent)));
		est_reason(&cmd->err, why.reason);
	}
	cmd_json_quirks(cmd, &quirks);
	est_buf_free(&der);
	est_buf_free(&text);
	return rc;
}

enum est_code attrs_fetch(struct cmd *cmd, struct est_client *client, struct est_csrattrs **out)
{
	struct est_csrattrs *attrs = NULL;
	enum est_code rc;

	if (cmd->v.csrattrs && strcmp(cmd->v.csrattrs, "ignore") == 0)
		return EST_OK;
	rc = est_csrattrs(client, &attrs, &cmd->err);
	if (rc == EST_E_REFUSED && cmd->err.http_status == 501)
		rc = EST_OK; /* the operation is optional (RFC 7030 section 3.2.2) */
	if (rc == EST_OK && attrs_required(cmd) && (!attrs || est_csrattrs_count(attrs) == 0)) {
		rc = est_fail(&cmd->err, EST_E_REFUSED,
			"the server has no CSR attributes, and --csrattrs require asks for some");
		est_reason(&cmd->err, "no-csrattrs");
	} else if (!cmd->err.hint[0] && (rc == EST_E_PROTOCOL || rc == EST_E_REFUSED ||
						rc == EST_E_SERVER || rc == EST_E_AUTH)) {
		est_hint(&cmd->err, "--csrattrs ignore does not ask for CSR attributes");
	}
	if (rc == EST_OK)
		*out = attrs;
	else
		est_csrattrs_free(attrs);
	return rc;
}

bool attrs_note_next(struct est_span *notes, struct est_span *wants, struct est_span *does)
{
	const uint8_t *end = notes->n ? memchr(notes->p, '\n', notes->n) : NULL;
	const uint8_t *tab = end ? memchr(notes->p, '\t', (size_t)(end - notes->p)) : NULL;

	if (!tab)
		return false;
	*wants = (struct est_span){ notes->p, (size_t)(tab - notes->p) };
	*does = (struct est_span){ tab + 1, (size_t)(end - tab - 1) };
	*notes = (struct est_span){ end + 1, notes->n - (size_t)(end + 1 - notes->p) };
	return true;
}

void attrs_report(struct cmd *cmd, const struct est_plan *plan)
{
	struct json_object *list = json_object_new_array(), *o;
	struct est_span notes = est_buf_span(&plan->notes), wants, does;

	while (attrs_note_next(&notes, &wants, &does)) {
		cmd_verbose(cmd, "the CA wants %.*s: %.*s", (int)wants.n, (const char *)wants.p,
			(int)does.n, (const char *)does.p);
		o = json_object_new_object();
		json_object_object_add(o, "wants",
			json_object_new_string_len((const char *)wants.p, (int)wants.n));
		json_object_object_add(o, "does",
			json_object_new_string_len((const char *)does.p, (int)does.n));
		json_object_array_add(list, o);
	}
	cmd_json_array(cmd, "explanation", list);
}

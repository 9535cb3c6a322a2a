/* SPDX-License-Identifier: MIT */
/* The object of --json, which is begun before its end is known: the first of its long lists goes
 * out as it grows, so that the memory does not.  It looks as json-c would print all of it. */
#include <stdio.h>
#include <string.h>

#include "jsonc.h"

#include "inspect.h"

#define ENTRIES_MAX 20000 /* of the CRLs that wait for the end */

bool inspect_json_begins(struct inspect *in, const char *name)
{
	if (!in->cmd->json || in->cmd->v.json_lines)
		return in->cmd->v.json_lines;
	if (in->streamed)
		return strcmp(in->streamed, name) == 0;
	if (strcmp(name, "certificates") && strcmp(name, "requests") && strcmp(name, "crls"))
		return false;
	in->streamed = name;
	json_object_object_del(in->cmd->json, name);
	return true;
}

static const char *to_text(struct inspect *in, struct json_object *o, struct est_error *err)
{
	const char *text = json_object_to_json_string_ext(o,
		(in->cmd->v.json_lines ? 0 : JSON_C_TO_STRING_PRETTY) |
			JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text && !jsonc_lost())
		return text;
	est_fail(err, EST_E_INTERNAL, "out of memory");
	return NULL;
}

/* Lines behind the first are indented. */
static enum est_code put_lines(const char *lead, struct est_span text, const char *indent,
	struct est_error *err)
{
	enum est_code rc = cmd_stdout(est_span_str(lead), err);

	while (rc == EST_OK && text.n > 0) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) + 1 : text.n;

		rc = cmd_stdout((struct est_span){ text.p, n }, err);
		text = (struct est_span){ text.p + n, text.n - n };
		if (rc == EST_OK && end)
			rc = cmd_stdout(est_span_str(indent), err);
	}
	return rc;
}

enum est_code inspect_json(struct inspect *in, const char *name, struct json_object *o,
	struct est_error *err)
{
	bool crl = strcmp(name, "crls") == 0 && in->cmd->v.entries;
	struct est_span span;
	const char *text;
	char lead[40];
	enum est_code rc = EST_E_INTERNAL;

	if (!inspect_json_begins(in, name)) {
		json_object_array_add(json_object_object_get(in->cmd->json, name), o);
		return EST_OK;
	}
	if (in->cmd->v.json_lines)
		json_object_object_add(o, "type", json_object_new_string(name));
	text = to_text(in, o, err);
	if (text && in->cmd->v.json_lines) {
		rc = cmd_stdout(est_span_str(text), err);
		if (rc == EST_OK)
			rc = cmd_stdout(est_span_str("\n"), err);
	} else if (text) {
		(void)snprintf(lead, sizeof(lead), "{\n  \"%s\":[\n    ", in->streamed);
		span = est_span_str(text);
		span.n -= crl ? strlen("\n}") : 0; /* its entries follow */
		rc = put_lines(in->cmd->json_begun ? ",\n    " : lead, span, "    ", err);
		in->cmd->json_begun = true;
	}
	json_object_put(o);
	return rc;
}

enum est_code inspect_json_entry(struct inspect *in, struct json_object *o, struct est_error *err)
{
	const char *text;
	enum est_code rc;

	if (!in->streamed || strcmp(in->streamed, "crls") != 0) {
		if (++in->n_held <= ENTRIES_MAX) {
			json_object_array_add(in->entries, o);
			return EST_OK;
		}
		json_object_put(o);
		est_fail(err, EST_E_PROTOCOL, "more than %d entries, which one object cannot hold",
			ENTRIES_MAX);
		return est_hint(err, "--json-lines prints each as it is read");
	}
	text = to_text(in, o, err);
	rc = text ? put_lines(in->n_entries++ > 0 ? ",\n        "
						  : ",\n      \"entries\":[\n        ",
			    est_span_str(text), "        ", err)
		  : EST_E_INTERNAL;
	json_object_put(o);
	return rc;
}

enum est_code inspect_json_entries_end(struct inspect *in, enum est_code rc, struct est_error *err)
{
	struct est_error other;
	enum est_code end = cmd_stdout(est_span_str(
					       in->n_entries > 0
						       ? "\n      ]\n    }"
						       : ",\n      \"entries\":[\n      ]\n    }"),
		&other);

	if (rc == EST_OK && end != EST_OK)
		*err = other;
	return rc == EST_OK ? end : rc;
}

/* SPDX-License-Identifier: MIT */
/* A config file: nothing of it is shown raw, and what is taken from it stays inside its text. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cmd_option *const groups[] = { cmd_options_network, cmd_options_request,
	cmd_options_common, NULL };

static bool known(const char *name)
{
	return strcmp(name, "renew-before") == 0;
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_inside(const struct est_buf *text, const char *value)
{
	const uint8_t *p = (const uint8_t *)value;

	check(p >= text->p && p + strlen(value) < text->p + text->n);
}

static void check_values(const struct est_buf *text, const struct cmd_values *v, bool taken)
{
	for (const struct cmd_option *const *g = groups; *g; g++) {
		for (const struct cmd_option *o = *g; o->name; o++) {
			const void *at = (const char *)v + o->at;
			const struct cmd_list *list = at;
			const char *string;

			if (o->kind == CMD_STRING) {
				memcpy(&string, at, sizeof(string));
				if (string)
					check_inside(text, string);
			} else if (o->kind == CMD_LIST) {
				check(list->n <= 1024 && (list->n > 0) == (list->v != NULL));
				for (size_t i = 0; i < list->n; i++)
					check_inside(text, list->v[i]);
				check(!list->v || !list->v[list->n]);
			}
		}
	}
	check(v->max_time_ms <= 86400000 && v->connect_timeout_ms <= 86400000);
	check(v->max_size <= 0x7fffffff);
	check(!v->config && !v->help && !v->version);
	check(!taken || !v->server || *v->server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmd_parsed parsed = { 0 };
	struct est_error err = { 0 };
	enum est_code rc;

	if (est_buf_append(&parsed.config, (struct est_span){ data, size }, &err) != EST_OK)
		return 0;
	rc = cmd_parse_config(groups, "file", &parsed.config, known, &parsed.v, &err);
	check(rc == EST_OK || (rc == EST_E_USAGE && err.code == rc));
	if (rc == EST_OK)
		check(!memchr(data ? data : (const uint8_t *)"", 0, size));
	else
		check(strncmp(err.msg, "file:", 5) == 0);
	for (const char *p = err.msg; *p; p++)
		check((unsigned char)*p >= ' ' && *p != 0x7f);
	check_values(&parsed.config, &parsed.v, rc == EST_OK);
	cmd_parsed_wipe(groups, &parsed);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* The one JSON object of --json. */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

#include "jsonc.h"

void cmd_json_string(struct cmd *cmd, const char *name, const char *value)
{
	if (cmd->json)
		jsonc_string(cmd->json, name, value);
}

void cmd_json_text(struct cmd *cmd, const char *name, struct est_span text)
{
	if (cmd->json)
		json_object_object_add(cmd->json, name,
			json_object_new_string_len((const char *)text.p, (int)text.n));
}

void cmd_json_bool(struct cmd *cmd, const char *name, bool value)
{
	if (cmd->json)
		jsonc_bool(cmd->json, name, value);
}

bool cmd_time_text(time_t when, char *out, size_t size)
{
	struct tm tm;

	if (gmtime_r(&when, &tm) && strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		return true;
	(void)snprintf(out, size, "?");
	return false;
}

struct json_object *cmd_json_time(time_t when)
{
	char text[40];

	return cmd_time_text(when, text, sizeof(text)) ? json_object_new_string(text) : NULL;
}

struct json_object *cmd_json_strings(char *const *v, size_t n)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(array, json_object_new_string(v[i]));
	return array;
}

struct json_object *cmd_json_cert(const struct est_cert_info *info)
{
	struct json_object *o = json_object_new_object();

	jsonc_string(o, "subject", info->subject);
	jsonc_string(o, "issuer", info->issuer);
	jsonc_string(o, "serial", info->serial);
	json_object_object_add(o, "not_before", cmd_json_time(info->not_before));
	json_object_object_add(o, "not_after", cmd_json_time(info->not_after));
	jsonc_string(o, "key", info->key);
	jsonc_string(o, "signature", info->signature);
	json_object_object_add(o, "sans", cmd_json_strings(info->sans, info->n_sans));
	json_object_object_add(o, "key_usage",
		cmd_json_strings(info->key_usage, info->n_key_usage));
	json_object_object_add(o, "ext_key_usage",
		cmd_json_strings(info->ext_key_usage, info->n_ext_key_usage));
	jsonc_bool(o, "ca", info->ca);
	json_object_object_add(o, "path_len",
		info->path_len < 0 ? NULL : json_object_new_int(info->path_len));
	jsonc_bool(o, "self_signed", info->self_signed);
	jsonc_string(o, "sha256", info->sha256);
	return o;
}

struct json_object *cmd_json_csr(const struct est_csr_info *info)
{
	struct json_object *o = json_object_new_object();

	jsonc_string(o, "subject", info->subject);
	jsonc_string(o, "key", info->key);
	jsonc_string(o, "signature", info->signature);
	jsonc_bool(o, "verified", info->verified);
	json_object_object_add(o, "sans", cmd_json_strings(info->sans, info->n_sans));
	json_object_object_add(o, "key_usage",
		cmd_json_strings(info->key_usage, info->n_key_usage));
	json_object_object_add(o, "ext_key_usage",
		cmd_json_strings(info->ext_key_usage, info->n_ext_key_usage));
	json_object_object_add(o, "attributes",
		cmd_json_strings(info->attributes, info->n_attributes));
	jsonc_bool(o, "challenge_password", info->challenge_password);
	jsonc_string(o, "sha256", info->sha256);
	return o;
}

void cmd_json_array(struct cmd *cmd, const char *name, struct json_object *array)
{
	if (cmd->json)
		json_object_object_add(cmd->json, name, array);
	else
		json_object_put(array);
}

enum est_code cmd_json_certs(struct cmd *cmd, const struct est_certs *certs, bool pem)
{
	return cmd_json_cert_list(cmd, "certificates", certs, pem);
}

#define LISTING_MS 60000 /* without --max-time */

/* Whether a certificate is self-signed takes a signature, and an answer can be made for that. */
static enum est_code list_in_time(struct cmd *cmd)
{
	const unsigned max_ms = cmd->v.max_time_ms ? cmd->v.max_time_ms : LISTING_MS;
	struct timespec now;
	int64_t ms;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (!cmd->listing_ms)
		cmd->listing_ms = ms;
	if (ms - cmd->listing_ms > max_ms)
		return est_fail(&cmd->err, EST_E_TIMEOUT,
			"timed out while the certificates of the answer were listed");
	return EST_OK;
}

enum est_code cmd_json_cert_list(struct cmd *cmd, const char *name, const struct est_certs *certs,
	bool pem)
{
	struct est_cert_info info;
	struct json_object *array, *o;
	struct est_buf text = { 0 };
	enum est_code rc = EST_OK;

	if (!cmd->json)
		return EST_OK;
	array = json_object_new_array();
	json_object_object_add(cmd->json, name, array);
	for (size_t i = 0; rc == EST_OK && i < est_certs_count(certs); i++) {
		rc = list_in_time(cmd);
		if (rc == EST_OK)
			rc = est_cert_info(est_certs_get(certs, i), &info, &cmd->err);
		if (rc != EST_OK)
			break;
		o = cmd_json_cert(&info);
		est_cert_info_wipe(&info);
		if (pem)
			rc = est_pem_append(&text, "CERTIFICATE", est_certs_get(certs, i),
				&cmd->err);
		if (pem && rc == EST_OK)
			json_object_object_add(o, "pem",
				json_object_new_string_len((const char *)text.p, (int)text.n));
		text.n = 0;
		json_object_array_add(array, o);
	}
	est_buf_free(&text);
	return rc;
}

void cmd_json_quirks(struct cmd *cmd, const struct est_quirks *quirks)
{
	struct json_object *array;

	if (!cmd->json)
		return;
	array = json_object_new_array();
	for (int q = 0; q < EST_QUIRKS; q++) {
		if (quirks->seen & 1u << q)
			json_object_array_add(array, json_object_new_string(est_quirk_id(q)));
	}
	json_object_object_add(cmd->json, "deviations", array);
}

static struct json_object *error_object(const struct est_error *err)
{
	struct json_object *o = json_object_new_object();

	jsonc_number(o, "exit", cmd_exit_code(err->code));
	jsonc_string(o, "class", est_code_name(err->code));
	jsonc_string(o, "code", err->reason ? err->reason : est_code_name(err->code));
	jsonc_string(o, "message", err->msg);
	jsonc_string(o, "hint", err->hint[0] ? err->hint : NULL);
	jsonc_bool(o, "retryable", est_code_retryable(err->code));
	json_object_object_add(o, "http_status",
		err->http_status ? json_object_new_int(err->http_status) : NULL);
	json_object_object_add(o, "retry_after",
		err->retry_after_s < 0 ? NULL : json_object_new_int64(err->retry_after_s));
	return o;
}

/* Without memory for the object: that much is known without any. */
static void print_lost(const struct cmd *cmd)
{
	printf("{\"version\":\"" EST_VERSION "\",\"applet\":\"%s\",\"ok\":false,"
	       "\"error\":{\"exit\":1,\"class\":\"internal\",\"code\":\"internal\","
	       "\"message\":\"out of memory\",\"hint\":null,\"retryable\":false,"
	       "\"http_status\":null,\"retry_after\":null}}\n",
		cmd_name(cmd->applet));
}

void cmd_json_print(struct cmd *cmd, enum est_code rc)
{
	const char *text = NULL;

	cmd_json_string(cmd, "version", EST_VERSION);
	cmd_json_string(cmd, "applet", cmd_name(cmd->applet));
	cmd_json_bool(cmd, "ok", rc == EST_OK);
	if (rc != EST_OK && cmd->json)
		json_object_object_add(cmd->json, "error", error_object(&cmd->err));
	if (cmd->v.json_lines)
		cmd_json_string(cmd, "type", "result");
	if (cmd->profile)
		cmd_json_string(cmd, "profile", cmd->profile->name);
	if (!jsonc_lost())
		text = json_object_to_json_string_ext(cmd->json,
			(cmd->v.json_lines || cmd->profile ? 0 : JSON_C_TO_STRING_PRETTY) |
				JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		printf("%s\n", text);
	else
		print_lost(cmd);
}

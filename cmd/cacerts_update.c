/* SPDX-License-Identifier: MIT */
/* Stored anchors, refreshed from cron for as long as a device lives (RFC 7030 section 4.1.3). */
#include "cacerts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "jsonc.h"

#define AGE_MAX (3650L * 24 * 60 * 60)

/* Digits and a unit: s, m, h, d, w. */
static enum est_code parse_age(const char *text, time_t *out, struct est_error *err)
{
	static const struct {
		char letter;
		long seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	const char *p = text;
	char shown[80];
	long n = 0;

	for (; *p >= '0' && *p <= '9' && n <= AGE_MAX; p++)
		n = n * 10 + (*p - '0');
	for (size_t i = 0; p != text && i < sizeof(units) / sizeof(units[0]); i++) {
		if (*p != units[i].letter || p[1] || n > AGE_MAX / units[i].seconds)
			continue;
		*out = (time_t)(n * units[i].seconds);
		return EST_OK;
	}
	return est_fail(err, EST_E_USAGE, "--if-older: '%s' is not an age as 7d, 12h or 30m",
		est_escape(shown, sizeof(shown), est_span_str(text)));
}

enum est_code cacerts_check_update(struct cmd *cmd)
{
	const struct cmd_values *v = &cmd->v;
	time_t ignored;

	if (!v->update)
		return v->if_older
			       ? est_fail(&cmd->err, EST_E_USAGE, "--if-older goes with --update")
			       : EST_OK;
	if (v->bootstrap || v->output || v->system_trust)
		return est_fail(&cmd->err, EST_E_USAGE, "--update and %s exclude each other",
			v->bootstrap ? "--bootstrap"
			: v->output  ? "--output"
				     : "--system-trust");
	for (size_t i = 0; i < v->cacert.n; i++) {
		if (!est_same_file(v->cacert.v[i], v->update))
			return est_fail(&cmd->err, EST_E_USAGE,
				"--update has its own anchors: --cacert (or EST_CACERT) may name "
				"that file alone");
	}
	if (v->chain_out && est_same_file(v->chain_out, v->update))
		return est_fail(&cmd->err, EST_E_USAGE, "--update and --chain-out are one file");
	return v->if_older ? parse_age(v->if_older, &ignored, &cmd->err) : EST_OK;
}

/* Not when the file is younger than that, unless an anchor in it expires as soon. */
static enum est_code is_due(struct cmd *cmd, bool *due)
{
	struct est_certs *certs = NULL;
	struct est_cert_info info;
	time_t now = time(NULL), age;
	enum est_code rc;
	struct stat st;

	*due = true;
	if (!cmd->v.if_older)
		return EST_OK;
	rc = parse_age(cmd->v.if_older, &age, &cmd->err);
	if (rc == EST_OK)
		rc = est_certs_load(cmd->v.update, &certs, &cmd->err);
	if (rc != EST_OK || stat(cmd->v.update, &st) != 0)
		goto out;
	*due = st.st_mtime > now || now - st.st_mtime >= age; /* the future is a wrong clock */
	for (size_t i = 0; rc == EST_OK && !*due && i < est_certs_count(certs); i++) {
		rc = est_cert_info(est_certs_get(certs, i), &info, &cmd->err);
		if (rc == EST_OK) {
			*due = info.not_after - now < age;
			est_cert_info_wipe(&info);
		}
	}
out:
	est_certs_free(certs);
	return rc;
}

static const char *change_name(enum est_anchor_change change)
{
	return change == EST_ANCHOR_ADDED     ? "added"
	       : change == EST_ANCHOR_REMOVED ? "removed"
					      : "kept";
}

/* JSON has every anchor; one line has what changed. */
static enum est_code report_anchors(struct cmd *cmd, const struct est_update *u, bool *changed)
{
	struct json_object *array = json_object_new_array(), *o;
	struct est_buf line = { 0 };
	enum est_code rc = EST_OK;
	struct est_cert_info info;

	*changed = false;
	for (size_t i = 0; rc == EST_OK && i < u->n_notes; i++) {
		const struct est_anchor_note *note = &u->notes[i];

		rc = est_cert_info(note->cert, &info, &cmd->err);
		if (rc != EST_OK)
			break;
		o = json_object_new_object();
		jsonc_string(o, "subject", info.subject);
		jsonc_string(o, "sha256", info.sha256);
		jsonc_string(o, "change", change_name(note->change));
		jsonc_string(o, "why", note->why);
		json_object_array_add(array, o);
		if (note->change != EST_ANCHOR_KEPT)
			rc = est_buf_printf(&line, &cmd->err, "%s%s %s, sha256 %.16s... (%s)",
				*changed ? "; " : "", change_name(note->change), info.subject,
				info.sha256, note->why);
		*changed = *changed || note->change != EST_ANCHOR_KEPT;
		est_cert_info_wipe(&info);
	}
	cmd_json_array(cmd, "anchors", array);
	if (rc == EST_OK && *changed)
		cmd_notice(cmd, "%s: %.*s", cmd->v.update, (int)line.n, (const char *)line.p);
	est_buf_free(&line);
	return rc;
}

static enum est_code report(struct cmd *cmd, const struct est_update *u, bool *changed)
{
	size_t n = est_certs_count(u->certs.strays);
	enum est_code rc;

	if (n > 0)
		cmd_notice(cmd,
			"%zu of the certificates in the answer do not lead to an anchor and "
			"are not kept",
			n);
	rc = report_anchors(cmd, u, changed);
	if (rc == EST_OK)
		rc = cmd_json_certs(cmd, u->certs.anchors, false);
	if (rc == EST_OK)
		rc = cmd_json_cert_list(cmd, "intermediates", u->certs.intermediates,
			!cmd->v.chain_out);
	return rc == EST_OK ? cmd_json_cert_list(cmd, "strays", u->certs.strays, false) : rc;
}

enum est_code cacerts_update(struct cmd *cmd)
{
	const char *stored[] = { cmd->v.update, NULL };
	struct cacerts_files files = { 0 };
	struct est_client *client = NULL;
	struct est_update update = { 0 };
	bool due, changed = false;
	enum est_code rc;

	rc = is_due(cmd, &due);
	if (rc == EST_OK && !due) {
		cmd_json_string(cmd, "action", "not-due");
		cmd_json_bool(cmd, "changed", false);
		return EST_OK;
	}
	cmd->v.cacert = (struct cmd_list){ stored, 1 };
	if (rc == EST_OK)
		rc = cmd_client(cmd, &client);
	if (rc == EST_OK)
		rc = cacerts_open(cmd, cmd->v.update, &files);
	if (rc == EST_OK && cmd->v.dry_run)
		cmd_json_string(cmd, "action", "dry-run");
	if (rc != EST_OK || cmd->v.dry_run)
		goto out;
	rc = est_update_anchors(client, &update, &cmd->err);
	cmd_report_session(cmd, client);
	if (rc == EST_OK)
		rc = report(cmd, &update, &changed);
	files.keep = !changed;
	files.marked = est_client_session(client)->was_implicit;
	if (rc == EST_OK)
		rc = cacerts_deliver(cmd, &files, &update.certs);
	/* The content stays as it is, and the time says when it was looked at last. */
	if (rc == EST_OK && !changed && cmd->v.if_older)
		(void)utimensat(AT_FDCWD, cmd->v.update, NULL, 0);
	if (rc == EST_OK)
		cmd_json_string(cmd, "action", changed ? "updated" : "unchanged");
out:
	cmd->v.cacert = (struct cmd_list){ 0 };
	est_update_wipe(&update);
	cacerts_close(&files);
	est_client_free(client);
	return rc;
}

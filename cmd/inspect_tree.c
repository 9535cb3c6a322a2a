/* SPDX-License-Identifier: MIT */
/* est inspect --tree: who issued whom, which part each plays, and what a client would take. */
#include "inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "jsonc.h"

#define WIDTH       80 /* columns where nobody says otherwise */
#define WIDTH_MIN   60
#define WIDTH_MAX   400
#define INDENT_MAX  16 /* columns: deeper ones stand below each other */
#define ROLE_WIDTH  14
#define SUBJECT_MIN 12 /* columns of a subject, however wide the rest is */

struct tree {
	struct inspect *in;
	struct est_node *node;
	size_t *child, *next; /* the first issued one, the next of its issuer; EST_NO_ISSUER */
	size_t n, top;        /* the first without an issuer */
	int width, number_width;
	bool colour;
	struct est_buf line;
};

enum est_code tree_check(struct cmd *cmd)
{
	const char *when = cmd->v.color;

	if (when && strcmp(when, "auto") && strcmp(when, "always") && strcmp(when, "never"))
		return est_fail(&cmd->err, EST_E_USAGE, "--color is auto, always or never");
	return EST_OK;
}

static bool in_colour(const struct cmd *cmd)
{
	const char *when = cmd->v.color, *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when && strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static int terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
		size.ws_col == 0)
		return WIDTH;
	return size.ws_col < WIDTH_MIN   ? WIDTH_MIN
	       : size.ws_col > WIDTH_MAX ? WIDTH_MAX
					 : size.ws_col;
}

/* Children in the order of the files; a duplicate stands below what it repeats. */
static enum est_code link_all(struct tree *t, struct est_error *err)
{
	size_t *under;

	t->child = calloc(t->n + 1, sizeof(*t->child));
	t->next = calloc(t->n + 1, sizeof(*t->next));
	if (!t->child || !t->next)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	t->top = EST_NO_ISSUER;
	for (size_t i = 0; i < t->n; i++)
		t->child[i] = EST_NO_ISSUER;
	for (size_t i = t->n; i-- > 0;) {
		under = t->node[i].issuer == EST_NO_ISSUER ? &t->top : &t->child[t->node[i].issuer];
		t->next[i] = *under;
		*under = i;
	}
	return EST_OK;
}

/* The one to print after i; *depth follows. */
static size_t step(const struct tree *t, size_t i, size_t *depth)
{
	if (t->child[i] != EST_NO_ISSUER) {
		++*depth;
		return t->child[i];
	}
	while (t->next[i] == EST_NO_ISSUER && t->node[i].issuer != EST_NO_ISSUER) {
		i = t->node[i].issuer;
		--*depth;
	}
	return t->next[i];
}

void notes_printable(struct notes *notes)
{
	for (size_t n = 0; n < notes->n; n++)
		cmd_printable(notes->text[n], sizeof(notes->text[n]));
}

static void take_notes(const struct tree *t, size_t i, const struct est_cert_info *info,
	struct notes *notes)
{
	const struct bag_cert *cert = &t->in->bag.cert[i];
	const struct est_node *node = &t->node[i];
	unsigned key = 0, signature = 0;
	struct est_error ignored;
	char when[40];

	notes->n = 0;
	if (t->in->cmd->v.verbose && !t->in->cmd->json) {
		NOTE(notes, "object %zu of %s", cert->index, cert->file);
		NOTE(notes, "sha256 %s", cert->sha256);
	}
	notes->facts = notes->n;
	if (node->role == EST_ROLE_DUPLICATE) {
		NOTE(notes, "the same as %zu", node->issuer + 1);
		return;
	}
	if (node->expired) {
		(void)cmd_time_text(info->not_after, when, sizeof(when));
		NOTE(notes, "expired at %s", when);
	}
	if (node->not_yet_valid) {
		(void)cmd_time_text(info->not_before, when, sizeof(when));
		NOTE(notes, "not valid before %s", when);
	}
	if (node->weak && est_cert_strength(cert->der, &key, &signature, &ignored) == EST_OK)
		NOTE(notes, "weak: %s%s%s", key < EST_WEAK_BITS ? info->key : "",
			key < EST_WEAK_BITS && signature < EST_WEAK_BITS ? ", " : "",
			signature < EST_WEAK_BITS ? info->signature : "");
	if (node->loop)
		NOTE(notes, "its issuer is one of those that it issued");
	else if (node->namesake)
		NOTE(notes, "its issuer is not here, only another key of that name: %s",
			info->issuer);
	else if (node->bad_signature)
		NOTE(notes, "not signed by the key of its issuer: %s", info->issuer);
	else if (node->issuer == EST_NO_ISSUER && !node->self_signed &&
		 strcmp(info->issuer, info->subject) == 0)
		NOTE(notes, "not signed by its own key, though it names itself as issuer");
	else if (node->issuer == EST_NO_ISSUER && !node->self_signed)
		NOTE(notes, "its issuer is not here: %s", info->issuer);
	if (node->wrong_key_id)
		NOTE(notes, "its authorityKeyIdentifier is not that of its issuer");
	notes_printable(notes);
}

static const char *role_colour(const struct est_node *node)
{
	if (node->expired || node->bad_signature)
		return "31";
	if (node->weak || node->not_yet_valid)
		return "33";
	if (node->role == EST_ROLE_CURRENT_ANCHOR)
		return "32";
	return node->role == EST_ROLE_DUPLICATE || node->role == EST_ROLE_STRAY ? "2" : NULL;
}

/* Appends text in at most so many columns, dots for the rest. */
static enum est_code put_cut(struct est_buf *out, const char *text, int columns,
	struct est_error *err)
{
	struct est_span span = est_span_str(text);
	size_t characters = 0, fit = 0;
	int used = 0;

	/* From U+3000 on a character may be two columns wide. */
	for (size_t i = 0; i < span.n; i++) {
		if ((span.p[i] & 0xc0) == 0x80)
			continue;
		used += span.p[i] >= 0xe3 ? 2 : 1;
		characters++;
		if (used <= columns - 3)
			fit = characters;
	}
	return used > columns ? est_buf_printable(out, span, fit, err)
			      : est_buf_append(out, span, err);
}

static enum est_code line_cert(struct tree *t, size_t i, size_t depth,
	const struct est_cert_info *info, struct est_error *err)
{
	const struct est_node *node = &t->node[i];
	const char *colour = t->colour ? role_colour(node) : NULL;
	int indent = depth * 2 > INDENT_MAX ? INDENT_MAX : (int)depth * 2, used;
	char until[40], head[160];
	enum est_code rc;

	(void)cmd_time_text(info->not_after, until, sizeof(until));
	used = snprintf(head, sizeof(head), "%.10s  %-9.18s ", until, info->key);
	used += t->number_width + ROLE_WIDTH + 4;
	if (indent > t->width - used - SUBJECT_MIN)
		indent = t->width > used + SUBJECT_MIN ? t->width - used - SUBJECT_MIN : 0;
	used += indent;
	rc = est_buf_printf(&t->line, err, "%*zu  %s%s%s%s%*s  %s%*s", t->number_width, i + 1,
		colour ? "\033[" : "", colour ? colour : "", colour ? "m" : "",
		est_role_name(node->role),
		(int)(ROLE_WIDTH - strlen(est_role_name(node->role)) + (colour ? 4 : 0)),
		colour ? "\033[0m" : "", head, indent, "");
	used = t->width - used;
	if (rc == EST_OK)
		rc = put_cut(&t->line, *info->subject ? info->subject : "(no subject)",
			used < SUBJECT_MIN ? SUBJECT_MIN : used, err);
	return rc == EST_OK ? est_buf_append(&t->line, est_span_str("\n"), err) : rc;
}

/* The lines below one, cut to the width. */
static enum est_code put_notes(struct tree *t, const struct notes *notes, struct est_error *err)
{
	int indent = t->number_width + 2;
	enum est_code rc = EST_OK;

	for (size_t n = 0; rc == EST_OK && n < notes->n; n++) {
		rc = est_buf_printf(&t->line, err, "%*s%c ", indent, "",
			n < notes->facts ? '=' : '^');
		if (rc == EST_OK)
			rc = put_cut(&t->line, notes->text[n], t->width - indent - 2, err);
		if (rc == EST_OK)
			rc = est_buf_append(&t->line, est_span_str("\n"), err);
	}
	return rc == EST_OK ? cmd_stdout(est_buf_span(&t->line), err) : rc;
}

static enum est_code text_one(struct tree *t, size_t i, size_t depth,
	const struct est_cert_info *info, const struct notes *notes, struct est_error *err)
{
	enum est_code rc;

	t->line.n = 0;
	rc = line_cert(t, i, depth, info, err);
	return rc == EST_OK ? put_notes(t, notes, err) : rc;
}

/* A CRL has the columns of a certificate, the number of its signer in place of a key. */
static enum est_code line_crl(void *ctx, const struct est_object *object,
	const struct est_crl_info *info, const struct crl_verdict *verdict, struct est_error *err)
{
	struct tree *t = ctx;
	bool bad = verdict->signer == EST_NO_ISSUER;
	const char *colour = !t->colour ? NULL : bad ? "31" : verdict->notes.n > 0 ? "33" : NULL;
	char until[40] = "no end    ", by[32] = "by none", head[100];
	enum est_code rc;
	int used;

	(void)object;
	if (info->has_next_update)
		(void)cmd_time_text(info->next_update, until, sizeof(until));
	if (!bad)
		(void)snprintf(by, sizeof(by), "by %zu", verdict->signer + 1);
	used = snprintf(head, sizeof(head), "%.10s  %-9s  revokes %zu: ", until, by,
		info->n_revoked);
	used = t->width - used - t->number_width - ROLE_WIDTH - 4;
	t->line.n = 0;
	rc = est_buf_printf(&t->line, err, "%*s  %s%s%s%-*s%s  %s", t->number_width, "-",
		colour ? "\033[" : "", colour ? colour : "", colour ? "m" : "", ROLE_WIDTH, "crl",
		colour ? "\033[0m" : "", head);
	if (rc == EST_OK)
		rc = put_cut(&t->line, info->issuer, used < SUBJECT_MIN ? SUBJECT_MIN : used, err);
	if (rc == EST_OK)
		rc = est_buf_append(&t->line, est_span_str("\n"), err);
	return rc == EST_OK ? put_notes(t, &verdict->notes, err) : rc;
}

static struct json_object *json_number(size_t i)
{
	return i == EST_NO_ISSUER ? NULL : json_object_new_int64((int64_t)i + 1);
}

static struct json_object *json_one(const struct tree *t, size_t i,
	const struct est_cert_info *info, const struct notes *notes)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	const struct bag_cert *cert = &t->in->bag.cert[i];
	const struct est_node *node = &t->node[i];

	json_object_object_add(o, "number", json_number(i));
	jsonc_string(o, "file", cert->file);
	jsonc_number(o, "index", cert->index);
	jsonc_string(o, "sha256", cert->sha256);
	jsonc_string(o, "subject", info->subject);
	jsonc_string(o, "role", est_role_name(node->role));
	json_object_object_add(o, "issuer", json_number(node->issuer));
	jsonc_bool(o, "self_signed", node->self_signed);
	jsonc_bool(o, "anchor", node->anchor);
	jsonc_bool(o, "expired", node->expired);
	jsonc_bool(o, "not_yet_valid", node->not_yet_valid);
	jsonc_bool(o, "weak", node->weak);
	for (size_t n = 0; n < notes->n; n++)
		json_object_array_add(list, json_object_new_string(notes->text[n]));
	json_object_object_add(o, "notes", list);
	return o;
}

/* The rules are those of a /cacerts answer and of trust anchors in a file (RFC 7030 section
 * 4.1.3): what is self-signed is an anchor, and nothing else. */
static enum est_code verdict(struct tree *t, struct json_object *anchors, struct est_error *err)
{
	size_t n = 0, unique = 0, expired = 0, tail;
	enum est_code rc = EST_OK;
	bool more = false;

	t->line.n = 0;
	for (size_t i = 0; i < t->n; i++) {
		unique += t->node[i].role != EST_ROLE_DUPLICATE;
		n += t->node[i].anchor;
		expired += t->node[i].anchor && t->node[i].expired;
	}
	if (unique > EST_CERTS_MAX)
		return est_buf_printf(&t->line, err,
			"An EST client refuses this: more than %d certificates.", EST_CERTS_MAX);
	if (n == 0)
		return est_buf_printf(&t->line, err,
			"An EST client refuses this as /cacerts (no root); as --cacert each is an "
			"anchor.");
	/* What one more, dots and the end take. */
	tail = (size_t)t->number_width * (expired ? 2 : 1) + strlen(", , ....") +
	       (expired ? strlen(" ( expired)") : 0);
	rc = est_buf_printf(&t->line, err, "An EST client takes %zu as explicit anchor%s: ", n,
		n == 1 ? "" : "s");
	n = 0;
	for (size_t i = 0; rc == EST_OK && i < t->n; i++) {
		if (!t->node[i].anchor)
			continue;
		if (anchors)
			json_object_array_add(anchors, json_number(i));
		if (t->line.n + tail < (size_t)t->width)
			rc = est_buf_printf(&t->line, err, "%s%zu", n++ > 0 ? ", " : "", i + 1);
		else
			more = true;
	}
	if (rc == EST_OK && more)
		rc = est_buf_printf(&t->line, err, ", ...");
	if (rc == EST_OK && expired > 0)
		rc = est_buf_printf(&t->line, err, " (%zu expired)", expired);
	return rc == EST_OK ? est_buf_printf(&t->line, err, ".") : rc;
}

static enum est_code walk(struct tree *t, struct json_object *list, struct est_error *err)
{
	struct est_cert_info info = { 0 };
	struct notes notes;
	enum est_code rc = EST_OK;
	size_t depth = 0;

	for (size_t i = t->top; rc == EST_OK && i != EST_NO_ISSUER; i = step(t, i, &depth)) {
		if (cmd_stop)
			return est_fail(err, EST_E_INTERRUPTED, "interrupted");
		rc = est_cert_words(t->in->bag.cert[i].der, &info, err);
		if (rc != EST_OK)
			return rc;
		take_notes(t, i, &info, &notes);
		if (list)
			json_object_array_add(list, json_one(t, i, &info, &notes));
		else
			rc = text_one(t, i, depth, &info, &notes, err);
		est_cert_info_wipe(&info);
	}
	return rc;
}

enum est_code tree_show(struct inspect *in, struct est_error *err)
{
	struct tree t = { .in = in, .n = in->bag.n };
	struct json_object *json = in->cmd->json, *o = NULL, *list = NULL, *anchors = NULL;
	struct est_span *spans = NULL;
	enum est_code rc;

	t.width = json ? WIDTH : terminal_width();
	t.number_width = snprintf(NULL, 0, "%zu", t.n);
	t.colour = in_colour(in->cmd);
	rc = bag_spans(&in->bag, &spans, err);
	in->told_ms = in->n_told = 0; /* now, if at all */
	inspect_progress(in, "looking for the issuers of %zu certificates", t.n);
	if (rc == EST_OK)
		rc = est_graph(spans, t.n, in->at, &t.node, err);
	if (rc == EST_OK)
		rc = link_all(&t, err);
	if (rc == EST_OK && json) {
		o = json_object_new_object();
		json_object_object_add(json, "tree", o);
		list = json_object_new_array();
		anchors = json_object_new_array();
		json_object_object_add(o, "anchors", anchors);
		json_object_object_add(o, "certificates", list);
	}
	if (rc == EST_OK)
		rc = walk(&t, list, err);
	if (rc == EST_OK && !json)
		rc = crl_show(in, line_crl, &t, err);
	if (rc == EST_OK)
		rc = verdict(&t, anchors, err);
	if (rc == EST_OK && json)
		json_object_object_add(o, "verdict",
			json_object_new_string_len((const char *)t.line.p, (int)t.line.n));
	if (rc == EST_OK && !json)
		rc = est_buf_append(&t.line, est_span_str("\n"), err);
	if (rc == EST_OK && !json)
		rc = cmd_stdout(est_buf_span(&t.line), err);
	est_buf_free(&t.line);
	free(t.node);
	free(t.child);
	free(t.next);
	free(spans);
	return rc;
}

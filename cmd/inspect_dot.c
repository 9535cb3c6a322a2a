/* SPDX-License-Identifier: MIT */
/* est inspect --dot and --svg: the bag as a picture, for Graphviz or by it. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect.h"

#define SVG_MAX (64u << 20) /* bytes */

extern char **environ;

struct dot {
	struct inspect *in;
	struct est_node *node;
	struct est_cert_parts *parts;
	struct est_buf *out;
};

/* A string of the language: quotes and backslashes with a backslash before them. */
static enum est_code quoted(struct dot *d, const char *text)
{
	struct est_error *err = &d->in->cmd->err;
	enum est_code rc = EST_OK;
	size_t n;

	while (rc == EST_OK && *text) {
		n = strcspn(text, "\"\\");
		rc = est_buf_append(d->out, (struct est_span){ (const uint8_t *)text, n }, err);
		text += n;
		if (rc == EST_OK && *text)
			rc = est_buf_printf(d->out, err, "\\%c", *text++);
	}
	return rc;
}

static const char *colour(const struct est_node *node)
{
	switch (node->role) {
	case EST_ROLE_CURRENT_ANCHOR:
		return "#c8e6c9";
	case EST_ROLE_OLD_WITH_OLD:
		return "#fff9c4";
	case EST_ROLE_OLD_WITH_NEW:
	case EST_ROLE_NEW_WITH_OLD:
	case EST_ROLE_CROSS:
		return "#bbdefb";
	case EST_ROLE_STRAY:
	case EST_ROLE_DUPLICATE:
		return "#e0e0e0";
	default:
		return "#ffffff";
	}
}

static enum est_code one_node(struct dot *d, size_t i)
{
	const struct est_node *node = &d->node[i];
	struct est_error *err = &d->in->cmd->err;
	struct est_cert_info info = { 0 };
	char until[40];
	enum est_code rc = est_cert_words(d->in->bag.cert[i].der, &info, err);

	if (rc != EST_OK)
		return rc;
	(void)cmd_time_text(info.not_after, until, sizeof(until));
	rc = est_buf_printf(d->out, err, "\tn%zu [fillcolor=\"%s\"%s%s, label=\"", i + 1,
		colour(node), node->anchor ? ", penwidth=2" : "",
		node->expired || node->not_yet_valid ? ", style=\"filled,dashed\"" : "");
	if (rc == EST_OK)
		rc = quoted(d, *info.subject ? info.subject : "(no subject)");
	if (rc == EST_OK)
		rc = est_buf_printf(d->out, err, "\\n%zu  %s\\n%s, %s %.10s%s%s\"];\n", i + 1,
			est_role_name(node->role), info.key, node->expired ? "expired" : "until",
			until, node->weak ? ", weak" : "",
			node->bad_signature ? "\\nnot signed by its issuer's key" : "");
	est_cert_info_wipe(&info);
	return rc;
}

static enum est_code one_edge(struct dot *d, size_t i)
{
	const struct est_node *node = &d->node[i];

	if (node->issuer == EST_NO_ISSUER)
		return EST_OK;
	return est_buf_printf(d->out, &d->in->cmd->err, "\tn%zu -> n%zu%s;\n", node->issuer + 1,
		i + 1,
		node->role == EST_ROLE_DUPLICATE
			? " [style=dotted, arrowhead=none, label=\"the same\"]"
			: "");
}

static int by_key(const void *a, const void *b, void *ctx)
{
	const struct dot *d = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	struct est_span p = d->parts[x].spki, q = d->parts[y].spki;
	int order = memcmp(p.p, q.p, p.n < q.n ? p.n : q.n);

	if (order == 0)
		order = (p.n > q.n) - (p.n < q.n);
	return order ? order : (x > y) - (x < y);
}

/* What has the same key is tied together: the two ends of a rollover. */
static enum est_code same_keys(struct dot *d)
{
	struct est_error *err = &d->in->cmd->err;
	size_t n = d->in->bag.n, used = 0, *order = calloc(n + 1, sizeof(*order));
	enum est_code rc = order ? EST_OK : est_fail(err, EST_E_INTERNAL, "out of memory");

	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		rc = est_cert_parts(d->in->bag.cert[i].der, &d->parts[i], err);
		if (d->node[i].role != EST_ROLE_DUPLICATE)
			order[used++] = i;
	}
	if (rc == EST_OK && used > 1)
		qsort_r(order, used, sizeof(*order), by_key, d);
	for (size_t i = 1; rc == EST_OK && i < used; i++) {
		if (est_span_eq(d->parts[order[i - 1]].spki, d->parts[order[i]].spki))
			rc = est_buf_printf(d->out, err,
				"\tn%zu -> n%zu [dir=none, style=dashed, color=\"#1565c0\", "
				"fontcolor=\"#1565c0\", constraint=false, label=\"same key\"];\n",
				order[i - 1] + 1, order[i] + 1);
	}
	free(order);
	return rc;
}

static enum est_code write_dot(struct inspect *in, struct est_buf *out)
{
	static const char head[] = "digraph certificates {\n"
				   "\tnode [shape=box, style=filled, fontname=\"sans-serif\", "
				   "fontsize=11];\n"
				   "\tedge [fontname=\"sans-serif\", fontsize=9];\n";
	struct dot d = { .in = in, .out = out };
	struct est_error *err = &in->cmd->err;
	struct est_span *spans = NULL;
	enum est_code rc = bag_spans(&in->bag, &spans, err);

	d.parts = calloc(in->bag.n + 1, sizeof(*d.parts));
	if (rc == EST_OK && !d.parts)
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	if (rc == EST_OK)
		rc = est_graph(spans, in->bag.n, in->at, &d.node, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, est_span_str(head), err);
	for (size_t i = 0; rc == EST_OK && i < in->bag.n; i++)
		rc = one_node(&d, i);
	for (size_t i = 0; rc == EST_OK && i < in->bag.n; i++)
		rc = one_edge(&d, i);
	if (rc == EST_OK)
		rc = same_keys(&d);
	if (rc == EST_OK)
		rc = est_buf_append(out, est_span_str("}\n"), err);
	free(spans);
	free(d.node);
	free(d.parts);
	return rc;
}

static enum est_code read_all(int fd, struct est_buf *out, struct est_error *err)
{
	uint8_t chunk[4096];
	enum est_code rc = EST_OK;
	ssize_t got;

	while (rc == EST_OK && (got = read(fd, chunk, sizeof(chunk))) != 0) {
		if (got < 0)
			rc = errno == EINTR
				     ? est_fail(err, EST_E_INTERRUPTED, "interrupted")
				     : est_fail(err, EST_E_INTERNAL, "--svg: %s", strerror(errno));
		else if (out->n > SVG_MAX)
			rc = est_fail(err, EST_E_INPUT, "--svg: more than %u bytes of it", SVG_MAX);
		else
			rc = est_buf_append(out, (struct est_span){ chunk, (size_t)got }, err);
	}
	return rc;
}

/* The program that draws, its input in a file without a name and its output through a pipe. */
static enum est_code run_dot(struct est_span dot, struct est_buf *svg, struct est_error *err)
{
	static char name[] = "dot", form[] = "-Tsvg";
	char *argv[] = { name, form, NULL };
	posix_spawn_file_actions_t actions;
	int in = memfd_create("dot", MFD_CLOEXEC), out[2] = { -1, -1 }, ret, status = -1;
	enum est_code rc = EST_OK;
	pid_t pid;

	if (in < 0 || pipe2(out, O_CLOEXEC) != 0 || write(in, dot.p, dot.n) != (ssize_t)dot.n ||
		lseek(in, 0, SEEK_SET) != 0) {
		rc = est_fail(err, EST_E_INTERNAL, "--svg: %s", strerror(errno));
		goto out;
	}
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	ret = posix_spawnp(&pid, name, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (ret != 0) {
		est_fail(err, EST_E_INPUT, "--svg: cannot run dot: %s", strerror(ret));
		rc = est_hint(err, "it is part of Graphviz; --dot writes what it draws");
		goto out;
	}
	(void)close(out[1]);
	out[1] = -1;
	rc = read_all(out[0], svg, err);
	(void)close(out[0]); /* so that it ends when we do not want more */
	out[0] = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc == EST_OK && (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || svg->n == 0))
		rc = est_fail(err, EST_E_INPUT, "--svg: dot failed");
out:
	for (int i = 0; i < 2; i++) {
		if (out[i] >= 0)
			(void)close(out[i]);
	}
	if (in >= 0)
		(void)close(in);
	return rc;
}

enum est_code dot_run(struct inspect *in)
{
	struct cmd *cmd = in->cmd;
	struct est_buf dot = { 0 }, svg = { 0 };
	struct est_output *out = NULL;
	enum est_code rc = cmd_output(cmd, cmd->v.output, 0, &out);

	if (rc == EST_OK && in->bag.n == 0)
		rc = est_fail(&cmd->err, EST_E_INPUT, "no certificate to draw");
	if (rc == EST_OK)
		rc = write_dot(in, &dot);
	if (rc == EST_OK && cmd->v.svg)
		rc = run_dot(est_buf_span(&dot), &svg, &cmd->err);
	if (rc == EST_OK)
		rc = cmd_deliver(cmd, out, est_buf_span(cmd->v.svg ? &svg : &dot));
	est_output_free(out);
	est_buf_free(&dot);
	est_buf_free(&svg);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* The label table, and the labels that answer in place of the operation. */
#include "labels.h"

#include <string.h>

#include "bytes.h"
#include "server.h"

static const struct label {
	const char *name, *arg;
	long min, max;
	label_fn *handler;
	const char *help;
} labels[] = {
	{ 0 },
#define LABEL(sym, name, arg, min, max, handler, help) { name, arg, min, max, handler, help },
#include "labels.def"
#undef LABEL
};

#define N_LABELS (sizeof(labels) / sizeof(labels[0]))

static bool label_matches(const struct label *label, const char *segment, struct label_use *out)
{
	size_t n = strlen(label->name);
	long number = 0;

	if (!*label->arg)
		return strcmp(segment, label->name) == 0;
	if (strncmp(segment, label->name, n) != 0 || !segment[n])
		return false;
	if ((label->min || label->max) &&
		!number_parse(segment + n, label->min, label->max, &number))
		return false;
	out->arg = segment + n;
	out->number = number;
	return true;
}

void label_find(const char *segment, struct label_use *out)
{
	size_t i;

	*out = (struct label_use){ .id = LABEL_NONE };
	for (i = 1; i < N_LABELS; i++) {
		if (!label_matches(&labels[i], segment, out))
			continue;
		out->id = (enum label_id)i;
		out->handler = labels[i].handler;
		return;
	}
}

bool label_waits(enum label_id id)
{
	return id == LABEL_RETRY_AFTER || id == LABEL_NO_RETRY_AFTER;
}

void label_list(FILE *f)
{
	size_t i;

	for (i = 1; i < N_LABELS; i++)
		(void)fprintf(f, "%s%s\t%s\n", labels[i].name, labels[i].arg, labels[i].help);
}

enum est_code answer_status(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	(void)srv;
	return answer_text(ans, err, (int)rq->use.number, "status %ld, as the label asks\n",
		rq->use.number);
}

static enum est_code answer_page(struct answer *ans, int status, const char *type,
	struct est_span body, struct est_error *err)
{
	ans->status = status;
	ans->type = type;
	return est_buf_append(&ans->body, body, err);
}

enum est_code answer_html(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	(void)srv;
	(void)rq;
	return answer_page(ans, 200, "text/html",
		est_span_str("<!DOCTYPE html>\n<html><body><h1>It works!</h1></body></html>\n"),
		err);
}

enum est_code answer_redirect(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	enum est_code rc;

	(void)srv;
	rc = answer_text(ans, err, 302, "moved to %s\n", rq->target_bare);
	return rc == EST_OK ? answer_field(ans, "Location", rq->target_bare, err) : rc;
}

enum est_code answer_redirect_out(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	enum est_code rc;

	(void)srv;
	(void)rq;
	rc = answer_text(ans, err, 307, "moved to another origin\n");
	return rc == EST_OK ? answer_field(ans, "Location", "https://127.0.0.2:9/", err) : rc;
}

enum est_code answer_error_html(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	(void)srv;
	(void)rq;
	return answer_page(ans, 400, "text/html",
		est_span_str("<html><head><title>400 Bad Request</title></head>\n<body>"
			     "<h1>Bad Request</h1><p>the CSR is not wanted</p></body></html>\n"),
		err);
}

enum est_code answer_error_json(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	(void)srv;
	(void)rq;
	return answer_page(ans, 400, "application/json",
		est_span_str("{\"errors\":[\"the CSR is not wanted\"]}\n"), err);
}

enum est_code answer_error_controls(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	/* clear screen, window title, U+202E, C1 CSI, NUL, lone and overlong UTF-8, surrogate */
	static const uint8_t text[] = "refused \033[2J\033]0;owned\007 \xe2\x80\xaetxt.exe\xe2\x80"
				      "\xac \xc2\x9b"
				      "31m \0 \xff\xfe \xc0\xaf \xed\xa0\x80 \r\b\x7f end\n";

	(void)srv;
	(void)rq;
	return answer_page(ans, 400, "text/plain", (struct est_span){ text, sizeof(text) - 1 },
		err);
}

enum est_code answer_error_big(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	static const char line[] =
		"The server is unwell and explains itself at length, again, now.\n";
	enum est_code rc = EST_OK;
	size_t i;

	(void)srv;
	(void)rq;
	_Static_assert(sizeof(line) == 65, "1 MiB is 16384 lines of 64 bytes");
	ans->status = 500;
	ans->type = "text/plain";
	for (i = 0; i < 16384 && rc == EST_OK; i++)
		rc = est_buf_append(&ans->body, est_span_str(line), err);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Labels: the last path segment before the operation selects how the server behaves. */
#ifndef LABELS_H
#define LABELS_H

#include "est.h"

#include <stdio.h>

struct server;
struct request;
struct answer;

enum label_id {
	LABEL_NONE,
#define LABEL(sym, name, arg, min, max, handler, help) LABEL_##sym,
#include "labels.def"
#undef LABEL
};

typedef enum est_code label_fn(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err);

struct label_use {
	enum label_id id;
	label_fn *handler; /* NULL: the operation itself */
	const char *arg;   /* borrowed from the segment */
	long number;
};

/* An unknown label, or one whose argument is out of range, is LABEL_NONE. */
void label_find(const char *segment, struct label_use *out);
/* Whether it is one of those that answer 202 for good. */
bool label_waits(enum label_id id);
/* One line per label: name, tab, help. */
void label_list(FILE *f);

label_fn answer_status, answer_html, answer_redirect, answer_redirect_out, answer_error_html,
	answer_error_json, answer_error_controls, answer_error_big;

#endif

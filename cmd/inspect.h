/* SPDX-License-Identifier: MIT */
/* One run of est inspect, and the questions it can be asked. */
#ifndef EST_CMD_INSPECT_H
#define EST_CMD_INSPECT_H

#include "cmd.h"

#define INSPECT_FAILURES_MAX 100 /* of one kind that are told one by one */

struct gates;

struct inspect {
	struct cmd *cmd;
	const char *file; /* escaped */
	struct est_quirks quirks;
	struct est_buf text;
	struct json_object *certs, *requests, *crls, *csrattrs, *keys, *broken;
	struct gates *gates; /* NULL: nothing was asked */
	bool silent;         /* the questions alone are answered */
	size_t n_shown;      /* in all files */
	size_t n_broken;     /* in this file */
	uint64_t *seen;      /* beginnings of this file's fingerprints */
	size_t n_seen, cap_seen;
	enum est_code rc;      /* the first failure among the files: the exit code */
	struct est_error kept; /* its message */
};

/* A failure of one object, file or question; the work goes on.  Every message but one is printed
 * now, that one at the end. */
void inspect_failure(struct inspect *in, const struct est_error *why);
/* Adds file, index and offset. */
void inspect_place(struct json_object *o, const struct inspect *in,
	const struct est_object *object);

/* The questions of the options; *out stays NULL without one.  EST_E_USAGE, EST_E_INPUT. */
enum est_code gates_open(struct inspect *in, struct gates **out) EST_MUST_CHECK;
/* Each object as it comes; what has to wait for the others is copied. */
enum est_code gates_cert(struct gates *g, const struct est_object *object,
	const struct est_cert_info *info, struct est_error *err) EST_MUST_CHECK;
enum est_code gates_csr(struct gates *g, const struct est_object *object,
	struct est_error *err) EST_MUST_CHECK;
/* Answers what is left; each no is an inspect_failure() with EST_E_CONDITION. */
enum est_code gates_finish(struct gates *g, struct est_error *err) EST_MUST_CHECK;
void gates_free(struct gates *g);

/* "30d", "12h", "2w", "45m", "90s" in seconds; false: none of these. */
bool gate_duration(const char *text, int64_t *out);
/* "2031-01-31", "2031-01-31T00:00:00Z"; false: neither. */
bool gate_time(const char *text, time_t *out);

#endif

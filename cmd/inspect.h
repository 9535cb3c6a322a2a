/* SPDX-License-Identifier: MIT */
/* One run of est inspect, and the questions it can be asked. */
#ifndef EST_CMD_INSPECT_H
#define EST_CMD_INSPECT_H

#include "cmd.h"
#include "est-inspect.h"

#define INSPECT_FAILURES_MAX 100 /* of one kind that are told one by one */

struct gates;

struct bag_cert {
	uint8_t *bytes;      /* owned by the bag */
	struct est_span der; /* all of them */
	const char *file;    /* borrowed from struct inspect */
	const char *subject; /* only where a gate speaks of it */
	size_t index;
	size_t others; /* bytes of other objects' text before it */
	int operand;   /* of the command line */
	bool ca;
	bool trusted; /* was OpenSSL's, with its trust settings behind it */
	char sha256[EST_SHA256_HEX];
};

struct bag { /* the certificates of all files, and the CRLs that wait for them */
	struct bag_cert *cert;
	struct bag_crl *crl;
	size_t n, cap, n_crls, cap_crls;
};

#define NOTES_MAX 8

struct notes { /* what is to be said of one certificate or CRL */
	char text[NOTES_MAX][400];
	size_t n, facts; /* so many at the front find no fault */
};

#define NOTE(notes, ...)                                                                           \
	do {                                                                                       \
		if ((notes)->n < NOTES_MAX)                                                        \
			(void)snprintf((notes)->text[(notes)->n++], sizeof((notes)->text[0]),      \
				__VA_ARGS__);                                                      \
	} while (0)

void notes_printable(struct notes *notes);

struct crl_verdict {
	size_t signer; /* in the bag, or EST_NO_ISSUER */
	struct notes notes;
};

struct inspect {
	struct cmd *cmd;
	const char *file; /* escaped */
	char **files;     /* all of these, owned */
	size_t n_files;
	int operand; /* the file is one, or from a folder that is one */
	struct est_quirks quirks;
	uint32_t all_quirks;   /* of all files */
	struct est_buf secret; /* of PKCS #12 files */
	const char *password;  /* in it; NULL: none was given */
	struct est_buf text;   /* of the object at hand */
	bool begun;            /* some of it is out */
	bool prepared;         /* files are read */
	struct gates *gates;   /* NULL: nothing was asked */
	time_t at;             /* the time that questions are about */
	struct bag bag;
	bool keep;                     /* certificates go into it */
	bool keep_cas;                 /* those of CAs do */
	bool keep_crls;                /* CRLs do, until all certificates are there */
	const struct crl_verdict *crl; /* on the CRL that is shown; NULL: none was asked for */
	bool tree;                     /* and are shown as a tree */
	bool hold;                     /* a list or a tree, as their number will tell */
	bool work;                     /* certificates are compared or written, not shown */
	bool silent;                   /* the questions alone are answered */
	struct est_buf others; /* while it holds: what no tree shows, an empty line behind each */
	size_t n_shown, n_objects; /* in all files: printed as text, met */
	size_t n_broken;           /* in this file */
	uint64_t *seen;            /* beginnings of this file's fingerprints */
	size_t n_seen, cap_seen;
	size_t announced; /* index of the object whose first lines are out before it is read */
	enum est_file_kind announced_kind;
	const char *streamed;            /* the list that --json has begun with; NULL: none yet */
	const struct est_object *object; /* at hand */
	struct json_object *entries;     /* where a CRL's go that are kept */
	size_t n_entries, n_held;        /* printed of this CRL; kept of all */
	bool may_tell, telling;          /* a line on the terminal */
	uint64_t begun_ms, told_ms;
	unsigned n_told;
	enum est_code rc;      /* the first failure among the files: the exit code */
	struct est_error kept; /* its message */
};

/* A file, or with -r a folder of them.  EST_OK also when it is bad, which in->rc then says. */
enum est_code inspect_operand(struct inspect *in, const char *path) EST_MUST_CHECK;
/* An est_object_fn. */
enum est_code inspect_object(void *ctx, const struct est_object *object, struct est_error *err);
/* The same for the front of one that is still being read. */
enum est_code inspect_begins(void *ctx, const struct est_object *object, struct est_error *err);
/* The certificates held back, as a list; from now on each is shown as it comes. */
enum est_code inspect_release(struct inspect *in, struct est_error *err) EST_MUST_CHECK;
/* Into the array of this name, which may be on its way out already, or on a line of its own; takes
 * the object over. */
enum est_code inspect_json(struct inspect *in, const char *name, struct json_object *o,
	struct est_error *err);
/* Whether what goes into the array of this name is printed at once. */
bool inspect_json_begins(struct inspect *in, const char *name);
/* An entry of the CRL at hand, whose object is printed, up to its entries, or has in->entries;
 * takes it over.  Then what ends it, after a failure too, which it returns. */
enum est_code inspect_json_entry(struct inspect *in, struct json_object *o,
	struct est_error *err) EST_MUST_CHECK;
enum est_code inspect_json_entries_end(struct inspect *in, enum est_code rc,
	struct est_error *err) EST_MUST_CHECK;
/* On a terminal that has waited for a second from the first on: how far it is.  Taken away by the
 * last one, which whoever prints calls first. */
void inspect_progress_begin(struct inspect *in);
void inspect_progress(struct inspect *in, const char *fmt, ...) EST_PRINTF(2, 3);
void inspect_progress_end(struct inspect *in);
/* A failure of one object, file or question; the work goes on.  Every message but one is printed
 * now, that one at the end. */
void inspect_failure(struct inspect *in, const struct est_error *why);

/* The questions of the options; *out stays NULL without one.  EST_E_USAGE, EST_E_INPUT. */
enum est_code gates_open(struct inspect *in, struct gates **out) EST_MUST_CHECK;
/* Each object as it comes. */
enum est_code gates_cert(struct gates *g, const struct est_object *object,
	const struct est_cert_info *info, struct est_error *err) EST_MUST_CHECK;
enum est_code gates_csr(struct gates *g, const struct est_object *object,
	struct est_error *err) EST_MUST_CHECK;
/* Answers what is left; each no is an inspect_failure() with EST_E_CONDITION. */
enum est_code gates_finish(struct gates *g, struct est_error *err) EST_MUST_CHECK;
void gates_free(struct gates *g);

/* --at into in->at. */
enum est_code gate_at(struct inspect *in) EST_MUST_CHECK;

/* Copies the certificate. */
enum est_code bag_add(struct inspect *in, const struct est_object *object,
	const struct est_cert_info *info, struct est_error *err) EST_MUST_CHECK;
/* *out is released with free(), its spans borrow. */
enum est_code bag_spans(const struct bag *bag, struct est_span **out,
	struct est_error *err) EST_MUST_CHECK;
void bag_wipe(struct bag *bag);

/* A CRL into the bag.  Then each with what is to be said of it: what fn fails with, ends it. */
enum est_code crl_keep(struct inspect *in, const struct est_object *object,
	struct est_error *err) EST_MUST_CHECK;
typedef enum est_code crl_fn(void *ctx, const struct est_object *object,
	const struct est_crl_info *info, const struct crl_verdict *verdict, struct est_error *err);
enum est_code crl_show(struct inspect *in, crl_fn *fn, void *ctx,
	struct est_error *err) EST_MUST_CHECK;
enum est_code crl_text(const struct inspect *in, const struct crl_verdict *verdict,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;
void crl_json(const struct inspect *in, const struct crl_verdict *verdict, struct json_object *o);
/* *out is released with free(), its spans borrow. */
enum est_code crl_spans(const struct bag *bag, struct est_span **out,
	struct est_error *err) EST_MUST_CHECK;
void crl_wipe(struct bag *bag);
/* The CRLs of the bag as objects like the others. */
enum est_code inspect_crls(struct inspect *in, struct est_error *err) EST_MUST_CHECK;

/* SHA-256 in hex of either case, with or without "sha256:" and colons, into lower case. */
bool sha256_parse(const char *text, char out[EST_SHA256_HEX]);

/* Certificates written instead of shown: the options (EST_E_USAGE), and the work. */
bool edit_asked(const struct cmd *cmd);
enum est_code edit_check(struct cmd *cmd) EST_MUST_CHECK;
enum est_code edit_run(struct inspect *in) EST_MUST_CHECK;

/* The first two files; a difference is an inspect_failure() with EST_E_CONDITION. */
enum est_code diff_run(struct inspect *in) EST_MUST_CHECK;

/* The bag for Graphviz, or drawn by it. */
enum est_code dot_run(struct inspect *in) EST_MUST_CHECK;

/* The options; EST_E_USAGE. */
enum est_code tree_check(struct cmd *cmd) EST_MUST_CHECK;
/* The bag as a graph, to standard output or into the object. */
enum est_code tree_show(struct inspect *in, struct est_error *err) EST_MUST_CHECK;

#endif

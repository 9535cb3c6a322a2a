/* SPDX-License-Identifier: MIT */
/* What csr, enroll and reenroll share: where the key comes from, and the request made with it. */
#ifndef EST_CMD_REQUEST_H
#define EST_CMD_REQUEST_H

#include "hook.h"

#include <limits.h>

/* What becomes of a new key and its request, or of a request alone, when the run ends. */
enum request_fate {
	REQUEST_REMOVED, /* nobody has certified it */
	REQUEST_KEPT,    /* somebody may have: the next run goes on with it */
	REQUEST_USED     /* the certificate is in place, and the new key with it */
};

struct request {
	const char *key_file;        /* of a key that was there; NULL: none */
	struct est_key *key;         /* --use-key, or the old key; NULL with --csr or a new key */
	struct est_newkey *newkey;   /* on disk already, under its temporary name */
	struct est_pending *pending; /* the request on disk; NULL: none is kept */
	bool resumed;                /* key or request are those of an unfinished run */
	enum request_fate fate;
	struct est_client *client;  /* whom to ask; NULL: nothing is sent, and kept on disk */
	struct est_csrattrs *attrs; /* NULL: the CA wants nothing */
	struct est_plan plan;
	struct est_buf csr; /* DER */
};

/* --csrattrs is one of its words. */
enum est_code attrs_check(struct cmd *cmd) EST_MUST_CHECK;
bool attrs_required(const struct cmd *cmd);
/* The file of --from. */
enum est_code attrs_from_file(struct cmd *cmd, struct est_csrattrs **out) EST_MUST_CHECK;
/* As --csrattrs says; *out stays NULL when the server has none. */
enum est_code attrs_fetch(struct cmd *cmd, struct est_client *client,
	struct est_csrattrs **out) EST_MUST_CHECK;
/* Takes one note of a plan off the front: what the CA wants, what becomes of it. */
bool attrs_note_next(struct est_span *notes, struct est_span *wants, struct est_span *does);
/* With -v and in JSON. */
void attrs_report(struct cmd *cmd, const struct est_plan *plan);

bool request_has_name(const struct cmd_values *v);
/* EST_E_USAGE when there is no name to ask for. */
enum est_code request_check_name(struct cmd *cmd, bool named) EST_MUST_CHECK;
/* Exactly one source for the key, and no names that a ready-made --csr would ignore. */
enum est_code request_check(struct cmd *cmd) EST_MUST_CHECK;
/* Only the certificate, or the request, may go to standard output, and not with --json. */
enum est_code request_check_files(struct cmd *cmd) EST_MUST_CHECK;
/* Loads or makes the key and builds or loads the request; renew: the certificate whose names are
 * kept, or an empty span; key_type: of a new key when neither --new-key nor the CA says.  What is
 * wrong with options and files is found before request.client asks the CA what it wants. */
enum est_code request_make(struct cmd *cmd, struct est_span renew, const char *key_type,
	struct request *out) EST_MUST_CHECK;
/* The key with which the request was signed; NULL with --csr. */
const struct est_key *request_key(const struct request *request);
/* Whether this run would go on with the request of an earlier one, which does not know how that
 * ended; *when (may be NULL) is from when on the server may be asked again, 0: now. */
bool request_unfinished(const struct cmd *cmd, time_t *when);
/* The option, without dashes, whose file holds the key next to the certificate; NULL: none. */
const char *request_bundle(const struct cmd_values *v);
/* "DIR/NAME" of --store, in out. */
const char *request_stored(const struct cmd_values *v, const char *name, char out[PATH_MAX]);
/* After the POST: a new key that the server may have certified is kept; says where. */
void request_outcome(struct cmd *cmd, struct request *request, bool maybe_issued, enum est_code rc);
void request_wipe(struct request *request);

struct delivery_part {
	struct est_output *file; /* NULL: it is not asked for */
	struct est_buf content;
};

/* The files an issued certificate goes to, which change together (est-files.h). */
struct delivery {
	bool no_replace;       /* set before delivery_open(): a new key's place has to be free */
	bool hook_tried;       /* likewise: one that is owed could not be started in this run */
	struct est_swap *swap; /* NULL when there is none but standard output */
	bool recovered;        /* an unfinished run's files are in place now */
	bool finished; /* so, or its hook is owed: nothing else is open, delivery_recovered() next
			*/
	struct delivery_part cert, chain, combined, p12;
	struct est_buf p12_password; /* with a NUL */
	struct est_generation *generation;
	struct est_buf stored_key; /* PEM, for the generation */
};

/* The file by whose name runs find each other; NULL: there is none. */
const char *delivery_file(const struct cmd_values *v);
/* An earlier run has left something to repair or to finish; nothing is opened or written. */
bool delivery_unfinished(const struct cmd *cmd);
/* Locks, recovers, and opens every destination before anything is sent. */
enum est_code delivery_open(struct cmd *cmd, struct delivery *out) EST_MUST_CHECK;
/* --keep, or what it is by default. */
unsigned delivery_keep(const struct cmd_values *v);
/* Sends the request, puts the certificate in place and runs the hook.  old: the certificate that
 * is renewed, or an empty span; done: what then was done, a word for "action".  Without
 * request->client says only what would be sent. */
enum est_code delivery_order(struct cmd *cmd, struct delivery *d, struct request *request,
	struct est_span old, const char *done) EST_MUST_CHECK;
/* When .finished is all that there was to do: says so, and runs the hook that is still owed.
 * key_file: of the key, when no option of the output has it; may be NULL. */
enum est_code delivery_recovered(struct cmd *cmd, struct delivery *d,
	const char *key_file) EST_MUST_CHECK;
void delivery_wipe(struct delivery *d);

#endif

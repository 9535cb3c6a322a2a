/* SPDX-License-Identifier: MIT */
/* What every applet stands on: its registration, its run, its way to speak. */
#ifndef EST_CMD_H
#define EST_CMD_H

#include "options.h"

struct json_object;

enum cmd_secret_id {
	CMD_PASSWORD,
	CMD_TOKEN,
	CMD_KEY_PASSWORD,
	CMD_PROXY_PASSWORD,
	CMD_PROXY_URL, /* https_proxy, when it holds a password */
	CMD_SECRETS
};

/* One of several runs, which go on side by side. */
struct cmd_profile {
	const char *name; /* printable */
	int lock;         /* of standard output: whole products, one after the other */
	bool *skipped;    /* to tell the parent */
	const struct est_error *refused; /* why it is not even read; NULL: it is */
};

/* One run of one applet. */
struct cmd {
	const struct cmd_applet *applet;
	const struct cmd_entry *entry;
	const struct cmd_profile *profile; /* NULL: the only run */
	int argc;
	char **argv;
	struct cmd_values v;
	char **operands;
	int n_operands;
	struct json_object *json; /* the object being made; NULL without --json */
	bool json_begun;          /* an array of it is on stdout, open: what is in json follows */
	struct est_buf *secrets;  /* CMD_SECRETS, from the environment, each with a NUL; borrowed */
	struct est_buf product;   /* for stdout, written when the applet has succeeded */
	int status;               /* what success exits with: 0, or --skip-status */
	bool skipped;             /* nothing was due */
	bool installed;           /* files have changed, whatever becomes of stdout */
	bool printed;             /* the object is out already */
	int64_t listing_ms;       /* since when certificates are listed in json; 0: not yet */
	struct est_error err;
};

/* An applet is one file cmd/NAME.c that defines NAME_applet, and one line of applets.def. */
struct cmd_applet {
	const char *operands; /* "FILE..." for the usage line, "" for none */
	const struct cmd_option *groups[CMD_GROUPS_MAX + 1]; /* its option table, NULL-terminated */
	/* Returns what happened, with cmd->err filled on failure.  Prints nothing on stdout itself
	 * but through cmd->product, cmd->json or cmd_stdout(). */
	enum est_code (*run)(struct cmd *cmd);
};

struct cmd_entry {
	const char *name, *help;
	const struct cmd_applet *applet;
};

#define APPLET(name, help) extern const struct cmd_applet name##_applet;
#include "applets.h" /* the lines of applets.def that are built */
#undef APPLET

extern const struct cmd_entry cmd_applets[]; /* ends with a NULL name */
const struct cmd_entry *cmd_find(const char *name);
const char *cmd_name(const struct cmd_applet *applet);

/* Non-zero after SIGINT, SIGTERM or SIGHUP: the signal's number. */
extern volatile sig_atomic_t cmd_stop;

int cmd_main(const struct cmd_entry *entry, int argc, char **argv);
/* One run, in a process that cmd_main() has prepared. */
int cmd_run(const struct cmd_entry *entry, int argc, char **argv, struct est_buf *secrets,
	const struct cmd_profile *profile);
int cmd_help(int argc, char **argv); /* est help [APPLET | exit-codes | --options APPLET] */
void cmd_help_applet(const struct cmd_entry *entry);
int cmd_exit_code(enum est_code code);

/* "est: enroll: text" on stderr, unless -q; with -v; escaped where it holds bytes from outside. */
void cmd_notice(const struct cmd *cmd, const char *fmt, ...) EST_PRINTF(2, 3);
void cmd_verbose(const struct cmd *cmd, const char *fmt, ...) EST_PRINTF(2, 3);
/* Names of files and options stand in messages as they were given, and long ones are cut: here
 * they become printable, in place. */
void cmd_printable(char *text, size_t size);

/* Which of the words a value is; the first when there is none.  EST_E_USAGE names them all, as they
 * stand: "auto, basic, none". */
enum est_code cmd_choice(struct cmd *cmd, const char *option, const char *value, const char *words,
	unsigned *out) EST_MUST_CHECK;
/* The applet takes no operands. */
enum est_code cmd_no_operands(struct cmd *cmd) EST_MUST_CHECK;
/* Writes to stdout at once, for output too large to keep; EST_E_OUTPUT. */
enum est_code cmd_stdout(struct est_span bytes, struct est_error *err) EST_MUST_CHECK;
/* Prints and flushes at once, for what has to be out before a key is put in place; with --json the
 * object, which has to be complete and to hold it. */
enum est_code cmd_print(struct cmd *cmd, struct est_span text) EST_MUST_CHECK;
enum est_code cmd_flush(struct est_error *err) EST_MUST_CHECK; /* of stdout; EST_E_OUTPUT */
/* Opens a destination before anything is sent; *out stays NULL for standard output ("-", NULL). */
enum est_code cmd_output(struct cmd *cmd, const char *path, unsigned flags,
	struct est_output **out) EST_MUST_CHECK;
/* With --json standard output is the object's: "-" as a destination is EST_E_USAGE. */
enum est_code cmd_check_stdout(struct cmd *cmd, const char *path) EST_MUST_CHECK;
/* NULL: to cmd->product; else atomically to the file.  Sets "changed" in JSON. */
enum est_code cmd_deliver(struct cmd *cmd, struct est_output *out,
	struct est_span content) EST_MUST_CHECK;

/* What can be wrong with the network options before a file is looked at; cmd_client() asks too. */
enum est_code cmd_check_network(struct cmd *cmd) EST_MUST_CHECK;
/* What --pop means. */
enum est_code cmd_pop(struct cmd *cmd, enum est_pop *out) EST_MUST_CHECK;
/* A client as the network options describe it. */
enum est_code cmd_client(struct cmd *cmd, struct est_client **out) EST_MUST_CHECK;
/* Passwords, of an account and of a key: file, environment, terminal.  Tokens: file, environment.
 * Each an est_secret_fn; ctx is the struct cmd. */
enum est_code cmd_secret(void *ctx, const char *what, struct est_buf *out, struct est_error *err);
enum est_code cmd_key_secret(void *ctx, const char *what, struct est_buf *out,
	struct est_error *err);
enum est_code cmd_proxy_secret(void *ctx, const char *what, struct est_buf *out,
	struct est_error *err);
enum est_code cmd_token(void *ctx, const char *what, struct est_buf *out, struct est_error *err);
/* Takes EST_PASSWORD and the like out of the environment, and wipes them there; out of https_proxy
 * the password alone. */
enum est_code cmd_take_secrets(struct est_buf *out, struct est_error *err) EST_MUST_CHECK;
/* A secret in a file, without the line end behind it. */
enum est_code cmd_secret_file(const char *file, struct est_buf *out, struct est_error *err);
/* A file of a secret that cannot be opened is known before a server is asked, and asks for it. */
enum est_code cmd_check_secret_files(struct cmd *cmd) EST_MUST_CHECK;
/* Standard input is at most one of the secrets. */
enum est_code cmd_check_stdin(struct cmd *cmd) EST_MUST_CHECK;
bool cmd_has_token(const struct cmd *cmd);
/* Asks on the terminal whether a redirect to this origin may be followed; no terminal: no. */
bool cmd_consent(void *ctx, const char *origin);
/* One line that counts the seconds down while est waits: on a terminal only, unless -q; left_s 0
 * takes it away.  ctx is the struct cmd. */
bool cmd_may_count_down(const struct cmd *cmd);
void cmd_count_down(void *ctx, unsigned left_s);
/* What -v and JSON say of the connection and the deviations met. */
void cmd_report_session(struct cmd *cmd, const struct est_client *client);

/* JSON; all do nothing without --json. */
void cmd_json_string(struct cmd *cmd, const char *name, const char *value);
void cmd_json_bool(struct cmd *cmd, const char *name, bool value);
void cmd_json_text(struct cmd *cmd, const char *name, struct est_span text); /* valid UTF-8 */
struct json_object *cmd_json_cert(const struct est_cert_info *info);
struct json_object *cmd_json_strings(char *const *v, size_t n);
struct json_object *cmd_json_csr(const struct est_csr_info *info);
/* "certificates": [...] ; pem: each with its PEM text, for when no file got it. */
enum est_code cmd_json_certs(struct cmd *cmd, const struct est_certs *certs,
	bool pem) EST_MUST_CHECK;
enum est_code cmd_json_cert_list(struct cmd *cmd, const char *name, const struct est_certs *certs,
	bool pem) EST_MUST_CHECK;
void cmd_json_array(struct cmd *cmd, const char *name, struct json_object *array);
bool cmd_time_text(time_t when, char *out, size_t size); /* RFC 3339 UTC; "?" on false */
struct json_object *cmd_json_time(time_t when);
void cmd_json_quirks(struct cmd *cmd, const struct est_quirks *quirks);
void cmd_json_print(struct cmd *cmd, enum est_code rc);

#endif

/* SPDX-License-Identifier: MIT */
/* Options: one table per applet, which parsing, help, completions and the man-page check read. */
#ifndef EST_CMD_OPTIONS_H
#define EST_CMD_OPTIONS_H

#include "est.h"

#define CMD_GROUPS_MAX 10

struct cmd_list { /* NULL-terminated; v is NULL when empty */
	const char **v;
	size_t n;
};

/* Every option's value.  Strings are borrowed from argv, the environment or the config file. */
struct cmd_values {
	/* which server, and whom to believe */
	const char *server, *label, *clock_floor;
	struct cmd_list cacert, crl, resolve, redirect_to;
	bool ca_indication, send_chain, system_trust, no_cmc_ra, ipv4, ipv6;
	const char *tls_min, *priority, *proxy, *proxy_password_file, *session_cache;
	unsigned connect_timeout_ms, max_time_ms, wait_ms, retry_delay_ms;
	unsigned retry;
	size_t max_size;
	/* who we are */
	const char *cert, *key, *key_password_file, *user, *srp_user, *password_file, *token_file,
		*auth;
	/* what is asked for */
	const char *alt_cert, *alt_key, *change_subject;
	const char *new_key, *use_key, *csr, *key_out, *subject, *hash, *compat, *pop, *csrattrs;
	const char *challenge_file, *otp_file, *revocation_challenge_file;
	struct cmd_list dns, ip, email, uri, key_usage, ext_key_usage;
	/* where it goes */
	const char *output, *chain_out, *combined, *outform, *from, *p12, *p12_password_file;
	const char *store;
	bool fullchain, force, rekey, reuse_key, explain;
	unsigned keep, lock_wait_ms;
	/* what inspect is asked */
	bool verify, tree, diff, sort, dedup, json_lines, recursive, entries, dot, svg;
	const char *expires_within, *hostname, *purpose, *at, *match_key, *min_strength, *color,
		*split;
	struct cmd_list has_root, extract;
	/* the anchors of cacerts */
	bool bootstrap;
	struct cmd_list ca_fingerprint;
	const char *update, *if_older;
	/* when to renew, and what else runs */
	const char *renew_before, *verify_with, *hook, *config_dir;
	unsigned jitter_ms, skip_status, parallel;
	bool status;
	/* how it is said */
	const char *config;
	bool json, quiet, strict, dry_run, help, version;
	unsigned verbose;
};

enum cmd_kind {
	CMD_FLAG,    /* bool */
	CMD_COUNT,   /* unsigned, one more each time */
	CMD_STRING,  /* const char * */
	CMD_LIST,    /* struct cmd_list */
	CMD_SECONDS, /* unsigned milliseconds from "10" or "0.5" */
	CMD_PAUSE,   /* the same, 0 too */
	CMD_WAIT,    /* the same, 0 too; the argument is optional: --wait, --wait=10 */
	CMD_NUMBER,  /* unsigned, 0 to 1000 */
	CMD_BYTES    /* size_t from "65536", "64K" or "4M" */
};

struct cmd_option {
	const char *name; /* without dashes; NULL ends a table */
	char letter;      /* 0: none */
	enum cmd_kind kind : 8;
	uint16_t at;     /* offset in struct cmd_values */
	const char *arg; /* what --help calls the argument; NULL for CMD_FLAG and CMD_COUNT */
	const char *env; /* environment variable, or NULL */
	const char *help;
};

#define CMD_KEEP_DEFAULT   ~0u /* .keep until it is given */
#define CMD_WAIT_DEFAULT_S 600 /* CMD_WAIT without an argument */

#define CMD_AT(field) offsetof(struct cmd_values, field)

/* Groups that applets share. */
extern const struct cmd_option cmd_options_network[];
extern const struct cmd_option cmd_options_request[];
extern const struct cmd_option cmd_options_files[];
extern const struct cmd_option cmd_options_signing[];
extern const struct cmd_option cmd_options_sending[];
extern const struct cmd_option cmd_options_dry_run[]; /* of what only asks */
extern const struct cmd_option cmd_options_common[];
extern const struct cmd_option cmd_options_schedule[];
extern const struct cmd_option cmd_options_hook[];
extern const struct cmd_option cmd_options_profiles[];

struct cmd_parsed {
	struct cmd_values v;
	char **operands;
	int n_operands;
	struct est_buf config; /* text that strings of v borrow from */
};

/* config file, then environment, then argv: each replaces what came before it.  getenv_fn is
 * getenv() but for tests.  groups ends with NULL; known(name) tells an option of another applet,
 * which a shared config file may hold, from a mistake.  EST_E_USAGE, or EST_E_INPUT when the
 * config file cannot be read. */
enum est_code cmd_parse(const struct cmd_option *const *groups, int argc, char **argv,
	char *(*getenv_fn)(const char *), bool (*known)(const char *name), struct cmd_parsed *out,
	struct est_error *err) EST_MUST_CHECK;
/* The config file's text alone, modified in place. */
enum est_code cmd_parse_config(const struct cmd_option *const *groups, const char *path,
	struct est_buf *text, bool (*known)(const char *name), struct cmd_values *out,
	struct est_error *err) EST_MUST_CHECK;
void cmd_parsed_wipe(const struct cmd_option *const *groups, struct cmd_parsed *parsed);

/* Seconds of "90s", "45m", "12h", "30d" or "2w"; false for anything else. */
bool cmd_duration(const char *text, int64_t *out);

const struct cmd_option *cmd_option_find(const struct cmd_option *const *groups, const char *name);

#endif

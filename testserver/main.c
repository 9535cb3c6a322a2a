/* SPDX-License-Identifier: MIT */
/* est-testserver: an EST server with a small CA, to test clients and scripts against. */
#include "chains.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE 2

static const char usage[] =
	"usage: est-testserver [OPTIONS]\n"
	"An EST server (RFC 7030) with a small CA, for tests; man est-testserver.\n"
	"  --dir DIR             keep the CA, the log and the requests here (a fresh folder)\n"
	"  --port N              port, 0: a free one (0)\n"
	"  --raw-port N          second listener that plays scripts, 0: a free port (none)\n"
	"  --srp-port N          listener without certificates: SRP with the account (none)\n"
	"  --raw-late            it asks for client certificates only where a script says so\n"
	"  --bind ADDR           IP address of both listeners (127.0.0.1)\n"
	"  --name NAME           in the server certificate; repeat (localhost, 127.0.0.1, ::1)\n"
	"  --cert FILE           another server certificate, PEM, with --key FILE\n"
	"  --key FILE            its key\n"
	"  --staple FILE         OCSP answer in DER, the first for the server; repeat\n"
	"  --client-ca FILE      PEM: whose certificates may enrol too, but not renew\n"
	"  --wrap N              base64 in N columns, 0: one line without newline (64)\n"
	"  --user NAME           HTTP account, with --password-file FILE\n"
	"  --password-file FILE  its password; without an account Basic is never offered\n"
	"  --token-file FILE     the bearer token of the labels bearer and any-auth\n"
	"  --csrattrs FILE       DER or base64, served at /csrattrs (none: 204)\n"
	"  --validity SECONDS    of the certificates issued (90 days)\n"
	"  --tls-priority STRING GnuTLS priority string (TLS 1.2 and 1.3)\n"
	"  --scripts DIR         scripts of the raw listener\n"
	"  --log FILE            JSON lines (DIR/log.jsonl)\n"
	"  --max-seconds S       stop after S seconds (3600)\n"
	"  --parent-exit         stop when the parent process is gone\n"
	"  --list-labels         print the labels that select behaviour\n"
	"  -h, --help            -V, --version\n";

enum {
	OPT_DIR = 256,
	OPT_PORT,
	OPT_RAW_PORT,
	OPT_BIND,
	OPT_NAME,
	OPT_CERT,
	OPT_KEY,
	OPT_WRAP,
	OPT_USER,
	OPT_PASSWORD_FILE,
	OPT_TOKEN_FILE,
	OPT_CSRATTRS,
	OPT_VALIDITY,
	OPT_TLS_PRIORITY,
	OPT_SCRIPTS,
	OPT_LOG,
	OPT_CLIENT_CA,
	OPT_STAPLE,
	OPT_MAX_SECONDS,
	OPT_PARENT_EXIT,
	OPT_LIST_LABELS,
	OPT_RAW_LATE,
	OPT_SRP_PORT,
};

static const struct option longopts[] = {
	{ "dir", required_argument, NULL, OPT_DIR },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "raw-port", required_argument, NULL, OPT_RAW_PORT },
	{ "bind", required_argument, NULL, OPT_BIND },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "wrap", required_argument, NULL, OPT_WRAP },
	{ "user", required_argument, NULL, OPT_USER },
	{ "password-file", required_argument, NULL, OPT_PASSWORD_FILE },
	{ "token-file", required_argument, NULL, OPT_TOKEN_FILE },
	{ "csrattrs", required_argument, NULL, OPT_CSRATTRS },
	{ "validity", required_argument, NULL, OPT_VALIDITY },
	{ "tls-priority", required_argument, NULL, OPT_TLS_PRIORITY },
	{ "scripts", required_argument, NULL, OPT_SCRIPTS },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "client-ca", required_argument, NULL, OPT_CLIENT_CA },
	{ "staple", required_argument, NULL, OPT_STAPLE },
	{ "max-seconds", required_argument, NULL, OPT_MAX_SECONDS },
	{ "parent-exit", no_argument, NULL, OPT_PARENT_EXIT },
	{ "srp-port", required_argument, NULL, OPT_SRP_PORT },
	{ "raw-late", no_argument, NULL, OPT_RAW_LATE },
	{ "list-labels", no_argument, NULL, OPT_LIST_LABELS },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static void complain(const char *text)
{
	(void)fprintf(stderr, "est-testserver: %s\n", text);
}

static bool number(const char *name, const char *text, long min, long max, long *out)
{
	if (number_parse(text, min, max, out))
		return true;
	(void)fprintf(stderr, "est-testserver: --%s %s: not a number from %ld to %ld\n", name, text,
		min, max);
	return false;
}

/* One option; false: the message is out. */
static bool option_take(struct options *o, int opt)
{
	switch (opt) {
	case OPT_PORT:
		return number("port", optarg, 0, 65535, &o->port);
	case OPT_RAW_PORT:
		return number("raw-port", optarg, 0, 65535, &o->raw_port);
	case OPT_SRP_PORT:
		return number("srp-port", optarg, 0, 65535, &o->srp_port);
	case OPT_WRAP:
		return number("wrap", optarg, 0, 4096, &o->wrap);
	case OPT_VALIDITY:
		return number("validity", optarg, 1, 20L * 365 * 24 * 60 * 60, &o->validity_s);
	case OPT_MAX_SECONDS:
		return number("max-seconds", optarg, 1, 1000L * 1000 * 1000, &o->max_s);
	case OPT_NAME:
		if (o->n_names == NAMES_MAX) {
			complain("too many --name");
			return false;
		}
		o->names[o->n_names++] = optarg;
		return true;
	case OPT_STAPLE:
		if (o->n_staples == STAPLES_MAX) {
			complain("too many --staple");
			return false;
		}
		o->staples[o->n_staples++] = optarg;
		return true;
	case OPT_PARENT_EXIT:
		o->parent_exit = true;
		return true;
	case OPT_RAW_LATE:
		o->raw_late = true;
		return true;
	default: {
		const char **const text[] = { [OPT_DIR - OPT_DIR] = &o->dir,
			[OPT_BIND - OPT_DIR] = &o->bind,
			[OPT_CERT - OPT_DIR] = &o->cert,
			[OPT_KEY - OPT_DIR] = &o->key,
			[OPT_USER - OPT_DIR] = &o->user,
			[OPT_PASSWORD_FILE - OPT_DIR] = &o->password_file,
			[OPT_TOKEN_FILE - OPT_DIR] = &o->token_file,
			[OPT_CSRATTRS - OPT_DIR] = &o->csrattrs,
			[OPT_TLS_PRIORITY - OPT_DIR] = &o->priority,
			[OPT_SCRIPTS - OPT_DIR] = &o->scripts,
			[OPT_LOG - OPT_DIR] = &o->log,
			[OPT_CLIENT_CA - OPT_DIR] = &o->client_ca };
		if (opt < OPT_DIR) /* getopt_long() has said what is wrong */
			return false;
		*text[opt - OPT_DIR] = optarg;
		return true;
	}
	}
}

static bool options_check(const struct options *o)
{
	if (!o->cert != !o->key)
		complain("--cert and --key go together");
	else if (o->srp_port >= 0 && !o->user)
		complain("--srp-port needs --user and --password-file");
	else if (!o->user != !o->password_file)
		complain("--user and --password-file go together");
	else if (o->user && strchr(o->user, ':'))
		complain("--user: a colon cannot be sent with Basic (RFC 7617 section 2)");
	else
		return true;
	return false;
}

/* -1: go on, else the exit status. */
static int options_parse(struct options *o, int argc, char **argv)
{
	int opt;

	*o = (struct options){ .bind = "127.0.0.1",
		.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
		.raw_port = -1,
		.srp_port = -1,
		.wrap = 64,
		.validity_s = 90L * 24 * 60 * 60,
		.max_s = 3600 };
	while ((opt = getopt_long(argc, argv, "hV", longopts, NULL)) != -1) {
		if (opt == 'h')
			return fputs(usage, stdout) < 0 || fflush(stdout) != 0;
		if (opt == 'V')
			return printf("est-testserver %s\n", EST_VERSION) < 0 ||
			       fflush(stdout) != 0;
		if (opt == OPT_LIST_LABELS) {
			label_list(stdout);
			return fflush(stdout) != 0;
		}
		if (!option_take(o, opt))
			return EXIT_USAGE;
	}
	if (optind != argc) {
		complain("no operands are taken; --help");
		return EXIT_USAGE;
	}
	return options_check(o) ? -1 : EXIT_USAGE;
}

/* The folder, absolute, with what has to be in it. */
static enum est_code dir_prepare(struct server *srv, struct est_error *err)
{
	static const char *const parts[] = { "issued", "requests" };
	const char *tmp = getenv("TMPDIR");
	char made[PATH_MAX], path[PATH_MAX + 16];
	size_t i;

	if (srv->opt.dir) {
		if (snprintf(made, sizeof(made), "%s", srv->opt.dir) >= (int)sizeof(made))
			return est_fail(err, EST_E_USAGE, "--dir: path too long");
		if (mkdir(made, 0755) != 0 && errno != EEXIST)
			return est_fail(err, EST_E_OUTPUT, "%s: %s", made, strerror(errno));
	} else {
		if (snprintf(made, sizeof(made), "%s/est-testserver.XXXXXX",
			    tmp && *tmp ? tmp : "/tmp") >= (int)sizeof(made))
			return est_fail(err, EST_E_OUTPUT, "TMPDIR: path too long");
		if (!mkdtemp(made))
			return est_fail(err, EST_E_OUTPUT, "%s: %s", made, strerror(errno));
	}
	if (!realpath(made, srv->dir))
		return est_fail(err, EST_E_OUTPUT, "%s: %s", made, strerror(errno));
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", srv->dir, parts[i]);
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			return est_fail(err, EST_E_OUTPUT, "%s: %s", path, strerror(errno));
	}
	return EST_OK;
}

/* A file as a NUL-terminated string, as libmicrohttpd wants it. */
static enum est_code text_load(const char *dir, const char *name, struct est_buf *out,
	struct est_error *err)
{
	static const uint8_t nul[1];
	enum est_code rc;

	rc = dir ? file_read(dir, name, EST_FILE_MAX, out, err)
		 : est_read_file(name, EST_FILE_MAX, out, err);
	return rc == EST_OK ? est_buf_append(out, (struct est_span){ nul, 1 }, err) : rc;
}

/* Whose certificates are taken: this CA's, and those of --client-ca. */
static enum est_code trust_prepare(struct server *srv, struct est_error *err)
{
	struct est_buf others = { 0 };
	enum est_code rc;

	rc = text_load(srv->dir, "ca.pem", &srv->trust_pem, err);
	if (rc != EST_OK || !srv->opt.client_ca)
		return rc;
	rc = text_load(NULL, srv->opt.client_ca, &others, err);
	if (rc == EST_OK)
		rc = ca_trust_others(&srv->ca, &others, err);
	if (rc == EST_OK) {
		srv->trust_pem.n--; /* the NUL */
		rc = est_buf_append(&srv->trust_pem, est_buf_span(&others), err);
	}
	est_buf_free(&others);
	return rc;
}

static enum est_code chains_prepare(struct server *srv, struct est_error *err)
{
	struct est_buf cert = { 0 }, key = { 0 };
	enum est_code rc = text_load(srv->dir, "server-new.pem", &cert, err);

	if (rc == EST_OK)
		rc = text_load(srv->dir, "server-new.key", &key, err);
	if (rc == EST_OK)
		rc = chains_load(srv, &cert, &key, err);
	est_buf_free(&cert);
	est_buf_free(&key);
	return rc;
}

static enum est_code server_load(struct server *srv, struct est_error *err)
{
	const struct options *o = &srv->opt;
	char path[PATH_MAX + 16];
	enum est_code rc;
	int r;

	rc = dir_prepare(srv, err);
	if (rc == EST_OK)
		rc = auth_load(srv, err);
	if (rc == EST_OK && srv->opt.csrattrs)
		rc = csrattrs_read(srv->opt.csrattrs, &srv->csrattrs, err);
	if (rc == EST_OK)
		rc = ca_open(&srv->ca, srv->dir, o->names, o->n_names, err);
	if (rc == EST_OK)
		rc = text_load(o->cert ? NULL : srv->dir, o->cert ? o->cert : "server.pem",
			&srv->cert_pem, err);
	if (rc == EST_OK)
		rc = text_load(o->key ? NULL : srv->dir, o->key ? o->key : "server.key",
			&srv->key_pem, err);
	if (rc == EST_OK)
		rc = chains_prepare(srv, err);
	if (rc == EST_OK)
		rc = trust_prepare(srv, err);
	if (rc != EST_OK)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/log.jsonl", srv->dir);
	rc = log_open(&srv->log, o->log ? o->log : path, err);
	if (rc != EST_OK)
		return rc;
	r = gnutls_session_ticket_key_generate(&srv->ticket_key);
	return r < 0 ? gnutls_fail(err, "cannot make a ticket key", r) : EST_OK;
}

static void server_wipe(struct server *srv)
{
	http_stop(srv);
	raw_stop(srv);
	srp_stop(srv);
	ca_close(&srv->ca);
	chains_free();
	log_close(&srv->log);
	est_buf_free(&srv->cert_pem);
	est_buf_free(&srv->key_pem);
	est_buf_free(&srv->trust_pem);
	est_buf_free(&srv->csrattrs);
	if (srv->ticket_key.data)
		gnutls_memset(srv->ticket_key.data, 0, srv->ticket_key.size);
	gnutls_free(srv->ticket_key.data);
	pending_free(srv->pending);
	nonces_free(srv->nonces);
	filler_free(srv->filler);
	if (srv->stop_fd >= 0)
		(void)close(srv->stop_fd);
	(void)pthread_mutex_destroy(&srv->lock);
}

/* One line, then stdout is closed: a reader sees the end of file. */
static enum est_code say_ready(const struct server *srv, struct est_error *err)
{
	const char *bind = srv->opt.bind;
	bool usual = strcmp(bind, "127.0.0.1") == 0 || strcmp(bind, "::1") == 0 ||
		     strcmp(bind, "0.0.0.0") == 0 || strcmp(bind, "::") == 0;
	char host[64];

	if (usual)
		bind = "localhost";
	(void)snprintf(host, sizeof(host), strchr(bind, ':') ? "[%s]" : "%s", bind);
	(void)printf("ready url=https://%s:%d", host, srv->port);
	if (srv->raw_port >= 0)
		(void)printf(" raw=https://%s:%d", host, srv->raw_port);
	(void)printf(" dir=%s pid=%ld", srv->dir, (long)getpid());
	if (srv->srp_port >= 0)
		(void)printf(" srp=https://%s:%d", host, srv->srp_port);
	(void)printf("\n");
	if (fclose(stdout) != 0)
		return est_fail(err, EST_E_OUTPUT, "standard output: %s", strerror(errno));
	return EST_OK;
}

/* Until a signal, the time limit or the end of the parent. */
static void wait_for_end(const struct server *srv, const sigset_t *set, pid_t parent)
{
	const struct timespec tick = { .tv_nsec = 200L * 1000 * 1000 };
	struct timespec now;
	time_t end;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec + srv->opt.max_s;
	for (;;) {
		if (sigtimedwait(set, NULL, &tick) > 0)
			return;
		if (srv->opt.parent_exit && getppid() != parent)
			return;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= end)
			return;
	}
}

int main(int argc, char **argv)
{
	struct server srv = { .stop_fd = -1, .log = { .fd = -1 } };
	const pid_t parent = getppid();
	struct est_error err = { 0 };
	const uint64_t one = 1;
	enum est_code rc;
	sigset_t set;
	int status;

	status = options_parse(&srv.opt, argc, argv);
	if (status >= 0)
		return status;
	/* Blocked in every thread; wait_for_end() takes them. */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)pthread_mutex_init(&srv.lock, NULL);
	srv.stop_fd = eventfd(0, EFD_CLOEXEC);
	rc = srv.stop_fd < 0 ? est_fail(&err, EST_E_INTERNAL, "eventfd: %s", strerror(errno))
			     : server_load(&srv, &err);
	if (rc == EST_OK)
		rc = http_start(&srv, &err);
	srv.raw_port = srv.srp_port = -1;
	if (rc == EST_OK && (srv.opt.raw_port >= 0 || srv.opt.srp_port >= 0))
		rc = raw_start(&srv, &err);
	if (rc == EST_OK)
		rc = say_ready(&srv, &err);
	if (rc == EST_OK)
		wait_for_end(&srv, &set, parent);
	else
		complain(err.msg);
	if (srv.stop_fd >= 0 && write(srv.stop_fd, &one, sizeof(one)) < 0)
		complain("cannot wake the threads");
	server_wipe(&srv);
	return (int)rc;
}

/* SPDX-License-Identifier: MIT */
/* est-testserver: what its parts share.  Of the product only est.h is used, and of that only
 * buffers, errors and file reading: a bug must not be on both sides of a test. */
#ifndef SERVER_H
#define SERVER_H

#include "est.h"
#include "bytes.h"
#include "ca.h"
#include "labels.h"

#include <gnutls/gnutls.h>
#include <json-c/json.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#define NAMES_MAX        32
#define STAPLES_MAX      8
#define REQUEST_BODY_MAX (1u << 20)
#define CSR_MAX          (64u << 10) /* GnuTLS is quadratic in the number of elements */
#define DIGEST_SIZE      32          /* SHA-256 */
#define REALM            "EST test server"

enum hash { HASH_MD5, HASH_SHA256, HASH_SHA512_256 };

struct options {
	const char *dir, *bind, *cert, *key, *user, *password_file, *token_file, *csrattrs,
		*priority;
	const char *scripts, *log, *client_ca;
	const char *names[NAMES_MAX + 1];
	const char *staples[STAPLES_MAX]; /* files, in the order of the chain */
	size_t n_names;
	unsigned n_staples;
	long port, raw_port, srp_port, wrap, validity_s, max_s; /* -1: no such listener */
	bool parent_exit, raw_late;
};

struct log {
	pthread_mutex_t lock;
	int fd;
};

struct pending;
struct filler;
struct raw;
struct srp;
struct nonce;
struct MHD_Daemon;
struct MHD_Connection;

struct server {
	struct options opt;
	char dir[PATH_MAX];
	struct ca ca;
	struct log log;
	struct est_buf cert_pem, key_pem; /* of the TLS server */
	struct est_buf trust_pem;         /* whose names are offered to TLS clients */
	struct est_buf csrattrs;          /* DER; empty: none */
	gnutls_datum_t ticket_key;        /* both listeners resume each other's sessions */
	bool has_account;
	uint8_t account[DIGEST_SIZE];     /* of "user:password", which itself is not kept */
	char a1[HASH_SHA512_256 + 1][65]; /* "user:realm:password" likewise, for Digest */
	bool has_token;
	uint8_t token[DIGEST_SIZE];
	struct MHD_Daemon *daemon;
	uint8_t digest_seed[16]; /* of libmicrohttpd's nonces */
	struct raw *raw;
	struct srp *srp; /* NULL: no --srp-port */
	int stop_fd;     /* an eventfd, readable for good once the server stops */
	int port, raw_port, srp_port;
	atomic_ulong conns;      /* TCP connections, all listeners */
	pthread_mutex_t lock;    /* of what follows */
	unsigned requests;       /* files in requests/ */
	struct pending *pending; /* label pending-N: POSTs per public key */
	struct nonce *nonces;    /* of digest.c */
	struct filler *filler;   /* label bag-N: kept, as making it takes a second */
};

/* What is known of the TLS connection a request came over. */
struct tls_facts {
	const char *version, *cipher;    /* static */
	bool resumed, heeded;            /* heeded: its trusted_ca_keys chose our certificate */
	enum ta_db vouched;              /* for the client certificate */
	char *subject;                   /* RFC 4514; NULL: no client certificate */
	char sha256[EST_SHA256_HEX];     /* of the client certificate */
	char distrust[160];              /* why the client certificate is not trusted */
	gnutls_x509_crt_t client;        /* NULL: none */
	struct est_buf unique, exporter; /* channel bindings in base64; empty: there is none */
};

/* Whether trusted_ca_keys of the client has chosen the server's certificate. */
bool chains_heeded(gnutls_session_t session);

/* Attributes of a request that hold a string (RFC 2985 section 5.4.1, RFC 7894). */
enum { LINK_CHALLENGE, LINK_LINKING, LINK_OTP, LINK_REVOCATION, LINK_ATTRIBUTES };

void tls_facts_get(struct server *srv, gnutls_session_t session, struct tls_facts *out);
void tls_facts_wipe(struct tls_facts *facts);

struct request {
	const char *listener; /* "http", "raw", "srp" */
	unsigned long conn;
	struct MHD_Connection *mhd; /* NULL: the raw listener */
	char *method, *target, *version;
	char *content_type, *authorization; /* or NULL; the second is secret */
	struct json_object *headers;        /* lower-case name: value, credentials taken out */
	struct tls_facts tls;
	struct est_buf body, csr;
	bool body_too_big;
	struct est_span link[LINK_ATTRIBUTES]; /* of csr; empty: not there */
	bool link_bad;
	const char *linked, *linked_in; /* "tls-unique", "tls-exporter", "other", by which
					 * attribute; NULL: not linked */
	char bad_body[200];             /* why body is not base64 of something; "": it is */
	/* from the target */
	bool est_path;
	char label[256]; /* last segment, decoded; "": none */
	char operation[32];
	char target_bare[1024]; /* the path without its last label */
	struct label_use use;
	/* results for the log */
	int auth_ok; /* -1: nothing to judge */
	char csr_file[32], issued_file[64];
};

void request_free(struct request *rq);
/* Takes a field into headers; the credentials of an Authorization field go to authorization. */
enum est_code request_header(struct request *rq, struct est_span name, struct est_span value,
	struct est_error *err) EST_MUST_CHECK;
/* Splits target into label and operation. */
void request_parse_target(struct request *rq);
bool is_operation(const char *segment);
/* Saves body and CSR of a POST under requests/; a body that is no base64 leaves csr empty and the
 * reason in bad_body. */
enum est_code request_store(struct server *srv, struct request *rq,
	struct est_error *err) EST_MUST_CHECK;
/* Issues for rq->csr as the label says and saves the certificate under issued/. */
enum est_code request_issue(struct server *srv, struct request *rq, struct issued *out,
	struct est_error *err) EST_MUST_CHECK;

#define ANSWER_FIELDS_MAX 6

struct answer {
	int status;
	const char *type; /* Content-Type, static; NULL: none */
	struct {
		const char *name; /* static */
		char *value;
	} field[ANSWER_FIELDS_MAX];
	size_t n_fields;
	struct est_buf body;
	int mhd_digest; /* libmicrohttpd adds its challenge with this algorithm; 0: no */
	bool mhd_stale;
};

void answer_wipe(struct answer *ans);
enum est_code answer_field(struct answer *ans, const char *name, const char *value,
	struct est_error *err) EST_MUST_CHECK;
/* A text/plain answer in place of whatever was there. */
enum est_code answer_text(struct answer *ans, struct est_error *err, int status, const char *fmt,
	...) EST_PRINTF(4, 5) EST_MUST_CHECK;

/* The channel bindings of a session. */
void binding_get(gnutls_session_t session, struct tls_facts *out);
/* Looks into rq->csr. */
void linking_read(struct request *rq);
/* Sets an answer when the request is not linked as it has to be. */
enum est_code linking_check(const struct request *rq, struct answer *ans,
	struct est_error *err) EST_MUST_CHECK;
/* CsrAttrs of the labels that demand something of this kind; empty for others. */
enum est_code linking_csrattrs(enum label_id id, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

/* The same refusal as a Full PKI Response, popFailed with the words of ans (RFC 7030 section 3.5).
 */
enum est_code cmc_refuse(struct server *srv, const struct request *rq, struct answer *ans,
	struct est_error *err) EST_MUST_CHECK;

/* The whole work between request and answer; never fails, an error becomes a 500. */
void handle_request(struct server *srv, struct request *rq, struct answer *ans);
/* CSR attributes from a file, DER or base64. */
enum est_code csrattrs_read(const char *path, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code csrattrs(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err) EST_MUST_CHECK;
/* Whether a request is what the label's CSR attributes ask for. */
bool csrattrs_obeyed(const struct request *rq);
enum est_code enroll(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err) EST_MUST_CHECK;
/* 202 with a text, and Retry-After when the label has one. */
enum est_code answer_wait(const struct request *rq, struct answer *ans,
	struct est_error *err) EST_MUST_CHECK;
void pending_free(struct pending *list);
/* The body of a successful answer, encoded as the label says. */
enum est_code answer_der(const struct server *srv, const struct request *rq, const char *type,
	struct est_span der, struct answer *ans, struct est_error *err) EST_MUST_CHECK;
/* bare is the certificate that the label bare-cert sends alone. */
enum est_code answer_certs(const struct server *srv, const struct request *rq, const char *type,
	const struct est_span *certs, size_t n, bool sorted, struct est_span bare,
	struct answer *ans, struct est_error *err) EST_MUST_CHECK;

/* Hashes of --user, --password-file and --token-file. */
enum est_code auth_load(struct server *srv, struct est_error *err) EST_MUST_CHECK;
bool basic_ok(const struct server *srv, const char *authorization);
enum est_code challenge_basic(struct answer *ans, const char *why,
	struct est_error *err) EST_MUST_CHECK;
/* Whether a label demands HTTP authentication of every operation; and that it was given: if not,
 * ans->status is set. */
bool auth_guards(enum label_id id);
enum est_code auth_guard(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err) EST_MUST_CHECK;

/* Digest for the labels own-digest- and any-auth: judges, and challenges. */
enum est_code digest_check(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err) EST_MUST_CHECK;
void hash_hex(enum hash hash, struct est_span in, char out[65]);
struct json_object *digest_shown(const char *authorization);
void nonces_free(struct nonce *list);

/* n self-signed certificates in srv->filler; lock held. */
enum est_code filler_get(struct server *srv, size_t n, const struct est_span **out,
	struct est_error *err) EST_MUST_CHECK;
void filler_free(struct filler *filler);

enum est_code log_open(struct log *log, const char *path, struct est_error *err) EST_MUST_CHECK;
void log_close(struct log *log);
/* Takes obj over; adds the time. */
void log_write(struct log *log, struct json_object *obj);
/* status 0: null. */
void log_request(struct server *srv, const struct request *rq, int status);
/* Text of any bytes: what is not UTF-8 is read as Latin-1, so nothing is lost. */
struct json_object *log_string(struct est_span in);

enum est_code http_start(struct server *srv, struct est_error *err) EST_MUST_CHECK;
void http_stop(struct server *srv);
/* A daemon without TLS, which is handed its connections; NULL: it does not start. */
struct MHD_Daemon *http_plain_start(struct server *srv);
/* A listening socket; *port 0 becomes the port that was free. */
enum est_code listen_on(const char *addr, int *port, int *fd, struct est_error *err) EST_MUST_CHECK;

enum est_code raw_start(struct server *srv, struct est_error *err) EST_MUST_CHECK;
void raw_stop(struct server *srv);

/* The verifier of the account; srp_start() makes the daemon for what is said inside SRP. */
enum est_code srp_account(struct server *srv, const char *password,
	struct est_error *err) EST_MUST_CHECK;
enum est_code srp_start(struct server *srv, struct est_error *err) EST_MUST_CHECK;
void srp_stop(struct server *srv);

#endif

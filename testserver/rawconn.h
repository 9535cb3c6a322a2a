/* SPDX-License-Identifier: MIT */
/* One connection of the raw listener: GnuTLS on a socket, every wait bounded. */
#ifndef RAWCONN_H
#define RAWCONN_H

#include "server.h"

#define HELLO_MAX 96 /* entries kept of each list of a ClientHello */

struct hello { /* what the client offered, by number */
	uint16_t versions[HELLO_MAX], ciphers[HELLO_MAX], extensions[HELLO_MAX];
	size_t n_versions, n_ciphers, n_extensions;
};

/* Takes a ClientHello body (RFC 8446 section 4.1.2) apart; what cannot be read is left out. */
void hello_parse(struct est_span in, struct hello *out);

struct raw_conn {
	struct server *srv;
	gnutls_session_t session;
	int fd;
	bool srp; /* of that listener */
	unsigned long id;
	struct hello hello;
	struct est_buf in;                      /* read ahead */
	bool ended;                             /* closed, reset or broken */
	gnutls_certificate_credentials_t other; /* after conn_switch(); or NULL */
};

/* All false when the connection is over or the server stops. */
bool conn_handshake(struct raw_conn *c, int *code);
bool conn_send(struct raw_conn *c, struct est_span out);
bool conn_sleep(struct raw_conn *c, long ms);
/* Asks for the client's certificate now that the request is there: by renegotiation in TLS 1.2,
 * after the handshake in TLS 1.3 (RFC 8446 section 4.6.2).  What came of it is logged. */
void conn_ask(struct raw_conn *c, struct request *rq);
/* Reads one request; NULL when none came (*err says why), else the caller owns it. */
struct request *conn_request(struct raw_conn *c, struct est_error *err);

enum conn_end { CONN_CLOSE, CONN_DROP, CONN_RESET };

/* With close_notify, without it, or by a TCP reset. */
void conn_finish(struct raw_conn *c, enum conn_end how);

/* srp.c: sets a session up, after the time that earlier failures cost; and carries what is said
 * inside to the HTTP server until either side ends.  ok: the handshake has succeeded. */
int srp_setup(struct raw_conn *c);
void srp_serve(struct raw_conn *c, bool ok);

/* Plays scripts/LABEL.script for the request that was read; takes rq over. */
void script_serve(struct raw_conn *c, struct request *rq);
/* From the next handshake on the server has the certificate and key of scripts/NAME. */
enum est_code conn_switch(struct raw_conn *c, const char *name,
	struct est_error *err) EST_MUST_CHECK;
/* {"listener":"raw","event":"asked","conn":N,"error":text or null,"client_subject":...} */
void raw_asked(struct raw_conn *c, const struct request *rq, const char *error);
/* {"listener":"raw","event":event,"conn":N,"error":text} */
void raw_event(struct raw_conn *c, const char *event, const char *text);

#endif

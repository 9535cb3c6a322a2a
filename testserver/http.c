/* SPDX-License-Identifier: MIT */
/* The listener on libmicrohttpd. */
#include "chains.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum est_code listen_on(const char *addr, int *port, int *fd, struct est_error *err)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = { 0 };
	bool v6 = strchr(addr, ':') != NULL;
	socklen_t len = v6 ? sizeof(sa.v6) : sizeof(sa.v4);
	int s, on = 1;

	sa.any.sa_family = v6 ? AF_INET6 : AF_INET;
	if (inet_pton(sa.any.sa_family, addr,
		    v6 ? (void *)&sa.v6.sin6_addr : (void *)&sa.v4.sin_addr) != 1)
		return est_fail(err, EST_E_USAGE, "--bind %s: not an IP address", addr);
	if (v6)
		sa.v6.sin6_port = htons((uint16_t)*port);
	else
		sa.v4.sin_port = htons((uint16_t)*port);
	s = socket(sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return est_fail(err, EST_E_NETWORK, "cannot make a socket: %s", strerror(errno));
	(void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, &sa.any, len) != 0 || listen(s, 128) != 0 ||
		getsockname(s, &sa.any, &len) != 0) {
		(void)est_fail(err, EST_E_NETWORK, "cannot listen on %s port %d: %s", addr, *port,
			strerror(errno));
		(void)close(s);
		return err->code;
	}
	*port = ntohs(v6 ? sa.v6.sin6_port : sa.v4.sin_port);
	*fd = s;
	return EST_OK;
}

static gnutls_session_t session_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn,
		MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info ? info->tls_session : NULL;
}

/* Numbers the connections; and tickets, as a server should resume (RFC 7030 section 3.3). */
static void on_connection(void *cls, struct MHD_Connection *conn, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	struct server *srv = cls;
	gnutls_session_t session;

	if (what != MHD_CONNECTION_NOTIFY_STARTED)
		return;
	*context = (void *)(uintptr_t)(atomic_fetch_add(&srv->conns, 1) + 1);
	session = session_of(conn);
	if (session)
		(void)gnutls_session_ticket_enable_server(session, &srv->ticket_key);
}

/* The target before libmicrohttpd takes it apart; what is returned is the handler's *con_cls. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *conn)
{
	struct request *rq = calloc(1, sizeof(*rq));

	(void)cls;
	if (!rq)
		return NULL;
	rq->listener = session_of(conn) ? "http" : "srp"; /* the other daemon has no TLS */
	rq->mhd = conn;
	rq->auth_ok = -1;
	rq->target = strdup(target);
	rq->headers = json_object_new_object();
	return rq;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
	enum MHD_RequestTerminationCode why)
{
	(void)cls;
	(void)conn;
	(void)why;
	request_free(*con_cls);
	*con_cls = NULL;
}

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *key,
	const char *value)
{
	struct est_error err;

	(void)kind;
	return request_header(cls, est_span_str(key), est_span_str(value ? value : ""), &err) ==
			       EST_OK
		       ? MHD_YES
		       : MHD_NO;
}

static enum MHD_Result send_answer(struct MHD_Connection *conn, struct answer *ans)
{
	struct MHD_Response *response;
	enum MHD_Result ok = MHD_YES;
	size_t i;

	response = MHD_create_response_from_buffer(ans->body.n, ans->body.p, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	if (ans->type)
		ok = MHD_add_response_header(response, "Content-Type", ans->type);
	for (i = 0; i < ans->n_fields && ok == MHD_YES; i++)
		ok = MHD_add_response_header(response, ans->field[i].name, ans->field[i].value);
	if (ok == MHD_YES && ans->mhd_digest)
		ok = MHD_queue_auth_fail_response2(conn, REALM, "opaque", response, ans->mhd_stale,
			(enum MHD_DigestAuthAlgorithm)ans->mhd_digest);
	else if (ok == MHD_YES)
		ok = MHD_queue_response(conn, (unsigned)ans->status, response);
	MHD_destroy_response(response);
	return ok;
}

static enum MHD_Result answer_now(struct server *srv, struct request *rq,
	struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info;
	gnutls_session_t session = session_of(conn);
	struct answer ans = { 0 };
	enum MHD_Result ok;

	info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	if (info && info->socket_context)
		rq->conn = (unsigned long)(uintptr_t)info->socket_context;
	if (session)
		tls_facts_get(srv, session, &rq->tls);
	(void)MHD_get_connection_values(conn, MHD_HEADER_KIND, on_field, rq);
	handle_request(srv, rq, &ans);
	ok = send_answer(conn, &ans);
	answer_wipe(&ans);
	return ok;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **con_cls)
{
	struct request *rq = *con_cls;
	struct est_error err;
	struct est_span part;

	(void)url;
	if (!rq || !rq->target || !rq->headers)
		return MHD_NO;
	if (!rq->method) {
		rq->method = strdup(method);
		rq->version = strdup(version);
		return rq->method && rq->version ? MHD_YES : MHD_NO;
	}
	if (*upload_size == 0)
		return answer_now(cls, rq, conn);
	part = (struct est_span){ (const uint8_t *)upload, *upload_size };
	*upload_size = 0;
	if (part.n > REQUEST_BODY_MAX - rq->body.n) {
		rq->body_too_big = true;
		part.n = REQUEST_BODY_MAX - rq->body.n;
	}
	return est_buf_append(&rq->body, part, &err) == EST_OK ? MHD_YES : MHD_NO;
}

struct MHD_Daemon *http_plain_start(struct server *srv)
{
	return MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET |
					MHD_USE_ITC,
		0, NULL, NULL, on_request, srv, MHD_OPTION_URI_LOG_CALLBACK, on_target, srv,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, srv, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, srv, MHD_OPTION_CONNECTION_TIMEOUT, 60u,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)128 << 10, MHD_OPTION_END);
}

enum est_code http_start(struct server *srv, struct est_error *err)
{
	enum est_code rc;
	int fd = -1;

	if (gnutls_rnd(GNUTLS_RND_NONCE, srv->digest_seed, sizeof(srv->digest_seed)) < 0)
		return est_fail(err, EST_E_INTERNAL, "no random numbers");
	srv->port = (int)srv->opt.port;
	rc = listen_on(srv->opt.bind, &srv->port, &fd, err);
	if (rc != EST_OK)
		return rc;
	srv->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_TLS, 0, NULL, NULL,
		on_request, srv, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_CERT_CALLBACK2,
		chains_choose, MHD_OPTION_HTTPS_MEM_TRUST, (const char *)srv->trust_pem.p,
		MHD_OPTION_HTTPS_PRIORITIES, srv->opt.priority, MHD_OPTION_URI_LOG_CALLBACK,
		on_target, srv, MHD_OPTION_NOTIFY_COMPLETED, on_completed, srv,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, srv, MHD_OPTION_CONNECTION_LIMIT, 256u,
		MHD_OPTION_NONCE_NC_SIZE, 1000u, MHD_OPTION_DIGEST_AUTH_RANDOM,
		sizeof(srv->digest_seed), srv->digest_seed, MHD_OPTION_CONNECTION_TIMEOUT, 60u,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)128 << 10, MHD_OPTION_END);
	if (srv->daemon)
		return EST_OK;
	(void)close(fd);
	return est_fail(err, EST_E_INPUT,
		"libmicrohttpd does not start: certificate, key or --tls-priority are wrong");
}

void http_stop(struct server *srv)
{
	if (srv->daemon)
		MHD_stop_daemon(srv->daemon);
	srv->daemon = NULL;
}

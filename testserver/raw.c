/* SPDX-License-Identifier: MIT */
/* The raw listener and that for SRP: a thread per connection on plain GnuTLS sockets, for answers
 * that libmicrohttpd refuses to give, and TLS that it does not know. */
#include "chains.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rawconn.h"

#define THREADS_MAX 64

struct raw {
	int fd, srp_fd; /* -1: not listening */
	bool running;
	pthread_t thread;
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
	pthread_mutex_t lock;
	pthread_cond_t less;
	unsigned threads;
};

static struct json_object *event_new(const struct raw_conn *c, const char *event)
{
	struct json_object *obj = json_object_new_object();

	(void)json_object_object_add(obj, "listener",
		json_object_new_string(c->srp ? "srp" : "raw"));
	(void)json_object_object_add(obj, "event", json_object_new_string(event));
	(void)json_object_object_add(obj, "conn", json_object_new_int64((int64_t)c->id));
	return obj;
}

void raw_event(struct raw_conn *c, const char *event, const char *text)
{
	struct json_object *obj = event_new(c, event);

	(void)json_object_object_add(obj, "error", log_string(est_span_str(text)));
	log_write(&c->srv->log, obj);
}

void raw_asked(struct raw_conn *c, const struct request *rq, const char *error)
{
	struct json_object *obj = event_new(c, "asked");

	(void)json_object_object_add(obj, "error", error ? json_object_new_string(error) : NULL);
	(void)json_object_object_add(obj, "client_subject",
		rq->tls.subject ? log_string(est_span_str(rq->tls.subject)) : NULL);
	log_write(&c->srv->log, obj);
}

/* "1301", or for known versions "TLS1.3". */
static struct json_object *number_list(const uint16_t *v, size_t n, bool versions)
{
	static const char *const names[] = { "SSL3.0", "TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3" };
	struct json_object *list = json_object_new_array();
	char text[8];
	size_t i;

	for (i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text), "%04x", v[i]);
		(void)json_object_array_add(list,
			json_object_new_string(versions && v[i] >= 0x0300 && v[i] <= 0x0304
						       ? names[v[i] - 0x0300]
						       : text));
	}
	return list;
}

static void log_handshake(struct raw_conn *c, bool ok, int code)
{
	struct json_object *obj = event_new(c, "handshake"), *list;
	gnutls_datum_t alpn = { 0 };
	unsigned type = GNUTLS_NAME_DNS;
	char sni[256];
	size_t n = sizeof(sni), i;

	(void)json_object_object_add(obj, "ok", json_object_new_boolean(ok));
	(void)json_object_object_add(obj, "error",
		ok ? NULL : json_object_new_string(gnutls_strerror(code)));
	(void)json_object_object_add(obj, "sni",
		gnutls_server_name_get(c->session, sni, &n, &type, 0) == 0
			? log_string(est_span_str(sni))
			: NULL);
	(void)json_object_object_add(obj, "alpn",
		gnutls_alpn_get_selected_protocol(c->session, &alpn) == 0
			? log_string((struct est_span){ alpn.data, alpn.size })
			: NULL);
	(void)json_object_object_add(obj, "client_hello_versions",
		number_list(c->hello.versions, c->hello.n_versions, true));
	(void)json_object_object_add(obj, "ciphers",
		number_list(c->hello.ciphers, c->hello.n_ciphers, false));
	list = json_object_new_array();
	for (i = 0; i < c->hello.n_extensions; i++)
		(void)json_object_array_add(list, json_object_new_int(c->hello.extensions[i]));
	(void)json_object_object_add(obj, "extensions", list);
	(void)json_object_object_add(obj, "resumed",
		json_object_new_boolean(ok && gnutls_session_is_resumed(c->session)));
	log_write(&c->srv->log, obj);
}

static int on_hello(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
	const gnutls_datum_t *msg)
{
	struct raw_conn *c = gnutls_session_get_ptr(session);

	(void)type;
	(void)when;
	/* The first one tells most; after a HelloRetryRequest comes a second. */
	if (incoming && c->hello.n_versions == 0)
		hello_parse((struct est_span){ msg->data, msg->size }, &c->hello);
	return 0;
}

static int session_start(struct raw_conn *c)
{
	static unsigned char http11[] = "http/1.1";
	const gnutls_datum_t alpn = { http11, sizeof(http11) - 1 };
	struct raw *raw = c->srv->raw;
	int r;

	r = gnutls_init(&c->session,
		GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_POST_HANDSHAKE_AUTH);
	if (r < 0)
		return r;
	gnutls_session_set_ptr(c->session, c);
	gnutls_transport_set_int(c->session, c->fd);
	gnutls_handshake_set_hook_function(c->session, GNUTLS_HANDSHAKE_CLIENT_HELLO,
		GNUTLS_HOOK_PRE, on_hello);
	if (c->srp)
		return srp_setup(c);
	gnutls_certificate_server_set_request(c->session,
		c->srv->opt.raw_late ? GNUTLS_CERT_IGNORE : GNUTLS_CERT_REQUEST);
	if ((r = gnutls_priority_set(c->session, raw->priority)) < 0 ||
		(r = gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, raw->cred)) < 0 ||
		(r = gnutls_session_ticket_enable_server(c->session, &c->srv->ticket_key)) < 0)
		return r;
	return gnutls_alpn_set_protocols(c->session, &alpn, 1, 0);
}

static void *serve(void *arg)
{
	struct raw_conn *c = arg;
	struct raw *raw = c->srv->raw;
	struct request *rq = NULL;
	struct est_error err;
	bool ok = false;
	int code;

	code = session_start(c);
	if (code == 0)
		ok = conn_handshake(c, &code);
	if (c->session)
		log_handshake(c, ok, code);
	if (!ok && c->session && code != GNUTLS_E_TIMEDOUT)
		(void)gnutls_alert_send_appropriate(c->session, code);
	if (c->srp) {
		srp_serve(c, ok);
	} else if (ok) {
		rq = conn_request(c, &err);
		if (rq)
			script_serve(c, rq);
		else if (c->in.n)
			raw_event(c, "request", err.msg);
	}
	if (c->fd >= 0)
		conn_finish(c, ok ? CONN_CLOSE : CONN_DROP);
	gnutls_deinit(c->session);
	if (c->other)
		gnutls_certificate_free_credentials(c->other);
	est_buf_free(&c->in);
	free(c);
	(void)pthread_mutex_lock(&raw->lock);
	raw->threads--;
	(void)pthread_cond_signal(&raw->less);
	(void)pthread_mutex_unlock(&raw->lock);
	return NULL;
}

/* Takes fd over. */
static void serve_in_thread(struct server *srv, int fd, bool srp)
{
	struct raw_conn *c = calloc(1, sizeof(*c));
	struct raw *raw = srv->raw;
	pthread_attr_t attr;
	pthread_t thread;
	int on = 1, r;

	if (!c) {
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->srv = srv;
	c->fd = fd;
	c->srp = srp;
	c->id = atomic_fetch_add(&srv->conns, 1) + 1;
	(void)pthread_mutex_lock(&raw->lock);
	raw->threads++;
	(void)pthread_mutex_unlock(&raw->lock);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, serve, c);
	(void)pthread_attr_destroy(&attr);
	if (r == 0)
		return;
	(void)close(fd);
	free(c);
	(void)pthread_mutex_lock(&raw->lock);
	raw->threads--;
	(void)pthread_mutex_unlock(&raw->lock);
}

static void *accept_loop(void *arg)
{
	struct server *srv = arg;
	struct raw *raw = srv->raw;
	struct pollfd p[3] = { { .fd = raw->fd, .events = POLLIN },
		{ .fd = raw->srp_fd, .events = POLLIN }, { .fd = srv->stop_fd, .events = POLLIN } };
	int fd;

	for (;;) {
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[2].revents & POLLIN)
			return NULL;
		(void)pthread_mutex_lock(&raw->lock);
		while (raw->threads >= THREADS_MAX)
			(void)pthread_cond_wait(&raw->less, &raw->lock);
		(void)pthread_mutex_unlock(&raw->lock);
		for (size_t i = 0; i < 2; i++) {
			if (!(p[i].revents & POLLIN))
				continue;
			/* cppcheck-suppress nullPointer ; accept(2) takes NULL for no address */
			fd = accept4(p[i].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
			if (fd >= 0)
				serve_in_thread(srv, fd, i == 1);
		}
	}
}

static int credentials_make(const struct server *srv, struct raw *raw)
{
	gnutls_datum_t trust = { srv->trust_pem.p, (unsigned)srv->trust_pem.n - 1 };
	int r;

	if ((r = gnutls_certificate_allocate_credentials(&raw->cred)) < 0 ||
		(r = gnutls_certificate_set_x509_trust_mem(raw->cred, &trust,
			 GNUTLS_X509_FMT_PEM)) < 0)
		return r;
	gnutls_certificate_set_retrieve_function3(raw->cred, chains_choose);
	return gnutls_priority_init(&raw->priority, srv->opt.priority, NULL);
}

enum est_code raw_start(struct server *srv, struct est_error *err)
{
	struct raw *raw = calloc(1, sizeof(*raw));
	enum est_code rc = EST_OK;
	int r;

	if (!raw)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	raw->fd = raw->srp_fd = -1;
	(void)pthread_mutex_init(&raw->lock, NULL);
	(void)pthread_cond_init(&raw->less, NULL);
	srv->raw = raw;
	r = credentials_make(srv, raw);
	if (r < 0)
		return gnutls_fail(err, "certificate, key or --tls-priority", r);
	srv->raw_port = (int)srv->opt.raw_port;
	srv->srp_port = (int)srv->opt.srp_port;
	if (srv->raw_port >= 0)
		rc = listen_on(srv->opt.bind, &srv->raw_port, &raw->fd, err);
	if (rc == EST_OK && srv->srp_port >= 0)
		rc = srp_start(srv, err);
	if (rc == EST_OK && srv->srp_port >= 0)
		rc = listen_on(srv->opt.bind, &srv->srp_port, &raw->srp_fd, err);
	if (rc != EST_OK)
		return rc;
	r = pthread_create(&raw->thread, NULL, accept_loop, srv);
	if (r != 0)
		return est_fail(err, EST_E_INTERNAL, "cannot start a thread: %s", strerror(r));
	raw->running = true;
	return EST_OK;
}

/* stop_fd is readable by now: every wait ends. */
void raw_stop(struct server *srv)
{
	struct raw *raw = srv->raw;

	if (!raw)
		return;
	if (raw->running)
		(void)pthread_join(raw->thread, NULL);
	(void)pthread_mutex_lock(&raw->lock);
	while (raw->threads > 0)
		(void)pthread_cond_wait(&raw->less, &raw->lock);
	(void)pthread_mutex_unlock(&raw->lock);
	if (raw->fd >= 0)
		(void)close(raw->fd);
	if (raw->srp_fd >= 0)
		(void)close(raw->srp_fd);
	gnutls_priority_deinit(raw->priority);
	if (raw->cred)
		gnutls_certificate_free_credentials(raw->cred);
	(void)pthread_cond_destroy(&raw->less);
	(void)pthread_mutex_destroy(&raw->lock);
	free(raw);
	srv->raw = NULL;
}

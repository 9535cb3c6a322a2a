/* SPDX-License-Identifier: MIT */
/* One connection of the raw listener: GnuTLS on a non-blocking socket, every wait bounded. */
#include "rawconn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDLE_MS  (60 * 1000)
#define HEAD_MAX (64u << 10)

/* Until the socket can do what GnuTLS wants; false: time, stop or error. */
static bool conn_wait(struct raw_conn *c, int timeout_ms)
{
	struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN },
		{ .fd = c->srv->stop_fd, .events = POLLIN } };
	int r;

	if (gnutls_record_get_direction(c->session) == 1)
		p[0].events = POLLOUT;
	do {
		r = poll(p, 2, timeout_ms);
	} while (r < 0 && errno == EINTR);
	return r > 0 && !(p[1].revents & POLLIN);
}

bool conn_handshake(struct raw_conn *c, int *code)
{
	int r;

	for (;;) {
		r = gnutls_handshake(c->session);
		if (r == GNUTLS_E_SUCCESS)
			return true;
		*code = r;
		if (gnutls_error_is_fatal(r))
			break;
		if (r == GNUTLS_E_AGAIN && !conn_wait(c, IDLE_MS)) {
			*code = GNUTLS_E_TIMEDOUT;
			break;
		}
	}
	return false;
}

bool conn_send(struct raw_conn *c, struct est_span out)
{
	ssize_t n;

	while (out.n && !c->ended) {
		n = gnutls_record_send(c->session, out.p, out.n);
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
			if (!conn_wait(c, IDLE_MS))
				c->ended = true;
			continue;
		}
		if (n < 0) {
			c->ended = true;
			break;
		}
		out = (struct est_span){ out.p + n, out.n - (size_t)n };
	}
	return !c->ended;
}

bool conn_sleep(struct raw_conn *c, long ms)
{
	struct pollfd p = { .fd = c->srv->stop_fd, .events = POLLIN };

	if (poll(&p, 1, ms > INT_MAX ? INT_MAX : (int)ms) > 0)
		c->ended = true;
	return !c->ended;
}

/* After r, which did not end it: waits when that is what is due. */
static bool late_goes_on(struct raw_conn *c, int r)
{
	return (r == GNUTLS_E_AGAIN && conn_wait(c, IDLE_MS)) || r == GNUTLS_E_INTERRUPTED;
}

void conn_ask(struct raw_conn *c, struct request *rq)
{
	bool old = gnutls_protocol_get_version(c->session) == GNUTLS_TLS1_2;
	int r;

	gnutls_certificate_server_set_request(c->session, GNUTLS_CERT_REQUEST);
	if (old) {
		do
			r = gnutls_rehandshake(c->session);
		while (r < 0 && late_goes_on(c, r));
		while (r >= 0 || late_goes_on(c, r))
			if ((r = gnutls_handshake(c->session)) == GNUTLS_E_SUCCESS)
				break;
	} else {
		do
			r = gnutls_reauth(c->session, 0);
		while (r < 0 && late_goes_on(c, r));
	}
	if (r < 0 && r != GNUTLS_E_INVALID_REQUEST && gnutls_error_is_fatal(r)) {
		(void)gnutls_alert_send_appropriate(c->session, r);
		c->ended = true;
	}
	tls_facts_wipe(&rq->tls);
	tls_facts_get(c->srv, c->session, &rq->tls);
	raw_asked(c, rq, r < 0 ? gnutls_strerror(r) : NULL);
}

enum est_code conn_switch(struct raw_conn *c, const char *name, struct est_error *err)
{
	struct est_buf file = { 0 };
	gnutls_datum_t pem;
	enum est_code rc;
	int r;

	if (c->other)
		return est_fail(err, EST_E_INPUT, "switch: once in a connection");
	rc = file_read(c->srv->opt.scripts, name, EST_FILE_MAX, &file, err);
	if (rc != EST_OK)
		return rc;
	pem = (gnutls_datum_t){ file.p, (unsigned)file.n };
	r = gnutls_certificate_allocate_credentials(&c->other);
	if (r >= 0)
		r = gnutls_certificate_set_x509_key_mem(c->other, &pem, &pem, GNUTLS_X509_FMT_PEM);
	if (r >= 0)
		r = gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->other);
	est_buf_free(&file);
	return r < 0 ? est_fail(err, EST_E_INPUT, "switch %s: %s", name, gnutls_strerror(r))
		     : EST_OK;
}

/* Some more bytes into c->in. */
static bool conn_read(struct raw_conn *c)
{
	struct est_error err;
	uint8_t block[4096];
	ssize_t n;

	while (!c->ended) {
		n = gnutls_record_recv(c->session, block, sizeof(block));
		if (n > 0)
			return est_buf_append(&c->in, (struct est_span){ block, (size_t)n },
				       &err) == EST_OK;
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
			if (!conn_wait(c, IDLE_MS))
				break;
			continue;
		}
		if (n < 0 && !gnutls_error_is_fatal((int)n))
			continue; /* a warning alert, a refused renegotiation */
		break;
	}
	return false;
}

/* Takes n bytes off the front of what was read. */
static void conn_consume(struct raw_conn *c, size_t n)
{
	memmove(c->in.p, c->in.p + n, c->in.n - n);
	c->in.n -= n;
}

static struct est_span trim(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	return (struct est_span){ p, (size_t)(end - p) };
}

/* "METHOD TARGET VERSION". */
static bool parse_request_line(struct est_span line, struct request *rq)
{
	char **out[] = { &rq->method, &rq->target, &rq->version };
	const uint8_t *p = line.p, *end = line.p + line.n, *space;
	size_t i;

	for (i = 0; i < 3; i++) {
		space = i < 2 ? memchr(p, ' ', (size_t)(end - p)) : end;
		if (!space || space == p || memchr(p, '\0', (size_t)(space - p)))
			return false;
		*out[i] = strndup((const char *)p, (size_t)(space - p));
		if (!*out[i])
			return false;
		p = space + 1;
	}
	return true;
}

/* The header section; *body_len is Content-Length. */
static enum est_code parse_head(struct est_span head, struct request *rq, long *body_len,
	struct est_error *err)
{
	const uint8_t *p = head.p, *end = head.p + head.n, *eol, *colon;
	struct est_span name, value;
	enum est_code rc = EST_OK;
	char number[24];

	*body_len = 0;
	for (; p < end && rc == EST_OK; p = eol + 1) {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			eol = end;
		if (!rq->method) {
			if (!parse_request_line(trim(p, eol), rq))
				return est_fail(err, EST_E_PROTOCOL, "no HTTP request line");
			continue;
		}
		if (trim(p, eol).n == 0)
			break;
		colon = memchr(p, ':', (size_t)(eol - p));
		if (!colon)
			return est_fail(err, EST_E_PROTOCOL, "a header line without a colon");
		name = (struct est_span){ p, (size_t)(colon - p) };
		value = trim(colon + 1, eol);
		rc = request_header(rq, name, value, err);
		if (name.n != 14 || strncasecmp((const char *)p, "content-length", 14) != 0)
			continue;
		(void)snprintf(number, sizeof(number), "%.*s", (int)(value.n > 20 ? 20 : value.n),
			(const char *)value.p);
		if (!number_parse(number, 0, REQUEST_BODY_MAX, body_len))
			return est_fail(err, EST_E_PROTOCOL,
				"Content-Length is not a number up to %u", REQUEST_BODY_MAX);
	}
	return rc;
}

/* Bytes of the header section with its empty line, 0: not complete. */
static size_t head_length(const struct raw_conn *c)
{
	const uint8_t *at = c->in.n ? memmem(c->in.p, c->in.n, "\r\n\r\n", 4) : NULL;

	return at ? (size_t)(at - c->in.p) + 4 : 0;
}

struct request *conn_request(struct raw_conn *c, struct est_error *err)
{
	struct request *rq = NULL;
	size_t head;
	long length = 0;

	*err = (struct est_error){ 0 };
	while ((head = head_length(c)) == 0)
		if (c->in.n > HEAD_MAX || !conn_read(c)) {
			(void)est_fail(err, EST_E_PROTOCOL,
				c->in.n ? "the request ends in its head" : "no request");
			return NULL;
		}
	rq = calloc(1, sizeof(*rq));
	if (!rq || !(rq->headers = json_object_new_object())) {
		(void)est_fail(err, EST_E_INTERNAL, "out of memory");
		goto fail;
	}
	rq->listener = "raw";
	rq->conn = c->id;
	rq->auth_ok = -1;
	if (parse_head((struct est_span){ c->in.p, head }, rq, &length, err) != EST_OK)
		goto fail;
	conn_consume(c, head);
	while (c->in.n < (size_t)length)
		if (!conn_read(c)) {
			(void)est_fail(err, EST_E_PROTOCOL, "the request ends in its body");
			goto fail;
		}
	if (est_buf_append(&rq->body, (struct est_span){ c->in.p, (size_t)length }, err) != EST_OK)
		goto fail;
	conn_consume(c, (size_t)length);
	tls_facts_get(c->srv, c->session, &rq->tls);
	request_parse_target(rq);
	return rq;
fail:
	request_free(rq);
	return NULL;
}

void conn_finish(struct raw_conn *c, enum conn_end how)
{
	const struct linger linger = { .l_onoff = 1 };
	uint8_t rest[1024];

	c->ended = true;
	if (how == CONN_RESET) {
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		(void)close(c->fd);
		c->fd = -1;
		return;
	}
	if (how == CONN_CLOSE)
		while (gnutls_bye(c->session, GNUTLS_SHUT_WR) == GNUTLS_E_AGAIN)
			if (!conn_wait(c, 1000))
				break;
	/* What is still to come must not turn the end into a reset. */
	(void)shutdown(c->fd, SHUT_WR);
	while (read(c->fd, rest, sizeof(rest)) > 0)
		;
	(void)conn_wait(c, how == CONN_CLOSE ? 500 : 100);
	while (read(c->fd, rest, sizeof(rest)) > 0)
		;
	(void)close(c->fd);
	c->fd = -1;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* A list of 16-bit numbers. */
static size_t numbers(const uint8_t *p, size_t n, uint16_t out[HELLO_MAX])
{
	size_t i;

	for (i = 0; i < n / 2 && i < HELLO_MAX; i++)
		out[i] = (uint16_t)get16(p + 2 * i);
	return i;
}

void hello_parse(struct est_span in, struct hello *out)
{
	size_t at = 34, n, type, len;

	*out = (struct hello){ 0 };
	if (in.n < at + 1)
		return;
	out->versions[0] = (uint16_t)get16(in.p);
	out->n_versions = 1;
	at += 1u + in.p[at]; /* session id */
	if (in.n < at + 2)
		return;
	n = get16(in.p + at);
	at += 2;
	if (n > in.n - at)
		return;
	out->n_ciphers = numbers(in.p + at, n, out->ciphers);
	at += n;
	if (in.n - at < 1 || in.n - at < 1u + in.p[at] + 2u)
		return;
	at += 1u + in.p[at] + 2u; /* compression methods, length of the extensions */
	while (in.n - at >= 4) {
		type = get16(in.p + at);
		len = get16(in.p + at + 2);
		at += 4;
		if (len > in.n - at)
			return;
		if (out->n_extensions < HELLO_MAX)
			out->extensions[out->n_extensions++] = (uint16_t)type;
		if (type == 43 && len > 1) /* supported_versions: RFC 8446 section 4.2.1 */
			out->n_versions = numbers(in.p + at + 1, len - 1, out->versions);
		at += len;
	}
}

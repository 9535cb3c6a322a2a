/* SPDX-License-Identifier: MIT */
/* The log: one JSON object a line, written in one piece and at once. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum est_code log_open(struct log *log, const char *path, struct est_error *err)
{
	(void)pthread_mutex_init(&log->lock, NULL);
	log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log->fd < 0)
		return est_fail(err, EST_E_OUTPUT, "%s: %s", path, strerror(errno));
	return EST_OK;
}

void log_close(struct log *log)
{
	if (log->fd >= 0)
		(void)close(log->fd);
	log->fd = -1;
	(void)pthread_mutex_destroy(&log->lock);
}

/* Length of the UTF-8 character at p (RFC 3629 section 4), 0: none. */
static size_t utf8_len(const uint8_t *p, size_t n)
{
	static const struct {
		uint8_t first, last, low, high, len; /* range of the first and the second byte */
	} rows[] = {
		{ 0x00, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (*p < rows[i].first || *p > rows[i].last)
			continue;
		if (rows[i].len > n ||
			(rows[i].len > 1 && (p[1] < rows[i].low || p[1] > rows[i].high)))
			return 0;
		for (k = 2; k < rows[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].len;
	}
	return 0;
}

struct json_object *log_string(struct est_span in)
{
	struct est_buf latin1 = { 0 };
	struct json_object *obj;
	enum est_code rc = EST_OK;
	struct est_error err;
	uint8_t pair[2];
	size_t i, len;

	for (i = 0; i < in.n; i += len) {
		len = utf8_len(in.p + i, in.n - i);
		if (len == 0)
			break;
	}
	if (i == in.n)
		return json_object_new_string_len((const char *)in.p, (int)in.n);
	for (i = 0; i < in.n && rc == EST_OK; i++) {
		pair[0] = (uint8_t)(0xc0 | in.p[i] >> 6);
		pair[1] = (uint8_t)(0x80 | (in.p[i] & 0x3f));
		if (in.p[i] < 0x80)
			rc = est_buf_append(&latin1, (struct est_span){ in.p + i, 1 }, &err);
		else
			rc = est_buf_append(&latin1, (struct est_span){ pair, 2 }, &err);
	}
	obj = json_object_new_string_len((const char *)latin1.p, (int)latin1.n);
	est_buf_free(&latin1);
	return obj;
}

void log_write(struct log *log, struct json_object *obj)
{
	struct est_buf line = { 0 };
	struct est_error err;
	struct timespec now;
	struct est_span rest;
	char text[48];
	ssize_t n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)snprintf(text, sizeof(text), "%lld.%06ld", (long long)now.tv_sec, now.tv_nsec / 1000);
	(void)json_object_object_add(obj, "time",
		json_object_new_double_s((double)now.tv_sec + (double)now.tv_nsec / 1e9, text));
	if (est_buf_printf(&line, &err, "%s\n",
		    json_object_to_json_string_ext(obj,
			    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) != EST_OK)
		goto out;
	(void)pthread_mutex_lock(&log->lock);
	for (rest = est_buf_span(&line); rest.n;
		rest = (struct est_span){ rest.p + n, rest.n - (size_t)n }) {
		n = write(log->fd, rest.p, rest.n);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0) {
			(void)fprintf(stderr, "est-testserver: cannot write the log: %s\n",
				strerror(errno));
			break;
		}
	}
	(void)pthread_mutex_unlock(&log->lock);
out:
	est_buf_free(&line);
	(void)json_object_put(obj);
}

/* A string, or null for NULL and "". */
static void add_text(struct json_object *obj, const char *key, const char *text)
{
	(void)json_object_object_add(obj, key,
		text && *text ? log_string(est_span_str(text)) : NULL);
}

void log_request(struct server *srv, const struct request *rq, int status)
{
	static const char *const databases[] = { "", "explicit", "implicit" };
	struct json_object *obj = json_object_new_object();
	char hash[EST_SHA256_HEX];
	/* Without a scheme there is nothing but the credentials. */
	struct est_span scheme = est_span_str(rq->authorization ? rq->authorization : "");
	const char *space = rq->authorization ? strchr(rq->authorization, ' ') : NULL;

	add_text(obj, "listener", rq->listener);
	(void)json_object_object_add(obj, "conn", json_object_new_int64((int64_t)rq->conn));
	add_text(obj, "method", rq->method);
	add_text(obj, "target", rq->target);
	add_text(obj, "version", rq->version);
	add_text(obj, "label", rq->label);
	add_text(obj, "operation", rq->operation);
	(void)json_object_object_add(obj, "status", status ? json_object_new_int(status) : NULL);
	add_text(obj, "tls", rq->tls.version);
	add_text(obj, "cipher", rq->tls.cipher);
	(void)json_object_object_add(obj, "resumed", json_object_new_boolean(rq->tls.resumed));
	(void)json_object_object_add(obj, "tls_unique", log_string(est_buf_span(&rq->tls.unique)));
	(void)json_object_object_add(obj, "tls_exporter",
		log_string(est_buf_span(&rq->tls.exporter)));
	add_text(obj, "linked", rq->linked);
	add_text(obj, "linked_in", rq->linked_in);
	add_text(obj, "client_subject", rq->tls.subject);
	if (rq->tls.client && !(rq->tls.subject && *rq->tls.subject)) /* the empty name */
		(void)json_object_object_add(obj, "client_subject", json_object_new_string(""));
	add_text(obj, "client_sha256", rq->tls.sha256);
	(void)json_object_object_add(obj, "client_trusted",
		json_object_new_boolean(rq->tls.vouched != TA_NONE));
	add_text(obj, "client_vouched_by", databases[rq->tls.vouched]);
	(void)json_object_object_add(obj, "indicated", json_object_new_boolean(rq->tls.heeded));
	add_text(obj, "client_distrust", rq->tls.distrust);
	(void)json_object_object_add(obj, "headers", json_object_get(rq->headers));
	scheme.n = space ? (size_t)(space - rq->authorization) : 0;
	(void)json_object_object_add(obj, "authorization",
		rq->authorization ? log_string(scheme) : NULL);
	(void)json_object_object_add(obj, "digest", digest_shown(rq->authorization));
	(void)json_object_object_add(obj, "auth_ok",
		rq->auth_ok < 0 ? NULL : json_object_new_boolean(rq->auth_ok));
	(void)json_object_object_add(obj, "body_len", json_object_new_int64((int64_t)rq->body.n));
	sha256_hex(est_buf_span(&rq->body), hash);
	add_text(obj, "body_sha256", rq->body.n ? hash : NULL);
	add_text(obj, "csr", rq->csr_file);
	add_text(obj, "issued", rq->issued_file);
	log_write(&srv->log, obj);
}

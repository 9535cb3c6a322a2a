/* SPDX-License-Identifier: MIT */
/* Requests of both listeners: their target, fields, TLS facts and the files kept of them. */
#include "server.h"

#include <ctype.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void request_free(struct request *rq)
{
	if (!rq)
		return;
	free(rq->method);
	free(rq->target);
	free(rq->version);
	free(rq->content_type);
	if (rq->authorization)
		explicit_bzero(rq->authorization, strlen(rq->authorization));
	free(rq->authorization);
	(void)json_object_put(rq->headers);
	tls_facts_wipe(&rq->tls);
	est_buf_free(&rq->body);
	est_buf_free(&rq->csr);
	free(rq);
}

/* The value as the log shows it: of credentials the scheme alone. */
static struct json_object *shown_value(bool secret, struct est_span value)
{
	const uint8_t *space = secret && value.n ? memchr(value.p, ' ', value.n) : NULL;

	/* Credentials without a scheme are credentials all the same. */
	if (secret && !space)
		return json_object_new_string("");
	if (space)
		value.n = (size_t)(space - value.p);
	return log_string(value);
}

enum est_code request_header(struct request *rq, struct est_span name, struct est_span value,
	struct est_error *err)
{
	struct json_object *old = NULL, *shown;
	struct est_buf joined = { 0 };
	enum est_code rc = EST_OK;
	char key[128], **keep = NULL;
	bool secret;
	size_t i;

	if (name.n >= sizeof(key))
		name.n = sizeof(key) - 1;
	for (i = 0; i < name.n; i++)
		key[i] = name.p[i] > ' ' && name.p[i] < 0x7f ? (char)tolower(name.p[i]) : '?';
	key[name.n] = '\0';
	secret = strcmp(key, "authorization") == 0 || strcmp(key, "proxy-authorization") == 0 ||
		 strcmp(key, "cookie") == 0;
	if (strcmp(key, "authorization") == 0)
		keep = &rq->authorization;
	else if (strcmp(key, "content-type") == 0)
		keep = &rq->content_type;
	if (keep && !*keep) {
		*keep = strndup((const char *)value.p, value.n);
		if (!*keep)
			return est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	shown = shown_value(secret, value);
	if (json_object_object_get_ex(rq->headers, key, &old)) {
		rc = est_buf_printf(&joined, err, "%s, %s", json_object_get_string(old),
			json_object_get_string(shown));
		(void)json_object_put(shown);
		shown = rc == EST_OK ? log_string(est_buf_span(&joined)) : NULL;
	}
	(void)json_object_object_add(rq->headers, key, shown);
	est_buf_free(&joined);
	return rc;
}

bool is_operation(const char *segment)
{
	static const char *const names[] = { "cacerts", "csrattrs", "fullcmc", "serverkeygen",
		"simpleenroll", "simplereenroll" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(segment, names[i]) == 0)
			return true;
	return false;
}

void request_parse_target(struct request *rq)
{
	static const char prefix[] = "/.well-known/est/";
	size_t n = strcspn(rq->target, "?#"), start, end;
	struct est_span segment;

	rq->est_path = false;
	if (n < sizeof(prefix) || strncmp(rq->target, prefix, sizeof(prefix) - 1) != 0)
		return;
	for (start = n; rq->target[start - 1] != '/'; start--)
		;
	segment = (struct est_span){ (const uint8_t *)rq->target + start, n - start };
	if (!percent_decode(segment, rq->operation, sizeof(rq->operation)))
		return;
	rq->est_path = true;
	if (start < sizeof(prefix)) /* nothing between the prefix and the operation */
		return;
	end = start - 1;
	/* strongSwan appends the whole path to its URL, so that a label stands before a second
	 * prefix. */
	if (end >= 2 * (sizeof(prefix) - 2) &&
		strncmp(rq->target + end - (sizeof(prefix) - 2), prefix, sizeof(prefix) - 2) == 0)
		end -= sizeof(prefix) - 2;
	if (end < sizeof(prefix) - 1) /* two prefixes and no label */
		return;
	for (start = end; rq->target[start - 1] != '/'; start--)
		;
	segment = (struct est_span){ (const uint8_t *)rq->target + start, end - start };
	/* A label that is an operation, empty or broken: nobody can have asked for that. */
	if (!percent_decode(segment, rq->label, sizeof(rq->label)) || !*rq->label ||
		is_operation(rq->label))
		rq->est_path = false;
	if (snprintf(rq->target_bare, sizeof(rq->target_bare), "%.*s%s", (int)start, rq->target,
		    rq->target + end + 1) >= (int)sizeof(rq->target_bare))
		rq->est_path = false;
	label_find(rq->label, &rq->use);
}

/* What is between the armour lines, for the one label that takes PEM. */
static struct est_span unwrap(const struct request *rq)
{
	static const char begin[] = "-----BEGIN CERTIFICATE REQUEST-----\n",
			  end[] = "-----END CERTIFICATE REQUEST-----\n";
	const size_t head = sizeof(begin) - 1, tail = sizeof(end) - 1;
	struct est_span body = est_buf_span(&rq->body);

	if (rq->use.id != LABEL_WANT_PEM)
		return body;
	if (body.n <= head + tail || memcmp(body.p, begin, head) != 0 ||
		memcmp(body.p + body.n - tail, end, tail) != 0)
		return (struct est_span){ 0 };
	return (struct est_span){ body.p + head, body.n - head - tail };
}

enum est_code request_store(struct server *srv, struct request *rq, struct est_error *err)
{
	struct est_error why;
	char name[64];
	unsigned number;
	enum est_code rc;

	(void)pthread_mutex_lock(&srv->lock);
	do {
		number = ++srv->requests;
		(void)snprintf(name, sizeof(name), "requests/%04u.body", number);
	} while (file_exists(srv->dir, name)); /* of an earlier run in the same folder */
	rc = file_write(srv->dir, name, est_buf_span(&rq->body), 0644, err);
	(void)pthread_mutex_unlock(&srv->lock);
	if (rc != EST_OK)
		return rc;
	rc = b64_decode(unwrap(rq), &rq->csr, &why);
	if (rc == EST_OK && rq->csr.n == 0)
		rc = est_fail(&why, EST_E_INPUT, "the body is empty");
	if (rc == EST_E_INPUT) {
		est_buf_free(&rq->csr);
		(void)snprintf(rq->bad_body, sizeof(rq->bad_body), "%.190s", why.msg);
		return EST_OK;
	}
	if (rc != EST_OK) {
		*err = why;
		return rc;
	}
	linking_read(rq);
	(void)snprintf(rq->csr_file, sizeof(rq->csr_file), "requests/%04u.der", number);
	return file_write(srv->dir, rq->csr_file, est_buf_span(&rq->csr), 0644, err);
}

enum est_code request_issue(struct server *srv, struct request *rq, struct issued *out,
	struct est_error *err)
{
	const int64_t day = 24 * 60 * 60;
	struct issue_how how = {
		.other_key = rq->use.id == LABEL_OTHER_KEY,
		.foreign = rq->use.id == LABEL_FOREIGN_CA,
		.ca_true = rq->use.id == LABEL_CA_TRUE,
		.other_subject = rq->use.id == LABEL_OTHER_SUBJECT,
		.from_s = -60,
		.to_s = srv->opt.validity_s,
	};
	struct issued issued = { 0 };
	struct est_buf pem = { 0 };
	enum est_code rc;

	if (!csr_name_change(est_buf_span(&rq->csr), &how.change))
		return est_fail(err, EST_E_INTERNAL, "a ChangeSubjectName nobody has checked");
	if (rq->use.id == LABEL_EXPIRED) {
		how.from_s = -30 * day;
		how.to_s = -day;
	} else if (rq->use.id == LABEL_NOT_YET) {
		how.from_s = day;
		how.to_s += day;
	} else if (rq->use.id == LABEL_SKEW) {
		how.from_s = 600;
		how.to_s += 600;
	}
	rc = ca_issue(&srv->ca, est_buf_span(&rq->csr), &how, &issued, err);
	if (rc == EST_OK)
		rc = pem_encode("CERTIFICATE", est_buf_span(&issued.der), &pem, err);
	if (rc != EST_OK)
		goto out;
	(void)snprintf(rq->issued_file, sizeof(rq->issued_file), "issued/%s.pem", issued.serial);
	rc = file_write(srv->dir, rq->issued_file, est_buf_span(&pem), 0644, err);
	if (rc != EST_OK)
		goto out;
	*out = issued;
	issued = (struct issued){ 0 };
out:
	est_buf_free(&issued.der);
	est_buf_free(&pem);
	return rc;
}

void tls_facts_wipe(struct tls_facts *facts)
{
	free(facts->subject);
	gnutls_x509_crt_deinit(facts->client);
	est_buf_free(&facts->unique);
	est_buf_free(&facts->exporter);
	*facts = (struct tls_facts){ 0 };
}

#define CHAIN_MAX 8

/* The client's certificate and what this CA thinks of it. */
static void client_facts(struct server *srv, const gnutls_datum_t *peers, unsigned n,
	struct tls_facts *out)
{
	gnutls_x509_crt_t chain[CHAIN_MAX] = { 0 };
	gnutls_datum_t dn = { 0 };
	unsigned i;

	if (n > CHAIN_MAX)
		n = CHAIN_MAX;
	sha256_hex((struct est_span){ peers[0].data, peers[0].size }, out->sha256);
	for (i = 0; i < n; i++) {
		if (gnutls_x509_crt_init(&chain[i]) < 0 ||
			gnutls_x509_crt_import(chain[i], &peers[i], GNUTLS_X509_FMT_DER) < 0) {
			(void)snprintf(out->distrust, sizeof(out->distrust),
				"certificate %u of the chain cannot be read", i);
			goto out;
		}
	}
	if (gnutls_x509_crt_get_dn3(chain[0], &dn, 0) == 0) {
		out->subject = strndup((const char *)dn.data, dn.size);
		gnutls_free(dn.data);
	}
	out->vouched = ca_verify(&srv->ca, chain, n, out->distrust, sizeof(out->distrust));
	out->client = chain[0];
	chain[0] = NULL;
out:
	for (i = 0; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
}

void tls_facts_get(struct server *srv, gnutls_session_t session, struct tls_facts *out)
{
	const gnutls_datum_t *peers;
	unsigned n = 0;

	out->version = gnutls_protocol_get_name(gnutls_protocol_get_version(session));
	out->cipher = gnutls_ciphersuite_get(session);
	out->resumed = gnutls_session_is_resumed(session) != 0;
	out->heeded = chains_heeded(session);
	binding_get(session, out);
	peers = gnutls_certificate_get_peers(session, &n);
	if (peers && n > 0)
		client_facts(srv, peers, n, out);
}

void answer_wipe(struct answer *ans)
{
	size_t i;

	for (i = 0; i < ans->n_fields; i++)
		free(ans->field[i].value);
	est_buf_free(&ans->body);
	*ans = (struct answer){ 0 };
}

enum est_code answer_field(struct answer *ans, const char *name, const char *value,
	struct est_error *err)
{
	char *copy;

	if (ans->n_fields == ANSWER_FIELDS_MAX)
		return est_fail(err, EST_E_INTERNAL, "too many fields in an answer");
	copy = strdup(value);
	if (!copy)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	ans->field[ans->n_fields].name = name;
	ans->field[ans->n_fields++].value = copy;
	return EST_OK;
}

enum est_code answer_text(struct answer *ans, struct est_error *err, int status, const char *fmt,
	...)
{
	char text[1024];
	va_list ap;

	answer_wipe(ans);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ans->status = status;
	ans->type = "text/plain";
	return est_buf_append(&ans->body, est_span_str(text), err);
}

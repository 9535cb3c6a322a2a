/* SPDX-License-Identifier: MIT */
/* The operations of RFC 7030 that this server offers, without enrolment (enroll.c). */
#include "server.h"

#include <stdlib.h>
#include <string.h>

enum est_code answer_der(const struct server *srv, const struct request *rq, const char *type,
	struct est_span der, struct answer *ans, struct est_error *err)
{
	unsigned columns = (unsigned)srv->opt.wrap;

	ans->status = 200;
	ans->type = type;
	if (rq->use.id == LABEL_DER)
		return est_buf_append(&ans->body, der, err);
	if (rq->use.id == LABEL_WRAP)
		columns = (unsigned)rq->use.number;
	return b64_encode(der, columns, &ans->body, err);
}

enum est_code answer_certs(const struct server *srv, const struct request *rq, const char *type,
	const struct est_span *certs, size_t n, bool sorted, struct est_span bare,
	struct answer *ans, struct est_error *err)
{
	struct est_buf der = { 0 };
	enum est_code rc = EST_OK;
	size_t i;

	ans->status = 200;
	ans->type = type;
	if (rq->use.id == LABEL_BARE_CERT)
		return answer_der(srv, rq, type, bare, ans, err);
	if (rq->use.id == LABEL_PEM_CERTS) {
		for (i = 0; i < n && rc == EST_OK; i++)
			rc = pem_encode("CERTIFICATE", certs[i], &ans->body, err);
		return rc;
	}
	rc = bag_encode(certs, rq->use.id == LABEL_EMPTY_BAG ? 0 : n, sorted, &der, err);
	if (rc == EST_OK && rq->use.id == LABEL_PEM)
		rc = pem_encode("PKCS7", est_buf_span(&der), &ans->body, err);
	else if (rc == EST_OK)
		rc = answer_der(srv, rq, type, est_buf_span(&der), ans, err);
	est_buf_free(&der);
	return rc;
}

enum est_code answer_wait(const struct request *rq, struct answer *ans, struct est_error *err)
{
	enum est_code rc = answer_text(ans, err, 202, "come back later\n");

	if (rc == EST_OK && rq->use.id == LABEL_RETRY_AFTER)
		rc = answer_field(ans, "Retry-After", rq->use.arg, err);
	return rc;
}

/* RFC 7030 section 4.1. */
static enum est_code cacerts(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	const struct est_span *filler = NULL;
	struct est_span *certs = NULL, words[ROLLOVER_MAX + 1];
	enum est_code rc = EST_OK;
	size_t more = rq->use.id == LABEL_BAG ? (size_t)rq->use.number : 0, n = 0;

	if (rq->use.id == LABEL_ROLLOVER) {
		rc = rollover_get(&srv->ca, rq->use.arg, words, &n, err);
		if (rc != EST_OK)
			return rc;
		if (n == 0)
			return answer_text(ans, err, 404, "no such word\n");
		words[n++] = est_buf_span(&srv->ca.issuing.der);
		return answer_certs(srv, rq, "application/pkcs7-mime", words, n, true, words[0],
			ans, err);
	}
	certs = calloc(more + 2, sizeof(*certs));
	if (!certs)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	if (rq->use.id != LABEL_NO_ROOT)
		certs[n++] = est_buf_span(&srv->ca.root.der);
	if (rq->use.id != LABEL_NO_ISSUING)
		certs[n++] = est_buf_span(&srv->ca.issuing.der);
	(void)pthread_mutex_lock(&srv->lock);
	if (more) {
		rc = filler_get(srv, more, &filler, err);
		if (rc == EST_OK) {
			memcpy(certs + n, filler, more * sizeof(*certs));
			n += more;
		}
	}
	if (rc == EST_OK)
		rc = answer_certs(srv, rq, "application/pkcs7-mime", certs, n, true, certs[0], ans,
			err);
	(void)pthread_mutex_unlock(&srv->lock);
	free(certs);
	return rc;
}

static const struct operation {
	const char *name, *method;
	label_fn *run;
} operations[] = {
	{ "cacerts", "GET", cacerts },
	{ "csrattrs", "GET", csrattrs },
	{ "simpleenroll", "POST", enroll },
	{ "simplereenroll", "POST", enroll },
};

static enum est_code dispatch(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	const struct operation *op = NULL;
	enum est_code rc;
	size_t i;

	if (!rq->est_path)
		return answer_text(ans, err, 404,
			"not an EST path: /.well-known/est[/LABEL...]/OPERATION, where no LABEL is "
			"the name of an operation (RFC 7030 section 3.2.2)\n");
	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (strcmp(rq->operation, operations[i].name) == 0)
			op = &operations[i];
	if (!op)
		return answer_text(ans, err, 404, "this operation is not offered here\n");
	rc = auth_guard(srv, rq, ans, err);
	if (rc != EST_OK || ans->status)
		return rc;
	if (rq->use.handler)
		return rq->use.handler(srv, rq, ans, err);
	if (strcmp(rq->method, op->method) != 0) {
		rc = answer_text(ans, err, 405, "%s takes %s\n", op->name, op->method);
		return rc == EST_OK ? answer_field(ans, "Allow", op->method, err) : rc;
	}
	if (op->run == cacerts && label_waits(rq->use.id))
		return answer_wait(rq, ans, err);
	return op->run(srv, rq, ans, err);
}

/* Labels that change the head of an answer and nothing else. */
static enum est_code apply_label(const struct request *rq, struct answer *ans,
	struct est_error *err)
{
	switch (rq->use.id) {
	case LABEL_CREATED:
		if (ans->status == 200)
			ans->status = 201;
		return EST_OK;
	case LABEL_NO_TYPE:
		ans->type = NULL;
		return EST_OK;
	case LABEL_OCTET_STREAM:
		if (ans->status == 200)
			ans->type = "application/octet-stream";
		return EST_OK;
	case LABEL_TYPE_X:
		if (ans->status == 200)
			ans->type = "application/x-pkcs7-mime";
		return EST_OK;
	case LABEL_CTE_BINARY:
		return answer_field(ans, "Content-Transfer-Encoding", "binary", err);
	case LABEL_CLOSE:
		return answer_field(ans, "Connection", "close", err);
	default:
		return EST_OK;
	}
}

void handle_request(struct server *srv, struct request *rq, struct answer *ans)
{
	struct est_error err, ignored;
	enum est_code rc;

	request_parse_target(rq);
	rc = strcmp(rq->method, "POST") == 0 ? request_store(srv, rq, &err) : EST_OK;
	if (rc == EST_OK)
		rc = dispatch(srv, rq, ans, &err);
	if (rc == EST_OK)
		rc = apply_label(rq, ans, &err);
	if (rc != EST_OK && answer_text(ans, &ignored, 500, "%s\n", err.msg) != EST_OK)
		ans->status = 500;
	log_request(srv, rq, ans->status);
}

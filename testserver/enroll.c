/* SPDX-License-Identifier: MIT */
/* Enrolment and re-enrolment (RFC 7030 section 4.2): who may, what is issued, how it is sent. */
#include "server.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PENDING_MAX 4096

struct pending {
	struct pending *next;
	char id[EST_SHA256_HEX]; /* of label and public key */
	long count;
};

void pending_free(struct pending *list)
{
	struct pending *next;

	for (; list; list = next) {
		next = list->next;
		free(list);
	}
}

/* Sets an answer (ans->status) when the client may not enrol. */
static enum est_code authorise(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	enum label_id mode = rq->use.id;
	bool basic = false, reenroll = strcmp(rq->operation, "simplereenroll") == 0;

	if (auth_guards(mode)) {
		basic = true; /* auth_guard() let it pass */
	} else if (rq->authorization && srv->has_account && mode != LABEL_AUTH_CERT) {
		basic = basic_ok(srv, rq->authorization);
		rq->auth_ok = basic;
		if (!basic)
			return challenge_basic(ans, "these credentials are wrong", err);
	}
	if (mode == LABEL_AUTH_BASIC && !basic) {
		rq->auth_ok = 0;
		if (!srv->has_account)
			return answer_text(ans, err, 403, "there is no account (--user)\n");
		return challenge_basic(ans, "a user name and a password are needed", err);
	}
	/* Who came in over SRP knows the password of the account. */
	basic |= strcmp(rq->listener, "srp") == 0;
	/* A third party's certificate says who is there, but is not this CA's to renew. */
	if (rq->tls.vouched == TA_EXPLICIT ||
		(!reenroll && (basic || mode == LABEL_ANON || rq->tls.vouched == TA_IMPLICIT)) ||
		(mode == LABEL_REENROLL_BASIC && basic)) {
		rq->auth_ok = 1;
		return EST_OK;
	}
	rq->auth_ok = 0;
	if (rq->tls.vouched == TA_IMPLICIT)
		return answer_text(ans, err, 403,
			"the client certificate is not of this CA, which renews its own alone\n");
	if (rq->tls.sha256[0])
		return answer_text(ans, err, 403, "the client certificate is not trusted: %s\n",
			rq->tls.distrust);
	if (reenroll && mode != LABEL_REENROLL_BASIC)
		return answer_text(ans, err, 403,
			"re-enrolment needs the TLS client certificate that is to be renewed\n");
	if (srv->has_account && mode != LABEL_AUTH_CERT)
		return challenge_basic(ans, "authentication is needed", err);
	return answer_text(ans, err, 403, "a TLS client certificate of this CA is needed\n");
}

/* Media type alone; parameters and case do not matter. */
static bool type_is(const char *value, const char *type)
{
	size_t n = strlen(type);

	return value && strncasecmp(value, type, n) == 0 && strchr("; \t", value[n]);
}

/* RFC 7030 section 4.2.2: subject and SubjectAltName are those of the certificate renewed. */
static enum est_code same_names(const struct request *rq, struct answer *ans, struct est_error *err)
{
	static const char san[] = "2.5.29.17";
	gnutls_datum_t dn = { 0 }, was = { 0 }, is = { 0 }, d = { rq->csr.p, (unsigned)rq->csr.n };
	gnutls_x509_crq_t crq = NULL;
	struct est_span subject;
	enum est_code rc = EST_OK;
	int r;

	r = gnutls_x509_crt_get_raw_dn(rq->tls.client, &dn);
	if (r < 0 || (r = gnutls_x509_crq_init(&crq)) < 0 ||
		(r = gnutls_x509_crq_import(crq, &d, GNUTLS_X509_FMT_DER)) < 0) {
		rc = gnutls_fail(err, "cannot compare the names", r);
		goto out;
	}
	if (!csr_subject(est_buf_span(&rq->csr), &subject) ||
		!est_span_eq(subject, (struct est_span){ dn.data, dn.size })) {
		rc = answer_text(ans, err, 400,
			"the subject of the request is not that of the client certificate, byte "
			"for byte (RFC 7030 section 4.2.2)\n");
		goto out;
	}
	/* An extension that is absent leaves its datum empty. */
	(void)gnutls_x509_crt_get_extension_by_oid2(rq->tls.client, san, 0, &was, NULL);
	(void)gnutls_x509_crq_get_extension_by_oid2(crq, san, 0, &is, NULL);
	if (!est_span_eq((struct est_span){ was.data, was.size },
		    (struct est_span){ is.data, is.size }))
		rc = answer_text(ans, err, 400,
			"the SubjectAltName of the request is not that of the client certificate, "
			"byte for byte (RFC 7030 section 4.2.2)\n");
out:
	gnutls_free(dn.data);
	gnutls_free(was.data);
	gnutls_free(is.data);
	gnutls_x509_crq_deinit(crq);
	return rc;
}

/* Label and public key: a repeated request with another signature is recognised (RFC 7030
 * section 4.2.3). */
static bool pending_id(const struct request *rq, char out[EST_SHA256_HEX])
{
	gnutls_datum_t d = { rq->csr.p, (unsigned)rq->csr.n };
	uint8_t id[sizeof(rq->label) + 64];
	size_t label = strlen(rq->label), n = 64;
	gnutls_x509_crq_t crq = NULL;
	bool ok;

	memcpy(id, rq->label, label);
	ok = gnutls_x509_crq_init(&crq) == 0 &&
	     gnutls_x509_crq_import(crq, &d, GNUTLS_X509_FMT_DER) == 0 &&
	     gnutls_x509_crq_get_key_id(crq, GNUTLS_KEYID_USE_SHA256, id + label, &n) == 0;
	if (ok)
		sha256_hex((struct est_span){ id, label + n }, out);
	gnutls_x509_crq_deinit(crq);
	return ok;
}

/* The first N requests of a key are held back with 202. */
static enum est_code hold_back(struct server *srv, const struct request *rq, struct answer *ans,
	struct est_error *err)
{
	char id[EST_SHA256_HEX];
	struct pending *p;
	size_t n = 0;
	long count;
	enum est_code rc;

	if (!pending_id(rq, id))
		return est_fail(err, EST_E_INTERNAL, "the public key of the request has no id");
	(void)pthread_mutex_lock(&srv->lock);
	for (p = srv->pending; p && strcmp(p->id, id) != 0; p = p->next)
		n++;
	if (!p && n < PENDING_MAX && (p = calloc(1, sizeof(*p)))) {
		memcpy(p->id, id, sizeof(id));
		p->next = srv->pending;
		srv->pending = p;
	}
	count = p ? ++p->count : 0;
	(void)pthread_mutex_unlock(&srv->lock);
	if (count == 0)
		return est_fail(err, EST_E_INTERNAL, "too many requests are pending");
	if (count > rq->use.number)
		return EST_OK;
	rc = answer_text(ans, err, 202, "request %ld of %ld is waiting for an operator\n", count,
		rq->use.number);
	return rc == EST_OK ? answer_field(ans, "Retry-After", "1", err) : rc;
}

static enum est_code send_issued(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	static const char type[] = "application/pkcs7-mime; smime-type=certs-only";
	struct issued issued = { 0 }, other = { 0 };
	struct request twin = *rq; /* borrowed: the wrong leaf of label multi-leaf */
	struct est_span certs[3];
	gnutls_datum_t old = { 0 };
	enum est_code rc;
	size_t n = 1;

	rc = request_issue(srv, rq, &issued, err);
	if (rc != EST_OK)
		goto out;
	certs[0] = est_buf_span(&issued.der);
	if (rq->use.id == LABEL_SAME_CERT && rq->tls.client) {
		if (gnutls_x509_crt_export2(rq->tls.client, GNUTLS_X509_FMT_DER, &old) < 0) {
			rc = est_fail(err, EST_E_INTERNAL, "the client certificate is gone");
			goto out;
		}
		certs[0] = (struct est_span){ old.data, old.size };
	} else if (rq->use.id == LABEL_MULTI_LEAF) {
		twin.use.id = LABEL_OTHER_KEY;
		rc = request_issue(srv, &twin, &other, err);
		if (rc != EST_OK)
			goto out;
		certs[n++] = certs[0];
		certs[0] = est_buf_span(&other.der);
	} else if (rq->use.id == LABEL_CHAIN) {
		certs[n++] = est_buf_span(&srv->ca.issuing.der);
		certs[n++] = est_buf_span(&srv->ca.root.der);
	} else if (rq->use.id == LABEL_CHAIN_REVERSED) {
		certs[2] = certs[0];
		certs[1] = est_buf_span(&srv->ca.issuing.der);
		certs[0] = est_buf_span(&srv->ca.root.der);
		n = 3;
	}
	rc = answer_certs(srv, rq, type, certs, n, false, est_buf_span(&issued.der), ans, err);
out:
	est_buf_free(&issued.der);
	est_buf_free(&other.der);
	gnutls_free(old.data);
	return rc;
}

/* As picky servers are; label want-pem has had its look at the body already. */
static bool wrapped_as_wanted(const struct request *rq)
{
	struct json_object *field = NULL;

	if (rq->use.id == LABEL_WANT_ONELINE)
		return !memchr(rq->body.p, '\n', rq->body.n);
	if (rq->use.id != LABEL_WANT_CTE)
		return true;
	(void)json_object_object_get_ex(rq->headers, "content-transfer-encoding", &field);
	return field && strcmp(json_object_get_string(field), "base64") == 0;
}

enum est_code enroll(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	struct name_change change;
	struct est_error why;
	enum est_code rc;

	if (rq->body_too_big)
		return answer_text(ans, err, 413, "the body has more than %u bytes\n",
			REQUEST_BODY_MAX);
	rc = authorise(srv, rq, ans, err);
	if (rc != EST_OK || ans->status)
		return rc;
	if (!type_is(rq->content_type, "application/pkcs10"))
		return answer_text(ans, err, 415,
			"Content-Type is %.100s, not application/pkcs10 (RFC 7030 section 4.2.1)\n",
			rq->content_type ? rq->content_type : "missing");
	if (rq->bad_body[0])
		return answer_text(ans, err, 400, "%s (RFC 8951 section 3)\n", rq->bad_body);
	if (!wrapped_as_wanted(rq))
		return answer_text(ans, err, 400, "the request is not wrapped as I want it\n");
	rc = ca_check_csr(est_buf_span(&rq->csr), &why);
	if (rc == EST_E_INPUT)
		return answer_text(ans, err, 400, "%s\n", why.msg);
	if (rc != EST_OK) {
		*err = why;
		return rc;
	}
	rc = linking_check(rq, ans, err);
	if (rc == EST_OK && ans->status && rq->use.id == LABEL_POP_CMC)
		rc = cmc_refuse(srv, rq, ans, err);
	if (rc != EST_OK || ans->status)
		return rc;
	if (!csrattrs_obeyed(rq))
		return answer_text(ans, err, 400,
			"the CSR attributes ask for a P-384 key and a signature with SHA-384\n");
	if (!csr_name_change(est_buf_span(&rq->csr), &change))
		return answer_text(ans, err, 400,
			"ChangeSubjectName is not as RFC 6402 section 2.8 has it\n");
	if (change.asked && strcmp(rq->operation, "simplereenroll") != 0)
		return answer_text(ans, err, 400, "ChangeSubjectName is for re-enrolment\n");
	if (strcmp(rq->operation, "simplereenroll") == 0 && rq->tls.client) {
		rc = same_names(rq, ans, err);
		if (rc != EST_OK || ans->status)
			return rc;
	}
	if (label_waits(rq->use.id))
		return answer_wait(rq, ans, err);
	if (rq->use.id == LABEL_PENDING) {
		rc = hold_back(srv, rq, ans, err);
		if (rc != EST_OK || ans->status)
			return rc;
	}
	return send_issued(srv, rq, ans, err);
}

/* SPDX-License-Identifier: MIT */
/* What this CA wants in a request (RFC 7030 section 4.5, RFC 8951 section 4, RFC 9908). */
#include "server.h"

#include <string.h>

#define OID_SECP384R1    0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22
#define OID_ECDSA_SHA384 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03
#define KEY_P384                                                                                   \
	0x30, 0x12, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x31, 0x07, OID_SECP384R1

static const uint8_t none[] = { 0x30, 0x00 };

/* RFC 9908 section 5.2: challengePassword; ecPublicKey {secp384r1}; macAddress; ecdsa-with-SHA384
 */
static const uint8_t rfc9908[] = { 0x30, 0x32, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
	0x09, 0x07, KEY_P384, 0x06, 0x07, 0x2b, 0x06, 0x01, 0x01, 0x01, 0x01, 0x16,
	OID_ECDSA_SHA384 };

static const uint8_t p384[] = { 0x30, 0x1e, KEY_P384, OID_ECDSA_SHA384 };

/* RFC 9908 section 3.4: subject CN, OU=myDept, OU=myGroup; a P-256 key; subjectAltName with
 * www.myServer.com and an address; keyUsage; an extKeyUsage to be filled in */
static const uint8_t template[] = { 0x30, 0x81, 0xa9, 0x30, 0x81, 0xa6, 0x06, 0x0b, 0x2a, 0x86,
	0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x3d, 0x31, 0x81, 0x96, 0x30, 0x81, 0x93,
	0x02, 0x01, 0x00, 0x30, 0x2c, 0x31, 0x07, 0x30, 0x05, 0x06, 0x03, 0x55, 0x04, 0x03, 0x31,
	0x0f, 0x30, 0x0d, 0x06, 0x03, 0x55, 0x04, 0x0b, 0x0c, 0x06, 0x6d, 0x79, 0x44, 0x65, 0x70,
	0x74, 0x31, 0x10, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x04, 0x0b, 0x0c, 0x07, 0x6d, 0x79, 0x47,
	0x72, 0x6f, 0x75, 0x70, 0xa0, 0x15, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
	0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x49, 0x30,
	0x47, 0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x3e, 0x31,
	0x38, 0x30, 0x36, 0x30, 0x1d, 0x06, 0x03, 0x55, 0x1d, 0x11, 0x04, 0x16, 0x30, 0x14, 0x82,
	0x10, 0x77, 0x77, 0x77, 0x2e, 0x6d, 0x79, 0x53, 0x65, 0x72, 0x76, 0x65, 0x72, 0x2e, 0x63,
	0x6f, 0x6d, 0x87, 0x00, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04,
	0x04, 0x03, 0x02, 0x03, 0x88, 0x30, 0x05, 0x06, 0x03, 0x55, 0x1d, 0x25 };

/* rsaEncryption {65536}; extensionRequest {basicConstraints critical CA:TRUE} */
static const uint8_t absurd[] = { 0x30, 0x36, 0x30, 0x12, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
	0x0d, 0x01, 0x01, 0x01, 0x31, 0x05, 0x02, 0x03, 0x01, 0x00, 0x00, 0x30, 0x20, 0x06, 0x09,
	0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e, 0x31, 0x13, 0x30, 0x11, 0x30, 0x0f,
	0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x05, 0x30, 0x03, 0x01, 0x01, 0xff };

static const struct {
	enum label_id id;
	struct est_span der;
} lists[] = {
	{ LABEL_CSRATTRS_NONE, { none, sizeof(none) } },
	{ LABEL_CSRATTRS_RFC, { rfc9908, sizeof(rfc9908) } },
	{ LABEL_CSRATTRS_P384, { p384, sizeof(p384) } },
	{ LABEL_CSRATTRS_TEMPLATE, { template, sizeof(template) } },
	{ LABEL_CSRATTRS_ABSURD, { absurd, sizeof(absurd) } },
};

enum est_code csrattrs_read(const char *path, struct est_buf *out, struct est_error *err)
{
	struct est_buf file = { 0 };
	enum est_code rc;

	rc = est_read_file(path, EST_FILE_MAX, &file, err);
	if (rc == EST_OK && file.n && file.p[0] == 0x30) /* base64 of a SEQUENCE starts with M */
		rc = est_buf_append(out, est_buf_span(&file), err);
	else if (rc == EST_OK)
		rc = b64_decode(est_buf_span(&file), out, err);
	if (rc == EST_OK && out->n == 0)
		rc = est_fail(err, EST_E_INPUT, "%s: empty", path);
	est_buf_free(&file);
	return rc;
}

/* A file that a test has put into the server's folder. */
static enum est_code from_folder(const struct server *srv, const struct request *rq,
	struct answer *ans, struct est_error *err)
{
	static const char safe[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	const char *name = rq->use.arg;
	struct est_error why = { 0 };
	struct est_buf der = { 0 };
	char path[PATH_MAX + 64];
	enum est_code rc;

	if (strspn(name, safe) != strlen(name) || strlen(name) > 40)
		return answer_text(ans, err, 404, "no such CSR attributes\n");
	(void)snprintf(path, sizeof(path), "%s/%s.csrattrs", srv->dir, name);
	if (csrattrs_read(path, &der, &why) == EST_OK)
		rc = answer_der(srv, rq, ans->type, est_buf_span(&der), ans, err);
	else
		rc = answer_text(ans, err, 404, "%s\n", why.msg);
	est_buf_free(&der);
	return rc;
}

enum est_code csrattrs(struct server *srv, struct request *rq, struct answer *ans,
	struct est_error *err)
{
	struct est_span der = est_buf_span(&srv->csrattrs);
	struct est_buf linking = { 0 };
	enum est_code rc;

	ans->status = 200;
	ans->type = "application/csrattrs";
	rc = linking_csrattrs(rq->use.id, &linking, err);
	if (rc == EST_OK && linking.n)
		rc = answer_der(srv, rq, ans->type, est_buf_span(&linking), ans, err);
	est_buf_free(&linking);
	if (rc != EST_OK || ans->body.n)
		return rc;
	if (rq->use.id == LABEL_CSRATTRS_404)
		return answer_text(ans, err, 404, "no CSR attributes here\n");
	if (rq->use.id == LABEL_CSRATTRS_EMPTY)
		return EST_OK;
	if (rq->use.id == LABEL_CSRATTRS_FILE)
		return from_folder(srv, rq, ans, err);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (lists[i].id == rq->use.id)
			der = lists[i].der;
	}
	if (der.n && rq->use.id != LABEL_CSRATTRS_204)
		return answer_der(srv, rq, ans->type, der, ans, err);
	ans->status = 204;
	ans->type = NULL;
	return EST_OK;
}

bool csrattrs_obeyed(const struct request *rq)
{
	static const uint8_t curve[] = { OID_SECP384R1 }, signature[] = { OID_ECDSA_SHA384 };

	return rq->use.id != LABEL_CSRATTRS_P384 ||
	       (memmem(rq->csr.p, rq->csr.n, curve, sizeof(curve)) &&
		       memmem(rq->csr.p, rq->csr.n, signature, sizeof(signature)));
}

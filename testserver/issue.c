/* SPDX-License-Identifier: MIT */
/* Issuing certificates, right and wrong ones, and the filler certificates of label bag-N. */
#include "ca.h"

#include <gnutls/abstract.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authority.h"
#include "bytes.h"
#include "server.h"

/* Asked for by the client and copied byte for byte (RFC 7030 section 4.2.2). */
static const char *const copied[] = { "2.5.29.17", "2.5.29.15", "2.5.29.37" };

static enum est_code crq_read(struct est_span csr, gnutls_x509_crq_t *out, struct est_error *err)
{
	gnutls_datum_t d = { (unsigned char *)csr.p, (unsigned)csr.n };
	gnutls_x509_crq_t crq = NULL;
	struct est_span subject;
	int r;

	if (csr.n > CSR_MAX)
		return est_fail(err, EST_E_INPUT, "the request has %zu bytes, more than %u", csr.n,
			CSR_MAX);
	if (!csr_subject(csr, &subject))
		return est_fail(err, EST_E_INPUT, "the body is not a PKCS #10 request (RFC 2986)");
	r = gnutls_x509_crq_init(&crq);
	if (r == 0)
		r = gnutls_x509_crq_import(crq, &d, GNUTLS_X509_FMT_DER);
	if (r < 0) {
		gnutls_x509_crq_deinit(crq);
		return est_fail(err, EST_E_INPUT, "the body is not a PKCS #10 request: %s",
			gnutls_strerror(r));
	}
	*out = crq;
	return EST_OK;
}

enum est_code ca_check_csr(struct est_span csr, struct est_error *err)
{
	gnutls_x509_crq_t crq = NULL;
	enum est_code rc = crq_read(csr, &crq, err);
	int r;

	if (rc != EST_OK)
		return rc;
	r = gnutls_x509_crq_verify(crq, 0);
	if (r < 0)
		rc = est_fail(err, EST_E_INPUT, "the signature of the request is wrong: %s",
			gnutls_strerror(r));
	gnutls_x509_crq_deinit(crq);
	return rc;
}

static int extensions_copy(gnutls_x509_crt_t crt, gnutls_x509_crq_t crq,
	const struct name_change *change)
{
	gnutls_datum_t value = { 0 };
	unsigned critical = 0;
	size_t i;
	int r;

	for (i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
		if (change->asked && strcmp(copied[i], "2.5.29.17") == 0) {
			r = !change->san.n
				    ? 0
				    : gnutls_x509_crt_set_extension_by_oid(crt, copied[i],
					      change->san.p, change->san.n, !change->subject.n);
			if (r < 0)
				return r;
			continue;
		}
		r = gnutls_x509_crq_get_extension_by_oid2(crq, copied[i], 0, &value, &critical);
		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			continue;
		if (r == 0)
			r = gnutls_x509_crt_set_extension_by_oid(crt, copied[i], value.data,
				value.size, critical);
		gnutls_free(value.data);
		value.data = NULL;
		if (r < 0)
			return r;
	}
	return 0;
}

static int changed_subject(gnutls_x509_crt_t crt, struct est_span name)
{
	gnutls_datum_t raw = { (unsigned char *)name.p, (unsigned)name.n }, text = { 0 };
	gnutls_x509_dn_t dn;
	int r = gnutls_x509_dn_init(&dn);

	if (r < 0 || !name.n)
		return r;
	if ((r = gnutls_x509_dn_import(dn, &raw)) == 0 &&
		(r = gnutls_x509_dn_get_str2(dn, &text, 0)) == 0)
		r = gnutls_x509_crt_set_dn(crt, (const char *)text.data, NULL);
	gnutls_free(text.data);
	gnutls_x509_dn_deinit(dn);
	return r;
}

/* Subject and key: the requested ones, unless how wants another. */
static enum est_code identity_set(gnutls_x509_crt_t crt, gnutls_x509_crq_t crq,
	const struct issue_how *how, struct est_error *err)
{
	gnutls_x509_privkey_t other = NULL;
	gnutls_pubkey_t pubkey = NULL;
	enum est_code rc = EST_OK;
	int r = 0;

	if (how->other_key) {
		rc = key_new(&other, err);
		if (rc != EST_OK)
			return rc;
	}
	if (how->other_subject || how->change.asked) {
		if ((r = gnutls_pubkey_init(&pubkey)) == 0 &&
			(r = gnutls_pubkey_import_x509_crq(pubkey, crq, 0)) == 0 &&
			(r = gnutls_x509_crt_set_pubkey(crt, pubkey)) == 0)
			r = how->other_subject
				    ? gnutls_x509_crt_set_dn(crt, "CN=somebody else", NULL)
				    : changed_subject(crt, how->change.subject);
	} else {
		r = gnutls_x509_crt_set_crq(crt, crq);
	}
	if (r == 0 && other)
		r = gnutls_x509_crt_set_key(crt, other);
	if (r < 0)
		rc = gnutls_fail(err, "cannot take over the request", r);
	gnutls_pubkey_deinit(pubkey);
	gnutls_x509_privkey_deinit(other);
	return rc;
}

/* lock held */
static enum est_code issue_locked(struct ca *ca, gnutls_x509_crq_t crq, gnutls_x509_crt_t crt,
	const struct issue_how *how, struct issued *out, struct est_error *err)
{
	const struct authority *issuer = how->foreign ? &ca->foreign : &ca->issuing;
	time_t now = time(NULL), last;
	enum est_code rc;
	time_t to = now + how->to_s;
	int r;

	if (how->foreign && !ca->foreign.crt) {
		rc = authority_make("CN=EST test foreign CA", NULL, -1, 10, &ca->foreign, err);
		if (rc != EST_OK)
			return rc;
	}
	last = gnutls_x509_crt_get_expiration_time(issuer->crt);
	if (to > last)
		to = last; /* a certificate does not outlive its issuer */
	rc = identity_set(crt, crq, how, err);
	if (rc != EST_OK)
		return rc;
	if ((r = crt_basics(crt, now + how->from_s, to, out->serial)) < 0 ||
		(r = gnutls_x509_crt_set_basic_constraints(crt, how->ca_true, -1)) < 0 ||
		(r = extensions_copy(crt, crq, &how->change)) < 0 ||
		(r = crt_key_ids(crt, issuer->crt)) < 0)
		return gnutls_fail(err, "cannot fill in the certificate", r);
	return crt_finish(crt, issuer, NULL, &out->der, err);
}

enum est_code ca_issue(struct ca *ca, struct est_span csr, const struct issue_how *how,
	struct issued *out, struct est_error *err)
{
	struct issued made = { 0 };
	gnutls_x509_crt_t crt = NULL;
	gnutls_x509_crq_t crq = NULL;
	enum est_code rc;
	int r;

	rc = crq_read(csr, &crq, err);
	if (rc != EST_OK)
		return rc;
	r = gnutls_x509_crt_init(&crt);
	if (r < 0) {
		rc = gnutls_fail(err, "cannot make a certificate", r);
		goto out;
	}
	(void)pthread_mutex_lock(&ca->lock);
	rc = issue_locked(ca, crq, crt, how, &made, err);
	(void)pthread_mutex_unlock(&ca->lock);
	if (rc != EST_OK)
		goto out;
	*out = made;
	made = (struct issued){ 0 };
out:
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_crq_deinit(crq);
	est_buf_free(&made.der);
	return rc;
}

struct filler {
	size_t n;
	struct est_span *certs; /* into der */
	struct est_buf der;
};

void filler_free(struct filler *filler)
{
	if (!filler)
		return;
	free(filler->certs);
	est_buf_free(&filler->der);
	free(filler);
}

#define FILLER_DIGITS "00000000"

/* A self-signed certificate whose names end in FILLER_DIGITS. */
static enum est_code filler_pattern(gnutls_x509_privkey_t key, struct est_buf *der,
	struct est_error *err)
{
	gnutls_x509_crt_t crt = NULL;
	time_t now = time(NULL);
	enum est_code rc;
	int r;

	if ((r = gnutls_x509_crt_init(&crt)) < 0 ||
		(r = crt_basics(crt, now - 60, now + 365 * 24 * 60 * 60, NULL)) < 0 ||
		(r = gnutls_x509_crt_set_dn(crt, "CN=EST test filler " FILLER_DIGITS, NULL)) < 0 ||
		(r = gnutls_x509_crt_set_key(crt, key)) < 0 ||
		(r = gnutls_x509_crt_set_basic_constraints(crt, 1, -1)) < 0 ||
		(r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN)) < 0 ||
		(r = crt_key_ids(crt, NULL)) < 0)
		rc = gnutls_fail(err, "cannot make a filler certificate", r);
	else
		rc = crt_finish(crt, NULL, key, der, err);
	gnutls_x509_crt_deinit(crt);
	return rc;
}

/* One certificate: both names numbered, signed again; 20,000 take less than two seconds. */
static enum est_code filler_add(struct est_span tbs, uint8_t *const digits[2], size_t number,
	struct est_span alg, gnutls_privkey_t key, struct est_buf *out, struct est_error *err)
{
	struct est_buf bits = { 0 }, body = { 0 };
	gnutls_datum_t d = { (unsigned char *)tbs.p, (unsigned)tbs.n }, sig = { 0 };
	static const uint8_t unused[] = { 0 };
	char text[sizeof(FILLER_DIGITS)];
	enum est_code rc;
	int r;

	(void)snprintf(text, sizeof(text), "%08u", (unsigned)number % 100000000u);
	memcpy(digits[0], text, sizeof(text) - 1);
	memcpy(digits[1], text, sizeof(text) - 1);
	r = gnutls_privkey_sign_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &d, &sig);
	if (r < 0)
		return gnutls_fail(err, "cannot sign a filler certificate", r);
	rc = est_buf_append(&bits, (struct est_span){ unused, 1 }, err);
	if (rc == EST_OK)
		rc = est_buf_append(&bits, (struct est_span){ sig.data, sig.size }, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, tbs, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, alg, err);
	if (rc == EST_OK)
		rc = tlv_append(&body, 0x03, est_buf_span(&bits), err);
	if (rc == EST_OK)
		rc = tlv_append(out, 0x30, est_buf_span(&body), err);
	gnutls_free(sig.data);
	est_buf_free(&bits);
	est_buf_free(&body);
	return rc;
}

/* The two places of FILLER_DIGITS in the pattern. */
static bool filler_places(struct est_buf *der, uint8_t *digits[2])
{
	size_t n = sizeof(FILLER_DIGITS) - 1;
	uint8_t *end = der->p + der->n;

	digits[0] = memmem(der->p, der->n, FILLER_DIGITS, n);
	if (!digits[0])
		return false;
	digits[1] = memmem(digits[0] + n, (size_t)(end - digits[0]) - n, FILLER_DIGITS, n);
	return digits[1] != NULL;
}

static enum est_code filler_make(size_t n, struct filler *made, struct est_error *err)
{
	struct est_span in, whole, body, tbs, alg;
	gnutls_x509_privkey_t key = NULL;
	gnutls_privkey_t signer = NULL;
	struct est_buf pattern = { 0 };
	uint8_t *digits[2], tag;
	enum est_code rc;
	size_t i;
	int r;

	rc = key_new(&key, err);
	if (rc == EST_OK)
		rc = filler_pattern(key, &pattern, err);
	if (rc != EST_OK)
		goto out;
	in = est_buf_span(&pattern);
	if (!tlv_next(&in, &tag, &whole, &body) || !tlv_next(&body, &tag, &tbs, &whole) ||
		!tlv_next(&body, &tag, &alg, &whole) || !filler_places(&pattern, digits)) {
		rc = est_fail(err, EST_E_INTERNAL, "the filler pattern is not a certificate");
		goto out;
	}
	if ((r = gnutls_privkey_init(&signer)) < 0 ||
		(r = gnutls_privkey_import_x509(signer, key, 0)) < 0) {
		rc = gnutls_fail(err, "cannot use the filler key", r);
		goto out;
	}
	for (i = 0; i < n && rc == EST_OK; i++)
		rc = filler_add(tbs, digits, i + 1, alg, signer, &made->der, err);
	in = est_buf_span(&made->der);
	for (made->n = 0; rc == EST_OK && made->n < n; made->n++)
		if (!tlv_next(&in, &tag, &made->certs[made->n], &body))
			rc = est_fail(err, EST_E_INTERNAL, "a filler certificate is not DER");
out:
	gnutls_privkey_deinit(signer);
	gnutls_x509_privkey_deinit(key);
	est_buf_free(&pattern);
	return rc;
}

enum est_code filler_get(struct server *srv, size_t n, const struct est_span **out,
	struct est_error *err)
{
	struct filler *made;
	enum est_code rc;

	if (!srv->filler || srv->filler->n < n) {
		made = calloc(1, sizeof(*made));
		if (made)
			made->certs = calloc(n, sizeof(*made->certs));
		if (!made || !made->certs) {
			filler_free(made);
			return est_fail(err, EST_E_INTERNAL, "out of memory");
		}
		rc = filler_make(n, made, err);
		if (rc != EST_OK) {
			filler_free(made);
			return rc;
		}
		filler_free(srv->filler);
		srv->filler = made;
	}
	*out = srv->filler->certs;
	return EST_OK;
}

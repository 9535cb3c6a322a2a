/* SPDX-License-Identifier: MIT */
/* Roots that follow the root of this CA, and what links one to the other (RFC 4210 section 4.4). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority.h"
#include "bytes.h"

#define DAY_S  (24 * 60 * 60)
#define YEAR_S (365 * DAY_S)
#define NAME   "CN=EST test root" /* a CA keeps its name when it changes its key */

enum who { OLD, NEXT, THIRD, RSA, OTHER, FAKE, WHO };

static const char letters[WHO + 1] = "ontrxf";

struct rollover {
	struct authority who[WHO]; /* but OLD, which is the CA's; made when first asked for */
	struct est_buf link[WHO][WHO + 1]; /* [subject][issuer], [WHO]: by OLD, expired */
};

static const struct authority *get(const struct ca *ca, enum who who)
{
	return who == OLD ? &ca->root : &ca->rollover->who[who];
}

static enum est_code make_rsa(struct authority *out, struct est_error *err)
{
	struct authority made = { 0 };
	gnutls_x509_crt_t crt = NULL;
	time_t now = time(NULL);
	gnutls_datum_t der;
	enum est_code rc;
	int r;

	if ((r = gnutls_x509_privkey_init(&made.key)) < 0 ||
		(r = gnutls_x509_privkey_generate(made.key, GNUTLS_PK_RSA, 2048, 0)) < 0 ||
		(r = gnutls_x509_crt_init(&crt)) < 0 ||
		(r = crt_basics(crt, now - DAY_S, now + 25L * YEAR_S, NULL)) < 0 ||
		(r = gnutls_x509_crt_set_dn(crt, NAME, NULL)) < 0 ||
		(r = gnutls_x509_crt_set_key(crt, made.key)) < 0 ||
		(r = gnutls_x509_crt_set_basic_constraints(crt, 1, -1)) < 0 ||
		(r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN)) < 0 ||
		(r = crt_key_ids(crt, NULL)) < 0) {
		rc = gnutls_fail(err, "cannot make an RSA root", r);
		goto out;
	}
	rc = crt_finish(crt, NULL, made.key, &made.der, err);
	if (rc != EST_OK)
		goto out;
	der = (gnutls_datum_t){ made.der.p, (unsigned)made.der.n };
	if ((r = gnutls_x509_crt_init(&made.crt)) < 0 ||
		(r = gnutls_x509_crt_import(made.crt, &der, GNUTLS_X509_FMT_DER)) < 0) {
		rc = gnutls_fail(err, "cannot read a root", r);
		goto out;
	}
	*out = made;
	made = (struct authority){ 0 };
out:
	gnutls_x509_crt_deinit(crt);
	authority_wipe(&made);
	return rc;
}

static enum est_code need(struct ca *ca, enum who who, struct est_error *err)
{
	struct authority *a = &ca->rollover->who[who];

	if (who == OLD || a->crt)
		return EST_OK;
	switch (who) {
	case RSA:
		return make_rsa(a, err);
	case OTHER:
		return authority_make("CN=EST other root", NULL, -1, 40, a, err);
	case THIRD:
		return authority_make(NAME, NULL, -1, 35, a, err);
	default:
		return authority_make(NAME, NULL, -1, 30, a, err);
	}
}

/* The key and the name of subject, certified by issuer. */
static enum est_code link_make(const struct authority *subject, const struct authority *issuer,
	bool expired, struct est_buf *out, struct est_error *err)
{
	time_t now = time(NULL);
	gnutls_x509_crt_t crt = NULL;
	enum est_code rc;
	int r;

	if ((r = gnutls_x509_crt_init(&crt)) < 0 ||
		(r = crt_basics(crt, now - 30 * DAY_S, expired ? now - DAY_S : now + 5L * YEAR_S,
			 NULL)) < 0 ||
		(r = gnutls_x509_crt_set_dn(crt, NAME, NULL)) < 0 ||
		(r = gnutls_x509_crt_set_key(crt, subject->key)) < 0 ||
		(r = gnutls_x509_crt_set_basic_constraints(crt, 1, -1)) < 0 ||
		(r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN)) < 0 ||
		(r = crt_key_ids(crt, issuer->crt)) < 0)
		rc = gnutls_fail(err, "cannot make a link certificate", r);
	else
		rc = crt_finish(crt, issuer, NULL, out, err);
	gnutls_x509_crt_deinit(crt);
	return rc;
}

/* "nwo": the key of one, with the signature of another; "nwe": of the old one, expired. */
static enum est_code word_get(struct ca *ca, const char *word, struct est_span *out,
	struct est_error *err)
{
	const char *s = strchr(letters, word[0]), *i = strchr(letters, word[2]);
	bool expired = word[2] == 'e';
	enum who subject, issuer;
	struct est_buf *link;
	enum est_code rc;

	*out = (struct est_span){ 0 };
	if (!s || (!i && !expired) || word[1] != 'w')
		return EST_OK;
	subject = (enum who)(s - letters);
	issuer = expired ? OLD : (enum who)(i - letters);
	rc = need(ca, subject, err);
	if (rc == EST_OK)
		rc = need(ca, issuer, err);
	if (rc != EST_OK)
		return rc;
	if (subject == issuer && !expired) {
		*out = est_buf_span(&get(ca, subject)->der);
		return EST_OK;
	}
	link = &ca->rollover->link[subject][expired ? WHO : issuer];
	if (link->n == 0)
		rc = link_make(get(ca, subject), get(ca, issuer), expired, link, err);
	if (rc == EST_OK)
		*out = est_buf_span(link);
	return rc;
}

enum est_code rollover_get(struct ca *ca, const char *words, struct est_span out[ROLLOVER_MAX],
	size_t *n, struct est_error *err)
{
	enum est_code rc = EST_OK;
	size_t found = 0;

	(void)pthread_mutex_lock(&ca->lock);
	while (rc == EST_OK && found < ROLLOVER_MAX && strlen(words) >= 3) {
		rc = word_get(ca, words, &out[found], err);
		if (rc != EST_OK || out[found].n == 0)
			break;
		found++;
		words += 3;
		words += *words == '-';
	}
	(void)pthread_mutex_unlock(&ca->lock);
	*n = *words ? 0 : found;
	return rc;
}

enum est_code rollover_open(struct ca *ca, const char *dir, struct est_error *err)
{
	struct authority *next;
	const struct est_buf *above[1];
	struct est_span link;
	enum est_code rc;

	ca->rollover = calloc(1, sizeof(*ca->rollover));
	if (!ca->rollover)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	next = &ca->rollover->who[NEXT];
	if (file_exists(dir, "server-new.pem"))
		return authority_load(dir, "new-root", next, err);
	rc = need(ca, NEXT, err);
	if (rc == EST_OK)
		rc = authority_save(dir, "new-root", next, err);
	if (rc == EST_OK)
		rc = word_get(ca, "nwo", &link, err);
	above[0] = &ca->rollover->link[NEXT][OLD];
	return rc == EST_OK ? server_make(next, dir, "server-new", above, 1, NULL, 0, err) : rc;
}

const struct est_buf *rollover_next(const struct ca *ca)
{
	return &ca->rollover->who[NEXT].der;
}

void rollover_close(struct ca *ca)
{
	struct rollover *r = ca->rollover;

	if (!r)
		return;
	for (size_t i = 0; i < WHO; i++) {
		authority_wipe(&r->who[i]);
		for (size_t k = 0; k <= WHO; k++)
			est_buf_free(&r->link[i][k]);
	}
	free(r);
	ca->rollover = NULL;
}

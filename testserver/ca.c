/* SPDX-License-Identifier: MIT */
/* Making and keeping the CA. */
#include "ca.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authority.h"
#include "bytes.h"

#define DAY_S  (24 * 60 * 60)
#define YEAR_S (365 * DAY_S)

void authority_wipe(struct authority *a)
{
	gnutls_x509_crt_deinit(a->crt);
	gnutls_x509_privkey_deinit(a->key);
	est_buf_free(&a->der);
	*a = (struct authority){ 0 };
}

enum est_code key_new(gnutls_x509_privkey_t *out, struct est_error *err)
{
	gnutls_x509_privkey_t key = NULL;
	int r = gnutls_x509_privkey_init(&key);

	if (r == 0)
		r = gnutls_x509_privkey_generate(key, GNUTLS_PK_EC,
			GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (r < 0) {
		gnutls_x509_privkey_deinit(key);
		return gnutls_fail(err, "cannot make a key", r);
	}
	*out = key;
	return EST_OK;
}

int crt_basics(gnutls_x509_crt_t crt, time_t from, time_t to, char serial_hex[33])
{
	uint8_t serial[16];
	int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

	if (r < 0)
		return r;
	/* Positive, and sixteen octets in every encoding (RFC 5280 section 4.1.2.2). */
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
	if (serial_hex)
		hex_encode((struct est_span){ serial, sizeof(serial) }, serial_hex);
	if ((r = gnutls_x509_crt_set_version(crt, 3)) < 0 ||
		(r = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial))) < 0 ||
		(r = gnutls_x509_crt_set_activation_time(crt, from)) < 0)
		return r;
	return gnutls_x509_crt_set_expiration_time(crt, to);
}

int crt_key_ids(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
	uint8_t id[64];
	size_t n = sizeof(id);
	int r = gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA1, id, &n);

	if (r < 0 || (r = gnutls_x509_crt_set_subject_key_id(crt, id, n)) < 0 || !issuer)
		return r;
	n = sizeof(id);
	r = gnutls_x509_crt_get_subject_key_id(issuer, id, &n, NULL);
	return r < 0 ? r : gnutls_x509_crt_set_authority_key_id(crt, id, n);
}

enum est_code crt_finish(gnutls_x509_crt_t crt, const struct authority *issuer,
	gnutls_x509_privkey_t own_key, struct est_buf *der, struct est_error *err)
{
	gnutls_datum_t out = { 0 };
	enum est_code rc;
	int r;

	r = gnutls_x509_crt_sign2(crt, issuer ? issuer->crt : crt, issuer ? issuer->key : own_key,
		GNUTLS_DIG_SHA256, 0);
	if (r == 0)
		r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &out);
	if (r < 0)
		return gnutls_fail(err, "cannot sign a certificate", r);
	rc = est_buf_append(der, (struct est_span){ out.data, out.size }, err);
	gnutls_free(out.data);
	return rc;
}

/* The certificate as anybody else sees it: some getters of GnuTLS need one that was imported. */
static enum est_code crt_import(struct est_span der, gnutls_x509_crt_t *out, struct est_error *err)
{
	gnutls_datum_t d = { (unsigned char *)der.p, (unsigned)der.n };
	gnutls_x509_crt_t crt = NULL;
	int r = gnutls_x509_crt_init(&crt);

	if (r == 0)
		r = gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_DER);
	if (r < 0) {
		gnutls_x509_crt_deinit(crt);
		return gnutls_fail(err, "cannot read a certificate", r);
	}
	*out = crt;
	return EST_OK;
}

enum est_code authority_make(const char *dn, const struct authority *parent, int path_len,
	unsigned years, struct authority *out, struct est_error *err)
{
	struct authority made = { 0 };
	time_t now = time(NULL);
	gnutls_x509_crt_t crt = NULL;
	enum est_code rc;
	int r;

	rc = key_new(&made.key, err);
	if (rc != EST_OK)
		goto out;
	/* From two months ago, so that the label expired gives a certificate that nests. */
	if ((r = gnutls_x509_crt_init(&crt)) < 0 ||
		(r = crt_basics(crt, now - 60 * DAY_S, now + (time_t)years * YEAR_S, NULL)) < 0 ||
		(r = gnutls_x509_crt_set_dn(crt, dn, NULL)) < 0 ||
		(r = gnutls_x509_crt_set_key(crt, made.key)) < 0 ||
		(r = gnutls_x509_crt_set_basic_constraints(crt, 1, path_len)) < 0 ||
		(r = gnutls_x509_crt_set_key_usage(crt,
			 GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN)) < 0 ||
		(r = crt_key_ids(crt, parent ? parent->crt : NULL)) < 0) {
		rc = gnutls_fail(err, "cannot make a CA certificate", r);
		goto out;
	}
	rc = crt_finish(crt, parent, made.key, &made.der, err);
	if (rc == EST_OK)
		rc = crt_import(est_buf_span(&made.der), &made.crt, err);
	if (rc != EST_OK)
		goto out;
	*out = made;
	made = (struct authority){ 0 };
out:
	gnutls_x509_crt_deinit(crt);
	authority_wipe(&made);
	return rc;
}

static enum est_code key_save(const char *dir, const char *name, gnutls_x509_privkey_t key,
	struct est_error *err)
{
	gnutls_datum_t pem = { 0 };
	enum est_code rc;
	int r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
		&pem);

	if (r < 0)
		return gnutls_fail(err, name, r);
	rc = file_write(dir, name, (struct est_span){ pem.data, pem.size }, 0600, err);
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return rc;
}

static enum est_code key_load(const char *dir, const char *name, gnutls_x509_privkey_t *out,
	struct est_error *err)
{
	gnutls_x509_privkey_t key = NULL;
	struct est_buf pem = { 0 };
	gnutls_datum_t d;
	enum est_code rc;
	int r;

	rc = file_read(dir, name, EST_FILE_MAX, &pem, err);
	if (rc != EST_OK)
		return rc;
	d = (gnutls_datum_t){ pem.p, (unsigned)pem.n };
	r = gnutls_x509_privkey_init(&key);
	if (r == 0)
		r = gnutls_x509_privkey_import(key, &d, GNUTLS_X509_FMT_PEM);
	if (r < 0) {
		gnutls_x509_privkey_deinit(key);
		rc = gnutls_fail(err, name, r);
	} else {
		*out = key;
	}
	est_buf_free(&pem);
	return rc;
}

/* PEM of several certificates into one file. */
static enum est_code certs_save(const char *dir, const char *name, const struct est_buf *const *der,
	size_t n, struct est_error *err)
{
	struct est_buf pem = { 0 };
	enum est_code rc = EST_OK;
	size_t i;

	for (i = 0; i < n && rc == EST_OK; i++)
		rc = pem_encode("CERTIFICATE", est_buf_span(der[i]), &pem, err);
	if (rc == EST_OK)
		rc = file_write(dir, name, est_buf_span(&pem), 0644, err);
	est_buf_free(&pem);
	return rc;
}

enum est_code authority_load(const char *dir, const char *name, struct authority *out,
	struct est_error *err)
{
	struct authority got = { 0 };
	struct est_buf pem = { 0 };
	char file[64];
	gnutls_datum_t d, der = { 0 };
	enum est_code rc;
	int r;

	(void)snprintf(file, sizeof(file), "%s.key", name);
	rc = key_load(dir, file, &got.key, err);
	if (rc != EST_OK)
		goto out;
	(void)snprintf(file, sizeof(file), "%s.pem", name);
	rc = file_read(dir, file, EST_FILE_MAX, &pem, err);
	if (rc != EST_OK)
		goto out;
	d = (gnutls_datum_t){ pem.p, (unsigned)pem.n };
	if ((r = gnutls_x509_crt_init(&got.crt)) < 0 ||
		(r = gnutls_x509_crt_import(got.crt, &d, GNUTLS_X509_FMT_PEM)) < 0 ||
		(r = gnutls_x509_crt_export2(got.crt, GNUTLS_X509_FMT_DER, &der)) < 0) {
		rc = gnutls_fail(err, file, r);
		goto out;
	}
	rc = est_buf_append(&got.der, (struct est_span){ der.data, der.size }, err);
	gnutls_free(der.data);
	if (rc != EST_OK)
		goto out;
	*out = got;
	got = (struct authority){ 0 };
out:
	authority_wipe(&got);
	est_buf_free(&pem);
	return rc;
}

static int crt_add_name(gnutls_x509_crt_t crt, const char *name)
{
	uint8_t ip[16];

	if (inet_pton(AF_INET, name, ip) == 1)
		return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip, 4,
			GNUTLS_FSAN_APPEND);
	if (inet_pton(AF_INET6, name, ip) == 1)
		return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip, 16,
			GNUTLS_FSAN_APPEND);
	return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
		(unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

enum est_code authority_save(const char *dir, const char *name, const struct authority *authority,
	struct est_error *err)
{
	const struct est_buf *der = &authority->der;
	enum est_code rc;
	char file[64];

	(void)snprintf(file, sizeof(file), "%s.key", name);
	rc = key_save(dir, file, authority->key, err);
	(void)snprintf(file, sizeof(file), "%s.pem", name);
	return rc == EST_OK ? certs_save(dir, file, &der, 1, err) : rc;
}

enum est_code server_make(const struct authority *issuer, const char *dir, const char *base,
	const struct est_buf *const *above, size_t n, const char *const *names, size_t n_names,
	struct est_error *err)
{
	static const char *const usual[] = { "localhost", "127.0.0.1", "::1" };
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	struct est_buf der = { 0 };
	const struct est_buf *chain[4] = { &der };
	time_t now = time(NULL);
	char file[64];
	enum est_code rc;
	size_t i;
	int r;

	if (n_names == 0) {
		names = usual;
		n_names = 3;
	}
	for (i = 0; i < n && i < 3; i++)
		chain[i + 1] = above[i];
	rc = key_new(&key, err);
	if (rc != EST_OK)
		goto out;
	if ((r = gnutls_x509_crt_init(&crt)) < 0 ||
		(r = crt_basics(crt, now - 60, now + YEAR_S, NULL)) < 0 ||
		(r = gnutls_x509_crt_set_dn(crt, "CN=EST test server", NULL)) < 0 ||
		(r = gnutls_x509_crt_set_key(crt, key)) < 0 ||
		(r = gnutls_x509_crt_set_basic_constraints(crt, 0, -1)) < 0 ||
		(r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE)) < 0 ||
		(r = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0)) < 0 ||
		(r = crt_key_ids(crt, issuer->crt)) < 0) {
		rc = gnutls_fail(err, "cannot make the server certificate", r);
		goto out;
	}
	for (i = 0; i < n_names; i++) {
		r = crt_add_name(crt, names[i]);
		if (r < 0) {
			rc = gnutls_fail(err, names[i], r);
			goto out;
		}
	}
	rc = crt_finish(crt, issuer, NULL, &der, err);
	(void)snprintf(file, sizeof(file), "%s.key", base);
	if (rc == EST_OK)
		rc = key_save(dir, file, key, err);
	(void)snprintf(file, sizeof(file), "%s.pem", base);
	if (rc == EST_OK)
		rc = certs_save(dir, file, chain, n + 1, err);
out:
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	est_buf_free(&der);
	return rc;
}

/* ca.pem is written last: with it the folder is complete. */
static enum est_code ca_make(struct ca *ca, const char *dir, struct est_error *err)
{
	const struct est_buf *both[] = { &ca->root.der, &ca->issuing.der };
	enum est_code rc;

	rc = authority_make("CN=EST test root", NULL, -1, 20, &ca->root, err);
	if (rc == EST_OK)
		rc = authority_make("CN=EST test issuing CA", &ca->root, 0, 10, &ca->issuing, err);
	if (rc == EST_OK)
		rc = key_save(dir, "root.key", ca->root.key, err);
	if (rc == EST_OK)
		rc = key_save(dir, "issuing.key", ca->issuing.key, err);
	if (rc == EST_OK)
		rc = certs_save(dir, "root.pem", both, 1, err);
	if (rc == EST_OK)
		rc = certs_save(dir, "issuing.pem", both + 1, 1, err);
	if (rc == EST_OK)
		rc = certs_save(dir, "ca.pem", both, 2, err);
	return rc;
}

/* Whether dir/server.pem can still serve for a day. */
static bool server_usable(const char *dir)
{
	gnutls_x509_crt_t crt = NULL;
	struct est_buf pem = { 0 };
	struct est_error err;
	bool ok = false;
	gnutls_datum_t d;

	if (!file_exists(dir, "server.key") ||
		file_read(dir, "server.pem", EST_FILE_MAX, &pem, &err) != EST_OK)
		goto out;
	d = (gnutls_datum_t){ pem.p, (unsigned)pem.n };
	ok = gnutls_x509_crt_init(&crt) == 0 &&
	     gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM) == 0 &&
	     gnutls_x509_crt_get_expiration_time(crt) > time(NULL) + DAY_S;
out:
	gnutls_x509_crt_deinit(crt);
	est_buf_free(&pem);
	return ok;
}

enum est_code ca_open(struct ca *ca, const char *dir, const char *const *names, size_t n_names,
	struct est_error *err)
{
	const struct est_buf *above[] = { &ca->issuing.der };
	gnutls_x509_crt_t anchors[2];
	enum est_code rc;
	int r;

	(void)pthread_mutex_init(&ca->lock, NULL);
	if (file_exists(dir, "ca.pem")) {
		rc = authority_load(dir, "root", &ca->root, err);
		if (rc == EST_OK)
			rc = authority_load(dir, "issuing", &ca->issuing, err);
	} else {
		rc = ca_make(ca, dir, err);
	}
	if (rc == EST_OK && (n_names > 0 || !server_usable(dir)))
		rc = server_make(&ca->issuing, dir, "server", above, 1, names, n_names, err);
	if (rc == EST_OK)
		rc = rollover_open(ca, dir, err);
	if (rc != EST_OK)
		return rc;
	/* The issuing CA too: many clients send their leaf alone. */
	anchors[0] = ca->root.crt;
	anchors[1] = ca->issuing.crt;
	r = gnutls_x509_trust_list_init(&ca->trust[TA_EXPLICIT], 0);
	if (r == 0)
		r = gnutls_x509_trust_list_add_cas(ca->trust[TA_EXPLICIT], anchors, 2, 0);
	return r < 0 ? gnutls_fail(err, "cannot make the trust list", r) : EST_OK;
}

void ca_close(struct ca *ca)
{
	if (ca->trust[TA_EXPLICIT])
		gnutls_x509_trust_list_deinit(ca->trust[TA_EXPLICIT], 0);
	if (ca->trust[TA_IMPLICIT])
		gnutls_x509_trust_list_deinit(ca->trust[TA_IMPLICIT], 1);
	authority_wipe(&ca->root);
	authority_wipe(&ca->issuing);
	authority_wipe(&ca->foreign);
	rollover_close(ca);
	(void)pthread_mutex_destroy(&ca->lock);
}

enum est_code ca_trust_others(struct ca *ca, const struct est_buf *pem, struct est_error *err)
{
	const gnutls_datum_t d = { pem->p, (unsigned)pem->n - 1 };
	int r = gnutls_x509_trust_list_init(&ca->trust[TA_IMPLICIT], 0);

	if (r == 0)
		r = gnutls_x509_trust_list_add_trust_mem(ca->trust[TA_IMPLICIT], &d, NULL,
			GNUTLS_X509_FMT_PEM, 0, 0);
	if (r == 0)
		return est_fail(err, EST_E_INPUT, "--client-ca: no certificate in PEM");
	return r < 0 ? gnutls_fail(err, "--client-ca", r) : EST_OK;
}

enum ta_db ca_verify(struct ca *ca, gnutls_x509_crt_t *chain, unsigned n, char *why,
	size_t why_size)
{
	gnutls_datum_t text = { 0 };
	unsigned status = 0;
	int db, r = 0;

	(void)pthread_mutex_lock(&ca->lock);
	for (db = TA_IMPLICIT; db > TA_NONE; db--) { /* what the explicit one says is kept */
		if (!ca->trust[db])
			continue;
		r = gnutls_x509_trust_list_verify_crt(ca->trust[db], chain, n, 0, &status, NULL);
		if (r == 0 && status == 0)
			break;
	}
	(void)pthread_mutex_unlock(&ca->lock);
	if (db > TA_NONE)
		return (enum ta_db)db;
	if (r < 0)
		(void)snprintf(why, why_size, "%s", gnutls_strerror(r));
	else if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) ==
		 0)
		(void)snprintf(why, why_size, "%s", text.data);
	else
		(void)snprintf(why, why_size, "verification status 0x%x", status);
	gnutls_free(text.data);
	return TA_NONE;
}

/* SPDX-License-Identifier: MIT */
/* What ca.c, issue.c and filler.c share; the functions with an int return GnuTLS's codes. */
#ifndef AUTHORITY_H
#define AUTHORITY_H

#include "ca.h"

#include <time.h>

/* P-256. */
enum est_code key_new(gnutls_x509_privkey_t *out, struct est_error *err) EST_MUST_CHECK;
/* Version, random serial number (into serial_hex, which may be NULL) and validity. */
int crt_basics(gnutls_x509_crt_t crt, time_t from, time_t to, char serial_hex[33]);
/* subjectKeyIdentifier, and authorityKeyIdentifier unless issuer is NULL. */
int crt_key_ids(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer);
/* Signs and appends the DER; issuer NULL: self-signed with own_key. */
enum est_code crt_finish(gnutls_x509_crt_t crt, const struct authority *issuer,
	gnutls_x509_privkey_t own_key, struct est_buf *der, struct est_error *err) EST_MUST_CHECK;
/* DIR/NAME.key and DIR/NAME.pem. */
enum est_code authority_load(const char *dir, const char *name, struct authority *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code authority_save(const char *dir, const char *name, const struct authority *authority,
	struct est_error *err) EST_MUST_CHECK;
void authority_wipe(struct authority *authority);
/* A TLS server certificate below issuer: BASE.key, and BASE.pem with the n certificates of above
 * behind it.  Without names localhost and its addresses. */
enum est_code server_make(const struct authority *issuer, const char *dir, const char *base,
	const struct est_buf *const *above, size_t n, const char *const *names, size_t n_names,
	struct est_error *err) EST_MUST_CHECK;
/* parent NULL: a root; path_len -1: none. */
enum est_code authority_make(const char *dn, const struct authority *parent, int path_len,
	unsigned years, struct authority *out, struct est_error *err) EST_MUST_CHECK;

#endif

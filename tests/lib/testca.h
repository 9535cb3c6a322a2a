/* SPDX-License-Identifier: MIT */
/* Certificates that verify, made at run time, so that no test expires: roots, intermediates and
 * what they issue, right or wrong in one respect.  Everything here ends the test when it fails. */
#ifndef EST_TESTS_TESTCA_H
#define EST_TESTS_TESTCA_H

#include <gnutls/x509.h>

#include "est.h"

#define TESTCA_DAY (24 * 60 * 60)

struct testca { /* a certificate and its key */
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	struct est_buf der;
	bool own_key;
};

struct testca_san {
	gnutls_x509_subject_alt_name_t type; /* dNSName, address as 4 or 16 bytes, URI, mail */
	struct est_span value;
};

struct testca_extension {
	const char *oid;
	struct est_span value;
	bool critical;
};

/* Zero-initialised is a self-signed end entity certificate on P-256, valid from yesterday for ten
 * days, named CN=test, without extensions. */
struct testca_spec {
	const char *subject;         /* RFC 4514 */
	const struct testca *issuer; /* NULL: itself */
	gnutls_x509_privkey_t key;   /* borrowed; NULL: a new one */
	bool ca;
	bool no_path_len; /* with ca: path_len does not count */
	int path_len;
	unsigned usage;                    /* GNUTLS_KEY_...; 0: no keyUsage */
	const char *purpose;               /* OID; NULL: no extKeyUsage */
	struct testca_san sans[4];         /* value.p == NULL ends them */
	struct testca_extension extension; /* oid == NULL: none more */
	const char *permitted_dns;         /* nameConstraints; NULL: none */
	time_t from, until;                /* seconds from now; both 0: the default */
	gnutls_digest_algorithm_t hash;    /* 0: SHA-256 */
	int version;                       /* 0: 3 */
};

gnutls_x509_privkey_t testca_key(gnutls_pk_algorithm_t algorithm, unsigned bits);
void testca_issue(const struct testca_spec *spec, struct testca *out);
void testca_wipe(struct testca *cert);

/* A root named CN=root and an intermediate named CN=inter under it. */
void testca_root(struct testca *out);
void testca_inter(const struct testca *root, struct testca *out);

/* A new directory that is removed with all that is in it. */
char *testca_dir(void);
void testca_dir_remove(char *dir);
/* Fixtures for cmocka: such a directory, for one test or for all of a program. */
extern char *testca_tmp;
int testca_tmp_make(void **state);
int testca_tmp_remove(void **state);
size_t testca_files(const char *dir); /* hidden ones too */
/* DIR/NAME; borrowed until the eighth call from here. */
const char *testca_path(const char *dir, const char *name);
void testca_write(const char *path, struct est_span bytes);
/* n certificates as PEM, one file. */
void testca_write_pem(const char *path, const struct testca *const *certs, size_t n);

#endif

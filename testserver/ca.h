/* SPDX-License-Identifier: MIT */
/* The small CA: a root, an issuing CA under it, and one foreign CA for wrong answers. */
#ifndef CA_H
#define CA_H

#include "est.h"
#include "bytes.h"

#include <gnutls/x509.h>
#include <pthread.h>

struct authority {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	struct est_buf der;
};

struct rollover;

/* Who vouches for a client certificate (RFC 7030 section 3.3.2): this CA itself, or one of a third
 * party that --client-ca names. */
enum ta_db { TA_NONE, TA_EXPLICIT, TA_IMPLICIT };

struct ca {
	pthread_mutex_t lock; /* GnuTLS objects are not shared between threads */
	struct authority root, issuing;
	struct authority foreign;                        /* made when first asked for */
	gnutls_x509_trust_list_t trust[TA_IMPLICIT + 1]; /* by enum ta_db; NULL: empty */
	struct rollover *rollover;                       /* roots that could follow this one */
};

/* Loads root, issuing CA and server certificate from dir, or makes them.  names (may be empty:
 * keep what is there) go into the server certificate. */
enum est_code ca_open(struct ca *ca, const char *dir, const char *const *names, size_t n_names,
	struct est_error *err) EST_MUST_CHECK;
void ca_close(struct ca *ca);

/* The root that follows this one (new-root.pem, new-root.key), and a server certificate below it
 * (server-new.pem, server-new.key): loaded from dir, or made. */
enum est_code rollover_open(struct ca *ca, const char *dir, struct est_error *err) EST_MUST_CHECK;
void rollover_close(struct ca *ca);
const struct est_buf *rollover_next(const struct ca *ca); /* the root that follows, DER */

#define ROLLOVER_MAX 16 /* certificates that words can name */

/* What the words name (the man page has them), borrowed; *n is 0 for a word that is none. */
enum est_code rollover_get(struct ca *ca, const char *words, struct est_span out[ROLLOVER_MAX],
	size_t *n, struct est_error *err) EST_MUST_CHECK;

/* The implicit database: pem, with a NUL behind it. */
enum est_code ca_trust_others(struct ca *ca, const struct est_buf *pem,
	struct est_error *err) EST_MUST_CHECK;
/* RFC 5280 section 6 for the client's chain, without an EKU demand: a certificate for servers
 * may be renewed with itself.  TA_NONE: why says the reason. */
enum ta_db ca_verify(struct ca *ca, gnutls_x509_crt_t *chain, unsigned n, char *why,
	size_t why_size);

struct issue_how {
	bool other_key, foreign, ca_true, other_subject;
	struct name_change change;
	int64_t from_s, to_s; /* relative to now */
};

struct issued {
	struct est_buf der;
	char serial[33]; /* lower-case hex */
};

/* EST_E_INPUT: the request is not a PKCS #10 whose signature verifies. */
enum est_code ca_check_csr(struct est_span csr, struct est_error *err) EST_MUST_CHECK;
/* But for a name change copies subject and, byte for byte, subjectAltName, keyUsage and extKeyUsage
 * of the request. */
enum est_code ca_issue(struct ca *ca, struct est_span csr, const struct issue_how *how,
	struct issued *out, struct est_error *err) EST_MUST_CHECK;

#endif

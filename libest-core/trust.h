/* SPDX-License-Identifier: MIT */
/* The two trust anchor databases (RFC 7030 section 3.1), kept apart, and path validation. */
#ifndef EST_TRUST_H
#define EST_TRUST_H

#include <gnutls/x509.h>

#include "est.h"

enum trust_db { TRUST_NONE, TRUST_EXPLICIT, TRUST_IMPLICIT };

#define TRUST_DBS      3
#define TRUST_PATH_MAX 16 /* certificates in a path, the anchor's not counted */
#define TRUST_TRIES    32 /* paths that are put to the test for one certificate */

struct crls;
struct deadline;
struct trust;

/* files: the explicit database, NULL-terminated; a directory stands for the files in it.  Of each
 * file the self-signed certificates are anchors and the others only help to build paths (RFC 7030
 * section 4.1.3: an intermediate is not an anchor); a file without any self-signed certificate was
 * designated as it is, so its certificates are the anchors.  system: load the implicit database,
 * from system_file when given. EST_E_INPUT when a file is unusable or no anchor is left. */
enum est_code trust_load(const char *const *files, bool system, const char *system_file,
	struct trust **out, struct est_error *err) EST_MUST_CHECK;
/* An explicit database of exactly these, which were judged already, and no implicit one. */
enum est_code trust_from(const struct est_certs *anchors, struct trust **out,
	struct est_error *err) EST_MUST_CHECK;
/* Intermediates that may stand in a path. */
enum est_code trust_add_helpers(struct trust *trust, const struct est_certs *certs,
	struct est_error *err) EST_MUST_CHECK;
/* An explicit file begins with EST_IMPLICIT_MARK. */
bool trust_has_mark(const struct trust *trust);
/* CRLs that every path is held against from now on, borrowed; NULL: none. */
void trust_set_crls(struct trust *trust, const struct crls *crls);
/* The explicit anchors, borrowed. */
const struct est_certs *trust_anchors(const struct trust *trust);
void trust_free(struct trust *trust);

struct trust_query {
	const struct est_span *certs; /* [0] is the one in question, then helpers in any order */
	size_t n;
	const char *purpose;          /* OID the leaf must be good for; NULL: any */
	const char *explicit_purpose; /* one that does as well below an explicit anchor, or NULL */
	unsigned skew_s;              /* tolerated at both ends of every validity */
	const time_t *at;             /* when it has to be valid; NULL: now */
	const struct deadline *deadline; /* no other path is tried after it; NULL: none */
	const char *what;                /* begins the message: "the server's certificate" */
	bool server;    /* certs[0] is a TLS server's: the rules for those, and a CRL is due */
	bool handshake; /* this is its handshake, not a later look */
	const struct est_span *staples; /* the OCSP answers that came in it, one for each of certs
					 * or empty; NULL: none */
};

struct trust_answer {
	enum trust_db db;
	struct est_span path[TRUST_PATH_MAX]; /* borrowed from the query or from trust; [0] the
					       * leaf, then its issuers below the anchor */
	size_t n;
	const char *staple; /* what the OCSP answer was, static; NULL: none came */
};

/* RFC 5280 section 6 through GnuTLS with 112-bit strength, over every path that the names allow
 * until one is valid (TRUST_TRIES at most) and passes path_rules_check(); the explicit database
 * first.  EST_E_UNTRUSTED with reason unknown-ca, expired, not-yet-valid, weak, wrong-purpose,
 * revoked, ...; EST_E_PROTOCOL when the leaf is not a certificate that can be used. */
enum est_code trust_verify(struct trust *trust, const struct trust_query *query,
	struct trust_answer *out, struct est_error *err) EST_MUST_CHECK;

/* Whether this very certificate is an anchor of the explicit database. */
bool trust_is_anchor(const struct trust *trust, struct est_span der);

const char *trust_db_name(enum trust_db db); /* "explicit", "implicit" */

/* Imports a certificate that passes cert_view(); released by gnutls_x509_crt_deinit(). */
enum est_code trust_import(struct est_span der, const char *what, gnutls_x509_crt_t *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* Explicit and implicit trust anchors, and whether a path leads to one. */
#include "trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "cert.h"

struct trust {
	gnutls_x509_trust_list_t list[TRUST_DBS]; /* by enum trust_db; NULL: not in use */
	/* Issuers that a path to that database has proved in this run: the server's certificate
	 * and the one it issues share them, and signatures are what costs time. */
	gnutls_x509_trust_list_t proven[TRUST_DBS];
	gnutls_x509_crt_t *helpers;	  /* intermediates of the explicit files */
	size_t n_helpers;
};

#define VERIFY_FLAGS                                                                               \
	(GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM) |                                         \
		GNUTLS_VERIFY_DO_NOT_ALLOW_X509_V1_CA_CRT)

const char *trust_db_name(enum trust_db db)
{
	switch (db) {
	case TRUST_NONE:
		return "no";
	case TRUST_EXPLICIT:
		return "explicit";
	case TRUST_IMPLICIT:
		return "implicit";
	}
	return "no";
}

enum est_code trust_import(
	struct est_span der, const char *what, gnutls_x509_crt_t *out, struct est_error *err)
{
	gnutls_datum_t datum = { (unsigned char *)der.p, (unsigned)der.n };
	struct cert_view view;
	gnutls_x509_crt_t crt;
	enum est_code rc;
	int ret;

	rc = cert_view(der, what, &view, err);
	if (rc != EST_OK)
		return rc;
	ret = gnutls_x509_crt_init(&crt);
	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret));
	ret = gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_DER);
	if (ret < 0) {
		gnutls_x509_crt_deinit(crt);
		return est_fail(err, EST_E_PROTOCOL, "%s: not a certificate that can be used: %s",
			what, gnutls_strerror(ret));
	}
	*out = crt;
	return EST_OK;
}

static enum est_code list_get(struct trust *trust, enum trust_db db, struct est_error *err)
{
	int ret = trust->list[db] ? 0 : gnutls_x509_trust_list_init(&trust->list[db], 0);

	return ret < 0 ? est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret)) : EST_OK;
}

static enum est_code add_helper(struct trust *trust, gnutls_x509_crt_t crt, struct est_error *err)
{
	gnutls_x509_crt_t *helpers;

	helpers = realloc(trust->helpers, (trust->n_helpers + 1) * sizeof(crt));
	if (!helpers)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	trust->helpers = helpers;
	trust->helpers[trust->n_helpers++] = crt;
	return EST_OK;
}

/* Takes crt over, whatever happens. */
static enum est_code add_explicit(
	struct trust *trust, gnutls_x509_crt_t crt, bool anchor, struct est_error *err)
{
	enum est_code rc = EST_OK;
	int ret = 0;

	if (anchor) {
		ret = gnutls_x509_trust_list_add_cas(trust->list[TRUST_EXPLICIT], &crt, 1, 0);
		if (ret < 0)
			rc = est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret));
	} else {
		rc = add_helper(trust, crt, err);
	}
	if (rc != EST_OK)
		gnutls_x509_crt_deinit(crt);
	return rc;
}

static bool self_issued(struct est_span der)
{
	struct est_error ignored;
	struct cert_view view;

	return cert_view(der, "", &view, &ignored) == EST_OK && cert_is_self_issued(&view);
}

static enum est_code load_file(struct trust *trust, const char *path, struct est_error *err)
{
	struct est_certs *certs = NULL;
	bool any_root = false;
	gnutls_x509_crt_t crt;
	enum est_code rc;

	rc = est_certs_load(path, &certs, err);
	for (size_t i = 0; rc == EST_OK && i < est_certs_count(certs); i++)
		any_root = any_root || self_issued(est_certs_get(certs, i));
	for (size_t i = 0; rc == EST_OK && i < est_certs_count(certs); i++) {
		rc = trust_import(est_certs_get(certs, i), path, &crt, err);
		if (rc == EST_OK)
			rc = add_explicit(
				trust, crt, !any_root || self_issued(est_certs_get(certs, i)), err);
		if (rc == EST_E_PROTOCOL)
			rc = err->code = EST_E_INPUT; /* it is a local file */
	}
	est_certs_free(certs);
	return rc;
}

static enum est_code load_system(struct trust *trust, const char *file, struct est_error *err)
{
	gnutls_x509_trust_list_t list;
	enum est_code rc;
	int ret;

	rc = list_get(trust, TRUST_IMPLICIT, err);
	if (rc != EST_OK)
		return rc;
	list = trust->list[TRUST_IMPLICIT];
	if (file)
		ret = gnutls_x509_trust_list_add_trust_file(
			list, file, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	else
		ret = gnutls_x509_trust_list_add_system_trust(list, 0, 0);
	if (ret > 0)
		return EST_OK;
	est_fail(err, EST_E_INPUT, "no trust anchors in %s%s%s",
		file ? file : "the system's trust store", ret < 0 ? ": " : "",
		ret < 0 ? gnutls_strerror(ret) : "");
	return est_hint(err, "name the CA's certificate with --cacert FILE");
}

enum est_code trust_load(const char *const *files, bool system, const char *system_file,
	struct trust **out, struct est_error *err)
{
	struct trust *trust = calloc(1, sizeof(*trust));
	enum est_code rc = EST_OK;

	if (!trust)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	if (files && *files)
		rc = list_get(trust, TRUST_EXPLICIT, err);
	for (; rc == EST_OK && files && *files; files++)
		rc = load_file(trust, *files, err);
	if (rc == EST_OK && (system || !trust->list[TRUST_EXPLICIT]))
		rc = load_system(trust, system_file, err);
	if (rc != EST_OK) {
		trust_free(trust);
		return rc;
	}
	*out = trust;
	return EST_OK;
}

void trust_free(struct trust *trust)
{
	if (!trust)
		return;
	for (int db = TRUST_EXPLICIT; db <= TRUST_IMPLICIT; db++) {
		if (trust->list[db])
			gnutls_x509_trust_list_deinit(trust->list[db], 1);
		if (trust->proven[db])
			gnutls_x509_trust_list_deinit(trust->proven[db], 1);
	}
	for (size_t i = 0; i < trust->n_helpers; i++)
		gnutls_x509_crt_deinit(trust->helpers[i]);
	free(trust->helpers);
	free(trust);
}

static bool same_cert(gnutls_x509_crt_t a, gnutls_x509_crt_t b)
{
	return a == b || gnutls_x509_crt_equals(a, b);
}

static bool in_path(const struct trust_answer *path, gnutls_x509_crt_t crt)
{
	for (size_t i = 0; i < path->n; i++) {
		if (same_cert(path->path[i], crt))
			return true;
	}
	return false;
}

static gnutls_x509_crt_t find_issuer(const struct trust_answer *path, gnutls_x509_crt_t subject,
	const gnutls_x509_crt_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!in_path(path, from[i]) && gnutls_x509_crt_check_issuer(subject, from[i]))
			return from[i];
	}
	return NULL;
}

/* Leaf first, each certificate followed by one that could have issued it; signatures are checked
 * afterwards. */
static void build_path(
	const struct trust *trust, const struct trust_query *query, struct trust_answer *out)
{
	gnutls_x509_crt_t last = query->certs[0];

	out->path[0] = last;
	out->n = 1;
	while (out->n < TRUST_PATH_MAX && !gnutls_x509_crt_check_issuer(last, last)) {
		last = find_issuer(out, out->path[out->n - 1], query->certs + 1, query->n - 1);
		if (!last)
			last = find_issuer(
				out, out->path[out->n - 1], trust->helpers, trust->n_helpers);
		if (!last)
			break;
		out->path[out->n++] = last;
	}
}

static void time_text(time_t when, char *out, size_t size)
{
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(out, size, "%Y-%m-%d %H:%M:%S UTC", &tm))
		(void)snprintf(out, size, "a date out of range");
}

/* GnuTLS knows no skew and does not say which date was passed. */
static enum est_code check_times(
	const struct trust_answer *path, const struct trust_query *query, struct est_error *err)
{
	time_t now = time(NULL), from, until;
	char limit[40], clock[40];

	time_text(now, clock, sizeof(clock));
	for (size_t i = 0; i < path->n; i++) {
		const char *whose = i == 0 ? "" : ", or rather a CA certificate above it,";

		from = gnutls_x509_crt_get_activation_time(path->path[i]);
		until = gnutls_x509_crt_get_expiration_time(path->path[i]);
		if (now > until + (time_t)query->skew_s) {
			time_text(until, limit, sizeof(limit));
			est_fail(err, EST_E_UNTRUSTED,
				"%s%s expired on %s (the local clock says %s)", query->what, whose,
				limit, clock);
			return est_reason(err, "expired");
		}
		if (now + (time_t)query->skew_s < from) {
			time_text(from, limit, sizeof(limit));
			est_fail(err, EST_E_UNTRUSTED,
				"%s%s is not valid before %s (the local clock says %s)",
				query->what, whose, limit, clock);
			return est_reason(err, "not-yet-valid");
		}
	}
	return EST_OK;
}

static enum est_code fail_status(unsigned status, const struct trust_answer *path,
	const struct trust_query *query, struct est_error *err)
{
	gnutls_datum_t text = { 0 };
	const char *reason = "invalid";
	enum est_code rc;

	if (status & GNUTLS_CERT_SIGNER_NOT_FOUND) {
		est_fail(err, EST_E_UNTRUSTED, "%s does not lead to a trust anchor in use",
			query->what);
		return est_reason(err, "unknown-ca");
	}
	if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) {
		rc = check_times(path, query, err);
		if (rc != EST_OK)
			return rc;
		reason = "expired"; /* the anchor itself, which is not part of the path */
	} else if (status & GNUTLS_CERT_REVOKED) {
		reason = "revoked";
	} else if (status & GNUTLS_CERT_PURPOSE_MISMATCH) {
		reason = "wrong-purpose";
	} else if (status & GNUTLS_CERT_INSECURE_ALGORITHM) {
		reason = "weak";
	}
	(void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
	est_fail(err, EST_E_UNTRUSTED, "%s: %s", query->what,
		text.data ? (const char *)text.data : "verification failed");
	gnutls_free(text.data);
	return est_reason(err, reason);
}

static unsigned verify_in(gnutls_x509_trust_list_t list, const struct trust_query *query,
	const struct trust_answer *path)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, NULL, 0 };
	unsigned flags = VERIFY_FLAGS, status = GNUTLS_CERT_INVALID;
	gnutls_x509_crt_t chain[TRUST_PATH_MAX];

	if (!list)
		return GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND;
	if (query->skew_s)
		flags |= GNUTLS_VERIFY_DISABLE_TIME_CHECKS; /* check_times() does it */
	purpose.data = (unsigned char *)query->purpose;
	memcpy(chain, path->path, path->n * sizeof(chain[0]));
	if (gnutls_x509_trust_list_verify_crt2(list, chain, (unsigned)path->n, &purpose,
		    query->purpose ? 1 : 0, flags, &status, NULL) < 0)
		return GNUTLS_CERT_INVALID;
	return status;
}

/* Name constraints and the path's length bind what is below in ways that the issuer alone does not
 * tell: then nothing is taken as proven. */
static bool constrains(gnutls_x509_crt_t crt)
{
	size_t n = 0;
	int path_len;

	return gnutls_x509_crt_get_extension_by_oid(crt, "2.5.29.30", 0, NULL, &n, NULL) !=
		GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ||
		gnutls_x509_crt_get_basic_constraints(crt, NULL, NULL, &path_len) < 0;
}

/* Remembers the issuer of an end entity whose path has just been verified.  Its own issuers have
 * allowed exactly one certificate below it, so another end entity in the same place is as good. */
static void remember_issuer(struct trust *trust, const struct trust_answer *path)
{
	gnutls_x509_crt_t anchor = NULL, copy = NULL;
	gnutls_datum_t der = { 0 };
	bool bound = path->n < 2;

	for (size_t i = 1; !bound && i < path->n; i++)
		bound = constrains(path->path[i]);
	if (bound || gnutls_x509_trust_list_get_issuer(trust->list[path->db],
			     path->path[path->n - 1], &anchor, 0) < 0 ||
		constrains(anchor))
		return;
	if (!trust->proven[path->db] &&
		gnutls_x509_trust_list_init(&trust->proven[path->db], 0) < 0)
		return;
	if (gnutls_x509_crt_export2(path->path[1], GNUTLS_X509_FMT_DER, &der) < 0 ||
		gnutls_x509_crt_init(&copy) < 0)
		goto out;
	if (gnutls_x509_crt_import(copy, &der, GNUTLS_X509_FMT_DER) >= 0 &&
		gnutls_x509_trust_list_add_cas(trust->proven[path->db], &copy, 1, 0) > 0)
		copy = NULL; /* the list's now */
out:
	if (copy)
		gnutls_x509_crt_deinit(copy);
	gnutls_free(der.data);
}

enum est_code trust_verify(struct trust *trust, const struct trust_query *query,
	struct trust_answer *out, struct est_error *err)
{
	unsigned status = GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND, found = status;
	struct trust_answer answer = { 0 };
	enum est_code rc;

	build_path(trust, query, &answer);
	for (int db = TRUST_EXPLICIT; found != 0 && db <= TRUST_IMPLICIT; db++) {
		answer.db = db;
		found = verify_in(trust->proven[db], query, &answer);
		if (found == 0)
			break;
		found = verify_in(trust->list[db], query, &answer);
		if (found == 0)
			remember_issuer(trust, &answer);
		/* The database that knows the issuer has the more telling complaint. */
		else if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
			status = found;
	}
	if (found != 0)
		return fail_status(status, &answer, query, err);
	rc = check_times(&answer, query, err);
	if (rc == EST_OK)
		*out = answer;
	return rc;
}

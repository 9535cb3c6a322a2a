/* SPDX-License-Identifier: MIT */
/* Explicit and implicit trust anchors, and whether a path leads to one. */
#include "trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "cert.h"

struct trust {
	gnutls_x509_trust_list_t list[TRUST_DBS]; /* by enum trust_db; NULL: not in use */
	/* Issuers that a path to that database has proved in this run: the server's certificate
	 * and the one it issues share them, and signatures are what costs time. */
	gnutls_x509_trust_list_t proven[TRUST_DBS];
	gnutls_x509_crt_t *helpers; /* intermediates of the explicit files */
	size_t n_helpers;
};

#define VERIFY_FLAGS                                                                               \
	(GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM) |                                         \
		GNUTLS_VERIFY_DO_NOT_ALLOW_X509_V1_CA_CRT)

#define TRIES_MAX 32 /* issuers of one name that are told apart by the signature, in one path */

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

static bool signature_verifies(
	const struct cert_view *view, gnutls_x509_crt_t subject, gnutls_x509_crt_t issuer)
{
	/* Whether it is strong enough is for the verification of the path to say. */
	const unsigned flags = GNUTLS_VERIFY_ALLOW_BROKEN | GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1;
	gnutls_datum_t tbs = { (unsigned char *)view->tbs.p, (unsigned)view->tbs.n };
	int algorithm = gnutls_x509_crt_get_signature_algorithm(subject);
	gnutls_datum_t signature = { malloc(view->der.n), 0 };
	size_t n = view->der.n; /* longer than its signature */
	gnutls_pubkey_t key = NULL;
	bool verifies = false;

	if (!signature.data || algorithm <= 0 ||
		gnutls_x509_crt_get_signature(subject, (char *)signature.data, &n) < 0)
		goto out;
	signature.size = (unsigned)n;
	if (gnutls_pubkey_init(&key) < 0 || gnutls_pubkey_import_x509(key, issuer, 0) < 0)
		goto out;
	verifies = gnutls_pubkey_verify_data2(
			   key, (gnutls_sign_algorithm_t)algorithm, flags, &tbs, &signature) >= 0;
out:
	gnutls_pubkey_deinit(key);
	free(signature.data);
	return verifies;
}

/* The issuer's key has signed it, whatever the names say. */
static bool signed_by(gnutls_x509_crt_t subject, gnutls_x509_crt_t issuer)
{
	gnutls_datum_t der = { 0 };
	struct est_error ignored;
	struct cert_view view;
	bool is_signed;

	if (gnutls_x509_crt_export2(subject, GNUTLS_X509_FMT_DER, &der) < 0)
		return false;
	is_signed = cert_view((struct est_span){ der.data, der.size }, "", &view, &ignored) ==
			    EST_OK &&
		    signature_verifies(&view, subject, issuer);
	gnutls_free(der.data);
	return is_signed;
}

/* Equal names are not enough: a CA that changes its key issues OldWithNew and NewWithOld (RFC 4210
 * section 4.4), which are self-issued, and an anchor of which would make the old key one. */
static bool self_signed(gnutls_x509_crt_t crt)
{
	return gnutls_x509_crt_check_issuer(crt, crt) && signed_by(crt, crt);
}

static enum est_code load_file(struct trust *trust, const char *path, struct est_error *err)
{
	bool root[EST_CERTS_MAX], any_root = false;
	gnutls_x509_crt_t *crt = NULL;
	struct est_certs *certs = NULL;
	size_t n = 0, i = 0;
	enum est_code rc;

	rc = est_certs_load(path, &certs, err);
	if (rc != EST_OK)
		return rc;
	crt = calloc(est_certs_count(certs), sizeof(*crt));
	if (!crt)
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	while (rc == EST_OK && n < est_certs_count(certs)) {
		rc = trust_import(est_certs_get(certs, n), path, &crt[n], err);
		if (rc != EST_OK)
			break;
		root[n] = self_signed(crt[n]);
		any_root = any_root || root[n];
		n++;
	}
	if (rc == EST_E_PROTOCOL)
		rc = err->code = EST_E_INPUT; /* it is a local file */
	for (; rc == EST_OK && i < n; i++)
		rc = add_explicit(trust, crt[i], !any_root || root[i], err);
	for (; i < n; i++) /* not handed over */
		gnutls_x509_crt_deinit(crt[i]);
	free(crt);
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

/* Of several that bear the issuer's name the one whose key has signed the subject: a CA may have
 * changed its key.  *tries: how many signatures may still be looked at. */
static gnutls_x509_crt_t find_issuer(
	const struct trust_answer *path, const gnutls_x509_crt_t *from, size_t n, unsigned *tries)
{
	gnutls_x509_crt_t subject = path->path[path->n - 1], candidate = NULL;
	bool several = false;

	for (size_t i = 0; i<n && * tries> 0; i++) {
		if (in_path(path, from[i]) || !gnutls_x509_crt_check_issuer(subject, from[i]))
			continue;
		if (!candidate) {
			candidate = from[i];
			continue;
		}
		if (!several && signed_by(subject, candidate))
			return candidate;
		several = true;
		(*tries)--;
		if (signed_by(subject, from[i]))
			return from[i];
	}
	return candidate;
}

/* Leaf first, each certificate followed by one that could have issued it; signatures are checked
 * afterwards. */
static void build_path(
	const struct trust *trust, const struct trust_query *query, struct trust_answer *out)
{
	gnutls_x509_crt_t last = query->certs[0], sent, helper;
	unsigned tries = TRIES_MAX;

	out->path[0] = last;
	out->n = 1;
	while (out->n < TRUST_PATH_MAX && !gnutls_x509_crt_check_issuer(last, last)) {
		sent = find_issuer(out, query->certs + 1, query->n - 1, &tries);
		helper = find_issuer(out, trust->helpers, trust->n_helpers, &tries);
		if (!sent && !helper)
			break;
		if (sent && helper && !same_cert(sent, helper) && !signed_by(last, sent))
			sent = helper;
		last = sent ? sent : helper;
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

/* Whether what is above an issuer binds what is below it in ways that the issuer alone does not
 * tell: by names, or by the length of the path, unless the issuer may have no CA below it at all.
 * Then nothing is taken as proven. */
static bool constrains(gnutls_x509_crt_t crt, bool bound_by_length)
{
	int path_len = -1;
	size_t n = 0;

	if (gnutls_x509_crt_get_extension_by_oid(crt, "2.5.29.30", 0, NULL, &n, NULL) !=
			GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ||
		gnutls_x509_crt_get_basic_constraints(crt, NULL, NULL, &path_len) < 0)
		return true;
	return bound_by_length && path_len >= 0;
}

/* Remembers the issuer of an end entity whose path has just been verified.  Its own issuers have
 * allowed exactly one certificate below it, so another end entity in the same place is as good. */
static void remember_issuer(struct trust *trust, const struct trust_answer *path)
{
	gnutls_x509_crt_t anchor = NULL, copy = NULL;
	gnutls_datum_t der = { 0 };
	bool bound = path->n < 2, no_ca_below;
	int path_len = -1;

	if (bound)
		return;
	(void)gnutls_x509_crt_get_basic_constraints(path->path[1], NULL, NULL, &path_len);
	no_ca_below = path_len == 0;
	for (size_t i = 1; !bound && i < path->n; i++)
		bound = constrains(path->path[i], i > 1 && !no_ca_below);
	if (bound ||
		gnutls_x509_trust_list_get_issuer(
			trust->list[path->db], path->path[path->n - 1], &anchor, 0) < 0 ||
		constrains(anchor, !no_ca_below))
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

/* Ends the path where an anchor has signed: what a server sends above it, a root as an older one
 * had once signed it, is nobody's business. */
static bool cut_at_anchor(const struct trust *trust, struct trust_answer *path)
{
	gnutls_x509_crt_t anchor;

	for (size_t i = 0; i + 1 < path->n; i++) {
		if (gnutls_x509_trust_list_get_issuer(
			    trust->list[path->db], path->path[i], &anchor, 0) >= 0 &&
			signed_by(path->path[i], anchor)) {
			path->n = i + 1;
			return true;
		}
	}
	return false;
}

static enum est_code verify_path(struct trust *trust, const struct trust_query *query,
	const struct trust_answer *path, struct est_error *err)
{
	unsigned status = verify_in(trust->proven[path->db], query, path);
	bool was_proven = status == 0;
	enum est_code rc;

	if (!was_proven)
		status = verify_in(trust->list[path->db], query, path);
	if (status != 0)
		return fail_status(status, path, query, err);
	rc = check_times(path, query, err);
	/* With a skew the anchor's own validity has not been looked at. */
	if (rc == EST_OK && !was_proven && !query->skew_s)
		remember_issuer(trust, path);
	return rc;
}

enum est_code trust_verify(struct trust *trust, const struct trust_query *query,
	struct trust_answer *out, struct est_error *err)
{
	struct trust_answer path = { 0 }, answer;
	struct est_error why, cut_why;
	bool any = false;
	enum est_code rc;

	build_path(trust, query, &path);
	for (int db = TRUST_EXPLICIT; db <= TRUST_IMPLICIT; db++) {
		if (!trust->list[db])
			continue;
		answer = path;
		answer.db = db;
		rc = verify_path(trust, query, &answer, &why);
		if (rc != EST_OK && cut_at_anchor(trust, &answer))
			rc = verify_path(trust, query, &answer, &cut_why);
		if (rc == EST_OK) {
			*out = answer;
			return EST_OK;
		}
		/* The database that knows the issuer has the more telling complaint. */
		if (!any || strcmp(err->reason, "unknown-ca") == 0)
			*err = why;
		any = true;
	}
	return err->code;
}

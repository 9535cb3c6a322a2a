/* SPDX-License-Identifier: MIT */
/* Path validation (RFC 5280 section 6): GnuTLS judges one path at a time, and this finds the paths
 * it is shown.  Names alone decide what could follow what; several certificates of one name (a
 * renewed or cross-signed CA) are tried in turn. */
#include "trust_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "cert.h"
#include "certs.h"
#include "deadline.h"
#include "path_rules.h"

#define IMPORTS_MAX 64 /* helpers that are looked at for one certificate */

#define VERIFY_FLAGS                                                                               \
	(GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM) |                                         \
		GNUTLS_VERIFY_DO_NOT_ALLOW_X509_V1_CA_CRT)

struct search {
	struct trust *trust;
	const struct trust_query *query;
	time_t now;
	struct cert_view *pool; /* what may stand between leaf and anchor */
	size_t n_pool;
	struct cert_view path[TRUST_PATH_MAX];
	gnutls_x509_crt_t crts[TRUST_PATH_MAX]; /* of the path */
	size_t n;
	unsigned tries, imports;
	unsigned status;      /* the most telling complaint so far */
	bool untimely;        /* an issuer was passed over for its validity */
	struct est_error why; /* what the rules had against a path that GnuTLS has found valid */
	const char *staple;
	enum trust_db db;
};

static bool is_timely(const struct search *s, const struct cert_view *view)
{
	time_t skew = (time_t)s->query->skew_s;

	return s->now + skew >= view->not_before && s->now <= view->not_after + skew;
}

static void time_text(time_t when, char *out, size_t size)
{
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(out, size, "%Y-%m-%d %H:%M:%S UTC", &tm))
		(void)snprintf(out, size, "a date out of range");
}

static enum est_code fail_time(const struct search *s, struct est_error *err)
{
	const struct cert_view *leaf = &s->path[0];
	bool early = s->now < leaf->not_before;
	const char *whose = s->query->at ? "the time asked about is" : "the local clock says";
	char limit[40], clock[40];

	time_text(s->now, clock, sizeof(clock));
	time_text(early ? leaf->not_before : leaf->not_after, limit, sizeof(limit));
	if (is_timely(s, leaf))
		est_fail(err, EST_E_UNTRUSTED,
			"%s: a CA certificate above it is not valid then (%s %s)", s->query->what,
			whose, clock);
	else
		est_fail(err, EST_E_UNTRUSTED, "%s %s %s (%s %s)", s->query->what,
			early ? "is not valid before" : "expired on", limit, whose, clock);
	return est_reason(err, early ? "not-yet-valid" : "expired");
}

static enum est_code fail_search(const struct search *s, struct est_error *err)
{
	gnutls_datum_t text = { 0 };
	const char *reason = "invalid";

	if (s->why.code != EST_OK) {
		*err = s->why;
		return err->code;
	}
	if (s->status & GNUTLS_CERT_SIGNER_NOT_FOUND && !s->untimely) {
		est_fail(err, EST_E_UNTRUSTED, "%s does not lead to a trust anchor in use",
			s->query->what);
		return est_reason(err, "unknown-ca");
	}
	if (s->status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED) ||
		s->status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		return fail_time(s, err);
	if (s->status & GNUTLS_CERT_REVOKED)
		reason = "revoked";
	else if (s->status & GNUTLS_CERT_PURPOSE_MISMATCH)
		reason = "wrong-purpose";
	else if (s->status & GNUTLS_CERT_INSECURE_ALGORITHM)
		reason = "weak";
	(void)gnutls_certificate_verification_status_print(s->status, GNUTLS_CRT_X509, &text, 0);
	est_fail(err, EST_E_UNTRUSTED, "%s: %s", s->query->what,
		text.data ? (const char *)text.data : "verification failed");
	gnutls_free(text.data);
	return est_reason(err, reason);
}

/* GnuTLS's verdict on the first n certificates of the path, against a list of anchors. */
static unsigned judge(struct search *s, gnutls_x509_trust_list_t list, size_t n,
	const char *purpose_oid)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, NULL, 0 };
	unsigned flags = VERIFY_FLAGS, status = GNUTLS_CERT_INVALID;
	gnutls_x509_crt_t chain[TRUST_PATH_MAX];

	if (s->query->skew_s || s->query->at)
		flags |= GNUTLS_VERIFY_DISABLE_TIME_CHECKS; /* path_timely() knows better */
	purpose.data = (unsigned char *)purpose_oid;
	memcpy(chain, s->crts, n * sizeof(chain[0]));
	s->tries++;
	if (gnutls_x509_trust_list_verify_crt2(list, chain, (unsigned)n, &purpose,
		    purpose_oid ? 1 : 0, flags, &status, NULL) < 0)
		return GNUTLS_CERT_INVALID;
	return status;
}

/* The issuers were timely when they were pushed; GnuTLS looks at an anchor's dates too. */
static bool path_timely(const struct search *s, gnutls_x509_trust_list_t list, size_t n)
{
	gnutls_x509_crt_t anchor;

	if (!is_timely(s, &s->path[0]))
		return false;
	if (!s->query->at ||
		gnutls_x509_trust_list_get_issuer(list, s->crts[n - 1], &anchor, 0) < 0)
		return true;
	return s->now >= gnutls_x509_crt_get_activation_time(anchor) &&
	       s->now <= gnutls_x509_crt_get_expiration_time(anchor);
}

/* The explicit anchor above a certificate: by its name, and of several by its signature. */
static bool find_explicit(const struct search *s, const struct cert_view *last,
	struct cert_view *out)
{
	const struct est_certs *anchors = s->trust->anchors;
	struct est_error ignored;
	struct cert_view view;
	bool found = false;

	for (size_t i = 0; i < est_certs_count(anchors); i++) {
		if (cert_view(est_certs_get(anchors, i), "", &view, &ignored) != EST_OK ||
			!est_span_eq(view.subject, last->issuer))
			continue;
		if (found && !cert_signed_by(last, &view))
			continue;
		*out = view;
		found = true;
	}
	return found;
}

/* What GnuTLS says of these is not what helps to find the mistake; the rules have words for it. */
#define IN_OTHER_WORDS                                                                             \
	(GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE | GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS |            \
		GNUTLS_CERT_INSECURE_ALGORITHM)

/* The rules besides GnuTLS's, on the first n of the path and the anchor that list has above them.
 */
static bool passes_rules(struct search *s, gnutls_x509_trust_list_t list, size_t n)
{
	struct path_rules rules = {
		.path = s->path,
		.n = n,
		.anchor = &s->path[n],
		.crls = s->trust->crls,
		.now = s->now,
		.server = s->query->server,
		.handshake = s->query->handshake,
		.sent = s->query->certs,
		.n_sent = s->query->n,
		.staples = s->query->staples,
		.what = s->query->what,
	};
	const struct cert_view *last = &s->path[n - 1];
	gnutls_datum_t der = { 0 };
	gnutls_x509_crt_t crt;
	struct cert_view view;
	enum est_code rc = EST_OK;

	if (list != s->trust->proven) {
		rules.anchor = &view;
		if (s->db == TRUST_IMPLICIT || !find_explicit(s, last, &view)) {
			if (gnutls_x509_trust_list_get_issuer(list, s->crts[n - 1], &crt, 0) < 0 ||
				gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) < 0)
				rc = est_fail(&s->why, EST_E_INTERNAL, "out of memory");
			else
				rc = cert_view((struct est_span){ der.data, der.size },
					"the trust anchor", &view, &s->why);
		}
	}
	if (rc == EST_OK)
		rc = path_rules_check(&rules, &s->staple, &s->why);
	gnutls_free(der.data);
	return rc == EST_OK;
}

static bool verify(struct search *s, gnutls_x509_trust_list_t list, size_t n)
{
	unsigned status = judge(s, list, n, s->query->purpose);

	if (status & GNUTLS_CERT_PURPOSE_MISMATCH && s->query->explicit_purpose &&
		s->db == TRUST_EXPLICIT)
		status = judge(s, list, n, s->query->explicit_purpose);
	if (status == 0 && (s->query->skew_s || s->query->at) && !path_timely(s, list, n))
		status = GNUTLS_CERT_EXPIRED;
	/* The path that reached an anchor has the more telling complaint. */
	if (s->status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		s->status = status;
	if (status == 0 || status & IN_OTHER_WORDS)
		return passes_rules(s, list, n) && status == 0;
	return false;
}

static bool is_anchored(gnutls_x509_trust_list_t list, gnutls_x509_crt_t crt)
{
	gnutls_x509_crt_t issuer;

	return list && gnutls_x509_trust_list_get_issuer(list, crt, &issuer, 0) >= 0;
}

/* A CA above may be limited to other purposes (RFC 5280 section 4.2.1.12, as it is practised). */
static bool is_proven(const struct search *s)
{
	const struct trust *trust = s->trust;

	return trust->proven && est_span_eq(s->path[1].der, trust->proven_issuer) &&
	       (!s->query->purpose || strcmp(s->query->purpose, trust->proven_purpose) == 0);
}

/* The path as it stands: complete, and valid? */
static bool path_valid(struct search *s)
{
	struct trust *trust = s->trust;
	gnutls_x509_crt_t last = s->crts[s->n - 1];

	if (s->n == 2 && is_proven(s)) {
		s->db = TRUST_EXPLICIT;
		if (verify(s, trust->proven, 1))
			return true;
	}
	for (int db = TRUST_EXPLICIT; db <= TRUST_IMPLICIT; db++) {
		s->db = db;
		if (is_anchored(trust->list[db], last) && verify(s, trust->list[db], s->n))
			return true;
	}
	return false;
}

static bool in_path(const struct search *s, const struct cert_view *view)
{
	for (size_t i = 0; i < s->n; i++) {
		if (est_span_eq(s->path[i].der, view->der))
			return true;
	}
	return false;
}

/* Puts a possible issuer at the end of the path; false: it is none. */
static bool path_push(struct search *s, const struct cert_view *view)
{
	gnutls_x509_crt_t crt;
	struct est_error ignored;

	if (!est_span_eq(s->path[s->n - 1].issuer, view->subject) || in_path(s, view))
		return false;
	if (!is_timely(s, view)) {
		s->untimely = true;
		return false;
	}
	if (++s->imports > IMPORTS_MAX || trust_import(view->der, "", &crt, &ignored) != EST_OK)
		return false;
	if (!gnutls_x509_crt_check_issuer(s->crts[s->n - 1], crt)) { /* key identifiers */
		gnutls_x509_crt_deinit(crt);
		return false;
	}
	s->path[s->n] = *view;
	s->crts[s->n++] = crt;
	return true;
}

static bool may_try(const struct search *s)
{
	return s->tries < TRUST_TRIES &&
	       (!s->query->deadline || deadline_left_ms(s->query->deadline) > 0);
}

/* Depth first; the path that is valid is left in s. */
static bool find_path(struct search *s)
{
	if (path_valid(s))
		return true;
	if (s->n == TRUST_PATH_MAX)
		return false;
	for (size_t i = 0; i < s->n_pool && may_try(s); i++) {
		if (!path_push(s, &s->pool[i]))
			continue;
		if (find_path(s))
			return true;
		gnutls_x509_crt_deinit(s->crts[--s->n]);
	}
	return false;
}

/* A helper that cannot be read helps nobody. */
static void pool_add(struct search *s, struct est_span der)
{
	struct est_error ignored;

	if (cert_view(der, "", &s->pool[s->n_pool], &ignored) == EST_OK)
		s->n_pool++;
}

static enum est_code search_init(struct search *s, struct est_error *err)
{
	const struct est_certs *helpers = s->trust->helpers;
	enum est_code rc;

	rc = cert_view(s->query->certs[0], s->query->what, &s->path[0], err);
	if (rc == EST_OK)
		rc = trust_import(s->query->certs[0], s->query->what, &s->crts[0], err);
	if (rc != EST_OK)
		return rc;
	s->n = 1;
	s->pool = calloc(s->query->n + est_certs_count(helpers), sizeof(*s->pool));
	if (!s->pool)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	for (size_t i = 1; i < s->query->n; i++)
		pool_add(s, s->query->certs[i]);
	for (size_t i = 0; i < est_certs_count(helpers); i++)
		pool_add(s, est_certs_get(helpers, i));
	return EST_OK;
}

/* Keeps the issuers of a server's path: to complete other paths, and the first of them as proven.
 * Its own issuers have allowed an end entity certificate directly below it, so another one there
 * is as good, unless names are constrained, which binds each of them anew. */
static enum est_code remember_issuers(struct search *s, struct est_error *err)
{
	bool constrained = s->trust->constrained;
	enum est_code rc = EST_OK;
	gnutls_x509_crt_t copy;
	size_t last;

	if (!s->query->purpose || s->n < 2)
		return EST_OK;
	for (size_t i = 1; rc == EST_OK && i < s->n; i++) {
		constrained |= cert_has_name_constraints(&s->path[i]);
		rc = certs_add(s->trust->helpers, s->path[i].der, true, NULL, err);
	}
	if (rc != EST_OK || constrained || s->query->skew_s || s->db != TRUST_EXPLICIT ||
		s->trust->proven || strlen(s->query->purpose) >= sizeof(s->trust->proven_purpose))
		return rc;
	rc = trust_import(s->path[1].der, s->query->what, &copy, err);
	if (rc != EST_OK)
		return rc;
	if (gnutls_x509_trust_list_init(&s->trust->proven, 0) < 0 ||
		gnutls_x509_trust_list_add_cas(s->trust->proven, &copy, 1, 0) < 0) {
		gnutls_x509_crt_deinit(copy);
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	(void)snprintf(s->trust->proven_purpose, sizeof(s->trust->proven_purpose), "%s",
		s->query->purpose);
	last = est_certs_count(s->trust->helpers);
	while (last-- > 0) {
		if (est_span_eq(est_certs_get(s->trust->helpers, last), s->path[1].der))
			s->trust->proven_issuer = est_certs_get(s->trust->helpers, last);
	}
	return EST_OK;
}

enum est_code trust_verify(struct trust *trust, const struct trust_query *query,
	struct trust_answer *out, struct est_error *err)
{
	struct search s = {
		.trust = trust,
		.query = query,
		.now = query->at ? *query->at : time(NULL),
		.status = GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND,
	};
	struct trust_answer answer = { 0 };
	enum est_code rc;

	rc = search_init(&s, err);
	if (rc == EST_OK && !find_path(&s))
		rc = fail_search(&s, err);
	else if (rc == EST_OK)
		rc = remember_issuers(&s, err);
	if (rc == EST_OK) {
		answer.db = s.db;
		answer.staple = s.staple;
		for (answer.n = 0; answer.n < s.n; answer.n++)
			answer.path[answer.n] = s.path[answer.n].der;
		*out = answer;
	}
	while (s.n > 0)
		gnutls_x509_crt_deinit(s.crts[--s.n]);
	free(s.pool);
	return rc;
}

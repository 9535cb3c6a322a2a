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

/* What is to be said of one path. */
struct verdict {
	unsigned status;      /* GnuTLS's complaints; 0: none */
	struct est_error why; /* what the rules have against it, or why it cannot be judged */
	const char *staple;   /* what the server's OCSP answer was, static; NULL: none came */
};

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
	bool untimely; /* an issuer was passed over for its validity */
	struct verdict
		verdict; /* on the path that is valid, or the most telling complaint so far */
	enum trust_db db;
};

static bool is_timely(const struct search *s, const struct cert_view *view)
{
	time_t skew = (time_t)s->query->skew_s;

	return s->now + skew >= view->not_before && s->now <= view->not_after + skew;
}

static enum est_code fail_time(const struct search *s, struct est_error *err)
{
	const struct cert_view *leaf = &s->path[0];
	bool early = s->now < leaf->not_before;
	const char *whose = s->query->at ? "the time asked about is" : "the local clock says";
	char limit[CERT_TIME_TEXT], clock[CERT_TIME_TEXT];

	cert_time_text(s->now, clock);
	cert_time_text(early ? leaf->not_before : leaf->not_after, limit);
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
	const unsigned status = s->verdict.status;
	const bool no_signer = status & GNUTLS_CERT_SIGNER_NOT_FOUND;
	gnutls_datum_t text = { 0 };

	if (s->verdict.why.code != EST_OK) {
		*err = s->verdict.why;
		return err->code;
	}
	if (no_signer && !s->untimely) {
		est_fail(err, EST_E_UNTRUSTED, "%s does not lead to a trust anchor in use",
			s->query->what);
		return est_reason(err, "unknown-ca");
	}
	if (no_signer || status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
		return fail_time(s, err);
	(void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
	est_fail(err, EST_E_UNTRUSTED, "%s: %s", s->query->what,
		text.data ? (const char *)text.data : "verification failed");
	gnutls_free(text.data);
	return est_reason(err, status & GNUTLS_CERT_REVOKED              ? "revoked"
			       : status & GNUTLS_CERT_PURPOSE_MISMATCH   ? "wrong-purpose"
			       : status & GNUTLS_CERT_INSECURE_ALGORITHM ? "weak"
									 : "invalid");
}

/* What GnuTLS has against the first n certificates of the path, under the anchors of a list. */
static unsigned complaints(struct search *s, gnutls_x509_trust_list_t list, size_t n,
	const char *purpose_oid)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, NULL, 0 };
	unsigned flags = VERIFY_FLAGS, status = GNUTLS_CERT_INVALID;
	gnutls_x509_crt_t chain[TRUST_PATH_MAX];

	if (s->query->skew_s || s->query->at)
		flags |= GNUTLS_VERIFY_DISABLE_TIME_CHECKS; /* is_timely() knows better */
	purpose.data = (unsigned char *)purpose_oid;
	memcpy(chain, s->crts, n * sizeof(chain[0]));
	s->tries++;
	if (gnutls_x509_trust_list_verify_crt2(list, chain, (unsigned)n, &purpose,
		    purpose_oid ? 1 : 0, flags, &status, NULL) < 0)
		return GNUTLS_CERT_INVALID;
	return status;
}

/* Of the anchors above a certificate that have one name: the one that has signed it and is valid.
 */
static unsigned anchor_rank(const struct search *s, const struct cert_view *last,
	const struct cert_view *anchor)
{
	return cert_signed_by(last, anchor) ? 1 + is_timely(s, anchor) : 0;
}

/* The explicit anchor above a certificate, mostly the only one of its name. */
static bool find_explicit(const struct search *s, const struct cert_view *last,
	struct cert_view *out)
{
	const struct est_certs *anchors = s->trust->anchors;
	unsigned found = 0, rank, best = 0;
	struct est_error ignored;
	struct cert_view view;

	for (size_t i = 0; i < est_certs_count(anchors); i++) {
		if (cert_view(est_certs_get(anchors, i), "", &view, &ignored) != EST_OK ||
			!est_span_eq(view.subject, last->issuer))
			continue;
		if (found == 1)
			best = anchor_rank(s, last, out);
		rank = found > 0 ? anchor_rank(s, last, &view) : 0;
		if (found++ == 0 || rank > best) {
			*out = view;
			best = rank;
		}
	}
	return found > 0;
}

/* The anchor that list has above the first n of the path.  It may borrow from der, the caller's. */
static enum est_code find_anchor(const struct search *s, gnutls_x509_trust_list_t list, size_t n,
	struct cert_view *out, gnutls_datum_t *der, struct est_error *err)
{
	gnutls_x509_crt_t crt;

	if (list == s->trust->proven) {
		*out = s->path[n];
		return EST_OK;
	}
	if (s->db == TRUST_EXPLICIT && find_explicit(s, &s->path[n - 1], out))
		return EST_OK;
	if (gnutls_x509_trust_list_get_issuer(list, s->crts[n - 1], &crt, 0) < 0 ||
		gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, der) < 0)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	return cert_view((struct est_span){ der->data, der->size }, "the trust anchor", out, err);
}

/* What GnuTLS says of these is not what helps to find the mistake; the rules have words for it. */
#define IN_OTHER_WORDS                                                                             \
	(GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE | GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS |            \
		GNUTLS_CERT_INSECURE_ALGORITHM)

/* The rules besides GnuTLS's, on the first n of the path and the anchor above them. */
static void check_rules(const struct search *s, const struct cert_view *anchor, size_t n,
	struct verdict *v)
{
	const struct path_rules rules = {
		.path = s->path,
		.n = n,
		.anchor = anchor,
		.crls = s->trust->crls,
		.now = s->now,
		.server = s->query->server,
		.handshake = s->query->handshake,
		.sent = s->query->certs,
		.n_sent = s->query->n,
		.staples = s->query->staples,
		.what = s->query->what,
	};

	v->why.code = path_rules_check(&rules, &v->staple, &v->why);
}

/* The verdict on the first n of the path under the anchors of a list. */
static struct verdict judge(struct search *s, gnutls_x509_trust_list_t list, size_t n)
{
	struct verdict v = { .status = complaints(s, list, n, s->query->purpose) };
	struct cert_view anchor;
	gnutls_datum_t der = { 0 };

	if (v.status & GNUTLS_CERT_PURPOSE_MISMATCH && s->query->explicit_purpose &&
		s->db == TRUST_EXPLICIT)
		v.status = complaints(s, list, n, s->query->explicit_purpose);
	if (v.status != 0 && !(v.status & IN_OTHER_WORDS))
		return v;
	if (find_anchor(s, list, n, &anchor, &der, &v.why) == EST_OK) {
		/* The issuers between were timely when they were pushed. */
		if (v.status == 0 && !(is_timely(s, &s->path[0]) && is_timely(s, &anchor)))
			v.status = GNUTLS_CERT_EXPIRED;
		else
			check_rules(s, &anchor, n, &v);
	}
	gnutls_free(der.data);
	return v;
}

/* Valid, or else remembered for its complaint. */
static bool passes(struct search *s, gnutls_x509_trust_list_t list, size_t n)
{
	const struct verdict v = judge(s, list, n);

	/* The first path that reached an anchor is more telling than those that did not. */
	if (s->verdict.status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		s->verdict.status = v.status;
	if (v.why.code != EST_OK)
		s->verdict.why = v.why;
	s->verdict.staple = v.staple;
	return v.status == 0 && v.why.code == EST_OK;
}

static bool is_anchored(gnutls_x509_trust_list_t list, gnutls_x509_crt_t crt)
{
	gnutls_x509_crt_t issuer;

	return gnutls_x509_trust_list_get_issuer(list, crt, &issuer, 0) >= 0;
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
	gnutls_x509_trust_list_t list = trust->list[s->db];

	if (s->n == 2 && s->db == TRUST_EXPLICIT && is_proven(s) && passes(s, trust->proven, 1))
		return true;
	return is_anchored(list, s->crts[s->n - 1]) && passes(s, list, s->n);
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

/* What has issued one certificate of this purpose directly may issue another: its own issuers allow
 * that.  Not so where names are constrained, which binds each of them anew. */
static bool is_worth_proving(const struct search *s)
{
	bool constrained = s->trust->constrained;

	for (size_t i = 1; i < s->n; i++)
		constrained |= cert_has_name_constraints(&s->path[i]);
	return !constrained && !s->query->skew_s && s->db == TRUST_EXPLICIT && !s->trust->proven &&
	       strlen(s->query->purpose) < sizeof(s->trust->proven_purpose);
}

/* The issuer of the leaf, which helpers has by now. */
static enum est_code remember_proven(struct search *s, struct est_error *err)
{
	struct trust *trust = s->trust;
	gnutls_x509_crt_t copy;
	enum est_code rc;
	size_t i = 0;

	rc = trust_import(s->path[1].der, s->query->what, &copy, err);
	if (rc != EST_OK)
		return rc;
	if (gnutls_x509_trust_list_init(&trust->proven, 0) < 0 ||
		gnutls_x509_trust_list_add_cas(trust->proven, &copy, 1, 0) < 0) {
		gnutls_x509_crt_deinit(copy);
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	(void)snprintf(trust->proven_purpose, sizeof(trust->proven_purpose), "%s",
		s->query->purpose);
	while (!est_span_eq(est_certs_get(trust->helpers, i), s->path[1].der))
		i++;
	trust->proven_issuer = est_certs_get(trust->helpers, i);
	return EST_OK;
}

/* Keeps the issuers of a server's path: to complete other paths, and the first of them as proven.
 */
static enum est_code remember_issuers(struct search *s, struct est_error *err)
{
	enum est_code rc = EST_OK;

	if (!s->query->purpose || s->n < 2)
		return EST_OK;
	for (size_t i = 1; rc == EST_OK && i < s->n; i++)
		rc = certs_add(s->trust->helpers, s->path[i].der, true, NULL, err);
	return rc == EST_OK && is_worth_proving(s) ? remember_proven(s, err) : rc;
}

enum est_code trust_verify(struct trust *trust, const struct trust_query *query,
	struct trust_answer *out, struct est_error *err)
{
	struct search s = {
		.trust = trust,
		.query = query,
		.now = query->at ? *query->at : time(NULL),
		.verdict.status = GNUTLS_CERT_INVALID | GNUTLS_CERT_SIGNER_NOT_FOUND,
	};
	struct trust_answer answer = { 0 };
	bool found = false;
	enum est_code rc;

	rc = search_init(&s, err);
	/* Every path to an explicit anchor before the first one to an implicit anchor. */
	for (int db = TRUST_EXPLICIT; rc == EST_OK && !found && db <= TRUST_IMPLICIT; db++) {
		s.db = db;
		found = trust->list[db] && find_path(&s);
	}
	if (rc == EST_OK)
		rc = found ? remember_issuers(&s, err) : fail_search(&s, err);
	if (rc == EST_OK) {
		answer.db = s.db;
		answer.staple = s.verdict.staple;
		for (answer.n = 0; answer.n < s.n; answer.n++)
			answer.path[answer.n] = s.path[answer.n].der;
		*out = answer;
	}
	while (s.n > 0)
		gnutls_x509_crt_deinit(s.crts[--s.n]);
	free(s.pool);
	return rc;
}

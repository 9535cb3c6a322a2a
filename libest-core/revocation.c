/* SPDX-License-Identifier: MIT */
/* Is a certificate revoked, as far as the CRLs at hand know? */
#include "revocation.h"

#include <stdlib.h>
#include <time.h>

#include "crl.h"
#include "objects_plain.h"
#include "x509_text.h"

struct crl {
	struct est_buf der;
	struct crl_view view;
	const char *unusable;   /* static; NULL: nothing speaks against it */
	bool users, cas;        /* covers only these (RFC 5280 section 5.2.5) */
	struct est_span points; /* covers only what names one of these; empty: everything */
};

struct crls {
	struct crl item[CRL_FILES_MAX];
	size_t n;
};

void crls_free(struct crls *crls)
{
	for (size_t i = 0; crls && i < crls->n; i++)
		est_buf_free(&crls->item[i].der);
	free(crls);
}

/* The last octet of an OID under id-ce; -1: another. */
static int id_ce(struct est_span oid)
{
	return oid.n == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d ? oid.p[2] : -1;
}

/* RFC 5280 section 5.3: a CRL with a critical entry extension that is not known does not count. */
static bool entries_known(struct est_span revoked)
{
	struct der_tlv entry, tlv;
	struct cert_ext ext;

	while (der_expect(&revoked, DER_SEQUENCE, &entry)) {
		if (!der_expect(&entry.body, DER_INTEGER, &tlv) || !der_next(&entry.body, &tlv))
			return false;
		if (!der_expect(&entry.body, DER_SEQUENCE, &tlv))
			continue;
		while (tlv.body.n > 0) {
			if (!cert_next_extension(&tlv.body, false, &ext) ||
				(ext.critical && id_ce(ext.oid) != 21 && id_ce(ext.oid) != 24))
				return false;
		}
	}
	return true;
}

/* DistributionPointName: the names in full, or false for one relative to an issuer. */
static bool full_names(struct est_span point, struct est_span *names)
{
	struct der_tlv tlv;

	if (!der_expect(&point, DER_CONTEXT_C(0), &tlv))
		return false;
	*names = tlv.body;
	return true;
}

/* What an IssuingDistributionPoint (RFC 5280 section 5.2.5) leaves of a CRL. */
static const char *limit_scope(struct crl *crl, struct est_span value)
{
	struct der_tlv seq, tlv;

	if (!der_expect(&value, DER_SEQUENCE, &seq))
		return "has an issuing distribution point that cannot be read";
	while (der_next(&seq.body, &tlv)) {
		bool on = tlv.body.n == 1 && tlv.body.p[0] != 0;

		if (tlv.tag == DER_CONTEXT_C(0) && full_names(tlv.body, &crl->points))
			continue;
		else if (tlv.tag == DER_CONTEXT(1))
			crl->users = on;
		else if (tlv.tag == DER_CONTEXT(2))
			crl->cas = on;
		else if (tlv.tag != DER_CONTEXT(4) || on)
			return "does not cover every reason or issuer of its own";
	}
	return NULL;
}

/* What can be said before it is known whom it is about. */
static const char *find_fault(struct crl *crl)
{
	struct est_span rest = crl->view.extensions;
	const char *fault = NULL;
	struct cert_ext ext;

	while (!fault && rest.n > 0) {
		if (!cert_next_extension(&rest, false, &ext))
			return "has an extension that cannot be read";
		if (id_ce(ext.oid) == 28)
			fault = limit_scope(crl, ext.value);
		else if (ext.critical && id_ce(ext.oid) != 20 && id_ce(ext.oid) != 35)
			fault = "has a critical extension that is not known, or is a delta CRL";
	}
	if (!fault && !entries_known(crl->view.revoked))
		fault = "has an entry that cannot be read or a critical extension not known";
	return fault;
}

static enum est_code take_object(void *ctx, const struct est_object *object, struct est_error *err)
{
	struct crls *crls = ctx;
	struct crl *crl;
	enum est_code rc;

	if (object->broken) {
		*err = *object->broken;
		return err->code;
	}
	if (object->kind != EST_FILE_CRL)
		return EST_OK;
	if (crls->n == CRL_FILES_MAX)
		return est_fail(err, EST_E_INPUT, "more than %d CRLs, the limit", CRL_FILES_MAX);
	crl = &crls->item[crls->n];
	rc = est_buf_append(&crl->der, object->der, err);
	if (rc != EST_OK)
		return rc;
	crls->n++; /* owned from here on */
	rc = crl_view(est_buf_span(&crl->der), &crl->view, err);
	if (rc == EST_OK)
		crl->unusable = find_fault(crl);
	return rc;
}

enum est_code crls_add(struct crls **list, struct est_span data, struct est_error *err)
{
	struct est_quirks quirks = { 0 };
	struct crls *crls = *list;
	enum est_code rc;
	size_t before;

	if (!crls)
		*list = crls = calloc(1, sizeof(*crls));
	if (!crls)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	before = crls->n;
	rc = objects_plain(data, &quirks, take_object, crls, err);
	if (rc == EST_OK && crls->n == before)
		rc = est_fail(err, EST_E_INPUT, "holds no CRL");
	return rc;
}

static enum est_code load_file(struct crls **crls, const char *path, struct est_error *err)
{
	struct est_buf data = { 0 };
	struct est_error why;
	char shown[200];
	enum est_code rc;

	rc = est_read_file(path, CRL_FILE_MAX, &data, err);
	if (rc != EST_OK)
		return rc;
	rc = crls_add(crls, est_buf_span(&data), &why);
	if (rc != EST_OK)
		rc = est_fail(err, rc == EST_E_PROTOCOL ? EST_E_INPUT : rc, "%s: %.400s",
			est_escape(shown, sizeof(shown), est_span_str(path)), why.msg);
	est_buf_free(&data);
	return rc;
}

enum est_code crls_load(const char *const *files, struct crls **out, struct est_error *err)
{
	struct crls *crls = NULL;
	enum est_code rc = EST_OK;

	for (; rc == EST_OK && *files; files++)
		rc = load_file(&crls, *files, err);
	if (rc == EST_OK)
		*out = crls;
	else
		crls_free(crls);
	return rc;
}

static bool has_name(struct est_span names, struct est_span wanted)
{
	struct der_tlv name;

	while (der_next(&names, &name)) {
		if (est_span_eq(name.whole, wanted))
			return true;
	}
	return false;
}

/* One of the names of the CRL's distribution point is one of the certificate's. */
static bool shares_point(const struct crl *crl, const struct cert_view *cert)
{
	struct est_span value, theirs, ours;
	struct der_tlv list, point, tlv, name;

	if (!cert_extension(cert, CERT_OID_DISTRIBUTION, NULL, &value) ||
		!der_expect(&value, DER_SEQUENCE, &list))
		return false;
	while (der_expect(&list.body, DER_SEQUENCE, &point)) {
		if (!der_expect(&point.body, DER_CONTEXT_C(0), &tlv) ||
			!full_names(tlv.body, &theirs))
			continue;
		for (ours = crl->points; der_next(&ours, &name);) {
			if (has_name(theirs, name.whole))
				return true;
		}
	}
	return false;
}

static bool covers(const struct crl *crl, const struct cert_view *cert)
{
	bool ca = cert_is_ca(cert, NULL);

	return est_span_eq(crl->view.issuer, cert->issuer) && !(crl->users && ca) &&
	       !(crl->cas && !ca) && (crl->points.n == 0 || shares_point(crl, cert));
}

/* RFC 5280 section 6.3.3 (f) */
static bool find_entry(const struct crl *crl, struct est_span serial, struct der_tlv *out)
{
	struct est_span rest = crl->view.revoked;
	struct der_tlv number;

	while (der_expect(&rest, DER_SEQUENCE, out)) {
		if (der_expect(&out->body, DER_INTEGER, &number) &&
			est_span_eq(number.body, serial))
			return true;
	}
	return false;
}

static const char *reason_of(struct est_span extensions)
{
	static const char *const words[] = { "unspecified", "keyCompromise", "cACompromise",
		"affiliationChanged", "superseded", "cessationOfOperation", "certificateHold", "?",
		"removeFromCRL", "privilegeWithdrawn", "aACompromise" };
	struct est_span value;
	struct der_tlv reason;

	if (!cert_find_extension(extensions, CRL_OID_REASON, NULL, &value) ||
		!der_next(&value, &reason) || reason.body.n != 1 ||
		reason.body.p[0] >= sizeof(words) / sizeof(words[0]))
		return words[0];
	return words[reason.body.p[0]];
}

/* entry: what follows the serial number. */
static enum est_code fail_revoked(struct der_tlv entry, const char *who, struct est_error *err)
{
	struct der_tlv tlv = { 0 };
	char date[CERT_TIME_TEXT] = "?";
	time_t when;

	if (der_next(&entry.body, &tlv) && der_time(&tlv, &when))
		cert_time_text(when, date);
	tlv.body = (struct est_span){ 0 };
	(void)der_expect(&entry.body, DER_SEQUENCE, &tlv);
	est_fail(err, EST_E_UNTRUSTED, "%s was revoked on %s (%s), says the CRL of its issuer", who,
		date, reason_of(tlv.body));
	return est_reason(err, "revoked");
}

static enum est_code fail_stale(const struct crl *crl, time_t now, const char *who,
	struct est_error *err)
{
	const struct crl_view *view = &crl->view;
	char date[CERT_TIME_TEXT] = "", clock[CERT_TIME_TEXT];

	if (now < view->this_update)
		cert_time_text(view->this_update, date);
	else if (view->has_next_update)
		cert_time_text(view->next_update, date);
	cert_time_text(now, clock);
	est_fail(err, EST_E_UNTRUSTED,
		"%s: the CRL of its issuer %s %s, and does not say who is revoked now (the local "
		"clock says %s)",
		who,
		now < view->this_update ? "begins on"
		: *date                 ? "was due to be replaced on"
					: "has no nextUpdate",
		date, clock);
	est_hint(err, "get the CA's current CRL for --crl");
	return est_reason(err, "crl-stale");
}

static enum est_code fail_none(const struct cert_view *cert, const char *why, const char *who,
	struct est_error *err)
{
	struct est_buf name = { 0 };
	struct est_error ignored;

	if (x509_name(cert->issuer, &name, &ignored) != EST_OK)
		est_buf_free(&name);
	est_fail(err, EST_E_UNTRUSTED, "%s: none of the CRLs given is one of its issuer, %.*s%s%s",
		who, (int)(name.n < 200 ? name.n : 200), name.p ? (const char *)name.p : "",
		why ? ": the one of that name " : "", why ? why : "");
	est_buf_free(&name);
	est_hint(err, "with --crl the issuer of the server's certificate needs one");
	return est_reason(err, "no-crl");
}

enum est_code crls_check(const struct crls *crls, const struct cert_view *cert,
	const struct cert_view *issuer, time_t now, bool due, const char *who,
	struct est_error *err)
{
	const struct crl *stale = NULL;
	const char *why = NULL;
	struct der_tlv entry;
	bool current = false;

	for (size_t i = 0; i < crls->n; i++) {
		const struct crl *crl = &crls->item[i];

		if (!covers(crl, cert))
			continue;
		if (crl->unusable)
			why = crl->unusable;
		else if (!crl_may_sign(issuer))
			why = "is of a CA whose keyUsage lacks cRLSign";
		else if (!crl_signed_by(&crl->view, issuer, false))
			why = "is not signed by its key";
		else if (find_entry(crl, cert->serial, &entry))
			return fail_revoked(entry, who, err); /* an old one tells that too */
		else if (now < crl->view.this_update || !crl->view.has_next_update ||
			 now > crl->view.next_update)
			stale = crl;
		else
			current = true;
	}
	if (current)
		return EST_OK;
	if (stale)
		return fail_stale(stale, now, who, err);
	return due ? fail_none(cert, why, who, err) : EST_OK;
}

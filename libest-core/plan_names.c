/* SPDX-License-Identifier: MIT */
/* Subject and extensions of a planned request: the CA's template filled with the operator's
 * values, and with nothing else (RFC 9908 section 3.4). */
#include "plan.h"

#include <string.h>
#include <strings.h>

#include "cert.h"
#include "csr.h"
#include "x509_text.h"

#define KEPT "kept from the certificate that is renewed (RFC 7030 section 4.2.2)"

#define UNFILLED "has to be given with %s"
#define REFUSED  "%s has to name it too: est asks for no name that it was not given"

static bool renews(const struct planner *p)
{
	return p->spec && p->spec->renew.n > 0;
}

/* ---- The subject ------------------------------------------------------------------------------
 */

struct pair {                  /* an AttributeTypeAndValue, of a template perhaps without value */
	struct est_span type;  /* contents */
	struct est_span value; /* whole; empty: to be filled in */
	bool first;            /* of its RDN */
	bool used; /* of the operator's: in the request; of the template's: given twice */
};

static enum est_code read_pairs(struct est_span rdns, struct pair *out, size_t *n,
	struct est_error *err)
{
	struct der_tlv rdn, attr, type, value = { 0 };
	bool first;

	for (*n = 0; rdns.n > 0;) {
		if (!der_expect(&rdns, DER_SET, &rdn))
			break;
		for (first = true; rdn.body.n > 0; first = false) {
			value.whole.n = 0;
			if (*n == EST_RDNS_MAX || !der_expect(&rdn.body, DER_SEQUENCE, &attr) ||
				!der_expect(&attr.body, DER_OID, &type) ||
				(attr.body.n > 0 && !der_next(&attr.body, &value)) ||
				attr.body.n > 0)
				return est_fail(err, EST_E_PROTOCOL,
					"CSR attributes: malformed subject in a template, or of "
					"more than %d attributes",
					EST_RDNS_MAX);
			out[(*n)++] = (struct pair){ type.body, value.whole, first, false };
		}
	}
	return EST_OK;
}

/* The same text, whatever string type the two sides have chosen for it. */
static bool same_value(struct est_span a, struct est_span b)
{
	struct der_tlv x, y;

	if (est_span_eq(a, b))
		return true;
	if (!der_next(&a, &x) || !der_next(&b, &y) || !est_span_eq(x.body, y.body))
		return false;
	return (x.tag == DER_UTF8 || x.tag == DER_PRINTABLE || x.tag == DER_IA5) &&
	       (y.tag == DER_UTF8 || y.tag == DER_PRINTABLE || y.tag == DER_IA5);
}

/* What a CA may put into a subject on its own: where somebody belongs, not who he is.  2.5.4.n for
 * C, L, ST, STREET, O, OU, description, businessCategory, postalCode, dnQualifier,
 * organizationIdentifier; domainComponent. */
static bool is_affiliation(struct est_span type)
{
	static const uint8_t arcs[] = { 6, 7, 8, 9, 10, 11, 13, 15, 17, 46, 97 };

	if (type.n == 3 && type.p[0] == 0x55 && type.p[1] == 4)
		return memchr(arcs, type.p[2], sizeof(arcs)) != NULL;
	return est_span_eq(type,
		CERT_OID(0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19));
}

static enum est_code want_pair(struct planner *p, const struct pair *pair, struct est_error *err)
{
	enum est_code rc = plan_wants(p, err, "subject ");

	if (rc == EST_OK)
		rc = x509_oid(pair->type, &p->wants, err);
	if (rc == EST_OK && pair->value.n > 0)
		rc = plan_wants(p, err, "=");
	return rc == EST_OK && pair->value.n > 0 ? x509_value(pair->value, &p->wants, err) : rc;
}

/* An unused one of the operator's of that type, and of that value if one is given. */
static struct pair *find_pair(struct pair *own, size_t n, const struct pair *like)
{
	for (size_t i = 0; i < n; i++) {
		if (!own[i].used && est_span_eq(own[i].type, like->type) &&
			(!like->value.n || same_value(own[i].value, like->value)))
			return &own[i];
	}
	return NULL;
}

/* One attribute of the template as the request has it, in *value; empty when only explaining. */
static enum est_code fill_pair(struct planner *p, const struct pair *want, struct pair *own,
	size_t n_own, struct est_span *value, struct est_error *err)
{
	struct pair *mine = want->value.n ? NULL : find_pair(own, n_own, want);
	enum est_code rc = want_pair(p, want, err);

	*value = mine ? mine->value : want->value;
	if (rc != EST_OK)
		return rc;
	if (mine) {
		mine->used = true;
		return plan_note(p, err, "is that of --subject");
	}
	if (!want->value.n)
		return plan_problem(p, "csrattrs-unfilled", err, UNFILLED, "--subject");
	if (want->used || is_affiliation(want->type))
		return plan_note(p, err, "is put in");
	return plan_problem(p, "csrattrs-refused", err, REFUSED, "--subject");
}

static enum est_code put_pair(struct est_buf *set, const struct pair *want, struct est_span value,
	struct est_error *err)
{
	struct est_buf body = { 0 };
	enum est_code rc;

	rc = der_put(&body, DER_OID, want->type, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, value, err);
	if (rc == EST_OK)
		rc = der_put(set, DER_SEQUENCE, est_buf_span(&body), err);
	est_buf_free(&body);
	return rc;
}

/* The template has every type that is wanted, and no others. */
static enum est_code check_left(struct planner *p, const struct pair *own, size_t n,
	struct est_error *err)
{
	struct est_buf shown = { 0 };
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		if (own[i].used)
			continue;
		rc = x509_oid(own[i].type, &shown, err);
		if (rc == EST_OK)
			rc = est_buf_append(&shown, est_span_str("="), err);
		if (rc == EST_OK)
			rc = x509_value(own[i].value, &shown, err);
		if (rc == EST_OK)
			rc = plan_wants(p, err, "a subject as in its template");
		if (rc == EST_OK)
			rc = plan_problem(p, "csrattrs-conflict", err,
				"it has no place for %.*s of --subject",
				shown.n > 200 ? 200 : (int)shown.n, (const char *)shown.p);
	}
	est_buf_free(&shown);
	return rc;
}

static enum est_code build_subject(struct planner *p, struct pair *want, size_t n_want,
	struct pair *own, size_t n_own, struct est_error *err)
{
	struct est_buf rdns = { 0 }, set = { 0 };
	enum est_code rc = EST_OK;
	struct est_span value;
	struct pair *mine;

	for (size_t i = 0; i < n_want; i++) {
		mine = want[i].value.n ? find_pair(own, n_own, &want[i]) : NULL;
		if (mine)
			want[i].used = mine->used = true;
	}
	for (size_t i = 0; rc == EST_OK && i < n_want; i++) {
		rc = fill_pair(p, &want[i], own, n_own, &value, err);
		if (rc == EST_OK && value.n > 0)
			rc = put_pair(&set, &want[i], value, err);
		if (rc != EST_OK || (i + 1 < n_want && !want[i + 1].first) || !set.n)
			continue;
		rc = csr_put_rdn(est_buf_span(&set), &rdns, err);
		set.n = 0;
	}
	if (rc == EST_OK)
		rc = check_left(p, own, n_own, err);
	p->plan->subject.n = 0;
	if (rc == EST_OK)
		rc = der_put(&p->plan->subject, DER_SEQUENCE, est_buf_span(&rdns), err);
	est_buf_free(&set);
	est_buf_free(&rdns);
	return rc;
}

enum est_code plan_subject(struct planner *p, struct est_span rdns, struct est_error *err)
{
	struct pair want[EST_RDNS_MAX], own[EST_RDNS_MAX];
	struct est_span subject = est_buf_span(&p->plan->subject);
	struct est_buf copy = { 0 };
	size_t n_want = 0, n_own = 0;
	struct der_tlv name;
	enum est_code rc;

	if (renews(p)) {
		rc = plan_wants(p, err, "subject");
		return rc == EST_OK ? plan_note(p, err, KEPT) : rc;
	}
	rc = est_buf_append(&copy, subject, err); /* what is built replaces it */
	subject = est_buf_span(&copy);
	if (rc == EST_OK)
		rc = read_pairs(rdns, want, &n_want, err);
	if (rc == EST_OK && der_expect(&subject, DER_SEQUENCE, &name))
		rc = read_pairs(name.body, own, &n_own, err);
	if (rc == EST_OK)
		rc = build_subject(p, want, n_want, own, n_own, err);
	est_buf_free(&copy);
	return rc;
}

/* ---- subjectAltName ---------------------------------------------------------------------------
 */

static const char *name_option(uint8_t tag)
{
	switch (tag) {
	case DER_CONTEXT(1):
		return "--email";
	case DER_CONTEXT(2):
		return "--dns";
	case DER_CONTEXT_C(4):
		return "--subject";
	case DER_CONTEXT(6):
		return "--uri";
	case DER_CONTEXT(7):
		return "--ip";
	default:
		return "an option of est";
	}
}

/* RFC 8994 section 6.2.2: the registrar alone knows this name (RFC 9908 section 5.1). */
static bool is_acp_name(const struct der_tlv *name)
{
	struct est_span body = name->body;
	struct der_tlv oid;

	return name->tag == DER_CONTEXT_C(0) && der_expect(&body, DER_OID, &oid) &&
	       est_span_eq(oid.body, CERT_OID(0x2b, 6, 1, 5, 5, 7, 8, 10));
}

/* An empty GeneralName is to be filled in (RFC 9908 section 3.4); so is an empty directoryName. */
static bool is_slot(const struct der_tlv *name)
{
	return name->body.n == 0 || (name->tag == DER_CONTEXT_C(4) && name->body.n == 2);
}

static bool same_name(const struct der_tlv *a, const struct der_tlv *b)
{
	if (a->tag != b->tag || a->body.n != b->body.n)
		return false;
	return a->tag == DER_CONTEXT(2) ? strncasecmp((const char *)a->body.p,
						  (const char *)b->body.p, a->body.n) == 0
					: est_span_eq(a->body, b->body);
}

struct names {                /* the operator's */
	struct est_span list; /* contents of the GeneralNames */
	bool used[EST_SANS_MAX];
};

/* An unused name of the operator's like that one: equal, or with slot of its kind. */
static bool take_name(struct names *own, const struct der_tlv *like, bool slot, struct der_tlv *out)
{
	struct est_span in = own->list;

	for (size_t i = 0; i < EST_SANS_MAX && der_next(&in, out); i++) {
		if (own->used[i] || (slot ? out->tag != like->tag : !same_name(out, like)))
			continue;
		own->used[i] = true;
		return true;
	}
	return false;
}

static enum est_code want_name(struct planner *p, const struct der_tlv *name, struct est_error *err)
{
	enum est_code rc = plan_wants(p, err, "subjectAltName ");

	if (rc == EST_OK)
		rc = x509_general_name(name, &p->wants, err);
	return rc == EST_OK && is_slot(name) ? plan_wants(p, err, "...") : rc;
}

/* One GeneralName of the CA's as the request has it. */
static enum est_code fill_name(struct planner *p, const struct der_tlv *want, bool named,
	struct names *own, struct est_buf *out, struct est_error *err)
{
	struct est_span subject = est_buf_span(&p->plan->subject);
	const char *option = name_option(want->tag);
	enum est_code rc = want_name(p, want, err);
	struct der_tlv mine;

	if (rc != EST_OK)
		return rc;
	if (want->tag == DER_CONTEXT_C(4) && subject.n > 2 &&
		(is_slot(want) || est_span_eq(want->body, subject))) {
		rc = der_put(out, want->tag, subject, err);
		return rc == EST_OK ? plan_note(p, err, "is the subject") : rc;
	}
	if (is_slot(want) && take_name(own, want, true, &mine)) {
		rc = est_buf_append(out, mine.whole, err);
		return rc == EST_OK ? plan_note(p, err, "is that of %s", option) : rc;
	}
	if (is_slot(want))
		return plan_problem(p, "csrattrs-unfilled", err, UNFILLED, option);
	if (!named && !is_acp_name(want))
		return plan_problem(p, "csrattrs-refused", err, REFUSED, option);
	rc = est_buf_append(out, want->whole, err);
	return rc == EST_OK ? plan_note(p, err, "is put in") : rc;
}

static enum est_code check_names_left(struct planner *p, const struct names *own,
	struct est_error *err)
{
	struct est_span in = own->list;
	struct est_buf shown = { 0 };
	enum est_code rc = EST_OK;
	struct der_tlv name;

	for (size_t i = 0; rc == EST_OK && i < EST_SANS_MAX && der_next(&in, &name); i++) {
		if (own->used[i])
			continue;
		rc = x509_general_name(&name, &shown, err);
		if (rc == EST_OK)
			rc = plan_wants(p, err, "a subjectAltName of its own making");
		if (rc == EST_OK)
			rc = plan_problem(p, "csrattrs-conflict", err,
				"it has no place for %.*s of %s",
				shown.n > 200 ? 200 : (int)shown.n, (const char *)shown.p,
				name_option(name.tag));
	}
	est_buf_free(&shown);
	return rc;
}

/* The value of the subjectAltName that satisfies both; the CA's names first come to those of the
 * operator's that equal them, then its empty ones to what is left. */
static enum est_code merge_names(struct planner *p, struct est_span value,
	struct est_span own_value, struct est_buf *out, struct est_error *err)
{
	struct est_buf list = { 0 };
	struct names own = { 0 };
	bool named[EST_SANS_MAX] = { 0 };
	struct der_tlv all, name, mine;
	struct est_span in;
	enum est_code rc = EST_OK;
	size_t n = 0;

	if (der_expect(&own_value, DER_SEQUENCE, &all))
		own.list = all.body;
	if (!der_expect(&value, DER_SEQUENCE, &all) || value.n > 0)
		return est_fail(err, EST_E_PROTOCOL, "CSR attributes: malformed subjectAltName");
	for (in = all.body; in.n > 0; n++) {
		if (n == EST_SANS_MAX || !der_next(&in, &name))
			return est_fail(err, EST_E_PROTOCOL,
				"CSR attributes: malformed subjectAltName, or of more than %d "
				"names",
				EST_SANS_MAX);
		named[n] = !is_slot(&name) && take_name(&own, &name, false, &mine);
	}
	n = 0;
	for (in = all.body; rc == EST_OK && der_next(&in, &name); n++)
		rc = fill_name(p, &name, named[n], &own, &list, err);
	if (rc == EST_OK)
		rc = check_names_left(p, &own, err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&list), err);
	est_buf_free(&list);
	return rc;
}

/* ---- Extensions -------------------------------------------------------------------------------
 */

/* A CA's certificate is nothing that is asked for here; true also for what nobody can read. */
static bool is_for_ca(const struct cert_ext *ext)
{
	struct est_span value = ext->value;
	struct der_tlv tlv, ca;

	if (est_span_eq(ext->oid, CERT_OID_BASIC_CONSTRAINTS))
		return !der_expect(&value, DER_SEQUENCE, &tlv) || value.n > 0 ||
		       (der_expect(&tlv.body, DER_BOOLEAN, &ca) &&
			       (ca.body.n != 1 || ca.body.p[0] != 0));
	if (est_span_eq(ext->oid, CERT_OID_KEY_USAGE)) /* keyCertSign, cRLSign */
		return !der_expect(&value, DER_BIT_STRING, &tlv) || value.n > 0 || tlv.body.n < 1 ||
		       (tlv.body.n > 1 && tlv.body.p[1] & 0x06);
	return false;
}

/* extKeyUsage is a set. */
static bool holds_all(struct est_span a, struct est_span b)
{
	struct der_tlv list_a, list_b, x, y;
	bool found = true;

	if (!der_expect(&a, DER_SEQUENCE, &list_a) || !der_expect(&b, DER_SEQUENCE, &list_b))
		return false;
	while (found && der_next(&list_b.body, &y)) {
		struct est_span in = list_a.body;

		for (found = false; !found && der_next(&in, &x);)
			found = est_span_eq(x.whole, y.whole);
	}
	return found;
}

static bool same_extension(const struct cert_ext *a, const struct cert_ext *b)
{
	return est_span_eq(a->value, b->value) ||
	       (est_span_eq(a->oid, CERT_OID_EXT_KEY_USAGE) && holds_all(a->value, b->value) &&
		       holds_all(b->value, a->value));
}

static const char *extension_option(struct est_span oid)
{
	if (est_span_eq(oid, CERT_OID_SAN))
		return "--dns, --ip, --email or --uri";
	if (est_span_eq(oid, CERT_OID_KEY_USAGE))
		return "--key-usage";
	if (est_span_eq(oid, CERT_OID_EXT_KEY_USAGE))
		return "--ext-key-usage";
	return "an option that est has not";
}

static enum est_code want_extension(struct planner *p, const struct cert_ext *ext,
	struct est_error *err)
{
	enum est_code rc = x509_oid(ext->oid, &p->wants, err);

	if (rc == EST_OK && ext->value.n > 0)
		rc = plan_wants(p, err, " ");
	return rc == EST_OK && ext->value.n > 0
		       ? x509_extension_value(ext->oid, ext->value, &p->wants, err)
		       : rc;
}

static enum est_code conflict(struct planner *p, const struct cert_ext *own, struct est_error *err)
{
	struct est_buf shown = { 0 };
	enum est_code rc = x509_extension_value(own->oid, own->value, &shown, err);

	if (rc == EST_OK)
		rc = plan_problem(p, "csrattrs-conflict", err, "%s has %.*s",
			extension_option(own->oid), shown.n > 200 ? 200 : (int)shown.n,
			(const char *)shown.p);
	est_buf_free(&shown);
	return rc;
}

static enum est_code put_extension(struct planner *p, const struct cert_ext *ext,
	struct est_buf *list, struct est_error *err)
{
	struct est_span value = ext->value;
	struct der_tlv bits;

	p->plan->named |= est_span_eq(ext->oid, CERT_OID_SAN);
	if (est_span_eq(ext->oid, CERT_OID_KEY_USAGE) && der_expect(&value, DER_BIT_STRING, &bits))
		p->plan->no_signatures = bits.body.n < 2 || !(bits.body.p[1] & 0x80);
	return csr_put_extension(list, ext->oid, ext->critical, ext->value, err);
}

/* One extension that the CA wants; own: the operator's of the same kind, or NULL. */
static enum est_code follow_extension(struct planner *p, const struct cert_ext *ext,
	const struct cert_ext *own, struct est_buf *list, struct est_error *err)
{
	const bool san = est_span_eq(ext->oid, CERT_OID_SAN);
	struct cert_ext out = *ext;
	struct est_buf names = { 0 };
	enum est_code rc = EST_OK;

	if (own)
		out.critical |= own->critical;
	if (own && (ext->value.n == 0 || (san && renews(p))))
		out.value = own->value;
	if (san && ext->value.n > 0 && !renews(p)) {
		rc = merge_names(p, ext->value, own ? own->value : (struct est_span){ 0 }, &names,
			err);
		out.value = est_buf_span(&names);
		out.critical |= p->plan->subject.n == 2; /* RFC 5280 section 4.2.1.6 */
		goto out;
	}
	rc = want_extension(p, ext, err);
	if (rc != EST_OK)
		goto out;
	if (san && renews(p))
		rc = plan_note(p, err, KEPT);
	else if (out.value.n == 0)
		rc = plan_problem(p, "csrattrs-unfilled", err, UNFILLED,
			extension_option(ext->oid));
	else if (is_for_ca(&out))
		rc = plan_problem(p, "csrattrs-refused", err,
			"est asks for no certificate of a CA");
	else if (own && !same_extension(own, &out))
		rc = conflict(p, own, err);
	else
		rc = plan_note(p, err, ext->value.n ? "is put in" : "is that of %s",
			extension_option(ext->oid));
out:
	if (rc == EST_OK && out.value.n > 0)
		rc = put_extension(p, &out, list, err);
	est_buf_free(&names);
	return rc;
}

enum est_code plan_extensions(struct planner *p, struct est_span list, bool partial,
	struct est_error *err)
{
	const struct est_csr_spec none = { 0 };
	struct cert_ext ext, own[EST_EXTENSIONS_MAX];
	struct est_buf mine = { 0 }, all = { 0 };
	bool used[EST_EXTENSIONS_MAX] = { 0 };
	struct der_tlv seq = { 0 };
	struct est_span in;
	size_t n = 0, i;
	enum est_code rc;

	rc = csr_extensions(p->spec ? p->spec : &none, p->plan->subject.n == 2, &mine, err);
	in = est_buf_span(&mine);
	if (rc == EST_OK && in.n > 0)
		(void)der_expect(&in, DER_SEQUENCE, &seq); /* just made */
	while (n < EST_EXTENSIONS_MAX && cert_next_extension(&seq.body, false, &own[n]))
		n++;
	while (rc == EST_OK && cert_next_extension(&list, partial, &ext)) {
		for (i = 0; i < n && !est_span_eq(own[i].oid, ext.oid); i++)
			;
		if (i < n)
			used[i] = true;
		rc = follow_extension(p, &ext, i < n ? &own[i] : NULL, &all, err);
	}
	for (i = 0; rc == EST_OK && i < n; i++) {
		if (!used[i])
			rc = put_extension(p, &own[i], &all, err);
	}
	if (rc == EST_OK && all.n > 0)
		rc = der_put(&p->plan->extensions, DER_SEQUENCE, est_buf_span(&all), err);
	est_buf_free(&mine);
	est_buf_free(&all);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Name constraints (RFC 5280 section 4.2.1.10). */
#include "name_constraints.h"

#include <string.h>
#include <strings.h>

#define COMPARISONS_MAX (1u << 20) /* of one CA's constraints with one certificate's names */

#define NAME_MAIL      DER_CONTEXT(1)
#define NAME_DNS       DER_CONTEXT(2)
#define NAME_DIRECTORY DER_CONTEXT_C(4)
#define NAME_URI       DER_CONTEXT(6)
#define NAME_ADDRESS   DER_CONTEXT(7)

#define OID_MAIL CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01)

struct constraints {
	struct est_span permitted, excluded; /* contents of GeneralSubtrees */
	unsigned comparisons;
};

struct name {
	uint8_t tag;
	struct est_span value; /* of a directory name the contents of the RDNSequence */
};

static struct est_span tail(struct est_span s, size_t n)
{
	return (struct est_span){ s.p + s.n - n, n };
}

static bool same_text(struct est_span a, struct est_span b)
{
	return a.n == b.n && strncasecmp((const char *)a.p, (const char *)b.p, a.n) == 0 &&
	       !memchr(a.p, 0, a.n) && !memchr(b.p, 0, b.n);
}

/* Host names compare the same with the dot of the root. */
static struct est_span undotted(struct est_span host)
{
	if (host.n > 1 && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

/* host is domain, or when below a name under it. */
static bool in_domain(struct est_span host, struct est_span domain, bool self, bool below)
{
	host = undotted(host);
	domain = undotted(domain);
	if (domain.n > 0 && domain.p[0] == '.') { /* only what is below, as it is practised */
		self = false;
		domain = tail(domain, domain.n - 1);
	}
	if (domain.n == 0)
		return true;
	if (self && same_text(host, domain))
		return true;
	return below && host.n > domain.n + 1 && host.p[host.n - domain.n - 1] == '.' &&
	       same_text(tail(host, domain.n), domain);
}

static bool dns_within(struct est_span host, struct est_span domain)
{
	return in_domain(host, domain, true, true);
}

/* Some name that the pattern stands for lies in the domain. */
static bool dns_touches(struct est_span pattern, struct est_span domain)
{
	const uint8_t *dot;

	if (dns_within(pattern, domain))
		return true;
	domain = undotted(domain);
	if (pattern.n < 3 || pattern.p[0] != '*' || pattern.p[1] != '.' || domain.n == 0)
		return false;
	dot = memchr(domain.p, '.', domain.n);
	return dot && dot > domain.p &&
	       same_text(undotted(tail(pattern, pattern.n - 1)),
		       tail(domain, domain.n - (size_t)(dot - domain.p)));
}

/* A mailbox, a host, or with a leading dot what is below a host. */
static bool mail_within(struct est_span mail, struct est_span base)
{
	const uint8_t *at = memrchr(mail.p, '@', mail.n), *base_at = memrchr(base.p, '@', base.n);
	struct est_span local, base_local;

	if (!at)
		return false;
	local = (struct est_span){ mail.p, (size_t)(at - mail.p) };
	mail = tail(mail, mail.n - local.n - 1);
	if (base_at) {
		base_local = (struct est_span){ base.p, (size_t)(base_at - base.p) };
		return est_span_eq(local, base_local) &&
		       same_text(mail, tail(base, base.n - base_local.n - 1));
	}
	return in_domain(mail, base, true, base.n > 0 && base.p[0] == '.');
}

/* The host in a URI; false: it has none, and then no constraint can be met (RFC 5280). */
static bool uri_host(struct est_span uri, struct est_span *host)
{
	const uint8_t *p = memmem(uri.p, uri.n, "://", 3), *at;
	size_t n = 0;

	if (!p)
		return false;
	uri = tail(uri, uri.n - (size_t)(p + 3 - uri.p));
	while (n < uri.n && !memchr("/?#", uri.p[n], 3))
		n++;
	uri.n = n;
	at = memrchr(uri.p, '@', uri.n);
	if (at)
		uri = tail(uri, uri.n - (size_t)(at + 1 - uri.p));
	if (uri.n == 0 || uri.p[0] == '[')
		return false;
	for (n = 0; n < uri.n && uri.p[n] != ':';)
		n++;
	*host = (struct est_span){ uri.p, n };
	return n > 0;
}

static bool uri_within(struct est_span uri, struct est_span base, bool unknown)
{
	struct est_span host;

	if (!uri_host(uri, &host))
		return unknown;
	return in_domain(host, base, true, base.n > 0 && base.p[0] == '.');
}

static bool address_within(struct est_span address, struct est_span base)
{
	if (base.n != 2 * address.n)
		return false;
	for (size_t i = 0; i < address.n; i++) {
		if ((address.p[i] ^ base.p[i]) & base.p[address.n + i])
			return false;
	}
	return true;
}

#define TELETEX   0x14
#define UNIVERSAL 0x1c
#define BMP       0x1e
#define BAD       UINT32_MAX /* no character, or one that has no place in a name */

struct text {
	uint8_t tag;
	struct est_span rest;
	bool begun;
};

static bool is_text(uint8_t tag)
{
	return tag == DER_UTF8 || tag == DER_PRINTABLE || tag == DER_IA5 || tag == TELETEX ||
	       tag == UNIVERSAL || tag == BMP;
}

/* 0: the end.  Teletex is read as Latin-1, as everybody writes it. */
static uint32_t next_char(struct text *t)
{
	const size_t width = t->tag == BMP ? 2 : t->tag == UNIVERSAL ? 4 : 1;
	size_t more = 0;
	uint32_t c = 0;

	if (t->rest.n == 0)
		return 0;
	for (size_t i = 0; i < width; i++) {
		if (t->rest.n == 0)
			return BAD;
		c = c << 8 | *t->rest.p++;
		t->rest.n--;
	}
	if (t->tag == DER_UTF8 && c >= 0x80) {
		more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		for (c &= 0x3fu >> more; more > 0; more--) {
			if (t->rest.n == 0 || (*t->rest.p & 0xc0) != 0x80)
				return BAD;
			c = c << 6 | (*t->rest.p++ & 0x3f);
			t->rest.n--;
		}
		return c < 0x80 ? BAD : c;
	}
	return c ? c : BAD;
}

/* The same without the difference of capitals, and of one blank, many, and those at the ends. */
static uint32_t next_prepared(struct text *t)
{
	struct est_span before;
	bool blank = false;
	uint32_t c;

	for (;;) {
		before = t->rest;
		c = next_char(t);
		if (c != ' ')
			break;
		blank = true;
	}
	if (blank && t->begun && c) {
		t->rest = before;
		return ' ';
	}
	t->begun = true;
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* RFC 5280 section 7.1, whichever way each is encoded.  Of letters beyond ASCII it is not known
 * which are one but for their case: unknown is the answer where these alone differ. */
static bool same_value(const struct der_tlv *a, const struct der_tlv *b, bool unknown)
{
	struct text x = { a->tag, a->body, false }, y = { b->tag, b->body, false };
	uint32_t p, q;

	if (est_span_eq(a->whole, b->whole))
		return true;
	if (!is_text(a->tag) || !is_text(b->tag))
		return false;
	do {
		p = next_prepared(&x);
		q = next_prepared(&y);
		if (p == BAD || q == BAD || (p != q && p >= 0x80 && q >= 0x80))
			return unknown;
		if (p != q)
			return false;
	} while (p);
	return true;
}

/* Two RelativeDistinguishedNames: each attribute of one is in the other. */
static bool same_rdn(struct est_span a, struct est_span b, bool unknown)
{
	struct der_tlv x, y, x_type, x_value, y_type, y_value;
	size_t n_a = 0, n_b = 0;
	struct est_span rest;
	bool found;

	for (rest = b; der_next(&rest, &y);)
		n_b++;
	for (; der_next(&a, &x); n_a++) {
		found = false;
		for (rest = b; !found && der_next(&rest, &y);) {
			struct est_span ax = x.body, ay = y.body;

			found = der_next(&ax, &x_type) && der_next(&ay, &y_type) &&
				der_next(&ax, &x_value) && der_next(&ay, &y_value) &&
				est_span_eq(x_type.body, y_type.body) &&
				same_value(&x_value, &y_value, unknown);
		}
		if (!found)
			return false;
	}
	return n_a == n_b;
}

/* The constraint is the beginning of the name. */
static bool directory_within(struct est_span name, struct est_span base, bool unknown)
{
	struct der_tlv ours, theirs;

	while (base.n > 0) {
		if (!der_next(&base, &theirs) || !der_next(&name, &ours) ||
			!same_rdn(ours.body, theirs.body, unknown))
			return false;
	}
	return true;
}

/* unknown: the answer where there is none. */
static bool name_within(const struct name *name, struct est_span base, bool unknown)
{
	struct der_tlv inner;

	switch (name->tag) {
	case NAME_DNS:
		return unknown ? dns_touches(name->value, base) : dns_within(name->value, base);
	case NAME_MAIL:
		return mail_within(name->value, base);
	case NAME_URI:
		return uri_within(name->value, base, unknown);
	case NAME_ADDRESS:
		return address_within(name->value, base);
	case NAME_DIRECTORY:
		return der_expect(&base, DER_SEQUENCE, &inner) &&
		       directory_within(name->value, inner.body, unknown);
	default:
		return unknown;
	}
}

/* Whether one of the subtrees holds the name; *any: one is of its kind. */
static bool in_subtrees(struct constraints *c, struct est_span list, const struct name *name,
	bool unknown, bool *any)
{
	struct der_tlv subtree, base;

	while (der_expect(&list, DER_SEQUENCE, &subtree) && der_next(&subtree.body, &base)) {
		c->comparisons++;
		if (base.tag != name->tag)
			continue;
		*any = true;
		if (name_within(name, base.body, unknown))
			return true;
	}
	return false;
}

static bool name_allowed(struct constraints *c, const struct name *name)
{
	bool any = false, within = in_subtrees(c, c->permitted, name, false, &any);

	if (any && !within)
		return false;
	return !in_subtrees(c, c->excluded, name, true, &any);
}

/* GeneralSubtrees without minimum and maximum, which RFC 5280 does not use. */
static bool subtrees_valid(struct est_span list)
{
	struct der_tlv subtree, base;

	while (list.n > 0) {
		if (!der_expect(&list, DER_SEQUENCE, &subtree) || !der_next(&subtree.body, &base) ||
			subtree.body.n > 0)
			return false;
		if (base.tag == NAME_ADDRESS && base.body.n != 8 && base.body.n != 32)
			return false;
	}
	return true;
}

static bool parse(struct est_span value, struct constraints *out)
{
	struct der_tlv seq, tlv;

	if (!der_expect(&value, DER_SEQUENCE, &seq) || value.n > 0 || seq.body.n == 0)
		return false;
	if (der_expect(&seq.body, DER_CONTEXT_C(0), &tlv))
		out->permitted = tlv.body;
	if (der_expect(&seq.body, DER_CONTEXT_C(1), &tlv))
		out->excluded = tlv.body;
	return seq.body.n == 0 && subtrees_valid(out->permitted) && subtrees_valid(out->excluded);
}

static enum est_code fail_name(const struct name *name, const char *who, struct est_error *err)
{
	char shown[120] = "a name of it";

	if (name->tag == NAME_DNS || name->tag == NAME_MAIL || name->tag == NAME_URI)
		est_escape(shown, sizeof(shown), name->value);
	else if (name->tag == NAME_DIRECTORY)
		memcpy(shown, "its subject", sizeof("its subject"));
	else if (name->tag == NAME_ADDRESS)
		memcpy(shown, "an address", sizeof("an address"));
	est_fail(err, EST_E_UNTRUSTED,
		"%s: %s is outside of the name constraints of a CA above it (RFC 5280 section "
		"4.2.1.10)",
		who, shown);
	return est_reason(err, "name-constraint");
}

static enum est_code check_one(struct constraints *c, const struct name *name, const char *who,
	struct est_error *err)
{
	if (!name_allowed(c, name))
		return fail_name(name, who, err);
	if (c->comparisons <= COMPARISONS_MAX)
		return EST_OK;
	est_fail(err, EST_E_UNTRUSTED, "%s: too many names under too many name constraints", who);
	return est_reason(err, "name-constraint");
}

static enum est_code check_sans(struct constraints *c, struct est_span san, const char *who,
	struct est_error *err)
{
	enum est_code rc = EST_OK;
	struct der_tlv list, tlv, rdns;

	if (!der_expect(&san, DER_SEQUENCE, &list))
		return EST_OK;
	while (rc == EST_OK && der_next(&list.body, &tlv)) {
		struct name name = { tlv.tag, tlv.body };

		if (tlv.tag == NAME_DIRECTORY && der_expect(&tlv.body, DER_SEQUENCE, &rdns))
			name.value = rdns.body;
		rc = check_one(c, &name, who, err);
	}
	return rc;
}

/* The subject is a directory name; its mail addresses count when nothing else names the holder. */
static enum est_code check_subject(struct constraints *c, const struct cert_view *cert, bool mail,
	const char *who, struct est_error *err)
{
	struct est_span subject = cert->subject;
	struct der_tlv rdns, rdn, attribute, type, value;
	enum est_code rc;

	if (!der_expect(&subject, DER_SEQUENCE, &rdns) || rdns.body.n == 0)
		return EST_OK;
	rc = check_one(c, &(struct name){ NAME_DIRECTORY, rdns.body }, who, err);
	while (mail && rc == EST_OK && der_next(&rdns.body, &rdn)) {
		while (rc == EST_OK && der_next(&rdn.body, &attribute)) {
			if (der_expect(&attribute.body, DER_OID, &type) &&
				est_span_eq(type.body, OID_MAIL) &&
				der_next(&attribute.body, &value))
				rc = check_one(c, &(struct name){ NAME_MAIL, value.body }, who,
					err);
		}
	}
	return rc;
}

enum est_code name_constraints_check(const struct cert_view *ca, const struct cert_view *cert,
	bool leaf, const char *who, struct est_error *err)
{
	struct constraints c = { 0 };
	struct est_span value, san;
	enum est_code rc = EST_OK;
	bool has_san;

	if (!cert_extension(ca, CERT_OID_NAME_CONSTRAINTS, NULL, &value) ||
		(!leaf && cert_is_self_issued(cert)))
		return EST_OK;
	if (!parse(value, &c)) {
		est_fail(err, EST_E_UNTRUSTED,
			"%s: a CA above it has name constraints that cannot be read (RFC 5280 "
			"section 4.2.1.10)",
			who);
		return est_reason(err, "name-constraint");
	}
	has_san = cert_extension(cert, CERT_OID_SAN, NULL, &san);
	if (has_san)
		rc = check_sans(&c, san, who, err);
	return rc == EST_OK ? check_subject(&c, cert, !has_san, who, err) : rc;
}

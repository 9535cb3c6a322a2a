/* SPDX-License-Identifier: MIT */
/* What a request has to be: key, signature and attributes, from the operator's options and the
 * CA's CSR attributes (RFC 7030 section 4.5, RFC 9908). */
#include "plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "csr.h"
#include "key.h"
#include "span.h"
#include "x509_text.h"

#define CHOICES_MAX 16 /* alternatives for a key, or for its signature; more are not looked at */

#define RFC8295_TEMPLATE "1.2.840.113549.1.9.25.5" /* pkcs7PDU with a PKIData */

/* What an OID says of key and signature.  A key that ends with a colon stands for all of its kind;
 * hash: "" is none that is used here, NULL says nothing. */
static const struct algorithm {
	const char *oid, *key, *hash;
} algorithms[] = {
	{ CSRATTRS_EC, "ec:", NULL },
	{ CSRATTRS_RSA, "rsa:", NULL },
	{ "1.2.840.10045.3.1.7", "ec:p256", NULL },
	{ "1.3.132.0.34", "ec:p384", NULL },
	{ "1.3.132.0.35", "ec:p521", NULL },
	{ "1.3.101.112", "ed25519", NULL },
	{ "1.3.101.113", "ed448", NULL },
	{ "1.2.840.10045.4.3.2", "ec:", "sha256" },
	{ "1.2.840.10045.4.3.3", "ec:", "sha384" },
	{ "1.2.840.10045.4.3.4", "ec:", "sha512" },
	{ "1.2.840.10045.4.1", "ec:", "" },
	{ "1.2.840.10045.4.3.1", "ec:", "" },
	{ "1.2.840.113549.1.1.11", "rsa:", "sha256" },
	{ "1.2.840.113549.1.1.12", "rsa:", "sha384" },
	{ "1.2.840.113549.1.1.13", "rsa:", "sha512" },
	{ "1.2.840.113549.1.1.4", "rsa:", "" },
	{ "1.2.840.113549.1.1.5", "rsa:", "" },
	{ "1.2.840.113549.1.1.10", "rsa:", "" },
	{ "1.2.840.113549.1.1.14", "rsa:", "" },
	{ "2.16.840.1.101.3.4.2.1", "", "sha256" },
	{ "2.16.840.1.101.3.4.2.2", "", "sha384" },
	{ "2.16.840.1.101.3.4.2.3", "", "sha512" },
	{ "1.3.14.3.2.26", "", "" },
	{ "1.2.840.113549.2.5", "", "" },
};

struct choice {
	char key[16]; /* as in algorithms; "?": none that can be made here */
	const char *hash;
};

struct demands {
	struct choice key[CHOICES_MAX], sign[CHOICES_MAX];
	size_t n_key, n_sign;
	struct est_buf words; /* all of them */
};

/* ---- Words ------------------------------------------------------------------------------------
 */

enum est_code plan_wants(struct planner *p, struct est_error *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return est_buf_append(&p->wants, est_span_str(text), err);
}

static enum est_code note_line(struct planner *p, const char *what, struct est_error *err)
{
	struct est_buf *notes = &p->plan->notes;
	enum est_code rc;

	rc = est_buf_append(notes, est_buf_span(&p->wants), err);
	if (rc == EST_OK)
		rc = est_buf_printf(notes, err, "\t%s\n", what);
	p->wants.n = 0;
	return rc;
}

enum est_code plan_note(struct planner *p, struct est_error *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return note_line(p, text, err);
}

enum est_code plan_problem(struct planner *p, const char *reason, struct est_error *err,
	const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!p->spec)
		return note_line(p, text, err);
	est_fail(err, EST_E_INPUT, "the CA wants %.*s: %s (RFC 9908 section 3)",
		p->wants.n > 200 ? 200 : (int)p->wants.n, (const char *)p->wants.p, text);
	(void)est_hint(err, "est csrattrs --explain shows all that the CA wants; without it goes "
			    "--csrattrs ignore");
	return est_reason(err, reason);
}

/* ---- Key and signature ------------------------------------------------------------------------
 */

static const struct algorithm *algorithm_find(const char *oid)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (strcmp(algorithms[i].oid, oid) == 0)
			return &algorithms[i];
	}
	return NULL;
}

static void add_choice(struct choice *list, size_t *n, const char *key, const char *hash)
{
	if (*n == CHOICES_MAX)
		return;
	(void)snprintf(list[*n].key, sizeof(list[*n].key), "%s", key);
	list[(*n)++].hash = hash;
}

static void add_rsa(struct demands *d, size_t bits)
{
	char type[16] = "?";

	if (bits <= UINT16_MAX)
		(void)snprintf(type, sizeof(type), "rsa:%u", (unsigned)bits);
	add_choice(d->key, &d->n_key, key_type_known(type) ? type : "?", NULL);
}

/* A curve's contents octets. */
static void add_curve(struct demands *d, struct est_span oid)
{
	char dotted[DER_OID_TEXT_MAX] = "";
	const struct algorithm *a;

	(void)der_oid_text(oid, dotted);
	a = algorithm_find(dotted);
	add_choice(d->key, &d->n_key, a && strncmp(a->key, "ec:p", 4) == 0 ? a->key : "?", NULL);
}

static size_t small_size(struct est_span integer)
{
	size_t n = 0;

	while (integer.n > 0 && integer.p[0] == 0)
		integer = span_after(integer, 1);
	if (integer.n > 3)
		return SIZE_MAX;
	for (size_t i = 0; i < integer.n; i++)
		n = n << 8 | integer.p[i];
	return n;
}

static enum est_code add_words(struct demands *d, const struct est_csrattr *attr,
	struct est_error *err)
{
	enum est_code rc;

	rc = est_buf_printf(&d->words, err, "%s%s", d->words.n ? ", " : "", attr->name);
	for (size_t i = 0; rc == EST_OK && i < attr->n_values && d->words.n < 400; i++) {
		rc = est_buf_append(&d->words, est_span_str(i ? " or " : " "), err);
		if (rc == EST_OK)
			rc = est_csrattr_value_text(attr, i, &d->words, err);
	}
	return rc;
}

/* The values of a key attribute are parameters, several of them alternatives (RFC 9908 section
 * 3.2); none: any key of the kind. */
static enum est_code add_key(struct demands *d, const struct est_csrattr *attr,
	struct est_error *err)
{
	const struct algorithm *a = algorithm_find(attr->oid);
	struct der_tlv value;
	struct est_span in;

	if (attr->n_values == 0 || !a || a->hash)
		add_choice(d->key, &d->n_key, a && !a->hash ? a->key : "?", NULL);
	for (size_t i = 0; a && !a->hash && i < attr->n_values; i++) {
		in = attr->values[i];
		if (!der_next(&in, &value))
			continue; /* walked before */
		if (value.tag == DER_OID)
			add_curve(d, value.body);
		else
			add_rsa(d, small_size(value.body));
	}
	return add_words(d, attr, err);
}

/* Bare OIDs: signature algorithms, and in the old style of RFC 7030 appendix A.2 hashes and curves.
 * A curve that cannot be used is as good as unknown then; a signature that cannot is not. */
static enum est_code add_oid(struct demands *d, const struct est_csrattr *attr, bool keys,
	struct est_error *err)
{
	const struct algorithm *a = algorithm_find(attr->oid);

	if (!a || (!a->hash && !keys))
		return EST_OK;
	if (a->hash)
		add_choice(d->sign, &d->n_sign, a->key, a->hash);
	else
		add_choice(d->key, &d->n_key, a->key, NULL);
	return add_words(d, attr, err);
}

static enum est_code list_demands(const struct est_csrattrs *attrs, struct demands *d,
	struct est_error *err)
{
	size_t n = est_csrattrs_count(attrs);
	enum est_code rc = EST_OK;
	bool keys = true;

	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		const struct est_csrattr *attr = est_csrattrs_get(attrs, i);

		if (attr->attribute && attr->name && csrattrs_is_key(attr->oid)) {
			rc = add_key(d, attr, err);
			keys = false;
		}
	}
	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		const struct est_csrattr *attr = est_csrattrs_get(attrs, i);

		if (!attr->attribute && attr->name)
			rc = add_oid(d, attr, keys, err);
	}
	return rc;
}

/* RFC 9908 section 3.4: the algorithm, and for the size of an RSA key a placeholder of that size.
 */
static enum est_code template_demands(struct est_span key, struct demands *d, struct est_error *err)
{
	struct der_tlv algorithm, oid, parameters, bits;
	char dotted[DER_OID_TEXT_MAX] = "";
	struct est_span in = key;
	const struct algorithm *a;

	if (!der_expect(&in, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.body, DER_OID, &oid))
		return est_fail(err, EST_E_PROTOCOL, "CSR attributes: malformed key in a template");
	(void)der_oid_text(oid.body, dotted);
	a = algorithm_find(dotted);
	if (a && strcmp(a->key, "ec:") == 0 && der_expect(&algorithm.body, DER_OID, &parameters))
		add_curve(d, parameters.body);
	else if (a && strcmp(dotted, CSRATTRS_RSA) == 0 && der_expect(&in, DER_BIT_STRING, &bits))
		add_rsa(d, x509_rsa_bits(bits.body));
	else
		add_choice(d->key, &d->n_key, a && !a->hash ? a->key : "?", NULL);
	return x509_key_body(key, &d->words, err);
}

static bool matches(const char *type, const char *pattern)
{
	size_t n = strlen(pattern);

	return n == 0 || strcmp(type, pattern) == 0 ||
	       (pattern[n - 1] == ':' && strncmp(type, pattern, n) == 0);
}

/* The signature that a key of this type can make as demanded; NULL: none. */
static const struct choice *fitting_signature(const struct demands *d, const char *type,
	const char *hash)
{
	for (size_t i = 0; i < d->n_sign; i++) {
		const struct choice *c = &d->sign[i];

		/* Ed25519 and Ed448 bring their own hash (RFC 8410). */
		if (*c->hash && matches(type, c->key) && strncmp(type, "ed", 2) != 0 &&
			(!hash || strcmp(hash, c->hash) == 0))
			return c;
	}
	return NULL;
}

static bool fits(const struct demands *d, const char *type, const char *hash)
{
	bool key = d->n_key == 0;

	for (size_t i = 0; i < d->n_key; i++)
		key |= matches(type, d->key[i].key);
	return key && (d->n_sign == 0 || fitting_signature(d, type, hash));
}

/* A concrete type for what may stand for all of a kind. */
static const char *type_for(const char *pattern)
{
	if (strcmp(pattern, "ec:") == 0)
		return "ec:p256";
	return strcmp(pattern, "rsa:") == 0 ? "rsa:3072" : pattern;
}

static const char *choose_type(const struct planner *p, const struct demands *d, const char *hash)
{
	if (fits(d, p->key_type, hash))
		return p->key_type;
	for (size_t i = 0; !p->fixed && i < d->n_key; i++) {
		if (*d->key[i].key != '?' && fits(d, type_for(d->key[i].key), hash))
			return type_for(d->key[i].key);
	}
	for (size_t i = 0; !p->fixed && i < d->n_sign; i++) {
		if (*d->sign[i].key && fits(d, type_for(d->sign[i].key), hash))
			return type_for(d->sign[i].key);
	}
	return NULL;
}

static enum est_code decide_key(struct planner *p, const struct demands *d, struct est_error *err)
{
	const char *hash = p->spec ? p->spec->hash : NULL;
	const char *type = choose_type(p, d, hash);
	struct est_plan *plan = p->plan;
	const struct choice *sign;
	enum est_code rc;

	if (d->words.n == 0)
		return EST_OK;
	p->wants.n = 0;
	rc = est_buf_append(&p->wants, est_buf_span(&d->words), err);
	if (rc != EST_OK)
		return rc;
	if (!type && p->fixed)
		return plan_problem(p, "csrattrs-conflict", err, "the key is %s%s%s", p->key_type,
			hash ? ", and --hash is " : "", hash ? hash : "");
	if (!type && hash && choose_type(p, d, NULL))
		return plan_problem(p, "csrattrs-conflict", err, "--hash is %s", hash);
	if (!type)
		return plan_problem(p, "csrattrs-refused", err,
			"no such key or signature is made here; keys are ec:p256, ec:p384, "
			"ec:p521, rsa:2048 to rsa:8192, ed25519, ed448, hashes sha256, sha384, "
			"sha512");
	sign = fitting_signature(d, type, hash);
	(void)snprintf(plan->key_type, sizeof(plan->key_type), "%s", type);
	if (sign)
		(void)snprintf(plan->hash, sizeof(plan->hash), "%s", sign->hash);
	return plan_note(p, err, "%s of type %s%s%s", p->fixed ? "the key is" : "a new key is",
		type, sign ? ", signed with " : "", sign ? sign->hash : "");
}

/* ---- The elements of the list, the parts of the template ---------------------------------------
 */

/* Attributes whose values come from elsewhere.  They count beside a template too, which has no
 * place for a demand to link. */
static enum est_code take_demand(struct planner *p, const char *oid, struct est_error *err)
{
	unsigned demand = csrattrs_demand(oid);
	enum est_code rc;

	p->plan->demands |= demand;
	rc = demand ? plan_wants(p, err, "%s", est_oid_name(oid)) : EST_OK;
	if (rc != EST_OK || !demand)
		return rc;
	if (demand & (EST_DEMAND_OTP | EST_DEMAND_REVOCATION))
		return plan_note(p, err, "put in when there is a value for it");
	return plan_note(p, err,
		"the request is to be linked to its TLS session (RFC 7030 section "
		"3.5)");
}

static bool has_name_attribute(struct est_span name, const char *oid)
{
	struct der_tlv rdn, attr, type, all;
	char dotted[DER_OID_TEXT_MAX];

	if (!der_expect(&name, DER_SEQUENCE, &all))
		return false;
	while (der_expect(&all.body, DER_SET, &rdn)) {
		while (der_expect(&rdn.body, DER_SEQUENCE, &attr)) {
			if (der_expect(&attr.body, DER_OID, &type) &&
				der_oid_text(type.body, dotted) && strcmp(dotted, oid) == 0)
				return true;
		}
	}
	return false;
}

/* What is left of the list: names wanted in the subject, other templates, what nobody knows. */
static enum est_code note_other(struct planner *p, const struct est_csrattr *attr,
	struct est_error *err)
{
	const bool in_name = strncmp(attr->oid, "2.5.4.", 6) == 0 ||
			     strncmp(attr->oid, "0.9.2342.19200300.100.1.", 24) == 0;
	const char *name = est_oid_name(attr->oid);
	enum est_code rc = plan_wants(p, err, "%s", name ? name : attr->oid);

	if (rc != EST_OK)
		return rc;
	if (name && !attr->name)
		return plan_note(p, err, "ignored, for its value is not one of that type");
	if (strcmp(attr->oid, RFC8295_TEMPLATE) == 0)
		return plan_note(p, err, "a template as in RFC 8295, which is not used");
	if (in_name && has_name_attribute(est_buf_span(&p->plan->subject), attr->oid))
		return plan_note(p, err, "is in the subject");
	if (in_name)
		return plan_note(p, err, "is put in when --subject has it");
	return plan_note(p, err, "ignored, not known in this place");
}

static enum est_code follow_list(struct planner *p, const struct est_csrattrs *attrs,
	struct est_error *err)
{
	const struct est_csrattr *ext_req = NULL;
	struct est_span value = { 0 };
	struct demands d = { 0 };
	struct der_tlv list = { 0 };
	enum est_code rc;

	rc = list_demands(attrs, &d, err);
	if (rc == EST_OK)
		rc = decide_key(p, &d, err);
	for (size_t i = 0; rc == EST_OK && i < est_csrattrs_count(attrs); i++) {
		const struct est_csrattr *attr = est_csrattrs_get(attrs, i);

		if (attr->name && attr->attribute && strcmp(attr->oid, CSRATTRS_EXT_REQ) == 0)
			ext_req = attr;
		else if (attr->name && (attr->attribute ? csrattrs_is_key(attr->oid)
							: algorithm_find(attr->oid) != NULL))
			continue; /* decided above */
		else if (!csrattrs_demand(attr->oid))
			rc = note_other(p, attr, err);
	}
	if (ext_req)
		value = ext_req->values[0];
	if (ext_req)
		(void)der_expect(&value, DER_SEQUENCE, &list); /* checked when it was decoded */
	if (rc == EST_OK)
		rc = plan_extensions(p, list.body, false, err);
	est_buf_free(&d.words);
	return rc;
}

static enum est_code follow_template(struct planner *p, const struct csrattrs_template *t,
	struct est_error *err)
{
	struct est_span attributes = t->attributes;
	struct demands d = { 0 };
	struct der_tlv attr, oid;
	char dotted[DER_OID_TEXT_MAX];
	enum est_code rc = EST_OK;

	if (t->subject.n > 0)
		rc = plan_subject(p, t->subject, err);
	if (rc == EST_OK && t->has_key)
		rc = template_demands(t->key, &d, err);
	if (rc == EST_OK)
		rc = decide_key(p, &d, err);
	while (rc == EST_OK && der_expect(&attributes, DER_SEQUENCE, &attr)) {
		if (!der_expect(&attr.body, DER_OID, &oid) || !der_oid_text(oid.body, dotted))
			continue;
		rc = take_demand(p, dotted, err);
	}
	if (rc == EST_OK)
		rc = plan_extensions(p, t->extensions, t->partial, err);
	est_buf_free(&d.words);
	return rc;
}

/* RFC 9908 section 4: who understands the template uses it alone. */
static enum est_code follow(struct planner *p, const struct est_csrattrs *attrs,
	struct est_error *err)
{
	struct csrattrs_template t;
	enum est_code rc = EST_OK;
	bool twice;
	size_t n = est_csrattrs_count(attrs);

	for (size_t i = 0; rc == EST_OK && i < n; i++)
		rc = take_demand(p, est_csrattrs_get(attrs, i)->oid, err);
	for (size_t i = 0; rc == EST_OK && i < n; i++) {
		const struct est_csrattr *attr = est_csrattrs_get(attrs, i);

		if (!attr->name || !attr->attribute || strcmp(attr->oid, CSRATTRS_TEMPLATE) != 0 ||
			!csrattrs_template_read(attr->values[0], &t, &twice))
			continue;
		rc = follow_template(p, &t, err);
		if (rc == EST_OK && n > 1)
			rc = plan_wants(p, err, "the rest of the list");
		return rc == EST_OK && n > 1
			       ? plan_note(p, err, "ignored beside a template (RFC 9908 section 4)")
			       : rc;
	}
	return rc == EST_OK ? follow_list(p, attrs, err) : rc;
}

/* The operator's part: what is wrong with it is known before the CA is asked. */
static enum est_code plan_own(struct planner *p, struct est_error *err)
{
	const struct est_csr_spec none = { 0 }, *spec = p->spec ? p->spec : &none;
	gnutls_sign_algorithm_t algorithm;
	static const char *const names[] = { "challengePassword", "otpChallenge",
		"revocationChallenge" };
	const struct est_span secrets[] = { spec->challenge, spec->otp, spec->revocation };
	struct est_buf scratch = { 0 }; /* made again when the request is */
	struct est_span identifier;
	enum est_code rc;

	rc = key_type_check(p->key_type, err);
	if (rc == EST_OK)
		rc = key_signature(p->key_type, spec->hash, &algorithm, &identifier, err);
	if (rc == EST_OK)
		rc = csr_spec_subject(spec, &p->plan->subject, err);
	if (rc == EST_OK)
		rc = csr_spec_change(spec, &scratch, err);
	for (size_t i = 0; rc == EST_OK && i < 3; i++) {
		if (secrets[i].p)
			rc = csr_challenge(secrets[i], names[i], &scratch, err);
	}
	est_buf_free(&scratch);
	if (rc != EST_OK)
		return rc;
	(void)snprintf(p->plan->key_type, sizeof(p->plan->key_type), "%s", p->key_type);
	if (spec->hash)
		(void)snprintf(p->plan->hash, sizeof(p->plan->hash), "%s", spec->hash);
	return EST_OK;
}

enum est_code est_plan_make(const struct est_csr_spec *spec, const char *key_type, bool fixed,
	const struct est_csrattrs *attrs, struct est_plan *out, struct est_error *err)
{
	struct est_plan plan = { 0 };
	struct planner p = { spec, key_type, fixed, &plan, { 0 } };
	enum est_code rc;

	rc = plan_own(&p, err);
	if (rc == EST_OK)
		rc = attrs ? follow(&p, attrs, err)
			   : plan_extensions(&p, (struct est_span){ 0 }, false, err);
	plan.named |= plan.subject.n > 2; /* 30 00 is the empty name */
	est_buf_free(&p.wants);
	if (rc == EST_OK)
		*out = plan;
	else
		est_plan_wipe(&plan);
	return rc;
}

void est_plan_wipe(struct est_plan *plan)
{
	est_buf_free(&plan->subject);
	est_buf_free(&plan->extensions);
	est_buf_free(&plan->notes);
	*plan = (struct est_plan){ 0 };
}

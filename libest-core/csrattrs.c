/* SPDX-License-Identifier: MIT */
/* CSR attributes: CsrAttrs (RFC 8951 section 4) and the rules for what is in it (RFC 9908 section
 * 3.2).  What is not recognised is kept, shown and ignored (RFC 7030 section 4.5.2). */
#include "csrattrs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asn1.h"
#include "cert.h"
#include "quirk.h"
#include "trailing.h"

#define WHAT "CSR attributes"
/* Elements in one template: a library expands them all, in quadratic time. */
#define TEMPLATE_ELEMENTS_MAX 4096

#define OID_EXT_REQ      CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e)
#define OID_EXT_TEMPLATE CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x3e)

struct est_csrattrs {
	struct est_buf der;
	struct est_csrattr *attr;
	struct est_span *values; /* of all attributes */
	char (*oids)[DER_OID_TEXT_MAX];
	size_t n;
};

void est_csrattrs_free(struct est_csrattrs *attrs)
{
	if (!attrs)
		return;
	est_buf_free(&attrs->der);
	free(attrs->attr);
	free(attrs->values);
	free(attrs->oids);
	free(attrs);
}

size_t est_csrattrs_count(const struct est_csrattrs *attrs)
{
	return attrs->n;
}

const struct est_csrattr *est_csrattrs_get(const struct est_csrattrs *attrs, size_t i)
{
	return &attrs->attr[i];
}

struct est_span est_csrattrs_der(const struct est_csrattrs *attrs)
{
	return est_buf_span(&attrs->der);
}

unsigned csrattrs_demand(const char *oid)
{
	static const struct {
		const char *oid;
		unsigned bit;
	} demands[] = {
		{ "1.2.840.113549.1.9.7", EST_DEMAND_CHALLENGE_PASSWORD },
		{ "1.2.840.113549.1.9.16.2.58", EST_DEMAND_IDENTITY_LINKING },
		{ "1.2.840.113549.1.9.16.2.56", EST_DEMAND_OTP },
		{ "1.2.840.113549.1.9.16.2.57", EST_DEMAND_REVOCATION },
	};

	for (size_t i = 0; i < sizeof(demands) / sizeof(demands[0]); i++) {
		if (strcmp(oid, demands[i].oid) == 0)
			return demands[i].bit;
	}
	return 0;
}

/* The list of extensions in an Attribute of a template, if it is one. */
static bool template_extensions(struct est_span oid, struct est_span values,
	struct csrattrs_template *out, bool *twice)
{
	bool partial = est_span_eq(oid, OID_EXT_TEMPLATE);
	struct der_tlv list;

	if (!partial && !est_span_eq(oid, OID_EXT_REQ))
		return true;
	if (!der_expect(&values, DER_SEQUENCE, &list) || values.n > 0 || list.body.n == 0)
		return false;
	if (out->extensions.n > 0)
		*twice = true;
	out->partial = partial;
	out->extensions = list.body;
	/* Section 3.4 calls the value one ExtensionTemplate, the module a list of them. */
	if (partial && list.body.p[0] == DER_OID)
		out->extensions = list.whole;
	return true;
}

bool csrattrs_template_read(struct est_span value, struct csrattrs_template *out, bool *twice)
{
	struct csrattrs_template template = { 0 };
	struct der_tlv seq, tlv, attr, oid, values;

	*twice = false;
	if (!der_expect(&value, DER_SEQUENCE, &seq) || value.n > 0 ||
		!der_expect(&seq.body, DER_INTEGER, &tlv) || tlv.body.n != 1 || tlv.body.p[0] != 0)
		return false;
	if (der_expect(&seq.body, DER_SEQUENCE, &tlv)) {
		template.has_subject = true;
		template.subject = tlv.body;
	}
	if (der_expect(&seq.body, DER_CONTEXT_C(0), &tlv)) {
		template.has_key = true;
		template.key = tlv.body;
	}
	if (!der_expect(&seq.body, DER_CONTEXT_C(1), &tlv) || seq.body.n > 0)
		return false;
	template.attributes = tlv.body;
	while (tlv.body.n > 0) {
		if (!der_expect(&tlv.body, DER_SEQUENCE, &attr) ||
			!der_expect(&attr.body, DER_OID, &oid) ||
			!der_expect(&attr.body, DER_SET, &values) || attr.body.n > 0 ||
			!template_extensions(oid.body, values.body, &template, twice))
			return false;
	}
	*out = template;
	return true;
}

/* Decodes by schema.  ASN1_SUCCESS, or why not. */
static int schema_decode(asn1_node tree, const char *type, struct est_span der)
{
	char text[ASN1_MAX_ERROR_DESCRIPTION_SIZE] = "";
	asn1_node node = NULL;
	int len = (int)der.n, ret;

	ret = asn1_create_element(tree, type, &node);
	if (ret == ASN1_SUCCESS)
		ret = asn1_der_decoding2(&node, der.p, &len, ASN1_DECODE_FLAG_STRICT_DER, text);
	asn1_delete_structure(&node);
	return ret;
}

static bool out_of_memory(int ret)
{
	return ret == ASN1_MEM_ERROR || ret == ASN1_MEM_ALLOC_ERROR;
}

/* One element into attr; its values go to *values, which moves on. */
static enum est_code element_read(const struct der_tlv *element, size_t index,
	struct est_csrattr *attr, struct est_span **values, char *oid_text, struct est_error *err)
{
	struct est_span body = element->body;
	struct der_tlv oid = *element, set, value;

	attr->attribute = element->tag == DER_SEQUENCE;
	attr->values = *values;
	if (attr->attribute) {
		if (!der_expect(&body, DER_OID, &oid) || !der_expect(&body, DER_SET, &set) ||
			body.n > 0)
			return est_fail(err, EST_E_PROTOCOL,
				WHAT ": element %zu is no Attribute (RFC 8951 section 4)", index);
		while (set.body.n > 0) {
			if (attr->n_values == EST_CSRATTRS_MAX)
				return est_fail(err, EST_E_PROTOCOL,
					WHAT ": more than %d values in element %zu, the limit",
					EST_CSRATTRS_MAX, index);
			(void)der_next(&set.body, &value); /* walked before */
			(*values)[attr->n_values++] = value.whole;
		}
		*values += attr->n_values;
	} else if (element->tag != DER_OID) {
		return est_fail(err, EST_E_PROTOCOL,
			WHAT ": element %zu has tag 0x%02x, neither OID nor Attribute (RFC 8951 "
			     "section 4)",
			index, element->tag);
	}
	attr->oid = oid_text;
	if (der_oid_text(oid.body, oid_text)) {
		attr->name = est_oid_name(oid_text);
		return EST_OK;
	}
	if (oid.body.n == 0 || oid.body.p[oid.body.n - 1] & 0x80)
		return est_fail(err, EST_E_PROTOCOL, WHAT ": element %zu has a malformed OID",
			index);
	/* Longer than anything known, such as 2.25.UUID: to be ignored, not refused. */
	oid_text[0] = '#';
	for (size_t i = 0; i < oid.body.n && 2 * i + 4 < DER_OID_TEXT_MAX; i++)
		(void)snprintf(oid_text + 1 + 2 * i, 3, "%02x", oid.body.p[i]);
	return EST_OK;
}

/* How many elements and values, both capped, so that all of them are allocated at once. */
static enum est_code count_elements(struct est_span body, size_t *n, size_t *n_values,
	struct est_error *err)
{
	struct der_tlv element, part;

	for (*n = 0, *n_values = 0; body.n > 0; ++*n) {
		if (*n == EST_CSRATTRS_MAX)
			return est_fail(err, EST_E_PROTOCOL,
				WHAT ": more than %d elements, the limit", EST_CSRATTRS_MAX);
		(void)der_next(&body, &element); /* walked before */
		if (element.tag != DER_SEQUENCE || !der_expect(&element.body, DER_OID, &part) ||
			!der_expect(&element.body, DER_SET, &part))
			continue;
		while (part.body.n > 0 && *n_values <= EST_CSRATTRS_BYTES_MAX / 2) {
			struct der_tlv value;

			(void)der_next(&part.body, &value);
			++*n_values;
		}
	}
	return EST_OK;
}

/* Slices the list, and has each element decoded by schema. */
static enum est_code slice(struct est_csrattrs *attrs, asn1_node tree, struct est_error *err)
{
	struct est_span in = est_csrattrs_der(attrs), *values;
	struct der_tlv outer, element;
	size_t n, n_values;
	enum est_code rc;
	int ret;

	if (!der_expect(&in, DER_SEQUENCE, &outer))
		return est_fail(err, EST_E_PROTOCOL,
			WHAT ": looks like %s, not a SEQUENCE of attributes (RFC 8951 section 4)",
			est_file_kind_text(est_file_kind(in, NULL)));
	rc = count_elements(outer.body, &n, &n_values, err);
	if (rc != EST_OK)
		return rc;
	attrs->attr = calloc(n + 1, sizeof(*attrs->attr));
	attrs->oids = calloc(n + 1, sizeof(*attrs->oids));
	attrs->values = calloc(n_values + 1, sizeof(*attrs->values));
	if (!attrs->attr || !attrs->oids || !attrs->values)
		return est_fail(err, EST_E_INTERNAL, "out of memory (%zu attributes)", n);
	values = attrs->values;
	for (; attrs->n < n; attrs->n++) {
		(void)der_next(&outer.body, &element);
		rc = element_read(&element, attrs->n + 1, &attrs->attr[attrs->n], &values,
			attrs->oids[attrs->n], err);
		if (rc != EST_OK)
			return rc;
		if (attrs->oids[attrs->n][0] == '#')
			continue; /* the decoder cannot hold such an OID either */
		ret = schema_decode(tree, "CSRATTRS.AttrOrOID", element.whole);
		if (ret != ASN1_SUCCESS)
			return est_fail(err, out_of_memory(ret) ? EST_E_INTERNAL : EST_E_PROTOCOL,
				WHAT ": element %zu: %s (RFC 8951 section 4)", attrs->n + 1,
				asn1_strerror(ret));
	}
	return EST_OK;
}

/* A value that its type does not allow: noted, and the attribute is as good as unknown. */
static enum est_code unusable(struct est_csrattr *attr, struct est_quirks *quirks,
	struct est_error *err)
{
	enum est_code rc;
	char where[96];

	(void)snprintf(where, sizeof(where), WHAT ": %s", attr->name);
	rc = quirk_note(quirks, EST_Q_CSRATTRS_VALUE, where, err);
	if (rc == EST_OK)
		attr->name = NULL;
	return rc;
}

/* A list of extensions: true when well-formed; *rc when it breaks a rule. */
static bool extensions_valid(struct est_span list, bool partial, enum est_code *rc,
	struct est_error *err)
{
	struct est_span seen[EST_EXTENSIONS_MAX];
	struct cert_ext ext;
	char dotted[DER_OID_TEXT_MAX];
	size_t n = 0;

	*rc = EST_OK;
	while (list.n > 0) {
		if (!cert_next_extension(&list, partial, &ext))
			return false;
		for (size_t i = 0; i < n; i++) {
			if (!est_span_eq(seen[i], ext.oid))
				continue;
			if (!der_oid_text(ext.oid, dotted))
				dotted[0] = '\0';
			*rc = est_fail(err, EST_E_PROTOCOL,
				WHAT ": extension %s is asked for twice (RFC 9908 section 3.2)",
				dotted);
			return true;
		}
		if (n == EST_EXTENSIONS_MAX) {
			*rc = est_fail(err, EST_E_PROTOCOL,
				WHAT ": more than %d extensions, the limit", EST_EXTENSIONS_MAX);
			return true;
		}
		seen[n++] = ext.oid;
	}
	return n > 0;
}

/* False only for a template that says so; what is no template by shape is not judged. */
static bool is_version_1(struct est_span value)
{
	struct der_tlv seq, version;

	return !der_expect(&value, DER_SEQUENCE, &seq) ||
	       !der_expect(&seq.body, DER_INTEGER, &version) ||
	       (version.body.n == 1 && version.body.p[0] == 0);
}

static enum est_code check_template(struct est_csrattr *attr, asn1_node tree,
	struct est_quirks *quirks, struct est_error *err)
{
	struct csrattrs_template template;
	struct der_stats stats;
	enum est_code rc;
	bool twice;

	if (attr->n_values != 1)
		return est_fail(err, EST_E_PROTOCOL,
			WHAT ": the template attribute has %zu values, not 1 (RFC 9908 section "
			     "3.4)",
			attr->n_values);
	rc = der_walk(attr->values[0], false, WHAT, &stats, err);
	if (rc != EST_OK)
		return rc;
	if (stats.elements > TEMPLATE_ELEMENTS_MAX)
		return est_fail(err, EST_E_PROTOCOL,
			WHAT ": more than %d elements in a template, the limit",
			TEMPLATE_ELEMENTS_MAX);
	if (!is_version_1(attr->values[0]))
		return est_fail(err, EST_E_PROTOCOL,
			WHAT ": a template of another version than v1 (RFC 9908 section 3.4)");
	if (!csrattrs_template_read(attr->values[0], &template, &twice) ||
		schema_decode(tree, "CSRATTRS.CertificationRequestInfoTemplate", attr->values[0]) !=
			ASN1_SUCCESS)
		return unusable(attr, quirks, err);
	if (twice)
		return est_fail(err, EST_E_PROTOCOL,
			WHAT ": two lists of extensions in one template (RFC 9908 section 3.4)");
	if (template.extensions.n == 0)
		return EST_OK;
	if (!extensions_valid(template.extensions, template.partial, &rc, err))
		return unusable(attr, quirks, err);
	return rc;
}

static enum est_code check_ext_req(struct est_csrattr *attr, struct est_quirks *quirks,
	struct est_error *err)
{
	struct est_span value;
	struct der_tlv list;
	enum est_code rc;

	if (attr->n_values != 1)
		return est_fail(err, EST_E_PROTOCOL,
			WHAT ": extensionRequest has %zu values, not 1 (RFC 9908 section 3.2)",
			attr->n_values);
	value = attr->values[0];
	/* RFC 7030's own example has an OID here, which RFC 9908 section 3.2 declares wrong. */
	if (!der_expect(&value, DER_SEQUENCE, &list) ||
		!extensions_valid(list.body, false, &rc, err))
		return unusable(attr, quirks, err);
	return rc;
}

/* Parameters of a key: a curve, a number of bits, or none. */
static enum est_code check_key(struct est_csrattr *attr, struct est_quirks *quirks,
	struct est_error *err)
{
	uint8_t want = strcmp(attr->oid, CSRATTRS_EC) == 0    ? DER_OID
		       : strcmp(attr->oid, CSRATTRS_RSA) == 0 ? DER_INTEGER
							      : 0;

	/* The parameters of an AlgorithmIdentifier in place of none. */
	if (attr->n_values == 1 && attr->values[0].p[0] == DER_NULL) {
		attr->n_values = 0;
		return quirk_note(quirks, EST_Q_CSRATTRS_VALUE, WHAT ": NULL for a key", err);
	}
	for (size_t i = 0; i < attr->n_values; i++) {
		if (attr->values[i].p[0] != want || attr->values[i].n < 3)
			return unusable(attr, quirks, err);
	}
	return EST_OK;
}

bool csrattrs_is_key(const char *oid)
{
	static const char *const types[] = { CSRATTRS_RSA, CSRATTRS_EC, "1.2.840.113549.1.1.10",
		"1.2.840.10040.4.1", "1.3.101.110", "1.3.101.111", "1.3.101.112", "1.3.101.113" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(oid, types[i]) == 0)
			return true;
	}
	return false;
}

static bool is_attribute(const struct est_csrattr *attr, const char *oid)
{
	return attr->attribute && strcmp(attr->oid, oid) == 0;
}

/* The rules of RFC 9908 section 3.2 for the list form. */
static enum est_code check_list(struct est_csrattrs *attrs, struct est_quirks *quirks,
	struct est_error *err)
{
	const char *key = NULL;
	bool ext_req = false;
	enum est_code rc = EST_OK;

	for (size_t i = 0; i < attrs->n && rc == EST_OK; i++) {
		struct est_csrattr *attr = &attrs->attr[i];

		if (is_attribute(attr, CSRATTRS_EXT_REQ)) {
			if (ext_req)
				return est_fail(err, EST_E_PROTOCOL,
					WHAT ": two extensionRequest attributes (RFC 9908 section "
					     "3.2)");
			ext_req = true;
			rc = check_ext_req(attr, quirks, err);
		} else if (attr->attribute && csrattrs_is_key(attr->oid)) {
			if (key)
				return est_fail(err, EST_E_PROTOCOL,
					WHAT ": two demands on the key, %s and %s (RFC 9908 "
					     "section 3.2)",
					key, attr->name);
			key = attr->name;
			rc = check_key(attr, quirks, err);
		}
	}
	return rc;
}

/* A template is used alone (RFC 9908 section 4), so then nothing in the list can be wrong. */
static enum est_code check_rules(struct est_csrattrs *attrs, asn1_node tree,
	struct est_quirks *quirks, struct est_error *err)
{
	struct est_csrattr *template = NULL;
	enum est_code rc;

	for (size_t i = 0; i < attrs->n; i++) {
		if (!is_attribute(&attrs->attr[i], CSRATTRS_TEMPLATE))
			continue;
		if (template)
			return est_fail(err, EST_E_PROTOCOL,
				WHAT ": two templates (RFC 9908 section 3.4)");
		template = &attrs->attr[i];
	}
	if (template) {
		rc = check_template(template, tree, quirks, err);
		if (rc != EST_OK || template->name)
			return rc;
	}
	return check_list(attrs, quirks, err);
}

enum est_code est_csrattrs_decode(struct est_span der, struct est_quirks *quirks,
	struct est_csrattrs **out, struct est_error *err)
{
	char text[ASN1_MAX_ERROR_DESCRIPTION_SIZE] = "";
	struct est_csrattrs *attrs = NULL;
	asn1_node tree = NULL;
	enum est_code rc;

	if (der.n > EST_CSRATTRS_BYTES_MAX)
		return est_fail(err, EST_E_PROTOCOL, WHAT ": %zu bytes, more than the limit of %u",
			der.n, EST_CSRATTRS_BYTES_MAX);
	rc = trailing_cut(&der, WHAT, quirks, err);
	if (rc == EST_OK)
		rc = der_walk(der, false, WHAT, NULL, err);
	if (rc != EST_OK)
		return rc;
	attrs = calloc(1, sizeof(*attrs));
	if (!attrs || asn1_array2tree(est_csrattrs_asn1_tab, &tree, text) != ASN1_SUCCESS)
		rc = est_fail(err, EST_E_INTERNAL, WHAT ": out of memory");
	if (rc == EST_OK)
		rc = est_buf_append(&attrs->der, der, err);
	if (rc == EST_OK)
		rc = slice(attrs, tree, err);
	if (rc == EST_OK)
		rc = check_rules(attrs, tree, quirks, err);
	asn1_delete_structure(&tree);
	if (rc == EST_OK)
		*out = attrs;
	else
		est_csrattrs_free(attrs);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Values of CSR attributes in words. */
#include "csrattrs.h"

#include "cert.h"

#include <string.h>

#include "x509_text.h"

static enum est_code put(struct est_buf *out, const char *s, struct est_error *err)
{
	return est_buf_append(out, est_span_str(s), err);
}

/* "subjectAltName critical dns:a.example; keyUsage digitalSignature" */
static enum est_code extensions_text(struct est_span list, bool partial, struct est_buf *out,
	struct est_error *err)
{
	struct cert_ext ext;
	enum est_code rc = EST_OK;
	bool first = true;

	while (rc == EST_OK && list.n > 0) {
		if (!cert_next_extension(&list, partial, &ext))
			return put(out, "; malformed", err);
		if (!first)
			rc = put(out, "; ", err);
		first = false;
		if (rc == EST_OK)
			rc = x509_oid(ext.oid, out, err);
		if (rc == EST_OK && ext.critical)
			rc = put(out, " critical", err);
		if (rc == EST_OK)
			rc = put(out, ext.value.p ? " " : " (to be filled in)", err);
		if (rc == EST_OK && ext.value.p)
			rc = x509_extension_value(ext.oid, ext.value, out, err);
	}
	return rc;
}

/* "subject commonName, organizationalUnitName=myDept" */
static enum est_code subject_text(struct est_span rdns, struct est_buf *out, struct est_error *err)
{
	struct der_tlv rdn, attr, type;
	enum est_code rc = put(out, "subject", err);
	bool first = true;

	while (rc == EST_OK && rdns.n > 0) {
		if (!der_expect(&rdns, DER_SET, &rdn))
			return put(out, " malformed", err);
		for (; rc == EST_OK && rdn.body.n > 0; first = false) {
			if (!der_expect(&rdn.body, DER_SEQUENCE, &attr) ||
				!der_expect(&attr.body, DER_OID, &type))
				return put(out, " malformed", err);
			rc = put(out, first ? " " : ", ", err);
			if (rc == EST_OK)
				rc = x509_oid(type.body, out, err);
			if (rc == EST_OK && attr.body.n > 0)
				rc = put(out, "=", err);
			if (rc == EST_OK && attr.body.n > 0)
				rc = x509_value(attr.body, out, err);
		}
	}
	return rc;
}

static enum est_code template_text(struct est_span value, struct est_buf *out,
	struct est_error *err)
{
	struct csrattrs_template template;
	enum est_code rc = EST_OK;
	bool twice, first = true;

	if (!csrattrs_template_read(value, &template, &twice))
		return x509_value(value, out, err);
	if (template.has_subject) {
		rc = subject_text(template.subject, out, err);
		first = false;
	}
	if (rc == EST_OK && template.has_key) {
		rc = put(out, first ? "key " : "; key ", err);
		if (rc == EST_OK)
			rc = x509_key_body(template.key, out, err);
		first = false;
	}
	if (rc == EST_OK && template.extensions.n > 0) {
		if (!first)
			rc = put(out, "; ", err);
		if (rc == EST_OK)
			rc = extensions_text(template.extensions, template.partial, out, err);
		first = false;
	}
	return rc == EST_OK && first ? put(out, "no demands", err) : rc;
}

enum est_code est_csrattr_value_text(const struct est_csrattr *attr, size_t value,
	struct est_buf *out, struct est_error *err)
{
	struct est_span der;
	struct der_tlv list;

	if (value >= attr->n_values)
		return est_fail(err, EST_E_INTERNAL, "CSR attribute %s has no value %zu", attr->oid,
			value);
	der = attr->values[value];
	if (attr->name && strcmp(attr->oid, CSRATTRS_TEMPLATE) == 0)
		return template_text(der, out, err);
	if (attr->name && strcmp(attr->oid, CSRATTRS_EXT_REQ) == 0 &&
		der_expect(&der, DER_SEQUENCE, &list))
		return extensions_text(list.body, false, out, err);
	return x509_value(attr->values[value], out, err);
}

/* SPDX-License-Identifier: MIT */
/* What est_cert_info() leaves out of a certificate, and the list of its extensions. */
#include "details.h"

#include <stdlib.h>
#include <string.h>

#include "cert.h"
#include "x509_text.h"

/* One Extension into the list. */
static enum est_code read_extension(const struct der_tlv *ext, bool hex, struct est_extension *out,
	struct est_error *err)
{
	struct est_span in = ext->body;
	struct est_buf text = { 0 };
	struct der_tlv oid, tlv;
	enum est_code rc;

	if (!der_expect(&in, DER_OID, &oid))
		return est_fail(err, EST_E_PROTOCOL, "an extension without an OID");
	out->critical = der_expect(&in, DER_BOOLEAN, &tlv) && tlv.body.n == 1 && tlv.body.p[0];
	if (!der_expect(&in, DER_OCTET_STRING, &tlv))
		return est_fail(err, EST_E_PROTOCOL, "an extension without a value");
	rc = x509_extension_value(hex ? (struct est_span){ oid.body.p, 0 } : oid.body, tlv.body,
		&text, err);
	if (rc == EST_OK)
		rc = details_name(oid.body, out, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &out->value, err);
	est_buf_free(&text);
	return rc;
}

enum est_code details_name(struct est_span oid, struct est_extension *out, struct est_error *err)
{
	char dotted[DER_OID_TEXT_MAX];

	if (!der_oid_text(oid, dotted))
		return est_fail(err, EST_E_PROTOCOL, "an OID that is malformed or too long");
	out->name = est_oid_name(dotted);
	out->oid = strdup(dotted);
	return out->oid ? EST_OK : est_fail(err, EST_E_INTERNAL, "out of memory");
}

enum est_code details_extensions(struct est_span in, bool hex, struct est_cert_details *d,
	struct est_error *err)
{
	enum est_code rc = EST_OK;
	struct der_tlv ext;

	if (!d->extension)
		d->extension = calloc(EST_EXTENSIONS_MAX, sizeof(*d->extension));
	if (!d->extension)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	while (rc == EST_OK && in.n > 0) {
		if (d->n_extensions == EST_EXTENSIONS_MAX || !der_expect(&in, DER_SEQUENCE, &ext))
			return est_fail(err, EST_E_PROTOCOL,
				"a malformed extension, or more than %d", EST_EXTENSIONS_MAX);
		rc = read_extension(&ext, hex, &d->extension[d->n_extensions++], err);
	}
	return rc;
}

enum est_code est_cert_details(struct est_span der, struct est_cert_details *out,
	struct est_error *err)
{
	struct est_cert_details d = { 0 };
	struct cert_view view;
	enum est_code rc = cert_view(der, "certificate", &view, err);

	if (rc == EST_OK)
		rc = est_cert_strength(der, &d.key_bits, &d.signature_bits, err);
	if (rc == EST_OK)
		rc = x509_sha256(view.spki, d.spki_sha256, err);
	if (rc != EST_OK)
		return rc;
	d.version = view.version;
	rc = details_extensions(view.extensions, false, &d, err);
	if (rc == EST_OK)
		*out = d;
	else
		est_cert_details_wipe(&d);
	return rc;
}

static void wipe_list(struct est_extension *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].oid);
		free(list[i].value);
	}
	free(list);
}

void est_cert_details_wipe(struct est_cert_details *d)
{
	wipe_list(d->extension, d->n_extensions);
	wipe_list(d->attribute, d->n_attributes);
	*d = (struct est_cert_details){ 0 };
}

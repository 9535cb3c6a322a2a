/* SPDX-License-Identifier: MIT */
/* What people ask of a CRL (RFC 5280 section 5.1). */
#include <stdlib.h>
#include <string.h>

#include "crl.h"
#include "details.h"
#include "x509_text.h"

/* The cRLNumber; none, or one that cannot be read, is no error. */
static enum est_code read_number(const struct crl_view *view, struct est_crl_info *info,
	struct est_error *err)
{
	struct est_buf text = { 0 };
	struct est_span value;
	struct der_tlv number;
	enum est_code rc;

	if (!cert_find_extension(view->extensions, CRL_OID_NUMBER, NULL, &value) ||
		!der_expect(&value, DER_INTEGER, &number))
		return EST_OK;
	rc = x509_integer(number.body, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->number, err);
	est_buf_free(&text);
	return rc;
}

static enum est_code read_crl(struct est_span der, struct est_crl_info *info, struct est_error *err)
{
	struct est_buf text = { 0 };
	struct crl_view view;
	enum est_code rc;

	rc = crl_view(der, &view, err);
	if (rc != EST_OK)
		return rc;
	info->this_update = view.this_update;
	info->next_update = view.next_update;
	info->has_next_update = view.has_next_update;
	info->n_revoked = view.n_revoked;
	rc = x509_name(view.issuer, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->issuer, err);
	if (rc == EST_OK)
		rc = read_number(&view, info, err);
	if (rc == EST_OK)
		rc = x509_signature(view.signature_oid, der, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->signature, err);
	est_buf_free(&text);
	return rc == EST_OK ? x509_sha256(der, info->sha256, err) : rc;
}

enum est_code est_crl_info(struct est_span der, struct est_crl_info *out, struct est_error *err)
{
	struct est_crl_info info = { 0 };
	enum est_code rc = read_crl(der, &info, err);

	if (rc == EST_OK)
		*out = info;
	else
		est_crl_info_wipe(&info);
	return rc;
}

void est_crl_info_wipe(struct est_crl_info *info)
{
	free(info->issuer);
	free(info->signature);
	free(info->number);
	*info = (struct est_crl_info){ 0 };
}

enum est_code est_crl_details(struct est_span der, struct est_cert_details *out,
	struct est_error *err)
{
	struct est_cert_details d = { 0 };
	struct crl_view view;
	enum est_code rc = crl_view(der, &view, err);

	if (rc != EST_OK)
		return rc;
	d.signature_bits = x509_signature_strength(view.signature_oid, der);
	d.version = view.version;
	if (view.extensions.n > 0)
		rc = details_extensions(view.extensions, &d, err);
	if (rc == EST_OK)
		*out = d;
	else
		est_cert_details_wipe(&d);
	return rc;
}

/* What the extensions of an entry say (RFC 5280 section 5.3). */
static void entry_extensions(struct est_span extensions, struct est_crl_entry *out)
{
	static const char *const reasons[] = { "unspecified", "keyCompromise", "cACompromise",
		"affiliationChanged", "superseded", "cessationOfOperation", "certificateHold",
		"unknown", "removeFromCRL", "privilegeWithdrawn", "aACompromise" };
	struct est_span value;
	struct der_tlv tlv;

	if (cert_find_extension(extensions, CRL_OID_REASON, NULL, &value))
		out->reason = value.n == 3 && value.p[0] == 0x0a && value.p[1] == 1 &&
					      value.p[2] < sizeof(reasons) / sizeof(reasons[0])
				      ? reasons[value.p[2]]
				      : "malformed";
	if (cert_find_extension(extensions, CERT_OID(0x55, 0x1d, 0x18), NULL, &value))
		out->has_since = der_next(&value, &tlv) && der_time(&tlv, &out->since);
}

enum est_code est_crl_entries(struct est_span der, est_crl_entry_fn *fn, void *ctx,
	struct est_error *err)
{
	struct est_buf text = { 0 };
	struct der_tlv entry, serial, when, list;
	struct crl_view view;
	enum est_code rc = crl_view(der, &view, err);

	while (rc == EST_OK && view.revoked.n > 0) {
		struct est_crl_entry e = { 0 };
		size_t offset = (size_t)(view.revoked.p - der.p);

		if (!der_expect(&view.revoked, DER_SEQUENCE, &entry) ||
			!der_expect(&entry.body, DER_INTEGER, &serial) ||
			!der_next(&entry.body, &when) || !der_time(&when, &e.revoked)) {
			rc = est_fail(err, EST_E_PROTOCOL,
				"CRL: no serial number and date at offset %zu (RFC 5280 section "
				"5.1.2.6)",
				offset);
			break;
		}
		if (der_expect(&entry.body, DER_SEQUENCE, &list))
			entry_extensions(list.body, &e);
		text.n = 0;
		if (serial.body.n > 1 && serial.body.p[0] == 0)
			serial.body = (struct est_span){ serial.body.p + 1, serial.body.n - 1 };
		rc = x509_hex(serial.body, 64, &text, err);
		if (rc == EST_OK && text.n > 0 && text.n < sizeof(e.serial))
			memcpy(e.serial, text.p, text.n);
		if (rc == EST_OK)
			rc = fn(ctx, &e, err);
	}
	est_buf_free(&text);
	return rc;
}

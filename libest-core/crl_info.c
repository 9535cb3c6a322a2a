/* SPDX-License-Identifier: MIT */
/* What people ask of a CRL (RFC 5280 section 5.1). */
#include <stdlib.h>
#include <string.h>

#include "crl.h"
#include "details.h"
#include "x509_text.h"

#define DECODED_MAX (8 * EST_CERT_BYTES_MAX) /* of the entries' extensions; then hex */

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
		rc = details_extensions(view.extensions, view.extensions.n > EST_CERT_BYTES_MAX, &d,
			err);
	if (rc == EST_OK)
		*out = d;
	else
		est_cert_details_wipe(&d);
	return rc;
}

static const char *reason_name(struct est_span value)
{
	static const char *const reasons[] = { "unspecified", "keyCompromise", "cACompromise",
		"affiliationChanged", "superseded", "cessationOfOperation", "certificateHold",
		"unknown", "removeFromCRL", "privilegeWithdrawn", "aACompromise" };

	return value.n == 3 && value.p[0] == 0x0a && value.p[1] == 1 &&
			       value.p[2] < sizeof(reasons) / sizeof(reasons[0])
		       ? reasons[value.p[2]]
		       : "malformed";
}

/* What the extensions of an entry say (RFC 5280 section 5.3); those that have no place in it are
 * appended to others. */
static enum est_code entry_extensions(struct est_span in, struct est_crl_entry *out,
	struct est_buf *others, struct est_error *err)
{
	enum est_code rc = EST_OK;
	struct cert_ext ext;
	struct der_tlv tlv;

	while (rc == EST_OK && in.n > 0) {
		struct est_span whole = in;

		if (!cert_next_extension(&in, false, &ext))
			return est_fail(err, EST_E_PROTOCOL,
				"CRL: a malformed extension of the entry %s (RFC 5280 section 5.3)",
				out->serial);
		whole.n -= in.n;
		if (est_span_eq(ext.oid, CRL_OID_REASON))
			out->reason = reason_name(ext.value);
		else if (est_span_eq(ext.oid, CERT_OID(0x55, 0x1d, 0x18)) &&
			 der_next(&ext.value, &tlv) && der_time(&tlv, &out->since))
			out->has_since = true;
		else
			rc = est_buf_append(others, whole, err);
	}
	return rc;
}

static enum est_code read_entry(struct est_span *in, size_t offset, struct est_crl_entry *out,
	struct est_buf *others, struct est_error *err)
{
	struct der_tlv entry, serial, when, list;
	struct est_buf text = { 0 };
	enum est_code rc;

	if (!der_expect(in, DER_SEQUENCE, &entry) ||
		!der_expect(&entry.body, DER_INTEGER, &serial) || !der_next(&entry.body, &when) ||
		!der_time(&when, &out->revoked))
		return est_fail(err, EST_E_PROTOCOL,
			"CRL: no serial number and date at offset %zu (RFC 5280 section 5.1.2.6)",
			offset);
	if (serial.body.n > 1 && serial.body.p[0] == 0)
		serial.body = (struct est_span){ serial.body.p + 1, serial.body.n - 1 };
	rc = x509_hex(serial.body, 64, &text, err);
	if (rc == EST_OK && text.n > 0 && text.n < sizeof(out->serial))
		memcpy(out->serial, text.p, text.n);
	est_buf_free(&text);
	if (rc == EST_OK && der_expect(&entry.body, DER_SEQUENCE, &list))
		rc = entry_extensions(list.body, out, others, err);
	return rc;
}

enum est_code est_crl_entries(struct est_span der, est_crl_entry_fn *fn, void *ctx,
	struct est_error *err)
{
	struct est_buf others = { 0 }, last = { 0 }, swap;
	struct est_cert_details d = { 0 };
	struct crl_view view;
	enum est_code rc = crl_view(der, &view, err);
	size_t spent = 0;

	while (rc == EST_OK && view.revoked.n > 0) {
		struct est_crl_entry e = { 0 };

		others.n = 0;
		rc = read_entry(&view.revoked, (size_t)(view.revoked.p - der.p), &e, &others, err);
		if (rc == EST_OK && !est_span_eq(est_buf_span(&others), est_buf_span(&last))) {
			/* Most say what the one before them said, and names can be slow. */
			est_cert_details_wipe(&d);
			spent += others.n;
			rc = details_extensions(est_buf_span(&others), spent > DECODED_MAX, &d,
				err);
			swap = last;
			last = others;
			others = swap;
		}
		e.extension = d.extension;
		e.n_extensions = d.n_extensions;
		if (rc == EST_OK)
			rc = fn(ctx, &e, err);
	}
	est_cert_details_wipe(&d);
	est_buf_free(&others);
	est_buf_free(&last);
	return rc;
}

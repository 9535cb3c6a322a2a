/* SPDX-License-Identifier: MIT */
/* What people ask of a CRL (RFC 5280 section 5.1). */
#include <stdlib.h>

#include "crl.h"
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
		rc = x509_oid(view.signature_oid, &text, err);
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

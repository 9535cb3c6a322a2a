/* SPDX-License-Identifier: MIT */
/* What people ask of a certificate.  Everything but names is read from the slices that
 * cert_view() made. */
#include "cert.h"

#include <stdlib.h>

#include "est-inspect.h"
#include "signed.h"
#include "x509_text.h"

/* Broken hashes count: the question is what kind of certificate this is, and a trust anchor is
 * trusted for other reasons than its signature. */
bool cert_signed_by(const struct cert_view *view, const struct cert_view *issuer)
{
	return signed_by(view->der, issuer->spki, true);
}

bool cert_verifies_itself(const struct cert_view *view)
{
	return cert_signed_by(view, view);
}

static enum est_code fill_strings(const struct cert_view *view, struct est_cert_info *info,
	struct est_error *err)
{
	struct est_buf text = { 0 };
	enum est_code rc;

	rc = x509_name(view->subject, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->subject, err);
	if (rc == EST_OK)
		rc = x509_name(view->issuer, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->issuer, err);
	if (rc == EST_OK)
		rc = x509_integer(view->serial, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->serial, err);
	if (rc == EST_OK)
		rc = x509_key(view->spki, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->key, err);
	if (rc == EST_OK)
		rc = x509_signature(view->signature_oid, view->der, &text, err);
	if (rc == EST_OK)
		rc = x509_string(&text, &info->signature, err);
	est_buf_free(&text);
	return rc;
}

/* The extensions that are lists of words.  One that is there and malformed is refused: showing
 * less than the certificate says would mislead. */
static enum est_code fill_lists(const struct cert_view *view, struct est_cert_info *info,
	struct est_error *err)
{
	const struct {
		struct est_span oid;
		enum est_code (*read)(struct est_span value, struct x509_list *out, bool *valid,
			struct est_error *err);
		char ***item;
		size_t *n;
		const char *name;
	} lists[] = {
		{ CERT_OID_SAN, x509_sans, &info->sans, &info->n_sans, "subjectAltName" },
		{ CERT_OID_KEY_USAGE, x509_key_usage, &info->key_usage, &info->n_key_usage,
			"keyUsage" },
		{ CERT_OID_EXT_KEY_USAGE, x509_ext_key_usage, &info->ext_key_usage,
			&info->n_ext_key_usage, "extKeyUsage" },
	};
	struct x509_list list;
	struct est_span value;
	enum est_code rc;
	bool valid;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (!cert_extension(view, lists[i].oid, NULL, &value))
			continue;
		list = (struct x509_list){ 0 };
		rc = lists[i].read(value, &list, &valid, err);
		if (rc != EST_OK)
			return rc;
		if (!valid)
			return est_fail(err, EST_E_PROTOCOL,
				"certificate: malformed %s extension (RFC 5280 section 4.2.1)",
				lists[i].name);
		*lists[i].item = list.item;
		*lists[i].n = list.n;
	}
	return EST_OK;
}

static enum est_code read_info(struct est_span der, bool verify, struct est_cert_info *out,
	struct est_error *err)
{
	struct est_cert_info info = { 0 };
	struct cert_view view;
	enum est_code rc;

	rc = cert_view(der, "certificate", &view, err);
	if (rc != EST_OK)
		return rc;
	info.not_before = view.not_before;
	info.not_after = view.not_after;
	info.ca = cert_is_ca(&view, &info.path_len);
	rc = fill_strings(&view, &info, err);
	if (rc == EST_OK)
		rc = fill_lists(&view, &info, err);
	if (rc == EST_OK)
		rc = x509_sha256(der, info.sha256, err);
	if (rc == EST_OK && verify)
		info.self_signed = cert_is_self_issued(&view) && cert_verifies_itself(&view);
	if (rc == EST_OK)
		*out = info;
	else
		est_cert_info_wipe(&info);
	return rc;
}

enum est_code est_cert_parts(struct est_span der, struct est_cert_parts *out, struct est_error *err)
{
	struct cert_view view;
	enum est_code rc = cert_view(der, "certificate", &view, err);

	if (rc == EST_OK)
		*out = (struct est_cert_parts){ view.subject, view.issuer, view.spki };
	return rc;
}

enum est_code est_cert_info(struct est_span der, struct est_cert_info *out, struct est_error *err)
{
	return read_info(der, true, out, err);
}

enum est_code est_cert_words(struct est_span der, struct est_cert_info *out, struct est_error *err)
{
	return read_info(der, false, out, err);
}

void est_cert_info_wipe(struct est_cert_info *info)
{
	free(info->subject);
	free(info->issuer);
	free(info->serial);
	free(info->key);
	free(info->signature);
	x509_strings_free(info->sans, info->n_sans);
	x509_strings_free(info->key_usage, info->n_key_usage);
	x509_strings_free(info->ext_key_usage, info->n_ext_key_usage);
	*info = (struct est_cert_info){ 0 };
}

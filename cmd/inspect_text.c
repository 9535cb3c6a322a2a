/* SPDX-License-Identifier: MIT */
/* Objects as text: stable names, one fact a line.  The values were made safe by the library. */
#include "inspect_show.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAME_WIDTH 15 /* "ext-key-usage:" and a blank */

enum est_code text_line(struct est_buf *out, const char *name, const char *value,
	struct est_error *err)
{
	static const char blanks[] = "               ";
	size_t n = strlen(name) + 1; /* with the colon */
	enum est_code rc = est_buf_append(out, est_span_str(name), err);

	n = n < NAME_WIDTH ? NAME_WIDTH - n : 1;
	if (rc == EST_OK) /* not printf: this is where the time goes */
		rc = est_buf_append(out, est_span_str(":"), err);
	if (rc == EST_OK)
		rc = est_buf_append(out, (struct est_span){ (const uint8_t *)blanks, n }, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, est_span_str(value), err);
	return rc == EST_OK ? est_buf_append(out, est_span_str("\n"), err) : rc;
}

static enum est_code line_time(struct est_buf *out, const char *name, time_t when,
	struct est_error *err)
{
	char text[40] = "";
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return text_line(out, name, "out of range", err);
	return text_line(out, name, text, err);
}

/* All in one line; none: no line. */
static enum est_code line_list(struct est_buf *out, const char *name, char *const *v, size_t n,
	struct est_error *err)
{
	enum est_code rc = n > 0 ? text_line(out, name, v[0], err) : EST_OK;

	for (size_t i = 1; i < n && rc == EST_OK; i++) {
		out->n--; /* the line goes on */
		rc = est_buf_printf(out, err, ", %s\n", v[i]);
	}
	return rc;
}

/* A line for each: a name may hold a comma. */
static enum est_code lines(struct est_buf *out, const char *name, char *const *v, size_t n,
	struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = 0; i < n && rc == EST_OK; i++)
		rc = text_line(out, name, v[i], err);
	return rc;
}

static enum est_code line_ca(struct est_buf *out, const struct est_cert_info *info,
	struct est_error *err)
{
	enum est_code rc = text_line(out, "ca", info->ca ? "yes" : "no", err);

	if (rc != EST_OK || !info->ca || info->path_len < 0)
		return rc;
	rc = text_line(out, "path-len", "", err);
	if (rc != EST_OK)
		return rc;
	out->n--;
	return est_buf_printf(out, err, "%d\n", info->path_len);
}

enum est_code text_cert(const struct est_cert_info *info, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc;

	rc = text_line(out, "subject", info->subject, err);
	if (rc == EST_OK)
		rc = text_line(out, "issuer", info->issuer, err);
	if (rc == EST_OK)
		rc = text_line(out, "serial", info->serial, err);
	if (rc == EST_OK)
		rc = line_time(out, "not-before", info->not_before, err);
	if (rc == EST_OK)
		rc = line_time(out, "not-after", info->not_after, err);
	if (rc == EST_OK)
		rc = text_line(out, "key", info->key, err);
	if (rc == EST_OK)
		rc = text_line(out, "signature", info->signature, err);
	if (rc == EST_OK)
		rc = lines(out, "san", info->sans, info->n_sans, err);
	if (rc == EST_OK)
		rc = line_list(out, "key-usage", info->key_usage, info->n_key_usage, err);
	if (rc == EST_OK)
		rc = line_list(out, "ext-key-usage", info->ext_key_usage, info->n_ext_key_usage,
			err);
	if (rc == EST_OK)
		rc = line_ca(out, info, err);
	if (rc == EST_OK)
		rc = text_line(out, "self-signed", info->self_signed ? "yes" : "no", err);
	return rc == EST_OK ? text_line(out, "sha256", info->sha256, err) : rc;
}

/* Security bits; a root's signature does not count. */
static enum est_code line_bits(struct est_buf *out, const struct est_cert_details *d,
	struct est_error *err)
{
	char text[64], signature[16];

	(void)snprintf(signature, sizeof(signature), "%u", d->signature_bits);
	(void)snprintf(text, sizeof(text), "key %u, signature %s", d->key_bits,
		d->signature_bits == UINT_MAX ? "does not count" : signature);
	return text_line(out, "strength", text, err);
}

enum est_code text_details(const struct est_cert_details *d, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = line_bits(out, d, err);

	if (rc == EST_OK)
		rc = text_line(out, "spki-sha256", d->spki_sha256, err);
	if (rc == EST_OK)
		rc = text_line(out, "version", "", err);
	if (rc == EST_OK) {
		out->n--;
		rc = est_buf_printf(out, err, "%d\n", d->version);
	}
	for (size_t i = 0; rc == EST_OK && i < d->n_extensions; i++) {
		const struct est_extension *e = &d->extension[i];

		rc = text_line(out, "extension", e->name ? e->name : e->oid, err);
		if (rc != EST_OK)
			break;
		out->n--;
		rc = est_buf_printf(out, err, "%s: %s\n", e->critical ? ", critical" : "",
			e->value);
	}
	return rc;
}

enum est_code text_csr(const struct est_csr_info *info, struct est_buf *out, struct est_error *err)
{
	enum est_code rc;

	rc = text_line(out, "subject", info->subject, err);
	if (rc == EST_OK)
		rc = text_line(out, "key", info->key, err);
	if (rc == EST_OK)
		rc = text_line(out, "signature", info->signature, err);
	if (rc == EST_OK)
		rc = text_line(out, "verified", info->verified ? "yes" : "no", err);
	if (rc == EST_OK)
		rc = lines(out, "san", info->sans, info->n_sans, err);
	if (rc == EST_OK)
		rc = line_list(out, "key-usage", info->key_usage, info->n_key_usage, err);
	if (rc == EST_OK)
		rc = line_list(out, "ext-key-usage", info->ext_key_usage, info->n_ext_key_usage,
			err);
	if (rc == EST_OK)
		rc = line_list(out, "attributes", info->attributes, info->n_attributes, err);
	if (rc == EST_OK)
		rc = text_line(out, "challenge", info->challenge_password ? "present" : "none",
			err);
	return rc == EST_OK ? text_line(out, "sha256", info->sha256, err) : rc;
}

enum est_code text_crl(const struct est_crl_info *info, struct est_buf *out, struct est_error *err)
{
	enum est_code rc;

	rc = text_line(out, "issuer", info->issuer, err);
	if (rc == EST_OK)
		rc = line_time(out, "this-update", info->this_update, err);
	if (rc == EST_OK && info->has_next_update)
		rc = line_time(out, "next-update", info->next_update, err);
	if (rc == EST_OK && info->number)
		rc = text_line(out, "number", info->number, err);
	if (rc == EST_OK)
		rc = text_line(out, "signature", info->signature, err);
	if (rc == EST_OK)
		rc = text_line(out, "revoked", "", err);
	if (rc == EST_OK) {
		out->n--;
		rc = est_buf_printf(out, err, "%zu\n", info->n_revoked);
	}
	return rc == EST_OK ? text_line(out, "sha256", info->sha256, err) : rc;
}

static enum est_code text_attr(const struct est_csrattr *attr, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = text_line(out, attr->attribute ? "attribute" : "oid", attr->oid, err);

	if (rc == EST_OK) {
		out->n--;
		rc = est_buf_printf(out, err, " (%s)\n", attr->name ? attr->name : "ignored");
	}
	for (size_t i = 0; i < attr->n_values && rc == EST_OK; i++) {
		rc = text_line(out, "value", "", err);
		if (rc != EST_OK)
			break;
		out->n--;
		rc = est_csrattr_value_text(attr, i, out, err);
		if (rc == EST_OK)
			rc = est_buf_append(out, est_span_str("\n"), err);
	}
	return rc;
}

enum est_code text_csrattrs(const struct est_csrattrs *attrs, struct est_buf *out,
	struct est_error *err)
{
	size_t n = est_csrattrs_count(attrs);
	enum est_code rc = EST_OK;

	if (n == 0)
		return text_line(out, "demands", "none", err);
	for (size_t i = 0; i < n && rc == EST_OK; i++)
		rc = text_attr(est_csrattrs_get(attrs, i), out, err);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Objects as text: stable names, one fact a line.  The values were made safe by the library. */
#include "inspect_show.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

#define NAME_WIDTH 15 /* "ext-key-usage:" and a blank */

/* What is being written; after a failure nothing more happens. */
struct text {
	struct est_buf *out;
	struct est_error *err;
	enum est_code rc;
};

static void put(struct text *t, struct est_span bytes)
{
	if (t->rc == EST_OK)
		t->rc = est_buf_append(t->out, bytes, t->err);
}

static void word(struct text *t, const char *s)
{
	put(t, est_span_str(s));
}

/* Not printf: this is where the time goes. */
static void begin(struct text *t, const char *name)
{
	static const char blanks[] = "               ";
	size_t n = strlen(name) + 1; /* with the colon */

	word(t, name);
	word(t, ":");
	put(t, (struct est_span){ (const uint8_t *)blanks, n < NAME_WIDTH ? NAME_WIDTH - n : 1 });
}

/* NULL: no line. */
static void line(struct text *t, const char *name, const char *value)
{
	if (!value)
		return;
	begin(t, name);
	word(t, value);
	word(t, "\n");
}

static void number(struct text *t, const char *name, size_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%zu", value);
	line(t, name, text);
}

static void when(struct text *t, const char *name, time_t time)
{
	char text[40];

	line(t, name, cmd_time_text(time, text, sizeof(text)) ? text : "out of range");
}

static void yes(struct text *t, const char *name, bool value)
{
	line(t, name, value ? "yes" : "no");
}

/* All in one line; none: no line. */
static void list(struct text *t, const char *name, char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i == 0)
			begin(t, name);
		else
			word(t, ", ");
		word(t, v[i]);
	}
	if (n > 0)
		word(t, "\n");
}

/* A line for each: a name may hold a comma. */
static void lines(struct text *t, const char *name, char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		line(t, name, v[i]);
}

enum est_code text_line(struct est_buf *out, const char *name, const char *value,
	struct est_error *err)
{
	struct text t = { out, err, EST_OK };

	line(&t, name, value);
	return t.rc;
}

enum est_code text_span(struct est_buf *out, const char *name, struct est_span value,
	struct est_error *err)
{
	struct text t = { out, err, EST_OK };

	begin(&t, name);
	put(&t, value);
	word(&t, "\n");
	return t.rc;
}

enum est_code text_number(struct est_buf *out, const char *name, size_t value,
	struct est_error *err)
{
	struct text t = { out, err, EST_OK };

	number(&t, name, value);
	return t.rc;
}

enum est_code text_cert(const struct est_cert_info *info, struct est_buf *out,
	struct est_error *err)
{
	struct text t = { out, err, EST_OK };

	line(&t, "subject", info->subject);
	line(&t, "issuer", info->issuer);
	line(&t, "serial", info->serial);
	when(&t, "not-before", info->not_before);
	when(&t, "not-after", info->not_after);
	line(&t, "key", info->key);
	line(&t, "signature", info->signature);
	lines(&t, "san", info->sans, info->n_sans);
	list(&t, "key-usage", info->key_usage, info->n_key_usage);
	list(&t, "ext-key-usage", info->ext_key_usage, info->n_ext_key_usage);
	yes(&t, "ca", info->ca);
	if (info->ca && info->path_len >= 0)
		number(&t, "path-len", (size_t)info->path_len);
	yes(&t, "self-signed", info->self_signed);
	line(&t, "sha256", info->sha256);
	return t.rc;
}

static void extension(struct text *t, const struct est_extension *e)
{
	word(t, e->name ? e->name : e->oid);
	word(t, e->critical ? ", critical: " : ": ");
	word(t, e->value);
}

static void extensions(struct text *t, const char *name, const struct est_extension *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		begin(t, name);
		extension(t, &e[i]);
		word(t, "\n");
	}
}

enum est_code text_details(enum est_file_kind kind, const struct est_cert_details *d,
	struct est_buf *out, struct est_error *err)
{
	struct text t = { out, err, EST_OK };
	char text[64], signature[16];

	/* Security bits; a root's signature does not count. */
	(void)snprintf(signature, sizeof(signature), "%u", d->signature_bits);
	(void)snprintf(text, sizeof(text), "key %u, signature %s", d->key_bits,
		d->signature_bits == UINT_MAX ? "does not count" : signature);
	line(&t, "strength", kind == EST_FILE_CRL ? strstr(text, "sig") : text);
	line(&t, "spki-sha256", *d->spki_sha256 ? d->spki_sha256 : NULL);
	number(&t, "version", (size_t)d->version);
	extensions(&t, "attribute", d->attribute, d->n_attributes);
	extensions(&t, "extension", d->extension, d->n_extensions);
	return t.rc;
}

enum est_code text_csr(const struct est_csr_info *info, struct est_buf *out, struct est_error *err)
{
	struct text t = { out, err, EST_OK };

	line(&t, "subject", info->subject);
	line(&t, "key", info->key);
	line(&t, "signature", info->signature);
	yes(&t, "verified", info->verified);
	lines(&t, "san", info->sans, info->n_sans);
	list(&t, "key-usage", info->key_usage, info->n_key_usage);
	list(&t, "ext-key-usage", info->ext_key_usage, info->n_ext_key_usage);
	list(&t, "attributes", info->attributes, info->n_attributes);
	line(&t, "challenge", info->challenge_password ? "present" : "none");
	line(&t, "sha256", info->sha256);
	return t.rc;
}

enum est_code text_crl(const struct est_crl_info *info, struct est_buf *out, struct est_error *err)
{
	struct text t = { out, err, EST_OK };

	line(&t, "issuer", info->issuer);
	when(&t, "this-update", info->this_update);
	if (info->has_next_update)
		when(&t, "next-update", info->next_update);
	line(&t, "number", info->number);
	line(&t, "signature", info->signature);
	number(&t, "revoked", info->n_revoked);
	line(&t, "sha256", info->sha256);
	return t.rc;
}

enum est_code text_entry(const struct est_crl_entry *entry, struct est_buf *out,
	struct est_error *err)
{
	struct text t = { out, err, EST_OK };
	char text[40];

	begin(&t, "entry");
	word(&t, entry->serial);
	(void)cmd_time_text(entry->revoked, text, sizeof(text));
	word(&t, "  ");
	word(&t, text);
	if (entry->reason) {
		word(&t, "  ");
		word(&t, entry->reason);
	}
	if (entry->has_since) {
		(void)cmd_time_text(entry->since, text, sizeof(text));
		word(&t, ", invalid since ");
		word(&t, text);
	}
	for (size_t i = 0; i < entry->n_extensions; i++) {
		word(&t, ", ");
		extension(&t, &entry->extension[i]);
	}
	word(&t, "\n");
	return t.rc;
}

enum est_code text_cms(const struct est_cms_info *info, struct est_buf *out, struct est_error *err)
{
	struct text t = { out, err, EST_OK };

	line(&t, "content-type", info->type);
	line(&t, "content", info->content);
	line(&t, "encryption", info->encryption);
	lines(&t, "recipient", info->recipients, info->n_recipients);
	lines(&t, "signer", info->signers, info->n_signers);
	line(&t, "sha256", info->sha256);
	return t.rc;
}

static void attr(struct text *t, const struct est_csrattr *a)
{
	begin(t, a->attribute ? "attribute" : "oid");
	word(t, a->oid);
	word(t, " (");
	word(t, a->name ? a->name : "ignored");
	word(t, ")\n");
	for (size_t i = 0; i < a->n_values && t->rc == EST_OK; i++) {
		begin(t, "value");
		if (t->rc == EST_OK)
			t->rc = est_csrattr_value_text(a, i, t->out, t->err);
		word(t, "\n");
	}
}

enum est_code text_csrattrs(const struct est_csrattrs *attrs, struct est_buf *out,
	struct est_error *err)
{
	struct text t = { out, err, EST_OK };
	size_t n = est_csrattrs_count(attrs);

	if (n == 0)
		line(&t, "demands", "none");
	for (size_t i = 0; i < n; i++)
		attr(&t, est_csrattrs_get(attrs, i));
	return t.rc;
}

/* SPDX-License-Identifier: MIT */
/* Certificates from a local file, however they are wrapped. */
#include "certs.h"

#include <stdio.h>
#include <string.h>

#include "cert.h"
#include "pem.h"
#include "span.h"
#include "token.h"

struct load {
	const char *name; /* of the file, for messages */
	struct est_certs *certs;
	struct est_error *err;
};

/* What is wrong with a file is EST_E_INPUT, and its name comes first. */
static enum est_code in_file(const struct load *load)
{
	struct est_error inner = *load->err;

	if (inner.code != EST_E_PROTOCOL && inner.code != EST_E_INPUT)
		return inner.code;
	est_fail(load->err, EST_E_INPUT, "%s: %.*s", load->name, (int)sizeof(inner.msg) - 128,
		inner.msg);
	if (inner.hint[0])
		est_hint(load->err, "%s", inner.hint);
	return load->err->code;
}

static enum est_code load_cert(struct load *load, struct est_span der, const char *what)
{
	struct cert_view view;
	enum est_code rc;

	rc = cert_view(der, what, &view, load->err);
	if (rc == EST_OK && est_certs_count(load->certs) == EST_CERTS_MAX)
		rc = est_fail(load->err, EST_E_INPUT, "more than %d certificates, the limit",
			EST_CERTS_MAX);
	return rc == EST_OK ? certs_add(load->certs, der, true, NULL, load->err) : rc;
}

/* A certs-only message or a certificate, in DER or BER. */
static enum est_code load_bag(struct load *load, struct est_span der, const char *what)
{
	struct certs_member member;
	struct certs_iter iter;
	enum est_code rc;
	char name[96];
	bool found;

	rc = certs_iter_open(der, what, false, NULL, &iter, load->err);
	if (rc == EST_OK)
		rc = certs_iter_close(&iter, what, false, NULL, load->err);
	while (rc == EST_OK) {
		rc = certs_iter_next(&iter, what, &member, &found, load->err);
		if (rc != EST_OK || !found)
			break;
		(void)snprintf(name, sizeof(name), "%s: certificate %zu", what, iter.n);
		if (!member.other)
			rc = load_cert(load, member.der, name);
	}
	return rc;
}

static enum est_code load_block(struct load *load, const struct pem_block *block, size_t index)
{
	bool cert = pem_is(block, "CERTIFICATE") || pem_is(block, "X509 CERTIFICATE");
	struct est_buf der = { 0 };
	struct est_error inner;
	enum est_code rc;
	char what[128];

	(void)snprintf(what, sizeof(what), "PEM block %zu (%.*s)", index, (int)block->label.n,
		(const char *)block->label.p);
	if (pem_is(block, "TRUSTED CERTIFICATE")) {
		est_fail(load->err, EST_E_INPUT,
			"%s: OpenSSL's own form, with trust settings that "
			"would be ignored here",
			what);
		return est_hint(load->err, "`openssl x509 -in FILE` writes the certificate alone");
	}
	if (!cert && !pem_is(block, "PKCS7") && !pem_is(block, "CMS") &&
		!pem_is(block, "CERTIFICATE CHAIN"))
		return EST_OK; /* a key may be in the same file */
	rc = pem_decode(block, &der, &inner);
	if (rc != EST_OK)
		rc = est_fail(load->err, rc, "%s: %s", what, inner.msg);
	else if (cert)
		rc = load_cert(load, est_buf_span(&der), what);
	else
		rc = load_bag(load, est_buf_span(&der), what);
	est_buf_free(&der);
	return rc;
}

static enum est_code load_pem(struct load *load, struct est_span text)
{
	struct pem_reader reader;
	struct pem_block block;
	enum est_code rc;
	bool found;

	pem_init(&reader, text);
	for (size_t index = 1;; index++) {
		rc = pem_next(&reader, &block, &found, load->err);
		if (rc != EST_OK || !found)
			return rc;
		rc = load_block(load, &block, index);
		if (rc != EST_OK)
			return rc;
	}
}

static enum est_code load_any(struct load *load, struct est_span data)
{
	enum est_encoding encoding;
	enum est_file_kind kind = est_file_kind(data, &encoding);
	struct est_buf der = { 0 };
	enum est_code rc;

	if (encoding == EST_ENCODING_PEM) {
		rc = load_pem(load, data);
	} else if (encoding == EST_ENCODING_BASE64) {
		if (data.n >= 3 && memcmp(data.p, "\xef\xbb\xbf", 3) == 0)
			data = span_after(data, 3);
		rc = pem_decode_base64(data, &der, load->err);
		if (rc == EST_OK)
			rc = load_bag(load, est_buf_span(&der), "base64");
		est_buf_free(&der);
	} else if (kind == EST_FILE_UNKNOWN && data.p[0] == 0x30) {
		rc = load_bag(load, data, "DER"); /* cut short: says where */
	} else if (kind == EST_FILE_CERT || kind == EST_FILE_SIGNED_DATA ||
		   kind == EST_FILE_BARE_SIGNED || kind == EST_FILE_OTHER_CMS) {
		rc = load_bag(load, data, "DER");
	} else {
		return est_fail(load->err, EST_E_INPUT,
			"looks like %s, not certificates (PEM, DER, base64 or certs-only)",
			est_file_kind_text(kind));
	}
	if (rc == EST_OK && est_certs_count(load->certs) == 0)
		rc = est_fail(load->err, EST_E_INPUT, "holds %s, but no certificate",
			est_file_kind_text(kind));
	return rc;
}

static enum est_code take_token_cert(void *ctx, struct est_span der, struct est_error *err)
{
	(void)err; /* the one in load */
	return load_cert(ctx, der, "a certificate of it");
}

static enum est_code load_path(struct load *load, const char *path)
{
	struct est_buf data = { 0 };
	enum est_code rc;

	if (est_is_token_url(path))
		return token_certs(path, take_token_cert, load, load->err);
	rc = est_read_file(path, EST_FILE_MAX, &data, load->err);
	if (rc == EST_OK) {
		rc = load_any(load, est_buf_span(&data));
		rc = rc == EST_OK ? EST_OK : in_file(load);
	}
	est_buf_free(&data);
	return rc;
}

enum est_code est_certs_load(const char *path, struct est_certs **out, struct est_error *err)
{
	char shown[256];
	struct load load = {
		.name = strcmp(path, "-") == 0
				? "standard input"
				: est_escape(shown, sizeof(shown), est_span_str(path)),
		.err = err,
	};
	enum est_code rc = certs_new(&load.certs, err);

	if (rc == EST_OK)
		rc = load_path(&load, path);
	if (rc == EST_OK)
		*out = load.certs;
	else
		est_certs_free(load.certs);
	return rc;
}

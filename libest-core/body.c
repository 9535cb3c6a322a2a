/* SPDX-License-Identifier: MIT */
/* The payload of a response, by what the bytes are and not by what a field says of them
 * (RFC 8951 section 3): base64 as it should be, and what servers send instead. */
#include "est.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "der.h"
#include "file_kind.h"
#include "quirk.h"
#include "span.h"

#define BODY "response body"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct est_span skip_blanks(struct est_span in)
{
	while (in.n > 0 && is_blank(in.p[0]))
		in = span_after(in, 1);
	return in;
}

/* ---- DER ---------------------------------------------------------------------------------------
 */

static bool is_filler(struct est_span in)
{
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] != 0 && !is_blank(in.p[i]))
			return false;
	return true;
}

/* The first value of in is a SEQUENCE, and nothing or white space and NUL follow it. */
static bool der_alone(struct est_span in, struct der_tlv *out)
{
	struct est_span rest = in;

	return in.n > 0 && in.p[0] == DER_SEQUENCE && ber_next(&rest, out) && is_filler(rest);
}

/* Appends a value that may have filler behind it; what is no such value is left to the reader. */
static enum est_code append_value(struct est_span in, struct est_quirks *quirks,
	struct est_buf *der, struct est_error *err)
{
	struct der_tlv tlv;
	enum est_code rc;

	if (der_alone(in, &tlv) && tlv.whole.n < in.n) {
		rc = quirk_note(quirks, EST_Q_TRAILING, BODY, err);
		if (rc != EST_OK)
			return rc;
		in = tlv.whole;
	}
	return est_buf_append(der, in, err);
}

static enum est_code raw_der(struct est_span in, struct est_quirks *quirks, struct est_buf *der,
	struct est_error *err)
{
	enum est_code rc = quirk_note(quirks, EST_Q_RAW_DER, BODY, err);

	return rc == EST_OK ? append_value(in, quirks, der, err) : rc;
}

static enum est_code base64_der(struct est_span in, struct est_quirks *quirks, struct est_buf *der,
	struct est_error *err)
{
	struct est_buf raw = { 0 };
	enum est_code rc;

	rc = base64_decode(in, BODY, quirks, &raw, err);
	if (rc == EST_OK)
		rc = append_value(est_buf_span(&raw), quirks, der, err);
	est_buf_free(&raw); /* may be a private key */
	return rc;
}

/* ---- PEM (RFC 7468) ----------------------------------------------------------------------------
 */

struct pem_body {
	struct est_buf der; /* of all blocks, one after the other */
	size_t ends[EST_CERTS_MAX];
	size_t n;
	bool certificates; /* else one CMS message */
};

static enum est_code pem_add(struct pem_body *pem, const struct pem_block *block,
	struct est_quirks *quirks, struct est_error *err)
{
	enum est_file_kind kind = file_kind_label(block);
	bool is_certificate = kind == EST_FILE_CERT;
	char shown[PEM_LABEL_MAX + 1];
	size_t start = pem->der.n;
	enum est_code rc;

	if (!is_certificate && kind != EST_FILE_SIGNED_DATA)
		return est_fail(err, EST_E_PROTOCOL,
			BODY ": PEM block \"%s\" is neither PKCS7 nor CERTIFICATE",
			est_escape(shown, sizeof(shown), block->label));
	if (pem->n > 0 && (!is_certificate || !pem->certificates))
		return est_fail(err, EST_E_PROTOCOL,
			BODY ": more than one PEM block, and not all are certificates");
	if (pem->n == EST_CERTS_MAX)
		return est_fail(err, EST_E_PROTOCOL, BODY ": more than %d certificates",
			EST_CERTS_MAX);
	rc = base64_decode(block->text, BODY, quirks, &pem->der, err);
	if (rc != EST_OK)
		return rc;
	if (pem->der.n == start)
		return est_fail(err, EST_E_PROTOCOL, BODY ": empty PEM block");
	pem->certificates = is_certificate;
	pem->ends[pem->n++] = pem->der.n;
	return EST_OK;
}

/* One block as it is; several certificates as the certs-only message they should have been. */
static enum est_code pem_result(const struct pem_body *pem, struct est_quirks *quirks,
	struct est_buf *der, struct est_error *err)
{
	struct est_span *certs;
	size_t start = 0;
	enum est_code rc;

	if (pem->n == 1)
		return append_value(est_buf_span(&pem->der), quirks, der, err);
	certs = calloc(pem->n, sizeof(*certs));
	if (!certs)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < pem->n; i++) {
		struct est_span rest = { pem->der.p + start, pem->ends[i] - start };
		struct der_tlv tlv;

		certs[i] = rest;
		start = pem->ends[i];
		if (!der_expect(&rest, DER_SEQUENCE, &tlv) || rest.n > 0) {
			rc = est_fail(err, EST_E_PROTOCOL,
				BODY ": PEM certificate %zu is not DER (RFC 7468 section 5.1)",
				i + 1);
			goto out;
		}
	}
	rc = est_certs_encode(certs, pem->n, der, err);
out:
	free(certs);
	return rc;
}

static enum est_code pem_der(struct est_span in, struct est_quirks *quirks, struct est_buf *der,
	struct est_error *err)
{
	struct pem_body *pem = NULL;
	struct pem_reader reader;
	struct pem_block block;
	struct est_error why;
	enum est_code rc;
	bool found;

	rc = quirk_note(quirks, EST_Q_PEM, BODY, err);
	if (rc != EST_OK)
		return rc;
	pem = calloc(1, sizeof(*pem));
	if (!pem)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	pem_init(&reader, in);
	for (;;) {
		rc = pem_next(&reader, &block, &found, &why);
		if (rc != EST_OK)
			rc = est_fail(err, EST_E_PROTOCOL, BODY ": %s", why.msg);
		if (rc == EST_OK && found)
			rc = pem_add(pem, &block, quirks, err);
		if (rc != EST_OK || !found)
			break;
	}
	if (rc == EST_OK && pem->n == 0)
		rc = est_fail(err, EST_E_PROTOCOL,
			BODY ": PEM block without a label (RFC 7468 section 2)");
	if (rc == EST_OK)
		rc = pem_result(pem, quirks, der, err);
	est_buf_free(&pem->der);
	free(pem);
	return rc;
}

/* ---- All of them -------------------------------------------------------------------------------
 */

/* Web pages and JSON come from proxies and error handlers; called by their names they help. */
static enum est_code check_other_text(struct est_span in, struct est_error *err)
{
	const char *what = NULL;
	char shown[100];

	if (in.p[0] == '<')
		what = "an HTML or XML page";
	else if (in.p[0] == '{' || in.p[0] == '[')
		what = "JSON";
	if (!what)
		return EST_OK;
	est_fail(err, EST_E_PROTOCOL,
		BODY " looks like %s, not base64 of DER (RFC 8951 section 3): \"%s\"", what,
		est_escape(shown, sizeof(shown), in));
	return est_hint(err, "something other than an EST server may have answered: check --server "
			     "and --label");
}

enum est_code est_body_decode(struct est_span body, struct est_quirks *quirks, struct est_buf *der,
	struct est_error *err)
{
	static const uint8_t bom[] = { 0xef, 0xbb, 0xbf };
	struct est_span text;
	struct der_tlv tlv;
	enum est_code rc;

	if (body.n >= sizeof(bom) && memcmp(body.p, bom, sizeof(bom)) == 0) {
		rc = quirk_note(quirks, EST_Q_BOM, BODY, err);
		if (rc != EST_OK)
			return rc;
		body = span_after(body, sizeof(bom));
	}
	text = skip_blanks(body);
	if (text.n == 0)
		return est_fail(err, EST_E_PROTOCOL,
			BODY " is empty where base64 of DER was due (RFC 8951 section 3)");
	if (der_alone(body, &tlv))
		return raw_der(body, quirks, der, err);
	/* "0" begins base64 text too; a length octet with the high bit set does not. */
	if (body.p[0] == DER_SEQUENCE && body.n > 1 && body.p[1] & 0x80)
		return est_fail(err, EST_E_PROTOCOL,
			BODY " of %zu bytes is DER that is cut short, broken or followed by "
			     "other bytes",
			body.n);
	rc = check_other_text(text, err);
	if (rc != EST_OK)
		return rc;
	if (pem_present(text))
		return pem_der(text, quirks, der, err);
	return base64_der(text, quirks, der, err);
}

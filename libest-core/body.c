/* SPDX-License-Identifier: MIT */
/* The payload of a response, by what the bytes are and not by what a field says of them
 * (RFC 8951 section 3): base64 as it should be, and what servers send instead. */
#include "est.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "der.h"
#include "quirk.h"

#define BODY "response body"

static struct est_span after(struct est_span in, size_t n)
{
	return (struct est_span){ in.p + n, in.n - n };
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct est_span skip_blanks(struct est_span in)
{
	while (in.n > 0 && is_blank(in.p[0]))
		in = after(in, 1);
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

#define DASHES    "-----"
#define BEGIN     "-----BEGIN "
#define END       "-----END "
#define LEN(s)    (sizeof(s) - 1)
#define LABEL_MAX 40

/* Offset of text in in; false: not there. */
static bool find(struct est_span in, const char *text, size_t len, size_t *at)
{
	const uint8_t *p = in.n > 0 ? memmem(in.p, in.n, text, len) : NULL;

	if (p)
		*at = (size_t)(p - in.p);
	return p != NULL;
}

/* Takes everything up to and with the next block off the front of *in; *found is false without
 * one, whatever text is left then. */
static enum est_code pem_next(struct est_span *in, struct est_span *label, struct est_span *text,
	bool *found, struct est_error *err)
{
	struct est_span rest = *in;
	size_t at;

	*found = find(rest, BEGIN, LEN(BEGIN), &at);
	if (!*found)
		return EST_OK;
	rest = after(rest, at + LEN(BEGIN));
	*label = rest;
	if (label->n > LABEL_MAX + LEN(DASHES))
		label->n = LABEL_MAX + LEN(DASHES);
	if (!find(*label, DASHES, LEN(DASHES), &at))
		return est_fail(err, EST_E_PROTOCOL,
			BODY ": PEM block without a label "
			     "(RFC 7468 section 2)");
	label->n = at;
	rest = after(rest, at + LEN(DASHES));
	/* Neither base64 nor a header has a run of dashes, so the next one is the end or wrong. */
	if (!find(rest, DASHES, LEN(DASHES), &at))
		return est_fail(err, EST_E_PROTOCOL,
			BODY ": PEM block without its END line, which "
			     "means that it was cut short (RFC 7468 section 2)");
	*text = (struct est_span){ rest.p, at };
	rest = after(rest, at);
	if (rest.n < LEN(END) + label->n + LEN(DASHES) || memcmp(rest.p, END, LEN(END)) != 0 ||
		memcmp(rest.p + LEN(END), label->p, label->n) != 0 ||
		memcmp(rest.p + LEN(END) + label->n, DASHES, LEN(DASHES)) != 0)
		return est_fail(err, EST_E_PROTOCOL,
			BODY ": PEM block that ends in another line "
			     "than its own END (RFC 7468 section 2)");
	*in = after(rest, LEN(END) + label->n + LEN(DASHES));
	return EST_OK;
}

static bool label_is(struct est_span label, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (est_span_eq(label, est_span_str(names[i])))
			return true;
	return false;
}

struct pem_body {
	struct est_buf der; /* of all blocks, one after the other */
	size_t ends[EST_CERTS_MAX];
	size_t n;
	bool certificates; /* else one CMS message */
};

static enum est_code pem_add(struct pem_body *pem, struct est_span label, struct est_span text,
	struct est_quirks *quirks, struct est_error *err)
{
	static const char *const cms[] = { "PKCS7", "CMS", "PKCS #7 SIGNED DATA",
		"CERTIFICATE CHAIN" };
	static const char *const certificate[] = { "CERTIFICATE", "X509 CERTIFICATE" };
	bool is_certificate = label_is(label, certificate, 2);
	char shown[LABEL_MAX + 1];
	size_t start = pem->der.n;
	enum est_code rc;

	if (!is_certificate && !label_is(label, cms, 4))
		return est_fail(err, EST_E_PROTOCOL,
			BODY ": PEM block \"%s\" is neither PKCS7 nor CERTIFICATE",
			est_escape(shown, sizeof(shown), label));
	if (pem->n > 0 && (!is_certificate || !pem->certificates))
		return est_fail(err, EST_E_PROTOCOL,
			BODY ": more than one PEM block, and not all are certificates");
	if (pem->n == EST_CERTS_MAX)
		return est_fail(err, EST_E_PROTOCOL, BODY ": more than %d certificates",
			EST_CERTS_MAX);
	rc = base64_decode(text, BODY, quirks, &pem->der, err);
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
	struct est_span label, text;
	struct pem_body *pem = NULL;
	enum est_code rc;
	bool found;

	rc = quirk_note(quirks, EST_Q_PEM, BODY, err);
	if (rc != EST_OK)
		return rc;
	pem = calloc(1, sizeof(*pem));
	if (!pem)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	for (;;) {
		rc = pem_next(&in, &label, &text, &found, err);
		if (rc != EST_OK || !found)
			break;
		rc = pem_add(pem, label, text, quirks, err);
		if (rc != EST_OK)
			break;
	}
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
	size_t at;

	if (body.n >= sizeof(bom) && memcmp(body.p, bom, sizeof(bom)) == 0) {
		rc = quirk_note(quirks, EST_Q_BOM, BODY, err);
		if (rc != EST_OK)
			return rc;
		body = after(body, sizeof(bom));
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
	if (find(text, BEGIN, LEN(BEGIN), &at))
		return pem_der(text, quirks, der, err);
	return base64_der(text, quirks, der, err);
}

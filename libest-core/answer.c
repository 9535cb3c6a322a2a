/* SPDX-License-Identifier: MIT */
/* What a response means: its status, its media type, the server's words. */
#include "exchange.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cmc_status.h"
#include "http_lex.h"
#include "quirk.h"

/* RFC 7030 section 4.2.3: a failure may come with a PKI Response. */
static enum est_code pkcs7_words(struct est_span body, struct est_buf *out, struct est_error *err)
{
	const char *name = "something that is no CMS message";
	struct est_quirks quirks = { 0 };
	struct est_buf der = { 0 }, status = { 0 };
	struct est_error ignored;
	enum est_code rc = EST_OK;

	if (est_body_decode(body, &quirks, &der, &ignored) == EST_OK) {
		if (cmc_is_response(est_buf_span(&der)))
			name = "a Full PKI Response (CMC)";
		else if (est_file_kind(est_buf_span(&der), NULL) == EST_FILE_SIGNED_DATA)
			name = "a Simple PKI Response (certificates only)";
		rc = cmc_status_text(est_buf_span(&der), &status, err);
	}
	if (rc == EST_OK)
		rc = est_buf_printf(out, err, "; the body is %s%s%.*s", name,
			status.n > 0 ? ": " : "", (int)status.n,
			status.n > 0 ? (const char *)status.p : "");
	est_buf_free(&status);
	est_buf_free(&der);
	return rc;
}

static bool ends_with(struct est_span text, const char *end)
{
	size_t n = strlen(end);

	return text.n >= n && strncasecmp((const char *)text.p + text.n - n, end, n) == 0;
}

/* "; the server says: ..." from a body that is text, escaped and cut: tags of HTML and members of
 * JSON as they are, for nothing of a refusal is interpreted.  What a PKCS #7 body is; of other
 * bodies nothing. */
static enum est_code server_words(const struct http_response *response, struct est_buf *out,
	struct est_error *err)
{
	struct est_span text = est_buf_span(&response->body), value;
	struct http_media_type media;
	enum est_code rc;

	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	if (text.n == 0)
		return EST_OK;
	if (http_field(response, "Content-Type", 0, &value) && http_media_type(value, &media) &&
		media.type.n == strlen("application") && !ends_with(media.subtype, "json") &&
		!ends_with(media.subtype, "xml")) {
		if (!http_media_is(&media, "application", "pkcs7-mime"))
			return EST_OK; /* not for reading */
		return pkcs7_words(est_buf_span(&response->body), out, err);
	}
	rc = est_buf_append(out, est_span_str("; the server says: "), err);
	return rc == EST_OK ? est_buf_escape(out, text, EST_ERROR_TEXT_MAX, err) : rc;
}

static enum est_code status_class(int status)
{
	if (status == 202)
		return EST_E_PENDING;
	if (status == 401 || status == 403)
		return EST_E_AUTH;
	if (status == 429 || (status >= 500 && status != 501))
		return EST_E_SERVER;
	return EST_E_REFUSED;
}

static enum est_code fail_redirect(const struct operation *op, const struct http_response *response,
	struct est_error *err)
{
	char shown[300] = "nowhere";
	struct est_span where;

	if (http_field(response, "Location", 0, &where))
		est_escape(shown, sizeof(shown), where);
	est_fail(err, EST_E_REFUSED, "%s: the server redirects (%d) to %s", op->name,
		response->status, shown);
	return est_reason(err, "redirect");
}

static void status_hint(const struct est_client *c, const struct operation *op,
	const struct http_response *response, struct est_error *err)
{
	switch (response->status) {
	case 401:
		auth_hint(c, response, err);
		break;
	case 403:
		if (!c->config.cert_file)
			est_hint(err, "it may want a client certificate: --cert FILE --key FILE");
		break;
	case 404:
		if (op != &operation_csrattrs)
			est_hint(err, "no EST server there, or a wrong label (--label)");
		break;
	default:
		break;
	}
}

enum est_code client_status(struct est_client *c, const struct operation *op,
	const struct http_response *response, struct est_error *err)
{
	enum est_code code = status_class(response->status);
	struct est_buf words = { 0 };
	enum est_code rc;
	int64_t retry;

	if (response->status == 200)
		return EST_OK;
	if (response->status == 201 && op->content_type)
		return quirk_note(&c->quirks, EST_Q_STATUS_201, op->name, err);
	if (response->status == 202 && !op->content_type)
		code = EST_E_REFUSED; /* RFC 7030 section 4.1.3: only 200 is success */
	retry = http_retry_after(response, time(NULL));
	if (code == EST_E_PENDING && retry < 0) {
		rc = quirk_note(&c->quirks, EST_Q_NO_RETRY_AFTER, op->name, err);
		if (rc != EST_OK)
			return rc;
	}
	rc = server_words(response, &words, err);
	if (rc == EST_OK && response->status >= 300 && response->status < 400)
		code = fail_redirect(op, response, err);
	else if (rc == EST_OK)
		est_fail(err, code, "%s: the server answered %d%s%.*s", op->name, response->status,
			code == EST_E_PENDING ? ", accepted but not issued yet" : "", (int)words.n,
			words.p ? (const char *)words.p : "");
	est_buf_free(&words);
	if (rc != EST_OK)
		return rc;
	status_hint(c, op, response, err);
	err->http_status = response->status;
	if (code == EST_E_PENDING || code == EST_E_SERVER)
		err->retry_after_s = retry;
	if (code == EST_E_PENDING && retry >= 0)
		est_hint(err, "run the same command again after %lld s", (long long)retry);
	return code;
}

/* Types that servers send in place of the right one, for bodies that parse (H-01). */
static bool near_miss(const struct http_media_type *media)
{
	static const char *const types[][2] = {
		{ "application", "pkcs7-mime" },
		{ "application", "x-pkcs7-mime" },
		{ "application", "x-pkcs7-certificates" },
		{ "application", "pkcs7-certificates" },
		{ "application", "pkix-cert" },
		{ "application", "x-x509-ca-cert" },
		{ "application", "x-pem-file" },
		{ "application", "csrattrs" },
		{ "application", "octet-stream" },
		{ "text", "plain" },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (http_media_is(media, types[i][0], types[i][1]))
			return true;
	}
	return false;
}

/* certs-only, or a value that promises something else (R7030-3.2.4-02). */
static enum est_code check_smime_type(struct est_client *c, const struct operation *op,
	struct est_span smime_type, struct est_error *err)
{
	char shown[80];

	if (smime_type.n == 0 && op->content_type)
		return quirk_note(&c->quirks, EST_Q_SMIME_TYPE, op->name, err);
	if (smime_type.n == 0 || http_is(smime_type, "certs-only"))
		return EST_OK;
	if (!http_is(smime_type, "CMC-response") && !http_is(smime_type, "server-generated-key"))
		return quirk_note(&c->quirks, EST_Q_SMIME_TYPE, op->name, err);
	est_escape(shown, sizeof(shown), smime_type);
	return est_fail(err, EST_E_PROTOCOL,
		"%s: smime-type is %s, not certs-only "
		"(RFC 7030 section 4.2.3)",
		op->name, shown);
}

static enum est_code check_media_type(struct est_client *c, const struct operation *op,
	const struct http_response *response, struct est_error *err)
{
	struct http_media_type media;
	struct est_span value;
	char shown[120];

	if (!http_field(response, "Content-Type", 0, &value))
		return est_fail(err, EST_E_PROTOCOL,
			"%s: a response without Content-Type, not %s (RFC 7030 section 3.2.4)",
			op->name, op->accept);
	est_escape(shown, sizeof(shown), value);
	if (!http_media_type(value, &media))
		return est_fail(err, EST_E_PROTOCOL, "%s: malformed Content-Type \"%s\"", op->name,
			shown);
	if (http_media_is(&media, "application", strchr(op->accept, '/') + 1))
		return op == &operation_csrattrs ? EST_OK
						 : check_smime_type(c, op, media.smime_type, err);
	if (near_miss(&media))
		return quirk_note(&c->quirks, EST_Q_MEDIA_TYPE, op->name, err);
	est_fail(err, EST_E_PROTOCOL, "%s: Content-Type is %s, not %s (RFC 7030 section 3.2.4)",
		op->name, shown, op->accept);
	if (http_media_is(&media, "text", "html"))
		est_hint(err, "a web page: is this an EST server, or a portal in between?");
	return EST_E_PROTOCOL;
}

enum est_code client_body(struct est_client *c, const struct operation *op,
	const struct http_response *response, struct est_buf *der, struct est_error *err)
{
	enum est_code rc;

	rc = check_media_type(c, op, response, err);
	return rc == EST_OK ? est_body_decode(est_buf_span(&response->body), &c->quirks, der, err)
			    : rc;
}

enum est_code client_certs(struct est_client *c, const struct operation *op,
	const struct http_response *response, struct est_certs **out, struct est_error *err)
{
	struct est_buf der = { 0 };
	enum est_code rc = client_status(c, op, response, err);

	if (rc == EST_OK)
		rc = client_body(c, op, response, &der, err);
	if (rc == EST_OK)
		rc = est_certs_decode(est_buf_span(&der), &c->quirks, out, err);
	est_buf_free(&der);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Writes a request, feeds the parser with what comes back. */
#include "http.h"

#include <stdlib.h>

#include "http_lex.h"
#include "quirk.h"

#define RECORD_MAX 16384 /* plaintext of one TLS record */

/* One buffer, so that small requests are one record and one segment. */
static enum est_code request_text(const struct http_request *r, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc;

	rc = est_buf_printf(out, err,
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: est/" EST_VERSION
		"\r\nAccept: %s\r\nAccept-Encoding: identity\r\n",
		r->method, r->target, r->host, r->accept);
	if (rc == EST_OK && r->authorization.n)
		rc = http_put_field(out, "Authorization", r->authorization, err);
	if (rc == EST_OK && r->content_type && r->base64_field)
		rc = http_put_field(out, "Content-Transfer-Encoding", est_span_str("base64"), err);
	if (rc == EST_OK && r->content_type)
		rc = est_buf_printf(out, err, "Content-Type: %s\r\nContent-Length: %zu\r\n",
			r->content_type, r->body.n);
	if (rc == EST_OK)
		rc = est_buf_append(out, est_span_str("\r\n"), err);
	return rc == EST_OK ? est_buf_append(out, r->body, err) : rc;
}

static enum est_code read_response(struct session *session, struct http_parser *parser,
	const struct deadline *deadline, struct est_error *err)
{
	uint8_t block[RECORD_MAX];
	struct est_span in;
	enum est_code rc;
	bool clean;
	size_t n;

	while (!http_parser_done(parser)) {
		/* A server that never pauses would not meet the poll that keeps the time. */
		if (deadline_left_ms(deadline) == 0)
			return est_fail(err, EST_E_TIMEOUT,
				"timed out while reading the server's answer");
		rc = session_recv(session, block, sizeof(block), &n, &clean, deadline, err);
		if (rc != EST_OK)
			return rc;
		if (n == 0) {
			rc = http_parser_eof(parser, clean, err);
			if (rc == EST_E_NETWORK)
				session_hint_cert(session, err);
			return rc;
		}
		in = (struct est_span){ block, n };
		rc = http_parser_feed(parser, &in, err);
		if (rc != EST_OK)
			return rc;
		if (in.n > 0) { /* H-17: not ours, and the connection is of no more use */
			parser->response->reusable = false;
			return quirk_note(parser->quirks, EST_Q_EXTRA_BYTES, "response", err);
		}
	}
	return EST_OK;
}

static enum est_code exchange(struct session *session, const struct http_request *request,
	const struct http_limits *limits, const struct deadline *deadline,
	struct http_response *out, bool *silent, struct est_error *err)
{
	struct http_parser parser;
	struct est_buf text = { 0 };
	enum est_code rc;

	http_parser_init(&parser, out, limits->max_body, limits->quirks);
	rc = request_text(request, &text, err);
	if (rc == EST_OK)
		rc = session_send(session, est_buf_span(&text), deadline, err);
	est_buf_free(&text); /* held the Authorization field */
	if (rc == EST_OK)
		rc = read_response(session, &parser, deadline, err);
	if (silent)
		*silent = rc == EST_E_NETWORK && !parser.seen_any;
	http_parser_wipe(&parser);
	return rc;
}

enum est_code http_exchange(struct session *session, const struct authz *authz,
	const struct http_request *request, const struct http_limits *limits,
	const struct deadline *deadline, struct http_response *out, bool *silent,
	struct est_error *err)
{
	if (!authz || authz != session_authz(session))
		return est_fail(err, EST_E_INTERNAL, "no authorisation for this session");
	return exchange(session, request, limits, deadline, out, silent, err);
}

enum est_code http_provisional_cacerts(struct provisional *provisional, const struct url *url,
	const struct http_limits *limits, const struct deadline *deadline,
	struct http_response *out, struct est_error *err)
{
	struct http_request request = {
		.method = "GET",
		.host = url->authority,
		.accept = "application/pkcs7-mime",
	};
	char *target = NULL;
	enum est_code rc;

	rc = url_target(url, "cacerts", &target, err);
	request.target = target;
	if (rc == EST_OK)
		rc = exchange(provisional_transport(provisional), &request, limits, deadline, out,
			NULL, err);
	free(target);
	return rc;
}

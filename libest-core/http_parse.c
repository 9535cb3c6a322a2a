/* SPDX-License-Identifier: MIT */
/* The response parser: one state machine, one line or one run of body bytes per step. */
#include "http_parse.h"

#include <string.h>

#include "der.h"
#include "http_framing.h"
#include "http_lex.h"
#include "quirk.h"
#include "span.h"

void http_parser_init(struct http_parser *parser, struct http_response *response, size_t max_body,
	struct est_quirks *quirks)
{
	*parser = (struct http_parser){
		.response = response,
		.quirks = quirks,
		.max_body = max_body,
		.state = HTTP_STATUS_LINE,
	};
}

void http_parser_wipe(struct http_parser *parser)
{
	*parser = (struct http_parser){ 0 };
}

void http_response_wipe(struct http_response *response)
{
	est_buf_free(&response->head);
	est_buf_free(&response->body); /* may be a private key */
	*response = (struct http_response){ 0 };
}

static struct est_span take(struct est_span *in, size_t n)
{
	struct est_span out = { in->p, n };

	in->p += n;
	in->n -= n;
	return out;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Gathers bytes behind the head until a line is complete, at most limit of them. */
static enum est_code line_gather(struct http_parser *parser, struct est_span *in, size_t limit,
	const char *what, bool *complete, struct est_error *err)
{
	struct est_buf *head = &parser->response->head;
	size_t have = head->n - parser->line_start;
	size_t n = limit > have ? limit - have : 0;
	const uint8_t *lf;
	enum est_code rc;

	if (n > in->n)
		n = in->n;
	lf = n > 0 ? memchr(in->p, '\n', n) : NULL;
	if (lf)
		n = (size_t)(lf - in->p) + 1;
	rc = est_buf_append(head, take(in, n), err);
	if (rc != EST_OK)
		return rc;
	*complete = lf != NULL;
	if (lf || have + n < limit)
		return EST_OK;
	est_fail(err, EST_E_PROTOCOL, "HTTP response: %s", what);
	return est_reason(err, "too-large");
}

/* The complete line without its end.  In chunked framing CRLF is mandatory: an LF that one party
 * takes for a line end and another does not is how responses are smuggled (H-11, H-16). */
static enum est_code line_text(struct http_parser *parser, bool chunked, struct est_span *line,
	struct est_error *err)
{
	struct est_buf *head = &parser->response->head;
	struct est_span in = { head->p + parser->line_start, head->n - parser->line_start - 1 };
	enum est_code rc;

	if (in.n > 0 && in.p[in.n - 1] == '\r') {
		in.n--;
	} else if (chunked) {
		return est_fail(err, EST_E_PROTOCOL,
			"HTTP response: a line of the chunked coding does not end in CRLF "
			"(RFC 9112 section 7.1)");
	} else {
		rc = quirk_note(parser->quirks, EST_Q_BARE_LF, "HTTP response", err);
		if (rc != EST_OK)
			return rc;
	}
	for (size_t i = 0; i < in.n; i++)
		if ((in.p[i] < ' ' && in.p[i] != '\t') || in.p[i] == 0x7f)
			return est_fail(err, EST_E_PROTOCOL,
				"HTTP response: control byte 0x%02x in the %s (RFC 9110 section "
				"5.5)",
				in.p[i], chunked ? "chunked coding" : "header section");
	*line = in;
	return EST_OK;
}

/* The next line of the head or the trailer section, with the limits of both. */
static enum est_code section_line(struct http_parser *parser, struct est_span *in,
	size_t section_max, struct est_span *line, bool *complete, struct est_error *err)
{
	size_t left = section_max - parser->section_bytes;
	bool trailer = parser->state == HTTP_TRAILER;
	enum est_code rc;

	if (left < HTTP_LINE_MAX)
		rc = line_gather(parser, in, left,
			trailer ? "trailer section larger than 8 KiB"
				: "header section larger than 64 KiB",
			complete, err);
	else
		rc = line_gather(parser, in, HTTP_LINE_MAX, "header line longer than 8 KiB",
			complete, err);
	if (rc != EST_OK || !*complete)
		return rc;
	parser->section_bytes += parser->response->head.n - parser->line_start;
	return line_text(parser, trailer, line, err);
}

/* ---- Head ------------------------------------------------------------------------------------ */

/* "HTTP/1.1 200 OK"; the phrase means nothing (H-10). */
static enum est_code status_line(struct http_parser *parser, struct est_span line,
	struct est_error *err)
{
	const uint8_t *p = line.p;
	char shown[80];
	int minor, status;

	if (line.n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') ||
		p[8] != ' ')
		return est_fail(err, EST_E_PROTOCOL,
			"not an HTTP/1.1 response: it begins with \"%s\" (RFC 9112 section 4)",
			est_escape(shown, sizeof(shown), line));
	minor = p[7] - '0';
	status = 0;
	for (size_t i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			status = -1;
		else if (status >= 0)
			status = status * 10 + (p[i] - '0');
	}
	/* 600 and more are not valid either, but RFC 9110 section 15 has the client treat them as
	 * a server error; a number below 100 is no status in any reading. */
	if (status < 100 || (line.n > 12 && p[12] != ' '))
		return est_fail(err, EST_E_PROTOCOL,
			"HTTP status line without a three-digit code: \"%s\" (RFC 9112 section 4)",
			est_escape(shown, sizeof(shown), line));
	if (status == 101)
		return est_fail(err, EST_E_PROTOCOL,
			"HTTP status 101: the server switches to a protocol nobody asked for "
			"(RFC 9110 section 15.2.2)");
	if (status < 200 && ++parser->interim > HTTP_INTERIM_MAX)
		return est_fail(err, EST_E_PROTOCOL, "more than %d interim (1xx) HTTP responses",
			HTTP_INTERIM_MAX);
	parser->status = status;
	if (status >= 200) {
		parser->response->status = status;
		parser->response->minor = minor;
	}
	parser->state = HTTP_FIELD_LINE;
	if (line.n > 12)
		return EST_OK;
	return quirk_note(parser->quirks, EST_Q_NO_REASON, "HTTP response", err);
}

/* One field line, split at the colon; offsets count from the start of the head (H-12). */
static enum est_code field_line(const struct http_response *response, struct est_span line,
	struct http_field *out, struct est_error *err)
{
	struct est_span rest = line, name, value;
	char shown[80];

	if (!http_token(&rest, &name) || !http_skip_char(&rest, ':'))
		return est_fail(err, EST_E_PROTOCOL,
			"HTTP header line is not \"name: value\": \"%s\" (RFC 9112 section 5)",
			est_escape(shown, sizeof(shown), line));
	value = http_trim(rest);
	*out = (struct http_field){
		.name = (uint32_t)(name.p - response->head.p),
		.name_len = (uint32_t)name.n,
		.value = (uint32_t)(value.p - response->head.p),
		.value_len = (uint32_t)value.n,
	};
	return EST_OK;
}

/* Joins a continuation line to the value before it by one SP (RFC 9112 section 5.2).  Where the
 * value decides about framing, redirection or credentials, two readings are not tolerated (H-13).
 * The joined text never reaches beyond the line it came from. */
static enum est_code fold(struct http_parser *parser, struct est_span line, struct est_error *err)
{
	static const char *const strict[] = { "Content-Length", "Transfer-Encoding", "Location",
		"WWW-Authenticate", "Proxy-Authenticate" };
	struct http_response *response = parser->response;
	struct http_field *field;
	struct est_span name;
	enum est_code rc;
	uint8_t *end;

	if (response->n_fields == 0)
		return est_fail(err, EST_E_PROTOCOL,
			"HTTP response: white space before the first header line "
			"(RFC 9112 section 2.2)");
	field = &response->fields[response->n_fields - 1];
	name = (struct est_span){ response->head.p + field->name, field->name_len };
	for (size_t i = 0; i < sizeof(strict) / sizeof(strict[0]); i++)
		if (http_is(name, strict[i]))
			return est_fail(err, EST_E_PROTOCOL,
				"HTTP response: folded %s field (RFC 9112 section 5.2)", strict[i]);
	rc = quirk_note(parser->quirks, EST_Q_OBS_FOLD, "HTTP response", err);
	if (rc != EST_OK)
		return rc;
	line = http_trim(line);
	end = response->head.p + field->value + field->value_len;
	if (line.n > 0) {
		if (field->value_len > 0)
			*end++ = ' ';
		memmove(end, line.p, line.n);
		end += line.n;
		field->value_len = (uint32_t)(end - response->head.p) - field->value;
	}
	response->head.n = line.n > 0 ? (size_t)(end - response->head.p) : parser->line_start;
	return EST_OK;
}

static bool is_success(const struct http_parser *parser)
{
	return parser->status / 100 == 2;
}

static enum est_code too_large(const struct http_parser *parser, struct est_error *err)
{
	est_fail(err, EST_E_PROTOCOL, "HTTP response body is larger than %zu bytes (--max-size)",
		parser->max_body);
	est_hint(err, "if the server is right to send that much, raise --max-size");
	return est_reason(err, "too-large");
}

/* The empty line has come: how long is the body? */
static enum est_code body_begin(struct http_parser *parser, struct est_error *err)
{
	struct http_response *response = parser->response;
	struct http_framing framing;
	enum est_code rc;

	rc = http_framing(response, &framing, err);
	if (rc != EST_OK)
		return rc;
	response->reusable = framing.reusable;
	parser->remaining = framing.length;
	switch (framing.kind) {
	case HTTP_FRAMING_NONE:
		parser->state = HTTP_DONE;
		break;
	case HTTP_FRAMING_CHUNKED:
		parser->state = HTTP_CHUNK_SIZE;
		break;
	case HTTP_FRAMING_CLOSE:
		parser->state = HTTP_BODY_CLOSE;
		break;
	case HTTP_FRAMING_LENGTH:
		if (is_success(parser) && framing.length > parser->max_body)
			return too_large(parser, err);
		parser->state = framing.length > 0 ? HTTP_BODY_LENGTH : HTTP_DONE;
		break;
	}
	return EST_OK;
}

static enum est_code head_end(struct http_parser *parser, struct est_error *err)
{
	struct http_response *response = parser->response;

	if (parser->status >= 200 && parser->head_only) {
		/* RFC 9110 section 9.3.6: whatever fields say, what follows is the tunnel. */
		parser->state = HTTP_DONE;
		return EST_OK;
	}
	if (parser->status >= 200)
		return body_begin(parser, err);
	/* An interim response: forget it (H-21). */
	response->head.n = 0;
	response->n_fields = 0;
	parser->line_start = 0;
	parser->section_bytes = 0;
	parser->state = HTTP_STATUS_LINE;
	return EST_OK;
}

static enum est_code head_step(struct http_parser *parser, struct est_span *in,
	struct est_error *err)
{
	struct http_response *response = parser->response;
	struct est_span line;
	enum est_code rc;
	bool complete;

	rc = section_line(parser, in, HTTP_HEAD_MAX, &line, &complete, err);
	if (rc != EST_OK || !complete)
		return rc;
	if (parser->state == HTTP_STATUS_LINE) {
		rc = status_line(parser, line, err);
	} else if (line.n == 0) {
		parser->line_start = response->head.n;
		return head_end(parser, err);
	} else if (line.p[0] == ' ' || line.p[0] == '\t') {
		rc = fold(parser, line, err);
	} else if (response->n_fields == HTTP_FIELDS_MAX) {
		est_fail(err, EST_E_PROTOCOL, "HTTP response: more than %d header fields",
			HTTP_FIELDS_MAX);
		rc = est_reason(err, "too-large");
	} else {
		rc = field_line(response, line, &response->fields[response->n_fields], err);
		if (rc == EST_OK)
			response->n_fields++;
	}
	parser->line_start = response->head.n;
	return rc;
}

/* ---- Body ------------------------------------------------------------------------------------ */

static size_t body_room(const struct http_parser *parser)
{
	size_t max = is_success(parser) ? parser->max_body : EST_ERROR_BODY_MAX;

	return max - parser->response->body.n;
}

/* Enough of the text of an error; what follows is not read, so the connection is of no use. */
static void body_cut(struct http_parser *parser, struct est_span *in)
{
	take(in, in->n);
	parser->response->reusable = false;
	parser->state = HTTP_DONE;
}

/* Content-Length or one chunk: parser->remaining bytes, which fit when it is a success. */
static enum est_code counted_step(struct http_parser *parser, struct est_span *in,
	enum http_state next, struct est_error *err)
{
	size_t n = body_room(parser);
	enum est_code rc;

	if (n > in->n)
		n = in->n;
	if (n > parser->remaining)
		n = (size_t)parser->remaining;
	rc = est_buf_append(&parser->response->body, take(in, n), err);
	if (rc != EST_OK)
		return rc;
	parser->remaining -= n;
	if (parser->remaining == 0)
		parser->state = next;
	else if (body_room(parser) == 0)
		body_cut(parser, in);
	return EST_OK;
}

static enum est_code close_step(struct http_parser *parser, struct est_span *in,
	struct est_error *err)
{
	size_t room = body_room(parser);
	bool more = in->n > room;
	enum est_code rc;

	if (more && is_success(parser))
		return too_large(parser, err);
	rc = est_buf_append(&parser->response->body, take(in, more ? room : in->n), err);
	if (rc == EST_OK && more)
		body_cut(parser, in);
	return rc;
}

/* chunk-size [ chunk-ext ], RFC 9112 section 7.1; extensions are bounded and ignored (H-16). */
static bool chunk_size(struct est_span line, uint64_t *out)
{
	uint64_t size = 0;
	size_t n = 0;

	while (n < line.n && http_hex(line.p[n]) >= 0) {
		if (n == 15)
			return false; /* so that 60 bits hold it */
		size = size << 4 | (unsigned)http_hex(line.p[n++]);
	}
	if (n == 0)
		return false;
	line = span_after(line, n);
	if (line.n > 0) {
		http_skip_blanks(&line);
		if (line.n == 0 || line.p[0] != ';')
			return false;
	}
	*out = size;
	return true;
}

static enum est_code chunk_size_step(struct http_parser *parser, struct est_span *in,
	struct est_error *err)
{
	struct est_span line;
	enum est_code rc;
	bool complete;
	char shown[40];

	rc = line_gather(parser, in, HTTP_CHUNK_LINE_MAX, "chunk-size line longer than 256 bytes",
		&complete, err);
	if (rc != EST_OK || !complete)
		return rc;
	rc = line_text(parser, true, &line, err);
	if (rc != EST_OK)
		return rc;
	if (!chunk_size(line, &parser->remaining))
		return est_fail(err, EST_E_PROTOCOL,
			"HTTP response: chunk size is \"%s\", not 1 to 15 hexadecimal digits "
			"(RFC 9112 section 7.1)",
			est_escape(shown, sizeof(shown), line));
	parser->response->head.n = parser->line_start;
	parser->state = HTTP_CHUNK_DATA;
	if (parser->remaining == 0) {
		parser->section_bytes = 0;
		parser->state = HTTP_TRAILER;
	} else if (is_success(parser) && parser->remaining > body_room(parser)) {
		return too_large(parser, err);
	} else if (body_room(parser) == 0) {
		body_cut(parser, in);
	}
	return EST_OK;
}

static enum est_code chunk_end_step(struct http_parser *parser, struct est_span *in,
	struct est_error *err)
{
	struct est_span line;
	enum est_code rc;
	bool complete;

	rc = line_gather(parser, in, 2, "chunk data longer than its size (RFC 9112 section 7.1)",
		&complete, err);
	if (rc == EST_E_PROTOCOL)
		return est_reason(err, NULL); /* no limit was passed, the framing is wrong */
	if (rc != EST_OK || !complete)
		return rc;
	rc = line_text(parser, true, &line, err);
	parser->response->head.n = parser->line_start;
	parser->state = HTTP_CHUNK_SIZE;
	return rc;
}

/* Checked as header lines are, then dropped: merged into the header they could change what was
 * decided already.  Nobody folds a trailer, so that is an error here. */
static enum est_code trailer_step(struct http_parser *parser, struct est_span *in,
	struct est_error *err)
{
	struct http_field field;
	struct est_span line;
	enum est_code rc;
	bool complete;

	rc = section_line(parser, in, HTTP_TRAILER_MAX, &line, &complete, err);
	if (rc != EST_OK || !complete)
		return rc;
	if (line.n == 0)
		parser->state = HTTP_DONE;
	else
		rc = field_line(parser->response, line, &field, err);
	parser->response->head.n = parser->line_start;
	return rc;
}

enum est_code http_parser_feed(struct http_parser *parser, struct est_span *in,
	struct est_error *err)
{
	enum est_code rc = EST_OK;

	while (rc == EST_OK && in->n > 0 && parser->state != HTTP_DONE) {
		parser->seen_any = true;
		switch (parser->state) {
		case HTTP_STATUS_LINE:
		case HTTP_FIELD_LINE:
			rc = head_step(parser, in, err);
			break;
		case HTTP_BODY_LENGTH:
			rc = counted_step(parser, in, HTTP_DONE, err);
			break;
		case HTTP_BODY_CLOSE:
			rc = close_step(parser, in, err);
			break;
		case HTTP_CHUNK_SIZE:
			rc = chunk_size_step(parser, in, err);
			break;
		case HTTP_CHUNK_DATA:
			rc = counted_step(parser, in, HTTP_CHUNK_END, err);
			break;
		case HTTP_CHUNK_END:
			rc = chunk_end_step(parser, in, err);
			break;
		case HTTP_TRAILER:
			rc = trailer_step(parser, in, err);
			break;
		case HTTP_DONE:
			break;
		}
	}
	return rc;
}

/* ---- End of the connection ------------------------------------------------------------------- */

/* Whether the body says itself that it is whole: one DER value or its base64.  PEM does not: a
 * chain may have been cut between two certificates. */
static bool self_delimited(const struct http_response *response)
{
	struct est_quirks quirks = { 0 };
	struct est_error ignored = { 0 };
	struct est_buf der = { 0 };
	struct der_tlv tlv;
	struct est_span rest;
	bool whole = false;

	if (est_body_decode(est_buf_span(&response->body), &quirks, &der, &ignored) == EST_OK) {
		rest = est_buf_span(&der);
		whole = !(quirks.seen & 1u << EST_Q_PEM) && ber_next(&rest, &tlv) && rest.n == 0;
	}
	est_buf_free(&der);
	return whole;
}

enum est_code http_parser_eof(struct http_parser *parser, bool clean, struct est_error *err)
{
	struct http_response *response = parser->response;
	enum est_code rc;

	if (parser->state == HTTP_DONE)
		return EST_OK;
	if (!parser->seen_any)
		return est_fail(err, EST_E_NETWORK, "connection closed before any response");
	if (parser->state == HTTP_BODY_CLOSE &&
		(clean || !is_success(parser) || self_delimited(response))) {
		/* What an error says in words decides nothing, so its end need not be proved. */
		rc = clean ? EST_OK
			   : quirk_note(parser->quirks, EST_Q_NO_CLOSE_NOTIFY, "HTTP response",
				     err);
		if (rc == EST_OK)
			parser->state = HTTP_DONE;
		return rc;
	}
	if (parser->state == HTTP_BODY_CLOSE)
		est_fail(err, EST_E_PROTOCOL,
			"HTTP response truncated: the connection ended without close_notify after "
			"%zu bytes of a body without a length (RFC 9112 section 9.8)",
			response->body.n);
	else if (parser->state == HTTP_BODY_LENGTH)
		est_fail(err, EST_E_PROTOCOL,
			"HTTP response truncated: connection closed after %zu of %llu bytes "
			"(RFC 9112 section 8)",
			response->body.n,
			(unsigned long long)response->body.n +
				(unsigned long long)parser->remaining);
	else
		est_fail(err, EST_E_PROTOCOL,
			"HTTP response truncated: connection closed %s (RFC 9112 section 8)",
			parser->state == HTTP_STATUS_LINE || parser->state == HTTP_FIELD_LINE
				? "in the header section"
				: "before the last chunk");
	return est_reason(err, "truncated");
}

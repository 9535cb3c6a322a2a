/* SPDX-License-Identifier: MIT */
/* What holds other files: PKCS #12, mail and HTTP responses with their header fields. */
#include "objects.h"

#include <string.h>

#include "der.h"
#include "file_kind.h"
#include "p12_open.h"
#include "pem.h"
#include "quirk.h"
#include "span.h"

#define NEST_MAX 8 /* of messages in messages */

static enum est_code p12_object(void *ctx, const struct est_object *item)
{
	struct walk *walk = ctx;
	struct est_object object = *item;

	object.index = ++walk->index;
	object.offset = walk->offset;
	return walk->fn(walk->ctx, &object, walk->err);
}

/* The error of the callback, which went into walk->err, is told from one of the file's by it. */
static enum est_code walk_p12(struct walk *walk, struct est_span der)
{
	struct est_error why = { 0 };
	enum est_code rc;

	*walk->err = (struct est_error){ 0 };
	rc = p12_open(der, walk->reading->password, p12_object, walk, &why);
	if (rc == EST_OK || walk->err->code != EST_OK)
		return rc;
	return walk_emit_broken(walk, EST_FILE_PKCS12, 0, &why);
}

/* ---- Multiparts --------------------------------------------------------------------------------
 */

/* Sets *at to the end of the line of the next delimiter; *more is false when there is none, or it
 * is the last one. */
static enum est_code next_part(struct walk *walk, const struct wrapped_boundary *boundary,
	size_t *at, bool *more)
{
	struct source *s = walk->source;
	const size_t hold = boundary->n + 1;
	struct est_span in;
	const uint8_t *end;
	size_t n = 0;

	for (;;) { /* the text before it is nobody's */
		if (source_fill(s, *at + hold + 1, walk->err) != EST_OK)
			return walk->err->code;
		in = (struct est_span){ s->p + *at, s->filled - *at };
		n = wrapped_delimiter(in, boundary);
		if (n < in.n || s->end)
			break;
		*at += in.n - hold;
		source_forget(s, *at);
	}
	*more = n < in.n;
	if (!*more)
		return EST_OK;
	*at += n + boundary->n;
	for (n = 80;; n *= 2) { /* its line */
		if (source_fill(s, *at + n, walk->err) != EST_OK)
			return walk->err->code;
		in = (struct est_span){ s->p + *at, s->filled - *at };
		end = in.n > 0 ? memchr(in.p, '\n', in.n) : NULL;
		if (end || s->end)
			break;
	}
	*more = end && (in.n < 2 || memcmp(in.p, "--", 2) != 0);
	*at += end ? (size_t)(end - in.p) : in.n; /* which may begin the next one's delimiter */
	return EST_OK;
}

static enum est_code walk_message(struct walk *walk, size_t at, const struct wrapped *message,
	unsigned depth);

/* The fields of a part behind a line end, which may be none, and what they are about. */
static enum est_code walk_part(struct walk *walk, struct source *part, unsigned depth)
{
	struct source *s = walk->source;
	struct wrapped inner = { 0 };
	struct est_span text;
	enum est_code rc = EST_OK;

	for (size_t want = part->part;; want *= 2) {
		if (source_fill(part, want, walk->err) != EST_OK)
			return walk->err->code;
		if (part->filled == 0)
			return EST_OK;
		text = (struct est_span){ part->p + 1, part->filled - 1 };
		if (wrapped_read(text, true, &inner))
			break;
		if (part->end || !wrapped_begins(text))
			return EST_OK; /* none of ours */
	}
	walk->offset += (size_t)(inner.body.p - part->p);
	walk->source = part;
	rc = walk_message(walk, (size_t)(inner.body.p - part->p), &inner, depth);
	walk->source = s;
	return rc;
}

/* What has been read to its end already needs no copy. */
static enum est_code open_part(struct walk *walk, size_t at,
	const struct wrapped_boundary *boundary, struct source *out)
{
	struct source *s = walk->source;
	struct est_span in = { s->p + at, s->filled - at };
	size_t n = wrapped_delimiter(in, boundary);

	if (n == in.n)
		return source_part(s, at, boundary, out, walk->err);
	in.n = n > 0 && in.p[n - 1] == '\r' ? n - 1 : n;
	*out = source_of(in);
	out->at = at + n;
	return EST_OK;
}

/* The parts of a multipart that hold something; the text between them is none of ours.  at: of the
 * line feed that may begin the first delimiter, the octet before the message's body. */
static enum est_code walk_parts(struct walk *walk, size_t at, struct est_span words, unsigned depth)
{
	const size_t offset = walk->offset - 1 - at, index = walk->index;
	struct wrapped_boundary boundary;
	struct est_error why = { 0 };
	struct source part;
	enum est_code rc;
	bool more = wrapped_boundary(words, &boundary);

	for (;;) {
		rc = more ? next_part(walk, &boundary, &at, &more) : EST_OK;
		if (rc != EST_OK || !more)
			break;
		rc = open_part(walk, at, &boundary, &part);
		if (rc != EST_OK)
			break;
		walk->offset = offset + at;
		rc = walk_part(walk, &part, depth);
		at = part.at;
		source_close(&part);
		source_forget(walk->source, at);
		why = rc != EST_OK ? *walk->err : why;
		if (rc == EST_E_INPUT && est_has_reason(&why, "other-kind"))
			rc = EST_OK; /* text, a picture */
		else if (rc == EST_E_INPUT || rc == EST_E_PROTOCOL)
			rc = walk_emit_broken(walk, EST_FILE_UNKNOWN, 0, &why);
		if (rc != EST_OK)
			break;
	}
	if (rc == EST_OK && walk->index == index) {
		est_fail(walk->err, EST_E_INPUT, "a multipart message without certificates%s%s",
			why.msg[0] ? ": the last part " : "", why.msg);
		est_reason(walk->err, "other-kind");
		return EST_E_INPUT;
	}
	return rc;
}

/* ---- HTTP --------------------------------------------------------------------------------------
 */

/* A response with one of EST's media types has base64 in it, and no other thing. */
static enum est_code note_encoding(struct walk *walk, struct est_span body)
{
	static const char what[] = "HTTP response";
	enum est_encoding encoding;
	enum est_code rc = EST_OK;

	if (body.n > SOURCE_PART)
		body.n = SOURCE_PART;
	if (est_file_kind(body, &encoding) == EST_FILE_CERT && encoding != EST_ENCODING_PEM)
		rc = quirk_note(walk->quirks, EST_Q_BARE_CERT, what, walk->err);
	if (rc == EST_OK && body.n > 1 && body.p[0] == DER_SEQUENCE &&
		(body.p[1] & 0x80 || file_kind_der(body) != EST_FILE_UNKNOWN))
		return quirk_note(walk->quirks, EST_Q_RAW_DER, what, walk->err);
	if (rc == EST_OK && pem_present(body))
		return quirk_note(walk->quirks, EST_Q_PEM, what, walk->err);
	return rc;
}

/* A body in chunks; where they break off, what is before is shown. */
static enum est_code walk_chunks(struct walk *walk, size_t at, bool est_type, unsigned depth)
{
	struct source *s = walk->source, chunks;
	struct est_error why;
	bool ended;
	enum est_code rc = source_chunks(s, at, &chunks, walk->err);

	if (rc != EST_OK)
		return rc;
	if (est_type)
		rc = note_encoding(walk, (struct est_span){ chunks.p, chunks.filled });
	if (rc == EST_OK) {
		walk->source = &chunks;
		rc = walk_source(walk, 0, depth);
		walk->source = s;
	}
	ended = rc == EST_OK || rc == EST_E_INPUT || rc == EST_E_PROTOCOL;
	if (rc == EST_OK)
		rc = source_fill(&chunks, SIZE_MAX, walk->err);
	if (ended && chunks.end && !chunks.last_chunk) { /* which explains what failed */
		est_fail(&why, EST_E_INPUT,
			"HTTP response: its chunks break off at offset %zu (RFC 9112 section 7.1)",
			chunks.at);
		rc = walk_emit_broken(walk, EST_FILE_WRAPPED, 0, &why);
	}
	source_close(&chunks);
	return rc;
}

/* What is behind the header fields. */
static enum est_code walk_message(struct walk *walk, size_t at, const struct wrapped *message,
	unsigned depth)
{
	struct source *s = walk->source;
	struct est_span body = { s->p + at, s->filled - at };
	enum est_code rc = EST_OK;

	if (depth == NEST_MAX)
		return est_fail(walk->err, EST_E_INPUT, "messages in messages, more than %d deep",
			NEST_MAX);
	if (message->boundary.n > 0) /* the line feed that ends the fields */
		return walk_parts(walk, at - 1, message->boundary, depth + 1);
	if (message->chunked && wrapped_in_chunks(body))
		return walk_chunks(walk, at, message->est_type, depth + 1);
	if (message->est_type)
		rc = note_encoding(walk, body);
	return rc == EST_OK ? walk_source(walk, at, depth + 1) : rc;
}

static enum est_code walk_wrapped(struct walk *walk, size_t at, unsigned depth)
{
	struct source *s = walk->source;
	struct est_span data = { s->p + at, s->filled - at };
	struct wrapped message = { 0 };
	enum est_code rc = EST_OK;

	if (!wrapped_read(data, false, &message))
		rc = walk_all(walk, at, &data);
	if (rc != EST_OK)
		return rc;
	if (!wrapped_read(data, false, &message))
		return est_fail(walk->err, EST_E_INPUT,
			"an HTTP response or mail that ends in its header fields");
	walk->offset += (size_t)(message.body.p - data.p);
	return walk_message(walk, (size_t)(message.body.p - s->p), &message, depth);
}

enum est_code walk_open(struct walk *walk, enum est_file_kind kind, struct est_span der, size_t at,
	unsigned depth)
{
	return kind == EST_FILE_PKCS12 ? walk_p12(walk, der) : walk_wrapped(walk, at, depth);
}

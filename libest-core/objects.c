/* SPDX-License-Identifier: MIT */
/* A file taken apart into certificates, requests and what else it holds.  Each byte is looked at a
 * fixed number of times, and objects at the front are handed out before its end is read. */
#include "objects.h"
#include "objects_plain.h"

#include <string.h>

#include "cert.h"
#include "file_kind.h"
#include "p12_open.h"
#include "quirk.h"
#include "span.h"
#include "trailing.h"
#include "wrapped.h"

#define NEST_MAX 8 /* of messages in messages */
/* What a PEM reader has to see behind a block to be sure of its end. */
#define PEM_TAIL 256

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
	rc = p12_open(der, walk->password, p12_object, walk, &why);
	if (rc == EST_OK || walk->err->code != EST_OK)
		return rc;
	return walk_emit_broken(walk, EST_FILE_PKCS12, 0, &why);
}

/* One DER value of a kind that is known. */
static enum est_code walk_value(struct walk *walk, enum est_file_kind kind, struct est_span der)
{
	switch (kind) {
	case EST_FILE_SIGNED_DATA:
	case EST_FILE_BARE_SIGNED:
		return walk_bag(walk, der);
	case EST_FILE_PKCS12:
		if (walk->open)
			return walk->open(walk, kind, der, 0, 0);
		/* fallthrough */
	case EST_FILE_PRIVATE_KEY:
	case EST_FILE_ENCRYPTED_KEY:
		return walk_emit(walk, kind, (struct est_span){ 0 }, 0, NULL);
	default:
		return walk_emit(walk, kind, der, 0, NULL);
	}
}

/* DER values one after another; kind is the first one's. */
static enum est_code walk_der(struct walk *walk, enum est_file_kind kind, struct est_span data)
{
	const size_t offset = walk->offset;
	struct source *s = walk->source;
	struct est_span rest = data, value;
	enum est_code rc = EST_OK;
	struct est_error why;
	struct der_tlv tlv;

	for (;;) {
		rc = walk_value_need(walk, &rest);
		if (rc != EST_OK)
			return rc;
		value = rest;
		if (kind == EST_FILE_UNKNOWN)
			kind = file_kind_der(value);
		if (kind == EST_FILE_UNKNOWN)
			kind = EST_FILE_CERT;
		if (!ber_next(&rest, &tlv))
			return walk_value(walk, kind, value); /* the reader says what is wrong */
		if (rest.n > 0 && rest.p[0] != DER_SEQUENCE) {
			if (value.p >= s->p && value.p < s->p + s->filled)
				rc = walk_all(walk, (size_t)(value.p - s->p), &value);
			if (rc != EST_OK)
				return rc;
			rc = trailing_cut(&value, est_file_kind_text(kind), walk->quirks, &why);
			if (rc != EST_OK)
				return walk_emit_broken(walk, kind, 0, &why);
			rest.n = 0;
		}
		rc = walk_value(walk, kind, tlv.whole);
		if (rc != EST_OK || rest.n == 0)
			return rc;
		if (rest.p >= s->p && rest.p < s->p + s->filled)
			source_forget(s, (size_t)(rest.p - s->p));
		walk->offset = offset + (size_t)(rest.p - data.p);
		kind = EST_FILE_UNKNOWN;
	}
}

/* What is in a block whose label says something else, or nothing that is known. */
static enum est_file_kind inside(enum est_file_kind label, struct est_span der)
{
	enum est_file_kind kind = file_kind_der(der);
	struct est_error ignored;
	struct cert_view view;

	switch (kind) {
	case EST_FILE_CERT: /* by its shape, which other things have too */
		return label == EST_FILE_CERT || cert_view(der, "", &view, &ignored) == EST_OK
			       ? kind
			       : label;
	case EST_FILE_CSR:
	case EST_FILE_CRL:
	case EST_FILE_SIGNED_DATA:
	case EST_FILE_OTHER_CMS:
	case EST_FILE_PKCS12:
		return kind;
	case EST_FILE_BARE_SIGNED:
		return label == EST_FILE_SIGNED_DATA ? kind : label;
	case EST_FILE_PRIVATE_KEY:
	case EST_FILE_ENCRYPTED_KEY:
		return label == EST_FILE_OTHER_PEM ? label : kind;
	default:
		return label;
	}
}

static enum est_code walk_block(struct walk *walk, const struct pem_block *block)
{
	enum est_file_kind label = file_kind_label(block), kind;
	struct est_buf der = { 0 };
	struct est_error why;
	struct est_span value;
	struct der_tlv first;
	enum est_code rc;

	walk->label = block->label;
	if (pem_is_private_key(block) || label == EST_FILE_PGP) /* never decoded */
		return walk_emit(walk, label, (struct est_span){ 0 }, 0, NULL);
	rc = pem_decode_noting(block, walk->quirks, &der, &why);
	if (rc != EST_OK && label == EST_FILE_OTHER_PEM)
		rc = walk_emit(walk, label, (struct est_span){ 0 }, 0, NULL);
	else if (rc != EST_OK)
		rc = walk_emit_broken(walk, label, 0, &why);
	if (der.n == 0)
		goto out;
	value = est_buf_span(&der);
	/* OpenSSL's trust settings follow the certificate. */
	if (label == EST_FILE_TRUSTED_CERT && der_next(&value, &first))
		value = first.whole;
	else
		value = est_buf_span(&der);
	label = label == EST_FILE_TRUSTED_CERT ? EST_FILE_CERT : label;
	kind = inside(label, value);
	if (kind == EST_FILE_OTHER_PEM)
		value.n = 0;
	if (kind != label && label != EST_FILE_OTHER_PEM && kind != EST_FILE_BARE_SIGNED &&
		kind != EST_FILE_OTHER_CMS)
		rc = quirk_note(walk->quirks, EST_Q_PEM_LABEL, "PEM", &why);
	if (rc == EST_OK)
		rc = trailing_cut(&value, est_file_kind_text(kind), walk->quirks, &why);
	if (rc == EST_OK)
		rc = walk_value(walk, kind, value);
	else
		rc = walk_emit_broken(walk, kind, 0, &why);
out:
	est_buf_free(&der);
	return rc;
}

/* More of the text than there is behind what the reader has read. */
static enum est_code pem_more(struct walk *walk, struct pem_reader *reader, bool *more)
{
	struct source *s = walk->source;
	size_t before, rest;

	*more = !s->end;
	if (!*more)
		return EST_OK;
	before = s->filled;
	/* Twice as much of a large block each time, so that it is looked at a few times at most. */
	rest = before - (size_t)(reader->rest.p - s->p);
	if (source_fill(s, before + (rest < s->part / 4 ? 1 : rest), walk->err) != EST_OK)
		return walk->err->code;
	reader->rest.n += s->filled - before;
	return EST_OK;
}

static enum est_code walk_behind(struct walk *walk, size_t begin, size_t end);

/* The armour is of a large bag, which is shown while it is decoded; then reader stands behind it,
 * and *done says so. */
static enum est_code pem_bag(struct walk *walk, struct pem_reader *reader, size_t offset,
	bool *done)
{
	struct source *s = walk->source, octets = { .fd = -1 };
	struct pem_reader ahead = *reader;
	struct pem_block block = { 0 };
	struct est_error why = { 0 };
	uint8_t label[PEM_LABEL_MAX]; /* what it is borrowed from is forgotten meanwhile */
	struct certs_iter iter;
	size_t end, at;
	enum est_code rc = EST_OK;

	*done = false;
	if (!pem_begin(&ahead, &block.label, &block.offset))
		return EST_OK;
	block.text = (struct est_span){ ahead.rest.p, 0 }; /* of which nothing is known yet */
	if (file_kind_label(&block) != EST_FILE_SIGNED_DATA || ahead.rest.n <= s->part / 4 ||
		memchr(ahead.rest.p, '-', s->part / 4))
		return EST_OK;
	at = (size_t)(ahead.rest.p - s->p);
	if (source_base64(s, at, true, walk->quirks, &octets, &why) != EST_OK)
		return EST_OK;
	walk->source = &octets;
	*done = walk_bag_begins(walk, 0, &iter);
	if (*done) {
		memcpy(label, block.label.p, block.label.n);
		block.label.p = label;
		walk->label = block.label;
		walk->offset = offset + block.offset;
		rc = walk_bag_stream(walk, &iter, &end);
		if (rc == EST_OK && end != SIZE_MAX)
			rc = walk_behind(walk, 0, end);
		if (rc == EST_OK) /* to where it ends */
			rc = source_fill(&octets, SIZE_MAX, walk->err);
		walk->source = s;
		at = octets.at;
		if (rc == EST_OK)
			rc = source_fill(s, at + PEM_TAIL, walk->err);
		*reader = (struct pem_reader){ { s->p + at, s->filled - at },
			reader->offset + (size_t)(s->p + at - reader->rest.p) };
		if (rc == EST_OK)
			rc = pem_end(reader, block.label, block.offset, walk->err);
		why = *walk->err;
		if (rc == EST_E_INPUT || rc == EST_E_PROTOCOL)
			rc = walk_emit_broken(walk, EST_FILE_SIGNED_DATA, 0, &why);
		walk->label = (struct est_span){ 0 };
	}
	walk->source = s;
	source_close(&octets);
	return rc;
}

/* Blocks in text that begins at this offset of the source. */
static enum est_code walk_pem(struct walk *walk, size_t at)
{
	struct source *s = walk->source;
	const size_t offset = walk->offset;
	struct pem_reader reader, start;
	struct pem_block block;
	struct est_error why;
	enum est_code rc, got;
	bool found, more;

	pem_init(&reader, (struct est_span){ s->p + at, s->filled - at });
	for (;;) {
		source_forget(s, (size_t)(reader.rest.p - s->p));
		rc = pem_bag(walk, &reader, offset, &found);
		if (rc != EST_OK)
			return rc;
		if (found)
			continue;
		start = reader;
		got = pem_next(&reader, &block, &found, &why);
		if (reader.rest.n < PEM_TAIL) { /* it may go on differently */
			rc = pem_more(walk, &start, &more);
			if (rc != EST_OK)
				return rc;
			if (more && (got != EST_OK || !found) &&
				start.rest.n > 0) { /* what is before it is skipped again */
				reader = start;
				continue;
			}
			reader.rest.n = (size_t)(start.rest.p + start.rest.n - reader.rest.p);
		}
		walk->label = (struct est_span){ 0 };
		walk->offset = offset + (got == EST_OK && found ? block.offset : start.offset);
		if (got != EST_OK)
			rc = walk_emit_broken(walk, EST_FILE_OTHER_PEM, 0, &why);
		else
			rc = found ? walk_block(walk, &block) : EST_OK;
		if (rc != EST_OK || (got == EST_OK && !found))
			return rc;
	}
}

static enum est_code walk_base64(struct walk *walk, enum est_file_kind kind, struct est_span text,
	struct est_span der)
{
	enum est_code rc = EST_OK;

	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		rc = quirk_note(walk->quirks, EST_Q_BOM, "base64", walk->err);
	while (text.n > 0 && memchr(" \t\r\n\f\v", text.p[text.n - 1], 6))
		text.n--;
	if (rc == EST_OK && der.n % 3 != 0 && text.n > 0 && text.p[text.n - 1] != '=')
		rc = quirk_note(walk->quirks, EST_Q_PADDING, "base64", walk->err);
	return rc == EST_OK ? walk_der(walk, kind, der) : rc;
}

static enum est_code walk_source(struct walk *walk, size_t at, unsigned depth);

/* What is in memory, on its own. */
static enum est_code walk_any(struct walk *walk, struct est_span data, unsigned depth)
{
	struct source *s = walk->source, memory = source_of(data);
	enum est_code rc;

	walk->source = &memory;
	rc = walk_source(walk, 0, depth);
	walk->source = s;
	return rc;
}

/* The parts of a multipart that hold something; the text between them is none of ours. */
static enum est_code walk_parts(struct walk *walk, const struct wrapped *message, unsigned depth)
{
	struct est_span rest = message->body, part;
	const size_t offset = walk->offset, index = walk->index;
	struct est_error why = { 0 };
	enum est_code rc = EST_OK;

	while (rc == EST_OK && wrapped_part(&rest, message->boundary, &part)) {
		struct wrapped inner = { 0 };

		walk->offset = offset + (size_t)(part.p - message->body.p);
		if (part.n > 0 && part.p[0] == '\n')
			inner.body = span_after(part, 1);
		else if (part.n > 1 && memcmp(part.p, "\r\n", 2) == 0)
			inner.body = span_after(part, 2);
		else if (!wrapped_read(part, true, &inner))
			continue;
		walk->offset += (size_t)(inner.body.p - part.p);
		if (inner.boundary.n > 0 && depth < NEST_MAX)
			rc = walk_parts(walk, &inner, depth + 1);
		else
			rc = walk_any(walk, inner.body, depth);
		if (rc == EST_E_INPUT) { /* text, a picture */
			why = *walk->err;
			rc = EST_OK;
		}
	}
	if (rc == EST_OK && walk->index == index) {
		est_fail(walk->err, EST_E_INPUT, "a multipart message without certificates%s%s",
			why.msg[0] ? ": the last part " : "", why.msg);
		est_reason(walk->err, "other-kind");
		return EST_E_INPUT;
	}
	return rc;
}

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

/* What is behind the header fields. */
static enum est_code walk_wrapped(struct walk *walk, size_t at, unsigned depth)
{
	struct source *s = walk->source;
	struct est_span data = { s->p + at, s->filled - at };
	struct wrapped message = { 0 };
	struct est_buf whole = { 0 };
	enum est_code rc = EST_OK;
	bool joined;

	if (!wrapped_read(data, false, &message) || message.boundary.n > 0 || message.chunked)
		rc = walk_all(walk, at, &data);
	if (rc != EST_OK)
		return rc;
	if (depth == NEST_MAX || !wrapped_read(data, false, &message))
		return est_fail(walk->err, EST_E_INPUT, "messages in messages, more than %d deep",
			NEST_MAX);
	walk->offset += (size_t)(message.body.p - data.p);
	if (message.boundary.n > 0)
		return walk_parts(walk, &message, depth + 1);
	joined = message.chunked && wrapped_unchunk(message.body, &whole, walk->err);
	if (joined)
		message.body = est_buf_span(&whole);
	if (message.est_type)
		rc = note_encoding(walk, message.body);
	if (rc == EST_OK && joined)
		rc = walk_any(walk, message.body, depth + 1);
	else if (rc == EST_OK)
		rc = walk_source(walk, (size_t)(message.body.p - s->p), depth + 1);
	est_buf_free(&whole);
	return rc;
}

static enum est_code open_inside(struct walk *walk, enum est_file_kind kind, struct est_span der,
	size_t at, unsigned depth)
{
	return kind == EST_FILE_PKCS12 ? walk_p12(walk, der) : walk_wrapped(walk, at, depth);
}

static enum est_code other_kind(const struct walk *walk, enum est_file_kind kind)
{
	est_fail(walk->err, EST_E_INPUT,
		"looks like %s, not certificates, a request, a CRL, CSR attributes or a key",
		est_file_kind_text(kind));
	est_reason(walk->err, "other-kind");
	return EST_E_INPUT;
}

/* All of it at once. */
static enum est_code walk_whole(struct walk *walk, size_t at, unsigned depth)
{
	struct est_span data;
	struct est_buf der = { 0 };
	enum est_encoding encoding;
	enum est_file_kind kind;
	struct der_tlv whole;
	enum est_code rc = walk_all(walk, at, &data);

	if (rc != EST_OK)
		return rc;
	kind = file_kind_decode(data, &encoding, &der);
	switch (kind) {
	case EST_FILE_WRAPPED:
		rc = walk->open ? walk->open(walk, kind, data, at, depth) : other_kind(walk, kind);
		break;
	case EST_FILE_UNKNOWN: /* DER that is cut short says where */
		if (data.n > 1 && data.p[0] == DER_SEQUENCE && data.p[1] & 0x80 &&
			!ber_next(&(struct est_span){ data.p, data.n }, &whole)) {
			rc = walk_der(walk, EST_FILE_CERT, data);
			break;
		}
		/* fallthrough */
	case EST_FILE_EMPTY:
	case EST_FILE_TEXT:
	case EST_FILE_HTML:
	case EST_FILE_JSON:
	case EST_FILE_GZIP:
	case EST_FILE_UTF16:
	case EST_FILE_ARCHIVE:
	case EST_FILE_KEYSTORE:
		rc = other_kind(walk, kind);
		break;
	default:
		if (encoding == EST_ENCODING_PEM)
			rc = walk_pem(walk, at);
		else if (encoding == EST_ENCODING_BASE64)
			rc = walk_base64(walk, kind, data, est_buf_span(&der));
		else if (data.p[0] != DER_SEQUENCE) /* OpenSSH, OpenPGP */
			rc = walk_emit(walk, kind, (struct est_span){ 0 }, 0, NULL);
		else
			rc = walk_der(walk, kind, data);
	}
	est_buf_free(&der);
	return rc;
}

/* What is behind the first value. */
static enum est_code walk_behind(struct walk *walk, size_t begin, size_t end)
{
	struct est_span all, rest;
	enum est_code rc = walk_all(walk, begin, &all);

	if (rc != EST_OK || all.n <= end - begin)
		return rc;
	rest = span_after(all, end - begin);
	walk->offset += end - begin;
	if (rest.p[0] == DER_SEQUENCE)
		return walk_any(walk, rest, 0);
	rc = trailing_check(rest, end - begin, est_file_kind_text(EST_FILE_SIGNED_DATA),
		walk->quirks, walk->err);
	return rc == EST_E_PROTOCOL ? EST_E_INPUT : rc;
}

/* Whether it was base64 of a large bag, which is shown while it is decoded. */
static enum est_code base64_bag(struct walk *walk, size_t at, bool *done)
{
	struct source *s = walk->source, octets = { .fd = -1 };
	struct certs_iter iter;
	enum est_code rc = EST_OK;
	bool bom = s->filled - at > 2 && memcmp(s->p + at, "\xef\xbb\xbf", 3) == 0;
	size_t end;

	if (source_base64(s, bom ? at + 3 : at, false, walk->quirks, &octets, walk->err) != EST_OK)
		return EST_OK;
	walk->source = &octets;
	*done = walk_bag_begins(walk, 0, &iter);
	if (*done && bom)
		rc = quirk_note(walk->quirks, EST_Q_BOM, "base64", walk->err);
	if (*done && rc == EST_OK)
		rc = walk_bag_stream(walk, &iter, &end);
	if (*done && rc == EST_OK && end != SIZE_MAX)
		rc = walk_behind(walk, 0, end);
	walk->source = s;
	source_close(&octets);
	return rc;
}

/* What begins at this offset: large files are shown while they are read, if their first part tells
 * what they are. */
static enum est_code walk_source(struct walk *walk, size_t at, unsigned depth)
{
	struct source *s = walk->source;
	struct est_span head = { s->p + at, s->filled - at };
	enum est_encoding encoding;
	struct certs_iter iter;
	enum est_file_kind kind;
	enum est_code rc;
	bool done = false;
	size_t end;

	walk->label = (struct est_span){ 0 };
	if (walk_bag_begins(walk, at, &iter)) {
		rc = walk_bag_stream(walk, &iter, &end);
		return rc == EST_OK && end != SIZE_MAX ? walk_behind(walk, at, end) : rc;
	}
	if (head.n > s->part)
		head.n = s->part;
	else if (s->end)
		return walk_whole(walk, at, depth);
	if (head.n > 0 && head.p[0] == DER_SEQUENCE) { /* if its first value is all there */
		kind = file_kind_der(head);
		return kind != EST_FILE_UNKNOWN ? walk_der(walk, kind, head)
						: walk_whole(walk, at, depth);
	}
	kind = est_file_kind(head, &encoding);
	if (kind == EST_FILE_UNKNOWN && head.n == s->part && head.n >= SOURCE_PART)
		return other_kind(walk, kind); /* and it may be a device without an end */
	if (kind == EST_FILE_WRAPPED && walk->open)
		return walk->open(walk, kind, head, at, depth);
	if (encoding == EST_ENCODING_PEM && !wrapped_begins(head))
		return walk_pem(walk, at);
	rc = kind == EST_FILE_TEXT ? base64_bag(walk, at, &done) : EST_OK;
	return rc != EST_OK || done ? rc : walk_whole(walk, at, depth);
}

enum est_code objects_walk(struct source *source, const char *password, struct est_quirks *quirks,
	est_object_fn *fn, void *ctx, struct est_error *err)
{
	struct walk walk = {
		.fn = fn,
		.open = open_inside,
		.ctx = ctx,
		.quirks = quirks,
		.err = err,
		.source = source,
		.password = password,
	};

	return walk_source(&walk, 0, 0);
}

enum est_code est_objects(struct est_span data, struct est_quirks *quirks, est_object_fn *fn,
	void *ctx, struct est_error *err)
{
	struct source source = source_of(data);

	return objects_walk(&source, NULL, quirks, fn, ctx, err);
}

enum est_code objects_plain(struct est_span data, struct est_quirks *quirks, est_object_fn *fn,
	void *ctx, struct est_error *err)
{
	struct source source = source_of(data);
	struct walk walk = {
		.fn = fn,
		.ctx = ctx,
		.quirks = quirks,
		.err = err,
		.source = &source,
	};

	return walk_source(&walk, 0, 0);
}

enum est_code est_objects_file(const char *path, size_t max, const char *password,
	struct est_quirks *quirks, est_object_fn *fn, void *ctx, struct est_error *err)
{
	struct source source = { .fd = -1 };
	enum est_code rc = source_open(path, max, SOURCE_PART, &source, err);

	if (rc == EST_OK)
		rc = objects_walk(&source, password, quirks, fn, ctx, err);
	source_close(&source);
	return rc;
}

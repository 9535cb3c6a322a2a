/* SPDX-License-Identifier: MIT */
/* A file taken apart into certificates, requests and what else it holds: what each of its layers
 * is, and who takes that apart. */
#include "objects.h"
#include "objects_plain.h"

#include <string.h>

#include "der.h"
#include "file_kind.h"
#include "pem.h"
#include "quirk.h"
#include "span.h"
#include "trailing.h"

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
	const struct source *s = walk->source;
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
			kind = file_kind_front((struct est_span){ data.p, s->room - at });
			rc = walk_der(walk, kind != EST_FILE_UNKNOWN ? kind : EST_FILE_CERT, data);
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

/* Not by walk_source(): however many bags there are, they take the stack of one. */
enum est_code walk_behind(struct walk *walk, size_t begin, size_t end)
{
	struct certs_iter iter;
	struct est_span rest;
	enum est_code rc;

	for (;;) {
		rc = walk_all(walk, end, &rest);
		if (rc != EST_OK || rest.n == 0)
			return rc;
		walk->offset += end - begin;
		if (rest.p[0] != DER_SEQUENCE)
			break;
		if (!walk_bag_begins(walk, end, &iter))
			return walk_any(walk, rest, 0);
		begin = end;
		rc = walk_bag_stream(walk, &iter, &end);
		if (rc != EST_OK || end == SIZE_MAX)
			return rc;
	}
	if (pem_present(rest))
		return walk_pem(walk, end);
	rc = trailing_check(rest, end - begin, est_file_kind_text(EST_FILE_SIGNED_DATA),
		walk->quirks, walk->err);
	return rc == EST_E_PROTOCOL ? EST_E_INPUT : rc;
}

/* Whether it was base64 of a large bag, which is shown while it is decoded. */
static enum est_code base64_bag(struct walk *walk, size_t at, bool *done)
{
	struct source *s = walk->source, octets = { .fd = -1 };
	struct certs_iter iter;
	enum est_file_kind kind;
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
	kind = *done ? EST_FILE_UNKNOWN
		     : file_kind_front((struct est_span){ octets.p, octets.room });
	if (kind != EST_FILE_UNKNOWN)
		rc = walk_begins(walk, kind, 0);
	source_close(&octets);
	return rc;
}

/* Large files are shown while they are read, if their first part tells what they are. */
enum est_code walk_source(struct walk *walk, size_t at, unsigned depth)
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
		if (kind != EST_FILE_UNKNOWN)
			return walk_der(walk, kind, head);
		kind = file_kind_front((struct est_span){ s->p + at, s->room - at });
		rc = kind != EST_FILE_UNKNOWN ? walk_begins(walk, kind, 0) : EST_OK;
		return rc == EST_OK ? walk_whole(walk, at, depth) : rc;
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

static const struct est_reading memory;

enum est_code objects_walk(struct source *source, const struct est_reading *reading,
	struct est_quirks *quirks, est_object_fn *fn, void *ctx, struct est_error *err)
{
	struct walk walk = {
		.fn = fn,
		.open = walk_open,
		.ctx = ctx,
		.quirks = quirks,
		.err = err,
		.source = source,
		.reading = reading,
	};

	return walk_source(&walk, 0, 0);
}

enum est_code est_objects(struct est_span data, struct est_quirks *quirks, est_object_fn *fn,
	void *ctx, struct est_error *err)
{
	struct source source = source_of(data);

	return objects_walk(&source, &memory, quirks, fn, ctx, err);
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
		.reading = &memory,
		.source = &source,
	};

	return walk_source(&walk, 0, 0);
}

enum est_code est_objects_file(const char *path, size_t max, const struct est_reading *reading,
	struct est_quirks *quirks, est_object_fn *fn, void *ctx, struct est_error *err)
{
	struct source source = { .fd = -1 };
	enum est_code rc = source_open(path, max, SOURCE_PART, reading->waits, ctx, &source, err);

	if (rc == EST_OK)
		rc = objects_walk(&source, reading, quirks, fn, ctx, err);
	source_close(&source);
	return rc;
}

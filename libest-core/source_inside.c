/* SPDX-License-Identifier: MIT */
/* What lies in another source: base64, chunks, a part of a multipart. */
#include <string.h>

#include "source.h"
#include "span.h"

/* The text that is there behind what was taken of it, at least a byte unless it ends. */
static enum est_code next_text(struct source *s, struct est_span *out, struct est_error *err)
{
	enum est_code rc = source_fill(s->text, s->at + 1, err);

	if (rc == EST_OK)
		*out = (struct est_span){ s->text->p + s->at, s->text->filled - s->at };
	return rc;
}

/* More text than these bytes, or it ends: twice as much, so that it is looked at a few times. */
static enum est_code more_text(struct source *s, struct est_span *in, struct est_error *err)
{
	enum est_code rc = source_fill(s->text, s->at + in->n + (in->n > 0 ? in->n : 1), err);

	return rc == EST_OK ? next_text(s, in, err) : rc;
}

static enum est_code no_room(const struct source *s, struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, "out of memory (%zu bytes)", s->room);
}

/* The first n bytes of the text behind are taken as they are. */
static enum est_code take(struct source *s, size_t n, struct est_error *err)
{
	if (n > s->room - s->filled)
		return no_room(s, err);
	memcpy(s->p + s->filled, s->text->p + s->at, n);
	s->filled += n;
	s->at += n;
	source_forget(s->text, s->at);
	return EST_OK;
}

/* ---- Base64 ------------------------------------------------------------------------------------
 */

static enum est_code fill_base64(struct source *s, struct est_error *err)
{
	struct est_span in;
	const uint8_t *dash;
	enum est_code rc = next_text(s, &in, err);

	if (rc != EST_OK)
		return rc;
	if (in.n > s->part)
		in.n = s->part;
	dash = s->armoured && in.n > 0 ? memchr(in.p, '-', in.n) : NULL;
	if (dash)
		in.n = (size_t)(dash - in.p);
	if (BASE64_ROOM(in.n) > s->room - s->filled)
		return no_room(s, err);
	rc = base64_more(&s->base64, in, s->name, s->p, &s->filled, err);
	s->at += in.n;
	s->end = rc != EST_OK || dash || (s->text->end && s->at == s->text->filled);
	if (rc == EST_OK && s->end)
		rc = base64_end(&s->base64, s->name, s->quirks, s->p, &s->filled, err);
	if (rc != EST_OK) /* what is before it can be had */
		s->broken = *err;
	return EST_OK;
}

enum est_code source_base64(struct source *text, size_t at, bool armoured,
	struct est_quirks *quirks, struct source *out, struct est_error *err)
{
	struct source s = {
		.name = "base64",
		.fill = fill_base64,
		.armoured = armoured,
		.quirks = quirks,
	};
	enum est_code rc = source_inside(&s, text, at, BASE64_ROOM(source_left(text, at)), err);

	if (rc == EST_OK)
		*out = s;
	return rc;
}

/* ---- Chunks ------------------------------------------------------------------------------------
 */

/* The line that begins the next chunk; *more is false when there is none. */
static enum est_code next_chunk(struct source *s, bool *more, struct est_error *err)
{
	struct est_span in;
	enum est_code rc = next_text(s, &in, err);
	size_t n = 0;

	while (rc == EST_OK) {
		n = wrapped_chunk(in, s->in_chunk, &s->left);
		if (n > 0 || s->text->end || in.n > WRAPPED_CHUNK_LINE)
			break;
		rc = more_text(s, &in, err); /* the line may go on */
	}
	if (rc != EST_OK)
		return rc;
	s->in_chunk = true;
	s->last_chunk = n > 0 && s->left == 0;
	s->at += n;
	*more = n > 0 && !s->last_chunk;
	return EST_OK;
}

static enum est_code fill_chunks(struct source *s, struct est_error *err)
{
	const size_t before = s->filled;
	struct est_span in;
	enum est_code rc = EST_OK;
	bool more = true;

	while (rc == EST_OK && more && s->filled - before < s->part) {
		if (s->left == 0)
			rc = next_chunk(s, &more, err);
		if (rc == EST_OK && more)
			rc = next_text(s, &in, err);
		if (rc != EST_OK || !more)
			break;
		if (in.n > s->left)
			in.n = s->left;
		rc = take(s, in.n, err);
		s->left -= in.n;
		more = in.n > 0;
	}
	s->end = !more;
	return rc;
}

enum est_code source_chunks(struct source *text, size_t at, struct source *out,
	struct est_error *err)
{
	struct source s = { .name = "chunks", .fill = fill_chunks };
	enum est_code rc = source_inside(&s, text, at, source_left(text, at), err);

	if (rc == EST_OK)
		*out = s;
	return rc;
}

/* ---- Parts of a multipart ----------------------------------------------------------------------
 */

static enum est_code fill_part(struct source *s, struct est_error *err)
{
	struct est_span in;
	enum est_code rc = next_text(s, &in, err);
	size_t n;

	/* Of a delimiter's beginning nobody knows what it is. */
	while (rc == EST_OK && !s->text->end && in.n <= s->boundary.n + 1)
		rc = more_text(s, &in, err);
	if (rc != EST_OK)
		return rc;
	n = wrapped_delimiter(in, &s->boundary);
	s->end = n < in.n || s->text->end;
	if (n == in.n && !s->text->end)
		n -= s->boundary.n;
	else if (n < in.n && n > 0 && in.p[n - 1] == '\r')
		n--;
	return take(s, n, err);
}

enum est_code source_part(struct source *text, size_t at, const struct wrapped_boundary *boundary,
	struct source *out, struct est_error *err)
{
	struct source s = { .name = "multipart", .fill = fill_part, .boundary = *boundary };
	enum est_code rc = source_inside(&s, text, at, source_left(text, at), err);

	if (rc == EST_OK)
		*out = s;
	return rc;
}

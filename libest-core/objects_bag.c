/* SPDX-License-Identifier: MIT */
/* Certs-only messages, shown certificate by certificate while they are read. */
#include "objects.h"

#include "der.h"
#include "quirk.h"

#define HEADER_MAX 6 /* octets of a tag and its length */

static const char what[] = "certs-only message";

enum est_code walk_emit(struct walk *walk, enum est_file_kind kind, struct est_span der,
	size_t offset, const struct est_error *broken)
{
	const struct est_object object = {
		.kind = kind,
		.der = der,
		.label = walk->label,
		.index = ++walk->index,
		.offset = walk->offset + offset,
		.broken = broken,
	};

	return walk->fn(walk->ctx, &object, walk->err);
}

enum est_code walk_begins(struct walk *walk, enum est_file_kind kind, size_t offset)
{
	const struct est_object object = {
		.kind = kind,
		.index = walk->index + 1,
		.offset = walk->offset + offset,
	};

	if (!walk->reading->begins || walk->begun == object.index)
		return EST_OK;
	walk->begun = object.index;
	return walk->reading->begins(walk->ctx, &object, walk->err);
}

enum est_code walk_emit_broken(struct walk *walk, enum est_file_kind kind, size_t offset,
	const struct est_error *why)
{
	if (why->code != EST_E_PROTOCOL && why->code != EST_E_INPUT) {
		*walk->err = *why;
		return why->code;
	}
	return walk_emit(walk, kind, (struct est_span){ 0 }, offset, why);
}

static bool of_source(const struct source *s, const uint8_t *p)
{
	return p >= s->p && p < s->p + s->filled;
}

/* What is to be looked at has been read. */
static enum est_code need(struct walk *walk, struct est_span span)
{
	struct source *s = walk->source;
	size_t upto;

	if (span.p < s->p || span.p >= s->p + s->room)
		return EST_OK;
	upto = (size_t)(span.p - s->p) + span.n;
	if (source_fill(s, upto, walk->err) != EST_OK)
		return walk->err->code;
	return s->filled >= upto
		       ? EST_OK
		       : est_fail(walk->err, EST_E_INPUT,
				 "cut short: it ends at offset %zu, and what is there goes "
				 "on to %zu at least",
				 s->filled, upto);
}

enum est_code walk_value_need(struct walk *walk, struct est_span *rest)
{
	struct source *s = walk->source;
	struct der_tlv tlv;
	size_t at;

	if (!of_source(s, rest->p))
		return EST_OK;
	at = (size_t)(rest->p - s->p);
	/* Twice as much each time, so that a large one is looked at a few times at most. */
	for (size_t want = s->part;; want *= 2) {
		struct est_span in = { rest->p, s->filled - at };

		rest->n = in.n;
		if (s->end || (ber_next(&in, &tlv) && in.n > 0))
			return EST_OK;
		if (source_fill(s, at + want, walk->err) != EST_OK)
			return walk->err->code;
	}
}

enum est_code walk_all(struct walk *walk, size_t at, struct est_span *out)
{
	struct source *s = walk->source;
	enum est_code rc = source_fill(s, SIZE_MAX, walk->err);

	*out = (struct est_span){ s->p + at, s->filled - at };
	return rc;
}

/* A member of the set, or what ends the set. */
static enum est_code need_member(struct walk *walk, struct est_span rest)
{
	enum est_code rc = need(walk,
		(struct est_span){ rest.p, rest.n < HEADER_MAX ? rest.n : HEADER_MAX });

	if (rc == EST_OK && rest.n > 1 && rest.p[0] != 0 && rest.p[1] == 0x80)
		rc = walk_value_need(walk, &rest); /* its end has to be looked for */
	return rc;
}

static enum est_code walk_crls(struct walk *walk, const struct certs_iter *iter)
{
	struct est_span rest = iter->crls;
	enum est_code rc = EST_OK;
	struct est_error why;
	struct der_tlv tlv;

	while (rc == EST_OK && rest.n > 0) {
		size_t offset = (size_t)(rest.p - iter->message.p);

		if (!ber_next(&rest, &tlv)) {
			est_fail(&why, EST_E_PROTOCOL, "%s: a CRL is cut short", what);
			return walk_emit_broken(walk, EST_FILE_CRL, offset, &why);
		}
		if (tlv.tag == DER_SEQUENCE)
			rc = walk_emit(walk, EST_FILE_CRL, tlv.whole, offset, NULL);
	}
	return rc;
}

/* *more is false when the set is broken, which has been said. */
static enum est_code walk_members(struct walk *walk, struct certs_iter *iter, bool *more)
{
	struct certs_member member = { 0 };
	struct est_error why;
	enum est_code rc;
	bool found;

	*more = true;
	for (;;) {
		size_t offset = (size_t)(iter->rest.p - iter->message.p);

		rc = need_member(walk, iter->rest);
		if (rc != EST_OK)
			return rc;
		*more = certs_iter_next(iter, what, &member, &found, &why) == EST_OK;
		if (!*more)
			return walk_emit_broken(walk, EST_FILE_CERT, offset, &why);
		if (!found)
			return EST_OK;
		rc = need(walk, member.der);
		if (rc == EST_OK && member.other)
			rc = quirk_note(walk->quirks, EST_Q_OTHER_CERTS, what, walk->err);
		else if (rc == EST_OK)
			rc = walk_emit(walk, EST_FILE_CERT, member.der, member.offset, NULL);
		if (rc != EST_OK)
			return rc;
		if (walk->source->text)
			source_forget(walk->source->text, walk->source->at);
	}
}

/* What follows the certificates. */
static enum est_code walk_tail(struct walk *walk, struct certs_iter *iter)
{
	struct est_error why;
	enum est_code rc;

	rc = certs_iter_close(iter, what, true, walk->quirks, &why);
	if (rc != EST_OK)
		return walk_emit_broken(walk, EST_FILE_SIGNED_DATA, 0, &why);
	rc = walk_crls(walk, iter);
	if (rc == EST_OK && iter->frame.message)
		return walk_emit(walk, EST_FILE_OTHER_CMS, iter->message, 0, NULL);
	if (rc == EST_OK && iter->n == 0 && iter->crls.n == 0) {
		est_fail(&why, EST_E_PROTOCOL, "%s: no certificate in it", what);
		return walk_emit_broken(walk, EST_FILE_SIGNED_DATA, 0, &why);
	}
	return rc;
}

enum est_code walk_bag(struct walk *walk, struct est_span der)
{
	struct certs_iter iter;
	struct est_error why;
	enum est_code rc;
	bool more;

	rc = certs_iter_open(der, what, true, walk->quirks, &iter, &why);
	if (rc != EST_OK)
		return walk_emit_broken(walk, EST_FILE_SIGNED_DATA, 0, &why);
	rc = walk_members(walk, &iter, &more);
	if (rc == EST_OK && more)
		rc = walk_tail(walk, &iter);
	return rc;
}

bool walk_bag_begins(struct walk *walk, size_t at, struct certs_iter *out)
{
	struct source *s = walk->source;
	struct est_quirks quirks = { 0 };
	struct certs_iter iter;
	struct est_error ignored = { 0 };

	if (s->filled == at || certs_iter_begin((struct est_span){ s->p + at, s->room - at }, what,
				       &quirks, &iter, &ignored) != EST_OK)
		return false;
	if (iter.rest.p + HEADER_MAX > s->p + s->filled) /* beyond what was looked at */
		return false;
	if (iter.end[0])
		iter.message.n = (size_t)(iter.end[0] - iter.message.p);
	/* Small ones are taken as a whole; one that is cut short as far as it goes. */
	if (s->end && s->filled - at <= s->part &&
		!(iter.end[0] && iter.message.n > s->filled - at))
		return false;
	if (walk->quirks)
		walk->quirks->seen |= quirks.seen;
	*out = iter;
	return true;
}

enum est_code walk_bag_stream(struct walk *walk, struct certs_iter *iter, size_t *end)
{
	struct source *s = walk->source;
	struct est_span *tail = &iter->frame.tail, all = { 0 };
	const size_t at = (size_t)(iter->message.p - s->p);
	enum est_code rc;
	bool more;

	*end = SIZE_MAX;
	rc = walk_members(walk, iter, &more);
	if (rc != EST_OK || !more)
		return rc;
	/* A set of CRLs alone, of which one may be large. */
	if (iter->n == 0 && !s->end && s->p + s->filled > tail->p && *tail->p == DER_CONTEXT_C(1))
		rc = walk_begins(walk, EST_FILE_CRL, (size_t)(tail->p - iter->message.p));
	if (rc == EST_OK)
		rc = walk_all(walk, at, &all);
	if (rc == EST_OK && tail->p + tail->n == s->p + s->room) /* until its end is found */
		tail->n = (size_t)(all.p + all.n - tail->p);
	if (rc == EST_OK)
		rc = need(walk, *tail);
	if (rc != EST_OK)
		return rc;
	if (iter->message.n > all.n)
		iter->message.n = all.n;
	rc = walk_tail(walk, iter);
	*end = at + iter->message.n;
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* PEM blocks in text, each shown when its END line has been read, large bags while they are
 * decoded. */
#include "objects.h"

#include <string.h>

#include "cert.h"
#include "file_kind.h"
#include "quirk.h"
#include "span.h"
#include "trailing.h"

/* What a PEM reader has to see behind a block to be sure of its end. */
#define PEM_TAIL 256

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

/* Of a large list of revoked certificates it is said at once that it is one. */
static enum est_code block_begins(struct walk *walk, const struct pem_reader *reader, size_t offset)
{
	struct pem_reader ahead = *reader;
	struct pem_block block = { 0 };

	if (!pem_begin(&ahead, &block.label, &block.offset))
		return EST_OK;
	block.text = (struct est_span){ ahead.rest.p, 0 };
	if (file_kind_label(&block) != EST_FILE_CRL)
		return EST_OK;
	walk->offset = offset + block.offset;
	walk->label = block.label;
	return walk_begins(walk, EST_FILE_CRL, 0);
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

enum est_code walk_pem(struct walk *walk, size_t at)
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
			if (more && (got != EST_OK || !found) && start.rest.n > 0) {
				/* The block is looked at again; text before one is not. */
				size_t passed = got == EST_OK ? reader.offset - start.offset : 0;

				passed = passed > PEM_TAIL ? passed - PEM_TAIL : 0;
				reader = (struct pem_reader){ span_after(start.rest, passed),
					start.offset + passed };
				rc = block_begins(walk, &reader, offset);
				if (rc != EST_OK)
					return rc;
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

/* SPDX-License-Identifier: MIT */
/* A file taken apart into certificates, requests and what else it holds, for whoever looks at
 * files.  Each byte is looked at a fixed number of times, and objects at the front of a file are
 * handed out before its end is read. */
#include "objects_plain.h"

#include <string.h>

#include "cert.h"
#include "certs.h"
#include "file_kind.h"
#include "p12_open.h"
#include "quirk.h"
#include "source.h"
#include "trailing.h"
#include "wrapped.h"

#define NEST_MAX 8 /* of messages in messages */
/* What a PEM reader has to see behind a block to be sure of its end. */
#define PEM_TAIL  256
#define PEM_SMALL (64u << 10)

struct walk;
/* Takes apart what holds other files: PKCS #12, mail and HTTP responses. */
typedef enum est_code open_fn(struct walk *walk, enum est_file_kind kind, struct est_span data,
	unsigned depth);

struct walk { /* one file */
	est_object_fn *fn;
	open_fn *open; /* NULL: such a file stays closed */
	void *ctx;
	struct est_quirks *quirks;
	struct est_error *err;
	const char *password;
	struct source *source; /* NULL: all is in memory */
	struct est_span label; /* of the PEM block at hand */
	size_t index;          /* of the last object */
	size_t offset;         /* of what is being taken apart, in the file */
};

static struct est_span after(struct est_span in, size_t n)
{
	return (struct est_span){ in.p + n, in.n - n };
}

static enum est_code emit(struct walk *walk, enum est_file_kind kind, struct est_span der,
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

/* A failure to read becomes a broken object, a failure of ours ends everything. */
static enum est_code emit_broken(struct walk *walk, enum est_file_kind kind, size_t offset,
	const struct est_error *why)
{
	if (why->code != EST_E_PROTOCOL && why->code != EST_E_INPUT) {
		*walk->err = *why;
		return why->code;
	}
	return emit(walk, kind, (struct est_span){ 0 }, offset, why);
}

/* What is to be looked at has been read from the file. */
static enum est_code need(struct walk *walk, struct est_span what)
{
	struct source *s = walk->source;
	size_t upto;

	if (!s || what.p < s->p || what.p > s->p + s->room)
		return EST_OK;
	upto = (size_t)(what.p - s->p) + what.n;
	if (upto <= s->filled)
		return EST_OK;
	if (source_fill(s, upto, walk->err) != EST_OK)
		return walk->err->code;
	return s->filled >= upto
		       ? EST_OK
		       : est_fail(walk->err, EST_E_INPUT,
				 "cut short: it ends at offset %zu, and what is there goes "
				 "on to %zu at least",
				 s->filled, upto);
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
			est_fail(&why, EST_E_PROTOCOL, "certs-only message: a CRL is cut short");
			return emit_broken(walk, EST_FILE_CRL, offset, &why);
		}
		if (tlv.tag == DER_SEQUENCE)
			rc = emit(walk, EST_FILE_CRL, tlv.whole, offset, NULL);
	}
	return rc;
}

/* The certificates of SignedData, then its CRLs, then, if it is more than a bag, itself. */
static enum est_code walk_bag(struct walk *walk, struct est_span der)
{
	static const char what[] = "certs-only message";
	struct certs_member member = { 0 };
	struct certs_iter iter;
	struct est_error why;
	enum est_code rc;
	bool found;

	rc = certs_iter_open(der, what, true, walk->quirks, &iter, &why);
	if (rc != EST_OK)
		return emit_broken(walk, EST_FILE_SIGNED_DATA, 0, &why);
	for (;;) {
		size_t offset = (size_t)(iter.rest.p - iter.message.p);

		rc = need(walk,
			(struct est_span){ iter.rest.p, iter.rest.n < 6 ? iter.rest.n : 6 });
		if (rc == EST_OK && iter.rest.n > 1 && iter.rest.p[1] == 0x80)
			rc = need(walk, iter.rest); /* its end has to be looked for */
		if (rc != EST_OK)
			return rc;
		rc = certs_iter_next(&iter, what, &member, &found, &why);
		if (rc != EST_OK)
			return emit_broken(walk, EST_FILE_CERT, offset, &why);
		if (!found)
			break;
		rc = need(walk, member.der);
		if (rc == EST_OK && member.other)
			rc = quirk_note(walk->quirks, EST_Q_OTHER_CERTS, what, walk->err);
		else if (rc == EST_OK)
			rc = emit(walk, EST_FILE_CERT, member.der, member.offset, NULL);
		if (rc != EST_OK)
			return rc;
	}
	rc = need(walk, iter.frame.tail);
	if (rc != EST_OK)
		return rc;
	rc = certs_iter_close(&iter, what, true, walk->quirks, &why);
	if (rc != EST_OK)
		return emit_broken(walk, EST_FILE_SIGNED_DATA, 0, &why);
	rc = walk_crls(walk, &iter);
	if (rc == EST_OK && iter.frame.message)
		return emit(walk, EST_FILE_OTHER_CMS, der, 0, NULL);
	if (rc == EST_OK && iter.n == 0 && iter.crls.n == 0) {
		est_fail(&why, EST_E_PROTOCOL, "%s: no certificate in it", what);
		return emit_broken(walk, EST_FILE_SIGNED_DATA, 0, &why);
	}
	return rc;
}

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
	return emit_broken(walk, EST_FILE_PKCS12, 0, &why);
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
			return walk->open(walk, kind, der, 0);
		/* fallthrough */
	case EST_FILE_PRIVATE_KEY:
	case EST_FILE_ENCRYPTED_KEY:
		return emit(walk, kind, (struct est_span){ 0 }, 0, NULL);
	default:
		return emit(walk, kind, der, 0, NULL);
	}
}

/* DER values one after another; kind is the first one's. */
static enum est_code walk_der(struct walk *walk, enum est_file_kind kind, struct est_span data)
{
	const size_t offset = walk->offset;
	struct est_span rest = data, value;
	enum est_code rc = EST_OK;
	struct est_error why;
	struct der_tlv tlv;

	while (rc == EST_OK) {
		value = rest;
		if (!ber_next(&rest, &tlv))
			return walk_value(walk, kind, value); /* the reader says what is wrong */
		if (rest.n > 0 && rest.p[0] != DER_SEQUENCE) {
			rc = trailing_cut(&value, est_file_kind_text(kind), walk->quirks, &why);
			if (rc != EST_OK)
				return emit_broken(walk, kind, 0, &why);
			rest.n = 0;
		}
		rc = walk_value(walk, kind, tlv.whole);
		if (rest.n == 0)
			return rc;
		walk->offset = offset + (size_t)(rest.p - data.p);
		kind = file_kind_der(rest);
		if (kind == EST_FILE_UNKNOWN)
			kind = EST_FILE_CERT;
	}
	return rc;
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
		return emit(walk, label, (struct est_span){ 0 }, 0, NULL);
	rc = pem_decode_noting(block, walk->quirks, &der, &why);
	if (rc != EST_OK && label == EST_FILE_OTHER_PEM)
		rc = emit(walk, label, (struct est_span){ 0 }, 0, NULL);
	else if (rc != EST_OK)
		rc = emit_broken(walk, label, 0, &why);
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
		rc = emit_broken(walk, kind, 0, &why);
out:
	est_buf_free(&der);
	return rc;
}

/* More of the text than there is behind what the reader has read. */
static enum est_code pem_more(struct walk *walk, struct pem_reader *reader, bool *more)
{
	struct source *s = walk->source;
	size_t before, rest;

	*more = s && !s->end && reader->rest.p >= s->p && reader->rest.p <= s->p + s->filled;
	if (!*more)
		return EST_OK;
	before = s->filled;
	/* Twice as much of a large block each time, so that it is looked at a few times at most. */
	rest = before - (size_t)(reader->rest.p - s->p);
	if (source_fill(s, before + (rest < PEM_SMALL ? 1 : rest), walk->err) != EST_OK)
		return walk->err->code;
	reader->rest.n += s->filled - before;
	return EST_OK;
}

static enum est_code walk_pem(struct walk *walk, struct est_span text)
{
	const size_t offset = walk->offset;
	struct pem_reader reader, start;
	struct pem_block block;
	struct est_error why;
	enum est_code rc, got;
	bool found, more;

	pem_init(&reader, text);
	for (;;) {
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
			rc = emit_broken(walk, EST_FILE_OTHER_PEM, 0, &why);
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

static enum est_code walk_any(struct walk *walk, struct est_span data, unsigned depth);

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
			inner.body = after(part, 1);
		else if (part.n > 1 && memcmp(part.p, "\r\n", 2) == 0)
			inner.body = after(part, 2);
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

/* What is behind the header fields. */
static enum est_code walk_wrapped(struct walk *walk, struct est_span data, unsigned depth)
{
	struct wrapped message = { 0 };
	struct est_buf whole = { 0 };
	enum est_encoding encoding;
	enum est_file_kind kind;
	enum est_code rc = EST_OK;

	if (depth == NEST_MAX || !wrapped_read(data, false, &message))
		return est_fail(walk->err, EST_E_INPUT, "messages in messages, more than %d deep",
			NEST_MAX);
	walk->offset += (size_t)(message.body.p - data.p);
	if (message.boundary.n > 0)
		return walk_parts(walk, &message, depth + 1);
	if (message.chunked && wrapped_unchunk(message.body, &whole, walk->err))
		message.body = est_buf_span(&whole);
	if (message.est_type) {
		kind = est_file_kind(message.body, &encoding);
		if (encoding == EST_ENCODING_PEM)
			rc = quirk_note(walk->quirks, EST_Q_PEM, "HTTP response", walk->err);
		else if (encoding == EST_ENCODING_RAW && message.body.n > 0 &&
			 message.body.p[0] == DER_SEQUENCE)
			rc = quirk_note(walk->quirks, EST_Q_RAW_DER, "HTTP response", walk->err);
		if (rc == EST_OK && kind == EST_FILE_CERT && encoding != EST_ENCODING_PEM)
			rc = quirk_note(walk->quirks, EST_Q_BARE_CERT, "HTTP response", walk->err);
	}
	if (rc == EST_OK)
		rc = walk_any(walk, message.body, depth + 1);
	est_buf_free(&whole);
	return rc;
}

static enum est_code open_inside(struct walk *walk, enum est_file_kind kind, struct est_span data,
	unsigned depth)
{
	return kind == EST_FILE_PKCS12 ? walk_p12(walk, data) : walk_wrapped(walk, data, depth);
}

static enum est_code walk_any(struct walk *walk, struct est_span data, unsigned depth)
{
	struct est_buf der = { 0 };
	enum est_encoding encoding;
	enum est_file_kind kind = file_kind_decode(data, &encoding, &der);
	struct der_tlv whole;
	enum est_code rc;

	walk->label = (struct est_span){ 0 };
	switch (kind) {
	case EST_FILE_WRAPPED:
		if (walk->open) {
			rc = walk->open(walk, kind, data, depth);
			break;
		}
		/* fallthrough */
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
		rc = est_fail(walk->err, EST_E_INPUT,
			"looks like %s, not certificates, a request, a CRL, CSR attributes or a key",
			est_file_kind_text(kind));
		est_reason(walk->err, "other-kind");
		break;
	default:
		if (encoding == EST_ENCODING_PEM)
			rc = walk_pem(walk, data);
		else if (encoding == EST_ENCODING_BASE64)
			rc = walk_base64(walk, kind, data, est_buf_span(&der));
		else if (data.p[0] != DER_SEQUENCE) /* OpenSSH, OpenPGP */
			rc = emit(walk, kind, (struct est_span){ 0 }, 0, NULL);
		else
			rc = walk_der(walk, kind, data);
	}
	est_buf_free(&der);
	return rc;
}

/* A bag in definite lengths: its headers alone, which are in the part that was read, are enough to
 * go from certificate to certificate.  *out is all of it, as far as it says and the memory that is
 * set aside goes, and may end behind the file. */
static bool bag_open(const struct source *s, struct est_span *out)
{
	struct est_span in = { s->p, s->room };
	struct der_tlv outer, tlv;

	if (!der_expect(&in, DER_SEQUENCE, &outer))
		return false;
	in = outer.body;
	if (!der_expect(&in, DER_OID, &tlv) || file_kind_der(outer.whole) != EST_FILE_SIGNED_DATA ||
		!der_expect(&in, DER_CONTEXT_C(0), &tlv) || in.n > 0)
		return false;
	in = tlv.body;
	if (!der_expect(&in, DER_SEQUENCE, &tlv) || in.n > 0)
		return false;
	in = tlv.body;
	*out = outer.whole;
	return der_expect(&in, DER_INTEGER, &tlv) && der_expect(&in, DER_SET, &tlv) &&
	       der_expect(&in, DER_SEQUENCE, &tlv) && in.p + 6 < s->p + s->filled &&
	       der_expect(&in, DER_CONTEXT_C(0), &tlv);
}

/* What is behind the first value of a file. */
static enum est_code walk_behind(struct walk *walk, struct est_span first)
{
	struct source *s = walk->source;
	struct est_span rest;
	enum est_code rc = source_fill(s, SIZE_MAX, walk->err);

	if (rc != EST_OK || s->filled <= first.n)
		return rc;
	rest = (struct est_span){ s->p + first.n, s->filled - first.n };
	walk->offset = first.n;
	if (rest.p[0] == DER_SEQUENCE)
		return walk_any(walk, rest, 0);
	rest = (struct est_span){ s->p, s->filled };
	rc = trailing_cut(&rest, est_file_kind_text(EST_FILE_SIGNED_DATA), walk->quirks, walk->err);
	return rc == EST_E_PROTOCOL ? EST_E_INPUT : rc;
}

enum est_code est_objects(struct est_span data, struct est_quirks *quirks, est_object_fn *fn,
	void *ctx, struct est_error *err)
{
	struct walk walk = {
		.fn = fn,
		.open = open_inside,
		.ctx = ctx,
		.quirks = quirks,
		.err = err,
	};

	return walk_any(&walk, data, 0);
}

enum est_code objects_plain(struct est_span data, struct est_quirks *quirks, est_object_fn *fn,
	void *ctx, struct est_error *err)
{
	struct walk walk = { .fn = fn, .ctx = ctx, .quirks = quirks, .err = err };

	return walk_any(&walk, data, 0);
}

enum est_code est_objects_file(const char *path, size_t max, const char *password,
	struct est_quirks *quirks, est_object_fn *fn, void *ctx, struct est_error *err)
{
	struct source source = { .fd = -1 };
	struct walk walk = {
		.fn = fn,
		.open = open_inside,
		.ctx = ctx,
		.quirks = quirks,
		.err = err,
		.source = &source,
		.password = password,
	};
	enum est_encoding encoding;
	struct est_span head, bag;
	enum est_code rc = source_open(path, max, &source, err);

	if (rc != EST_OK)
		return rc;
	head = (struct est_span){ source.p, source.filled };
	if (bag_open(&source, &bag) && (!source.end || bag.n > source.filled)) {
		rc = walk_bag(&walk, bag);
		if (rc == EST_OK)
			rc = walk_behind(&walk, bag);
	} else if (!source.end && head.n > 0 && head.p[0] != DER_SEQUENCE && pem_present(head) &&
		   est_file_kind(head, &encoding) != EST_FILE_WRAPPED &&
		   encoding == EST_ENCODING_PEM) {
		rc = walk_pem(&walk, head);
	} else {
		rc = source_fill(&source, SIZE_MAX, err);
		if (rc == EST_OK)
			rc = walk_any(&walk, (struct est_span){ source.p, source.filled }, 0);
	}
	source_close(&source);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* A splitter for PEM text (RFC 7468).  The library's own looks for each block from the beginning
 * and joins BEGIN with any END; this one goes over the text once. */
#include "pem.h"

#include <gnutls/gnutls.h>
#include <string.h>

#include "base64.h"

#define DASHES     "-----"
#define BEGIN      "-----BEGIN "
#define END        "-----END "
#define LITERAL(s) (s), (sizeof(s) - 1)

static bool starts_with(struct est_span in, const char *s, size_t n)
{
	return in.n >= n && memcmp(in.p, s, n) == 0;
}

static struct est_span skip(struct est_span in, size_t n)
{
	return (struct est_span){ in.p + n, in.n - n };
}

/* Offset of s in in, or in.n.  Not memmem(): checkers of memory look at all of its input each
 * time, which makes a quadratic program of a linear one. */
static size_t find(struct est_span in, const char *s, size_t n)
{
	const uint8_t *at;
	size_t i = 0;

	while (in.n - i >= n) {
		at = memchr(in.p + i, s[0], in.n - i - (n - 1));
		if (!at)
			break;
		i = (size_t)(at - in.p);
		if (memcmp(at, s, n) == 0)
			return i;
		i++;
	}
	return in.n;
}

bool pem_present(struct est_span text)
{
	return find(text, LITERAL(BEGIN)) < text.n;
}

void pem_init(struct pem_reader *reader, struct est_span text)
{
	*reader = (struct pem_reader){ .rest = text };
}

static void advance(struct pem_reader *reader, size_t n)
{
	reader->rest = skip(reader->rest, n);
	reader->offset += n;
}

/* The label in "LABEL-----"; false when the line is no armour. */
static bool label_read(struct est_span in, struct est_span *out)
{
	struct est_span line = { in.p, in.n };
	size_t n;

	if (line.n > PEM_LABEL_MAX + sizeof(DASHES) - 1)
		line.n = PEM_LABEL_MAX + sizeof(DASHES) - 1;
	n = find(line, LITERAL(DASHES));
	if (n == line.n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (line.p[i] < 0x20 || line.p[i] > 0x7e)
			return false;
	}
	*out = (struct est_span){ line.p, n };
	return true;
}

bool pem_begin(struct pem_reader *reader, struct est_span *label, size_t *offset)
{
	size_t at;

	do {
		at = find(reader->rest, LITERAL(BEGIN));
		advance(reader, at);
		if (reader->rest.n == 0)
			return false;
		*offset = reader->offset;
		advance(reader, sizeof(BEGIN) - 1);
	} while (!label_read(reader->rest, label));
	advance(reader, label->n + sizeof(DASHES) - 1);
	return true;
}

enum est_code pem_end(struct pem_reader *reader, struct est_span label, size_t offset,
	struct est_error *err)
{
	struct est_span end_label;

	if (!starts_with(reader->rest, LITERAL(END)))
		return est_fail(err, EST_E_INPUT,
			"the PEM block that begins at offset %zu has no END line (RFC 7468)",
			offset);
	advance(reader, sizeof(END) - 1);
	if (!label_read(reader->rest, &end_label) || !est_span_eq(label, end_label))
		return est_fail(err, EST_E_INPUT,
			"the PEM block that begins at offset %zu ends with another label (RFC 7468 "
			"section 2)",
			offset);
	advance(reader, end_label.n + sizeof(DASHES) - 1);
	return EST_OK;
}

enum est_code pem_next(struct pem_reader *reader, struct pem_block *out, bool *found,
	struct est_error *err)
{
	struct est_span label, body;
	enum est_code rc;
	size_t at, n;

	*found = pem_begin(reader, &label, &at);
	if (!*found)
		return EST_OK;
	body = reader->rest;
	n = find(body, LITERAL(DASHES)); /* base64 and headers have no such run of dashes */
	advance(reader, n);
	rc = pem_end(reader, label, at, err);
	if (rc == EST_OK)
		*out = (struct pem_block){ .label = label, .text = { body.p, n }, .offset = at };
	return rc;
}

bool pem_is(const struct pem_block *block, const char *label)
{
	return est_span_eq(block->label, est_span_str(label));
}

bool pem_is_private_key(const struct pem_block *block)
{
	static const char suffix[] = "PRIVATE KEY";
	const size_t n = sizeof(suffix) - 1;

	return block->label.n >= n && memcmp(block->label.p + block->label.n - n, suffix, n) == 0;
}

/* Splits RFC 1421 headers off: lines up to the first empty one, if the first has a colon. */
static struct est_span headers_split(struct est_span text, struct est_span *headers)
{
	size_t line, used = 0;

	while (text.n > used && memchr(" \t\r\n", text.p[used], 4))
		used++;
	text = skip(text, used);
	line = find(text, LITERAL("\n"));
	*headers = (struct est_span){ text.p, 0 };
	if (line == 0 || !memchr(text.p, ':', line))
		return text;
	for (used = 0; used < text.n; used += line + 1) {
		line = find(skip(text, used), LITERAL("\n"));
		if (line == text.n - used)
			return (struct est_span){ text.p + text.n, 0 };
		if (line == 0 || (line == 1 && text.p[used] == '\r')) {
			headers->n = used;
			return skip(text, used + line + 1);
		}
	}
	return (struct est_span){ text.p + text.n, 0 };
}

bool pem_is_encrypted(const struct pem_block *block)
{
	struct est_span headers;

	(void)headers_split(block->text, &headers);
	return find(headers, LITERAL("ENCRYPTED")) < headers.n ||
	       starts_with(block->label, LITERAL("ENCRYPTED "));
}

static enum est_code decode(struct est_span text, struct est_quirks *quirks, struct est_buf *out,
	struct est_error *err)
{
	size_t before = out->n;
	enum est_code rc;

	rc = base64_decode(text, "base64", quirks, out, err);
	if (rc == EST_E_PROTOCOL)
		return err->code = EST_E_INPUT;
	if (rc == EST_OK && out->n == before)
		rc = est_fail(err, EST_E_INPUT, "no base64 where some was due");
	return rc;
}

enum est_code pem_decode_base64(struct est_span text, struct est_buf *out, struct est_error *err)
{
	return decode(text, NULL, out, err);
}

enum est_code pem_decode(const struct pem_block *block, struct est_buf *out, struct est_error *err)
{
	return pem_decode_noting(block, NULL, out, err);
}

enum est_code pem_decode_noting(const struct pem_block *block, struct est_quirks *quirks,
	struct est_buf *out, struct est_error *err)
{
	struct est_span headers;

	return decode(headers_split(block->text, &headers), quirks, out, err);
}

enum est_code est_pem_append(struct est_buf *out, const char *label, struct est_span der,
	struct est_error *err)
{
	gnutls_datum_t in = { (unsigned char *)der.p, (unsigned)der.n }, text = { 0 };
	enum est_code rc;
	int ret;

	if (der.n == 0 || der.n > INT32_MAX)
		return est_fail(err, EST_E_INTERNAL, "PEM of %zu bytes", der.n);
	ret = gnutls_pem_base64_encode2(label, &in, &text);
	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "PEM: %s", gnutls_strerror(ret));
	rc = est_buf_append(out, (struct est_span){ text.data, text.size }, err);
	gnutls_memset(text.data, 0, text.size);
	gnutls_free(text.data);
	return rc;
}

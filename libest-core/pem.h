/* SPDX-License-Identifier: MIT */
/* PEM blocks (RFC 7468) in text, found in one linear pass. */
#ifndef EST_PEM_H
#define EST_PEM_H

#include "est.h"

#define PEM_LABEL_MAX 64

struct pem_block { /* borrowed from the text */
	struct est_span label;
	struct est_span text; /* between the two lines; may begin with headers */
	size_t offset;        /* of the BEGIN line in the text given to the first pem_next() */
};

struct pem_reader {
	struct est_span rest;
	size_t offset; /* of rest in the whole text */
};

/* Whether the text has a BEGIN line at all. */
bool pem_present(struct est_span text);
void pem_init(struct pem_reader *reader, struct est_span text);
/* The next block; *found is false at the end, text outside of blocks is skipped.  EST_E_INPUT for a
 * block without its END line; the reader then stands behind it and may be asked again. */
enum est_code pem_next(struct pem_reader *reader, struct pem_block *out, bool *found,
	struct est_error *err) EST_MUST_CHECK;
/* The halves of it: up to behind the next BEGIN line, false when there is none; and from the END
 * line on, which is due at the front. */
bool pem_begin(struct pem_reader *reader, struct est_span *label, size_t *offset);
enum est_code pem_end(struct pem_reader *reader, struct est_span label, size_t offset,
	struct est_error *err) EST_MUST_CHECK;
bool pem_is(const struct pem_block *block, const char *label);
/* A label that ends in PRIVATE KEY. */
bool pem_is_private_key(const struct pem_block *block);
/* Has RFC 1421 headers that say the contents are encrypted. */
bool pem_is_encrypted(const struct pem_block *block);
/* Appends the decoded bytes.  EST_E_INPUT with the reason; no bytes at all is one. */
enum est_code pem_decode(const struct pem_block *block, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* The same, and deviations go to quirks. */
enum est_code pem_decode_noting(const struct pem_block *block, struct est_quirks *quirks,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;
/* The same for base64 without armour: white space anywhere, padding may be missing. */
enum est_code pem_decode_base64(struct est_span text, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

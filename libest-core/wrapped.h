/* SPDX-License-Identifier: MIT */
/* Messages with header fields in a file: HTTP responses as they were saved, mail (RFC 9112,
 * RFC 5322, RFC 2046).  They are opened to look inside, and nothing here is a client's parser. */
#ifndef EST_WRAPPED_H
#define EST_WRAPPED_H

#include "est.h"

struct wrapped { /* borrowed */
	struct est_span body;
	struct est_span boundary; /* of a multipart; empty: none */
	bool chunked;             /* says its body is in chunks; `curl -i` has put them together */
	bool est_type;            /* HTTP, with a media type that EST has base64 in */
};

/* False: the text does not begin with a status line or fields of which one is about contents.
 * part: of a multipart, where there may be no field at all. */
bool wrapped_read(struct est_span text, bool part, struct wrapped *out);
/* Whether the text is the front of one whose fields go on behind it. */
bool wrapped_begins(struct est_span text);

#define WRAPPED_BOUNDARY_MAX 70 /* characters, RFC 2046 section 5.1.1 */

struct wrapped_boundary { /* the line end before a delimiter belongs to it */
	uint8_t text[3 + WRAPPED_BOUNDARY_MAX];
	size_t n;
};

/* False: an empty one, or one that is too long. */
bool wrapped_boundary(struct est_span boundary, struct wrapped_boundary *out);
/* The offset of the line feed before the next delimiter; in.n: there is none. */
size_t wrapped_delimiter(struct est_span in, const struct wrapped_boundary *boundary);

#define WRAPPED_CHUNK_LINE 1024 /* octets, with extensions that nobody sends */

/* The line that begins a chunk of this size, or for 0 is the last (RFC 9112 section 7.1); behind
 * another one its end comes first.  How much of in that is; 0: it is none, or not all there. */
size_t wrapped_chunk(struct est_span in, bool behind, size_t *size);
/* Whether the body begins with a chunk, as far as it is there. */
bool wrapped_in_chunks(struct est_span body);

#endif

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
/* The next part of a multipart body, off the front of *rest.  False: no other. */
bool wrapped_part(struct est_span *rest, struct est_span boundary, struct est_span *part);
/* Chunks put together; false: they are none, *out is as before (RFC 9112 section 7.1). */
bool wrapped_unchunk(struct est_span body, struct est_buf *out, struct est_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Bytes that are read as far as somebody has got in them, into memory that was set aside for all of
 * them: of a file, or of what lies in another source and is taken out of it piece by piece.
 *
 *	file or pipe --> [HTTP chunks or a part of a mail] --> [base64] --> a bag's octets
 *
 * Each arrow is a source whose text is the one before.  Asking the last one for more asks all of
 * them, and each gives back the memory of what the next one has taken.  A file is read, not
 * mapped: whoever cuts that short kills the process. */
#ifndef EST_SOURCE_H
#define EST_SOURCE_H

#include "base64.h"
#include "wrapped.h"

struct source;
/* Reads the next part, at least a byte unless that is the end. */
typedef enum est_code source_fill_fn(struct source *s, struct est_error *err);
typedef void source_waits_fn(void *ctx);

struct source {
	const char *name;
	source_fill_fn *fill; /* NULL: all of it is there */
	uint8_t *p;           /* stays where it is while more is read */
	size_t room, filled;  /* bytes */
	size_t part;          /* that are read at once */
	size_t gone;          /* that nobody needs any more: they read as zero */
	bool end;             /* there is no more */
	bool borrowed;        /* p is somebody's */

	/* A file. */
	int fd;
	size_t size; /* of a regular one when it was opened; else 0 */
	bool regular;
	source_waits_fn *waits;
	void *ctx;

	/* What lies in another one. */
	struct source *text;
	size_t at; /* so far in it */
	struct base64_reader base64;
	bool armoured; /* the first dash ends it */
	struct est_quirks *quirks;
	struct est_error broken;          /* what it ends with */
	struct wrapped_boundary boundary; /* what ends it */
	size_t left;                      /* octets of the chunk at hand */
	bool in_chunk, last_chunk;
};

#define SOURCE_PART    (256u << 10)
#define SOURCE_WAIT_MS 200

/* As est_read_file(); the first part is read.  part is SOURCE_PART, or less to see what happens
 * where one ends.  waits (may be NULL) is called every SOURCE_WAIT_MS while nothing comes.
 * source_close() on success. */
enum est_code source_open(const char *path, size_t max, size_t part, source_waits_fn *waits,
	void *ctx, struct source *out, struct est_error *err) EST_MUST_CHECK;
/* What is in memory as a source; nothing is to be released. */
struct source source_of(struct est_span data);
/* Reads on until so many bytes are there or the source ends, which is not an error. */
enum est_code source_fill(struct source *s, size_t upto, struct est_error *err) EST_MUST_CHECK;
/* How much may follow this offset at most. */
size_t source_left(const struct source *s, size_t at);
/* What was read before this offset will not be looked at again: its memory is given back. */
void source_forget(struct source *s, size_t before);
/* Wipes what was read: it may have been a key. */
void source_close(struct source *s);

/* What lies in text from this offset on.  text has to outlive *out, of which the first part is
 * read; source_close() on success. */

/* The octets that base64 stands for, to the end or, when armoured, to its first dash.  What is no
 * base64 fails source_fill() behind what was. */
enum est_code source_base64(struct source *text, size_t at, bool armoured,
	struct est_quirks *quirks, struct source *out, struct est_error *err) EST_MUST_CHECK;
/* A body in chunks (RFC 9112 section 7.1), which ends where they are broken; last_chunk says
 * whether they are complete.  The text behind is forgotten. */
enum est_code source_chunks(struct source *text, size_t at, struct source *out,
	struct est_error *err) EST_MUST_CHECK;
/* A part of a multipart, up to the line end before its boundary (RFC 2046 section 5.1.1), where
 * out->at then stands.  The text behind is forgotten. */
enum est_code source_part(struct source *text, size_t at, const struct wrapped_boundary *boundary,
	struct source *out, struct est_error *err) EST_MUST_CHECK;

/* For these: *s has its fill and what that needs. */
enum est_code source_inside(struct source *s, struct source *text, size_t at, size_t room,
	struct est_error *err) EST_MUST_CHECK;

#endif

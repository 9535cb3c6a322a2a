/* SPDX-License-Identifier: MIT */
/* A file that is read as far as somebody has got in it, into memory that was set aside for all of
 * it.  Not a mapping of the file: whoever cuts that short kills the process. */
#ifndef EST_SOURCE_H
#define EST_SOURCE_H

#include "base64.h"

struct source {
	const char *name;
	int fd;
	uint8_t *p;          /* stays where it is while more is read */
	size_t room, filled; /* bytes */
	size_t part;         /* that are read at once */
	size_t gone;         /* that nobody needs any more: they read as zero */
	size_t size;         /* of a regular file when it was opened; else 0 */
	bool regular, end;   /* there is no more */
	bool borrowed;       /* p is somebody's and complete */
	struct source *text; /* base64 in another source is what this one reads */
	size_t at;           /* so far in it */
	bool armoured;       /* its first dash ends it */
	struct base64_reader base64;
	struct est_quirks *quirks;
	struct est_error broken; /* what it ends with */
};

#define SOURCE_PART (256u << 10)

/* As est_read_file(); the first part is read.  part is SOURCE_PART, or less to see what happens
 * where one ends.  source_close() on success. */
enum est_code source_open(const char *path, size_t max, size_t part, struct source *out,
	struct est_error *err) EST_MUST_CHECK;
/* What is in memory as a source; nothing is to be released. */
struct source source_of(struct est_span data);
/* The octets that base64 text in another source stands for, from this offset in it to its end or,
 * when armoured, its first dash.  The first part is read.  text has to outlive *out. */
enum est_code source_base64(struct source *text, size_t at, bool armoured,
	struct est_quirks *quirks, struct source *out, struct est_error *err) EST_MUST_CHECK;
/* What was read before this offset will not be looked at again: its memory is given back. */
void source_forget(struct source *s, size_t before);
/* Reads on until so many bytes are there or the file ends, which is not an error. */
enum est_code source_fill(struct source *s, size_t upto, struct est_error *err) EST_MUST_CHECK;
/* Wipes what was read: it may have been a key. */
void source_close(struct source *s);

#endif

/* SPDX-License-Identifier: MIT */
/* A file that is read as far as somebody has got in it, into memory that was set aside for all of
 * it.  Not a mapping of the file: whoever cuts that short kills the process. */
#ifndef EST_SOURCE_H
#define EST_SOURCE_H

#include "est.h"

struct source {
	const char *name;
	int fd;
	uint8_t *p;          /* stays where it is while more is read */
	size_t room, filled; /* bytes */
	size_t size;         /* of a regular file when it was opened; else 0 */
	bool regular, end;   /* there is no more */
};

/* As est_read_file(); the first part is read.  source_close() on success. */
enum est_code source_open(const char *path, size_t max, struct source *out,
	struct est_error *err) EST_MUST_CHECK;
/* Reads on until so many bytes are there or the file ends, which is not an error. */
enum est_code source_fill(struct source *s, size_t upto, struct est_error *err) EST_MUST_CHECK;
/* Wipes what was read: it may have been a key. */
void source_close(struct source *s);

#endif

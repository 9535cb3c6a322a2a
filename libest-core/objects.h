/* SPDX-License-Identifier: MIT */
/* A file being taken apart: what its parts need of each other.  Each byte is looked at a fixed
 * number of times, and objects at the front are handed out before the end is read.
 *
 *	walk_source()            what begins here, by its first part (objects.c)
 *	  walk_bag_stream()      a certs-only message while it is read (objects_bag.c)
 *	  walk_der()             DER values in a row, each by its kind (objects_der.c)
 *	  walk_pem()             blocks, the values in them likewise (objects_pem.c)
 *	  walk_open()            mail, HTTP, PKCS #12 (objects_open.c): what is in them begins
 *	                         again with walk_source(), on a source inside this one (source.h)
 *	    walk_emit()          each object, whatever it was in: to the caller (objects_bag.c)
 */
#ifndef EST_OBJECTS_H
#define EST_OBJECTS_H

#include "certs.h"
#include "source.h"

struct walk;
/* Takes apart what holds other files: der of PKCS #12, the mail or HTTP response at this offset of
 * the source. */
typedef enum est_code open_fn(struct walk *walk, enum est_file_kind kind, struct est_span der,
	size_t at, unsigned depth);

struct walk { /* one file */
	est_object_fn *fn;
	open_fn *open; /* NULL: such a file stays closed */
	void *ctx;
	struct est_quirks *quirks;
	struct est_error *err;
	const struct est_reading *reading;
	struct source *source; /* what is being taken apart */
	struct est_span label; /* of the PEM block at hand */
	size_t index;          /* of the last object */
	size_t begun;          /* that the caller knows of already */
	size_t offset;         /* of what is being taken apart, in the file */
};

/* est_objects_file() on a source that is open. */
enum est_code objects_walk(struct source *source, const struct est_reading *reading,
	struct est_quirks *quirks, est_object_fn *fn, void *ctx,
	struct est_error *err) EST_MUST_CHECK;

enum est_code walk_emit(struct walk *walk, enum est_file_kind kind, struct est_span der,
	size_t offset, const struct est_error *broken) EST_MUST_CHECK;
/* The next object will be of this kind, when all of it has been read. */
enum est_code walk_begins(struct walk *walk, enum est_file_kind kind, size_t offset) EST_MUST_CHECK;
/* A failure to read becomes a broken object, a failure of ours ends everything. */
enum est_code walk_emit_broken(struct walk *walk, enum est_file_kind kind, size_t offset,
	const struct est_error *why) EST_MUST_CHECK;

/* What begins at this offset of the source: everything that an object may be wrapped in. */
enum est_code walk_source(struct walk *walk, size_t at, unsigned depth) EST_MUST_CHECK;
/* What follows a bag that was at begin. */
enum est_code walk_behind(struct walk *walk, size_t begin, size_t end) EST_MUST_CHECK;
/* An open_fn for all there is. */
enum est_code walk_open(struct walk *walk, enum est_file_kind kind, struct est_span der, size_t at,
	unsigned depth) EST_MUST_CHECK;
/* Blocks in text that begins at this offset of the source. */
enum est_code walk_pem(struct walk *walk, size_t at) EST_MUST_CHECK;
/* One DER value of a kind that is known; several one after another, kind is the first one's. */
enum est_code walk_value(struct walk *walk, enum est_file_kind kind,
	struct est_span der) EST_MUST_CHECK;
enum est_code walk_der(struct walk *walk, enum est_file_kind kind,
	struct est_span data) EST_MUST_CHECK;

/* All of the source behind this offset is read. */
enum est_code walk_all(struct walk *walk, size_t at, struct est_span *out) EST_MUST_CHECK;
/* *rest goes on behind what was read of the source: its first element is there, and a byte behind
 * it, or there is no more.  What is not in the source stays as it is. */
enum est_code walk_value_need(struct walk *walk, struct est_span *rest) EST_MUST_CHECK;

/* A certs-only message: its certificates, its CRLs and, if it is more than a bag, itself. */
enum est_code walk_bag(struct walk *walk, struct est_span der) EST_MUST_CHECK;
/* Whether a large one begins at this offset of the source, to be shown while it is read. */
bool walk_bag_begins(struct walk *walk, size_t at, struct certs_iter *out);
/* Shows it; *end is the offset behind it. */
enum est_code walk_bag_stream(struct walk *walk, struct certs_iter *iter,
	size_t *end) EST_MUST_CHECK;

#endif

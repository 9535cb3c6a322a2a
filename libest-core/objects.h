/* SPDX-License-Identifier: MIT */
/* A file being taken apart: what its parts need of each other. */
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
	const char *password;
	struct source *source; /* what is being taken apart */
	struct est_span label; /* of the PEM block at hand */
	size_t index;          /* of the last object */
	size_t offset;         /* of what is being taken apart, in the file */
};

/* est_objects_file() on a source that is open. */
enum est_code objects_walk(struct source *source, const char *password, struct est_quirks *quirks,
	est_object_fn *fn, void *ctx, struct est_error *err) EST_MUST_CHECK;

enum est_code walk_emit(struct walk *walk, enum est_file_kind kind, struct est_span der,
	size_t offset, const struct est_error *broken) EST_MUST_CHECK;
/* A failure to read becomes a broken object, a failure of ours ends everything. */
enum est_code walk_emit_broken(struct walk *walk, enum est_file_kind kind, size_t offset,
	const struct est_error *why) EST_MUST_CHECK;

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

/* SPDX-License-Identifier: MIT */
/* Files that are replaced by one rename, or not at all. */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct est_output {
	struct store_target target;
	char *temp; /* in the same directory */
	int fd;
	bool secret, written;
	struct est_span content; /* borrowed between write and commit: compared with the target */
};

/* State prepare: what can fail for want of room or rights fails here. */
static enum est_code make_temp(struct est_output *out, struct est_error *err)
{
	const struct store_target *target = &out->target;
	char *temp = store_sibling(target->path, "tmp");
	enum est_code rc;

	if (!temp)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	rc = store_make_locked(temp, target->dir, &out->fd, err);
	if (rc != EST_OK) {
		free(temp);
		return rc;
	}
	out->temp = temp;
	errno = store_reserve(out->fd);
	if (errno == 0)
		return EST_OK;
	return store_fail(target->dir, "no room for a file of 64 KiB", err);
}

/* In PEM somewhere, or as what the file is. */
static bool holds_key(struct est_span content)
{
	static const char marker[] = "PRIVATE KEY-----";

	if (content.n > 0 && memmem(content.p, content.n, marker, strlen(marker)))
		return true;
	switch (est_file_kind(content, NULL)) {
	case EST_FILE_PRIVATE_KEY:
	case EST_FILE_ENCRYPTED_KEY:
	case EST_FILE_OPENSSH_KEY:
	case EST_FILE_PKCS12:
	case EST_FILE_KEYSTORE:
		return true;
	default:
		return false;
	}
}

/* A certificate written over a key would take the only copy away. */
static enum est_code check_no_key(const char *path, const struct store_target *target,
	struct est_error *err)
{
	struct est_buf old = { 0 };
	struct est_error ignored;
	enum est_code rc = EST_OK;

	if (target->exists && est_read_file(target->path, EST_FILE_MAX, &old, &ignored) == EST_OK &&
		holds_key(est_buf_span(&old))) {
		rc = est_fail(err, EST_E_OUTPUT, "%s: holds a private key, which would be lost",
			path);
		est_reason(err, "holds-key");
	}
	est_buf_free(&old);
	return rc;
}

enum est_code est_output_open(const char *path, unsigned flags, struct est_output **out,
	struct est_error *err)
{
	struct est_output *o = calloc(1, sizeof(*o));
	enum est_code rc;

	if (!o)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	o->fd = -1;
	o->secret = flags & EST_OUTPUT_SECRET;
	rc = store_target_init(path, flags, &o->target, err);
	if (rc == EST_OK && !o->secret)
		rc = check_no_key(path, &o->target, err);
	if (rc == EST_OK)
		rc = make_temp(o, err);
	if (rc == EST_OK)
		rc = store_set_mode(&o->target, o->fd, o->secret, err);
	if (rc != EST_OK) {
		est_output_free(o);
		return rc;
	}
	*out = o;
	return EST_OK;
}

enum est_code est_output_write(struct est_output *out, struct est_span content,
	struct est_error *err)
{
	enum est_code rc = store_write(out->fd, content, out->temp, err);

	out->written = rc == EST_OK;
	out->content = content;
	return rc;
}

/* Flash wears, and watchers of a file should see a change only when there is one. */
bool store_output_same(const struct est_output *out)
{
	struct est_error ignored;
	struct est_buf old = { 0 };
	bool same;

	if (!out->target.exists || (uint64_t)out->target.old.st_size != out->content.n)
		return false;
	if (out->secret && out->target.old.st_mode & 07777 & ~STORE_KEY_MODE_MAX)
		return false; /* the key must not stay that wide */
	same = est_read_file(out->target.path, out->content.n, &old, &ignored) == EST_OK &&
	       est_span_eq(est_buf_span(&old), out->content);
	est_buf_free(&old);
	return same;
}

enum est_code est_output_commit(struct est_output *out, bool *changed, struct est_error *err)
{
	bool same;

	if (!out->written)
		return est_fail(err, EST_E_INTERNAL, "%s: nothing written yet", out->target.path);
	same = store_output_same(out);
	if (changed)
		*changed = !same;
	if (same)
		return EST_OK;
	return store_rename(out->temp, &out->target, err);
}

const struct store_target *store_output_target(const struct est_output *out)
{
	return &out->target;
}

const char *est_output_temp(const struct est_output *out)
{
	return out->temp;
}

void store_output_drop(struct est_output *out)
{
	if (out->temp && store_same_file(out->fd, out->temp)) /* else it is renamed */
		(void)unlink(out->temp);
	free(out->temp);
	out->temp = NULL;
}

void est_output_free(struct est_output *out)
{
	if (!out)
		return;
	store_output_drop(out);
	if (out->fd >= 0)
		(void)close(out->fd); /* and the lock with it */
	store_target_wipe(&out->target);
	free(out);
}

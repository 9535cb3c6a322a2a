/* SPDX-License-Identifier: MIT */
/* Files that are replaced by one rename, or not at all. */
#include "est.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM_BYTES   (64 << 10) /* proved to be there before anything is sent */
#define KEY_MODE_MAX 0640
#define NEW_MODE     0644
#define LINKS_MAX    40

struct est_output {
	char *target; /* after symbolic links */
	char *temp;   /* in the same directory; NULL once it is renamed */
	char *dir;
	int fd;
	bool exists, secret, written;
	struct stat old;
	struct est_span content; /* borrowed between write and commit: compared with the target */
};

static enum est_code fail_errno(const char *path, const char *doing, struct est_error *err)
{
	int error = errno;

	est_fail(err, EST_E_OUTPUT, "%s: %s: %s", path, doing, strerror(error));
	if (error == ENOSPC || error == EDQUOT)
		est_reason(err, "no-space");
	return EST_E_OUTPUT;
}

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* One step of a symbolic link: what the link at *path names, relative to its own folder. */
static enum est_code follow(char **path, struct est_error *err)
{
	char link[PATH_MAX], *dir, *next = NULL;
	ssize_t n = readlink(*path, link, sizeof(link) - 1);

	if (n < 0)
		return fail_errno(*path, "cannot read the link", err);
	link[n] = '\0';
	dir = dir_of(*path);
	if (link[0] == '/')
		next = strdup(link);
	else if (!dir || asprintf(&next, "%s/%s", dir, link) < 0)
		next = NULL;
	free(dir);
	if (!next)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	free(*path);
	*path = next;
	return EST_OK;
}

/* Where the rename will land: the links are kept, what they point to is replaced. */
static enum est_code resolve_target(const char *path, struct est_output *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	unsigned links = 0;

	out->target = strdup(path);
	if (!out->target)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	for (;;) {
		if (lstat(out->target, &out->old) != 0)
			break;
		if (!S_ISLNK(out->old.st_mode)) {
			out->exists = true;
			break;
		}
		if (++links > LINKS_MAX)
			return est_fail(err, EST_E_OUTPUT, "%s: too many symbolic links", path);
		rc = follow(&out->target, err);
		if (rc != EST_OK)
			return rc;
	}
	if (!out->exists && errno != ENOENT)
		return fail_errno(path, "cannot look at it", err);
	if (out->exists && !S_ISREG(out->old.st_mode))
		return est_fail(err, EST_E_OUTPUT, "%s: is %s, not a regular file", path,
			S_ISDIR(out->old.st_mode)    ? "a directory"
			: S_ISFIFO(out->old.st_mode) ? "a FIFO"
						     : "a device or socket");
	return EST_OK;
}

/* The old mode and owner, a key never wider than 0640; a new file as the umask has it. */
static enum est_code set_mode(struct est_output *out, struct est_error *err)
{
	mode_t mask = umask(0), mode;

	(void)umask(mask);
	mode = out->secret ? 0600 : NEW_MODE & ~mask;
	if (out->exists) {
		mode = out->old.st_mode & 07777;
		if (out->secret)
			mode &= KEY_MODE_MAX;
		/* Not being root, the file then belongs to whoever renews it. */
		if ((out->old.st_uid != geteuid() || out->old.st_gid != getegid()) &&
			fchown(out->fd, out->old.st_uid, out->old.st_gid) != 0 && errno != EPERM)
			return fail_errno(out->temp, "cannot keep the owner", err);
	}
	if (fchmod(out->fd, mode) != 0)
		return fail_errno(out->temp, "cannot set the mode", err);
	return EST_OK;
}

static enum est_code make_temp(struct est_output *out, struct est_error *err)
{
	const char *base = strrchr(out->target, '/') ? strrchr(out->target, '/') + 1 : out->target;
	char *temp;
	int error;

	if (asprintf(&temp, "%s/.%.200s.XXXXXX", out->dir, base) < 0)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	out->fd = mkostemp(temp, O_CLOEXEC); /* O_EXCL, mode 0600 */
	if (out->fd < 0) {
		free(temp);
		return fail_errno(out->dir, "cannot make a file in this directory", err);
	}
	out->temp = temp;
	error = posix_fallocate(out->fd, 0, ROOM_BYTES);
	if (error == 0 || error == EOPNOTSUPP || error == EINVAL)
		return EST_OK;
	errno = error;
	return fail_errno(out->dir, "no room for a file of 64 KiB", err);
}

enum est_code est_output_open(
	const char *path, unsigned flags, struct est_output **out, struct est_error *err)
{
	struct est_output *o = calloc(1, sizeof(*o));
	enum est_code rc;

	if (!o)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	o->fd = -1;
	o->secret = flags & EST_OUTPUT_SECRET;
	rc = resolve_target(path, o, err);
	if (rc == EST_OK && o->exists && flags & EST_OUTPUT_NEW) {
		rc = est_fail(err, EST_E_OUTPUT, "%s: exists already", path);
		est_reason(err, "exists");
	}
	if (rc == EST_OK) {
		o->dir = dir_of(o->target);
		rc = o->dir ? make_temp(o, err) : est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	if (rc == EST_OK)
		rc = set_mode(o, err);
	if (rc != EST_OK) {
		est_output_free(o);
		return rc;
	}
	*out = o;
	return EST_OK;
}

static enum est_code write_all(struct est_output *out, struct est_span in, struct est_error *err)
{
	ssize_t n;

	while (in.n > 0) {
		n = write(out->fd, in.p, in.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(out->temp, "cannot write", err);
		in.p += n;
		in.n -= (size_t)n;
	}
	return EST_OK;
}

enum est_code est_output_write(
	struct est_output *out, struct est_span content, struct est_error *err)
{
	enum est_code rc;

	if (ftruncate(out->fd, 0) != 0 || lseek(out->fd, 0, SEEK_SET) != 0)
		return fail_errno(out->temp, "cannot write", err);
	rc = write_all(out, content, err);
	if (rc == EST_OK && fsync(out->fd) != 0)
		rc = fail_errno(out->temp, "cannot sync", err);
	out->written = rc == EST_OK;
	out->content = content;
	return rc;
}

/* Flash wears, and watchers of a file should see a change only when there is one. */
static bool same_content(const struct est_output *out)
{
	struct est_error ignored;
	struct est_buf old = { 0 };
	bool same;

	if (!out->exists || (uint64_t)out->old.st_size != out->content.n)
		return false;
	same = est_read_file(out->target, out->content.n, &old, &ignored) == EST_OK &&
	       est_span_eq(est_buf_span(&old), out->content);
	est_buf_free(&old);
	return same;
}

static enum est_code sync_dir(const char *dir, struct est_error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum est_code rc = EST_OK;

	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
		rc = fail_errno(dir, "cannot sync the directory", err);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

enum est_code est_output_commit(struct est_output *out, bool *changed, struct est_error *err)
{
	bool same;

	if (!out->written)
		return est_fail(err, EST_E_INTERNAL, "%s: nothing written yet", out->target);
	same = same_content(out);
	if (changed)
		*changed = !same;
	if (same)
		return EST_OK;
	if (rename(out->temp, out->target) != 0)
		return fail_errno(out->target, "cannot rename the new file into place", err);
	free(out->temp);
	out->temp = NULL;
	return sync_dir(out->dir, err);
}

void est_output_free(struct est_output *out)
{
	if (!out)
		return;
	if (out->fd >= 0)
		(void)close(out->fd);
	if (out->temp)
		(void)unlink(out->temp);
	free(out->temp);
	free(out->target);
	free(out->dir);
	free(out);
}

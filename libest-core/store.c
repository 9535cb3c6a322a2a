/* SPDX-License-Identifier: MIT */
/* What the replacement of a file by one rename is made of. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "token.h"

#define ROOM_BYTES (64 << 10) /* proved to be there before anything is sent */
#define KEY_MODE   0600
#define NEW_MODE   0644
#define LINKS_MAX  40
#define BASE_MAX   240 /* bytes of a name, so that .NAME.est-journal is one, too */
#define ACL_NAME   "system.posix_acl_access"
#define ACL_MAX    1024 /* 127 entries; more are not kept */
#define TRIES      8    /* when two runs make and remove the same temporary file */

enum est_code store_fail(const char *path, const char *doing, struct est_error *err)
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

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One step of a symbolic link: what the link at *path names, relative to its own folder. */
static enum est_code follow(char **path, struct est_error *err)
{
	char link[PATH_MAX], *dir, *next = NULL;
	ssize_t n = readlink(*path, link, sizeof(link) - 1);

	if (n < 0)
		return store_fail(*path, "cannot read the link", err);
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

static const char *kind_of(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a directory";
	return S_ISFIFO(mode) ? "a FIFO" : "a device or socket";
}

/* What somebody else may have put there is not ours to go on with: he would own the key that takes
 * its place, or choose where it goes. */
enum est_code store_check_place(const char *path, const struct stat *st, struct est_error *err)
{
	char *dir = dir_of(path);
	enum est_code rc = EST_OK;
	struct stat in;

	if (!dir)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	if (stat(dir, &in) != 0) {
		rc = store_fail(dir, "cannot look at it", err);
	} else if (in.st_mode & (S_IWGRP | S_IWOTH) && st->st_uid != 0 && st->st_uid != geteuid() &&
		   st->st_uid != in.st_uid) {
		rc = est_fail(err, EST_E_OUTPUT,
			"%s: belongs to user %ju, in a directory of user %ju that others may write to "
			"(mode %04o)",
			path, (uintmax_t)st->st_uid, (uintmax_t)in.st_uid,
			(unsigned)in.st_mode & 07777);
		est_hint(err,
			"give it to the directory's owner, chmod go-w the directory, run as "
			"user %ju, or remove it: est-renew(7)",
			(uintmax_t)st->st_uid);
	}
	free(dir);
	return rc;
}

/* The links are kept, what they point to is replaced. */
static enum est_code follow_links(const char *path, struct store_target *target,
	struct est_error *err)
{
	enum est_code rc = EST_OK;
	unsigned links = 0;

	while (rc == EST_OK) {
		target->exists = lstat(target->path, &target->old) == 0;
		if (!target->exists && errno != ENOENT)
			return store_fail(path, "cannot look at it", err);
		if (target->exists)
			rc = store_check_place(target->path, &target->old, err);
		if (rc != EST_OK || !target->exists || !S_ISLNK(target->old.st_mode))
			return rc;
		if (++links > LINKS_MAX)
			return est_fail(err, EST_E_OUTPUT, "%s: too many symbolic links", path);
		rc = follow(&target->path, err);
	}
	return rc;
}

static enum est_code fail_exists(const char *path, struct est_error *err)
{
	est_fail(err, EST_E_OUTPUT, "%s: exists already", path);
	return est_reason(err, "exists");
}

/* By the name that was given: whose else fails first is an internal one. */
static enum est_code check_folder(const char *path, const char *dir, struct est_error *err)
{
	if (access(dir, F_OK) == 0)
		return EST_OK;
	return est_fail(err, EST_E_OUTPUT, "%s: its folder %s: %s", path, dir, strerror(errno));
}

enum est_code store_target_init(const char *path, unsigned flags, struct store_target *out,
	struct est_error *err)
{
	struct store_target target = { .path = strdup(path), .fresh = flags & EST_OUTPUT_NEW };
	enum est_code rc;

	if (!target.path)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	if (est_is_token_url(path)) {
		free(target.path);
		est_fail(err, EST_E_OUTPUT, "%s: nothing is written into a token", path);
		return est_hint(err, "name a file for it, with -o or --key-out");
	}
	rc = follow_links(path, &target, err);
	if (rc == EST_OK && target.exists && !S_ISREG(target.old.st_mode))
		rc = est_fail(err, EST_E_OUTPUT, "%s: is %s, not a regular file", path,
			kind_of(target.old.st_mode));
	if (rc == EST_OK && target.exists && target.fresh)
		rc = fail_exists(path, err);
	if (rc == EST_OK && !*base_of(target.path))
		rc = est_fail(err, EST_E_OUTPUT, "'%s' is not the name of a file", path);
	if (rc == EST_OK) {
		target.dir = dir_of(target.path);
		if (!target.dir)
			rc = est_fail(err, EST_E_INTERNAL, "out of memory");
		else if (!target.exists)
			rc = check_folder(path, target.dir, err);
	}
	if (rc == EST_OK)
		*out = target;
	else
		store_target_wipe(&target);
	return rc;
}

void store_target_wipe(struct store_target *target)
{
	free(target->path);
	free(target->dir);
	*target = (struct store_target){ 0 };
}

/* Not being root, the file then belongs to whoever renews it, but perhaps still to the group. */
static enum est_code keep_owner(const struct store_target *target, int fd, bool *group_kept,
	struct est_error *err)
{
	const struct stat *old = &target->old;
	struct stat now;

	if (fstat(fd, &now) != 0)
		return store_fail(target->path, "cannot keep the owner", err);
	*group_kept = true;
	if (now.st_uid == old->st_uid && now.st_gid == old->st_gid)
		return EST_OK;
	if (fchown(fd, old->st_uid, old->st_gid) == 0)
		return EST_OK;
	if (errno != EPERM)
		return store_fail(target->path, "cannot keep the owner", err);
	*group_kept = now.st_gid == old->st_gid || fchown(fd, (uid_t)-1, old->st_gid) == 0;
	return EST_OK;
}

/* Where there is one the group's bits of the mode are its mask, and not what the group may do: the
 * mode without it would open a key to that group.  False: it could not be kept. */
static bool keep_acl(const struct store_target *target, int fd)
{
	uint8_t acl[ACL_MAX];
	ssize_t n = getxattr(target->path, ACL_NAME, acl, sizeof(acl));

	if (n > 0)
		return fsetxattr(fd, ACL_NAME, acl, (size_t)n, 0) == 0;
	if (errno != ENODATA)
		return errno == EOPNOTSUPP || errno == ENOSYS;
	/* Nor one that the directory gives. */
	return fremovexattr(fd, ACL_NAME) == 0 || errno == ENODATA;
}

enum est_code store_set_mode(const struct store_target *target, int fd, bool secret,
	struct est_error *err)
{
	mode_t mask = umask(0), mode;
	bool group_kept = true;
	enum est_code rc;

	(void)umask(mask);
	mode = secret ? KEY_MODE : NEW_MODE & ~mask;
	if (target->exists) {
		rc = keep_owner(target, fd, &group_kept, err);
		if (rc != EST_OK)
			return rc;
		mode = target->old.st_mode & 07777;
		if (!keep_acl(target, fd))
			group_kept = false;
		if (secret) /* a group of ours is not the one that was to read the key */
			mode &= group_kept ? STORE_KEY_MODE_MAX : KEY_MODE;
	}
	if (fchmod(fd, mode) != 0)
		return store_fail(target->path, "cannot set the mode", err);
	return EST_OK;
}

enum est_code store_write(int fd, struct est_span content, const char *name, struct est_error *err)
{
	off_t end = (off_t)content.n;
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) != 0)
		return store_fail(name, "cannot write", err);
	while (content.n > 0) { /* over what was reserved, which is then cut off */
		n = write(fd, content.p, content.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return store_fail(name, "cannot write", err);
		content.p += n;
		content.n -= (size_t)n;
	}
	if (ftruncate(fd, end) != 0 || fsync(fd) != 0)
		return store_fail(name, "cannot sync", err);
	return EST_OK;
}

enum est_code store_sync_dir(const char *dir, struct est_error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum est_code rc = EST_OK;

	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
		rc = store_fail(dir, "cannot sync the directory", err);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

enum est_code store_mkdir(const char *dir, mode_t mode, struct est_error *err)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	if (mkdir(dir, 0700) != 0 || chmod(dir, (mode & ~mask) | 0700) != 0)
		return store_fail(dir, "cannot make the folder", err);
	return EST_OK;
}

enum est_code store_check_fresh(const struct store_target *target, struct est_error *err)
{
	struct stat st;

	if (target->fresh && lstat(target->path, &st) == 0)
		return fail_exists(target->path, err); /* it came after we had looked */
	return EST_OK;
}

enum est_code store_rename(const char *from, const struct store_target *target,
	struct est_error *err)
{
	enum est_code rc = store_check_fresh(target, err);

	if (rc != EST_OK)
		return rc;
	if (rename(from, target->path) != 0)
		return store_fail(target->path, "cannot rename the new file into place", err);
	return store_sync_dir(target->dir, err);
}

/* Room for the file to come.  Flash file systems and musl do not reserve: then it is written. */
int store_reserve(int fd)
{
	const uint8_t zeros[4096] = { 0 }; /* not static: a page of nothing in the program */
	int error = posix_fallocate(fd, 0, ROOM_BYTES);

	if (error != EOPNOTSUPP && error != EINVAL)
		return error;
	for (size_t n = 0; n < ROOM_BYTES; n += sizeof(zeros)) {
		if (write(fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros))
			return errno ? errno : ENOSPC;
	}
	return 0;
}

char *store_sibling(const char *path, const char *suffix)
{
	const char *base = base_of(path);
	char *out;

	if (asprintf(&out, "%.*s.%.*s.est-%s", (int)(base - path), path, BASE_MAX, base, suffix) <
		0)
		return NULL;
	return out;
}

bool store_same_file(int fd, const char *path)
{
	struct stat opened, named;

	return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 &&
	       opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

static enum est_code take_lock(int fd, const char *path, struct est_error *err)
{
	bool taken = flock(fd, LOCK_EX | LOCK_NB) == 0;

	if (!taken && errno != EWOULDBLOCK)
		return store_fail(path, "cannot lock it", err);
	if (taken && store_same_file(fd, path))
		return EST_OK;
	est_fail(err, EST_E_OUTPUT, "%s: another est is at work on it", path);
	return est_reason(err, "locked");
}

enum est_code store_open_locked(const char *path, int *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	struct stat st;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) != 0)
		rc = store_fail(path, "cannot make it", err);
	else if (!S_ISREG(st.st_mode))
		rc = est_fail(err, EST_E_OUTPUT, "%s: not a regular file", path);
	else
		rc = take_lock(fd, path, err);
	if (rc == EST_OK)
		*out = fd;
	else if (fd >= 0)
		(void)close(fd);
	return rc;
}

enum est_code store_check_owner(int fd, const char *path, uid_t other, uid_t another,
	struct est_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return store_fail(path, "cannot look at it", err);
	if ((st.st_uid == geteuid() || st.st_uid == other || st.st_uid == another) &&
		st.st_nlink == 1)
		return EST_OK;
	est_fail(err, EST_E_OUTPUT,
		"%s: belongs to user %ju, or has a second name: others may have made it", path,
		(uintmax_t)st.st_uid);
	return est_hint(err, "a run as that user goes on with it; or look at it, and remove it");
}

/* Removes what a killed run has left under a temporary name; EST_E_OUTPUT when the run lives. */
static enum est_code remove_leftover(const char *temp, struct est_error *err)
{
	int fd = open(temp, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	enum est_code rc = EST_OK;

	if (fd < 0 && errno == ENOENT)
		return EST_OK; /* just gone */
	if (fd < 0 && errno != ELOOP)
		return store_fail(temp, "cannot open what is there", err);
	if (fd >= 0)
		rc = take_lock(fd, temp, err);
	if (rc == EST_OK && unlink(temp) != 0 && errno != ENOENT)
		rc = store_fail(temp, "cannot remove what is there", err);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

enum est_code store_make_locked(const char *temp, const char *dir, int *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	int fd = -1;

	for (unsigned i = 0; rc == EST_OK && fd < 0 && i < TRIES; i++) {
		fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return store_fail(dir, "cannot make a file in this directory", err);
		if (fd < 0)
			rc = remove_leftover(temp, err);
	}
	if (rc == EST_OK)
		rc = take_lock(fd, temp, err);
	if (rc == EST_OK && fchmod(fd, 0600) != 0) /* under umask 777 no later run could open it */
		rc = store_fail(temp, "cannot set the mode", err);
	if (rc == EST_OK) {
		*out = fd;
	} else if (fd >= 0) {
		if (store_same_file(fd, temp))
			(void)unlink(temp);
		(void)close(fd);
	}
	return rc;
}

bool est_same_file(const char *a, const char *b)
{
	struct store_target one = { 0 }, two = { 0 };
	struct stat dir_one, dir_two;
	struct est_error ignored;
	bool same = false;

	if (store_target_init(a, 0, &one, &ignored) != EST_OK ||
		store_target_init(b, 0, &two, &ignored) != EST_OK)
		same = strcmp(a, b) == 0;
	else if (one.exists || two.exists)
		same = one.exists && two.exists && one.old.st_ino == two.old.st_ino &&
		       one.old.st_dev == two.old.st_dev;
	else if (stat(one.dir, &dir_one) == 0 && stat(two.dir, &dir_two) == 0)
		same = dir_one.st_ino == dir_two.st_ino && dir_one.st_dev == dir_two.st_dev &&
		       strcmp(base_of(one.path), base_of(two.path)) == 0;
	store_target_wipe(&one);
	store_target_wipe(&two);
	return same;
}

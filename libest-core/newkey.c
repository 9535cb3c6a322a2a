/* SPDX-License-Identifier: MIT */
/* The key of an enrolment under way: on disk before its request leaves, so that a crash, a kill or
 * a 202 never loses a key that the CA has certified. */
#include "store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct est_newkey {
	struct est_key *key;
	struct store_target target; /* the final name */
	char *path;                 /* KEY.est-new, beside it */
	int fd;                     /* holds the lock */
	bool committed;
};

/* Opens and locks the file; a run that has just finished may have renamed it meanwhile. */
static enum est_code open_locked(struct est_newkey *nk, struct est_error *err)
{
	struct stat opened, named;

	nk->fd = open(nk->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (nk->fd < 0 || fstat(nk->fd, &opened) != 0)
		return store_fail(nk->path, "cannot make it", err);
	if (!S_ISREG(opened.st_mode))
		return est_fail(err, EST_E_OUTPUT, "%s: not a regular file", nk->path);
	if (flock(nk->fd, LOCK_EX | LOCK_NB) != 0 || stat(nk->path, &named) != 0 ||
		opened.st_ino != named.st_ino || opened.st_dev != named.st_dev) {
		est_fail(err, EST_E_OUTPUT, "%s: another est is at work on it", nk->path);
		return est_reason(err, "locked");
	}
	return EST_OK;
}

/* A file is used only when it was us who left it, or somebody who owns the directory and
 * could do as he likes there: others may write into a directory like /tmp and know that key. */
static enum est_code check_owner(const struct est_newkey *nk, struct est_error *err)
{
	struct stat file, dir;

	if (fstat(nk->fd, &file) != 0 || stat(nk->target.dir, &dir) != 0)
		return store_fail(nk->path, "cannot look at it", err);
	if ((file.st_uid == geteuid() || file.st_uid == dir.st_uid) && file.st_nlink == 1)
		return EST_OK;
	est_fail(err, EST_E_OUTPUT,
		"%s: belongs to user %ju, or has a second name; its key may be known to others",
		nk->path, (uintmax_t)file.st_uid);
	return est_hint(err, "look at it, and remove it if it is not needed");
}

/* On disk, name and all, before anything is sent. */
static enum est_code write_key(struct est_newkey *nk, struct est_error *err)
{
	struct est_buf pem = { 0 };
	enum est_code rc;

	rc = est_key_pem(nk->key, &pem, err);
	if (rc == EST_OK)
		rc = store_write(nk->fd, est_buf_span(&pem), nk->path, err);
	if (rc == EST_OK)
		rc = store_sync_dir(nk->target.dir, err);
	est_buf_free(&pem);
	return rc;
}

/* The key that an earlier run left, if there is a whole one; a torn file was never sent for.  A key
 * that only could not be read just now is not torn. */
static enum est_code resume_key(struct est_newkey *nk, const char *type, bool *resumed,
	struct est_error *err)
{
	enum est_code rc = check_owner(nk, err);

	if (rc != EST_OK)
		return rc;
	rc = est_key_load(nk->path, NULL, NULL, &nk->key, err);
	*resumed = rc == EST_OK;
	if (rc == EST_E_INPUT)
		return EST_OK;
	if (rc != EST_OK || strcmp(est_key_type(nk->key), type) == 0)
		return rc;
	est_fail(err, EST_E_INPUT,
		"%s: an unfinished run left a key of type %s, and %s is asked for", nk->path,
		est_key_type(nk->key), type);
	return est_hint(err,
		"ask for the same type, or remove the file if no certificate was issued for it");
}

static enum est_code new_key(struct est_newkey *nk, const char *type, struct est_error *err)
{
	enum est_code rc = EST_OK;

	if (fchmod(nk->fd, 0600) != 0) /* it may have been there, empty and open to all */
		rc = store_fail(nk->path, "cannot set the mode", err);
	if (rc == EST_OK)
		rc = est_key_generate(type, &nk->key, err);
	if (rc == EST_OK)
		rc = write_key(nk, err);
	if (rc != EST_OK)
		(void)unlink(nk->path); /* nobody has seen a request for it */
	return rc;
}

static enum est_code prepare(struct est_newkey *nk, const char *key_file, const char *type,
	unsigned flags, bool *resumed, struct est_error *err)
{
	enum est_code rc;

	rc = store_target_init(key_file, flags, &nk->target, err);
	if (rc != EST_OK)
		return rc;
	if (asprintf(&nk->path, "%s.est-new", nk->target.path) < 0) {
		nk->path = NULL;
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	rc = open_locked(nk, err);
	if (rc == EST_OK)
		rc = resume_key(nk, type, resumed, err);
	return rc == EST_OK && !*resumed ? new_key(nk, type, err) : rc;
}

enum est_code est_newkey_open(const char *key_file, const char *type, unsigned flags,
	struct est_newkey **out, bool *resumed, struct est_error *err)
{
	struct est_newkey *nk = calloc(1, sizeof(*nk));
	bool is_resumed = false;
	enum est_code rc;

	if (!nk)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	nk->fd = -1;
	rc = prepare(nk, key_file, type, flags, &is_resumed, err);
	if (rc != EST_OK) {
		est_newkey_free(nk);
		return rc;
	}
	*resumed = is_resumed;
	*out = nk;
	return EST_OK;
}

const struct est_key *est_newkey_key(const struct est_newkey *nk)
{
	return nk->key;
}

const char *est_newkey_path(const struct est_newkey *nk)
{
	return nk->path;
}

enum est_code est_newkey_commit(struct est_newkey *nk, struct est_error *err)
{
	enum est_code rc;

	rc = store_set_mode(&nk->target, nk->fd, true, err);
	if (rc == EST_OK)
		rc = store_rename(nk->path, &nk->target, err);
	nk->committed = rc == EST_OK;
	return rc;
}

void est_newkey_discard(struct est_newkey *nk)
{
	if (!nk->committed)
		(void)unlink(nk->path);
}

void est_newkey_free(struct est_newkey *nk)
{
	if (!nk)
		return;
	if (nk->fd >= 0)
		(void)close(nk->fd);
	store_target_wipe(&nk->target);
	est_key_free(nk->key);
	free(nk->path);
	free(nk);
}

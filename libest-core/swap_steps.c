/* SPDX-License-Identifier: MIT */
/* The steps of a swap, each of which may have been done before: recovery takes them again. */
#include "swap_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "generation.h"
#include "store.h"

static enum est_code no_memory(struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, "out of memory");
}

bool steps_is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

enum est_code steps_sync_parent(const char *path, struct est_error *err)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	enum est_code rc = dir ? store_sync_dir(dir, err) : no_memory(err);

	free(dir);
	return rc;
}

enum est_code steps_sync_dirs(const struct journal *j, struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < j->n; i++) {
		const char *path = j->entries[i].target, *next = i + 1 < j->n ? path : "";
		size_t n = (size_t)(strrchr(path, '/') - path) + 1;

		if (*next)
			next = j->entries[i + 1].target;
		if (strncmp(path, next, n) != 0 || strchr(next + n, '/'))
			rc = steps_sync_parent(path, err);
	}
	return rc;
}

/* A second name for what is to be replaced, and none for what is not there.  FAT and the like have
 * none: then only what is new can be put in place, and the way back is closed. */
static enum est_code link_old(const struct journal_entry *e, struct est_error *err)
{
	char *old = journal_old(e);
	enum est_code rc = EST_OK;

	if (!old)
		return no_memory(err);
	if (unlink(old) != 0 && errno != ENOENT)
		rc = store_fail(old, "cannot remove what is there", err);
	else if (e->existed && linkat(AT_FDCWD, e->target, AT_FDCWD, old, 0) != 0 &&
		 errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
		rc = store_fail(old, "cannot keep the old file", err);
	free(old);
	return rc;
}

enum est_code steps_link_old(const struct journal *j, struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < j->n; i++) {
		if (journal_renames(&j->entries[i]))
			rc = link_old(&j->entries[i], err);
	}
	return rc;
}

enum est_code steps_forward(const struct journal *j, unsigned *renamed, struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < j->n; i++) {
		const struct journal_entry *e = &j->entries[i];
		char *staged = journal_staged(e);

		if (!staged)
			rc = no_memory(err);
		else if (!journal_renames(e) || !steps_is_there(staged))
			;
		else if (rename(staged, e->target) != 0)
			rc = store_fail(e->target, "cannot rename the new file into place", err);
		else
			++*renamed;
		free(staged);
	}
	return rc == EST_OK ? steps_sync_dirs(j, err) : rc;
}

static bool one_file(const char *a, const char *b)
{
	struct stat one, two;

	return lstat(a, &one) == 0 && lstat(b, &two) == 0 && one.st_ino == two.st_ino &&
	       one.st_dev == two.st_dev;
}

enum state {
	STAGED,          /* what is to replace it is still beside it */
	REPLACED,        /* and the old file has its second name */
	REPLACED_NO_OLD, /* it had none, or there was no file */
	NOTHING          /* what was to replace it is lost, and never did */
};

static enum state state_of(const struct journal_entry *e, const char *staged, const char *old)
{
	if (steps_is_there(staged))
		return STAGED;
	if (!steps_is_there(old))
		return REPLACED_NO_OLD;
	return one_file(old, e->target) ? NOTHING : REPLACED;
}

/* What was to replace it stays, a key in KEY.est-new for good. */
static bool take_back(const struct journal_entry *e, const char *staged)
{
	if (e->part == JOURNAL_KEY)
		return rename(e->target, staged) == 0;
	return e->existed || unlink(e->target) == 0 || errno == ENOENT;
}

/* One file as it was before.  replaced: by this run, which knows that a second name is an earlier
 * run's where nothing was renamed, and that without one the old file is lost. */
static bool undo_one(const struct journal_entry *e, bool replaced)
{
	char *staged = journal_staged(e), *old = journal_old(e);
	bool good = staged && old;

	switch (good ? state_of(e, staged, old) : NOTHING) {
	case STAGED: /* and in recovery the old files are those that fit */
		good = replaced || !steps_is_there(old) || rename(old, e->target) == 0;
		break;
	case REPLACED:
		good = take_back(e, staged) && rename(old, e->target) == 0;
		break;
	case REPLACED_NO_OLD:
		good = e->existed ? !replaced : take_back(e, staged);
		break;
	case NOTHING:
		break;
	}
	if (good)
		(void)unlink(old); /* of two names for one file rename() takes none away */
	free(staged);
	free(old);
	return good;
}

bool steps_undo(const struct journal *j, bool replaced)
{
	struct est_error ignored;
	enum est_code rc;
	bool good = true;

	for (size_t i = j->n; i > 0; i--) { /* the key first, so that it is out of the way */
		if (journal_renames(&j->entries[i - 1]))
			good = undo_one(&j->entries[i - 1], replaced) && good;
	}
	rc = steps_sync_dirs(j, &ignored); /* they are back, synced or not */
	(void)rc;
	return good;
}

static char *prev_name(const char *target, unsigned i)
{
	char *out;

	if (i == 1)
		return asprintf(&out, "%s.prev", target) < 0 ? NULL : out;
	return asprintf(&out, "%s.prev.%u", target, i) < 0 ? NULL : out;
}

/* NAME.prev.2 from NAME.prev, and so on; from 0: the old file itself. */
static void rotate(const struct journal_entry *e, char *old, unsigned keep)
{
	char *to = NULL, *from;

	if (steps_is_there(old)) {
		for (unsigned i = keep; i > 0; i--) {
			from = i == 1 ? strdup(old) : prev_name(e->target, i - 1);
			to = prev_name(e->target, i);
			if (from && to)
				(void)rename(from, to);
			free(from);
			free(to);
		}
		(void)unlink(old);
	}
	for (unsigned i = keep + 1; keep > 0; i++) { /* more were once kept */
		to = prev_name(e->target, i);
		if (!to || unlink(to) != 0)
			break;
		free(to);
		to = NULL;
	}
	if (keep > 0)
		free(to);
}

static bool remove_request(const struct journal_entry *e)
{
	char *csr;

	if (asprintf(&csr, "%s.est-csr", e->target) < 0)
		return false;
	(void)unlink(csr);
	free(csr);
	return true;
}

bool steps_settle(const struct journal *j)
{
	bool good = true;

	for (size_t i = 0; i < j->n; i++) {
		const struct journal_entry *e = &j->entries[i];
		char *old = journal_old(e), *staged = journal_staged(e);

		if (e->part != JOURNAL_KEPT) /* beside that is another one's, for a new key */
			good = remove_request(e) && good;
		good = good && old && staged;
		if (staged && e->part == JOURNAL_DISCARD)
			(void)unlink(staged);
		if (old && e->part == JOURNAL_STORE) {
			generation_prune(e->target, old, j->keep);
			(void)unlink(old);
		} else if (old && journal_renames(e)) {
			rotate(e, old, j->keep);
		}
		free(old);
		free(staged);
	}
	return good;
}

void steps_discard(const struct journal *j)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct journal_entry *e = &j->entries[i];
		char *staged = journal_staged(e), *old = journal_old(e);

		if (staged && journal_renames(e) && e->part != JOURNAL_KEY)
			(void)unlink(staged);
		if (old && journal_renames(e))
			(void)unlink(old);
		free(staged);
		free(old);
	}
}

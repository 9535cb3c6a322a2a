/* SPDX-License-Identifier: MIT */
/* The swap of the files of one certificate; est-files.h has its states. */
#include "est.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "generation.h"
#include "journal.h"
#include "newkey.h"
#include "store.h"
#include "swap_steps.h"

struct est_swap {
	char *path;  /* of the journal */
	char *dir;   /* its folder, absolute */
	char *made;  /* the folder, when it was not there */
	int fd;      /* holds the lock */
	bool owed;   /* a hook */
	bool broken; /* neither done nor undone, or only looked at: the journal stays */
	enum est_recovered recovered;
};

enum view { VIEW_NEW, VIEW_NOW, VIEW_OLD };

static enum est_code no_memory(struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, "out of memory");
}

/* ---- Which of the generations is a pair ---- */

/* Where an entry's content is in that view; free(). */
static char *view_path(const struct journal_entry *e, enum view view)
{
	char *path = NULL;

	if (e->part != JOURNAL_KEPT && view != VIEW_NOW)
		path = view == VIEW_NEW ? journal_staged(e) : journal_old(e);
	if (path && steps_is_there(path))
		return path;
	free(path);
	return strdup(e->target);
}

static char *in_folder(const char *dir, const char *name)
{
	char *out;

	return asprintf(&out, "%s/%s", dir, name) < 0 ? NULL : out;
}

/* The files with the certificate and the key; each stays NULL when the swap has none. */
static bool pair_paths(const struct journal *j, enum view view, char **cert, char **key)
{
	bool good = true;

	for (size_t i = 0; good && i < j->n; i++) {
		const struct journal_entry *e = &j->entries[i];
		bool both = e->part == JOURNAL_COMBINED || e->part == JOURNAL_STORE;
		char *path = view_path(e, view);

		good = path != NULL;
		if (good && !*cert && (both || e->part == JOURNAL_CERT))
			*cert = e->part == JOURNAL_STORE ? in_folder(path, "cert.pem")
							 : strdup(path);
		if (good && !*key && (both || e->part == JOURNAL_KEY || e->part == JOURNAL_KEPT))
			*key = e->part == JOURNAL_STORE ? in_folder(path, "key.pem") : strdup(path);
		free(path);
	}
	return good;
}

static bool had_cert(const struct journal *j)
{
	bool had = false;

	for (size_t i = 0; i < j->n; i++)
		had |= j->entries[i].existed && strchr("cbs", (int)j->entries[i].part);
	return had;
}

static bool fits(const struct journal *j, enum view view)
{
	bool kept = j->n > 0 && j->entries[j->n - 1].part == JOURNAL_KEPT, good = false;
	char *cert_file = NULL, *key_file = NULL;
	struct est_certs *certs = NULL;
	struct est_key *key = NULL;
	struct est_error ignored;

	if (!pair_paths(j, view, &cert_file, &key_file))
		goto out;
	good = !cert_file || !key_file; /* nothing to compare */
	if (view != VIEW_NEW && cert_file && !steps_is_there(cert_file) && !had_cert(j))
		good = true; /* none, as it was */
	if (good || est_certs_load(cert_file, &certs, &ignored) != EST_OK)
		goto out;
	/* A key that stays may be encrypted; it has fitted when the journal was written. */
	if (est_key_load(key_file, NULL, NULL, &key, &ignored) != EST_OK)
		good = kept;
	else
		good = est_key_match(key, key_file, est_certs_get(certs, 0), cert_file, &ignored) ==
		       EST_OK;
out:
	est_key_free(key);
	est_certs_free(certs);
	free(cert_file);
	free(key_file);
	return good;
}

/* ---- Recovery ---- */

static enum est_code recover(struct est_swap *swap, struct journal *j, struct est_error *err)
{
	unsigned renamed = 0;
	enum est_code rc;

	if (fits(j, VIEW_NEW)) {
		rc = steps_forward(j, &renamed, err);
		if (rc != EST_OK)
			return rc;
		(void)steps_settle(j);
		swap->owed = j->hook;
		if (renamed > 0 || !j->hook)
			swap->recovered = EST_RECOVERED_NEW;
		return EST_OK;
	}
	if (!fits(j, VIEW_NOW) && (!fits(j, VIEW_OLD) || !steps_undo(j, false))) {
		est_fail(err, EST_E_INPUT,
			"%s: a swap was interrupted, and no key of those left fits a certificate",
			swap->path);
		est_hint(err, "put a pair in place that fits, then remove this file");
		return est_reason(err, "no-pair");
	}
	steps_discard(j);
	swap->recovered = EST_RECOVERED_OLD;
	return EST_OK;
}

static enum est_code read_journal(struct est_swap *swap, bool look, struct est_error *err)
{
	struct est_error ignored;
	struct est_buf text = { 0 };
	struct journal j = { 0 };
	struct stat st;
	enum est_code rc;

	if (fstat(swap->fd, &st) != 0)
		return store_fail(swap->path, "cannot look at it", err);
	if (st.st_size == 0)
		return EST_OK;
	swap->broken = true;
	rc = store_check_owner(swap->fd, swap->path, geteuid(), geteuid(), err);
	if (rc == EST_OK)
		rc = est_read_file(swap->path, JOURNAL_BYTES, &text, err);
	/* A torn one was not synced: nothing is renamed before that. */
	if (rc == EST_OK &&
		journal_decode(est_buf_span(&text), swap->dir, &j, &ignored) == EST_OK) {
		if (look)
			swap->recovered = EST_RECOVERY_DUE;
		else
			rc = recover(swap, &j, err);
	}
	swap->broken = rc != EST_OK || swap->recovered == EST_RECOVERY_DUE;
	journal_wipe(&j);
	est_buf_free(&text);
	return rc;
}

static enum est_code journal_path(const char *file, unsigned flags, char **out,
	struct est_error *err)
{
	struct store_target target = { 0 };
	enum est_code rc = EST_OK;
	char *path = NULL;

	if (flags & EST_SWAP_STORE) {
		path = in_folder(file, ".est-journal");
	} else {
		rc = store_target_init(file, 0, &target, err);
		if (rc == EST_OK)
			path = store_sibling(target.path, "journal");
	}
	store_target_wipe(&target);
	if (rc == EST_OK && !path)
		rc = no_memory(err);
	if (rc == EST_OK)
		*out = path;
	return rc;
}

bool est_swap_unfinished(const char *file, unsigned flags)
{
	struct est_error ignored;
	char *path = NULL;
	bool there;

	if (journal_path(file, flags, &path, &ignored) != EST_OK)
		return false;
	there = steps_is_there(path);
	free(path);
	return there;
}

static enum est_code make_folder(struct est_swap *swap, const char *dir, struct est_error *err)
{
	size_t n = strlen(dir);
	enum est_code rc;
	struct stat st;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	swap->made = strndup(dir, n); /* the name itself, be it a link */
	if (!swap->made)
		return no_memory(err);
	if (lstat(swap->made, &st) != 0)
		return store_mkdir(swap->made, 0755, err);
	rc = store_check_place(swap->made, &st, err);
	free(swap->made);
	swap->made = NULL;
	return rc;
}

static enum est_code name_folder(struct est_swap *swap, struct est_error *err)
{
	const char *slash = strrchr(swap->path, '/');
	char *parent = slash ? strndup(swap->path, (size_t)(slash + 1 - swap->path)) : strdup(".");

	swap->dir = parent ? realpath(parent, NULL) : NULL;
	free(parent);
	if (!swap->dir)
		return parent ? store_fail(swap->path, "cannot find its folder", err)
			      : no_memory(err);
	if (strcmp(swap->dir, "/") == 0)
		swap->dir[0] = '\0';
	return EST_OK;
}

/* To prepare, from wherever the last run ended. */
enum est_code est_swap_open(const char *file, unsigned flags, struct est_swap **out,
	struct est_error *err)
{
	struct est_swap *swap = calloc(1, sizeof(*swap));
	enum est_code rc;

	if (!swap)
		return no_memory(err);
	swap->fd = -1;
	rc = journal_path(file, flags, &swap->path, err);
	if (rc == EST_OK && flags & EST_SWAP_STORE)
		rc = make_folder(swap, file, err);
	if (rc == EST_OK)
		rc = store_open_locked(swap->path, &swap->fd, err);
	if (rc == EST_E_OUTPUT && err->reason && strcmp(err->reason, "locked") == 0) {
		est_fail(err, rc, "%s: another est is at work on it", file);
		est_reason(err, "locked");
	}
	if (rc == EST_OK)
		rc = name_folder(swap, err);
	if (rc == EST_OK && swap->made)
		rc = steps_sync_parent(swap->dir, err);
	if (rc == EST_OK)
		rc = read_journal(swap, flags & EST_SWAP_LOOK, err);
	if (rc == EST_OK)
		*out = swap;
	else
		est_swap_free(swap);
	return rc;
}

/* ---- The swap ---- */

/* By a name that holds wherever the next run is started; what is there now counts. */
static enum est_code add(struct journal *j, enum journal_part part, const char *path,
	struct est_error *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char *dir = NULL, *full = NULL, *parent;
	enum est_code rc;

	parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (parent)
		dir = realpath(parent, NULL);
	if (dir)
		full = in_folder(strcmp(dir, "/") == 0 ? "" : dir, base);
	if (!full)
		rc = !parent || dir ? no_memory(err) : store_fail(parent, "cannot find it", err);
	else
		rc = journal_add(j, part, steps_is_there(full), full, err);
	free(parent);
	free(dir);
	free(full);
	return rc;
}

static enum est_code add_output(struct journal *j, enum journal_part part, struct est_output *out,
	struct est_error *err)
{
	if (!out)
		return EST_OK;
	if (store_output_same(out)) {
		store_output_drop(out); /* so that a kill does not leave it */
		return EST_OK;
	}
	return add(j, part, store_output_target(out)->path, err);
}

/* The order of the renames: the key last, for until then KEY.est-new has it. */
static enum est_code plan(const struct est_swap_files *f, struct journal *j, struct est_error *err)
{
	const char *current = NULL;
	struct stat st;
	enum est_code rc;

	rc = add_output(j, JOURNAL_CERT, f->cert, err);
	if (rc == EST_OK)
		rc = add_output(j, JOURNAL_COMBINED, f->combined, err);
	for (size_t i = 0; rc == EST_OK && i < EST_SWAP_OUTPUTS - 2; i++)
		rc = add_output(j, JOURNAL_OTHER, f->others[i], err);
	if (rc == EST_OK && f->generation)
		rc = generation_stage(f->generation, &current, err);
	if (rc == EST_OK && current)
		rc = add(j, JOURNAL_STORE, current, err);
	if (rc == EST_OK && f->newkey && newkey_in_token(f->newkey))
		return rc; /* no file: its own next run finds it */
	if (rc == EST_OK && f->newkey)
		rc = add(j, f->newkey_inside ? JOURNAL_DISCARD : JOURNAL_KEY,
			newkey_target(f->newkey)->path, err);
	else if (rc == EST_OK && f->key_file && f->cert && j->n > 0 &&
		 stat(f->key_file, &st) == 0 && S_ISREG(st.st_mode))
		rc = add(j, JOURNAL_KEPT, f->key_file, err);
	return rc;
}

static enum est_code write_journal(struct est_swap *swap, const struct journal *j,
	struct est_error *err)
{
	struct est_buf text = { 0 };
	enum est_code rc;

	rc = journal_encode(j, swap->dir, &text, err);
	if (rc == EST_OK) /* every name, the journal's too, before what it says holds */
		rc = steps_sync_dirs(j, err);
	if (rc == EST_OK)
		rc = steps_sync_parent(swap->path, err);
	if (rc == EST_OK)
		rc = store_write(swap->fd, est_buf_span(&text), swap->path, err);
	est_buf_free(&text);
	return rc;
}

/* So that a kill leaves nothing to do; if it fails there is still est_swap_free(), which removes
 * it. */
static void empty_journal(const struct est_swap *swap)
{
	int ignored = ftruncate(swap->fd, 0);

	(void)ignored;
}

/* From verified to swapping with the journal, to committed with the last rename, or back. */
static enum est_code swap_all(struct est_swap *swap, const struct journal *j,
	const struct est_swap_files *f, struct est_error *err)
{
	unsigned renamed = 0;
	enum est_code rc = EST_OK;

	if (f->newkey && !f->newkey_inside)
		rc = newkey_stage(f->newkey, err);
	if (rc == EST_OK)
		rc = steps_link_old(j, err);
	if (rc == EST_OK)
		rc = write_journal(swap, j, err);
	if (rc == EST_OK)
		rc = steps_forward(j, &renamed, err);
	if (rc == EST_OK) {
		swap->broken = !steps_settle(j); /* the next run takes what is left away */
		return EST_OK;
	}
	swap->broken = !steps_undo(j, true);
	if (f->newkey)
		newkey_unstage(f->newkey);
	if (!swap->broken)
		empty_journal(swap);
	return rc;
}

enum est_code est_swap_commit(struct est_swap *swap, const struct est_swap_files *f, bool *changed,
	struct est_error *err)
{
	struct journal j = { .keep = f->keep, .hook = f->hook };
	enum est_code rc;

	rc = plan(f, &j, err);
	if (rc == EST_OK && f->newkey && !f->newkey_inside && newkey_target(f->newkey)->fresh)
		rc = store_check_fresh(newkey_target(f->newkey), err);
	if (rc == EST_OK && j.n > 0)
		rc = swap_all(swap, &j, f, err);
	if (rc == EST_OK && j.n > 0) {
		swap->owed = f->hook;
		if (!swap->owed && !swap->broken)
			empty_journal(swap);
		if (f->newkey)
			newkey_committed(f->newkey, f->keep);
		if (f->generation)
			generation_committed(f->generation);
	}
	if (rc == EST_OK && changed)
		*changed = j.n > 0;
	journal_wipe(&j);
	return rc;
}

enum est_recovered est_swap_recovered(const struct est_swap *swap)
{
	return swap->recovered;
}

bool est_swap_hook_owed(const struct est_swap *swap)
{
	return swap->owed;
}

void est_swap_hook_done(struct est_swap *swap)
{
	swap->owed = false;
}

void est_swap_free(struct est_swap *swap)
{
	if (!swap)
		return;
	if (swap->fd >= 0) {
		if (!swap->owed && !swap->broken)
			(void)unlink(swap->path);
		(void)close(swap->fd);
	}
	if (swap->made)
		(void)rmdir(swap->made); /* when nothing came of it */
	free(swap->made);
	free(swap->dir);
	free(swap->path);
	free(swap);
}

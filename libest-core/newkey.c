/* SPDX-License-Identifier: MIT */
/* The key of an enrolment under way, and its request: on disk before the request leaves, so that a
 * crash, a kill or a 202 never loses a key that the CA has certified. */
#include "newkey.h"

#include "key.h"
#include "store.h"
#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file is used only when it was us who left it, or somebody who owns the directory and could do
 * as he likes there, or who has the key that it is to replace. */
static enum est_code check_owner(const struct est_newkey *nk, struct est_error *err)
{
	const struct store_target *target = &nk->target;
	struct stat dir;

	if (stat(target->dir, &dir) != 0)
		return store_fail(nk->path, "cannot look at it", err);
	return store_check_owner(nk->fd, nk->path, dir.st_uid,
		target->exists ? target->old.st_uid : dir.st_uid, err);
}

/* State requested: on disk, name and all, before anything is sent. */
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

enum est_code newkey_check_resumed(const struct est_newkey *nk, const char *type, bool signs,
	struct est_error *err)
{
	if (strcmp(est_key_type(nk->key), type) != 0)
		est_fail(err, EST_E_INPUT,
			"%s: an unfinished run left a key of type %s, and %s is asked for",
			nk->path, est_key_type(nk->key), type);
	else if (est_key_signs(nk->key) != signs)
		est_fail(err, EST_E_INPUT,
			"%s: an unfinished run left a key %s digitalSignature, and another keyUsage "
			"is asked for",
			nk->path, signs ? "without" : "with");
	else
		return EST_OK;
	return est_hint(err, "ask for the same, or remove %s if no certificate was issued for it",
		nk->place ? "the key" : "the file");
}

/* The key that an earlier run left, if there is a whole one; a torn file was never sent for.  A key
 * that only could not be read just now is not torn. */
static enum est_code resume_key(struct est_newkey *nk, const char *type, bool signs, bool *resumed,
	struct est_error *err)
{
	enum est_code rc = check_owner(nk, err);

	if (rc != EST_OK)
		return rc;
	rc = est_key_load(nk->path, NULL, NULL, &nk->key, err);
	*resumed = rc == EST_OK;
	if (rc == EST_E_INPUT)
		return EST_OK;
	return rc == EST_OK ? newkey_check_resumed(nk, type, signs, err) : rc;
}

static enum est_code new_key(struct est_newkey *nk, const char *type, bool signs,
	struct est_error *err)
{
	enum est_code rc = EST_OK;

	if (fchmod(nk->fd, 0600) != 0) /* it may have been there, empty and open to all */
		rc = store_fail(nk->path, "cannot set the mode", err);
	if (rc == EST_OK)
		rc = est_key_generate(type, &nk->key, err);
	if (rc == EST_OK && !signs)
		key_restrict(nk->key);
	if (rc == EST_OK)
		rc = write_key(nk, err);
	if (rc != EST_OK)
		(void)unlink(nk->path); /* nobody has seen a request for it */
	return rc;
}

static enum est_code no_memory(struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, "out of memory");
}

static void wipe(struct est_newkey *nk)
{
	if (nk->fd >= 0)
		(void)close(nk->fd);
	store_target_wipe(&nk->target);
	est_key_free(nk->key);
	token_place_free(nk->place);
	free(nk->path);
	free(nk->csr_path);
}

static enum est_code name_files(struct est_newkey *nk, const char *key_file, unsigned flags,
	struct est_error *err)
{
	enum est_code rc = store_target_init(key_file, flags, &nk->target, err);

	if (rc != EST_OK)
		return rc;
	if (asprintf(&nk->path, "%s.est-new", nk->target.path) < 0)
		nk->path = NULL;
	if (asprintf(&nk->csr_path, "%s.est-csr", nk->target.path) < 0)
		nk->csr_path = NULL;
	return nk->path && nk->csr_path ? EST_OK : no_memory(err);
}

struct est_newkey *newkey_alloc(const char *final_file, unsigned flags, struct est_error *err)
{
	struct est_newkey *nk = calloc(1, sizeof(*nk));

	if (!nk) {
		no_memory(err);
		return NULL;
	}
	nk->fd = -1;
	if (name_files(nk, final_file, flags, err) == EST_OK)
		return nk;
	est_newkey_free(nk);
	return NULL;
}

enum est_code est_newkey_open(const char *key_file, const char *type, unsigned flags,
	struct est_newkey **out, bool *resumed, struct est_error *err)
{
	const bool signs = !(flags & EST_NEWKEY_NO_SIGNATURES);
	struct est_newkey *nk = newkey_alloc(key_file, flags, err);
	bool is_resumed = false;
	enum est_code rc;

	if (!nk)
		return err->code;
	rc = store_open_locked(nk->path, &nk->fd, err);
	if (rc == EST_OK)
		rc = resume_key(nk, type, signs, &is_resumed, err);
	if (rc == EST_OK && !is_resumed)
		rc = new_key(nk, type, signs, err);
	if (rc != EST_OK) {
		est_newkey_free(nk);
		return rc;
	}
	*resumed = is_resumed;
	*out = nk;
	return EST_OK;
}

bool est_newkey_waits(const char *key_file)
{
	struct est_error ignored;
	struct est_newkey *nk = newkey_alloc(key_file, 0, &ignored);
	bool waits = nk && access(nk->path, F_OK) == 0;

	est_newkey_free(nk);
	return waits;
}

const struct est_key *est_newkey_key(const struct est_newkey *nk)
{
	return nk->key;
}

const char *est_newkey_path(const struct est_newkey *nk)
{
	return nk->path;
}

enum est_code newkey_stage(struct est_newkey *nk, struct est_error *err)
{
	enum est_code rc;

	if (nk->place)
		return newkey_token_stage(nk, err);
	rc = store_set_mode(&nk->target, nk->fd, true, err);
	if (rc == EST_OK && fsync(nk->fd) != 0)
		rc = store_fail(nk->path, "cannot sync", err);
	return rc;
}

void newkey_unstage(struct est_newkey *nk)
{
	if (nk->place)
		newkey_token_unstage(nk);
}

const struct store_target *newkey_target(const struct est_newkey *nk)
{
	return &nk->target;
}

bool newkey_in_token(const struct est_newkey *nk)
{
	return nk->place != NULL;
}

void newkey_committed(struct est_newkey *nk, unsigned keep)
{
	struct est_error ignored;

	nk->committed = true;
	/* What could not be put in order is what the next run finds by the request. */
	if (nk->place && newkey_token_settle(nk, keep, &ignored) == EST_OK)
		(void)unlink(nk->csr_path);
}

enum est_code est_newkey_commit(struct est_newkey *nk, struct est_error *err)
{
	enum est_code rc;

	rc = newkey_stage(nk, err);
	if (rc == EST_OK)
		rc = store_rename(nk->path, &nk->target, err);
	nk->committed = rc == EST_OK;
	if (nk->committed)
		(void)unlink(nk->csr_path);
	return rc;
}

/* Opened as for an enrolment, with what it has to say of owners and locks. */
enum est_code est_newkey_repair(const char *key_file, struct est_span cert, const char *cert_name,
	bool look, bool *repaired, struct est_error *err)
{
	struct est_newkey nk = { .fd = -1 };
	struct est_error ignored;
	enum est_code rc;
	bool fits = false;

	/* Not every key is a file that can be replaced. */
	rc = name_files(&nk, key_file, 0, &ignored) == EST_E_INTERNAL ? no_memory(err) : EST_OK;
	if (rc == EST_OK && nk.csr_path && access(nk.path, F_OK) == 0) {
		rc = store_open_locked(nk.path, &nk.fd, err);
		if (rc == EST_OK)
			rc = check_owner(&nk, err);
		fits = rc == EST_OK &&
		       est_key_load(nk.path, NULL, NULL, &nk.key, &ignored) == EST_OK &&
		       est_key_match(nk.key, nk.path, cert, cert_name, &ignored) == EST_OK;
	}
	if (fits && !look)
		rc = est_newkey_commit(&nk, err);
	if (rc == EST_OK)
		*repaired = fits;
	wipe(&nk);
	return rc;
}

void est_newkey_discard(struct est_newkey *nk)
{
	struct est_error ignored;

	if (nk->committed)
		return;
	if (!nk->place)
		(void)unlink(nk->path);
	else if (token_place_remove(nk->place, TOKEN_NEW, &ignored) != EST_OK)
		return;
	(void)unlink(nk->csr_path);
}

void est_newkey_free(struct est_newkey *nk)
{
	if (!nk)
		return;
	wipe(nk);
	free(nk);
}

/* SPDX-License-Identifier: MIT */
/* The steps of replacing a file by one rename, for everything that does so.  Temporary names are
 * fixed, and what has one is locked by who made it: so the next run can tell what a killed one left
 * and remove it. */
#ifndef EST_STORE_H
#define EST_STORE_H

#include <sys/stat.h>

#include "est.h"

#define STORE_KEY_MODE_MAX 0640

struct store_target {
	char *path; /* after symbolic links: what the rename replaces */
	char *dir;
	bool exists;
	bool fresh;      /* EST_OUTPUT_NEW */
	struct stat old; /* when it exists */
};

/* Follows symbolic links, dangling ones too, and refuses what is there but no regular file, what
 * no file can be called, and what store_check_place() refuses, links among it.
 * EST_E_OUTPUT; under flags EST_OUTPUT_NEW also, reason exists, when something is there. */
enum est_code store_target_init(const char *path, unsigned flags, struct store_target *out,
	struct est_error *err) EST_MUST_CHECK;
void store_target_wipe(struct store_target *target);

/* Gives fd the mode, owner and access control list of what is there, a key never wider than 0640;
 * for a new file 0600 or what the umask leaves of 0644. */
enum est_code store_set_mode(const struct store_target *target, int fd, bool secret,
	struct est_error *err) EST_MUST_CHECK;
/* The whole content of fd, synced.  name is for messages. */
enum est_code store_write(int fd, struct est_span content, const char *name,
	struct est_error *err) EST_MUST_CHECK;
/* Replaces the target by the file from, and syncs the directory; fresh is checked. */
enum est_code store_rename(const char *from, const struct store_target *target,
	struct est_error *err) EST_MUST_CHECK;
/* DIR/.BASE.est-SUFFIX beside DIR/BASE, with BASE cut so that it can be a name; free(). */
char *store_sibling(const char *path, const char *suffix);
/* Opens or makes a file and locks it; EST_E_OUTPUT, reason locked, when another run has it. */
enum est_code store_open_locked(const char *path, int *fd, struct est_error *err) EST_MUST_CHECK;
/* A new file under a fixed temporary name in dir, 0600 and locked.  Not one that is there: who made
 * it may have it open; what a killed run has left is removed.  EST_E_OUTPUT, reason locked, when
 * that run lives. */
enum est_code store_make_locked(const char *temp, const char *dir, int *fd,
	struct est_error *err) EST_MUST_CHECK;
/* Whether the name is still that of the open file: who had the lock may have renamed it. */
bool store_same_file(int fd, const char *path);
/* Of what is there, a link itself: EST_E_OUTPUT when others may write to its directory, and it is
 * neither this user's, nor root's, nor the directory's owner's. */
enum est_code store_check_place(const char *path, const struct stat *st,
	struct est_error *err) EST_MUST_CHECK;
/* A file that is there is ours only if this user, or one of two others who could as well have it
 * all, has left it, under one name: others may write into a directory like /tmp, too. */
enum est_code store_check_owner(int fd, const char *path, uid_t other, uid_t another,
	struct est_error *err) EST_MUST_CHECK;
/* EST_E_OUTPUT, reason exists, when nothing was to be there and now something is. */
enum est_code store_check_fresh(const struct store_target *target,
	struct est_error *err) EST_MUST_CHECK;
/* Where a written output goes, and whether what is there is equal. */
const struct store_target *store_output_target(const struct est_output *out);
bool store_output_same(const struct est_output *out);
/* Removes the temporary file. */
void store_output_drop(struct est_output *out);
/* 64 KiB of the disk for this file; errno, or 0. */
int store_reserve(int fd);
/* A new folder, which its owner can use whatever the umask. */
enum est_code store_mkdir(const char *dir, mode_t mode, struct est_error *err) EST_MUST_CHECK;
enum est_code store_sync_dir(const char *dir, struct est_error *err) EST_MUST_CHECK;
/* EST_E_OUTPUT with what errno says. */
enum est_code store_fail(const char *path, const char *doing, struct est_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* The steps of replacing a file by one rename, for everything that does so. */
#ifndef EST_STORE_H
#define EST_STORE_H

#include <sys/stat.h>

#include "est.h"

struct store_target {
	char *path; /* after symbolic links: what the rename replaces */
	char *dir;
	bool exists;
	bool fresh;      /* EST_OUTPUT_NEW */
	struct stat old; /* when it exists */
};

/* Follows symbolic links, dangling ones too, and refuses what is there but no regular file, and
 * what no file can be called.
 * EST_E_OUTPUT; under flags EST_OUTPUT_NEW also, reason exists, when something is there. */
enum est_code store_target_init(const char *path, unsigned flags, struct store_target *out,
	struct est_error *err) EST_MUST_CHECK;
void store_target_wipe(struct store_target *target);

/* Gives fd the mode and owner of what is there, a key never wider than 0640; for a new file 0600 or
 * what the umask leaves of 0644. */
enum est_code store_set_mode(const struct store_target *target, int fd, bool secret,
	struct est_error *err) EST_MUST_CHECK;
/* The whole content of fd, synced.  name is for messages. */
enum est_code store_write(int fd, struct est_span content, const char *name,
	struct est_error *err) EST_MUST_CHECK;
/* Replaces the target by the file from, and syncs the directory.  EST_E_OUTPUT, reason exists, when
 * nothing was to be there and now something is. */
enum est_code store_rename(const char *from, const struct store_target *target,
	struct est_error *err) EST_MUST_CHECK;
enum est_code store_sync_dir(const char *dir, struct est_error *err) EST_MUST_CHECK;
/* EST_E_OUTPUT with what errno says. */
enum est_code store_fail(const char *path, const char *doing, struct est_error *err);

#endif

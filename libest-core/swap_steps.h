/* SPDX-License-Identifier: MIT */
/* The steps of a swap on disk. */
#ifndef EST_SWAP_STEPS_H
#define EST_SWAP_STEPS_H

#include "journal.h"

bool steps_is_there(const char *path);
enum est_code steps_sync_parent(const char *path, struct est_error *err) EST_MUST_CHECK;
/* Each folder once, when neighbours in the list share it. */
enum est_code steps_sync_dirs(const struct journal *j, struct est_error *err) EST_MUST_CHECK;
enum est_code steps_link_old(const struct journal *j, struct est_error *err) EST_MUST_CHECK;
/* Puts in place what is not yet; *renamed counts. */
enum est_code steps_forward(const struct journal *j, unsigned *renamed,
	struct est_error *err) EST_MUST_CHECK;
/* The files as they were before, each of them; a new key is KEY.est-new again.  replaced: by this
 * process, which knows that nothing is old that has no second name. */
bool steps_undo(const struct journal *j, bool replaced);
/* When all new files are in place: what is left besides them becomes NAME.prev, or goes.  False:
 * not all of it. */
bool steps_settle(const struct journal *j);
/* When they will not be: what was staged goes, but never a key. */
void steps_discard(const struct journal *j);

#endif

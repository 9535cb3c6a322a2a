/* SPDX-License-Identifier: MIT */
/* What the swap of a store needs of its next generation. */
#ifndef EST_GENERATION_H
#define EST_GENERATION_H

#include "est.h"

/* Gives the folder its final name and makes the symbolic link that is to replace current (borrowed
 * until est_generation_free()). */
enum est_code generation_stage(struct est_generation *generation, const char **current,
	struct est_error *err) EST_MUST_CHECK;
void generation_committed(struct est_generation *generation);
/* Removes the generations but the one in use and keep of the others: first the one that the link
 * former names, then the newest. */
void generation_prune(const char *current, const char *former, unsigned keep);

#endif

/* SPDX-License-Identifier: MIT */
/* One run for every profile of a folder. */
#ifndef EST_CMD_PROFILES_H
#define EST_CMD_PROFILES_H

#include "cmd.h"

/* --config-dir: runs the applet once for each NAME.conf of the folder, each in a process of its own
 * with --config, --parallel of them at a time, in the order of their names.  Each speaks for
 * itself; cmd->status becomes the exit status of the worst. */
enum est_code profiles_run(struct cmd *cmd) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* Programs of the operator's that est runs: --hook when the files are installed, --verify-with
 * before. */
#ifndef EST_CMD_HOOK_H
#define EST_CMD_HOOK_H

#include "cmd.h"

struct hook_files { /* NULL: there is none */
	const char *cert, *key, *chain;
};

/* --hook, if given: what happened and to which files is in its environment.  certs: [0] is the
 * certificate installed. */
enum est_code hook_installed(struct cmd *cmd, const char *action, const struct hook_files *files,
	const struct est_certs *certs) EST_MUST_CHECK;
/* --verify-with, if given: files are complete and do not have their names yet.  EST_E_REJECTED
 * when it fails. */
enum est_code hook_verify(struct cmd *cmd, const struct hook_files *files,
	const struct est_certs *certs) EST_MUST_CHECK;

#endif

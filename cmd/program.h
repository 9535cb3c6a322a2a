/* SPDX-License-Identifier: MIT */
/* A program of the operator's: started, watched, listened to, and kept away from secrets. */
#ifndef EST_CMD_PROGRAM_H
#define EST_CMD_PROGRAM_H

#include "est.h"

#define PROGRAM_OUTPUT_MAX 4096 /* bytes kept of what it prints */

struct program_env { /* borrowed */
	const char *name, *value;
};

/* Runs command with sh -c in a process group of its own: standard input empty, no descriptor above
 * 2, the caller's environment without secrets (every EST_ variable, names that speak of passwords
 * and tokens, proxies with a password in their URL), then env, which ends with a NULL name and
 * leaves out NULL values.  What it prints is appended to output, up to PROGRAM_OUTPUT_MAX bytes;
 * the rest is read and dropped.  Its processes that outlive it are left alone when it ends in time;
 * after limit_ms all of them are ended.  EST_E_HOOK: another exit status than 0, or
 * with reason not-started it has not been run;
 * EST_E_INTERRUPTED when *stop became non-zero. */
enum est_code program_run(const char *command, const struct program_env *env, unsigned limit_ms,
	const volatile sig_atomic_t *stop, struct est_buf *output,
	struct est_error *err) EST_MUST_CHECK;

#endif

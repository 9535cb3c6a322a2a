/* SPDX-License-Identifier: MIT */
/* What a person at a terminal sees while est waits. */
#include "cmd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_CHARS 79 /* a line that wraps could not be taken back */

bool cmd_may_count_down(const struct cmd *cmd)
{
	return !cmd->v.quiet && !cmd->profile && isatty(STDERR_FILENO);
}

void cmd_count_down(void *ctx, unsigned left_s)
{
	const struct cmd *cmd = ctx;
	char line[LINE_MAX_CHARS + 1] = "";

	if (left_s > 0)
		(void)snprintf(line, sizeof(line), "est: %s: waiting, the next attempt is in %u s",
			cmd_name(cmd->applet), left_s);
	/* Blanks over the rest of what stood there: not every terminal knows an escape for that. */
	fprintf(stderr, "\r%-*s", LINE_MAX_CHARS, line);
	if (left_s == 0)
		fprintf(stderr, "\r");
	fflush(stderr);
}

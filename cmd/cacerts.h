/* SPDX-License-Identifier: MIT */
/* The three things that est cacerts does: fetch, bootstrap, update. */
#ifndef EST_CMD_CACERTS_H
#define EST_CMD_CACERTS_H

#include "cmd.h"

/* Where anchors and intermediates go; both are complete before the first is renamed. */
struct cacerts_files {
	struct est_output *anchors, *chain; /* NULL: standard output; nowhere */
	bool keep;                          /* the anchors have not changed */
	bool marked;                        /* the anchors get EST_IMPLICIT_MARK */
};

enum est_code cacerts_open(struct cmd *cmd, const char *anchors,
	struct cacerts_files *out) EST_MUST_CHECK;
enum est_code cacerts_deliver(struct cmd *cmd, const struct cacerts_files *files,
	const struct est_anchors *certs) EST_MUST_CHECK;
void cacerts_close(struct cacerts_files *files);

enum est_code cacerts_bootstrap(struct cmd *cmd) EST_MUST_CHECK;
enum est_code cacerts_check_update(struct cmd *cmd) EST_MUST_CHECK; /* options */
enum est_code cacerts_update(struct cmd *cmd) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* Whether a run of reenroll has something to do. */
#ifndef EST_CMD_SCHEDULE_H
#define EST_CMD_SCHEDULE_H

#include "cmd.h"

enum schedule_step {
	SCHEDULE_SKIP,   /* nothing is due */
	SCHEDULE_RENEW,  /* a certificate is */
	SCHEDULE_RESUME, /* an earlier run does not know how its request ended: it is sent again */
	SCHEDULE_RECOVER /* an earlier run ended while it changed the files */
};

struct schedule_files {
	const char *cert;      /* the certificate that is renewed */
	const char *installed; /* where the new one goes: its dates count when it is there already
				* with the same subject; NULL: in the place of the old one */
	bool recovered;        /* by this run, as far as it can: nothing but the dates counts */
	bool locked;           /* they are this run's: nothing is waited for */
};

/* What the options say is possible; nothing is looked at. */
enum est_code schedule_check(struct cmd *cmd) EST_MUST_CHECK;
/* What is to be done now.  Waits for this device's turn (--jitter) and looks again, unless the
 * files are locked.  With SCHEDULE_SKIP it has said so, and the run ends well without a word to the
 * network; --status has that end in any case. */
enum est_code schedule_next(struct cmd *cmd, const struct schedule_files *files,
	enum schedule_step *step) EST_MUST_CHECK;
/* Of a certificate that is in place now: by a clock that is fast it is due again at once.  Says so,
 * and gives its file a time that is whole minutes after notBefore, by which the next runs know when
 * that was. */
void schedule_installed(struct cmd *cmd, const struct est_cert_info *info);
/* "CN=dev1", for a line about it: the subject, else the first name, else the serial number. */
const char *schedule_name(const struct est_cert_info *info);

#endif

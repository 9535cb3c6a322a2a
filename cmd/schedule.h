/* SPDX-License-Identifier: MIT */
/* Whether a run of reenroll has something to do. */
#ifndef EST_CMD_SCHEDULE_H
#define EST_CMD_SCHEDULE_H

#include "cmd.h"

/* What the options say is possible; nothing is looked at. */
enum est_code schedule_check(struct cmd *cmd) EST_MUST_CHECK;
/* Whether the certificate at cert_file is to be renewed now.  output: where the new one goes; when
 * a certificate of the same subject is there already, its dates count.  Waits for this device's
 * turn
 * (--jitter), then looks again.  *due false: says so, and the run ends well without a word to the
 * network.  With --status that is what it does in any case. */
enum est_code schedule_due(struct cmd *cmd, const char *cert_file, const char *output,
	bool *due) EST_MUST_CHECK;
/* Of a certificate that is in place now: by a clock that is fast it is due again at once.  Says so,
 * and gives its file the date of notBefore, by which the next runs know it. */
void schedule_installed(struct cmd *cmd, const struct est_cert_info *info);
/* "CN=dev1", for a line about it: the subject, else the first name, else the serial number. */
const char *schedule_name(const struct est_cert_info *info);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef EST_QUIRK_H
#define EST_QUIRK_H

#include "est.h"

/* Records a tolerated deviation.  EST_E_PROTOCOL under strict, with the quirk's text and where it
 * was; quirks may be NULL (tolerated, nobody is told). */
enum est_code quirk_note(struct est_quirks *quirks, enum est_quirk quirk, const char *where,
	struct est_error *err) EST_MUST_CHECK;

#endif

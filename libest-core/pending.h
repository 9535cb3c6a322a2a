/* SPDX-License-Identifier: MIT */
/* What a 202 leaves on disk. */
#ifndef EST_PENDING_H
#define EST_PENDING_H

#include "est.h"

/* The server has the request, and wants to be asked again in so many seconds.  What the disk does
 * not take is not worth a failure: the next run would ask too early, no more. */
void pending_told(struct est_pending *pending, int64_t seconds);

#endif

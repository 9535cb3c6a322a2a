/* SPDX-License-Identifier: MIT */
/* Files taken apart by who wants one kind of object, not a look into whatever there is. */
#ifndef EST_OBJECTS_PLAIN_H
#define EST_OBJECTS_PLAIN_H

#include "est.h"

/* As est_objects(), but a PKCS #12 file is one object that stays closed, and mail and HTTP
 * responses are files of another kind: a program that asks for no more has no code for them. */
enum est_code objects_plain(struct est_span data, struct est_quirks *quirks, est_object_fn *fn,
	void *ctx, struct est_error *err) EST_MUST_CHECK;

#endif

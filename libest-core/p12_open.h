/* SPDX-License-Identifier: MIT */
/* Reading PKCS #12 (RFC 7292): certificates and CRLs of a file, and that it has keys. */
#ifndef EST_P12_OPEN_H
#define EST_P12_OPEN_H

#include "est.h"

/* One thing in the file, borrowed for the call, last of all the file itself: kind, der (empty for
 * keys, which are not opened), name and protection are there. */
typedef enum est_code p12_fn(void *ctx, const struct est_object *object);

/* DER or BER, at most EST_FILE_MAX.  Linear in the size, and the iterations that the file may ask
 * for are limited.  password is UTF-8; NULL: none was given, and files that need none are read.
 * EST_E_INPUT when the password is missing or wrong, reason p12-password; EST_E_PROTOCOL. */
enum est_code p12_open(struct est_span der, const char *password, p12_fn *fn, void *ctx,
	struct est_error *err) EST_MUST_CHECK;

#endif

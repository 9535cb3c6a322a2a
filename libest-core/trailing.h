/* SPDX-License-Identifier: MIT */
#ifndef EST_TRAILING_H
#define EST_TRAILING_H

#include "der.h"

/* Cuts white space and NUL off behind the first element of *in, DER or BER (EST_Q_TRAILING);
 * anything else there is EST_E_PROTOCOL.  What is no element stays as it is. */
enum est_code trailing_cut(struct est_span *in, const char *what, struct est_quirks *quirks,
	struct est_error *err) EST_MUST_CHECK;
/* The same of what is behind an element that ends at this offset. */
enum est_code trailing_check(struct est_span rest, size_t offset, const char *what,
	struct est_quirks *quirks, struct est_error *err) EST_MUST_CHECK;

#endif

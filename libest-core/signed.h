/* SPDX-License-Identifier: MIT */
#ifndef EST_SIGNED_H
#define EST_SIGNED_H

#include "est.h"

/* The key in this SubjectPublicKeyInfo has signed der, a certificate, CRL or request that has
 * passed its own checks; with an algorithm that is not broken, or with any. */
bool signed_by(struct est_span der, struct est_span spki, bool any);

#endif

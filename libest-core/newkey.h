/* SPDX-License-Identifier: MIT */
/* What the swap of a pair needs of a new key. */
#ifndef EST_NEWKEY_H
#define EST_NEWKEY_H

#include "store.h"

/* Gives KEY.est-new the mode and owner that KEY is to have, synced. */
enum est_code newkey_stage(struct est_newkey *nk, struct est_error *err) EST_MUST_CHECK;
const struct store_target *newkey_target(const struct est_newkey *nk);
/* Both files are gone: they are renamed, or the key is elsewhere. */
void newkey_committed(struct est_newkey *nk);

#endif

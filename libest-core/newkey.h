/* SPDX-License-Identifier: MIT */
/* What the swap of a pair needs of a new key. */
#ifndef EST_NEWKEY_H
#define EST_NEWKEY_H

#include "store.h"

struct est_newkey {
	struct est_key *key;
	struct store_target target; /* the final name; in a token: the certificate's */
	char *path;                 /* KEY.est-new, beside it, or its URL */
	char *csr_path;             /* KEY.est-csr */
	struct token_place *place;  /* NULL: a file */
	int fd;                     /* holds the lock; -1 in a token */
	bool committed;
};

/* Gives KEY.est-new the mode and owner that KEY is to have, synced; in a token it takes the name of
 * KEY, for objects are not swapped with files. */
enum est_code newkey_stage(struct est_newkey *nk, struct est_error *err) EST_MUST_CHECK;
/* When nothing came of the swap. */
void newkey_unstage(struct est_newkey *nk);
const struct store_target *newkey_target(const struct est_newkey *nk);
bool newkey_in_token(const struct est_newkey *nk);
/* Both files are gone: they are renamed, or the key is elsewhere.  In a token the old key goes, or
 * stays when so many are kept. */
void newkey_committed(struct est_newkey *nk, unsigned keep);

/* newkey.c and newkey_token.c share: */
struct est_newkey *newkey_alloc(const char *final_file, unsigned flags, struct est_error *err);
enum est_code newkey_check_resumed(const struct est_newkey *nk, const char *type, bool signs,
	struct est_error *err) EST_MUST_CHECK;
enum est_code newkey_token_stage(const struct est_newkey *nk, struct est_error *err) EST_MUST_CHECK;
void newkey_token_unstage(const struct est_newkey *nk);
enum est_code newkey_token_settle(const struct est_newkey *nk, unsigned keep,
	struct est_error *err) EST_MUST_CHECK;

#endif

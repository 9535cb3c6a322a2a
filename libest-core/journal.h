/* SPDX-License-Identifier: MIT */
/* What a swap is about to do, as it stands in .NAME.est-journal. */
#ifndef EST_JOURNAL_H
#define EST_JOURNAL_H

#include "est.h"

/* What is in a file, or is to be done with it; the letters are those on disk. */
enum journal_part {
	JOURNAL_CERT = 'c',
	JOURNAL_COMBINED = 'b', /* key and certificate */
	JOURNAL_OTHER = 'o',    /* neither is looked for in it */
	JOURNAL_STORE = 's',    /* a symbolic link to a folder with cert.pem and key.pem */
	JOURNAL_KEY = 'k',      /* from KEY.est-new */
	JOURNAL_KEPT = 'K',     /* a key that stays as it is */
	JOURNAL_DISCARD = 'd'   /* KEY.est-new goes: the key is in another file */
};

struct journal_entry {
	enum journal_part part;
	bool existed;
	char *target; /* absolute */
};

#define JOURNAL_ENTRIES 8
#define JOURNAL_BYTES   (64u << 10)

struct journal {
	struct journal_entry entries[JOURNAL_ENTRIES];
	size_t n;
	unsigned keep;
	bool hook;
};

/* What is renamed to the target, and the second name of what was there; free().  NULL: no memory.
 */
char *journal_staged(const struct journal_entry *entry);
char *journal_old(const struct journal_entry *entry);
bool journal_renames(const struct journal_entry *entry);

/* Takes path, which is absolute, as it is. */
enum est_code journal_add(struct journal *j, enum journal_part part, bool existed, const char *path,
	struct est_error *err) EST_MUST_CHECK;
/* What is in dir, the folder of the journal, stands there without it: folders are copied and
 * mounted elsewhere. */
enum est_code journal_encode(const struct journal *j, const char *dir, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* EST_E_INPUT for one that is not complete: what wrote it has changed nothing yet. */
enum est_code journal_decode(struct est_span in, const char *dir, struct journal *out,
	struct est_error *err) EST_MUST_CHECK;
void journal_wipe(struct journal *j);

#endif

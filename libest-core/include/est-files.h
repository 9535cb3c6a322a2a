/* SPDX-License-Identifier: MIT */
/*
 * Part of est.h, which includes it: the files of one certificate, which change together.
 *
 * What is on disk in each state, and what the next run makes of it when a run ends there:
 *
 *   prepare    .NAME.est-journal, empty and locked; for each destination .NAME.est-tmp, which is
 *              locked, too, and has room for 64 KiB                          -> removed
 *   requested  besides KEY.est-new and KEY.est-csr, complete and synced; from here on the CA may
 *              have certified the key                -> the same key and request are sent again
 *   pending    the same; the server has answered 202                         -> likewise
 *   received, verified
 *              the same; the certificate is in memory alone                  -> likewise
 *   swapping   each .NAME.est-tmp complete and synced, each old file under a second name
 *              .NAME.est-old, and what is to be renamed in the journal, synced -> recovered
 *   committed  every new file in place and synced; .NAME.est-old has become NAME.prev or is gone.
 *              The journal goes, or stays while a hook is owed               -> nothing, or the
 * hook
 *
 * Recovery takes the newest of these that is a pair, which the public keys of certificate and key
 * decide and no times: the new files, the files as they are, the old files.  So a key that the CA
 * may have certified is never removed: it is KEY, or in KEY.est-new.
 *
 * Two names cannot change in one step.  Between the renames of certificate and key, and until the
 * next run when a power cut comes in between, they do not fit.  A store has no such time: its one
 * rename replaces the symbolic link DIR/current, which names a folder with all files of a
 * generation.
 *
 * How an applet uses it:
 *
 *   est_swap_unfinished(FILE)    whether an earlier run left something: a look, nothing is written
 *   est_swap_open(FILE, ...)     lock, and recovery; EST_E_OUTPUT, reason locked: another run is at
 *                                work on it.  Only then are the old certificate and key read
 *   est_swap_recovered(swap)     what recovery did
 *   est_swap_hook_owed(swap)     the hook of an earlier run has not been run: run it for the files
 *                                that are in place, then est_swap_hook_done(swap)
 *   est_swap_commit(swap, ...)   with .hook the hook is owed from the moment on at which the files
 *                                change: run it when this has returned, then est_swap_hook_done()
 *   est_swap_free(swap)          unlocks; the journal goes unless a hook is owed
 *
 * est_swap_hook_done() says that the hook was run, however it ended: a hook that fails every time
 * should not be run for ever.  Without it the next run finds the hook owed.
 */
#ifndef EST_FILES_API_H
#define EST_FILES_API_H

#ifndef EST_H
#error "include est.h"
#endif

struct est_swap;

enum est_recovered {
	EST_RECOVERED_NOTHING, /* nothing was there, or nothing had been swapped */
	EST_RECOVERED_NEW,     /* an earlier run's new files are in place now */
	EST_RECOVERED_OLD,     /* they were no pair: the old ones are */
	EST_RECOVERY_DUE       /* EST_SWAP_LOOK: an earlier run left a journal, which stays */
};

#define EST_SWAP_STORE 1u /* the name is a folder of generations, which is made if need be */
#define EST_SWAP_LOOK  2u /* recover nothing, and change no file */

/* Whether a journal stands beside the file (in the folder, for a store). */
EST_API bool est_swap_unfinished(const char *file, unsigned flags);
/* Locks the files that change with this one and recovers.  By convention it is the certificate, or
 * else what holds it, or else the key: one run finds what the other left by that name.  *out is
 * owned, est_swap_free().  EST_E_OUTPUT for what no output can be, or with reason locked;
 * EST_E_INPUT, reason no-pair, when no two of the files fit. */
EST_API enum est_code est_swap_open(const char *file, unsigned flags, struct est_swap **out,
	struct est_error *err) EST_MUST_CHECK;
EST_API enum est_recovered est_swap_recovered(const struct est_swap *swap);
EST_API bool est_swap_hook_owed(const struct est_swap *swap);
EST_API void est_swap_hook_done(struct est_swap *swap);

#define EST_SWAP_OUTPUTS 4

struct est_swap_files { /* borrowed; NULL: none of this kind */
	/* Written already; what is equal stays as it is. */
	struct est_output *cert, *combined, *others[EST_SWAP_OUTPUTS - 2];
	struct est_generation *generation; /* written already */
	/* Goes to its final name last; with newkey_inside it is in another of the files, and
	 * KEY.est-new is removed. */
	struct est_newkey *newkey;
	bool newkey_inside;
	const char *key_file; /* the key that stays and fits the certificate, or NULL */
	unsigned keep;        /* this many old files stay, as NAME.prev, NAME.prev.2 and so on */
	bool hook;            /* a hook is owed when it is done */
};

/* All or nothing: after a failure every file is what it was before, KEY.est-new among them.
 * *changed (may be NULL) says whether anything was not equal; if nothing was, no hook is owed.
 * EST_E_OUTPUT. */
EST_API enum est_code est_swap_commit(struct est_swap *swap, const struct est_swap_files *files,
	bool *changed, struct est_error *err) EST_MUST_CHECK;
EST_API void est_swap_free(struct est_swap *swap);

/* ---- Stores: key.pem, cert.pem, chain.pem, fullchain.pem of a generation in a folder ---- */

struct est_generation;

/* Within a swap of the same folder: makes the next generation's folder, with room for 64 KiB.
 * *out is owned, est_generation_free().  EST_E_OUTPUT, below too. */
EST_API enum est_code est_generation_open(const char *dir, struct est_generation **out,
	struct est_error *err) EST_MUST_CHECK;
/* Writes and syncs the four files; mode and owner are those of the generation in use. */
EST_API enum est_code est_generation_write(struct est_generation *generation, struct est_span key,
	const struct est_certs *chain, struct est_error *err) EST_MUST_CHECK;
/* The folder it is written to; borrowed.  It has another name when it is committed. */
EST_API const char *est_generation_folder(const struct est_generation *generation);
/* Removes the folder when it was not committed. */
EST_API void est_generation_free(struct est_generation *generation);

#endif

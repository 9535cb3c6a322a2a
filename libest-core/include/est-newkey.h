/* SPDX-License-Identifier: MIT */
/* Part of est.h, which includes it: the new key of an enrolment under way, in a file or a token. */
#ifndef EST_NEWKEY_API_H
#define EST_NEWKEY_API_H

#ifndef EST_H
#error "include est.h"
#endif

/* The key of an enrolment under way.  KEY.est-new holds it, synced, before its request leaves, as
 * KEY.est-csr holds that (est-pending.h); they stay there until the run knows how it ended, and the
 * next run goes on with them. */
struct est_newkey;

#define EST_NEWKEY_NO_SIGNATURES 4u /* est_key_signs() is to be false: the file says so */

/* Locks KEY.est-new, takes the key an unfinished run left there (*resumed) or makes one of that
 * type.  flags: EST_OUTPUT_NEW refuses when key_file exists; EST_NEWKEY_NO_SIGNATURES. */
EST_API enum est_code est_newkey_open(const char *key_file, const char *type, unsigned flags,
	struct est_newkey **out, bool *resumed, struct est_error *err) EST_MUST_CHECK;
/* Whether an unfinished run has left such a key beside what key_file leads to. */
EST_API bool est_newkey_waits(const char *key_file);
EST_API const struct est_key *est_newkey_key(const struct est_newkey *newkey); /* borrowed */
EST_API const char *est_newkey_path(const struct est_newkey *newkey);          /* borrowed */
/* Renames KEY.est-new to its final name: the last step, when the certificate is in place.  Removes
 * KEY.est-csr. */
EST_API enum est_code est_newkey_commit(struct est_newkey *newkey,
	struct est_error *err) EST_MUST_CHECK;
/* When a key does not fit its certificate: whether KEY.est-new does, because something between the
 * two renames went wrong, in which case it is renamed to key_file.  look: or would be. */
EST_API enum est_code est_newkey_repair(const char *key_file, struct est_span cert,
	const char *cert_name, bool look, bool *repaired, struct est_error *err) EST_MUST_CHECK;
/* The same for a key in a token, which url names by object=, its label: the new one is made there
 * as LABEL.est-new, and takes the label over within the swap of the certificate's file
 * (est-files.h); the old one becomes LABEL.prev when .keep says so.  Its request lies beside that
 * file, as FILE.est-csr; whoever calls has the lock of the swap.
 *
 * check: whether the URL will do, and the token makes keys of that type, before anything is sent.
 * EST_E_INPUT. */
EST_API enum est_code est_newkey_token_check(const char *url, const char *type,
	struct est_error *err) EST_MUST_CHECK;
EST_API enum est_code est_newkey_token_open(const char *url, const char *cert_file,
	const char *type, est_secret_fn *ask, void *ctx, struct est_newkey **out, bool *resumed,
	struct est_error *err) EST_MUST_CHECK;
/* What an unfinished run has left, as FILE.est-csr or a swap that was recovered tells: forward when
 * the certificate in place is for the new key, else back.  *repaired: forward; look: or would be,
 * in either direction. */
EST_API enum est_code est_newkey_token_repair(const char *url, const char *cert_file,
	est_secret_fn *ask, void *ctx, struct est_span cert, unsigned keep, bool look,
	bool *repaired, struct est_error *err) EST_MUST_CHECK;
/* Removes both files when the server has certainly not issued; nothing after the commit. */
EST_API void est_newkey_discard(struct est_newkey *newkey);
/* Releases memory and lock; the file stays. */
EST_API void est_newkey_free(struct est_newkey *newkey);

#endif

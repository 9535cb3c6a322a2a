/* SPDX-License-Identifier: MIT */
/* Part of est.h, which includes it: trust anchors, the first ones and those that follow. */
#ifndef EST_ANCHORS_API_H
#define EST_ANCHORS_API_H

#ifndef EST_H
#error "include est.h"
#endif

/* CA certificates by what they are good for. */
struct est_anchors {
	struct est_certs *anchors;       /* to be trusted */
	struct est_certs *intermediates; /* they lead to an anchor by RFC 5280 section 6 */
	struct est_certs *strays;        /* they do not */
};

EST_API void est_anchors_wipe(struct est_anchors *anchors);

/* Somebody looks at a root certificate: EST_OK is a yes. */
typedef enum est_code est_accept_fn(void *ctx, struct est_span root, struct est_error *err);

/* "sha256:HEX" or "sha512:HEX", complete; EST_E_USAGE. */
EST_API enum est_code est_fingerprint_check(const char *text, struct est_error *err) EST_MUST_CHECK;
/* RFC 7030 section 4.1.1, with a client of est_config.bootstrap: GET /cacerts over a session in
 * which nothing of ours is shown, a decision on its root certificates by fingerprint
 * ("sha256:HEX", "sha512:HEX"; NULL-terminated) or, when none is given, by accept, and a new
 * session in which the server is verified and authorised under the roots accepted.  After EST_OK
 * they are the client's explicit anchors, and *out is owned, est_anchors_wipe().  EST_E_UNTRUSTED
 * with reason no-fingerprint, fingerprint or one of a server that is not to be trusted. */
EST_API enum est_code est_bootstrap(struct est_client *client, const char *const *fingerprints,
	est_accept_fn *accept, void *ctx, struct est_anchors *out,
	struct est_error *err) EST_MUST_CHECK;

enum est_anchor_change { EST_ANCHOR_KEPT, EST_ANCHOR_ADDED, EST_ANCHOR_REMOVED };

struct est_anchor_note {
	struct est_span cert; /* borrowed from the update */
	enum est_anchor_change change;
	const char *why; /* static */
};

struct est_update {
	struct est_anchors certs;      /* after the update */
	struct est_anchor_note *notes; /* every anchor that was or is, the stored ones first */
	size_t n_notes;
	struct est_certs *all; /* what the notes borrow from */
};

EST_API void est_update_wipe(struct est_update *update);

/* RFC 7030 section 4.1.3 with RFC 4210 section 4.4, for a client whose anchors are the stored ones
 * alone: GET /cacerts, and which anchors follow.  A new root is taken only when a stored anchor
 * vouches for it; EST_E_UNTRUSTED, reason not-vouched, when none does for the current root.
 * Expired and retired anchors leave when the server can be verified without them.  After EST_OK
 * the client trusts the new set, and *out is owned, est_update_wipe(). */
EST_API enum est_code est_update_anchors(struct est_client *client, struct est_update *out,
	struct est_error *err) EST_MUST_CHECK;

/* Which certificates of an answer to est_cacerts() lead neither to an explicit anchor of the client
 * nor to the current root of the answer.  *out is owned, est_certs_free(). */
EST_API enum est_code est_find_strays(struct est_client *client, const struct est_certs *certs,
	struct est_certs **out, struct est_error *err) EST_MUST_CHECK;

#endif

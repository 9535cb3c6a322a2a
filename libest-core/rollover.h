/* SPDX-License-Identifier: MIT */
/* Which anchors follow those that are held (RFC 7030 section 4.1.3, RFC 4210 section 4.4). */
#ifndef EST_ROLLOVER_H
#define EST_ROLLOVER_H

#include "anchors.h"

enum rollover_kind {
	ROLLOVER_NONE,         /* no certificate of a change of the root */
	ROLLOVER_NEW_WITH_NEW, /* the current root */
	ROLLOVER_OLD_WITH_OLD, /* another root */
	ROLLOVER_NEW_WITH_OLD, /* the current root's key, signed with the key of another root */
	ROLLOVER_OLD_WITH_NEW  /* another root's key, signed with the current one */
};

/* What each certificate of bag is, by keys and signatures and not by names or positions; out has
 * est_certs_count(bag) elements. */
void rollover_classify(const struct est_certs *bag, const struct deadline *deadline,
	enum rollover_kind *out);
const char *rollover_kind_name(enum rollover_kind kind); /* "NewWithNew" */

/* held: the stored anchors.  bag: what the CA has answered over a session that one of them vouched
 * for.  A root of bag becomes an anchor when a valid link certificate signed with the key of an
 * anchor has its key and its name, or when it has key and name of an anchor itself; so does the one
 * after it.  crls (or NULL) may revoke link certificates.  An anchor that has expired leaves, and
 * one whose key is nowhere in bag while a successor of its name is there, when another that is
 * valid remains.  out->notes has all anchors that were or are.  EST_E_UNTRUSTED, reason
 * not-vouched, when the current root is not among the anchors then; EST_E_TIMEOUT. */
enum est_code rollover_plan(const struct est_certs *held, const struct est_certs *bag,
	const struct crls *crls, time_t now, const struct deadline *deadline, struct est_update *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* What the library itself does with a list of certificates. */
#ifndef EST_CERTS_H
#define EST_CERTS_H

#include "est.h"

/* An empty list, and one more certificate at its end (copied; a duplicate is kept out when
 * unique, and *added, which may be NULL, says so). */
enum est_code certs_new(struct est_certs **out, struct est_error *err) EST_MUST_CHECK;
enum est_code certs_add(struct est_certs *certs, struct est_span der, bool unique, bool *added,
	struct est_error *err) EST_MUST_CHECK;

/* The members of a certs-only message, in its order and without a limit on their number: nothing
 * is copied, and each is looked at once. */
struct certs_iter { /* borrows from the message */
	struct est_span message;
	struct est_span rest; /* members not yet taken */
	struct est_span crls; /* contents of the revocation set */
	size_t n;             /* members taken */
};

struct certs_member {
	struct est_span der;
	size_t offset; /* in the message */
	bool other;    /* an alternative of CertificateChoices that is no Certificate */
};

/* Checks everything of a certs-only message (RFC 5652 section 5.1, DER or BER) but the members of
 * its two sets; a bare certificate becomes a set of one.  EST_E_PROTOCOL; what begins the message.
 * No member at all is an error here. */
enum est_code certs_iter_open(struct est_span cms, const char *what, struct est_quirks *quirks,
	struct certs_iter *out, struct est_error *err) EST_MUST_CHECK;
/* The next member, not yet checked in any way: cert_view() does.  *found is false at the end.
 * EST_E_PROTOCOL when the set is broken here; then there is no way to go on. */
enum est_code certs_iter_next(struct certs_iter *iter, const char *what, struct certs_member *out,
	bool *found, struct est_error *err) EST_MUST_CHECK;

#endif

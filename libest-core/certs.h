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
struct certs_frame {                                    /* what a message is but its sets */
	struct est_span version, digests, content_type; /* whole TLVs */
	struct est_span tail;                           /* what follows the certificates */
	bool open, has_certs, ber;
	bool message; /* it is signed or has contents, so it is more than a bag */
};

struct certs_iter { /* borrows from the message */
	struct est_span message;
	struct est_span rest; /* members not yet taken */
	struct est_span crls; /* contents of the revocation set, after certs_iter_close() */
	size_t n;             /* members taken */
	struct certs_frame frame;
	/* After certs_iter_begin(): the wrappers from the outermost, and where each ends; NULL:
	 * with end-of-contents octets, wherever they are. */
	const uint8_t *end[3];
	unsigned n_end;
	bool certs_open; /* the set ends so too */
};

struct certs_member {
	struct est_span der;
	size_t offset; /* in the message */
	bool other;    /* an alternative of CertificateChoices that is no Certificate */
};

/* Checks a certs-only message (RFC 5652 section 5.1, DER or BER) up to its certificates, of which
 * no byte is looked at; a bare certificate becomes a set of one.  any: SignedData with contents and
 * signatures, without certificates or without its ContentInfo are taken too.  EST_E_PROTOCOL; what
 * begins the message.  Without any, no member at all is an error. */
enum est_code certs_iter_open(struct est_span cms, const char *what, bool any,
	struct est_quirks *quirks, struct certs_iter *out, struct est_error *err) EST_MUST_CHECK;
/* As with any, of a message whose front alone is there: cms goes as far as there is room for the
 * rest, which is read before what is in it is asked for.  From *out, which says what it needs, no
 * byte behind out->rest.p has been looked at.  After certs_iter_close() out->message is the message
 * alone. */
enum est_code certs_iter_begin(struct est_span cms, const char *what, struct est_quirks *quirks,
	struct certs_iter *out, struct est_error *err) EST_MUST_CHECK;
/* The rest of the message: no certificate may be used before this has succeeded too, unless to
 * show it.  Needs no member to be taken. */
enum est_code certs_iter_close(struct certs_iter *iter, const char *what, bool any,
	struct est_quirks *quirks, struct est_error *err) EST_MUST_CHECK;
/* The next member, not yet checked in any way: cert_view() does.  *found is false at the end.
 * EST_E_PROTOCOL when the set is broken here; then there is no way to go on. */
enum est_code certs_iter_next(struct certs_iter *iter, const char *what, struct certs_member *out,
	bool *found, struct est_error *err) EST_MUST_CHECK;

#endif

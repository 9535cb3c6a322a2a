/* SPDX-License-Identifier: MIT */
/* Where a redirect leads (RFC 7030 section 3.2.1, RFC 9110 section 10.2.2). */
#ifndef EST_REDIRECT_H
#define EST_REDIRECT_H

#include "url.h"

#define REDIRECT_MAX        5    /* in one operation */
#define REDIRECT_TARGET_MAX 4096 /* bytes of a path and query */

struct place {          /* an origin and what is asked for there */
	struct url url; /* base is NULL */
	char *target;   /* path and query as they stand in the request line */
};

/* Resolves the value of Location against the place of the request (RFC 3986 section 5.2); a
 * fragment is dropped.  EST_E_REFUSED when it is not https, malformed, or has user information. */
enum est_code redirect_resolve(const struct place *base, struct est_span location,
	struct place *out, struct est_error *err) EST_MUST_CHECK;
/* 'the server redirects to "WHERE": WHY', reason redirect; the code. */
enum est_code redirect_fail(enum est_code code, struct est_span where, const char *why,
	struct est_error *err);
void place_wipe(struct place *place);
enum est_code place_copy(const struct place *from, struct place *out,
	struct est_error *err) EST_MUST_CHECK;
/* Scheme, host and port are equal (RFC 6454 section 5). */
bool place_same_origin(const struct url *a, const struct url *b);

#endif

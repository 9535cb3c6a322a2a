/* SPDX-License-Identifier: MIT */
/* A TLS session to a server that nothing vouches for yet (RFC 7030 section 4.1.1).  It is no struct
 * session and has no struct authz: all it is good for is http_provisional_cacerts(). */
#ifndef EST_PROVISIONAL_H
#define EST_PROVISIONAL_H

#include "session.h"

struct provisional;

/* TLS as ever, but that any certificate is taken and nothing of ours is shown: no client
 * certificate, no ticket asked for or kept.  params->trust and ->credentials are not looked at. */
enum est_code provisional_open(const struct session_params *params, struct deadline *deadline,
	struct provisional **out, struct est_error *err) EST_MUST_CHECK;
/* With close_notify; NULL is accepted. */
void provisional_close(struct provisional *provisional);
const char *provisional_address(const struct provisional *provisional);
const char *provisional_description(const struct provisional *provisional);

/* What carries the bytes; for http.c alone. */
struct session *provisional_transport(struct provisional *provisional);

#endif

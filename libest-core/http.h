/* SPDX-License-Identifier: MIT */
/* One HTTP/1.1 request and its response on an authorised session. */
#ifndef EST_HTTP_H
#define EST_HTTP_H

#include "http_parse.h"
#include "session.h"

struct http_request { /* borrowed */
	const char *method, *target, *host, *accept;
	const char *content_type; /* NULL: no body */
	bool base64_field;        /* Content-Transfer-Encoding: base64 goes with the body */
	struct est_span body;
	struct est_span authorization; /* value of the field; empty: none; secret */
};

struct http_limits {
	size_t max_body;
	struct est_quirks *quirks;
};

/* Sends and reads.  authz proves that this server may be told and believed.  *silent (may be NULL)
 * becomes true when the connection ended before any byte of an answer.  out is the caller's to
 * wipe, whatever happens. */
enum est_code http_exchange(struct session *session, const struct authz *authz,
	const struct http_request *request, const struct http_limits *limits,
	const struct deadline *deadline, struct http_response *out, bool *silent,
	struct est_error *err) EST_MUST_CHECK;

#endif

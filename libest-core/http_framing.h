/* SPDX-License-Identifier: MIT */
/* What the header section decides about the body and the connection (RFC 9112 section 6.3). */
#ifndef EST_HTTP_FRAMING_H
#define EST_HTTP_FRAMING_H

#include "http_parse.h"

struct http_framing {
	enum {
		HTTP_FRAMING_NONE,   /* no body */
		HTTP_FRAMING_LENGTH, /* length bytes */
		HTTP_FRAMING_CHUNKED,
		HTTP_FRAMING_CLOSE /* until the connection ends */
	} kind;
	uint64_t length;
	bool reusable; /* the connection, once the body is complete (H-18) */
};

/* Of a complete header section with a final status.  EST_E_PROTOCOL when the fields contradict
 * each other or name a coding that was not asked for (H-02, H-14, H-20). */
enum est_code http_framing(const struct http_response *response, struct http_framing *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

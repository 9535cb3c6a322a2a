/* SPDX-License-Identifier: MIT */
/* A strict HTTP/1.1 response parser (RFC 9112), fed with bytes as they come; it knows no socket.
 * Smuggling cases are refused: see the rules H-10 to H-21 beside the checks. */
#ifndef EST_HTTP_PARSE_H
#define EST_HTTP_PARSE_H

#include "est.h"

#define HTTP_HEAD_MAX       (64u << 10) /* status line and header section, bytes */
#define HTTP_LINE_MAX       (8u << 10)
#define HTTP_FIELDS_MAX     100
#define HTTP_INTERIM_MAX    5   /* 1xx responses before the final one */
#define HTTP_CHUNK_LINE_MAX 256 /* chunk size with its extensions */
#define HTTP_TRAILER_MAX    (8u << 10)

struct http_field { /* offsets into the head, which may move while it grows */
	uint32_t name, name_len, value, value_len;
};

struct http_response {
	int status; /* 0: no final status line yet */
	int minor;  /* HTTP/1.minor */
	struct est_buf head;
	struct http_field fields[HTTP_FIELDS_MAX];
	size_t n_fields;
	struct est_buf body; /* transfer coding removed */
	bool reusable;       /* when done: the connection may carry another request (H-18) */
};

struct http_parser {
	struct http_response *response; /* borrowed, the caller releases it */
	struct est_quirks *quirks;      /* borrowed */
	size_t max_body;                /* of a 2xx body; others end at EST_ERROR_BODY_MAX */
	enum http_state {
		HTTP_STATUS_LINE,
		HTTP_FIELD_LINE,
		HTTP_BODY_LENGTH,
		HTTP_BODY_CLOSE,
		HTTP_CHUNK_SIZE,
		HTTP_CHUNK_DATA,
		HTTP_CHUNK_END,
		HTTP_TRAILER,
		HTTP_DONE
	} state;
	int status;           /* of the status line last read, interim or final */
	unsigned interim;     /* 1xx responses so far */
	uint64_t remaining;   /* bytes of the body or of the chunk */
	size_t line_start;    /* in the head: lines of every state are gathered at its end */
	size_t section_bytes; /* as received, of the head or the trailer section so far */
	bool seen_any;        /* a byte of the response has come */
	bool head_only;       /* the answer to CONNECT: it ends with its head */
};

void http_parser_init(struct http_parser *parser, struct http_response *response, size_t max_body,
	struct est_quirks *quirks);
/* Takes bytes off the front of *in until it is empty or the response is complete.  Bytes left in
 * *in then are not the response's.  However the bytes are split over calls, the outcome is the
 * same.  A body that is not a success and larger than EST_ERROR_BODY_MAX ends there: done, not
 * reusable, the rest of *in dropped.  EST_E_PROTOCOL; not to be called again after a failure. */
enum est_code http_parser_feed(struct http_parser *parser, struct est_span *in,
	struct est_error *err) EST_MUST_CHECK;
/* The connection has ended.  clean: by close_notify.  EST_OK only if that completes the response
 * (a close-delimited body); without close_notify only if the body is one complete DER value or
 * its base64, or only the text of an error (EST_Q_NO_CLOSE_NOTIFY).  EST_E_NETWORK when nothing
 * had come, else EST_E_PROTOCOL: truncated. */
enum est_code http_parser_eof(struct http_parser *parser, bool clean,
	struct est_error *err) EST_MUST_CHECK;
static inline bool http_parser_done(const struct http_parser *parser)
{
	return parser->state == HTTP_DONE;
}
void http_parser_wipe(struct http_parser *parser);
void http_response_wipe(struct http_response *response);

/* Value of the i-th field of that name, any case; false: there is none.  Borrowed. */
bool http_field(const struct http_response *response, const char *name, size_t i,
	struct est_span *value);

struct http_media_type { /* borrowed from the field value */
	struct est_span type, subtype;
	struct est_span smime_type; /* parameter, quotes removed; empty: absent */
};

/* RFC 9110 section 8.3.1; false: malformed. */
bool http_media_type(struct est_span value, struct http_media_type *out);
bool http_media_is(const struct http_media_type *media, const char *type, const char *subtype);

/* Retry-After (RFC 9110 section 10.2.3): delay-seconds or one of three HTTP-date forms.  now is
 * the local clock, or that of the response's Date field when it has one.  Seconds from now, 0 for
 * the past, at most HTTP_RETRY_AFTER_MAX; -1: absent, repeated with another value, or malformed
 * (H-05). */
#define HTTP_RETRY_AFTER_MAX INT64_C(9999999999)
int64_t http_retry_after(const struct http_response *response, time_t now);
bool http_date(struct est_span text, time_t now, time_t *out);

#endif

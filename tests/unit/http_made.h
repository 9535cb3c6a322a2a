/* SPDX-License-Identifier: MIT */
/* A response for what looks at one. */
#ifndef HTTP_MADE_H
#define HTTP_MADE_H

#include "http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* With these header lines and the body "body"; wiped by the caller. */
static inline void http_made(int status, const char *fields, struct http_response *out)
{
	struct est_error err = { 0 };
	struct http_parser parser;
	struct est_buf in = { 0 };
	struct est_span span;

	*out = (struct http_response){ 0 };
	assert_int_equal(est_buf_printf(&in, &err,
				 "HTTP/1.1 %d x\r\nContent-Length: 4\r\n%s\r\nbody", status,
				 fields),
		EST_OK);
	span = est_buf_span(&in);
	http_parser_init(&parser, out, 100, NULL);
	if (http_parser_feed(&parser, &span, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_true(http_parser_done(&parser));
	http_parser_wipe(&parser);
	est_buf_free(&in);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Steps through borrowed bytes. */
#ifndef EST_SPAN_H
#define EST_SPAN_H

#include "est.h"

/* What is behind the first n bytes, of which there are so many. */
static inline struct est_span span_after(struct est_span in, size_t n)
{
	return (struct est_span){ in.p + n, in.n - n };
}

/* A copy of the bytes with a NUL behind them, owned. */
enum est_code span_string(struct est_span in, char **out, struct est_error *err) EST_MUST_CHECK;

/* The bytes before the first NUL or the first of the stop characters. */
struct est_span span_until(struct est_span in, const char *stops);

#endif

/* SPDX-License-Identifier: MIT */
/* The steps that are more than a line. */
#include "span.h"

#include <stdlib.h>
#include <string.h>

struct est_span span_until(struct est_span in, const char *stops)
{
	size_t n = 0;

	while (n < in.n && !strchr(stops, in.p[n]))
		n++;
	return (struct est_span){ in.p, n };
}

enum est_code span_string(struct est_span in, char **out, struct est_error *err)
{
	char *copy = malloc(in.n + 1);

	if (!copy)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	if (in.n > 0)
		memcpy(copy, in.p, in.n);
	copy[in.n] = '\0';
	*out = copy;
	return EST_OK;
}

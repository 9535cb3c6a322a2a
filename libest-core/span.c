/* SPDX-License-Identifier: MIT */
#include "span.h"

#include <string.h>

struct est_span span_until(struct est_span in, const char *stops)
{
	size_t n = 0;

	while (n < in.n && !strchr(stops, in.p[n]))
		n++;
	return (struct est_span){ in.p, n };
}

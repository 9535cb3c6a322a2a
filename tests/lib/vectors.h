/* SPDX-License-Identifier: MIT */
/* For unit tests: the examples that the RFCs print. */
#ifndef EST_TEST_VECTORS_H
#define EST_TEST_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "est.h"

#define VECTORS "tests/data/vectors/"

/* Appends the file; the test fails without it. */
static inline void read_vector(const char *name, struct est_buf *out)
{
	struct est_error err = { 0 };
	char path[128];

	(void)snprintf(path, sizeof(path), VECTORS "%s", name);
	if (est_read_file(path, EST_FILE_MAX, out, &err) != EST_OK)
		fail_msg("%s", err.msg);
}

#endif

/* SPDX-License-Identifier: MIT */
/* What fuzz targets check beside "does not crash". */
#ifndef EST_TESTS_FUZZING_H
#define EST_TESTS_FUZZING_H

#include <stdlib.h>
#include <string.h>

#include "est.h"

#define FUZZ_ASSERT(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text that may go to a terminal as it is: no C0, no DEL. */
static inline void fuzz_assert_safe(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		FUZZ_ASSERT((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

/* A failure has a code, and a message that ends. */
static inline void fuzz_assert_failed(enum est_code rc, const struct est_error *err)
{
	FUZZ_ASSERT(rc != EST_OK && err->code == rc);
	FUZZ_ASSERT(err->msg[0] && memchr(err->msg, 0, sizeof(err->msg)));
	FUZZ_ASSERT(rc != EST_E_INTERNAL);
}

#endif

/* SPDX-License-Identifier: MIT */
/* The session cache behind its digest: what is taken from it is within the limits, and is written
 * as it was read. */
#include "resume.h"

#include <string.h>

#include "fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const time_t now = 1800000000;
	struct resume first = { 0 }, second = { 0 };
	struct est_buf out = { 0 }, again = { 0 };
	struct est_error err;

	(void)resume_decode((struct est_span){ data, size }, now, &first);
	FUZZ_ASSERT(first.n <= RESUME_MAX);
	for (size_t i = 0; i < first.n; i++) {
		const struct resume_entry *e = &first.entry[i];

		FUZZ_ASSERT(e->data.n > 0 && e->data.n <= RESUME_DATA_MAX);
		FUZZ_ASSERT(
			e->made <= now && e->facts.until >= now && now - e->made < RESUME_AGE_S);
		FUZZ_ASSERT(strlen(e->facts.identity) < sizeof(e->facts.identity));
		FUZZ_ASSERT(e->facts.db == TRUST_EXPLICIT || e->facts.db == TRUST_IMPLICIT);
	}
	FUZZ_ASSERT(resume_encode(&first, &out, &err) == EST_OK);
	FUZZ_ASSERT(resume_decode(est_buf_span(&out), now, &second) && second.n == first.n);
	FUZZ_ASSERT(resume_encode(&second, &again, &err) == EST_OK);
	FUZZ_ASSERT(est_span_eq(est_buf_span(&out), est_buf_span(&again)));
	resume_wipe(&first);
	resume_wipe(&second);
	est_buf_free(&out);
	est_buf_free(&again);
	return 0;
}

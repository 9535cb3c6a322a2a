/* SPDX-License-Identifier: MIT */
/* PKCS #12 with the password of the seeds: bounded work, no key handed out. */
#include "fuzzing.h"
#include "p12_open.h"

static enum est_code note(void *ctx, enum est_file_kind kind, struct est_span der)
{
	size_t *bytes = ctx;

	*bytes += der.n;
	FUZZ_ASSERT(der.n == 0 || kind == EST_FILE_CERT || kind == EST_FILE_CRL);
	return EST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const passwords[] = { NULL, "pw", "password" };
	struct est_error err = { 0 };

	for (size_t i = 0; i < sizeof(passwords) / sizeof(passwords[0]); i++) {
		size_t bytes = 0;
		enum est_code rc = p12_open((struct est_span){ data, size }, passwords[i], note,
			&bytes, &err);

		if (rc != EST_OK)
			fuzz_assert_failed(rc, &err);
		FUZZ_ASSERT(bytes <= size);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* PKCS #12 with the password of the seeds: bounded work, no key handed out. */
#include "fuzzing.h"
#include "p12_open.h"

static enum est_code note(void *ctx, const struct est_object *object)
{
	size_t *bytes = ctx;

	*bytes += object->der.n;
	FUZZ_ASSERT(object->der.n == 0 || object->kind == EST_FILE_CERT ||
		    object->kind == EST_FILE_CRL);
	for (size_t i = 0; i < object->name.n; i++)
		FUZZ_ASSERT(object->name.p[i] >= ' ');
	for (size_t i = 0; i < object->protection.n; i++)
		FUZZ_ASSERT(object->protection.p[i] >= ' ' && object->protection.p[i] < 0x7f);
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

/* SPDX-License-Identifier: MIT */
/* CMS messages described without being opened: what is said is safe to print and has a place in
 * the message. */
#include "est-inspect.h"
#include "fuzzing.h"

static void check_all(char *const *text, size_t n, size_t size)
{
	FUZZ_ASSERT(n <= size);
	for (size_t i = 0; i < n; i++)
		fuzz_assert_safe(text[i], strlen(text[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct est_cms_info info;
	struct est_error err;
	enum est_code rc = est_cms_info((struct est_span){ data, size }, &info, &err);

	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		return 0;
	}
	FUZZ_ASSERT(info.type);
	fuzz_assert_safe(info.type, strlen(info.type));
	if (info.content)
		fuzz_assert_safe(info.content, strlen(info.content));
	if (info.encryption)
		fuzz_assert_safe(info.encryption, strlen(info.encryption));
	check_all(info.recipients, info.n_recipients, size);
	check_all(info.signers, info.n_signers, size);
	est_cms_info_wipe(&info);
	return 0;
}

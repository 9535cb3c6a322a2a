/* SPDX-License-Identifier: MIT */
/* CSR attributes: what decodes is within the limits, says the same when decoded again, and can be
 * shown. */
#include "csrattrs.h"
#include "fuzzing.h"

static void show(const struct est_csrattr *attr)
{
	struct est_buf text = { 0 };
	struct est_error err;

	FUZZ_ASSERT(attr->attribute || attr->n_values == 0);
	FUZZ_ASSERT(attr->n_values <= EST_CSRATTRS_MAX && attr->oid[0]);
	FUZZ_ASSERT(attr->oid[strspn(attr->oid, "#0123456789abcdef.")] == '\0');
	FUZZ_ASSERT(!attr->name || attr->name == est_oid_name(attr->oid));
	for (size_t i = 0; i < attr->n_values; i++) {
		FUZZ_ASSERT(est_csrattr_value_text(attr, i, &text, &err) == EST_OK);
		fuzz_assert_safe((const char *)text.p, text.n);
		text.n = 0;
	}
	est_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct est_quirks quirks = { 0 }, strict = { .strict = true };
	const struct est_span in = { data, size };
	struct est_csrattrs *attrs = NULL, *again = NULL;
	enum est_code rc, rc_strict;
	struct est_error err;

	rc = est_csrattrs_decode(in, &quirks, &attrs, &err);
	if (rc != EST_OK)
		fuzz_assert_failed(rc, &err);
	rc_strict = est_csrattrs_decode(in, &strict, &again, &err);
	FUZZ_ASSERT((rc_strict == EST_OK) == (rc == EST_OK && quirks.seen == 0));
	est_csrattrs_free(again);
	if (rc != EST_OK)
		return 0;
	FUZZ_ASSERT(est_csrattrs_count(attrs) <= EST_CSRATTRS_MAX);
	for (size_t i = 0; i < est_csrattrs_count(attrs); i++)
		show(est_csrattrs_get(attrs, i));
	quirks.seen = 0;
	FUZZ_ASSERT(est_csrattrs_decode(est_csrattrs_der(attrs), &quirks, &again, &err) == EST_OK);
	FUZZ_ASSERT(est_csrattrs_count(again) == est_csrattrs_count(attrs));
	est_csrattrs_free(again);
	est_csrattrs_free(attrs);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Certs-only messages: what decodes is within the limits, encodes again to the same set, and can
 * be shown; what a refusal says too. */
#include "cert.h"
#include "cmc_status.h"
#include "fuzzing.h"

static void show(struct est_span der)
{
	struct est_cert_info info;
	struct cert_view view;
	struct est_error err;
	enum est_code rc;

	FUZZ_ASSERT(der.n <= EST_CERT_BYTES_MAX);
	FUZZ_ASSERT(cert_view(der, "certificate", &view, &err) == EST_OK);
	FUZZ_ASSERT(view.tbs.p > der.p && view.spki.p + view.spki.n < der.p + der.n);
	rc = est_cert_info(der, &info, &err);
	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		return;
	}
	fuzz_assert_safe(info.subject, strlen(info.subject));
	fuzz_assert_safe(info.issuer, strlen(info.issuer));
	fuzz_assert_safe(info.key, strlen(info.key));
	fuzz_assert_safe(info.signature, strlen(info.signature));
	FUZZ_ASSERT(info.n_sans <= EST_SANS_MAX);
	for (size_t i = 0; i < info.n_sans; i++)
		fuzz_assert_safe(info.sans[i], strlen(info.sans[i]));
	FUZZ_ASSERT(info.serial[strspn(info.serial, "0123456789abcdef")] == '\0');
	FUZZ_ASSERT(info.path_len == -1 || info.ca);
	FUZZ_ASSERT(!info.self_signed || strcmp(info.subject, info.issuer) == 0);
	est_cert_info_wipe(&info);
}

static int by_bytes(const void *left, const void *right)
{
	const struct est_span *a = left, *b = right;
	int order = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

/* Encoded and decoded again it is the same set, in DER order, without a deviation. */
static void round_trip(const struct est_certs *certs)
{
	struct est_quirks strict = { .strict = true };
	struct est_certs *again = NULL;
	struct est_buf der = { 0 };
	struct est_span *spans;
	struct est_error err;
	size_t n = est_certs_count(certs);

	FUZZ_ASSERT(est_certs_spans(certs, &spans, &err) == EST_OK);
	FUZZ_ASSERT(est_certs_encode(spans, n, &der, &err) == EST_OK);
	FUZZ_ASSERT(est_certs_decode(est_buf_span(&der), &strict, &again, &err) == EST_OK);
	FUZZ_ASSERT(est_certs_count(again) == n && strict.seen == 0);
	qsort(spans, n, sizeof(*spans), by_bytes);
	for (size_t i = 0; i < n; i++) {
		FUZZ_ASSERT(est_span_eq(spans[i], est_certs_get(again, i)));
		FUZZ_ASSERT(i == 0 || by_bytes(&spans[i - 1], &spans[i]) != 0);
	}
	est_certs_free(again);
	est_buf_free(&der);
	free(spans);
}

/* A Full PKI Response in the place of certificates is told in safe words. */
static void refusal(struct est_span in)
{
	struct est_buf text = { 0 };
	struct est_error err;

	FUZZ_ASSERT(cmc_status_text(in, &text, &err) == EST_OK);
	FUZZ_ASSERT(text.n == 0 || cmc_is_response(in));
	FUZZ_ASSERT(text.n < CMC_STATUS_MAX * (EST_ERROR_TEXT_MAX + 64));
	fuzz_assert_safe((const char *)text.p, text.n);
	est_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct est_quirks quirks = { 0 }, strict = { .strict = true };
	const struct est_span in = { data, size };
	struct est_certs *certs = NULL, *other = NULL;
	struct est_error err;
	enum est_code rc, rc_strict;

	refusal(in);
	rc = est_certs_decode(in, &quirks, &certs, &err);
	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		FUZZ_ASSERT(!certs);
	}
	rc_strict = est_certs_decode(in, &strict, &other, &err);
	FUZZ_ASSERT((rc_strict == EST_OK) == (rc == EST_OK && quirks.seen == 0));
	est_certs_free(other);
	if (rc != EST_OK)
		return 0;
	FUZZ_ASSERT(est_certs_count(certs) > 0 && est_certs_count(certs) <= EST_CERTS_MAX);
	for (size_t i = 0; i < est_certs_count(certs); i++)
		show(est_certs_get(certs, i));
	round_trip(certs);
	est_certs_free(certs);
	return 0;
}

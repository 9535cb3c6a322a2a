/* SPDX-License-Identifier: MIT */
/* Certification requests, read from a file. */
#include "csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "forge.h"
#include "testca.h"

static struct est_buf der; /* a request, and its parts */
static struct csr_view view;

static void build(void)
{
	const struct est_csr_spec spec = { .subject = "CN=a",
		.dns = (const char *const[]){ "a", NULL } };
	struct est_key *key = NULL;
	struct est_error err;

	assert_int_equal(est_key_generate("ec:p256", &key, &err), EST_OK);
	assert_int_equal(est_csr_build(&spec, key, &der, &err), EST_OK);
	assert_int_equal(csr_view(est_buf_span(&der), "built", &view, &err), EST_OK);
	est_key_free(key);
}

static enum est_code load(struct est_span bytes, struct est_buf *out, struct est_error *err)
{
	const char *path = testca_path(testca_tmp, "csr");

	testca_write(path, bytes);
	*err = (struct est_error){ 0 };
	return est_csr_load(path, out, err);
}

static void expect_refused(struct est_span bytes, const char *why)
{
	struct est_buf got = { 0 };
	struct est_error err;

	assert_int_equal(load(bytes, &got, &err), EST_E_INPUT);
	assert_int_equal(got.n, 0);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void expect_loaded(struct est_span bytes)
{
	struct est_buf got = { 0 };
	struct est_error err;

	if (load(bytes, &got, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_true(est_span_eq(est_buf_span(&got), est_buf_span(&der)));
	est_buf_free(&got);
}

static void a_request_is_read_from_der_base64_and_pem(void **state)
{
	static const char *const labels[] = { "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST" };
	struct est_buf text = { 0 };
	struct est_error err;

	(void)state;
	build();
	expect_loaded(est_buf_span(&der));
	assert_int_equal(est_base64_append(&text, est_buf_span(&der), &err), EST_OK);
	expect_loaded(est_buf_span(&text));
	est_buf_free(&text);
	for (size_t i = 0; i < 2; i++) {
		forge_append(&text, est_span_str("0 some text\n"));
		assert_int_equal(est_pem_append(&text, "PUBLIC KEY", BYTES(0x30, 0), &err), EST_OK);
		assert_int_equal(est_pem_append(&text, labels[i], est_buf_span(&der), &err),
			EST_OK);
		expect_loaded(est_buf_span(&text));
		est_buf_free(&text);
	}
	est_buf_free(&der);
}

static void a_request_whose_signature_is_broken_is_refused(void **state)
{
	(void)state;
	build();
	der.p[der.n - 1] ^= 1;
	expect_refused(est_buf_span(&der), "signature");
	der.p[der.n - 1] ^= 1;
	((uint8_t *)view.subject.p)[view.subject.n - 1] ^= 3; /* the name that was signed */
	expect_refused(est_buf_span(&der), "signature");
	est_buf_free(&der);
}

static void what_is_no_request_is_refused(void **state)
{
	struct est_buf text = { 0 };
	struct testca cert;
	struct est_error err;

	(void)state;
	build();
	testca_issue(&(struct testca_spec){ 0 }, &cert);
	expect_refused(NOTHING, "csr");
	expect_refused(est_span_str("hello"), "csr");
	expect_refused(BYTES(0x30, 0), "not a certification request");
	expect_refused(BYTES(0x30, 2, 0x30, 0), "not a certification request");
	expect_refused(BYTES(0x30, 0x80, 0, 0), "csr");
	expect_refused(est_buf_span(&cert.der), "csr");
	assert_int_equal(est_pem_append(&text, "CERTIFICATE", est_buf_span(&cert.der), &err),
		EST_OK);
	expect_refused(est_buf_span(&text), "no CERTIFICATE REQUEST");
	est_buf_free(&text);
	assert_int_equal(est_pem_append(&text, "CERTIFICATE REQUEST", est_buf_span(&cert.der),
				 &err),
		EST_OK);
	expect_refused(est_buf_span(&text), "csr");
	est_buf_free(&text);
	forge_append(&text, est_buf_span(&der));
	forge_append(&text, BYTES(0));
	expect_refused(est_buf_span(&text), "1 bytes after");
	est_buf_free(&text);
	for (size_t n = 1; n < der.n; n += 7)
		expect_refused((struct est_span){ der.p, n }, "csr");
	der.p[view.subject.p - der.p - 1] = 1; /* version 2 does not exist */
	expect_refused(est_buf_span(&der), "not a certification request");
	assert_int_equal(est_csr_load("/nonexistent", &text, &err), EST_E_INPUT);
	testca_wipe(&cert);
	est_buf_free(&der);
}

static void a_request_over_64_KiB_is_refused_before_it_is_read(void **state)
{
	struct est_buf big = { 0 };

	(void)state;
	forge_repeat(&big, BYTES(5, 0), EST_CERT_BYTES_MAX / 2);
	forge_wrap(&big, DER_SEQUENCE);
	expect_refused(est_buf_span(&big), "larger than 65536");
	est_buf_free(&big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read_from_der_base64_and_pem),
		cmocka_unit_test(a_request_whose_signature_is_broken_is_refused),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(a_request_over_64_KiB_is_refused_before_it_is_read),
	};

	return cmocka_run_group_tests(tests, testca_tmp_make, testca_tmp_remove);
}

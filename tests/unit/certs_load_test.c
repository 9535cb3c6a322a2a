/* SPDX-License-Identifier: MIT */
/* Certificates from local files, however they are wrapped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "forge.h"
#include "vectors.h"

/* Writes a file, loads it and removes it. */
static enum est_code load_text(struct est_span text, struct est_certs **certs,
	struct est_error *err)
{
	char path[] = "/tmp/est-certs-XXXXXX";
	int fd = mkstemp(path);
	enum est_code rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	assert_int_equal(close(fd), 0);
	*err = (struct est_error){ 0 };
	rc = est_certs_load(path, certs, err);
	if (rc != EST_OK)
		assert_non_null(strstr(err->msg, path));
	assert_int_equal(unlink(path), 0);
	return rc;
}

static void assert_not_loaded(struct est_span text, const char *why)
{
	struct est_certs *certs = NULL;
	struct est_error err;

	assert_int_equal(load_text(text, &certs, &err), EST_E_INPUT);
	assert_null(certs);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void files_in_any_wrapping_are_loaded(void **state)
{
	struct est_buf der = { 0 }, bag = { 0 }, text = { 0 };
	struct est_certs *certs = NULL;
	struct est_error err;

	(void)state;
	assert_int_equal(est_certs_load(VECTORS "rfc7030-a1-cacerts-response.der", &certs, &err),
		EST_OK);
	assert_int_equal(est_certs_count(certs), 4);
	est_certs_free(certs);
	assert_int_equal(est_certs_load(VECTORS "rfc7030-a1-cacerts-response.b64", &certs, &err),
		EST_OK);
	assert_int_equal(est_certs_count(certs), 4);
	est_certs_free(certs);
	/* PEM: text around, a key beside, a bag among certificates, a certificate twice. */
	forge_numbered(1, &der);
	read_vector("rfc7030-a1-cacerts-response.der", &bag);
	forge_append(&text, est_span_str("Bag Attributes\n"));
	assert_int_equal(est_pem_append(&text, "CERTIFICATE", est_buf_span(&der), &err), EST_OK);
	assert_int_equal(est_pem_append(&text, "PRIVATE KEY", BYTES(1, 2, 3), &err), EST_OK);
	assert_int_equal(est_pem_append(&text, "PKCS7", est_buf_span(&bag), &err), EST_OK);
	assert_int_equal(est_pem_append(&text, "X509 CERTIFICATE", est_buf_span(&der), &err),
		EST_OK);
	assert_int_equal(load_text(est_buf_span(&text), &certs, &err), EST_OK);
	assert_int_equal(est_certs_count(certs), 5);
	est_certs_free(certs);
	assert_int_equal(load_text(est_buf_span(&der), &certs, &err), EST_OK);
	assert_int_equal(est_certs_count(certs), 1);
	est_certs_free(certs);
	est_buf_free(&der);
	est_buf_free(&bag);
	est_buf_free(&text);
}

static void a_wrong_file_is_named_for_what_it_is(void **state)
{
	struct est_buf text = { 0 };
	struct est_error err;

	(void)state;
	assert_not_loaded(NOTHING, "an empty file");
	assert_not_loaded(est_span_str("\n\n"), "an empty file");
	assert_not_loaded(est_span_str("hello\n"), "plain text");
	assert_not_loaded(est_span_str("<html></html>"), "HTML");
	assert_not_loaded(BYTES(0x30, 0x82, 0x10, 0x00, 0x30), "cut short");
	assert_int_equal(est_pem_append(&text, "PRIVATE KEY", BYTES(1, 2, 3), &err), EST_OK);
	assert_not_loaded(est_buf_span(&text), "a private key, but no certificate");
	est_buf_free(&text);
	read_vector("rfc7030-a3-simpleenroll-request.der", &text);
	assert_not_loaded(est_buf_span(&text), "certification request");
	est_buf_free(&text);
	read_vector("rfc7030-a4-serverkeygen-key.b64", &text);
	assert_not_loaded(est_buf_span(&text), "a private key");
	est_buf_free(&text);
}

static void a_broken_block_is_named_by_its_number(void **state)
{
	struct est_buf der = { 0 }, text = { 0 };
	struct est_error err;

	(void)state;
	forge_numbered(1, &der);
	assert_int_equal(est_pem_append(&text, "CERTIFICATE", est_buf_span(&der), &err), EST_OK);
	forge_append(&text,
		est_span_str("-----BEGIN CERTIFICATE-----\nMII!\n-----END CERTIFICATE-----\n"));
	assert_not_loaded(est_buf_span(&text), "PEM block 2 (CERTIFICATE): ");
	est_buf_free(&text);
	assert_int_equal(est_pem_append(&text, "CERTIFICATE", BYTES(0x30, 0), &err), EST_OK);
	assert_not_loaded(est_buf_span(&text), "PEM block 1");
	est_buf_free(&text);
	assert_int_equal(est_pem_append(&text, "TRUSTED CERTIFICATE", est_buf_span(&der), &err),
		EST_OK);
	assert_not_loaded(est_buf_span(&text), "OpenSSL");
	est_buf_free(&text);
	forge_append(&text, est_span_str("-----BEGIN CERTIFICATE-----\nMIIB\n"));
	assert_not_loaded(est_buf_span(&text), "no END line");
	est_buf_free(&text);
	est_buf_free(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_in_any_wrapping_are_loaded),
		cmocka_unit_test(a_wrong_file_is_named_for_what_it_is),
		cmocka_unit_test(a_broken_block_is_named_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

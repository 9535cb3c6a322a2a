/* SPDX-License-Identifier: MIT */
/* Names in the folder of a test, and two pairs of certificate and key to put into it. */
#ifndef EST_TESTS_PAIR_RUN_H
#define EST_TESTS_PAIR_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testca.h"

static struct est_error err;
static struct est_buf cert_pem[2], key_pem[2]; /* two pairs: A with a, B with b */

static void append_pem(struct est_buf *out, const char *label, struct est_span der)
{
	assert_int_equal(est_pem_append(out, label, der, &err), EST_OK);
}

static int group_set_up(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct testca pair;
		gnutls_datum_t pkcs8;

		testca_issue(&(struct testca_spec){ 0 }, &pair);
		append_pem(&cert_pem[i], "CERTIFICATE", est_buf_span(&pair.der));
		assert_int_equal(gnutls_x509_privkey_export2_pkcs8(pair.key, GNUTLS_X509_FMT_PEM,
					 NULL, GNUTLS_PKCS_PLAIN, &pkcs8),
			0);
		assert_int_equal(est_buf_append(&key_pem[i],
					 (struct est_span){ pkcs8.data, pkcs8.size }, &err),
			EST_OK);
		gnutls_free(pkcs8.data);
		testca_wipe(&pair);
	}
	return 0;
}

static int group_tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		est_buf_free(&cert_pem[i]);
		est_buf_free(&key_pem[i]);
	}
	return 0;
}

static const char *at(const char *name)
{
	return testca_path(testca_tmp, name);
}

static struct est_span content_of(char c)
{
	static const char other[] = "neither key nor certificate";

	if (c == 'A' || c == 'B')
		return est_buf_span(&cert_pem[c - 'A']);
	if (c == 'a' || c == 'b')
		return est_buf_span(&key_pem[c - 'a']);
	return est_span_str(other + (c - '0'));
}

static char letter_of(const char *path)
{
	struct est_buf got = { 0 };
	char found = '?';

	assert_int_equal(est_read_file(path, 1 << 20, &got, &err), EST_OK);
	for (const char *p = "ABab012"; *p; p++) {
		if (est_span_eq(est_buf_span(&got), content_of(*p)))
			found = *p;
	}
	est_buf_free(&got);
	return found;
}

#endif

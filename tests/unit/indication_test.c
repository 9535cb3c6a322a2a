/* SPDX-License-Identifier: MIT */
/* The bodies of trusted_ca_keys and certificate_authorities. */
#include "indication.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gnutls/crypto.h>

#include "certs.h"
#include "forge.h"
#include "testca.h"

static struct testca a, b;
static struct est_certs *both, *none;
static struct est_error err;

static size_t number(struct est_span *in)
{
	size_t n;

	assert_true(in->n >= 2);
	n = (size_t)in->p[0] << 8 | in->p[1];
	*in = (struct est_span){ in->p + 2, in->n - 2 };
	assert_true(n <= in->n);
	return n;
}

static void expect_list(struct est_span *in)
{
	size_t n = number(in);

	assert_int_equal(n, in->n);
}

static void expect_name(struct est_span *in, const struct testca *of)
{
	size_t n = number(in);
	gnutls_datum_t name;

	assert_true(gnutls_x509_crt_get_raw_dn(of->crt, &name) >= 0);
	assert_true(est_span_eq((struct est_span){ in->p, n },
		(struct est_span){ name.data, name.size }));
	*in = (struct est_span){ in->p + n, in->n - n };
	gnutls_free(name.data);
}

/* proves: R6066-6-01 */
static void trusted_ca_keys_has_the_name_and_the_hash_of_each(void **state)
{
	const struct testca *const order[] = { &a, &b };
	struct est_buf body = { 0 };
	struct est_span in;
	uint8_t hash[20];

	(void)state;
	assert_int_equal(indication_trusted_ca_keys(both, &body, &err), EST_OK);
	in = est_buf_span(&body);
	expect_list(&in);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(in.p[0], 2); /* x509_name */
		in = (struct est_span){ in.p + 1, in.n - 1 };
		expect_name(&in, order[i]);
		assert_true(in.n >= 21);
		assert_int_equal(in.p[0], 3); /* cert_sha1_hash */
		gnutls_hash_fast(GNUTLS_DIG_SHA1, order[i]->der.p, order[i]->der.n, hash);
		assert_memory_equal(in.p + 1, hash, 20);
		in = (struct est_span){ in.p + 21, in.n - 21 };
	}
	assert_int_equal(in.n, 0);
	est_buf_free(&body);
}

static void certificate_authorities_has_the_names(void **state)
{
	struct est_buf body = { 0 };
	struct est_span in;

	(void)state;
	assert_int_equal(indication_authorities(both, &body, &err), EST_OK);
	in = est_buf_span(&body);
	expect_list(&in);
	expect_name(&in, &a);
	expect_name(&in, &b);
	assert_int_equal(in.n, 0);
	est_buf_free(&body);
}

static void without_anchors_nothing_is_said(void **state)
{
	struct est_buf body = { 0 };

	(void)state;
	assert_int_equal(indication_trusted_ca_keys(none, &body, &err), EST_OK);
	assert_int_equal(indication_authorities(none, &body, &err), EST_OK);
	assert_int_equal(body.n, 0);
	est_buf_free(&body);
}

static void a_list_that_grows_too_long_ends_at_a_whole_entry(void **state)
{
	struct est_buf der = { 0 }, body = { 0 };
	struct est_certs *many;
	struct est_span in;
	size_t n = 0;

	(void)state;
	assert_int_equal(certs_new(&many, &err), EST_OK);
	for (unsigned i = 0; i < 500; i++) {
		forge_numbered(i, &der);
		assert_int_equal(certs_add(many, est_buf_span(&der), true, NULL, &err), EST_OK);
		est_buf_free(&der);
	}
	assert_int_equal(indication_trusted_ca_keys(many, &body, &err), EST_OK);
	assert_true(body.n <= INDICATION_MAX + 2);
	in = est_buf_span(&body);
	expect_list(&in);
	for (; in.n > 0; n++) {
		size_t name;

		in = (struct est_span){ in.p + 1, in.n - 1 };
		name = number(&in);
		assert_true(name + 21 <= in.n);
		in = (struct est_span){ in.p + name + 21, in.n - name - 21 };
	}
	assert_true(n > 20);
	est_buf_free(&body);
	est_certs_free(many);
}

static int set_up(void **state)
{
	(void)state;
	testca_root(&a);
	testca_issue(&(struct testca_spec){ .subject = "CN=b,O=another", .ca = true }, &b);
	return certs_new(&none, &err) != EST_OK || certs_new(&both, &err) != EST_OK ||
	       certs_add(both, est_buf_span(&a.der), true, NULL, &err) != EST_OK ||
	       certs_add(both, est_buf_span(&b.der), true, NULL, &err) != EST_OK;
}

static int tear_down(void **state)
{
	(void)state;
	testca_wipe(&a);
	testca_wipe(&b);
	est_certs_free(both);
	est_certs_free(none);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trusted_ca_keys_has_the_name_and_the_hash_of_each),
		cmocka_unit_test(certificate_authorities_has_the_names),
		cmocka_unit_test(without_anchors_nothing_is_said),
		cmocka_unit_test(a_list_that_grows_too_long_ends_at_a_whole_entry),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

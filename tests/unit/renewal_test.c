/* SPDX-License-Identifier: MIT */
/* What a renewal asks of the old certificate and of the new one. */
#include "est.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "certmake.h"
#include "certs.h"

#define DAY (24 * 60 * 60)

static struct est_error err;

static void make(const struct certmake_spec *spec, struct certmake *out)
{
	certmake_make(spec, NULL, out);
}

static enum est_code renews(struct est_span issued, struct est_span old)
{
	struct est_issued chain = { 0 };
	enum est_code rc;

	assert_int_equal(certs_new(&chain.chain, &err), EST_OK);
	assert_int_equal(certs_add(chain.chain, issued, false, NULL, &err), EST_OK);
	rc = est_issued_renews(&chain, old, &err);
	est_issued_wipe(&chain);
	return rc;
}

static void the_same_certificate_and_one_that_expires_earlier_renew_nothing(void **state)
{
	const time_t now = time(NULL);
	struct certmake old, later, same_time, earlier;

	(void)state;
	make(&(struct certmake_spec){ .not_after = now + 9 * DAY }, &old);
	make(&(struct certmake_spec){ .not_after = now + 9 * DAY + 1 }, &later);
	make(&(struct certmake_spec){ .not_after = now + 9 * DAY }, &same_time);
	make(&(struct certmake_spec){ .not_after = now + 9 * DAY - 1 }, &earlier);
	assert_int_equal(renews(est_buf_span(&later.der), est_buf_span(&old.der)), EST_OK);
	assert_int_equal(renews(est_buf_span(&same_time.der), est_buf_span(&old.der)), EST_OK);
	assert_int_equal(renews(est_buf_span(&old.der), est_buf_span(&old.der)), EST_E_REJECTED);
	assert_string_equal(err.reason, "same-certificate");
	assert_int_equal(renews(est_buf_span(&earlier.der), est_buf_span(&old.der)),
		EST_E_REJECTED);
	assert_string_equal(err.reason, "expires-earlier");
	assert_non_null(strstr(err.msg, "expires 1 s before"));
	certmake_wipe(&old);
	certmake_wipe(&later);
	certmake_wipe(&same_time);
	certmake_wipe(&earlier);
}

/* proves: R7030-3.3.2-03 */
static void a_certificate_for_tls_clients_is_known(void **state)
{
	const time_t now = time(NULL);
	const struct {
		struct certmake_spec spec;
		const char *why; /* NULL: it is one */
	} cases[] = {
		{ { .dn = "CN=a" }, NULL },
		{ { .key_usage = GNUTLS_KEY_DIGITAL_SIGNATURE }, NULL },
		{ { .eku = GNUTLS_KP_TLS_WWW_CLIENT }, NULL },
		{ { .eku = GNUTLS_KP_ANY }, NULL },
		{ { .eku = GNUTLS_KP_TLS_WWW_SERVER }, "clientAuth" },
		{ { .eku = "1.2.3.4" }, "clientAuth" },
		{ { .key_usage = GNUTLS_KEY_KEY_AGREEMENT }, "digitalSignature" },
		{ { .key_usage = GNUTLS_KEY_KEY_AGREEMENT, .eku = GNUTLS_KP_TLS_WWW_CLIENT },
			"digitalSignature" },
		{ { .not_before = now - 9 * DAY, .not_after = now - DAY }, "expired" },
		{ { .not_before = now + DAY, .not_after = now + 9 * DAY }, "not valid yet" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct certmake cert;
		enum est_code rc;

		make(&cases[i].spec, &cert);
		rc = est_cert_tls_client(est_buf_span(&cert.der), "x.pem", &err);
		if (rc != (cases[i].why ? EST_E_INPUT : EST_OK))
			fail_msg("case %zu: %s", i, est_code_name(rc));
		if (cases[i].why)
			assert_non_null(strstr(err.msg, cases[i].why));
		certmake_wipe(&cert);
	}
	assert_int_not_equal(est_cert_tls_client(est_span_str("nonsense"), "x.pem", &err), EST_OK);
}

/* proves: R7030-3.3.2-04 */
static void one_subject_is_byte_equal(void **state)
{
	struct certmake a, b, c;

	(void)state;
	make(&(struct certmake_spec){ .dn = "CN=a,O=x" }, &a);
	make(&(struct certmake_spec){ .dn = "CN=a,O=x" }, &b);
	make(&(struct certmake_spec){ .dn = "CN=a,O=X" }, &c);
	assert_true(est_cert_same_subject(est_buf_span(&a.der), est_buf_span(&b.der)));
	assert_false(est_cert_same_subject(est_buf_span(&a.der), est_buf_span(&c.der)));
	assert_false(est_cert_same_subject(est_buf_span(&a.der), est_span_str("nonsense")));
	certmake_wipe(&a);
	certmake_wipe(&b);
	certmake_wipe(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_certificate_and_one_that_expires_earlier_renew_nothing),
		cmocka_unit_test(a_certificate_for_tls_clients_is_known),
		cmocka_unit_test(one_subject_is_byte_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Channel bindings, against what the other end of the session knows. */
#include "binding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tlspair.h"

#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

static void expect(gnutls_session_t tls, bool exporter, const char *name, struct est_span value)
{
	gnutls_datum_t raw = { (uint8_t *)value.p, (unsigned)value.n }, text;
	struct binding binding = { 0 };
	struct est_error err;

	if (binding_get(tls, exporter, &binding, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_string_equal(binding.name, name);
	assert_int_equal(gnutls_base64_encode2(&raw, &text), 0);
	assert_true(est_span_eq(est_buf_span(&binding.text),
		(struct est_span){ text.data, text.size }));
	gnutls_free(text.data);
	binding_wipe(&binding);
	assert_null(binding.name);
}

static void expect_finished(const struct tlspair *pair)
{
	assert_int_equal(pair->n_finished, 12); /* 16 characters of base64 */
	expect(pair->client, false, "tls-unique",
		(struct est_span){ pair->finished, pair->n_finished });
}

static void refused(gnutls_session_t tls, bool exporter, const char *why)
{
	struct binding binding = { 0 };
	struct est_error err = { 0 };

	assert_int_equal(binding_get(tls, exporter, &binding, &err), EST_E_TLS);
	assert_string_equal(err.reason, "no-binding");
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
	assert_null(binding.name);
	assert_int_equal(binding.text.n, 0);
}

/* proves: R7030-3.5-05 R7030-3.5-06 */
static void tls12_has_the_first_finished_of_the_handshake(void **state)
{
	struct tlspair pair;

	(void)state;
	tlspair_open(TLS12, NULL, &pair);
	expect_finished(&pair);
	tlspair_close(&pair);
}

/* proves: R7030-3.5-05 */
static void a_resumed_session_has_the_servers_finished_and_a_binding_of_its_own(void **state)
{
	struct tlspair first, second;
	gnutls_datum_t data;

	(void)state;
	tlspair_open(TLS12, NULL, &first);
	assert_int_equal(gnutls_session_get_data2(first.client, &data), 0);
	tlspair_open(TLS12, &data, &second);
	assert_true(gnutls_session_is_resumed(second.client));
	expect_finished(&second);
	assert_memory_not_equal(first.finished, second.finished, 12);
	gnutls_free(data.data);
	tlspair_close(&first);
	tlspair_close(&second);
}

/* proves: R7030-3.5-05 */
static void a_renegotiated_session_has_that_of_its_latest_handshake(void **state)
{
	struct tlspair pair;
	uint8_t before[12];

	(void)state;
	tlspair_open(TLS12, NULL, &pair);
	memcpy(before, pair.finished, sizeof(before));
	tlspair_renegotiate(&pair);
	expect_finished(&pair);
	assert_memory_not_equal(before, pair.finished, sizeof(before));
	tlspair_close(&pair);
}

/* proves: R9266-2-01 R9266-3-01 */
static void tls13_has_the_exporter_where_it_may_be_used(void **state)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	struct tlspair pair;
	uint8_t value[32];

	(void)state;
	tlspair_open(TLS13, NULL, &pair);
	assert_int_equal(gnutls_prf_rfc5705(pair.server, strlen(label), label, 0, "", sizeof(value),
				 (char *)value),
		0);
	expect(pair.client, true, "tls-exporter", (struct est_span){ value, sizeof(value) });
	refused(pair.client, false, "RFC 8446 appendix C.5");
	tlspair_close(&pair);
}

/* proves: R9266-2-02 R9266-4.2-01 */
static void tls12_has_tls_unique_even_where_the_exporter_may_be_used(void **state)
{
	struct tlspair pair;

	(void)state;
	tlspair_open(TLS12, NULL, &pair);
	expect(pair.client, true, "tls-unique", (struct est_span){ pair.finished, 12 });
	tlspair_close(&pair);
}

/* proves: R7030-3.5-14 */
static void tls12_without_the_extended_master_secret_has_none(void **state)
{
	struct tlspair pair;

	(void)state;
	tlspair_open(TLS12 ":%NO_SESSION_HASH", NULL, &pair);
	refused(pair.client, false, "RFC 7627");
	refused(pair.client, true, "RFC 7627");
	tlspair_close(&pair);
}

static void a_session_without_certificates_has_none(void **state)
{
	struct tlspair pair;

	(void)state;
	if (!tlspair_open("NORMAL:-KX-ALL:+SRP:-VERS-ALL:+VERS-TLS1.2", NULL, &pair)) {
		tlspair_close(&pair);
		skip(); /* GnuTLS without SRP */
	}
	refused(pair.client, false, "without certificates");
	refused(pair.client, true, "without certificates");
	tlspair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls12_has_the_first_finished_of_the_handshake),
		cmocka_unit_test(
			a_resumed_session_has_the_servers_finished_and_a_binding_of_its_own),
		cmocka_unit_test(a_renegotiated_session_has_that_of_its_latest_handshake),
		cmocka_unit_test(tls13_has_the_exporter_where_it_may_be_used),
		cmocka_unit_test(tls12_has_tls_unique_even_where_the_exporter_may_be_used),
		cmocka_unit_test(tls12_without_the_extended_master_secret_has_none),
		cmocka_unit_test(a_session_without_certificates_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

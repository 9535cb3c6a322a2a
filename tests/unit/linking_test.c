/* SPDX-License-Identifier: MIT */
/* Which requests are linked to their session, which must be, and which cannot (RFC 7030 section
 * 3.5, RFC 7894); and what then goes into them. */
#include "linking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gnutls/x509.h>

#include "cert.h"
#include "exchange.h"
#include "forge.h"
#include "session_impl.h"
#include "tlspair.h"

#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

enum {
	PLAIN,
	SECRET,
	LINKED,
	KINDS
}; /* requests: nothing, challengePassword, estIdentityLinking */

static struct est_key *key;
static struct est_buf csr[KINDS];

static int set_up(void **state)
{
	const struct est_csr_spec plain = { .subject = "CN=dev", .hash = "sha384" };
	struct est_csr_spec secret = plain;
	struct est_error err;

	(void)state;
	secret.challenge = est_span_str("s3cret");
	return est_key_generate("ec:p256", &key, &err) == EST_OK &&
			       est_csr_build(&plain, key, &csr[PLAIN], &err) == EST_OK &&
			       est_csr_build(&secret, key, &csr[SECRET], &err) == EST_OK &&
			       csr_link(est_buf_span(&csr[PLAIN]), key, CSR_OID_IDENTITY_LINKING,
				       est_span_str("b2xk"), &csr[LINKED], &err) == EST_OK
		       ? 0
		       : -1;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < KINDS; i++)
		est_buf_free(&csr[i]);
	est_key_free(key);
	return 0;
}

static char said[2000]; /* the log */

static void on_log(void *ctx, enum est_log_level level, const char *line)
{
	(void)ctx;
	if (level == EST_LOG_NOTICE)
		(void)strncat(said, line, sizeof(said) - strlen(said) - 1);
}

static enum est_code begin(struct est_client *c, struct est_enrollment *ask, struct linking *out,
	struct est_error *err)
{
	struct csr_view view;

	said[0] = '\0';
	c->config.log = on_log;
	*out = (struct linking){ 0 };
	*err = (struct est_error){ 0 };
	assert_int_equal(csr_view(ask->csr, "it", &view, err), EST_OK);
	return linking_begin(c, ask, &view, out, err);
}

#define CP EST_DEMAND_CHALLENGE_PASSWORD
#define IL EST_DEMAND_IDENTITY_LINKING

/* proves: R7030-3.5-02 R7030-3.5-07 R7030-3.5-15 R7894-4-04 R9148-3-02 R9908-4-03 */
static void each_wish_against_each_demand_and_each_request(void **state)
{
	static const struct {
		enum est_pop pop;
		unsigned demands;
		int kind;
		bool ready;
		enum est_code rc;
		bool wanted, required, own, tls12;
	} rows[] = {
		/* nothing is demanded */
		{ EST_POP_AUTO, 0, PLAIN, false, EST_OK, true, false, false, false },
		{ EST_POP_OFF, 0, PLAIN, false, EST_OK, false, false, false, false },
		{ EST_POP_REQUIRE, 0, PLAIN, false, EST_OK, true, true, false, true },
		{ EST_POP_TLS_EXPORTER, 0, PLAIN, false, EST_OK, true, true, false, false },
		/* either attribute, or both: then RFC 7894's alone */
		{ EST_POP_AUTO, CP, PLAIN, false, EST_OK, true, true, false, true },
		{ EST_POP_AUTO, IL, PLAIN, false, EST_OK, true, true, true, true },
		{ EST_POP_AUTO, CP | IL, PLAIN, false, EST_OK, true, true, true, true },
		{ EST_POP_TLS_EXPORTER, IL, PLAIN, false, EST_OK, true, true, true, false },
		{ EST_POP_OFF, CP, PLAIN, false, EST_E_INPUT, false, false, false, false },
		{ EST_POP_OFF, IL, PLAIN, false, EST_E_INPUT, false, false, false, false },
		/* a secret is where the binding would be */
		{ EST_POP_AUTO, 0, SECRET, false, EST_OK, false, false, false, false },
		{ EST_POP_AUTO, CP, SECRET, false, EST_OK, false, false, false, false },
		{ EST_POP_OFF, CP, SECRET, false, EST_OK, false, false, false, false },
		{ EST_POP_AUTO, IL, SECRET, false, EST_E_INPUT, false, false, false, false },
		{ EST_POP_REQUIRE, 0, SECRET, false, EST_E_USAGE, false, false, false, false },
		{ EST_POP_TLS_EXPORTER, 0, SECRET, false, EST_E_USAGE, false, false, false, false },
		{ EST_POP_AUTO, CP, LINKED, false, EST_E_INPUT, false, false, false, false },
		/* a request whose key is not here */
		{ EST_POP_AUTO, 0, PLAIN, true, EST_OK, true, false, false, false },
		{ EST_POP_OFF, 0, PLAIN, true, EST_OK, false, false, false, false },
		{ EST_POP_AUTO, CP, PLAIN, true, EST_E_INPUT, false, false, false, false },
		{ EST_POP_AUTO, IL, PLAIN, true, EST_E_INPUT, false, false, false, false },
		{ EST_POP_OFF, IL, PLAIN, true, EST_E_INPUT, false, false, false, false },
		{ EST_POP_REQUIRE, 0, PLAIN, true, EST_E_USAGE, false, false, false, false },
		{ EST_POP_TLS_EXPORTER, 0, PLAIN, true, EST_E_USAGE, false, false, false, false },
		/* and that has the attribute: of another session, or a secret */
		{ EST_POP_AUTO, 0, SECRET, true, EST_E_USAGE, false, false, false, false },
		{ EST_POP_AUTO, 0, LINKED, true, EST_E_USAGE, false, false, false, false },
		{ EST_POP_AUTO, CP, SECRET, true, EST_E_USAGE, false, false, false, false },
		{ EST_POP_OFF, 0, SECRET, true, EST_OK, false, false, false, false },
		{ EST_POP_OFF, CP, SECRET, true, EST_OK, false, false, false, false },
		{ EST_POP_OFF, IL, LINKED, true, EST_OK, false, false, true, false },
		{ EST_POP_OFF, IL, SECRET, true, EST_E_INPUT, false, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct est_client c = { .config = { .pop = rows[i].pop } };
		struct est_enrollment ask = {
			.csr = est_buf_span(&csr[rows[i].kind]),
			.key = rows[i].ready ? NULL : key,
			.demands = rows[i].demands,
		};
		struct linking l;
		struct est_error err;
		enum est_code rc = begin(&c, &ask, &l, &err);

		if (rc != rows[i].rc)
			fail_msg("row %zu: %d, %s", i, rc, err.msg);
		if (rc != EST_OK)
			assert_string_equal(err.reason, "linking");
		if (rc == EST_E_INPUT && rows[i].kind != PLAIN && !rows[i].ready)
			assert_int_equal(!strstr(err.msg, "secret"), rows[i].kind == LINKED);
		if (rc == EST_OK && (l.wanted != rows[i].wanted || l.required != rows[i].required ||
					    l.own_attribute != rows[i].own))
			fail_msg("row %zu: %d %d %d", i, l.wanted, l.required, l.own_attribute);
		assert_int_equal(c.params.tls12_only, rows[i].tls12);
		assert_int_equal(c.params.priority != NULL, rows[i].tls12);
		gnutls_priority_deinit(c.params.priority);
		linking_wipe(&l);
	}
}

/* proves: R7894-4-03 */
static void secrets_that_are_asked_for_and_missing_are_named(void **state)
{
	struct est_enrollment ask = { .csr = est_buf_span(&csr[PLAIN]), .key = key };
	struct est_client c = { 0 };
	struct est_error err;
	struct linking l;

	(void)state;
	ask.demands = EST_DEMAND_OTP | EST_DEMAND_REVOCATION;
	assert_int_equal(begin(&c, &ask, &l, &err), EST_OK);
	assert_non_null(strstr(said, "--otp-file"));
	assert_non_null(strstr(said, "--revocation-challenge-file"));
	assert_false(l.required);
	ask.demands = 0;
	assert_int_equal(begin(&c, &ask, &l, &err), EST_OK);
	assert_string_equal(said, "");
}

/* proves: R9148-3-02 */
static void a_demand_leaves_tls13_unless_only_that_may_be_offered(void **state)
{
	struct est_enrollment ask = { .csr = est_buf_span(&csr[PLAIN]), .key = key, .demands = CP };
	struct session *s = calloc(1, sizeof(*s));
	struct est_client c = { .session = s };
	struct est_error err;
	struct linking l;
	const unsigned *list;
	struct tlspair pair;

	(void)state;
	s->fd = -1;
	tlspair_open(TLS13, NULL, &pair);
	s->tls = pair.client;
	assert_int_equal(begin(&c, &ask, &l, &err), EST_OK);
	assert_null(c.session); /* closed, and its GnuTLS session with it */
	assert_int_equal(gnutls_priority_protocol_list(c.params.priority, &list), 1);
	assert_int_equal(list[0], GNUTLS_TLS1_2);
	gnutls_priority_deinit(c.params.priority);
	assert_int_equal(gnutls_init(&pair.client, GNUTLS_CLIENT), 0);
	tlspair_close(&pair);

	c = (struct est_client){ .config = { .tls13_only = true } };
	assert_int_equal(begin(&c, &ask, &l, &err), EST_E_INPUT);
	assert_non_null(strstr(err.msg, "--tls-min 1.3"));
	c = (struct est_client){ .config = { .priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3" } };
	assert_int_equal(begin(&c, &ask, &l, &err), EST_E_INPUT);
	assert_non_null(strstr(err.msg, "--priority"));
	assert_null(c.params.priority);

	/* A session of TLS 1.2 is as good as a new one. */
	tlspair_open(TLS12, NULL, &pair);
	struct session kept = { .tls = pair.client };

	c = (struct est_client){ .session = &kept };
	assert_int_equal(begin(&c, &ask, &l, &err), EST_OK);
	assert_ptr_equal(c.session, &kept);
	gnutls_priority_deinit(c.params.priority);
	tlspair_close(&pair);
}

static void prepare(struct est_client *c, struct linking *l)
{
	struct est_error err;

	if (linking_prepare(c, l, &err) != EST_OK)
		fail_msg("%s", err.msg);
}

/* The attribute's value as another implementation reads the body, which that has to verify. */
static void expect_linked(const struct linking *l, const char *oid, struct est_span finished)
{
	gnutls_datum_t der, text, raw = { (uint8_t *)finished.p, (unsigned)finished.n };
	gnutls_datum_t body = { l->body.p, l->body.n };
	gnutls_x509_crq_t crq;
	uint8_t value[64];
	size_t n = sizeof(value);

	assert_int_equal(gnutls_base64_decode2(&body, &der), 0);
	assert_int_equal(gnutls_x509_crq_init(&crq), 0);
	assert_int_equal(gnutls_x509_crq_import(crq, &der, GNUTLS_X509_FMT_DER), 0);
	assert_true(gnutls_x509_crq_verify(crq, 0) >= 0);
	assert_int_equal(gnutls_x509_crq_get_signature_algorithm(crq), GNUTLS_SIGN_ECDSA_SHA384);
	assert_int_equal(gnutls_x509_crq_get_attribute_by_oid(crq, oid, 0, value, &n), 0);
	assert_int_equal(gnutls_base64_encode2(&raw, &text), 0);
	assert_int_equal(n, 2 + text.size);
	assert_int_equal(value[0], DER_PRINTABLE);
	assert_memory_equal(value + 2, text.data, text.size);
	n = sizeof(value);
	assert_true(gnutls_x509_crq_get_attribute_by_oid(crq, oid, 1, value, &n) < 0);
	gnutls_free(text.data);
	gnutls_free(der.data);
	gnutls_x509_crq_deinit(crq);
}

/* proves: R7030-3.5-01 R7030-3.5-06 R7030-3.5-08 R7030-3.5-11 R7030-4.2.3-09 R7894-3.3-01 */
static void the_body_is_made_anew_for_another_session_and_for_no_other_reason(void **state)
{
	static const char *const oids[] = { "1.2.840.113549.1.9.7", "1.2.840.113549.1.9.16.2.58" };
	struct tlspair pair[2];
	struct session s = { 0 };
	struct est_client c = { .session = &s };
	struct est_buf first = { 0 };
	struct est_error err;
	struct linking l;

	(void)state;
	tlspair_open(TLS12, NULL, &pair[0]);
	tlspair_open(TLS12, NULL, &pair[1]);
	for (int own = 0; own < 2; own++) {
		struct est_enrollment ask = { .csr = est_buf_span(&csr[PLAIN]), .key = key };

		ask.demands = own ? IL : 0;
		s.tls = pair[0].client;
		assert_int_equal(begin(&c, &ask, &l, &err), EST_OK);
		prepare(&c, &l);
		expect_linked(&l, oids[own], (struct est_span){ pair[0].finished, 12 });
		assert_string_equal(c.info.binding, "tls-unique");
		forge_append(&first, est_buf_span(&l.body));
		prepare(&c, &l); /* a 401, or a 202, on the connection that stays */
		assert_true(est_span_eq(est_buf_span(&first), est_buf_span(&l.body)));
		s.tls = pair[1].client; /* another one */
		prepare(&c, &l);
		expect_linked(&l, oids[own], (struct est_span){ pair[1].finished, 12 });
		tlspair_renegotiate(&pair[1]); /* the same, with another binding */
		prepare(&c, &l);
		expect_linked(&l, oids[own], (struct est_span){ pair[1].finished, 12 });
		est_buf_free(&first);
		linking_wipe(&l);
	}
	gnutls_priority_deinit(c.params.priority);
	tlspair_close(&pair[0]);
	tlspair_close(&pair[1]);
}

/* proves: R7030-3.5-14 R7030-3.5-15 */
static void without_a_binding_the_request_goes_as_it_is_or_not_at_all(void **state)
{
	static const struct {
		const char *priority;
		enum est_pop pop;
		unsigned demands;
		bool ready;
		enum est_code rc;
		const char *notice; /* "": none */
	} rows[] = {
		{ TLS13, EST_POP_AUTO, 0, false, EST_OK, "" },
		{ TLS13, EST_POP_OFF, 0, false, EST_OK, "" },
		{ TLS12, EST_POP_OFF, 0, false, EST_OK, "" },
		{ TLS12, EST_POP_AUTO, 0, true, EST_OK, "ready-made" },
		{ TLS13, EST_POP_AUTO, 0, true, EST_OK, "" },
		{ TLS12 ":%NO_SESSION_HASH", EST_POP_AUTO, 0, false, EST_OK, "RFC 7627" },
		{ TLS12 ":%NO_SESSION_HASH", EST_POP_OFF, 0, false, EST_OK, "" },
		{ TLS12 ":%NO_SESSION_HASH", EST_POP_REQUIRE, 0, false, EST_E_TLS, "" },
		{ TLS12 ":%NO_SESSION_HASH", EST_POP_TLS_EXPORTER, 0, false, EST_E_TLS, "" },
		{ TLS12 ":%NO_SESSION_HASH", EST_POP_AUTO, CP, false, EST_E_TLS, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct est_enrollment ask = { .csr = est_buf_span(&csr[PLAIN]) };
		struct session s = { 0 };
		struct est_client c = { .config = { .pop = rows[i].pop }, .session = &s };
		struct est_buf plain = { 0 };
		struct est_error err;
		struct tlspair pair;
		struct linking l;

		ask.key = rows[i].ready ? NULL : key;
		ask.demands = rows[i].demands;
		tlspair_open(rows[i].priority, NULL, &pair);
		s.tls = pair.client;
		assert_int_equal(begin(&c, &ask, &l, &err), EST_OK);
		assert_int_equal(linking_prepare(&c, &l, &err), rows[i].rc);
		if (rows[i].rc == EST_OK) {
			assert_int_equal(est_base64_append(&plain, ask.csr, &err), EST_OK);
			assert_true(est_span_eq(est_buf_span(&plain), est_buf_span(&l.body)));
		} else {
			assert_string_equal(err.reason, "no-binding");
			assert_int_equal(l.body.n, 0);
			assert_int_equal(!err.hint[0], !c.params.tls12_only);
		}
		assert_null(c.info.binding);
		if (!strstr(said, rows[i].notice) || (!*rows[i].notice && *said))
			fail_msg("row %zu says '%s'", i, said);
		said[0] = '\0';
		if (rows[i].rc == EST_OK)
			prepare(&c, &l); /* said once */
		assert_string_equal(said, "");
		est_buf_free(&plain);
		linking_wipe(&l);
		gnutls_priority_deinit(c.params.priority);
		tlspair_close(&pair);
	}
}

static void a_refusal_is_named_when_it_speaks_of_the_binding(void **state)
{
	static const struct {
		const char *words;
		int status;
		bool linked, wanted;
		const char *reason, *hint; /* NULL: none */
	} rows[] = {
		{ "bad tls-unique", 400, true, true, "binding-refused", "proxy" },
		{ "wrong ChallengePassword", 403, true, true, "binding-refused",
			"--challenge-file" },
		{ "Proof-of-Possession failed", 400, true, true, "binding-refused", "--pop off" },
		{ "linking is required", 400, false, true, "binding-refused", "--pop require" },
		{ "Bad Request", 400, true, true, NULL, "--pop off" },
		{ "Bad Request", 400, false, true, NULL, NULL },
		{ "no such challenge", 404, true, true, NULL, NULL },
		{ "channel binding", 500, true, true, NULL, NULL },
		{ "the secret challenge is wrong", 400, false, false, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct est_enrollment ask = { .key = key };
		struct linking l = { .ask = &ask, .wanted = rows[i].wanted };
		struct est_error err;

		if (rows[i].linked)
			l.now.name = "tls-unique";
		est_fail(&err, EST_E_REFUSED, "the server says: %s", rows[i].words);
		err.http_status = rows[i].status;
		linking_explain(&l, &err);
		if (!err.reason != !rows[i].reason ||
			(err.reason && strcmp(err.reason, rows[i].reason) != 0) ||
			!err.hint[0] != !rows[i].hint ||
			(rows[i].hint && !strstr(err.hint, rows[i].hint)))
			fail_msg("row %zu: %s, %s", i, err.reason, err.hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wish_against_each_demand_and_each_request),
		cmocka_unit_test(secrets_that_are_asked_for_and_missing_are_named),
		cmocka_unit_test(a_demand_leaves_tls13_unless_only_that_may_be_offered),
		cmocka_unit_test(the_body_is_made_anew_for_another_session_and_for_no_other_reason),
		cmocka_unit_test(without_a_binding_the_request_goes_as_it_is_or_not_at_all),
		cmocka_unit_test(a_refusal_is_named_when_it_speaks_of_the_binding),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

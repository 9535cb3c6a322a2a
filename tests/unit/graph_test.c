/* SPDX-License-Identifier: MIT */
/* Who issued whom: by name, key identifier and signature, in any order, with what goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "certmake.h"
#include "est-inspect.h"
#include "forge.h"

#define DAY  ((time_t)86400)
#define NONE EST_NO_ISSUER

/* Keys and certificates of two generations of a CA, a partner, and what they issued; made once. */
enum { OLD, NEW, NWO, OWN, FAR, SUB, XSUB, LEAF, CERTS };

static struct certmake key[CERTS];
static struct est_buf cert[CERTS];

/* Key identifiers of what is signed next, of one octet; 0: none. */
static uint8_t subject_id, issuer_id;

/* A certificate for the key of one, signed by another's under that one's name. */
static void sign(const char *subject, const struct certmake *whose, const struct certmake *by,
	bool ca, time_t until, struct est_buf *out)
{
	gnutls_datum_t der = { 0 };
	gnutls_x509_crt_t crt;
	static uint8_t serial;

	serial++;
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, &serial, 1), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(crt, subject, NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, whose->key), 0);
	assert_int_equal(gnutls_x509_crt_set_basic_constraints(crt, ca, -1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL) - DAY), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, until), 0);
	if (subject_id)
		assert_int_equal(gnutls_x509_crt_set_subject_key_id(crt, &subject_id, 1), 0);
	if (issuer_id)
		assert_int_equal(gnutls_x509_crt_set_authority_key_id(crt, &issuer_id, 1), 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, by->crt, by->key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der), 0);
	forge_append(out, (struct est_span){ der.data, der.size });
	gnutls_free(der.data);
	gnutls_x509_crt_deinit(crt);
}

static int make_all(void **state)
{
	const time_t now = time(NULL);
	const struct {
		int which;
		const char *dn;
		time_t until;
	} roots[] = { { OLD, "CN=ca", now + 100 * DAY }, { NEW, "CN=ca", now + 900 * DAY },
		{ FAR, "CN=far", now + 500 * DAY }, { SUB, "CN=sub", now + DAY },
		{ LEAF, "CN=leaf", now + DAY } };

	(void)state;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		certmake_make(&(struct certmake_spec){ .dn = roots[i].dn,
				      .ca = true,
				      .path_len = -1,
				      .not_after = roots[i].until },
			NULL, &key[roots[i].which]);
		if (roots[i].which != SUB && roots[i].which != LEAF)
			forge_append(&cert[roots[i].which], est_buf_span(&key[roots[i].which].der));
	}
	sign("CN=ca", &key[NEW], &key[OLD], true, now + 90 * DAY, &cert[NWO]);
	sign("CN=ca", &key[OLD], &key[NEW], true, now + 90 * DAY, &cert[OWN]);
	sign("CN=sub", &key[SUB], &key[NEW], true, now + 80 * DAY, &cert[SUB]);
	sign("CN=sub", &key[SUB], &key[FAR], true, now + 70 * DAY, &cert[XSUB]);
	sign("CN=leaf", &key[LEAF], &key[SUB], false, now + 9 * DAY, &cert[LEAF]);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	for (int i = 0; i < CERTS; i++) {
		certmake_wipe(&key[i]);
		est_buf_free(&cert[i]);
	}
	return 0;
}

struct due {
	int which;
	enum est_role role;
	size_t issuer;
};

/* These certificates in this order have these roles. */
static void assert_graph(const struct due *due, size_t n)
{
	struct est_span spans[16];
	struct est_node *node = NULL;
	struct est_error err;

	for (size_t i = 0; i < n; i++)
		spans[i] = est_buf_span(&cert[due[i].which]);
	assert_int_equal(est_graph(spans, n, time(NULL), &node, &err), EST_OK);
	for (size_t i = 0; i < n; i++) {
		if (node[i].role != due[i].role || node[i].issuer != due[i].issuer)
			fail_msg("%zu is %s of %zu, not %s of %zu", i, est_role_name(node[i].role),
				node[i].issuer, est_role_name(due[i].role), due[i].issuer);
	}
	free(node);
}

#define GRAPH(...)                                                                                 \
	assert_graph((const struct due[]){ __VA_ARGS__ },                                          \
		sizeof((const struct due[]){ __VA_ARGS__ }) / sizeof(struct due))

static void a_rollover_is_told_by_keys_in_any_order(void **state)
{
	(void)state;
	GRAPH({ OLD, EST_ROLE_OLD_WITH_OLD, NONE }, { NWO, EST_ROLE_NEW_WITH_OLD, 0 },
		{ OWN, EST_ROLE_OLD_WITH_NEW, 3 }, { NEW, EST_ROLE_CURRENT_ANCHOR, NONE });
	GRAPH({ OWN, EST_ROLE_OLD_WITH_NEW, 2 }, { NWO, EST_ROLE_NEW_WITH_OLD, 3 },
		{ NEW, EST_ROLE_CURRENT_ANCHOR, NONE }, { OLD, EST_ROLE_OLD_WITH_OLD, NONE });
	/* One name is enough to belong together, another name is not. */
	GRAPH({ OLD, EST_ROLE_OLD_WITH_OLD, NONE }, { NEW, EST_ROLE_CURRENT_ANCHOR, NONE },
		{ FAR, EST_ROLE_CURRENT_ANCHOR, NONE });
	/* Without its root a link certificate is an ordinary one. */
	GRAPH({ OLD, EST_ROLE_CURRENT_ANCHOR, NONE }, { NWO, EST_ROLE_INTERMEDIATE, 0 });
}

static void each_stands_below_the_one_that_signed_it(void **state)
{
	(void)state;
	GRAPH({ LEAF, EST_ROLE_END_ENTITY, 1 }, { SUB, EST_ROLE_INTERMEDIATE, 2 },
		{ NEW, EST_ROLE_CURRENT_ANCHOR, NONE });
	/* One key, two issuers; the leaf goes to the one that is valid longer. */
	GRAPH({ FAR, EST_ROLE_CURRENT_ANCHOR, NONE }, { XSUB, EST_ROLE_CROSS, 0 },
		{ LEAF, EST_ROLE_END_ENTITY, 3 }, { SUB, EST_ROLE_CROSS, 4 },
		{ NEW, EST_ROLE_CURRENT_ANCHOR, NONE });
	/* Not the other root of that name. */
	GRAPH({ OLD, EST_ROLE_CURRENT_ANCHOR, NONE }, { SUB, EST_ROLE_STRAY, NONE });
	GRAPH({ LEAF, EST_ROLE_STRAY, NONE }, { NEW, EST_ROLE_CURRENT_ANCHOR, NONE });
	GRAPH({ LEAF, EST_ROLE_END_ENTITY, NONE }); /* alone, nothing is missing */
	GRAPH({ NEW, EST_ROLE_CURRENT_ANCHOR, NONE }, { NEW, EST_ROLE_DUPLICATE, 0 },
		{ SUB, EST_ROLE_INTERMEDIATE, 0 }, { SUB, EST_ROLE_DUPLICATE, 2 });
}

static void dates_strength_and_anchors_are_marked(void **state)
{
	const time_t now = time(NULL);
	struct est_span spans[] = { est_buf_span(&cert[NEW]), est_buf_span(&cert[SUB]) };
	struct est_node *node = NULL;
	struct est_error err;

	(void)state;
	assert_int_equal(est_graph(spans, 2, now, &node, &err), EST_OK);
	assert_true(node[0].anchor && node[0].self_signed && !node[0].weak && !node[0].expired);
	assert_false(node[1].anchor || node[1].self_signed || node[1].not_yet_valid);
	free(node);
	assert_int_equal(est_graph(spans, 2, now + 81 * DAY, &node, &err), EST_OK);
	assert_true(!node[0].expired && node[1].expired);
	free(node);
	assert_int_equal(est_graph(spans, 2, now - 9 * DAY, &node, &err), EST_OK);
	assert_true(node[0].not_yet_valid && node[1].not_yet_valid);
	free(node);
}

static void a_signature_that_does_not_verify_makes_no_issuer(void **state)
{
	struct est_buf forged = { 0 };
	struct est_node *node = NULL;
	struct est_error err;

	(void)state;
	forge_append(&forged, est_buf_span(&cert[NEW]));
	forged.p[forged.n - 1] ^= 1;
	assert_int_equal(est_graph((struct est_span[]){ est_buf_span(&forged),
					   est_buf_span(&cert[OLD]) },
				 2, time(NULL), &node, &err),
		EST_OK);
	assert_true(!node[0].self_signed && !node[0].anchor && node[0].issuer == NONE);
	assert_true(node[0].bad_signature);
	free(node);
	est_buf_free(&forged);
}

static struct est_node graph_of(const struct est_buf *der, size_t n, const struct est_buf *leaf)
{
	struct est_span spans[32];
	struct est_node *node = NULL, out;
	struct est_error err;

	for (size_t i = 0; i < n; i++)
		spans[i] = est_buf_span(&der[i]);
	spans[n] = est_buf_span(leaf);
	assert_int_equal(est_graph(spans, n + 1, time(NULL), &node, &err), EST_OK);
	out = node[n];
	free(node);
	return out;
}

/* RFC 5280 section 4.2.1.1: more of one name than are tried, and the identifier tells which. */
static void the_key_identifier_leads_to_the_issuer(void **state)
{
	const time_t until = time(NULL) + DAY;
	struct est_buf ca[20] = { 0 }, leaf = { 0 }, astray = { 0 };
	struct est_node node;

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		subject_id = (uint8_t)(i + 1);
		sign("CN=sub", &key[i < 19 ? OLD : SUB], &key[FAR], true, until, &ca[i]);
	}
	subject_id = 0;
	issuer_id = 20;
	sign("CN=leaf", &key[LEAF], &key[SUB], false, until, &leaf);
	issuer_id = 77;
	sign("CN=leaf", &key[LEAF], &key[SUB], false, until, &astray);
	issuer_id = 0;
	node = graph_of(ca, 20, &leaf);
	assert_true(node.issuer == 19 && !node.wrong_key_id && !node.bad_signature);
	/* Its key is not here, only the name. */
	node = graph_of(ca, 19, &leaf);
	assert_true(node.issuer == NONE && node.namesake && node.bad_signature);
	/* The identifier is wrong, the signature is right. */
	node = graph_of(&ca[10], 10, &astray);
	assert_true(node.issuer == 9 && node.wrong_key_id && !node.namesake && !node.bad_signature);
	/* The identifier is right, the signature is not. */
	leaf.p[leaf.n - 1] ^= 1;
	node = graph_of(ca, 20, &leaf);
	assert_true(node.issuer == NONE && node.bad_signature && !node.namesake);
	for (size_t i = 0; i < 20; i++)
		est_buf_free(&ca[i]);
	est_buf_free(&leaf);
	est_buf_free(&astray);
}

static void a_loop_is_cut(void **state)
{
	struct est_buf ab = { 0 }, ba = { 0 };
	struct est_node *node = NULL;
	struct est_error err;
	const time_t until = time(NULL) + DAY;

	(void)state;
	sign("CN=far", &key[FAR], &key[NEW], true, until, &ab);
	sign("CN=ca", &key[NEW], &key[FAR], true, until, &ba);
	assert_int_equal(est_graph((struct est_span[]){ est_buf_span(&ab), est_buf_span(&ba) }, 2,
				 time(NULL), &node, &err),
		EST_OK);
	assert_int_equal(node[0].loop + node[1].loop, 1);
	assert_int_equal((node[0].issuer == NONE) + (node[1].issuer == NONE), 1);
	free(node);
	est_buf_free(&ab);
	est_buf_free(&ba);
}

static void none_and_broken_ones(void **state)
{
	struct est_node *node = NULL;
	struct est_error err;

	(void)state;
	assert_int_equal(est_graph(NULL, 0, 0, &node, &err), EST_OK);
	free(node);
	node = NULL;
	assert_int_equal(est_graph(&BYTES(0x30, 0), 1, 0, &node, &err), EST_E_PROTOCOL);
	assert_null(node);
}

/* A thousand of one name: each is tried against a few, not against all. */
static void names_that_are_all_the_same_cost_no_square(void **state)
{
	const size_t n = 1000;
	struct est_span *spans = calloc(n, sizeof(*spans));
	struct est_buf *der = calloc(n, sizeof(*der));
	struct est_node *node = NULL;
	struct est_error err;
	clock_t begin;

	(void)state;
	assert_true(spans && der);
	for (size_t i = 0; i < n; i++) {
		forge_numbered((unsigned)i, &der[i]);
		spans[i] = est_buf_span(&der[i]);
	}
	begin = clock();
	assert_int_equal(est_graph(spans, n, 0, &node, &err), EST_OK);
	assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 5);
	free(node);
	for (size_t i = 0; i < n; i++)
		est_buf_free(&der[i]);
	free(der);
	free(spans);
}

/* Of certificates with one name the one whose key it is; a CRL that was tampered with is nobody's.
 */
static void a_crl_is_of_the_certificate_whose_key_verifies_it(void **state)
{
	const struct est_span certs[] = { est_buf_span(&cert[OLD]), est_buf_span(&cert[NEW]),
		est_buf_span(&cert[LEAF]), est_buf_span(&cert[NEW]) };
	struct est_crl_signer out[3];
	struct est_buf mine = { 0 }, far = { 0 };
	struct est_span crls[3];
	struct est_error err;

	(void)state;
	certmake_crl(&key[NEW], 2, &mine);
	certmake_crl(&key[FAR], 0, &far);
	crls[0] = est_buf_span(&far);
	crls[1] = est_buf_span(&mine);
	crls[2] = BYTES(0x30, 0);
	assert_int_equal(est_crl_signers(crls, 3, certs, 4, out, &err), EST_OK);
	assert_true(out[0].cert == NONE && !out[0].named && !out[0].weak);
	assert_true(out[1].cert == 1 && out[1].named && !out[1].may_not && !out[1].weak);
	assert_true(out[2].cert == NONE && !out[2].named);
	assert_int_equal(est_crl_signers(crls, 3, certs, 1, out, &err), EST_OK);
	assert_true(out[1].cert == NONE && out[1].named);
	assert_int_equal(est_crl_signers(crls, 3, NULL, 0, out, &err), EST_OK);
	assert_true(out[1].cert == NONE && !out[1].named);
	for (size_t i = 0; i < mine.n; i++) {
		mine.p[i] ^= 1;
		assert_int_equal(est_crl_signers(&crls[1], 1, certs, 4, out, &err), EST_OK);
		assert_true(out[0].cert == NONE);
		mine.p[i] ^= 1;
	}
	crls[0] = BYTES(0x30, 0);
	assert_int_equal(est_crl_signers(&crls[1], 1, crls, 1, out, &err), EST_E_PROTOCOL);
	est_buf_free(&mine);
	est_buf_free(&far);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crl_is_of_the_certificate_whose_key_verifies_it),
		cmocka_unit_test(a_rollover_is_told_by_keys_in_any_order),
		cmocka_unit_test(each_stands_below_the_one_that_signed_it),
		cmocka_unit_test(dates_strength_and_anchors_are_marked),
		cmocka_unit_test(a_signature_that_does_not_verify_makes_no_issuer),
		cmocka_unit_test(the_key_identifier_leads_to_the_issuer),
		cmocka_unit_test(a_loop_is_cut),
		cmocka_unit_test(none_and_broken_ones),
		cmocka_unit_test(names_that_are_all_the_same_cost_no_square),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}

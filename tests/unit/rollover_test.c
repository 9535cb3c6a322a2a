/* SPDX-License-Identifier: MIT */
/* Which roots follow a stored one, and what the certificates of a change are. */
#include "rollover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "certs.h"
#include "testca.h"

#define CA .ca = true, .no_path_len = true, .usage = GNUTLS_KEY_KEY_CERT_SIGN

static struct testca old, new, nwo, own, other;
static struct est_error err;

static void issue(const char *subject, const struct testca *issuer, const struct testca *key,
	int days, struct testca *out)
{
	testca_issue(&(struct testca_spec){ .subject = subject,
			     .issuer = issuer,
			     .key = key ? key->key : NULL,
			     CA,
			     .from = -TESTCA_DAY,
			     .until = (time_t)days * TESTCA_DAY },
		out);
}

static int set_up(void **state)
{
	(void)state;
	issue("CN=root", NULL, NULL, 10, &old);
	issue("CN=root", NULL, NULL, 20, &new);
	issue("CN=root", &old, &new, 9, &nwo);
	issue("CN=root", &new, &old, 9, &own);
	issue("CN=other", NULL, NULL, 5, &other);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	testca_wipe(&old);
	testca_wipe(&new);
	testca_wipe(&nwo);
	testca_wipe(&own);
	testca_wipe(&other);
	return 0;
}

static struct est_certs *list(const struct testca *const *members)
{
	struct est_certs *certs = NULL;

	assert_int_equal(certs_new(&certs, &err), EST_OK);
	for (; *members; members++)
		assert_int_equal(certs_add(certs, est_buf_span(&(*members)->der), true, NULL, &err),
			EST_OK);
	return certs;
}

#define LIST(...) list((const struct testca *const[]){ __VA_ARGS__, NULL })

static volatile sig_atomic_t stop;
static struct deadline deadline = { INT64_MAX, &stop };

/* Takes both lists over. */
static enum est_code plan(struct est_certs *held, struct est_certs *bag, struct est_update *out)
{
	enum est_code rc;

	*out = (struct est_update){ 0 };
	err = (struct est_error){ 0 };
	rc = rollover_plan(held, bag, NULL, time(NULL), &deadline, out, &err);
	est_certs_free(held);
	est_certs_free(bag);
	return rc;
}

/* proves: R4210-4.4-01 */
static void kinds_come_from_keys_and_signatures_in_any_order(void **state)
{
	struct est_certs *bag = LIST(&nwo, &other, &new, &own, &old);
	enum rollover_kind kinds[5];

	(void)state;
	rollover_classify(bag, &deadline, kinds);
	assert_string_equal(rollover_kind_name(kinds[0]), "NewWithOld");
	assert_string_equal(rollover_kind_name(kinds[1]), "OldWithOld");
	assert_string_equal(rollover_kind_name(kinds[2]), "NewWithNew");
	assert_string_equal(rollover_kind_name(kinds[3]), "OldWithNew");
	assert_string_equal(rollover_kind_name(kinds[4]), "OldWithOld");
	est_certs_free(bag);
}

/* proves: R4210-4.4-01 R7030-4.1.3-08 */
static void the_sample_of_rfc_7030_has_all_four(void **state)
{
	enum rollover_kind kinds[16];
	unsigned count[ROLLOVER_OLD_WITH_NEW + 1] = { 0 };
	struct est_quirks quirks = { 0 };
	struct est_certs *bag = NULL;
	struct est_cert_info info;
	struct est_buf der = { 0 };

	(void)state;
	assert_int_equal(est_read_file("tests/data/vectors/rfc7030-a1-cacerts-response.der",
				 EST_BODY_MAX, &der, &err),
		EST_OK);
	assert_int_equal(est_certs_decode(est_buf_span(&der), &quirks, &bag, &err), EST_OK);
	assert_true(est_certs_count(bag) <= 16);
	rollover_classify(bag, &deadline, kinds);
	for (size_t i = 0; i < est_certs_count(bag); i++) {
		count[kinds[i]]++;
		if (kinds[i] != ROLLOVER_NEW_WITH_NEW)
			continue;
		assert_int_equal(est_cert_info(est_certs_get(bag, i), &info, &err), EST_OK);
		assert_non_null(strstr(info.subject, "NwN"));
		est_cert_info_wipe(&info);
	}
	for (int kind = ROLLOVER_NEW_WITH_NEW; kind <= ROLLOVER_OLD_WITH_NEW; kind++)
		assert_int_equal(count[kind], 1);
	est_certs_free(bag);
	est_buf_free(&der);
}

/* proves: R4210-4.4-02 */
static void a_link_certificate_brings_the_new_root(void **state)
{
	struct est_update update;

	(void)state;
	assert_int_equal(plan(LIST(&old), LIST(&new, &nwo), &update), EST_OK);
	assert_int_equal(update.n_notes, 2);
	assert_int_equal(update.notes[0].change, EST_ANCHOR_KEPT);
	assert_int_equal(update.notes[1].change, EST_ANCHOR_ADDED);
	assert_true(est_span_eq(update.notes[1].cert, est_buf_span(&new.der)));
	est_update_wipe(&update);
}

/* proves: R4210-4.4-02 R4210-4.4-04 */
static void what_is_not_vouched_for_is_refused(void **state)
{
	struct testca late, renamed, end;
	struct est_certs *bags[8];
	struct est_update update;
	size_t n = 0;

	(void)state;
	/* Another key below the old one, another name for the right key, a link that is no CA. */
	issue("CN=root", &old, NULL, 9, &late);
	issue("CN=renamed", &old, &new, 9, &renamed);
	testca_issue(&(struct testca_spec){ .subject = "CN=root", .issuer = &old, .key = new.key },
		&end);
	bags[n++] = LIST(&new);
	bags[n++] = LIST(&new, &old, &own);
	bags[n++] = LIST(&new, &late);
	bags[n++] = LIST(&new, &renamed);
	bags[n++] = LIST(&new, &end);
	bags[n++] = LIST(&other);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(plan(LIST(&old), bags[i], &update), EST_E_UNTRUSTED);
		assert_string_equal(err.reason, "not-vouched");
		assert_non_null(strstr(err.hint, "--bootstrap"));
		assert_null(update.notes);
	}
	/* Held by nobody, however well it is linked. */
	assert_int_equal(plan(LIST(&other), LIST(&old, &new, &nwo, &own), &update),
		EST_E_UNTRUSTED);
	testca_wipe(&late);
	testca_wipe(&renamed);
	testca_wipe(&end);
}

static void a_root_with_the_key_of_an_anchor_follows_it(void **state)
{
	struct est_update update;
	struct testca longer;

	(void)state;
	issue("CN=root", NULL, &old, 30, &longer);
	assert_int_equal(plan(LIST(&old), LIST(&longer), &update), EST_OK);
	assert_int_equal(update.n_notes, 2);
	assert_int_equal(update.notes[0].change, EST_ANCHOR_KEPT);
	assert_int_equal(update.notes[1].change, EST_ANCHOR_ADDED);
	est_update_wipe(&update);
	testca_wipe(&longer);
}

/* proves: R4210-4.4-05 */
static void an_anchor_leaves_only_when_it_is_retired_and_another_remains(void **state)
{
	struct est_update update;

	(void)state;
	assert_int_equal(plan(LIST(&old, &new), LIST(&new), &update), EST_OK);
	assert_int_equal(update.notes[0].change, EST_ANCHOR_REMOVED);
	assert_int_equal(update.notes[1].change, EST_ANCHOR_KEPT);
	est_update_wipe(&update);
	assert_int_equal(plan(LIST(&old, &new), LIST(&new, &own), &update), EST_OK);
	assert_int_equal(update.notes[0].change, EST_ANCHOR_KEPT);
	est_update_wipe(&update);
	assert_int_equal(plan(LIST(&old, &new), LIST(&new, &nwo), &update), EST_OK);
	assert_int_equal(update.notes[0].change, EST_ANCHOR_KEPT);
	est_update_wipe(&update);
	assert_int_equal(plan(LIST(&other, &new), LIST(&new), &update), EST_OK);
	assert_int_equal(update.notes[0].change, EST_ANCHOR_KEPT);
	est_update_wipe(&update);
}

/* Each certificate of an answer may take a signature, as slow as its key was made. */
static void no_walk_over_a_bag_goes_on_after_the_deadline(void **state)
{
	static const enum est_code due[] = { EST_E_TIMEOUT, EST_E_INTERRUPTED };
	struct est_certs *bag = LIST(&nwo, &new, &own);
	struct est_anchors sorted = { 0 };
	struct trust *trust = NULL;
	enum rollover_kind kinds[3];
	struct est_update update;
	size_t index = 99;

	(void)state;
	assert_int_equal(trust_from(bag, &trust, &err), EST_OK);
	for (size_t i = 0; i < 2; i++) {
		deadline.end_ms = i ? INT64_MAX : 0;
		stop = i == 1;
		assert_int_equal(anchors_current(bag, 0, &deadline, &index, &err), due[i]);
		assert_int_equal(index, 99);
		assert_int_equal(anchors_require_root(NULL, bag, &deadline, &err), due[i]);
		assert_int_equal(anchors_sort(trust, bag, &deadline, &sorted, &err), due[i]);
		est_anchors_wipe(&sorted);
		assert_int_equal(plan(LIST(&old), LIST(&new, &nwo), &update), due[i]);
		rollover_classify(bag, &deadline, kinds);
		assert_int_equal(kinds[1], ROLLOVER_NONE);
	}
	deadline.end_ms = INT64_MAX;
	stop = 0;
	assert_int_equal(anchors_require_root(NULL, bag, &deadline, &err), EST_OK);
	trust_free(trust);
	est_certs_free(bag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_come_from_keys_and_signatures_in_any_order),
		cmocka_unit_test(the_sample_of_rfc_7030_has_all_four),
		cmocka_unit_test(a_link_certificate_brings_the_new_root),
		cmocka_unit_test(what_is_not_vouched_for_is_refused),
		cmocka_unit_test(a_root_with_the_key_of_an_anchor_follows_it),
		cmocka_unit_test(no_walk_over_a_bag_goes_on_after_the_deadline),
		cmocka_unit_test(an_anchor_leaves_only_when_it_is_retired_and_another_remains),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

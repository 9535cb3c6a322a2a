/* SPDX-License-Identifier: MIT */
/* OCSP answers that are none, and certificates that must not come without one. */
#include "staple.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "forge.h"
#include "testca.h"

static struct testca root;
static struct est_error err;
static const char *note;

/* What is said of a certificate of root with this answer: "" or a reason. */
static const char *verdict(struct est_span response, struct est_span feature)
{
	struct testca cert;
	struct cert_view view, issuer;
	enum est_code rc;

	testca_issue(&(struct testca_spec){ .issuer = &root,
			     .extension = { feature.n ? "1.3.6.1.5.5.7.1.24" : NULL, feature,
				     false } },
		&cert);
	note = "untouched";
	err = (struct est_error){ 0 };
	assert_int_equal(cert_view(est_buf_span(&cert.der), "", &view, &err), EST_OK);
	assert_int_equal(cert_view(est_buf_span(&root.der), "", &issuer, &err), EST_OK);
	rc = staple_check(response, &view, &issuer, time(NULL), "the certificate", &note, &err);
	testca_wipe(&cert);
	assert_true(rc == EST_OK || rc == EST_E_UNTRUSTED);
	return rc == EST_OK ? "" : err.reason;
}

/* proves: R7030-3.3.1-08 */
static void a_certificate_says_whether_an_answer_is_due(void **state)
{
	(void)state;
	assert_string_equal(verdict(NOTHING, NOTHING), "");
	assert_null(note);
	assert_string_equal(verdict(NOTHING, BYTES(0x30, 3, 2, 1, 5)), "no-staple");
	assert_non_null(strstr(err.msg, "none came"));
	assert_string_equal(verdict(NOTHING, BYTES(0x30, 6, 2, 1, 9, 2, 1, 5)), "no-staple");
	assert_string_equal(verdict(NOTHING, BYTES(0x30, 3, 2, 1, 9)), "");
	assert_string_equal(verdict(NOTHING, BYTES(0x30, 0)), "");
	assert_string_equal(verdict(NOTHING, BYTES(0x05, 0)), "");
}

/* proves: R7030-3.3.1-08 */
static void bytes_that_are_no_answer_count_for_none(void **state)
{
	const struct est_span due = BYTES(0x30, 3, 2, 1, 5), bad[] = { BYTES(0), BYTES(0x30, 0),
		BYTES(0x30, 3, 0x0a, 1, 0), BYTES(0x30, 0x80, 0, 0), BYTES(0x30, 3, 0x0a, 1, 3),
		est_buf_span(&root.der) };
	struct est_buf large = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_string_equal(verdict(bad[i], NOTHING), "");
		assert_non_null(note);
		assert_string_equal(verdict(bad[i], due), "no-staple");
	}
	forge_repeat(&large, BYTES(0x30, 0), 40000);
	forge_wrap(&large, DER_SEQUENCE);
	assert_string_equal(verdict(est_buf_span(&large), due), "no-staple");
	assert_non_null(strstr(err.msg, "malformed"));
	est_buf_free(&large);
}

static int set_up(void **state)
{
	(void)state;
	testca_root(&root);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	testca_wipe(&root);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_says_whether_an_answer_is_due),
		cmocka_unit_test(bytes_that_are_no_answer_count_for_none),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: MIT */
/* PKCS #12 files as they are written, read again by the reader of est inspect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "certmake.h"
#include "certs.h"
#include "forge.h"
#include "key.h"
#include "p12_open.h"

#define CHAIN 3

static const char password[] = "w\xc3\xb6rd with blanks 8";

struct seen {
	const struct est_certs *certs; /* as they are due */
	size_t n_certs, n_keys, n_all;
	bool protected;
};

static enum est_code note(void *ctx, const struct est_object *object)
{
	struct seen *seen = ctx;

	seen->n_all++;
	if (object->kind == EST_FILE_CERT)
		assert_true(est_span_eq(object->der, est_certs_get(seen->certs, seen->n_certs++)));
	if (object->kind == EST_FILE_ENCRYPTED_KEY) {
		seen->n_keys++;
		assert_int_equal(object->der.n, 0); /* nobody asked to see it */
		seen->protected = object->protection.n > 0;
	}
	return EST_OK;
}

static enum est_code reopen(const struct est_buf *p12, const char *word,
	const struct est_certs *certs, struct seen *seen, struct est_error *err)
{
	*seen = (struct seen){ .certs = certs };
	*err = (struct est_error){ 0 };
	return p12_open(est_buf_span(p12), word, note, seen, err);
}

/* One file for all of it: each key derivation takes a quarter of a second. */
static void key_and_chain_come_back_byte_for_byte_with_the_password_alone(void **state)
{
	struct certmake ca[CHAIN];
	struct est_certs *certs = NULL;
	struct est_buf p12 = { 0 };
	struct est_key *key = NULL;
	struct est_error err;
	struct seen seen;

	(void)state;
	assert_int_equal(est_key_generate("ec:p256", &key, &err), EST_OK);
	assert_int_equal(certs_new(&certs, &err), EST_OK);
	for (int i = 0; i < CHAIN; i++) {
		certmake_make(&(struct certmake_spec){ .ca = i > 0, .path_len = -1 },
			i > 0 ? &ca[i - 1] : NULL, &ca[i]);
		assert_int_equal(certs_add(certs, est_buf_span(&ca[i].der), false, NULL, &err),
			EST_OK);
	}
	forge_append(&p12, BYTES(1)); /* appended to */
	assert_int_equal(est_p12_encode(key, certs, password, &p12, &err), EST_OK);
	assert_int_equal(p12.p[0], 1);
	memmove(p12.p, p12.p + 1, --p12.n);
	assert_int_equal(reopen(&p12, password, certs, &seen, &err), EST_OK);
	assert_int_equal(seen.n_certs, CHAIN);
	assert_int_equal(seen.n_keys, 1);
	assert_true(seen.protected);
	assert_int_equal(seen.n_all, CHAIN + 2); /* and the file itself */
	assert_int_equal(reopen(&p12, "word with blanks 8", certs, &seen, &err), EST_E_INPUT);
	assert_string_equal(err.reason, "p12-password");
	assert_int_equal(seen.n_certs, 0);
	for (int i = 0; i < CHAIN; i++)
		certmake_wipe(&ca[i]);
	est_buf_free(&p12);
	est_certs_free(certs);
	est_key_free(key);
}

static void what_is_no_certificate_is_refused(void **state)
{
	struct est_certs *certs = NULL;
	struct est_buf p12 = { 0 };
	struct est_key *key = NULL;
	struct est_error err = { 0 };

	(void)state;
	assert_int_equal(est_key_generate("ec:p256", &key, &err), EST_OK);
	assert_int_equal(certs_new(&certs, &err), EST_OK);
	assert_int_equal(certs_add(certs, BYTES(0x30, 3, 2, 1, 1), false, NULL, &err), EST_OK);
	assert_int_equal(est_p12_encode(key, certs, password, &p12, &err), EST_E_INTERNAL);
	assert_non_null(strstr(err.msg, "PKCS #12"));
	assert_int_equal(p12.n, 0); /* as it was */
	est_certs_free(certs);
	est_key_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_and_chain_come_back_byte_for_byte_with_the_password_alone),
		cmocka_unit_test(what_is_no_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* PKCS #12 files made by hand; what other programs write is in tests/inspect_files.bats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "forge.h"
#include "p12_open.h"

struct seen {
	size_t certs, keys, others, bytes;
};

static enum est_code note(void *ctx, const struct est_object *object)
{
	const enum est_file_kind kind = object->kind;
	struct seen *seen = ctx;

	seen->certs += kind == EST_FILE_CERT;
	seen->keys += kind == EST_FILE_ENCRYPTED_KEY || kind == EST_FILE_PRIVATE_KEY;
	seen->others += kind == EST_FILE_UNKNOWN || kind == EST_FILE_OTHER_CMS;
	seen->bytes += object->der.n;
	return EST_OK;
}

/* SEQUENCE { 3, ContentInfo { data, authSafe }, more } */
static void pfx(struct est_span safes, struct est_span more, struct est_buf *out)
{
	struct est_buf a = { 0 }, b = { 0 }, c = { 0 };
	struct est_error err;

	assert_int_equal(der_put(&a, DER_SEQUENCE, safes, &err), EST_OK);
	assert_int_equal(der_put(&b, DER_OCTET_STRING, est_buf_span(&a), &err), EST_OK);
	forge_append(&c, BYTES(6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1));
	assert_int_equal(der_put(&c, DER_CONTEXT_C(0), est_buf_span(&b), &err), EST_OK);
	a.n = b.n = 0;
	forge_append(&a, BYTES(2, 1, 3));
	assert_int_equal(der_put(&a, DER_SEQUENCE, est_buf_span(&c), &err), EST_OK);
	forge_append(&a, more);
	assert_int_equal(der_put(out, DER_SEQUENCE, est_buf_span(&a), &err), EST_OK);
	est_buf_free(&a);
	est_buf_free(&b);
	est_buf_free(&c);
}

static void refused(struct est_span safes, struct est_span more, enum est_code due, const char *why)
{
	struct est_buf der = { 0 };
	struct seen seen = { 0 };
	struct est_error err = { 0 };

	pfx(safes, more, &der);
	assert_int_equal(p12_open(est_buf_span(&der), "x", note, &seen, &err), due);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
	assert_int_equal(seen.certs, 0);
	est_buf_free(&der);
}

/* MacData with SHA-256, a salt of one octet and these iterations. */
#define MAC(...)                                                                                   \
	BYTES(0x30, 0x1d + sizeof((uint8_t[]){ __VA_ARGS__ }), 0x30, 0x14, 0x30, 0x0d, 6, 9, 0x60, \
		0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 3, 1, 2, 3, 4, 1, 7, 2,                  \
		sizeof((uint8_t[]){ __VA_ARGS__ }), __VA_ARGS__, 4, 0)

static void hostile_files_are_refused_before_they_cost_anything(void **state)
{
	(void)state;
	refused(NOTHING, MAC(0x7f, 0xff, 0xff, 0xff), EST_E_PROTOCOL, "iterations");
	refused(NOTHING, MAC(0x7f, 0xff, 0xff, 0xff, 0xff), EST_E_PROTOCOL, "not supported");
	refused(NOTHING, MAC(0), EST_E_PROTOCOL, "not supported");
	refused(NOTHING, MAC(0xff), EST_E_PROTOCOL, "not supported");
	refused(NOTHING, MAC(5), EST_E_INPUT, "wrong");
	refused(NOTHING, BYTES(0x30, 2, 5, 0), EST_E_PROTOCOL, "MacData");
	refused(BYTES(5, 0), NOTHING, EST_E_PROTOCOL, "no safe");
	refused(BYTES(0x30, 2, 5, 0), NOTHING, EST_E_PROTOCOL, "without contents");
	/* EncryptedData that is none. */
	refused(BYTES(0x30, 15, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6, 0xa0, 2, 0x30,
			0),
		NOTHING, EST_E_PROTOCOL, "EncryptedData");
	/* Data in pieces, which are no OCTET STRINGs. */
	refused(BYTES(0x30, 17, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0, 4, 0x24, 2,
			5, 0),
		NOTHING, EST_E_PROTOCOL, "OCTET STRING");
	/* Bags in bags in bags. */
	refused(BYTES(0x30, 19, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0, 6, 4, 4,
			0x30, 2, 5, 0),
		NOTHING, EST_E_PROTOCOL, "no bag");
}

/* A safe with one bag of this type, by the last octet of it, and this value. */
static void one_bag(uint8_t type, struct est_span value, struct est_buf *out)
{
	const struct est_span id = BYTES(6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 0x0c, 0x0a,
		1, type);
	struct est_buf bag = { 0 };

	forge_append(&bag, value);
	forge_wrap(&bag, DER_CONTEXT_C(0));
	forge_append(out, id);
	forge_append(out, est_buf_span(&bag));
	forge_wrap(out, DER_SEQUENCE); /* the bag */
	forge_wrap(out, DER_SEQUENCE); /* the list of them */
	est_buf_free(&bag);
}

/* The list of bags as a safe that is not encrypted. */
static void as_safe(struct est_buf *bags)
{
	struct est_buf safe = { 0 };

	forge_wrap(bags, DER_OCTET_STRING);
	forge_wrap(bags, DER_CONTEXT_C(0));
	forge_append(&safe, BYTES(6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1));
	forge_append(&safe, est_buf_span(bags));
	est_buf_free(bags);
	forge_put(bags, DER_SEQUENCE, est_buf_span(&safe));
	est_buf_free(&safe);
}

static void bags_of_every_kind_are_named(void **state)
{
	const struct est_span cert = BYTES(0x30, 18, 6, 10, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1,
		9, 0x16, 1, 0xa0, 4, 4, 2, 0x30, 0);
	struct est_buf bags = { 0 }, der = { 0 };
	struct seen seen;
	struct est_error err;

	(void)state;
	for (uint8_t type = 1; type <= 7; type++) {
		seen = (struct seen){ 0 };
		one_bag(type, type == 6 ? BYTES(0x30, 0) : cert, &bags);
		as_safe(&bags);
		pfx(est_buf_span(&bags), NOTHING, &der);
		assert_int_equal(p12_open(est_buf_span(&der), NULL, note, &seen, &err), EST_OK);
		assert_int_equal(seen.keys, type <= 2);
		assert_int_equal(seen.certs, type == 3);
		assert_int_equal(seen.bytes, type == 3 ? 2 : 0);
		assert_int_equal(seen.others, type == 4 || type == 5 || type == 7);
		/* Whatever is wrong with a byte or missing: an answer. */
		for (size_t i = 0; i < der.n; i++) {
			(void)!p12_open((struct est_span){ der.p, i }, NULL, note, &seen, &err);
			der.p[i] ^= 0x55;
			(void)!p12_open(est_buf_span(&der), NULL, note, &seen, &err);
			der.p[i] ^= 0x55;
		}
		est_buf_free(&der);
		est_buf_free(&bags);
	}
}

static void bags_in_bags_have_a_limit(void **state)
{
	struct est_buf bags = { 0 }, der = { 0 };
	struct seen seen = { 0 };
	struct est_error err;

	(void)state;
	forge_append(&bags, BYTES(0x30, 0));
	for (int depth = 0; depth < 6; depth++) {
		struct est_buf inner = bags;

		bags = (struct est_buf){ 0 };
		one_bag(6, est_buf_span(&inner), &bags);
		est_buf_free(&inner);
	}
	as_safe(&bags);
	pfx(est_buf_span(&bags), NOTHING, &der);
	assert_int_equal(p12_open(est_buf_span(&der), NULL, note, &seen, &err), EST_E_PROTOCOL);
	assert_non_null(strstr(err.msg, "bags in bags"));
	est_buf_free(&der);
	est_buf_free(&bags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_files_are_refused_before_they_cost_anything),
		cmocka_unit_test(bags_of_every_kind_are_named),
		cmocka_unit_test(bags_in_bags_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

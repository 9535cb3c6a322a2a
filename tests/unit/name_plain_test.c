/* SPDX-License-Identifier: MIT */
/* Plain names without GnuTLS: the same text as with it, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <gnutls/x509.h>

#include "x509_text.h"

struct attribute {
	uint8_t arc, tag;
	const char *value;
};

static void put(struct est_buf *buf, uint8_t tag, struct est_span body)
{
	struct est_error err;

	assert_int_equal(der_put(buf, tag, body, &err), EST_OK);
}

/* Appends SEQUENCE { 2.5.4.arc, value }. */
static void put_attribute(struct est_buf *out, const struct attribute *a)
{
	const uint8_t oid[] = { 0x55, 0x04, a->arc };
	struct est_buf body = { 0 };

	put(&body, DER_OID, (struct est_span){ oid, sizeof(oid) });
	put(&body, a->tag, est_span_str(a->value));
	put(out, DER_SEQUENCE, est_buf_span(&body));
	est_buf_free(&body);
}

/* n attributes, each in an RDN of its own or all in one. */
static struct est_buf make_name(const struct attribute *a, size_t n, bool one_rdn)
{
	struct est_buf name = { 0 }, rdns = { 0 }, rdn = { 0 };

	for (size_t i = 0; i < n; i++) {
		put_attribute(&rdn, &a[i]);
		if (one_rdn && i + 1 < n)
			continue;
		put(&rdns, DER_SET, est_buf_span(&rdn));
		est_buf_free(&rdn);
	}
	put(&name, DER_SEQUENCE, est_buf_span(&rdns));
	est_buf_free(&rdns);
	return name;
}

static void assert_not_plain(const struct attribute *a, size_t n, bool one_rdn)
{
	struct est_buf name = make_name(a, n, one_rdn), text = { 0 };
	struct est_error err;
	bool plain = true;

	assert_int_equal(x509_name_plain(est_buf_span(&name), &text, &plain, &err), EST_OK);
	assert_false(plain);
	assert_int_equal(text.n, 0);
	est_buf_free(&name);
	est_buf_free(&text);
}

/* RFC 4514 section 2.4 gives it no words; the library refuses the whole name. */
static void an_empty_value_is_nothing_behind_its_type(void **state)
{
	static const struct attribute some[] = { { 11, DER_UTF8, "" }, { 3, DER_UTF8, "x" } };
	struct est_buf name = make_name(some, 2, false), text = { 0 };
	struct est_error err;
	bool plain = false;

	(void)state;
	assert_int_equal(x509_name_plain(est_buf_span(&name), &text, &plain, &err), EST_OK);
	assert_true(plain && est_span_eq(est_buf_span(&text), est_span_str("CN=x,OU=")));
	est_buf_free(&name);
	est_buf_free(&text);
}

static void plain_names_read_as_gnutls_writes_them(void **state)
{
	static const struct attribute all[] = {
		{ 6, DER_PRINTABLE, "DE" },
		{ 8, DER_UTF8, "Some State" },
		{ 7, DER_UTF8, "Town (old)" },
		{ 10, DER_PRINTABLE, "Org & Co." },
		{ 11, DER_UTF8, "Unit: 7/3" },
		{ 3, DER_UTF8, "a*b!c@d'e~f|{g}[h]^`$%?_-" },
	};
	gnutls_datum_t der, due;
	struct est_error err;

	(void)state;
	for (size_t n = 1; n <= 6; n++) {
		struct est_buf name = make_name(all, n, false), text = { 0 };
		bool plain = false;

		assert_int_equal(x509_name_plain(est_buf_span(&name), &text, &plain, &err), EST_OK);
		assert_true(plain);
		der = (gnutls_datum_t){ name.p, (unsigned)name.n };
		assert_int_equal(gnutls_x509_rdn_get2(&der, &due, 0), 0);
		assert_int_equal(text.n, due.size);
		assert_memory_equal(text.p, due.data, due.size);
		gnutls_free(due.data);
		est_buf_free(&name);
		est_buf_free(&text);
	}
}

/* proves: H-22 */
static void what_has_to_be_escaped_is_not_plain(void **state)
{
	static const char *const values[] = { "a,b", "a+b", "a\"b", "a\\b", "a<b", "a>b", "a;b",
		"a=b", "#a", "a#", " a", "a ", " ", "a\nb", "a\x1b[2J", "a\x7f", "\xc3\xa4",
		"a\xe2\x80\xae", "\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct attribute a = { 3, DER_UTF8, values[i] };

		assert_not_plain(&a, 1, false);
	}
}

static void other_types_strings_and_shapes_are_not_plain(void **state)
{
	static const struct attribute serial = { 5, DER_PRINTABLE, "x" };
	static const struct attribute bmp = { 3, 0x1e, "ab" }, t61 = { 3, 0x14, "ab" };
	static const struct attribute two[] = { { 3, DER_UTF8, "a" }, { 11, DER_UTF8, "b" } };
	struct attribute many[17];

	(void)state;
	assert_not_plain(&serial, 1, false);
	assert_not_plain(&bmp, 1, false);
	assert_not_plain(&t61, 1, false);
	assert_not_plain(two, 2, true);
	for (size_t i = 0; i < 17; i++)
		many[i] = two[0];
	assert_not_plain(many, 17, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_value_is_nothing_behind_its_type),
		cmocka_unit_test(plain_names_read_as_gnutls_writes_them),
		cmocka_unit_test(what_has_to_be_escaped_is_not_plain),
		cmocka_unit_test(other_types_strings_and_shapes_are_not_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

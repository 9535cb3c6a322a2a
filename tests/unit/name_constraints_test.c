/* SPDX-License-Identifier: MIT */
/* Which names a CA with name constraints may certify. */
#include "name_constraints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "forge.h"

#define DNS     DER_CONTEXT(2)
#define MAIL    DER_CONTEXT(1)
#define URI     DER_CONTEXT(6)
#define IP      DER_CONTEXT(7)
#define DIR     DER_CONTEXT_C(4)
#define OID_SAN 0x06, 0x03, 0x55, 0x1d, 0x11
#define OID_NC  0x06, 0x03, 0x55, 0x1d, 0x1e

/* An Extension with this value, as it stands in a list. */
static void extension(struct est_span oid, struct est_buf *value, struct est_buf *out)
{
	struct est_buf body = { 0 };

	forge_append(&body, oid);
	forge_wrap(value, DER_OCTET_STRING);
	forge_append(&body, est_buf_span(value));
	forge_put(out, DER_SEQUENCE, est_buf_span(&body));
	est_buf_free(&body);
}

/* Latin-1 text in this encoding; UTF-8 is taken as it is. */
static void put_text(struct est_buf *out, uint8_t kind, struct est_span text)
{
	size_t width = kind == 0x1e ? 2 : kind == 0x1c ? 4 : 1;
	struct est_buf body = { 0 };

	for (size_t i = 0; i < text.n; i++) {
		for (size_t zeros = 1; zeros < width; zeros++)
			forge_append(&body, BYTES(0));
		if (text.p[i] != '!') /* cut short */
			forge_append(&body, (struct est_span){ text.p + i, 1 });
	}
	forge_put(out, kind, est_buf_span(&body));
	est_buf_free(&body);
}

/* text: of an address its bytes in hex; of a directory name "O=a,CN=b", root first. */
static struct est_span bytes_of(uint8_t tag, const char *text, struct est_buf *out)
{
	unsigned byte;

	est_buf_free(out);
	if (tag == IP) {
		for (; text[0] && text[1]; text += 2) {
			char two[3] = { text[0], text[1], 0 };

			byte = (unsigned)strtoul(two, NULL, 16);
			forge_append(out, BYTES((uint8_t)byte));
		}
	} else if (tag == DIR) {
		while (*text) {
			struct est_buf rdn = { 0 };
			size_t n = strcspn(text, ",");
			/* UTF8String for O=, PrintableString for o=, BMPString for B=,
			 * UniversalString for U=, TeletexString for T=, mail for M= */
			uint8_t kind = text[0] == 'o'   ? DER_PRINTABLE
				       : text[0] == 'B' ? 0x1e
				       : text[0] == 'U' ? 0x1c
				       : text[0] == 'T' ? 0x14
							: DER_UTF8;

			if (text[0] == 'M')
				forge_append(&rdn,
					BYTES(6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1));
			else
				forge_append(&rdn, BYTES(6, 3, 0x55, 4, text[0] == 'C' ? 3 : 10));
			put_text(&rdn, kind,
				(struct est_span){ (const uint8_t *)strchr(text, '=') + 1,
					(size_t)(text + n - strchr(text, '=') - 1) });
			forge_wrap(&rdn, DER_SEQUENCE);
			forge_put(out, DER_SET, est_buf_span(&rdn));
			est_buf_free(&rdn);
			text += n + (text[n] == ',');
		}
		forge_wrap(out, DER_SEQUENCE);
	} else {
		forge_append(out, est_span_str(text));
	}
	return est_buf_span(out);
}

struct entry {
	uint8_t tag;
	const char *text;
};

#define NAMES 4

struct row {
	struct entry permitted[NAMES], excluded[NAMES];
	const char *subject; /* NULL: empty */
	struct entry sans[NAMES];
	bool good;
};

static void subtrees(const struct entry *list, uint8_t tag, struct est_buf *out)
{
	struct est_buf body = { 0 }, one = { 0 }, name = { 0 };

	for (size_t i = 0; i < NAMES && list[i].text; i++) {
		forge_put(&one, list[i].tag, bytes_of(list[i].tag, list[i].text, &name));
		forge_put(&body, DER_SEQUENCE, est_buf_span(&one));
		est_buf_free(&one);
	}
	if (body.n > 0)
		forge_put(out, tag, est_buf_span(&body));
	est_buf_free(&body);
	est_buf_free(&name);
}

static enum est_code check(const struct row *row, bool leaf, struct est_error *err)
{
	struct est_buf nc = { 0 }, san = { 0 }, ca_ext = { 0 }, ext = { 0 }, subject = { 0 };
	struct est_buf name = { 0 };
	struct cert_view ca = { 0 }, cert = { 0 };
	enum est_code rc;

	subtrees(row->permitted, DER_CONTEXT_C(0), &nc);
	subtrees(row->excluded, DER_CONTEXT_C(1), &nc);
	forge_wrap(&nc, DER_SEQUENCE);
	extension(BYTES(OID_NC), &nc, &ca_ext);
	for (size_t i = 0; i < NAMES && row->sans[i].text; i++)
		forge_put(&san, row->sans[i].tag,
			bytes_of(row->sans[i].tag, row->sans[i].text, &name));
	if (san.n > 0) {
		forge_wrap(&san, DER_SEQUENCE);
		extension(BYTES(OID_SAN), &san, &ext);
	}
	ca.extensions = est_buf_span(&ca_ext);
	cert.extensions = est_buf_span(&ext);
	cert.subject = bytes_of(DIR, row->subject ? row->subject : "", &subject);
	cert.issuer = leaf ? NOTHING : cert.subject;
	rc = name_constraints_check(&ca, &cert, leaf, "the certificate", err);
	est_buf_free(&nc);
	est_buf_free(&san);
	est_buf_free(&ca_ext);
	est_buf_free(&ext);
	est_buf_free(&subject);
	est_buf_free(&name);
	return rc;
}

static void run(const struct row *rows, size_t n)
{
	struct est_error err;

	for (size_t i = 0; i < n; i++) {
		err = (struct est_error){ 0 };
		if ((check(&rows[i], true, &err) == EST_OK) != rows[i].good)
			fail_msg("row %zu: %s", i, rows[i].good ? err.msg : "allowed");
		if (!rows[i].good) {
			assert_int_equal(err.code, EST_E_UNTRUSTED);
			assert_string_equal(err.reason, "name-constraint");
		}
	}
}

#define RUN(rows) run(rows, sizeof(rows) / sizeof((rows)[0]))

/* proves: R7030-3.3.1-02 */
static void host_names_are_bound_whatever_their_case(void **state)
{
	static const struct row rows[] = {
		{ { { DNS, "good.example" } }, { { 0 } }, NULL, { { DNS, "good.example" } }, true },
		{ { { DNS, "good.example" } }, { { 0 } }, NULL, { { DNS, "a.good.example" } },
			true },
		{ { { DNS, "good.example" } }, { { 0 } }, NULL, { { DNS, "A.GOOD.example" } },
			true },
		{ { { DNS, "Good.Example" } }, { { 0 } }, NULL, { { DNS, "a.good.example" } },
			true },
		{ { { DNS, "good.example" } }, { { 0 } }, NULL, { { DNS, "agood.example" } },
			false },
		{ { { DNS, "good.example" } }, { { 0 } }, NULL, { { DNS, "example" } }, false },
		{ { { DNS, "good.example" } }, { { 0 } }, NULL,
			{ { DNS, "good.example" }, { DNS, "bad.example" } }, false },
		{ { { DNS, "a.example" }, { DNS, "b.example" } }, { { 0 } }, NULL,
			{ { DNS, "b.example" } }, true },
		{ { { DNS, "" } }, { { 0 } }, NULL, { { DNS, "any.example" } }, true },
		{ { { DNS, ".good.example" } }, { { 0 } }, NULL, { { DNS, "a.good.example" } },
			true },
		{ { { DNS, ".good.example" } }, { { 0 } }, NULL, { { DNS, "good.example" } },
			false },
		{ { { 0 } }, { { DNS, "bad.example" } }, NULL, { { DNS, "good.example" } }, true },
		{ { { 0 } }, { { DNS, "bad.example" } }, NULL, { { DNS, "bad.example" } }, false },
		{ { { 0 } }, { { DNS, "bad.example" } }, NULL, { { DNS, "BAD.example" } }, false },
		{ { { 0 } }, { { DNS, "bad.example" } }, NULL, { { DNS, "bad.example." } }, false },
		{ { { 0 } }, { { DNS, "Bad.Example" } }, NULL, { { DNS, "a.b.bad.example" } },
			false },
		{ { { 0 } }, { { DNS, "" } }, NULL, { { DNS, "any.example" } }, false },
		{ { { DNS, "example" } }, { { DNS, "bad.example" } }, NULL,
			{ { DNS, "x.example" } }, true },
		{ { { DNS, "example" } }, { { DNS, "bad.example" } }, NULL,
			{ { DNS, "x.bad.example" } }, false },
		/* a constraint of one kind says nothing of another */
		{ { { DNS, "good.example" } }, { { 0 } }, "C=x", { { MAIL, "a@bad.example" } },
			true },
	};

	(void)state;
	RUN(rows);
}

/* proves: R7030-3.3.1-02 */
static void a_wildcard_stands_for_all_that_it_matches(void **state)
{
	static const struct row rows[] = {
		{ { { DNS, "example" } }, { { 0 } }, NULL, { { DNS, "*.example" } }, true },
		{ { { DNS, "good.example" } }, { { 0 } }, NULL, { { DNS, "*.good.example" } },
			true },
		{ { { DNS, "good.example" } }, { { 0 } }, NULL, { { DNS, "*.example" } }, false },
		{ { { 0 } }, { { DNS, "bad.example" } }, NULL, { { DNS, "*.example" } }, false },
		{ { { 0 } }, { { DNS, "bad.example" } }, NULL, { { DNS, "*.EXAMPLE" } }, false },
		{ { { 0 } }, { { DNS, "bad.example" } }, NULL, { { DNS, "*.bad.example" } },
			false },
		{ { { 0 } }, { { DNS, ".bad.example" } }, NULL, { { DNS, "*.bad.example" } },
			false },
		{ { { 0 } }, { { DNS, "a.bad.example" } }, NULL, { { DNS, "*.example" } }, true },
		{ { { 0 } }, { { DNS, "bad.example" } }, NULL, { { DNS, "*.good.example" } },
			true },
	};

	(void)state;
	RUN(rows);
}

/* proves: R7030-3.3.1-02 */
static void mail_uris_and_addresses_are_bound(void **state)
{
	static const struct row rows[] = {
		{ { { MAIL, "a@x.example" } }, { { 0 } }, NULL, { { MAIL, "a@X.example" } }, true },
		{ { { MAIL, "a@x.example" } }, { { 0 } }, NULL, { { MAIL, "A@x.example" } },
			false },
		{ { { MAIL, "x.example" } }, { { 0 } }, NULL, { { MAIL, "b@x.example" } }, true },
		{ { { MAIL, "x.example" } }, { { 0 } }, NULL, { { MAIL, "b@y.x.example" } },
			false },
		{ { { MAIL, ".x.example" } }, { { 0 } }, NULL, { { MAIL, "b@y.x.example" } },
			true },
		{ { { MAIL, ".x.example" } }, { { 0 } }, NULL, { { MAIL, "b@x.example" } }, false },
		{ { { 0 } }, { { MAIL, "x.example" } }, NULL, { { MAIL, "b@X.EXAMPLE" } }, false },
		{ { { MAIL, "x.example" } }, { { 0 } }, NULL, { { MAIL, "nobody" } }, false },
		/* in the subject, when nothing else names the holder */
		{ { { MAIL, "x.example" } }, { { 0 } }, "M=a@x.example", { { 0 } }, true },
		{ { { MAIL, "x.example" } }, { { 0 } }, "M=a@y.example", { { 0 } }, false },
		{ { { MAIL, "x.example" } }, { { 0 } }, "M=a@y.example", { { DNS, "y.example" } },
			true },
		{ { { URI, "x.example" } }, { { 0 } }, NULL, { { URI, "https://X.example/a" } },
			true },
		{ { { URI, "x.example" } }, { { 0 } }, NULL, { { URI, "https://a.x.example" } },
			false },
		{ { { URI, ".x.example" } }, { { 0 } }, NULL,
			{ { URI, "https://u@a.x.example:1/x.y" } }, true },
		{ { { URI, "x.example" } }, { { 0 } }, NULL,
			{ { URI, "https://x.example@y.example/" } }, false },
		{ { { URI, "x.example" } }, { { 0 } }, NULL,
			{ { URI, "https://y.example/?@x.example" } }, false },
		{ { { URI, "x.example" } }, { { 0 } }, NULL, { { URI, "urn:x.example" } }, false },
		{ { { 0 } }, { { URI, "x.example" } }, NULL, { { URI, "urn:a:b" } }, false },
		{ { { 0 } }, { { URI, "x.example" } }, NULL, { { URI, "https://[::1]/" } }, false },
		{ { { IP, "0a000000ff000000" } }, { { 0 } }, NULL, { { IP, "0a010203" } }, true },
		{ { { IP, "0a000000ff000000" } }, { { 0 } }, NULL, { { IP, "0b010203" } }, false },
		{ { { IP, "0a000000ff000000" } }, { { 0 } }, NULL,
			{ { IP, "00000000000000000000000000000001" } }, false },
		{ { { 0 } }, { { IP, "0a000000ff000000" } }, NULL, { { IP, "0a010203" } }, false },
		{ { { 0 } }, { { IP, "0a000000ff000000" } }, NULL, { { IP, "7f000001" } }, true },
	};

	(void)state;
	RUN(rows);
}

/* proves: R7030-3.3.1-02 */
static void directory_names_are_bound_with_the_subject_among_them(void **state)
{
	static const struct row rows[] = {
		{ { { DIR, "O=Example" } }, { { 0 } }, "O=Example,CN=x", { { 0 } }, true },
		{ { { DIR, "O=Example" } }, { { 0 } }, "O=EXAMPLE,CN=x", { { 0 } }, true },
		{ { { DIR, "O=Example  Inc" } }, { { 0 } }, "o= example inc ,CN=x", { { 0 } },
			true },
		{ { { DIR, "O=Example" } }, { { 0 } }, "O=Examp le,CN=x", { { 0 } }, false },
		{ { { DIR, "O=Example" } }, { { 0 } }, "O=Other,CN=x", { { 0 } }, false },
		{ { { DIR, "O=Example" } }, { { 0 } }, "CN=x,O=Example", { { 0 } }, false },
		{ { { DIR, "O=Example,CN=x" } }, { { 0 } }, "O=Example", { { 0 } }, false },
		{ { { DIR, "O=Example" } }, { { 0 } }, NULL, { { DNS, "any.example" } }, true },
		{ { { 0 } }, { { DIR, "O=Bad" } }, "O=bad,CN=x", { { 0 } }, false },
		{ { { 0 } }, { { DIR, "O=Bad" } }, "o=BAD,CN=x", { { 0 } }, false },
		{ { { 0 } }, { { DIR, "O=Bad" } }, "O=Good,CN=x", { { 0 } }, true },
		{ { { DIR, "O=Example" } }, { { 0 } }, "O=Example", { { DIR, "O=Other" } }, false },
		{ { { DIR, "O=Example" } }, { { 0 } }, "O=Example", { { DIR, "O=Example,CN=y" } },
			true },
	};

	(void)state;
	RUN(rows);
}

/* proves: R7030-3.3.1-02 */
static void a_directory_name_is_the_same_in_every_encoding(void **state)
{
	static const struct row rows[] = {
		{ { { DIR, "O=Example" } }, { { 0 } }, "B=EXAMPLE,CN=x", { { 0 } }, true },
		{ { { DIR, "B= Example  Inc" } }, { { 0 } }, "U=example inc ", { { 0 } }, true },
		{ { { DIR, "o=Example" } }, { { 0 } }, "T=Example", { { 0 } }, true },
		{ { { DIR, "O=Example" } }, { { 0 } }, "B=Examples", { { 0 } }, false },
		{ { { 0 } }, { { DIR, "O=Bad" } }, "B=bad", { { 0 } }, false },
		{ { { 0 } }, { { DIR, "B=Bad" } }, "U= BAD,CN=x", { { 0 } }, false },
		{ { { 0 } }, { { DIR, "B=Bad" } }, "O=Badly", { { 0 } }, true },
		{ { { DIR, "O=caf\xc3\xa9" } }, { { 0 } }, "B=CAF\xe9", { { 0 } }, true },
		{ { { DIR, "O=caf\xc3\xa9" } }, { { 0 } }, "T=Caf\xe9", { { 0 } }, true },
		{ { { 0 } }, { { DIR, "U=caf\xe9" } }, "O=caf\xc3\xa9", { { 0 } }, false },
		/* Capitals beyond ASCII: neither permitted nor free of what is excluded. */
		{ { { DIR, "O=caf\xc3\xa9" } }, { { 0 } }, "O=caf\xc3\x89", { { 0 } }, false },
		{ { { 0 } }, { { DIR, "O=caf\xc3\xa9" } }, "B=caf\xc9", { { 0 } }, false },
		{ { { 0 } }, { { DIR, "O=Acme" } }, "O=\xc3\x84mter", { { 0 } }, true },
		/* What cannot be read is nothing that is permitted, and may be what is excluded. */
		{ { { DIR, "O=Bad" } }, { { 0 } }, "B=Bad!", { { 0 } }, false },
		{ { { 0 } }, { { DIR, "O=Bad" } }, "B=Bad!", { { 0 } }, false },
		{ { { 0 } }, { { DIR, "O=Bad" } },
			"O=\xc1\x82"
			"ad",
			{ { 0 } }, false },
		{ { { 0 } }, { { DIR, "O=Bad" } }, "O=Bad\xc3", { { 0 } }, false },
	};

	(void)state;
	RUN(rows);
}

static void what_is_not_understood_is_refused(void **state)
{
	static const struct row rows[] = {
		/* a registered ID */
		{ { { DER_CONTEXT(8), "a" } }, { { 0 } }, NULL, { { DER_CONTEXT(8), "a" } },
			false },
		{ { { 0 } }, { { DER_CONTEXT(8), "a" } }, NULL, { { DER_CONTEXT(8), "b" } },
			false },
		{ { { 0 } }, { { DER_CONTEXT(8), "a" } }, NULL, { { DNS, "x.example" } }, true },
		{ { { IP, "0a0000" } }, { { 0 } }, NULL, { { DNS, "x.example" } }, false },
		{ { { 0 } }, { { 0 } }, NULL, { { DNS, "x.example" } },
			false }, /* no constraint at all */
	};

	(void)state;
	RUN(rows);
}

static void a_self_issued_certificate_in_the_middle_is_free(void **state)
{
	static const struct row row = { { { DIR, "O=Example" } }, { { 0 } }, "O=Other", { { 0 } },
		false };
	struct est_error err;

	(void)state;
	assert_int_equal(check(&row, false, &err), EST_OK);
	assert_int_equal(check(&row, true, &err), EST_E_UNTRUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_names_are_bound_whatever_their_case),
		cmocka_unit_test(a_wildcard_stands_for_all_that_it_matches),
		cmocka_unit_test(mail_uris_and_addresses_are_bound),
		cmocka_unit_test(directory_names_are_bound_with_the_subject_among_them),
		cmocka_unit_test(a_directory_name_is_the_same_in_every_encoding),
		cmocka_unit_test(what_is_not_understood_is_refused),
		cmocka_unit_test(a_self_issued_certificate_in_the_middle_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

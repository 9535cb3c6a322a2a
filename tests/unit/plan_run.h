/* SPDX-License-Identifier: MIT */
/* Rows of a table: what the operator wants, what the CA wants, what becomes of it. */
#ifndef EST_TESTS_PLAN_RUN_H
#define EST_TESTS_PLAN_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cert.h"
#include "csr.h"
#include "csrattrs.h"
#include "forge.h"
#include "vectors.h"
#include "x509_text.h"

/* DER as text: 30{...} is an element of elements, 0c'abc' of text, 02#00 of hex digits, @1.2 an
 * OID. */
#define TEMPLATE(fields)   "30{@1.2.840.113549.1.9.16.2.61 31{30{02#00 " fields "}}}"
#define SUBJECT(rdns)      "30{" rdns "}"
#define RDN(oid, value)    "31{30{@" oid " " value "}}"
#define NO_ATTRIBUTES      "a1{}"
#define ATTRIBUTES(a)      "a1{" a "}"
#define EXT_TEMPLATE(list) "30{@1.2.840.113549.1.9.16.2.62 31{30{" list "}}}"
#define EXT_REQ(list)      "30{@1.2.840.113549.1.9.14 31{30{" list "}}}"
#define EXT(oid, value)    "30{@" oid " 04{" value "}}"
#define CRITICAL(oid, v)   "30{@" oid " 01#ff 04{" v "}}"
#define OPEN(oid)          "30{@" oid "}"
#define KEY(oid, values)   "30{@" oid " 31{" values "}}"
#define EC                 "1.2.840.10045.2.1"
#define RSA                "1.2.840.113549.1.1.1"
#define P256               "@1.2.840.10045.3.1.7"
#define P384               "@1.3.132.0.34"
#define P521               "@1.3.132.0.35"
#define BRAINPOOL          "@1.3.36.3.3.2.8.1.1.11"
#define ECDSA_SHA256       "@1.2.840.10045.4.3.2"
#define ECDSA_SHA384       "@1.2.840.10045.4.3.3 "
#define RSA_SHA1           "@1.2.840.113549.1.1.5"
#define RSA_SHA256         "@1.2.840.113549.1.1.11 "
#define RSA_SHA512         "@1.2.840.113549.1.1.13"
#define SHA1               "@1.3.14.3.2.26"
#define SHA384             "@2.16.840.1.101.3.4.2.2"
#define ED25519            "1.3.101.112"
#define X25519             "1.3.101.110"
#define CN                 "2.5.4.3"
#define OU                 "2.5.4.11"
#define SAN                "2.5.29.17"
#define KU                 "2.5.29.15"
#define EKU                "2.5.29.37"
#define BC                 "2.5.29.19"
#define TLS_FEATURE        "1.3.6.1.5.5.7.1.24"
#define CHALLENGE          "@1.2.840.113549.1.9.7 "
#define LINKING            "@1.2.840.113549.1.9.16.2.58 "

struct row {
	const char *what;
	const char *attrs; /* elements of the list */
	/* the operator's side */
	const char *key;                  /* fixed; NULL: ec:p256 is preferred */
	const char *hash, *subject, *dns; /* dns: one */
	const char *ip, *usage, *purpose;
	/* what is due */
	const char *type, *sign;       /* NULL: ec:p256, "" */
	const char *name, *extensions; /* in words; NULL: not looked at */
	const char *reason, *says;     /* of a refusal */
	enum est_code code;
};

static inline void put_text(const char **text, struct est_buf *out);

/* Two hex digits; -1: none. */
static inline int take_byte(const char **text)
{
	static const char digits[] = "0123456789abcdef";
	const char *high = **text ? strchr(digits, **text) : NULL;
	const char *low = high && (*text)[1] ? strchr(digits, (*text)[1]) : NULL;

	if (!low)
		return -1;
	*text += 2;
	return (int)((high - digits) << 4 | (low - digits));
}

static inline void put_oid(const char **text, struct est_buf *out)
{
	size_t n = strspn(*text, "0123456789.");
	char dotted[128] = "";
	struct csr_oid oid;

	assert_true(n < sizeof(dotted));
	memcpy(dotted, *text, n);
	assert_true(csr_oid(dotted, &oid));
	forge_put(out, DER_OID, (struct est_span){ oid.der, oid.n });
	*text += n;
}

static inline void put_one(const char **text, struct est_buf *out)
{
	struct est_buf body = { 0 };
	int tag, byte;
	size_t n;

	if (**text == '@') {
		++*text;
		put_oid(text, out);
		return;
	}
	tag = take_byte(text);
	assert_true(tag >= 0);
	switch (*(*text)++) {
	case '{':
		put_text(text, &body);
		assert_int_equal(*(*text)++, '}');
		break;
	case '#':
		while ((byte = take_byte(text)) >= 0)
			forge_append(&body, BYTES((uint8_t)byte));
		break;
	default:
		n = strcspn(*text, "'");
		forge_append(&body, (struct est_span){ (const uint8_t *)*text, n });
		*text += n + 1;
	}
	forge_put(out, (uint8_t)tag, est_buf_span(&body));
	est_buf_free(&body);
}

static inline void put_text(const char **text, struct est_buf *out)
{
	for (*text += strspn(*text, " "); **text && **text != '}'; *text += strspn(*text, " "))
		put_one(text, out);
}

static inline struct est_csrattrs *attrs_of(const char *elements)
{
	struct est_csrattrs *attrs = NULL;
	struct est_quirks quirks = { 0 };
	struct est_error err = { 0 };
	struct est_buf der = { 0 };

	put_text(&elements, &der);
	forge_wrap(&der, DER_SEQUENCE);
	if (est_csrattrs_decode(est_buf_span(&der), &quirks, &attrs, &err) != EST_OK)
		fail_msg("%s", err.msg);
	est_buf_free(&der);
	return attrs;
}

static inline struct est_csrattrs *vector(const char *name)
{
	struct est_csrattrs *attrs = NULL;
	struct est_quirks quirks = { 0 };
	struct est_error err = { 0 };
	struct est_buf der = { 0 };

	read_vector(name, &der);
	assert_int_equal(est_csrattrs_decode(est_buf_span(&der), &quirks, &attrs, &err), EST_OK);
	est_buf_free(&der);
	return attrs;
}

/* "subjectAltName dns:a; keyUsage critical digitalSignature" */
static inline void extensions_text(const struct est_plan *plan, struct est_buf *out)
{
	struct est_span in = est_buf_span(&plan->extensions);
	struct cert_ext ext;
	struct est_error err;
	struct der_tlv list;

	while (in.n > 0 && der_expect(&in, DER_SEQUENCE, &list)) {
		while (cert_next_extension(&list.body, false, &ext)) {
			if (out->n)
				forge_append(out, est_span_str("; "));
			assert_int_equal(x509_oid(ext.oid, out, &err), EST_OK);
			forge_append(out, est_span_str(ext.critical ? " critical " : " "));
			assert_int_equal(x509_extension_value(ext.oid, ext.value, out, &err),
				EST_OK);
		}
		assert_int_equal(list.body.n, 0);
	}
	forge_append(out, BYTES(0));
}

static inline void assert_text(const char *what, struct est_buf *got, const char *due)
{
	if (strcmp((const char *)got->p, due) != 0)
		fail_msg("%s: '%s' is due, not '%s'", what, due, (const char *)got->p);
	est_buf_free(got);
}

static inline void assert_planned(const struct row *row, const struct est_plan *plan)
{
	struct est_buf text = { 0 };
	struct est_error err;

	forge_append(&text, est_span_str(plan->key_type));
	forge_append(&text, BYTES(0));
	assert_text(row->what, &text, row->type ? row->type : row->key ? row->key : "ec:p256");
	forge_append(&text, est_span_str(plan->hash));
	forge_append(&text, BYTES(0));
	assert_text(row->what, &text, row->sign ? row->sign : "");
	if (row->name) {
		assert_int_equal(x509_name(est_buf_span(&plan->subject), &text, &err), EST_OK);
		forge_append(&text, BYTES(0));
		assert_text(row->what, &text, row->name);
	}
	if (row->extensions) {
		extensions_text(plan, &text);
		assert_text(row->what, &text, row->extensions);
	}
}

static inline void try_row(const struct row *row, struct est_csrattrs *attrs)
{
	const char *const dns[] = { row->dns, NULL }, *const ip[] = { row->ip, NULL },
			  *const usage[] = { row->usage, NULL },
			  *const purpose[] = { row->purpose, NULL };
	const struct est_csr_spec spec = { .subject = row->subject,
		.dns = dns,
		.ip = ip,
		.key_usage = usage,
		.ext_key_usage = purpose,
		.hash = row->hash };
	struct est_plan plan = { 0 };
	struct est_error err = { 0 };
	enum est_code rc;

	rc = est_plan_make(&spec, row->key ? row->key : "ec:p256", row->key != NULL, attrs, &plan,
		&err);
	if (rc != row->code)
		fail_msg("%s: %d is due, not %d: %s", row->what, row->code, rc, err.msg);
	if (rc == EST_OK) {
		assert_planned(row, &plan);
	} else {
		if (row->reason && (!err.reason || strcmp(err.reason, row->reason) != 0))
			fail_msg("%s: reason %s, not %s", row->what, row->reason, err.reason);
		if (!strstr(err.msg, row->says))
			fail_msg("%s: '%s' does not say '%s'", row->what, err.msg, row->says);
		assert_int_equal(plan.subject.n, 0);
	}
	est_plan_wipe(&plan);
	est_csrattrs_free(attrs);
}

static inline void try_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		try_row(&rows[i], rows[i].attrs ? attrs_of(rows[i].attrs) : NULL);
}

#define TRY(rows) try_rows(rows, sizeof(rows) / sizeof((rows)[0]))
#define CONFLICT  .code = EST_E_INPUT, .reason = "csrattrs-conflict"
#define UNFILLED  .code = EST_E_INPUT, .reason = "csrattrs-unfilled"
#define REFUSED   .code = EST_E_INPUT, .reason = "csrattrs-refused"

#endif

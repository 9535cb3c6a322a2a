/* SPDX-License-Identifier: MIT */
/* CSR attributes: what decodes is within the limits, says the same when decoded again, can be shown
 * and explained, and makes no request for a CA certificate or for names that were not given. */
#include "cert.h"
#include "csrattrs.h"
#include "fuzzing.h"
#include "key.h"

static void show(const struct est_csrattr *attr)
{
	struct est_buf text = { 0 };
	struct est_error err;

	FUZZ_ASSERT(attr->attribute || attr->n_values == 0);
	FUZZ_ASSERT(attr->n_values <= EST_CSRATTRS_MAX && attr->oid[0]);
	FUZZ_ASSERT(attr->oid[strspn(attr->oid, "#0123456789abcdef.")] == '\0');
	FUZZ_ASSERT(!attr->name || attr->name == est_oid_name(attr->oid));
	for (size_t i = 0; i < attr->n_values; i++) {
		FUZZ_ASSERT(est_csrattr_value_text(attr, i, &text, &err) == EST_OK);
		fuzz_assert_safe((const char *)text.p, text.n);
		text.n = 0;
	}
	est_buf_free(&text);
}

/* ours: dns:a.example, ip:192.0.2.1, and the name that only a registrar knows */
static void check_names(struct est_span value)
{
	struct der_tlv list, name, oid;

	FUZZ_ASSERT(der_expect(&value, DER_SEQUENCE, &list) && value.n == 0);
	while (list.body.n > 0) {
		FUZZ_ASSERT(der_next(&list.body, &name));
		if (name.tag == DER_CONTEXT(2))
			FUZZ_ASSERT(name.body.n == 9);
		else if (name.tag == DER_CONTEXT(7))
			FUZZ_ASSERT(est_span_eq(name.body, CERT_OID(192, 0, 2, 1)));
		else if (name.tag != DER_CONTEXT_C(4)) /* the subject */
			FUZZ_ASSERT(name.tag == DER_CONTEXT_C(0) &&
				    der_expect(&name.body, DER_OID, &oid) &&
				    est_span_eq(oid.body, CERT_OID(0x2b, 6, 1, 5, 5, 7, 8, 10)));
	}
}

static void check_plan(const struct est_plan *plan)
{
	struct est_span in = est_buf_span(&plan->extensions), value, bits;
	struct cert_ext ext;
	struct der_tlv list = { 0 }, tlv;
	struct est_error err;

	FUZZ_ASSERT(key_type_known(plan->key_type) && plan->named);
	FUZZ_ASSERT(!*plan->hash || strncmp(plan->hash, "sha", 3) == 0);
	FUZZ_ASSERT(cert_check_name(est_buf_span(&plan->subject), "", &err) == EST_OK);
	FUZZ_ASSERT(in.n == 0 || (der_expect(&in, DER_SEQUENCE, &list) && in.n == 0));
	while (list.body.n > 0) {
		FUZZ_ASSERT(cert_next_extension(&list.body, false, &ext));
		value = ext.value;
		if (est_span_eq(ext.oid, CERT_OID_SAN))
			check_names(value);
		if (est_span_eq(ext.oid, CERT_OID_BASIC_CONSTRAINTS))
			FUZZ_ASSERT(der_expect(&value, DER_SEQUENCE, &tlv) &&
				    (!der_expect(&tlv.body, DER_BOOLEAN, &tlv) || !tlv.body.p[0]));
		if (est_span_eq(ext.oid, CERT_OID_KEY_USAGE) &&
			der_expect(&value, DER_BIT_STRING, &tlv)) {
			bits = tlv.body;
			FUZZ_ASSERT(bits.n < 2 || !(bits.p[1] & 0x06));
		}
	}
}

static void plan(const struct est_csrattrs *attrs)
{
	static const char *const dns[] = { "a.example", NULL }, *const ip[] = { "192.0.2.1", NULL };
	const struct est_csr_spec specs[] = { { .subject = "CN=a,OU=b", .dns = dns, .ip = ip },
		{ .subject = "CN=a" }, { .dns = dns, .hash = "sha384" } };
	struct est_plan out = { 0 };
	struct est_error err;
	enum est_code rc;

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		rc = est_plan_make(&specs[i], "ec:p256", i == 2, attrs, &out, &err);
		FUZZ_ASSERT(rc == EST_OK || rc == EST_E_INPUT || rc == EST_E_PROTOCOL);
		if (rc == EST_OK)
			check_plan(&out);
		est_plan_wipe(&out);
	}
	rc = est_plan_make(NULL, "ec:p256", false, attrs, &out, &err);
	FUZZ_ASSERT(rc == EST_OK || rc == EST_E_PROTOCOL);
	est_plan_wipe(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct est_quirks quirks = { 0 }, strict = { .strict = true };
	const struct est_span in = { data, size };
	struct est_csrattrs *attrs = NULL, *again = NULL;
	enum est_code rc, rc_strict;
	struct est_error err;

	rc = est_csrattrs_decode(in, &quirks, &attrs, &err);
	if (rc != EST_OK)
		fuzz_assert_failed(rc, &err);
	rc_strict = est_csrattrs_decode(in, &strict, &again, &err);
	FUZZ_ASSERT((rc_strict == EST_OK) == (rc == EST_OK && quirks.seen == 0));
	est_csrattrs_free(again);
	if (rc != EST_OK)
		return 0;
	FUZZ_ASSERT(est_csrattrs_count(attrs) <= EST_CSRATTRS_MAX);
	for (size_t i = 0; i < est_csrattrs_count(attrs); i++)
		show(est_csrattrs_get(attrs, i));
	plan(attrs);
	quirks.seen = 0;
	FUZZ_ASSERT(est_csrattrs_decode(est_csrattrs_der(attrs), &quirks, &again, &err) == EST_OK);
	FUZZ_ASSERT(est_csrattrs_count(again) == est_csrattrs_count(attrs));
	est_csrattrs_free(again);
	est_csrattrs_free(attrs);
	return 0;
}

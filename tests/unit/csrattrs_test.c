/* SPDX-License-Identifier: MIT */
/* CSR attributes: the samples of the standards, their rules, and what breaks them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "csrattrs.h"
#include "forge.h"

#define VECTORS "tests/data/vectors/"

#define CHALLENGE 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07
#define EXT_REQ   0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e
#define EC_KEY    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
#define RSA_KEY   0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01
#define TEMPLATE  0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x3d
#define SECP384R1 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22
#define KEY_USAGE 0x06, 0x03, 0x55, 0x1d, 0x0f

struct expected {
	const char *oid, *name; /* name NULL: not recognised */
	const char *values[3];  /* in words; NULL-terminated when fewer */
	bool attribute;
};

static struct est_csrattrs *decode_file(const char *vector, uint32_t deviations)
{
	struct est_quirks quirks = { 0 };
	struct est_csrattrs *attrs = NULL;
	struct est_error err = { 0 };
	struct est_buf der = { 0 };
	char path[128];

	(void)snprintf(path, sizeof(path), VECTORS "%s.der", vector);
	assert_int_equal(est_read_file(path, EST_FILE_MAX, &der, &err), EST_OK);
	if (est_csrattrs_decode(est_buf_span(&der), &quirks, &attrs, &err) != EST_OK)
		fail_msg("%s: %s", vector, err.msg);
	assert_int_equal(quirks.seen, deviations);
	assert_true(est_span_eq(est_csrattrs_der(attrs), est_buf_span(&der)));
	est_buf_free(&der);
	return attrs;
}

static void assert_value(const struct est_csrattr *attr, size_t i, const char *text)
{
	struct est_error err = { 0 };
	struct est_buf out = { 0 };

	assert_int_equal(est_csrattr_value_text(attr, i, &out, &err), EST_OK);
	assert_int_equal(est_buf_append(&out, BYTES(0), &err), EST_OK);
	assert_string_equal((char *)out.p, text);
	est_buf_free(&out);
}

static void assert_list(const char *vector, uint32_t deviations, const struct expected *expected,
	size_t n)
{
	struct est_csrattrs *attrs = decode_file(vector, deviations);

	assert_int_equal(est_csrattrs_count(attrs), n);
	for (size_t i = 0; i < n; i++) {
		const struct est_csrattr *attr = est_csrattrs_get(attrs, i);
		size_t values = 0;

		assert_string_equal(attr->oid, expected[i].oid);
		assert_int_equal(attr->attribute, expected[i].attribute);
		assert_int_equal(attr->name != NULL, expected[i].name != NULL);
		if (attr->name)
			assert_string_equal(attr->name, expected[i].name);
		for (; values < 3 && expected[i].values[values]; values++)
			assert_value(attr, values, expected[i].values[values]);
		assert_int_equal(attr->n_values, values);
	}
	est_csrattrs_free(attrs);
}

#define ASSERT_LIST(vector, deviations, ...)                                                       \
	assert_list(vector, deviations, (const struct expected[]){ __VA_ARGS__ },                  \
		sizeof((const struct expected[]){ __VA_ARGS__ }) / sizeof(struct expected))

#define CHALLENGE_OID                                                                              \
	{                                                                                          \
		"1.2.840.113549.1.9.7", "challengePassword", { NULL }, false                       \
	}

/* proves: R7030-4.5.2-03 R7030-4.5.2-04 R8951-4-01 */
static void the_list_of_rfc_7030_a2_keeps_what_nobody_knows(void **state)
{
	(void)state;
	ASSERT_LIST("rfc7030-a2-csrattrs", 0, { "1.3.6.1.1.1.1.22", "macAddress", { NULL }, false },
		{ "2.999.1", NULL, { "Parse SET as 2.999.1 data" }, true }, CHALLENGE_OID,
		{ "2.999.2", NULL, { "2.999.3", "2.999.4", "Parse SET as 2.999.2 data" }, true },
		{ "1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1", { NULL }, false },
		{ "2.16.840.1.101.3.4.2.2", "sha384", { NULL }, false });
}

/* proves: R7030-4.5.2-04 R9908-3.2-03 Q-CSRATTRS-VALUE */
static void an_oid_where_extensions_are_due_is_not_recognised(void **state)
{
	struct est_quirks strict = { .strict = true };
	struct est_csrattrs *attrs = NULL;
	struct est_error err = { 0 };
	struct est_buf der = { 0 };

	(void)state;
	ASSERT_LIST("rfc7030-4.5.2-csrattrs", 1u << EST_Q_CSRATTRS_VALUE, CHALLENGE_OID,
		{ "1.2.840.10045.2.1", "ecPublicKey", { "secp384r1" }, true },
		{ "1.2.840.113549.1.9.14", NULL, { "macAddress" }, true },
		{ "1.2.840.10045.4.3.3", "ecdsa-with-SHA384", { NULL }, false });
	assert_int_equal(est_read_file(VECTORS "rfc7030-4.5.2-csrattrs.der", 999, &der, &err),
		EST_OK);
	assert_int_equal(est_csrattrs_decode(est_buf_span(&der), &strict, &attrs, &err),
		EST_E_PROTOCOL);
	assert_non_null(strstr(err.msg, "Q-CSRATTRS-VALUE"));
	est_buf_free(&der);
}

/* proves: R7030-4.5.2-05 */
static void the_empty_sequence_is_a_list_of_none(void **state)
{
	struct est_csrattrs *attrs = decode_file("rfc7030-4.5.2-empty", 0);

	(void)state;
	assert_int_equal(est_csrattrs_count(attrs), 0);
	est_csrattrs_free(attrs);
}

/* proves: R9908-3.2-05 R9908-3.2-06 R9908-3.2-07 */
static void the_lists_of_rfc_9908_decode(void **state)
{
	(void)state;
	ASSERT_LIST("rfc9908-3.2-ec-any-curve", 0,
		{ "1.2.840.10045.2.1", "ecPublicKey", { NULL }, true });
	ASSERT_LIST("rfc9908-5.2-revised", 0, CHALLENGE_OID,
		{ "1.2.840.10045.2.1", "ecPublicKey", { "secp384r1" }, true },
		{ "1.3.6.1.1.1.1.22", "macAddress", { NULL }, false },
		{ "1.2.840.10045.4.3.3", "ecdsa-with-SHA384", { NULL }, false });
	ASSERT_LIST("rfc9908-5.4-rsa4096", 0, CHALLENGE_OID,
		{ "1.2.840.113549.1.1.1", "rsaEncryption", { "4096" }, true },
		{ "1.2.840.113549.1.1.11", "sha256WithRSAEncryption", { NULL }, false });
	ASSERT_LIST("rfc9908-5.5-p384", 0, CHALLENGE_OID,
		{ "1.2.840.10045.2.1", "ecPublicKey", { "secp384r1" }, true },
		{ "2.5.4.5", "serialNumber", { NULL }, false },
		{ "1.2.840.10045.4.3.3", "ecdsa-with-SHA384", { NULL }, false });
	ASSERT_LIST("rfc9908-5.6-p521-attrs", 0, CHALLENGE_OID,
		{ "1.2.840.10045.2.1", "ecPublicKey", { "secp521r1" }, true },
		{ "1.2.840.113549.1.9.20", "friendlyName", { NULL }, false },
		{ "0.9.2342.19200300.100.1.5", "favouriteDrink", { NULL }, false },
		{ "2.5.4.5", "serialNumber", { NULL }, false },
		{ "1.2.840.10045.4.3.4", "ecdsa-with-SHA512", { NULL }, false });
}

/* proves: R9908-3.2-01 */
static void the_extension_of_rfc_9908_5_1_is_said_in_words(void **state)
{
	(void)state;
	ASSERT_LIST("rfc9908-5.1-acp-san", 0,
		{ "1.2.840.113549.1.9.14", "extensionRequest",
			{ "subjectAltName critical othername:acpNodeName:"
			  "rfc8994+fd739fc23c3440112233445500000000+@acp.example.com" },
			true });
}

/* proves: R9908-3.4-01 R9908-3.4-10 R9908-4-01 */
static void the_template_of_rfc_9908_3_4_is_said_in_words(void **state)
{
	static const char subject_and_key[] = "subject commonName, organizationalUnitName=myDept, "
					      "organizationalUnitName=myGroup; key EC P-256";
	static const char all[] =
		"subject commonName, organizationalUnitName=myDept, "
		"organizationalUnitName=myGroup; key EC P-256; subjectAltName "
		"dns:www.myServer.com, ip:; keyUsage critical digitalSignature, keyAgreement; "
		"extKeyUsage (to be filled in)";

	(void)state;
	ASSERT_LIST("rfc9908-3.4-template", 0,
		{ CSRATTRS_TEMPLATE, "certificationRequestInfoTemplate", { all }, true });
	ASSERT_LIST("rfc9908-3.4-template-printed-oid", 0,
		{ CSRATTRS_TEMPLATE, "certificationRequestInfoTemplate", { subject_and_key },
			true });
	ASSERT_LIST("rfc9908-4-legacy-and-template", 0, CHALLENGE_OID,
		{ CSRATTRS_RSA, "rsaEncryption", { "4096" }, true },
		{ "1.2.840.113549.1.1.11", "sha256WithRSAEncryption", { NULL }, false },
		{ CSRATTRS_TEMPLATE, "certificationRequestInfoTemplate", { all }, true });
}

/* Wraps the elements into a list and decodes it. */
static enum est_code decode_list(struct est_span elements, struct est_quirks *quirks,
	struct est_csrattrs **attrs, struct est_error *err)
{
	struct est_buf der = { 0 };
	enum est_code rc;

	forge_put(&der, DER_SEQUENCE, elements);
	rc = est_csrattrs_decode(est_buf_span(&der), quirks, attrs, err);
	est_buf_free(&der);
	return rc;
}

static void assert_refused(struct est_span elements, const char *why)
{
	struct est_quirks quirks = { 0 };
	struct est_csrattrs *attrs = NULL;
	struct est_error err = { 0 };

	assert_int_equal(decode_list(elements, &quirks, &attrs, &err), EST_E_PROTOCOL);
	assert_null(attrs);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

/* Decodes to one element or more; the caller frees. */
static struct est_csrattrs *assert_taken(struct est_span elements, uint32_t deviations)
{
	struct est_quirks quirks = { 0 };
	struct est_csrattrs *attrs = NULL;
	struct est_error err = { 0 };

	if (decode_list(elements, &quirks, &attrs, &err) != EST_OK)
		fail_msg("refused: %s", err.msg);
	assert_int_equal(quirks.seen, deviations);
	return attrs;
}

/* proves: R8951-4-01 */
static void only_oids_and_attributes_may_stand_in_the_list(void **state)
{
	(void)state;
	assert_refused(BYTES(0x04, 0), "neither OID nor Attribute");
	assert_refused(BYTES(0x31, 0), "neither OID nor Attribute");
	assert_refused(BYTES(0x30, 0), "no Attribute");
	assert_refused(BYTES(0x30, 11, CHALLENGE), "no Attribute");
	assert_refused(BYTES(0x30, 15, CHALLENGE, 0x31, 0, 0x31, 0), "no Attribute");
	assert_refused(BYTES(0x30, 13, CHALLENGE, 0x30, 0), "no Attribute");
	assert_refused(BYTES(0x06, 0), "malformed OID");
	assert_refused(BYTES(0x06, 1, 0x80), "malformed OID");
}

static void what_is_no_der_is_refused(void **state)
{
	const struct est_span wrong[] = { NOTHING, BYTES(0x30), BYTES(0x30, 1), BYTES(0x31, 0),
		BYTES(0x30, 0x80, 0, 0), BYTES(0x30, 0x81, 0), BYTES(0x30, 0, 0x30, 0),
		BYTES(0x30, 2, 6, 1), BYTES(0x06, 1, 0x2a), BYTES('M', 'A', '=', '=') };
	struct est_quirks quirks = { 0 };
	struct est_csrattrs *attrs = NULL;
	struct est_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(est_csrattrs_decode(wrong[i], &quirks, &attrs, &err),
			EST_E_PROTOCOL);
	assert_null(attrs);
}

/* proves: Q-TRAILING */
static void a_newline_after_the_list_is_noted(void **state)
{
	struct est_quirks quirks = { 0 }, strict = { .strict = true };
	struct est_csrattrs *attrs = NULL;
	struct est_error err;

	(void)state;
	assert_int_equal(est_csrattrs_decode(BYTES(0x30, 0, '\r', '\n'), &quirks, &attrs, &err),
		EST_OK);
	assert_int_equal(quirks.seen, 1u << EST_Q_TRAILING);
	assert_int_equal(est_csrattrs_der(attrs).n, 2);
	est_csrattrs_free(attrs);
	assert_int_equal(est_csrattrs_decode(BYTES(0x30, 0, '\n'), &strict, &attrs, &err),
		EST_E_PROTOCOL);
}

/* proves: R7030-4.5.2-04 */
static void an_oid_that_no_decoder_holds_is_ignored(void **state)
{
	/* 2.25.UUID: an arc of 128 bits. */
	const struct est_span uuid = BYTES(0x06, 0x14, 0x69, 0x83, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
		CHALLENGE);
	struct est_csrattrs *attrs = assert_taken(uuid, 0);

	(void)state;
	assert_int_equal(est_csrattrs_count(attrs), 2);
	assert_null(est_csrattrs_get(attrs, 0)->name);
	assert_string_equal(est_csrattrs_get(attrs, 1)->name, "challengePassword");
	est_csrattrs_free(attrs);
}

/* proves: R9908-3.2-02 */
static void two_extension_requests_are_refused(void **state)
{
	const struct est_span one = BYTES(0x30, 24, EXT_REQ, 0x31, 11, 0x30, 9, 0x30, 7, KEY_USAGE,
		4, 0);
	struct est_buf list = { 0 };

	(void)state;
	est_csrattrs_free(assert_taken(one, 0));
	forge_repeat(&list, one, 2);
	assert_refused(est_buf_span(&list), "two extensionRequest");
	est_buf_free(&list);
}

/* proves: R9908-3.2-03 */
static void an_extension_request_has_one_value(void **state)
{
	(void)state;
	assert_refused(BYTES(0x30, 13, EXT_REQ, 0x31, 0), "0 values, not 1");
	assert_refused(BYTES(0x30, 17, EXT_REQ, 0x31, 4, 0x30, 0, 0x30, 0), "2 values, not 1");
	/* One value that is no list of extensions is no extensionRequest. */
	est_csrattrs_free(assert_taken(BYTES(0x30, 15, EXT_REQ, 0x31, 2, 0x30, 0),
		1u << EST_Q_CSRATTRS_VALUE));
	est_csrattrs_free(assert_taken(BYTES(0x30, 17, EXT_REQ, 0x31, 4, 0x30, 2, 0x30, 0),
		1u << EST_Q_CSRATTRS_VALUE));
	est_csrattrs_free(assert_taken(BYTES(0x30, 15, EXT_REQ, 0x31, 2, 0x05, 0),
		1u << EST_Q_CSRATTRS_VALUE));
}

/* proves: R9908-3.2-04 */
static void an_extension_asked_for_twice_is_refused(void **state)
{
	(void)state;
	assert_refused(BYTES(0x30, 33, EXT_REQ, 0x31, 20, 0x30, 18, 0x30, 7, KEY_USAGE, 4, 0, 0x30,
			       7, KEY_USAGE, 4, 0),
		"twice");
}

/* proves: R9908-3.2-05 */
static void two_demands_on_the_key_are_refused(void **state)
{
	(void)state;
	assert_refused(BYTES(0x30, 11, EC_KEY, 0x31, 0, 0x30, 11, EC_KEY, 0x31, 0),
		"two demands on the key");
	assert_refused(BYTES(0x30, 13, RSA_KEY, 0x31, 0, 0x30, 11, EC_KEY, 0x31, 0),
		"two demands on the key");
	/* Bare OIDs are no demands by this rule. */
	est_csrattrs_free(assert_taken(BYTES(RSA_KEY, EC_KEY), 0));
}

/* proves: R9908-3.2-07 */
static void a_key_demand_with_an_odd_value_is_not_recognised(void **state)
{
	const struct est_span odd[] = {
		BYTES(0x30, 14, EC_KEY, 0x31, 3, 2, 1, 5),    /* EC with an INTEGER */
		BYTES(0x30, 20, RSA_KEY, 0x31, 7, SECP384R1), /* RSA with a curve */
		BYTES(0x30, 10, 6, 3, 0x2b, 0x65, 0x70, 0x31, 3, 2, 1,
			5), /* Ed25519 with anything */
	};
	struct est_csrattrs *attrs;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		attrs = assert_taken(odd[i], 1u << EST_Q_CSRATTRS_VALUE);
		assert_null(est_csrattrs_get(attrs, 0)->name);
		est_csrattrs_free(attrs);
	}
	/* The NULL of an AlgorithmIdentifier means any size. */
	attrs = assert_taken(BYTES(0x30, 15, RSA_KEY, 0x31, 2, 5, 0), 1u << EST_Q_CSRATTRS_VALUE);
	assert_string_equal(est_csrattrs_get(attrs, 0)->name, "rsaEncryption");
	assert_int_equal(est_csrattrs_get(attrs, 0)->n_values, 0);
	est_csrattrs_free(attrs);
}

/* An Attribute with the template OID and this value. */
static void template_put(struct est_span value, struct est_buf *out)
{
	struct est_buf attr = { 0 };

	forge_append(&attr, BYTES(TEMPLATE));
	forge_put(&attr, DER_SET, value);
	forge_put(out, DER_SEQUENCE, est_buf_span(&attr));
	est_buf_free(&attr);
}

/* proves: R9908-4-02 */
static void beside_a_template_the_list_cannot_be_wrong(void **state)
{
	struct est_buf list = { 0 };

	(void)state;
	forge_append(&list, BYTES(0x30, 13, RSA_KEY, 0x31, 0, 0x30, 11, EC_KEY, 0x31, 0));
	template_put(BYTES(0x30, 5, 2, 1, 0, 0xa1, 0), &list);
	est_csrattrs_free(assert_taken(est_buf_span(&list), 0));
	est_buf_free(&list);
}

/* proves: R9908-3.4-02 R9908-3.4-09 R9908-3.4-10 */
static void a_template_that_breaks_its_rules_is_refused(void **state)
{
	struct est_buf list = { 0 };
	const struct est_span no_template[] = {
		BYTES(0x30, 3, 2, 1, 0), /* no attributes */
		BYTES(0x30, 7, 2, 1, 0, 0xa1, 2, 5, 0),
		BYTES(0x30, 7, 2, 1, 0, 0xa1, 0, 5, 0),
		BYTES(0x05, 0),
	};
	struct est_csrattrs *attrs;

	(void)state;
	template_put(NOTHING, &list);
	assert_refused(est_buf_span(&list), "0 values, not 1");
	est_buf_free(&list);
	template_put(BYTES(0x30, 5, 2, 1, 0, 0xa1, 0), &list);
	template_put(BYTES(0x30, 5, 2, 1, 0, 0xa1, 0), &list);
	assert_refused(est_buf_span(&list), "two templates");
	est_buf_free(&list);
	/* extensionRequest and extensionReqTemplate in one template. */
	template_put(BYTES(0x30, 59, 2, 1, 0, 0xa1, 54, 0x30, 24, EXT_REQ, 0x31, 11, 0x30, 9, 0x30,
			     7, KEY_USAGE, 4, 0, 0x30, 26, 6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7,
			     0x0d, 1, 9, 16, 2, 62, 0x31, 11, 0x30, 9, 0x30, 7, KEY_USAGE, 4, 0),
		&list);
	assert_refused(est_buf_span(&list), "two lists of extensions");
	est_buf_free(&list);
	template_put(BYTES(0x30, 5, 2, 1, 1, 0xa1, 0), &list);
	assert_refused(est_buf_span(&list), "another version than v1");
	est_buf_free(&list);
	for (size_t i = 0; i < sizeof(no_template) / sizeof(no_template[0]); i++) {
		template_put(no_template[i], &list);
		attrs = assert_taken(est_buf_span(&list), 1u << EST_Q_CSRATTRS_VALUE);
		assert_null(est_csrattrs_get(attrs, 0)->name);
		est_csrattrs_free(attrs);
		est_buf_free(&list);
	}
}

/* proves: R9908-3.4-10 */
static void a_lone_extension_template_is_a_list_of_one(void **state)
{
	struct est_buf list = { 0 };
	struct est_csrattrs *attrs;

	(void)state;
	template_put(BYTES(0x30, 29, 2, 1, 0, 0xa1, 24, 0x30, 22, 6, 11, 0x2a, 0x86, 0x48, 0x86,
			     0xf7, 0x0d, 1, 9, 16, 2, 62, 0x31, 7, 0x30, 5, KEY_USAGE),
		&list);
	attrs = assert_taken(est_buf_span(&list), 0);
	assert_value(est_csrattrs_get(attrs, 0), 0, "keyUsage (to be filled in)");
	est_csrattrs_free(attrs);
	est_buf_free(&list);
}

static void the_list_is_capped(void **state)
{
	static uint8_t junk[EST_CSRATTRS_BYTES_MAX + 1];
	struct est_quirks quirks = { 0 };
	struct est_csrattrs *attrs = NULL;
	struct est_buf list = { 0 }, values = { 0 };
	struct est_error err;

	(void)state;
	assert_int_equal(est_csrattrs_decode((struct est_span){ junk, sizeof(junk) }, &quirks,
				 &attrs, &err),
		EST_E_PROTOCOL);
	assert_non_null(strstr(err.msg, "limit of 65536"));
	forge_repeat(&list, BYTES(6, 1, 0x2a), EST_CSRATTRS_MAX);
	est_csrattrs_free(assert_taken(est_buf_span(&list), 0));
	forge_append(&list, BYTES(6, 1, 0x2a));
	assert_refused(est_buf_span(&list), "more than 256 elements");
	est_buf_free(&list);
	forge_repeat(&values, BYTES(5, 0), EST_CSRATTRS_MAX + 1);
	forge_append(&list, BYTES(6, 1, 0x2a));
	forge_put(&list, DER_SET, est_buf_span(&values));
	forge_wrap(&list, DER_SEQUENCE);
	assert_refused(est_buf_span(&list), "more than 256 values");
	est_buf_free(&list);
	est_buf_free(&values);
	for (int i = 0; i <= EST_DEPTH_MAX; i++)
		forge_wrap(&list, DER_SEQUENCE);
	assert_refused(est_buf_span(&list), "nested too deeply");
	est_buf_free(&list);
}

static void values_are_escaped_and_cut(void **state)
{
	struct est_csrattrs *attrs;
	struct est_error err = { 0 };
	struct est_buf value = { 0 }, attr = { 0 }, text = { 0 };

	(void)state;
	attrs = assert_taken(BYTES(0x30, 10, 6, 1, 0x2a, 0x31, 5, 0x0c, 3, 'a', 0x1b, 'b'), 0);
	assert_int_equal(est_csrattr_value_text(est_csrattrs_get(attrs, 0), 0, &text, &err),
		EST_OK);
	assert_null(memchr(text.p, 0x1b, text.n));
	assert_int_equal(est_csrattr_value_text(est_csrattrs_get(attrs, 0), 1, &text, &err),
		EST_E_INTERNAL);
	est_buf_free(&text);
	est_csrattrs_free(attrs);
	/* Hex of 32 bytes and no more. */
	forge_repeat(&value, BYTES(0xab), 1000);
	forge_wrap(&value, DER_OCTET_STRING);
	forge_append(&attr, BYTES(6, 1, 0x2a));
	forge_put(&attr, DER_SET, est_buf_span(&value));
	forge_wrap(&attr, DER_SEQUENCE);
	attrs = assert_taken(est_buf_span(&attr), 0);
	assert_int_equal(est_csrattr_value_text(est_csrattrs_get(attrs, 0), 0, &text, &err),
		EST_OK);
	assert_int_equal(text.n, 1 + 64 + 3);
	est_csrattrs_free(attrs);
	est_buf_free(&text);
	est_buf_free(&attr);
	est_buf_free(&value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_of_rfc_7030_a2_keeps_what_nobody_knows),
		cmocka_unit_test(an_oid_where_extensions_are_due_is_not_recognised),
		cmocka_unit_test(the_empty_sequence_is_a_list_of_none),
		cmocka_unit_test(the_lists_of_rfc_9908_decode),
		cmocka_unit_test(the_extension_of_rfc_9908_5_1_is_said_in_words),
		cmocka_unit_test(the_template_of_rfc_9908_3_4_is_said_in_words),
		cmocka_unit_test(only_oids_and_attributes_may_stand_in_the_list),
		cmocka_unit_test(what_is_no_der_is_refused),
		cmocka_unit_test(a_newline_after_the_list_is_noted),
		cmocka_unit_test(an_oid_that_no_decoder_holds_is_ignored),
		cmocka_unit_test(two_extension_requests_are_refused),
		cmocka_unit_test(an_extension_request_has_one_value),
		cmocka_unit_test(an_extension_asked_for_twice_is_refused),
		cmocka_unit_test(two_demands_on_the_key_are_refused),
		cmocka_unit_test(a_key_demand_with_an_odd_value_is_not_recognised),
		cmocka_unit_test(beside_a_template_the_list_cannot_be_wrong),
		cmocka_unit_test(a_template_that_breaks_its_rules_is_refused),
		cmocka_unit_test(a_lone_extension_template_is_a_list_of_one),
		cmocka_unit_test(the_list_is_capped),
		cmocka_unit_test(values_are_escaped_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

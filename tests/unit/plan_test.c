/* SPDX-License-Identifier: MIT */
/* Key, signature and the whole of a request when the operator wants one thing and the CA another.
 */
#include "plan_run.h"

static void without_demands_the_operator_has_his_way(void **state)
{
	const struct row rows[] = {
		{ "no attributes", NULL, .subject = "CN=a", .dns = "a.example", .name = "CN=a",
			.extensions = "subjectAltName dns:a.example" },
		{ "an empty list", "", .key = "rsa:2048", .hash = "sha512", .sign = "sha512" },
		{ "an empty subject", NULL, .dns = "a.example", .name = "",
			.extensions = "subjectAltName critical dns:a.example" },
		{ "a template of nothing", TEMPLATE(NO_ATTRIBUTES), .subject = "CN=a",
			.name = "CN=a", .extensions = "" },
		{ "a subject that is none", NULL, .subject = "CN", .code = EST_E_USAGE,
			.says = "--subject" },
		{ "a name that is none", NULL, .dns = "a b", .code = EST_E_USAGE, .says = "--dns" },
		{ "no such key", NULL, .key = "ec:p999", .code = EST_E_USAGE, .says = "ec:p999" },
		{ "no such hash", NULL, .hash = "md5", .code = EST_E_USAGE, .says = "md5" },
	};

	(void)state;
	TRY(rows);
}

/* proves: R7030-4.5.2-08 R9908-3.2-05 R9908-3.2-06 R9908-3.2-07 */
static void a_demand_chooses_the_key(void **state)
{
	const struct row rows[] = {
		{ "a curve", KEY(EC, P384), .type = "ec:p384" },
		{ "any curve", KEY(EC, ""), .type = "ec:p256" },
		{ "any curve, the operator's", KEY(EC, ""), .key = "ec:p521" },
		{ "one of two curves", KEY(EC, P521 P384), .type = "ec:p521" },
		{ "the operator's of two", KEY(EC, P521 P384), .key = "ec:p384" },
		{ "the preferred of two", KEY(EC, P521 P256), .type = "ec:p256" },
		{ "a curve that is there beside one that is not", KEY(EC, BRAINPOOL P384),
			.type = "ec:p384" },
		{ "RSA of a size", KEY(RSA, "02#1000"), .type = "rsa:4096" },
		{ "any RSA", KEY(RSA, ""), .type = "rsa:3072" },
		{ "any RSA, the operator's", KEY(RSA, ""), .key = "rsa:2048" },
		{ "Ed25519", KEY(ED25519, ""), .type = "ed25519" },
		{ "a bare key type", "@" RSA, .type = "rsa:3072" },
		{ "a bare curve, the old way", P384, .type = "ec:p384" },
		{ "a bare curve that is not there", BRAINPOOL, .type = "ec:p256" },
		{ "a signature alone", RSA_SHA256, .type = "rsa:3072", .sign = "sha256" },
		{ "unknown things", "@1.2.3 30{@1.2.4 31{05#}}", .key = "ed448" },
	};

	(void)state;
	TRY(rows);
}

/* proves: R7030-4.5.2-08 R7030-4.5.2-10 */
static void a_demand_chooses_the_signature(void **state)
{
	const struct row rows[] = {
		{ "key and signature", KEY(EC, P384) ECDSA_SHA384, .type = "ec:p384",
			.sign = "sha384" },
		{ "another hash than the key's own", KEY(EC, P384) ECDSA_SHA256, .type = "ec:p384",
			.sign = "sha256" },
		{ "a bare hash", SHA384, .type = "ec:p256", .sign = "sha384" },
		{ "the first that the key can", RSA_SHA512 ECDSA_SHA384 ECDSA_SHA256,
			.key = "ec:p256", .sign = "sha384" },
		{ "the operator's hash among several", ECDSA_SHA384 ECDSA_SHA256, .hash = "sha256",
			.sign = "sha256" },
		{ "one that is too weak beside one that is not", RSA_SHA1 RSA_SHA256,
			.key = "rsa:2048", .sign = "sha256" },
		{ "Ed25519's own", "@" ED25519, .type = "ed25519" },
		{ "the hash of another key", RSA_SHA256, .key = "ec:p256", CONFLICT,
			.says = "sha256WithRSAEncryption: the key is ec:p256" },
		{ "another hash than the operator's", ECDSA_SHA384, .hash = "sha256", CONFLICT,
			.says = "ecdsa-with-SHA384: --hash is sha256" },
		{ "another hash for a fixed key", SHA384, .key = "ec:p256", .hash = "sha256",
			CONFLICT, .says = "sha384: the key is ec:p256, and --hash is sha256" },
		{ "a hash with a key that brings its own", SHA384, .key = "ed25519", CONFLICT,
			.says = "ed25519" },
		{ "SHA-1", RSA_SHA1, REFUSED, .says = "sha1WithRSAEncryption" },
		{ "SHA-1 alone", SHA1, REFUSED, .says = "the CA wants sha1" },
		{ "a signature of another key than the one demanded", KEY(EC, P384) RSA_SHA256,
			REFUSED, .says = "secp384r1, sha256WithRSAEncryption" },
	};

	(void)state;
	TRY(rows);
}

/* proves: R7030-4.5.2-10 R7030-6-04 */
static void a_key_that_cannot_be_is_refused(void **state)
{
	const struct row rows[] = {
		{ "another curve", KEY(EC, P384), .key = "ec:p256", CONFLICT,
			.says = "secp384r1: the key is ec:p256" },
		{ "another size", KEY(RSA, "02#1000"), .key = "rsa:2048", CONFLICT,
			.says = "rsaEncryption 4096: the key is rsa:2048" },
		{ "another kind", KEY(EC, ""), .key = "rsa:2048", CONFLICT, .says = "rsa:2048" },
		{ "a bare curve and another key", P384, .key = "ec:p256", CONFLICT,
			.says = "secp384r1" },
		{ "RSA 65536", KEY(RSA, "02#010000"), REFUSED, .says = "rsaEncryption 65536" },
		{ "RSA 1024", KEY(RSA, "02#0400"), REFUSED, .says = "rsaEncryption 1024" },
		{ "RSA 0", KEY(RSA, "02#00"), REFUSED, .says = "no such key" },
		{ "RSA 4097", KEY(RSA, "02#1001"), REFUSED, .says = "4097" },
		{ "RSA of a size with ninety digits",
			KEY(RSA, "02#7fffffffffffffffffffffffffffffffffffffffff"), REFUSED,
			.says = "no such key" },
		{ "RSA of a negative size", KEY(RSA, "02#ff"), REFUSED, .says = "no such key" },
		{ "a curve that is not there", KEY(EC, BRAINPOOL), REFUSED,
			.says = "brainpoolP384r1: no such key" },
		{ "a key that cannot sign", KEY(X25519, ""), REFUSED, .says = "X25519" },
		{ "RSASSA-PSS", KEY("1.2.840.113549.1.1.10", ""), REFUSED, .says = "RSASSA-PSS" },
	};

	(void)state;
	TRY(rows);
}

/* proves: R9908-3.4-06 R9908-3.4-07 */
static void the_template_says_which_key(void **state)
{
	struct est_buf modulus = { 0 };
	char text[2048] = "";
	const struct row rows[] = {
		{ "a curve", TEMPLATE("a0{30{@" EC " " P521 "}}" NO_ATTRIBUTES),
			.type = "ec:p521" },
		{ "any curve", TEMPLATE("a0{30{@" EC "}}" NO_ATTRIBUTES), .key = "ec:p384" },
		{ "any RSA key", TEMPLATE("a0{30{@" RSA " 05#}}" NO_ATTRIBUTES),
			.type = "rsa:3072" },
		{ "Ed25519", TEMPLATE("a0{30{@" ED25519 "}}" NO_ATTRIBUTES), .type = "ed25519" },
		{ "another one", TEMPLATE("a0{30{@" EC " " P521 "}}" NO_ATTRIBUTES),
			.key = "ec:p256", CONFLICT, .says = "EC P-521: the key is ec:p256" },
		{ "one that is not made here",
			TEMPLATE("a0{30{@" EC " " BRAINPOOL "}}" NO_ATTRIBUTES), REFUSED,
			.says = "no such key" },
		{ "one that nobody knows", TEMPLATE("a0{30{@1.2.3}}" NO_ATTRIBUTES), REFUSED,
			.says = "1.2.3: no such key" },
		{ "a placeholder that is no key",
			TEMPLATE("a0{30{@" RSA " 05#} 03#00ff}" NO_ATTRIBUTES), REFUSED,
			.says = "no such key" },
	};

	(void)state;
	TRY(rows);
	/* A placeholder of 4096 bits: only its size counts. */
	forge_append(&modulus, BYTES(0x80));
	forge_repeat(&modulus, BYTES(0), 511);
	for (size_t i = 0; i < modulus.n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%02x",
			modulus.p[i]);
	est_buf_free(&modulus);
	char template[4096];

	(void)snprintf(template, sizeof(template),
		TEMPLATE("a0{30{@" RSA " 05#} 03#003082020a0282020100%s0203010001}" NO_ATTRIBUTES),
		text);
	try_row(&(struct row){ "RSA 4096", .type = "rsa:4096" }, attrs_of(template));
	try_row(&(struct row){ "not RSA 2048", .key = "rsa:2048", CONFLICT, .says = "RSA 4096" },
		attrs_of(template));
}

/* proves: R9908-4-01 R9908-4-02 R9908-4-03 R7894-4-02 */
static void beside_a_template_only_linking_counts(void **state)
{
	struct est_csrattrs *attrs = attrs_of(CHALLENGE KEY(RSA, "02#1000")
			RSA_SHA256 LINKING TEMPLATE("a0{30{@" EC " " P384 "}}" ATTRIBUTES(
				"30{@1.2.840.113549.1.9.16.2.56 31{}}"
				"30{@1.2.840.113549.1.9.16.2.57 31{}}")));
	const struct est_csr_spec spec = { .subject = "CN=a" };
	struct est_plan plan = { 0 };
	struct est_error err = { 0 };

	(void)state;
	assert_int_equal(est_plan_make(&spec, "ec:p256", false, attrs, &plan, &err), EST_OK);
	assert_string_equal(plan.key_type, "ec:p384");
	assert_string_equal(plan.hash, "");
	assert_int_equal(plan.demands, EST_DEMAND_CHALLENGE_PASSWORD | EST_DEMAND_IDENTITY_LINKING |
					       EST_DEMAND_OTP | EST_DEMAND_REVOCATION);
	assert_true(plan.named);
	est_plan_wipe(&plan);
	est_csrattrs_free(attrs);
}

/* proves: R7030-4.5.2-04 R8951-4-01 R9908-3.2-04 R9908-5.2-01 R9908-4-02 R9908-3.4-12 */
static void the_samples_of_the_standards_make_requests(void **state)
{
	static const char filled[] = "subjectAltName dns:www.myServer.com, ip:192.0.2.1; keyUsage "
				     "critical digitalSignature, keyAgreement; extKeyUsage "
				     "clientAuth";
	const struct {
		const char *vector;
		struct row row;
	} rows[] = {
		{ "rfc7030-a2-csrattrs.der", { "", .sign = "sha384" } },
		{ "rfc7030-4.5.2-csrattrs.der", { "", .type = "ec:p384", .sign = "sha384" } },
		{ "rfc7030-4.5.2-empty.der", { "", .type = NULL } },
		{ "rfc9908-5.2-revised.der", { "", .type = "ec:p384", .sign = "sha384" } },
		{ "rfc9908-5.4-rsa4096.der", { "", .type = "rsa:4096", .sign = "sha256" } },
		{ "rfc9908-5.5-p384.der", { "", .type = "ec:p384", .sign = "sha384" } },
		{ "rfc9908-5.6-p521-attrs.der", { "", .type = "ec:p521", .sign = "sha512" } },
		{ "rfc9908-3.2-ec-any-curve.der", { "", .key = "ec:p521" } },
		{ "rfc9908-3.4-template.der",
			{ "", .dns = "www.myserver.com", .ip = "192.0.2.1", .purpose = "clientAuth",
				.name = "OU=myGroup,OU=myDept,CN=a", .extensions = filled } },
		{ "rfc9908-4-legacy-and-template.der",
			{ "", .dns = "www.myServer.com", .ip = "192.0.2.1", .purpose = "clientAuth",
				.name = "OU=myGroup,OU=myDept,CN=a", .extensions = filled } },
		{ "rfc9908-3.4-template-printed-oid.der",
			{ "", .name = "OU=myGroup,OU=myDept,CN=a", .extensions = "" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct row row = rows[i].row;

		row.what = rows[i].vector;
		row.subject = "CN=a";
		try_row(&row, vector(rows[i].vector));
	}
}

static void explaining_refuses_nothing(void **state)
{
	static const char due[] =
		"challengePassword\tthe request is to be linked to its TLS session (RFC 7030 "
		"section 3.5)\n"
		"rsaEncryption 65536\tno such key or signature is made here; keys are ec:p256, "
		"ec:p384, ec:p521, rsa:2048 to rsa:8192, ed25519, ed448, hashes sha256, sha384, "
		"sha512\n"
		"serialNumber\tis put in when --subject has it\n"
		"pkcs7PDU\ta template as in RFC 8295, which is not used\n"
		"1.2.3\tignored, not known in this place\n"
		"subjectAltName dns:evil.example\t--dns has to name it too: est asks for no name "
		"that it was not given\n"
		"basicConstraints CA\test asks for no certificate of a CA\n";
	struct est_csrattrs *attrs = attrs_of(
		CHALLENGE KEY(RSA, "02#010000") "@2.5.4.5 30{@1.2.840.113549.1.9.25.5 31{30{}}} "
						"@1.2.3 " EXT_REQ(EXT(SAN, "30{82'evil.example'}")
								EXT(BC, "30{01#ff}")));
	struct est_plan plan = { 0 };
	struct est_error err = { 0 };
	struct est_buf notes = { 0 };

	(void)state;
	if (est_plan_make(NULL, "ec:p256", false, attrs, &plan, &err) != EST_OK)
		fail_msg("%s", err.msg);
	forge_append(&notes, est_buf_span(&plan.notes));
	forge_append(&notes, BYTES(0));
	assert_text("notes", &notes, due);
	est_plan_wipe(&plan);
	est_csrattrs_free(attrs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_demands_the_operator_has_his_way),
		cmocka_unit_test(a_demand_chooses_the_key),
		cmocka_unit_test(a_demand_chooses_the_signature),
		cmocka_unit_test(a_key_that_cannot_be_is_refused),
		cmocka_unit_test(the_template_says_which_key),
		cmocka_unit_test(beside_a_template_only_linking_counts),
		cmocka_unit_test(the_samples_of_the_standards_make_requests),
		cmocka_unit_test(explaining_refuses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Names and extensions when the operator wants one thing and the CA another. */
#include "plan_run.h"

#include "testca.h"

/* proves: R9908-3.2-01 R9908-3.4-11 */
static void extensions_asked_for_in_full_are_put_in(void **state)
{
	const struct row rows[] = {
		{ "keyUsage", EXT_REQ(CRITICAL(KU, "03#0780")),
			.extensions = "keyUsage critical digitalSignature" },
		{ "the operator's equals it", EXT_REQ(CRITICAL(KU, "03#0780")),
			.usage = "digitalSignature",
			.extensions = "keyUsage critical digitalSignature" },
		{ "purposes in another order", EXT_REQ(EXT(EKU, "30{@1.3.6.1.5.5.7.3.2}")),
			.purpose = "clientAuth", .extensions = "extKeyUsage clientAuth" },
		{ "what est has no option for", EXT_REQ(EXT(TLS_FEATURE, "30{02#05}")),
			.extensions = "tlsFeature status_request" },
		{ "no CA", EXT_REQ(EXT(BC, "30{}")), .extensions = "basicConstraints no CA" },
		{ "a name that the operator has named", EXT_REQ(EXT(SAN, "30{82'WWW.example'}")),
			.subject = "CN=a", .dns = "www.example",
			.extensions = "subjectAltName dns:WWW.example" },
		{ "names with an empty subject", EXT_REQ(EXT(SAN, "30{82'a.example'}")),
			.dns = "a.example", .extensions = "subjectAltName critical dns:a.example" },
		{ "the operator's others come after", EXT_REQ(EXT(TLS_FEATURE, "30{02#05}")),
			.subject = "CN=a", .dns = "a.example", .usage = "keyAgreement",
			.extensions = "tlsFeature status_request; subjectAltName dns:a.example; "
				      "keyUsage critical keyAgreement" },
	};

	(void)state;
	TRY(rows);
	/* RFC 9908 section 5.1: the registrar alone knows this name. */
	try_row(&(struct row){ "an ACP node name",
			.extensions = "subjectAltName critical othername:acpNodeName:rfc8994+"
				      "fd739fc23c3440112233445500000000+@acp.example.com" },
		vector("rfc9908-5.1-acp-san.der"));
}

static void extensions_that_must_not_be_are_refused(void **state)
{
	const struct row rows[] = {
		{ "CA:TRUE", EXT_REQ(CRITICAL(BC, "30{01#ff}")), REFUSED,
			.says = "certificate of a CA" },
		{ "CA:TRUE as 1", EXT_REQ(CRITICAL(BC, "30{01#01 02#00}")), REFUSED,
			.says = "basicConstraints" },
		{ "basicConstraints that nobody can read", EXT_REQ(EXT(BC, "30{} 30{}")), REFUSED,
			.says = "basicConstraints" },
		{ "keyCertSign", EXT_REQ(CRITICAL(KU, "03#0284")), REFUSED,
			.says = "the CA wants keyUsage" },
		{ "cRLSign", EXT_REQ(CRITICAL(KU, "03#0102")), REFUSED, .says = "keyUsage" },
		{ "keyUsage of another type", EXT_REQ(EXT(KU, "04#80")), REFUSED,
			.says = "keyUsage" },
		{ "another keyUsage", EXT_REQ(CRITICAL(KU, "03#0780")), .usage = "keyAgreement",
			CONFLICT,
			.says = "keyUsage digitalSignature: --key-usage has keyAgreement" },
		{ "another purpose", EXT_REQ(EXT(EKU, "30{@1.3.6.1.5.5.7.3.2}")),
			.purpose = "serverAuth", CONFLICT,
			.says = "extKeyUsage clientAuth: --ext-key-usage has serverAuth" },
		{ "a name that nobody has named", EXT_REQ(EXT(SAN, "30{82'evil.example'}")),
			.subject = "CN=a", REFUSED,
			.says = "dns:evil.example: --dns has to name it too" },
		{ "another name", EXT_REQ(EXT(SAN, "30{82'evil.example'}")), .dns = "a.example",
			REFUSED, .says = "evil.example" },
		{ "one name more", EXT_REQ(EXT(SAN, "30{82'a.example' 82'b.example'}")),
			.dns = "a.example", REFUSED, .says = "b.example" },
		{ "the name twice", EXT_REQ(EXT(SAN, "30{82'a.example' 82'a.example'}")),
			.dns = "a.example", REFUSED, .says = "a.example" },
		{ "a name of another kind", EXT_REQ(EXT(SAN, "30{86'a.example'}")),
			.dns = "a.example", REFUSED, .says = "--uri" },
		{ "a UPN", EXT_REQ(EXT(SAN, "30{a0{@1.3.6.1.4.1.311.20.2.3 a0{0c'root@x'}}}")),
			REFUSED, .says = "root@x" },
		{ "another directory name", EXT_REQ(EXT(SAN, "30{a4{30{31{30{@2.5.4.3 0c'b'}}}}}")),
			.subject = "CN=a", REFUSED, .says = "dirname:CN=b" },
		{ "no place for the operator's", EXT_REQ(EXT(SAN, "30{82'a.example'}")),
			.dns = "a.example", .ip = "192.0.2.1", CONFLICT,
			.says = "no place for ip:192.0.2.1 of --ip" },
		{ "names that nobody can read", EXT_REQ(EXT(SAN, "30{82'a'} 05#")),
			.code = EST_E_PROTOCOL, .says = "malformed subjectAltName" },
		{ "names of another type", EXT_REQ(EXT(SAN, "31{82'a'}")), .code = EST_E_PROTOCOL,
			.says = "malformed subjectAltName" },
	};

	(void)state;
	TRY(rows);
}

/* proves: R9908-3.4-03 R9908-3.4-04 R9908-3.4-05 R9908-3.4-13 */
static void the_operator_fills_the_subject(void **state)
{
	const struct row rows[] = {
		{ "in the order of the template",
			TEMPLATE(SUBJECT(RDN(OU, "0c'x'") RDN(CN, "")) NO_ATTRIBUTES),
			.subject = "OU=x,CN=a", .name = "CN=a,OU=x" },
		{ "with values of the CA's",
			TEMPLATE(SUBJECT(RDN(CN, "") RDN(OU, "13'x'")) NO_ATTRIBUTES),
			.subject = "CN=a", .name = "OU=x,CN=a" },
		{ "two of a kind, one given",
			TEMPLATE(SUBJECT(RDN(OU, "") RDN(OU, "0c'x'")) NO_ATTRIBUTES),
			.subject = "OU=x,OU=y", .name = "OU=x,OU=y" },
		{ "an RDN of two", TEMPLATE(SUBJECT("31{30{@2.5.4.3} 30{@2.5.4.5}}") NO_ATTRIBUTES),
			.subject = "CN=a,serialNumber=7", .name = "CN=a+serialNumber=7" },
		{ "the name that the CA expects", TEMPLATE(SUBJECT(RDN(CN, "0c'a'")) NO_ATTRIBUTES),
			.subject = "CN=a", .name = "CN=a" },
		{ "no demand", TEMPLATE(NO_ATTRIBUTES), .subject = "CN=a", .name = "CN=a" },
		{ "nothing to fill in", TEMPLATE(SUBJECT(RDN(CN, "")) NO_ATTRIBUTES),
			.dns = "a.example", UNFILLED,
			.says = "commonName: has to be given with --subject" },
		{ "only one of two", TEMPLATE(SUBJECT(RDN(CN, "") RDN(CN, "")) NO_ATTRIBUTES),
			.subject = "CN=a", UNFILLED, .says = "commonName" },
		{ "another type", TEMPLATE(SUBJECT(RDN(CN, "")) NO_ATTRIBUTES), .subject = "OU=a",
			UNFILLED, .says = "commonName" },
		{ "no place for the operator's", TEMPLATE(SUBJECT(RDN(CN, "")) NO_ATTRIBUTES),
			.subject = "CN=a,O=b", CONFLICT,
			.says = "no place for organizationName=b" },
		{ "another value", TEMPLATE(SUBJECT(RDN(CN, "") RDN(OU, "0c'x'")) NO_ATTRIBUTES),
			.subject = "CN=a,OU=y", CONFLICT,
			.says = "no place for organizationalUnitName=y" },
		{ "a name that nobody has named",
			TEMPLATE(SUBJECT(RDN(CN, "0c'evil'")) NO_ATTRIBUTES), .dns = "a.example",
			REFUSED, .says = "commonName=evil: --subject has to name it too" },
		{ "another name", TEMPLATE(SUBJECT(RDN(CN, "0c'evil'")) NO_ATTRIBUTES),
			.subject = "CN=a", REFUSED, .says = "evil" },
		{ "a number that nobody has named",
			TEMPLATE(SUBJECT(RDN("2.5.4.5", "13'1'")) NO_ATTRIBUTES), REFUSED,
			.says = "serialNumber=1" },
	};

	(void)state;
	TRY(rows);
}

/* proves: R9908-3.4-08 R9908-3.4-10 R9908-3.4-11 R9908-3.4-12 R9908-3.4-13 */
static void the_operator_fills_the_extensions(void **state)
{
	const struct row rows[] = {
		{ "empty names", TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(EXT(SAN, "30{87# 82#}")))),
			.subject = "CN=a", .dns = "a.example", .ip = "192.0.2.1",
			.extensions = "subjectAltName ip:192.0.2.1, dns:a.example" },
		{ "a given name, and an empty one",
			TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(EXT(SAN, "30{87# 82'a.example'}")))),
			.subject = "CN=a", .dns = "a.example", .ip = "2001:db8::1",
			.extensions = "subjectAltName ip:2001:db8::1, dns:a.example" },
		{ "the subject as directory name",
			TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(EXT(SAN, "30{a4{30{}}}")))),
			.subject = "CN=a", .extensions = "subjectAltName dirname:CN=a" },
		{ "whole extensions",
			TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(OPEN(SAN) OPEN(KU) OPEN(EKU)))),
			.dns = "a.example", .usage = "keyAgreement", .purpose = "serverAuth",
			.extensions = "subjectAltName critical dns:a.example; keyUsage critical "
				      "keyAgreement; extKeyUsage serverAuth" },
		{ "critical, as the template has it",
			TEMPLATE(ATTRIBUTES(EXT_TEMPLATE("30{@" EKU " 01#ff}"))),
			.purpose = "serverAuth", .extensions = "extKeyUsage critical serverAuth" },
		{ "a lone ExtensionTemplate",
			TEMPLATE(ATTRIBUTES("30{@1.2.840.113549.1.9.16.2.62 31{30{@" EKU "}}}")),
			.purpose = "serverAuth", .extensions = "extKeyUsage serverAuth" },
		{ "no address", TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(EXT(SAN, "30{87#}")))),
			.dns = "a.example", UNFILLED, .says = "ip:...: has to be given with --ip" },
		{ "one name for two places",
			TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(EXT(SAN, "30{82# 82#}")))),
			.dns = "a.example", UNFILLED, .says = "--dns" },
		{ "a directory name without a subject",
			TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(EXT(SAN, "30{a4{30{}}}")))),
			.dns = "a.example", UNFILLED, .says = "--subject" },
		{ "no names", TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(OPEN(SAN)))), .subject = "CN=a",
			UNFILLED, .says = "subjectAltName: has to be given with --dns" },
		{ "no usage", TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(OPEN(KU)))), UNFILLED,
			.says = "--key-usage" },
		{ "no purpose", TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(OPEN(EKU)))), UNFILLED,
			.says = "--ext-key-usage" },
		{ "what est has no option for",
			TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(OPEN(TLS_FEATURE)))), UNFILLED,
			.says = "tlsFeature" },
		{ "CA:TRUE", TEMPLATE(ATTRIBUTES(EXT_TEMPLATE(EXT(BC, "30{01#ff}") OPEN(EKU)))),
			.purpose = "serverAuth", REFUSED, .says = "basicConstraints" },
	};

	(void)state;
	TRY(rows);
}

/* proves: R7030-4.2.2-02 */
static void a_renewal_keeps_its_names(void **state)
{
	struct est_csrattrs *attrs = attrs_of(
		TEMPLATE(SUBJECT(RDN(CN, "0c'evil'")) "a0{30{@" EC " " P384 "}}" ATTRIBUTES(
			EXT_TEMPLATE(EXT(SAN, "30{82'evil.example'}") CRITICAL(KU, "03#0780")))));
	struct testca cert = { 0 };
	struct est_plan plan = { 0 };
	struct est_error err = { 0 };
	struct est_csr_spec spec = { 0 };
	struct row row = { "renewal", .type = "ec:p384", .name = "O=b,CN=a",
		.extensions = "subjectAltName dns:a.example; keyUsage critical digitalSignature" };

	(void)state;
	testca_issue(&(struct testca_spec){ .subject = "O=b,CN=a",
			     .sans = { { GNUTLS_SAN_DNSNAME, est_span_str("a.example") } } },
		&cert);
	spec.renew = est_buf_span(&cert.der);
	if (est_plan_make(&spec, "ec:p256", false, attrs, &plan, &err) != EST_OK)
		fail_msg("%s", err.msg);
	assert_planned(&row, &plan);
	est_plan_wipe(&plan);
	/* A key that is kept is no key to choose. */
	assert_int_equal(est_plan_make(&spec, "ec:p256", true, attrs, &plan, &err), EST_E_INPUT);
	assert_string_equal(err.reason, "csrattrs-conflict");
	est_csrattrs_free(attrs);
	testca_wipe(&cert);
}

/* Names that are as many as may be: neither side makes it slow, or writes past an end. */
static void many_names_are_matched_in_time(void **state)
{
	static char list[EST_SANS_MAX * 16 + 512], names[EST_SANS_MAX + 1][12];
	const char *dns[EST_SANS_MAX + 1] = { NULL };
	const struct est_csr_spec spec = { .subject = "CN=a", .dns = dns };
	struct est_csrattrs *attrs;
	struct est_plan plan = { 0 };
	struct est_error err = { 0 };
	size_t n;

	(void)state;
	for (size_t i = 0; i < EST_SANS_MAX; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "h%zu", i);
		dns[i] = names[i];
	}
	n = (size_t)snprintf(list, sizeof(list),
		"30{@1.2.840.113549.1.9.14 31{30{30{@" SAN " 04{30{");
	for (size_t i = EST_SANS_MAX; i > 0; i--)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "82'%s'", names[i - 1]);
	(void)snprintf(list + n, sizeof(list) - n, "}}}}}}");
	attrs = attrs_of(list);
	if (est_plan_make(&spec, "ec:p256", false, attrs, &plan, &err) != EST_OK)
		fail_msg("%s", err.msg);
	est_plan_wipe(&plan);
	est_csrattrs_free(attrs);
	(void)snprintf(list + n, sizeof(list) - n, "82'one-more'}}}}}}");
	attrs = attrs_of(list);
	assert_int_equal(est_plan_make(&spec, "ec:p256", false, attrs, &plan, &err),
		EST_E_PROTOCOL);
	est_csrattrs_free(attrs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extensions_asked_for_in_full_are_put_in),
		cmocka_unit_test(extensions_that_must_not_be_are_refused),
		cmocka_unit_test(the_operator_fills_the_subject),
		cmocka_unit_test(the_operator_fills_the_extensions),
		cmocka_unit_test(a_renewal_keeps_its_names),
		cmocka_unit_test(many_names_are_matched_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

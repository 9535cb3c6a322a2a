/* SPDX-License-Identifier: MIT */
/* Names of object identifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "est.h"

static void known_oids_have_the_names_of_their_standards(void **state)
{
	static const char *const known[][2] = {
		/* From the beginning, the middle and the end of the table. */
		{ "0.9.2342.19200300.100.1.1", "uid" },
		{ "1.2.840.113549.1.9.7", "challengePassword" },
		{ "1.2.840.113549.1.9.14", "extensionRequest" },
		{ "1.2.840.113549.1.9.16.2.56", "otpChallenge" },
		{ "1.2.840.113549.1.9.16.2.57", "revocationChallenge" },
		{ "1.2.840.113549.1.9.16.2.58", "estIdentityLinking" },
		{ "1.2.840.113549.1.9.16.2.61", "certificationRequestInfoTemplate" },
		{ "1.2.840.113549.1.9.16.2.62", "extensionReqTemplate" },
		{ "1.2.840.10045.2.1", "ecPublicKey" },
		{ "1.2.840.10045.3.1.7", "secp256r1" },
		{ "1.3.132.0.34", "secp384r1" },
		{ "1.3.101.112", "Ed25519" },
		{ "1.3.6.1.1.1.1.22", "macAddress" },
		{ "1.3.6.1.5.5.7.3.28", "cmcRA" },
		{ "2.5.4.5", "serialNumber" },
		{ "2.5.29.17", "subjectAltName" },
		{ "2.5.29.37.0", "anyExtendedKeyUsage" },
		{ "2.16.840.1.101.3.4.2.2", "sha384" },
		{ "2.16.840.1.113730.1.13", "netscapeComment" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!est_oid_name(known[i][0]))
			fail_msg("%s has no name", known[i][0]);
		assert_string_equal(est_oid_name(known[i][0]), known[i][1]);
	}
}

/* proves: R7030-4.5.2-04 */
static void unknown_and_malformed_oids_have_no_name(void **state)
{
	static const char *const unknown[] = { "", "0", "2.999.1", "2.5.29", "2.5.29.170",
		"2.5.29.17 ", " 2.5.29.17", "3", "x", "1.2.840.113549.1.9.16.2.6" };

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_null(est_oid_name(unknown[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_oids_have_the_names_of_their_standards),
		cmocka_unit_test(unknown_and_malformed_oids_have_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Which priority strings an operator may give. */
#include "priority.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SAFE         "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1"

static void refuse(const char *string, gnutls_protocol_t min, const char *found)
{
	struct est_error err = { 0 };
	gnutls_priority_t p = NULL;

	if (priority_make(string, min, &p, &err) == EST_OK)
		fail_msg("%s was accepted", string);
	assert_int_equal(err.code, EST_E_USAGE);
	assert_null(p);
	if (!strstr(err.msg, found))
		fail_msg("%s: the message is to have %s: %s", string, found, err.msg);
}

static gnutls_priority_t accept(const char *string, gnutls_protocol_t min)
{
	struct est_error err = { 0 };
	gnutls_priority_t p = NULL;

	if (priority_make(string, min, &p, &err) != EST_OK)
		fail_msg("%s: %s", string ? string : "(own)", err.msg);
	return p;
}

/* proves: R7030-3.2.3-03 R7030-3.3-04 R7030-6-02 */
static void what_the_standards_ban_is_refused(void **state)
{
	static const struct {
		const char *string, *found;
	} rows[] = {
		{ "NORMAL", "TLS1." },
		{ "NORMAL:+VERS-TLS1.1", "TLS1." },
		{ "+VERS-TLS1.1", "TLS1.1" },
		{ "+VERS-TLS1.0", "TLS1.0" },
		{ "+VERS-DTLS1.2", "" },
		{ "+NULL", "NULL" },
		{ SAFE ":+NULL", "NULL" },
		{ SAFE ":+3DES-CBC", "3DES" },
		{ "+3DES-CBC", "3DES" },
		{ "+ARCFOUR-128", "ARCFOUR" },
		{ "+ANON-DH", "" },
		{ "+ANON-ECDH", "ANON" },
		{ "+PSK", "PSK" },
		{ "+ECDHE-PSK", "PSK" },
		{ "+DHE-PSK", "PSK" },
		{ "+SRP", "SRP" },
		{ "+SRP-RSA", "SRP" },
		{ "+MD5", "MD5" },
		{ "+SIGN-RSA-SHA1", "SHA1" },
		{ "+SIGN-ECDSA-SHA1", "SHA1" },
		{ "+SIGN-RSA-MD5", "MD5" },
		{ "PERFORMANCE", "TLS1." },
		{ "LEGACY", "" },
		{ SAFE ":%COMPAT", "%COMPAT" },
		{ SAFE ":%UNSAFE_RENEGOTIATION", "%UNSAFE_RENEGOTIATION" },
		{ SAFE ":%DISABLE_SAFE_RENEGOTIATION", "%DISABLE_SAFE_RENEGOTIATION" },
		{ SAFE ":%PARTIAL_RENEGOTIATION", "%PARTIAL_RENEGOTIATION" },
		{ SAFE ":%VERIFY_ALLOW_SIGN_WITH_SHA1", "%VERIFY" },
		{ SAFE ":%VERIFY_ALLOW_BROKEN", "%VERIFY" },
		{ SAFE ":%PROFILE_LOW", "%PROFILE_LOW" },
		{ "%PROFILE_VERY_WEAK", "%PROFILE_VERY_WEAK" },
		{ SAFE ":%NO_SESSION_HASH", "%NO_SESSION_HASH" },
		{ SAFE ",%COMPAT", "%COMPAT" },
		{ "@SYSTEM", "@SYSTEM" },
		{ SAFE ": %DISABLE_SAFE_RENEGOTIATION", "blank" },
		{ SAFE ":\t%COMPAT", "blank" },
		{ SAFE ",\n%COMPAT", "blank" },
		{ " @SYSTEM", "blank" },
		{ "-AES-128-GCM: %VERIFY_ALLOW_BROKEN", "blank" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		refuse(rows[i].string, GNUTLS_TLS1_2, rows[i].found);
}

static void what_is_not_understood_or_leaves_nothing_is_refused(void **state)
{
	char longer[4000];

	(void)state;
	memset(longer, ':', sizeof(longer) - 1);
	longer[0] = '-';
	longer[sizeof(longer) - 1] = '\0';
	refuse("NONSENSE", GNUTLS_TLS1_2, "NONSENSE");
	refuse("-NO-SUCH-CIPHER", GNUTLS_TLS1_2, "NO-SUCH-CIPHER");
	refuse(SAFE ":\x1b[2J", GNUTLS_TLS1_2, "\\x1b");
	refuse("-VERS-ALL", GNUTLS_TLS1_2, "leaves");
	refuse("-CIPHER-ALL", GNUTLS_TLS1_2, "leaves");
	refuse("-VERS-TLS1.3", GNUTLS_TLS1_3, "leaves");
	refuse(longer, GNUTLS_TLS1_2, "longer");
}

static bool has_version(gnutls_priority_t p, gnutls_protocol_t version)
{
	const unsigned *list;
	int n = gnutls_priority_protocol_list(p, &list);

	for (int i = 0; i < n; i++) {
		if (list[i] == version)
			return true;
	}
	return false;
}

static bool has_cipher(gnutls_priority_t p, gnutls_cipher_algorithm_t cipher)
{
	const unsigned *list;
	int n = gnutls_priority_cipher_list(p, &list);

	for (int i = 0; i < n; i++) {
		if (list[i] == cipher)
			return true;
	}
	return false;
}

static void good_strings_narrow_what_is_offered(void **state)
{
	gnutls_priority_t p = accept(NULL, GNUTLS_TLS1_2);

	(void)state;
	assert_true(has_version(p, GNUTLS_TLS1_2) && has_version(p, GNUTLS_TLS1_3));
	assert_true(has_cipher(p, GNUTLS_CIPHER_AES_128_GCM));
	gnutls_priority_deinit(p);
	p = accept(NULL, GNUTLS_TLS1_3);
	assert_true(has_version(p, GNUTLS_TLS1_3) && !has_version(p, GNUTLS_TLS1_2));
	gnutls_priority_deinit(p);
	p = accept("-AES-128-GCM", GNUTLS_TLS1_2);
	assert_true(!has_cipher(p, GNUTLS_CIPHER_AES_128_GCM));
	assert_true(has_cipher(p, GNUTLS_CIPHER_AES_256_GCM));
	gnutls_priority_deinit(p);
	p = accept(SAFE ":%PROFILE_HIGH", GNUTLS_TLS1_2);
	assert_true(has_version(p, GNUTLS_TLS1_2));
	gnutls_priority_deinit(p);
	p = accept(SAFE, GNUTLS_TLS1_3);
	assert_true(!has_version(p, GNUTLS_TLS1_2));
	gnutls_priority_deinit(p);
}

/* proves: R7030-3.3-01 */
static void the_look_after_the_handshake_knows_the_same_bans(void **state)
{
	(void)state;
	assert_true(priority_bad_version(GNUTLS_TLS1_1) && priority_bad_version(GNUTLS_SSL3));
	assert_true(priority_bad_version(GNUTLS_DTLS1_2));
	assert_true(!priority_bad_version(GNUTLS_TLS1_2) && !priority_bad_version(GNUTLS_TLS1_3));
	assert_true(priority_bad_cipher(GNUTLS_CIPHER_NULL));
	assert_true(priority_bad_cipher(GNUTLS_CIPHER_3DES_CBC));
	assert_true(priority_bad_cipher(GNUTLS_CIPHER_ARCFOUR_128));
	assert_true(!priority_bad_cipher(GNUTLS_CIPHER_CHACHA20_POLY1305));
	assert_true(priority_bad_kx(GNUTLS_KX_ANON_ECDH) && priority_bad_kx(GNUTLS_KX_PSK));
	assert_true(priority_bad_kx(GNUTLS_KX_SRP) && priority_bad_kx(GNUTLS_KX_UNKNOWN));
	assert_true(!priority_bad_kx(GNUTLS_KX_ECDHE_ECDSA));
	assert_true(priority_bad_signature(GNUTLS_SIGN_RSA_SHA1));
	assert_true(priority_bad_signature(GNUTLS_SIGN_ECDSA_SHA1));
	assert_true(!priority_bad_signature(GNUTLS_SIGN_UNKNOWN)); /* none was made */
	assert_true(!priority_bad_signature(GNUTLS_SIGN_ECDSA_SHA256));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_standards_ban_is_refused),
		cmocka_unit_test(what_is_not_understood_or_leaves_nothing_is_refused),
		cmocka_unit_test(good_strings_narrow_what_is_offered),
		cmocka_unit_test(the_look_after_the_handshake_knows_the_same_bans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The operator may narrow what TLS offers, never widen it to what the standards ban. */
#include "priority.h"

#include <string.h>

/* NORMAL still has TLS 1.0 on some systems, and a system file can change what it means: each ban
 * is spelt out, and checked again afterwards. */
static const char own[] =
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-3DES-CBC:-ARCFOUR-128:-NULL:-ANON-DH:"
	"-ANON-ECDH:-PSK:-DHE-PSK:-ECDHE-PSK:-RSA-PSK:-SRP:-SRP-RSA:-SRP-DSS:-SIGN-RSA-SHA1:"
	"-SIGN-ECDSA-SHA1:-SIGN-DSA-SHA1:%SAFE_RENEGOTIATION:%PROFILE_MEDIUM";

#define STRING_MAX 2000 /* of the operator's */

bool priority_bad_version(gnutls_protocol_t version)
{
	return version != GNUTLS_TLS1_2 && version != GNUTLS_TLS1_3;
}

bool priority_bad_cipher(gnutls_cipher_algorithm_t cipher)
{
	return cipher == GNUTLS_CIPHER_UNKNOWN || cipher == GNUTLS_CIPHER_NULL ||
	       cipher == GNUTLS_CIPHER_3DES_CBC || cipher == GNUTLS_CIPHER_DES_CBC ||
	       cipher == GNUTLS_CIPHER_ARCFOUR_128 || cipher == GNUTLS_CIPHER_ARCFOUR_40 ||
	       cipher == GNUTLS_CIPHER_RC2_40_CBC;
}

/* All that authenticate by a certificate are there, and no other. */
bool priority_bad_kx(gnutls_kx_algorithm_t kx)
{
	return kx != GNUTLS_KX_RSA && kx != GNUTLS_KX_DHE_RSA && kx != GNUTLS_KX_ECDHE_RSA &&
	       kx != GNUTLS_KX_ECDHE_ECDSA;
}

bool priority_bad_signature(gnutls_sign_algorithm_t algorithm)
{
	gnutls_digest_algorithm_t hash = gnutls_sign_get_hash_algorithm(algorithm);

	return algorithm != GNUTLS_SIGN_UNKNOWN &&
	       (hash == GNUTLS_DIG_SHA1 || hash == GNUTLS_DIG_MD5);
}

static enum est_code fail_banned(const char *what, const char *name, const char *rule,
	struct est_error *err)
{
	est_fail(err, EST_E_USAGE, "--priority: offers %s%s, which %s", what,
		name ? name : "something unknown", rule);
	return est_hint(err,
		"a string that starts with a sign changes what est offers by itself, as "
		"-AES-128-GCM does; NORMAL needs \":-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
		":-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1\" behind it");
}

static enum est_code scan_lists(gnutls_priority_t p, struct est_error *err)
{
	const unsigned *list;
	int n;

	n = gnutls_priority_protocol_list(p, &list);
	for (int i = 0; i < n; i++) {
		if (priority_bad_version(list[i]))
			return fail_banned("", gnutls_protocol_get_name(list[i]), "RFC 8996 bans",
				err);
	}
	n = gnutls_priority_cipher_list(p, &list);
	for (int i = 0; i < n; i++) {
		if (priority_bad_cipher(list[i]))
			return fail_banned("the cipher ", gnutls_cipher_get_name(list[i]),
				"RFC 7030 section 3.2.3 and RFC 9325 section 4.1 ban", err);
	}
	n = gnutls_priority_kx_list(p, &list);
	for (int i = 0; i < n; i++) {
		if (priority_bad_kx(list[i]))
			return fail_banned("the key exchange ", gnutls_kx_get_name(list[i]),
				"does not authenticate the server by a certificate (RFC 7030 "
				"section 3.3)",
				err);
	}
	n = gnutls_priority_mac_list(p, &list);
	for (int i = 0; i < n; i++) {
		if (list[i] == GNUTLS_MAC_MD5 || list[i] == GNUTLS_MAC_NULL)
			return fail_banned("the MAC ", gnutls_mac_get_name(list[i]),
				"RFC 9325 section 4.1 bans", err);
	}
	n = gnutls_priority_sign_list(p, &list);
	for (int i = 0; i < n; i++) {
		if (priority_bad_signature(list[i]))
			return fail_banned("signatures by ", gnutls_sign_get_name(list[i]),
				"RFC 9155 bans", err);
	}
	return EST_OK;
}

/* Lists without a suite that all of them allow lead to a handshake that cannot succeed. */
static enum est_code scan_suites(gnutls_priority_t p, struct est_error *err)
{
	gnutls_cipher_algorithm_t cipher;
	gnutls_kx_algorithm_t kx;
	unsigned index, usable = 0;
	const char *name;
	int ret = 0;

	for (unsigned i = 0; ret != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
		ret = gnutls_priority_get_cipher_suite_index(p, i, &index);
		if (ret < 0)
			continue; /* GNUTLS_E_UNKNOWN_CIPHER_SUITE: not in this library */
		name = gnutls_cipher_suite_info(index, NULL, &kx, &cipher, NULL, NULL);
		/* Those of TLS 1.3 name no key exchange. */
		if (priority_bad_cipher(cipher) || (kx != GNUTLS_KX_UNKNOWN && priority_bad_kx(kx)))
			return fail_banned("the suite ", name,
				"RFC 7030 section 3.3 does not accept", err);
		usable++;
	}
	if (usable == 0)
		return est_fail(err, EST_E_USAGE, "--priority: leaves no cipher suite to offer");
	return EST_OK;
}

/* The library cannot be asked for these: only such are let through as do not weaken anything. */
static bool keyword_allowed(struct est_span word)
{
	static const char *const allowed[] = {
		"%SAFE_RENEGOTIATION",
		"%PROFILE_MEDIUM",
		"%PROFILE_HIGH",
		"%PROFILE_ULTRA",
		"%PROFILE_FUTURE",
		"%PROFILE_SUITEB128",
		"%PROFILE_SUITEB192",
		"%NO_TICKETS",
		"%NO_TICKETS_TLS12",
		"%FORCE_ETM",
		"%FORCE_SESSION_HASH",
		"%LATEST_RECORD_VERSION",
		"%DISABLE_TLS13_COMPAT_MODE",
	};

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (est_span_eq(word, est_span_str(allowed[i])))
			return true;
	}
	return false;
}

/* *profile: the string has a verification profile of its own. */
static enum est_code check_words(const char *string, bool *profile, struct est_error *err)
{
	struct est_span word;
	char shown[80];

	for (const char *p = string;; p += word.n + 1) {
		word = (struct est_span){ (const uint8_t *)p, strcspn(p, ":,") };
		if (word.n > 0 && (*p == '%' || *p == '@') && !keyword_allowed(word))
			return est_fail(err, EST_E_USAGE,
				"--priority: %s is not accepted: it may weaken what RFC 7030 "
				"section 3.3 asks for",
				est_escape(shown, sizeof(shown), word));
		*profile |= word.n > 8 && memcmp(p, "%PROFILE", 8) == 0;
		if (!p[word.n])
			return EST_OK;
	}
}

static enum est_code make_text(const char *string, gnutls_protocol_t min, struct est_buf *text,
	struct est_error *err)
{
	bool change = string && *string && strchr("+-!%", *string) != NULL, profile = false;
	enum est_code rc = EST_OK;

	if (string && strlen(string) > STRING_MAX)
		return est_fail(err, EST_E_USAGE, "--priority: longer than %d bytes", STRING_MAX);
	/* GnuTLS skips them, in front of a keyword too. */
	if (string && strpbrk(string, " \t\n\v\f\r"))
		return est_fail(err, EST_E_USAGE, "--priority: a blank has no place in it");
	if (string)
		rc = check_words(string, &profile, err);
	if (rc == EST_OK && (!string || change))
		rc = est_buf_printf(text, err, "%s%s", own, string ? ":" : "");
	if (rc == EST_OK && string)
		rc = est_buf_printf(text, err, "%s", string);
	if (rc == EST_OK && string && !change)
		rc = est_buf_printf(text, err, ":%%SAFE_RENEGOTIATION%s",
			profile ? "" : ":%PROFILE_MEDIUM");
	if (rc == EST_OK && min == GNUTLS_TLS1_3)
		rc = est_buf_printf(text, err, ":-VERS-TLS1.2");
	return rc == EST_OK ? est_buf_append(text, (struct est_span){ (const uint8_t *)"", 1 }, err)
			    : rc;
}

enum est_code priority_make(const char *string, gnutls_protocol_t min, gnutls_priority_t *out,
	struct est_error *err)
{
	struct est_buf text = { 0 };
	gnutls_priority_t p = NULL;
	const unsigned *list;
	struct est_span word;
	const char *end;
	char shown[80];
	enum est_code rc;
	int ret;

	rc = make_text(string, min, &text, err);
	if (rc != EST_OK)
		goto out;
	ret = gnutls_priority_init2(&p, (const char *)text.p, &end, 0);
	if (ret == GNUTLS_E_INVALID_REQUEST && string) {
		word = (struct est_span){ (const uint8_t *)end, strcspn(end, ":,") };
		rc = est_fail(err, EST_E_USAGE, "--priority: GnuTLS does not understand \"%s\"",
			est_escape(shown, sizeof(shown), word));
		goto out;
	}
	if (ret == GNUTLS_E_NO_PRIORITIES_WERE_SET && string) {
		rc = est_fail(err, EST_E_USAGE, "--priority: leaves nothing to offer%s",
			min == GNUTLS_TLS1_3 ? " in TLS 1.3" : "");
		goto out;
	}
	if (ret < 0) {
		rc = est_fail(err, EST_E_INTERNAL, "cannot set up TLS: %s", gnutls_strerror(ret));
		goto out;
	}
	rc = scan_lists(p, err);
	if (rc == EST_OK)
		rc = scan_suites(p, err);
	if (rc == EST_OK && gnutls_priority_protocol_list(p, &list) <= 0)
		rc = est_fail(err, EST_E_USAGE, "--priority: leaves no version of TLS to offer");
	if (rc == EST_OK)
		*out = p;
	else
		gnutls_priority_deinit(p);
out:
	est_buf_free(&text);
	return rc;
}

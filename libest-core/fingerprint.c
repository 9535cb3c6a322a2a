/* SPDX-License-Identifier: MIT */
/* What a human compares, or a script has been given. */
#include "fingerprint.h"

#include <string.h>

#include <gnutls/crypto.h>

static const struct {
	const char *prefix;
	gnutls_digest_algorithm_t hash;
	size_t n;
} kinds[] = {
	{ "sha256:", GNUTLS_DIG_SHA256, 32 },
	{ "sha512:", GNUTLS_DIG_SHA512, 64 },
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* All n bytes and nothing behind them. */
static bool parse_hex(const char *p, size_t n, uint8_t *out)
{
	const bool colons = strlen(p) > 2 && p[2] == ':';

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && colons && *p++ != ':')
			return false;
		if (digit(p[0]) < 0 || digit(p[1]) < 0)
			return false;
		out[i] = (uint8_t)(digit(p[0]) << 4 | digit(p[1]));
		p += 2;
	}
	return *p == '\0';
}

enum est_code fingerprint_parse(const char *text, struct fingerprint *out, struct est_error *err)
{
	struct fingerprint made = { 0 };
	size_t n_prefix;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		n_prefix = strlen(kinds[i].prefix);
		if (strncmp(text, kinds[i].prefix, n_prefix) != 0)
			continue;
		made.hash = kinds[i].hash;
		made.n = kinds[i].n;
		if (!parse_hex(text + n_prefix, made.n, made.bytes))
			return est_fail(err, EST_E_USAGE,
				"--ca-fingerprint: %.6s has %zu hexadecimal digits, all of which "
				"are needed",
				kinds[i].prefix, made.n * 2);
		*out = made;
		return EST_OK;
	}
	return est_fail(err, EST_E_USAGE,
		"--ca-fingerprint: begins with sha256: or sha512:, shorter hashes are not safe");
}

enum est_code est_fingerprint_check(const char *text, struct est_error *err)
{
	struct fingerprint ignored;

	return fingerprint_parse(text, &ignored, err);
}

enum est_code fingerprint_match(const struct fingerprint *fingerprint, struct est_span der,
	bool *match, struct est_error *err)
{
	uint8_t digest[FINGERPRINT_MAX];
	int ret = gnutls_hash_fast(fingerprint->hash, der.p, der.n, digest);

	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret));
	*match = gnutls_memcmp(digest, fingerprint->bytes, fingerprint->n) == 0;
	return EST_OK;
}

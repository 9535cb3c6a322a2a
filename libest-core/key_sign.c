/* SPDX-License-Identifier: MIT */
/* Signatures by a private key, and how X.509 names their algorithms. */
#include "key.h"

#include <string.h>

#include <gnutls/gnutls.h>

/* 1.2.840.113549.1.1.n with NULL (RFC 4055), 1.2.840.10045.4.3.n without parameters (RFC 5758). */
#define AID_RSA(n)   0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, n, 0x05, 0
#define AID_ECDSA(n) 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, n

static const struct signature {
	const char *key, *hash; /* key: the beginning of its type */
	gnutls_sign_algorithm_t algorithm;
	uint8_t identifier[15];
	uint8_t n;
} signatures[] = {
	/* the first line of a key is its default */
	{ "ec:p256", "sha256", GNUTLS_SIGN_ECDSA_SHA256, { AID_ECDSA(2) }, 12 },
	{ "ec:p384", "sha384", GNUTLS_SIGN_ECDSA_SHA384, { AID_ECDSA(3) }, 12 },
	{ "ec:p521", "sha512", GNUTLS_SIGN_ECDSA_SHA512, { AID_ECDSA(4) }, 12 },
	{ "ec:", "sha256", GNUTLS_SIGN_ECDSA_SHA256, { AID_ECDSA(2) }, 12 },
	{ "ec:", "sha384", GNUTLS_SIGN_ECDSA_SHA384, { AID_ECDSA(3) }, 12 },
	{ "ec:", "sha512", GNUTLS_SIGN_ECDSA_SHA512, { AID_ECDSA(4) }, 12 },
	{ "rsa:", "sha256", GNUTLS_SIGN_RSA_SHA256, { AID_RSA(11) }, 15 },
	{ "rsa:", "sha384", GNUTLS_SIGN_RSA_SHA384, { AID_RSA(12) }, 15 },
	{ "rsa:", "sha512", GNUTLS_SIGN_RSA_SHA512, { AID_RSA(13) }, 15 },
	/* RFC 8410: the hash is part of the algorithm */
	{ "ed25519", NULL, GNUTLS_SIGN_EDDSA_ED25519, { 0x30, 5, 6, 3, 0x2b, 0x65, 0x70 }, 7 },
	{ "ed448", NULL, GNUTLS_SIGN_EDDSA_ED448, { 0x30, 5, 6, 3, 0x2b, 0x65, 0x71 }, 7 },
};

enum est_code key_signature(const char *type, const char *hash, gnutls_sign_algorithm_t *algorithm,
	struct est_span *identifier, struct est_error *err)
{
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		const struct signature *s = &signatures[i];

		if (strncmp(type, s->key, strlen(s->key)) != 0)
			continue;
		if (hash && (!s->hash || strcmp(hash, s->hash) != 0))
			continue;
		*algorithm = s->algorithm;
		*identifier = (struct est_span){ s->identifier, s->n };
		return EST_OK;
	}
	est_fail(err, EST_E_USAGE, "--hash %.20s: not with a key of type %s", hash, type);
	return est_hint(err,
		"EC and RSA keys sign with sha256, sha384 or sha512; Ed25519 and Ed448 "
		"bring their own");
}

enum est_code key_signature_as(const struct est_key *key, struct est_span identifier,
	gnutls_sign_algorithm_t *algorithm, struct est_error *err)
{
	const char *type = est_key_type(key);

	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		const struct signature *s = &signatures[i];

		if (strncmp(type, s->key, strlen(s->key)) == 0 &&
			est_span_eq(identifier, (struct est_span){ s->identifier, s->n })) {
			*algorithm = s->algorithm;
			return EST_OK;
		}
	}
	return est_fail(err, EST_E_USAGE, "a key of type %s does not sign as the request is signed",
		type);
}

enum est_code key_sign(const struct est_key *key, gnutls_sign_algorithm_t algorithm,
	struct est_span data, struct est_buf *signature, struct est_error *err)
{
	gnutls_datum_t in = { (unsigned char *)data.p, (unsigned)data.n }, sig = { 0 };
	gnutls_privkey_t priv = NULL;
	enum est_code rc;
	int ret;

	ret = key_open(key, &priv);
	if (ret >= 0)
		ret = gnutls_privkey_sign_data2(priv, algorithm, 0, &in, &sig);
	if (ret < 0)
		rc = est_fail(err, EST_E_INTERNAL, "cannot sign: %s", gnutls_strerror(ret));
	else
		rc = est_buf_append(signature, (struct est_span){ sig.data, sig.size }, err);
	gnutls_free(sig.data);
	if (priv)
		key_close(key, priv);
	return rc;
}

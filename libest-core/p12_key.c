/* SPDX-License-Identifier: MIT */
#include "p12_key.h"

#include <string.h>

#include <gnutls/crypto.h>

#include "cert.h"

#define WHAT "PKCS #12 file"

#define SALT_MAX  256
#define HASH_MAX  64
#define BLOCK_MAX 128
#define KEY_MAX   32
#define IV_MAX    16
/* Two octets for each of the password, and both zeros at the end. */
#define BMP_MAX  (2 * EST_SECRET_MAX + 2)
#define ROUND(n) (((n) + BLOCK_MAX - 1) / BLOCK_MAX * BLOCK_MAX)

#define PKCS5(last) CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, last)

struct hash {
	uint8_t oid[9], oid_n; /* of the digest */
	uint8_t prf;           /* last octet of the HMAC's OID under 1.2.840.113549.2 */
	uint8_t n, block;      /* bytes of its value and of its input */
	gnutls_digest_algorithm_t digest;
	gnutls_mac_algorithm_t mac;
};

static const struct hash hashes[] = {
	{ { 0x2b, 0x0e, 0x03, 0x02, 0x1a }, 5, 7, 20, 64, GNUTLS_DIG_SHA1, GNUTLS_MAC_SHA1 },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04 }, 9, 8, 28, 64, GNUTLS_DIG_SHA224,
		GNUTLS_MAC_SHA224 },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 }, 9, 9, 32, 64, GNUTLS_DIG_SHA256,
		GNUTLS_MAC_SHA256 },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02 }, 9, 10, 48, 128,
		GNUTLS_DIG_SHA384, GNUTLS_MAC_SHA384 },
	{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03 }, 9, 11, 64, 128,
		GNUTLS_DIG_SHA512, GNUTLS_MAC_SHA512 },
};

#define HASHES (sizeof(hashes) / sizeof(hashes[0]))

struct scheme { /* how a password becomes a key, and what the key is for */
	const struct hash *hash;
	struct est_span salt, iv;
	size_t iterations, key_n;
	gnutls_cipher_algorithm_t cipher;
	bool pbes2;
};

static bool number(struct est_span body, size_t *out)
{
	*out = 0;
	if (body.n == 0 || body.n > 4 || body.p[0] & 0x80)
		return false;
	for (size_t i = 0; i < body.n; i++)
		*out = *out << 8 | body.p[i];
	return *out > 0;
}

static enum est_code fail_gnutls(int ret, struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, WHAT ": %s", gnutls_strerror(ret));
}

static enum est_code unknown(struct est_error *err)
{
	return est_fail(err, EST_E_PROTOCOL, WHAT ": encrypted in a way that is not supported");
}

/* Counts before anything is computed. */
static enum est_code spend(struct p12_budget *budget, size_t iterations, size_t rounds,
	struct est_error *err)
{
	if (iterations > P12_KEY_MAX / rounds || iterations > budget->left / rounds)
		return est_fail(err, EST_E_PROTOCOL,
			WHAT ": asks for more than %u iterations for a key or %u in all, the limit",
			P12_KEY_MAX, P12_ALL_MAX);
	budget->left -= iterations * rounds;
	return EST_OK;
}

/* UTF-8 as BMPString with its end (appendix B.1); *n is 0 when it does not fit or is no UTF-8. */
static void bmp_put(const char *password, uint8_t out[BMP_MAX], size_t *n)
{
	const uint8_t *p = (const uint8_t *)password;
	uint32_t c;
	size_t used = 0;

	*n = 0;
	for (; p && *p; p++) {
		int more = *p < 0x80 ? 0 : *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;

		c = more ? *p & (0x3fu >> more) : *p;
		for (; more > 0; more--) {
			if ((*++p & 0xc0) != 0x80)
				return;
			c = c << 6 | (*p & 0x3f);
		}
		if (used + 6 > BMP_MAX)
			return;
		if (c > 0xffff) {
			out[used++] = (uint8_t)(0xd8 | (c - 0x10000) >> 18);
			out[used++] = (uint8_t)((c - 0x10000) >> 10);
			c = 0xdc00 | (c & 0x3ff);
		}
		out[used++] = (uint8_t)(c >> 8);
		out[used++] = (uint8_t)c;
	}
	if (!p)
		return;
	out[used++] = 0;
	out[used++] = 0;
	*n = used;
}

static size_t repeat(struct est_span in, size_t block, uint8_t *out)
{
	size_t n = in.n > 0 ? (in.n + block - 1) / block * block : 0;

	for (size_t i = 0; i < n; i++)
		out[i] = in.p[i % in.n];
	return n;
}

/* RFC 7292 appendix B.2; at most two values of the hash are needed for a key. */
static enum est_code derive(const struct hash *hash, uint8_t id, struct est_span salt,
	struct est_span password, size_t iterations, uint8_t *out, size_t out_n,
	struct est_error *err)
{
	uint8_t in[BLOCK_MAX + ROUND(SALT_MAX) + ROUND(BMP_MAX)], value[HASH_MAX];
	size_t v = hash->block, n = v, take, carry;
	gnutls_hash_hd_t handle = NULL;
	int ret = gnutls_hash_init(&handle, hash->digest);

	memset(in, id, v);
	n += repeat(salt, v, in + n);
	n += repeat(password, v, in + n);
	while (ret >= 0 && out_n > 0) {
		ret = gnutls_hash(handle, in, n);
		for (size_t i = 1; ret >= 0 && i < iterations; i++) {
			gnutls_hash_output(handle, value); /* and begins anew */
			ret = gnutls_hash(handle, value, hash->n);
		}
		gnutls_hash_output(handle, value);
		take = out_n < hash->n ? out_n : hash->n;
		memcpy(out, value, take);
		out += take;
		out_n -= take;
		for (size_t block = v; block < n; block += v) {
			carry = 1;
			for (size_t i = v; i-- > 0; carry >>= 8) {
				carry += in[block + i] + (size_t)value[i % hash->n];
				in[block + i] = (uint8_t)carry;
			}
		}
	}
	if (handle)
		gnutls_hash_deinit(handle, NULL);
	explicit_bzero(in, sizeof(in));
	explicit_bzero(value, sizeof(value));
	return ret < 0 ? fail_gnutls(ret, err) : EST_OK;
}

/* PBKDF2-params (RFC 8018 appendix A.2). */
static bool read_pbkdf2(struct est_span in, struct scheme *s)
{
	static const uint8_t hmac[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02 };
	struct der_tlv kdf, oid, params, tlv, prf;

	if (!der_expect(&in, DER_SEQUENCE, &kdf) || !der_expect(&kdf.body, DER_OID, &oid) ||
		!est_span_eq(oid.body, PKCS5(0x0c)) ||
		!der_expect(&kdf.body, DER_SEQUENCE, &params) ||
		!der_expect(&params.body, DER_OCTET_STRING, &tlv))
		return false;
	s->salt = tlv.body;
	if (!der_expect(&params.body, DER_INTEGER, &tlv) || !number(tlv.body, &s->iterations))
		return false;
	(void)der_expect(&params.body, DER_INTEGER, &tlv); /* the cipher says how long a key is */
	s->hash = &hashes[0];
	if (!der_expect(&params.body, DER_SEQUENCE, &prf))
		return true;
	s->hash = NULL;
	if (!der_expect(&prf.body, DER_OID, &oid) || oid.body.n != sizeof(hmac) + 1 ||
		memcmp(oid.body.p, hmac, sizeof(hmac)) != 0)
		return false;
	for (size_t i = 0; i < HASHES; i++) {
		if (hashes[i].prf == oid.body.p[sizeof(hmac)])
			s->hash = &hashes[i];
	}
	return s->hash != NULL;
}

/* AES in CBC mode, by the last octet under 2.16.840.1.101.3.4.1, or Triple-DES. */
static bool read_cipher(struct est_span in, struct scheme *s)
{
	static const uint8_t aes[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01 };
	const struct est_span des3 = CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07);
	struct der_tlv cipher, oid, iv;
	uint8_t last = 0;

	if (!der_expect(&in, DER_SEQUENCE, &cipher) || !der_expect(&cipher.body, DER_OID, &oid) ||
		!der_expect(&cipher.body, DER_OCTET_STRING, &iv))
		return false;
	s->iv = iv.body;
	if (oid.body.n == sizeof(aes) + 1 && memcmp(oid.body.p, aes, sizeof(aes)) == 0)
		last = oid.body.p[sizeof(aes)];
	s->cipher = last == 2                     ? GNUTLS_CIPHER_AES_128_CBC
		    : last == 22                  ? GNUTLS_CIPHER_AES_192_CBC
		    : last == 42                  ? GNUTLS_CIPHER_AES_256_CBC
		    : est_span_eq(oid.body, des3) ? GNUTLS_CIPHER_3DES_CBC
						  : GNUTLS_CIPHER_UNKNOWN;
	return s->cipher != GNUTLS_CIPHER_UNKNOWN;
}

static bool read_scheme(struct est_span in, struct scheme *s)
{
	static const uint8_t pkcs12[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01 };
	struct der_tlv oid, params, kdf, salt, iterations;

	if (!der_expect(&in, DER_OID, &oid) || !der_expect(&in, DER_SEQUENCE, &params))
		return false;
	if (est_span_eq(oid.body, PKCS5(0x0d))) {
		s->pbes2 = true;
		return der_expect(&params.body, DER_SEQUENCE, &kdf) && read_pbkdf2(kdf.whole, s) &&
		       read_cipher(params.body, s);
	}
	if (oid.body.n != sizeof(pkcs12) + 1 || memcmp(oid.body.p, pkcs12, sizeof(pkcs12)) != 0 ||
		!der_expect(&params.body, DER_OCTET_STRING, &salt) ||
		!der_expect(&params.body, DER_INTEGER, &iterations))
		return false;
	s->salt = salt.body;
	s->hash = &hashes[0];
	/* pbeWithSHAAnd3-KeyTripleDES-CBC and pbewithSHAAnd40BitRC2-CBC: what old files have. */
	s->cipher = oid.body.p[sizeof(pkcs12)] == 3   ? GNUTLS_CIPHER_3DES_CBC
		    : oid.body.p[sizeof(pkcs12)] == 6 ? GNUTLS_CIPHER_RC2_40_CBC
						      : GNUTLS_CIPHER_UNKNOWN;
	return s->cipher != GNUTLS_CIPHER_UNKNOWN && number(iterations.body, &s->iterations);
}

static enum est_code make_key(const struct scheme *s, const char *password,
	struct p12_budget *budget, uint8_t key[KEY_MAX], uint8_t iv[IV_MAX], struct est_error *err)
{
	const char *octets = password ? password : "";
	const gnutls_datum_t secret = { (unsigned char *)octets, (unsigned)strlen(octets) };
	const gnutls_datum_t salt = { (unsigned char *)s->salt.p, (unsigned)s->salt.n };
	size_t iv_n = gnutls_cipher_get_iv_size(s->cipher), bmp_n;
	size_t rounds = (s->key_n + s->hash->n - 1) / s->hash->n + !s->pbes2;
	uint8_t bmp[BMP_MAX];
	enum est_code rc;
	int ret;

	if (s->salt.n > SALT_MAX || s->key_n > KEY_MAX || iv_n > IV_MAX ||
		(s->pbes2 && s->iv.n != iv_n))
		return unknown(err);
	rc = spend(budget, s->iterations, rounds, err);
	if (rc != EST_OK)
		return rc;
	if (s->pbes2) {
		memcpy(iv, s->iv.p, iv_n);
		ret = gnutls_pbkdf2(s->hash->mac, &secret, &salt, (unsigned)s->iterations, key,
			s->key_n);
		return ret < 0 ? fail_gnutls(ret, err) : EST_OK;
	}
	bmp_put(password, bmp, &bmp_n);
	rc = derive(s->hash, 1, s->salt, (struct est_span){ bmp, bmp_n }, s->iterations, key,
		s->key_n, err);
	if (rc == EST_OK)
		rc = derive(s->hash, 2, s->salt, (struct est_span){ bmp, bmp_n }, s->iterations, iv,
			iv_n, err);
	explicit_bzero(bmp, sizeof(bmp));
	return rc;
}

/* Cuts the padding off (RFC 8018 section 6.1.1); false: there is none. */
static bool unpad(struct est_buf *buf, size_t start, size_t block)
{
	size_t n = buf->n > start ? buf->p[buf->n - 1] : 0;

	if (n == 0 || n > block || n > buf->n - start)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (buf->p[buf->n - 1 - i] != n)
			return false;
	}
	buf->n -= n;
	return true;
}

enum est_code p12_decrypt(struct est_span algorithm, const char *password,
	struct p12_budget *budget, struct est_span sealed, struct est_buf *out,
	struct est_error *err)
{
	uint8_t key[KEY_MAX] = { 0 }, iv[IV_MAX] = { 0 };
	gnutls_datum_t key_data = { key, 0 }, iv_data = { iv, 0 };
	struct scheme s = { 0 };
	gnutls_cipher_hd_t cipher = NULL;
	size_t block, start = out->n;
	enum est_code rc;
	int ret;

	if (!read_scheme(algorithm, &s))
		return unknown(err);
	s.key_n = gnutls_cipher_get_key_size(s.cipher);
	block = gnutls_cipher_get_block_size(s.cipher);
	if (sealed.n == 0 || block == 0 || sealed.n % block != 0)
		return est_fail(err, EST_E_PROTOCOL, WHAT ": %zu encrypted bytes, no whole blocks",
			sealed.n);
	rc = make_key(&s, password, budget, key, iv, err);
	if (rc == EST_OK)
		rc = est_buf_append(out, sealed, err);
	if (rc != EST_OK)
		goto out;
	key_data.size = (unsigned)s.key_n;
	iv_data.size = gnutls_cipher_get_iv_size(s.cipher);
	ret = gnutls_cipher_init(&cipher, s.cipher, &key_data, &iv_data);
	if (ret >= 0)
		ret = gnutls_cipher_decrypt(cipher, out->p + start, sealed.n);
	if (ret < 0)
		rc = fail_gnutls(ret, err);
	else if (!unpad(out, start, block))
		rc = est_fail(err, EST_E_INPUT, WHAT ": wrong password");
out:
	if (cipher)
		gnutls_cipher_deinit(cipher);
	explicit_bzero(key, sizeof(key));
	return rc;
}

enum est_code p12_mac(struct est_span hash, const char **password, struct est_span salt,
	struct est_span iterations, struct p12_budget *budget, struct est_span content,
	struct est_span mac, bool *match, struct est_error *err)
{
	uint8_t bmp[BMP_MAX], key[HASH_MAX], due[HASH_MAX];
	const struct hash *h = NULL;
	size_t bmp_n, n = 1;
	enum est_code rc;
	int ret;

	*match = true;
	for (size_t i = 0; i < HASHES; i++) {
		if (est_span_eq(hash, (struct est_span){ hashes[i].oid, hashes[i].oid_n }))
			h = &hashes[i];
	}
	if (!h)
		return EST_OK;
	if ((iterations.n > 0 && !number(iterations, &n)) || salt.n > SALT_MAX)
		return unknown(err);
	/* Without a password some write an empty one, others none at all. */
	for (int none = 0; none < (**password ? 1 : 2); none++) {
		if (none && n > budget->left)
			break;
		rc = spend(budget, n, 1, err);
		if (rc != EST_OK)
			return rc;
		bmp_put(none ? NULL : *password, bmp, &bmp_n);
		rc = derive(h, 3, salt, (struct est_span){ bmp, bmp_n }, n, key, h->n, err);
		explicit_bzero(bmp, sizeof(bmp));
		if (rc != EST_OK)
			return rc;
		ret = gnutls_hmac_fast(h->mac, key, h->n, content.p, content.n, due);
		explicit_bzero(key, sizeof(key));
		if (ret < 0)
			return fail_gnutls(ret, err);
		*match = mac.n == h->n && gnutls_memcmp(mac.p, due, h->n) == 0;
		if (*match && none)
			*password = NULL;
		if (*match)
			break;
	}
	return EST_OK;
}

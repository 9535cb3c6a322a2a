/* SPDX-License-Identifier: MIT */
/* Private keys: made, read, written, compared, used. */
#include "key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "cert.h"
#include "pem.h"
#include "token.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define KEY_MAX      (16u << 10) /* bytes of one key: the library is quadratic in its attributes */

struct est_key {
	gnutls_x509_privkey_t x509; /* NULL: it is in a token */
	gnutls_privkey_t token;
	struct token_pin *pin;
	char type[16];
	bool no_signatures;
	struct est_buf sealed; /* PEM, as it was, when a passphrase opens it */
};

static const struct key_type {
	const char *name;
	gnutls_pk_algorithm_t pk;
	gnutls_ecc_curve_t curve;
} key_types[] = {
	{ "ec:p256", GNUTLS_PK_EC, GNUTLS_ECC_CURVE_SECP256R1 },
	{ "ec:p384", GNUTLS_PK_EC, GNUTLS_ECC_CURVE_SECP384R1 },
	{ "ec:p521", GNUTLS_PK_EC, GNUTLS_ECC_CURVE_SECP521R1 },
	{ "ed25519", GNUTLS_PK_EDDSA_ED25519, GNUTLS_ECC_CURVE_ED25519 },
	{ "ed448", GNUTLS_PK_EDDSA_ED448, GNUTLS_ECC_CURVE_ED448 },
};

#define KEY_TYPES (sizeof(key_types) / sizeof(key_types[0]))

gnutls_x509_privkey_t key_x509(const struct est_key *key)
{
	return key->x509;
}

void key_restrict(struct est_key *key)
{
	key->no_signatures = true;
}

bool est_key_signs(const struct est_key *key)
{
	return !key->no_signatures;
}

const char *est_key_type(const struct est_key *key)
{
	return key->type;
}

bool est_key_exportable(const struct est_key *key)
{
	return key->x509 != NULL;
}

void est_key_free(struct est_key *key)
{
	if (!key)
		return;
	gnutls_x509_privkey_deinit(key->x509);
	gnutls_privkey_deinit(key->token);
	token_pin_free(key->pin);
	est_buf_free(&key->sealed);
	free(key);
}

int key_open(const struct est_key *key, gnutls_privkey_t *out)
{
	gnutls_privkey_t priv = key->token;
	int ret = 0;

	if (!priv)
		ret = gnutls_privkey_init(&priv);
	if (ret >= 0 && !key->token)
		ret = gnutls_privkey_import_x509(priv, key->x509, 0);
	if (ret >= 0)
		*out = priv;
	else
		gnutls_privkey_deinit(priv);
	return ret;
}

void key_close(const struct est_key *key, gnutls_privkey_t priv)
{
	if (priv != key->token)
		gnutls_privkey_deinit(priv);
}

gnutls_privkey_t key_take_token(struct est_key *key)
{
	gnutls_privkey_t token = key->token;

	key->token = NULL;
	return token;
}

static enum est_code key_alloc(struct est_key **out, struct est_error *err)
{
	struct est_key *key = calloc(1, sizeof(*key));

	if (!key || gnutls_x509_privkey_init(&key->x509) < 0) {
		free(key);
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	}
	*out = key;
	return EST_OK;
}

bool key_type_parse(const char *type, gnutls_pk_algorithm_t *pk, unsigned *bits)
{
	unsigned long n;
	char *end;

	for (size_t i = 0; i < KEY_TYPES; i++) {
		if (strcmp(type, key_types[i].name) == 0) {
			*pk = key_types[i].pk;
			*bits = GNUTLS_CURVE_TO_BITS(key_types[i].curve);
			return true;
		}
	}
	if (strncmp(type, "rsa:", 4) != 0 || type[4] < '1' || type[4] > '9')
		return false;
	n = strtoul(type + 4, &end, 10);
	if (*end || n < RSA_BITS_MIN || n > RSA_BITS_MAX || n % 8)
		return false;
	*pk = GNUTLS_PK_RSA;
	*bits = (unsigned)n;
	return true;
}

bool key_type_known(const char *type)
{
	gnutls_pk_algorithm_t pk;
	unsigned bits;

	return key_type_parse(type, &pk, &bits);
}

enum est_code key_type_check(const char *type, struct est_error *err)
{
	if (key_type_known(type))
		return EST_OK;
	return est_fail(err, EST_E_USAGE,
		"no such key type: '%.40s'; there are ec:p256, ec:p384, ec:p521, rsa:%d to "
		"rsa:%d, ed25519, ed448",
		type, RSA_BITS_MIN, RSA_BITS_MAX);
}

enum est_code est_key_generate(const char *type, struct est_key **out, struct est_error *err)
{
	gnutls_pk_algorithm_t pk;
	struct est_key *key;
	enum est_code rc;
	unsigned bits;
	int ret;

	if (!key_type_parse(type, &pk, &bits))
		return key_type_check(type, err);
	rc = key_alloc(&key, err);
	if (rc != EST_OK)
		return rc;
	ret = gnutls_x509_privkey_generate(key->x509, pk, bits, 0);
	if (ret < 0) {
		est_key_free(key);
		return est_fail(err, EST_E_INTERNAL, "cannot make a key of type %s: %s", type,
			gnutls_strerror(ret));
	}
	(void)snprintf(key->type, sizeof(key->type), "%s", type);
	*out = key;
	return EST_OK;
}

/* A token tells the curve with the public key alone. */
static gnutls_ecc_curve_t token_curve(gnutls_privkey_t key)
{
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	gnutls_pubkey_t pub = NULL;

	if (gnutls_pubkey_init(&pub) >= 0 && gnutls_pubkey_import_privkey(pub, key, 0, 0) >= 0)
		(void)gnutls_pubkey_export_ecc_raw(pub, &curve, NULL, NULL);
	gnutls_pubkey_deinit(pub);
	return curve;
}

/* Fills in the type of a key that was read; EST_E_INPUT for one this client does not use. */
static enum est_code type_detect(struct est_key *key, const char *name, struct est_error *err)
{
	gnutls_pk_algorithm_t pk;
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
	unsigned bits = 0;

	if (key->token)
		pk = (gnutls_pk_algorithm_t)gnutls_privkey_get_pk_algorithm(key->token, &bits);
	else
		pk = (gnutls_pk_algorithm_t)gnutls_x509_privkey_get_pk_algorithm2(key->x509, &bits);
	if (pk == GNUTLS_PK_RSA) {
		if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
			return est_fail(err, EST_E_INPUT,
				"%s: an RSA key of %u bits; %d to %d are accepted", name, bits,
				RSA_BITS_MIN, RSA_BITS_MAX);
		(void)snprintf(key->type, sizeof(key->type), "rsa:%u", bits);
		return EST_OK;
	}
	if (pk == GNUTLS_PK_EDDSA_ED25519)
		curve = GNUTLS_ECC_CURVE_ED25519;
	else if (pk == GNUTLS_PK_EDDSA_ED448)
		curve = GNUTLS_ECC_CURVE_ED448;
	else if (pk == GNUTLS_PK_EC && key->token)
		curve = token_curve(key->token);
	else if (pk == GNUTLS_PK_EC)
		(void)gnutls_x509_privkey_export_ecc_raw(key->x509, &curve, NULL, NULL, NULL);
	for (size_t i = 0; i < KEY_TYPES; i++) {
		if (key_types[i].pk == pk && key_types[i].curve == curve) {
			(void)snprintf(key->type, sizeof(key->type), "%s", key_types[i].name);
			return EST_OK;
		}
	}
	est_fail(err, EST_E_INPUT, "%s: this %s key cannot sign a request here", name,
		gnutls_pk_get_name(pk));
	est_reason(err, "cannot-sign");
	return est_hint(err, "EC on P-256, P-384 or P-521, RSA, Ed25519 and Ed448 keys can");
}

static int key_import(struct est_key *key, struct est_span text, const char *password)
{
	gnutls_datum_t data = { (unsigned char *)text.p, (unsigned)text.n };

	return gnutls_x509_privkey_import2(key->x509, &data,
		pem_present(text) ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, password,
		password ? 0 : GNUTLS_PKCS_PLAIN);
}

static enum est_code import_encrypted(struct est_key *key, struct est_span text, const char *name,
	est_secret_fn *ask, void *ctx, struct est_error *err)
{
	struct est_buf password = { 0 };
	char what[160];
	enum est_code rc;
	int ret;

	if (!ask)
		return est_fail(err, EST_E_INPUT, "%s: the key is encrypted", name);
	(void)snprintf(what, sizeof(what), "passphrase of %.120s", name);
	rc = ask(ctx, what, &password, err);
	if (rc == EST_OK)
		rc = est_buf_append(&password, (struct est_span){ (const uint8_t *)"", 1 }, err);
	if (rc == EST_OK) {
		ret = key_import(key, text, (const char *)password.p);
		if (ret < 0) {
			rc = est_fail(err, EST_E_INPUT, "%s: wrong passphrase, or damaged: %s",
				name, gnutls_strerror(ret));
			est_reason(err, "wrong-passphrase");
		}
	}
	if (rc == EST_OK)
		rc = pem_present(text)
			     ? est_buf_append(&key->sealed, text, err)
			     : est_pem_append(&key->sealed, "ENCRYPTED PRIVATE KEY", text, err);
	if (rc == EST_OK && key->sealed.p[key->sealed.n - 1] != '\n')
		rc = est_buf_append(&key->sealed, est_span_str("\n"), err);
	est_buf_free(&password);
	return rc;
}

/* The first private key of the text, and whether a passphrase opens it.  A certificate or
 * parameters may come before it. */
static bool find_key(struct est_span text, struct est_span *out, bool *encrypted)
{
	struct pem_reader reader;
	struct pem_block block;
	struct est_error ignored;
	bool found = true;

	if (!pem_present(text)) {
		*out = text;
		*encrypted = est_file_kind(text, NULL) == EST_FILE_ENCRYPTED_KEY;
		return text.n > 0 && text.p[0] == 0x30;
	}
	pem_init(&reader, text);
	while (pem_next(&reader, &block, &found, &ignored) == EST_OK && found) {
		if (!pem_is_private_key(&block))
			continue;
		*out = (struct est_span){ text.p + block.offset, reader.offset - block.offset };
		*encrypted = pem_is(&block, "ENCRYPTED PRIVATE KEY") || pem_is_encrypted(&block);
		return true;
	}
	return false;
}

static enum est_code import(struct est_key *key, struct est_span text, const char *name,
	est_secret_fn *ask, void *ctx, struct est_error *err)
{
	struct est_span one;
	bool encrypted;
	int ret;

	if (!find_key(text, &one, &encrypted))
		return est_fail(err, EST_E_INPUT, "%s: holds no private key but %s", name,
			est_file_kind_text(est_file_kind(text, NULL)));
	if (one.n > KEY_MAX)
		return est_fail(err, EST_E_INPUT,
			"%s: holds no private key but something of %zu bytes, over the limit of %u",
			name, one.n, KEY_MAX);
	if (encrypted)
		return import_encrypted(key, one, name, ask, ctx, err);
	if (key_signs(one) == KEY_CANNOT_SIGN) {
		est_fail(err, EST_E_INPUT,
			"%s: a key that agrees on secrets cannot sign, and so no request can prove "
			"its possession (RFC 7030 section 4.2)",
			name);
		return est_reason(err, "cannot-sign");
	}
	key->no_signatures = key_signs(one) == KEY_MUST_NOT_SIGN;
	ret = key_import(key, one, NULL);
	if (ret < 0)
		return est_fail(err, ret == GNUTLS_E_MEMORY_ERROR ? EST_E_INTERNAL : EST_E_INPUT,
			"%s: holds no private key of a kind that can be used here: %s", name,
			gnutls_strerror(ret));
	return EST_OK;
}

static enum est_code load_token(const char *url, bool any, est_secret_fn *ask, void *ctx,
	struct est_key **out, struct est_error *err)
{
	struct est_key *key = calloc(1, sizeof(*key));
	char shown[300];
	enum est_code rc;

	if (!key)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	rc = token_key(url, ask, ctx, &key->token, &key->pin, err);
	if (rc == EST_OK && !any)
		rc = type_detect(key, est_escape(shown, sizeof(shown), est_span_str(url)), err);
	if (rc == EST_OK)
		*out = key;
	else
		est_key_free(key);
	return rc;
}

/* any: it need not be one that this client uses. */
static enum est_code load(const char *path, bool any, est_secret_fn *ask, void *ctx,
	struct est_key **out, struct est_error *err)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	struct est_buf text = { 0 };
	struct est_key *key = NULL;
	enum est_code rc;

	if (est_is_token_url(path))
		return load_token(path, any, ask, ctx, out, err);
	rc = est_read_file(path, EST_FILE_MAX, &text, err);
	if (rc == EST_OK && text.n == 0)
		rc = est_fail(err, EST_E_INPUT, "%s: empty", name);
	if (rc == EST_OK)
		rc = key_alloc(&key, err);
	if (rc != EST_OK)
		goto out;
	rc = import(key, est_buf_span(&text), name, ask, ctx, err);
	if (rc == EST_OK && !any)
		rc = type_detect(key, name, err);
	if (rc != EST_OK)
		goto out;
	*out = key;
	key = NULL;
out:
	est_key_free(key);
	est_buf_free(&text);
	return rc;
}

enum est_code est_key_load(const char *path, est_secret_fn *ask, void *ctx, struct est_key **out,
	struct est_error *err)
{
	return load(path, false, ask, ctx, out, err);
}

enum est_code est_key_load_any(const char *path, est_secret_fn *ask, void *ctx,
	struct est_key **out, struct est_error *err)
{
	return load(path, true, ask, ctx, out, err);
}

enum est_code est_key_pem(const struct est_key *key, struct est_buf *out, struct est_error *err)
{
	struct est_buf marked = { 0 };
	gnutls_datum_t pem = { 0 };
	enum est_code rc;
	int ret;

	if (!key->x509)
		return est_fail(err, EST_E_INPUT, "a key in a token cannot be written");
	if (key->sealed.n)
		return est_buf_append(out, est_buf_span(&key->sealed), err);
	ret = gnutls_x509_privkey_export2_pkcs8(key->x509,
		key->no_signatures ? GNUTLS_X509_FMT_DER : GNUTLS_X509_FMT_PEM, NULL,
		GNUTLS_PKCS_PLAIN, &pem);
	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "cannot write the key: %s",
			gnutls_strerror(ret));
	if (!key->no_signatures) {
		rc = est_buf_append(out, (struct est_span){ pem.data, pem.size }, err);
	} else {
		rc = key_mark((struct est_span){ pem.data, pem.size }, &marked, err);
		if (rc == EST_OK)
			rc = est_pem_append(out, "PRIVATE KEY", est_buf_span(&marked), err);
		est_buf_free(&marked);
	}
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return rc;
}

enum est_code key_spki(const struct est_key *key, struct est_buf *out, struct est_error *err)
{
	gnutls_datum_t der = { 0 };
	gnutls_privkey_t priv = NULL;
	gnutls_pubkey_t pub = NULL;
	enum est_code rc;
	int ret;

	ret = key_open(key, &priv);
	if (ret >= 0)
		ret = gnutls_pubkey_init(&pub);
	if (ret >= 0)
		ret = gnutls_pubkey_import_privkey(pub, priv, 0, 0);
	if (ret >= 0)
		ret = gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &der);
	if (ret < 0)
		rc = est_fail(err, EST_E_INTERNAL, "cannot get the public key: %s",
			gnutls_strerror(ret));
	else
		rc = est_buf_append(out, (struct est_span){ der.data, der.size }, err);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(pub);
	if (priv)
		key_close(key, priv);
	return rc;
}

enum est_code est_key_match(const struct est_key *key, const char *key_name, struct est_span cert,
	const char *cert_name, struct est_error *err)
{
	struct est_buf spki = { 0 };
	struct cert_view view;
	enum est_code rc;

	rc = cert_view(cert, cert_name, &view, err);
	if (rc == EST_OK)
		rc = key_spki(key, &spki, err);
	if (rc == EST_OK && !est_span_eq(est_buf_span(&spki), view.spki)) {
		rc = est_fail(err, EST_E_INPUT, "%s is not the key of %s: their public keys differ",
			key_name, cert_name);
		est_reason(err, "key-mismatch");
	}
	est_buf_free(&spki);
	return rc;
}

enum est_code est_key_load_for(struct est_span cert, const char *cert_file, const char *key_file,
	est_secret_fn *ask, void *ctx, struct est_key **out, struct est_error *err)
{
	const char *file = key_file ? key_file : cert_file;
	struct est_key *key = NULL;
	enum est_code rc;

	rc = est_key_load(file, ask, ctx, &key, err);
	if (rc == EST_E_INPUT && !key_file && !*err->hint)
		est_hint(err, "name the key of --cert with --key FILE, unless one file holds both");
	if (rc == EST_OK)
		rc = est_key_match(key, file, cert, cert_file, err);
	if (rc != EST_OK) {
		est_key_free(key);
		return rc;
	}
	*out = key;
	return EST_OK;
}

/* SPDX-License-Identifier: MIT */
/* PKCS #12 (RFC 7292): key and certificates in one encrypted file, for programs that want that. */
#include <stdlib.h>
#include <string.h>

#include <gnutls/pkcs12.h>

#include "key.h"

static enum est_code fail_p12(int ret, struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, "cannot make the PKCS #12 file: %s",
		gnutls_strerror(ret));
}

/* The first certificate has the id of the key, which is how programs find the pair. */
static int add_certs(gnutls_pkcs12_t p12, const struct est_certs *certs, gnutls_datum_t id,
	const char *password)
{
	gnutls_pkcs12_bag_t bag = NULL;
	gnutls_x509_crt_t crt;
	int ret = gnutls_pkcs12_bag_init(&bag);

	for (size_t i = 0; ret >= 0 && i < est_certs_count(certs); i++) {
		struct est_span der = est_certs_get(certs, i);
		gnutls_datum_t data = { (unsigned char *)der.p, (unsigned)der.n };

		ret = gnutls_x509_crt_init(&crt);
		if (ret < 0)
			break;
		ret = gnutls_x509_crt_import(crt, &data, GNUTLS_X509_FMT_DER);
		if (ret >= 0)
			ret = gnutls_pkcs12_bag_set_crt(bag, crt); /* its index in the bag */
		if (ret >= 0 && i == 0)
			ret = gnutls_pkcs12_bag_set_key_id(bag, (unsigned)ret, &id);
		gnutls_x509_crt_deinit(crt);
	}
	if (ret >= 0)
		ret = gnutls_pkcs12_bag_encrypt(bag, password, GNUTLS_PKCS_PBES2_AES_256);
	if (ret >= 0)
		ret = gnutls_pkcs12_set_bag(p12, bag);
	gnutls_pkcs12_bag_deinit(bag);
	return ret;
}

static int add_key(gnutls_pkcs12_t p12, const struct est_key *key, gnutls_datum_t id,
	const char *password)
{
	gnutls_pkcs12_bag_t bag = NULL;
	gnutls_datum_t pkcs8 = { 0 };
	int ret;

	ret = gnutls_x509_privkey_export2_pkcs8(key_x509(key), GNUTLS_X509_FMT_DER, password,
		GNUTLS_PKCS_PBES2_AES_256, &pkcs8);
	if (ret >= 0)
		ret = gnutls_pkcs12_bag_init(&bag);
	if (ret >= 0)
		ret = gnutls_pkcs12_bag_set_data(bag, GNUTLS_BAG_PKCS8_ENCRYPTED_KEY, &pkcs8);
	if (ret >= 0)
		ret = gnutls_pkcs12_bag_set_key_id(bag, (unsigned)ret, &id);
	if (ret >= 0)
		ret = gnutls_pkcs12_set_bag(p12, bag);
	gnutls_pkcs12_bag_deinit(bag);
	gnutls_free(pkcs8.data);
	return ret;
}

enum est_code est_p12_encode(const struct est_key *key, const struct est_certs *certs,
	const char *password, struct est_buf *out, struct est_error *err)
{
	unsigned char id[64];
	gnutls_datum_t key_id = { id, 0 }, der = { 0 };
	gnutls_pkcs12_t p12 = NULL;
	size_t n = sizeof(id);
	enum est_code rc = EST_OK;
	int ret;

	if (!key_x509(key))
		return est_fail(err, EST_E_INPUT, "a key in a token cannot be written");
	ret = gnutls_x509_privkey_get_key_id(key_x509(key), GNUTLS_KEYID_USE_SHA256, id, &n);
	key_id.size = (unsigned)n;
	if (ret >= 0)
		ret = gnutls_pkcs12_init(&p12);
	if (ret >= 0)
		ret = add_certs(p12, certs, key_id, password);
	if (ret >= 0)
		ret = add_key(p12, key, key_id, password);
	if (ret >= 0)
		ret = gnutls_pkcs12_generate_mac2(p12, GNUTLS_MAC_SHA256, password);
	if (ret >= 0)
		ret = gnutls_pkcs12_export2(p12, GNUTLS_X509_FMT_DER, &der);
	if (ret < 0)
		rc = fail_p12(ret, err);
	else
		rc = est_buf_append(out, (struct est_span){ der.data, der.size }, err);
	gnutls_free(der.data);
	gnutls_pkcs12_deinit(p12);
	return rc;
}

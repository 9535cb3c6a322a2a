/* SPDX-License-Identifier: MIT */
/* The certificate and key that this client shows in TLS. */
#include "identity.h"

#include <string.h>

#include "key.h"
#include "trust.h"

/* RFC 7030 section 4.2.1: a key whose keyUsage forbids signatures signs its requests and nothing
 * else, so no handshake. */
static enum est_code check_signs(const struct est_config *config, const struct est_key *key,
	const char *key_file, gnutls_x509_crt_t crt, struct est_error *err)
{
	unsigned usage = 0;
	bool cert_forbids = gnutls_x509_crt_get_key_usage(crt, &usage, NULL) >= 0 &&
			    !(usage & GNUTLS_KEY_DIGITAL_SIGNATURE);

	if (est_key_signs(key) && !cert_forbids)
		return EST_OK;
	est_fail(err, EST_E_INPUT,
		"%s cannot authenticate a TLS client: its keyUsage lacks digitalSignature (RFC 7030 "
		"section 4.2.1)",
		cert_forbids ? config->cert_file : key_file);
	est_reason(err, "cannot-sign");
	return est_hint(err, "use another certificate, or HTTP authentication, for the connection");
}

/* The leaf alone goes to the server: some refuse a chain. */
static enum est_code identity_set(gnutls_certificate_credentials_t cred,
	const struct est_config *config, struct est_error *err)
{
	const char *key_file = config->key_file ? config->key_file : config->cert_file;
	struct est_certs *certs = NULL;
	gnutls_x509_crt_t crt = NULL;
	struct est_key *key = NULL;
	enum est_code rc;
	int ret;

	rc = est_certs_load(config->cert_file, &certs, err);
	if (rc == EST_OK)
		rc = est_key_load(key_file, config->key_password, config->secret_ctx, &key, err);
	if (rc == EST_OK)
		rc = est_key_match(key, key_file, est_certs_get(certs, 0), config->cert_file, err);
	if (rc == EST_OK)
		rc = trust_import(est_certs_get(certs, 0), config->cert_file, &crt, err);
	if (rc == EST_OK)
		rc = check_signs(config, key, key_file, crt, err);
	if (rc == EST_E_PROTOCOL)
		rc = err->code = EST_E_INPUT; /* it is a local file */
	if (rc != EST_OK)
		goto out;
	/* GnuTLS would sign and verify something to learn what est_key_match() knows already. */
	gnutls_certificate_set_flags(cred, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	ret = gnutls_certificate_set_x509_key(cred, &crt, 1, key_x509(key));
	if (ret < 0)
		rc = est_fail(err, EST_E_INPUT, "%s with %s cannot be used: %s", config->cert_file,
			key_file, gnutls_strerror(ret));
out:
	if (crt)
		gnutls_x509_crt_deinit(crt);
	est_key_free(key);
	est_certs_free(certs);
	return rc;
}

enum est_code identity_load(const struct est_config *config, gnutls_certificate_credentials_t *out,
	struct est_error *err)
{
	gnutls_certificate_credentials_t cred;
	enum est_code rc = EST_OK;
	int ret = gnutls_certificate_allocate_credentials(&cred);

	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret));
	if (config->cert_file)
		rc = identity_set(cred, config, err);
	if (rc == EST_OK)
		*out = cred;
	else
		gnutls_certificate_free_credentials(cred);
	return rc;
}

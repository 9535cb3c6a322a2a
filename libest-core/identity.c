/* SPDX-License-Identifier: MIT */
/* The certificate and key that this client shows in TLS. */
#include "identity.h"

#include <stdio.h>
#include <string.h>

#include "cert.h"
#include "key.h"
#include "trust.h"

#define CHAIN_MAX 16

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

static void notice(const struct est_config *config, const char *text, const char *more,
	const char *todo)
{
	char line[1024];

	if (!config->log)
		return;
	(void)snprintf(line, sizeof(line), "%s%s%s", text, more, todo);
	config->log(config->log_ctx, EST_LOG_NOTICE, line);
}

/* RFC 7030 section 3.3.2.  Some servers let an old certificate renew itself: it is their choice. */
static void check_purpose(const struct est_config *config, struct est_span leaf)
{
	struct est_error why = { 0 };

	if (est_cert_tls_client(leaf, config->cert_file, &why) == EST_OK)
		return;
	notice(config, why.msg, "; the server may refuse it; ", why.hint);
}

/* The issuer of a certificate among the others of its file; a root is for the server to have. */
static bool find_issuer(const struct est_certs *certs, const struct cert_view *of,
	struct cert_view *out)
{
	struct est_error ignored;

	for (size_t i = 1; i < est_certs_count(certs); i++) {
		if (cert_view(est_certs_get(certs, i), "", out, &ignored) == EST_OK &&
			est_span_eq(out->subject, of->issuer) && !cert_is_self_issued(out))
			return true;
	}
	return false;
}

/* The leaf alone goes to the server: some refuse a chain. */
static enum est_code make_chain(const struct est_config *config, const struct est_certs *certs,
	gnutls_x509_crt_t *chain, unsigned *n, struct est_error *err)
{
	struct cert_view view, issuer;
	enum est_code rc;

	rc = cert_view(est_certs_get(certs, 0), config->cert_file, &view, err);
	if (rc == EST_OK)
		rc = trust_import(view.der, config->cert_file, &chain[0], err);
	if (rc == EST_OK)
		*n = 1;
	while (rc == EST_OK && config->send_chain && *n < CHAIN_MAX &&
		find_issuer(certs, &view, &issuer)) {
		rc = trust_import(issuer.der, config->cert_file, &chain[*n], err);
		if (rc == EST_OK)
			(*n)++;
		view = issuer;
	}
	if (rc == EST_OK && config->send_chain && *n == 1)
		notice(config, config->cert_file,
			" has no certificate of the CA that issued its first: --send-chain adds "
			"nothing",
			"");
	return rc;
}

/* A key in a token stays there: GnuTLS gets the handle. */
static int set_token_key(gnutls_certificate_credentials_t cred, gnutls_x509_crt_t *chain,
	unsigned n, struct est_key *key)
{
	gnutls_pcert_st *pcerts = gnutls_calloc(n, sizeof(*pcerts));
	gnutls_privkey_t token;
	unsigned i = 0;
	int ret = pcerts ? 0 : GNUTLS_E_MEMORY_ERROR;

	for (; ret >= 0 && i < n; i++)
		ret = gnutls_pcert_import_x509(&pcerts[i], chain[i], 0);
	if (ret < 0) {
		while (i > 1)
			gnutls_pcert_deinit(&pcerts[--i - 1]);
		gnutls_free(pcerts);
		return ret;
	}
	token = key_take_token(key);
	ret = gnutls_certificate_set_key(cred, NULL, 0, pcerts, (int)n, token);
	if (ret >= 0) {
		gnutls_free(pcerts); /* what is in them is GnuTLS's now */
		return ret;
	}
	for (i = 0; i < n; i++)
		gnutls_pcert_deinit(&pcerts[i]);
	gnutls_free(pcerts);
	gnutls_privkey_deinit(token);
	return ret;
}

static enum est_code identity_set(gnutls_certificate_credentials_t cred,
	const struct est_config *config, struct est_key **out, struct est_error *err)
{
	const char *key_file = config->key_file ? config->key_file : config->cert_file;
	gnutls_x509_crt_t chain[CHAIN_MAX];
	struct est_certs *certs = NULL;
	struct est_key *key = NULL;
	enum est_code rc;
	unsigned n = 0;
	int ret;

	rc = est_certs_load(config->cert_file, &certs, err);
	if (rc == EST_OK)
		rc = est_key_load_for(est_certs_get(certs, 0), config->cert_file, config->key_file,
			config->key_password, config->secret_ctx, &key, err);
	if (rc == EST_OK)
		rc = make_chain(config, certs, chain, &n, err);
	if (rc == EST_OK)
		rc = check_signs(config, key, key_file, chain[0], err);
	if (rc == EST_E_PROTOCOL)
		rc = err->code = EST_E_INPUT; /* it is a local file */
	if (rc != EST_OK)
		goto out;
	check_purpose(config, est_certs_get(certs, 0));
	/* GnuTLS would sign and verify something to learn what est_key_match() knows already. */
	gnutls_certificate_set_flags(cred, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	ret = key_x509(key) ? gnutls_certificate_set_x509_key(cred, chain, (int)n, key_x509(key))
			    : set_token_key(cred, chain, n, key);
	if (ret < 0) {
		rc = est_fail(err, EST_E_INPUT, "%s with %s cannot be used: %s", config->cert_file,
			key_file, gnutls_strerror(ret));
		goto out;
	}
	*out = key;
	key = NULL;
out:
	while (n > 0)
		gnutls_x509_crt_deinit(chain[--n]);
	est_key_free(key);
	est_certs_free(certs);
	return rc;
}

enum est_code identity_load(const struct est_config *config, gnutls_certificate_credentials_t *out,
	struct est_key **key, struct est_error *err)
{
	gnutls_certificate_credentials_t cred;
	enum est_code rc = EST_OK;
	int ret = gnutls_certificate_allocate_credentials(&cred);

	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "%s", gnutls_strerror(ret));
	if (config->cert_file)
		rc = identity_set(cred, config, key, err);
	if (rc == EST_OK)
		*out = cred;
	else
		gnutls_certificate_free_credentials(cred);
	return rc;
}

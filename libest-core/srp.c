/* SPDX-License-Identifier: MIT */
#include "srp.h"

#include <stdio.h>

#include "http_auth.h"
#include "priority.h"

/* A GnuTLS that was built without SRP may not even have the names. */
#pragma weak gnutls_srp_allocate_client_credentials
#pragma weak gnutls_srp_free_client_credentials
#pragma weak gnutls_srp_set_client_credentials

static const char offered[] =
	"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+SRP:-3DES-CBC:-ARCFOUR-128:-NULL:"
	"%SAFE_RENEGOTIATION:%PROFILE_MEDIUM";

static enum est_code fail_without(struct est_error *err)
{
	est_fail(err, EST_E_USAGE, "--srp-user: this GnuTLS (%s) was built without SRP",
		gnutls_check_version(NULL));
	est_reason(err, "no-srp");
	return est_hint(err,
		"install a GnuTLS with SRP, or let a certificate prove who the server is");
}

static enum est_code check_config(const struct est_config *config, struct est_error *err)
{
	const char *other = config->cert_file       ? "a client certificate"
			    : config->user          ? "an HTTP user"
			    : config->bootstrap     ? "a bootstrap"
			    : config->tls13_only    ? "TLS 1.3, which has no SRP,"
			    : config->priority      ? "a priority string"
			    : config->session_cache ? "a session cache"
						    : NULL;

	if (other)
		return est_fail(err, EST_E_USAGE,
			"--srp-user: %s cannot go with it (RFC 7030 section 3.3.3)", other);
	if (!*config->srp_user || !config->password)
		return est_fail(err, EST_E_USAGE, "--srp-user: needs a name and a password");
	return EST_OK;
}

static enum est_code set_credentials(const struct est_config *config,
	gnutls_srp_client_credentials_t cred, struct est_error *err)
{
	struct est_buf password = { 0 };
	char what[160];
	enum est_code rc;

	(void)snprintf(what, sizeof(what), "password of %.100s for SRP", config->srp_user);
	rc = config->password(config->secret_ctx, what, &password, err);
	if (rc == EST_OK)
		rc = http_check_credentials("", est_buf_span(&password), err);
	if (rc == EST_OK)
		rc = est_buf_append(&password, (struct est_span){ (const uint8_t *)"", 1 }, err);
	if (rc == EST_OK && gnutls_srp_set_client_credentials(cred, config->srp_user,
				    (const char *)password.p) < 0)
		rc = est_fail(err, EST_E_INPUT, "user or password cannot be used for SRP");
	est_buf_free(&password);
	return rc;
}

enum est_code srp_load(const struct est_config *config, gnutls_srp_client_credentials_t *out,
	gnutls_priority_t *priority, struct est_error *err)
{
	gnutls_srp_client_credentials_t cred;
	enum est_code rc = check_config(config, err);

	if (rc != EST_OK)
		return rc;
	if (!gnutls_srp_allocate_client_credentials ||
		gnutls_srp_allocate_client_credentials(&cred) < 0)
		return fail_without(err);
	if (gnutls_priority_init2(priority, offered, NULL, 0) < 0)
		rc = fail_without(err);
	if (rc == EST_OK)
		rc = set_credentials(config, cred, err);
	if (rc == EST_OK)
		*out = cred;
	else
		gnutls_srp_free_client_credentials(cred);
	return rc;
}

void srp_free(gnutls_srp_client_credentials_t credentials)
{
	if (credentials)
		gnutls_srp_free_client_credentials(credentials);
}

/* ServerKeyExchange begins with the prime (RFC 5054 section 2.8).  gnutls_srp_set_prime_bits() does
 * not count for the groups of that RFC, of which two are too small. */
static int check_group(gnutls_session_t tls, unsigned type, unsigned when, unsigned incoming,
	const gnutls_datum_t *msg)
{
	size_t n = 0, zeros = 0;

	(void)tls;
	(void)type;
	(void)when;
	if (incoming && msg->size >= 2)
		n = (size_t)msg->data[0] << 8 | msg->data[1];
	if (n == 0 || n > msg->size - 2)
		return 0; /* what is cut GnuTLS sees itself */
	while (zeros < n && msg->data[2 + zeros] == 0)
		zeros++;
	return (n - zeros) * 8 < SRP_BITS_MIN ? GNUTLS_E_DH_PRIME_UNACCEPTABLE : 0;
}

int srp_setup(gnutls_session_t tls, gnutls_srp_client_credentials_t credentials)
{
	gnutls_handshake_set_hook_function(tls, GNUTLS_HANDSHAKE_SERVER_KEY_EXCHANGE,
		GNUTLS_HOOK_PRE, check_group);
	return gnutls_credentials_set(tls, GNUTLS_CRD_SRP, credentials);
}

bool srp_negotiated(gnutls_session_t tls)
{
	return gnutls_protocol_get_version(tls) == GNUTLS_TLS1_2 &&
	       gnutls_kx_get(tls) == GNUTLS_KX_SRP && gnutls_auth_get_type(tls) == GNUTLS_CRD_SRP &&
	       !priority_bad_cipher(gnutls_cipher_get(tls));
}

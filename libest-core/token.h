/* SPDX-License-Identifier: MIT */
/* Keys and certificates in PKCS #11 tokens, named by a URL (RFC 7512); the modules are those that
 * p11-kit is configured with. */
#ifndef EST_TOKEN_H
#define EST_TOKEN_H

#include <gnutls/abstract.h>

#include "est.h"

/* "pkcs11:" and what follows */
bool token_is_url(const char *name);

struct token_pin; /* who is asked for the PIN; it has to live as long as the key */

/* The private key of the URL; the PIN comes from its pin-source, else from ask, which is asked
 * once: a token locks itself after a few wrong ones, so none is tried twice and the last try is not
 * used up.  EST_E_INPUT, reason wrong-passphrase among others; EST_E_USAGE for a PIN in the URL
 * itself. Released by gnutls_privkey_deinit(), then token_pin_free(). */
enum est_code token_key(const char *url, est_secret_fn *ask, void *ctx, gnutls_privkey_t *key,
	struct token_pin **pin, struct est_error *err) EST_MUST_CHECK;
void token_pin_free(struct token_pin *pin);

/* Appends the DER of every certificate that the URL names.  EST_E_INPUT when there is none. */
typedef enum est_code token_cert_fn(void *ctx, struct est_span der, struct est_error *err);
enum est_code token_certs(const char *url, token_cert_fn *fn, void *ctx,
	struct est_error *err) EST_MUST_CHECK;

#endif

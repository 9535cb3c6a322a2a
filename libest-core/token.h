/* SPDX-License-Identifier: MIT */
/* Keys and certificates in PKCS #11 tokens, named by a URL (RFC 7512); the modules are those that
 * p11-kit is configured with. */
#ifndef EST_TOKEN_H
#define EST_TOKEN_H

#include <gnutls/abstract.h>

#include "est.h"

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

/* A key in a token that another is to replace.  Objects have labels and no folders: the generations
 * of a key are told apart by what stands behind its label. */
struct token_place;

enum token_name {
	TOKEN_KEY, /* its own */
	TOKEN_NEW, /* .est-new: a certificate may have been issued for it */
	TOKEN_OLD, /* .est-old: until the certificate of the new one is in place */
	TOKEN_PREV /* .prev */
};

/* Whether the token makes keys of that type, and the URL names this one by its label, and not by an
 * id that the next will not have.  No PIN is needed.  EST_E_INPUT. */
enum est_code token_place_check(const char *url, gnutls_pk_algorithm_t pk,
	struct est_error *err) EST_MUST_CHECK;
enum est_code token_place_open(const char *url, est_secret_fn *ask, void *ctx,
	struct token_place **out, struct est_error *err) EST_MUST_CHECK;
/* Borrowed. */
const char *token_place_url(const struct token_place *place, enum token_name name);
/* Whether its private half is there. */
enum est_code token_place_has(const struct token_place *place, enum token_name name, bool *has,
	struct est_error *err) EST_MUST_CHECK;
/* TOKEN_NEW, not extractable. */
enum est_code token_place_generate(const struct token_place *place, gnutls_pk_algorithm_t pk,
	unsigned bits, struct est_error *err) EST_MUST_CHECK;
/* Both halves, those that are there: so it can be done again after a kill. */
enum est_code token_place_rename(const struct token_place *place, enum token_name from,
	enum token_name to, struct est_error *err) EST_MUST_CHECK;
enum est_code token_place_remove(const struct token_place *place, enum token_name name,
	struct est_error *err) EST_MUST_CHECK;
void token_place_free(struct token_place *place);

#endif

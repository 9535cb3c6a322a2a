/* SPDX-License-Identifier: MIT */
/* What token.c and token_place.c share. */
#ifndef EST_TOKEN_IMPL_H
#define EST_TOKEN_IMPL_H

#include <gnutls/pkcs11.h>

#include "token.h"

/* Not there in a GnuTLS without p11-kit, which says so in gnutls_url_is_supported(). */
#pragma weak gnutls_pkcs11_obj_list_import_url4
#pragma weak gnutls_pkcs11_obj_export2
#pragma weak gnutls_pkcs11_obj_deinit
#pragma weak gnutls_pkcs11_obj_set_info
#pragma weak gnutls_pkcs11_delete_url
#pragma weak gnutls_pkcs11_privkey_generate3
#pragma weak gnutls_pkcs11_set_pin_function
#pragma weak gnutls_pkcs11_token_check_mechanism

struct token_pin {
	est_secret_fn *ask;
	void *ctx;
	char *url;                  /* without its pin-source */
	struct est_buf source, pin; /* each with its NUL, once it is known */
	bool known;
	struct est_error why; /* code EST_OK: nothing went wrong here */
};

#define TOKEN_SHOWN 300 /* of a URL in a message */

/* EST_E_INPUT, EST_E_USAGE for a PIN in it; shown is the URL without one, escaped. */
enum est_code token_check_url(const char *url, char shown[TOKEN_SHOWN],
	struct est_error *err) EST_MUST_CHECK;
enum est_code token_pin_new(const char *url, est_secret_fn *ask, void *ctx, struct token_pin **out,
	struct est_error *err) EST_MUST_CHECK;
/* A gnutls_pin_callback_t with a token_pin. */
int token_pin_ask(void *pin, int attempt, const char *url, const char *label, unsigned flags,
	char *out, size_t size);
/* "no WHAT", or what the PIN's owner had to say. */
enum est_code token_fail(const char *shown, const char *what, const struct token_pin *pin, int ret,
	struct est_error *err);

#endif

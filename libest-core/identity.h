/* SPDX-License-Identifier: MIT */
/* The TLS client identity: a certificate and its key, checked before anything is sent. */
#ifndef EST_IDENTITY_H
#define EST_IDENTITY_H

#include <gnutls/gnutls.h>

#include "est.h"

/* Credentials for every session of a client; without cert_file they hold no certificate.  The key
 * must be the certificate's (EST_E_INPUT); a certificate that is not good for a TLS client is a
 * notice.  Released by gnutls_certificate_free_credentials(), then est_key_free(): a key in a token
 * needs *key for its PIN. */
enum est_code identity_load(const struct est_config *config, gnutls_certificate_credentials_t *out,
	struct est_key **key, struct est_error *err) EST_MUST_CHECK;

#endif

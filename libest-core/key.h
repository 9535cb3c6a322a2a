/* SPDX-License-Identifier: MIT */
/* What the library itself does with a private key. */
#ifndef EST_KEY_H
#define EST_KEY_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "est.h"

/* From now on est_key_pem() says so, and est_key_signs() is false. */
void key_restrict(struct est_key *key);

enum key_signs { KEY_SIGNS, KEY_MUST_NOT_SIGN, KEY_CANNOT_SIGN };

/* What the text of one key, PEM or DER, says when it is plain PKCS #8. */
enum key_signs key_signs(struct est_span text);
/* PKCS #8 in DER with the attribute that makes key_signs() say KEY_MUST_NOT_SIGN. */
enum est_code key_mark(struct est_span der, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

gnutls_x509_privkey_t key_x509(const struct est_key *key); /* borrowed; NULL: it is in a token */
/* A handle to sign with, for key_close(); GnuTLS's code. */
int key_open(const struct est_key *key, gnutls_privkey_t *out);
void key_close(const struct est_key *key, gnutls_privkey_t priv);
/* Hands the handle of a token's key over; the key itself has to outlive it.  NULL: it is in no
 * token. */
gnutls_privkey_t key_take_token(struct est_key *key);
/* DER of the SubjectPublicKeyInfo. */
enum est_code key_spki(const struct est_key *key, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* The algorithm and size of a type's name, as GnuTLS makes it; false: no such type. */
bool key_type_parse(const char *type, gnutls_pk_algorithm_t *pk, unsigned *bits);
/* Whether there are keys of this type; the check is EST_E_USAGE for another. */
bool key_type_known(const char *type);
enum est_code key_type_check(const char *type, struct est_error *err) EST_MUST_CHECK;
/* The signature algorithm of a type of key for a hash ("sha256", ...; NULL: the one that fits the
 * key), its AlgorithmIdentifier in DER, static.  EST_E_USAGE for a hash the key cannot use. */
enum est_code key_signature(const char *type, const char *hash, gnutls_sign_algorithm_t *algorithm,
	struct est_span *identifier, struct est_error *err) EST_MUST_CHECK;
/* The algorithm that such an identifier names; EST_E_USAGE for one the key cannot use. */
enum est_code key_signature_as(const struct est_key *key, struct est_span identifier,
	gnutls_sign_algorithm_t *algorithm, struct est_error *err) EST_MUST_CHECK;
enum est_code key_sign(const struct est_key *key, gnutls_sign_algorithm_t algorithm,
	struct est_span data, struct est_buf *signature, struct est_error *err) EST_MUST_CHECK;

#endif

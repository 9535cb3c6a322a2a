/* SPDX-License-Identifier: MIT */
/* What TLS may negotiate: GnuTLS priorities, est's own or the operator's, without what is banned.
 */
#ifndef EST_PRIORITY_H
#define EST_PRIORITY_H

#include <gnutls/gnutls.h>

#include "est.h"

/* string: the operator's, NULL for est's own; one that begins with a sign changes est's own.  min:
 * the oldest protocol version, TLS 1.2 or 1.3.  EST_E_USAGE when the string is not understood, or
 * offers what RFC 7030 (sections 3.2.3 and 6), RFC 8996 or RFC 9325 (section 4) ban.  Released by
 * gnutls_priority_deinit(). */
enum est_code priority_make(const char *string, gnutls_protocol_t min, gnutls_priority_t *out,
	struct est_error *err) EST_MUST_CHECK;

/* Each tells what is never used, before a handshake and after it. */
bool priority_bad_version(gnutls_protocol_t version);
bool priority_bad_cipher(gnutls_cipher_algorithm_t cipher);
bool priority_bad_kx(gnutls_kx_algorithm_t kx);
bool priority_bad_signature(gnutls_sign_algorithm_t algorithm);

#endif

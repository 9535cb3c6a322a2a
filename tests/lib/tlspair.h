/* SPDX-License-Identifier: MIT */
/* Both ends of a TLS session in one process.  Everything here ends the test when it fails. */
#ifndef EST_TESTS_TLSPAIR_H
#define EST_TESTS_TLSPAIR_H

#include <gnutls/gnutls.h>

#include "est.h"

struct tlspair {
	gnutls_session_t client, server;
	int fd[2];
	uint8_t finished[64]; /* the first Finished of the latest handshake, as its reader saw it */
	size_t n_finished;
};

/* A priority string with SRP: certificate-less, false when GnuTLS has none.  resume: of an earlier
 * session's client, by gnutls_session_get_data2(), or NULL. */
bool tlspair_open(const char *priority, const gnutls_datum_t *resume, struct tlspair *out);
/* TLS 1.2: another handshake on the same connection. */
void tlspair_renegotiate(struct tlspair *pair);
void tlspair_close(struct tlspair *pair);

#endif

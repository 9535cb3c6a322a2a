/* SPDX-License-Identifier: MIT */
#ifndef CHAINS_H
#define CHAINS_H

#include "server.h"

#include <gnutls/abstract.h>

/* The usual chain, that of --cert, and one below the root that follows, which a client gets that
 * says it has this root and not the other (RFC 6066 section 6); next_cert and next_key are PEM with
 * a NUL.  Once in a process, before anything listens. */
enum est_code chains_load(struct server *srv, const struct est_buf *next_cert,
	const struct est_buf *next_key, struct est_error *err) EST_MUST_CHECK;
void chains_free(void);
/* For both listeners. */
gnutls_certificate_retrieve_function3 chains_choose;

#endif

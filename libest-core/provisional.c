/* SPDX-License-Identifier: MIT */
/* The first connection of a bootstrap: whoever answers is listened to, and not believed. */
#include "provisional.h"

#include <stdlib.h>

#include "session_impl.h"

struct provisional {
	struct session_params params;
	struct session *transport;
};

/* Who the server is comes out later, on another session. */
static int accept_anybody(gnutls_session_t tls)
{
	(void)tls;
	return 0;
}

enum est_code provisional_open(const struct session_params *params, struct deadline *deadline,
	struct provisional **out, struct est_error *err)
{
	struct provisional *p = calloc(1, sizeof(*p));
	enum est_code rc;

	if (!p)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	p->params = *params;
	p->params.trust = NULL;
	p->params.credentials = NULL;
	p->params.resume = NULL;
	/* Empty ones answer a CertificateRequest with an empty list. */
	if (gnutls_certificate_allocate_credentials(&p->params.credentials) < 0)
		rc = est_fail(err, EST_E_INTERNAL, "out of memory");
	else
		rc = session_start(&p->params, accept_anybody, GNUTLS_NO_TICKETS, deadline,
			&p->transport, err);
	if (rc != EST_OK) {
		provisional_close(p);
		return rc;
	}
	*out = p;
	return EST_OK;
}

void provisional_close(struct provisional *p)
{
	if (!p)
		return;
	session_close(p->transport);
	if (p->params.credentials)
		gnutls_certificate_free_credentials(p->params.credentials);
	free(p);
}

const char *provisional_address(const struct provisional *p)
{
	return session_address(p->transport);
}

const char *provisional_description(const struct provisional *p)
{
	return session_description(p->transport);
}

struct session *provisional_transport(struct provisional *p)
{
	return p->transport;
}

/* SPDX-License-Identifier: MIT */
/* Linking identity and proof of possession (RFC 7030 section 3.5): the request says in its signed
 * part in which TLS session it is sent. */
#ifndef EST_LINKING_H
#define EST_LINKING_H

#include "binding.h"
#include "csr.h"

struct est_client;

struct linking { /* the body of one enrolment's POST */
	const struct est_enrollment *ask;
	bool wanted, required;
	bool own_attribute; /* in estIdentityLinking (RFC 7894), not in challengePassword */
	bool told;          /* why it is not linked */
	struct binding now; /* that the body was made for */
	struct est_buf body;
};

/* TLS 1.2 alone, which has tls-unique; else as the operator's priorities are. */
enum est_code linking_priority(const struct est_config *config, gnutls_priority_t *out,
	struct est_error *err) EST_MUST_CHECK;
/* Before anything is sent: whether the request is linked, must be or cannot be.  EST_E_USAGE and
 * EST_E_INPUT, reason linking, when what is asked for contradicts itself or the server.  Leaves a
 * session, and the offers of those to come, as they have to be. */
enum est_code linking_begin(struct est_client *client, const struct est_enrollment *ask,
	const struct csr_view *csr, struct linking *out, struct est_error *err) EST_MUST_CHECK;
/* The session that will carry the body is up: makes it, or makes it anew when that is not the
 * session it was made for. */
enum est_code linking_prepare(struct est_client *client, struct linking *linking,
	struct est_error *err) EST_MUST_CHECK;
/* The answer is there. */
void linking_done(struct est_client *client, const struct linking *linking);
/* After a failure of TLS, where linking has left TLS 1.2 alone; returns err->code. */
enum est_code linking_hint(const struct est_client *client, struct est_error *err);
/* What a refusal may have to do with linking. */
void linking_explain(const struct linking *linking, struct est_error *err);
void linking_wipe(struct linking *linking);

#endif

/* SPDX-License-Identifier: MIT */
/* TLS sessions to take up again (RFC 7030 section 3.3, RFC 5077, RFC 8446 section 2.2): in memory
 * within a run, and in a file across runs.  Each is bound to origin, anchors, client identity and
 * TLS options, and carries who the server was authorised as; whoever takes one up judges anew. */
#ifndef EST_RESUME_H
#define EST_RESUME_H

#include "authz.h"

#define RESUME_MAX      16          /* sessions kept */
#define RESUME_DATA_MAX (32u << 10) /* bytes of one */
#define RESUME_AGE_S    3600
#define RESUME_BINDING  32
#define RESUME_MAGIC    "est session cache 1\n"

struct resume_facts { /* of a session, and to hold for it when it is resumed */
	enum trust_db db;
	bool client_cert;
	time_t until; /* at most, the end of the server certificate's validity */
	char identity[256];
};

struct resume_entry {
	uint8_t binding[RESUME_BINDING];
	time_t made;
	struct resume_facts facts;
	struct est_buf data; /* holds the session's secrets */
};

struct resume { /* zero-initialised: empty, in memory alone */
	struct resume_entry entry[RESUME_MAX];
	size_t n;
	const char *file; /* borrowed, or NULL */
	bool changed;
	bool offered; /* the handshake under way began with one of them */
};

/* What a session may be resumed for: SHA-256 of origin, explicit anchors, whether there are
 * implicit ones, the certificate that is shown, and how TLS was restricted. */
enum est_code resume_binding(const struct est_config *config, const struct url *url,
	const struct trust *trust, gnutls_certificate_credentials_t credentials,
	uint8_t out[RESUME_BINDING], struct est_error *err) EST_MUST_CHECK;

/* Reads the file, if there is one.  What is stale, torn, or was readable for others is left out; a
 * file that holds something else is not written to either.  *note (static) says so or is NULL.
 * EST_E_INPUT for one that is somebody else's, or not regular. */
enum est_code resume_load(struct resume *resume, const char *file, const char **note,
	struct est_error *err) EST_MUST_CHECK;
/* Writes the file when there is one and something has changed.  EST_E_OUTPUT. */
enum est_code resume_save(struct resume *resume, struct est_error *err) EST_MUST_CHECK;
void resume_wipe(struct resume *resume);

/* Takes a session out, for each is used once (RFC 8446 appendix C.4).  data is the caller's. */
bool resume_take(struct resume *resume, const uint8_t binding[RESUME_BINDING],
	struct resume_facts *facts, struct est_buf *data);
/* Keeps one in place of any with this binding; data is taken over, whatever happens. */
void resume_put(struct resume *resume, const uint8_t binding[RESUME_BINDING],
	const struct resume_facts *facts, struct est_buf *data);

/* The content of the file behind magic and digest; what is too old, or of the future, is left out.
 * false: it is torn. */
bool resume_decode(struct est_span in, time_t now, struct resume *out);
enum est_code resume_encode(const struct resume *resume, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

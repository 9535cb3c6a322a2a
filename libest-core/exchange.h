/* SPDX-License-Identifier: MIT */
/* The client's state, and one EST operation over HTTP.  A request is sent on a connection that is
 * there or is made; what its answer says decides whether that is all, or the request is sent again
 * with what a 401 asks for, or to where a redirect leads. */
#ifndef EST_EXCHANGE_H
#define EST_EXCHANGE_H

#include "authenticate.h"
#include "http.h"
#include "identity.h"
#include "linking.h"
#include "redirect.h"
#include "resume.h"

struct est_client {
	struct est_config config; /* its strings are the caller's */
	struct url url;           /* as configured */
	struct place at; /* of the request under way, or of the last one; redirects move it */
	struct url agreed[REDIRECT_MAX]; /* other origins that somebody has said yes to */
	size_t n_agreed;
	struct trust *trust;
	struct crls *crls;   /* NULL: none were given */
	struct est_key *key; /* of the TLS client certificate; NULL: none */
	struct session_params params;
	struct proxy proxy;
	struct resume resume;
	struct deadline deadline;
	bool unasked;      /* it was said that the server did not ask for the client certificate */
	bool started;      /* the deadline runs from the first request */
	int64_t paused_ms; /* when the caller got CSR attributes to make a request; 0: not now */
	struct session *session;
	struct auth auth;
	struct est_quirks quirks;
	struct est_session_info info;
	struct est_pending *pending; /* where what the server says of the next time goes; or NULL */
	bool noted_implicit;         /* that a password goes where an implicit anchor vouches */
	char tls_version[16], cipher[128], identity[256], address[NET_ADDRESS_TEXT],
		proxy_address[NET_ADDRESS_TEXT];
};

struct operation {
	const char *name; /* last path segment */
	const char *method;
	const char *accept;       /* the media type it is answered with */
	const char *content_type; /* of the request; NULL: no body */
};

extern const struct operation operation_cacerts, operation_csrattrs, operation_simpleenroll,
	operation_simplereenroll;

void client_log(const struct est_client *client, enum est_log_level level, const char *fmt, ...)
	EST_PRINTF(3, 4);

/* Ends the connection, if there is one. */
void client_disconnect(struct est_client *client);
/* A connection to the server that the operator named, authorised, when there is none that can be
 * used. */
enum est_code client_connect(struct est_client *client, struct est_error *err) EST_MUST_CHECK;

/* One request of the operation and its final answer, whatever its status: follows redirects (RFC
 * 7030 section 3.2.1), connects when there is no usable connection, answers the challenge of an
 * authorised server (authenticate.h), closes after a 401 that is final, repeats a GET once on a
 * kept connection that turned out to be dead. *sent: the request may have reached the server, and
 * had its effect.  post (NULL for a GET) is made again for each connection.  out is the caller's to
 * wipe.
 */
enum est_code client_exchange(struct est_client *client, const struct operation *operation,
	struct linking *post, struct http_response *out, bool *sent,
	struct est_error *err) EST_MUST_CHECK;

/* EST_OK for 200 (201 is tolerated for a POST); otherwise the class of RFC 7030 and the server's
 * own words, escaped and cut.  retry_after_s is set for 202, 429 and 503. */
enum est_code client_status(struct est_client *client, const struct operation *operation,
	const struct http_response *response, struct est_error *err) EST_MUST_CHECK;

/* The decoded body of a success: media type checked, then base64 and its deviations. */
enum est_code client_body(struct est_client *client, const struct operation *operation,
	const struct http_response *response, struct est_buf *der,
	struct est_error *err) EST_MUST_CHECK;
/* Both, and the certificates in the body. */
enum est_code client_certs(struct est_client *client, const struct operation *operation,
	const struct http_response *response, struct est_certs **out,
	struct est_error *err) EST_MUST_CHECK;

#endif

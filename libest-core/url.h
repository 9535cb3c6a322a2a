/* SPDX-License-Identifier: MIT */
/* The server's address as the operator gives it (RFC 7030 sections 3.1 and 3.2.2). */
#ifndef EST_URL_H
#define EST_URL_H

#include "est.h"

#define URL_HOST_MAX  253
#define URL_LABEL_MAX 1024 /* bytes of the label, decoded, with the slash before each segment */

struct url {
	char *host; /* lower case, no brackets, no port */
	uint16_t port;
	bool is_ip;
	char *authority; /* for the Host field: the port unless it is 443, IPv6 in brackets */
	char *base; /* "/.well-known/est", with a label "/.well-known/est/a%20b"; no final "/" */
};

/* server: host, host:port, [v6], [v6]:port, or https:// with one of these and perhaps
 * /.well-known/est and a label.  label: one or more segments with "/" between, as they are, or
 * NULL.  EST_E_USAGE for anything else, without repeating what may be a password. */
enum est_code url_parse(const char *server, const char *label, struct url *out,
	struct est_error *err) EST_MUST_CHECK;
void url_wipe(struct url *url);
/* "host[:port]" or "[v6][:port]" into all of *url but base; wiped by the caller, whatever happens.
 * EST_E_USAGE. */
enum est_code url_authority(struct est_span in, struct url *url,
	struct est_error *err) EST_MUST_CHECK;
/* The request target of an operation, owned: "/.well-known/est/cacerts". */
enum est_code url_target(const struct url *url, const char *operation, char **out,
	struct est_error *err) EST_MUST_CHECK;

/* Appends in with each %XX decoded (RFC 3986 section 2.1).  EST_E_USAGE. */
enum est_code url_percent_decode(struct est_span in, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

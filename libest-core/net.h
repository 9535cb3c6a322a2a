/* SPDX-License-Identifier: MIT */
/* From a host name to a connected TCP socket. */
#ifndef EST_NET_H
#define EST_NET_H

#include "deadline.h"

#define NET_ADDRESS_TEXT 64 /* "[v6 address]:port" with the NUL */

struct net_target {       /* borrowed */
	const char *host; /* a name, or an address without brackets */
	uint16_t port;
	int family;                 /* AF_UNSPEC, AF_INET, AF_INET6 */
	const char *const *resolve; /* "host:port:address", NULL-terminated, or NULL */
	unsigned connect_timeout_ms;
};

/* EST_E_USAGE for an entry that is not host:port:address. */
enum est_code net_check_resolve(const char *const *resolve, struct est_error *err) EST_MUST_CHECK;

/* Tries every address in turn, each with its share of the time that is left.  The socket is
 * non-blocking, close-on-exec, TCP_NODELAY.  address: what was connected to. */
enum est_code net_connect(const struct net_target *target, const struct deadline *deadline, int *fd,
	char address[NET_ADDRESS_TEXT], struct est_error *err) EST_MUST_CHECK;

#endif

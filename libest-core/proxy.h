/* SPDX-License-Identifier: MIT */
/* HTTP proxies: a tunnel by CONNECT (RFC 9110 section 9.3.6), and TLS with the server inside it.
 * What the proxy is told and what the server is told never mix. */
#ifndef EST_PROXY_H
#define EST_PROXY_H

#include "net.h"
#include "url.h"

struct proxy {              /* zero-initialised: none */
	struct url at;      /* where it listens; host NULL: none */
	const char *bypass; /* no_proxy, borrowed, or NULL */
	char *user;         /* NULL: none */
	est_secret_fn *password;
	void *secret_ctx;
	struct est_buf secret;      /* the password, once it is known */
	struct est_buf credentials; /* value of Proxy-Authorization, once the proxy has asked */
};

/* text: [http://][user[:password]@]host[:port][/], the user information percent-encoded; NULL: no
 * proxy.  EST_E_USAGE without repeating what may be a password.  Wiped by the caller, whatever
 * happens. */
enum est_code proxy_load(const char *text, struct proxy *out, struct est_error *err) EST_MUST_CHECK;
void proxy_wipe(struct proxy *proxy);

/* Whether no_proxy names this host (RFC knows no such thing; this is what curl and others do):
 * elements separated by commas or blanks, each "*", a name that stands for itself and all below
 * it, with or without a dot in front, an address, or address/prefix; a port may follow a name or
 * an IPv4 address, or an IPv6 one in brackets. */
bool proxy_bypassed(const char *no_proxy, const char *host, uint16_t port);

/* A connection to the target, through the proxy unless there is none or the target is one to
 * bypass it for.  via: the proxy's address, "" without one; address is then the target's name and
 * port.  The password is asked for when the proxy wants it (407), and the time that a human takes
 * added to the deadline.  EST_E_AUTH: the proxy refuses us; EST_E_REFUSED, EST_E_NETWORK: it
 * refuses, or fails, to connect; EST_E_PROTOCOL: what it says is no HTTP, or too much. */
enum est_code proxy_connect(struct proxy *proxy, const struct net_target *target,
	struct deadline *deadline, int *fd, char address[NET_ADDRESS_TEXT],
	char via[NET_ADDRESS_TEXT], struct est_error *err) EST_MUST_CHECK;

#endif

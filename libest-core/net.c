/* SPDX-License-Identifier: MIT */
/* TCP connections within a deadline; names are looked up by resolve.c. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolve.h"

#define OVERRIDES_MAX 16 /* --resolve entries for one host and port */

/* Splits "host:port:address"; brackets round an IPv6 host or address are taken off. */
static bool resolve_entry(const char *entry, char *host, size_t host_size, unsigned long *port,
	char *address, size_t address_size)
{
	const char *colon = *entry == '[' ? strstr(entry, "]:") : strchr(entry, ':');
	size_t n, skip = *entry == '[';
	char *end;

	if (!colon)
		return false;
	n = (size_t)(colon - entry) - skip;
	if (n == 0 || n >= host_size)
		return false;
	memcpy(host, entry + skip, n);
	host[n] = '\0';
	colon += skip ? 2 : 1;
	if (*colon < '0' || *colon > '9')
		return false;
	*port = strtoul(colon, &end, 10);
	if (*port == 0 || *port > 65535 || *end++ != ':')
		return false;
	n = strlen(end);
	if (n > 2 && end[0] == '[' && end[n - 1] == ']') {
		end++;
		n -= 2;
	}
	if (n == 0 || n >= address_size)
		return false;
	memcpy(address, end, n);
	address[n] = '\0';
	return true;
}

static bool is_address(const char *text)
{
	struct in6_addr any;

	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

enum est_code net_check_resolve(const char *const *resolve, struct est_error *err)
{
	char host[256], address[64], shown[200];
	unsigned long port;

	for (; resolve && *resolve; resolve++) {
		if (!resolve_entry(*resolve, host, sizeof(host), &port, address, sizeof(address)) ||
			!is_address(address))
			return est_fail(err, EST_E_USAGE,
				"--resolve %s: not HOST:PORT:ADDRESS with a numeric address",
				est_escape(shown, sizeof(shown), est_span_str(*resolve)));
	}
	return EST_OK;
}

/* The next address that the operator gave for this host and port, from *at on, or NULL. */
static const char *override_for(const struct net_target *target, size_t *at, char *address,
	size_t size)
{
	char host[256];
	unsigned long port;

	while (target->resolve && target->resolve[*at]) {
		const char *entry = target->resolve[(*at)++];

		if (resolve_entry(entry, host, sizeof(host), &port, address, size) &&
			port == target->port && strcasecmp(host, target->host) == 0)
			return address;
	}
	return NULL;
}

static size_t count_addresses(const struct addrinfo *ai)
{
	size_t n = 0;

	for (; ai; ai = ai->ai_next)
		n++;
	return n;
}

struct addresses {
	struct addrinfo *list[OVERRIDES_MAX]; /* one of each look-up: they cannot be joined */
	size_t lists, total;
};

static void addresses_free(struct addresses *found)
{
	while (found->lists > 0)
		freeaddrinfo(found->list[--found->lists]);
}

/* What the operator gave for the name counts in place of what a look-up finds. */
static enum est_code find_addresses(const struct net_target *target,
	const struct deadline *deadline, struct addresses *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	char address[64];
	size_t at = 0;

	while (rc == EST_OK && out->lists < OVERRIDES_MAX &&
		override_for(target, &at, address, sizeof(address))) {
		rc = resolve_name(address, target->port, target->family, deadline,
			&out->list[out->lists], err);
		out->lists += rc == EST_OK;
	}
	if (rc == EST_OK && out->lists == 0) {
		rc = resolve_name(target->host, target->port, target->family, deadline,
			&out->list[0], err);
		out->lists = rc == EST_OK;
	}
	for (size_t i = 0; i < out->lists; i++)
		out->total += count_addresses(out->list[i]);
	return rc;
}

static void address_text(const struct addrinfo *ai, char *out)
{
	char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";

	(void)getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(out, NET_ADDRESS_TEXT, ai->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
		port);
}

static enum est_code connect_one(const struct addrinfo *ai, const struct deadline *deadline,
	int *out, struct est_error *err)
{
	int fd, on = 1, error = 0;
	socklen_t len = sizeof(error);
	enum est_code rc = EST_OK;
	char text[NET_ADDRESS_TEXT];

	address_text(ai, text);
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return est_fail(err, EST_E_NETWORK, "%s: %s", text, strerror(errno));
	/* Without it a request waits 40 ms for a delayed acknowledgement. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0 && errno != EINPROGRESS)
		error = errno;
	else
		rc = deadline_poll(deadline, fd, POLLOUT, -1, "while connecting", err);
	if (rc == EST_OK && error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (rc == EST_E_TIMEOUT)
		est_fail(err, rc, "%s: no answer to the connection attempt", text);
	if (error != 0)
		rc = est_fail(err, EST_E_NETWORK, "%s: %s", text, strerror(error));
	if (rc == EST_OK)
		*out = fd;
	else
		(void)close(fd);
	return rc;
}

enum est_code net_connect(const struct net_target *target, const struct deadline *deadline, int *fd,
	char address[NET_ADDRESS_TEXT], struct est_error *err)
{
	struct deadline all = deadline_within(deadline, target->connect_timeout_ms), share;
	struct addresses found = { 0 };
	struct est_error why;
	enum est_code rc;
	size_t left;

	rc = find_addresses(target, &all, &found, err);
	if (rc != EST_OK) {
		addresses_free(&found);
		return rc;
	}
	left = found.total;
	rc = EST_E_NETWORK;
	for (size_t i = 0; i < found.lists; i++) {
		for (const struct addrinfo *ai = found.list[i]; ai; ai = ai->ai_next, left--) {
			if (rc == EST_OK || rc == EST_E_INTERRUPTED)
				break;
			share = deadline_within(&all, deadline_left_ms(&all) / (int64_t)left);
			rc = connect_one(ai, &share, fd, err);
			if (rc == EST_OK)
				address_text(ai, address);
		}
	}
	addresses_free(&found);
	if (rc == EST_OK || rc == EST_E_INTERRUPTED)
		return rc;
	why = *err;
	est_fail(err, rc, "cannot connect to %s port %u: %s%s", target->host, target->port, why.msg,
		found.total > 1 ? " (the last of several addresses)" : "");
	return est_reason(err, "connect");
}

/* SPDX-License-Identifier: MIT */
/* Name look-up that a deadline can end. */
#ifndef EST_RESOLVE_H
#define EST_RESOLVE_H

#include <netdb.h>

#include "deadline.h"

/* getaddrinfo() for TCP; *out is released by freeaddrinfo().  EST_E_NETWORK, EST_E_TIMEOUT. */
enum est_code resolve_name(const char *host, uint16_t port, int family,
	const struct deadline *deadline, struct addrinfo **out,
	struct est_error *err) EST_MUST_CHECK;

#endif

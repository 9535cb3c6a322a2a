/* SPDX-License-Identifier: MIT */
/* Name constraints (RFC 5280 section 4.2.1.10).  GnuTLS compares names byte by byte, so that an
 * excluded name passes in capitals or below a wildcard, and knows no directory names and URIs. */
#ifndef EST_NAME_CONSTRAINTS_H
#define EST_NAME_CONSTRAINTS_H

#include "cert.h"

/* Whether every name of cert is one that the CA above it may certify.  The names are those of the
 * subjectAltName, the subject and, without a subjectAltName, its mail addresses.  leaf: a
 * self-issued certificate in the middle of a path is not bound.  EST_E_UNTRUSTED, reason
 * name-constraint, for a name that is not, for a constraint that cannot be understood, and for more
 * work than anybody needs; who begins the message. */
enum est_code name_constraints_check(const struct cert_view *ca, const struct cert_view *cert,
	bool leaf, const char *who, struct est_error *err) EST_MUST_CHECK;

#endif

/* SPDX-License-Identifier: MIT */
/* Is this server the one the operator named? */
#include "authz.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert.h"

#define NAME_MAX_SHOWN 200

struct authz {
	enum trust_db db;
	char identity[256];
};

enum trust_db authz_db(const struct authz *authz)
{
	return authz->db;
}

const char *authz_identity(const struct authz *authz)
{
	return authz->identity;
}

void authz_free(struct authz *authz)
{
	free(authz);
}

/* GnuTLS falls back to the common name when there is no name of these types; RFC 9525 does not.
 * Also writes the first name found for the message. */
static bool has_name(gnutls_x509_crt_t leaf, char *shown, size_t size)
{
	char name[1024];
	size_t n;
	int type;

	for (unsigned i = 0; i < EST_SANS_MAX; i++) {
		n = sizeof(name);
		type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name, &n, NULL);
		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return false;
		if (type == GNUTLS_SAN_DNSNAME) {
			est_escape(shown, size, (struct est_span){ (uint8_t *)name, n });
			return true;
		}
		if (type == GNUTLS_SAN_IPADDRESS && (n == 4 || n == 16)) {
			if (!inet_ntop(n == 4 ? AF_INET : AF_INET6, name, shown, (socklen_t)size))
				shown[0] = '\0';
			return true;
		}
	}
	return false;
}

static bool name_matches(const struct url *url, gnutls_x509_crt_t leaf)
{
	unsigned char address[16];
	unsigned n = 0;

	if (!url->is_ip)
		return gnutls_x509_crt_check_hostname2(
			leaf, url->host, GNUTLS_VERIFY_DO_NOT_ALLOW_IP_MATCHES);
	if (inet_pton(AF_INET, url->host, address) == 1)
		n = 4;
	else if (inet_pton(AF_INET6, url->host, address) == 1)
		n = 16;
	return n && gnutls_x509_crt_check_ip(leaf, address, n, 0);
}

enum est_code authz_check(const struct url *url, enum trust_db db, gnutls_x509_crt_t leaf,
	struct authz **out, struct est_error *err)
{
	char shown[NAME_MAX_SHOWN] = "";
	struct authz *authz;

	if (!has_name(leaf, shown, sizeof(shown))) {
		est_fail(err, EST_E_UNTRUSTED,
			"the server's certificate has no subjectAltName with a DNS name or an "
			"address; the common name does not count (RFC 9525 section 6.3)");
		return est_reason(err, "no-san");
	}
	if (!name_matches(url, leaf)) {
		est_fail(err, EST_E_UNTRUSTED,
			"the server's certificate is not for %s but for %s (RFC 7030 section 3.6)",
			url->host, shown);
		return est_reason(err, "name-mismatch");
	}
	authz = calloc(1, sizeof(*authz));
	if (!authz)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	authz->db = db;
	(void)snprintf(authz->identity, sizeof(authz->identity), "%s", url->host);
	*out = authz;
	return EST_OK;
}

/* SPDX-License-Identifier: MIT */
/* Is this server the one the operator named? */
#include "authz.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cert.h"
#include "span.h"

#define NAME_MAX_SHOWN 200

struct authz {
	enum trust_db db;
	bool cmc_ra;
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

bool authz_by_cmc_ra(const struct authz *authz)
{
	return authz->cmc_ra;
}

void authz_free(struct authz *authz)
{
	free(authz);
}

#define SAN_DNS     DER_CONTEXT(2)
#define SAN_ADDRESS DER_CONTEXT(7)

/* What the certificate is compared with: the name or the address in the URL. */
struct reference {
	struct est_span name;
	uint8_t address[16];
	size_t n_address; /* 0: a name */
};

static struct reference reference_of(const struct url *url)
{
	struct reference ref = { .name = est_span_str(url->host) };

	if (url->is_ip && inet_pton(AF_INET, url->host, ref.address) == 1)
		ref.n_address = 4;
	else if (url->is_ip && inet_pton(AF_INET6, url->host, ref.address) == 1)
		ref.n_address = 16;
	return ref;
}

/* Two names without wildcards; a NUL is a byte like any other. */
static bool same_name(struct est_span a, struct est_span b)
{
	return a.n == b.n && strncasecmp((const char *)a.p, (const char *)b.p, a.n) == 0 &&
	       !memchr(a.p, 0, a.n);
}

/* RFC 9525 section 6.3.  GnuTLS takes a wildcard for a part of a label and looks at the common
 * name, which is why it is not asked. */
static bool name_matches(struct est_span pattern, struct est_span host)
{
	const uint8_t *dot;

	if (pattern.n < 2 || pattern.p[0] != '*' || pattern.p[1] != '.')
		return same_name(pattern, host);
	pattern = span_after(pattern, 1);
	/* All of a top-level domain is nobody's to certify. */
	if (!memchr(pattern.p + 1, '.', pattern.n - 1))
		return false;
	dot = memchr(host.p, '.', host.n);
	if (!dot || dot == host.p)
		return false;
	return same_name(pattern, (struct est_span){ dot, host.n - (size_t)(dot - host.p) });
}

/* Writes one name of the certificate for the message. */
static void show_name(const struct der_tlv *name, char *shown, size_t size)
{
	int family = name->body.n == 4 ? AF_INET : AF_INET6;

	if (name->tag == SAN_DNS)
		est_escape(shown, size, name->body);
	else if ((name->body.n != 4 && name->body.n != 16) ||
		 !inet_ntop(family, name->body.p, shown, (socklen_t)size))
		(void)snprintf(shown, size, "an address that is none");
}

/* Looks for the reference in the subjectAltName; *shown stays empty when there is no name of a
 * kind that counts. */
static bool san_matches(struct est_span san, const struct reference *ref, char *shown, size_t size)
{
	const struct est_span address = { ref->address, ref->n_address };
	struct der_tlv list, name;

	if (!der_expect(&san, DER_SEQUENCE, &list))
		return false;
	while (der_next(&list.body, &name)) {
		if (name.tag != SAN_DNS && name.tag != SAN_ADDRESS)
			continue;
		if (!*shown)
			show_name(&name, shown, size);
		if (ref->n_address ? name.tag == SAN_ADDRESS && est_span_eq(name.body, address)
				   : name.tag == SAN_DNS && name_matches(name.body, ref->name))
			return true;
	}
	return false;
}

/* EST_OK and *matches; the certificate was imported through cert_view() once already. */
static enum est_code compare(const struct url *url, gnutls_x509_crt_t leaf, bool *matches,
	char *shown, size_t size, struct est_error *err)
{
	const struct reference ref = reference_of(url);
	gnutls_datum_t der = { 0 };
	struct cert_view view;
	struct est_span san;
	enum est_code rc;

	if (gnutls_x509_crt_export2(leaf, GNUTLS_X509_FMT_DER, &der) < 0)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	rc = cert_view((struct est_span){ der.data, der.size }, "the server's certificate", &view,
		err);
	if (rc == EST_OK)
		*matches = cert_extension(&view, CERT_OID_SAN, NULL, &san) &&
			   san_matches(san, &ref, shown, size);
	gnutls_free(der.data);
	return rc;
}

/* The purpose must be listed: neither its absence nor anyExtendedKeyUsage makes an RA. */
static bool is_cmc_ra(gnutls_x509_crt_t leaf)
{
	char oid[64];
	size_t n;
	int ret;

	for (unsigned i = 0; i < EST_EXTENSIONS_MAX; i++) {
		n = sizeof(oid);
		ret = gnutls_x509_crt_get_key_purpose_oid(leaf, i, oid, &n, NULL);
		if (ret == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return false;
		if (ret >= 0 && strcmp(oid, AUTHZ_KP_CMC_RA) == 0)
			return true;
	}
	return false;
}

/* host: NULL when the key purpose decided. */
static enum est_code grant(enum trust_db db, const char *host, struct authz **out,
	struct est_error *err)
{
	struct authz *authz = calloc(1, sizeof(*authz));

	if (!authz)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	authz->db = db;
	authz->cmc_ra = !host;
	(void)snprintf(authz->identity, sizeof(authz->identity), "%s", host ? host : "id-kp-cmcRA");
	*out = authz;
	return EST_OK;
}

enum est_code authz_certificateless(const char *user, struct authz **out, struct est_error *err)
{
	return grant(TRUST_NONE, user, out, err);
}

enum est_code authz_check(const struct authz_query *query, struct authz **out,
	struct est_error *err)
{
	const struct url *latest = query->redirect ? query->redirect : query->server;
	const struct url *names[] = { latest, query->server };
	size_t n = query->redirect && query->db == TRUST_EXPLICIT ? 2 : 1;
	char shown[NAME_MAX_SHOWN] = "";
	bool matches = false;
	enum est_code rc;

	for (size_t i = 0; i < n; i++) {
		rc = compare(names[i], query->leaf, &matches, shown, sizeof(shown), err);
		if (rc != EST_OK)
			return rc;
		if (matches)
			return grant(query->db, names[i]->host, out, err);
	}
	if (query->db == TRUST_EXPLICIT && !query->no_cmc_ra && is_cmc_ra(query->leaf))
		return grant(query->db, NULL, out, err);
	if (!*shown) {
		est_fail(err, EST_E_UNTRUSTED,
			"the server's certificate has no subjectAltName with a DNS name or an "
			"address; the common name does not count (RFC 9525 section 6.3)");
		return est_reason(err, "no-san");
	}
	est_fail(err, EST_E_UNTRUSTED,
		"the server's certificate is not for %s but for %s (RFC 7030 section 3.6)",
		latest->host, shown);
	return est_reason(err, "name-mismatch");
}

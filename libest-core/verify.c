/* SPDX-License-Identifier: MIT */
/* The client's own verdict on certificates that were not met in TLS. */
#include "est-inspect.h"

#include <stdlib.h>
#include <string.h>

#include "authz.h"
#include "cert.h"
#include "revocation.h"

struct est_verifier {
	struct trust *trust;
	struct crls *crls;
	struct url server;
	bool named;
	const char *purpose; /* dotted, owned */
	time_t at;
	bool has_at;
};

void est_verifier_free(struct est_verifier *v)
{
	if (!v)
		return;
	trust_free(v->trust);
	crls_free(v->crls);
	url_wipe(&v->server);
	free((char *)v->purpose);
	free(v);
}

static enum est_code set_purpose(struct est_verifier *v, const char *name, struct est_error *err)
{
	static const char kp[] = "1.3.6.1.5.5.7.3.";
	const char *dotted = est_oid_dotted(name);
	char shown[80];

	if (dotted && strncmp(dotted, kp, sizeof(kp) - 1) != 0)
		dotted = NULL;
	if (!dotted && strchr(name, '.') && strspn(name, "0123456789.") == strlen(name))
		dotted = name;
	if (!dotted)
		return est_fail(err, EST_E_USAGE,
			"--purpose %s: not serverAuth, clientAuth, codeSigning, emailProtection, "
			"timeStamping, OCSPSigning or a dotted OID",
			est_escape(shown, sizeof(shown), est_span_str(name)));
	v->purpose = strdup(dotted);
	return v->purpose ? EST_OK : est_fail(err, EST_E_INTERNAL, "out of memory");
}

static enum est_code set_hostname(struct est_verifier *v, const char *name, struct est_error *err)
{
	struct est_span host = est_span_str(name);
	struct est_error why;
	char shown[80], literal[80];
	enum est_code rc;

	/* An IPv6 address has brackets in a URL, and nobody writes them here. */
	if (strchr(name, ':') != strrchr(name, ':') && name[0] != '[' &&
		host.n < sizeof(literal) - 2) {
		literal[0] = '[';
		memcpy(literal + 1, name, host.n);
		literal[host.n + 1] = ']';
		host = (struct est_span){ (const uint8_t *)literal, host.n + 2 };
	}
	rc = url_authority(host, &v->server, &why);
	v->named = rc == EST_OK;
	if (rc == EST_E_USAGE)
		return est_fail(err, EST_E_USAGE, "--hostname %s: neither a name nor an address",
			est_escape(shown, sizeof(shown), est_span_str(name)));
	if (rc != EST_OK)
		*err = why;
	return rc;
}

enum est_code est_verifier_new(const struct est_verify *config, struct est_verifier **out,
	struct est_error *err)
{
	struct est_verifier *v = calloc(1, sizeof(*v));
	enum est_code rc = EST_OK;

	if (!v)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	v->has_at = config->at;
	v->at = config->at ? *config->at : 0;
	if (config->purpose)
		rc = set_purpose(v, config->purpose, err);
	if (rc == EST_OK && config->hostname)
		rc = set_hostname(v, config->hostname, err);
	if (rc == EST_OK)
		rc = trust_load(config->cacert, false, NULL, &v->trust, err);
	if (rc == EST_OK && config->crl && *config->crl)
		rc = crls_load(config->crl, &v->crls, err);
	if (rc == EST_OK)
		trust_set_crls(v->trust, v->crls);
	if (rc == EST_OK)
		*out = v;
	else
		est_verifier_free(v);
	return rc;
}

/* As a session judges a server (session.c): its purpose or a CMC RA's, then its name. */
enum est_code est_verifier_check(struct est_verifier *v, const struct est_span *certs, size_t n,
	struct est_error *err)
{
	const struct trust_query query = {
		.certs = certs,
		.n = n,
		.purpose = v->purpose ? v->purpose
			   : v->named ? GNUTLS_KP_TLS_WWW_SERVER
				      : NULL,
		.explicit_purpose = v->named && !v->purpose ? AUTHZ_KP_CMC_RA : NULL,
		.at = v->has_at ? &v->at : NULL,
		.server = v->named && !v->purpose,
		.what = v->named ? "the server's certificate" : "the certificate",
	};
	struct authz_query who = { .server = &v->server, .no_cmc_ra = v->purpose };
	struct authz *authz = NULL;
	struct trust_answer answer;
	enum est_code rc;

	rc = trust_verify(v->trust, &query, &answer, err);
	if (rc != EST_OK || !v->named)
		return rc;
	rc = trust_import(certs[0], query.what, &who.leaf, err);
	if (rc != EST_OK)
		return rc;
	who.db = answer.db;
	rc = authz_check(&who, &authz, err);
	authz_free(authz);
	gnutls_x509_crt_deinit(who.leaf);
	return rc;
}

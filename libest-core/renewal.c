/* SPDX-License-Identifier: MIT */
/* What a renewal asks of the old certificate and of the new one (RFC 7030 sections 2.3, 4.2.2). */
#include <string.h>
#include <time.h>

#include "cert.h"

enum est_code est_issued_renews(const struct est_issued *issued, struct est_span old,
	struct est_error *err)
{
	struct est_span fresh = est_certs_get(issued->chain, 0);
	struct cert_view now, was;
	enum est_code rc;

	if (est_span_eq(fresh, old)) {
		est_fail(err, EST_E_REJECTED,
			"the certificate issued is the one that was to be renewed");
		return est_reason(err, "same-certificate");
	}
	rc = cert_view(fresh, "the certificate issued", &now, err);
	if (rc != EST_OK)
		return rc;
	rc = cert_view(old, "the certificate to renew", &was, err);
	if (rc != EST_OK)
		return rc;
	if (now.not_after >= was.not_after)
		return EST_OK;
	est_fail(err, EST_E_REJECTED,
		"the certificate issued expires %lld s before the one that was to be renewed",
		(long long)was.not_after - (long long)now.not_after);
	est_hint(err, "if the CA now issues for a shorter time, est enroll gets one all the same");
	return est_reason(err, "expires-earlier");
}

static bool lists(char *const *names, size_t n, const char *wanted)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], wanted) == 0)
			return true;
	}
	return false;
}

#define ANY_EKU "2.5.29.37.0"

enum est_code est_cert_tls_client(struct est_span der, const char *name, struct est_error *err)
{
	const time_t now = time(NULL);
	struct est_cert_info info;
	const char *why = NULL, *todo = "use one that is for TLS clients";
	char until[40] = "?";
	enum est_code rc;
	struct tm tm;

	rc = est_cert_info(der, &info, err);
	if (rc != EST_OK)
		return rc;
	if (gmtime_r(&info.not_after, &tm))
		(void)strftime(until, sizeof(until), "%Y-%m-%d", &tm);
	if (info.not_after < now)
		todo = "renew it";
	else if (info.not_before > now)
		todo = "look at the clock";
	if (info.not_after < now)
		why = "it has expired";
	else if (info.not_before > now)
		why = "it is not valid yet";
	else if (info.n_key_usage > 0 &&
		 !lists(info.key_usage, info.n_key_usage, "digitalSignature"))
		why = "its keyUsage lacks digitalSignature";
	else if (info.n_ext_key_usage > 0 &&
		 !lists(info.ext_key_usage, info.n_ext_key_usage, "clientAuth") &&
		 !lists(info.ext_key_usage, info.n_ext_key_usage, ANY_EKU) &&
		 !lists(info.ext_key_usage, info.n_ext_key_usage, "anyExtendedKeyUsage"))
		why = "its extKeyUsage lacks clientAuth";
	est_cert_info_wipe(&info);
	if (!why)
		return EST_OK;
	est_fail(err, EST_E_INPUT, "%s cannot authenticate a TLS client: %s", name, why);
	return est_hint(err, "it ends on %s: %s, or authenticate with --user or --token-file",
		until, todo);
}

bool est_cert_same_subject(struct est_span a, struct est_span b)
{
	struct est_span sans[2] = { { 0 }, { 0 } };
	struct est_error ignored;
	struct cert_view va, vb;

	if (cert_view(a, "", &va, &ignored) != EST_OK ||
		cert_view(b, "", &vb, &ignored) != EST_OK || !est_span_eq(va.subject, vb.subject))
		return false;
	if (va.subject.n > 2) /* 30 00 is the empty name */
		return true;
	return cert_extension(&va, CERT_OID_SAN, NULL, &sans[0]) &&
	       cert_extension(&vb, CERT_OID_SAN, NULL, &sans[1]) && est_span_eq(sans[0], sans[1]);
}

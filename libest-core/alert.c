/* SPDX-License-Identifier: MIT */
/* What a server has against our certificate, or the lack of it. */
#include "alert.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cert.h"
#include "x509_text.h"

static const struct {
	gnutls_alert_description_t alert;
	const char *means, *todo; /* of a certificate that was sent */
} alerts[] = {
	{ GNUTLS_A_BAD_CERTIFICATE, "cannot use", "is it the right one for this server?" },
	{ GNUTLS_A_UNSUPPORTED_CERTIFICATE, "does not support",
		"one with another kind of key, or with extKeyUsage clientAuth, may do" },
	{ GNUTLS_A_CERTIFICATE_REVOKED, "takes for revoked", "enrol anew: est enroll" },
	{ GNUTLS_A_CERTIFICATE_EXPIRED, "takes for expired",
		"renew it, and compare the clocks of both sides" },
	{ GNUTLS_A_CERTIFICATE_UNKNOWN, "does not take", "is it the right one for this server?" },
	{ GNUTLS_A_UNKNOWN_CA, "does not know the CA of",
		"--send-chain sends the intermediates of --cert; or another certificate is due" },
	{ GNUTLS_A_ACCESS_DENIED, "lets nobody in with", "is it the right one for this server?" },
	{ GNUTLS_A_CERTIFICATE_REQUIRED, "wants another than", "see --cert" },
};

/* "CN=dev, valid until 2026-01-31 12:00:00 UTC" of the certificate that we have sent. */
static void describe(const gnutls_datum_t *der, char *out, size_t size)
{
	struct est_buf subject = { 0 };
	struct est_error ignored;
	struct cert_view view;
	char until[40] = "?";
	struct tm tm;

	if (cert_view((struct est_span){ der->data, der->size }, "", &view, &ignored) != EST_OK) {
		(void)snprintf(out, size, "?");
		return;
	}
	if (x509_name(view.subject, &subject, &ignored) != EST_OK)
		est_buf_free(&subject);
	if (gmtime_r(&view.not_after, &tm))
		(void)strftime(until, sizeof(until), "%Y-%m-%d %H:%M:%S UTC", &tm);
	(void)snprintf(out, size, "%.*s, %s %s", (int)(subject.n < 200 ? subject.n : 200),
		subject.p ? (const char *)subject.p : "",
		view.not_after < time(NULL) ? "which expired on" : "valid until", until);
	est_buf_free(&subject);
}

enum est_code alert_fail(gnutls_session_t tls, const char *address, struct est_error *err)
{
	const gnutls_datum_t *ours = gnutls_certificate_get_ours(tls);
	gnutls_alert_description_t alert = gnutls_alert_get(tls);
	bool asked = gnutls_certificate_client_get_request_status(tls);
	const char *name = gnutls_alert_get_name(alert);
	char shown[300];

	for (size_t i = 0; asked && i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		if (alerts[i].alert != alert)
			continue;
		if (!ours)
			break;
		describe(ours, shown, sizeof(shown));
		est_fail(err, EST_E_TLS,
			"%s ended TLS with the alert \"%s\": the server %s our client certificate, "
			"%s",
			address, name, alerts[i].means, shown);
		est_hint(err, "%s", alerts[i].todo);
		return est_reason(err, "alert");
	}
	est_fail(err, EST_E_TLS, "%s ended TLS with the alert \"%s\"%s", address,
		name ? name : "unknown",
		asked && !ours ? ": the server had asked for a client certificate, and we have none"
			       : "");
	if (asked && !ours)
		est_hint(err, "it had asked for a client certificate: --cert FILE --key FILE");
	return est_reason(err, "alert");
}

/* SPDX-License-Identifier: MIT */
/* What a stapled OCSP answer says, and whether it may be missing. */
#include "staple.h"

#include <gnutls/gnutls.h>
#include <gnutls/ocsp.h>

#include "trust.h"

#define SINGLES_MAX    16              /* answers in one response that are looked at */
#define AGE_MAX_S      (7 * 24 * 3600) /* of an answer that names no end */
#define SKEW_S         300
#define STATUS_REQUEST 5 /* RFC 6066 section 8 */

/* The TLS feature extension (RFC 7633) with status_request: no handshake without a staple. */
static bool must_staple(const struct cert_view *leaf)
{
	struct der_tlv list, feature;
	struct est_span value;

	if (!cert_extension(leaf, CERT_OID_TLS_FEATURE, NULL, &value) ||
		!der_expect(&value, DER_SEQUENCE, &list))
		return false;
	while (der_expect(&list.body, DER_INTEGER, &feature)) {
		if (feature.body.n == 1 && feature.body.p[0] == STATUS_REQUEST)
			return true;
	}
	return false;
}

/* Signed by the issuer, or by whom it has delegated that to (RFC 6960 section 4.2.2.2). */
static bool is_signed(gnutls_ocsp_resp_t resp, const struct cert_view *issuer)
{
	unsigned verify = 1;
	struct est_error ignored;
	gnutls_x509_crt_t crt;

	if (trust_import(issuer->der, "", &crt, &ignored) != EST_OK)
		return false;
	if (gnutls_ocsp_resp_verify_direct(resp, crt, &verify, 0) < 0)
		verify = 1;
	gnutls_x509_crt_deinit(crt);
	return verify == 0;
}

/* The answer about leaf among those of the response. */
static bool find_single(gnutls_ocsp_resp_t resp, const struct cert_view *leaf, unsigned *status,
	time_t *from, time_t *until)
{
	struct est_error ignored;
	gnutls_x509_crt_t crt;
	bool found = false;

	if (trust_import(leaf->der, "", &crt, &ignored) != EST_OK)
		return false;
	for (unsigned i = 0; !found && i < SINGLES_MAX; i++)
		found = gnutls_ocsp_resp_check_crt(resp, i, crt) >= 0 &&
			gnutls_ocsp_resp_get_single(resp, i, NULL, NULL, NULL, NULL, status, from,
				until, NULL, NULL) >= 0;
	gnutls_x509_crt_deinit(crt);
	return found;
}

/* NULL: the leaf is good; *revoked: it says the contrary. */
static const char *judge(struct est_span response, const struct cert_view *leaf,
	const struct cert_view *issuer, time_t now, bool *revoked)
{
	gnutls_datum_t der = { (unsigned char *)response.p, (unsigned)response.n };
	gnutls_ocsp_resp_t resp = NULL;
	const char *fault = NULL;
	struct est_error ignored;
	unsigned status = GNUTLS_OCSP_CERT_UNKNOWN;
	time_t from = 0, until = 0;

	if (response.n == 0)
		return "none came";
	if (response.n > STAPLE_MAX || der_walk(response, false, "", NULL, &ignored) != EST_OK ||
		gnutls_ocsp_resp_init(&resp) < 0)
		return "it is malformed";
	if (gnutls_ocsp_resp_import(resp, &der) < 0)
		fault = "it is malformed";
	else if (gnutls_ocsp_resp_get_status(resp) != GNUTLS_OCSP_RESP_SUCCESSFUL)
		fault = "the responder had no answer";
	else if (!find_single(resp, leaf, &status, &from, &until))
		fault = "it is about another certificate";
	/* A server would not make that up about itself: no signature is needed. */
	*revoked = !fault && status == GNUTLS_OCSP_CERT_REVOKED;
	if (fault || *revoked)
		goto out;
	if (until == (time_t)-1)
		until = from + AGE_MAX_S;
	if (!is_signed(resp, issuer))
		fault = "its signature is not one that the issuer of the certificate stands for";
	else if (from > now + SKEW_S || until < now - SKEW_S)
		fault = "it is not of today";
	else if (status != GNUTLS_OCSP_CERT_GOOD)
		fault = "the responder does not know the certificate";
out:
	gnutls_ocsp_resp_deinit(resp);
	return fault;
}

enum est_code staple_check(struct est_span response, const struct cert_view *cert,
	const struct cert_view *issuer, time_t now, const char *who, const char **note,
	struct est_error *err)
{
	bool revoked = false;
	const char *fault = judge(response, cert, issuer, now, &revoked);

	if (revoked) {
		est_fail(err, EST_E_UNTRUSTED,
			"%s is revoked, says the OCSP answer that the server itself has sent", who);
		return est_reason(err, "revoked");
	}
	if (!note)
		return EST_OK;
	if (fault && must_staple(cert)) {
		est_fail(err, EST_E_UNTRUSTED,
			"%s must come with an OCSP answer (RFC 7633), but %s", who, fault);
		return est_reason(err, "no-staple");
	}
	*note = response.n == 0 ? NULL : fault ? fault : "good";
	return EST_OK;
}

/* SPDX-License-Identifier: MIT */
#include "binding.h"

/* Why two sessions could share the value, so that a request linked by it would prove nothing. */
static const char *unfit(gnutls_session_t tls, bool exporter)
{
	gnutls_protocol_t version = gnutls_protocol_get_version(tls);

	if (gnutls_auth_get_type(tls) != GNUTLS_CRD_CERTIFICATE)
		return "it was set up without certificates (RFC 7030 section 3.3.3)";
	if (version == GNUTLS_TLS1_3)
		return exporter ? NULL : "TLS 1.3 has no tls-unique (RFC 8446 appendix C.5)";
	if (version != GNUTLS_TLS1_2)
		return "its version of TLS is not known here";
	/* Without it a server in the middle can give two sessions one master secret, and with it
	 * one tls-unique once they are resumed. */
	if (!(gnutls_session_get_flags(tls) & GNUTLS_SFLAGS_EXT_MASTER_SECRET))
		return "TLS 1.2 without the extended master secret makes tls-unique worthless "
		       "(RFC 7627)";
	return NULL;
}

enum est_code binding_get(gnutls_session_t tls, bool exporter, struct binding *out,
	struct est_error *err)
{
	bool tls13 = gnutls_protocol_get_version(tls) == GNUTLS_TLS1_3;
	const char *why = unfit(tls, exporter);
	gnutls_datum_t value = { 0 }, text = { 0 };
	enum est_code rc;
	int ret;

	if (why) {
		est_fail(err, EST_E_TLS, "the request cannot be linked to this TLS session: %s",
			why);
		return est_reason(err, "no-binding");
	}
	ret = gnutls_session_channel_binding(tls,
		tls13 ? GNUTLS_CB_TLS_EXPORTER : GNUTLS_CB_TLS_UNIQUE, &value);
	if (ret >= 0)
		ret = gnutls_base64_encode2(&value, &text);
	if (ret < 0)
		rc = est_fail(err, EST_E_INTERNAL, "cannot get the channel binding: %s",
			gnutls_strerror(ret));
	else
		rc = est_buf_append(&out->text, (struct est_span){ text.data, text.size }, err);
	if (rc == EST_OK)
		out->name = tls13 ? "tls-exporter" : "tls-unique";
	gnutls_free(value.data);
	gnutls_free(text.data);
	return rc;
}

void binding_wipe(struct binding *binding)
{
	est_buf_free(&binding->text);
	*binding = (struct binding){ 0 };
}

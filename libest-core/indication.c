/* SPDX-License-Identifier: MIT */
/* The two TLS extensions that name a client's trust anchors.  GnuTLS 3.7 knows neither of them in a
 * ClientHello, but sends what is registered. */
#include "indication.h"

#include <gnutls/crypto.h>

#include "cert.h"
#include "session_impl.h"

#define TRUSTED_CA_KEYS         3
#define CERTIFICATE_AUTHORITIES 47
#define IDENTIFIER_NAME         2 /* x509_name */
#define IDENTIFIER_HASH         3 /* cert_sha1_hash */
#define SHA1_BYTES              20

static enum est_code put_number(struct est_buf *out, size_t n, struct est_error *err)
{
	const uint8_t octets[] = { (uint8_t)(n >> 8), (uint8_t)n };

	return est_buf_append(out, (struct est_span){ octets, sizeof(octets) }, err);
}

static enum est_code put_name(struct est_buf *out, const struct cert_view *view,
	struct est_error *err)
{
	enum est_code rc = put_number(out, view->subject.n, err);

	return rc == EST_OK ? est_buf_append(out, view->subject, err) : rc;
}

/* SHA-1 names a certificate here, and vouches for nothing. */
static enum est_code put_trusted(struct est_buf *out, const struct cert_view *view,
	struct est_error *err)
{
	uint8_t entry[1 + SHA1_BYTES] = { IDENTIFIER_HASH };
	const uint8_t kind = IDENTIFIER_NAME;
	enum est_code rc = est_buf_append(out, (struct est_span){ &kind, 1 }, err);

	if (rc == EST_OK)
		rc = put_name(out, view, err);
	if (rc == EST_OK && gnutls_hash_fast(GNUTLS_DIG_SHA1, view->der.p, view->der.n, entry + 1))
		return EST_OK; /* without SHA-1 the name has to do */
	return rc == EST_OK ? est_buf_append(out, (struct est_span){ entry, sizeof(entry) }, err)
			    : rc;
}

typedef enum est_code put_fn(struct est_buf *out, const struct cert_view *view,
	struct est_error *err);

static enum est_code make_list(const struct est_certs *anchors, put_fn *put, struct est_buf *out,
	struct est_error *err)
{
	struct est_buf list = { 0 };
	struct cert_view view;
	enum est_code rc = EST_OK;
	size_t whole;

	for (size_t i = 0; rc == EST_OK && i < est_certs_count(anchors); i++) {
		whole = list.n;
		rc = cert_view(est_certs_get(anchors, i), "anchor", &view, err);
		if (rc == EST_OK)
			rc = put(&list, &view, err);
		if (list.n > INDICATION_MAX)
			list.n = whole;
	}
	if (rc == EST_OK && list.n > 0)
		rc = put_number(out, list.n, err);
	if (rc == EST_OK && list.n > 0)
		rc = est_buf_append(out, est_buf_span(&list), err);
	est_buf_free(&list);
	return rc;
}

enum est_code indication_trusted_ca_keys(const struct est_certs *anchors, struct est_buf *out,
	struct est_error *err)
{
	return make_list(anchors, put_trusted, out, err);
}

enum est_code indication_authorities(const struct est_certs *anchors, struct est_buf *out,
	struct est_error *err)
{
	return make_list(anchors, put_name, out, err);
}

typedef enum est_code list_fn(const struct est_certs *anchors, struct est_buf *out,
	struct est_error *err);

static int send_list(gnutls_session_t tls, list_fn *list, gnutls_buffer_t extdata)
{
	const struct session *s = gnutls_session_get_ptr(tls);
	struct est_buf body = { 0 };
	struct est_error ignored;
	int ret = 0; /* nothing is sent */

	if (list(trust_anchors(s->params->trust), &body, &ignored) == EST_OK && body.n > 0) {
		ret = gnutls_buffer_append_data(extdata, body.p, body.n);
		ret = ret < 0 ? ret : (int)body.n;
	}
	est_buf_free(&body);
	return ret;
}

static int send_trusted(gnutls_session_t tls, gnutls_buffer_t extdata)
{
	return send_list(tls, indication_trusted_ca_keys, extdata);
}

static int send_authorities(gnutls_session_t tls, gnutls_buffer_t extdata)
{
	return send_list(tls, indication_authorities, extdata);
}

/* RFC 6066 section 6: the server's answer is empty. */
static int recv_empty(gnutls_session_t tls, const unsigned char *data, size_t n)
{
	(void)tls;
	(void)data;
	return n == 0 ? 0 : GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
}

int indication_register(gnutls_session_t tls)
{
	const unsigned flags = GNUTLS_EXT_FLAG_CLIENT_HELLO | GNUTLS_EXT_FLAG_TLS;
	int ret = gnutls_session_ext_register(tls, "trusted_ca_keys", TRUSTED_CA_KEYS,
		GNUTLS_EXT_TLS, recv_empty, send_trusted, NULL, NULL, NULL,
		flags | GNUTLS_EXT_FLAG_TLS12_SERVER_HELLO);

	/* A later GnuTLS may send it by itself, and says so here. */
	if (ret >= 0 || ret == GNUTLS_E_ALREADY_REGISTERED)
		ret = gnutls_session_ext_register(tls, "certificate_authorities",
			CERTIFICATE_AUTHORITIES, GNUTLS_EXT_TLS, recv_empty, send_authorities, NULL,
			NULL, NULL, flags);
	return ret == GNUTLS_E_ALREADY_REGISTERED ? 0 : ret;
}

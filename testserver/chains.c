/* SPDX-License-Identifier: MIT */
/* The server's certificates: which chain a client gets, and the OCSP answers that go with it. */
#include "chains.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <string.h>

#define TRUSTED_CA_KEYS 3 /* RFC 6066 section 6 */
#define CERT_SHA1_HASH  3 /* kind of an entry */
#define SHA1_SIZE       20

enum { USUAL, NEXT, CHAINS };

/* GnuTLS and libmicrohttpd hand nothing through to these callbacks: one server in a process. */
static struct {
	struct {
		gnutls_pcert_st cert[8];
		unsigned n;
		gnutls_privkey_t key;
		uint8_t root[SHA1_SIZE];
	} chain[CHAINS];
	struct est_buf answer[STAPLES_MAX];
	gnutls_ocsp_data_st staple[STAPLES_MAX];
	unsigned n_staples;
} own;

bool chains_heeded(gnutls_session_t session)
{
	gnutls_ext_priv_data_t heeded;

	return gnutls_ext_get_data(session, TRUSTED_CA_KEYS, &heeded) == 0 && heeded;
}

/* Bytes of an entry, its kind first; 0: broken. */
static size_t entry_size(const uint8_t *p, size_t n)
{
	switch (*p) {
	case 0:
		return 1;
	case 1:
	case CERT_SHA1_HASH:
		return n < 1 + SHA1_SIZE ? 0 : 1 + SHA1_SIZE;
	case 2:
		return n < 3 || n - 3 < ((size_t)p[1] << 8 | p[2]) ? 0
								   : 3 + ((size_t)p[1] << 8 | p[2]);
	default:
		return 0;
	}
}

/* The roots have one name: only the hash tells which of them the client has. */
static int recv_trusted(gnutls_session_t session, const unsigned char *data, size_t n)
{
	bool named[CHAINS] = { 0 };
	size_t i, size;

	if (n < 2 || (size_t)(data[0] << 8 | data[1]) != n - 2)
		return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
	for (data += 2, n -= 2; n > 0; data += size, n -= size) {
		size = entry_size(data, n);
		if (size == 0)
			return GNUTLS_E_UNEXPECTED_PACKET_LENGTH;
		for (i = 0; i < CHAINS; i++)
			named[i] |= *data == CERT_SHA1_HASH &&
				    memcmp(data + 1, own.chain[i].root, SHA1_SIZE) == 0;
	}
	if (named[NEXT] && !named[USUAL])
		gnutls_ext_set_data(session, TRUSTED_CA_KEYS, &own);
	return 0;
}

/* Empty, and only when it was of use (RFC 6066 section 6); TLS 1.3 has no answer. */
static int send_trusted(gnutls_session_t session, gnutls_buffer_t out)
{
	(void)out;
	return chains_heeded(session) && gnutls_protocol_get_version(session) == GNUTLS_TLS1_2
		       ? GNUTLS_E_INT_RET_0
		       : 0;
}

int chains_choose(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
	gnutls_pcert_st **certs, unsigned *n, gnutls_ocsp_data_st **staples, unsigned *n_staples,
	gnutls_privkey_t *key, unsigned *flags)
{
	const size_t i = chains_heeded(session) ? NEXT : USUAL;

	(void)info;
	*certs = own.chain[i].cert;
	*n = own.chain[i].n;
	*key = own.chain[i].key;
	*staples = own.staple;
	*n_staples = i == USUAL ? own.n_staples : 0;
	*flags = 0;
	return 0;
}

/* Both PEM with a NUL behind it. */
static int chain_load(size_t i, const struct est_buf *cert, const struct est_buf *key,
	const struct est_buf *root)
{
	const gnutls_datum_t cert_pem = { cert->p, (unsigned)cert->n - 1 };
	const gnutls_datum_t key_pem = { key->p, (unsigned)key->n - 1 };
	unsigned n = sizeof(own.chain[i].cert) / sizeof(own.chain[i].cert[0]);
	int r = gnutls_pcert_list_import_x509_raw(own.chain[i].cert, &n, &cert_pem,
		GNUTLS_X509_FMT_PEM, 0);

	own.chain[i].n = r < 0 ? 0 : n;
	if (r < 0 || (r = gnutls_privkey_init(&own.chain[i].key)) < 0 ||
		(r = gnutls_privkey_import_x509_raw(own.chain[i].key, &key_pem, GNUTLS_X509_FMT_PEM,
			 NULL, 0)) < 0)
		return r;
	return gnutls_hash_fast(GNUTLS_DIG_SHA1, root->p, root->n, own.chain[i].root);
}

static enum est_code staples_load(const struct options *o, struct est_error *err)
{
	enum est_code rc = EST_OK;
	unsigned i;

	for (i = 0; rc == EST_OK && i < o->n_staples; i++) {
		rc = est_read_file(o->staples[i], EST_FILE_MAX, &own.answer[i], err);
		if (own.answer[i].n > 0) /* an empty file: none for this certificate */
			own.staple[i].response = (gnutls_datum_t){ own.answer[i].p,
				(unsigned)own.answer[i].n };
		own.n_staples = i + 1;
	}
	return rc;
}

enum est_code chains_load(struct server *srv, const struct est_buf *next_cert,
	const struct est_buf *next_key, struct est_error *err)
{
	int r = chain_load(USUAL, &srv->cert_pem, &srv->key_pem, &srv->ca.root.der);

	if (r >= 0)
		r = chain_load(NEXT, next_cert, next_key, rollover_next(&srv->ca));
	if (r >= 0)
		r = gnutls_ext_register("trusted_ca_keys", TRUSTED_CA_KEYS, GNUTLS_EXT_TLS,
			recv_trusted, send_trusted, NULL, NULL, NULL);
	return r < 0 ? gnutls_fail(err, "certificate or key of the server", r)
		     : staples_load(&srv->opt, err);
}

void chains_free(void)
{
	size_t i;

	for (i = 0; i < CHAINS; i++) {
		while (own.chain[i].n > 0)
			gnutls_pcert_deinit(&own.chain[i].cert[--own.chain[i].n]);
		gnutls_privkey_deinit(own.chain[i].key);
		own.chain[i].key = NULL;
	}
	for (i = 0; i < STAPLES_MAX; i++)
		est_buf_free(&own.answer[i]);
}

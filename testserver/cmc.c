/* SPDX-License-Identifier: MIT */
/* A refusal as a Full PKI Response (RFC 7030 section 4.2.3, RFC 5272). */
#include "server.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

#define POP_FAILED 9 /* CMCFailInfo (RFC 5272 section 6.1.4) */

#define ID_CMC(arc, n) 6, 8, 0x2b, 6, 1, 5, 5, 7, arc, n
#define ID_PKCS9(n)    6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, n
static const uint8_t signed_data[] = { 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2 };
static const uint8_t pki_response[] = { ID_CMC(12, 3) };
static const uint8_t sha256[] = { 0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1 };
static const uint8_t ecdsa_sha256[] = { 0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2 };

#define SPAN(array) ((struct est_span){ (array), sizeof(array) })
#define BUF(buf)    est_buf_span(&(buf))

/* Appends one element whose content is all of these, one after another. */
#define ELEMENT(out, tag, ...)                                                                     \
	element(out, tag, (const struct est_span[]){ __VA_ARGS__ },                                \
		sizeof((const struct est_span[]){ __VA_ARGS__ }) / sizeof(struct est_span), err)

static enum est_code element(struct est_buf *out, uint8_t tag, const struct est_span *parts,
	size_t n, struct est_error *err)
{
	struct est_buf all = { 0 };
	enum est_code rc = EST_OK;

	for (size_t i = 0; rc == EST_OK && i < n; i++)
		rc = est_buf_append(&all, parts[i], err);
	if (rc == EST_OK)
		rc = tlv_append(out, tag, BUF(all), err);
	est_buf_free(&all);
	return rc;
}

/* PKIResponse with one CMCStatusInfoV2: failed, all of the request, words, why. */
static enum est_code response(struct est_span words, struct est_buf *out, struct est_error *err)
{
	static const uint8_t failed[] = { 2, 1, 2, 0x30, 3, 2, 1, 0 }, why[] = { 2, 1, POP_FAILED };
	static const uint8_t id[] = { 2, 1, 1, ID_CMC(7, 25) },
			     nothing_else[] = { 0x30, 0, 0x30, 0 };
	struct est_buf text = { 0 }, info = { 0 }, values = { 0 }, control = { 0 },
		       controls = { 0 };
	enum est_code rc;

	rc = ELEMENT(&text, 0x0c, words);
	if (rc == EST_OK)
		rc = ELEMENT(&info, 0x30, SPAN(failed), BUF(text), SPAN(why));
	if (rc == EST_OK)
		rc = ELEMENT(&values, 0x31, BUF(info));
	if (rc == EST_OK)
		rc = ELEMENT(&control, 0x30, SPAN(id), BUF(values));
	if (rc == EST_OK)
		rc = ELEMENT(&controls, 0x30, BUF(control));
	if (rc == EST_OK)
		rc = ELEMENT(out, 0x30, BUF(controls), SPAN(nothing_else));
	est_buf_free(&text);
	est_buf_free(&info);
	est_buf_free(&values);
	est_buf_free(&control);
	est_buf_free(&controls);
	return rc;
}

static enum est_code sign(struct ca *ca, struct est_span what, struct est_buf *out,
	struct est_error *err)
{
	gnutls_datum_t d = { (unsigned char *)what.p, (unsigned)what.n }, sig = { 0 };
	gnutls_privkey_t key = NULL;
	enum est_code rc;
	int r;

	(void)pthread_mutex_lock(&ca->lock);
	if ((r = gnutls_privkey_init(&key)) == 0 &&
		(r = gnutls_privkey_import_x509(key, ca->issuing.key, 0)) == 0)
		r = gnutls_privkey_sign_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &d, &sig);
	(void)pthread_mutex_unlock(&ca->lock);
	rc = r < 0 ? gnutls_fail(err, "cannot sign", r)
		   : tlv_append(out, 0x04, (struct est_span){ sig.data, sig.size }, err);
	gnutls_free(sig.data);
	gnutls_privkey_deinit(key);
	return rc;
}

/* IssuerAndSerialNumber of a certificate (RFC 5280 section 4.1: version, serial, algorithm,
 * issuer). */
static enum est_code signer_name(struct est_span cert, struct est_buf *out, struct est_error *err)
{
	struct est_span part[4], whole, body;
	uint8_t tag;

	if (!tlv_next(&cert, &tag, &whole, &body) || !tlv_next(&body, &tag, &whole, &cert))
		return est_fail(err, EST_E_INTERNAL, "the CA certificate is odd");
	for (size_t i = 0; i < 4; i++) {
		if (!tlv_next(&cert, &tag, &part[i], &body))
			return est_fail(err, EST_E_INTERNAL, "the CA certificate is odd");
	}
	return ELEMENT(out, 0x30, part[3], part[1]);
}

/* SignerInfo (RFC 5652 section 5.3).  The SET of attributes is signed, and sent under [0]. */
static enum est_code signer_info(struct ca *ca, struct est_span content, struct est_buf *out,
	struct est_error *err)
{
	static const uint8_t version[] = { 2, 1, 1 };
	static const uint8_t type[] = { 0x30, 23, ID_PKCS9(3), 0x31, 10, ID_CMC(12, 3) };
	static const uint8_t digest[] = { 0x30, 47, ID_PKCS9(4), 0x31, 34, 4, 32 };
	struct est_buf set = { 0 }, attributes = { 0 }, name = { 0 }, signature = { 0 };
	uint8_t hash[32];
	enum est_code rc;
	int r;

	r = gnutls_hash_fast(GNUTLS_DIG_SHA256, content.p, content.n, hash);
	if (r < 0)
		return gnutls_fail(err, "cannot hash", r);
	rc = ELEMENT(&set, 0x31, SPAN(type), SPAN(digest), SPAN(hash));
	if (rc == EST_OK)
		rc = ELEMENT(&attributes, 0xa0, SPAN(type), SPAN(digest), SPAN(hash));
	if (rc == EST_OK)
		rc = sign(ca, BUF(set), &signature, err);
	if (rc == EST_OK)
		rc = signer_name(BUF(ca->issuing.der), &name, err);
	if (rc == EST_OK)
		rc = ELEMENT(out, 0x30, SPAN(version), BUF(name), SPAN(sha256), BUF(attributes),
			SPAN(ecdsa_sha256), BUF(signature));
	est_buf_free(&set);
	est_buf_free(&attributes);
	est_buf_free(&name);
	est_buf_free(&signature);
	return rc;
}

/* SignedData (RFC 5652 section 5.1) by the issuing CA, whose certificate is in it. */
static enum est_code signed_response(struct ca *ca, struct est_span content, struct est_buf *out,
	struct est_error *err)
{
	static const uint8_t version[] = { 2, 1, 3 };
	struct est_buf octets = { 0 }, tagged = { 0 }, part[4] = { 0 }, data = { 0 };
	enum est_code rc;

	rc = ELEMENT(&octets, 0x04, content);
	if (rc == EST_OK)
		rc = ELEMENT(&tagged, 0xa0, BUF(octets));
	if (rc == EST_OK)
		rc = ELEMENT(&part[0], 0x31, SPAN(sha256));
	if (rc == EST_OK)
		rc = ELEMENT(&part[1], 0x30, SPAN(pki_response), BUF(tagged));
	if (rc == EST_OK)
		rc = ELEMENT(&part[2], 0xa0, BUF(ca->issuing.der));
	est_buf_free(&octets);
	if (rc == EST_OK)
		rc = signer_info(ca, content, &octets, err);
	if (rc == EST_OK)
		rc = ELEMENT(&part[3], 0x31, BUF(octets));
	if (rc == EST_OK)
		rc = ELEMENT(&data, 0x30, SPAN(version), BUF(part[0]), BUF(part[1]), BUF(part[2]),
			BUF(part[3]));
	est_buf_free(&tagged);
	if (rc == EST_OK)
		rc = ELEMENT(&tagged, 0xa0, BUF(data));
	if (rc == EST_OK)
		rc = ELEMENT(out, 0x30, SPAN(signed_data), BUF(tagged));
	for (size_t i = 0; i < 4; i++)
		est_buf_free(&part[i]);
	est_buf_free(&octets);
	est_buf_free(&tagged);
	est_buf_free(&data);
	return rc;
}

enum est_code cmc_refuse(struct server *srv, const struct request *rq, struct answer *ans,
	struct est_error *err)
{
	const int status = ans->status;
	struct est_buf content = { 0 }, der = { 0 };
	struct est_span words = est_buf_span(&ans->body);
	enum est_code rc;

	while (words.n > 0 && words.p[words.n - 1] == '\n')
		words.n--;
	rc = response(words, &content, err);
	est_buf_free(&ans->body);
	if (rc == EST_OK)
		rc = signed_response(&srv->ca, est_buf_span(&content), &der, err);
	if (rc == EST_OK)
		rc = answer_der(srv, rq, "application/pkcs7-mime; smime-type=CMC-response",
			est_buf_span(&der), ans, err);
	ans->status = status;
	est_buf_free(&content);
	est_buf_free(&der);
	return rc;
}

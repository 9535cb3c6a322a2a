/* SPDX-License-Identifier: MIT */
/* Whose key has signed something.  Certificates, CRLs and requests are of one form: what is
 * signed, the algorithm, the signature (RFC 5280 sections 4.1 and 5.1, RFC 2986 section 4.2). */
#include "signed.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "der.h"
#include "priority.h"

#define SALT_DEFAULT 20 /* RFC 4055 section 3.1 */
#define SALT_MAX     2048

/* Of RSASSA-PSS-params: the hash's OID and the length of the salt. */
static bool read_pss(struct est_span in, gnutls_digest_algorithm_t *hash, unsigned *salt)
{
	char dotted[DER_OID_TEXT_MAX];
	struct der_tlv seq, tagged, algorithm, tlv;

	*salt = SALT_DEFAULT;
	if (!der_expect(&in, DER_SEQUENCE, &seq) ||
		!der_expect(&seq.body, DER_CONTEXT_C(0), &tagged) ||
		!der_expect(&tagged.body, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.body, DER_OID, &tlv) || !der_oid_text(tlv.body, dotted))
		return false;
	*hash = gnutls_oid_to_digest(dotted);
	(void)der_expect(&seq.body, DER_CONTEXT_C(1), &tagged); /* the mask's hash is the same */
	if (der_expect(&seq.body, DER_CONTEXT_C(2), &tagged)) {
		if (!der_expect(&tagged.body, DER_INTEGER, &tlv) || tlv.body.n < 1 ||
			tlv.body.n > 2)
			return false;
		*salt = tlv.body.n == 1 ? tlv.body.p[0]
					: (unsigned)tlv.body.p[0] << 8 | tlv.body.p[1];
	}
	return *salt <= SALT_MAX;
}

/* GnuTLS takes the salt to be as long as the hash unless its key says otherwise, and OpenSSL makes
 * it as long as it can.  What the key itself demands is a limit (RFC 4055 section 3.3). */
static gnutls_sign_algorithm_t use_pss(struct est_span params, gnutls_pubkey_t key)
{
	gnutls_digest_algorithm_t hash, due = GNUTLS_DIG_UNKNOWN;
	gnutls_sign_algorithm_t algorithm = GNUTLS_SIGN_UNKNOWN;
	gnutls_x509_spki_t spki = NULL;
	unsigned salt, least = 0;

	if (!read_pss(params, &hash, &salt) || gnutls_x509_spki_init(&spki) < 0)
		return GNUTLS_SIGN_UNKNOWN;
	if (gnutls_pubkey_get_spki(key, spki, 0) >= 0)
		(void)gnutls_x509_spki_get_rsa_pss_params(spki, &due, &least);
	if ((due == GNUTLS_DIG_UNKNOWN || due == hash) && salt >= least) {
		gnutls_x509_spki_set_rsa_pss_params(spki, hash, salt);
		if (gnutls_pubkey_set_spki(key, spki, 0) >= 0)
			algorithm = gnutls_pk_to_sign(GNUTLS_PK_RSA_PSS, hash);
	}
	gnutls_x509_spki_deinit(spki);
	return algorithm;
}

static gnutls_sign_algorithm_t algorithm_of(struct est_span in, gnutls_pubkey_t key)
{
	static const char pss[] = "1.2.840.113549.1.1.10";
	char dotted[DER_OID_TEXT_MAX];
	struct der_tlv oid;

	if (!der_expect(&in, DER_OID, &oid) || !der_oid_text(oid.body, dotted))
		return GNUTLS_SIGN_UNKNOWN;
	return strcmp(dotted, pss) == 0 ? use_pss(in, key) : gnutls_oid_to_sign(dotted);
}

bool signed_by(struct est_span der, struct est_span spki, bool any)
{
	const unsigned flags = any ? GNUTLS_VERIFY_ALLOW_BROKEN | GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1
				   : 0;
	gnutls_datum_t public = { (unsigned char *)spki.p, (unsigned)spki.n }, tbs, signature;
	gnutls_sign_algorithm_t algorithm;
	gnutls_pubkey_t key = NULL;
	struct der_tlv outer, what, how, bits;
	bool verified = false;

	if (!der_expect(&der, DER_SEQUENCE, &outer) ||
		!der_expect(&outer.body, DER_SEQUENCE, &what) ||
		!der_expect(&outer.body, DER_SEQUENCE, &how) ||
		!der_expect(&outer.body, DER_BIT_STRING, &bits) || bits.body.n < 2 ||
		bits.body.p[0] != 0)
		return false;
	tbs = (gnutls_datum_t){ (unsigned char *)what.whole.p, (unsigned)what.whole.n };
	signature = (gnutls_datum_t){ (unsigned char *)bits.body.p + 1, (unsigned)bits.body.n - 1 };
	if (gnutls_pubkey_init(&key) >= 0 &&
		gnutls_pubkey_import(key, &public, GNUTLS_X509_FMT_DER) >= 0) {
		algorithm = algorithm_of(how.body, key);
		/* Not by way of a gnutls_x509_crt_t: an expired one would have signed nothing. */
		verified = algorithm != GNUTLS_SIGN_UNKNOWN &&
			   (any || !priority_bad_signature(algorithm)) &&
			   gnutls_pubkey_verify_data2(key, algorithm, flags, &tbs, &signature) >= 0;
	}
	gnutls_pubkey_deinit(key);
	return verified;
}

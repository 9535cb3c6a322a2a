/* SPDX-License-Identifier: MIT */
/* The rules for a path besides GnuTLS's own. */
#include "path_rules.h"

#include <stdio.h>
#include <string.h>

#include "est-inspect.h"
#include "name_constraints.h"
#include "staple.h"
#include "x509_text.h"

#define BITS_MIN 112 /* of security: SHA-224, RSA 2048 (NIST SP 800-57 part 1) */
#define WHO_MAX  300

/* What a message is about: the leaf, or a CA by its subject. */
static void name_it(const struct path_rules *r, const struct cert_view *cert, char *who)
{
	struct est_buf subject = { 0 };
	struct est_error ignored;

	if (cert == &r->path[0]) {
		(void)snprintf(who, WHO_MAX, "%.120s", r->what);
		return;
	}
	if (x509_name(cert->subject, &subject, &ignored) != EST_OK)
		est_buf_free(&subject);
	(void)snprintf(who, WHO_MAX, "%.80s: the CA certificate %.*s above it", r->what,
		(int)(subject.n < 160 ? subject.n : 160), subject.p ? (const char *)subject.p : "");
	est_buf_free(&subject);
}

static bool is_rsa(const struct cert_view *cert, size_t *bits)
{
	struct est_span spki = cert->spki;
	struct der_tlv outer, algorithm, oid, key;

	if (!der_expect(&spki, DER_SEQUENCE, &outer) ||
		!der_expect(&outer.body, DER_SEQUENCE, &algorithm) ||
		!der_expect(&algorithm.body, DER_OID, &oid) ||
		!der_expect(&outer.body, DER_BIT_STRING, &key))
		return false;
	*bits = x509_rsa_bits(key.body);
	return est_span_eq(oid.body, CERT_OID_RSA) || est_span_eq(oid.body, CERT_OID_RSA_PSS);
}

/* An anchor is not trusted for its signature. */
static enum est_code check_strength(const struct cert_view *cert, bool anchor, const char *who,
	struct est_error *err)
{
	const unsigned key = x509_key_strength(cert->spki);
	const unsigned signature = x509_signature_strength(cert->signature_oid, cert->der);
	size_t bits;

	if (is_rsa(cert, &bits) && key < BITS_MIN)
		est_fail(err, EST_E_UNTRUSTED, "%s has an RSA key of %zu bits, 2048 are due", who,
			bits);
	else if (key && key < BITS_MIN)
		est_fail(err, EST_E_UNTRUSTED, "%s has a key of %u bits of security, %d are due",
			who, key, BITS_MIN);
	else if (!anchor && signature && signature < BITS_MIN)
		est_fail(err, EST_E_UNTRUSTED,
			"%s is signed with MD5 or SHA-1, which can be forged (RFC 6151, RFC 6194)",
			who);
	else
		return EST_OK;
	return est_reason(err, "weak");
}

/* RFC 5280 section 4.2: what is critical has to be acted upon.  Policies are never asked for, so
 * only a constraint that asks for them is more than this client does. */
static bool is_known(const struct cert_ext *ext)
{
	static const uint8_t id_ce[] = { 14, 15, 17, 18, 19, 30, 31, 32, 33, 35, 37, 54 };
	struct est_span value = ext->value;
	struct der_tlv seq, tlv;

	if (est_span_eq(ext->oid, CERT_OID_TLS_FEATURE))
		return true;
	if (ext->oid.n != 3 || ext->oid.p[0] != 0x55 || ext->oid.p[1] != 0x1d)
		return false;
	if (ext->oid.p[2] == 36) /* policyConstraints: [0] is requireExplicitPolicy */
		return der_expect(&value, DER_SEQUENCE, &seq) &&
		       !der_expect(&seq.body, DER_CONTEXT(0), &tlv);
	return memchr(id_ce, ext->oid.p[2], sizeof(id_ce)) != NULL;
}

static enum est_code check_critical(const struct cert_view *cert, const char *who,
	struct est_error *err)
{
	struct est_span rest = cert->extensions;
	char oid[DER_OID_TEXT_MAX];
	struct cert_ext ext;

	while (rest.n > 0 && cert_next_extension(&rest, false, &ext)) {
		if (!ext.critical || is_known(&ext))
			continue;
		est_fail(err, EST_E_UNTRUSTED,
			"%s has a critical extension that cannot be acted upon: %s (RFC 5280 "
			"section 4.2)",
			who, der_oid_text(ext.oid, oid) ? oid : "?");
		return est_reason(err, "critical-extension");
	}
	return EST_OK;
}

static enum est_code check_server(const struct cert_view *leaf, const char *who,
	struct est_error *err)
{
	if (leaf->version != 3) {
		est_fail(err, EST_E_UNTRUSTED,
			"%s is of X.509 version %d, which says nothing of its purpose; 3 is due "
			"(RFC 5280 section 4.1.2.1)",
			who, leaf->version);
		return est_reason(err, "x509-version");
	}
	if (!cert_is_ca(leaf, NULL))
		return EST_OK;
	est_fail(err, EST_E_UNTRUSTED,
		"%s is a CA certificate: its key would be a CA's key on a server (RFC 5280 section "
		"4.2.1.9)",
		who);
	est_hint(err, "`openssl req -x509` makes one unless told basicConstraints=CA:FALSE; the "
		      "server needs a certificate of its own");
	return est_reason(err, "ca-as-server");
}

/* The names of the i-th against each CA above it. */
static enum est_code check_names(const struct path_rules *r, size_t i, const char *who,
	struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t k = i + 1; rc == EST_OK && k < r->n; k++)
		rc = name_constraints_check(&r->path[k], &r->path[i], i == 0, who, err);
	return rc == EST_OK ? name_constraints_check(r->anchor, &r->path[i], i == 0, who, err) : rc;
}

/* TLS 1.3 has an answer for each certificate (RFC 8446 section 4.4.2.1), TLS 1.2 for the first. */
static struct est_span staple_of(const struct path_rules *r, const struct cert_view *cert)
{
	for (size_t i = 0; r->staples && i < r->n_sent; i++) {
		if (est_span_eq(r->sent[i], cert->der))
			return r->staples[i];
	}
	return (struct est_span){ 0 };
}

static enum est_code check_cert(const struct path_rules *r, size_t i, const char **note,
	struct est_error *err)
{
	const struct cert_view *cert = &r->path[i];
	const struct cert_view *issuer = i + 1 < r->n ? &r->path[i + 1] : r->anchor;
	bool anchor = est_span_eq(cert->der, r->anchor->der);
	char who[WHO_MAX];
	enum est_code rc;

	name_it(r, cert, who);
	rc = check_strength(cert, anchor, who, err);
	if (rc == EST_OK && !anchor)
		rc = check_critical(cert, who, err);
	if (rc == EST_OK && r->server && i == 0)
		rc = check_server(cert, who, err);
	if (rc == EST_OK && !anchor)
		rc = check_names(r, i, who, err);
	if (rc == EST_OK && !anchor && r->crls)
		rc = crls_check(r->crls, cert, issuer, r->now, r->server && i == 0, who, err);
	if (rc == EST_OK && r->handshake && (i == 0 || !anchor))
		rc = staple_check(staple_of(r, cert), cert, issuer, r->now, who,
			i == 0 ? note : NULL, err);
	return rc;
}

enum est_code path_rules_check(const struct path_rules *r, const char **note, struct est_error *err)
{
	char who[WHO_MAX];
	enum est_code rc;

	name_it(r, r->anchor, who);
	rc = check_strength(r->anchor, true, who, err);
	for (size_t i = r->n; rc == EST_OK && i-- > 0;)
		rc = check_cert(r, i, note, err);
	return rc;
}

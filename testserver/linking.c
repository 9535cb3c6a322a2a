/* SPDX-License-Identifier: MIT */
/* Linking identity and proof of possession (RFC 7030 section 3.5, RFC 7894): what a request says of
 * its TLS session, against the session it came over. */
#include "server.h"

#include <gnutls/x509.h>
#include <string.h>

/* 1.2.840.113549.1.9.7, and 1.2.840.113549.1.9.16.2.n */
static const uint8_t pkcs9[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9 };
static const struct {
	uint8_t tail[3], n;
	const char *name;
} attributes[LINK_ATTRIBUTES] = {
	[LINK_CHALLENGE] = { { 7 }, 1, "challengePassword" },
	[LINK_LINKING] = { { 16, 2, 58 }, 3, "estIdentityLinking" },
	[LINK_OTP] = { { 16, 2, 56 }, 3, "otpChallenge" },
	[LINK_REVOCATION] = { { 16, 2, 57 }, 3, "revocationChallenge" },
};

/* RFC 5929 section 3, RFC 9266 section 2. */
void binding_get(gnutls_session_t session, struct tls_facts *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	bool tls13 = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
	gnutls_datum_t unique = { 0 };
	struct est_error ignored;
	enum est_code rc = EST_OK;
	uint8_t exporter[32];

	if (gnutls_session_channel_binding(session, GNUTLS_CB_TLS_UNIQUE, &unique) == 0)
		rc = b64_encode((struct est_span){ unique.data, unique.size }, 0, &out->unique,
			&ignored);
	gnutls_free(unique.data);
	if (rc == EST_OK &&
		(tls13 || (gnutls_session_get_flags(session) & GNUTLS_SFLAGS_EXT_MASTER_SECRET)) &&
		gnutls_prf_rfc5705(session, sizeof(label) - 1, label, 0, "", sizeof(exporter),
			(char *)exporter) == 0)
		rc = b64_encode((struct est_span){ exporter, sizeof(exporter) }, 0, &out->exporter,
			&ignored);
	if (rc != EST_OK) { /* no memory: nothing matches then */
		est_buf_free(&out->unique);
		est_buf_free(&out->exporter);
	}
}

/* Which of the attributes an OID names; LINK_ATTRIBUTES: none of them. */
static size_t which(struct est_span oid)
{
	size_t i;

	if (oid.n < sizeof(pkcs9) || memcmp(oid.p, pkcs9, sizeof(pkcs9)) != 0)
		return LINK_ATTRIBUTES;
	for (i = 0; i < LINK_ATTRIBUTES; i++)
		if (oid.n == sizeof(pkcs9) + attributes[i].n &&
			memcmp(oid.p + sizeof(pkcs9), attributes[i].tail, attributes[i].n) == 0)
			break;
	return i;
}

/* The strings of the attributes; false when one is there twice, or is not one string of 1 to 255
 * bytes (RFC 2985 section 5.4.1, RFC 7894 section 3). */
static bool take_strings(struct est_span csr, struct est_span out[LINK_ATTRIBUTES])
{
	struct est_span request, info, whole, set, body, type, values, value;
	uint8_t tag;
	size_t at;

	if (!tlv_next(&csr, &tag, &whole, &request) || !tlv_next(&request, &tag, &whole, &info))
		return false;
	do {
		if (!tlv_next(&info, &tag, &whole, &set))
			return true;
	} while (tag != 0xa0);
	while (tlv_next(&set, &tag, &whole, &body)) {
		if (!tlv_next(&body, &tag, &whole, &type) || tag != 0x06)
			return false;
		at = which(type);
		if (at == LINK_ATTRIBUTES)
			continue;
		if (out[at].n || !tlv_next(&body, &tag, &whole, &values) || tag != 0x31 ||
			!tlv_next(&values, &tag, &whole, &value) || values.n ||
			(tag != 0x13 && tag != 0x0c) || value.n < 1 || value.n > 255)
			return false;
		out[at] = value;
	}
	return true;
}

void linking_read(struct request *rq)
{
	const struct est_span bindings[] = { est_buf_span(&rq->tls.unique),
		est_buf_span(&rq->tls.exporter) };
	static const char *const names[] = { "tls-unique", "tls-exporter" };
	size_t i, k;

	rq->link_bad = !take_strings(est_buf_span(&rq->csr), rq->link);
	for (i = LINK_CHALLENGE; i <= LINK_LINKING; i++) {
		if (!rq->link[i].n)
			continue;
		rq->linked = "other";
		rq->linked_in = attributes[i].name;
		for (k = 0; k < 2; k++)
			if (bindings[k].n && est_span_eq(rq->link[i], bindings[k]))
				rq->linked = names[k];
		if (strcmp(rq->linked, "other") == 0)
			return; /* one that is wrong counts, whatever the next is */
	}
}

/* An RA asks for others, over a session of its own (RFC 7030 section 3.7). */
static bool is_ra(const struct tls_facts *tls)
{
	char oid[64];
	size_t n;
	int i, r = 0;

	for (i = 0; tls->client && tls->vouched == TA_EXPLICIT && r >= 0; i++) {
		n = sizeof(oid);
		r = gnutls_x509_crt_get_key_purpose_oid(tls->client, i, oid, &n, NULL);
		if (r >= 0 && strcmp(oid, "1.3.6.1.5.5.7.3.28") == 0)
			return true;
	}
	return false;
}

static bool is_word(const struct request *rq, size_t attribute)
{
	return est_span_eq(rq->link[attribute], est_span_str(rq->use.arg));
}

enum est_code linking_check(const struct request *rq, struct answer *ans, struct est_error *err)
{
	const enum label_id id = rq->use.id;

	if (rq->link_bad)
		return answer_text(ans, err, 400,
			"a challenge attribute is not one string of 1 to 255 (RFC 7894 section "
			"3)\n");
	if (id == LABEL_CHALLENGE)
		return is_word(rq, LINK_CHALLENGE)
			       ? EST_OK
			       : answer_text(ans, err, 400,
					 "challengePassword is not the secret of this CA\n");
	if (rq->linked && strcmp(rq->linked, "other") == 0 && !is_ra(&rq->tls))
		return answer_text(ans, err, 400,
			"the channel binding in %s is not that of this TLS session: linking "
			"identity and proof of possession failed (RFC 7030 section 3.5)\n",
			rq->linked_in);
	if ((id == LABEL_POP || id == LABEL_POP_CMC) && !rq->linked)
		return answer_text(ans, err, 400,
			"linking identity and proof of possession is required: challengePassword "
			"with the channel binding (RFC 7030 section 3.5)\n");
	if (id == LABEL_POP_7894 && (!rq->link[LINK_LINKING].n || rq->link[LINK_CHALLENGE].n))
		return answer_text(ans, err, 400,
			"linking is required, in estIdentityLinking alone (RFC 7894 section 4)\n");
	if (id == LABEL_OTP && !is_word(rq, LINK_OTP))
		return answer_text(ans, err, 400,
			"otpChallenge is not the one-time password (RFC 7894 section 3.1)\n");
	return EST_OK;
}

enum est_code linking_csrattrs(enum label_id id, struct est_buf *out, struct est_error *err)
{
	static const struct {
		enum label_id id;
		size_t attribute[2];
		size_t n;
	} demands[] = {
		{ LABEL_POP, { LINK_CHALLENGE }, 1 },
		{ LABEL_POP_CMC, { LINK_CHALLENGE }, 1 },
		{ LABEL_CHALLENGE, { LINK_CHALLENGE }, 1 },
		{ LABEL_POP_7894, { LINK_CHALLENGE, LINK_LINKING }, 2 },
		{ LABEL_OTP, { LINK_OTP }, 1 },
	};
	struct est_buf list = { 0 }, oid = { 0 };
	enum est_code rc = EST_OK;
	size_t i, k, at;

	for (i = 0; i < sizeof(demands) / sizeof(demands[0]); i++) {
		if (demands[i].id != id)
			continue;
		for (k = 0; k < demands[i].n && rc == EST_OK; k++) {
			at = demands[i].attribute[k];
			est_buf_free(&oid);
			rc = est_buf_append(&oid, (struct est_span){ pkcs9, sizeof(pkcs9) }, err);
			if (rc == EST_OK)
				rc = est_buf_append(&oid,
					(struct est_span){ attributes[at].tail, attributes[at].n },
					err);
			if (rc == EST_OK)
				rc = tlv_append(&list, 0x06, est_buf_span(&oid), err);
		}
	}
	if (rc == EST_OK && list.n)
		rc = tlv_append(out, 0x30, est_buf_span(&list), err);
	est_buf_free(&list);
	est_buf_free(&oid);
	return rc;
}

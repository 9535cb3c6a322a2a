/* SPDX-License-Identifier: MIT */
#include "cmc_status.h"

#include <string.h>

#include "der.h"

/* id-cct-PKIResponse and the two status controls of id-cmc (RFC 5272 sections 3.3 and 6.1). */
static const uint8_t pki_response[] = { 0x2b, 6, 1, 5, 5, 7, 12, 3 };
static const uint8_t status_info[] = { 0x2b, 6, 1, 5, 5, 7, 7, 1 };
static const uint8_t status_info_v2[] = { 0x2b, 6, 1, 5, 5, 7, 7, 25 };

#define IS(span, oid) est_span_eq(span, (struct est_span){ oid, sizeof(oid) })

/* CMCStatus (section 6.1.3); 1 is reserved. */
static const char *const statuses[] = { "success", NULL, "failed", "pending", "not supported",
	"confirmation required", "proof of possession required", "partial" };

/* CMCFailInfo (section 6.1.4). */
static const char *const failures[] = { "badAlg", "badMessageCheck", "badRequest", "badTime",
	"badCertId", "unsupportedExt", "mustArchiveKeys", "badIdentity", "popRequired", "popFailed",
	"noKeyReuse", "internalCAError", "tryLater", "authDataFail" };

/* *in and *out are unchanged when another element, or none, comes first. */
static bool ber_expect(struct est_span *in, uint8_t tag, struct der_tlv *out)
{
	struct est_span rest = *in;
	struct der_tlv tlv;

	if (!ber_next(&rest, &tlv) || tlv.tag != tag)
		return false;
	*in = rest;
	*out = tlv;
	return true;
}

/* The contents of the PKIResponse: ContentInfo, SignedData, EncapsulatedContentInfo (RFC 5652
 * sections 3 and 5.1).  *content is empty when it is absent or in BER's pieces. */
static bool open_response(struct est_span message, struct est_span *content)
{
	struct der_tlv tlv;

	*content = (struct est_span){ 0 };
	if (!ber_expect(&message, DER_SEQUENCE, &tlv))
		return false;
	message = tlv.body;
	if (!ber_expect(&message, DER_OID, &tlv) || !ber_expect(&message, DER_CONTEXT_C(0), &tlv))
		return false;
	message = tlv.body;
	if (!ber_expect(&message, DER_SEQUENCE, &tlv))
		return false;
	message = tlv.body;
	if (!ber_expect(&message, DER_INTEGER, &tlv) || !ber_expect(&message, DER_SET, &tlv) ||
		!ber_expect(&message, DER_SEQUENCE, &tlv))
		return false;
	message = tlv.body;
	if (!ber_expect(&message, DER_OID, &tlv) || !IS(tlv.body, pki_response))
		return false;
	if (ber_expect(&message, DER_CONTEXT_C(0), &tlv)) {
		message = tlv.body;
		if (ber_expect(&message, DER_OCTET_STRING, &tlv))
			*content = tlv.body;
	}
	return true;
}

bool cmc_is_response(struct est_span message)
{
	struct est_span content;

	return open_response(message, &content);
}

static const char *word(struct est_span integer, const char *const *words, size_t n)
{
	uint8_t value = integer.n == 1 ? integer.p[0] : UINT8_MAX;

	return value < n && words[value] ? words[value] : "an unknown code";
}

#define WORD(integer, words) word(integer, words, sizeof(words) / sizeof((words)[0]))

/* Status, the requests meant, the CA's words, and why it failed; when to ask again is left out. */
static enum est_code append_status(struct est_span info, struct est_buf *out, struct est_error *err)
{
	struct der_tlv status, list, words = { 0 }, failure = { 0 };
	enum est_code rc;

	if (!ber_expect(&info, DER_INTEGER, &status) || !ber_expect(&info, DER_SEQUENCE, &list))
		return EST_OK;
	(void)ber_expect(&info, DER_UTF8, &words);
	(void)ber_expect(&info, DER_INTEGER, &failure);
	rc = est_buf_printf(out, err, "%s%s%s%s", out->n > 0 ? "; " : "",
		WORD(status.body, statuses), failure.tag ? ", " : "",
		failure.tag ? WORD(failure.body, failures) : "");
	if (rc == EST_OK && words.body.n > 0)
		rc = est_buf_append(out, est_span_str(": "), err);
	return rc == EST_OK ? est_buf_escape(out, words.body, EST_ERROR_TEXT_MAX, err) : rc;
}

enum est_code cmc_status_text(struct est_span message, struct est_buf *out, struct est_error *err)
{
	struct der_tlv tlv, control, id, type, values, info;
	struct est_buf text = { 0 };
	struct est_span content;
	enum est_code rc = EST_OK;

	if (!open_response(message, &content) || !ber_expect(&content, DER_SEQUENCE, &tlv))
		return EST_OK;
	content = tlv.body;
	if (!ber_expect(&content, DER_SEQUENCE, &tlv)) /* controlSequence (section 3.3) */
		return EST_OK;
	content = tlv.body;
	for (int told = 0; told < CMC_STATUS_MAX && rc == EST_OK &&
			   ber_expect(&content, DER_SEQUENCE, &control);) {
		if (!ber_expect(&control.body, DER_INTEGER, &id) ||
			!ber_expect(&control.body, DER_OID, &type) ||
			!ber_expect(&control.body, DER_SET, &values))
			break;
		if (!IS(type.body, status_info) && !IS(type.body, status_info_v2))
			continue;
		if (ber_expect(&values.body, DER_SEQUENCE, &info))
			rc = append_status(info.body, &text, err);
		told++;
	}
	if (rc == EST_OK)
		rc = est_buf_append(out, est_buf_span(&text), err);
	est_buf_free(&text);
	return rc;
}

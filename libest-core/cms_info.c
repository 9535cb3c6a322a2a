/* SPDX-License-Identifier: MIT */
/* What a CMS message that is no bag says of itself without being opened (RFC 5652, RFC 5083): its
 * type, for whom it is encrypted, who signed it.  BER, as mail programs write it; linear. */
#include <stdlib.h>

#include "cert.h"
#include "est-inspect.h"
#include "x509_text.h"

#define WHAT       "CMS message"
#define PEOPLE_MAX 256 /* recipients or signers that are told one by one, the others counted */

struct reader {
	struct est_span message;
	struct est_cms_info *info;
	struct est_buf text; /* of the person at hand */
	size_t more;         /* who are not told */
	struct est_error *err;
};

static enum est_code malformed(const struct reader *r, const uint8_t *at, const char *why)
{
	return est_fail(r->err, EST_E_PROTOCOL, WHAT ": %s at offset %zu (RFC 5652)", why,
		(size_t)(at - r->message.p));
}

static bool take(struct est_span *in, uint8_t tag, struct der_tlv *out)
{
	return in->n > 0 && in->p[0] == tag && ber_next(in, out);
}

static enum est_code put(struct reader *r, const char *text)
{
	return est_buf_append(&r->text, est_span_str(text), r->err);
}

/* ", " and the name of the algorithm in an AlgorithmIdentifier. */
static enum est_code put_algorithm(struct reader *r, struct est_span *in)
{
	struct der_tlv algorithm, oid;
	enum est_code rc;

	if (!take(in, DER_SEQUENCE, &algorithm) || !take(&algorithm.body, DER_OID, &oid))
		return malformed(r, in->p, "no algorithm");
	rc = r->text.n > 0 ? put(r, ", ") : EST_OK;
	return rc == EST_OK ? x509_oid(oid.body, &r->text, r->err) : rc;
}

/* Bytes in hex after a word. */
static enum est_code put_id(struct reader *r, const char *word, struct est_span id)
{
	enum est_code rc = put(r, word);

	return rc == EST_OK ? x509_hex(id, 64, &r->text, r->err) : rc;
}

/* IssuerAndSerialNumber, or a key identifier under any of its tags. */
static enum est_code put_whose(struct reader *r, struct est_span *in)
{
	struct der_tlv who, name, serial;
	enum est_code rc;

	if (!ber_next(in, &who))
		return malformed(r, in->p, "no identifier of a person");
	if (who.tag == DER_CONTEXT(0) || who.tag == DER_OCTET_STRING)
		return put_id(r, "key ", who.body);
	if (who.tag == DER_CONTEXT_C(0)) { /* RecipientKeyIdentifier */
		if (!take(&who.body, DER_OCTET_STRING, &serial))
			return malformed(r, who.whole.p, "no key identifier");
		return put_id(r, "key ", serial.body);
	}
	if (who.tag != DER_SEQUENCE || !take(&who.body, DER_SEQUENCE, &name) ||
		!take(&who.body, DER_INTEGER, &serial))
		return malformed(r, who.whole.p, "no issuer and serial number");
	rc = cert_check_name(name.whole, WHAT ": issuer", r->err);
	if (rc == EST_OK)
		rc = put(r, "issuer ");
	if (rc == EST_OK)
		rc = x509_name(name.whole, &r->text, r->err);
	if (rc == EST_OK)
		rc = put(r, ", serial ");
	return rc == EST_OK ? x509_integer(serial.body, &r->text, r->err) : rc;
}

/* One person into a list. */
static enum est_code add(struct reader *r, struct x509_list *list)
{
	return x509_list_add(list, &r->text, r->err);
}

/* The list is full: a name can cost a millisecond. */
static bool full(struct reader *r, const struct x509_list *list)
{
	r->more += list->n == PEOPLE_MAX;
	return list->n == PEOPLE_MAX;
}

static enum est_code add_rest(struct reader *r, struct x509_list *list)
{
	enum est_code rc;

	if (r->more == 0)
		return EST_OK;
	rc = est_buf_printf(&r->text, r->err, "%zu more", r->more);
	return rc == EST_OK ? add(r, list) : rc;
}

/* KeyAgreeRecipientInfo after its version: one entry for each of its keys (section 6.2.2). */
static enum est_code key_agreement(struct reader *r, struct est_span in, struct x509_list *list)
{
	struct der_tlv tlv, keys, key;
	enum est_code rc = EST_OK;
	struct est_span algorithm;

	if (!take(&in, DER_CONTEXT_C(0), &tlv))
		return malformed(r, in.p, "no originator");
	(void)take(&in, DER_CONTEXT_C(1), &tlv); /* ukm */
	algorithm = in;
	if (!take(&in, DER_SEQUENCE, &tlv) || !take(&in, DER_SEQUENCE, &keys))
		return malformed(r, in.p, "no encrypted keys");
	while (rc == EST_OK && keys.body.n > 0) {
		struct est_span rest = algorithm;

		if (!take(&keys.body, DER_SEQUENCE, &key))
			return malformed(r, keys.body.p, "no encrypted key");
		if (full(r, list))
			continue;
		rc = put(r, "key agreement: ");
		if (rc == EST_OK)
			rc = put_whose(r, &key.body);
		if (rc == EST_OK)
			rc = put_algorithm(r, &rest);
		if (rc == EST_OK)
			rc = add(r, list);
	}
	return rc;
}

/* One RecipientInfo (section 6.2), by its tag. */
static enum est_code recipient(struct reader *r, const struct der_tlv *info, struct x509_list *list)
{
	struct est_span in = info->body;
	struct der_tlv tlv;
	enum est_code rc;

	if (info->tag != DER_CONTEXT_C(1) && full(r, list))
		return EST_OK;
	if (info->tag == DER_CONTEXT_C(4)) {
		rc = put(r, "other: ");
		if (rc == EST_OK && take(&in, DER_OID, &tlv))
			rc = x509_oid(tlv.body, &r->text, r->err);
		return rc == EST_OK ? add(r, list) : rc;
	}
	if (!take(&in, DER_INTEGER, &tlv))
		return malformed(r, in.p, "no version of a recipient");
	switch (info->tag) {
	case DER_SEQUENCE:
		rc = put(r, "key transport: ");
		if (rc == EST_OK)
			rc = put_whose(r, &in);
		break;
	case DER_CONTEXT_C(1):
		return key_agreement(r, in, list);
	case DER_CONTEXT_C(2):
		rc = put(r, "shared key: ");
		if (rc == EST_OK && (!take(&in, DER_SEQUENCE, &tlv) || tlv.body.n == 0))
			rc = malformed(r, in.p, "no identifier of a shared key");
		if (rc == EST_OK)
			rc = put_whose(r, &tlv.body);
		break;
	case DER_CONTEXT_C(3):
		rc = put(r, "password");
		(void)take(&in, DER_CONTEXT_C(0), &tlv); /* how a key is made of it */
		break;
	default:
		return malformed(r, info->whole.p, "a recipient of an unknown kind");
	}
	if (rc == EST_OK)
		rc = put_algorithm(r, &in);
	return rc == EST_OK ? add(r, list) : rc;
}

/* EncryptedContentInfo: what it will be, and how it is encrypted. */
static enum est_code encrypted_content(struct reader *r, struct est_span in)
{
	struct der_tlv info, oid;
	enum est_code rc;

	if (!take(&in, DER_SEQUENCE, &info) || !take(&info.body, DER_OID, &oid))
		return malformed(r, in.p, "no encrypted content");
	rc = x509_oid(oid.body, &r->text, r->err);
	if (rc == EST_OK)
		rc = x509_string(&r->text, &r->info->content, r->err);
	if (rc == EST_OK)
		rc = put_algorithm(r, &info.body);
	return rc == EST_OK ? x509_string(&r->text, &r->info->encryption, r->err) : rc;
}

static enum est_code enveloped(struct reader *r, struct est_span in)
{
	struct x509_list list = { 0 };
	struct der_tlv tlv, set;
	enum est_code rc = EST_OK;

	if (!take(&in, DER_INTEGER, &tlv))
		return malformed(r, in.p, "no version");
	(void)take(&in, DER_CONTEXT_C(0), &tlv); /* originatorInfo */
	if (!take(&in, DER_SET, &set))
		return malformed(r, in.p, "no recipients");
	while (rc == EST_OK && set.body.n > 0)
		rc = ber_next(&set.body, &tlv) ? recipient(r, &tlv, &list)
					       : malformed(r, set.body.p, "no recipient");
	if (rc == EST_OK)
		rc = add_rest(r, &list);
	r->info->recipients = list.item;
	r->info->n_recipients = list.n;
	return rc == EST_OK ? encrypted_content(r, in) : rc;
}

static enum est_code encrypted(struct reader *r, struct est_span in)
{
	struct der_tlv version;

	if (!take(&in, DER_INTEGER, &version))
		return malformed(r, in.p, "no version");
	return encrypted_content(r, in);
}

/* SignedData: what was signed and by whom (section 5.3). */
static enum est_code signed_data(struct reader *r, struct est_span in)
{
	struct x509_list list = { 0 };
	struct der_tlv tlv, encap, signer;
	enum est_code rc;

	if (!take(&in, DER_INTEGER, &tlv) || !take(&in, DER_SET, &tlv) ||
		!take(&in, DER_SEQUENCE, &encap) || !take(&encap.body, DER_OID, &tlv))
		return malformed(r, in.p, "no signed content");
	rc = x509_oid(tlv.body, &r->text, r->err);
	if (rc == EST_OK)
		rc = x509_string(&r->text, &r->info->content, r->err);
	(void)take(&in, DER_CONTEXT_C(0), &tlv);
	(void)take(&in, DER_CONTEXT_C(1), &tlv);
	if (rc == EST_OK && !take(&in, DER_SET, &encap))
		return malformed(r, in.p, "no signers");
	while (rc == EST_OK && encap.body.n > 0) {
		if (!take(&encap.body, DER_SEQUENCE, &signer) ||
			!take(&signer.body, DER_INTEGER, &tlv)) {
			rc = malformed(r, encap.body.p, "no signer");
			break;
		}
		if (full(r, &list))
			continue;
		rc = put_whose(r, &signer.body);
		if (rc == EST_OK)
			rc = put_algorithm(r, &signer.body);
		if (rc == EST_OK)
			rc = add(r, &list);
	}
	if (rc == EST_OK)
		rc = add_rest(r, &list);
	r->info->signers = list.item;
	r->info->n_signers = list.n;
	return rc;
}

static enum est_code read_message(struct reader *r)
{
	static const struct {
		uint8_t oid[12], n;
		enum est_code (*read)(struct reader *r, struct est_span in);
	} types[] = {
		{ { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02 }, 9, signed_data },
		{ { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03 }, 9, enveloped },
		{ { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06 }, 9, encrypted },
		{ { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x17 }, 11,
			enveloped },
	};
	struct est_span in = r->message;
	struct der_tlv outer, oid, content;
	enum est_code rc;

	rc = der_walk(in, true, WHAT, NULL, r->err);
	if (rc != EST_OK)
		return rc;
	if (!take(&in, DER_SEQUENCE, &outer))
		return malformed(r, in.p, "no ContentInfo");
	if (outer.body.n > 0 && outer.body.p[0] == DER_INTEGER) { /* SignedData alone */
		rc = put(r, "signedData");
		if (rc == EST_OK)
			rc = x509_string(&r->text, &r->info->type, r->err);
		return rc == EST_OK ? signed_data(r, outer.body) : rc;
	}
	if (!take(&outer.body, DER_OID, &oid))
		return malformed(r, outer.body.p, "no content type");
	rc = x509_oid(oid.body, &r->text, r->err);
	if (rc == EST_OK)
		rc = x509_string(&r->text, &r->info->type, r->err);
	if (rc != EST_OK || !take(&outer.body, DER_CONTEXT_C(0), &content))
		return rc;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!est_span_eq(oid.body, (struct est_span){ types[i].oid, types[i].n }))
			continue;
		if (!take(&content.body, DER_SEQUENCE, &outer))
			return malformed(r, content.body.p, "not the content that its type names");
		return types[i].read(r, outer.body);
	}
	return EST_OK;
}

enum est_code est_cms_info(struct est_span der, struct est_cms_info *out, struct est_error *err)
{
	struct est_cms_info info = { 0 };
	struct reader r = { .message = der, .info = &info, .err = err };
	enum est_code rc = read_message(&r);

	if (rc == EST_OK)
		rc = x509_sha256(der, info.sha256, err);
	est_buf_free(&r.text);
	if (rc == EST_OK)
		*out = info;
	else
		est_cms_info_wipe(&info);
	return rc;
}

void est_cms_info_wipe(struct est_cms_info *info)
{
	free(info->type);
	free(info->content);
	free(info->encryption);
	x509_strings_free(info->recipients, info->n_recipients);
	x509_strings_free(info->signers, info->n_signers);
	*info = (struct est_cms_info){ 0 };
}

/* SPDX-License-Identifier: MIT */
/* Reading certs-only SignedData (RFC 5652 section 5, RFC 7030 section 4.1.3).  The members of the
 * certificate set are taken in linear time; only what is left without them is decoded by schema. */
#include "certs.h"

#include <stdio.h>

#include "asn1.h"
#include "cert.h"
#include "quirk.h"
#include "trailing.h"

#define FRAME_MAX 4096 /* bytes of a message without its certificates and CRLs */

#define OID_SIGNED_DATA CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02)
#define OID_DATA        CERT_OID(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01)

#define CONSTRUCTED_OCTETS (DER_OCTET_STRING | 0x20)

struct source {
	struct est_span message;
	const char *what;
	struct est_quirks *quirks;
	struct est_error *err;
	bool ber, any;
};

static enum est_code malformed(const struct source *src, const uint8_t *at, const char *why)
{
	return est_fail(src->err, EST_E_PROTOCOL,
		"%s: %s at offset %zu, not a certs-only message (RFC 5652 section 5.1)", src->what,
		why, (size_t)(at - src->message.p));
}

static enum est_code not_certs_only(const struct source *src, const char *why)
{
	return est_fail(src->err, EST_E_PROTOCOL,
		"%s: %s, so it is not certs-only (RFC 7030 section "
		"4.1.3)",
		src->what, why);
}

/* Takes one element of this tag off *in, DER or BER. */
static bool take(struct source *src, struct est_span *in, uint8_t tag, struct der_tlv *out)
{
	if (in->n == 0 || in->p[0] != tag || !ber_next(in, out))
		return false;
	src->ber |= out->ber;
	return true;
}

/* Goes into one element of this tag, which may be there with its header alone; *end as in struct
 * certs_iter. */
static bool enter(struct source *src, struct est_span *in, uint8_t tag, const uint8_t **end)
{
	bool indefinite;
	struct der_tlv tlv;

	if (in->n == 0 || in->p[0] != tag || !ber_open(*in, &tlv, &indefinite))
		return false;
	src->ber |= tlv.ber;
	*end = indefinite ? NULL : tlv.body.p + tlv.body.n;
	*in = tlv.body;
	return true;
}

static void oid_words(struct est_span oid, char *out, size_t size)
{
	char dotted[DER_OID_TEXT_MAX];
	const char *name;

	if (!der_oid_text(oid, dotted))
		(void)snprintf(dotted, sizeof(dotted), "a malformed OID");
	name = est_oid_name(dotted);
	if (name)
		(void)snprintf(out, size, "%s (%s)", dotted, name);
	else
		(void)snprintf(out, size, "%s", dotted);
}

static enum est_code something_else(const struct source *src, struct est_span outer)
{
	enum est_file_kind kind = est_file_kind(outer, NULL);

	est_fail(src->err, EST_E_PROTOCOL,
		"%s: looks like %s, not a certs-only message (RFC 7030 section 4.1.3)", src->what,
		est_file_kind_text(kind));
	if (kind == EST_FILE_BARE_SIGNED)
		est_hint(src->err, "the server leaves out the ContentInfo around SignedData "
				   "(RFC 5652 section 3)");
	return src->err->code;
}

/* ContentInfo: the SignedData in it. */
static enum est_code content_info(struct source *src, const struct der_tlv *outer,
	struct der_tlv *out)
{
	struct est_span body = outer->body;
	struct der_tlv type, content;
	char words[2 * DER_OID_TEXT_MAX];

	if (!take(src, &body, DER_OID, &type))
		return malformed(src, body.p, "no content type");
	if (est_file_kind(outer->whole, NULL) == EST_FILE_CSRATTRS)
		return something_else(src, outer->whole);
	if (!est_span_eq(type.body, OID_SIGNED_DATA)) {
		oid_words(type.body, words, sizeof(words));
		return est_fail(src->err, EST_E_PROTOCOL,
			"%s: content type %s, not id-signedData (RFC 7030 section 4.1.3)",
			src->what, words);
	}
	if (!take(src, &body, DER_CONTEXT_C(0), &content) || body.n > 0)
		return malformed(src, body.p, "not one content");
	if (!take(src, &content.body, DER_SEQUENCE, out) || content.body.n > 0)
		return malformed(src, content.body.p, "not one SignedData");
	return EST_OK;
}

/* Whether an eContent [0] holds nothing: no bytes, an empty OCTET STRING, or NULL. */
static bool content_is_empty(struct est_span body)
{
	struct der_tlv outer, piece;

	if (body.n == 0)
		return true;
	if (!ber_next(&body, &outer) || body.n > 0)
		return false;
	if (outer.tag == DER_OCTET_STRING || outer.tag == DER_NULL)
		return outer.body.n == 0;
	if (outer.tag != CONSTRUCTED_OCTETS)
		return false;
	while (outer.body.n > 0) {
		if (!ber_next(&outer.body, &piece) || piece.tag != DER_OCTET_STRING ||
			piece.body.n > 0)
			return false;
	}
	return true;
}

/* encapContentInfo: id-data with no eContent, or what is tolerated in its place. */
static enum est_code encap_content(struct source *src, struct est_span body, struct certs_frame *f)
{
	struct der_tlv type, content;
	enum est_code rc = EST_OK;

	if (!take(src, &body, DER_OID, &type))
		return malformed(src, body.p, "no eContentType");
	f->content_type = type.whole;
	if (body.n > 0) {
		if (!take(src, &body, DER_CONTEXT_C(0), &content) || body.n > 0)
			return malformed(src, body.p, "something other than one eContent");
		f->message = !content_is_empty(content.body);
		if (f->message && src->any)
			return EST_OK;
		if (f->message)
			return not_certs_only(src, "it has an eContent");
		rc = quirk_note(src->quirks, EST_Q_ECONTENT, src->what, src->err);
	}
	if (rc == EST_OK && !est_span_eq(type.body, OID_DATA))
		rc = quirk_note(src->quirks, EST_Q_ECONTENT_TYPE, src->what, src->err);
	return rc;
}

/* SignedData up to its certificates, which are not looked at. */
static enum est_code signed_data(struct source *src, struct est_span body, struct certs_iter *iter)
{
	struct certs_frame *f = &iter->frame;
	struct der_tlv version, digests, encap, certs;
	enum est_code rc;

	if (!take(src, &body, DER_INTEGER, &version))
		return malformed(src, body.p, "no version");
	/* Which of 1 to 5 it has to be depends on what else is there; servers get it wrong. */
	if (version.body.n != 1 || version.body.p[0] < 1 || version.body.p[0] > 5)
		return malformed(src, version.whole.p, "a version other than 1 to 5");
	if (!take(src, &body, DER_SET, &digests))
		return malformed(src, body.p, "no digestAlgorithms");
	if (!take(src, &body, DER_SEQUENCE, &encap))
		return malformed(src, body.p, "no encapContentInfo");
	f->version = version.whole;
	f->digests = digests.whole;
	rc = encap_content(src, encap.body, f);
	if (rc != EST_OK)
		return rc;
	iter->rest = (struct est_span){ body.p, 0 };
	if (iter->n_end > 0) {
		struct est_span set = body;
		const uint8_t *end;

		f->has_certs = enter(src, &set, DER_CONTEXT_C(0), &end);
		iter->certs_open = f->has_certs && !end;
		if (f->has_certs && end)
			body = (struct est_span){ end, (size_t)(body.p + body.n - end) };
		if (f->has_certs)
			iter->rest = set;
	} else {
		f->has_certs = take(src, &body, DER_CONTEXT_C(0), &certs);
		if (f->has_certs)
			iter->rest = certs.body;
	}
	f->tail = body;
	return EST_OK;
}

/* The message with both sets empty and no eContent. */
static enum est_code skeleton_put(const struct certs_frame *f, bool crls, struct est_buf *out,
	struct est_error *err)
{
	struct est_buf body = { 0 };
	enum est_code rc;

	rc = est_buf_append(&body, f->version, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, f->digests, err);
	if (rc == EST_OK)
		rc = der_put(&body, DER_SEQUENCE, f->content_type, err);
	if (rc == EST_OK && f->has_certs)
		rc = der_put_header(&body, DER_CONTEXT_C(0), 0, err);
	if (rc == EST_OK && crls)
		rc = der_put_header(&body, DER_CONTEXT_C(1), 0, err);
	if (rc == EST_OK)
		rc = der_put_header(&body, DER_SET, 0, err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&body), err);
	est_buf_free(&body);
	return rc;
}

static enum est_code schema_decode(const struct source *src, struct est_span der)
{
	char text[ASN1_MAX_ERROR_DESCRIPTION_SIZE] = "";
	asn1_node tree = NULL, message = NULL;
	int len = (int)der.n, ret;
	enum est_code rc = EST_OK;

	ret = asn1_array2tree(est_cms_asn1_tab, &tree, text);
	if (ret == ASN1_SUCCESS)
		ret = asn1_create_element(tree, "CMS.SignedData", &message);
	if (ret != ASN1_SUCCESS) {
		rc = est_fail(src->err, EST_E_INTERNAL, "CMS schema: %s", asn1_strerror(ret));
		goto out;
	}
	ret = asn1_der_decoding2(&message, der.p, &len, 0, text);
	if (ret == ASN1_MEM_ERROR || ret == ASN1_MEM_ALLOC_ERROR)
		rc = est_fail(src->err, EST_E_INTERNAL, "CMS: %s", asn1_strerror(ret));
	else if (ret != ASN1_SUCCESS)
		rc = est_fail(src->err, EST_E_PROTOCOL,
			"%s: SignedData does not follow its schema: %s (RFC 5652 section 5.1)",
			src->what, asn1_strerror(ret));
out:
	asn1_delete_structure(&message);
	asn1_delete_structure(&tree);
	return rc;
}

/* Everything of the message but the members of its sets, by schema. */
static enum est_code check_frame(struct source *src, const struct certs_frame *f, bool crls)
{
	struct est_buf skeleton = { 0 };
	struct der_stats stats = { 0 };
	enum est_code rc;

	if (f->version.n + f->digests.n + f->content_type.n > FRAME_MAX)
		return est_fail(src->err, EST_E_PROTOCOL,
			"%s: more than %d bytes beside the certificates, the limit", src->what,
			FRAME_MAX);
	rc = skeleton_put(f, crls, &skeleton, src->err);
	if (rc == EST_OK)
		rc = der_walk(est_buf_span(&skeleton), true, src->what, &stats, src->err);
	if (rc == EST_OK)
		rc = schema_decode(src, est_buf_span(&skeleton));
	src->ber |= stats.ber;
	est_buf_free(&skeleton);
	return rc;
}

/* SignedData in its ContentInfo or, only when any is asked for, without. */
static enum est_code open_signed(struct source *src, const struct der_tlv *outer,
	struct certs_iter *iter)
{
	struct der_tlv inner = *outer;
	enum est_code rc;

	if (outer->body.n > 0 && outer->body.p[0] == DER_OID)
		rc = content_info(src, outer, &inner);
	else
		rc = quirk_note(src->quirks, EST_Q_BARE_SIGNED, src->what, src->err);
	if (rc == EST_OK)
		rc = signed_data(src, inner.body, iter);
	iter->frame.ber = src->ber;
	iter->frame.open = true;
	return rc;
}

enum est_code certs_iter_open(struct est_span cms, const char *what, bool any,
	struct est_quirks *quirks, struct certs_iter *out, struct est_error *err)
{
	struct source src = { .message = cms,
		.what = what,
		.quirks = quirks,
		.err = err,
		.any = any };
	struct certs_iter iter = { .message = cms };
	struct est_span rest = cms;
	enum est_file_kind kind;
	struct der_tlv outer;
	enum est_code rc;

	if (cms.n > 0 && cms.p[0] != DER_SEQUENCE)
		return something_else(&src, cms);
	rc = trailing_cut(&rest, what, quirks, err);
	if (rc != EST_OK)
		return rc;
	if (!take(&src, &rest, DER_SEQUENCE, &outer))
		return der_walk(cms, true, what, NULL, err); /* says where it is wrong */
	kind = outer.body.n > 0 && outer.body.p[0] == DER_OID ? EST_FILE_SIGNED_DATA
							      : est_file_kind(outer.whole, NULL);
	if (kind == EST_FILE_SIGNED_DATA || (any && kind == EST_FILE_BARE_SIGNED)) {
		rc = open_signed(&src, &outer, &iter);
	} else if (kind == EST_FILE_CERT) {
		rc = quirk_note(quirks, EST_Q_BARE_CERT, what, err);
		iter.rest = outer.whole;
	} else {
		rc = something_else(&src, outer.whole);
	}
	if (rc == EST_OK && iter.rest.n == 0 && !any)
		rc = est_fail(err, EST_E_PROTOCOL, "%s: no certificate in it", what);
	if (rc == EST_OK)
		*out = iter;
	return rc;
}

enum est_code certs_iter_begin(struct est_span cms, const char *what, struct est_quirks *quirks,
	struct certs_iter *out, struct est_error *err)
{
	struct source src = { cms, what, quirks, err, false, true };
	struct certs_iter iter = { .message = cms, .n_end = 1 };
	struct est_span in = cms;
	enum est_code rc = EST_OK;
	struct der_tlv type;

	if (!enter(&src, &in, DER_SEQUENCE, &iter.end[0]) || in.n == 0)
		return malformed(&src, cms.p, "no ContentInfo");
	if (in.p[0] != DER_OID) {
		rc = quirk_note(quirks, EST_Q_BARE_SIGNED, what, err);
	} else if (!take(&src, &in, DER_OID, &type) || !est_span_eq(type.body, OID_SIGNED_DATA) ||
		   !enter(&src, &in, DER_CONTEXT_C(0), &iter.end[1]) ||
		   !enter(&src, &in, DER_SEQUENCE, &iter.end[2])) {
		return malformed(&src, in.p, "no SignedData");
	} else {
		iter.n_end = 3;
	}
	if (rc == EST_OK)
		rc = signed_data(&src, in, &iter);
	iter.frame.ber = src.ber;
	iter.frame.open = true;
	if (rc == EST_OK)
		*out = iter;
	return rc;
}

/* Behind the last element of a message that was read as it came: the ends of what it lies in. */
static enum est_code check_ends(const struct source *src, struct certs_iter *iter,
	const uint8_t *at)
{
	const uint8_t *end = iter->message.p + iter->message.n;

	for (unsigned i = iter->n_end; i-- > 0;) {
		if (iter->end[i] ? at != iter->end[i] : end - at < 2 || at[0] != 0 || at[1] != 0)
			return malformed(src, at, "no end of its contents");
		at += iter->end[i] ? 0 : 2;
	}
	iter->message.n = (size_t)(at - iter->message.p);
	return EST_OK;
}

enum est_code certs_iter_close(struct certs_iter *iter, const char *what, bool any,
	struct est_quirks *quirks, struct est_error *err)
{
	struct source src = { .message = iter->message,
		.what = what,
		.quirks = quirks,
		.err = err,
		.any = any };
	struct certs_frame *f = &iter->frame;
	struct est_span body = f->tail;
	struct der_tlv crls = { 0 }, signers;
	bool has_crls;
	enum est_code rc;

	if (!f->open)
		return EST_OK; /* a bare certificate */
	src.ber = f->ber;
	has_crls = take(&src, &body, DER_CONTEXT_C(1), &crls);
	if (!take(&src, &body, DER_SET, &signers) || (body.n > 0 && iter->n_end == 0))
		return malformed(&src, body.p, "not one signerInfos at the end");
	if (iter->n_end > 0 && check_ends(&src, iter, body.p) != EST_OK)
		return err->code;
	f->message |= signers.body.n > 0;
	if (signers.body.n > 0 && !any)
		return not_certs_only(&src, "it has a signature (SignerInfo)");
	rc = check_frame(&src, f, has_crls);
	if (rc == EST_OK && src.ber)
		rc = quirk_note(quirks, EST_Q_BER, what, err);
	if (rc == EST_OK)
		iter->crls = crls.body;
	return rc;
}

enum est_code certs_iter_next(struct certs_iter *iter, const char *what, struct certs_member *out,
	bool *found, struct est_error *err)
{
	size_t offset = (size_t)(iter->rest.p - iter->message.p);
	struct der_tlv tlv;

	if (iter->certs_open && iter->rest.n > 1 && iter->rest.p[0] == 0 && iter->rest.p[1] == 0) {
		iter->frame.tail = (struct est_span){ iter->rest.p + 2, iter->rest.n - 2 };
		iter->rest.n = 0;
		iter->certs_open = false;
	}
	*found = iter->rest.n > 0;
	if (!*found)
		return EST_OK;
	if (!ber_next(&iter->rest, &tlv))
		return est_fail(err, EST_E_PROTOCOL,
			"%s: certificate %zu: no valid element at offset %zu, or cut short", what,
			iter->n + 1, offset);
	iter->n++;
	*out = (struct certs_member){
		.der = tlv.whole,
		.offset = offset,
		.other = tlv.tag != DER_SEQUENCE,
	};
	return EST_OK;
}

/* One member into the list: a certificate, or something to skip. */
static enum est_code member_add(struct est_certs *certs, const struct certs_member *member,
	size_t index, const char *what, struct est_quirks *quirks, struct est_error *err)
{
	struct cert_view view;
	enum est_code rc;
	char name[96];
	bool added;

	(void)snprintf(name, sizeof(name), "%s: certificate %zu", what, index);
	if (member->other) {
		rc = der_walk(member->der, true, name, NULL, err);
		return rc == EST_OK ? quirk_note(quirks, EST_Q_OTHER_CERTS, name, err) : rc;
	}
	rc = cert_view(member->der, name, &view, err);
	if (rc == EST_OK)
		rc = certs_add(certs, member->der, true, &added, err);
	if (rc == EST_OK && !added)
		rc = quirk_note(quirks, EST_Q_DUPLICATE, name, err);
	return rc;
}

static enum est_code check_crls(struct est_span crls, const char *what, struct est_error *err)
{
	struct der_tlv tlv;
	enum est_code rc;

	for (size_t n = 1; crls.n > 0; n++) {
		if (n > EST_CRLS_MAX)
			return est_fail(err, EST_E_PROTOCOL, "%s: more than %d CRLs, the limit",
				what, EST_CRLS_MAX);
		if (!ber_next(&crls, &tlv))
			return est_fail(err, EST_E_PROTOCOL, "%s: CRL %zu is cut short", what, n);
		rc = der_walk(tlv.whole, true, what, NULL, err);
		if (rc != EST_OK)
			return rc;
	}
	return EST_OK;
}

enum est_code est_certs_decode(struct est_span cms, struct est_quirks *quirks,
	struct est_certs **out, struct est_error *err)
{
	static const char what[] = "certs-only message";
	struct est_certs *certs = NULL;
	struct certs_member member = { 0 };
	struct certs_iter iter;
	enum est_code rc;
	bool found;

	rc = certs_iter_open(cms, what, false, quirks, &iter, err);
	if (rc == EST_OK)
		rc = certs_iter_close(&iter, what, false, quirks, err);
	if (rc == EST_OK)
		rc = check_crls(iter.crls, what, err);
	if (rc == EST_OK)
		rc = certs_new(&certs, err);
	while (rc == EST_OK) {
		rc = certs_iter_next(&iter, what, &member, &found, err);
		if (rc != EST_OK || !found)
			break;
		if (iter.n > EST_CERTS_MAX)
			rc = est_fail(err, EST_E_PROTOCOL,
				"%s: more than %d certificates, the limit", what, EST_CERTS_MAX);
		else
			rc = member_add(certs, &member, iter.n, what, quirks, err);
	}
	if (rc == EST_OK && est_certs_count(certs) == 0)
		rc = est_fail(err, EST_E_PROTOCOL, "%s: no certificate in it", what);
	if (rc == EST_OK) {
		*out = certs;
		certs = NULL;
	}
	est_certs_free(certs);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* A file taken apart into certificates, requests and what else it holds, for whoever looks at
 * files.  Each byte is looked at a fixed number of times. */
#include <string.h>

#include "base64.h"
#include "certs.h"
#include "der.h"
#include "pem.h"
#include "quirk.h"
#include "trailing.h"

struct walk {
	est_object_fn *fn;
	void *ctx;
	struct est_quirks *quirks;
	struct est_error *err;
	size_t index;  /* of the last object */
	size_t offset; /* of what is being taken apart, in the file */
};

static enum est_code emit(struct walk *walk, enum est_file_kind kind, struct est_span der,
	size_t offset, const struct est_error *broken)
{
	const struct est_object object = {
		.kind = kind,
		.der = der,
		.index = ++walk->index,
		.offset = walk->offset + offset,
		.broken = broken,
	};

	return walk->fn(walk->ctx, &object, walk->err);
}

/* A failure to read becomes a broken object, a failure of ours ends everything. */
static enum est_code emit_broken(struct walk *walk, enum est_file_kind kind, size_t offset,
	const struct est_error *why)
{
	if (why->code != EST_E_PROTOCOL && why->code != EST_E_INPUT) {
		*walk->err = *why;
		return why->code;
	}
	return emit(walk, kind, (struct est_span){ 0 }, offset, why);
}

static enum est_code walk_crls(struct walk *walk, const struct certs_iter *iter)
{
	struct est_span rest = iter->crls;
	enum est_code rc = EST_OK;
	struct est_error why;
	struct der_tlv tlv;

	while (rc == EST_OK && rest.n > 0) {
		size_t offset = (size_t)(rest.p - iter->message.p);

		if (!ber_next(&rest, &tlv)) {
			est_fail(&why, EST_E_PROTOCOL, "certs-only message: a CRL is cut short");
			return emit_broken(walk, EST_FILE_CRL, offset, &why);
		}
		if (tlv.tag == DER_SEQUENCE)
			rc = emit(walk, EST_FILE_CRL, tlv.whole, offset, NULL);
	}
	return rc;
}

static enum est_code walk_bag(struct walk *walk, struct est_span der)
{
	static const char what[] = "certs-only message";
	struct certs_member member;
	struct certs_iter iter;
	struct est_error why;
	enum est_code rc;
	bool found;

	rc = certs_iter_open(der, what, walk->quirks, &iter, &why);
	if (rc != EST_OK)
		return emit_broken(walk, EST_FILE_SIGNED_DATA, 0, &why);
	for (;;) {
		size_t offset = (size_t)(iter.rest.p - iter.message.p);

		rc = certs_iter_next(&iter, what, &member, &found, &why);
		if (rc != EST_OK)
			return emit_broken(walk, EST_FILE_CERT, offset, &why);
		if (!found)
			return walk_crls(walk, &iter);
		if (member.other)
			rc = quirk_note(walk->quirks, EST_Q_OTHER_CERTS, what, walk->err);
		else
			rc = emit(walk, EST_FILE_CERT, member.der, member.offset, NULL);
		if (rc != EST_OK)
			return rc;
	}
}

/* One DER value of a kind that is known. */
static enum est_code walk_value(struct walk *walk, enum est_file_kind kind, struct est_span der)
{
	struct est_error why;
	enum est_code rc;

	if (kind == EST_FILE_SIGNED_DATA || kind == EST_FILE_BARE_SIGNED ||
		kind == EST_FILE_OTHER_CMS)
		return walk_bag(walk, der);
	rc = trailing_cut(&der, est_file_kind_text(kind), walk->quirks, &why);
	if (rc != EST_OK)
		return emit_broken(walk, kind, 0, &why);
	if (kind == EST_FILE_PRIVATE_KEY || kind == EST_FILE_ENCRYPTED_KEY)
		der = (struct est_span){ 0 };
	return emit(walk, kind, der, 0, NULL);
}

/* What a label promises; EST_FILE_UNKNOWN: the contents decide. */
static enum est_file_kind label_kind(const struct pem_block *block)
{
	if (pem_is(block, "CERTIFICATE") || pem_is(block, "X509 CERTIFICATE") ||
		pem_is(block, "TRUSTED CERTIFICATE"))
		return EST_FILE_CERT;
	if (pem_is(block, "CERTIFICATE REQUEST") || pem_is(block, "NEW CERTIFICATE REQUEST"))
		return EST_FILE_CSR;
	if (pem_is(block, "X509 CRL"))
		return EST_FILE_CRL;
	if (pem_is(block, "PUBLIC KEY") || pem_is(block, "RSA PUBLIC KEY"))
		return EST_FILE_PUBLIC_KEY;
	if (pem_is(block, "PKCS7") || pem_is(block, "CMS") || pem_is(block, "CERTIFICATE CHAIN"))
		return EST_FILE_UNKNOWN;
	return EST_FILE_OTHER_PEM;
}

static enum est_code walk_block(struct walk *walk, const struct pem_block *block)
{
	enum est_file_kind kind = label_kind(block);
	struct est_buf der = { 0 };
	struct est_error why;
	struct est_span value;
	struct der_tlv first;
	enum est_code rc;

	if (pem_is_private_key(block)) { /* never decoded */
		kind = pem_is(block, "OPENSSH PRIVATE KEY") ? EST_FILE_OPENSSH_KEY
		       : pem_is_encrypted(block)            ? EST_FILE_ENCRYPTED_KEY
							    : EST_FILE_PRIVATE_KEY;
		return emit(walk, kind, (struct est_span){ 0 }, 0, NULL);
	}
	if (kind == EST_FILE_OTHER_PEM)
		return emit(walk, kind, (struct est_span){ 0 }, 0, NULL);
	rc = pem_decode(block, &der, &why);
	if (rc != EST_OK) {
		rc = emit_broken(walk, kind, 0, &why);
		goto out;
	}
	value = est_buf_span(&der);
	/* OpenSSL's trust settings follow the certificate. */
	if (pem_is(block, "TRUSTED CERTIFICATE") && der_next(&value, &first))
		value = first.whole;
	else
		value = est_buf_span(&der);
	if (kind == EST_FILE_UNKNOWN)
		kind = est_file_kind(value, NULL);
	if (kind == EST_FILE_UNKNOWN || kind == EST_FILE_CSRATTRS)
		kind = EST_FILE_SIGNED_DATA; /* as the label says; the reader finds out why not */
	rc = walk_value(walk, kind, value);
out:
	est_buf_free(&der);
	return rc;
}

static enum est_code walk_pem(struct walk *walk, struct est_span text)
{
	struct pem_reader reader;
	struct pem_block block;
	struct est_error why;
	enum est_code rc;
	bool found;

	pem_init(&reader, text);
	for (;;) {
		walk->offset = reader.offset;
		rc = pem_next(&reader, &block, &found, &why);
		if (rc != EST_OK) {
			rc = emit_broken(walk, EST_FILE_OTHER_PEM, 0, &why);
		} else if (!found) {
			return EST_OK;
		} else {
			walk->offset = block.offset;
			rc = walk_block(walk, &block);
		}
		if (rc != EST_OK)
			return rc;
	}
}

static enum est_code walk_base64(struct walk *walk, enum est_file_kind kind, struct est_span text)
{
	struct est_buf der = { 0 };
	enum est_code rc;

	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0) {
		text = (struct est_span){ text.p + 3, text.n - 3 };
		rc = quirk_note(walk->quirks, EST_Q_BOM, "base64", walk->err);
		if (rc != EST_OK)
			return rc;
	}
	rc = base64_decode(text, "base64", walk->quirks, &der, walk->err);
	if (rc == EST_OK)
		rc = walk_value(walk, kind, est_buf_span(&der));
	est_buf_free(&der);
	return rc;
}

enum est_code est_objects(struct est_span data, struct est_quirks *quirks, est_object_fn *fn,
	void *ctx, struct est_error *err)
{
	struct walk walk = { .fn = fn, .ctx = ctx, .quirks = quirks, .err = err };
	enum est_encoding encoding;
	enum est_file_kind kind = est_file_kind(data, &encoding);

	switch (kind) {
	case EST_FILE_CERT:
	case EST_FILE_SIGNED_DATA:
	case EST_FILE_OTHER_CMS:
	case EST_FILE_BARE_SIGNED:
	case EST_FILE_CSR:
	case EST_FILE_CRL:
	case EST_FILE_CSRATTRS:
	case EST_FILE_PRIVATE_KEY:
	case EST_FILE_ENCRYPTED_KEY:
	case EST_FILE_PUBLIC_KEY:
	case EST_FILE_TRUSTED_CERT:
	case EST_FILE_OTHER_PEM:
		break;
	case EST_FILE_UNKNOWN: /* DER that is cut short says where */
		if (data.n > 1 && data.p[0] == DER_SEQUENCE && data.p[1] & 0x80)
			return walk_value(&walk, EST_FILE_CERT, data);
		/* fallthrough */
	default:
		return est_fail(err, EST_E_INPUT,
			"looks like %s, not certificates, a request, a CRL, CSR attributes or a key",
			est_file_kind_text(kind));
	}
	if (encoding == EST_ENCODING_PEM)
		return walk_pem(&walk, data);
	if (encoding == EST_ENCODING_BASE64)
		return walk_base64(&walk, kind, data);
	return walk_value(&walk, kind, data);
}

/* SPDX-License-Identifier: MIT */
/* DER and BER values, one after another. */
#include "objects.h"

#include "der.h"
#include "file_kind.h"
#include "pem.h"
#include "span.h"
#include "trailing.h"

enum est_code walk_value(struct walk *walk, enum est_file_kind kind, struct est_span der)
{
	switch (kind) {
	case EST_FILE_SIGNED_DATA:
	case EST_FILE_BARE_SIGNED:
		return walk_bag(walk, der);
	case EST_FILE_PKCS12:
		if (walk->open)
			return walk->open(walk, kind, der, 0, 0);
		/* fallthrough */
	case EST_FILE_PRIVATE_KEY:
	case EST_FILE_ENCRYPTED_KEY:
		return walk_emit(walk, kind, (struct est_span){ 0 }, 0, NULL);
	default:
		return walk_emit(walk, kind, der, 0, NULL);
	}
}

/* PEM behind DER: people put one file behind the other. */
static enum est_code walk_text(struct walk *walk, struct est_span text)
{
	struct source *s = walk->source, memory = source_of(text);
	enum est_code rc;

	walk->source = &memory;
	rc = walk_pem(walk, 0);
	walk->source = s;
	return rc;
}

enum est_code walk_der(struct walk *walk, enum est_file_kind kind, struct est_span data)
{
	const size_t offset = walk->offset;
	struct source *s = walk->source;
	struct est_span rest = data, value;
	enum est_code rc = EST_OK;
	struct est_error why;
	struct der_tlv tlv;

	for (;;) {
		rc = walk_value_need(walk, &rest);
		if (rc != EST_OK)
			return rc;
		value = rest;
		if (kind == EST_FILE_UNKNOWN)
			kind = file_kind_der(value);
		if (kind == EST_FILE_UNKNOWN)
			kind = EST_FILE_CERT;
		if (!ber_next(&rest, &tlv))
			return walk_value(walk, kind, value); /* the reader says what is wrong */
		if (rest.n > 0 && rest.p[0] != DER_SEQUENCE) {
			if (value.p >= s->p && value.p < s->p + s->filled)
				rc = walk_all(walk, (size_t)(value.p - s->p), &value);
			if (rc != EST_OK)
				return rc;
			rest = span_after(value, tlv.whole.n);
			if (pem_present(rest)) {
				rc = walk_value(walk, kind, tlv.whole);
				walk->offset = offset + (size_t)(rest.p - data.p);
				return rc == EST_OK ? walk_text(walk, rest) : rc;
			}
			rc = trailing_cut(&value, est_file_kind_text(kind), walk->quirks, &why);
			if (rc != EST_OK)
				return walk_emit_broken(walk, kind, 0, &why);
			rest.n = 0;
		}
		rc = walk_value(walk, kind, tlv.whole);
		if (rc != EST_OK || rest.n == 0)
			return rc;
		if (rest.p >= s->p && rest.p < s->p + s->filled)
			source_forget(s, (size_t)(rest.p - s->p));
		walk->offset = offset + (size_t)(rest.p - data.p);
		kind = EST_FILE_UNKNOWN;
	}
}

/* SPDX-License-Identifier: MIT */
/* Lists of certificates, and certs-only messages made of them (RFC 5652 section 5). */
#include "certs.h"

#include <gnutls/gnutls.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "der.h"

#define SLOTS_MIN 64 /* a power of two */

struct est_certs {
	struct est_span *item; /* each owned */
	uint64_t *hash;        /* of each */
	size_t n, cap;
	uint32_t *slot; /* open addressing by hash: 1 + index, 0 is empty */
	size_t n_slots;
};

enum est_code certs_new(struct est_certs **out, struct est_error *err)
{
	struct est_certs *certs = calloc(1, sizeof(*certs));

	if (!certs)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	*out = certs;
	return EST_OK;
}

void est_certs_free(struct est_certs *certs)
{
	if (!certs)
		return;
	for (size_t i = 0; i < certs->n; i++)
		free((void *)certs->item[i].p);
	free(certs->item);
	free(certs->hash);
	free(certs->slot);
	free(certs);
}

size_t est_certs_count(const struct est_certs *certs)
{
	return certs->n;
}

struct est_span est_certs_get(const struct est_certs *certs, size_t i)
{
	return certs->item[i];
}

enum est_code est_certs_spans(const struct est_certs *certs, struct est_span **out,
	struct est_error *err)
{
	struct est_span *spans = malloc((certs->n ? certs->n : 1) * sizeof(*spans));

	if (!spans)
		return est_fail(err, EST_E_INTERNAL, "out of memory (%zu certificates)", certs->n);
	if (certs->n > 0)
		memcpy(spans, certs->item, certs->n * sizeof(*spans));
	*out = spans;
	return EST_OK;
}

enum est_code est_certs_pem(const struct est_certs *certs, size_t from, size_t to,
	struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;

	for (size_t i = from; rc == EST_OK && i < to; i++)
		rc = est_pem_append(out, "CERTIFICATE", est_certs_get(certs, i), err);
	return rc;
}

/* SHA-256, so that a peer cannot choose certificates that fall into one slot. */
static enum est_code hash_of(struct est_span der, uint64_t *out, struct est_error *err)
{
	uint8_t digest[32];
	int ret = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.p, der.n, digest);

	if (ret < 0)
		return est_fail(err, EST_E_INTERNAL, "SHA-256: %s", gnutls_strerror(ret));
	memcpy(out, digest, sizeof(*out));
	return EST_OK;
}

/* The slot where a certificate is, or where it belongs. */
static uint32_t *slot_of(const struct est_certs *certs, struct est_span der, uint64_t hash)
{
	size_t i = hash & (certs->n_slots - 1);

	while (certs->slot[i] != 0 && !(certs->hash[certs->slot[i] - 1] == hash &&
					      est_span_eq(certs->item[certs->slot[i] - 1], der)))
		i = (i + 1) & (certs->n_slots - 1);
	return &certs->slot[i];
}

/* Room for one more certificate, and twice as many slots as certificates. */
static enum est_code grow(struct est_certs *certs, struct est_error *err)
{
	size_t cap = certs->cap ? certs->cap * 2 : SLOTS_MIN / 2;
	struct est_span *item;
	uint64_t *hash;
	uint32_t *slot;

	if (certs->n < certs->cap)
		return EST_OK;
	if (cap > UINT32_MAX / 2)
		return est_fail(err, EST_E_INTERNAL, "more than %zu certificates", certs->n);
	item = realloc(certs->item, cap * sizeof(*item));
	if (item)
		certs->item = item;
	hash = realloc(certs->hash, cap * sizeof(*hash));
	if (hash)
		certs->hash = hash;
	slot = calloc(cap * 2, sizeof(*slot));
	if (!item || !hash || !slot) {
		free(slot);
		return est_fail(err, EST_E_INTERNAL, "out of memory (%zu certificates)", cap);
	}
	free(certs->slot);
	certs->slot = slot;
	certs->n_slots = cap * 2;
	certs->cap = cap;
	for (size_t i = 0; i < certs->n; i++) {
		slot = slot_of(certs, certs->item[i], certs->hash[i]);
		if (*slot == 0)
			*slot = (uint32_t)i + 1;
	}
	return EST_OK;
}

enum est_code certs_add(struct est_certs *certs, struct est_span der, bool unique, bool *added,
	struct est_error *err)
{
	enum est_code rc;
	uint64_t hash = 0;
	uint32_t *slot;
	uint8_t *copy;

	rc = hash_of(der, &hash, err);
	if (rc == EST_OK)
		rc = grow(certs, err);
	if (rc != EST_OK)
		return rc;
	slot = slot_of(certs, der, hash);
	if (unique && *slot != 0) {
		if (added)
			*added = false;
		return EST_OK;
	}
	copy = malloc(der.n ? der.n : 1);
	if (!copy)
		return est_fail(err, EST_E_INTERNAL, "out of memory (%zu bytes)", der.n);
	memcpy(copy, der.p, der.n);
	certs->item[certs->n] = (struct est_span){ copy, der.n };
	certs->hash[certs->n] = hash;
	certs->n++;
	if (*slot == 0)
		*slot = (uint32_t)certs->n;
	if (added)
		*added = true;
	/* cppcheck-suppress memleak; the item owns the copy */
	return EST_OK;
}

/* X.690 section 11.6.  No encoding is a prefix of another, so padding never matters. */
static int set_order(const void *left, const void *right)
{
	const struct est_span *a = left, *b = right;
	int order = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

/* An optional SET OF under a tag of its own; none: nothing. */
static enum est_code put_set(uint8_t tag, const struct est_span *items, size_t n,
	struct est_buf *out, struct est_error *err)
{
	struct est_span *sorted;
	struct der_tlv tlv;
	enum est_code rc;
	size_t bytes = 0;

	if (n == 0)
		return EST_OK;
	for (size_t i = 0; i < n; i++) {
		struct est_span in = items[i];

		if (!der_expect(&in, DER_SEQUENCE, &tlv) || in.n > 0)
			return est_fail(err, EST_E_INTERNAL,
				"item %zu for a certs-only message is not DER", i + 1);
	}
	sorted = malloc(n * sizeof(*sorted));
	if (!sorted)
		return est_fail(err, EST_E_INTERNAL, "out of memory (%zu certificates)", n);
	memcpy(sorted, items, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), set_order);
	for (size_t i = 0; i < n; i++)
		bytes += sorted[i].n;
	rc = der_put_header(out, tag, bytes, err);
	for (size_t i = 0; i < n && rc == EST_OK; i++)
		rc = est_buf_append(out, sorted[i], err);
	free(sorted);
	return rc;
}

enum est_code est_certs_encode(const struct est_span *certs, size_t n, struct est_buf *out,
	struct est_error *err)
{
	return est_bag_encode(certs, n, NULL, 0, out, err);
}

enum est_code est_bag_encode(const struct est_span *certs, size_t n, const struct est_span *crls,
	size_t n_crls, struct est_buf *out, struct est_error *err)
{
	static const uint8_t before[] = { 0x02, 0x01, 0x01, /* version 1 */
		0x31, 0x00,                                 /* digestAlgorithms */
		0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };
	static const uint8_t after[] = { 0x31, 0x00 }; /* signerInfos */
	static const uint8_t signed_data[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
		0x07, 0x02 };
	struct est_buf body = { 0 }, seq = { 0 }, content = { 0 };
	enum est_code rc;

	if (n + n_crls == 0)
		return est_fail(err, EST_E_INTERNAL, "no certificate for a certs-only message");
	rc = est_buf_append(&body, (struct est_span){ before, sizeof(before) }, err);
	if (rc == EST_OK)
		rc = put_set(DER_CONTEXT_C(0), certs, n, &body, err);
	if (rc == EST_OK)
		rc = put_set(DER_CONTEXT_C(1), crls, n_crls, &body, err);
	if (rc == EST_OK)
		rc = est_buf_append(&body, (struct est_span){ after, sizeof(after) }, err);
	if (rc == EST_OK)
		rc = der_put(&seq, DER_SEQUENCE, est_buf_span(&body), err);
	if (rc == EST_OK)
		rc = est_buf_append(&content, (struct est_span){ signed_data, sizeof(signed_data) },
			err);
	if (rc == EST_OK)
		rc = der_put(&content, DER_CONTEXT_C(0), est_buf_span(&seq), err);
	if (rc == EST_OK) {
		est_buf_free(&body);
		rc = der_put(&body, DER_SEQUENCE, est_buf_span(&content), err);
	}
	if (rc == EST_OK)
		rc = est_buf_append(out, est_buf_span(&body), err);
	est_buf_free(&body);
	est_buf_free(&seq);
	est_buf_free(&content);
	return rc;
}

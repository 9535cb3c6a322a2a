/* SPDX-License-Identifier: MIT */
/* Certificates and messages for tests, from parts. */
#include "forge.h"

#include <stdio.h>
#include <stdlib.h>

/* ecdsa-with-SHA256, and a public key on P-256 that is no point. */
#define ALGORITHM 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02

static const uint8_t algorithm[] = { ALGORITHM };
static const uint8_t version_3[] = { 0xa0, 0x03, 0x02, 0x01, 0x02 };
static const uint8_t serial_1[] = { 0x02, 0x01, 0x01 };
static const uint8_t name_a[] = { 0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03,
	0x0c, 0x01, 'a' };
static const uint8_t validity_2025[] = { 0x30, 0x1e, 0x17, 0x0d, '2', '5', '0', '1', '0', '1', '0',
	'0', '0', '0', '0', '0', 'Z', 0x17, 0x0d, '4', '5', '0', '1', '0', '1', '0', '0', '0', '0',
	'0', '0', 'Z' };
static const uint8_t spki_p256[] = { 0x30, 0x19, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x02,
	0x00, 0x04 };
static const uint8_t bits[] = { 0x03, 0x03, 0x00, 0x30, 0x00 };

#define OR(part, array) ((part).p ? (part) : (struct est_span){ (array), sizeof(array) })

static void must(enum est_code rc, const struct est_error *err)
{
	if (rc != EST_OK) {
		fprintf(stderr, "forge: %s\n", err->msg);
		abort();
	}
}

void forge_append(struct est_buf *out, struct est_span bytes)
{
	struct est_error err;

	must(est_buf_append(out, bytes, &err), &err);
}

void forge_put(struct est_buf *out, uint8_t tag, struct est_span body)
{
	struct est_error err;

	must(der_put(out, tag, body, &err), &err);
}

void forge_wrap(struct est_buf *out, uint8_t tag)
{
	struct est_buf inner = *out;

	*out = (struct est_buf){ 0 };
	forge_put(out, tag, est_buf_span(&inner));
	est_buf_free(&inner);
}

void forge_repeat(struct est_buf *out, struct est_span bytes, size_t n)
{
	while (n-- > 0)
		forge_append(out, bytes);
}

void forge_cert(const struct forge *f, struct est_buf *out)
{
	struct est_buf tbs = { 0 };

	forge_append(&tbs, OR(f->version, version_3));
	forge_append(&tbs, OR(f->serial, serial_1));
	forge_append(&tbs, OR(f->algorithm, algorithm));
	forge_append(&tbs, OR(f->issuer, name_a));
	forge_append(&tbs, OR(f->validity, validity_2025));
	forge_append(&tbs, OR(f->subject, name_a));
	forge_append(&tbs, OR(f->spki, spki_p256));
	forge_append(&tbs, f->tail);
	forge_wrap(&tbs, DER_SEQUENCE);
	forge_append(&tbs, OR(f->outer_algorithm, algorithm));
	forge_append(&tbs, OR(f->signature, bits));
	forge_append(&tbs, f->after);
	forge_put(out, DER_SEQUENCE, est_buf_span(&tbs));
	est_buf_free(&tbs);
}

void forge_numbered(unsigned n, struct est_buf *out)
{
	const uint8_t serial[] = { 0x02, 0x04, 0x01, (uint8_t)(n >> 16), (uint8_t)(n >> 8),
		(uint8_t)n };
	const struct forge forge = { .serial = { serial, sizeof(serial) } };

	forge_cert(&forge, out);
}

void forge_extension(struct est_span oid, struct est_span value, struct est_buf *out)
{
	struct est_buf ext = { 0 };

	forge_put(&ext, DER_OID, oid);
	forge_put(&ext, DER_OCTET_STRING, value);
	forge_wrap(&ext, DER_SEQUENCE);
	forge_wrap(&ext, DER_SEQUENCE);
	forge_put(out, DER_CONTEXT_C(3), est_buf_span(&ext));
	est_buf_free(&ext);
}

void forge_name(size_t n, struct est_buf *out)
{
	struct est_buf rdns = { 0 };

	forge_repeat(&rdns, (struct est_span){ name_a + 2, sizeof(name_a) - 2 }, n);
	forge_put(out, DER_SEQUENCE, est_buf_span(&rdns));
	est_buf_free(&rdns);
}

/* Wraps out, with an indefinite length when ber. */
static void wrap(struct est_buf *out, uint8_t tag, bool ber)
{
	const uint8_t begin[] = { tag, 0x80 };
	struct est_buf inner = *out;

	if (!ber) {
		forge_wrap(out, tag);
		return;
	}
	*out = (struct est_buf){ 0 };
	forge_append(out, (struct est_span){ begin, 2 });
	forge_append(out, est_buf_span(&inner));
	forge_append(out, BYTES(0, 0));
	est_buf_free(&inner);
}

void forge_bag(const struct forge_bag *bag, struct est_buf *out)
{
	static const uint8_t signed_data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07,
		0x02 };
	static const uint8_t version_1[] = { 0x02, 0x01, 0x01 };
	static const uint8_t empty_set[] = { 0x31, 0x00 };
	static const uint8_t id_data[] = { 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
		0x0d, 0x01, 0x07, 0x01 };
	struct est_buf body = { 0 }, certs = { 0 }, message = { 0 };

	forge_append(&body, OR(bag->version, version_1));
	forge_append(&body, OR(bag->digests, empty_set));
	forge_append(&body, OR(bag->encap, id_data));
	forge_append(&certs, bag->certs);
	wrap(&certs, DER_CONTEXT_C(0), bag->indefinite);
	if (!bag->no_certs)
		forge_append(&body, est_buf_span(&certs));
	forge_append(&body, bag->crls);
	forge_append(&body, OR(bag->signers, empty_set));
	wrap(&body, DER_SEQUENCE, bag->indefinite);
	wrap(&body, DER_CONTEXT_C(0), bag->indefinite);
	forge_put(&message, DER_OID, OR(bag->content_type, signed_data));
	forge_append(&message, est_buf_span(&body));
	wrap(&message, DER_SEQUENCE, bag->indefinite);
	forge_append(out, est_buf_span(&message));
	est_buf_free(&certs);
	est_buf_free(&body);
	est_buf_free(&message);
}

/* SPDX-License-Identifier: MIT */
/* Certificates and certs-only messages made byte by byte, right or wrong, for tests of what reads
 * them.  Everything here ends the test when memory runs out. */
#ifndef EST_TESTS_FORGE_H
#define EST_TESTS_FORGE_H

#include "der.h"

/* Bytes that a test writes down: BYTES(0x30, 0x00). */
#define BYTES(...)                                                                                 \
	((struct est_span){ (const uint8_t[]){ __VA_ARGS__ },                                      \
		sizeof((const uint8_t[]){ __VA_ARGS__ }) })
#define NOTHING ((struct est_span){ (const uint8_t *)"", 0 })

/* One part of a certificate is whole elements; p == NULL takes a valid one, NOTHING leaves it
 * out. */
struct forge {
	struct est_span version, serial, algorithm, issuer, validity, subject, spki;
	struct est_span tail; /* what follows the key in TBSCertificate; default: nothing */
	struct est_span outer_algorithm, signature;
	struct est_span after; /* what follows the signature; default: nothing */
};

void forge_append(struct est_buf *out, struct est_span bytes);
void forge_put(struct est_buf *out, uint8_t tag, struct est_span body);
/* Replaces what is in out by one element around it. */
void forge_wrap(struct est_buf *out, uint8_t tag);
void forge_repeat(struct est_buf *out, struct est_span bytes, size_t n);

/* No signature verifies and no key is usable: only the shape counts. */
void forge_cert(const struct forge *forge, struct est_buf *out);
/* A valid certificate whose serial number is n, so that they differ. */
void forge_numbered(unsigned n, struct est_buf *out);
/* A [3] with one extension: OID contents, extnValue contents. */
void forge_extension(struct est_span oid, struct est_span value, struct est_buf *out);
/* A Name with n attributes, each in an RDN of its own. */
void forge_name(size_t n, struct est_buf *out);

struct forge_bag {
	struct est_span content_type;            /* OID contents; p == NULL: id-signedData */
	struct est_span version, digests, encap; /* whole elements; p == NULL: valid ones */
	struct est_span certs;                   /* contents of the set */
	struct est_span crls;                    /* whole [1] element; default: nothing */
	struct est_span signers;                 /* whole; p == NULL: the empty set */
	bool no_certs;                           /* leaves the set out */
	bool indefinite;                         /* BER: the constructed values around the set */
};

void forge_bag(const struct forge_bag *bag, struct est_buf *out);

#endif

/* SPDX-License-Identifier: MIT */
/* DER and BER as a linear, depth-limited walk over type-length-value elements (X.690).  Every
 * input from outside goes through here before a library sees it. */
#ifndef EST_DER_H
#define EST_DER_H

#include "est.h"

#define DER_BOOLEAN      0x01
#define DER_INTEGER      0x02
#define DER_BIT_STRING   0x03
#define DER_OCTET_STRING 0x04
#define DER_NULL         0x05
#define DER_OID          0x06
#define DER_UTF8         0x0c
#define DER_NUMERIC      0x12
#define DER_PRINTABLE    0x13
#define DER_IA5          0x16
#define DER_UTCTIME      0x17
#define DER_GENTIME      0x18
#define DER_VISIBLE      0x1a
#define DER_GENERAL      0x1b
#define DER_BMP          0x1e
#define DER_SEQUENCE     0x30
#define DER_SET          0x31
#define DER_CONTEXT(n)   (0x80 | (n)) /* primitive */
#define DER_CONTEXT_C(n) (0xa0 | (n)) /* constructed */

#define DER_OID_TEXT_MAX 128 /* characters of a dotted OID with the NUL */

struct der_tlv {
	uint8_t tag;
	struct est_span whole; /* identifier, length and contents */
	struct est_span body;  /* contents; of an indefinite length without the end-of-contents */
	bool ber;              /* indefinite, or a length not in its shortest form */
};

/* Takes one DER element off the front of *in: single-octet tag, definite, shortest length of at
 * most four octets.  On false *in and *out are unchanged. */
bool der_next(struct est_span *in, struct der_tlv *out);
/* The same, and false unless the tag is this one. */
bool der_expect(struct est_span *in, uint8_t tag, struct der_tlv *out);
/* The same as der_next() for BER: indefinite and non-minimal lengths are taken.  Linear in the
 * size of the element, nested at most EST_DEPTH_MAX. */
bool ber_next(struct est_span *in, struct der_tlv *out);

/* Identifier and length octets alone: of an indefinite length, which *indefinite says, the contents
 * go to the end of in, and nothing in them is looked at. */
bool ber_open(struct est_span in, struct der_tlv *out, bool *indefinite);

struct der_stats {
	size_t elements;
	unsigned depth;
	bool ber; /* something was indefinite or not minimal */
};

/* Walks exactly one element that fills *in, down to EST_DEPTH_MAX; anything else is
 * EST_E_PROTOCOL with the offset in the message, which begins with what.  ber: indefinite and
 * non-minimal lengths are taken.  stats may be NULL. */
enum est_code der_walk(struct est_span in, bool ber, const char *what, struct der_stats *stats,
	struct est_error *err) EST_MUST_CHECK;

/* Dotted text of OID contents into out[DER_OID_TEXT_MAX]; false when it is malformed or longer. */
bool der_oid_text(struct est_span body, char *out);
/* UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 allows them (Z, seconds). */
bool der_time(const struct der_tlv *tlv, time_t *out);

/* Appends identifier and length octets for n octets of contents; der_put() the contents too. */
enum est_code der_put_header(struct est_buf *buf, uint8_t tag, size_t n,
	struct est_error *err) EST_MUST_CHECK;
enum est_code der_put(struct est_buf *buf, uint8_t tag, struct est_span body,
	struct est_error *err) EST_MUST_CHECK;

#endif

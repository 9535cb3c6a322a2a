/* SPDX-License-Identifier: MIT */
/* The linear walk over DER and BER (X.690) that every input passes first. */
#include "der.h"

#include <stdio.h>
#include <string.h>

#define TAG_CONSTRUCTED 0x20
#define TAG_NUMBER_MASK 0x1f
#define LENGTH_LONG     0x80 /* also: the indefinite form */

/* Identifier and length octets at the front of in.  indefinite: no length is given. */
static bool header_read(struct est_span in, bool ber, size_t *hdr, size_t *len, bool *indefinite,
	bool *minimal)
{
	size_t n, k;

	if (in.n < 2 || (in.p[0] & TAG_NUMBER_MASK) == TAG_NUMBER_MASK)
		return false; /* PKIX has no multi-octet tags */
	if ((in.p[0] & ~TAG_CONSTRUCTED) == 0)
		return false; /* X.690 section 8.1.5: end-of-contents, not an element */
	*hdr = 2;
	*indefinite = false;
	*minimal = true;
	n = in.p[1];
	if (n == LENGTH_LONG) { /* X.690 section 8.1.3.6: constructed only */
		*indefinite = true;
		*len = 0;
		return ber && (in.p[0] & TAG_CONSTRUCTED) != 0;
	}
	if (n & LENGTH_LONG) {
		k = n & 0x7f;
		if (k > 4 || k > in.n - *hdr)
			return false;
		*minimal = in.p[*hdr] != 0;
		for (n = 0; k > 0; k--)
			n = n << 8 | in.p[(*hdr)++];
		if (n < LENGTH_LONG)
			*minimal = false;
	}
	*len = n;
	return (ber || *minimal) && n <= in.n - *hdr;
}

bool der_next(struct est_span *in, struct der_tlv *out)
{
	bool indefinite, minimal;
	size_t hdr, len;

	if (!header_read(*in, false, &hdr, &len, &indefinite, &minimal))
		return false;
	*out = (struct der_tlv){
		.tag = in->p[0],
		.whole = { in->p, hdr + len },
		.body = { in->p + hdr, len },
	};
	*in = (struct est_span){ in->p + hdr + len, in->n - hdr - len };
	return true;
}

bool der_expect(struct est_span *in, uint8_t tag, struct der_tlv *out)
{
	return in->n > 0 && in->p[0] == tag && der_next(in, out);
}

/* One open constructed element on the walk's stack; the one at the bottom is the whole input. */
struct frame {
	const uint8_t *limit; /* its end, or with an indefinite length that of what it lies in */
	bool indefinite;      /* ends with end-of-contents octets */
};

/* Walks elements from the front of in until the first one is complete.  *at is the offset of the
 * byte that was wrong.  Each byte is looked at once, whatever the nesting. */
static bool walk_one(struct est_span in, bool ber, size_t *used, struct der_stats *stats,
	const char **why, size_t *at)
{
	struct frame stack[EST_DEPTH_MAX + 1] = { { .limit = in.p + in.n } };
	struct frame *top = stack;
	const uint8_t *p = in.p;
	bool indefinite, minimal;
	size_t hdr, len;

	do {
		*at = (size_t)(p - in.p);
		if (top->indefinite && top->limit - p >= 2 && p[0] == 0 && p[1] == 0) {
			p += 2; /* end-of-contents */
			top--;
		} else {
			if (!header_read((struct est_span){ p, (size_t)(top->limit - p) }, ber,
				    &hdr, &len, &indefinite, &minimal)) {
				*why = "no valid tag and length here, or cut short";
				return false;
			}
			stats->elements++;
			stats->ber |= indefinite || !minimal;
			if (p[0] & TAG_CONSTRUCTED) {
				if (top == stack + EST_DEPTH_MAX) {
					*why = "nested too deeply";
					return false;
				}
				top[1].limit = indefinite ? top->limit : p + hdr + len;
				top[1].indefinite = indefinite;
				top++;
				if (top - stack > (ptrdiff_t)stats->depth)
					stats->depth = (unsigned)(top - stack);
				p += hdr;
			} else {
				p += hdr + len;
			}
		}
		while (top > stack && !top->indefinite && top->limit == p)
			top--;
	} while (top > stack);
	*used = (size_t)(p - in.p);
	return true;
}

bool ber_next(struct est_span *in, struct der_tlv *out)
{
	struct der_stats stats = { 0 };
	bool indefinite, minimal;
	size_t hdr, len, used, at;
	const char *why;

	if (!header_read(*in, true, &hdr, &len, &indefinite, &minimal))
		return false;
	if (!indefinite)
		used = hdr + len;
	else if (!walk_one(*in, true, &used, &stats, &why, &at))
		return false;
	*out = (struct der_tlv){
		.tag = in->p[0],
		.whole = { in->p, used },
		.body = { in->p + hdr, indefinite ? used - hdr - 2 : len },
		.ber = indefinite || !minimal,
	};
	*in = (struct est_span){ in->p + used, in->n - used };
	return true;
}

bool ber_open(struct est_span in, struct der_tlv *out, bool *indefinite)
{
	size_t hdr, len;
	bool minimal;

	if (!header_read(in, true, &hdr, &len, indefinite, &minimal))
		return false;
	len = *indefinite ? in.n - hdr : len;
	*out = (struct der_tlv){
		.tag = in.p[0],
		.whole = { in.p, hdr + len },
		.body = { in.p + hdr, len },
		.ber = *indefinite || !minimal,
	};
	return true;
}

enum est_code der_walk(struct est_span in, bool ber, const char *what, struct der_stats *stats,
	struct est_error *err)
{
	struct der_stats local = { 0 };
	const char *why = NULL;
	size_t used = 0, at = 0;

	if (!stats)
		stats = &local;
	*stats = (struct der_stats){ 0 };
	if (in.n == 0)
		return est_fail(err, EST_E_PROTOCOL, "%s: empty", what);
	if (!walk_one(in, ber, &used, stats, &why, &at))
		return est_fail(err, EST_E_PROTOCOL, "%s: not valid %s at offset %zu: %s", what,
			ber ? "BER" : "DER", at, why);
	if (used != in.n)
		return est_fail(err, EST_E_PROTOCOL, "%s: %zu bytes after its end at offset %zu",
			what, in.n - used, used);
	return EST_OK;
}

/* Decimal digits and, before them, a dot where there is something already. */
static bool put_arc(char *out, size_t *used, uint64_t arc)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + arc % 10);
	while ((arc /= 10) > 0);
	if (*used + n + 2 > DER_OID_TEXT_MAX)
		return false;
	if (*used > 0)
		out[(*used)++] = '.';
	while (n > 0)
		out[(*used)++] = digits[--n];
	out[*used] = '\0';
	return true;
}

bool der_oid_text(struct est_span body, char *out)
{
	size_t used = 0;
	uint64_t arc = 0, root;

	if (body.n == 0 || body.p[body.n - 1] & 0x80)
		return false;
	for (size_t i = 0; i < body.n; i++) {
		if ((arc == 0 && body.p[i] == 0x80) || arc > UINT64_MAX >> 7)
			return false; /* X.690 section 8.19.2: no leading zeros */
		arc = arc << 7 | (body.p[i] & 0x7f);
		if (body.p[i] & 0x80)
			continue;
		if (used == 0) { /* section 8.19.4: the first two are one */
			root = arc < 40 ? 0 : arc < 80 ? 1 : 2;
			arc -= root * 40;
			(void)put_arc(out, &used, root);
		}
		if (!put_arc(out, &used, arc))
			return false;
		arc = 0;
	}
	return true;
}

static bool two_digits(const uint8_t *p, int *out)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*out = (p[0] - '0') * 10 + (p[1] - '0');
	return true;
}

bool der_time(const struct der_tlv *tlv, time_t *out)
{
	const uint8_t *p = tlv->body.p;
	struct tm tm = { 0 };
	int year, high = 0, mday;
	time_t when;

	if (tlv->tag == DER_UTCTIME && tlv->body.n == 13) {
		if (!two_digits(p, &year))
			return false;
		year += year < 50 ? 2000 : 1900; /* RFC 5280 section 4.1.2.5.1 */
		p += 2;
	} else if (tlv->tag == DER_GENTIME && tlv->body.n == 15) {
		if (!two_digits(p, &high) || !two_digits(p + 2, &year))
			return false;
		year += high * 100;
		p += 4;
	} else {
		return false;
	}
	if (!two_digits(p, &tm.tm_mon) || !two_digits(p + 2, &tm.tm_mday) ||
		!two_digits(p + 4, &tm.tm_hour) || !two_digits(p + 6, &tm.tm_min) ||
		!two_digits(p + 8, &tm.tm_sec) || p[10] != 'Z')
		return false;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
		tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon--;
	mday = tm.tm_mday;
	when = timegm(&tm);
	if (tm.tm_mday != mday)
		return false; /* 31 February became 3 March */
	*out = when;
	return true;
}

enum est_code der_put_header(struct est_buf *buf, uint8_t tag, size_t n, struct est_error *err)
{
	uint8_t hdr[2 + sizeof(n)] = { tag };
	size_t used = 2, octets = 0;

	if (n < LENGTH_LONG) {
		hdr[1] = (uint8_t)n;
	} else {
		while (octets < sizeof(n) && n >> (8 * octets) != 0)
			octets++;
		hdr[1] = (uint8_t)(LENGTH_LONG | octets);
		while (octets > 0)
			hdr[used++] = (uint8_t)(n >> (8 * --octets));
	}
	return est_buf_append(buf, (struct est_span){ hdr, used }, err);
}

enum est_code der_put(struct est_buf *buf, uint8_t tag, struct est_span body, struct est_error *err)
{
	enum est_code rc = der_put_header(buf, tag, body.n, err);

	return rc == EST_OK ? est_buf_append(buf, body, err) : rc;
}

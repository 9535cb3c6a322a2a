/* SPDX-License-Identifier: MIT */
/* Every extension of a certificate in words: those of RFC 5280 section 4.2 and the timestamps of
 * RFC 6962 decoded, the others as hex.  Addresses are shown, never asked. */
#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "cert.h"
#include "x509_text.h"

#define HEX_SHOWN 256 /* bytes of a value that is not decoded */

/* What is being written; after a failure nothing more happens.  valid: the value is what its type
 * requires so far. */
struct writer {
	struct est_buf *out;
	struct est_error *err;
	enum est_code rc;
	bool valid;
	size_t items; /* written, for the commas between */
};

static void put(struct writer *w, const char *text)
{
	if (w->rc == EST_OK)
		w->rc = est_buf_append(w->out, est_span_str(text), w->err);
}

/* Before each item of a list. */
static void next(struct writer *w, const char *prefix)
{
	put(w, w->items++ > 0 ? ", " : "");
	put(w, prefix);
}

static void put_hex(struct writer *w, struct est_span bytes)
{
	if (w->rc == EST_OK)
		w->rc = x509_hex(bytes, HEX_SHOWN, w->out, w->err);
}

static void put_oid(struct writer *w, struct est_span oid)
{
	if (w->rc == EST_OK)
		w->rc = x509_oid(oid, w->out, w->err);
}

static void put_name(struct writer *w, const struct der_tlv *name)
{
	if (w->rc == EST_OK)
		w->rc = x509_general_name(name, w->out, w->err);
}

/* A string of any type, or whatever else it is. */
static void put_value(struct writer *w, struct est_span der)
{
	if (w->rc == EST_OK)
		w->rc = x509_values(der, w->out, w->err);
}

/* A small INTEGER under any tag. */
static void put_number(struct writer *w, struct est_span body)
{
	unsigned long n = 0;

	w->valid &= body.n > 0 && body.n <= 4 && !(body.p[0] & 0x80);
	for (size_t i = 0; w->valid && i < body.n; i++)
		n = n << 8 | body.p[i];
	if (w->rc == EST_OK)
		w->rc = est_buf_printf(w->out, w->err, "%lu", n);
}

/* The contents of the one SEQUENCE that a value is. */
static struct est_span sequence(struct writer *w, struct est_span value)
{
	struct der_tlv seq = { 0 };

	w->valid &= der_expect(&value, DER_SEQUENCE, &seq) && value.n == 0;
	return seq.body;
}

static bool take(struct writer *w, struct est_span *in, uint8_t tag, struct der_tlv *out)
{
	w->valid &= der_expect(in, tag, out);
	return w->valid && w->rc == EST_OK;
}

static bool more(const struct writer *w, struct est_span in)
{
	return w->valid && w->rc == EST_OK && in.n > 0;
}

/* GeneralNames, each behind the prefix. */
static void put_names(struct writer *w, const char *prefix, struct est_span in)
{
	struct der_tlv name;

	while (more(w, in) && (w->valid = der_next(&in, &name))) {
		next(w, prefix);
		put_name(w, &name);
	}
}

static void basic_constraints(struct writer *w, struct est_span value)
{
	struct est_span in = sequence(w, value);
	struct der_tlv tlv;

	put(w, der_expect(&in, DER_BOOLEAN, &tlv) && tlv.body.n == 1 && tlv.body.p[0] ? "CA"
										      : "no CA");
	if (der_expect(&in, DER_INTEGER, &tlv)) {
		put(w, ", path length ");
		put_number(w, tlv.body);
	}
	w->valid &= in.n == 0;
}

static void subject_key_id(struct writer *w, struct est_span value)
{
	struct der_tlv tlv;

	if (take(w, &value, DER_OCTET_STRING, &tlv))
		put_hex(w, tlv.body);
}

static void authority_key_id(struct writer *w, struct est_span value)
{
	struct est_span in = sequence(w, value);
	struct der_tlv tlv;

	if (der_expect(&in, DER_CONTEXT(0), &tlv)) {
		next(w, "key ");
		put_hex(w, tlv.body);
	}
	if (der_expect(&in, DER_CONTEXT_C(1), &tlv))
		put_names(w, "issuer ", tlv.body);
	if (der_expect(&in, DER_CONTEXT(2), &tlv)) {
		next(w, "serial ");
		if (w->rc == EST_OK)
			w->rc = x509_integer(tlv.body, w->out, w->err);
	}
	w->valid &= in.n == 0;
}

/* An address and its mask (section 4.2.1.10). */
static void put_network(struct writer *w, struct est_span ip)
{
	int family = ip.n == 8 ? AF_INET : AF_INET6;
	char address[INET6_ADDRSTRLEN] = "", mask[INET6_ADDRSTRLEN] = "";

	w->valid &= ip.n == 8 || ip.n == 32;
	if (!w->valid || !inet_ntop(family, ip.p, address, sizeof(address)) ||
		!inet_ntop(family, ip.p + ip.n / 2, mask, sizeof(mask)))
		return;
	put(w, "ip:");
	put(w, address);
	put(w, "/");
	put(w, mask);
}

static void name_constraints(struct writer *w, struct est_span value)
{
	static const char *const words[] = { "permitted ", "excluded " };
	struct est_span in = sequence(w, value);
	struct der_tlv list, subtree, base;

	for (unsigned i = 0; i < 2; i++) {
		if (!der_expect(&in, DER_CONTEXT_C(i), &list))
			continue;
		while (more(w, list.body) && take(w, &list.body, DER_SEQUENCE, &subtree) &&
			(w->valid = der_next(&subtree.body, &base))) {
			next(w, words[i]);
			if (base.tag == DER_CONTEXT(7))
				put_network(w, base.body);
			else
				put_name(w, &base);
		}
	}
	w->valid &= in.n == 0;
}

/* UserNotice: who says it under which numbers, and the text (section 4.2.1.4). */
static void user_notice(struct writer *w, struct est_span in)
{
	struct der_tlv reference, text, number;

	put(w, " notice");
	if (der_expect(&in, DER_SEQUENCE, &reference) &&
		(w->valid &= der_next(&reference.body, &text))) {
		put(w, " of ");
		put_value(w, text.whole);
		if (!take(w, &reference.body, DER_SEQUENCE, &text))
			return;
		while (more(w, text.body) && take(w, &text.body, DER_INTEGER, &number)) {
			put(w, " ");
			put_number(w, number.body);
		}
	}
	if (more(w, in) && (w->valid = der_next(&in, &text))) {
		put(w, " '");
		put_value(w, text.whole);
		put(w, "'");
	}
	w->valid &= in.n == 0;
}

static void policies(struct writer *w, struct est_span value)
{
	struct est_span in = sequence(w, value);
	struct der_tlv info, oid, list, qualifier, text;

	while (more(w, in) && take(w, &in, DER_SEQUENCE, &info) &&
		take(w, &info.body, DER_OID, &oid)) {
		next(w, "");
		put_oid(w, oid.body);
		if (!der_expect(&info.body, DER_SEQUENCE, &list))
			continue;
		while (more(w, list.body) && take(w, &list.body, DER_SEQUENCE, &qualifier) &&
			take(w, &qualifier.body, DER_OID, &oid)) {
			if (der_expect(&qualifier.body, DER_SEQUENCE, &text)) {
				user_notice(w, text.body);
				continue;
			}
			put(w, " ");
			put_value(w, qualifier.body);
		}
	}
}

static void policy_mappings(struct writer *w, struct est_span value)
{
	struct est_span in = sequence(w, value);
	struct der_tlv pair, oid;

	while (more(w, in) && take(w, &in, DER_SEQUENCE, &pair) &&
		take(w, &pair.body, DER_OID, &oid)) {
		next(w, "");
		put_oid(w, oid.body);
		if (!take(w, &pair.body, DER_OID, &oid))
			return;
		put(w, " = ");
		put_oid(w, oid.body);
	}
}

static void policy_constraints(struct writer *w, struct est_span value)
{
	static const char *const words[] = { "explicit policy after ", "no mapping after " };
	struct est_span in = sequence(w, value);
	struct der_tlv tlv;

	for (unsigned i = 0; i < 2; i++) {
		if (!der_expect(&in, DER_CONTEXT(i), &tlv))
			continue;
		next(w, words[i]);
		put_number(w, tlv.body);
	}
	w->valid &= in.n == 0;
}

static void inhibit_any_policy(struct writer *w, struct est_span value)
{
	struct der_tlv tlv;

	put(w, "after ");
	if (take(w, &value, DER_INTEGER, &tlv))
		put_number(w, tlv.body);
}

/* DistributionPointName: names, or what is added to the issuer's (section 4.2.1.13). */
static void point_name(struct writer *w, struct est_span in)
{
	struct est_buf set = { 0 }, name = { 0 };
	struct der_tlv tlv;

	if (der_expect(&in, DER_CONTEXT_C(0), &tlv)) {
		put_names(w, "", tlv.body);
	} else if (take(w, &in, DER_CONTEXT_C(1), &tlv)) {
		next(w, "below the issuer ");
		if (w->rc == EST_OK)
			w->rc = der_put(&set, DER_SET, tlv.body, w->err);
		if (w->rc == EST_OK)
			w->rc = der_put(&name, DER_SEQUENCE, est_buf_span(&set), w->err);
		w->valid &= w->rc != EST_OK ||
			    cert_check_name(est_buf_span(&name), "name", w->err) == EST_OK;
		if (w->rc == EST_OK && w->valid)
			w->rc = x509_name(est_buf_span(&name), w->out, w->err);
	}
	est_buf_free(&set);
	est_buf_free(&name);
}

/* The names of the bits that are set in the contents of a BIT STRING. */
static void bit_names(struct writer *w, struct est_span bits, const char *sep,
	const char *const *names)
{
	w->valid &= bits.n > 0;
	for (size_t i = 0; names[i] && i / 8 + 1 < bits.n; i++)
		if (bits.p[i / 8 + 1] & 0x80 >> i % 8) {
			put(w, w->items++ > 0 ? sep : "");
			put(w, names[i]);
		}
}

/* ReasonFlags. */
static void reasons(struct writer *w, struct est_span bits)
{
	static const char *const words[] = { "unused", "keyCompromise", "cACompromise",
		"affiliationChanged", "superseded", "cessationOfOperation", "certificateHold",
		"privilegeWithdrawn", "aACompromise", NULL };

	next(w, "reasons");
	bit_names(w, bits, " ", words);
}

/* Netscape's. */
static void cert_type(struct writer *w, struct est_span value)
{
	static const char *const words[] = { "sslClient", "sslServer", "smime", "objectSigning",
		"reserved", "sslCA", "smimeCA", "objectSigningCA", NULL };
	struct der_tlv bits;

	if (take(w, &value, DER_BIT_STRING, &bits))
		bit_names(w, bits.body, ", ", words);
	w->valid &= value.n == 0;
}

/* DistributionPoint: { [0] name, [1] reasons, [2] issuer }. */
static void distribution_points(struct writer *w, struct est_span value)
{
	struct est_span in = sequence(w, value);
	struct der_tlv point, part;

	while (more(w, in) && take(w, &in, DER_SEQUENCE, &point)) {
		put(w, w->items > 0 ? "; " : "");
		w->items = 0;
		if (der_expect(&point.body, DER_CONTEXT_C(0), &part))
			point_name(w, part.body);
		if (der_expect(&point.body, DER_CONTEXT(1), &part))
			reasons(w, part.body);
		if (der_expect(&point.body, DER_CONTEXT_C(2), &part))
			put_names(w, "issuer ", part.body);
		w->valid &= point.body.n == 0;
	}
}

static void access_descriptions(struct writer *w, struct est_span value)
{
	struct est_span in = sequence(w, value);
	struct der_tlv description, oid, name;

	while (more(w, in) && take(w, &in, DER_SEQUENCE, &description) &&
		take(w, &description.body, DER_OID, &oid)) {
		next(w, "");
		put_oid(w, oid.body);
		put(w, " ");
		w->valid &= der_next(&description.body, &name);
		if (w->valid)
			put_name(w, &name);
	}
}

static void put_time(struct writer *w, time_t when)
{
	char text[40] = "";
	struct tm tm;

	w->valid &= gmtime_r(&when, &tm) && tm.tm_year < 8100 &&
		    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0;
	put(w, text);
}

/* SignedCertificateTimestamp (RFC 6962 section 3.2): version, log, milliseconds. */
static void put_timestamp(struct writer *w, struct est_span in)
{
	uint64_t ms = 0;

	w->valid &= in.n > 0 && (in.p[0] != 0 || in.n > 40);
	if (!w->valid)
		return;
	next(w, in.p[0] == 0 ? "log " : "of another version");
	if (in.p[0] != 0)
		return;
	put_hex(w, (struct est_span){ in.p + 1, 32 });
	for (size_t i = 33; i < 41; i++)
		ms = ms << 8 | in.p[i];
	put(w, " at ");
	put_time(w, (time_t)(ms / 1000));
}

/* SignedCertificateTimestampList (RFC 6962 section 3.3): lengths of two octets. */
static void timestamps(struct writer *w, struct est_span value)
{
	struct der_tlv tlv;
	struct est_span in;
	size_t n = 0, length;

	if (!take(w, &value, DER_OCTET_STRING, &tlv))
		return;
	in = tlv.body;
	w->valid &= in.n >= 2 && (size_t)(in.p[0] << 8 | in.p[1]) == in.n - 2;
	for (int show = 0; show < 2 && w->valid; show++) {
		for (size_t at = 2; w->valid && at < in.n; at += length + 2, n++) {
			length = in.n - at >= 2 ? (size_t)(in.p[at] << 8 | in.p[at + 1]) : in.n;
			w->valid &= length <= in.n - at - 2 && in.n - at >= 2;
			if (w->valid && show)
				put_timestamp(w, (struct est_span){ in.p + at + 2, length });
		}
		if (w->rc == EST_OK && !show)
			w->rc = est_buf_printf(w->out, w->err,
				"%zu signed certificate timestamp%s%s", n, n == 1 ? "" : "s",
				n ? ": " : "");
	}
}

/* SEQUENCE OF Attribute (section 4.2.1.8). */
static void attributes(struct writer *w, struct est_span value)
{
	struct est_span in = sequence(w, value);
	struct der_tlv attr, oid, set, one;

	while (more(w, in) && take(w, &in, DER_SEQUENCE, &attr) &&
		take(w, &attr.body, DER_OID, &oid) && take(w, &attr.body, DER_SET, &set)) {
		while (more(w, set.body) && (w->valid = der_next(&set.body, &one))) {
			next(w, "");
			put_oid(w, oid.body);
			put(w, " ");
			put_value(w, one.whole);
		}
	}
}

static void serial(struct writer *w, struct est_span value)
{
	struct der_tlv tlv;

	if (take(w, &value, DER_INTEGER, &tlv) && w->rc == EST_OK)
		w->rc = x509_integer(tlv.body, w->out, w->err);
}

/* IssuingDistributionPoint (section 5.2.5). */
static void issuing_point(struct writer *w, struct est_span value)
{
	static const char *const words[] = { "user certificates alone", "CA certificates alone",
		NULL, "indirect", "attribute certificates alone" };
	struct est_span in = sequence(w, value);
	struct der_tlv part;

	if (der_expect(&in, DER_CONTEXT_C(0), &part))
		point_name(w, part.body);
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!der_expect(&in, DER_CONTEXT(i + 1), &part))
			continue;
		if (!words[i])
			reasons(w, part.body);
		else if (part.body.n == 1 && part.body.p[0])
			next(w, words[i]);
	}
	w->valid &= in.n == 0;
}

/* PrivateKeyUsagePeriod (RFC 3280 section 4.2.1.4): two GeneralizedTimes. */
static void usage_period(struct writer *w, struct est_span value)
{
	static const char *const words[] = { "not before ", "not after " };
	struct est_span in = sequence(w, value);
	struct der_tlv tlv;
	time_t when = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (!der_expect(&in, DER_CONTEXT(i), &tlv))
			continue;
		tlv.tag = DER_GENTIME;
		w->valid &= der_time(&tlv, &when);
		next(w, words[i]);
		put_time(w, when);
	}
	w->valid &= in.n == 0;
}

/* TLSFeatures (RFC 7633): numbers of TLS extensions. */
static void tls_features(struct writer *w, struct est_span value)
{
	struct est_span in = sequence(w, value);
	struct der_tlv tlv;

	while (more(w, in) && take(w, &in, DER_INTEGER, &tlv)) {
		next(w, "");
		if (tlv.body.n == 1 && (tlv.body.p[0] == 5 || tlv.body.p[0] == 17))
			put(w, tlv.body.p[0] == 5 ? "status_request" : "status_request_v2");
		else
			put_number(w, tlv.body);
	}
}

/* Microsoft's CertificateTemplate: an OID and its version. */
static void template(struct writer *w, struct est_span value)
{
	struct est_span in = sequence(w, value);
	struct der_tlv tlv;

	if (!take(w, &in, DER_OID, &tlv))
		return;
	put_oid(w, tlv.body);
	for (int i = 0; i < 2 && der_expect(&in, DER_INTEGER, &tlv); i++) {
		put(w, i ? "." : " version ");
		put_number(w, tlv.body);
	}
	w->valid &= in.n == 0;
}

/* One of the lists of words that x509_text.c has. */
static void words(struct writer *w, struct est_span value,
	enum est_code (*read)(struct est_span value, struct x509_list *out, bool *valid,
		struct est_error *err))
{
	struct x509_list list = { 0 };

	w->rc = read(value, &list, &w->valid, w->err);
	if (w->rc == EST_OK)
		w->rc = x509_list_text(&list, w->out, w->err);
	x509_list_wipe(&list);
}

static void names(struct writer *w, struct est_span value)
{
	words(w, value, x509_sans);
}

static void key_usage(struct writer *w, struct est_span value)
{
	words(w, value, x509_key_usage);
}

static void ext_key_usage(struct writer *w, struct est_span value)
{
	words(w, value, x509_ext_key_usage);
}

static const struct {
	const char *oid;
	void (*write)(struct writer *w, struct est_span value);
} decoders[] = {
	{ "2.5.29.9", attributes },
	{ "2.5.29.14", subject_key_id },
	{ "2.5.29.15", key_usage },
	{ "2.5.29.16", usage_period },
	{ "2.5.29.17", names },
	{ "2.5.29.18", names },
	{ "2.5.29.19", basic_constraints },
	{ "2.5.29.20", serial },
	{ "2.5.29.23", put_value },
	{ "2.5.29.27", serial },
	{ "2.5.29.28", issuing_point },
	{ "2.5.29.29", names },
	{ "2.5.29.30", name_constraints },
	{ "2.5.29.31", distribution_points },
	{ "2.5.29.32", policies },
	{ "2.5.29.33", policy_mappings },
	{ "2.5.29.35", authority_key_id },
	{ "2.5.29.36", policy_constraints },
	{ "2.5.29.37", ext_key_usage },
	{ "2.5.29.46", distribution_points },
	{ "2.5.29.54", inhibit_any_policy },
	{ "1.3.6.1.5.5.7.1.1", access_descriptions },
	{ "1.3.6.1.5.5.7.1.3", put_value },
	{ "1.3.6.1.5.5.7.1.11", access_descriptions },
	{ "1.3.6.1.5.5.7.1.24", tls_features },
	{ "1.3.6.1.5.5.7.48.1.5", put_value }, /* NULL */
	{ "1.3.6.1.4.1.11129.2.4.2", timestamps },
	{ "1.3.6.1.4.1.11129.2.4.3", put_value }, /* NULL */
	{ "1.3.6.1.4.1.311.20.2", put_value },
	{ "1.3.6.1.4.1.311.21.1", put_value },
	{ "1.3.6.1.4.1.311.21.7", template },
	{ "1.3.6.1.4.1.311.21.10", policies },
	{ "2.16.840.1.113730.1.1", cert_type },
	{ "2.16.840.1.113730.1.13", put_value },
};

enum est_code x509_extension_value(struct est_span oid, struct est_span value, struct est_buf *out,
	struct est_error *err)
{
	struct writer w = { .out = out, .err = err, .valid = true };
	char dotted[DER_OID_TEXT_MAX] = "";
	size_t start = out->n;

	(void)der_oid_text(oid, dotted);
	for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
		if (strcmp(dotted, decoders[i].oid) != 0)
			continue;
		decoders[i].write(&w, value);
		if (w.valid || w.rc != EST_OK)
			return w.rc;
		out->n = start;
		put(&w, "malformed ");
	}
	put(&w, "#");
	put_hex(&w, value);
	return w.rc;
}

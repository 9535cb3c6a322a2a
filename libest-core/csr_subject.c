/* SPDX-License-Identifier: MIT */
/* A distinguished name from its text (RFC 4514) to DER (RFC 5280 section 4.1.2.4).  GnuTLS is not
 * asked: it takes a trailing comma, a lone backslash and bytes that are not UTF-8, and knows no
 * RDN of two attributes. */
#include "csr.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "der.h"

#define SUBJECT_MAX 4096 /* bytes of the text */
#define ARCS_MAX    32

/* How the value of an attribute is encoded. */
enum form { FORM_DIRECTORY, FORM_PRINTABLE, FORM_IA5, FORM_COUNTRY };

static const struct attribute {
	const char *name, *oid;
	enum form form;
} attributes[] = {
	{ "CN", "2.5.4.3", FORM_DIRECTORY },
	{ "commonName", "2.5.4.3", FORM_DIRECTORY },
	{ "O", "2.5.4.10", FORM_DIRECTORY },
	{ "organizationName", "2.5.4.10", FORM_DIRECTORY },
	{ "OU", "2.5.4.11", FORM_DIRECTORY },
	{ "organizationalUnitName", "2.5.4.11", FORM_DIRECTORY },
	{ "C", "2.5.4.6", FORM_COUNTRY },
	{ "countryName", "2.5.4.6", FORM_COUNTRY },
	{ "ST", "2.5.4.8", FORM_DIRECTORY },
	{ "stateOrProvinceName", "2.5.4.8", FORM_DIRECTORY },
	{ "L", "2.5.4.7", FORM_DIRECTORY },
	{ "localityName", "2.5.4.7", FORM_DIRECTORY },
	{ "STREET", "2.5.4.9", FORM_DIRECTORY },
	{ "streetAddress", "2.5.4.9", FORM_DIRECTORY },
	{ "postalCode", "2.5.4.17", FORM_DIRECTORY },
	{ "DC", "0.9.2342.19200300.100.1.25", FORM_IA5 },
	{ "domainComponent", "0.9.2342.19200300.100.1.25", FORM_IA5 },
	{ "UID", "0.9.2342.19200300.100.1.1", FORM_DIRECTORY },
	{ "userId", "0.9.2342.19200300.100.1.1", FORM_DIRECTORY },
	{ "serialNumber", "2.5.4.5", FORM_PRINTABLE },
	{ "dnQualifier", "2.5.4.46", FORM_PRINTABLE },
	{ "telephoneNumber", "2.5.4.20", FORM_PRINTABLE },
	{ "emailAddress", "1.2.840.113549.1.9.1", FORM_IA5 },
	{ "EMAIL", "1.2.840.113549.1.9.1", FORM_IA5 },
	{ "E", "1.2.840.113549.1.9.1", FORM_IA5 },
	{ "SN", "2.5.4.4", FORM_DIRECTORY },
	{ "surname", "2.5.4.4", FORM_DIRECTORY },
	{ "GN", "2.5.4.42", FORM_DIRECTORY },
	{ "givenName", "2.5.4.42", FORM_DIRECTORY },
	{ "initials", "2.5.4.43", FORM_DIRECTORY },
	{ "generationQualifier", "2.5.4.44", FORM_DIRECTORY },
	{ "title", "2.5.4.12", FORM_DIRECTORY },
	{ "description", "2.5.4.13", FORM_DIRECTORY },
	{ "businessCategory", "2.5.4.15", FORM_DIRECTORY },
	{ "name", "2.5.4.41", FORM_DIRECTORY },
	{ "pseudonym", "2.5.4.65", FORM_DIRECTORY },
	{ "organizationIdentifier", "2.5.4.97", FORM_DIRECTORY },
};

/* Takes one decimal arc without leading zeros off the front of *text. */
static bool take_arc(const char **text, uint32_t *out)
{
	const char *p = *text;
	uint64_t n = 0;

	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > INT32_MAX)
			return false;
	}
	*text = p;
	*out = (uint32_t)n;
	return true;
}

static size_t put_arc(uint8_t *out, uint64_t arc)
{
	size_t n = 1;

	for (uint64_t rest = arc >> 7; rest; rest >>= 7)
		n++;
	for (size_t i = n; i-- > 0; arc >>= 7)
		out[i] = (uint8_t)((arc & 0x7f) | (i + 1 < n ? 0x80 : 0));
	return n;
}

bool csr_oid(const char *dotted, struct csr_oid *out)
{
	struct csr_oid oid = { 0 };
	uint32_t first, arc;

	if (!take_arc(&dotted, &first) || first > 2 || *dotted++ != '.' ||
		!take_arc(&dotted, &arc) || (first < 2 && arc > 39))
		return false;
	oid.n = put_arc(oid.der, (uint64_t)first * 40 + arc);
	for (unsigned i = 2; *dotted; i++) {
		if (i == ARCS_MAX || *dotted++ != '.' || !take_arc(&dotted, &arc))
			return false;
		oid.n += put_arc(oid.der + oid.n, arc);
	}
	*out = oid;
	return true;
}

/* ---- One value --------------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_pair(const char *p)
{
	int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);

	return low < 0 ? -1 : high << 4 | low;
}

/* #0c0161: the DER of the value (RFC 4514 section 2.4). */
static const char *take_hex(const char **text, struct est_buf *value, struct est_error *err)
{
	const char *p = *text + 1;
	struct est_error ignored;
	uint8_t byte;

	for (; hex_pair(p) >= 0; p += 2) {
		byte = (uint8_t)hex_pair(p);
		if (est_buf_append(value, (struct est_span){ &byte, 1 }, err) != EST_OK)
			return "out of memory";
	}
	*text = p + strspn(p, " ");
	if (**text && **text != ',' && **text != '+')
		return "no hexadecimal digits";
	if (der_walk(est_buf_span(value), false, "value", NULL, &ignored) != EST_OK)
		return "the hexadecimal value is not DER";
	return NULL;
}

/* A string with its escapes undone.  NULL, or what is wrong at *text. */
static const char *take_string(const char **text, struct est_buf *value, struct est_error *err)
{
	size_t keep = 0; /* blanks after this are not part of the value */
	const char *p = *text;
	uint8_t byte;

	for (; *p && *p != ',' && *p != '+'; p++) {
		bool escaped = *p == '\\';

		*text = p;
		if (strchr("\"<>;", *p))
			return "a character that needs a backslash";
		byte = (uint8_t)*p;
		if (escaped && hex_pair(p + 1) >= 0) {
			byte = (uint8_t)hex_pair(p + 1);
			p += 2;
		} else if (escaped) {
			byte = (uint8_t) * ++p;
			if (!byte || !strchr(" \"#+,;<=>\\", byte))
				return "a backslash before what needs none";
		}
		if (byte < ' ' || byte == 0x7f)
			return "a control character";
		if (est_buf_append(value, (struct est_span){ &byte, 1 }, err) != EST_OK)
			return "out of memory";
		if (escaped || byte != ' ')
			keep = value->n;
	}
	*text = p;
	value->n = keep;
	return keep ? NULL : "an empty value";
}

/* RFC 3629: no overlong form, no surrogate. */
static bool is_utf8(struct est_span s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	for (size_t i = 0; i < s.n;) {
		uint8_t lead = s.p[i];
		size_t n = lead < 0x80             ? 1
			   : (lead & 0xe0) == 0xc0 ? 2
			   : (lead & 0xf0) == 0xe0 ? 3
			   : (lead & 0xf8) == 0xf0 ? 4
						   : 0;
		uint32_t c = n == 1 ? lead : lead & (0x7fu >> n);

		if (n == 0 || n > s.n - i)
			return false;
		for (size_t k = 1; k < n; k++) {
			if ((s.p[i + k] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (s.p[i + k] & 0x3f);
		}
		if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
		i += n;
	}
	return true;
}

static bool is_printable(struct est_span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i], lower = c | 0x20;

		if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') &&
			!memchr(" '()+,-./:=?", c, 12))
			return false;
	}
	return true;
}

static bool is_ascii(struct est_span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] > 0x7f)
			return false;
	}
	return true;
}

/* RFC 5280 section 4.1.2.4 has both; the older one is what naive comparisons expect. */
uint8_t csr_string_tag(struct est_span value)
{
	if (is_printable(value))
		return DER_PRINTABLE;
	return is_utf8(value) ? DER_UTF8 : 0;
}

/* The tag for a value of this form, or 0 with *why. */
static uint8_t tag_for(enum form form, struct est_span value, const char **why)
{
	switch (form) {
	case FORM_COUNTRY: /* ISO 3166, RFC 5280 appendix A.1 */
		*why = "a country is two letters";
		return value.n == 2 && is_printable(value) && value.p[0] >= 'A' && value.p[1] >= 'A'
			       ? DER_PRINTABLE
			       : 0;
	case FORM_PRINTABLE:
		*why = "a character that PrintableString has not";
		return is_printable(value) ? DER_PRINTABLE : 0;
	case FORM_IA5:
		*why = "a character that is not ASCII";
		return is_ascii(value) ? DER_IA5 : 0;
	case FORM_DIRECTORY:
		break;
	}
	*why = "not valid UTF-8";
	return csr_string_tag(value);
}

/* ---- Attributes and RDNs ----------------------------------------------------------------------
 */

/* Takes "CN" or "2.5.4.3" and the "=" behind it. */
static bool take_type(const char **text, struct csr_oid *oid, enum form *form)
{
	size_t n = strcspn(*text, "=,+ \\");
	const char *equals = *text + n + strspn(*text + n, " ");
	char name[128];

	if (n == 0 || n >= sizeof(name) || *equals != '=')
		return false;
	memcpy(name, *text, n);
	name[n] = '\0';
	*text = equals + 1;
	*form = FORM_DIRECTORY;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		if (strcasecmp(name, attributes[i].name) == 0 ||
			strcmp(name, attributes[i].oid) == 0) {
			*form = attributes[i].form;
			return csr_oid(attributes[i].oid, oid);
		}
	}
	return csr_oid(name, oid);
}

/* One AttributeTypeAndValue.  NULL, or what is wrong; *text then stands there. */
static const char *take_attribute(const char **text, struct est_buf *out, struct est_error *err)
{
	struct est_buf value = { 0 }, pair = { 0 };
	const char *why = "no type=value of a known type", *start;
	struct csr_oid oid;
	enum form form;
	uint8_t tag;

	*text += strspn(*text, " ");
	if (!take_type(text, &oid, &form))
		return why;
	*text += strspn(*text, " ");
	start = *text;
	if (der_put(&pair, DER_OID, (struct est_span){ oid.der, oid.n }, err) != EST_OK) {
		why = "out of memory";
	} else if (*start == '#') {
		why = take_hex(text, &value, err);
		if (!why && est_buf_append(&pair, est_buf_span(&value), err) != EST_OK)
			why = "out of memory";
	} else {
		why = take_string(text, &value, err);
		tag = why ? 0 : tag_for(form, est_buf_span(&value), &why);
		if (tag)
			why = der_put(&pair, tag, est_buf_span(&value), err) == EST_OK
				      ? NULL
				      : "out of memory";
		else if (!**text || **text == ',' || **text == '+')
			*text = start; /* all of the value */
	}
	if (!why && der_put(out, DER_SEQUENCE, est_buf_span(&pair), err) != EST_OK)
		why = "out of memory";
	est_buf_free(&value);
	est_buf_free(&pair);
	return why;
}

static int set_order(const void *a, const void *b)
{
	const struct est_span *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* The attributes of one RDN as a SET OF in DER: in the order of their encodings. */
enum est_code csr_put_rdn(struct est_span pairs, struct est_buf *out, struct est_error *err)
{
	struct est_span sorted[EST_RDNS_MAX] = { { 0 } };
	struct est_buf set = { 0 };
	enum est_code rc = EST_OK;
	struct der_tlv tlv;
	size_t n = 0;

	while (n < EST_RDNS_MAX && der_next(&pairs, &tlv))
		sorted[n++] = tlv.whole;
	qsort(sorted, n, sizeof(sorted[0]), set_order);
	for (size_t i = 0; rc == EST_OK && i < n; i++)
		rc = est_buf_append(&set, sorted[i], err);
	if (rc == EST_OK)
		rc = der_put(out, DER_SET, est_buf_span(&set), err);
	est_buf_free(&set);
	return rc;
}

/* The next RDN of the text, put before those that are there: RFC 4514 section 2.1 writes the last
 * one first. */
static const char *take_rdn(const char **text, size_t *count, struct est_buf *rdns,
	struct est_error *err)
{
	struct est_buf pairs = { 0 }, grown = { 0 };
	const char *why;

	do {
		*text += **text == '+' && pairs.n > 0;
		why = (*count)++ < EST_RDNS_MAX ? take_attribute(text, &pairs, err)
						: "more attributes than a name may have";
	} while (!why && **text == '+');
	if (!why && (csr_put_rdn(est_buf_span(&pairs), &grown, err) != EST_OK ||
			    est_buf_append(&grown, est_buf_span(rdns), err) != EST_OK))
		why = "out of memory";
	if (!why) {
		est_buf_free(rdns);
		*rdns = grown;
		grown = (struct est_buf){ 0 };
	}
	est_buf_free(&grown);
	est_buf_free(&pairs);
	return why;
}

enum est_code csr_subject(const char *text, struct est_buf *out, struct est_error *err)
{
	const char *at = text, *why = NULL;
	struct est_buf rdns = { 0 };
	enum est_code rc;
	size_t count = 0;
	char shown[120];

	*err = (struct est_error){ 0 };
	if (text && strlen(text) > SUBJECT_MAX)
		return est_fail(err, EST_E_USAGE, "--subject: longer than %d bytes", SUBJECT_MAX);
	for (bool more = text && *text; more && !why;) {
		why = take_rdn(&at, &count, &rdns, err);
		more = *at == ',';
		at += !why && more;
	}
	if (!why)
		rc = der_put(out, DER_SEQUENCE, est_buf_span(&rdns), err);
	else if (err->code == EST_E_INTERNAL)
		rc = err->code;
	else {
		est_escape(shown, sizeof(shown), est_span_str(at));
		est_fail(err, EST_E_USAGE, "--subject: %s, at \"%s\" (RFC 4514)", why, shown);
		rc = est_hint(err, "write it like CN=device7,O=Example");
	}
	est_buf_free(&rdns);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Names that are as plain as most are, without the detour of a library that decodes them into a
 * tree: in a large bag the names take most of the time. */
#include <string.h>

#include "x509_text.h"

#define PLAIN_MAX 16 /* RDNs; more are not plain */

/* The types whose short names RFC 4514 section 3 fixes, under 2.5.4. */
static const char *type_name(struct est_span oid)
{
	static const struct {
		uint8_t arc;
		char name[3];
	} names[] = { { 3, "CN" }, { 6, "C" }, { 7, "L" }, { 8, "ST" }, { 10, "O" }, { 11, "OU" } };

	if (oid.n != 3 || oid.p[0] != 0x55 || oid.p[1] != 0x04)
		return NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].arc == oid.p[2])
			return names[i].name;
	}
	return NULL;
}

/* Printable ASCII in which nothing has to be escaped (RFC 4514 section 2.4). */
static bool is_plain(const struct der_tlv *value)
{
	const struct est_span s = value->body;

	if (value->tag != DER_UTF8 && value->tag != DER_PRINTABLE)
		return false;
	/* GnuTLS has no words for an empty one, which some CAs put in. */
	if (s.n > 0 && (s.p[0] == ' ' || s.p[s.n - 1] == ' '))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~' || strchr(",+\"\\<>;=#", s.p[i]))
			return false;
	}
	return true;
}

enum est_code x509_name_plain(struct est_span name, struct est_buf *out, bool *plain,
	struct est_error *err)
{
	struct {
		const char *type;
		struct est_span value;
	} rdn[PLAIN_MAX];
	struct der_tlv list, set, attribute, type, value;
	enum est_code rc = EST_OK;
	size_t n = 0;

	*plain = false;
	if (!der_expect(&name, DER_SEQUENCE, &list))
		return EST_OK;
	while (list.body.n > 0) {
		if (n == PLAIN_MAX || !der_expect(&list.body, DER_SET, &set) ||
			!der_expect(&set.body, DER_SEQUENCE, &attribute) || set.body.n > 0 ||
			!der_expect(&attribute.body, DER_OID, &type) ||
			!der_next(&attribute.body, &value) || !is_plain(&value))
			return EST_OK;
		rdn[n].type = type_name(type.body);
		rdn[n].value = value.body;
		if (!rdn[n++].type)
			return EST_OK;
	}
	*plain = true;
	for (size_t left = n; rc == EST_OK && left-- > 0;) { /* section 2.1: the last one first */
		if (left + 1 < n)
			rc = est_buf_append(out, est_span_str(","), err);
		if (rc == EST_OK)
			rc = est_buf_append(out, est_span_str(rdn[left].type), err);
		if (rc == EST_OK)
			rc = est_buf_append(out, est_span_str("="), err);
		if (rc == EST_OK)
			rc = est_buf_append(out, rdn[left].value, err);
	}
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Part of est.h, which includes it: CSR attributes (RFC 8951 section 4, RFC 9908). */
#ifndef EST_CSRATTRS_API_H
#define EST_CSRATTRS_API_H

#ifndef EST_H
#error "include est.h"
#endif

struct est_csrattr {      /* borrowed from the list */
	const char *oid;  /* dotted */
	const char *name; /* NULL: not known, and to be ignored (RFC 7030 section 4.5.2) */
	bool attribute;   /* an Attribute with values; else a bare OID */
	const struct est_span *values; /* DER of each value */
	size_t n_values;
};

/* DER of CsrAttrs; an empty SEQUENCE is a list of none.  *out is owned, est_csrattrs_free().
 * EST_E_PROTOCOL, for what breaks the rules of RFC 9908 section 3.2 too. */
EST_API enum est_code est_csrattrs_decode(struct est_span der, struct est_quirks *quirks,
	struct est_csrattrs **out, struct est_error *err) EST_MUST_CHECK;
EST_API size_t est_csrattrs_count(const struct est_csrattrs *attrs);
/* Borrowed; i < est_csrattrs_count(). */
EST_API const struct est_csrattr *est_csrattrs_get(const struct est_csrattrs *attrs, size_t i);
/* The DER it was made from; borrowed. */
EST_API struct est_span est_csrattrs_der(const struct est_csrattrs *attrs);
/* One value in words ("secp384r1", "4096", "subjectAltName critical ..."), safe to print; value <
 * n_values. */
EST_API enum est_code est_csrattr_value_text(const struct est_csrattr *attr, size_t value,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;
EST_API void est_csrattrs_free(struct est_csrattrs *attrs);

/* What of RFC 7030 section 3.5 and RFC 7894 CSR attributes ask for: est_plan.demands. */
#define EST_DEMAND_CHALLENGE_PASSWORD 1u
#define EST_DEMAND_IDENTITY_LINKING   2u
#define EST_DEMAND_OTP                4u
#define EST_DEMAND_REVOCATION         8u

#endif

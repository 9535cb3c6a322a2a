/* SPDX-License-Identifier: MIT */
/* Part of est.h, which includes it: a request that follows the CA's CSR attributes (RFC 7030
 * section 4.5, RFC 9908). */
#ifndef EST_PLAN_API_H
#define EST_PLAN_API_H

#ifndef EST_H
#error "include est.h"
#endif

struct est_plan {                  /* zero-initialised is empty; owned, est_plan_wipe() */
	char key_type[16];         /* of the key, as est_key_generate() takes it */
	char hash[8];              /* of the signature; "": by the key */
	struct est_buf subject;    /* DER of the Name */
	struct est_buf extensions; /* DER of the Extensions; empty: none */
	unsigned demands;          /* EST_DEMAND_ bits: more that the CA wants in it */
	bool no_signatures;        /* its keyUsage forbids them */
	bool named;                /* it has a subject or a subjectAltName */
	/* What the CA wants, and what becomes of it: "subjectAltName\thas to be given ...\n". */
	struct est_buf notes;
};

/* What a request has to be to satisfy the operator and the CA.  Nothing is read or sent.
 * spec: what the operator asked for; NULL: nothing, and nothing is refused: the notes alone count.
 * key_type: of the key; fixed: no other will do, else it is the one to prefer.
 * attrs: NULL: the CA wants nothing.
 * The operator's values fill a template.  EST_E_USAGE for a spec that est_csr_build() would not
 * take.  EST_E_INPUT when both cannot be satisfied: reason csrattrs-conflict (they exclude each
 * other), csrattrs-unfilled (the CA wants a value that the operator has not given) or
 * csrattrs-refused (a CA's certificate, names that the operator has not given, keys and
 * signatures that are not made here).  EST_E_PROTOCOL for malformed values. */
EST_API enum est_code est_plan_make(const struct est_csr_spec *spec, const char *key_type,
	bool fixed, const struct est_csrattrs *attrs, struct est_plan *out,
	struct est_error *err) EST_MUST_CHECK;
EST_API void est_plan_wipe(struct est_plan *plan);

#endif

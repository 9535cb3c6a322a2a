/* SPDX-License-Identifier: MIT */
/* The parts of CSR attributes that make a request (RFC 9908 sections 3.2 and 3.4). */
#ifndef EST_CSRATTRS_H
#define EST_CSRATTRS_H

#include "der.h"

#define CSRATTRS_EC       "1.2.840.10045.2.1"
#define CSRATTRS_RSA      "1.2.840.113549.1.1.1"
#define CSRATTRS_EXT_REQ  "1.2.840.113549.1.9.14"
#define CSRATTRS_TEMPLATE "1.2.840.113549.1.9.16.2.61"

struct csrattrs_template {          /* borrowed; an empty span: absent */
	struct est_span subject;    /* contents of the RDNSequenceTemplate */
	struct est_span key;        /* contents of the SubjectPublicKeyInfoTemplate */
	struct est_span extensions; /* contents of the list */
	struct est_span attributes; /* contents of the SET OF Attribute */
	bool has_subject, has_key;
	bool partial; /* extensions came as ExtensionTemplate, not as Extension */
};

/* The EST_DEMAND_ bit of a dotted OID; 0: none. */
unsigned csrattrs_demand(const char *oid);
/* The OID is that of an attribute that stands for a key (RFC 9908 section 3.2). */
bool csrattrs_is_key(const char *oid);

/* The value of the template attribute.  False: not one, by shape.  RFC 9908 section 3.4 allows
 * one list of extensions; with two, *twice is true and the template is not usable. */
bool csrattrs_template_read(struct est_span value, struct csrattrs_template *out, bool *twice);

#endif

/* SPDX-License-Identifier: MIT */
/* The tables that asn1Parser makes of the schemas in this folder. */
#ifndef EST_ASN1_H
#define EST_ASN1_H

#include <libtasn1.h>

extern const asn1_static_node est_cms_asn1_tab[];      /* cms.asn: RFC 5652 */
extern const asn1_static_node est_csrattrs_asn1_tab[]; /* csrattrs.asn: RFC 8951, RFC 9908 */

#endif

/* SPDX-License-Identifier: MIT */
/* The steps of est_file_kind(), for who goes on with what they find. */
#ifndef EST_FILE_KIND_H
#define EST_FILE_KIND_H

#include "pem.h"

/* Of one DER or BER value, by its shape. */
enum est_file_kind file_kind_der(struct est_span data);
/* Of one whose front alone is there, if it is a CRL or a CMS message that is no bag, which alone
 * may be large; else EST_FILE_UNKNOWN. */
enum est_file_kind file_kind_front(struct est_span front);
/* What a PEM label promises; EST_FILE_OTHER_PEM: nothing. */
enum est_file_kind file_kind_label(const struct pem_block *block);
/* As est_file_kind(); with EST_ENCODING_BASE64 der holds what was decoded to find out. */
enum est_file_kind file_kind_decode(struct est_span data, enum est_encoding *encoding,
	struct est_buf *der);

#endif

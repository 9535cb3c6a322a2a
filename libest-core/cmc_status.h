/* SPDX-License-Identifier: MIT */
/* What a Full PKI Response says of the requests it answers (RFC 5272 section 6.1). */
#ifndef EST_CMC_STATUS_H
#define EST_CMC_STATUS_H

#include "est.h"

#define CMC_STATUS_MAX 8 /* status controls that are told; RFC 5272 allows several */

/* The message is SignedData with a PKIResponse in it, DER or BER.  Looks no further. */
bool cmc_is_response(struct est_span message);

/* Appends each status as "failed, popFailed: the CA's words", joined by "; ": CMCStatusInfoV2 and
 * the older CMCStatusInfo.  The words are escaped and cut.  Nothing is appended when the message
 * is no PKIResponse, is malformed or holds no status.  Nobody has verified the message: what it
 * says is for a human to read.  EST_E_INTERNAL without memory. */
enum est_code cmc_status_text(struct est_span message, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

#endif

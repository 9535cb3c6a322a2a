/* SPDX-License-Identifier: MIT */
/* Base64, DER and files for the test server; written apart from the product's. */
#ifndef BYTES_H
#define BYTES_H

#include "est.h"

#include <sys/types.h>

/* EST_E_INTERNAL with GnuTLS's text for code. */
enum est_code gnutls_fail(struct est_error *err, const char *what, int code);

/* Appends; columns 0 is one line without a newline, else every line ends in LF. */
enum est_code b64_encode(struct est_span in, unsigned columns, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* Appends; white space anywhere, else RFC 4648 section 4 to the letter.  EST_E_INPUT. */
enum est_code b64_decode(struct est_span in, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code pem_encode(const char *label, struct est_span der, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

/* Takes one DER element off the front; on false in is unchanged. */
bool tlv_next(struct est_span *in, uint8_t *tag, struct est_span *whole, struct est_span *body);
enum est_code tlv_append(struct est_buf *out, uint8_t tag, struct est_span body,
	struct est_error *err) EST_MUST_CHECK;
/* Certs-only SignedData (RFC 5652 section 5, RFC 8951 section 3).  sorted: the order DER demands
 * of a SET OF; else the order given, as many real servers send it. */
enum est_code bag_encode(const struct est_span *certs, size_t n, bool sorted, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
/* The subject of a certification request, as it is encoded (RFC 2986 section 4.1). */
bool csr_subject(struct est_span csr, struct est_span *out);

struct name_change { /* ChangeSubjectName (RFC 6402 section 2.8): what is not there is to go */
	bool asked;
	struct est_span subject; /* whole Name; empty: not there */
	struct est_span san;     /* whole GeneralNames; likewise */
};

/* false: the attribute is there and wrong. */
bool csr_name_change(struct est_span csr, struct name_change *out);

void hex_encode(struct est_span in, char *out); /* 2 * in.n + 1 characters */
void sha256_hex(struct est_span in, char out[EST_SHA256_HEX]);
/* RFC 3986 section 2.1; false for a broken escape, a NUL, or more than size - 1 bytes. */
bool percent_decode(struct est_span in, char *out, size_t size);
/* A decimal number and nothing else within min..max. */
bool number_parse(const char *s, long min, long max, long *out);
/* 1-64 characters of A-Z a-z 0-9 . _ -, not starting with a dot: cannot leave its folder. */
bool name_is_plain(const char *s);

/* Replaces dir/name by rename. */
enum est_code file_write(const char *dir, const char *name, struct est_span content, mode_t mode,
	struct est_error *err) EST_MUST_CHECK;
enum est_code file_read(const char *dir, const char *name, size_t max, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
bool file_exists(const char *dir, const char *name);

#endif

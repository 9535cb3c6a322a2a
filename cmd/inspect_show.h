/* SPDX-License-Identifier: MIT */
/* How est inspect says what an object is: as lines of text, and as JSON. */
#ifndef EST_CMD_INSPECT_SHOW_H
#define EST_CMD_INSPECT_SHOW_H

#include "est-inspect.h"

struct json_object;

/* Text is appended to out, one aligned "name:  value" line for each fact. */
enum est_code text_line(struct est_buf *out, const char *name, const char *value,
	struct est_error *err) EST_MUST_CHECK;
enum est_code text_span(struct est_buf *out, const char *name, struct est_span value,
	struct est_error *err) EST_MUST_CHECK;
enum est_code text_number(struct est_buf *out, const char *name, size_t value,
	struct est_error *err) EST_MUST_CHECK;
enum est_code text_cert(const struct est_cert_info *info, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code text_details(enum est_file_kind kind, const struct est_cert_details *d,
	struct est_buf *out, struct est_error *err) EST_MUST_CHECK;
enum est_code text_csr(const struct est_csr_info *info, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code text_crl(const struct est_crl_info *info, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code text_entry(const struct est_crl_entry *entry, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code text_cms(const struct est_cms_info *info, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;
enum est_code text_csrattrs(const struct est_csrattrs *attrs, struct est_buf *out,
	struct est_error *err) EST_MUST_CHECK;

/* Owned by the caller.  Certificates: cmd_json_cert(). */
struct json_object *json_details(enum est_file_kind kind, const struct est_cert_details *d);
struct json_object *json_crl(const struct est_crl_info *info);
struct json_object *json_entry(const struct est_crl_entry *entry);
struct json_object *json_cms(const struct est_cms_info *info);
enum est_code json_csrattrs(const struct est_csrattrs *attrs, struct json_object **out,
	struct est_error *err) EST_MUST_CHECK;

#endif

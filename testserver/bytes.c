/* SPDX-License-Identifier: MIT */
/* Base64, DER and files for the test server; written apart from the product's. */
#include "bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum est_code gnutls_fail(struct est_error *err, const char *what, int code)
{
	return est_fail(err, EST_E_INTERNAL, "%s: %s", what, gnutls_strerror(code));
}

/* Up to three bytes into four characters. */
static void b64_quad(const uint8_t *in, size_t n, uint8_t out[4])
{
	uint32_t v = (uint32_t)in[0] << 16;

	if (n > 1)
		v |= (uint32_t)in[1] << 8;
	if (n > 2)
		v |= in[2];
	out[0] = (uint8_t)alphabet[v >> 18];
	out[1] = (uint8_t)alphabet[v >> 12 & 63];
	out[2] = n > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
	out[3] = n > 2 ? (uint8_t)alphabet[v & 63] : '=';
}

enum est_code b64_encode(struct est_span in, unsigned columns, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = EST_OK;
	uint8_t line[8192];
	unsigned column = 0;
	size_t i, k, n = 0;
	uint8_t quad[4];

	for (i = 0; i < in.n && rc == EST_OK; i += 3) {
		b64_quad(in.p + i, in.n - i, quad);
		for (k = 0; k < 4; k++) {
			line[n++] = quad[k];
			if (columns && ++column == columns) {
				line[n++] = '\n';
				column = 0;
			}
		}
		if (n > sizeof(line) - 8) {
			rc = est_buf_append(out, (struct est_span){ line, n }, err);
			n = 0;
		}
	}
	if (column)
		line[n++] = '\n';
	if (rc == EST_OK)
		rc = est_buf_append(out, (struct est_span){ line, n }, err);
	return rc;
}

/* The bytes of four characters, *pad of which are '='. */
static enum est_code b64_flush(const uint8_t value[4], unsigned pad, struct est_buf *out,
	struct est_error *err)
{
	uint32_t v = (uint32_t)value[0] << 18 | (uint32_t)value[1] << 12 | (uint32_t)value[2] << 6 |
		     value[3];
	uint8_t bytes[3] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	if ((pad == 2 && (v & 0xffff)) || (pad == 1 && (v & 0xff)))
		return est_fail(err, EST_E_INPUT,
			"base64: bits under the padding are not zero (RFC 4648 section 3.5)");
	return est_buf_append(out, (struct est_span){ bytes, 3 - pad }, err);
}

enum est_code b64_decode(struct est_span in, struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	unsigned pad = 0, n = 0;
	uint8_t value[4] = { 0 };
	const char *at;
	size_t i;

	for (i = 0; i < in.n && rc == EST_OK; i++) {
		if (in.p[i] == ' ' || in.p[i] == '\t' || in.p[i] == '\r' || in.p[i] == '\n')
			continue;
		if (in.p[i] == '=') {
			if (n < 2 || pad == 2)
				return est_fail(err, EST_E_INPUT,
					"base64: padding at byte %zu is out of place", i);
			pad++;
			value[n++] = 0;
		} else {
			at = in.p[i] ? strchr(alphabet, in.p[i]) : NULL;
			if (!at || pad)
				return est_fail(err, EST_E_INPUT, "base64: byte 0x%02x at %zu %s",
					in.p[i], i,
					at ? "follows the padding" : "is not in the alphabet");
			value[n++] = (uint8_t)(at - alphabet);
		}
		if (n == 4) {
			rc = b64_flush(value, pad, out, err);
			n = 0;
		}
	}
	if (rc == EST_OK && n)
		rc = est_fail(err, EST_E_INPUT, "base64: ends inside a group of four");
	return rc;
}

enum est_code pem_encode(const char *label, struct est_span der, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = est_buf_printf(out, err, "-----BEGIN %s-----\n", label);

	if (rc == EST_OK)
		rc = b64_encode(der, 64, out, err);
	if (rc == EST_OK)
		rc = est_buf_printf(out, err, "-----END %s-----\n", label);
	return rc;
}

bool tlv_next(struct est_span *in, uint8_t *tag, struct est_span *whole, struct est_span *body)
{
	size_t hdr = 2, len, k;

	if (in->n < 2 || (in->p[0] & 0x1f) == 0x1f)
		return false;
	len = in->p[1];
	if (len & 0x80) {
		k = len & 0x7f;
		if (k == 0 || k > 3 || k > in->n - 2)
			return false;
		for (len = 0; k > 0; k--)
			len = len << 8 | in->p[hdr++];
	}
	if (len > in->n - hdr)
		return false;
	*tag = in->p[0];
	*whole = (struct est_span){ in->p, hdr + len };
	*body = (struct est_span){ in->p + hdr, len };
	*in = (struct est_span){ in->p + hdr + len, in->n - hdr - len };
	return true;
}

/* Tag and length octets in front of n bytes. */
static enum est_code tlv_head(struct est_buf *out, uint8_t tag, size_t n, struct est_error *err)
{
	uint8_t head[6] = { tag }, octets = 0;
	size_t len = 1, rest;
	int i;

	if (n >= 0x80)
		for (rest = n; rest; rest >>= 8)
			octets++;
	if (octets > 4)
		return est_fail(err, EST_E_INTERNAL, "DER element of %zu bytes refused", n);
	head[len++] = octets ? (uint8_t)(0x80 | octets) : (uint8_t)n;
	for (i = octets - 1; i >= 0; i--)
		head[len++] = (uint8_t)(n >> (8 * i));
	return est_buf_append(out, (struct est_span){ head, len }, err);
}

enum est_code tlv_append(struct est_buf *out, uint8_t tag, struct est_span body,
	struct est_error *err)
{
	enum est_code rc = tlv_head(out, tag, body.n, err);

	return rc == EST_OK ? est_buf_append(out, body, err) : rc;
}

/* X.690 section 11.6: as octet strings, the shorter one padded with zeros at its end. */
static int span_order(const void *va, const void *vb)
{
	const struct est_span *a = va, *b = vb;
	int c = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return c ? c : (a->n > b->n) - (a->n < b->n);
}

enum est_code bag_encode(const struct est_span *certs, size_t n, bool sorted, struct est_buf *out,
	struct est_error *err)
{
	static const uint8_t oid[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07,
		0x02 };
	/* version 1, no digests, id-data without content */
	static const uint8_t front[] = { 0x02, 0x01, 0x01, 0x31, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a,
		0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 };
	static const uint8_t no_signers[] = { 0x31, 0x00 };
	struct est_buf set = { 0 }, data = { 0 }, seq = { 0 }, all = { 0 };
	struct est_span *order = NULL;
	enum est_code rc;
	size_t i;

	order = calloc(n + 1, sizeof(*order));
	if (!order)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	if (n)
		memcpy(order, certs, n * sizeof(*order));
	if (sorted)
		qsort(order, n, sizeof(*order), span_order);
	for (i = 0, rc = EST_OK; i < n && rc == EST_OK; i++)
		rc = est_buf_append(&set, order[i], err);
	if (rc == EST_OK)
		rc = est_buf_append(&data, (struct est_span){ front, sizeof(front) }, err);
	if (rc == EST_OK)
		rc = tlv_append(&data, 0xa0, est_buf_span(&set), err);
	if (rc == EST_OK)
		rc = est_buf_append(&data, (struct est_span){ no_signers, sizeof(no_signers) },
			err);
	if (rc == EST_OK)
		rc = tlv_append(&seq, 0x30, est_buf_span(&data), err);
	if (rc == EST_OK)
		rc = est_buf_append(&all, (struct est_span){ oid, sizeof(oid) }, err);
	if (rc == EST_OK)
		rc = tlv_append(&all, 0xa0, est_buf_span(&seq), err);
	if (rc == EST_OK)
		rc = tlv_append(out, 0x30, est_buf_span(&all), err);
	est_buf_free(&set);
	est_buf_free(&data);
	est_buf_free(&seq);
	est_buf_free(&all);
	free(order);
	return rc;
}

bool csr_subject(struct est_span csr, struct est_span *out)
{
	struct est_span request, info, whole, version;
	uint8_t tag;

	return tlv_next(&csr, &tag, &whole, &request) && tag == 0x30 &&
	       tlv_next(&request, &tag, &whole, &info) && tag == 0x30 &&
	       tlv_next(&info, &tag, &whole, &version) && tag == 0x02 &&
	       tlv_next(&info, &tag, out, &whole) && tag == 0x30;
}

/* Both members are untagged SEQUENCEs: a Name holds SETs, GeneralNames hold context tags. */
static bool change_members(struct est_span seq, struct name_change *out)
{
	struct est_span whole, body;
	bool any = false;
	uint8_t tag;

	while (seq.n > 0) {
		if (!tlv_next(&seq, &tag, &whole, &body) || tag != 0x30 || out->san.n)
			return false;
		if (body.n > 0 && (body.p[0] & 0xc0) == 0x80)
			out->san = whole;
		else if (out->subject.n)
			return false;
		else
			out->subject = whole;
		any = true;
	}
	return any; /* at least one of them */
}

bool csr_name_change(struct est_span csr, struct name_change *out)
{
	static const uint8_t oid[] = { 0x2b, 6, 1, 5, 5, 7, 7, 36 };
	struct est_span request, info, whole, body, attributes, type, values, value;
	uint8_t tag;

	*out = (struct name_change){ 0 };
	if (!tlv_next(&csr, &tag, &whole, &request) || !tlv_next(&request, &tag, &whole, &info))
		return false;
	do {
		if (!tlv_next(&info, &tag, &whole, &attributes))
			return true; /* none */
	} while (tag != 0xa0);
	while (tlv_next(&attributes, &tag, &whole, &body)) {
		if (!tlv_next(&body, &tag, &whole, &type) || tag != 0x06 ||
			!est_span_eq(type, (struct est_span){ oid, sizeof(oid) }))
			continue;
		if (out->asked || !tlv_next(&body, &tag, &whole, &values) || tag != 0x31 ||
			!tlv_next(&values, &tag, &whole, &value) || tag != 0x30 || values.n ||
			!change_members(value, out))
			return false;
		out->asked = true;
	}
	return true;
}

void hex_encode(struct est_span in, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < in.n; i++) {
		*out++ = digits[in.p[i] >> 4];
		*out++ = digits[in.p[i] & 15];
	}
	*out = '\0';
}

void sha256_hex(struct est_span in, char out[EST_SHA256_HEX])
{
	uint8_t digest[32] = { 0 };

	(void)gnutls_hash_fast(GNUTLS_DIG_SHA256, in.n ? in.p : digest, in.n, digest);
	hex_encode((struct est_span){ digest, sizeof(digest) }, out);
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

bool percent_decode(struct est_span in, char *out, size_t size)
{
	size_t i, n = 0;
	int c;

	for (i = 0; i < in.n; i++) {
		c = in.p[i];
		if (c == '%') {
			if (in.n - i < 3 || hex_value(in.p[i + 1]) < 0 ||
				hex_value(in.p[i + 2]) < 0)
				return false;
			c = hex_value(in.p[i + 1]) << 4 | hex_value(in.p[i + 2]);
			i += 2;
		}
		if (c == 0 || n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

bool number_parse(const char *s, long min, long max, long *out)
{
	char *end;
	long v;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtol(s, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool name_is_plain(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return n > 0 && n <= 64 && s[n] == '\0' && s[0] != '.';
}

static enum est_code write_all(int fd, struct est_span in, const char *path, struct est_error *err)
{
	ssize_t n;

	while (in.n) {
		n = write(fd, in.p, in.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return est_fail(err, EST_E_OUTPUT, "%s: %s", path, strerror(errno));
		in = (struct est_span){ in.p + n, in.n - (size_t)n };
	}
	return EST_OK;
}

enum est_code file_write(const char *dir, const char *name, struct est_span content, mode_t mode,
	struct est_error *err)
{
	char path[PATH_MAX], temp[PATH_MAX];
	enum est_code rc;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
		snprintf(temp, sizeof(temp), "%s/%s.tmp", dir, name) >= (int)sizeof(temp))
		return est_fail(err, EST_E_OUTPUT, "%s: path too long", dir);
	(void)unlink(temp);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return est_fail(err, EST_E_OUTPUT, "%s: %s", temp, strerror(errno));
	rc = write_all(fd, content, temp, err);
	if (close(fd) != 0 && rc == EST_OK)
		rc = est_fail(err, EST_E_OUTPUT, "%s: %s", temp, strerror(errno));
	if (rc == EST_OK && rename(temp, path) != 0)
		rc = est_fail(err, EST_E_OUTPUT, "%s: %s", path, strerror(errno));
	if (rc != EST_OK)
		(void)unlink(temp);
	return rc;
}

enum est_code file_read(const char *dir, const char *name, size_t max, struct est_buf *out,
	struct est_error *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return est_fail(err, EST_E_INPUT, "%s: path too long", dir);
	return est_read_file(path, max, out, err);
}

bool file_exists(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

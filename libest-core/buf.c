/* SPDX-License-Identifier: MIT */
/* Growing byte buffers that may hold secrets, and reading files into them. */
#include "est.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct est_span est_span_str(const char *s)
{
	return (struct est_span){ (const uint8_t *)s, strlen(s) };
}

bool est_span_eq(struct est_span a, struct est_span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Room for n more bytes.  Not realloc(): it would leave an unwiped copy of a secret behind. */
static enum est_code buf_reserve(struct est_buf *buf, size_t n, struct est_error *err)
{
	/* A file is read at once: as much as it has, for all of a buffer is wiped in the end. */
	size_t cap = buf->cap ? buf->cap : n > 4096 ? n : 256;
	uint8_t *p;

	if (n <= buf->cap - buf->n)
		return EST_OK;
	if (n > SIZE_MAX / 4 - buf->n)
		return est_fail(err, EST_E_INTERNAL, "buffer of %zu bytes refused", n);
	while (cap < buf->n + n)
		cap *= 2;
	p = malloc(cap);
	if (!p)
		return est_fail(err, EST_E_INTERNAL, "out of memory (%zu bytes)", cap);
	if (buf->n)
		memcpy(p, buf->p, buf->n);
	if (buf->p) {
		explicit_bzero(buf->p, buf->cap);
		free(buf->p);
	}
	buf->p = p;
	buf->cap = cap;
	return EST_OK;
}

enum est_code est_buf_append(struct est_buf *buf, struct est_span in, struct est_error *err)
{
	enum est_code rc = buf_reserve(buf, in.n, err);

	if (rc != EST_OK || in.n == 0)
		return rc;
	memcpy(buf->p + buf->n, in.p, in.n);
	buf->n += in.n;
	return EST_OK;
}

enum est_code est_buf_printf(struct est_buf *buf, struct est_error *err, const char *fmt, ...)
{
	enum est_code rc;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return est_fail(err, EST_E_INTERNAL, "cannot format text: %s", strerror(errno));
	rc = buf_reserve(buf, (size_t)n + 1, err);
	if (rc != EST_OK)
		return rc;
	va_start(ap, fmt);
	(void)vsnprintf((char *)buf->p + buf->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf->n += (size_t)n;
	return EST_OK;
}

void est_buf_free(struct est_buf *buf)
{
	if (buf->p) {
		explicit_bzero(buf->p, buf->cap);
		free(buf->p);
	}
	*buf = (struct est_buf){ 0 };
}

/* Reads fd to its end, at most max bytes, straight into the buffer: stdio would keep a copy. */
static enum est_code buf_read_fd(struct est_buf *buf, int fd, size_t expect, size_t max,
	const char *name, struct est_error *err)
{
	size_t start = buf->n;
	enum est_code rc;
	ssize_t got;

	/* One byte more than expected, so that a regular file ends without another growth. */
	rc = buf_reserve(buf, (expect < max ? expect : max) + 1, err);
	while (rc == EST_OK) {
		got = read(fd, buf->p + buf->n, buf->cap - buf->n);
		if (got == 0)
			return EST_OK;
		if (got < 0 && errno == EINTR)
			return est_fail(err, EST_E_INTERRUPTED, "%s: interrupted", name);
		if (got < 0)
			return est_fail(err, EST_E_INPUT, "%s: cannot read: %s", name,
				strerror(errno));
		buf->n += (size_t)got;
		if (buf->n - start > max)
			return est_fail(err, EST_E_INPUT, "%s: larger than %zu bytes", name, max);
		if (buf->n == buf->cap)
			rc = buf_reserve(buf, 4096, err);
	}
	return rc;
}

enum est_code est_read_file(const char *path, size_t max, struct est_buf *out,
	struct est_error *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *name = is_stdin ? "standard input" : path;
	size_t start = out->n;
	enum est_code rc;
	struct stat st;
	int fd;

	fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == EINTR) /* a FIFO without a writer */
		return est_fail(err, EST_E_INTERRUPTED, "%s: interrupted", path);
	if (fd < 0)
		return est_fail(err, EST_E_INPUT, "%s: cannot open: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0)
		rc = est_fail(err, EST_E_INPUT, "%s: %s", name, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		rc = est_fail(err, EST_E_INPUT, "%s: is a directory, not a file", name);
	else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
		rc = est_fail(err, EST_E_INPUT, "%s: %lld bytes, larger than the limit of %zu",
			name, (long long)st.st_size, max);
	else
		rc = buf_read_fd(out, fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 4096, max,
			name, err);
	if (!is_stdin)
		(void)close(fd);
	if (rc != EST_OK && out->p) {
		explicit_bzero(out->p + start, out->n - start);
		out->n = start;
	}
	return rc;
}

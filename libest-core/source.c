/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_BYTES (256u << 10) /* read at once */

static enum est_code open_fd(const char *path, size_t max, struct source *s, struct est_error *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct stat st;

	s->name = is_stdin ? "standard input" : path;
	s->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0 && errno == EINTR) /* a FIFO without a writer */
		return est_fail(err, EST_E_INTERRUPTED, "%s: interrupted", path);
	if (s->fd < 0)
		return est_fail(err, EST_E_INPUT, "%s: cannot open: %s", path, strerror(errno));
	if (fstat(s->fd, &st) != 0)
		return est_fail(err, EST_E_INPUT, "%s: %s", s->name, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return est_fail(err, EST_E_INPUT, "%s: is a directory, not a file", s->name);
	s->regular = S_ISREG(st.st_mode) && st.st_size > 0; /* those of /proc say 0 */
	if (s->regular && (uint64_t)st.st_size > max)
		return est_fail(err, EST_E_INPUT, "%s: %lld bytes, larger than the limit of %zu",
			s->name, (long long)st.st_size, max);
	s->size = s->regular ? (size_t)st.st_size : 0;
	s->room = max + 1; /* one more, to see the end */
	return EST_OK;
}

/* Pages cost nothing before something is read into them. */
static uint8_t *set_aside(size_t n)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	/* cppcheck-suppress invalidFunctionArg; what POSIX asks for without a file */
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, flags, -1, 0);

	/* cppcheck-suppress memleak; the caller's */
	return p == MAP_FAILED ? NULL : p;
}

enum est_code source_open(const char *path, size_t max, struct source *out, struct est_error *err)
{
	struct source s = { .fd = -1 };
	enum est_code rc = open_fd(path, max, &s, err);

	if (rc == EST_OK) {
		s.p = set_aside(s.room);
		while (!s.p && s.room / 2 > s.size + PART_BYTES) /* little address space */
			s.p = set_aside(s.room /= 2);
		if (!s.p)
			rc = est_fail(err, EST_E_INTERNAL, "out of memory (%zu bytes)", s.room);
	}
	if (rc == EST_OK)
		rc = source_fill(&s, s.regular ? PART_BYTES : 1,
			err); /* nobody knows what follows */
	if (rc == EST_OK)
		*out = s;
	else
		source_close(&s);
	return rc;
}

enum est_code source_fill(struct source *s, size_t upto, struct est_error *err)
{
	size_t n;
	ssize_t got;

	while (!s->end && s->filled < upto) {
		n = s->room - s->filled < PART_BYTES ? s->room - s->filled : PART_BYTES;
		got = read(s->fd, s->p + s->filled, n);
		if (got < 0 && errno == EINTR)
			return est_fail(err, EST_E_INTERRUPTED, "%s: interrupted", s->name);
		if (got < 0)
			return est_fail(err, EST_E_INPUT, "%s: cannot read: %s", s->name,
				strerror(errno));
		s->filled += (size_t)got;
		s->end = got == 0;
		if (s->filled == s->room)
			return est_fail(err, EST_E_INPUT, "%s: larger than %zu bytes", s->name,
				s->room - 1);
	}
	return EST_OK;
}

void source_close(struct source *s)
{
	if (s->p) {
		explicit_bzero(s->p, s->filled);
		(void)munmap(s->p, s->room);
	}
	if (s->fd > STDIN_FILENO)
		(void)close(s->fd);
	*s = (struct source){ .fd = -1 };
}

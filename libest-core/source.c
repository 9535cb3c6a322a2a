/* SPDX-License-Identifier: MIT */
/* Files and memory as sources; what lies in another source is in source_inside.c. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

static enum est_code room_for(struct source *s, struct est_error *err)
{
	s->p = set_aside(s->room);
	while (!s->p && s->room / 2 > s->size + s->part) /* little address space */
		s->p = set_aside(s->room /= 2);
	return s->p ? EST_OK : est_fail(err, EST_E_INTERNAL, "out of memory (%zu bytes)", s->room);
}

struct source source_of(struct est_span data)
{
	return (struct source){
		.fd = -1,
		/* Never written: there is no more of it. */
		.p = data.n > 0 ? (uint8_t *)data.p : (uint8_t *)"",
		.room = data.n,
		.filled = data.n,
		.part = SOURCE_PART,
		.end = true,
		.borrowed = true,
	};
}

enum est_code source_inside(struct source *s, struct source *text, size_t at, size_t room,
	struct est_error *err)
{
	enum est_code rc;

	s->fd = -1;
	s->text = text;
	s->at = at;
	s->part = text->part;
	s->room = room;
	rc = room_for(s, err);
	if (rc == EST_OK)
		rc = source_fill(s, 1, err);
	if (rc != EST_OK)
		source_close(s);
	return rc;
}

size_t source_left(const struct source *s, size_t at)
{
	return (s->end ? s->filled : s->room) - at;
}

/* Who waits for a pipe or a terminal is told so now and then. */
static enum est_code wait_file(const struct source *s, struct est_error *err)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLIN };
	int n;

	while ((n = poll(&fd, 1, SOURCE_WAIT_MS)) == 0)
		s->waits(s->ctx);
	return n < 0 && errno == EINTR
		       ? est_fail(err, EST_E_INTERRUPTED, "%s: interrupted", s->name)
		       : EST_OK; /* read() has the better words */
}

static enum est_code fill_file(struct source *s, struct est_error *err)
{
	size_t n = s->room - s->filled < s->part ? s->room - s->filled : s->part;
	ssize_t got;

	if (s->waits && !s->regular && wait_file(s, err) != EST_OK)
		return err->code;
	got = read(s->fd, s->p + s->filled, n);
	if (got < 0 && errno == EINTR)
		return est_fail(err, EST_E_INTERRUPTED, "%s: interrupted", s->name);
	if (got < 0)
		return est_fail(err, EST_E_INPUT, "%s: cannot read: %s", s->name, strerror(errno));
	s->filled += (size_t)got;
	s->end = got == 0;
	if (s->filled == s->room)
		return est_fail(err, EST_E_INPUT, "%s: larger than %zu bytes", s->name,
			s->room - 1);
	return EST_OK;
}

enum est_code source_open(const char *path, size_t max, size_t part, source_waits_fn *waits,
	void *ctx, struct source *out, struct est_error *err)
{
	struct source s = { .part = part, .fill = fill_file, .waits = waits, .ctx = ctx };
	enum est_code rc = open_fd(path, max, &s, err);

	if (rc == EST_OK)
		rc = room_for(&s, err);
	if (rc == EST_OK)
		rc = source_fill(&s, s.regular ? part : 1, err); /* nobody knows what follows */
	if (rc == EST_OK)
		*out = s;
	else
		source_close(&s);
	return rc;
}

enum est_code source_fill(struct source *s, size_t upto, struct est_error *err)
{
	enum est_code rc = EST_OK;

	while (rc == EST_OK && !s->end && s->filled < upto)
		rc = s->fill(s, err);
	if (rc == EST_OK && s->filled < upto && s->broken.code != EST_OK) {
		*err = s->broken;
		rc = err->code;
	}
	return rc;
}

void source_forget(struct source *s, size_t before)
{
	before -= before % SOURCE_PART; /* whole pages */
	if (s->borrowed || before <= s->gone)
		return;
	explicit_bzero(s->p + s->gone, before - s->gone); /* pages that cannot be given back */
	(void)madvise(s->p + s->gone, before - s->gone, MADV_DONTNEED);
	s->gone = before;
}

void source_close(struct source *s)
{
	if (s->p && !s->borrowed) {
		explicit_bzero(s->p + s->gone, s->filled - s->gone);
		(void)munmap(s->p, s->room);
	}
	if (s->fd > STDIN_FILENO)
		(void)close(s->fd);
	*s = (struct source){ .fd = -1 };
}

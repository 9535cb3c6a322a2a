/* SPDX-License-Identifier: MIT */
/* The request of an enrolment under way, and when its server may be asked again. */
#include "pending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "again.h"
#include "csr.h"
#include "http_parse.h"
#include "store.h"

/* Of fixed length, so that a 202 changes them in place: no second file, and no room that a disk may
 * not have.  A torn one keeps nobody waiting. */
#define TIMES_FORM "Date: %s\nRetry-After: %s\n"
#define DATE_FORM  "%a, %d %b %Y %H:%M:%S GMT" /* RFC 9110 section 5.6.7 */
#define DATE_SIZE  32
#define TIMES_SIZE (sizeof(TIMES_FORM) + 2 * DATE_SIZE)

struct est_pending {
	struct est_client *client;
	char *path;         /* NAME.est-csr */
	char *dir;          /* where it is */
	char *server;       /* that this run asks */
	int fd;             /* of the file, for writing; -1: there is none that is ours */
	struct est_buf csr; /* in it; empty: none that is whole */
	bool accepted;      /* a 202 has come */
	bool current;       /* the lines before it are of this server */
	time_t date, when;  /* they say */
};

static enum est_code no_memory(struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, "out of memory");
}

static const char *date_text(time_t when, char out[DATE_SIZE])
{
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(out, DATE_SIZE, DATE_FORM, &tm))
		*out = 0; /* a year of too many digits, which no clock has */
	return out;
}

/* Takes "NAME: value\n". */
static bool take_line(struct est_span *text, const char *name, struct est_span *value)
{
	const size_t n = strlen(name);
	const uint8_t *end = memchr(text->p, '\n', text->n);

	if (!end || (size_t)(end - text->p) < n || memcmp(text->p, name, n) != 0)
		return false;
	*value = (struct est_span){ text->p + n, (size_t)(end - text->p) - n };
	*text = (struct est_span){ end + 1, text->n - (size_t)(end + 1 - text->p) };
	return true;
}

static bool parse(struct est_span text, time_t *date, time_t *when, struct est_span *server)
{
	const time_t now = time(NULL);
	struct est_span from, until;

	return text.n > 0 && take_line(&text, "Date: ", &from) &&
	       take_line(&text, "Retry-After: ", &until) && take_line(&text, "Server: ", server) &&
	       http_date(from, now, date) && http_date(until, now, when) && *when >= *date &&
	       *when - *date <= EST_PENDING_MAX_S;
}

/* One that this user can have left: others may write into a directory like /tmp, too. */
static int open_own(const char *path, int flags)
{
	int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
		st.st_nlink == 1)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* A link's name is that of what it points to, but for that to the folder of a store. */
static enum est_code name_file(const char *name, char **path, char **dir, struct est_error *err)
{
	struct store_target target = { 0 };
	struct est_error ignored;
	const char *slash;

	if (store_target_init(name, 0, &target, &ignored) == EST_OK)
		name = target.path;
	slash = strrchr(name, '/');
	if (asprintf(path, "%s.est-csr", name) < 0)
		*path = NULL;
	*dir = slash ? strndup(name, (size_t)(slash - name) + 1) : strdup(".");
	store_target_wipe(&target);
	return *path && *dir ? EST_OK : no_memory(err);
}

static enum est_code name_server(struct est_pending *p, struct est_error *err)
{
	const struct url *url = &p->client->url;

	if (asprintf(&p->server, "https://%s%s", url->authority, url->base) < 0)
		p->server = NULL;
	return p->server ? EST_OK : no_memory(err);
}

static void judge_text(struct est_pending *p, struct est_span text)
{
	struct est_span server;
	char shown[300];

	if (!parse(text, &p->date, &p->when, &server))
		client_log(p->client, EST_LOG_NOTICE,
			"%s does not say when to come back: the server is asked now", p->path);
	else if (!est_span_eq(server, est_span_str(p->server)))
		client_log(p->client, EST_LOG_NOTICE,
			"%s: the unfinished run has asked %s, this one asks %s", p->path,
			est_escape(shown, sizeof(shown), server), p->server);
	else
		p->current = true;
}

/* What is not whole is not there: it was never sent, or is made anew. */
static enum est_code read_file(struct est_pending *p, struct est_error *err)
{
	struct est_buf text = { 0 };
	enum est_code rc;

	p->fd = open_own(p->path, O_RDWR);
	if (p->fd < 0)
		return EST_OK;
	rc = est_read_file(p->path, EST_FILE_MAX, &text, err);
	if (rc == EST_OK)
		rc = csr_from_text(est_buf_span(&text), p->path, &p->csr, err);
	if (rc == EST_OK)
		judge_text(p, est_buf_span(&text));
	est_buf_free(&text);
	return rc == EST_E_INPUT ? EST_OK : rc;
}

enum est_code est_pending_open(struct est_client *client, const char *name,
	struct est_pending **out, bool *found, struct est_error *err)
{
	struct est_pending *p = calloc(1, sizeof(*p));
	enum est_code rc;

	if (!p)
		return no_memory(err);
	p->client = client;
	p->fd = -1;
	rc = name_file(name, &p->path, &p->dir, err);
	if (rc == EST_OK)
		rc = name_server(p, err);
	if (rc == EST_OK)
		rc = read_file(p, err);
	if (rc != EST_OK) {
		est_pending_free(p);
		return rc;
	}
	*found = access(p->path, F_OK) == 0;
	*out = p;
	return EST_OK;
}

static void set_times(struct est_pending *p, time_t now, time_t seconds)
{
	char text[TIMES_SIZE], date[DATE_SIZE], when[DATE_SIZE];
	ssize_t n;

	p->date = now;
	p->when = now + seconds;
	n = snprintf(text, sizeof(text), TIMES_FORM, date_text(p->date, date),
		date_text(p->when, when));
	if (p->fd < 0 || pwrite(p->fd, text, (size_t)n, 0) != n || fsync(p->fd) != 0)
		client_log(p->client, EST_LOG_NOTICE, "%s: the time to come back is not kept",
			p->path);
}

/* State pending.  Rounded up, and at least a second: not earlier than told. */
void pending_told(struct est_pending *p, int64_t seconds)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	seconds = seconds < 1 ? 1 : seconds;
	seconds = seconds < EST_PENDING_MAX_S ? seconds + (now.tv_nsec > 0) : EST_PENDING_MAX_S;
	p->accepted = true;
	set_times(p, now.tv_sec, (time_t)seconds);
}

enum est_code est_pending_wait(struct est_pending *p, struct est_error *err)
{
	const time_t now = time(NULL);
	char when[DATE_SIZE];

	if (!p->current || now >= p->when)
		return EST_OK;
	if (now < p->date) /* the clock was set back: how long it has been, nobody knows */
		set_times(p, now, p->when - p->date);
	est_fail(err, EST_E_PENDING,
		"%s: the server has had this request, and is not to be asked again before %s (RFC "
		"7030 section 4.2.3; est-renew(7), the clock)",
		p->path, date_text(p->when, when));
	err->retry_after_s = p->when - now;
	est_hint(err, "run the same command again after %lld s", (long long)err->retry_after_s);
	return again_come_back(p->client, err);
}

/* State requested.  Not truncated in place: what has the name may be a link that somebody else has
 * put there. */
static enum est_code write_file(struct est_pending *p, struct est_span der, struct est_error *err)
{
	struct est_buf text = { 0 };
	char now[DATE_SIZE];
	enum est_code rc;

	if (p->fd >= 0)
		(void)close(p->fd);
	p->fd = -1;
	if (unlink(p->path) == 0 || errno == ENOENT)
		p->fd = open(p->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->fd < 0)
		return store_fail(p->path, "cannot make it", err);
	p->date = p->when = time(NULL);
	date_text(p->date, now);
	rc = est_buf_printf(&text, err, TIMES_FORM "Server: %s\n", now, now, p->server);
	if (rc == EST_OK)
		rc = est_pem_append(&text, "CERTIFICATE REQUEST", der, err);
	if (rc == EST_OK)
		rc = store_write(p->fd, est_buf_span(&text), p->path, err);
	if (rc == EST_OK)
		rc = store_sync_dir(p->dir, err);
	est_buf_free(&text);
	return rc;
}

/* Whether two requests ask for the same; their signatures differ by chance. */
static bool same_request(struct est_span a, struct est_span b)
{
	struct csr_view va, vb;
	struct est_error ignored;

	return csr_view(a, "", &va, &ignored) == EST_OK &&
	       csr_view(b, "", &vb, &ignored) == EST_OK && est_span_eq(va.info, vb.info) &&
	       est_span_eq(va.algorithm, vb.algorithm);
}

enum est_code est_pending_request(struct est_pending *p, struct est_buf *der, bool *same,
	struct est_error *err)
{
	const bool is_same = same_request(est_buf_span(der), est_buf_span(&p->csr));
	const struct est_span send = est_buf_span(is_same ? &p->csr : der);
	enum est_code rc = is_same && p->current ? EST_OK : write_file(p, send, err);

	if (rc == EST_OK && is_same) {
		der->n = 0;
		rc = est_buf_append(der, send, err);
	}
	if (rc == EST_OK)
		*same = is_same;
	return rc;
}

bool est_pending_accepted(const struct est_pending *p)
{
	return p->accepted;
}

void est_pending_remove(struct est_pending *p)
{
	(void)unlink(p->path);
}

void est_pending_free(struct est_pending *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		(void)close(p->fd);
	est_buf_free(&p->csr);
	free(p->path);
	free(p->dir);
	free(p->server);
	free(p);
}

bool est_pending_look(const char *name, time_t *when)
{
	char *path = NULL, *dir = NULL;
	struct est_buf text = { 0 };
	struct est_span server;
	struct est_error ignored;
	time_t date;
	int fd = -1;

	if (name_file(name, &path, &dir, &ignored) == EST_OK)
		fd = open_own(path, O_RDONLY);
	*when = 0;
	if (fd >= 0 && (est_read_file(path, EST_FILE_MAX, &text, &ignored) != EST_OK ||
			       !parse(est_buf_span(&text), &date, when, &server)))
		*when = 0;
	if (fd >= 0)
		(void)close(fd);
	est_buf_free(&text);
	free(path);
	free(dir);
	return fd >= 0;
}

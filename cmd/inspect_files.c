/* SPDX-License-Identifier: MIT */
/* est inspect: the files and folders that were named, one after the other. */
#include <dirent.h>
#include <errno.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "jsonc.h"

#include "inspect.h"

#define INSPECT_FILE_MAX (256u << 20) /* bytes; text goes out object by object */
#define FOLDERS_MAX      32           /* in one another */

#define PROGRESS_AFTER_MS 1000 /* before that nobody looks */
#define PROGRESS_EACH_MS  200
#define PROGRESS_OBJECTS  64 /* between two looks at the clock */

/* ---- The line that a terminal shows of a long run ---------------------------------------------
 */

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void inspect_progress_begin(struct inspect *in)
{
	in->may_tell = cmd_may_count_down(in->cmd) &&
		       (in->hold || in->tree || in->silent || !isatty(STDOUT_FILENO));
	in->begun_ms = now_ms();
}

void inspect_progress(struct inspect *in, const char *fmt, ...)
{
	char line[80];
	uint64_t now;
	va_list ap;

	if (!in->may_tell || in->n_told++ % PROGRESS_OBJECTS != 0)
		return;
	now = now_ms();
	if (now < in->begun_ms + PROGRESS_AFTER_MS || now < in->told_ms + PROGRESS_EACH_MS)
		return;
	in->told_ms = now;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line) - strlen("est: inspect: "), fmt, ap);
	va_end(ap);
	cmd_printable(line, sizeof(line));
	fprintf(stderr, "\rest: inspect: %-64.64s", line);
	fflush(stderr);
	in->telling = true;
}

void inspect_progress_end(struct inspect *in)
{
	if (in->telling)
		fprintf(stderr, "\r%79s\r", "");
	in->telling = false;
}

/* ---- One file ----------------------------------------------------------------------------------
 */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* What is odd about a file that could be read; with --strict it is an error. */
static void report_quirks(struct inspect *in)
{
	struct est_error err = { 0 };

	if (in->n_seen > 1)
		qsort(in->seen, in->n_seen, sizeof(*in->seen), by_value);
	for (size_t i = 1; i < in->n_seen; i++) {
		if (in->seen[i] == in->seen[i - 1])
			in->quirks.seen |= 1u << EST_Q_DUPLICATE;
	}
	for (int q = 0; q < EST_QUIRKS; q++) {
		if (!(in->quirks.seen & 1u << q))
			continue;
		if (in->cmd->v.strict) {
			est_fail(&err, EST_E_PROTOCOL, "%s: %s (%s), refused by --strict", in->file,
				est_quirk_text(q), est_quirk_id(q));
			inspect_failure(in, &err);
		} else {
			cmd_verbose(in->cmd, "%s: %s (%s)", in->file, est_quirk_text(q),
				est_quirk_id(q));
		}
	}
}

/* A file that holds nothing of ours: somebody named it, or it only lies in a folder. */
static enum est_code report_other(struct inspect *in, bool named, const struct est_error *why)
{
	struct json_object *o;
	struct est_error err;

	if (named || in->cmd->v.strict || !why->reason || strcmp(why->reason, "other-kind") != 0) {
		inspect_failure(in, why);
		return EST_OK;
	}
	cmd_verbose(in->cmd, "%s", why->msg);
	if (!in->cmd->json)
		return EST_OK;
	o = json_object_new_object();
	jsonc_string(o, "file", in->file);
	jsonc_string(o, "message", why->msg);
	return inspect_json(in, "skipped", o, &err) == EST_OK ? EST_OK : err.code;
}

/* The name as it is shown; owned by in, whose certificates refer to it. */
static enum est_code name_file(struct inspect *in, const char *path)
{
	char shown[512], **files;

	(void)est_escape(shown, sizeof(shown),
		est_span_str(strcmp(path, "-") == 0 ? "standard input" : path));
	files = realloc(in->files, (in->n_files + 1) * sizeof(*files));
	if (files)
		in->files = files;
	in->file = files ? files[in->n_files] = strdup(shown) : NULL;
	if (!in->file)
		return est_fail(&in->cmd->err, EST_E_INTERNAL, "out of memory");
	in->n_files++;
	return EST_OK;
}

/* The message begins with the name of the file. */
static bool names(const struct est_error *err, const char *file)
{
	size_t n = strlen(file);

	return strncmp(err->msg, file, n) == 0 && strncmp(err->msg + n, ": ", 2) == 0;
}

/* A pipe is silent: what is known is shown meanwhile. */
static void waits(void *ctx)
{
	struct inspect *in = ctx;

	(void)fflush(stdout); /* that it fails is found again at the end */
	in->n_told = 0;
	inspect_progress(in, "%zu objects, waiting for %s", in->n_objects, in->file);
}

/* EST_OK also when the file is bad, which in->rc then says; another code ends the run. */
static enum est_code one_file(struct inspect *in, const char *path, bool named)
{
	struct est_error err = { 0 }, inner;
	const struct est_reading reading = { in->password, inspect_begins, waits };
	size_t before = in->n_objects;
	enum est_code rc = name_file(in, path);

	if (rc != EST_OK)
		return rc;
	in->announced = 0;
	in->quirks = (struct est_quirks){ 0 };
	in->n_seen = in->n_broken = 0;
	rc = est_objects_file(path, INSPECT_FILE_MAX, &reading, &in->quirks, inspect_object, in,
		&err);
	if (rc == EST_E_PROTOCOL)
		rc = EST_E_INPUT;
	if (rc == EST_E_INPUT && !names(&err, path) && !names(&err, in->file)) {
		inner = err;
		est_fail(&err, rc, "%s: %.480s", in->file, inner.msg);
		if (inner.reason)
			est_reason(&err, inner.reason);
	}
	if (rc == EST_E_INPUT) /* the name in it came from a folder, perhaps by a shell's * */
		cmd_printable(err.msg, sizeof(err.msg));
	if (rc == EST_OK && in->n_broken > INSPECT_FAILURES_MAX) {
		est_fail(&err, EST_E_INPUT, "%s: %zu broken objects in all", in->file,
			in->n_broken);
		inspect_failure(in, &err);
	}
	if (rc == EST_OK && in->n_objects == before && in->n_broken == 0) {
		est_fail(&err, EST_E_INPUT, "%s: nothing to show in it", in->file);
		est_reason(&err, "other-kind");
		rc = report_other(in, named, &err);
	}
	report_quirks(in);
	in->all_quirks |= in->quirks.seen;
	if (rc == EST_E_INPUT)
		rc = report_other(in, named, &err);
	if (rc != EST_OK)
		in->cmd->err = err;
	return rc;
}

/* ---- Folders -----------------------------------------------------------------------------------
 */

struct folder { /* one -r */
	struct inspect *in;
	void *seen; /* a tree of struct file_id, for a folder of certificates is full of links */
};

struct file_id {
	dev_t dev;
	ino_t ino;
};

static int id_order(const void *a, const void *b)
{
	const struct file_id *x = a, *y = b;

	return x->dev != y->dev ? (x->dev > y->dev) - (x->dev < y->dev)
				: (x->ino > y->ino) - (x->ino < y->ino);
}

/* Whether this file is met for the first time. */
static enum est_code is_new(struct folder *f, const struct stat *st, bool *out)
{
	struct file_id *id = malloc(sizeof(*id)), **found = NULL;

	if (id) {
		*id = (struct file_id){ st->st_dev, st->st_ino };
		found = tsearch(id, &f->seen, id_order);
	}
	*out = found && *found == id;
	if (!found || *found != id)
		free(id);
	return found ? EST_OK : est_fail(&f->in->cmd->err, EST_E_INTERNAL, "out of memory");
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum est_code one_folder(struct folder *f, const char *path, unsigned depth);

/* Links to files are followed, links to folders are not: they could lead back. */
static enum est_code one_entry(struct folder *f, const char *path, unsigned depth)
{
	struct stat st, link;
	enum est_code rc;
	bool new;

	if (cmd_stop)
		return est_fail(&f->in->cmd->err, EST_E_INTERRUPTED, "interrupted");
	if (lstat(path, &link) != 0 || stat(path, &st) != 0)
		return EST_OK; /* a link to nowhere, or gone */
	if (S_ISDIR(link.st_mode))
		return one_folder(f, path, depth + 1);
	if (!S_ISREG(st.st_mode))
		return EST_OK; /* what is no file could make us wait */
	rc = is_new(f, &st, &new);
	return rc == EST_OK && new ? one_file(f->in, path, false) : rc;
}

static enum est_code one_folder(struct folder *f, const char *path, unsigned depth)
{
	struct dirent **entry = NULL;
	struct est_error why = { 0 };
	enum est_code rc = EST_OK;
	char *name;
	int n;

	n = depth < FOLDERS_MAX ? scandir(path, &entry, not_dots, by_name) : -1;
	if (n < 0) {
		if (depth < FOLDERS_MAX)
			est_fail(&why, EST_E_INPUT, "%.400s: cannot read: %s", path,
				strerror(errno));
		else
			est_fail(&why, EST_E_INPUT, "%.400s: more than %d folders in one another",
				path, FOLDERS_MAX);
		cmd_printable(why.msg, sizeof(why.msg));
		inspect_failure(f->in, &why);
		return EST_OK;
	}
	for (int i = 0; i < n; i++) {
		if (rc == EST_OK &&
			asprintf(&name, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/",
				entry[i]->d_name) < 0)
			rc = est_fail(&f->in->cmd->err, EST_E_INTERNAL, "out of memory");
		if (rc == EST_OK) {
			rc = one_entry(f, name, depth);
			free(name);
		}
		free(entry[i]);
	}
	free(entry);
	return rc;
}

enum est_code inspect_operand(struct inspect *in, const char *path)
{
	struct folder folder = { .in = in };
	size_t before = in->n_objects;
	struct est_error why = { 0 };
	struct stat st;
	enum est_code rc;

	if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return one_file(in, path, true);
	if (!in->cmd->v.recursive) {
		est_fail(&why, EST_E_INPUT, "%.400s: is a directory, not a file", path);
		est_hint(&why, "-r reads the files in it");
		inspect_failure(in, &why);
		return EST_OK;
	}
	rc = one_folder(&folder, path, 0);
	tdestroy(folder.seen, free);
	if (rc == EST_OK && in->n_objects == before && in->rc == EST_OK) {
		est_fail(&why, EST_E_INPUT, "%.400s: no file with something to show in it", path);
		inspect_failure(in, &why);
	}
	return rc;
}

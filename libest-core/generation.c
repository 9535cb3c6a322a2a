/* SPDX-License-Identifier: MIT */
/* Generations in a store: DIR/gen-000001 and so on, DIR/current names one of them. */
#include "generation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

#define PREFIX     "gen-"
#define DIGITS     6
#define NUMBER_MAX 999999
#define NEXT       ".est-next" /* while it is not complete */

enum { KEY, CERT, CHAIN, FULLCHAIN, FILES };
static const char *const names[FILES] = { "key.pem", "cert.pem", "chain.pem", "fullchain.pem" };

struct est_generation {
	char *dir;     /* of the store */
	char *folder;  /* under its first or its final name */
	char *current; /* the link, and what is to replace it */
	char *link;
	bool committed;
};

static enum est_code no_memory(struct est_error *err)
{
	return est_fail(err, EST_E_INTERNAL, "out of memory");
}

static char *join(const char *dir, const char *name)
{
	char *out;

	return asprintf(&out, "%s/%s", dir, name) < 0 ? NULL : out;
}

/* 0: not the name of a generation. */
static unsigned number_of(const char *name)
{
	unsigned n = 0;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || strlen(name) != strlen(PREFIX) + DIGITS)
		return 0;
	for (name += strlen(PREFIX); *name; name++) {
		if (*name < '0' || *name > '9')
			return 0;
		n = n * 10 + (unsigned)(*name - '0');
	}
	return n;
}

static char *name_of(const char *dir, unsigned n)
{
	char *out;

	return asprintf(&out, "%s/" PREFIX "%0*u", dir, DIGITS, n) < 0 ? NULL : out;
}

/* The generation that the link names; 0: none. */
static unsigned in_use(const char *current)
{
	char name[sizeof(PREFIX) + DIGITS] = "";
	ssize_t n = readlink(current, name, sizeof(name));

	if (n <= 0 || (size_t)n >= sizeof(name))
		return 0;
	name[n] = '\0';
	return number_of(name);
}

/* What a generation holds, and nothing else: a folder with files of somebody else's stays. */
static void remove_folder(const char *folder)
{
	for (size_t i = 0; i < FILES; i++) {
		char *file = join(folder, names[i]);

		if (file)
			(void)unlink(file);
		free(file);
	}
	(void)rmdir(folder);
}

static int is_generation(const struct dirent *e)
{
	return number_of(e->d_name) > 0;
}

/* The highest number of a generation below that one; 0: none. */
static unsigned newest(const char *dir, unsigned below)
{
	struct dirent **list;
	unsigned max = 0;
	int n = scandir(dir, &list, is_generation, alphasort);

	for (int i = 0; i < n; i++) {
		unsigned number = number_of(list[i]->d_name);

		if (number > max && number < below)
			max = number;
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return max;
}

static void remove_number(const char *dir, unsigned n)
{
	char *folder = name_of(dir, n);

	if (folder)
		remove_folder(folder);
	free(folder);
}

void generation_prune(const char *current, const char *former, unsigned keep)
{
	const char *slash = strrchr(current, '/');
	char *dir = strndup(current, slash ? (size_t)(slash - current) : 0);
	unsigned below = in_use(current), last = in_use(former), n;

	if (keep > 0 && last > 0 && last < below)
		keep--;
	else
		last = 0;
	while (dir && below > 0 && (n = newest(dir, below)) > 0) {
		below = n;
		if (n == last)
			continue;
		if (keep > 0)
			keep--;
		else
			remove_number(dir, n);
	}
	free(dir);
}

/* What was begun.  Not a generation with a number: it may hold the only key that fits a
 * certificate, and which one is in use is the operator's to say. */
static void remove_begun(const struct est_generation *g)
{
	char *next = join(g->dir, NEXT);

	if (next)
		remove_folder(next);
	free(next);
	(void)unlink(g->link);
}

static enum est_code check_current(const struct est_generation *g, struct est_error *err)
{
	struct stat st;

	if (lstat(g->current, &st) != 0)
		return errno == ENOENT ? EST_OK : store_fail(g->current, "cannot look at it", err);
	if (S_ISLNK(st.st_mode) && in_use(g->current) > 0)
		return store_check_place(g->current, &st, err);
	return est_fail(err, EST_E_OUTPUT,
		"%s: not the symbolic link to a generation that a store has", g->current);
}

/* The folder, with room for what is to come. */
static enum est_code make_folder(struct est_generation *g, struct est_error *err)
{
	char *file = join(g->folder, names[KEY]);
	enum est_code rc;
	int fd = -1;

	if (!file)
		return no_memory(err);
	rc = store_mkdir(g->folder, 0700, err);
	if (rc == EST_OK)
		fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (rc == EST_OK && fd < 0)
		rc = store_fail(file, "cannot make it", err);
	if (rc == EST_OK && (errno = store_reserve(fd)) != 0)
		rc = store_fail(g->dir, "no room for a file of 64 KiB", err);
	if (fd >= 0)
		(void)close(fd);
	free(file);
	return rc;
}

enum est_code est_generation_open(const char *dir, struct est_generation **out,
	struct est_error *err)
{
	struct est_generation *g = calloc(1, sizeof(*g));
	enum est_code rc;

	if (!g)
		return no_memory(err);
	g->dir = strdup(dir);
	g->current = join(dir, "current");
	g->link = g->current ? store_sibling(g->current, "tmp") : NULL;
	rc = g->dir && g->link ? check_current(g, err) : no_memory(err);
	if (rc == EST_OK) {
		remove_begun(g);
		g->folder = join(dir, NEXT);
		rc = g->folder ? make_folder(g, err) : no_memory(err);
	}
	if (rc == EST_OK)
		*out = g;
	else
		est_generation_free(g);
	return rc;
}

/* One file, for the eyes that may read the one in use. */
static enum est_code write_file(const struct est_generation *g, unsigned i, struct est_span content,
	struct est_error *err)
{
	char *file = join(g->folder, names[i]), *old = join(g->current, names[i]);
	struct store_target target = { .path = old };
	enum est_code rc;
	int fd = -1;

	if (!file || !old) {
		rc = no_memory(err);
		goto out;
	}
	target.exists = lstat(old, &target.old) == 0 && S_ISREG(target.old.st_mode);
	fd = open(file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	rc = fd < 0 ? store_fail(file, "cannot make it", err)
		    : store_set_mode(&target, fd, i == KEY, err);
	if (rc == EST_OK)
		rc = store_write(fd, content, file, err);
out:
	if (fd >= 0)
		(void)close(fd);
	free(file);
	free(old);
	return rc;
}

/* The folder is as open as the one in use, or as the umask has it for a new one. */
static enum est_code open_folder(const struct est_generation *g, struct est_error *err)
{
	struct stat old;
	mode_t mask = umask(0);
	int fd = open(g->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	enum est_code rc = EST_OK;
	bool exists = stat(g->current, &old) == 0 && S_ISDIR(old.st_mode);

	(void)umask(mask);
	if (fd < 0 || (exists && fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM) ||
		fchmod(fd, exists ? old.st_mode & 07777 : (0755 & ~mask) | 0700) != 0 ||
		fsync(fd) != 0)
		rc = store_fail(g->folder, "cannot make the folder complete", err);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

const char *est_generation_folder(const struct est_generation *generation)
{
	return generation->folder;
}

enum est_code est_generation_write(struct est_generation *g, struct est_span key,
	const struct est_certs *chain, struct est_error *err)
{
	struct est_buf cert = { 0 }, rest = { 0 };
	size_t n = est_certs_count(chain);
	enum est_code rc;

	rc = est_certs_pem(chain, 0, 1, &cert, err);
	if (rc == EST_OK)
		rc = est_certs_pem(chain, 1, n, &rest, err);
	if (rc == EST_OK)
		rc = write_file(g, KEY, key, err);
	if (rc == EST_OK)
		rc = write_file(g, CERT, est_buf_span(&cert), err);
	if (rc == EST_OK)
		rc = write_file(g, CHAIN, est_buf_span(&rest), err);
	if (rc == EST_OK)
		rc = est_buf_append(&cert, est_buf_span(&rest), err);
	if (rc == EST_OK)
		rc = write_file(g, FULLCHAIN, est_buf_span(&cert), err);
	if (rc == EST_OK)
		rc = open_folder(g, err);
	est_buf_free(&cert);
	est_buf_free(&rest);
	return rc;
}

enum est_code generation_stage(struct est_generation *g, const char **current,
	struct est_error *err)
{
	unsigned n = newest(g->dir, NUMBER_MAX + 1) + 1;
	char *folder;

	if (n > NUMBER_MAX)
		return est_fail(err, EST_E_OUTPUT, "%s: no number is left for a generation",
			g->dir);
	folder = name_of(g->dir, n);
	if (!folder)
		return no_memory(err);
	if (rename(g->folder, folder) != 0) {
		free(folder);
		return store_fail(g->folder, "cannot rename the folder", err);
	}
	free(g->folder);
	g->folder = folder;
	if (symlink(strrchr(folder, '/') + 1, g->link) != 0)
		return store_fail(g->link, "cannot make the link", err);
	*current = g->current;
	return store_sync_dir(g->dir, err);
}

void generation_committed(struct est_generation *g)
{
	g->committed = true;
}

/* Put in place, and the way back has failed. */
static bool is_in_use(const struct est_generation *g)
{
	unsigned n = number_of(strrchr(g->folder, '/') + 1);

	return n > 0 && n == in_use(g->current);
}

void est_generation_free(struct est_generation *g)
{
	if (!g)
		return;
	if (g->folder && !g->committed && !is_in_use(g)) {
		remove_folder(g->folder);
		(void)unlink(g->link);
	}
	free(g->dir);
	free(g->folder);
	free(g->current);
	free(g->link);
	free(g);
}

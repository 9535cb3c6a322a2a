/* SPDX-License-Identifier: MIT */
/* The journal of a swap: records that end with NUL, because names of files cannot hold one. */
#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define MAGIC    "est-journal 1"
#define END      "end"
#define KEEP_MAX 1000

char *journal_staged(const struct journal_entry *entry)
{
	char *out;

	if (entry->part != JOURNAL_KEY && entry->part != JOURNAL_DISCARD)
		return store_sibling(entry->target, "tmp");
	return asprintf(&out, "%s.est-new", entry->target) < 0 ? NULL : out;
}

char *journal_old(const struct journal_entry *entry)
{
	return store_sibling(entry->target, "old");
}

bool journal_renames(const struct journal_entry *entry)
{
	return entry->part != JOURNAL_KEPT && entry->part != JOURNAL_DISCARD;
}

static bool known_part(int c)
{
	return c != 0 && strchr("cboskKd", c) != NULL;
}

enum est_code journal_add(struct journal *j, enum journal_part part, bool existed, const char *path,
	struct est_error *err)
{
	struct journal_entry *e = &j->entries[j->n];

	if (j->n == JOURNAL_ENTRIES)
		return est_fail(err, EST_E_INTERNAL, "more than %d files in one swap",
			JOURNAL_ENTRIES);
	e->target = strdup(path);
	if (!e->target)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	e->part = part;
	e->existed = existed;
	j->n++;
	return EST_OK;
}

static enum est_code append(struct est_buf *out, const char *text, struct est_error *err)
{
	return est_buf_append(out, (struct est_span){ (const uint8_t *)text, strlen(text) + 1 },
		err);
}

enum est_code journal_encode(const struct journal *j, const char *dir, struct est_buf *out,
	struct est_error *err)
{
	enum est_code rc = append(out, MAGIC, err);
	size_t n = strlen(dir);

	if (rc == EST_OK && j->hook)
		rc = append(out, "H", err);
	if (rc == EST_OK)
		rc = est_buf_printf(out, err, "N%u", j->keep);
	if (rc == EST_OK)
		rc = append(out, "", err);
	for (size_t i = 0; rc == EST_OK && i < j->n; i++) {
		const struct journal_entry *e = &j->entries[i];
		const char head[3] = { (char)e->part, e->existed ? '+' : '-', 0 };

		rc = est_buf_append(out, est_span_str(head), err);
		/* No rest is no name, and one that begins with a slash is read as absolute. */
		bool inside = strncmp(e->target, dir, n) == 0 && e->target[n] == '/' &&
			      e->target[n + 1] && e->target[n + 1] != '/';

		if (rc == EST_OK)
			rc = append(out, e->target + (inside ? n + 1 : 0), err);
	}
	return rc == EST_OK ? append(out, END, err) : rc;
}

static bool parse_keep(const char *text, unsigned *out)
{
	unsigned n = 0;

	if (!*text)
		return false;
	for (; *text >= '0' && *text <= '9' && n <= KEEP_MAX; text++)
		n = n * 10 + (unsigned)(*text - '0');
	*out = n;
	return !*text && n <= KEEP_MAX;
}

static bool parse_path(const char *text, const char *dir, struct journal *j, struct est_error *err)
{
	char *path = NULL;
	bool good;

	if (!text[2] || asprintf(&path, "%s%s%s", text[2] == '/' ? "" : dir,
				text[2] == '/' ? "" : "/", text + 2) < 0)
		return false;
	good = journal_add(j, (enum journal_part)text[0], text[1] == '+', path, err) == EST_OK;
	free(path);
	return good;
}

static bool parse_record(const char *text, const char *dir, struct journal *j,
	struct est_error *err)
{
	if (strcmp(text, "H") == 0) {
		j->hook = true;
		return true;
	}
	if (text[0] == 'N')
		return parse_keep(text + 1, &j->keep);
	return known_part(text[0]) && (text[1] == '+' || text[1] == '-') &&
	       parse_path(text, dir, j, err);
}

enum est_code journal_decode(struct est_span in, const char *dir, struct journal *out,
	struct est_error *err)
{
	struct journal j = { 0 };
	bool good, begun = false;

	do {
		const char *text = (const char *)in.p;
		const uint8_t *end = in.n ? memchr(in.p, 0, in.n) : NULL;

		good = end != NULL;
		if (!good)
			break;
		if (begun && strcmp(text, END) == 0) {
			*out = j;
			return EST_OK;
		}
		good = begun ? parse_record(text, dir, &j, err) : strcmp(text, MAGIC) == 0;
		begun = true;
		in.n -= (size_t)(end + 1 - in.p);
		in.p = end + 1;
	} while (good);
	journal_wipe(&j);
	return est_fail(err, EST_E_INPUT, "not a complete journal");
}

void journal_wipe(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		free(j->entries[i].target);
	*j = (struct journal){ 0 };
}

/* SPDX-License-Identifier: MIT */
/* The journal of a swap: what is read from it is within the limits, names files beside which the
 * others lie, and is written as it was read, also when its folder has been moved. */
#include "journal.h"

#include <string.h>

#include "fuzzing.h"

#define DIR_READ  "/etc/est"
#define DIR_MOVED "/mnt/etc"

static void check_entry(const struct journal_entry *e)
{
	char *staged = journal_staged(e), *old = journal_old(e);
	size_t dir = (size_t)(strrchr(e->target, '/') - e->target) + 1;

	FUZZ_ASSERT(e->part != 0 && strchr("cboskKd", (int)e->part));
	FUZZ_ASSERT(e->target[0] == '/' && staged && old);
	FUZZ_ASSERT(strncmp(staged, e->target, dir) == 0 && !strchr(staged + dir, '/'));
	FUZZ_ASSERT(strncmp(old, e->target, dir) == 0 && !strchr(old + dir, '/'));
	FUZZ_ASSERT(strcmp(staged, e->target) && strcmp(old, e->target) && strcmp(staged, old));
	free(staged);
	free(old);
}

static void check_same(const struct journal *a, const struct journal *b)
{
	FUZZ_ASSERT(a->n == b->n && a->keep == b->keep && a->hook == b->hook);
	for (size_t i = 0; i < a->n; i++) {
		const struct journal_entry *one = &a->entries[i], *two = &b->entries[i];

		FUZZ_ASSERT(one->part == two->part && one->existed == two->existed);
		FUZZ_ASSERT(strcmp(one->target, two->target) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal first = { 0 }, second = { 0 }, moved = { 0 }, torn;
	struct est_buf out = { 0 };
	struct est_error err;
	enum est_code rc = journal_decode((struct est_span){ data, size }, DIR_READ, &first, &err);

	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		FUZZ_ASSERT(rc == EST_E_INPUT && first.n == 0);
		return 0;
	}
	FUZZ_ASSERT(first.n <= JOURNAL_ENTRIES && first.keep <= 1000);
	for (size_t i = 0; i < first.n; i++)
		check_entry(&first.entries[i]);
	FUZZ_ASSERT(journal_encode(&first, DIR_READ, &out, &err) == EST_OK);
	FUZZ_ASSERT(journal_decode(est_buf_span(&out), DIR_READ, &second, &err) == EST_OK);
	check_same(&first, &second);
	FUZZ_ASSERT(journal_decode(est_buf_span(&out), DIR_MOVED, &moved, &err) == EST_OK);
	FUZZ_ASSERT(moved.n == first.n);
	for (size_t i = 0; i < moved.n; i++)
		FUZZ_ASSERT(strcmp(strrchr(moved.entries[i].target, '/'),
				    strrchr(first.entries[i].target, '/')) == 0);
	for (size_t cut = 1; cut <= out.n; cut *= 2) /* a torn one is none */
		FUZZ_ASSERT(journal_decode((struct est_span){ out.p, out.n - cut }, DIR_READ, &torn,
				    &err) == EST_E_INPUT);
	journal_wipe(&first);
	journal_wipe(&second);
	journal_wipe(&moved);
	est_buf_free(&out);
	return 0;
}

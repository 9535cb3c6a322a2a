/* SPDX-License-Identifier: MIT */
/* The journal of a swap, on its way to the disk and back. */
#include "journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct est_error err;

static void what_is_written_is_read(void **state)
{
	static const char *const paths[] = { "/", "/a", "/with\nnewline", "/d/with blank",
		"/dd/end" };
	static const char *const read[] = { "/", "/a", "/with\nnewline", "/e/with blank",
		"/dd/end" }; /* the folder has been moved */
	struct est_buf text = { 0 };
	struct journal in = { .keep = 1000, .hook = true }, out = { 0 };

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(journal_add(&in, (enum journal_part) "cbosk"[i], i % 2, paths[i],
					 &err),
			EST_OK);
	assert_int_equal(journal_encode(&in, "/d", &text, &err), EST_OK);
	assert_int_equal(est_buf_append(&text, est_span_str("rest"), &err), EST_OK); /* ignored */
	assert_int_equal(journal_decode(est_buf_span(&text), "/e", &out, &err), EST_OK);
	assert_int_equal(out.n, 5);
	assert_int_equal(out.keep, 1000);
	assert_true(out.hook);
	for (size_t i = 0; i < 5; i++) {
		assert_string_equal(out.entries[i].target, read[i]);
		assert_int_equal(out.entries[i].part, "cbosk"[i]);
		assert_int_equal(out.entries[i].existed, i % 2);
	}
	journal_wipe(&in);
	journal_wipe(&out);
	est_buf_free(&text);
}

static void the_names_beside_a_file(void **state)
{
	static const struct {
		enum journal_part part;
		const char *target, *staged, *old;
	} rows[] = {
		{ JOURNAL_CERT, "/d/c.pem", "/d/.c.pem.est-tmp", "/d/.c.pem.est-old" },
		{ JOURNAL_KEY, "/d/k.pem", "/d/k.pem.est-new", "/d/.k.pem.est-old" },
		{ JOURNAL_DISCARD, "/k", "/k.est-new", "/.k.est-old" },
		{ JOURNAL_STORE, "/s/current", "/s/.current.est-tmp", "/s/.current.est-old" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct journal_entry e = { rows[i].part, true, (char *)rows[i].target };
		char *staged = journal_staged(&e), *old = journal_old(&e);

		assert_string_equal(staged, rows[i].staged);
		assert_string_equal(old, rows[i].old);
		free(staged);
		free(old);
	}
}

static void a_journal_with_other_records_is_none(void **state)
{
	static const char *const bad[] = { "x+/a", "ca", "c/a", "c+", "N", "N1x", "N99999", "HH",
		"", "K", "c*/a" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct est_buf text = { 0 };
		struct journal j = { 0 };

		assert_int_equal(est_buf_printf(&text, &err, "est-journal 1%c%s%cend%c", 0, bad[i],
					 0, 0),
			EST_OK);
		assert_int_equal(journal_decode(est_buf_span(&text), "", &j, &err), EST_E_INPUT);
		est_buf_free(&text);
		for (int n = 0; n <= JOURNAL_ENTRIES; n++)
			assert_int_equal(est_buf_printf(&text, &err, "%s%cc+/a%c",
						 n ? "" : "est-journal 1", 0, 0),
				EST_OK);
		assert_int_equal(journal_decode(est_buf_span(&text), "", &j, &err), EST_E_INPUT);
		est_buf_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_names_beside_a_file),
		cmocka_unit_test(a_journal_with_other_records_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

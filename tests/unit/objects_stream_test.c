/* SPDX-License-Identifier: MIT */
/* Files that are shown while they are read, in parts of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "forge.h"
#include "objects.h"

#define CERTS 12

struct seen {
	uint64_t hash; /* of all objects in their order */
	size_t n, broken, certs;
	const struct source *source;
	size_t read; /* of the source, when the first one came */
};

static enum est_code note(void *ctx, const struct est_object *object, struct est_error *err)
{
	struct seen *seen = ctx;
	const uint64_t numbers[] = { object->kind, object->der.n, object->label.n, object->offset };

	(void)err;
	assert_int_equal(object->index, ++seen->n);
	seen->broken += object->broken != NULL;
	seen->certs += object->kind == EST_FILE_CERT && !object->broken;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		seen->hash = (seen->hash ^ numbers[i]) * 1099511628211u;
	for (size_t i = 0; i < object->der.n; i++)
		seen->hash = (seen->hash ^ object->der.p[i]) * 1099511628211u;
	for (size_t i = 0; i < object->label.n; i++)
		seen->hash = (seen->hash ^ object->label.p[i]) * 1099511628211u;
	if (seen->n == 1 && seen->source)
		seen->read = seen->source->filled;
	return EST_OK;
}

static enum est_code in_parts(struct est_span data, size_t part, struct seen *seen,
	struct est_quirks *quirks, struct est_error *err)
{
	struct source source = { .fd = -1 };
	int fd = memfd_create("parts", 0);
	enum est_code rc;
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(write(fd, data.p, data.n), (ssize_t)data.n);
	*seen = (struct seen){ .source = &source };
	*quirks = (struct est_quirks){ 0 };
	*err = (struct est_error){ 0 };
	rc = source_open(path, 1u << 20, part, NULL, NULL, &source, err);
	assert_int_equal(rc, EST_OK);
	rc = objects_walk(&source, &(struct est_reading){ 0 }, quirks, note, seen, err);
	source_close(&source);
	(void)close(fd);
	return rc;
}

enum form {
	DER,
	BER,
	BARE,
	CRLS,
	SIGNED,
	BASE64,
	LINES,
	PKCS7,
	BUNDLE,
	ROW,
	HTTP,
	MAIL,
	CHUNKS,
	SMALL_CHUNKS,
	NESTED,
	FORMS
};

static void armour(struct est_buf *out, const char *label, struct est_span der)
{
	struct est_error err;

	assert_int_equal(est_pem_append(out, label, der, &err), EST_OK);
}

/* In chunks of so many octets. */
static void in_chunks(struct est_buf *out, struct est_span body, size_t each)
{
	struct est_error err;

	forge_append(out, est_span_str("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"));
	for (; body.n > 0; body = (struct est_span){ body.p + each, body.n - each }) {
		each = each < body.n ? each : body.n;
		assert_int_equal(est_buf_printf(out, &err, "%zx;x=y\r\n", each), EST_OK);
		forge_append(out, (struct est_span){ body.p, each });
		forge_append(out, est_span_str("\r\n"));
	}
	forge_append(out, est_span_str("0\r\nTrailer: x\r\n\r\n"));
}

/* CERTS certificates, and what else the form has. */
static void make(enum form form, struct est_buf *out)
{
	static const char mail[] =
		"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
		"--b\n\nhello\n--b\nContent-Type: application/pkcs7-mime\n\n";
	static const char nested[] =
		"Content-Type: multipart/mixed; boundary=a\r\n\r\n-\r\n--\r\n"
		"--a\r\nContent-Type: multipart/signed; boundary=\"--a\"\r\n\r\n--x\r\n"
		"----a\r\nX: y\r\n\r\n";
	struct forge_bag bag = { .indefinite = form == BER || form == BASE64 };
	struct est_buf one = { 0 }, set = { 0 }, der = { 0 }, text = { 0 };
	struct est_error err;

	for (unsigned i = 0; i < CERTS; i++) {
		one.n = 0;
		forge_numbered(i, &one);
		forge_append(&set, est_buf_span(&one));
		if (form == BUNDLE || form == NESTED)
			armour(&text, i == 3 ? "X509 CERTIFICATE" : "CERTIFICATE",
				est_buf_span(&one));
		if (form == BUNDLE || form == NESTED)
			forge_append(&text, est_span_str("a word - or two\n"));
	}
	bag.certs = est_buf_span(&set);
	bag.crls = form == CRLS ? BYTES(0xa1, 4, 0x30, 0, 0x30, 0) : (struct est_span){ 0 };
	bag.signers = form == SIGNED ? BYTES(0x31, 2, 0x30, 0) : (struct est_span){ 0 };
	forge_bag(&bag, &der);
	if (form == BASE64)
		assert_int_equal(base64_encode(est_buf_span(&der), 0, &text, &err), EST_OK);
	else if (form != BUNDLE && form != NESTED)
		assert_int_equal(est_base64_append(&text, est_buf_span(&der), &err), EST_OK);
	if (form <= SIGNED && form != BARE)
		forge_append(out, est_buf_span(&der));
	if (form == BARE) /* behind ContentInfo: 4 octets, its OID: 11, [0]: 4 */
		forge_append(out, (struct est_span){ der.p + 19, der.n - 19 });
	if (form == ROW)
		forge_append(out, est_buf_span(&set));
	if (form == HTTP)
		forge_append(out, est_span_str("HTTP/1.1 200 OK\nContent-Type: "
					       "application/pkcs7-mime\n\n"));
	if (form == MAIL || form == NESTED)
		forge_append(out, est_span_str(form == MAIL ? mail : nested));
	if (form == BASE64 || form == LINES || form == BUNDLE || form == HTTP || form == MAIL ||
		form == NESTED)
		forge_append(out, est_buf_span(&text));
	if (form == MAIL)
		forge_append(out, est_span_str("--b--\n"));
	if (form == NESTED)
		forge_append(out, est_span_str("\r\n----a--\r\n--a\r\n\r\nMAA=\r\n--a--\r\n"));
	if (form == CHUNKS)
		in_chunks(out, est_buf_span(&der), der.n);
	if (form == SMALL_CHUNKS)
		in_chunks(out, est_buf_span(&text), 37);
	for (int i = 0; form == PKCS7 && i < 2; i++) {
		armour(out, "PKCS7", est_buf_span(&der));
		armour(out, "CERTIFICATE", est_buf_span(&one));
	}
	est_buf_free(&one);
	est_buf_free(&set);
	est_buf_free(&der);
	est_buf_free(&text);
}

static void in_parts_of_any_size_the_objects_are_the_same(void **state)
{
	static const size_t parts[] = { 1, 64, 100, 257, 1024, SOURCE_PART };
	struct est_quirks quirks, whole_quirks;
	struct est_buf data = { 0 };
	struct seen seen, whole;
	struct est_error err;

	(void)state;
	for (enum form form = 0; form < FORMS; form++) {
		data.n = 0;
		make(form, &data);
		whole = (struct seen){ 0 };
		whole_quirks = (struct est_quirks){ 0 };
		assert_int_equal(est_objects(est_buf_span(&data), &whole_quirks, note, &whole,
					 &err),
			EST_OK);
		assert_int_equal(whole.certs, form == PKCS7 ? 2 * CERTS + 2 : CERTS);
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			if (in_parts(est_buf_span(&data), parts[i], &seen, &quirks, &err) != EST_OK)
				fail_msg("form %d, part %zu: %s", form, parts[i], err.msg);
			if (seen.n != whole.n || seen.hash != whole.hash ||
				quirks.seen != whole_quirks.seen)
				fail_msg("form %d, part %zu: %zu of %zu objects, quirks %x of %x",
					form, parts[i], seen.n, whole.n, quirks.seen,
					whole_quirks.seen);
		}
		/* The first one was there long before the end. */
		(void)in_parts(est_buf_span(&data), 256, &seen, &quirks, &err);
		if (seen.read > data.n / 2)
			fail_msg("form %d: %zu of %zu bytes read", form, seen.read, data.n);
	}
	est_buf_free(&data);
}

static void what_is_cut_short_anywhere_is_said_and_its_front_is_shown(void **state)
{
	struct est_buf data = { 0 };
	struct est_quirks quirks;
	struct est_error err;
	struct seen seen;
	size_t before;

	(void)state;
	for (enum form form = 0; form < FORMS; form++) {
		data.n = before = 0;
		make(form, &data);
		for (size_t n = 1; n < data.n; n += n < 300 || n > data.n - 40 ? 1 : 7) {
			enum est_code rc = in_parts((struct est_span){ data.p, n }, 128, &seen,
				&quirks, &err);

			if (rc != EST_OK && rc != EST_E_INPUT && rc != EST_E_PROTOCOL)
				fail_msg("form %d, %zu bytes: %s", form, n, err.msg);
			if (form <= SIGNED && n > 200 && rc == EST_OK && seen.broken == 0)
				fail_msg("form %d: %zu bytes are taken for %zu", form, n, data.n);
			if (seen.certs < before)
				fail_msg("form %d: %zu bytes show less than fewer", form, n);
			if (n > 200) /* a smaller one is taken as a whole */
				before = seen.certs;
		}
	}
	est_buf_free(&data);
}

static void what_is_no_base64_ends_it_behind_what_was(void **state)
{
	static const char *const wrong[] = { "*", "_", "=A", "-----BEGIN X-----" };
	struct est_buf data = { 0 };
	struct est_quirks quirks;
	struct est_error err;
	struct seen seen;

	(void)state;
	for (enum form form = LINES; form <= PKCS7; form++) {
		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
			data.n = 0;
			make(form, &data);
			memcpy(data.p + 2000, wrong[i], strlen(wrong[i]));
			enum est_code rc = in_parts(est_buf_span(&data), 256, &seen, &quirks, &err);

			assert_int_equal(rc, form == LINES ? EST_E_PROTOCOL : EST_OK);
			assert_in_range(seen.certs, 4, 2 * CERTS);
			assert_true(form == LINES ? strstr(err.msg, "base64") != NULL
						  : seen.broken > 0);
			/* What follows a broken block is shown. */
			if (form == PKCS7)
				assert_true(seen.certs > CERTS);
		}
	}
	est_buf_free(&data);
}

static void a_broken_part_of_a_mail_does_not_hide_the_next(void **state)
{
	struct est_buf data = { 0 };
	struct est_quirks quirks;
	struct est_error err;
	struct seen seen;

	(void)state;
	make(MAIL, &data);
	data.n -= strlen("--b--\n");
	data.p[2000] = '*';
	forge_append(&data, est_span_str("--b\n\nMAA=\n--b\nContent-Type: text/plain\n\nx\n--b--"));
	assert_int_equal(in_parts(est_buf_span(&data), 256, &seen, &quirks, &err), EST_OK);
	assert_in_range(seen.certs, 4, CERTS - 1);
	assert_int_equal(seen.broken, 1);
	assert_int_equal(seen.n, seen.certs + 2); /* the broken one, the empty list */
	est_buf_free(&data);
}

/* A row of bags is taken apart one by one: the stack does not grow with it */
static void bags_in_a_row_are_as_many_as_there_are(void **state)
{
	enum { N = 20000 };
	const struct est_span bag = BYTES(0x30, 35, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7,
		2, 0xa0, 22, 0x30, 20, 2, 1, 1, 0x31, 0, 0x30, 11, 6, 9, 0x2a, 0x86, 0x48, 0x86,
		0xf7, 0x0d, 1, 7, 1, 0x31, 0);
	struct est_buf data = { 0 };
	struct est_quirks quirks;
	struct est_error err;
	struct seen seen;

	(void)state;
	for (int i = 0; i < N; i++)
		forge_append(&data, bag);
	assert_int_equal(in_parts(est_buf_span(&data), 4096, &seen, &quirks, &err), EST_OK);
	assert_int_equal(seen.n, N);
	assert_int_equal(seen.broken, N); /* each is empty */
	est_buf_free(&data);
}

/* Where a block begins, in the file. */
static enum est_code place(void *ctx, const struct est_object *object, struct est_error *err)
{
	(void)err;
	*(size_t *)ctx = object->offset;
	return EST_OK;
}

static void the_offset_of_a_block_in_a_mail_is_that_of_its_first_dash(void **state)
{
	struct est_quirks quirks = { 0 };
	struct est_buf data = { 0 };
	struct est_error err;
	size_t at = 0;

	(void)state;
	forge_append(&data,
		est_span_str("Content-Type: multipart/mixed; boundary=a\n\n"
			     "--a\nContent-Type: multipart/mixed; boundary=b\n\n"
			     "--b\nX: y\n\n-----BEGIN X-----\nAAAA\n-----END X-----\n"));
	assert_int_equal(est_objects(est_buf_span(&data), &quirks, place, &at, &err), EST_OK);
	assert_memory_equal(data.p + at, "-----BEGIN X", 12);
	est_buf_free(&data);
}

/* DER, then PEM: `cat` puts one behind the other. */
static void blocks_behind_a_value_are_shown_too(void **state)
{
	struct est_buf data = { 0 }, one = { 0 };
	const struct forge_bag bag = { .certs = BYTES(0x30, 0) };
	struct est_quirks quirks;
	struct est_error err;
	struct seen seen;

	(void)state;
	forge_numbered(1, &one);
	for (int form = 0; form < 3; form++) {
		data.n = 0;
		if (form == 1)
			forge_bag(&bag, &data);
		else
			forge_append(&data, est_buf_span(&one));
		for (int i = 0; form == 2 && i < 10; i++) /* larger than a part */
			forge_append(&data, est_buf_span(&one));
		forge_append(&data, est_span_str("\n"));
		armour(&data, "CERTIFICATE", est_buf_span(&one));
		armour(&data, "X509 CRL", BYTES(0x30, 0));
		for (size_t part = 64; part <= SOURCE_PART; part *= 64) {
			assert_int_equal(in_parts(est_buf_span(&data), part, &seen, &quirks, &err),
				EST_OK);
			assert_int_equal(seen.n, form == 2 ? 13 : 3);
			assert_int_equal(seen.broken, 0);
		}
	}
	est_buf_free(&data);
	est_buf_free(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_parts_of_any_size_the_objects_are_the_same),
		cmocka_unit_test(what_is_cut_short_anywhere_is_said_and_its_front_is_shown),
		cmocka_unit_test(what_is_no_base64_ends_it_behind_what_was),
		cmocka_unit_test(bags_in_a_row_are_as_many_as_there_are),
		cmocka_unit_test(the_offset_of_a_block_in_a_mail_is_that_of_its_first_dash),
		cmocka_unit_test(blocks_behind_a_value_are_shown_too),
		cmocka_unit_test(a_broken_part_of_a_mail_does_not_hide_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

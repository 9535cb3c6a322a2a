/* SPDX-License-Identifier: MIT */
/* PEM text: reading always moves on and stays inside, and what was decoded is written and read
 * again. */
#include "fuzzing.h"
#include "pem.h"

static void decode(const struct pem_block *block)
{
	struct est_buf der = { 0 }, text = { 0 }, again = { 0 };
	struct pem_reader reader;
	struct pem_block second;
	struct est_error err;
	enum est_code rc;
	bool found;

	(void)pem_is_encrypted(block);
	rc = pem_decode(block, &der, &err);
	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		FUZZ_ASSERT(rc == EST_E_INPUT && der.n == 0);
		est_buf_free(&der); /* nothing in it, but it has its memory */
		return;
	}
	FUZZ_ASSERT(der.n > 0 && der.n <= block->text.n);
	FUZZ_ASSERT(est_pem_append(&text, "X", est_buf_span(&der), &err) == EST_OK);
	pem_init(&reader, est_buf_span(&text));
	FUZZ_ASSERT(pem_next(&reader, &second, &found, &err) == EST_OK && found);
	FUZZ_ASSERT(pem_is(&second, "X") && pem_decode(&second, &again, &err) == EST_OK);
	FUZZ_ASSERT(est_span_eq(est_buf_span(&der), est_buf_span(&again)));
	est_buf_free(&der);
	est_buf_free(&text);
	est_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct est_span in = { data, size };
	size_t before = 0, blocks = 0;
	struct pem_reader reader;
	struct pem_block block;
	struct est_error err;
	bool found = true;
	enum est_code rc;

	pem_init(&reader, in);
	while (found) {
		rc = pem_next(&reader, &block, &found, &err);
		FUZZ_ASSERT(reader.offset >= before && reader.offset + reader.rest.n == size);
		FUZZ_ASSERT(!found || reader.offset > before);
		before = reader.offset;
		if (rc != EST_OK) {
			fuzz_assert_failed(rc, &err);
			found = true;
			continue;
		}
		if (!found)
			break;
		blocks++;
		FUZZ_ASSERT(block.label.n <= PEM_LABEL_MAX && block.offset < size);
		FUZZ_ASSERT(block.text.p >= data && block.text.p + block.text.n <= data + size);
		decode(&block);
	}
	FUZZ_ASSERT(blocks == 0 || pem_present(in));
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* A payload of any kind, decoded; what comes out, encoded as it should have been, is the same. */
#include <stdlib.h>
#include <string.h>

#include "base64.h"

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct est_quirks quirks = { 0 }, strict = { .strict = true }, none = { 0 };
	struct est_buf der = { 0 }, again = { 0 }, text = { 0 };
	struct est_span in = { data, size };
	struct est_error err;
	enum est_code rc;

	rc = est_body_decode(in, &quirks, &der, &err);
	check(rc == EST_OK || (rc == EST_E_PROTOCOL && err.msg[0] != '\0'));
	check((rc == EST_OK) == (der.n > 0));
	/* --strict refuses exactly what deviates. */
	check((est_body_decode(in, &strict, &again, &err) == EST_OK) ==
		(rc == EST_OK && quirks.seen == 0));
	check(again.n == 0 || est_span_eq(est_buf_span(&der), est_buf_span(&again)));
	est_buf_free(&again);
	/* Base64 of anything but a SEQUENCE can look like DER itself: "0A" is a header. */
	if (rc == EST_OK && der.p[0] == 0x30) {
		for (size_t columns = 0; columns <= 76; columns += 19) {
			check(base64_encode(est_buf_span(&der), columns, &text, &err) == EST_OK);
			check(est_body_decode(est_buf_span(&text), &none, &again, &err) == EST_OK);
			check(none.seen == 0);
			check(est_span_eq(est_buf_span(&der), est_buf_span(&again)));
			est_buf_free(&again);
			est_buf_free(&text);
		}
	}
	est_buf_free(&der);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* The walk over DER and BER: what it accepts, der_next() and ber_next() can take apart, and both
 * count the same elements. */
#include "der.h"
#include "fuzzing.h"

/* Takes in apart to its leaves with der_next(); the number of elements. */
static size_t take_apart(struct est_span in, unsigned depth)
{
	struct est_error err;
	size_t elements = 0;

	FUZZ_ASSERT(depth <= EST_DEPTH_MAX + 1);
	while (in.n > 0) {
		struct est_span as_ber = in;
		struct est_buf again = { 0 };
		struct der_tlv tlv, ber;
		char oid[DER_OID_TEXT_MAX];
		time_t when;

		FUZZ_ASSERT(der_next(&in, &tlv) && ber_next(&as_ber, &ber));
		FUZZ_ASSERT(!tlv.ber && !ber.ber && as_ber.p == in.p && as_ber.n == in.n);
		FUZZ_ASSERT(est_span_eq(tlv.whole, ber.whole) && est_span_eq(tlv.body, ber.body));
		FUZZ_ASSERT(tlv.whole.p + tlv.whole.n == tlv.body.p + tlv.body.n);
		FUZZ_ASSERT(der_put(&again, tlv.tag, tlv.body, &err) == EST_OK);
		FUZZ_ASSERT(est_span_eq(est_buf_span(&again), tlv.whole));
		est_buf_free(&again);
		if (tlv.tag == DER_OID && der_oid_text(tlv.body, oid))
			FUZZ_ASSERT(oid[strspn(oid, "0123456789.")] == '\0');
		(void)der_time(&tlv, &when);
		elements++;
		if (tlv.tag & 0x20)
			elements += take_apart(tlv.body, depth + 1);
	}
	return elements;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct est_span in = { data, size };
	struct der_stats der = { 0 }, ber = { 0 };
	enum est_code rc_der, rc_ber;
	struct est_span rest = in;
	struct est_error err;
	struct der_tlv tlv;

	rc_ber = der_walk(in, true, "input", &ber, &err);
	if (rc_ber != EST_OK)
		fuzz_assert_failed(rc_ber, &err);
	rc_der = der_walk(in, false, "input", &der, &err);
	if (rc_der != EST_OK)
		fuzz_assert_failed(rc_der, &err);
	FUZZ_ASSERT((rc_der == EST_OK) == (rc_ber == EST_OK && !ber.ber));
	if (rc_ber == EST_OK) {
		FUZZ_ASSERT(ber.depth <= EST_DEPTH_MAX && ber.elements > 0);
		FUZZ_ASSERT(ber_next(&rest, &tlv) && rest.n == 0 && est_span_eq(tlv.whole, in));
	}
	if (rc_der == EST_OK) {
		FUZZ_ASSERT(der.elements == ber.elements && der.depth == ber.depth && !der.ber);
		FUZZ_ASSERT(take_apart(in, 0) == der.elements);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* The extensions of a certificate in words, and its place in a graph with itself: whatever is
 * accepted is safe to print. */
#include "est-inspect.h"
#include "fuzzing.h"

static void check_text(const struct est_cert_details *details)
{
	for (size_t i = 0; i < details->n_extensions; i++) {
		const struct est_extension *e = &details->extension[i];

		fuzz_assert_safe(e->value, strlen(e->value));
		FUZZ_ASSERT(*e->oid >= '0' && *e->oid <= '2');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct est_span certs[] = { { data, size }, { data, size } };
	struct est_cert_details details;
	struct est_node *node;
	struct est_error err;
	enum est_code rc;

	rc = est_cert_details(certs[0], &details, &err);
	if (rc != EST_OK) {
		fuzz_assert_failed(rc, &err);
		return 0;
	}
	check_text(&details);
	est_cert_details_wipe(&details);
	/* What has details can be seen, and what is the same is a duplicate of the first. */
	FUZZ_ASSERT(est_graph(certs, 2, 0, &node, &err) == EST_OK);
	FUZZ_ASSERT(node[1].role == EST_ROLE_DUPLICATE && node[1].issuer == 0);
	FUZZ_ASSERT(node[0].issuer == EST_NO_ISSUER);
	free(node);
	return 0;
}

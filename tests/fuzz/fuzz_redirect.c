/* SPDX-License-Identifier: MIT */
/* Location values: what is followed is an https origin and a path without dots or blanks. */
#include "redirect.h"

#include <stdlib.h>
#include <string.h>

#include "fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct place base = { 0 }, place = { 0 };
	struct est_error err = { 0 };
	enum est_code rc;

	if (url_authority(est_span_str("a.example"), &base.url, &err) != EST_OK)
		abort();
	base.target = strdup("/.well-known/est/cacerts?q");
	rc = redirect_resolve(&base, (struct est_span){ data, size }, &place, &err);
	if (rc == EST_OK) {
		if (place.target[0] != '/' || !place.url.host || place.url.port == 0 ||
			strpbrk(place.target, " \r\n#\\\""))
			abort();
	} else if (rc != EST_E_REFUSED && rc != EST_E_PROTOCOL) {
		abort();
	}
	place_wipe(&place);
	place_wipe(&base);
	return 0;
}

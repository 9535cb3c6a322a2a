/* SPDX-License-Identifier: MIT */
/* What servers append to a DER value: a newline, a NUL, padding. */
#include "trailing.h"

#include <string.h>

#include "quirk.h"

enum est_code trailing_check(struct est_span rest, size_t offset, const char *what,
	struct est_quirks *quirks, struct est_error *err)
{
	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] != 0 && !memchr(" \t\r\n", rest.p[i], 4))
			return est_fail(err, EST_E_PROTOCOL,
				"%s: %zu bytes after its end at offset %zu", what, rest.n - i,
				offset + i);
	}
	return rest.n > 0 ? quirk_note(quirks, EST_Q_TRAILING, what, err) : EST_OK;
}

enum est_code trailing_cut(struct est_span *in, const char *what, struct est_quirks *quirks,
	struct est_error *err)
{
	struct est_span rest = *in;
	struct der_tlv first;
	enum est_code rc;

	if (!ber_next(&rest, &first))
		return EST_OK;
	rc = trailing_check(rest, first.whole.n, what, quirks, err);
	if (rc == EST_OK)
		*in = first.whole;
	return rc;
}

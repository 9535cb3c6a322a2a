/* SPDX-License-Identifier: MIT */
/* Tolerated deviations: what they are called, and that --strict makes errors of them. */
#include "quirk.h"

static const struct {
	const char *id, *text;
} quirk_table[] = {
#define QUIRK(sym, id, text) { id, text },
#include "est-quirks.h"
#undef QUIRK
};

const char *est_quirk_id(enum est_quirk quirk)
{
	return quirk_table[quirk].id;
}

const char *est_quirk_text(enum est_quirk quirk)
{
	return quirk_table[quirk].text;
}

enum est_code quirk_note(struct est_quirks *quirks, enum est_quirk quirk, const char *where,
	struct est_error *err)
{
	if (!quirks)
		return EST_OK;
	quirks->seen |= 1u << quirk;
	if (!quirks->strict)
		return EST_OK;
	est_fail(err, EST_E_PROTOCOL, "%s: %s (%s), refused by --strict", where,
		est_quirk_text(quirk), est_quirk_id(quirk));
	return EST_E_PROTOCOL;
}

/* SPDX-License-Identifier: MIT */
/* Errors: one struct with the context, one code per cause. */
#include "est.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Takes half a UTF-8 character off the end of what was cut: a message may become JSON. */
static void end_whole(char *text, size_t size, int formatted)
{
	size_t n = size - 1, i = n, lead, need;

	if (formatted < 0 || (size_t)formatted < size)
		return;
	while (i > 0 && n - i < 3 && ((unsigned char)text[i - 1] & 0xc0) == 0x80)
		i--;
	if (i == 0)
		return;
	lead = (unsigned char)text[i - 1];
	need = lead >= 0xf8 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
	if (need > n - i)
		text[i - 1] = '\0';
}

enum est_code est_fail(struct est_error *err, enum est_code code, const char *fmt, ...)
{
	va_list ap;
	int n;

	*err = (struct est_error){ .code = code, .retry_after_s = -1 };
	va_start(ap, fmt);
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	end_whole(err->msg, sizeof(err->msg), n);
	return code;
}

enum est_code est_hint(struct est_error *err, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	end_whole(err->hint, sizeof(err->hint), n);
	return err->code;
}

enum est_code est_reason(struct est_error *err, const char *id)
{
	err->reason = id;
	return err->code;
}

bool est_has_reason(const struct est_error *err, const char *id)
{
	return err->reason && strcmp(err->reason, id) == 0;
}

const char *est_code_name(enum est_code code)
{
	switch (code) {
	case EST_OK:
		return "ok";
	case EST_E_INTERNAL:
		return "internal";
	case EST_E_USAGE:
		return "usage";
	case EST_E_INPUT:
		return "input";
	case EST_E_OUTPUT:
		return "output";
	case EST_E_NETWORK:
		return "network";
	case EST_E_TIMEOUT:
		return "timeout";
	case EST_E_UNTRUSTED:
		return "untrusted";
	case EST_E_TLS:
		return "tls";
	case EST_E_AUTH:
		return "auth";
	case EST_E_REFUSED:
		return "refused";
	case EST_E_SERVER:
		return "server";
	case EST_E_PENDING:
		return "pending";
	case EST_E_PROTOCOL:
		return "protocol";
	case EST_E_REJECTED:
		return "rejected";
	case EST_E_CONDITION:
		return "condition";
	case EST_E_HOOK:
		return "hook";
	case EST_E_CLOCK:
		return "clock";
	case EST_E_INTERRUPTED:
		return "interrupted";
	}
	return "internal";
}

bool est_code_retryable(enum est_code code)
{
	return code == EST_E_NETWORK || code == EST_E_TIMEOUT || code == EST_E_SERVER ||
	       code == EST_E_PENDING;
}

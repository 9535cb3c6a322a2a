/* SPDX-License-Identifier: MIT */
/* What the fields of a response mean: lookup, media types, Retry-After, dates (RFC 9110). */
#include "http_parse.h"

#include <string.h>

#include "http_lex.h"
#include "span.h"

bool http_field(const struct http_response *response, const char *name, size_t i,
	struct est_span *value)
{
	const uint8_t *head = response->head.p;

	for (size_t k = 0; k < response->n_fields; k++) {
		const struct http_field *field = &response->fields[k];

		if (!http_is((struct est_span){ head + field->name, field->name_len }, name))
			continue;
		if (i-- == 0) {
			*value = (struct est_span){ head + field->value, field->value_len };
			return true;
		}
	}
	return false;
}

/* parameter = token "=" ( token / quoted-string ), no blanks round "=" (RFC 9110 5.6.6). */
static bool parameter(struct est_span *in, struct est_span *name, struct est_span *value)
{
	if (!http_token(in, name) || !http_skip_char(in, '='))
		return false;
	if (http_token(in, value))
		return true;
	if (!http_quoted(in, value))
		return false;
	*value = (struct est_span){ value->p + 1, value->n - 2 };
	return true;
}

bool http_media_type(struct est_span value, struct http_media_type *out)
{
	struct http_media_type media = { 0 };
	struct est_span name, text;
	bool have_smime_type = false;

	http_skip_blanks(&value);
	if (!http_token(&value, &media.type) || !http_skip_char(&value, '/') ||
		!http_token(&value, &media.subtype))
		return false;
	for (;;) {
		http_skip_blanks(&value);
		if (value.n == 0)
			break;
		if (!http_skip_char(&value, ';'))
			return false;
		http_skip_blanks(&value);
		if (value.n == 0 || value.p[0] == ';')
			continue; /* an empty parameter, allowed since RFC 9110 */
		if (!parameter(&value, &name, &text))
			return false;
		if (!http_is(name, "smime-type"))
			continue;
		if (!have_smime_type)
			media.smime_type = text;
		else if (!http_same(text, media.smime_type))
			return false; /* which of the two would decide? */
		have_smime_type = true;
	}
	*out = media;
	return true;
}

bool http_media_is(const struct http_media_type *media, const char *type, const char *subtype)
{
	return http_is(media->type, type) && http_is(media->subtype, subtype);
}

/* Days and months are written one way only, case-sensitively (RFC 9110 section 5.6.7), in whole or
 * by their first three letters. */
static bool take_name(struct est_span *in, const char (*names)[10], int n_names, bool whole,
	int *index)
{
	for (int i = 0; i < n_names; i++) {
		size_t n = whole ? strlen(names[i]) : 3;

		if (in->n < n || memcmp(in->p, names[i], n) != 0)
			continue;
		*in = span_after(*in, n);
		*index = i;
		return true;
	}
	return false;
}

/* Exactly n digits; with blank also a space before one digit, as asctime() pads. */
static bool take_number(struct est_span *in, size_t n, bool blank, int *out)
{
	int value = 0;

	if (in->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = in->p[i];

		if (blank && i == 0 && c == ' ')
			continue;
		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	*in = span_after(*in, n);
	*out = value;
	return true;
}

/* As strptime(), but of one width each and in no locale. */
static bool take_part(struct est_span *in, char what, struct tm *tm)
{
	static const char days[][10] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
		"Friday", "Saturday" };
	static const char months[][10] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };

	switch (what) {
	case 'A':
	case 'a':
		return take_name(in, days, 7, what == 'A', &tm->tm_wday);
	case 'b':
		return take_name(in, months, 12, true, &tm->tm_mon);
	case 'd':
	case 'e':
		return take_number(in, 2, what == 'e', &tm->tm_mday);
	case 'H':
		return take_number(in, 2, false, &tm->tm_hour);
	case 'M':
		return take_number(in, 2, false, &tm->tm_min);
	case 'S':
		return take_number(in, 2, false, &tm->tm_sec);
	default: /* a year, which stays as it is written */
		return take_number(in, what == 'Y' ? 4 : 2, false, &tm->tm_year);
	}
}

static bool take_date(struct est_span in, const char *form, struct tm *tm)
{
	bool good = true;

	for (; good && *form; form++)
		good = *form == '%' ? take_part(&in, *++form, tm)
				    : http_skip_char(&in, (uint8_t)*form);
	return good && in.n == 0;
}

/* Checks the ranges first: timegm() would turn 31 February into 3 March. */
static bool tm_to_time(struct tm tm, time_t *out)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = tm.tm_year + 1900;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (tm.tm_mday < 1 || tm.tm_mday > days[tm.tm_mon] + (leap && tm.tm_mon == 1) ||
		tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	*out = timegm(&tm);
	return true;
}

/* The year nearest the present that ends in yy and is at most 50 years ahead. */
static bool rfc850_to_time(struct tm tm, int yy, time_t now, time_t *out)
{
	struct tm ahead;
	time_t when;
	int last;

	if (!gmtime_r(&now, &ahead))
		return false;
	ahead.tm_year += 50;
	last = ahead.tm_year + 1900;
	tm.tm_year = last - (last - yy) % 100 - 1900;
	if (!tm_to_time(tm, &when))
		return false;
	if (when > timegm(&ahead)) {
		tm.tm_year -= 100;
		return tm_to_time(tm, out);
	}
	*out = when;
	return true;
}

bool http_date(struct est_span text, time_t now, time_t *out)
{
	struct tm tm = { 0 };

	if (take_date(text, "%A, %d-%b-%y %H:%M:%S GMT", &tm)) /* Sunday, 06-Nov-94 08:49:37 GMT */
		return rfc850_to_time(tm, tm.tm_year, now, out);
	if (!take_date(text, "%a, %d %b %Y %H:%M:%S GMT",
		    &tm) &&                                    /* Sun, 06 Nov 1994 08:49:37 GMT */
		!take_date(text, "%a %b %e %H:%M:%S %Y", &tm)) /* Sun Nov  6 08:49:37 1994 */
		return false;
	tm.tm_year -= 1900;
	return tm_to_time(tm, out);
}

int64_t http_retry_after(const struct http_response *response, time_t now)
{
	struct est_span value, other, digits;
	uint64_t seconds;
	time_t when, date;
	int64_t wait;

	if (!http_field(response, "Retry-After", 0, &value))
		return -1;
	for (size_t i = 1; http_field(response, "Retry-After", i, &other); i++)
		if (!est_span_eq(value, other))
			return -1;
	digits = value;
	if (http_digits(&digits, (uint64_t)HTTP_RETRY_AFTER_MAX, &seconds))
		return digits.n == 0 ? (int64_t)seconds : -1;
	/* The server's own idea of now, so that a wrong clock on either side does not matter. */
	if (http_field(response, "Date", 0, &other) && http_date(other, now, &date))
		now = date;
	if (!http_date(value, now, &when))
		return -1;
	wait = (int64_t)when - (int64_t)now;
	if (wait > HTTP_RETRY_AFTER_MAX)
		wait = HTTP_RETRY_AFTER_MAX;
	return wait > 0 ? wait : 0;
}

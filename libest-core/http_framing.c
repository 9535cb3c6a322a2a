/* SPDX-License-Identifier: MIT */
/* Where two parties could read two lengths out of one header section, it is refused. */
#include "http_framing.h"

#include "http_lex.h"

/* Two different values of a field that may come once leave open which of them holds (H-20).
 * Retry-After is not here: without a usable one there is a default. */
static enum est_code check_singletons(const struct http_response *response, struct est_error *err)
{
	static const char *const names[] = { "Content-Type", "Location", "Date" };
	struct est_span first, other;

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		if (!http_field(response, names[k], 0, &first))
			continue;
		for (size_t i = 1; http_field(response, names[k], i, &other); i++)
			if (!est_span_eq(first, other))
				return est_fail(err, EST_E_PROTOCOL,
					"HTTP response: two different %s fields "
					"(RFC 9110 section 5.3)",
					names[k]);
	}
	return EST_OK;
}

/* All Content-Length fields and list elements as one number; *present is false without any. */
static enum est_code content_length(const struct http_response *response, bool *present,
	uint64_t *out, struct est_error *err)
{
	struct est_span value, element, digits;
	uint64_t length, first = 0;
	size_t missing;
	char shown[80];

	*present = false;
	for (size_t i = 0; http_field(response, "Content-Length", i, &value); i++) {
		missing = 1; /* elements: one more than there are commas */
		for (size_t k = 0; k < value.n; k++)
			missing += value.p[k] == ',';
		while (http_list_next(&value, &element)) {
			missing--;
			digits = element;
			if (!http_digits(&digits, UINT64_MAX, &length) || digits.n > 0 ||
				length > INT64_MAX)
				return est_fail(err, EST_E_PROTOCOL,
					"HTTP response: Content-Length is \"%s\", not a number "
					"(RFC 9112 section 6.2)",
					est_escape(shown, sizeof(shown), element));
			if (*present && length != first)
				return est_fail(err, EST_E_PROTOCOL,
					"HTTP response: Content-Length is both %llu and %llu "
					"(RFC 9112 section 6.3)",
					(unsigned long long)first, (unsigned long long)length);
			*present = true;
			first = length;
		}
		if (missing > 0)
			return est_fail(err, EST_E_PROTOCOL,
				"HTTP response: empty Content-Length (RFC 9112 section 6.2)");
	}
	*out = first;
	return EST_OK;
}

static bool connection_close(const struct http_response *response)
{
	struct est_span value, option;

	for (size_t i = 0; http_field(response, "Connection", i, &value); i++)
		while (http_list_next(&value, &option))
			if (http_is(option, "close"))
				return true;
	return false;
}

/* Nothing invited a coding, and decompression is how small answers become large (H-02).  The text
 * of an error may be coded: it is shown escaped, if at all. */
static enum est_code check_coding(const struct http_response *response, struct est_error *err)
{
	struct est_span value, coding;
	char shown[40];

	for (size_t i = 0; http_field(response, "Content-Encoding", i, &value); i++)
		while (http_list_next(&value, &coding))
			if (!http_is(coding, "identity"))
				return est_fail(err, EST_E_PROTOCOL,
					"HTTP response: Content-Encoding is %s, but none was "
					"asked for (RFC 9110 section 8.4)",
					est_escape(shown, sizeof(shown), coding));
	return EST_OK;
}

/* Transfer-Encoding is there: only "chunked", once and alone, is a framing (H-14 b, c). */
static enum est_code check_chunked(const struct http_response *response, bool have_length,
	struct est_error *err)
{
	struct est_span value, other;
	char shown[80];

	if (have_length)
		return est_fail(err, EST_E_PROTOCOL,
			"HTTP response: both Transfer-Encoding and Content-Length "
			"(RFC 9112 section 6.3)");
	if (response->minor == 0)
		return est_fail(err, EST_E_PROTOCOL,
			"HTTP/1.0 response with Transfer-Encoding (RFC 9112 section 6.1)");
	if (!http_field(response, "Transfer-Encoding", 0, &value) || !http_is(value, "chunked") ||
		http_field(response, "Transfer-Encoding", 1, &other))
		return est_fail(err, EST_E_PROTOCOL,
			"HTTP response: Transfer-Encoding is \"%s\", only a single \"chunked\" "
			"is supported (RFC 9112 section 6.1)",
			est_escape(shown, sizeof(shown), value));
	return EST_OK;
}

enum est_code http_framing(const struct http_response *response, struct http_framing *out,
	struct est_error *err)
{
	struct http_framing framing = { 0 };
	bool have_length, chunked;
	struct est_span value;
	enum est_code rc;

	rc = check_singletons(response, err);
	if (rc != EST_OK)
		return rc;
	framing.reusable = response->minor == 1 && !connection_close(response);
	chunked = http_field(response, "Transfer-Encoding", 0, &value);
	if (response->status == 204 || response->status == 304) {
		/* No body, whatever the fields say; if they say something, the server may mean it.
		 */
		if (chunked ||
			(http_field(response, "Content-Length", 0, &value) && !http_is(value, "0")))
			framing.reusable = false;
		*out = framing;
		return EST_OK;
	}
	rc = content_length(response, &have_length, &framing.length, err);
	if (rc == EST_OK && chunked)
		rc = check_chunked(response, have_length, err);
	if (rc == EST_OK && response->status / 100 == 2)
		rc = check_coding(response, err);
	if (rc != EST_OK)
		return rc;
	framing.kind = chunked       ? HTTP_FRAMING_CHUNKED
		       : have_length ? HTTP_FRAMING_LENGTH
				     : HTTP_FRAMING_CLOSE;
	if (framing.kind == HTTP_FRAMING_CLOSE)
		framing.reusable = false;
	*out = framing;
	return EST_OK;
}

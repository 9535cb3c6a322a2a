/* SPDX-License-Identifier: MIT */
/* Host, port and label, each refused unless it can be read in one way only. */
#include "url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_lex.h"
#include "span.h"

#define WELL_KNOWN "/.well-known/est"
#define HTTPS_PORT 443

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_unreserved(uint8_t c) /* RFC 3986 section 2.3 */
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

/* ---- Authority ---------------------------------------------------------------------------------
 */

static enum est_code parse_port(struct est_span text, uint16_t *out, struct est_error *err)
{
	uint64_t port;
	char shown[40];

	if (text.n == 0) {
		*out = HTTPS_PORT;
		return EST_OK;
	}
	est_escape(shown, sizeof(shown), span_after(text, 1));
	if (!http_skip_char(&text, ':') || !http_digits(&text, UINT64_MAX, &port) || text.n > 0 ||
		port < 1 || port > 65535)
		return est_fail(err, EST_E_USAGE,
			"the port is \"%s\", not a number from 1 to 65535", shown);
	*out = (uint16_t)port;
	return EST_OK;
}

/* "[2001:db8::1]": its canonical text, so that one address has one name. */
static enum est_code parse_ipv6(struct est_span text, struct est_buf *host, struct est_error *err)
{
	char copy[INET6_ADDRSTRLEN], shown[80];
	struct in6_addr addr;

	if (memchr(text.p, '%', text.n))
		return est_fail(err, EST_E_USAGE,
			"an IPv6 zone cannot be part of a server's identity (RFC 6874): give the "
			"address without \"%%\"");
	if (text.n < sizeof(copy)) {
		memcpy(copy, text.p, text.n);
		copy[text.n] = '\0';
		if (inet_pton(AF_INET6, copy, &addr) == 1 &&
			inet_ntop(AF_INET6, &addr, copy, sizeof(copy)))
			return est_buf_append(host, est_span_str(copy), err);
	}
	return est_fail(err, EST_E_USAGE, "\"[%s]\" is not an IPv6 address",
		est_escape(shown, sizeof(shown), text));
}

/* Whether the C library could read the last label as a part of an IPv4 address ("10.1", "0x7f"):
 * then the name that is checked and the address that is used would be two things. */
static bool ends_in_number(struct est_span label)
{
	bool hex = label.n >= 2 && label.p[0] == '0' && (label.p[1] | 0x20) == 'x';

	for (size_t i = hex ? 2 : 0; i < label.n; i++)
		if (hex ? http_hex(label.p[i]) < 0 : !is_digit(label.p[i]))
			return false;
	return true;
}

static enum est_code check_host(struct est_span host, struct est_error *err)
{
	struct est_span rest = host, label = { 0 };
	char shown[80];

	est_escape(shown, sizeof(shown), host);
	if (host.n == 0)
		return est_fail(err, EST_E_USAGE, "the server has no host name");
	if (host.n > URL_HOST_MAX)
		return est_fail(err, EST_E_USAGE, "host name of %zu characters, the limit is %d",
			host.n, URL_HOST_MAX);
	for (size_t i = 0; i < host.n; i++) {
		if (host.p[i] >= 0x80)
			return est_fail(err, EST_E_USAGE,
				"host name \"%s\" is not ASCII: give its A-label (xn--...), as "
				"certificates do (RFC 5280 section 7.2)",
				shown);
		if (!is_unreserved(host.p[i]) || host.p[i] == '~')
			return est_fail(err, EST_E_USAGE,
				"host name \"%s\" has characters other than letters, digits, "
				"\"-\", \"_\" and \".\"",
				shown);
	}
	for (;;) {
		label = span_until(rest, ".");
		if (label.n < 1 || label.n > 63)
			return est_fail(err, EST_E_USAGE,
				"host name \"%s\" has a label of %zu characters, not 1 to 63 "
				"(RFC 1035 section 2.3.4)",
				shown, label.n);
		if (label.n == rest.n)
			break;
		rest = span_after(rest, label.n + 1);
	}
	if (ends_in_number(label))
		return est_fail(err, EST_E_USAGE,
			"\"%s\" is neither an IPv4 address in four decimal parts nor a host name",
			shown);
	return EST_OK;
}

static bool is_ipv4(struct est_span text)
{
	char copy[INET_ADDRSTRLEN];
	struct in_addr addr;

	if (text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return inet_pton(AF_INET, copy, &addr) == 1;
}

enum est_code url_authority(struct est_span in, struct url *url, struct est_error *err)
{
	struct est_buf host = { 0 }, authority = { 0 };
	struct est_span name;
	bool ipv6 = in.n > 0 && in.p[0] == '[';
	enum est_code rc;

	if (ipv6) {
		name = span_until(span_after(in, 1), "]");
		if (name.n + 1 == in.n) {
			rc = est_fail(err, EST_E_USAGE, "IPv6 address without its closing \"]\"");
			goto out;
		}
		in = span_after(in, name.n + 2);
		rc = parse_ipv6(name, &host, err);
	} else {
		name = span_until(in, ":");
		in = span_after(in, name.n);
		if (in.n > 1 && memchr(in.p + 1, ':', in.n - 1)) {
			rc = est_fail(err, EST_E_USAGE,
				"an IPv6 address must stand in brackets: [2001:db8::1]:8443");
			goto out;
		}
		url->is_ip = is_ipv4(name);
		rc = url->is_ip ? EST_OK : check_host(name, err);
		if (rc == EST_OK)
			rc = est_buf_append(&host, name, err);
		for (size_t i = 0; i < host.n; i++)
			if (host.p[i] >= 'A' && host.p[i] <= 'Z')
				host.p[i] |= 0x20;
	}
	if (rc != EST_OK)
		goto out;
	url->is_ip |= ipv6;
	rc = parse_port(in, &url->port, err);
	if (rc == EST_OK)
		rc = span_string(est_buf_span(&host), &url->host, err);
	if (rc == EST_OK)
		rc = est_buf_printf(&authority, err, ipv6 ? "[%s]" : "%s", url->host);
	if (rc == EST_OK && url->port != HTTPS_PORT)
		rc = est_buf_printf(&authority, err, ":%u", url->port);
	if (rc == EST_OK)
		rc = span_string(est_buf_span(&authority), &url->authority, err);
out:
	est_buf_free(&host);
	est_buf_free(&authority);
	return rc;
}

/* ---- Path --------------------------------------------------------------------------------------
 */

static bool is_operation(struct est_span segment)
{
	static const char *const names[] = { "cacerts", "simpleenroll", "simplereenroll", "fullcmc",
		"serverkeygen", "csrattrs" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (est_span_eq(segment, est_span_str(names[i])))
			return true;
	return false;
}

enum est_code url_percent_decode(struct est_span in, struct est_buf *out, struct est_error *err)
{
	enum est_code rc = EST_OK;
	uint8_t c;

	while (rc == EST_OK && in.n > 0) {
		c = in.p[0];
		if (c == '%') {
			if (in.n < 3 || http_hex(in.p[1]) < 0 || http_hex(in.p[2]) < 0)
				return est_fail(err, EST_E_USAGE,
					"the URL has a \"%%\" without two hexadecimal digits "
					"(RFC 3986 section 2.1)");
			c = (uint8_t)(http_hex(in.p[1]) << 4 | http_hex(in.p[2]));
			in = span_after(in, 2);
		}
		in = span_after(in, 1);
		rc = est_buf_append(out, (struct est_span){ &c, 1 }, err);
	}
	return rc;
}

/* A label segment as it is meant; what would change the path is refused (R7030-3.2.2). */
static enum est_code check_segment(struct est_span segment, bool in_url, struct est_error *err)
{
	char shown[80];

	est_escape(shown, sizeof(shown), segment);
	if (segment.n == 0)
		return est_fail(err, EST_E_USAGE, "the label has an empty segment");
	for (size_t i = 0; i < segment.n; i++)
		if (segment.p[i] < ' ' || segment.p[i] == 0x7f || segment.p[i] == '/')
			return est_fail(err, EST_E_USAGE,
				"label segment \"%s\" has a control character or a slash in it",
				shown);
	if (est_span_eq(segment, est_span_str(".")) || est_span_eq(segment, est_span_str("..")))
		return est_fail(err, EST_E_USAGE, "\"%s\" cannot be a label segment", shown);
	if (!is_operation(segment))
		return EST_OK;
	est_fail(err, EST_E_USAGE,
		"\"%s\" is the name of an operation and cannot be a label (RFC 7030 section 3.2.2)",
		shown);
	if (in_url)
		est_hint(err, "leave the operation out of --server: the URL ends with the label, "
			      "or with " WELL_KNOWN);
	return err->code;
}

static enum est_code append_segment(struct est_span segment, struct est_buf *base,
	struct est_error *err)
{
	enum est_code rc = est_buf_append(base, est_span_str("/"), err);

	for (size_t i = 0; rc == EST_OK && i < segment.n; i++)
		rc = is_unreserved(segment.p[i])
			     ? est_buf_append(base, (struct est_span){ segment.p + i, 1 }, err)
			     : est_buf_printf(base, err, "%%%02X", segment.p[i]);
	return rc;
}

/* "a/b": each segment checked and percent-encoded; in a URL it is decoded first. */
static enum est_code append_label(struct est_span label, bool in_url, struct est_buf *base,
	struct est_error *err)
{
	struct est_buf segment = { 0 };
	struct est_span raw;
	size_t total = 0;
	enum est_code rc;

	for (;;) {
		raw = span_until(label, "/");
		segment.n = 0;
		rc = in_url ? url_percent_decode(raw, &segment, err)
			    : est_buf_append(&segment, raw, err);
		total += segment.n + 1; /* with the slash before it */
		if (rc == EST_OK && total > URL_LABEL_MAX)
			rc = est_fail(err, EST_E_USAGE, "the label is longer than %d bytes",
				URL_LABEL_MAX - 1);
		if (rc == EST_OK)
			rc = check_segment(est_buf_span(&segment), in_url, err);
		if (rc == EST_OK)
			rc = append_segment(est_buf_span(&segment), base, err);
		if (rc != EST_OK || raw.n == label.n)
			break;
		label = span_after(label, raw.n + 1);
	}
	est_buf_free(&segment);
	return rc;
}

static enum est_code parse_path(struct est_span path, const char *label, struct url *url,
	struct est_error *err)
{
	struct est_buf base = { 0 };
	const size_t known = strlen(WELL_KNOWN);
	char shown[80];
	enum est_code rc;

	est_escape(shown, sizeof(shown), path);
	if (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--; /* one final slash says nothing */
	rc = est_buf_append(&base, est_span_str(WELL_KNOWN), err);
	if (rc == EST_OK && path.n > 0) {
		if (path.n < known || memcmp(path.p, WELL_KNOWN, known) != 0 ||
			(path.n > known && path.p[known] != '/')) {
			rc = est_fail(err, EST_E_USAGE,
				"the URL's path is \"%s\", not " WELL_KNOWN " or that and a label "
				"(RFC 7030 section 3.2.2)",
				shown);
			goto out;
		}
		path = span_after(path, known);
		if (path.n > 0 && label) {
			rc = est_fail(err, EST_E_USAGE,
				"a label in the URL and another by --label: give one of them");
			goto out;
		}
		if (path.n > 0)
			rc = append_label(span_after(path, 1), true, &base, err);
	}
	if (rc == EST_OK && label)
		rc = append_label(est_span_str(label), false, &base, err);
	if (rc == EST_OK)
		rc = span_string(est_buf_span(&base), &url->base, err);
out:
	est_buf_free(&base);
	return rc;
}

/* ---- The whole ---------------------------------------------------------------------------------
 */

/* What no form may have; first of all a password, which no later message may repeat. */
static enum est_code check_server(struct est_span in, struct est_error *err)
{
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] <= ' ' || in.p[i] == 0x7f)
			return est_fail(err, EST_E_USAGE,
				"the server has a space or control character (0x%02x) at offset %zu",
				in.p[i], i);
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '@') {
			est_fail(err, EST_E_USAGE,
				"the server has user information before an \"@\": a password does "
				"not belong on the command line, where every user can read it");
			return est_hint(err, "use --user NAME and --password-file FILE; in a label "
					     "write %%40");
		}
	}
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] == '?' || in.p[i] == '#')
			return est_fail(err, EST_E_USAGE,
				"the server's URL has a %s, which EST has no use for (RFC 7030 "
				"section 3.2.2)",
				in.p[i] == '?' ? "query (\"?\")" : "fragment (\"#\")");
	return EST_OK;
}

/* Takes "https://" off the front; *full is false when there is no scheme. */
static enum est_code take_scheme(struct est_span *in, bool *full, struct est_error *err)
{
	const uint8_t *mark = in->n > 0 ? memmem(in->p, in->n, "://", 3) : NULL;
	struct est_span scheme;
	char shown[40];

	*full = mark != NULL;
	if (!mark)
		return EST_OK;
	scheme = (struct est_span){ in->p, (size_t)(mark - in->p) };
	if (!http_is(scheme, "https")) {
		est_fail(err, EST_E_USAGE,
			"the URL's scheme is \"%s\", but EST runs over https only (RFC 7030 "
			"section 3.3)",
			est_escape(shown, sizeof(shown), scheme));
		return est_hint(err, "write https://, or host[:port] alone");
	}
	*in = span_after(*in, scheme.n + 3);
	return EST_OK;
}

enum est_code url_parse(const char *server, const char *label, struct url *out,
	struct est_error *err)
{
	struct est_span in = est_span_str(server), authority;
	struct url url = { 0 };
	enum est_code rc;
	bool full;

	rc = check_server(in, err);
	if (rc == EST_OK)
		rc = take_scheme(&in, &full, err);
	if (rc != EST_OK)
		return rc;
	authority = span_until(in, "/");
	in = span_after(in, authority.n);
	if (!full && in.n > 0) {
		est_fail(err, EST_E_USAGE, "a server with a path must be a full https:// URL");
		return est_hint(err, "give host[:port] and --label, or https://host" WELL_KNOWN);
	}
	rc = url_authority(authority, &url, err);
	if (rc == EST_OK)
		rc = parse_path(in, label, &url, err);
	if (rc != EST_OK) {
		url_wipe(&url);
		return rc;
	}
	*out = url;
	return EST_OK;
}

void url_wipe(struct url *url)
{
	free(url->host);
	free(url->authority);
	free(url->base);
	*url = (struct url){ 0 };
}

enum est_code url_target(const struct url *url, const char *operation, char **out,
	struct est_error *err)
{
	char *target;

	if (asprintf(&target, "%s/%s", url->base, operation) < 0)
		return est_fail(err, EST_E_INTERNAL, "out of memory");
	*out = target;
	return EST_OK;
}

/* SPDX-License-Identifier: MIT */
/* Where the proxy is, whom it is not for, and the CONNECT that asks it for a tunnel. */
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_auth.h"
#include "http_lex.h"
#include "span.h"

#define HTTP_PORT 80

/* ---- Where the proxy is -------------------------------------------------------------------------
 */

/* User and password, which the operator has in a secret place (RFC 3986 section 3.2.1). */
static enum est_code take_userinfo(struct est_span in, struct proxy *out, struct est_error *err)
{
	const uint8_t *colon = in.n ? memchr(in.p, ':', in.n) : NULL;
	struct est_span user = { in.p, colon ? (size_t)(colon - in.p) : in.n };
	struct est_buf name = { 0 };
	enum est_code rc;

	rc = url_percent_decode(user, &name, err);
	if (rc == EST_OK && (name.n == 0 || memchr(name.p, 0, name.n)))
		rc = est_fail(err, EST_E_USAGE, "the user name is empty, or has a NUL byte");
	if (rc == EST_OK)
		rc = span_string(est_buf_span(&name), &out->user, err);
	if (rc == EST_OK && colon)
		rc = url_percent_decode((struct est_span){ colon + 1, in.n - user.n - 1 },
			&out->secret, err);
	est_buf_free(&name);
	return rc == EST_OK ? http_check_credentials(out->user, est_buf_span(&out->secret), err)
			    : rc;
}

static enum est_code take_scheme(struct est_span *in, struct est_error *err)
{
	const uint8_t *mark = in->n ? memmem(in->p, in->n, "://", 3) : NULL;
	char shown[40];
	size_t n;

	if (!mark)
		return EST_OK;
	n = (size_t)(mark - in->p);
	if (!http_is((struct est_span){ in->p, n }, "http"))
		return est_fail(err, EST_E_USAGE,
			"the scheme is \"%s\"; est knows http:// proxies only, with CONNECT",
			est_escape(shown, sizeof(shown), (struct est_span){ in->p, n }));
	*in = (struct est_span){ in->p + n + 3, in->n - n - 3 };
	return EST_OK;
}

static enum est_code parse(const char *text, struct proxy *out, struct est_error *err)
{
	struct est_span in = est_span_str(text);
	const uint8_t *at, *bracket;
	enum est_code rc;

	rc = take_scheme(&in, err);
	at = rc == EST_OK && in.n ? memrchr(in.p, '@', in.n) : NULL;
	if (at) {
		size_t n = (size_t)(at - in.p);

		rc = take_userinfo((struct est_span){ in.p, n }, out, err);
		in = (struct est_span){ at + 1, in.n - n - 1 };
	}
	if (in.n > 0 && in.p[in.n - 1] == '/')
		in.n--;
	if (rc == EST_OK && in.n > 0 && memchr(in.p, '/', in.n))
		rc = est_fail(err, EST_E_USAGE, "a proxy has no path");
	if (rc == EST_OK)
		rc = url_authority(in, &out->at, err);
	if (rc != EST_OK)
		return rc;
	bracket = memrchr(in.p, ']', in.n);
	if (!memchr(bracket ? bracket : in.p, ':',
		    bracket ? in.n - (size_t)(bracket - in.p) : in.n))
		out->at.port = HTTP_PORT;
	return EST_OK;
}

enum est_code proxy_load(const char *text, struct proxy *out, struct est_error *err)
{
	struct est_error why = { 0 };
	enum est_code rc = text ? parse(text, out, &why) : EST_OK;

	return rc == EST_OK ? rc : est_fail(err, rc, "the proxy: %s", why.msg);
}

void proxy_wipe(struct proxy *proxy)
{
	url_wipe(&proxy->at);
	free(proxy->user);
	est_buf_free(&proxy->secret);
	est_buf_free(&proxy->credentials);
	*proxy = (struct proxy){ 0 };
}

/* ---- no_proxy -----------------------------------------------------------------------------------
 */

/* The element without its port; false: the port is another one, or no number. */
static bool port_allows(struct est_span *in, uint16_t port)
{
	bool bracket = in->n > 0 && in->p[0] == '[';
	const uint8_t *end = bracket ? memchr(in->p, ']', in->n) : NULL;
	const uint8_t *colon = memchr(end ? end : in->p, ':',
		in->n - (end ? (size_t)(end - in->p) : 0));
	struct est_span rest;
	uint64_t number;

	if (!end && colon && memrchr(in->p, ':', in->n) != colon)
		return true; /* an IPv6 address without brackets */
	if (colon) {
		rest = (struct est_span){ colon + 1, in->n - (size_t)(colon - in->p) - 1 };
		if (!http_digits(&rest, UINT64_MAX, &number) || rest.n > 0 || number != port)
			return false;
		in->n = (size_t)(colon - in->p);
	}
	if (end)
		*in = (struct est_span){ in->p + 1, (size_t)(end - in->p) - 1 };
	return true;
}

/* "10.0.0.0/8", "fd00::/8"; without a prefix all bits count. */
static bool address_matches(struct est_span in, const char *host)
{
	const uint8_t *slash = memchr(in.p, '/', in.n);
	uint8_t a[16], b[16];
	char text[INET6_ADDRSTRLEN];
	int family = strchr(host, ':') ? AF_INET6 : AF_INET;
	uint64_t bits = family == AF_INET6 ? 128 : 32, max = bits;
	struct est_span rest;

	if (slash) {
		rest = (struct est_span){ slash + 1, in.n - (size_t)(slash - in.p) - 1 };
		if (!http_digits(&rest, UINT64_MAX, &bits) || rest.n > 0 || bits > max)
			return false;
		in.n = (size_t)(slash - in.p);
	}
	if (in.n >= sizeof(text))
		return false;
	memcpy(text, in.p, in.n);
	text[in.n] = '\0';
	if (inet_pton(family, text, a) != 1 || inet_pton(family, host, b) != 1 ||
		memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0;
}

static bool element_matches(struct est_span in, const char *host, uint16_t port)
{
	size_t n = strlen(host);
	uint8_t address[16];

	if (est_span_eq(in, est_span_str("*")))
		return true;
	if (!port_allows(&in, port) || in.n == 0)
		return false;
	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return address_matches(in, host);
	if (in.p[0] == '*' && in.n > 1 && in.p[1] == '.')
		in = span_after(in, 1);
	if (in.p[0] == '.')
		in = span_after(in, 1);
	if (in.n == 0 || in.n > n || strncasecmp(host + n - in.n, (const char *)in.p, in.n) != 0)
		return false;
	return in.n == n || host[n - in.n - 1] == '.';
}

bool proxy_bypassed(const char *no_proxy, const char *host, uint16_t port)
{
	size_t n;

	for (const char *p = no_proxy; p && *p; p += n + (p[n] != '\0')) {
		n = strcspn(p, ", \t");
		if (element_matches((struct est_span){ (const uint8_t *)p, n }, host, port))
			return true;
	}
	return false;
}

/* ---- CONNECT ------------------------------------------------------------------------------------
 */

static enum est_code send_all(int fd, struct est_span out, const struct deadline *deadline,
	struct est_error *err)
{
	enum est_code rc = EST_OK;
	ssize_t n;

	while (rc == EST_OK && out.n > 0) {
		n = send(fd, out.p, out.n, MSG_NOSIGNAL);
		if (n >= 0)
			out = span_after(out, n);
		else if (errno != EAGAIN && errno != EINTR)
			rc = est_fail(err, EST_E_NETWORK, "the connection to the proxy broke: %s",
				strerror(errno));
		else
			rc = deadline_poll(deadline, fd, POLLOUT, -1, "while asking the proxy",
				err);
	}
	return rc;
}

static enum est_code send_connect(const struct proxy *proxy, const char *to, int fd,
	const struct deadline *deadline, struct est_error *err)
{
	struct est_buf text = { 0 };
	enum est_code rc;

	rc = est_buf_printf(&text, err,
		"CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: est/" EST_VERSION "\r\n", to, to);
	if (rc == EST_OK && proxy->credentials.n > 0)
		rc = http_put_field(&text, "Proxy-Authorization", est_buf_span(&proxy->credentials),
			err);
	if (rc == EST_OK)
		rc = est_buf_append(&text, est_span_str("\r\n"), err);
	if (rc == EST_OK)
		rc = send_all(fd, est_buf_span(&text), deadline, err);
	est_buf_free(&text);
	return rc;
}

/* The head of the final answer.  A server says nothing in TLS before it has heard the client, so
 * what follows a success at once comes from the proxy, and is not meant for TLS. */
static enum est_code read_answer(int fd, const struct deadline *deadline,
	struct http_response *response, struct est_error *err)
{
	struct http_parser parser;
	enum est_code rc = EST_OK;
	struct est_span in = { 0 };
	uint8_t block[2048];
	ssize_t n;

	http_parser_init(&parser, response, 0, NULL);
	parser.head_only = true;
	while (rc == EST_OK && !http_parser_done(&parser)) {
		rc = deadline_poll(deadline, fd, POLLIN, -1, "while waiting for the proxy", err);
		n = rc == EST_OK ? recv(fd, block, sizeof(block), 0) : 0;
		if (rc == EST_OK && n == 0) {
			rc = est_fail(err, EST_E_NETWORK,
				"the proxy closes the connection in place of an answer");
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			rc = est_fail(err, EST_E_NETWORK, "the connection to the proxy broke: %s",
				strerror(errno));
		} else if (n > 0) {
			in = (struct est_span){ block, (size_t)n };
			rc = http_parser_feed(&parser, &in, err);
		}
	}
	if (rc == EST_OK && response->status / 100 == 2 && in.n > 0)
		rc = est_fail(err, EST_E_PROTOCOL,
			"the proxy says more than the head of its answer to CONNECT (RFC 9110 "
			"section 9.3.6)");
	if (rc == EST_E_PROTOCOL)
		est_reason(err, "proxy");
	http_parser_wipe(&parser);
	return rc;
}

static bool offers_basic(const struct http_response *response)
{
	struct http_challenge challenges[HTTP_CHALLENGES_MAX];
	size_t n = http_challenges(response, "Proxy-Authenticate", challenges);

	while (n > 0) {
		if (http_challenge_is(&challenges[--n], "Basic"))
			return true;
	}
	return false;
}

/* The answer to a 407, for the next connection; *again: there is one. */
static enum est_code answer_challenge(struct proxy *proxy, const struct http_response *response,
	struct deadline *deadline, bool *again, struct est_error *err)
{
	int64_t asked_ms = deadline_now_ms();
	char what[400];
	enum est_code rc = EST_OK;

	*again = false;
	if (!proxy->user || proxy->credentials.n > 0 || !offers_basic(response))
		return EST_OK;
	(void)snprintf(what, sizeof(what), "proxy password of %.100s at %.250s", proxy->user,
		proxy->at.host);
	if (proxy->secret.n == 0) {
		rc = proxy->password ? proxy->password(proxy->secret_ctx, what, &proxy->secret, err)
				     : est_fail(err, EST_E_INPUT, "%s needed", what);
		deadline_forgive(deadline, asked_ms);
	}
	if (rc == EST_OK)
		rc = http_basic(proxy->user, est_buf_span(&proxy->secret), &proxy->credentials,
			err);
	*again = rc == EST_OK;
	return rc;
}

static enum est_code fail_connect(const struct proxy *proxy, const char *to,
	const struct http_response *response, struct est_error *err)
{
	const char *eol = memchr(response->head.p, '\r', response->head.n);
	enum est_code code = response->status >= 500 ? EST_E_NETWORK : EST_E_REFUSED;
	int status = response->status;
	char shown[120];

	if (!eol)
		eol = memchr(response->head.p, '\n', response->head.n);
	est_escape(shown, sizeof(shown),
		(struct est_span){ response->head.p + 9,
			(size_t)(eol - (char *)response->head.p) - 9 });
	if (status == 407)
		code = EST_E_AUTH;
	est_fail(err, code, "the proxy %s does not connect to %s: %s", proxy->at.host, to, shown);
	err->http_status = status;
	est_reason(err, "proxy");
	if (status != 407)
		return code;
	if (!offers_basic(response))
		return est_hint(err, "it does not offer Basic, which is what est has for proxies");
	if (!proxy->user)
		return est_hint(err, "it wants a user and password: --proxy http://USER@HOST:PORT "
				     "with --proxy-password-file FILE");
	return est_hint(err, "user or password for the proxy is wrong");
}

/* One CONNECT on a fresh connection; *again: after a 407 that can be answered. */
static enum est_code attempt(struct proxy *proxy, const struct net_target *target, const char *to,
	struct deadline *deadline, int *out, char *via, bool *again, struct est_error *err)
{
	struct net_target hop = *target;
	struct http_response response = { 0 };
	struct deadline within;
	enum est_code rc;
	int fd = -1;

	*again = false;
	hop.host = proxy->at.host;
	hop.port = proxy->at.port;
	rc = net_connect(&hop, deadline, &fd, via, err);
	if (rc != EST_OK)
		return rc;
	within = deadline_within(deadline, target->connect_timeout_ms);
	rc = send_connect(proxy, to, fd, &within, err);
	if (rc == EST_OK)
		rc = read_answer(fd, &within, &response, err);
	if (rc == EST_OK && response.status == 407)
		rc = answer_challenge(proxy, &response, deadline, again, err);
	if (rc == EST_OK && !*again && response.status / 100 != 2)
		rc = fail_connect(proxy, to, &response, err);
	if (rc == EST_OK && !*again)
		*out = fd;
	else
		(void)close(fd);
	http_response_wipe(&response);
	return rc;
}

enum est_code proxy_connect(struct proxy *proxy, const struct net_target *target,
	struct deadline *deadline, int *fd, char address[NET_ADDRESS_TEXT],
	char via[NET_ADDRESS_TEXT], struct est_error *err)
{
	char to[URL_HOST_MAX + 16];
	enum est_code rc;
	bool again;

	*via = '\0';
	if (!proxy || !proxy->at.host || proxy_bypassed(proxy->bypass, target->host, target->port))
		return net_connect(target, deadline, fd, address, err);
	(void)snprintf(to, sizeof(to), strchr(target->host, ':') ? "[%s]:%u" : "%s:%u",
		target->host, target->port);
	do
		rc = attempt(proxy, target, to, deadline, fd, via, &again, err);
	while (rc == EST_OK && again);
	(void)snprintf(address, NET_ADDRESS_TEXT, "%.*s", NET_ADDRESS_TEXT - 1, to);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* Which proxy, for whom, and what is made of its answers; the proxy is a thread. */
#include "proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct est_error err;

/* ---- The URL ------------------------------------------------------------------------------------
 */

static void the_url_of_a_proxy_is_taken_apart(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		const char *user, *secret;
	} cases[] = {
		{ "http://proxy.example:3128", "proxy.example", 3128, NULL, "" },
		{ "proxy.example:3128", "proxy.example", 3128, NULL, "" },
		{ "HTTP://Proxy.Example/", "proxy.example", 80, NULL, "" },
		{ "http://[2001:db8::1]:3128/", "2001:db8::1", 3128, NULL, "" },
		{ "http://[2001:db8::1]", "2001:db8::1", 80, NULL, "" },
		{ "http://u@10.0.0.1:443", "10.0.0.1", 443, "u", "" },
		{ "u%40d:p%3aw:x%25@p:1", "p", 1, "u@d", "p:w:x%" },
		{ "http://a@b:c@p:1", "p", 1, "a@b", "c" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proxy p = { 0 };

		if (proxy_load(cases[i].text, &p, &err) != EST_OK)
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_string_equal(p.at.host, cases[i].host);
		assert_int_equal(p.at.port, cases[i].port);
		assert_int_equal(p.user == NULL, cases[i].user == NULL);
		if (p.user)
			assert_string_equal(p.user, cases[i].user);
		assert_true(est_span_eq(est_buf_span(&p.secret), est_span_str(cases[i].secret)));
		proxy_wipe(&p);
	}
}

static void what_is_no_http_proxy_is_refused_and_its_password_not_repeated(void **state)
{
	static const char *const bad[] = { "", "http://", "https://u:s3cret@p:1",
		"socks5://u:s3cret@p:1", "http://u:s3cret@p:1/path", "http://u:s3cret@p:0",
		"http://u:s3cret@p:65536", "http://u:s3cret@p:x", "http://:s3cret@p:1",
		"http://u%0:s3cret@p:1", "http://u%00:s3cret@p:1", "http://u%3a:s3cret@p:1",
		"http://u%0d:s3cret@p:1", "http://u:s3cret%0a@p:1", "http://u:s3cret@p q:1",
		"http://2001:db8::1:3128", "http://[2001:db8::1", "http://u:s3cret@p:1?q",
		"http://u:s3cret@p\r\nX: y:1" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct proxy p = { 0 };

		if (proxy_load(bad[i], &p, &err) != EST_E_USAGE)
			fail_msg("%s: %s", bad[i], err.msg);
		assert_null(strstr(err.msg, "s3cret"));
		proxy_wipe(&p);
	}
}

static void no_proxy_names_hosts_and_all_below_them(void **state)
{
	static const struct {
		const char *list, *host;
		uint16_t port;
		bool direct;
	} cases[] = {
		{ NULL, "a.example", 443, false },
		{ "", "a.example", 443, false },
		{ "*", "a.example", 443, true },
		{ "example", "a.example", 443, true },
		{ ".example", "a.example", 443, true },
		{ "*.example", "a.example", 443, true },
		{ "A.Example", "a.example", 443, true },
		{ "x, ,a.example", "a.example", 443, true },
		{ "x a.example", "a.example", 443, true },
		{ "a.example:443", "a.example", 443, true },
		{ "a.example:444", "a.example", 443, false },
		{ "a.example:", "a.example", 443, false },
		{ "a.example:44x", "a.example", 443, false },
		{ "xample", "a.example", 443, false },
		{ "b.a.example", "a.example", 443, false },
		{ ".", "a.example", 443, false },
		{ ",", "a.example", 443, false },
		{ "127.0.0.1", "127.0.0.1", 8443, true },
		{ "127.0.0.1:8443", "127.0.0.1", 8443, true },
		{ "0.0.1", "127.0.0.1", 8443, false },
		{ "127.0.0.0/8", "127.1.2.3", 8443, true },
		{ "127.0.0.0/31", "127.0.0.1", 8443, true },
		{ "127.0.0.0/32", "127.0.0.1", 8443, false },
		{ "128.0.0.0/1", "127.0.0.1", 8443, false },
		{ "0.0.0.0/0", "127.0.0.1", 8443, true },
		{ "127.0.0.0/33", "127.0.0.1", 8443, false },
		{ "127.0.0.0/", "127.0.0.1", 8443, false },
		{ "::/0", "127.0.0.1", 8443, false },
		{ "::1", "::1", 8443, true },
		{ "[::1]", "::1", 8443, true },
		{ "[::1]:8443", "::1", 8443, true },
		{ "[::1]:1", "::1", 8443, false },
		{ "[::1", "::1", 8443, false },
		{ "fd00::/8", "fd12::1", 8443, true },
		{ "0:0::1", "::1", 8443, true },
		{ "10.0.0.0/8", "a.example", 443, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (proxy_bypassed(cases[i].list, cases[i].host, cases[i].port) != cases[i].direct)
			fail_msg("%s for %s:%u", cases[i].list, cases[i].host, cases[i].port);
}

/* ---- CONNECT ------------------------------------------------------------------------------------
 */

static struct {
	int listener;
	uint16_t port;
	const char *const *answers; /* one a connection; NULL ends */
	char heard[4096];
	unsigned asked;
} peer;

/* Plays the answers, each on a connection of its own, and hangs up. */
static void *play(void *arg)
{
	(void)arg;
	for (const char *const *a = peer.answers; *a; a++) {
		size_t n = strlen(peer.heard);
		int fd = accept(peer.listener, NULL, NULL);

		do {
			ssize_t got = read(fd, peer.heard + n, sizeof(peer.heard) - 1 - n);

			if (got <= 0)
				break;
			n += (size_t)got;
		} while (memcmp(peer.heard + n - 4, "\r\n\r\n", 4) != 0);
		if (write(fd, *a, strlen(*a)) < 0)
			(void)fprintf(stderr, "the client has gone\n");
		(void)close(fd);
	}
	return NULL;
}

static enum est_code password(void *ctx, const char *what, struct est_buf *out, struct est_error *e)
{
	(void)ctx;
	assert_non_null(strstr(what, "proxy password of me at 127.0.0.1"));
	peer.asked++;
	return est_buf_append(out, est_span_str("s3cret"), e);
}

static struct proxy proxy;

static enum est_code connect_through(const char *const *answers)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct net_target target = { .host = "est.example",
		.port = 8443,
		.connect_timeout_ms = 3000 };
	struct deadline deadline = deadline_start(5000, NULL);
	char address[NET_ADDRESS_TEXT] = "", via[NET_ADDRESS_TEXT];
	socklen_t len = sizeof(sa);
	pthread_t thread;
	enum est_code rc;
	int fd = -1;

	memset(peer.heard, 0, sizeof(peer.heard));
	peer.asked = 0;
	peer.answers = answers;
	peer.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(peer.listener, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(peer.listener, 8), 0);
	assert_int_equal(getsockname(peer.listener, (struct sockaddr *)&sa, &len), 0);
	proxy.at.port = ntohs(sa.sin_port);
	assert_int_equal(pthread_create(&thread, NULL, play, NULL), 0);
	rc = proxy_connect(&proxy, &target, &deadline, &fd, address, via, &err);
	if (fd >= 0)
		(void)close(fd);
	assert_int_equal(fd >= 0, rc == EST_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(peer.listener);
	assert_string_equal(address, "est.example:8443");
	assert_memory_equal(via, "127.0.0.1:", 10);
	return rc;
}

static int begin(void **state)
{
	(void)state;
	return proxy_load("me@127.0.0.1:1", &proxy, &err) == EST_OK ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	proxy_wipe(&proxy);
	return 0;
}

#define ANSWERS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define WANTED       "HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate, Basic realm=x\r\n\r\n"
#define PLAIN                                                                                      \
	"CONNECT est.example:8443 HTTP/1.1\r\nHost: est.example:8443\r\n"                          \
	"User-Agent: est/" EST_VERSION "\r\n"
#define CREDENTIALS "Proxy-Authorization: Basic bWU6czNjcmV0\r\n"

static void a_tunnel_begins_after_the_head_whatever_its_fields_say(void **state)
{
	(void)state;
	assert_int_equal(connect_through(ANSWERS("HTTP/1.0 200 Connection established\r\n\r\n")),
		EST_OK);
	assert_string_equal(peer.heard, PLAIN "\r\n");
	assert_int_equal(connect_through(ANSWERS("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 204 ok\r\n"
						 "Content-Length: 99\r\n"
						 "Transfer-Encoding: chunked\r\n\r\n")),
		EST_OK);
}

static void the_password_goes_to_a_proxy_that_asks_and_from_then_on(void **state)
{
	(void)state;
	proxy.password = password;
	assert_int_equal(connect_through(ANSWERS(WANTED, "HTTP/1.1 200 ok\r\n\r\n")), EST_OK);
	assert_string_equal(peer.heard, PLAIN "\r\n" PLAIN CREDENTIALS "\r\n");
	assert_int_equal(peer.asked, 1);
	assert_int_equal(connect_through(ANSWERS("HTTP/1.1 200 ok\r\n\r\n")), EST_OK);
	assert_string_equal(peer.heard, PLAIN CREDENTIALS "\r\n");
	assert_int_equal(peer.asked, 0);
}

static void a_proxy_that_wants_something_else_gets_nothing(void **state)
{
	(void)state;
	proxy.password = password;
	assert_int_equal(connect_through(ANSWERS("HTTP/1.1 407 x\r\n\r\n")), EST_E_AUTH);
	assert_int_equal(connect_through(ANSWERS("HTTP/1.1 407 x\r\n"
						 "WWW-Authenticate: Basic realm=x\r\n"
						 "Proxy-Authenticate: NTLM\r\n\r\n")),
		EST_E_AUTH);
	assert_int_equal(connect_through(ANSWERS("HTTP/1.1 401 x\r\n"
						 "Proxy-Authenticate: Basic realm=x\r\n\r\n")),
		EST_E_REFUSED);
	assert_int_equal(peer.asked, 0);
	assert_string_equal(peer.heard, PLAIN "\r\n");
	/* One guess, and no second. */
	assert_int_equal(connect_through(ANSWERS(WANTED, WANTED)), EST_E_AUTH);
	assert_int_equal(peer.asked, 1);
	assert_int_equal(err.http_status, 407);
	proxy_wipe(&proxy);
	assert_int_equal(proxy_load("127.0.0.1:1", &proxy, &err), EST_OK);
	assert_int_equal(connect_through(ANSWERS(WANTED)), EST_E_AUTH);
	assert_non_null(strstr(err.hint, "--proxy-password-file"));
}

static void other_answers_are_refused(void **state)
{
	static char large[9 << 10];
	static const struct {
		const char *answer;
		enum est_code code;
		int status;
	} cases[] = {
		{ "", EST_E_NETWORK, 0 },
		{ "HTTP/1.1 200 ok\r\n", EST_E_NETWORK, 0 },
		{ "HTTP/1.1 200 ok\r\n\r\n\x16\x03\x03", EST_E_PROTOCOL, 0 },
		{ "HTTP/1.1 200 ok\r\n\r\nHTTP/1.1 200 ok\r\n\r\n", EST_E_PROTOCOL, 0 },
		{ "SSH-2.0-OpenSSH_9.2p1\r\n", EST_E_PROTOCOL, 0 },
		{ "\x16\x03\x03\x7a\x02\n", EST_E_PROTOCOL, 0 },
		{ "HTTP/1.1 200 ok\r\nno field\r\n\r\n", EST_E_PROTOCOL, 0 },
		{ "HTTP/2 200\r\n\r\n", EST_E_PROTOCOL, 0 },
		{ "HTTP/1.1 101 x\r\n\r\n", EST_E_PROTOCOL, 0 },
		{ "HTTP/1.1 301 x\r\nLocation: https://evil.example/\r\n\r\n", EST_E_REFUSED, 301 },
		{ "HTTP/1.1 403 \x1b[31mno\r\n\r\n", EST_E_PROTOCOL, 0 },
		{ "HTTP/1.1 403 \xe2\x80\xaeno\r\nContent-Length: 5\r\n\r\n<htm", EST_E_REFUSED,
			403 },
		{ "HTTP/1.1 502 x\r\n\r\n", EST_E_NETWORK, 502 },
		{ "HTTP/1.1 999 x\r\n\r\n", EST_E_NETWORK, 999 },
		{ large, EST_E_PROTOCOL, 0 },
	};

	(void)state;
	(void)snprintf(large, sizeof(large), "HTTP/1.1 200 ok\r\n");
	memset(large + 17, 'x', sizeof(large) - 18);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (connect_through(ANSWERS(cases[i].answer)) != cases[i].code)
			fail_msg("case %zu: %d %s", i, err.code, err.msg);
		assert_int_equal(err.http_status, cases[i].status);
		assert_null(strchr(err.msg, 0x1b));
		assert_null(strstr(err.msg, "\xe2\x80\xae"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_url_of_a_proxy_is_taken_apart),
		cmocka_unit_test(what_is_no_http_proxy_is_refused_and_its_password_not_repeated),
		cmocka_unit_test(no_proxy_names_hosts_and_all_below_them),
		cmocka_unit_test_setup_teardown(
			a_tunnel_begins_after_the_head_whatever_its_fields_say, begin, end),
		cmocka_unit_test_setup_teardown(
			the_password_goes_to_a_proxy_that_asks_and_from_then_on, begin, end),
		cmocka_unit_test_setup_teardown(a_proxy_that_wants_something_else_gets_nothing,
			begin, end),
		cmocka_unit_test_setup_teardown(other_answers_are_refused, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

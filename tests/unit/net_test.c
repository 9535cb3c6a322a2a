/* SPDX-License-Identifier: MIT */
/* From a host name to a connected socket, on the loopback interface. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "resolve.h"

#define LATE_MS 500

static struct est_error err;

static const struct sockaddr *loopback(int family, uint16_t port, socklen_t *len)
{
	static struct sockaddr_in v4;
	static struct sockaddr_in6 v6;

	v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	v6.sin6_addr = in6addr_loopback;
	*len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	return family == AF_INET ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
}

/* A socket on a free port that listens, or only keeps the port from everybody else. */
static int occupy(int family, bool listening, uint16_t *port)
{
	struct sockaddr_in6 bound;
	socklen_t len, n = sizeof(bound);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sockaddr *address = loopback(family, 0, &len);

	if (fd < 0 || bind(fd, address, len) != 0) {
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &n), 0);
	*port = ntohs(bound.sin6_port); /* at the same place in both families */
	if (listening)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static enum est_code connect_to(const struct net_target *target, unsigned ms,
	const volatile sig_atomic_t *stop, int *fd, char *address)
{
	struct deadline deadline = deadline_start(ms, stop);

	return net_connect(target, &deadline, fd, address, &err);
}

static void expect_connected(const struct net_target *target, const char *begins)
{
	char address[NET_ADDRESS_TEXT] = "";
	socklen_t len = sizeof(int);
	int fd = -1, on = 0;

	if (connect_to(target, 5000, NULL, &fd, address) != EST_OK)
		fail_msg("%s", err.msg);
	if (strncmp(address, begins, strlen(begins)) != 0)
		fail_msg("%s, not %s", address, begins);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on);
	(void)close(fd);
}

static void expect_failure(const struct net_target *target, enum est_code code)
{
	char address[NET_ADDRESS_TEXT] = "kept";
	int fd = -7;

	assert_int_equal(connect_to(target, 5000, NULL, &fd, address), code);
	assert_int_equal(fd, -7);
	assert_string_equal(address, "kept");
}

static void an_address_is_connected_to(void **state)
{
	struct net_target target = { .host = "127.0.0.1", .connect_timeout_ms = 5000 };
	char text[64];
	int server = occupy(AF_INET, true, &target.port);

	(void)state;
	assert_true(server >= 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", target.port);
	expect_connected(&target, text);
	target.family = AF_INET;
	expect_connected(&target, text);
	target.host = "localhost";
	expect_connected(&target, text);
	(void)close(server);
}

static void an_ipv6_address_is_written_in_brackets(void **state)
{
	struct net_target target = { .host = "::1", .connect_timeout_ms = 5000 };
	int server = occupy(AF_INET6, true, &target.port);

	(void)state;
	if (server < 0)
		skip();
	expect_connected(&target, "[::1]:");
	target.family = AF_INET;
	expect_failure(&target, EST_E_NETWORK);
	(void)close(server);
}

static void a_refused_port_is_a_network_error_with_the_address(void **state)
{
	struct net_target target = { .host = "127.0.0.1", .connect_timeout_ms = 5000 };
	int server = occupy(AF_INET, false, &target.port);
	int64_t start = deadline_now_ms();
	char text[64];

	(void)state;
	assert_true(server >= 0);
	expect_failure(&target, EST_E_NETWORK);
	assert_true(deadline_now_ms() - start < LATE_MS);
	(void)snprintf(text, sizeof(text), "127.0.0.1 port %u", target.port);
	assert_non_null(strstr(err.msg, text));
	assert_non_null(strstr(err.msg, strerror(ECONNREFUSED)));
	assert_string_equal(err.reason, "connect");
	(void)close(server);
}

static void a_server_that_never_answers_costs_the_timeout_and_no_more(void **state)
{
	struct net_target target = { .host = "127.0.0.1", .connect_timeout_ms = 200 };
	int server = occupy(AF_INET, false, &target.port), filler[3];
	int64_t start;

	(void)state;
	assert_true(server >= 0);
	assert_int_equal(listen(server, 0), 0); /* a queue for one, which we fill */
	for (size_t i = 0; i < 3; i++) {
		socklen_t len;
		const struct sockaddr *to = loopback(AF_INET, target.port, &len);

		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(filler[i], to, len);
	}
	start = deadline_now_ms();
	if (connect_to(&target, 5000, NULL, &(int){ -1 }, (char[NET_ADDRESS_TEXT]){ 0 }) == EST_OK)
		skip(); /* this kernel takes them all the same */
	assert_int_equal(err.code, EST_E_TIMEOUT);
	assert_in_range(deadline_now_ms() - start, 200, 200 + LATE_MS);
	/* The total time is shorter than the connect timeout. */
	target.connect_timeout_ms = 5000;
	start = deadline_now_ms();
	assert_int_equal(connect_to(&target, 150, NULL, &(int){ -1 },
				 (char[NET_ADDRESS_TEXT]){ 0 }),
		EST_E_TIMEOUT);
	assert_in_range(deadline_now_ms() - start, 150, 150 + LATE_MS);
	for (size_t i = 0; i < 3; i++)
		(void)close(filler[i]);
	(void)close(server);
}

static void a_stop_ends_the_attempt(void **state)
{
	static const volatile sig_atomic_t stop = SIGINT;
	struct net_target target = { .host = "127.0.0.1", .connect_timeout_ms = 5000 };
	int server = occupy(AF_INET, true, &target.port);

	(void)state;
	assert_int_equal(connect_to(&target, 5000, &stop, &(int){ -1 },
				 (char[NET_ADDRESS_TEXT]){ 0 }),
		EST_E_INTERRUPTED);
	target.host = "localhost"; /* the look-up too */
	assert_int_equal(connect_to(&target, 5000, &stop, &(int){ -1 },
				 (char[NET_ADDRESS_TEXT]){ 0 }),
		EST_E_INTERRUPTED);
	(void)close(server);
}

static void every_address_of_a_name_is_tried(void **state)
{
	struct net_target target = { .host = "localhost", .connect_timeout_ms = 5000 };
	int server = occupy(AF_INET, true, &target.port);

	(void)state; /* where it is ::1 too, that one is refused first */
	expect_connected(&target, "127.0.0.1:");
	(void)close(server);
}

static void a_name_that_does_not_exist_is_said(void **state)
{
	struct net_target target = { .host = "no such name",
		.port = 1,
		.connect_timeout_ms = 5000 };

	(void)state;
	expect_failure(&target, EST_E_NETWORK);
	assert_string_equal(err.reason, "dns");
	assert_non_null(strstr(err.msg, "no such name"));
}

static void resolve_replaces_the_address_of_one_host_and_port(void **state)
{
	const char *entries[3] = { "other.example:443:127.0.0.9", NULL, NULL };
	struct net_target target = { .host = "est.example.invalid",
		.resolve = entries,
		.connect_timeout_ms = 5000 };
	int server = occupy(AF_INET, true, &target.port);
	char entry[80];

	(void)state;
	(void)snprintf(entry, sizeof(entry), "EST.example.invalid:%u:127.0.0.1", target.port);
	entries[1] = entry;
	expect_connected(&target, "127.0.0.1:");
	(void)snprintf(entry, sizeof(entry), "[est.example.invalid]:%u:[127.0.0.1]", target.port);
	expect_connected(&target, "127.0.0.1:");
	target.host = "127.0.0.2"; /* an address may be replaced too */
	(void)snprintf(entry, sizeof(entry), "127.0.0.2:%u:127.0.0.1", target.port);
	expect_connected(&target, "127.0.0.1:");
	target.family = AF_INET6; /* what was given is not what is allowed */
	expect_failure(&target, EST_E_NETWORK);
	(void)close(server);
}

static void a_resolve_entry_is_host_port_and_address(void **state)
{
	static const char *const good[] = { "a:1:127.0.0.1", "a:65535:::1", "a:443:[::1]",
		"[::1]:443:127.0.0.1", "a.example:08443:2001:db8::1", NULL };
	static const char *const bad[] = { "", ":", "a", "a:1", "a:1:", ":1:127.0.0.1",
		"a::127.0.0.1", "a:0:127.0.0.1", "a:65536:127.0.0.1", "a:-1:127.0.0.1",
		"a:+1:127.0.0.1", "a: 1:127.0.0.1", "a:1x:127.0.0.1", "a:1:localhost",
		"a:1:127.0.0.1:2", "a:1:127.0.0", "a:1:127.0.0.1 ", "a:1:[]", "a:1:[::1",
		"[]:1:::1", "[::1:1:::1", "a:99999999999999999999:::1", "a:1:fe80::1%lo" };
	char longest[400];

	(void)state;
	assert_int_equal(net_check_resolve(NULL, &err), EST_OK);
	assert_int_equal(net_check_resolve(good, &err), EST_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const list[] = { good[0], bad[i], NULL };

		if (net_check_resolve(list, &err) != EST_E_USAGE)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.msg, "--resolve"));
	}
	memset(longest, 'a', sizeof(longest));
	(void)snprintf(longest + 300, sizeof(longest) - 300, ":1:127.0.0.1");
	assert_int_equal(net_check_resolve((const char *[]){ longest, NULL }, &err), EST_E_USAGE);
	assert_int_equal(net_check_resolve((const char *[]){ "\x1b[2J", NULL }, &err), EST_E_USAGE);
	assert_null(strchr(err.msg, '\x1b'));
}

static void a_look_up_ends_with_its_deadline(void **state)
{
	struct deadline past = deadline_start(0, NULL);
	struct addrinfo *list = NULL;
	int64_t start = deadline_now_ms();
	enum est_code rc;

	(void)state; /* the thread is left behind: what it uses is not freed under it */
	for (int i = 0; i < 20; i++) {
		rc = resolve_name("localhost", 1, AF_UNSPEC, &past, &list, &err);
		assert_true(rc == EST_E_TIMEOUT || rc == EST_OK);
		if (rc == EST_OK)
			freeaddrinfo(list);
		list = NULL;
	}
	assert_true(deadline_now_ms() - start < LATE_MS);
	/* An address needs no time. */
	assert_int_equal(resolve_name("127.0.0.1", 443, AF_UNSPEC, &past, &list, &err), EST_OK);
	assert_null(list->ai_next);
	assert_int_equal(ntohs(((struct sockaddr_in *)list->ai_addr)->sin_port), 443);
	freeaddrinfo(list);
	(void)usleep(50000); /* let the threads go before the leak checker looks */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_connected_to),
		cmocka_unit_test(an_ipv6_address_is_written_in_brackets),
		cmocka_unit_test(a_refused_port_is_a_network_error_with_the_address),
		cmocka_unit_test(a_server_that_never_answers_costs_the_timeout_and_no_more),
		cmocka_unit_test(a_stop_ends_the_attempt),
		cmocka_unit_test(every_address_of_a_name_is_tried),
		cmocka_unit_test(a_name_that_does_not_exist_is_said),
		cmocka_unit_test(resolve_replaces_the_address_of_one_host_and_port),
		cmocka_unit_test(a_resolve_entry_is_host_port_and_address),
		cmocka_unit_test(a_look_up_ends_with_its_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: ISC
 *
 * Addresses as text and back, and sockets with the options they must have.
 */
#define _GNU_SOURCE

#include "common/net.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static struct net_addr
addr_of(const char *host, uint16_t port)
{
	struct net_addr a;

	ck_assert_int_eq(net_addr_from(&a, host, port), 0);
	return a;
}

static void
reads_back(const char *host, const char *text, const char *plain)
{
	struct net_addr a = addr_of(host, 443);
	char out[NET_TEXT_MAX];

	ck_assert_str_eq(net_addr_text(&a, out), text);
	ck_assert_str_eq(net_addr_host(&a, out), plain);
	ck_assert_uint_eq(net_addr_port(&a), 443);
}

START_TEST(decimal)
{
	const unsigned numbers[] = { 0, 9, 10, 255, 65535, UINT_MAX };
	char out[NET_DECIMAL_MAX + 1], expected[NET_DECIMAL_MAX + 1];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		*net_decimal(out, numbers[i]) = '\0';
		(void)snprintf(expected, sizeof(expected), "%u", numbers[i]);
		ck_assert_str_eq(out, expected);
	}
}
END_TEST

START_TEST(text)
{
	struct net_addr none = { 0 };
	char out[NET_TEXT_MAX];

	reads_back("0.10.99.255", "0.10.99.255:443", "0.10.99.255");
	reads_back("203.0.113.7", "203.0.113.7:443", "203.0.113.7");
	reads_back("2001:DB8::1", "[2001:db8::1]:443", "2001:db8::1");
	reads_back("::ffff:203.0.113.7", "203.0.113.7:443", "203.0.113.7");
	reads_back("::", "[::]:443", "::");
	reads_back("1111:2222:3333:4444:5555:6666:7777:8888",
	    "[1111:2222:3333:4444:5555:6666:7777:8888]:443",
	    "1111:2222:3333:4444:5555:6666:7777:8888");
	ck_assert_str_eq(net_addr_text(&none, out), "-");
	ck_assert_str_eq(net_addr_host(&none, out), "-");
	ck_assert_uint_eq(net_addr_port(&none), 0);
	ck_assert_uint_eq(net_addr_len(&none), 0);
}
END_TEST

START_TEST(no_literal)
{
	static const char *const wrong[] = { "", "localhost", "1.2.3",
		"1.2.3.4:5", "[::1]", "::1%lo", "256.1.1.1", "1.2.3.4 " };
	struct net_addr a;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		errno = 0;
		ck_assert_msg(
		    net_addr_from(&a, wrong[i], 1) == -1, "%s", wrong[i]);
		ck_assert_int_eq(errno, EINVAL);
	}
}
END_TEST

START_TEST(copy)
{
	struct net_addr v4 = addr_of("192.0.2.1", 80);
	struct net_addr v6 = addr_of("2001:db8::1", 80), a;
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	ck_assert_int_eq(net_addr_copy(&a, &v4.sa, sizeof(v4.in)), 0);
	ck_assert_mem_eq(&a, &v4, sizeof(a));
	ck_assert_int_eq(net_addr_copy(&a, &v6.sa, sizeof(v6.in6)), 0);
	ck_assert_mem_eq(&a, &v6, sizeof(a));
	ck_assert_uint_eq(net_addr_len(&v4), sizeof(v4.in));
	ck_assert_uint_eq(net_addr_len(&v6), sizeof(v6.in6));
	ck_assert_int_eq(net_addr_copy(&a, &v6.sa, sizeof(v6.in)), -1);
	ck_assert_int_eq(errno, EAFNOSUPPORT);
	ck_assert_int_eq(net_addr_copy(&a, &v4.sa, 2), -1);
	ck_assert_int_eq(
	    net_addr_copy(&a, (struct sockaddr *)&un, sizeof(un)), -1);
	ck_assert_int_eq(a.sa.sa_family, AF_UNSPEC);
}
END_TEST

START_TEST(same_host)
{
	struct net_addr v4 = addr_of("192.0.2.1", 80);
	struct net_addr other_port = addr_of("192.0.2.1", 81);
	struct net_addr other = addr_of("192.0.2.2", 80);
	struct net_addr mapped = addr_of("::ffff:192.0.2.1", 5);
	struct net_addr v6 = addr_of("2001:db8::1", 80);
	struct net_addr v6_port = addr_of("2001:db8::1", 81);
	struct net_addr v6_other = addr_of("2001:db8::2", 80);
	struct net_addr compat = addr_of("::192.0.2.1", 80);
	struct net_addr none = { 0 };

	ck_assert(net_addr_same_host(&v4, &other_port));
	ck_assert(!net_addr_same_host(&v4, &other));
	ck_assert(net_addr_same_host(&v4, &mapped));
	ck_assert(net_addr_same_host(&mapped, &v4));
	ck_assert(!net_addr_same_host(&other, &mapped));
	ck_assert(net_addr_same_host(&v6, &v6_port));
	ck_assert(!net_addr_same_host(&v6, &v6_other));
	ck_assert(!net_addr_same_host(&v4, &v6));
	ck_assert(!net_addr_same_host(&v4, &compat));
	ck_assert(!net_addr_same_host(&none, &none));
	ck_assert(!net_addr_same_host(&none, &v4));
	v6_port.in6.sin6_scope_id = 2;
	ck_assert(!net_addr_same_host(&v6, &v6_port));
}
END_TEST

START_TEST(loopback)
{
	static const char *const yes[] = { "127.0.0.1", "127.0.0.0",
		"127.255.255.255", "::1", "::ffff:127.0.0.1" };
	static const char *const no[] = { "0.0.0.0", "126.0.0.1", "128.0.0.1",
		"192.0.2.127", "::", "::2", "2001:db8::1", "::ffff:192.0.2.1" };
	struct net_addr addr = { 0 };

	ck_assert(!net_addr_is_loopback(&addr));
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		addr = addr_of(yes[i], 1);
		ck_assert_msg(net_addr_is_loopback(&addr), "%s", yes[i]);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		addr = addr_of(no[i], 1);
		ck_assert_msg(!net_addr_is_loopback(&addr), "%s", no[i]);
	}
}
END_TEST

static void
splits(const char *text, const char *want, uint16_t want_port)
{
	char host[NET_HOST_MAX];
	uint16_t port = 1;

	ck_assert_msg(net_split(text, host, &port) == 0, "%s", text);
	ck_assert_str_eq(host, want);
	ck_assert_uint_eq(port, want_port);
}

START_TEST(split)
{
	splits("8000", "", 8000);
	splits("0", "", 0);
	splits("localhost:80", "localhost", 80);
	splits("127.0.0.1:65535", "127.0.0.1", 65535);
	splits("*:0", "*", 0);
	splits("[::1]:443", "::1", 443);
	splits("[2001:db8::1]:00443", "2001:db8::1", 443);
}
END_TEST

START_TEST(no_split)
{
	static const char *const wrong[] = { "", ":", ":80", "host:", "host",
		"host:x", "host:80x", "host:-1", "host:+1", "host: 1",
		"host:65536", "host:4294967376", "65536", "-1", "::1:80",
		"[::1]", "[::1]80", "[::1]:", "[::1:80", "[]:80", "[host]:80",
		"[::1%lo]:80", "[::1]]:80", "a:b:80", "80 ", "host:80:" };
	char host[NET_HOST_MAX], text[NET_HOST_MAX + 8];
	uint16_t port;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		errno = 0;
		ck_assert_msg(
		    net_split(wrong[i], host, &port) == -1, "%s", wrong[i]);
		ck_assert_int_eq(errno, EINVAL);
	}
	memset(text, 'a', sizeof(text));
	memcpy(text + NET_HOST_MAX - 1, ":80", 4);
	ck_assert_int_eq(net_split(text, host, &port), 0);
	ck_assert_uint_eq(strlen(host), NET_HOST_MAX - 1);
	text[NET_HOST_MAX - 1] = 'a';
	memcpy(text + NET_HOST_MAX, ":80", 4);
	ck_assert_int_eq(net_split(text, host, &port), -1);
}
END_TEST

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void
is_ready_made(int fd)
{
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_ne(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	ck_assert_int_ne(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
}

static void
wait_for(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
}

struct trio {
	int listener, client, server;
	struct net_addr at, peer;
};

/* A listener and a connection through it; false without such addresses. */
static bool
connect_trio(struct trio *t, const char *host)
{
	struct net_addr any = addr_of(host, 0);

	t->listener = net_listen(&any, 16);
	if (t->listener == -1)
		return false;
	ck_assert_int_eq(net_local(t->listener, &t->at), 0);
	ck_assert(net_addr_same_host(&t->at, &any));
	ck_assert_uint_ne(net_addr_port(&t->at), 0);
	t->client = net_connect(&t->at, false);
	ck_assert_int_ne(t->client, -1);
	wait_for(t->listener, POLLIN);
	t->server = net_accept(t->listener, &t->peer);
	ck_assert_int_ne(t->server, -1);
	wait_for(t->client, POLLOUT);
	return true;
}

static void
close_trio(struct trio *t)
{
	close(t->listener);
	close(t->client);
	close(t->server);
}

START_TEST(connection)
{
	static const char *const hosts[] = { "127.0.0.1", "::1" };
	struct net_addr local, peer;
	struct trio t;

	if (!connect_trio(&t, hosts[_i])) {
		ck_assert_int_ne(_i, 0); /* IPv6 may be missing */
		return;
	}
	is_ready_made(t.listener);
	ck_assert_int_eq(net_keepalive(t.client), 0);
	is_ready_made(t.client);
	is_ready_made(t.server);
	ck_assert_int_ne(option(t.listener, SOL_SOCKET, SO_REUSEADDR), 0);
	ck_assert_int_eq(net_error(t.client), 0);
	ck_assert_int_eq(net_local(t.client, &local), 0);
	ck_assert_mem_eq(&local, &t.peer, sizeof(local));
	ck_assert_int_eq(net_accept(t.listener, &peer), -1);
	ck_assert_int_eq(errno, EAGAIN);
	close_trio(&t);
}
END_TEST

/* Else it would take the port of an IPv4 listener beside it. */
START_TEST(only_ipv6)
{
	struct net_addr any = addr_of("::", 0);
	int fd = net_listen(&any, 1);

	if (fd == -1) {
		ck_assert_int_eq(errno, EAFNOSUPPORT);
		return;
	}
	ck_assert_int_ne(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	close(fd);
}
END_TEST

START_TEST(user_timeout)
{
	struct trio t;

	ck_assert(connect_trio(&t, "127.0.0.1"));
	ck_assert_int_eq(net_user_timeout(t.client, 30000), 0);
	ck_assert_int_eq(
	    option(t.client, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
	ck_assert_int_eq(net_user_timeout(t.client, 0), 0);
	ck_assert_int_eq(option(t.client, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	close_trio(&t);
}
END_TEST

/* One who does not read owes nothing: he says that he has no room. */
START_TEST(unanswered)
{
	char block[65536] = { 0 };
	struct trio t;

	ck_assert(connect_trio(&t, "127.0.0.1"));
	ck_assert_int_eq(net_unanswered_ms(t.server), -1);
	while (write(t.server, block, sizeof(block)) > 0)
		;
	while (net_unanswered_ms(t.server) != 0)
		usleep(1000);
	while (net_unanswered_ms(t.server) != -1)
		if (read(t.client, block, sizeof(block)) == -1)
			usleep(1000);
	close_trio(&t);
}
END_TEST

/* Nobody accepts a connection before something was said on it; if the machine
 * stood still for so long that the kernel gave up waiting, once more. */
START_TEST(connect_to_speak)
{
	struct net_addr any = addr_of("127.0.0.1", 0), at, peer;
	int listener = net_listen(&any, 16), client, early, tries = 0;

	ck_assert_int_eq(net_local(listener, &at), 0);
	do {
		ck_assert_int_lt(tries++, 50);
		client = net_connect(&at, true);
		ck_assert_int_ne(client, -1);
		wait_for(client, POLLOUT);
		if ((early = net_accept(listener, &peer)) == -1)
			break;
		close(early);
		close(client);
	} while (true);
	ck_assert_int_eq(write(client, "x", 1), 1);
	wait_for(listener, POLLIN);
	early = net_accept(listener, &peer);
	ck_assert_int_ne(early, -1);
	ck_assert_int_eq(write(early, "y", 1), 1);
	wait_for(client, POLLIN);
	close(early);
	close(client);
	close(listener);
}
END_TEST

START_TEST(ack_later)
{
	struct trio t;

	ck_assert(connect_trio(&t, "127.0.0.1"));
	ck_assert_int_eq(option(t.server, IPPROTO_TCP, TCP_QUICKACK), 1);
	net_ack_later(t.server);
	ck_assert_int_eq(option(t.server, IPPROTO_TCP, TCP_QUICKACK), 0);
	close_trio(&t);
}
END_TEST

START_TEST(reset_on_close)
{
	struct trio t;
	char byte;

	ck_assert(connect_trio(&t, "127.0.0.1"));
	ck_assert_int_eq(net_reset_on_close(t.server), 0);
	close(t.server);
	t.server = -1;
	wait_for(t.client, POLLIN);
	ck_assert_int_eq(read(t.client, &byte, 1), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close_trio(&t);
}
END_TEST

START_TEST(refused)
{
	struct net_addr at = addr_of("127.0.0.1", 0);
	int fd, bound = socket(AF_INET, SOCK_STREAM, 0);

	/* Bound and not listening: nobody else can get the port. */
	ck_assert_int_eq(bind(bound, &at.sa, net_addr_len(&at)), 0);
	ck_assert_int_eq(net_local(bound, &at), 0);
	fd = net_connect(&at, false);
	if (fd != -1) {
		wait_for(fd, POLLOUT);
		errno = net_error(fd);
		close(fd);
	}
	ck_assert_int_eq(errno, ECONNREFUSED);
	close(bound);
}
END_TEST

START_TEST(address_in_use)
{
	struct net_addr any = addr_of("127.0.0.1", 0), at;
	int fd = net_listen(&any, 1);

	ck_assert_int_eq(net_local(fd, &at), 0);
	ck_assert_int_eq(net_listen(&at, 1), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(fd);
}
END_TEST

START_TEST(no_family)
{
	struct net_addr none = { 0 };

	ck_assert_int_eq(net_listen(&none, 1), -1);
	ck_assert_int_eq(net_connect(&none, false), -1);
	ck_assert_int_eq(net_local(-1, &none), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(net_error(-1), EBADF);
}
END_TEST

START_TEST(unix_socket)
{
	char dir[] = "/tmp/check_net.XXXXXX", path[200];
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct net_addr peer;
	int listener, client, server;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/s", dir);
	ck_assert_int_eq(net_connect_unix(un.sun_path), -1);
	ck_assert_int_eq(errno, ENOENT);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	client = net_connect_unix(un.sun_path);
	ck_assert_int_ne(client, -1);
	ck_assert(fcntl(client, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(client, F_GETFD) & FD_CLOEXEC);
	server = net_accept(listener, &peer);
	ck_assert_int_ne(server, -1);
	ck_assert_int_eq(peer.sa.sa_family, AF_UNSPEC);
	close(server);
	close(client);
	close(listener);
	unlink(un.sun_path);
	rmdir(dir);

	memset(path, 'a', sizeof(path));
	path[sizeof(un.sun_path)] = '\0';
	ck_assert_int_eq(net_connect_unix(path), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("net");
	TCase *tc = tcase_create("net");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, decimal);
	tcase_add_test(tc, text);
	tcase_add_test(tc, no_literal);
	tcase_add_test(tc, copy);
	tcase_add_test(tc, same_host);
	tcase_add_test(tc, loopback);
	tcase_add_test(tc, split);
	tcase_add_test(tc, no_split);
	tcase_add_loop_test(tc, connection, 0, 2);
	tcase_add_test(tc, only_ipv6);
	tcase_add_test(tc, user_timeout);
	tcase_add_test(tc, unanswered);
	tcase_add_test(tc, connect_to_speak);
	tcase_add_test(tc, ack_later);
	tcase_add_test(tc, reset_on_close);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, address_in_use);
	tcase_add_test(tc, no_family);
	tcase_add_test(tc, unix_socket);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

/* SPDX-License-Identifier: ISC
 *
 * The pool and its proxy connections, against a backend that the test plays
 * itself on a loopback port.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/backoff.h"
#include "client/client.h"
#include "client/counters.h"
#include "client/options.h"
#include "client/pool.h"
#include "common/clock.h"
#include "common/drain.h"
#include "common/limit.h"
#include "common/ltp.h"
#include "common/net.h"
#include "common/relay.h"
#include "common/watch.h"

#define PATIENCE_MS 20000
#define CONNS_MAX   32

static struct options options;
static struct tunnel_options tunnel;
static struct service local;
static struct client client;
static struct pool *pool;
static int backend, service;
static int conns[CONNS_MAX];
static int conns_n;
static int unserved_n;

static int
listen_on_loopback(struct net_addr *addr)
{
	int fd;

	ck_assert_int_eq(net_addr_from(addr, "127.0.0.1", 0), 0);
	fd = net_listen(addr, 64);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(net_local(fd, addr), 0);
	return fd;
}

static void
setup(void)
{
	struct net_addr addr;

	memset(&options, 0, sizeof(options));
	memset(&tunnel, 0, sizeof(tunnel));
	memset(&client, 0, sizeof(client));
	local = (struct service){ .options = &tunnel };
	options.display.quiet = tunnel.display.quiet = true;
	service = listen_on_loopback(&addr);
	strcpy(tunnel.target.host, "127.0.0.1");
	tunnel.target.port = net_addr_port(&addr);
	client.options = &options;
	client.counters = counters_new();
	client.own = &client.counters->process[0];
	client.base = event_base_new();
	client.watches = watch_set_new(client.base);
	client.relays = relay_env_new(client.base, client.watches, 4, 65536);
	client.drains = drain_set_new(client.base, 4);
	LIST_INIT(&client.pools);
	conns_n = 0;
}

static void
unserved_cb(void *arg, const char *why)
{
	ck_assert_ptr_eq(arg, &unserved_n);
	ck_assert_uint_gt(strlen(why), 0);
	unserved_n++;
	pool_retire(&pool);
}

static void
start_one(bool is_bare, int64_t concurrency)
{
	static const struct pool_ops ops = { unserved_cb };
	struct pool_session session = {
		.name = "demo", .client = "me@here;x", .is_bare = is_bare
	};

	unserved_n = 0;
	backend = listen_on_loopback(&session.backend);
	pool =
	    pool_new(&client, &local, &session, concurrency, &ops, &unserved_n);
	ck_assert_ptr_nonnull(pool);
}

static void
start(int64_t concurrency)
{
	start_one(false, concurrency);
}

static void
teardown(void)
{
	pool_free_all(&client);
	ck_assert_uint_eq(client.connections, 0);
	drain_set_free(client.drains);
	relay_env_free(client.relays);
	watch_set_free(client.watches);
	event_base_free(client.base);
	counters_free(client.counters);
	while (conns_n > 0)
		close(conns[--conns_n]);
	close(backend);
	close(service);
}

static void
turn(void)
{
	struct net_addr peer;
	int fd;

	event_base_loop(client.base, EVLOOP_NONBLOCK);
	while (conns_n < CONNS_MAX && (fd = net_accept(backend, &peer)) != -1)
		conns[conns_n++] = fd;
}

/* Turns the loop until so many connections have come, and then some. */
static void
expect_conns(int n)
{
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	int i;

	while (conns_n < n && clock_ms() < deadline)
		turn();
	for (i = 0; i < 100; i++)
		turn();
	ck_assert_int_eq(conns_n, n);
}

/* Reads what comes at `fd` until it has `want` in it, or has ended. */
static const char *
read_until(int fd, const char *want)
{
	static char buf[8192];
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	size_t len = 0;
	ssize_t n;

	do {
		turn();
		n = read(fd, buf + len, sizeof(buf) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
		buf[len] = '\0';
	} while (n != 0 && strstr(buf, want) == NULL && clock_ms() < deadline);
	ck_assert_msg(strstr(buf, want) != NULL, "%s", buf);
	return buf;
}

/* Reads the proxy request of a connection. */
static void
read_hello(int fd)
{
	static const char hello[] = "LTP/0.2\0\0\0";
	char buf[512];
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) == -1 && clock_ms() < deadline)
		turn();
	ck_assert_int_gt(n, 11);
	ck_assert_mem_eq(buf, hello, 10);
	ck_assert_int_eq(buf[10], n - 11);
}

static void
say(int fd, const struct ltp_message *message, const char *more)
{
	size_t len;
	char *frame = ltp_format(message, &len);

	ck_assert_int_eq(write(fd, frame, len), (ssize_t)len);
	ck_assert_int_eq(write(fd, more, strlen(more)), (ssize_t)strlen(more));
	free(frame);
}

/* Another connection comes than the n that were there at `since_ms`, but not
 * before the shortest pause has passed. */
static void
expect_pause(int n, uint64_t since_ms)
{
	while (conns_n == n && clock_ms() - since_ms < PATIENCE_MS)
		turn();
	ck_assert_int_gt(conns_n, n);
	ck_assert_uint_ge(clock_ms() - since_ms, BACKOFF_MIN_MS);
}

static const struct ltp_message joined = { .type = LTP_PROXY_REPLY };

START_TEST(as_many_as_wanted)
{
	start(3);
	expect_conns(3);
	pool_resize(pool, 5);
	expect_conns(5);
	pool_resize(pool, 2);
	expect_conns(5);
}
END_TEST

START_TEST(clamped)
{
	start(-7);
	expect_conns(1);
	pool_resize(pool, 0);
	expect_conns(1);
}
END_TEST

START_TEST(joined_is_replaced_and_relayed)
{
	struct net_addr peer;
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	int local;

	start(2);
	expect_conns(2);
	read_hello(conns[0]);
	say(conns[0], &joined, "from the visitor");
	expect_conns(3);
	while (
	    (local = net_accept(service, &peer)) == -1 && clock_ms() < deadline)
		turn();
	read_until(local, "from the visitor");
	ck_assert_int_eq(write(local, "to the visitor", 14), 14);
	read_until(conns[0], "to the visitor");

	/* It lives on when the session is lost, and then nothing is left. */
	pool_retire(&pool);
	ck_assert_ptr_null(pool);
	ck_assert_int_eq(write(local, "later", 5), 5);
	read_until(conns[0], "later");
	shutdown(conns[0], SHUT_WR);
	close(local);
	close(conns[1]);
	close(conns[2]);
	conns_n = 1;
	while (client.connections > 0 && clock_ms() < deadline)
		turn();
	ck_assert(LIST_EMPTY(&client.pools));
}
END_TEST

START_TEST(no_local_service)
{
	const char *page;

	close(service);
	service = -1;
	local.said_away_ms = clock_ms(); /* not on the terminal */
	start(1);
	expect_conns(1);
	read_hello(conns[0]);
	say(conns[0], &joined,
	    "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n");
	page = read_until(conns[0], "</html>");
	ck_assert_int_eq(strncmp(page, "HTTP/1.1 502 ", 13), 0);
	ck_assert_ptr_nonnull(strstr(page, "127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(page, "Connection refused"));
	expect_conns(2);
}
END_TEST

START_TEST(refused_ones_are_not_replaced_at_once)
{
	struct ltp_message full = {
		.type = LTP_ERROR, .error = "exception", .text = "pool is full"
	};

	uint64_t since_ms;

	start(2);
	expect_conns(2);
	read_hello(conns[0]);
	since_ms = clock_ms();
	say(conns[0], &full, "");
	shutdown(conns[1], SHUT_RDWR);
	expect_pause(2, since_ms);
	expect_conns(4);
}
END_TEST

START_TEST(nonsense_ends_it)
{
	uint64_t since_ms;

	start(1);
	expect_conns(1);
	since_ms = clock_ms();
	ck_assert_int_eq(write(conns[0], "\xff\xff\xff\xff", 4), 4);
	expect_pause(1, since_ms);
	ck_assert_uint_eq(client.connections, 1);
}
END_TEST

/* Idle connections may be on their way to a visitor: none is closed to make
 * room, and the visitor waits for it. */
START_TEST(no_descriptors_left)
{
	struct net_addr peer;
	struct rlimit normal, none;
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	int i, local;
	char c;

	start(3);
	expect_conns(3);
	for (i = 0; i < 3; i++)
		read_hello(conns[i]);
	client.said_full = true; /* not on the terminal */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &normal), 0);
	none = normal;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	say(conns[0], &joined, "from the visitor");
	while (client.counters->visitors == 0 && clock_ms() < deadline)
		turn();
	for (i = 0; i < 1000; i++)
		turn();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &normal), 0);
	ck_assert_uint_eq(client.connections, 3);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(recv(conns[i], &c, 1, MSG_PEEK), -1);
		ck_assert_int_eq(errno, EAGAIN);
	}
	while (
	    (local = net_accept(service, &peer)) == -1 && clock_ms() < deadline)
		turn();
	read_until(local, "from the visitor");
	close(local);
}
END_TEST

/* Room for local connections is kept from the start. */
START_TEST(room_is_kept)
{
	struct rlimit normal, low;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &normal), 0);
	low = normal;
	low.rlim_cur = 16 + 2 * 10 + 2 * 5 + 1;
	client.pipes = 10;
	client.said_full = true;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	usleep(LIMIT_AGE_MS * 1000);
	start(9);
	expect_conns(5);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &normal), 0);
	expect_conns(9);
}
END_TEST

/* Those with a visitor count, so that there are never more than were granted;
 * nothing is sent before the visitor is there. */
START_TEST(bare_ones)
{
	struct net_addr peer;
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	int local;
	char c;

	start_one(true, 2);
	expect_conns(2);
	ck_assert(!pool_is_proven(pool));
	ck_assert_int_eq(recv(conns[0], &c, 1, MSG_PEEK), -1);
	ck_assert_int_eq(net_accept(service, &peer), -1);
	ck_assert_int_eq(write(conns[0], "from the visitor", 16), 16);
	while (
	    (local = net_accept(service, &peer)) == -1 && clock_ms() < deadline)
		turn();
	read_until(local, "from the visitor");
	ck_assert(pool_is_proven(pool));
	expect_conns(2);
	ck_assert_int_eq(write(local, "to the visitor", 14), 14);
	read_until(conns[0], "to the visitor");
	close(local);
	shutdown(conns[0], SHUT_RDWR);
	expect_conns(3);
	pool_retire(&pool);
	ck_assert_uint_eq(client.connections, 0);
	ck_assert_int_eq(unserved_n, 0);
}
END_TEST

/* Nobody listens any more: told at once. */
START_TEST(refused_ones_mean_no_tunnel)
{
	uint64_t deadline = clock_ms() + PATIENCE_MS;

	start_one(true, 2);
	expect_conns(2);
	shutdown(conns[0], SHUT_RDWR);
	expect_conns(2);
	ck_assert_int_eq(unserved_n, 0);
	close(backend);
	backend = -1;
	shutdown(conns[1], SHUT_RDWR);
	while (unserved_n == 0 && clock_ms() < deadline)
		event_base_loop(client.base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(unserved_n, 1);
	ck_assert(LIST_EMPTY(&client.pools));
}
END_TEST

/* The server ends all that come, again and again: so is that. */
START_TEST(short_lives_mean_no_tunnel)
{
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	int ended = 0;

	start_one(true, 2);
	while (unserved_n == 0 && clock_ms() < deadline) {
		turn();
		while (ended < conns_n)
			shutdown(conns[ended++], SHUT_RDWR);
	}
	ck_assert_int_eq(unserved_n, 1);
	ck_assert_int_ge(conns_n, 3);
	ck_assert_int_le(conns_n, 6);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pool");
	TCase *tcase = tcase_create("pool");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, as_many_as_wanted);
	tcase_add_test(tcase, clamped);
	tcase_add_test(tcase, joined_is_replaced_and_relayed);
	tcase_add_test(tcase, no_local_service);
	tcase_add_test(tcase, refused_ones_are_not_replaced_at_once);
	tcase_add_test(tcase, nonsense_ends_it);
	tcase_add_test(tcase, no_descriptors_left);
	tcase_add_test(tcase, room_is_kept);
	tcase_add_test(tcase, bare_ones);
	tcase_add_test(tcase, refused_ones_mean_no_tunnel);
	tcase_add_test(tcase, short_lives_mean_no_tunnel);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * Addresses tried side by side: ports of this machine that accept, refuse, or
 * say nothing at all, which a listener with a full queue does.
 */
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/race.h"
#include "common/clock.h"

#define LONG_MS	 600000 /* what no test waits for */
#define SHORT_MS 300

static struct event_base *base;
static struct race *race;
static struct race_result got;
static bool is_over;

static void
over_cb(void *arg, const struct race_result *result)
{
	(void)arg;
	race = NULL;
	got = *result;
	is_over = true;
	event_base_loopbreak(base);
}

/* Runs a race to its end. */
static void
run(const struct net_addr *addrs, size_t n, uint64_t timeout_ms)
{
	struct race_to to = { addrs, n, timeout_ms, NULL };

	is_over = false;
	race = race_start(base, &to, over_cb, NULL);
	ck_assert_ptr_nonnull(race);
	ck_assert(!is_over);
	event_base_dispatch(base);
	ck_assert(is_over);
}

static int
listen_at(struct net_addr *addr, int backlog)
{
	int fd;

	ck_assert_int_eq(net_addr_from(addr, "127.0.0.1", 0), 0);
	fd = net_listen(addr, backlog);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(net_local(fd, addr), 0);
	return fd;
}

/* A listener with its queue full: what comes now is dropped. Put the
 * descriptors into `fds`. */
static void
make_silent(struct net_addr *addr, int fds[3])
{
	fds[0] = listen_at(addr, 0);
	for (int i = 1; i < 3; i++) {
		fds[i] = net_connect(addr, false);
		ck_assert_int_ne(fds[i], -1);
	}
	ck_assert(net_is_connected(fds[1]));
}

static void
close_all(int fds[3])
{
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void
make_refusing(struct net_addr *addr)
{
	close(listen_at(addr, 1));
}

static void
setup(void)
{
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
}

static void
teardown(void)
{
	race_stop(&race);
	event_base_free(base);
}

START_TEST(one_that_accepts)
{
	struct net_addr addr;
	int fd = listen_at(&addr, 8);

	run(&addr, 1, LONG_MS);
	ck_assert_int_ne(got.fd, -1);
	ck_assert_int_eq(got.error, 0);
	ck_assert_uint_eq(net_addr_port(&got.addr), net_addr_port(&addr));
	close(got.fd);
	close(fd);
}
END_TEST

START_TEST(refused_then_accepted)
{
	struct net_addr addrs[2];
	uint64_t start_ms = clock_ms();
	int fd;

	make_refusing(&addrs[0]);
	fd = listen_at(&addrs[1], 8);
	run(addrs, 2, LONG_MS);
	ck_assert_int_ne(got.fd, -1);
	ck_assert_uint_eq(net_addr_port(&got.addr), net_addr_port(&addrs[1]));
	/* Nobody waits for one that is out. */
	ck_assert_uint_lt(clock_ms() - start_ms, LONG_MS / 2);
	close(got.fd);
	close(fd);
}
END_TEST

START_TEST(silence_then_accepted)
{
	struct net_addr addrs[3];
	uint64_t start_ms = clock_ms();
	int silent[3], also_silent[3], fd;

	make_silent(&addrs[0], silent);
	make_silent(&addrs[1], also_silent);
	fd = listen_at(&addrs[2], 8);
	run(addrs, 3, LONG_MS);
	ck_assert_int_ne(got.fd, -1);
	ck_assert_uint_eq(net_addr_port(&got.addr), net_addr_port(&addrs[2]));
	ck_assert_uint_ge(clock_ms() - start_ms, 2 * RACE_STEP_MS - 10);
	ck_assert_uint_lt(clock_ms() - start_ms, LONG_MS / 2);
	close(got.fd);
	close(fd);
	close_all(silent);
	close_all(also_silent);
}
END_TEST

/* One that was silent and then answers wins, though others have begun. */
START_TEST(slow_one_wins)
{
	struct net_addr addrs[2];
	int slow[3], silent[3];

	make_silent(&addrs[0], slow);
	make_silent(&addrs[1], silent);
	/* With room in its queue again it answers to the next SYN, a second
	 * later. */
	close(accept(slow[0], NULL, NULL));
	run(addrs, 2, LONG_MS);
	ck_assert_int_ne(got.fd, -1);
	ck_assert_uint_eq(net_addr_port(&got.addr), net_addr_port(&addrs[0]));
	close(got.fd);
	close_all(slow);
	close_all(silent);
}
END_TEST

START_TEST(all_refuse)
{
	struct net_addr addrs[RACE_MAX];

	for (size_t i = 0; i < RACE_MAX; i++)
		make_refusing(&addrs[i]);
	run(addrs, RACE_MAX, LONG_MS);
	ck_assert_int_eq(got.fd, -1);
	ck_assert_int_eq(got.error, ECONNREFUSED);
}
END_TEST

START_TEST(all_are_silent)
{
	struct net_addr addrs[2];
	int silent[3];

	make_silent(&addrs[0], silent);
	make_refusing(&addrs[1]);
	run(addrs, 2, SHORT_MS);
	ck_assert_int_eq(got.fd, -1);
	ck_assert_int_eq(got.error, ETIMEDOUT);
	close_all(silent);
}
END_TEST

/* That there is no way to one of them is not what is worth telling. */
START_TEST(no_way)
{
	struct net_addr addrs[2];

	/* Of several hosts: no TCP can reach it, and none is tried. */
	ck_assert_int_eq(net_addr_from(&addrs[1], "224.0.0.1", 1), 0);
	run(&addrs[1], 1, SHORT_MS);
	if (got.error != ENETUNREACH && got.error != EHOSTUNREACH)
		return;
	make_refusing(&addrs[0]);
	run(addrs, 2, LONG_MS);
	ck_assert_int_eq(got.error, ECONNREFUSED);
}
END_TEST

START_TEST(stopped)
{
	struct net_addr addr;
	struct race_to to = { &addr, 1, LONG_MS, NULL };
	int silent[3];

	make_silent(&addr, silent);
	race = race_start(base, &to, over_cb, NULL);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	race_stop(&race);
	ck_assert_ptr_null(race);
	ck_assert_int_eq(event_base_dispatch(base), 1); /* nothing is left */
	race_stop(&race);
	close_all(silent);
}
END_TEST

static const struct {
	const char *in, *out; /* 4 and 6: an address of that family */
} orders[] = {
	{ "4", "4" },
	{ "6", "6" },
	{ "46", "64" },
	{ "4466", "6464" },
	{ "4446", "6444" },
	{ "66664", "64666" },
	{ "444", "444" },
};

START_TEST(order)
{
	struct net_addr addrs[RACE_MAX];
	size_t n = strlen(orders[_i].in), i, last[2] = { 0 };
	char host[16];

	for (i = 0; i < n; i++) {
		snprintf(host, sizeof(host),
		    orders[_i].in[i] == '6' ? "::%zu" : "127.0.0.%zu", i + 1);
		ck_assert_int_eq(
		    net_addr_from(&addrs[i], host, (uint16_t)(i + 1)), 0);
	}
	race_order(addrs, n);
	for (i = 0; i < n; i++) {
		bool is_v6 = orders[_i].out[i] == '6';

		ck_assert_int_eq(
		    addrs[i].sa.sa_family, is_v6 ? AF_INET6 : AF_INET);
		ck_assert_uint_gt(net_addr_port(&addrs[i]), last[is_v6]);
		last[is_v6] = net_addr_port(&addrs[i]);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("race");
	TCase *tcase = tcase_create("race");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, one_that_accepts);
	tcase_add_test(tcase, refused_then_accepted);
	tcase_add_test(tcase, silence_then_accepted);
	tcase_add_test(tcase, slow_one_wins);
	tcase_add_test(tcase, all_refuse);
	tcase_add_test(tcase, all_are_silent);
	tcase_add_test(tcase, no_way);
	tcase_add_test(tcase, stopped);
	tcase_add_loop_test(
	    tcase, order, 0, (int)(sizeof(orders) / sizeof(orders[0])));
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

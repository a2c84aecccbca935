/* SPDX-License-Identifier: ISC
 *
 * Ports from a range: each is given out once, those given back rest, busy
 * ones are passed over. Time is what the test says. The range is found among
 * ports that are free at the moment.
 */
#include "server/ports.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define N    4
#define REST 1000

static struct ports *ports;
static struct ports_range range;
static struct net_addr any;
static int busy; /* holds a port of the range */

/* Listens on one port, -1 if that is not possible. */
static int
listen_on(unsigned port)
{
	struct net_addr addr;

	ck_assert_int_eq(net_addr_from(&addr, "127.0.0.1", (uint16_t)port), 0);
	return net_listen(&addr, 1);
}

/* True if all ports of the range are free. */
static bool
is_free(unsigned first)
{
	int fd;

	for (unsigned i = 0; i < N; i++) {
		if ((fd = listen_on(first + i)) == -1)
			return false;
		close(fd);
	}
	return true;
}

static void
set_up(void)
{
	unsigned first = 10000 + (unsigned)getpid() % 8000;

	while (!is_free(first))
		first += N;
	range.first = (uint16_t)first;
	range.last = (uint16_t)(first + N - 1);
	ports = ports_new(range, REST);
	busy = -1;
	ck_assert_int_eq(net_addr_from(&any, "127.0.0.1", 0), 0);
}

static void
tear_down(void)
{
	if (busy != -1)
		close(busy);
	ports_free(ports);
	ports_free(NULL);
}

/* Takes one; it must listen there. */
static int
take(uint64_t now, uint16_t *port)
{
	int fd = ports_listen(ports, &any, now, port);
	struct net_addr local;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(net_local(fd, &local), 0);
	ck_assert(net_addr_same_host(&local, &any));
	ck_assert_uint_eq(net_addr_port(&local), *port);
	ck_assert_uint_ge(*port, range.first);
	ck_assert_uint_le(*port, range.last);
	return fd;
}

static void
take_none(uint64_t now)
{
	uint16_t port;

	errno = 0;
	ck_assert_int_eq(ports_listen(ports, &any, now, &port), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
}

START_TEST(each_is_given_out_once)
{
	unsigned seen = 0;
	uint16_t port;
	int fds[N];

	for (int i = 0; i < N; i++) {
		fds[i] = take(0, &port);
		seen |= 1u << (port - range.first);
	}
	ck_assert_uint_eq(seen, (1u << N) - 1);
	take_none(0);
	take_none(UINT64_MAX);
	for (int i = 0; i < N; i++)
		close(fds[i]);
}
END_TEST

START_TEST(what_is_given_back_rests)
{
	uint16_t all[N], port;
	int fds[N];

	for (int i = 0; i < N; i++)
		fds[i] = take(0, &all[i]);
	for (int i = 0; i < N; i++)
		close(fds[i]);
	ports_release(ports, all[2], 100);
	ports_release(ports, all[0], 200);
	take_none(100 + REST - 1);
	close(take(100 + REST, &port));
	ck_assert_uint_eq(port, all[2]);
	take_none(200 + REST - 1);
	close(take(5000, &port));
	ck_assert_uint_eq(port, all[0]);
	take_none(5000);

	/* Round and round, many times more than the range is long. */
	for (uint64_t now = 10000; now < 10000 + 50 * REST; now += REST) {
		ports_release(ports, port, now);
		take_none(now);
		close(take(now + REST, &port));
		ck_assert_uint_eq(port, all[0]);
	}
}
END_TEST

START_TEST(busy_ones_are_passed_over)
{
	uint16_t port;
	int fds[N];

	busy = listen_on(range.first + 1u);
	ck_assert_int_ne(busy, -1);
	for (int i = 0; i < N - 1; i++) {
		fds[i] = take(0, &port);
		ck_assert_uint_ne(port, range.first + 1u);
	}
	take_none(0);
	/* It is looked at again after a rest. */
	close(busy);
	busy = -1;
	take_none(REST - 1);
	close(take(REST, &port));
	ck_assert_uint_eq(port, range.first + 1u);
	for (int i = 0; i < N - 1; i++)
		close(fds[i]);
}
END_TEST

/* What is given out stays so, what rests goes on resting, and a port that comes
 * back from outside is no business of ours. */
START_TEST(another_range)
{
	struct ports_range half = { range.first,
		(uint16_t)(range.first + N / 2 - 1) };
	uint16_t in_use = range.first, out = (uint16_t)(range.first + N - 1);
	uint16_t rests = (uint16_t)(range.first + 1), port;

	close(ports_listen_at(ports, &any, 0, in_use));
	close(ports_listen_at(ports, &any, 0, out));
	close(ports_listen_at(ports, &any, 0, rests));
	ports_release(ports, rests, 100);
	ports_change(&ports, half);
	take_none(100 + REST - 1);
	close(take(100 + REST, &port));
	ck_assert_uint_eq(port, rests);
	ports_release(ports, out, 2000);
	ck_assert_int_eq(ports_listen_at(ports, &any, 2000, out), -1);
	ck_assert_int_eq(errno, ERANGE);
	ports_change(&ports, range);
	/* It is free in this one, and so may be given back once more. */
	ports_release(ports, out, 2000);
	ck_assert_int_eq(ports_listen_at(ports, &any, 2000, in_use), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ports_release(ports, in_use, 2000);
	close(ports_listen_at(ports, &any, 2000, in_use));
	close(ports_listen_at(ports, &any, 2000, out));
}
END_TEST

START_TEST(taken_already)
{
	uint16_t port;

	ports_take(ports, range.first);
	ports_take(ports, (uint16_t)(range.last + 1));
	for (int i = 0; i < N - 1; i++) {
		close(take(0, &port));
		ck_assert_uint_ne(port, range.first);
	}
	take_none(0);
	ports_release(ports, range.first, 0);
	close(take(REST, &port));
	ck_assert_uint_eq(port, range.first);
}
END_TEST

/* What is wrong with the address costs no port. */
START_TEST(other_errors_are_told)
{
	struct net_addr not_ours;
	uint16_t port;
	int fds[N];

	ck_assert_int_eq(net_addr_from(&not_ours, "192.0.2.1", 0), 0);
	for (int i = 0; i < 3 * N; i++) {
		ck_assert_int_eq(ports_listen(ports, &not_ours, 0, &port), -1);
		ck_assert_int_eq(errno, EADDRNOTAVAIL);
	}
	for (int i = 0; i < N; i++)
		fds[i] = take(0, &port);
	for (int i = 0; i < N; i++)
		close(fds[i]);
}
END_TEST

START_TEST(ranges)
{
	static const char *const bad[] = { "", "-", "1-", "-1", "2-1", "0",
		"0-5", "5-0", "65536", "1-65536", "1 - 2", "1-2-3", "a", "1-b",
		"+1-2", "000001", "99999999999" };
	struct ports_range r;

	ck_assert(ports_range(&r, "20000-29999"));
	ck_assert_uint_eq(r.first, 20000);
	ck_assert_uint_eq(r.last, 29999);
	ck_assert(ports_range(&r, "1-65535"));
	ck_assert(ports_range(&r, "7-7"));
	ck_assert(ports_range(&r, "65535"));
	ck_assert_uint_eq(r.first, 65535);
	ck_assert_uint_eq(r.last, 65535);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!ports_range(&r, bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(a_certain_port_can_be_had)
{
	uint16_t port = (uint16_t)(range.first + 2), other;
	int fd = ports_listen_at(ports, &any, 0, port), more;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(ports_listen_at(ports, &any, 0, port), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_int_eq(
	    ports_listen_at(ports, &any, 0, (uint16_t)(range.last + 1)), -1);
	ck_assert_int_eq(errno, ERANGE);
	/* The others are given out still, each once. */
	for (int i = 0; i < N - 1; i++) {
		more = ports_listen(ports, &any, 0, &other);
		ck_assert_int_ne(more, -1);
		ck_assert_uint_ne(other, port);
		close(more);
	}
	ck_assert_int_eq(ports_listen(ports, &any, 0, &other), -1);
	/* One that rests can be had by who asks for it, and rests anew. */
	close(fd);
	ports_release(ports, port, 10);
	fd = ports_listen_at(ports, &any, 20, port);
	ck_assert_int_ne(fd, -1);
	close(fd);
	ports_release(ports, port, 500);
	ck_assert_int_eq(ports_listen(ports, &any, 10 + REST + 1, &other), -1);
	fd = ports_listen(ports, &any, 500 + 2 * REST, &other);
	ck_assert_int_ne(fd, -1);
	ck_assert_uint_eq(other, port);
	close(fd);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { each_is_given_out_once,
		a_certain_port_can_be_had, what_is_given_back_rests,
		busy_ones_are_passed_over, other_errors_are_told, another_range,
		taken_already, ranges };
	Suite *suite = suite_create("ports");
	TCase *tc = tcase_create("ports");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

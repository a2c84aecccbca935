/* SPDX-License-Identifier: ISC
 *
 * What the master has bound, while settings change: what stays keeps its slot
 * and its socket, what cannot be bound changes nothing.
 */
#include "server/bound.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/config.h"
#include "server/handoff.h"

#define CHANGES_MAX 8

static struct config *config;
static struct bound *bound;
static char why[BOUND_WHY_MAX];
static struct {
	uint16_t slot;
	int fd;
} changes[CHANGES_MAX];
static size_t changes_n;

static void
note(void *arg, uint16_t slot, int fd)
{
	ck_assert_ptr_eq(arg, &changes_n);
	ck_assert_uint_lt(changes_n, CHANGES_MAX);
	changes[changes_n].slot = slot;
	changes[changes_n++].fd = fd;
}

/* Settings with these listeners, up to a NULL. */
static void
configure(const char *const *listen)
{
	config_free(config);
	config = config_new();
	for (; *listen != NULL; listen++)
		ck_assert_int_eq(
		    config_set(config, "listen", *listen, why, sizeof(why)), 0);
}

#define CONFIGURE(...) configure((const char *const[]){ __VA_ARGS__, NULL })

static void
set_up(void)
{
	CONFIGURE("127.0.0.1:0");
	bound = bound_new(config);
	changes_n = 0;
}

static void
tear_down(void)
{
	bound_close(bound);
	bound_free(bound);
	config_free(config);
	config = NULL;
}

static void
change(void)
{
	changes_n = 0;
	ck_assert_msg(bound_prepare(bound, config, why), "%s", why);
	bound_commit(bound, note, &changes_n);
}

START_TEST(same_again)
{
	uint16_t slot = config->listen[0].slot, port = config->listen[0].port;
	int fd = bound_fd(bound, slot);

	ck_assert_int_ne(fd, -1);
	ck_assert_uint_ne(port, 0);
	for (int i = 0; i < 3; i++) {
		CONFIGURE("127.0.0.1:0");
		change();
		ck_assert_uint_eq(changes_n, 0);
		ck_assert_uint_eq(config->listen[0].slot, slot);
		ck_assert_uint_eq(config->listen[0].port, port);
		ck_assert_int_eq(bound_fd(bound, slot), fd);
	}
}
END_TEST

START_TEST(comes_and_goes)
{
	uint16_t first = config->listen[0].slot, second;
	int fd;

	CONFIGURE("127.0.0.1:0", "127.0.0.2:0");
	change();
	second = config->listen[1].slot;
	ck_assert_uint_eq(config->listen[0].slot, first);
	ck_assert_uint_ne(second, first);
	ck_assert_uint_eq(changes_n, 1);
	ck_assert_uint_eq(changes[0].slot, second);
	fd = bound_fd(bound, second);
	ck_assert_int_eq(changes[0].fd, fd);

	CONFIGURE("127.0.0.2:0");
	change();
	ck_assert_uint_eq(changes_n, 1);
	ck_assert_uint_eq(changes[0].slot, first);
	ck_assert_int_eq(changes[0].fd, -1);
	ck_assert_uint_eq(config->listen[0].slot, second);
	ck_assert_int_eq(bound_fd(bound, second), fd);
	ck_assert_int_eq(bound_fd(bound, first), -1);
	ck_assert_int_eq(bound_fd(bound, CONFIG_SLOTS_MAX), -1);
}
END_TEST

START_TEST(busy_changes_nothing)
{
	uint16_t first = config->listen[0].slot;
	int fd = bound_fd(bound, first), next;
	char busy[32];

	snprintf(busy, sizeof(busy), "127.0.0.1:%u",
	    (unsigned)config->listen[0].port);
	next = open("/dev/null", O_RDONLY);
	close(next);
	CONFIGURE("127.0.0.2:0", busy);
	ck_assert(!bound_prepare(bound, config, why));
	ck_assert_msg(strstr(why, busy) != NULL, "%s", why);
	ck_assert_int_eq(bound_fd(bound, first), fd);
	/* What was bound before it was met is given back. */
	ck_assert_int_eq(fcntl(next, F_GETFD), -1);
	CONFIGURE("127.0.0.1:0");
	change();
	ck_assert_uint_eq(changes_n, 0);
}
END_TEST

START_TEST(cancelled)
{
	CONFIGURE("127.0.0.1:0", "127.0.0.2:0");
	ck_assert(bound_prepare(bound, config, why));
	ck_assert_int_ne(bound_fd(bound, config->listen[1].slot), -1);
	bound_cancel(bound);
	ck_assert_int_eq(bound_fd(bound, config->listen[1].slot), -1);
	CONFIGURE("127.0.0.1:0");
	change();
	ck_assert_uint_eq(changes_n, 0);
}
END_TEST

/* The address can be had again at once, though a worker may have the socket
 * still. */
START_TEST(gone_everywhere)
{
	int copy = dup(bound_fd(bound, config->listen[0].slot));
	char again[32];

	snprintf(again, sizeof(again), "127.0.0.1:%u",
	    (unsigned)config->listen[0].port);
	CONFIGURE("127.0.0.2:0");
	change();
	CONFIGURE("127.0.0.2:0", again);
	change();
	ck_assert_uint_eq(changes_n, 1);
	ck_assert_int_ne(changes[0].fd, -1);
	close(copy);
}
END_TEST

/* One that nobody has asked for, and that cannot be, is no listener. */
START_TEST(done_without)
{
	char busy[32];

	snprintf(busy, sizeof(busy), "127.0.0.1:%u",
	    (unsigned)config->listen[0].port);
	CONFIGURE(busy, "127.0.0.2:0", "127.0.0.1:0");
	config->listen[0].is_default = true;
	change();
	ck_assert_uint_eq(config->listen_n, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_ne(config->listen[i].port, 0);
		ck_assert_int_ne(bound_fd(bound, config->listen[i].slot), -1);
	}
}
END_TEST

START_TEST(metrics)
{
	ck_assert_int_eq(bound_fd(bound, BOUND_METRICS), -1);
	for (int i = 0; i < 2; i++) {
		CONFIGURE("127.0.0.1:0");
		ck_assert_int_eq(config_set(config, "metrics", "127.0.0.1:0",
				     why, sizeof(why)),
		    0);
		change();
		ck_assert_int_ne(bound_fd(bound, BOUND_METRICS), -1);
		ck_assert_uint_eq(changes_n, i == 0 ? 1 : 0);
	}
	CONFIGURE("127.0.0.1:0");
	change();
	ck_assert_uint_eq(changes_n, 1);
	ck_assert_uint_eq(changes[0].slot, BOUND_METRICS);
	ck_assert_int_eq(changes[0].fd, -1);
	ck_assert_int_eq(bound_fd(bound, BOUND_METRICS), -1);
}
END_TEST

/* Another program finds all as it was. */
START_TEST(handed_over)
{
	struct handoff *h = handoff_new();
	struct bound *next;
	uint16_t slots[2];
	int fds[2];

	CONFIGURE("127.0.0.1:0", "[::1]:0");
	config->listen[1].is_default = true; /* where there is no IPv6 */
	change();
	for (size_t i = 0; i < config->listen_n; i++) {
		slots[i] = config->listen[i].slot;
		fds[i] = bound_fd(bound, slots[i]);
	}
	bound_save(bound, h);
	next = bound_adopt(h, config);
	ck_assert_ptr_nonnull(next);
	for (size_t i = 0; i < config->listen_n; i++)
		ck_assert_int_eq(bound_fd(next, slots[i]), fds[i]);
	bound_free(bound);
	bound = next;
	change();
	ck_assert_uint_eq(changes_n, 0);
	handoff_free(h);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("bound");
	TCase *tc = tcase_create("bound");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, same_again);
	tcase_add_test(tc, comes_and_goes);
	tcase_add_test(tc, busy_changes_nothing);
	tcase_add_test(tc, cancelled);
	tcase_add_test(tc, gone_everywhere);
	tcase_add_test(tc, done_without);
	tcase_add_test(tc, metrics);
	tcase_add_test(tc, handed_over);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

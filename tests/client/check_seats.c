/* SPDX-License-Identifier: ISC
 *
 * The seats of a tunnel, with sessions that may never start: nothing is
 * dialled here.
 */
#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/identity.h"
#include "client/options.h"
#include "client/seats.h"
#include "client/session.h"

#define HOUR_MS 3600000

static struct client client;
static struct options options;
static struct tunnel_options tunnel;
static struct service service;
static struct identity identity;
static struct seats seats;
static unsigned asked[SEATS_MAX + 1]; /* by number */

static bool
may_start(void *arg, struct session *session)
{
	(void)arg;
	asked[session_number(session)]++;
	return false;
}

static const struct session_ops ops = { .may_start = may_start };

static void
setup(void)
{
	struct seats_plan plan = { &client, &service, &identity, &ops, NULL };

	memset(&client, 0, sizeof(client));
	memset(asked, 0, sizeof(asked));
	client.base = event_base_new();
	client.options = &options;
	service.options = &tunnel;
	ck_assert_int_eq(seats_init(&seats, &plan), 0);
}

static void
teardown(void)
{
	seats_fini(&seats);
	event_base_free(client.base);
}

static void
turn(void)
{
	event_base_loop(client.base, EVLOOP_NONBLOCK);
}

static unsigned
count(void)
{
	unsigned i, n = 0;

	for (i = 0; i < SEATS_MAX; i++)
		n += seats.all[i] != NULL;
	return n;
}

START_TEST(one_at_first)
{
	ck_assert_uint_eq(count(), 1);
	ck_assert_uint_eq(session_number(seats.all[0]), 1);
	ck_assert(!seats_is_serving(&seats));
	turn();
	ck_assert_uint_eq(asked[1], 0);
}
END_TEST

START_TEST(grows_and_shrinks)
{
	static const int64_t hostile[] = { 0, -1, INT64_MIN, 1 };
	unsigned i;

	seats_resize(&seats, 4);
	ck_assert_uint_eq(count(), 4);
	turn();
	ck_assert_uint_eq(asked[2], 1);
	ck_assert_uint_eq(asked[3], 0);
	/* One after the other; who waits for another attempt holds up none. */
	for (i = 2; i <= 4; i++) {
		ck_assert_uint_eq(asked[i], 1);
		session_start(seats.all[i - 1], HOUR_MS);
		seats_wake_next(&seats);
		turn();
	}
	for (i = 2; i <= 4; i++)
		ck_assert_uint_eq(asked[i], 1);
	/* Those that wait are woken, and the others left alone. */
	seats_resize(&seats, 2);
	ck_assert_uint_eq(count(), 2);
	turn();
	ck_assert_uint_eq(asked[2], 2);
	ck_assert_uint_eq(asked[3], 1);
	seats_resize(&seats, INT64_MAX);
	ck_assert_uint_eq(count(), SEATS_MAX);
	for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		seats_resize(&seats, hostile[i]);
		ck_assert_uint_eq(count(), 1);
	}
	ck_assert_uint_eq(asked[1], 0);
}
END_TEST

START_TEST(a_label_has_one_owner)
{
	seats_resize(&seats, 3);
	session_remember(seats.all[0], "a");
	session_remember(seats.all[1], "b");
	session_remember(seats.all[2], "c");
	ck_assert(!seats_has_taken_first(&seats));
	seats_forget_label(&seats, "b", seats.all[2]);
	ck_assert_str_eq(session_label(seats.all[0]), "a");
	ck_assert_str_eq(session_label(seats.all[1]), "");
	ck_assert_str_eq(session_label(seats.all[2]), "c");
	seats_forget_label(&seats, "c", seats.all[2]);
	ck_assert_str_eq(session_label(seats.all[2]), "c");
	ck_assert(!seats_has_taken_first(&seats));
	seats_forget_label(&seats, "a", seats.all[2]);
	ck_assert(seats_has_taken_first(&seats));
}
END_TEST

START_TEST(another_server)
{
	seats_resize(&seats, 3);
	session_remember(seats.all[0], "a");
	session_remember(seats.all[1], "b");
	seats_forget_others(&seats, seats.all[1]);
	ck_assert_str_eq(session_label(seats.all[0]), "");
	ck_assert_str_eq(session_label(seats.all[1]), "b");
	session_remember(seats.all[0], "d");
	ck_assert_str_eq(session_label(seats.all[0]), "d");
}
END_TEST

START_TEST(none_starts_after_the_end)
{
	seats_resize(&seats, 3);
	seats_leave(&seats);
	session_wake(seats.all[0]);
	session_come_back(seats.all[1]);
	session_start(seats.all[2], 0);
	turn();
	ck_assert_uint_eq(asked[1] + asked[2] + asked[3], 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("seats");
	TCase *tcase = tcase_create("seats");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, one_at_first);
	tcase_add_test(tcase, grows_and_shrinks);
	tcase_add_test(tcase, a_label_has_one_owner);
	tcase_add_test(tcase, another_server);
	tcase_add_test(tcase, none_starts_after_the_end);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/watch.h"

static struct event_base *base;
static struct watch_set *set;
static int pair[2];

/* What one watcher has been told. */
struct seen {
	unsigned calls;
	unsigned what; /* of the last call */
};

static void
setup(void)
{
	base = event_base_new();
	set = watch_set_new(base);
	ck_assert_ptr_nonnull(set);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void
teardown(void)
{
	watch_set_free(set);
	event_base_free(base);
	close(pair[0]);
	close(pair[1]);
}

static void
note(int fd, unsigned what, void *arg)
{
	struct seen *seen = arg;

	(void)fd;
	seen->calls++;
	seen->what = what;
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
say(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

START_TEST(tells_what_holds_now_and_then_what_changes)
{
	struct seen seen = { 0 };

	ck_assert_int_eq(
	    watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &seen), 0);
	ck_assert_uint_eq(seen.calls, 0);
	turn();
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_uint_eq(seen.what, WATCH_OUT);
	turn();
	ck_assert_uint_eq(seen.calls, 1);
	say(pair[1]);
	turn();
	ck_assert_uint_eq(seen.calls, 2);
	ck_assert_uint_eq(seen.what, WATCH_IN | WATCH_OUT);
}
END_TEST

/* Room is told only to who asks for it: at once if there is some, and when
 * there is some again. */
START_TEST(room_is_told_on_demand)
{
	struct seen seen = { 0 };
	char buf[4096] = { 0 };

	ck_assert_int_eq(watch_start(set, pair[0], WATCH_IN, note, &seen), 0);
	turn();
	ck_assert_uint_eq(seen.calls, 0);
	while (send(pair[0], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		continue;
	ck_assert_int_eq(watch_room(set, pair[0]), 0);
	turn();
	ck_assert_uint_eq(seen.calls, 0);
	while (recv(pair[1], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		continue;
	turn();
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_uint_eq(seen.what, WATCH_OUT);
	ck_assert_int_eq(watch_room(set, pair[0]), 0);
	turn();
	ck_assert_uint_eq(seen.calls, 1);
	/* Whoever comes next begins anew. */
	watch_start(set, pair[0], WATCH_IN, note, &seen);
	turn();
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_int_eq(watch_room(set, pair[0]), 0);
	turn();
	ck_assert_uint_eq(seen.calls, 2);
	ck_assert_uint_eq(seen.what, WATCH_OUT);
}
END_TEST

START_TEST(tells_the_end_from_bytes)
{
	struct seen seen = { 0 };

	watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &seen);
	shutdown(pair[1], SHUT_WR);
	turn();
	ck_assert_uint_eq(seen.what & WATCH_HUP, WATCH_HUP);
}
END_TEST

/* Whoever takes over hears of what came while nobody listened. */
START_TEST(goes_from_one_to_the_next)
{
	struct seen first = { 0 }, second = { 0 };

	watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &first);
	turn();
	watch_pause(set, pair[0], 0);
	say(pair[1]);
	turn();
	ck_assert_uint_eq(first.calls, 1);
	ck_assert_int_eq(
	    watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &second), 0);
	turn();
	ck_assert_uint_eq(first.calls, 1);
	ck_assert_uint_eq(second.calls, 1);
	ck_assert_uint_eq(second.what & WATCH_IN, WATCH_IN);
}
END_TEST

/* Whoever goes on is told of what is left and what came, at once. */
START_TEST(goes_on_without_a_call)
{
	struct seen first = { 0 }, second = { 0 };

	watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &first);
	turn();
	watch_pause(set, pair[0], 0);
	ck_assert_uint_eq(watch_resume(set, pair[0], note, &second), WATCH_OUT);
	turn();
	ck_assert_uint_eq(second.calls, 0);
	say(pair[1]);
	turn();
	ck_assert_uint_eq(second.calls, 1);
	watch_pause(set, pair[0], WATCH_IN);
	shutdown(pair[1], SHUT_WR);
	turn();
	ck_assert_uint_eq(watch_resume(set, pair[0], note, &second),
	    WATCH_IN | WATCH_OUT | WATCH_HUP);
	turn();
	ck_assert_uint_eq(first.calls, 1);
	ck_assert_uint_eq(second.calls, 1);
}
END_TEST

/* What goes to another process leaves nothing behind. */
START_TEST(leaves_the_set)
{
	struct seen seen = { 0 };
	int other = dup(pair[0]);

	watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &seen);
	turn();
	watch_remove(set, pair[0]);
	close(pair[0]);
	ck_assert_int_eq(dup2(other, pair[0]), pair[0]);
	close(other);
	ck_assert_int_eq(
	    watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &seen), 0);
	say(pair[1]);
	turn();
	turn();
	ck_assert_uint_eq(seen.calls, 2);
}
END_TEST

/* A number is used again at once; what was due for its last owner is not
 * taken for news of the next. */
START_TEST(a_number_that_is_used_again)
{
	struct seen first = { 0 }, second = { 0 };
	int old = dup(pair[0]);

	watch_start(set, old, WATCH_IN | WATCH_OUT, note, &first);
	say(pair[1]);
	watch_stop(set, old);
	ck_assert_int_eq(dup2(pair[1], old), old);
	ck_assert_int_eq(
	    watch_start(set, old, WATCH_IN | WATCH_OUT, note, &second), 0);
	turn();
	ck_assert_uint_eq(first.calls, 0);
	ck_assert_uint_eq(second.calls, 1);
	ck_assert_uint_eq(second.what, WATCH_OUT);
	watch_stop(set, old);
	close(old);
}
END_TEST

/* Not closed after a stop, or closed without one: both come right. */
START_TEST(guesses_that_are_wrong)
{
	struct seen seen = { 0 };

	watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &seen);
	watch_stop(set, pair[0]);
	ck_assert_int_eq(
	    watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &seen), 0);
	turn();
	ck_assert_uint_eq(seen.calls, 1);
	close(pair[0]);
	ck_assert_int_eq(dup2(pair[1], pair[0]), pair[0]);
	ck_assert_int_eq(
	    watch_start(set, pair[0], WATCH_IN | WATCH_OUT, note, &seen), 0);
	turn();
	ck_assert_uint_eq(seen.calls, 2);
}
END_TEST

struct killer {
	struct seen seen;
	int other;
};

static void
kill_other(int fd, unsigned what, void *arg)
{
	struct killer *k = arg;

	note(fd, what, &k->seen);
	watch_stop(set, k->other);
}

/* Both have news in the same turn; the one that is called first ends the
 * other one. */
START_TEST(one_ends_another)
{
	struct killer a = { .other = pair[1] }, b = { .other = pair[0] };

	watch_start(set, pair[0], WATCH_IN | WATCH_OUT, kill_other, &a);
	watch_start(set, pair[1], WATCH_IN | WATCH_OUT, kill_other, &b);
	turn();
	ck_assert_uint_eq(a.seen.calls + b.seen.calls, 1);
}
END_TEST

static struct seen many[500];

static void
start_another(int fd, unsigned what, void *arg)
{
	static int next;

	note(fd, what, arg);
	if (next < 499) {
		next++;
		ck_assert_int_eq(
		    watch_start(set, dup(pair[0]), WATCH_IN | WATCH_OUT,
			start_another, &many[next]),
		    0);
	}
}

/* The table grows under the feet of whoever is being called. */
START_TEST(many_more_from_within)
{
	watch_start(
	    set, pair[0], WATCH_IN | WATCH_OUT, start_another, &many[0]);
	for (int i = 0; i < 1000; i++)
		turn();
	for (int i = 0; i < 500; i++)
		ck_assert_uint_eq(many[i].calls, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("watch");
	TCase *t = tcase_create("watch");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, tells_what_holds_now_and_then_what_changes);
	tcase_add_test(t, room_is_told_on_demand);
	tcase_add_test(t, tells_the_end_from_bytes);
	tcase_add_test(t, goes_from_one_to_the_next);
	tcase_add_test(t, goes_on_without_a_call);
	tcase_add_test(t, leaves_the_set);
	tcase_add_test(t, a_number_that_is_used_again);
	tcase_add_test(t, guesses_that_are_wrong);
	tcase_add_test(t, one_ends_another);
	tcase_add_test(t, many_more_from_within);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

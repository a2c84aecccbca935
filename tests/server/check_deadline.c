/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/clock.h"
#include "server/deadline.h"

struct thing {
	int id;
	struct deadline deadline;
};

static int seen[8];
static int seen_n;

static void
expired(void *arg, struct deadline *d)
{
	ck_assert_ptr_eq(arg, seen);
	ck_assert_uint_eq(d->due_ms, 0);
	seen[seen_n++] = deadline_of(d, struct thing, deadline)->id;
}

/* Runs the loop until nothing is due any more. */
static void
run(struct event_base *base)
{
	event_base_dispatch(base);
}

START_TEST(they_come_in_order_of_time)
{
	struct event_base *base = event_base_new();
	struct deadline_list *l = deadline_list_new(base, expired, seen);
	struct thing t[3] = { { .id = 0 }, { .id = 1 }, { .id = 2 } };
	uint64_t now = clock_ms();

	seen_n = 0;
	deadline_add(l, &t[0].deadline, now + 20);
	deadline_add(l, &t[1].deadline, now + 40);
	deadline_add(l, &t[2].deadline, now + 10);
	run(base);
	ck_assert_int_eq(seen_n, 3);
	ck_assert_int_eq(seen[0], 2);
	ck_assert_int_eq(seen[1], 0);
	ck_assert_int_eq(seen[2], 1);
	ck_assert_uint_ge(clock_ms(), now + 40);
	deadline_list_free(l);
	event_base_free(base);
}
END_TEST

START_TEST(what_is_taken_away_does_not_end)
{
	struct event_base *base = event_base_new();
	struct deadline_list *l = deadline_list_new(base, expired, seen);
	struct thing t[2] = { { .id = 0 }, { .id = 1 } };
	uint64_t now = clock_ms();

	seen_n = 0;
	deadline_add(l, &t[0].deadline, now + 5);
	deadline_add(l, &t[1].deadline, now + 10);
	deadline_del(l, &t[0].deadline);
	deadline_del(l, &t[0].deadline);
	run(base);
	ck_assert_int_eq(seen_n, 1);
	ck_assert_int_eq(seen[0], 1);
	deadline_list_free(l);
	event_base_free(base);
}
END_TEST

START_TEST(what_is_due_already_ends_at_once)
{
	struct event_base *base = event_base_new();
	struct deadline_list *l = deadline_list_new(base, expired, seen);
	struct thing t = { .id = 7 };

	seen_n = 0;
	deadline_add(l, &t.deadline, 0);
	run(base);
	ck_assert_int_eq(seen_n, 1);
	ck_assert_int_eq(seen[0], 7);
	deadline_list_free(l);
	event_base_free(base);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("deadline");
	TCase *t = tcase_create("deadline");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, they_come_in_order_of_time);
	tcase_add_test(t, what_is_taken_away_does_not_end);
	tcase_add_test(t, what_is_due_already_ends_at_once);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

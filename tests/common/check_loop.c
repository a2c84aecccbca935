/* SPDX-License-Identifier: ISC
 *
 * Timers can be set when there is no memory any more.
 */
#include "common/loop.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

static bool is_empty;

static void *
some_or_none(void *p, size_t size)
{
	if (!is_empty)
		return realloc(p, size);
	errno = ENOMEM;
	return NULL;
}

static void *
some_or_none_new(size_t size)
{
	return some_or_none(NULL, size);
}

static void
count_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	++*(unsigned *)arg;
}

START_TEST(timers_need_no_memory)
{
	const struct timeval now = { 0 };
	struct event *timers = calloc(LOOP_TIMERS, sizeof(*timers));
	struct event_base *base;
	unsigned n = 0;

	ck_assert_ptr_nonnull(timers);
	event_set_mem_functions(some_or_none_new, some_or_none, free);
	base = loop_new();
	ck_assert_ptr_nonnull(base);
	is_empty = true;
	for (size_t i = 0; i < LOOP_TIMERS; i++) {
		evtimer_assign(&timers[i], base, count_cb, &n);
		ck_assert_int_eq(evtimer_add(&timers[i], &now), 0);
	}
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(n, LOOP_TIMERS);
	event_base_free(base);
	free(timers);
}
END_TEST

START_TEST(no_loop_without_memory)
{
	is_empty = true;
	event_set_mem_functions(some_or_none_new, some_or_none, free);
	ck_assert_ptr_null(loop_new());
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("loop");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, timers_need_no_memory);
	tcase_add_test(tc, no_loop_without_memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

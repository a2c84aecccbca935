/* SPDX-License-Identifier: ISC
 *
 * Counters: each row has its own cache lines, all processes see the same
 * ones, and what a dead worker leaves behind is its counts, not its gauges.
 */
#include "server/counters.h"

#include <check.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(rows_have_lines_of_their_own)
{
	struct counters *c = counters_new(3, 5);

	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(counters_workers(c), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq((uintptr_t)counters_worker(c, i) % 64, 0);
	for (size_t i = 0; i < 5; i++)
		ck_assert_uint_eq((uintptr_t)counters_session(c, i) % 64, 0);
	ck_assert((void *)counters_session(c, 0) >=
		  (void *)(counters_worker(c, 2) + 1));
	ck_assert_uint_eq(counter_get(&counters_session(c, 4)->bytes_out), 0);
	counter_set(&counters_session(c, 4)->bytes_out, 1);
	counters_free(c);
	counters_free(NULL);
}
END_TEST

START_TEST(other_processes_see_them)
{
	struct counters *c = counters_new(2, 2);
	pid_t pid;

	ck_assert_ptr_nonnull(c);
	counter_set(&counters_worker(c, 0)->sessions, 7);
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		if (counter_get(&counters_worker(c, 0)->sessions) != 7)
			_exit(1);
		counter_add(&counters_worker(c, 1)->visitors, 5);
		counter_add(&counters_worker(c, 1)->visitors, -2);
		counter_set(&counters_session(c, 1)->busy, UINT64_MAX);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_uint_eq(counter_get(&counters_worker(c, 1)->visitors), 3);
	ck_assert_uint_eq(
	    counter_get(&counters_session(c, 1)->busy), UINT64_MAX);
	ck_assert_uint_eq(counter_get(&counters_worker(c, 0)->visitors), 0);
	counters_free(c);
}
END_TEST

START_TEST(dead_worker_keeps_its_counts)
{
	struct counters *c = counters_new(3, 1);
	struct counters_worker *w;
	counter *row;
	size_t n = sizeof(*w) / sizeof(*row);

	ck_assert_ptr_nonnull(c);
	for (size_t slot = 0; slot < 3; slot++) {
		row = &counters_worker(c, slot)->ready;
		for (size_t i = 0; i < n; i++)
			counter_set(&row[i], 9);
	}
	counters_worker_gone(c, 1);
	w = counters_worker(c, 1);
	for (counter *g = &w->ready; g < &w->accepted; g++)
		ck_assert_uint_eq(counter_get(g), 0);
	for (counter *k = &w->accepted; k <= &w->bytes_out; k++)
		ck_assert_uint_eq(counter_get(k), 9);
	ck_assert_uint_eq(counter_get(&counters_worker(c, 0)->ready), 9);
	ck_assert_uint_eq(counter_get(&counters_worker(c, 2)->ready), 9);
	counters_free(c);
}
END_TEST

/* What was just sent to a worker counts until its row has it. */
START_TEST(burst)
{
	struct counters *c = counters_new(2, 1);
	const uint64_t now = 100000;

	ck_assert_ptr_nonnull(c);
	counter_set(&counters_worker(c, 1)->sessions, 5);
	ck_assert_uint_eq(counters_load(c, 1, now), 5);
	counters_send(c, 1, now);
	counters_send(c, 1, now + 10);
	ck_assert_uint_eq(counters_load(c, 0, now + 10), 0);
	ck_assert_uint_eq(counters_load(c, 1, now + 10), 7);
	ck_assert_uint_eq(counters_load(c, 1, now + COUNTERS_BURST_MS - 1), 7);
	ck_assert_uint_eq(counters_load(c, 1, now + COUNTERS_BURST_MS), 5);
	/* An answer ends it, and so does death. */
	counters_send(c, 1, now);
	counter_add(&counters_worker(c, 1)->claims, 1);
	ck_assert_uint_eq(counters_load(c, 1, now), 5);
	counters_send(c, 1, now);
	counters_worker_gone(c, 1);
	ck_assert_uint_eq(counters_load(c, 1, now), 0);
	counters_free(c);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { rows_have_lines_of_their_own,
		other_processes_see_them, dead_worker_keeps_its_counts, burst };
	Suite *suite = suite_create("counters");
	TCase *tc = tcase_create("counters");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

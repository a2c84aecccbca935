/* SPDX-License-Identifier: ISC
 *
 * Waits grow from half a second to half a minute, and differ.
 */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "client/backoff.h"

START_TEST(grows_and_stays_in_bounds)
{
	struct backoff backoff = { 0 };
	uint64_t low = BACKOFF_MIN_MS, wait;
	int i;

	for (i = 0; i < 20; i++) {
		wait = backoff_next(&backoff);
		ck_assert_uint_ge(wait, low);
		ck_assert_uint_le(wait, 2 * low);
		ck_assert_uint_le(wait, BACKOFF_MAX_MS);
		low =
		    2 * low < BACKOFF_MAX_MS / 2 ? 2 * low : BACKOFF_MAX_MS / 2;
	}
}
END_TEST

START_TEST(begins_anew_after_a_success)
{
	struct backoff backoff = { 0 };
	int i;

	for (i = 0; i < 10; i++)
		backoff_next(&backoff);
	backoff_reset(&backoff);
	ck_assert_uint_le(backoff_next(&backoff), 2 * BACKOFF_MIN_MS);
}
END_TEST

START_TEST(is_short_after_a_short_success)
{
	struct backoff backoff = { 0 };
	int i;

	for (i = 0; i < 10; i++)
		backoff_next(&backoff);
	backoff_ease(&backoff);
	ck_assert_uint_le(backoff_next(&backoff), 4 * BACKOFF_MIN_MS);
	backoff_reset(&backoff);
	backoff_ease(&backoff);
	ck_assert_uint_le(backoff_next(&backoff), 2 * BACKOFF_MIN_MS);
}
END_TEST

START_TEST(differs)
{
	uint64_t first = backoff_between(0, 1000000000);
	int i, same = 0;

	for (i = 0; i < 10; i++)
		same += backoff_between(0, 1000000000) == first;
	ck_assert_int_lt(same, 10);
}
END_TEST

START_TEST(between_has_both_ends)
{
	bool low = false, high = false;
	int i;

	for (i = 0; i < 1000; i++) {
		uint64_t wait = backoff_between(7, 8);

		ck_assert(wait == 7 || wait == 8);
		low = low || wait == 7;
		high = high || wait == 8;
	}
	ck_assert(low && high);
	ck_assert_uint_eq(backoff_between(5, 5), 5);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("backoff");
	TCase *tcase = tcase_create("backoff");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, grows_and_stays_in_bounds);
	tcase_add_test(tcase, begins_anew_after_a_success);
	tcase_add_test(tcase, is_short_after_a_short_success);
	tcase_add_test(tcase, differs);
	tcase_add_test(tcase, between_has_both_ends);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

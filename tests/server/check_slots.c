/* SPDX-License-Identifier: ISC
 *
 * Slots: in which order they are used, and that no generation of one comes
 * twice, nor is 0, also where they are those of a table that was there before.
 */
#include "server/slots.h"

#include <check.h>

#define N 4

static struct slots slots;

static void
begin(void)
{
	ck_assert_int_eq(slots_init(&slots, N), 0);
}

static void
end(void)
{
	slots_fini(&slots);
}

/* Takes the next one, and says which it is to be. */
static void
take(uint32_t slot, uint32_t generation)
{
	struct registry_ref ref;

	ck_assert(slots_next(&slots, &ref));
	ck_assert_uint_eq(ref.slot, slot);
	ck_assert_uint_eq(ref.generation, generation);
	slots_take(&slots);
}

static void
is_full(void)
{
	struct registry_ref ref;

	ck_assert_uint_eq(slots_free(&slots), 0);
	ck_assert(!slots_next(&slots, &ref));
}

START_TEST(rest_long)
{
	take(0, 1);
	take(1, 1);
	slots_put(&slots, 1);
	slots_put(&slots, 0);
	ck_assert_uint_eq(slots_free(&slots), N);
	/* First those that were never used, then who has rested longest. */
	take(2, 1);
	take(3, 1);
	take(1, 2);
	take(0, 2);
	is_full();
	slots_put(&slots, 2);
	take(2, 2);
	is_full();
}
END_TEST

START_TEST(asked_twice)
{
	struct registry_ref ref;

	ck_assert(slots_next(&slots, &ref));
	take(0, 1);
	ck_assert_uint_eq(slots_renew(&slots, 0), 2);
	slots_put(&slots, 0);
	for (uint32_t i = 1; i < N; i++)
		take(i, 1);
	ck_assert(slots_next(&slots, &ref));
	take(0, 3);
}
END_TEST

START_TEST(adopted)
{
	slots_begin(&slots, 7);
	slots_adopt(&slots, 1, 5);
	slots_adopt(&slots, 2, 9);
	ck_assert_uint_eq(slots_free(&slots), N - 2);
	ck_assert_uint_eq(slots_highest(&slots, 0), 9);
	ck_assert_uint_eq(slots_highest(&slots, 20), 20);
	take(3, 8);
	take(0, 8);
	is_full();
	slots_put(&slots, 1);
	slots_put(&slots, 2);
	take(1, 6);
	take(2, 10);
}
END_TEST

START_TEST(never_0)
{
	ck_assert_uint_eq(slots_after(0), 1);
	ck_assert_uint_eq(slots_after(UINT32_MAX), 1);
	slots_begin(&slots, UINT32_MAX);
	ck_assert_uint_eq(slots_highest(&slots, 0), UINT32_MAX);
	take(0, 1);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { rest_long, asked_twice, adopted,
		never_0 };
	Suite *suite = suite_create("slots");
	TCase *tc = tcase_create("slots");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, begin, end);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

/* SPDX-License-Identifier: ISC
 *
 * Names are good names, and not the same twice in a row.
 */
#include "server/names.h"

#include <check.h>
#include <string.h>

START_TEST(good_names)
{
	char name[LTP_NAME_MAX + 1], folded[LTP_NAME_MAX + 1];
	const char *number;

	for (int i = 0; i < 2000; i++) {
		names_random(name);
		ck_assert_msg(ltp_name(name, folded), "%s", name);
		ck_assert_str_eq(folded, name);
		number = strrchr(name, '-');
		ck_assert_ptr_nonnull(number);
		ck_assert_uint_eq(strlen(number + 1), 4);
		ck_assert_uint_eq(strspn(number + 1, "0123456789"), 4);
		ck_assert_ptr_ne(strchr(name, '-'), number);
	}
}
END_TEST

START_TEST(many_names)
{
	char names[8][LTP_NAME_MAX + 1];
	int same = 0;

	/* 28 pairs among 40 million names: two that are equal are luck, more
	 * are a fault. */
	for (int i = 0; i < 8; i++) {
		names_random(names[i]);
		for (int j = 0; j < i; j++)
			same += strcmp(names[i], names[j]) == 0;
	}
	ck_assert_int_le(same, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("names");
	TCase *tcase = tcase_create("names");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, good_names);
	tcase_add_test(tcase, many_names);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

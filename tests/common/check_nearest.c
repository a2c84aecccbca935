/* SPDX-License-Identifier: ISC
 *
 * Slips are recognised, and nothing else is taken for one.
 */
#include "common/nearest.h"

#include <check.h>
#include <string.h>

static const char *
find(const char *word)
{
	static const char *const right[] = { "", "workers", "max-workers",
		"domain", "drain", "tls-key" };
	struct nearest n;

	nearest_init(&n, word);
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		nearest_try(&n, right[i]);
	return n.found;
}

START_TEST(slips)
{
	ck_assert_str_eq(find("wrkers"), "workers");
	ck_assert_str_eq(find("Workers"), "workers");
	ck_assert_str_eq(find("max_workers"), "max-workers");
	ck_assert_str_eq(find("drian"), "drain");
	ck_assert_str_eq(find("doman"), "domain");
	ck_assert_str_eq(find("tls_keys"), "tls-key");
	ck_assert_str_eq(find("drain"), "drain");
}
END_TEST

START_TEST(others)
{
	char text[64] = "x";
	struct nearest n;

	ck_assert_ptr_null(find(""));
	ck_assert_ptr_null(find("a"));
	ck_assert_ptr_null(find("include"));
	ck_assert_ptr_null(
	    find("a-word-that-is-longer-than-any-other-that-there-can-be"));
	nearest_init(&n, "x");
	ck_assert_str_eq(nearest_text(&n, text, sizeof(text)), "");
	nearest_try(&n, "y");
	ck_assert_str_eq(
	    nearest_text(&n, text, sizeof(text)), "; do you mean \"y\"?");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("nearest");
	TCase *tcase = tcase_create("nearest");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, slips);
	tcase_add_test(tcase, others);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

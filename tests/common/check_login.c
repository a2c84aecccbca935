/* SPDX-License-Identifier: ISC
 *
 * user:password: what may be one.
 */
#include "common/login.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char *const good[] = { "a:b", "ada:p:q", "ada::", "a b:c d",
	"h\xc3\xb6rse:\xe2\x82\xac", "a:\"\\" };

static const char *const bad[] = { "", ":", "ada", "ada:", ":b", "a:b\n",
	"a\t:b", "a:b\x7f", "a:\x1b[2J", "a:\xf6", "a:\xc0\x80" };

START_TEST(logins)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(login_is_good(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!login_is_good(bad[i]), "%zu", i);
}
END_TEST

START_TEST(longest)
{
	char text[LOGIN_MAX + 2];

	memset(text, 'x', sizeof(text));
	text[1] = ':';
	text[LOGIN_MAX] = '\0';
	ck_assert(login_is_good(text));
	text[LOGIN_MAX] = 'x';
	text[LOGIN_MAX + 1] = '\0';
	ck_assert(!login_is_good(text));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("login");
	TCase *tcase = tcase_create("login");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, logins);
	tcase_add_test(tcase, longest);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

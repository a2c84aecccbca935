/* SPDX-License-Identifier: ISC
 *
 * Each verdict has words, and none of them says more than it should.
 */
#include "server/verdict.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(all)
{
	for (int i = CHANNEL_GRANTED; i <= CHANNEL_TOO_WRONG; i++) {
		const struct verdict *v = verdict_of((enum channel_verdict)i);
		bool is_good = i <= CHANNEL_FURTHER;

		ck_assert_msg(v->word != NULL && v->why != NULL, "%d", i);
		ck_assert_int_eq(v->code == NULL, is_good);
		ck_assert_int_eq(
		    verdict_is_good((enum channel_verdict)i), is_good);
		ck_assert_int_eq(v->status == 200, is_good);
		ck_assert_int_eq(v->why[0] == '\0', is_good);
	}
}
END_TEST

START_TEST(kinds)
{
	static const enum channel_verdict unauthorized[] = { CHANNEL_NO_TOKEN,
		CHANNEL_BAD_TOKEN, CHANNEL_EXPIRED, CHANNEL_NOT_NAME,
		CHANNEL_NOT_KIND, CHANNEL_NOT_PORT, CHANNEL_NOT_DOMAIN,
		CHANNEL_IN_CLEAR };

	for (size_t i = 0; i < sizeof(unauthorized) / sizeof(unauthorized[0]);
	     i++)
		ck_assert_str_eq(
		    verdict_of(unauthorized[i])->code, "unauthorized");
	ck_assert_int_eq(verdict_of(CHANNEL_BAD_TOKEN)->status, 401);
	ck_assert_int_eq(verdict_of(CHANNEL_TOO_WRONG)->status, 429);
	ck_assert_int_eq(verdict_of(CHANNEL_ADDRESS_FULL)->status, 429);
	ck_assert(verdict_is_about_name(CHANNEL_TAKEN_NAME) &&
		  verdict_is_about_name(CHANNEL_RESERVED) &&
		  !verdict_is_about_name(CHANNEL_NOT_NAME));
	/* What no master says. */
	ck_assert(!verdict_is_good((enum channel_verdict)0));
	ck_assert(!verdict_is_good((enum channel_verdict) - 1));
	ck_assert(!verdict_is_good((enum channel_verdict)1000));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("verdict");
	TCase *tcase = tcase_create("verdict");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, all);
	tcase_add_test(tcase, kinds);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

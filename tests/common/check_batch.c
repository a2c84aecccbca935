/* SPDX-License-Identifier: ISC
 *
 * The policy is that of batches, unless somebody has chosen one.
 */
#define _GNU_SOURCE
#include <check.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/batch.h"

/* In a child, since nobody may go back from every policy. */
static int
policy_after(int policy)
{
	const struct sched_param param = { 0 };
	int status;
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		if (sched_setscheduler(0, policy, &param) == -1)
			_exit(EXIT_FAILURE);
		batch_set();
		_exit(sched_getscheduler(0));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(the_common_one_is_changed)
{
	ck_assert_int_eq(policy_after(SCHED_OTHER), SCHED_BATCH);
}
END_TEST

START_TEST(another_one_is_kept)
{
	ck_assert_int_eq(policy_after(SCHED_IDLE), SCHED_IDLE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("batch");
	TCase *tcase = tcase_create("batch");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, the_common_one_is_changed);
	tcase_add_test(tcase, another_one_is_kept);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

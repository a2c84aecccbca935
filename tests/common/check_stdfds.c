/* SPDX-License-Identifier: ISC
 *
 * A program that is started with standard descriptors closed has them open.
 */
#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/stdfds.h"

/* In a child, whose descriptors nobody needs: those of the mask are closed
 * and must be open again, and nothing else. */
static bool
is_mended(unsigned mask)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		int fd, next = dup(0);

		close(next);
		for (fd = 0; fd < 3; fd++)
			if (mask & (1U << fd))
				close(fd);
		if (stdfds_open() == -1 || dup(0) != next)
			_exit(1);
		for (fd = 0; fd < 3; fd++)
			if (fcntl(fd, F_GETFD) == -1 ||
			    ((mask & (1U << fd)) && write(fd, "x", 1) != 1))
				_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status == 0;
}

START_TEST(closed_ones_are_opened)
{
	ck_assert(is_mended((unsigned)_i));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("stdfds");
	TCase *tcase = tcase_create("stdfds");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, closed_ones_are_opened, 0, 8);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * The pid file: the lock decides and not what is written there, a child may
 * forget it, and nothing that is somebody else's is changed or removed.
 */
#define _GNU_SOURCE

#include "server/pidfile.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], path[128], why[512];

static void
setup(void)
{
	strcpy(dir, "/tmp/check_pidfile.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/run/x.pid", dir);
}

static void
teardown(void)
{
	char sub[128];

	(void)unlink(path);
	snprintf(sub, sizeof(sub), "%s/run", dir);
	(void)rmdir(sub);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct pidfile *
must_open(void)
{
	struct pidfile *p = pidfile_open(path, why, sizeof(why));

	ck_assert_msg(p != NULL, "%s", why);
	return p;
}

static void
put(const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static const char *
content(void)
{
	static char text[64];
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

static const char *
own(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	return text;
}

START_TEST(whole_life)
{
	struct pidfile *p = must_open();
	struct stat st;

	ck_assert_int_eq(pidfile_write(p), 0);
	ck_assert_str_eq(content(), own());
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	pidfile_remove(p);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(locked)
{
	struct pidfile *p = must_open();

	ck_assert_int_eq(pidfile_write(p), 0);
	ck_assert_ptr_null(pidfile_open(path, why, sizeof(why)));
	ck_assert_ptr_nonnull(strstr(why, path));
	ck_assert_ptr_nonnull(strstr(why, "locked"));
	ck_assert_str_eq(content(), own());
	pidfile_remove(p);
}
END_TEST

START_TEST(left_behind)
{
	struct pidfile *p;

	pidfile_remove(must_open());
	put("1234567890123456789012345678901234567890\n");
	p = must_open();
	ck_assert_int_eq(pidfile_write(p), 0);
	ck_assert_str_eq(content(), own());
	pidfile_remove(p);
}
END_TEST

/* A child that has forgotten it does not keep it locked. */
START_TEST(forgotten)
{
	struct pidfile *p = must_open();
	int go[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		pidfile_forget(p);
		close(go[0]);
		(void)!write(go[1], "", 1);
		pause();
	}
	ck_assert_int_eq(read(go[0], &byte, 1), 1);
	pidfile_forget(p);
	p = must_open();
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	waitpid(pid, NULL, 0);
	pidfile_remove(p);
}
END_TEST

/* Somebody has put another file there: it is not ours to remove. */
START_TEST(replaced)
{
	struct pidfile *p = must_open();

	ck_assert_int_eq(unlink(path), 0);
	put("other");
	pidfile_remove(p);
	ck_assert_str_eq(content(), "other");
}
END_TEST

START_TEST(no_file)
{
	pidfile_remove(must_open());
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_assert_ptr_null(pidfile_open(path, why, sizeof(why)));
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_ptr_null(pidfile_open(path, why, sizeof(why)));
	ck_assert_ptr_nonnull(strstr(why, "regular"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	ck_assert_ptr_null(pidfile_open(path, why, sizeof(why)));
	pidfile_remove(NULL);
	pidfile_forget(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pidfile");
	TCase *tcase = tcase_create("pidfile");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, whole_life);
	tcase_add_test(tcase, locked);
	tcase_add_test(tcase, left_behind);
	tcase_add_test(tcase, forgotten);
	tcase_add_test(tcase, replaced);
	tcase_add_test(tcase, no_file);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

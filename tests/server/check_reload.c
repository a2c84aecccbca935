/* SPDX-License-Identifier: ISC
 *
 * Settings read again: what is wrong is said, and what cannot change does not.
 */
#include "server/reload.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

#include "server/config.h"

static struct config *old, *fresh;
static char why[64];

static void
set(struct config *c, const char *key, const char *value)
{
	ck_assert_int_eq(config_set(c, key, value, why, sizeof(why)), 0);
}

static void
set_up(void)
{
	old = config_new();
	fresh = config_new();
	old->workers = fresh->workers = 2;
}

static void
tear_down(void)
{
	config_free(old);
	config_free(fresh);
}

static struct config *
say_faults(void *arg, FILE *faults)
{
	fputs(arg, faults);
	return NULL;
}

static struct config *
take_fresh(void *arg, FILE *faults)
{
	struct config *c = fresh;

	(void)arg;
	(void)faults;
	fresh = NULL;
	return c;
}

START_TEST(faults)
{
	ck_assert_ptr_null(reload_read(say_faults,
	    "a.conf:3: first\na.conf:4: second\n", old, why, sizeof(why)));
	ck_assert_str_eq(why, "a.conf:3: first");
	ck_assert_ptr_null(reload_read(say_faults, "", old, why, sizeof(why)));
	ck_assert_uint_gt(strlen(why), 0);
	ck_assert_ptr_null(reload_read(say_faults, "0123456789", old, why, 5));
	ck_assert_str_eq(why, "0123");
}
END_TEST

START_TEST(what_changes)
{
	struct config *got;

	set(fresh, "grace", "77");
	set(fresh, "domain", "other.example");
	fresh->workers = 3;
	got = reload_read(take_fresh, NULL, old, why, sizeof(why));
	ck_assert_ptr_nonnull(got);
	ck_assert_uint_eq(got->grace, 77);
	ck_assert_str_eq(got->domain, "other.example");
	ck_assert_uint_eq(got->workers, 3);
	config_free(got);
}
END_TEST

START_TEST(what_stays)
{
	struct config *got;

	set(old, "max-workers", "4");
	set(old, "pid-file", "/run/old.pid");
	set(old, "user", "somebody");
	set(fresh, "max-tunnels", "5");
	set(fresh, "max-workers", "64");
	set(fresh, "pid-file", "/run/fresh.pid");
	set(fresh, "control-socket", "/run/fresh.sock");
	set(fresh, "group", "others");
	fresh->workers = 10;
	got = reload_read(take_fresh, NULL, old, why, sizeof(why));
	ck_assert_ptr_nonnull(got);
	ck_assert_uint_eq(got->max_tunnels, old->max_tunnels);
	ck_assert_uint_eq(got->max_workers, 4);
	ck_assert_uint_eq(got->workers, 4);
	ck_assert_str_eq(got->pid_file, "/run/old.pid");
	ck_assert_pstr_eq(got->control_socket, NULL);
	ck_assert_str_eq(got->user, "somebody");
	ck_assert_pstr_eq(got->group, NULL);
	config_free(got);
}
END_TEST

START_TEST(no_memory)
{
	struct rlimit was, none;
	struct config *got;

	ck_assert_int_eq(getrlimit(RLIMIT_AS, &was), 0);
	none = was;
	none.rlim_cur = 4096;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
	got = reload_read(take_fresh, NULL, old, why, sizeof(why));
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &was), 0);
	ck_assert_ptr_null(got);
	ck_assert_ptr_nonnull(fresh);
	ck_assert_str_eq(why, "out of memory");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reload");
	TCase *tc = tcase_create("reload");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, faults);
	tcase_add_test(tc, what_changes);
	tcase_add_test(tc, what_stays);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

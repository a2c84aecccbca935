/* SPDX-License-Identifier: ISC
 *
 * Secrets survive a run, are for their owner alone, and only one client at a
 * time has them.
 */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/secrets.h"

static char dir[64], why[SECRETS_WHY_MAX];
static const char *const files[] = { "example.com,demo", "example.com,other",
	"example.com:8000,demo", NULL };

static void
setup(void)
{
	strcpy(dir, "/tmp/check_secrets.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("XDG_STATE_HOME", dir, 1);
}

static void
teardown(void)
{
	char path[256];
	int i;

	for (i = 0; files[i] != NULL; i++) {
		snprintf(
		    path, sizeof(path), "%s/localtunnel/%s", dir, files[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/localtunnel", dir);
	rmdir(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct secret
fresh(void)
{
	struct secret secret;

	ck_assert_int_eq(secrets_new_client(&secret), 0);
	return secret;
}

START_TEST(kept_from_run_to_run)
{
	struct secret first = fresh(), second = fresh();
	struct secrets *secrets;

	ck_assert_int_eq(
	    secrets_open(&secrets, "example.com", "demo", &first, why),
	    SECRETS_OK);
	ck_assert_str_eq(first.secret, "");
	strcpy(first.session, "s1");
	strcpy(first.secret, "hush \"quoted\"");
	ck_assert_int_eq(secrets_save(secrets, &first, why), 0);
	strcpy(first.secret, "hush");
	ck_assert_int_eq(secrets_save(secrets, &first, why), 0);
	secrets_close(secrets);

	ck_assert_str_ne(first.client, second.client);
	ck_assert_int_eq(
	    secrets_open(&secrets, "example.com", "demo", &second, why),
	    SECRETS_OK);
	secrets_close(secrets);
	ck_assert_str_eq(second.client, first.client);
	ck_assert_str_eq(second.session, "s1");
	ck_assert_str_eq(second.secret, "hush");
}
END_TEST

START_TEST(only_one_has_it)
{
	struct secret first = fresh(), second = fresh();
	struct secrets *secrets, *busy, *other;

	ck_assert_int_eq(
	    secrets_open(&secrets, "example.com", "demo", &first, why),
	    SECRETS_OK);
	ck_assert_int_eq(
	    secrets_open(&busy, "example.com", "demo", &second, why),
	    SECRETS_BUSY);
	ck_assert_ptr_null(busy);
	ck_assert_int_eq(
	    secrets_open(&other, "example.com", "other", &second, why),
	    SECRETS_OK);
	secrets_close(other);
	ck_assert_int_eq(
	    secrets_open(&other, "example.com:8000", "demo", &second, why),
	    SECRETS_OK);
	secrets_close(other);
	secrets_close(secrets);
	ck_assert_int_eq(
	    secrets_open(&secrets, "example.com", "demo", &second, why),
	    SECRETS_OK);
	secrets_close(secrets);
}
END_TEST

START_TEST(for_the_owner_alone)
{
	struct secret secret = fresh();
	struct secrets *secrets;
	struct stat st;
	char path[256];
	mode_t mask = umask(0);

	ck_assert_int_eq(
	    secrets_open(&secrets, "example.com", "demo", &secret, why),
	    SECRETS_OK);
	secrets_close(secrets);
	umask(mask);
	snprintf(path, sizeof(path), "%s/localtunnel", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/localtunnel/example.com,demo", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(
	    secrets_open(&secrets, "example.com", "demo", &secret, why),
	    SECRETS_OK);
	secrets_close(secrets);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(damaged_is_empty)
{
	static const char *const texts[] = { "", "{", "[]", "{\"client\":1}",
		"{\"secret\":\"x\"}", "\xff\xfe" };
	struct secret secret, before;
	struct secrets *secrets;
	char path[256];
	size_t i;
	FILE *file;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		before = secret = fresh();
		ck_assert_int_eq(
		    secrets_open(&secrets, "example.com", "demo", &secret, why),
		    SECRETS_OK);
		secrets_close(secrets);
		snprintf(
		    path, sizeof(path), "%s/localtunnel/example.com,demo", dir);
		file = fopen(path, "w");
		fputs(texts[i], file);
		fclose(file);
		ck_assert_int_eq(
		    secrets_open(&secrets, "example.com", "demo", &secret, why),
		    SECRETS_OK);
		secrets_close(secrets);
		ck_assert_str_eq(secret.client, before.client);
		ck_assert_str_eq(secret.secret, "");
	}
}
END_TEST

START_TEST(nowhere_to_keep_it)
{
	struct secret secret = fresh();
	struct secrets *secrets;

	setenv("XDG_STATE_HOME", "/dev/null/x", 1);
	ck_assert_int_eq(
	    secrets_open(&secrets, "example.com", "demo", &secret, why),
	    SECRETS_NONE);
	ck_assert_ptr_null(secrets);
	ck_assert_ptr_nonnull(strstr(why, "/dev/null/x"));
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	ck_assert_int_eq(
	    secrets_open(&secrets, "example.com", "demo", &secret, why),
	    SECRETS_NONE);
	ck_assert_str_eq(why, "neither XDG_STATE_HOME nor HOME is set");
}
END_TEST

START_TEST(clients_and_names)
{
	struct secret secret = fresh();
	char name[LTP_NAME_MAX + 1], folded[LTP_NAME_MAX + 1];
	const char *c, *hex = strrchr(secret.client, ';');

	ck_assert_ptr_nonnull(strchr(secret.client, '@'));
	ck_assert_ptr_nonnull(strstr(secret.client, ";Linux;"));
	ck_assert_uint_eq(strlen(hex + 1), 32);
	ck_assert_uint_eq(strspn(hex + 1, "0123456789abcdef"), 32);
	ck_assert_uint_le(strlen(secret.client), LTP_CLIENT_MAX);
	for (c = secret.client; *c != '\0'; c++)
		ck_assert(
		    isascii((unsigned char)*c) && isgraph((unsigned char)*c));
	ck_assert_int_eq(secrets_new_name(name), 0);
	ck_assert_uint_eq(strlen(name), 12);
	ck_assert(ltp_name(name, folded));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("secrets");
	TCase *tcase = tcase_create("secrets");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, kept_from_run_to_run);
	tcase_add_test(tcase, only_one_has_it);
	tcase_add_test(tcase, for_the_owner_alone);
	tcase_add_test(tcase, damaged_is_empty);
	tcase_add_test(tcase, nowhere_to_keep_it);
	tcase_add_test(tcase, clients_and_names);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/config.h"

static char dir[] = "/tmp/lt-check.XXXXXX";
static char file[64], own[64], why[256];
static struct config config;
static const struct config_key keys[] = { { "target", false },
	{ "name", false }, { "allow", true }, { NULL, false } };

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void
setup(void)
{
	char sub[64];

	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/localtunnel", dir);
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	snprintf(own, sizeof(own), "%s/localtunnel/ltclient.conf", dir);
	snprintf(file, sizeof(file), "%s/other.conf", dir);
	setenv("XDG_CONFIG_HOME", dir, 1);
}

static void
teardown(void)
{
	char sub[64];

	config_fini(&config);
	unlink(own);
	unlink(file);
	snprintf(sub, sizeof(sub), "%s/localtunnel", dir);
	ck_assert_int_eq(rmdir(sub), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(no_file_says_nothing)
{
	ck_assert_int_eq(config_read(&config, keys, NULL, why, sizeof(why)), 0);
	ck_assert_ptr_null(config.server);
	ck_assert_ptr_null(config.ca);
	ck_assert(!config.insecure);
}
END_TEST

START_TEST(a_later_file_wins)
{
	write_file(own, "# mine\nserver = \"http://a\"\n");
	ck_assert_int_eq(config_read(&config, keys, NULL, why, sizeof(why)), 0);
	ck_assert_str_eq(config.server, "http://a");
	config_fini(&config);
	write_file(file, "server = http://b\n");
	ck_assert_int_eq(config_read(&config, keys, file, why, sizeof(why)), 0);
	ck_assert_str_eq(config.server, "http://b");
	config_fini(&config);
	write_file(file, "");
	ck_assert_int_eq(config_read(&config, keys, file, why, sizeof(why)), 0);
	ck_assert_str_eq(config.server, "http://a");
}
END_TEST

START_TEST(how_to_check_the_server)
{
	write_file(own, "server = https://a\nca = /a.pem\ninsecure = yes\n");
	ck_assert_int_eq(config_read(&config, keys, NULL, why, sizeof(why)), 0);
	ck_assert_str_eq(config.ca, "/a.pem");
	ck_assert(config.insecure);
	config_fini(&config);
	/* What is not said again stays. */
	write_file(file, "ca = /b.pem\n");
	ck_assert_int_eq(config_read(&config, keys, file, why, sizeof(why)), 0);
	ck_assert_str_eq(config.server, "https://a");
	ck_assert_str_eq(config.ca, "/b.pem");
	ck_assert(config.insecure);
	config_fini(&config);
	write_file(file, "insecure = no\n");
	ck_assert_int_eq(config_read(&config, keys, file, why, sizeof(why)), 0);
	ck_assert_str_eq(config.ca, "/a.pem");
	ck_assert(!config.insecure);
	config_fini(&config);
	write_file(file, "insecure = perhaps\n");
	ck_assert_int_eq(
	    config_read(&config, keys, file, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "insecure"));
}
END_TEST

START_TEST(tunnels)
{
	write_file(own, "tunnel \"web\" {\n"
			"	target = 5000\n"
			"	allow = { a, \"b c\" }\n"
			"	name = demo\n"
			"}\n"
			"tunnel ssh { target = 22 }\n");
	ck_assert_msg(
	    config_read(&config, keys, NULL, why, sizeof(why)) == 0, "%s", why);
	ck_assert_uint_eq(config.tunnels_n, 2);
	ck_assert_str_eq(config.tunnels[0].name, "web");
	ck_assert_str_eq(config.tunnels[0].file, own);
	ck_assert_int_eq(config.tunnels[0].line, 1);
	ck_assert_uint_eq(config.tunnels[0].values_n, 4);
	ck_assert_str_eq(config.tunnels[0].values[0].key, "target");
	ck_assert_str_eq(config.tunnels[0].values[0].text, "5000");
	ck_assert_str_eq(config.tunnels[0].values[1].text, "demo");
	ck_assert_int_eq(config.tunnels[0].values[1].line, 4);
	ck_assert_str_eq(config.tunnels[0].values[3].text, "b c");
	ck_assert_ptr_eq(config_find(&config, "ssh"), &config.tunnels[1]);
	ck_assert_ptr_null(config_find(&config, "we"));
	ck_assert_str_eq(config.files, own);
	config_fini(&config);
	/* A later file: another one of that name takes its place, whole. */
	write_file(file, "tunnel web { name = x }\ntunnel new { }\n");
	ck_assert_int_eq(config_read(&config, keys, file, why, sizeof(why)), 0);
	ck_assert_uint_eq(config.tunnels_n, 3);
	ck_assert_uint_eq(config.tunnels[0].values_n, 1);
	ck_assert_str_eq(config.tunnels[0].file, file);
	ck_assert_str_eq(config.tunnels[2].name, "new");
	ck_assert_ptr_nonnull(strstr(config.files, ", "));
}
END_TEST

static const struct {
	const char *text, *part;
} bad[] = {
	{ "\ntunnel \"web\" {\n	tarhget = 1\n}\n",
	    ":3: no such option 'tarhget'; do you mean \"target\"?" },
	{ "# one\n/* two\n */\n\n// five\nservre = x # six\n",
	    ":6: no such option 'servre'" },
	{ "servre = x\n",
	    ":1: no such option 'servre'; do you mean \"server\"?" },
	{ "tunnel web { }\ntunnel web { }\n", "tunnel \"web\" is there twice" },
	{ "tunnel \"a b\" { }\n", ":1: tunnel \"a b\": the name of a tunnel" },
	{ "\ntunnel \"\" { }\n", ":2: tunnel \"\": the name" },
	{ "tunnel -x { }\n", "the name of a tunnel" },
	{ "tunnel { target = 1 }\n", "tunnel \"NAME\" { }" },
	{ "tunnel web {\n	target =", "left open" },
	{ "tunnel web { target = { 1 } }\n", ":1: " },
};

START_TEST(bad_tunnels)
{
	write_file(file, bad[_i].text);
	ck_assert_int_eq(
	    config_read(&config, keys, file, why, sizeof(why)), -1);
	ck_assert_msg(strstr(why, bad[_i].part) != NULL, "%s", why);
	ck_assert_msg(strncmp(why, file, strlen(file)) == 0, "%s", why);
}
END_TEST

START_TEST(flags)
{
	bool flag;

	ck_assert(config_flag(&flag, "yes") && flag);
	ck_assert(config_flag(&flag, "On") && flag);
	ck_assert(config_flag(&flag, "false") && !flag);
	ck_assert(!config_flag(&flag, "perhaps"));
	ck_assert(!config_flag(&flag, ""));
}
END_TEST

START_TEST(faults_name_file_and_line)
{
	char begin[80];

	write_file(file, "\nserwer = http://b\n");
	ck_assert_int_eq(
	    config_read(&config, keys, file, why, sizeof(why)), -1);
	snprintf(begin, sizeof(begin), "%s:2: ", file);
	ck_assert_msg(strncmp(why, begin, strlen(begin)) == 0, "%s", why);
	ck_assert_ptr_nonnull(strstr(why, "serwer"));
	config_fini(&config);
	write_file(own, "server = {\n");
	ck_assert_int_eq(
	    config_read(&config, keys, NULL, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, own));
}
END_TEST

START_TEST(a_file_that_is_named_must_exist)
{
	ck_assert_int_eq(
	    config_read(&config, keys, file, why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, file));
	config_fini(&config);
	ck_assert_int_eq(config_read(&config, keys, dir, why, sizeof(why)), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, no_file_says_nothing);
	tcase_add_test(t, a_later_file_wins);
	tcase_add_test(t, how_to_check_the_server);
	tcase_add_test(t, faults_name_file_and_line);
	tcase_add_test(t, a_file_that_is_named_must_exist);
	tcase_add_test(t, tunnels);
	tcase_add_loop_test(t, bad_tunnels, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, flags);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

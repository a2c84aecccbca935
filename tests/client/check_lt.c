/* SPDX-License-Identifier: ISC
 *
 * The command line of lt and its environment. What the npm command understands
 * by each was asked of it (localtunnel 2.0.2).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/lt.h"

#define WORDS_MAX 24
#define HOST	  "--server https://localtunnel.me "

static struct lt_words words;
static char error[LT_ERROR_MAX];

/* Divides at single blanks; '_' stands for an empty word. */
static void
divide(char *argv[WORDS_MAX], char *text)
{
	static char empty[] = "";
	char *word;
	int n = 0;

	for (word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		argv[n++] = strcmp(word, "_") == 0 ? empty : word;
	argv[n] = NULL;
}

static enum lt_result
read_line(const char *environment, const char *line)
{
	static char text[512], env_text[512], name[] = "lt";
	char *argv[WORDS_MAX] = { name }, *env[WORDS_MAX];

	snprintf(text, sizeof(text), "lt %s", line);
	snprintf(env_text, sizeof(env_text), "%s", environment);
	divide(argv, text);
	divide(env, env_text);
	error[0] = '\0';
	return lt_read(&words, argv, env, error);
}

/* The words of ltclient, behind its name. */
static const char *
joined(void)
{
	static char out[512];
	int i;

	ck_assert_str_eq(words.argv[0], "lt");
	ck_assert_ptr_null(words.argv[words.argc]);
	out[0] = '\0';
	for (i = 1; i < words.argc; i++) {
		strcat(out, i > 1 ? " " : "");
		strcat(out, words.argv[i]);
	}
	return out;
}

static const struct {
	const char *environment;
	const char *line;
	const char *words;
} good[] = {
	{ "", "-p 3000", HOST "--port 3000" },
	{ "", "--port=3000", HOST "--port 3000" },
	{ "", "-p3000", HOST "--port 3000" },
	{ "", "-p=3000", HOST "--port 3000" },
	{ "", "-p 3e3", HOST "--port 3000" },
	{ "", "-p 0xbb8", HOST "--port 3000" },
	{ "PORT=3000", "", HOST "--port 3000" },
	{ "port=3000", "", HOST "--port 3000" },
	{ "P=3000", "", HOST "--port 3000" },
	{ "PORT=3000", "-p 4000", HOST "--port 4000" },
	{ "PORT=1 HOST=http://x SUBDOMAIN=abcd LOCAL_HOST=lan "
	  "LOCAL_HTTPS=true OPEN=1 PRINT_REQUESTS=true LT_SERVER=y",
	    "",
	    "--server http://x --subdomain abcd --fallback --local-host lan "
	    "--host-header lan --local-https --open --print-requests "
	    "--port 1" },
	{ "PORT=1 LOCAL_HTTPS=1 PRINT_REQUESTS=yes OPEN=0", "",
	    HOST "--port 1" },
	{ "PORT=1 LOCAL_HTTPS= SUBDOMAIN= HOST= LOCAL_HOST= OPEN=", "",
	    HOST "--port 1" },
	{ "localHost=lan PORT=1", "",
	    HOST "--local-host lan --host-header lan --port 1" },
	{ "PORT=1 HELP=true VERSION=true PATH=/bin A=b", "", HOST "--port 1" },
	{ "PORT=1", "--localHost lan",
	    HOST "--local-host lan --host-header lan --port 1" },
	{ "", "-h http://x -s abcd -l lan --print-requests -p 1",
	    "--server http://x --subdomain abcd --fallback --local-host lan "
	    "--host-header lan --print-requests --port 1" },
	{ "", "-p 1 -s=abcd", HOST "--subdomain abcd --fallback --port 1" },
	{ "", "-p 1 -s 1234", HOST "--subdomain 1234 --fallback --port 1" },
	{ "", "-p 1 -s _ -l _", HOST "--port 1" },
	{ "", "-p 1 --local-https false -s abcd",
	    HOST "--subdomain abcd --fallback --port 1" },
	{ "LOCAL_HTTPS=true", "-p 1 --no-local-https", HOST "--port 1" },
	{ "", "--local-https -p 1 --local-cert c --local-key k --local-ca a",
	    HOST "--local-https --local-cert c --local-key k --local-ca a "
		 "--port 1" },
	{ "", "-p 1 --local-cert c --local-key k", HOST "--port 1" },
	{ "", "-p 1 --local-https --allow-invalid-cert --local-ca a",
	    HOST "--local-https --allow-invalid-cert --port 1" },
	{ "", "-p 1 --allow-invalid-cert", HOST "--port 1" },
	{ "", "-op 1", HOST "--open --port 1" },
	{ "", "-o http://x -p 1", HOST "--open --port 1" },
	{ "", "-p 1 --open", HOST "--open --port 1" },
	{ "", "-p 1 --no-host --no-open", HOST "--port 1" },
	{ "", "-p 1 --foo bar -x --sub abcd 4000 -- -s abcd", HOST "--port 1" },
};

START_TEST(good_ones)
{
	ck_assert_int_eq(
	    read_line(good[_i].environment, good[_i].line), LT_RUN);
	ck_assert_str_eq(joined(), good[_i].words);
}
END_TEST

static const struct {
	const char *line;
	const char *error;
} bad[] = {
	{ "", "Missing required argument: port" },
	{ "3000", "Missing required argument: port" },
	{ "-p", "`port` must be a number" },
	{ "--port -s abcd", "`port` must be a number" },
	{ "-p abc", "`port` must be a number" },
	{ "-p _", "`port` must be a number" },
	{ "-p 3000x", "`port` must be a number" },
	{ "-p 03000", "`port` must be a number" },
	{ "-p 3000.5", "`port` must be a number" },
	{ "-p -5", "`port` must be a number" },
	{ "-p 0", "`port` must be a number" },
	{ "-p 65536", "`port` must be a number" },
	{ "-p 1e400", "`port` must be a number" },
	{ "-p nan", "`port` must be a number" },
	{ "--no-port", "`port` must be a number" },
	{ "-p 1 -s", "`subdomain` needs a value" },
	{ "-p 1 --host -s abcd", "`host` needs a value" },
};

START_TEST(bad_ones)
{
	ck_assert_int_eq(read_line("", bad[_i].line), LT_BAD);
	ck_assert_ptr_nonnull(strstr(error, bad[_i].error));
}
END_TEST

START_TEST(help_and_version)
{
	ck_assert_int_eq(read_line("", "--help"), LT_HELP);
	ck_assert_int_eq(read_line("", "-p x -s --help"), LT_HELP);
	ck_assert_int_eq(read_line("", "--version"), LT_PRINT_VERSION);
	ck_assert_int_eq(
	    read_line("", "-p 1 -s x --version"), LT_PRINT_VERSION);
	ck_assert_int_eq(read_line("", "-p 1 -- --help"), LT_RUN);
}
END_TEST

START_TEST(names_of_the_program)
{
	ck_assert(lt_is_called("lt") && lt_is_called("/usr/bin/lt"));
	ck_assert(!lt_is_called("ltclient") && !lt_is_called("lt/x"));
	ck_assert(!lt_is_called("") && !lt_is_called(NULL));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lt");
	TCase *tcase = tcase_create("lt");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
	    tcase, good_ones, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tcase, bad_ones, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, help_and_version);
	tcase_add_test(tcase, names_of_the_program);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * What ltctl may ask for, and what others may send in its place.
 */
#include "server/command.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct command command;
static char why[COMMAND_WHY_MAX];

static enum command_result
parse(const char *text)
{
	why[0] = '\0';
	return command_parse(&command, text, strlen(text), why);
}

/* The sentence has the words. */
static void
bad(const char *text, const char *words)
{
	ck_assert_int_eq(parse(text), COMMAND_BAD);
	ck_assert_msg(strstr(why, words) != NULL, "%s", why);
}

START_TEST(good)
{
	ck_assert_int_eq(parse("{\"command\":\"status\"}\n"), COMMAND_OK);
	ck_assert_int_eq(command.kind, COMMAND_STATUS);
	ck_assert_int_eq(
	    parse("{\"command\":\"stop\",\"later\":1}\n"), COMMAND_OK);
	ck_assert_int_eq(command.kind, COMMAND_STOP);
	ck_assert_str_eq(command_word(command.kind), "stop");
	ck_assert_int_eq(
	    parse("{\"command\":\"close\",\"name\":\"DEMO\"}\nrest"),
	    COMMAND_OK);
	ck_assert_int_eq(command.kind, COMMAND_CLOSE);
	ck_assert_str_eq(command.name, "demo");
}
END_TEST

START_TEST(more)
{
	static const char text[] = "{\"command\":\"status\"}";

	for (size_t i = 0; i < sizeof(text); i++)
		ck_assert_int_eq(
		    command_parse(&command, text, i, why), COMMAND_MORE);
}
END_TEST

START_TEST(nonsense)
{
	bad("\n", "such as");
	bad("status\n", "such as");
	bad("[]\n", "such as");
	bad("{\"command\":5}\n", "such as");
	bad("{\"command\":\"status\",\"command\":\"stop\"}\n", "such as");
	bad("{\"command\":\"upgrad\"}\n", "no command \"upgrad\"");
	bad("{\"command\":\"a\\nb\"}\n", "a\\x0ab");
	bad("{\"command\":\"close\"}\n", "missing");
	bad("{\"command\":\"close\",\"name\":\"a b\"}\n", "\"a b\"");
	bad("{\"command\":\"close\",\"name\":\"\"}\n", "not the name");
	ck_assert_int_eq(command_parse(&command, "\0\n", 2, why), COMMAND_BAD);
}
END_TEST

START_TEST(too_long)
{
	char text[COMMAND_MAX + 1];

	memset(text, '[', sizeof(text));
	ck_assert_int_eq(
	    command_parse(&command, text, COMMAND_MAX - 1, why), COMMAND_MORE);
	ck_assert_int_eq(
	    command_parse(&command, text, COMMAND_MAX, why), COMMAND_BAD);
	ck_assert_ptr_nonnull(strstr(why, "at most 1024"));
	text[COMMAND_MAX] = '\n';
	ck_assert_int_eq(
	    command_parse(&command, text, sizeof(text), why), COMMAND_BAD);
	text[COMMAND_MAX - 1] = '\n';
	ck_assert_int_eq(
	    command_parse(&command, text, sizeof(text), why), COMMAND_BAD);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("command");
	TCase *tcase = tcase_create("command");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, good);
	tcase_add_test(tcase, more);
	tcase_add_test(tcase, nonsense);
	tcase_add_test(tcase, too_long);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

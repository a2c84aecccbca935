/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/uncomment.h"

static const struct {
	const char *text, *want;
} cases[] = {
	{ "", "" },
	{ "a = 1\n", "a = 1\n" },
	{ "# x\na = 1 # y\n#\n", "   \na = 1    \n \n" },
	{ "// x\na = 1 // y", "    \na = 1     " },
	{ "a /* x\ny */ = 1", "a     \n     = 1" },
	{ "a = /* x", "a =     " },
	{ "a = \"# // /* \" # \"", "a = \"# // /* \"    " },
	{ "a = '# \\' #' #", "a = '# \\' #'  " },
	{ "a = \"\\\"# \" #", "a = \"\\\"# \"  " },
	{ "a = \"# x\n# y\" # z", "a = \"# x\n# y\"    " },
	{ "a = http://host/#x", "a = http://host/#x" },
	{ "a = \"# no end\n# x", "a = \"# no end\n# x" },
	{ "a = \"\\", "a = \"\\" },
	{ "a{#x\n}//y\n", "a{  \n}   \n" },
	{ "/", "/" },
	{ "/*/ x */ y", "         y" },
};

START_TEST(texts)
{
	char text[64];

	strcpy(text, cases[_i].text);
	uncomment(text, strlen(text));
	ck_assert_str_eq(text, cases[_i].want);
}
END_TEST

/* Longer than one step of reading. */
START_TEST(files)
{
	FILE *file = tmpfile(), *plain;
	char line[64];
	int i;

	ck_assert_ptr_nonnull(file);
	for (i = 0; i < 5000; i++)
		fprintf(file, "k%d = \"#\" # %d\n", i, i);
	rewind(file);
	plain = uncomment_open(file);
	ck_assert_ptr_nonnull(plain);
	for (i = 0; i < 5000; i++) {
		ck_assert_ptr_nonnull(fgets(line, sizeof(line), plain));
		ck_assert_int_eq(atoi(line + 1), i);
		ck_assert_ptr_nonnull(strstr(line, " = \"#\"    "));
	}
	ck_assert_ptr_null(fgets(line, sizeof(line), plain));
	fclose(plain);
}
END_TEST

START_TEST(empty_file)
{
	FILE *plain = uncomment_open(tmpfile());

	ck_assert_ptr_nonnull(plain);
	ck_assert_int_eq(fgetc(plain), EOF);
	fclose(plain);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("uncomment");
	TCase *tcase = tcase_create("uncomment");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, texts, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tcase, files);
	tcase_add_test(tcase, empty_file);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

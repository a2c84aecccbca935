/* SPDX-License-Identifier: ISC
 *
 * Who may visit, as the user says it: taken, refused, and hidden again.
 */
#include "client/gate.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gate gate;

static void
setup(void)
{
	memset(&gate, 0, sizeof(gate));
	unsetenv("LT_AUTH");
}

static const char *
auth(const char *text)
{
	char copy[300];

	snprintf(copy, sizeof(copy), "%s", text);
	return gate_add_auth(&gate, copy);
}

static const char *
allow(const char *text)
{
	return gate_add_allow(&gate, (char *)text);
}

static const char *
deny(const char *text)
{
	return gate_add_deny(&gate, (char *)text);
}

START_TEST(passwords)
{
	char text[] = "ada:sesame";

	ck_assert_ptr_null(gate_add_auth(&gate, text));
	ck_assert_ptr_null(auth("bob:x:y"));
	ck_assert_uint_eq(gate.auth.n, 2);
	ck_assert_str_eq(gate.auth.each[0], "ada:sesame");
	ck_assert_str_eq(gate.auth.each[1], "bob:x:y");
	/* Nothing of it is left where everybody can look. */
	ck_assert_str_eq(text, "*");
	for (size_t i = 1; i < sizeof(text); i++)
		ck_assert_int_eq(text[i], '\0');
}
END_TEST

START_TEST(bad_passwords)
{
	char text[] = "sesame", none[] = "", longer[300];
	const char *wrong;

	wrong = gate_add_auth(&gate, text);
	ck_assert_ptr_nonnull(strstr(wrong, "USER:PASSWORD"));
	ck_assert_str_eq(text, "*");
	ck_assert_ptr_nonnull(gate_add_auth(&gate, none));
	ck_assert_ptr_nonnull(auth("ada:"));
	ck_assert_ptr_nonnull(auth(":sesame"));
	ck_assert_ptr_nonnull(auth("ada:\x80"));
	memset(longer, 'x', sizeof(longer));
	longer[1] = ':';
	longer[LOGIN_MAX + 1] = '\0';
	ck_assert_ptr_nonnull(strstr(auth(longer), "too long"));
	longer[LOGIN_MAX] = '\0';
	ck_assert_ptr_null(auth(longer));
	ck_assert_uint_eq(gate.auth.n, 1);
}
END_TEST

START_TEST(too_many)
{
	for (int i = 0; i < LTP_LIST_MAX; i++) {
		ck_assert_ptr_null(auth("a:b"));
		ck_assert_ptr_null(allow("::1"));
		ck_assert_ptr_null(deny("::1"));
	}
	ck_assert_ptr_nonnull(strstr(auth("a:b"), "at most 32"));
	ck_assert_ptr_nonnull(strstr(allow("::1"), "at most 32"));
	ck_assert_ptr_nonnull(strstr(deny("::1"), "at most 32"));
	ck_assert_uint_eq(gate.auth.n, LTP_LIST_MAX);
}
END_TEST

START_TEST(networks)
{
	ck_assert_ptr_null(allow("192.0.2.0/24"));
	ck_assert_ptr_null(deny("2001:db8::1"));
	ck_assert_ptr_nonnull(allow("192.0.2.1/24"));
	ck_assert_ptr_nonnull(deny("home"));
	ck_assert_uint_eq(gate.allow.n, 1);
	ck_assert_uint_eq(gate.deny.n, 1);
	ck_assert_str_eq(gate.allow.each[0], "192.0.2.0/24");
	ck_assert_str_eq(gate.deny.each[0], "2001:db8::1");
}
END_TEST

START_TEST(needs)
{
	ck_assert_ptr_null(gate_needs(&gate, NULL));
	ck_assert_ptr_null(deny("::1"));
	ck_assert_ptr_nonnull(strstr(gate_needs(&gate, NULL), "--deny"));
	ck_assert_ptr_null(auth("a:b"));
	ck_assert_ptr_nonnull(strstr(gate_needs(&gate, NULL), "--auth"));
	ck_assert_str_eq(gate_needs(&gate, "tls"), "tls tunnels");
}
END_TEST

START_TEST(environment)
{
	ck_assert_ptr_null(gate_add_environment(&gate));
	ck_assert_uint_eq(gate.auth.n, 0);
	setenv("LT_AUTH", "", 1);
	ck_assert_ptr_null(gate_add_environment(&gate));
	ck_assert_uint_eq(gate.auth.n, 0);
	setenv("LT_AUTH", "\nada:sesame\n\nbob:x\n", 1);
	ck_assert_ptr_null(gate_add_environment(&gate));
	ck_assert_uint_eq(gate.auth.n, 2);
	ck_assert_str_eq(gate.auth.each[0], "ada:sesame");
	ck_assert_str_eq(gate.auth.each[1], "bob:x");
	/* What is there already wins. */
	setenv("LT_AUTH", "carl:y", 1);
	ck_assert_ptr_null(gate_add_environment(&gate));
	ck_assert_uint_eq(gate.auth.n, 2);
	memset(&gate, 0, sizeof(gate));
	setenv("LT_AUTH", "ada:sesame\nbob", 1);
	ck_assert_ptr_nonnull(gate_add_environment(&gate));
	ck_assert_uint_eq(gate.auth.n, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tcase = tcase_create("gate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, passwords);
	tcase_add_test(tcase, bad_passwords);
	tcase_add_test(tcase, too_many);
	tcase_add_test(tcase, networks);
	tcase_add_test(tcase, needs);
	tcase_add_test(tcase, environment);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

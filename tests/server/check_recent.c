/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/recent.h"

static struct recent *recent;
static const char *why;

static void
setup(void)
{
	recent = recent_new();
	ck_assert_ptr_nonnull(recent);
}

static void
teardown(void)
{
	recent_free(recent);
}

static struct ltp_message
parse(const char *json)
{
	struct ltp_message m;

	ck_assert_int_eq(
	    recent_parse(recent, &m, json, strlen(json), &why), LTP_OK);
	return m;
}

#define PROXY(secret)                                                          \
	"{\"proxy\":{\"name\":\"demo\",\"client\":\"c\"},"                     \
	"\"ext\":{\"secret\":\"" secret "\"}}"

START_TEST(the_same_bytes_are_read_once)
{
	struct ltp_message a = parse(PROXY("s1")), b = parse(PROXY("s1"));

	ck_assert_int_eq(a.type, LTP_PROXY);
	ck_assert_ptr_eq(a.json, b.json);
	ltp_message_fini(&a);
	ck_assert_str_eq(b.name, "demo");
	ck_assert_str_eq(b.secret, "s1");
	ltp_message_fini(&b);
}
END_TEST

START_TEST(other_bytes_are_read_anew)
{
	struct ltp_message a = parse(PROXY("s1")), b = parse(PROXY("s2"));

	ck_assert_str_eq(a.secret, "s1");
	ck_assert_str_eq(b.secret, "s2");
	ltp_message_fini(&a);
	ltp_message_fini(&b);
}
END_TEST

/* A message in use outlives its row, which others take meanwhile. */
START_TEST(rows_are_used_again)
{
	struct ltp_message first = parse(PROXY("first"));
	char json[256];

	for (int i = 0; i < 1000; i++) {
		struct ltp_message m;
		char secret[16];

		snprintf(secret, sizeof(secret), "%d", i);
		snprintf(json, sizeof(json),
		    "{\"proxy\":{\"name\":\"demo\",\"client\":\"c\"},"
		    "\"ext\":{\"secret\":\"%s\"}}",
		    secret);
		m = parse(json);
		ck_assert_str_eq(m.secret, secret);
		ltp_message_fini(&m);
	}
	ck_assert_str_eq(first.secret, "first");
	ltp_message_fini(&first);
}
END_TEST

START_TEST(only_proxy_requests_are_kept)
{
	static const char json[] =
	    "{\"control\":{\"name\":\"demo\",\"client\":\"c\"}}";
	struct ltp_message a = parse(json), b = parse(json);

	ck_assert_ptr_ne(a.json, b.json);
	ltp_message_fini(&a);
	ltp_message_fini(&b);
}
END_TEST

START_TEST(a_long_request_is_read_each_time)
{
	char json[1024];
	struct ltp_message a, b;

	snprintf(json, sizeof(json),
	    "{\"proxy\":{\"name\":\"demo\",\"client\":\"c\"}%*s}", 600, "");
	a = parse(json);
	b = parse(json);
	ck_assert_ptr_ne(a.json, b.json);
	ltp_message_fini(&a);
	ltp_message_fini(&b);
}
END_TEST

START_TEST(what_is_bad_stays_bad)
{
	static const char bad[] = "{\"proxy\":{\"name\":7,\"client\":\"c\"}}";
	struct ltp_message m;

	for (int i = 0; i < 2; i++) {
		why = NULL;
		ck_assert_int_eq(
		    recent_parse(recent, &m, bad, sizeof(bad) - 1, &why),
		    LTP_BAD);
		ck_assert_ptr_nonnull(why);
	}
	ck_assert_int_eq(recent_parse(recent, &m, "", 0, &why), LTP_BAD);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("recent");
	TCase *t = tcase_create("recent");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_same_bytes_are_read_once);
	tcase_add_test(t, other_bytes_are_read_anew);
	tcase_add_test(t, rows_are_used_again);
	tcase_add_test(t, only_proxy_requests_are_kept);
	tcase_add_test(t, a_long_request_is_read_each_time);
	tcase_add_test(t, what_is_bad_stays_bad);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

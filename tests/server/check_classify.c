/* SPDX-License-Identifier: ISC */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/classify.h"

static struct classified c;
static size_t scanned;

static enum classify_kind
look(const void *bytes, size_t len)
{
	memset(&c, 0, sizeof(c));
	scanned = 0;
	return classify(&c, NULL, bytes, len, &scanned);
}

#define LOOK(text) look(text, sizeof(text) - 1)

START_TEST(a_request_is_a_visitor)
{
	ck_assert_int_eq(LOOK("GET / HTTP/1.1\r\nHost: A.localhost\r\n\r\n"),
	    CLASSIFY_VISITOR);
	ck_assert_str_eq(c.head.name, "a.localhost");
}
END_TEST

/* One byte does not decide: these methods begin as LTP does. */
START_TEST(lock_and_link_are_visitors)
{
	ck_assert_int_eq(LOOK("L"), CLASSIFY_MORE);
	ck_assert_int_eq(c.language, CONN_UNKNOWN);
	ck_assert_int_eq(
	    LOOK("LOCK / HTTP/1.1\r\nHost: a\r\n\r\n"), CLASSIFY_VISITOR);
	ck_assert_int_eq(
	    LOOK("LINK / HTTP/1.1\r\nHost: a\r\n\r\n"), CLASSIFY_VISITOR);
}
END_TEST

START_TEST(a_whole_hello_is_a_client)
{
	static const char hello[] =
	    "LTP/"
	    "0.2\0\0\0\x28{\"control\":{\"name\":\"demo\",\"client\":\"c\"}}"
	    "rest";
	size_t len = LTP_HEADER_LEN + 4 + 0x28;

	ck_assert_uint_eq(len, sizeof(hello) - 1 - 4);
	for (size_t i = 1; i < len; i++)
		ck_assert_int_eq(look(hello, i), CLASSIFY_MORE);
	ck_assert_int_eq(look(hello, sizeof(hello) - 1), CLASSIFY_CLIENT);
	ck_assert_uint_eq(c.hello_len, len);
	ck_assert_str_eq(c.message.name, "demo");
	ltp_message_fini(&c.message);
}
END_TEST

START_TEST(bad_clients)
{
	static const char pong[] = "LTP/0.2\0\0\0\x12{\"control\":\"pong\"}";

	ck_assert_int_eq(LOOK("LTP/0.3"), CLASSIFY_BAD);
	ck_assert_int_eq(c.language, CONN_LTP);
	ck_assert_int_eq(LOOK("LTP/0.2\0\0\x40\x01"), CLASSIFY_BAD);
	ck_assert_int_eq(LOOK("LTP/0.2\xff\xff\xff\xff"), CLASSIFY_BAD);
	ck_assert_int_eq(LOOK("LTP/0.2\0\0\0\x02[]"), CLASSIFY_BAD);
	ck_assert_int_eq(look(pong, sizeof(pong) - 1), CLASSIFY_BAD);
	ck_assert_ptr_nonnull(c.why);
}
END_TEST

/* The corpus of the parser has hellos that others made. */
static size_t
read_hello(const char *name, char *buf, size_t size)
{
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/hello/%s", name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	n = fread(buf, 1, size, f);
	ck_assert_int_eq(fclose(f), 0);
	return n;
}

START_TEST(a_client_hello_is_a_visitor)
{
	char buf[CLASSIFY_MAX];
	size_t len = read_hello("ok-openssl-default", buf, sizeof(buf));

	ck_assert_int_eq(look(buf, 1), CLASSIFY_MORE);
	ck_assert_int_eq(c.language, CONN_TLS);
	ck_assert_int_eq(look(buf, len - 1), CLASSIFY_MORE);
	ck_assert_int_eq(look(buf, len), CLASSIFY_TLS);
	ck_assert_str_eq(c.hello.sni, "demo.example.com");
}
END_TEST

/* One that comes byte by byte is not read over at each of them. */
START_TEST(a_hello_waits_for_what_it_needs)
{
	char buf[CLASSIFY_MAX];
	size_t len = read_hello("ok-openssl-default", buf, sizeof(buf));

	memset(&c, 0, sizeof(c));
	scanned = 0;
	ck_assert_int_eq(classify(&c, NULL, buf, 5, &scanned), CLASSIFY_MORE);
	ck_assert_uint_gt(scanned, 5);
	ck_assert_uint_le(scanned, len);
	memset(&c, 0, sizeof(c));
	ck_assert_int_eq(classify(&c, NULL, buf, 6, &scanned), CLASSIFY_MORE);
	ck_assert_uint_eq(c.hello.need, 0);
}
END_TEST

START_TEST(a_bad_hello_has_an_alert)
{
	ck_assert_int_eq(LOOK("\x16\x03\x01\x00\x05\x02"), CLASSIFY_BAD);
	ck_assert_int_eq(c.language, CONN_TLS);
	ck_assert_int_eq(c.hello.alert, HELLO_UNEXPECTED_MESSAGE);
}
END_TEST

START_TEST(bad_requests_have_a_status)
{
	ck_assert_int_eq(LOOK("GET / HTTP/1.1\r\n\r\n"), CLASSIFY_BAD);
	ck_assert_int_eq(c.status, 400);
	ck_assert_int_eq(
	    LOOK("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"), CLASSIFY_BAD);
	ck_assert_int_eq(c.status, 405);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("classify");
	TCase *t = tcase_create("classify");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, a_request_is_a_visitor);
	tcase_add_test(t, lock_and_link_are_visitors);
	tcase_add_test(t, a_whole_hello_is_a_client);
	tcase_add_test(t, bad_clients);
	tcase_add_test(t, a_client_hello_is_a_visitor);
	tcase_add_test(t, a_hello_waits_for_what_it_needs);
	tcase_add_test(t, a_bad_hello_has_an_alert);
	tcase_add_test(t, bad_requests_have_a_status);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

/* SPDX-License-Identifier: ISC
 *
 * Answers of servers: where they end, and which are none.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/response.h"

#define OK "HTTP/1.1 200 OK\r\n"

static struct response response;

static enum http_result
read_text(const char *text, bool at_end)
{
	return response_read(&response, text, strlen(text), at_end);
}

static void
assert_body(const char *body)
{
	ck_assert_uint_eq(response.body_len, strlen(body));
	ck_assert_mem_eq(response.body, body, strlen(body));
}

static const struct {
	const char *text;
	int status;
	const char *body;
	bool is_ltserver;
	const char *location;
} good[] = {
	{ OK "Content-Length: 4\r\n\r\n8000", 200, "8000", false, "" },
	{ OK "server:   ltserver/2.7-beta\r\nContent-Length: 0\r\n\r\n", 200,
	    "", true, "" },
	{ OK "Server: xltserver/1.0\r\nContent-Length: 0\r\n\r\n", 200, "",
	    false, "" },
	{ OK "X-Server: ltserver/1.0\r\nContent-Length: 0\r\n\r\n", 200, "",
	    false, "" },
	{ OK "Server: ltserver\r\nContent-Length: 0\r\n\r\n", 200, "", false,
	    "" },
	{ OK "Transfer-Encoding: chunked\r\n\r\n2\r\n80\r\n2\r\n00\r\n"
	     "0\r\n\r\n",
	    200, "8000", false, "" },
	{ "HTTP/1.1 301 Moved\r\nLocation: https://x.test/a?b\r\n"
	  "Content-Length: 0\r\n\r\n",
	    301, "", false, "https://x.test/a?b" },
	{ "HTTP/1.0 204 No\r\nLocation:\r\n\r\n", 204, "", false, "" },
};

START_TEST(good_ones)
{
	size_t len = strlen(good[_i].text), i;

	for (i = 0; i < len; i++)
		ck_assert_int_eq(
		    response_read(&response, good[_i].text, i, false),
		    HTTP_MORE);
	ck_assert_int_eq(read_text(good[_i].text, false), HTTP_OK);
	ck_assert_int_eq(response.status, good[_i].status);
	ck_assert_int_eq(response.is_ltserver, good[_i].is_ltserver);
	ck_assert_str_eq(response.location, good[_i].location);
	assert_body(good[_i].body);
}
END_TEST

START_TEST(until_the_end_of_the_connection)
{
	ck_assert_int_eq(read_text(OK "\r\n8000", false), HTTP_MORE);
	ck_assert_int_eq(read_text(OK "\r\n8000", true), HTTP_OK);
	assert_body("8000");
}
END_TEST

static const struct {
	const char *text;
	bool is_cut;
} bad[] = {
	{ "SSH-2.0-OpenSSH_9.2\r\n", false },
	{ "HTTP/9\r\n", false },
	{ "", true },
	{ "HTTP/1.1 200 OK\r\nContent-Le", true },
	{ OK "Content-Length: 4\r\n\r\n80", true },
	{ OK "Transfer-Encoding: chunked\r\n\r\n2\r\n80", true },
};

START_TEST(bad_ones)
{
	ck_assert_int_eq(read_text(bad[_i].text, true), HTTP_BAD);
	ck_assert_int_eq(response.is_cut, bad[_i].is_cut);
	ck_assert(!response.is_http && response.why[0] != '\0');
}
END_TEST

START_TEST(without_end)
{
	static char text[RESPONSE_MAX];

	memset(text, 'x', sizeof(text));
	memcpy(text, OK "\r\n", sizeof(OK "\r\n") - 1);
	ck_assert_int_eq(
	    response_read(&response, text, sizeof(text) - 1, false), HTTP_MORE);
	ck_assert_int_eq(
	    response_read(&response, text, sizeof(text), false), HTTP_BAD);
	ck_assert(response.is_http && !response.is_cut);
}
END_TEST

START_TEST(location_too_long)
{
	char text[1024];

	snprintf(text, sizeof(text), "HTTP/1.1 302 x\r\nLocation: %0*d\r\n\r\n",
	    RESPONSE_LOCATION_MAX, 1);
	ck_assert_int_eq(read_text(text, true), HTTP_OK);
	ck_assert_str_eq(response.location, "");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("response");
	TCase *tcase = tcase_create("response");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
	    tcase, good_ones, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_test(tcase, until_the_end_of_the_connection);
	tcase_add_loop_test(tcase, bad_ones, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, without_end);
	tcase_add_test(tcase, location_too_long);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

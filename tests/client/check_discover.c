/* SPDX-License-Identifier: ISC
 *
 * What counts as a tunnel server: answers to GET /meta/backend.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/discover.h"
#include "client/response.h"

#define OK "HTTP/1.1 200 OK\r\n"

static struct discover_answer answer;

static void
judge(const char *text)
{
	struct response response;

	ck_assert_int_eq(
	    response_read(&response, text, strlen(text), false), HTTP_OK);
	discover_judge(&answer, &response);
}

static const struct {
	const char *text;
	unsigned port;
	bool is_ltserver;
} good[] = {
	{ OK "Server: ltserver/1.0\r\nContent-Length: 4\r\n\r\n8000", 8000,
	    true },
	{ OK "server:   ltserver/2.7-beta\r\nContent-Length: 5\r\n\r\n8000\n",
	    8000, true },
	{ OK "Content-Length: 5\r\nConnection: close\r\n\r\n49152", 49152,
	    false },
	{ OK "Server: nginx\r\nContent-Length: 2\r\n\r\n22", 22, false },
	{ OK "Server: xltserver/1.0\r\nContent-Length: 2\r\n\r\n22", 22,
	    false },
	{ OK "X-Server: ltserver/1.0\r\nContent-Length: 2\r\n\r\n22", 22,
	    false },
	{ OK "Transfer-Encoding: chunked\r\n\r\n2\r\n80\r\n2\r\n00\r\n"
	     "0\r\n\r\n",
	    8000, false },
};

START_TEST(good_ones)
{
	judge(good[_i].text);
	ck_assert_uint_eq(answer.port, good[_i].port);
	ck_assert_int_eq(answer.is_ltserver, good[_i].is_ltserver);
}
END_TEST

static const struct {
	const char *text;
	bool is_permanent;
} bad[] = {
	{ "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n8000", true },
	{ "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", true },
	{ "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", false },
	{ OK "Content-Length: 0\r\n\r\n", true },
	{ OK "Content-Length: 1\r\n\r\n0", true },
	{ OK "Content-Length: 5\r\n\r\n65536", true },
	{ OK "Content-Length: 2\r\n\r\n-1", true },
	{ OK "Content-Length: 5\r\n\r\n8000x", true },
	{ OK "Content-Length: 6\r\n\r\n<html>", true },
	{ OK "Content-Length: 40\r\n\r\n"
	     "8000                                    ",
	    true },
};

START_TEST(bad_ones)
{
	judge(bad[_i].text);
	ck_assert_uint_eq(answer.port, 0);
	ck_assert_int_eq(answer.is_permanent, bad[_i].is_permanent);
	ck_assert_uint_gt(strlen(answer.why), 0);
}
END_TEST

START_TEST(ltserver_of_tls_alone)
{
	judge("HTTP/1.1 400 Bad Request\r\nServer: ltserver/1.0\r\n"
	      "Content-Length: 0\r\n\r\n");
	ck_assert(!answer.is_elsewhere && answer.is_permanent);
	ck_assert_ptr_nonnull(strstr(answer.why, "https://"));
	judge("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n"
	      "Content-Length: 0\r\n\r\n");
	ck_assert(answer.is_permanent);
	ck_assert_ptr_null(strstr(answer.why, "https://"));
}
END_TEST

/* An ltserver that does not know the host is told from a web server. */
START_TEST(ltserver_of_another_domain)
{
	judge("HTTP/1.1 404 Not Found\r\nServer: ltserver/1.0\r\n"
	      "Content-Length: 0\r\n\r\n");
	ck_assert(answer.is_elsewhere && answer.is_permanent);
	judge("HTTP/1.1 404 Not Found\r\nServer: nginx\r\n"
	      "Content-Length: 0\r\n\r\n");
	ck_assert(!answer.is_elsewhere && answer.is_permanent);
	judge("HTTP/1.1 502 Bad Gateway\r\nServer: ltserver/1.0\r\n"
	      "Content-Length: 0\r\n\r\n");
	ck_assert(!answer.is_elsewhere && !answer.is_permanent);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("discover");
	TCase *tcase = tcase_create("discover");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
	    tcase, good_ones, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tcase, bad_ones, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, ltserver_of_another_domain);
	tcase_add_test(tcase, ltserver_of_tls_alone);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * What a proxy is asked, and what its answers mean.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/connect.h"
#include "client/way.h"

static struct connect_answer answer;
static char why[CONNECT_WHY_MAX];

static enum http_result
feed(const char *text)
{
	connect_init(&answer);
	return connect_feed(&answer, text, strlen(text));
}

/* True if it is not worth another try; `why` says what is wrong. */
static bool
explain(const char *proxy)
{
	struct way way;

	ck_assert_pstr_eq(way_parse(&way, proxy), NULL);
	return connect_explain(&answer, &way, "tunnel.example", 443, why);
}

START_TEST(request)
{
	struct way way;
	char *text;

	way_parse(&way, "http://proxy.lan:3128");
	text = connect_request(&way, "tunnel.example", 443);
	ck_assert_str_eq(text, "CONNECT tunnel.example:443 HTTP/1.1\r\n"
			       "Host: tunnel.example:443\r\n"
			       "User-Agent: ltclient/" LT_VERSION "\r\n\r\n");
	free(text);
	way_parse(&way, "http://ada:p%40ss@proxy.lan:3128");
	text = connect_request(&way, "2001:db8::1", 80);
	ck_assert_ptr_nonnull(strstr(text, "CONNECT [2001:db8::1]:80 HTTP/"));
	ck_assert_ptr_nonnull(strstr(
	    text, "\r\nProxy-Authorization: Basic YWRhOnBAc3M=\r\n\r\n"));
	free(text);
}
END_TEST

static const char *const good[] = {
	"HTTP/1.1 200 Connection established\r\n\r\n",
	"HTTP/1.0 200 OK\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n",
	"HTTP/1.1 204 No Content\r\n\r\n",
	/* Neither has a meaning there (RFC 9110, section 9.3.6). */
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
};

START_TEST(good_ones)
{
	size_t len = strlen(good[_i]), i;

	ck_assert_int_eq(feed(good[_i]), HTTP_OK);
	connect_init(&answer);
	for (i = 0; i < len - 1; i++)
		ck_assert_int_eq(
		    connect_feed(&answer, good[_i] + i, 1), HTTP_MORE);
	ck_assert_int_eq(connect_feed(&answer, good[_i] + i, 1), HTTP_OK);
}
END_TEST

static const struct {
	const char *text;
	const char *says;
	bool is_permanent;
} bad[] = {
	{ "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
	    "asks for a password (407)", true },
	{ "HTTP/1.1 401 Unauthorized\r\n\r\n", "password (401)", true },
	{ "HTTP/1.1 403 Filtered\r\n\r\n",
	    "refuses to connect to "
	    "tunnel.example:443 (403)",
	    true },
	{ "HTTP/1.1 405 No\r\n\r\n", "--proxy ''", true },
	{ "HTTP/1.1 404 Not Found\r\n\r\n", "is it an HTTP proxy", true },
	{ "HTTP/1.1 301 Moved\r\n\r\n", "answers 301", true },
	{ "HTTP/1.1 101 Switching Protocols\r\n\r\n", "answers 101", true },
	{ "HTTP/1.1 502 Bad Gateway\r\n\r\n",
	    "cannot connect to tunnel.example:443 (502)", false },
	{ "HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\nlater", "(503)", false },
	{ "HTTP/1.1 200 OK\r\n\r\nSSH-2.0", "more than", true },
	{ "SSH-2.0-OpenSSH_9.2\r\n", "does not answer in HTTP", true },
	{ "\x15\x03\x01", "does not answer in HTTP", true },
};

START_TEST(bad_ones)
{
	ck_assert_int_eq(feed(bad[_i].text), HTTP_BAD);
	ck_assert(explain("proxy.lan:3128") == bad[_i].is_permanent);
	ck_assert_msg(strstr(why, bad[_i].says) != NULL, "%s", why);
	ck_assert_msg(strstr(why, "proxy.lan:3128") != NULL, "%s", why);
}
END_TEST

START_TEST(password)
{
	feed("HTTP/1.1 407 x\r\n\r\n");
	ck_assert(explain("http://ada:geheim@proxy.lan:3128"));
	ck_assert_ptr_nonnull(strstr(why, "does not take this user"));
	ck_assert_ptr_null(strstr(why, "geheim"));
	ck_assert_ptr_null(strstr(why, "ada"));
}
END_TEST

START_TEST(too_much)
{
	enum http_result result;
	size_t n = 0;

	ck_assert_int_eq(feed("HTTP/1.1 200 OK\r\nX: "), HTTP_MORE);
	while ((result = connect_feed(&answer, "xxxxxxxxxx", 10)) == HTTP_MORE)
		n += 10;
	ck_assert_int_eq(result, HTTP_BAD);
	ck_assert_int_eq(answer.fault, CONNECT_TOO_MUCH);
	ck_assert_uint_le(n, CONNECT_MAX);
	explain("proxy.lan:3128");
	ck_assert_ptr_nonnull(strstr(why, "too much"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("connect");
	TCase *tcase = tcase_create("connect");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, request);
	tcase_add_loop_test(
	    tcase, good_ones, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(
	    tcase, bad_ones, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tcase, password);
	tcase_add_test(tcase, too_much);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * Which proxy is on the way to which server, and what its URL may look like.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/way.h"

static struct way way;

static const struct {
	const char *url, *host;
	unsigned port;
	const char *authority, *login;
} good[] = {
	{ "http://proxy.lan:3128", "proxy.lan", 3128, "proxy.lan:3128", "" },
	{ "http://proxy.lan:3128/", "proxy.lan", 3128, "proxy.lan:3128", "" },
	{ "proxy.lan:3128", "proxy.lan", 3128, "proxy.lan:3128", "" },
	{ "HTTP://Proxy.lan", "proxy.lan", 80, "proxy.lan:80", "" },
	{ "http://[2001:db8::1]:8888", "2001:db8::1", 8888,
	    "[2001:db8::1]:8888", "" },
	{ "http://ada:secret@proxy.lan:3128", "proxy.lan", 3128,
	    "proxy.lan:3128", "YWRhOnNlY3JldA==" },
	{ "ada:@proxy.lan:1", "proxy.lan", 1, "proxy.lan:1", "YWRhOg==" },
	/* An @, a colon and a percent sign in the password. */
	{ "http://ada:a%40b:%25@[::1]:1", "::1", 1, "[::1]:1", "YWRhOmFAYjol" },
	{ "http://ada:a@b@proxy.lan:1", "proxy.lan", 1, "proxy.lan:1",
	    "YWRhOmFAYg==" },
};

START_TEST(good_ones)
{
	ck_assert_pstr_eq(way_parse(&way, good[_i].url), NULL);
	ck_assert_str_eq(way.host, good[_i].host);
	ck_assert_uint_eq(way.port, good[_i].port);
	ck_assert_str_eq(way.authority, good[_i].authority);
	ck_assert_str_eq(way.login, good[_i].login);
}
END_TEST

static const struct {
	const char *url, *says;
} bad[] = {
	{ "http://", "http://HOST:PORT" },
	{ "http://proxy.lan:0", "http://HOST:PORT" },
	{ "http://proxy.lan:65536", "http://HOST:PORT" },
	{ "http://proxy.lan:1/path", "http://HOST:PORT" },
	{ "http://http://proxy.lan", "http://HOST:PORT" },
	{ "ftp://proxy.lan", "http://HOST:PORT" },
	{ "http://a b:1", "http://HOST:PORT" },
	{ "https://proxy.lan:3128", "in clear" },
	{ "socks5://proxy.lan:1080", "SOCKS" },
	{ "http://ada@proxy.lan:1", "USER:PASSWORD" },
	{ "http://:secret@proxy.lan:1", "USER:PASSWORD" },
	{ "http://@proxy.lan:1", "USER:PASSWORD" },
	{ "http://ada:%0d%0aX@proxy.lan:1", "USER:PASSWORD" },
	{ "http://ada:%4@proxy.lan:1", "USER:PASSWORD" },
	{ "http://ada:%00@proxy.lan:1", "USER:PASSWORD" },
	{ "http://ada:secret@", "http://HOST:PORT" },
};

START_TEST(bad_ones)
{
	const char *why = way_parse(&way, bad[_i].url);

	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, bad[_i].says) != NULL, "%s", why);
}
END_TEST

START_TEST(long_password)
{
	char url[600] = "http://ada:";

	memset(url + strlen(url), 'x', WAY_LOGIN_MAX - 4);
	strcat(url, "@proxy.lan:1");
	ck_assert_pstr_eq(way_parse(&way, url), NULL);
	ck_assert_uint_eq(strlen(way.login), 340);
	url[strlen("http://ada:")] = '\0';
	memset(url + strlen(url), 'x', WAY_LOGIN_MAX - 3);
	strcat(url, "@proxy.lan:1");
	ck_assert_ptr_nonnull(way_parse(&way, url));
}
END_TEST

START_TEST(wiped)
{
	char url[] = "http://ada:secret@proxy.lan:3128", none[] = "";
	char wrong[] = "http://ada:secret@proxy.lan:0";

	ck_assert_pstr_eq(way_take(&way, url), NULL);
	ck_assert_str_eq(url, "*****************@proxy.lan:3128");
	ck_assert_str_eq(way.login, "YWRhOnNlY3JldA==");
	ck_assert_ptr_nonnull(way_take(&way, wrong));
	ck_assert_ptr_null(strstr(wrong, "secret"));
	ck_assert_pstr_eq(way_take(&way, none), NULL);
	ck_assert_str_eq(way.host, "");
}
END_TEST

static const struct {
	const char *list, *host;
	unsigned port;
	bool is_excepted;
} lists[] = {
	{ "", "a.example", 80, false },
	{ "*", "a.example", 80, true },
	{ "a.example", "a.example", 80, true },
	{ "A.Example", "a.example", 80, true },
	{ "a.example", "b.a.example", 80, true },
	{ ".a.example", "b.a.example", 80, true },
	{ "*.a.example", "b.a.example", 80, true },
	{ "a.example", "ba.example", 80, false },
	{ "a.example.", "a.example", 80, true },
	{ "a.example", "a.example.", 80, true },
	{ "b.a.example", "a.example", 80, false },
	{ "x, y,\ta.example ,z", "a.example", 80, true },
	{ "x y z", "a.example", 80, false },
	{ "a.example:80", "a.example", 80, true },
	{ "a.example:81", "a.example", 80, false },
	{ ",,,", "a.example", 80, false },
	{ ".", "a.example", 80, false },
	{ "10.0.0.0/8", "10.1.2.3", 80, true },
	{ "10.0.0.0/8", "11.1.2.3", 80, false },
	{ "10.1.2.3", "10.1.2.3", 80, true },
	{ "10.1.2.3:81", "10.1.2.3", 80, false },
	{ "2.3", "10.1.2.3", 80, false },
	{ "2001:db8::/32", "2001:db8::1", 443, true },
	{ "2001:db8::1", "2001:db8::1", 443, true },
	{ "[2001:db8::1]", "2001:db8::1", 443, true },
	{ "[2001:db8::1]:443", "2001:db8::1", 443, true },
	{ "[2001:db8::1]:80", "2001:db8::1", 443, false },
	{ "2001:db8::2", "2001:db8::1", 443, false },
};

START_TEST(exceptions)
{
	ck_assert(way_is_excepted(lists[_i].list, lists[_i].host,
		      (uint16_t)lists[_i].port) == lists[_i].is_excepted);
}
END_TEST

/* The host of the proxy for that server; "-" if it makes no sense. */
static const char *
ask(const char *server)
{
	static char why[WAY_WHY_MAX];
	struct url url;

	ck_assert_pstr_eq(url_parse(&url, server), NULL);
	return way_environment(&way, &url, why) ? way.host : why;
}

static void
setup(void)
{
	unsetenv("http_proxy");
	unsetenv("HTTP_PROXY");
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
}

START_TEST(environment)
{
	ck_assert_str_eq(ask("https://t.example"), "");
	setenv("HTTP_PROXY", "http://upper:1", 1);
	ck_assert_str_eq(ask("http://t.example"), "");
	setenv("http_proxy", "http://plain:1", 1);
	ck_assert_str_eq(ask("http://t.example"), "plain");
	ck_assert_str_eq(ask("https://t.example"), "");
	setenv("HTTPS_PROXY", "http://upper:1", 1);
	ck_assert_str_eq(ask("https://t.example"), "upper");
	setenv("https_proxy", "http://lower:1", 1);
	ck_assert_str_eq(ask("https://t.example"), "lower");
	/* A proxy elsewhere would take them for itself. */
	ck_assert_str_eq(ask("http://localhost:8000"), "");
	ck_assert_str_eq(ask("http://127.0.0.2:8000"), "");
	ck_assert_str_eq(ask("https://[::1]"), "");
	ck_assert_str_eq(ask("https://192.0.2.1"), "lower");
	setenv("NO_PROXY", "example:443", 1);
	ck_assert_str_eq(ask("https://t.example"), "");
	ck_assert_str_eq(ask("http://t.example"), "plain");
	setenv("no_proxy", "other", 1);
	ck_assert_str_eq(ask("https://t.example"), "lower");
	setenv("https_proxy", "http://ada:secret@", 1);
	ck_assert_ptr_nonnull(strstr(ask("https://t.example"), "https_proxy:"));
	ck_assert_ptr_null(strstr(ask("https://t.example"), "secret"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("way");
	TCase *tcase = tcase_create("way");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(
	    tcase, good_ones, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(
	    tcase, bad_ones, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tcase, long_password);
	tcase_add_test(tcase, wiped);
	tcase_add_loop_test(
	    tcase, exceptions, 0, (int)(sizeof(lists) / sizeof(lists[0])));
	tcase_add_test(tcase, environment);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * The URL of a server as people write it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/url.h"

static const struct {
	const char *text, *host;
	unsigned port;
	bool is_tls;
	const char *authority;
} good[] = {
	{ "http://example.com", "example.com", 80, false, "example.com" },
	{ "http://example.com/", "example.com", 80, false, "example.com" },
	{ "http://example.com:80", "example.com", 80, false, "example.com" },
	{ "HTTP://Example.COM:8000/", "example.com", 8000, false,
	    "example.com:8000" },
	{ "http://example.com:443", "example.com", 443, false,
	    "example.com:443" },
	{ "example.com", "example.com", 80, false, "example.com" },
	{ "localhost:8000", "localhost", 8000, false, "localhost:8000" },
	{ "127.0.0.1:8000", "127.0.0.1", 8000, false, "127.0.0.1:8000" },
	{ "http://[::1]:8000", "::1", 8000, false, "[::1]:8000" },
	{ "http://[::1]", "::1", 80, false, "[::1]" },
	{ "https://example.com", "example.com", 443, true, "example.com" },
	{ "HTTPS://Example.com/", "example.com", 443, true, "example.com" },
	{ "https://example.com:443", "example.com", 443, true, "example.com" },
	{ "https://example.com:80", "example.com", 80, true, "example.com:80" },
	{ "https://127.0.0.1:8443", "127.0.0.1", 8443, true, "127.0.0.1:8443" },
	{ "https://[::1]", "::1", 443, true, "[::1]" },
	{ "https://[::1]:8443/", "::1", 8443, true, "[::1]:8443" },
};

START_TEST(good_ones)
{
	struct url url;

	ck_assert_pstr_eq(url_parse(&url, good[_i].text), NULL);
	ck_assert_str_eq(url.host, good[_i].host);
	ck_assert_uint_eq(url.port, good[_i].port);
	ck_assert(url.is_tls == good[_i].is_tls);
	ck_assert_str_eq(url.authority, good[_i].authority);
}
END_TEST

static const char *const bad[] = {
	"",
	"/",
	"http://",
	"http:///path",
	"http://example.com/path",
	"https://",
	"https://:443",
	"https://example.com/path",
	"https://me@example.com",
	"https://https://example.com",
	"http://user:pass@example.com",
	"http://example.com:",
	"http://example.com:0",
	"http://example.com:65536",
	"http://[::1",
	"ftp://example.com",
	"exa mple.com",
	"example.com\r\nX: y",
	"..%2f:80/../x",
};

START_TEST(bad_ones)
{
	struct url url;

	ck_assert_ptr_nonnull(url_parse(&url, bad[_i]));
}
END_TEST

START_TEST(too_long)
{
	struct url url;
	char text[1024];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_ptr_nonnull(url_parse(&url, text));
	text[NET_HOST_MAX] = '\0';
	ck_assert_ptr_nonnull(url_parse(&url, text));
	text[NET_HOST_MAX - 1] = '\0';
	ck_assert_ptr_null(url_parse(&url, text));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("url");
	TCase *tcase = tcase_create("url");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
	    tcase, good_ones, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tcase, bad_ones, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, too_long);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

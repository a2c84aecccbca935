/* SPDX-License-Identifier: ISC
 *
 * TARGET as people write it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/target.h"

static const struct {
	const char *text, *host;
	unsigned port;
	const char *path, *shown, *header;
} good[] = {
	{ "5000", "localhost", 5000, "", "localhost:5000", "localhost:5000" },
	{ "80", "localhost", 80, "", "localhost:80", "localhost" },
	{ "127.0.0.1:8080", "127.0.0.1", 8080, "", "127.0.0.1:8080",
	    "127.0.0.1:8080" },
	{ "nas.lan:80", "nas.lan", 80, "", "nas.lan:80", "nas.lan" },
	{ "[::1]:3000", "::1", 3000, "", "[::1]:3000", "[::1]:3000" },
	{ "http://localhost:5000", "localhost", 5000, "", "localhost:5000",
	    "localhost:5000" },
	{ "HTTP://127.0.0.1:8080/", "127.0.0.1", 8080, "", "127.0.0.1:8080",
	    "127.0.0.1:8080" },
	{ "http://nas.lan/", "nas.lan", 80, "", "nas.lan:80", "nas.lan" },
	{ "http://[::1]", "::1", 80, "", "[::1]:80", "[::1]" },
	{ "unix:/run/app.sock", "", 0, "/run/app.sock", "unix:/run/app.sock",
	    "localhost" },
	{ "https://localhost:8443", "localhost", 8443, "",
	    "https://localhost:8443", "localhost:8443" },
	{ "HTTPS://nas.lan/", "nas.lan", 443, "", "https://nas.lan:443",
	    "nas.lan" },
	{ "https://[::1]:80", "::1", 80, "", "https://[::1]:80", "[::1]:80" },
};

START_TEST(good_ones)
{
	struct target target;
	char text[TARGET_TEXT_MAX];

	ck_assert_pstr_eq(target_parse(&target, good[_i].text), NULL);
	ck_assert_str_eq(target.host, good[_i].host);
	ck_assert_uint_eq(target.port, good[_i].port);
	ck_assert_str_eq(target.path, good[_i].path);
	ck_assert(
	    target.is_tls == (strncasecmp(good[_i].text, "https", 5) == 0));
	ck_assert_str_eq(target_text(&target, text), good[_i].shown);
	ck_assert_str_eq(target_host(&target, text), good[_i].header);
}
END_TEST

static const char *const bad[] = {
	"",
	"0",
	"65536",
	"-1",
	"5000x",
	"localhost",
	"localhost:",
	"localhost:0",
	"a b:5000",
	"a\r\nb:5000",
	"http://",
	"http://:5000",
	"http://localhost:0",
	"http://localhost:5000/path",
	"https://",
	"https://:8443",
	"https://localhost:8443/path",
	"https:localhost:8443",
	"http://me@localhost:5000",
	"unix:",
	"unix:relative",
};

START_TEST(bad_ones)
{
	struct target target;

	ck_assert_ptr_nonnull(target_parse(&target, bad[_i]));
}
END_TEST

/* The longest there is fits, scheme, brackets and all. */
START_TEST(long_host)
{
	struct target target;
	char text[8 + NET_HOST_MAX + 8] = "https://", out[TARGET_TEXT_MAX];

	memset(text + 8, 'a', NET_HOST_MAX - 1);
	strcpy(text + 8 + NET_HOST_MAX - 1, ":65535");
	ck_assert_ptr_null(target_parse(&target, text));
	ck_assert_str_eq(target_text(&target, out), text);
}
END_TEST

START_TEST(long_path)
{
	struct target target;
	char text[5 + TARGET_PATH_MAX + 1] = "unix:/";

	memset(text + 6, 'x', TARGET_PATH_MAX - 2);
	ck_assert_ptr_null(target_parse(&target, text));
	memset(text + 6, 'x', TARGET_PATH_MAX - 1);
	ck_assert_ptr_nonnull(target_parse(&target, text));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("target");
	TCase *tcase = tcase_create("target");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
	    tcase, good_ones, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tcase, bad_ones, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, long_host);
	tcase_add_test(tcase, long_path);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

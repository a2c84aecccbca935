/* SPDX-License-Identifier: ISC
 *
 * What requests to the base domain ask of the API of the Node.js localtunnel.
 */
#include "server/api.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct api_request r;

/* What a request line asks, with more header lines. */
static enum api_what
ask_with(const char *line, const char *headers)
{
	struct http_head head;
	char text[512];

	snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: a.example\r\n%s\r\n",
	    line, headers);
	ck_assert_msg(
	    http_head(&head, text, strlen(text), NULL) == HTTP_OK, "%s", line);
	memset(&r, 0xaa, sizeof(r));
	api_parse(&r, &head);
	return r.what;
}

static enum api_what
ask(const char *line)
{
	return ask_with(line, "");
}

static enum api_what
ask_browser(const char *line)
{
	return ask_with(line, "Accept: text/html,*/*;q=0.8\r\n");
}

START_TEST(any_name)
{
	static const char *const lines[] = { "GET /?new",
		"GET /?new=", "GET /?new=1", "GET /?new=a=b", "GET /?a=b&new",
		"GET /?new&a", "GET /?&new", "POST /?new", "HEAD /?new",
		"DELETE /?new", "GET //?new", "GET ///?new",
		"GET http://a.example/?new" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_msg(ask(lines[i]) == API_NEW, "%s", lines[i]);
		ck_assert_str_eq(r.name, "");
	}
	ck_assert_int_eq(ask_browser("GET /?new"), API_NEW);
}
END_TEST

START_TEST(a_name)
{
	static const struct {
		const char *line;
		const char *name;
	} rows[] = { { "GET /demo", "demo" }, { "GET //demo", "demo" },
		{ "GET ///demo", "demo" }, { "GET /demo?x=y", "demo" },
		{ "GET /demo?new", "demo" }, { "POST /demo", "demo" },
		{ "GET /1234", "1234" }, { "GET /my-app", "my-app" },
		{ "GET /a--b-c", "a--b-c" },
		{ "GET http://a.example/demo", "demo" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(
		    ask(rows[i].line) == API_NAME, "%s", rows[i].line);
		ck_assert_str_eq(r.name, rows[i].name);
		ck_assert_int_eq(ask_browser(rows[i].line), API_NONE);
	}
}
END_TEST

START_TEST(bad_names)
{
	static const char *const lines[] = { "GET /abc", "GET /a", "GET /Demo",
		"GET /DEMO", "GET /a-bc", "GET /ab-cd", "GET /-demos",
		"GET /demos-", "GET /------", "GET /de_mo", "GET /demo.txt",
		"GET /demo%20", "GET /d%65mo", "GET /*demo" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_msg(ask(lines[i]) == API_BAD_NAME, "%s", lines[i]);
		ck_assert_int_eq(ask_browser(lines[i]), API_NONE);
	}
}
END_TEST

/* Theirs takes 65 letters, the DNS has 63. */
START_TEST(long_names)
{
	char line[512] = "GET /";
	const size_t at = strlen(line);

	memset(line + at, 'x', 300);
	line[at + 63] = '\0';
	ck_assert_int_eq(ask(line), API_NAME);
	ck_assert_uint_eq(strlen(r.name), 63);
	line[at + 20] = '-';
	ck_assert_int_eq(ask(line), API_NAME);
	for (size_t len = 64; len < 70; len++) {
		memset(line + at, 'x', 300);
		line[at + len] = '\0';
		ck_assert_int_eq(ask(line), API_BAD_NAME);
	}
}
END_TEST

START_TEST(never_a_name)
{
	static const char *const lines[] = { "GET /", "GET //", "GET /?",
		"GET /?news", "GET /?x=new", "GET /?NEW", "GET /?%6eew",
		"GET /api", "GET /meta", "GET /metrics", "GET /robots.txt",
		"GET /favicon.ico", "GET //api", "GET /api?new", "GET /demo/",
		"GET /demo//", "GET /demo/x", "GET /demo/?new",
		"GET /meta/backend", "GET /meta/version",
		"GET /.well-known/acme", "OPTIONS *" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_msg(ask(lines[i]) == API_NONE, "%s", lines[i]);
		ck_assert_int_eq(ask_browser(lines[i]), API_NONE);
	}
}
END_TEST

START_TEST(status)
{
	static const char *const none[] = { "GET /api/", "GET /api/x",
		"GET /api/status/", "GET /api/status/x", "GET /api/tunnels",
		"POST /api/tunnels", "GET /api/tunnels/demo",
		"GET /api/tunnels//status", "GET /api/tunnels/demo/x",
		"GET /api/tunnels/demo/status/x", "GET /apis/status",
		"GET /x/status" };
	char line[512] = "GET /api/tunnels/", *name = line + strlen(line);

	ck_assert_int_eq(ask("GET /api/status"), API_STATUS);
	ck_assert_int_eq(ask("GET /api/status?x"), API_STATUS);
	ck_assert_int_eq(ask_browser("GET /api/status"), API_STATUS);
	ck_assert_int_eq(ask("GET /api/tunnels/demo/status"), API_TUNNEL);
	ck_assert_str_eq(r.name, "demo");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_msg(ask(none[i]) == API_NONE, "%s", none[i]);
	memset(name, 'x', 70);
	strcpy(name + LTP_NAME_MAX, "/status");
	ck_assert_int_eq(ask(line), API_TUNNEL);
	strcpy(name + LTP_NAME_MAX, "x/status");
	ck_assert_int_eq(ask(line), API_NONE);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { any_name, a_name, bad_names, long_names,
		never_a_name, status };
	Suite *suite = suite_create("api");
	TCase *tc = tcase_create("api");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

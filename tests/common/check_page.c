/* SPDX-License-Identifier: ISC
 *
 * Our own answers: to the byte as text, and as HTML whole, escaped and
 * without anything that would have to be fetched.
 */
#include "common/page.h"

#include <check.h>
#include <event2/buffer.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct evbuffer *out;

static void
setup(void)
{
	out = evbuffer_new();
	ck_assert_ptr_nonnull(out);
}

static void
teardown(void)
{
	evbuffer_free(out);
}

/* What was written, ended by NUL. */
static const char *
written(void)
{
	evbuffer_add(out, "", 1);
	return (const char *)evbuffer_pullup(out, -1);
}

START_TEST(as_text)
{
	const struct page page = {
		.status = 404,
		.title = "Not Found",
		.text = "No tunnel <a&b>.",
		.agent = "ltserver/1.0",
	};

	ck_assert_int_eq(page_format(&page, out), 0);
	ck_assert_str_eq(written(),
	    "HTTP/1.1 404 Not Found\r\n"
	    "Server: ltserver/1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: 32\r\n"
	    "Cache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "404 Not Found: No tunnel <a&b>.\n");
}
END_TEST

START_TEST(without_body)
{
	const struct page page = {
		.status = 401,
		.title = "Unauthorized",
		.text = "No.",
		.agent = "x",
		.extra = "WWW-Authenticate: Basic realm=\"x\"\r\n",
		.no_body = true,
	};
	const char *text;

	ck_assert_int_eq(page_format(&page, out), 0);
	text = written();
	ck_assert_ptr_nonnull(strstr(text, "\r\nContent-Length: 22\r\n"));
	ck_assert_str_eq(strstr(text, "\r\nConnection: close"),
	    "\r\nConnection: close\r\n"
	    "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n");
}
END_TEST

START_TEST(as_html)
{
	const struct page page = {
		.status = 502,
		.title = "Bad <Gateway>",
		.heading = "Is <this> on?",
		.text = "\"It's\" <script>&amp;",
		.agent = "lt<client>",
		.html = true,
	};
	const char *text, *body;
	char length[64];

	ck_assert_int_eq(page_format(&page, out), 0);
	text = written();
	body = strstr(text, "\r\n\r\n") + 4;
	snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n",
	    strlen(body));
	ck_assert_ptr_nonnull(strstr(text, length));
	ck_assert_ptr_nonnull(strstr(text, "Content-Type: text/html;"));
	ck_assert(strncmp(body, "<!DOCTYPE html>", 15) == 0);
	ck_assert_ptr_nonnull(
	    strstr(body, "<title>Is &lt;this&gt; on?</title>"));
	ck_assert_ptr_nonnull(strstr(body, "<h1>Is &lt;this&gt; on?</h1>"));
	ck_assert_ptr_nonnull(strstr(
	    body, "<p>&quot;It&#39;s&quot; &lt;script&gt;&amp;amp;</p>"));
	ck_assert_ptr_nonnull(
	    strstr(body, "<footer>502 Bad &lt;Gateway&gt; \xc2\xb7 "
			 "lt&lt;client&gt;</footer>"));
	ck_assert_ptr_nonnull(strstr(body, "prefers-color-scheme: dark"));
	ck_assert_ptr_nonnull(strstr(body, "</html>\n"));
	/* Nothing to fetch, nothing to run. */
	ck_assert_ptr_null(strstr(body, "//"));
	ck_assert_ptr_null(strstr(body, "url("));
	ck_assert_ptr_null(strstr(body, "href"));
	ck_assert_ptr_null(strstr(body, "src"));
	ck_assert_ptr_null(strstr(body, "<script"));
}
END_TEST

/* A parser that is not ours finds a whole answer, and its end. */
START_TEST(parses)
{
	const struct page page = { 503, "Service Unavailable", NULL, "Later.",
		"x", "Retry-After: 5\r\n", _i != 0, false };
	llhttp_settings_t settings;
	llhttp_t parser;
	const char *text;

	ck_assert_int_eq(page_format(&page, out), 0);
	text = written();
	llhttp_settings_init(&settings);
	llhttp_init(&parser, HTTP_RESPONSE, &settings);
	ck_assert_int_eq(llhttp_execute(&parser, text, strlen(text)), HPE_OK);
	ck_assert_int_eq(llhttp_get_status_code(&parser), 503);
	ck_assert_int_eq(llhttp_finish(&parser), HPE_OK);
}
END_TEST

/* What is in `out` already stays in front. */
START_TEST(appends)
{
	const struct page page = { 200, "OK", NULL, "Yes.", "x", NULL, false,
		false };

	evbuffer_add(out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	ck_assert_int_eq(page_format(&page, out), 0);
	ck_assert(
	    strncmp(written(),
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 42) == 0);
}
END_TEST

START_TEST(escapes)
{
	ck_assert_int_eq(page_escape(out, ""), 0);
	ck_assert_int_eq(page_escape(out, "plain"), 0);
	ck_assert_int_eq(page_escape(out, "<&>\"'x"), 0);
	ck_assert_str_eq(written(), "plain&lt;&amp;&gt;&quot;&#39;x");
}
END_TEST

START_TEST(reasons)
{
	ck_assert_str_eq(page_reason(200), "OK");
	ck_assert_str_eq(page_reason(421), "Misdirected Request");
	ck_assert_str_eq(page_reason(504), "Gateway Timeout");
	ck_assert_str_eq(page_reason(0), "Unknown");
	ck_assert_str_eq(page_reason(299), "Unknown");
}
END_TEST

/* Whoever reads the page need not know HTTP; the status line is for those
 * who do. */
START_TEST(headings)
{
	struct page page = { .status = 503,
		.title = page_reason(503),
		.text = "Later.",
		.agent = "x",
		.html = true };
	const char *text;

	ck_assert_str_eq(page_heading(503), "Too busy");
	ck_assert_str_eq(page_heading(409), "Conflict");
	ck_assert_str_eq(page_heading(299), "Unknown");
	ck_assert_int_eq(page_format(&page, out), 0);
	text = written();
	ck_assert_ptr_eq(
	    strstr(text, "HTTP/1.1 503 Service Unavailable\r\n"), text);
	ck_assert_ptr_nonnull(strstr(text, "<h1>Too busy</h1>"));
}
END_TEST

/* A page of another kind has the same frame as an error page. */
START_TEST(framed)
{
	struct page page = { 200, "OK", "Hi <b>", "It works.", "x", NULL, true,
		false };
	struct evbuffer *by_hand = evbuffer_new();
	const char *text;

	ck_assert_int_eq(page_begin(by_hand, "Hi <b>"), 0);
	evbuffer_add_printf(by_hand, "<p>It works.</p>\n");
	ck_assert_int_eq(page_end(by_hand, "200 OK \xc2\xb7 x"), 0);
	evbuffer_add(by_hand, "", 1);
	ck_assert_int_eq(page_format(&page, out), 0);
	text = strstr(written(), "\r\n\r\n") + 4;
	ck_assert_str_eq(text, (const char *)evbuffer_pullup(by_hand, -1));
	ck_assert_ptr_null(strstr(text, "Hi <b>"));
	evbuffer_free(by_hand);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("page");
	TCase *tc = tcase_create("page");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, as_text);
	tcase_add_test(tc, without_body);
	tcase_add_test(tc, as_html);
	tcase_add_loop_test(tc, parses, 0, 2);
	tcase_add_test(tc, appends);
	tcase_add_test(tc, escapes);
	tcase_add_test(tc, reasons);
	tcase_add_test(tc, headings);
	tcase_add_test(tc, framed);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

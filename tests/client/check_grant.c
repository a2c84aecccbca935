/* SPDX-License-Identifier: ISC
 *
 * What servers of the Node.js localtunnel answer, and what others do.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/grant.h"
#include "client/response.h"

#define ID   "\"id\":\"tiny-mule-61\""
#define PORT "\"port\":39937"
#define URL  "\"url\":\"http://tiny-mule-61.lt.test:3900\""

static struct grant grant;

static enum grant_result
read_body(int status, const char *body)
{
	static struct response response;

	memset(&response, 0, sizeof(response));
	response.status = status;
	response.body_len = strlen(body);
	ck_assert_uint_lt(response.body_len, sizeof(response.body));
	memcpy(response.body, body, response.body_len);
	strcpy(response.location, status == 301 ? "https://there.test/" : "");
	return grant_read(&grant, &response);
}

START_TEST(a_tunnel)
{
	ck_assert_int_eq(
	    read_body(200, "{" ID "," PORT ",\"max_conn_count\":12," URL "}"),
	    GRANT_OK);
	ck_assert_str_eq(grant.name, "tiny-mule-61");
	ck_assert_str_eq(grant.url, "http://tiny-mule-61.lt.test:3900");
	ck_assert_str_eq(grant.cached_url, "");
	ck_assert_uint_eq(grant.port, 39937);
	ck_assert_int_eq(grant.max_conns, 12);
	ck_assert(!grant.has_ip);
}
END_TEST

START_TEST(a_tunnel_with_all)
{
	char text[NET_TEXT_MAX];

	ck_assert_int_eq(
	    read_body(200,
		" {\"x\":[{}]," ID "," PORT "," URL ",\"ip\":\"192.0.2.7\","
		"\"cached_url\":\"https://c.test/a?b\"}\n"),
	    GRANT_OK);
	ck_assert_str_eq(grant.cached_url, "https://c.test/a?b");
	ck_assert(grant.has_ip);
	ck_assert_str_eq(net_addr_text(&grant.ip, text), "192.0.2.7:39937");
	ck_assert_int_eq(grant.max_conns, 1);
}
END_TEST

static const char *const fine[] = {
	"{" ID "," PORT "," URL ",\"ip\":null}",
	"{" ID "," PORT "," URL ",\"ip\":\"\"}",
	"{" ID "," PORT "," URL ",\"ip\":\"2001:db8::1\"}",
	"{" ID "," PORT "," URL ",\"cached_url\":\"javascript:x\"}",
	"{" ID "," PORT "," URL ",\"cached_url\":{}}",
	"{" ID "," PORT "," URL ",\"max_conn_count\":\"12\"}",
	"{" ID "," PORT "," URL ",\"max_conn_count\":-4}",
	"{" ID "," PORT "," URL ",\"max_conn_count\":0}",
};

START_TEST(odd_but_fine)
{
	ck_assert_int_eq(read_body(200, fine[_i]), GRANT_OK);
	ck_assert_int_eq(grant.max_conns, 1);
	ck_assert_str_eq(grant.cached_url, "");
}
END_TEST

static const struct {
	const char *body;
	const char *why;
} bad[] = {
	{ "", "JSON" },
	{ "<html>", "JSON" },
	{ "[]", "JSON" },
	{ "{" ID "," PORT "," URL "} x", "JSON" },
	{ "{" ID "," ID "," PORT "," URL "}", "JSON" },
	{ "{" PORT "," URL "}", "id" },
	{ "{\"id\":\"\"," PORT "," URL "}", "id" },
	{ "{\"id\":7," PORT "," URL "}", "id" },
	{ "{\"id\":\"a/b\"," PORT "," URL "}", "id" },
	{ "{\"id\":\"a\\u0000b\"," PORT "," URL "}", "JSON" },
	{ "{" ID "," URL "}", "port" },
	{ "{" ID "," URL ",\"port\":0}", "port" },
	{ "{" ID "," URL ",\"port\":65536}", "port" },
	{ "{" ID "," URL ",\"port\":-1}", "port" },
	{ "{" ID "," URL ",\"port\":\"80\"}", "port" },
	{ "{" ID "," PORT "," URL ",\"ip\":\"x.test\"}", "ip" },
	{ "{" ID "," PORT "," URL ",\"ip\":7}", "ip" },
	{ "{" ID "," PORT "}", "url" },
	{ "{" ID "," PORT ",\"url\":\"ftp://x\"}", "url" },
	{ "{" ID "," PORT ",\"url\":\"http://x y\"}", "url" },
	{ "{" ID "," PORT ",\"url\":\"http://x\\u001b[31m\"}", "url" },
};

START_TEST(no_tunnels)
{
	ck_assert_int_eq(read_body(200, bad[_i].body), GRANT_NONE);
	ck_assert_ptr_nonnull(strstr(grant.why, bad[_i].why));
}
END_TEST

START_TEST(url_too_long)
{
	char body[4096];

	snprintf(body, sizeof(body),
	    "{" ID "," PORT ",\"url\":\"http://%0*d\"}", GRANT_URL_MAX, 1);
	ck_assert_int_eq(read_body(200, body), GRANT_NONE);
}
END_TEST

static const struct {
	int status;
	const char *body;
	enum grant_result result;
	const char *why;
} refusals[] = {
	{ 403, "{\"message\":\"Invalid subdomain.\"}", GRANT_REFUSED,
	    "Invalid subdomain." },
	{ 400, "{\"message\":\"no\"}", GRANT_REFUSED, "no" },
	{ 403, "{\"message\":\"\"}", GRANT_NONE, "answers 403" },
	{ 403, "{\"message\":7}", GRANT_NONE, "answers 403" },
	{ 403, "<html>", GRANT_NONE, "answers 403" },
	{ 404, "", GRANT_NONE, "answers 404" },
	{ 401, "", GRANT_UNAUTHORIZED, "it wants a login" },
	{ 401, "{\"message\":\"no token\"}", GRANT_UNAUTHORIZED, "no token" },
	{ 429, "", GRANT_LATER, "answers 429" },
	{ 503, "{\"message\":\"full\"}", GRANT_LATER, "answers 503: full" },
	{ 301, "", GRANT_NONE, "answers 301 and leads to https://there.test/" },
	{ 204, "", GRANT_NONE, "answers 204" },
	{ 201, "{" ID "," PORT "," URL "}", GRANT_NONE, "answers 201" },
};

START_TEST(refused)
{
	ck_assert_int_eq(read_body(refusals[_i].status, refusals[_i].body),
	    refusals[_i].result);
	ck_assert_str_eq(grant.why, refusals[_i].why);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("grant");
	TCase *tcase = tcase_create("grant");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, a_tunnel);
	tcase_add_test(tcase, a_tunnel_with_all);
	tcase_add_loop_test(
	    tcase, odd_but_fine, 0, sizeof(fine) / sizeof(fine[0]));
	tcase_add_loop_test(tcase, no_tunnels, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, url_too_long);
	tcase_add_loop_test(
	    tcase, refused, 0, sizeof(refusals) / sizeof(refusals[0]));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

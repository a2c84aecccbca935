/* SPDX-License-Identifier: ISC
 *
 * X-Forwarded headers: from where a request came, and what the local service
 * is told of it, with a trusted proxy in front and without.
 */
#include "server/forwarded.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "common/cidr.h"
#include "server/config.h"
#include "server/conn.h"

#define GET "GET / HTTP/1.1\r\nHost: Demo.example.com:80\r\n"
#define OURS                                                                   \
	"X-Forwarded-Proto: https\r\nX-Forwarded-Host: "                       \
	"Demo.example.com:80\r\nX-Forwarded-Port: 443\r\n"

static struct cidr_list trusted;
static struct forwarded told;

static void
setup(void)
{
	const char *why;

	memset(&trusted, 0, sizeof(trusted));
	ck_assert(cidr_list_add(&trusted, "10.0.0.0/8", &why));
	ck_assert(cidr_list_add(&trusted, "2001:db8::/32", &why));
	told = (struct forwarded){
		.scheme = "https",
		.port = 443,
		.trusted = &trusted,
	};
	net_addr_from(&told.peer, "10.0.0.1", 4711);
}

static struct http_head
head_of(const char *text)
{
	struct http_head head;

	ck_assert_int_eq(http_head(&head, text, strlen(text), NULL), HTTP_OK);
	return head;
}

/* What is told of a request, to the byte. */
static void
tells(const char *text, const char *expected)
{
	struct evbuffer *out = evbuffer_new();
	struct http_head head = head_of(text);

	ck_assert_int_eq(forwarded_put(&told, &head, text, out), 0);
	evbuffer_add(out, "", 1);
	ck_assert_str_eq((char *)evbuffer_pullup(out, -1), expected);
	evbuffer_free(out);
}

static const struct {
	const char *said, *from;
} sources[] = {
	{ "", "10.0.0.1" },
	{ "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7" },
	{ "x-forwarded-for:192.0.2.7\r\n", "192.0.2.7" },
	{ "X-Forwarded-For: 192.0.2.7:80\r\n", "192.0.2.7" },
	{ "X-Forwarded-For: 2001:db9::1\r\n", "2001:db9::1" },
	{ "X-Forwarded-For: [2001:db9::1]\r\n", "2001:db9::1" },
	{ "X-Forwarded-For: [2001:db9::1]:80\r\n", "2001:db9::1" },
	{ "X-Forwarded-For: ::ffff:192.0.2.7\r\n", "192.0.2.7" },
	{ "X-Forwarded-For: 1.1.1.1, 192.0.2.7\r\n", "192.0.2.7" },
	{ "X-Forwarded-For: 1.1.1.1,192.0.2.7 , 10.9.9.9,\t10.8.8.8\r\n",
	    "192.0.2.7" },
	{ "X-Forwarded-For: 192.0.2.7, 2001:db8::1\r\n", "192.0.2.7" },
	{ "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 10.2.2.2\r\n",
	    "192.0.2.7" },
	{ "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.8\r\n",
	    "192.0.2.8" },
	/* All trusted: the one that is furthest away. */
	{ "X-Forwarded-For: 10.3.3.3, 10.2.2.2\r\n", "10.3.3.3" },
	/* Whatever stands left of what is no address is nobody's word. */
	{ "X-Forwarded-For: 192.0.2.7, unknown\r\n", "10.0.0.1" },
	{ "X-Forwarded-For: 192.0.2.7, unknown, 10.2.2.2\r\n", "10.2.2.2" },
	{ "X-Forwarded-For: 192.0.2.7,\r\n", "10.0.0.1" },
	{ "X-Forwarded-For:\r\n", "10.0.0.1" },
	{ "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For:\r\n", "10.0.0.1" },
	{ "X-Forwarded-For: [192.0.2.7\r\n", "10.0.0.1" },
	{ "X-Forwarded-For: []\r\n", "10.0.0.1" },
	{ "X-Forwarded-For: [\r\n", "10.0.0.1" },
	{ "X-Forwarded-For: 192.0.2.7:http\r\n", "10.0.0.1" },
	{ "X-Forwarded-For: "
	  "1111111111111111111111111111111111111111111111111111111111\r\n",
	    "10.0.0.1" },
	{ "X-Forwarded-From: 192.0.2.7\r\n", "10.0.0.1" },
};

START_TEST(from)
{
	char text[512], host[NET_TEXT_MAX];
	struct http_head head;
	struct net_addr addr;

	snprintf(text, sizeof(text), GET "%s\r\n", sources[_i].said);
	head = head_of(text);
	addr = forwarded_from(&told, &head, text);
	ck_assert_str_eq(net_addr_host(&addr, host), sources[_i].from);
	/* Of nobody else it is believed. */
	told.trusted = NULL;
	addr = forwarded_from(&told, &head, text);
	ck_assert_str_eq(net_addr_host(&addr, host), "10.0.0.1");
}
END_TEST

START_TEST(put_untrusted)
{
	told.trusted = NULL;
	tells(GET "X-Forwarded-For: a\r\nX-Forwarded-Proto: b\r\n"
		  "X-Forwarded-Host: c\r\nX-Forwarded-Port: d\r\n"
		  "X-Forwarded-Server: e\r\nX-Real-IP: f\r\nForwarded: g\r\n"
		  "Authorization: h\r\n\r\n",
	    GET "Authorization: h\r\nX-Forwarded-For: 10.0.0.1\r\n" OURS
		"\r\n");
}
END_TEST

START_TEST(put_trusted)
{
	tells(GET "\r\n", GET "X-Forwarded-For: 10.0.0.1\r\n" OURS "\r\n");
	tells(GET "X-Forwarded-For: a\r\nx-forwarded-for: b,c\r\n"
		  "X-Forwarded-For:\r\nX-Forwarded-Proto: http\r\n"
		  "X-Forwarded-Server: e\r\nX-Real-IP: f\r\nForwarded: g\r\n"
		  "\r\n",
	    GET "X-Forwarded-Proto: http\r\n"
		"X-Forwarded-For: a, b,c, 10.0.0.1\r\n"
		"X-Forwarded-Host: Demo.example.com:80\r\n"
		"X-Forwarded-Port: 443\r\n\r\n");
}
END_TEST

/* As long as a head may be. */
START_TEST(put_longest)
{
	static char text[HTTP_HEAD_MAX + 1];
	struct evbuffer *out = evbuffer_new();
	size_t len = (size_t)sprintf(text, GET "X-Forwarded-For: ");
	struct http_head head;

	memset(text + len, 'x', sizeof(text) - 1 - len);
	memcpy(text + sizeof(text) - 5, "\r\n\r\n", 5);
	head = head_of(text);
	ck_assert_int_eq(forwarded_put(&told, &head, text, out), 0);
	ck_assert_uint_eq(
	    evbuffer_get_length(out), strlen(text) + strlen(", 10.0.0.1" OURS));
	evbuffer_free(out);
}
END_TEST

START_TEST(put_off)
{
	static const char text[] =
	    GET "X-Forwarded-For: a\r\nForwarded: b\r\n\r\n";

	told.is_off = true;
	tells(text, text);
	told.hides_auth = true;
	tells(GET "Authorization: h\r\nForwarded: b\r\n\r\n",
	    GET "Forwarded: b\r\n\r\n");
}
END_TEST

START_TEST(put_without_auth)
{
	told.hides_auth = true;
	told.trusted = NULL;
	tells(GET "authorization: h\r\nAuthorization:\r\n"
		  "Proxy-Authorization: i\r\n\r\n",
	    GET "Proxy-Authorization: i\r\nX-Forwarded-For: 10.0.0.1\r\n" OURS
		"\r\n");
}
END_TEST

/* A proxy is trusted on a listener where it does not send PROXY headers. */
START_TEST(who_is_trusted)
{
	struct config *config = config_new();
	struct conn conn = { .listener = 1 };
	struct config_listen *listen = config->listen;
	char why[256];

	listen[1].slot = 1;
	config->listen_n = 2;
	net_addr_from(&conn.peer, "10.0.0.1", 1);
	ck_assert_ptr_null(forwarded_trusted(config, &conn));
	ck_assert_int_eq(config_set(config, "trusted-proxies", "10.0.0.0/8",
			     why, sizeof(why)),
	    0);
	ck_assert_ptr_eq(
	    forwarded_trusted(config, &conn), &config->trusted_proxies.list);
	listen[1].proxy_protocol = true;
	ck_assert_ptr_null(forwarded_trusted(config, &conn));
	listen[1].proxy_protocol = false;
	net_addr_from(&conn.peer, "11.0.0.1", 1);
	ck_assert_ptr_null(forwarded_trusted(config, &conn));
	config_free(config);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("forwarded");
	TCase *tcase = tcase_create("forwarded");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(
	    tcase, from, 0, (int)(sizeof(sources) / sizeof(sources[0])));
	tcase_add_test(tcase, put_untrusted);
	tcase_add_test(tcase, put_trusted);
	tcase_add_test(tcase, put_longest);
	tcase_add_test(tcase, put_off);
	tcase_add_test(tcase, put_without_auth);
	tcase_add_test(tcase, who_is_trusted);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

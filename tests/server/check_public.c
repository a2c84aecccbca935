/* SPDX-License-Identifier: ISC
 *
 * What URLs are made of: with and without a certificate, `public`, and
 * listeners that take only some kinds.
 */
#include "server/public.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "server/config.h"
#include "server/config_listen.h"

static struct config *config;

static void
setup(void)
{
	config = config_new();
}

static void
teardown(void)
{
	config_free(config);
}

static void
set(const char *key, const char *value)
{
	char why[256] = "";

	ck_assert_msg(
	    config_set(config, key, value, why, sizeof(why)) == 0, "%s", why);
}

static void
have_certificate(void)
{
	set("tls-certificate", "a.pem");
	set("tls-key", "a.key");
}

/* A listener, bound to `port`; url may be NULL. */
static void
listener(unsigned kinds, uint16_t port, const char *url)
{
	struct config_listen *l = &config->listen[config->listen_n];
	char words[256] = "";

	l->slot = (uint16_t)config->listen_n++;
	l->kinds = kinds;
	for (size_t i = 0; url != NULL && i < config_listen_keys_n; i++)
		if (strcmp(config_listen_keys[i].key, "public") == 0)
			ck_assert(config_listen_set(l, &config_listen_keys[i],
			    url, words, sizeof(words)));
	l->port = port;
}

static void
is_way(struct public_way way, const char *expected)
{
	char url[300], suffix[PUBLIC_SUFFIX_MAX];

	snprintf(url, sizeof(url), "%s://%s%s", way.scheme, way.host,
	    public_suffix(&way, suffix));
	ck_assert_str_eq(url, expected);
}

#define HTTP(i)	     public_http(config, i)
#define TLS(i)	     public_tls(config, i)
#define SERVER(i)    public_server(config, i)
#define USED(i, tls) public_used(config, i, tls)

START_TEST(in_clear)
{
	listener(CONFIG_KINDS, 8000, NULL);
	listener(CONFIG_KINDS, 80, NULL);
	is_way(HTTP(0), "http://localhost:8000");
	is_way(HTTP(1), "http://localhost");
	is_way(TLS(0), "https://localhost:8000");
	is_way(SERVER(0), "http://localhost:8000");
	is_way(SERVER(1), "http://localhost");
	is_way(USED(0, false), "http://localhost:8000");
	ck_assert_uint_eq(public_backend(config, 0, false), 8000);
	ck_assert_uint_eq(public_backend(config, 1, false), 80);
	ck_assert_uint_eq(public_kinds(config, 1), CONFIG_KINDS);
	/* One that is not there is answered all the same. */
	is_way(HTTP(15), "http://localhost:8000");
	is_way(HTTP(65535), "http://localhost:8000");
}
END_TEST

/* One port for everything. */
START_TEST(with_certificate)
{
	have_certificate();
	set("domain", "t.example");
	listener(CONFIG_KINDS, 443, NULL);
	listener(CONFIG_KINDS, 8443, NULL);
	is_way(HTTP(0), "https://t.example");
	is_way(HTTP(1), "https://t.example:8443");
	is_way(TLS(1), "https://t.example:8443");
	is_way(SERVER(1), "https://t.example:8443");
	is_way(USED(1, true), "https://t.example:8443");
	is_way(USED(1, false), "http://t.example:8443");
	is_way(USED(0, false), "http://t.example:443");
	ck_assert_uint_eq(public_backend(config, 1, true), 8443);
	ck_assert_uint_eq(public_backend(config, 1, false), 8443);
}
END_TEST

START_TEST(divided)
{
	have_certificate();
	listener(CONFIG_LTP, 5000, NULL);
	listener(CONFIG_HTTP, 80, NULL);
	listener(CONFIG_TLS, 443, NULL);
	/* Who takes no visitors speaks for the one that takes TLS. */
	is_way(HTTP(0), "https://localhost");
	is_way(HTTP(1), "http://localhost");
	is_way(HTTP(2), "https://localhost");
	is_way(TLS(0), "https://localhost");
	is_way(TLS(1), "https://localhost");
	is_way(USED(1, false), "http://localhost");
	ck_assert_uint_eq(public_backend(config, 0, false), 5000);
	ck_assert_uint_eq(public_backend(config, 1, false), 5000);
	ck_assert_uint_eq(public_backend(config, 2, false), 5000);
	ck_assert_uint_eq(public_backend(config, 2, true), 443);
	is_way(SERVER(0), "http://localhost:5000");
	is_way(SERVER(1), "http://localhost");
	is_way(SERVER(2), "https://localhost");
}
END_TEST

/* Without a certificate TLS is only for what is passed through. */
START_TEST(divided_without_certificate)
{
	listener(CONFIG_LTP, 5000, NULL);
	listener(CONFIG_TLS, 443, NULL);
	listener(CONFIG_HTTP, 8080, NULL);
	is_way(HTTP(0), "http://localhost:8080");
	is_way(HTTP(1), "http://localhost:8080");
	is_way(TLS(0), "https://localhost");
	is_way(SERVER(2), "http://localhost:8080");
	ck_assert_uint_eq(public_backend(config, 2, false), 5000);
	/* No visitor can come at all: some answer there must be. */
	teardown();
	setup();
	listener(CONFIG_LTP, 5000, NULL);
	is_way(HTTP(0), "http://localhost:5000");
	is_way(TLS(0), "https://localhost:5000");
	is_way(SERVER(0), "http://localhost:5000");
}
END_TEST

START_TEST(with_public)
{
	have_certificate();
	listener(CONFIG_KINDS, 8443, "https://:443");
	listener(CONFIG_KINDS, 8080, "http://t.example:8081");
	listener(CONFIG_LTP, 5000, "http://:5001");
	is_way(HTTP(0), "https://localhost");
	is_way(HTTP(1), "http://t.example:8081");
	is_way(HTTP(2), "https://localhost");
	is_way(TLS(1), "https://t.example:8081");
	is_way(USED(0, true), "https://localhost");
	is_way(USED(0, false), "http://localhost:443");
	is_way(USED(1, true), "https://t.example:8081");
	is_way(USED(1, false), "http://t.example:8081");
	ck_assert_uint_eq(public_backend(config, 0, false), 443);
	ck_assert_uint_eq(public_backend(config, 1, true), 8081);
	ck_assert_uint_eq(public_backend(config, 2, false), 5001);
}
END_TEST

/* A proxy in front does the TLS of visitors. */
START_TEST(behind_proxy)
{
	listener(CONFIG_HTTP, 8000, "https://:443");
	listener(CONFIG_LTP, 5000, NULL);
	is_way(HTTP(0), "https://localhost");
	is_way(HTTP(1), "https://localhost");
	is_way(USED(0, false), "https://localhost");
	is_way(USED(1, false), "http://localhost:5000");
	/* The proxy is no way for clients. */
	is_way(SERVER(0), "http://localhost:5000");
	ck_assert_uint_eq(public_backend(config, 0, false), 5000);
}
END_TEST

START_TEST(redirected)
{
	have_certificate();
	set("redirect-to-https", "yes");
	listener(CONFIG_HTTP | CONFIG_LTP, 80, NULL);
	listener(CONFIG_TLS, 443, NULL);
	listener(CONFIG_HTTP, 8000, "https://proxy.example");
	is_way(HTTP(0), "https://localhost");
	is_way(HTTP(2), "https://proxy.example");
	is_way(USED(0, false), "http://localhost");
	is_way(SERVER(0), "http://localhost");
	ck_assert_uint_eq(public_backend(config, 0, false), 80);
}
END_TEST

START_TEST(clients_in_tls_only)
{
	have_certificate();
	set("backend-tls", "required");
	listener(CONFIG_HTTP | CONFIG_LTP, 80, NULL);
	listener(CONFIG_TLS, 443, NULL);
	is_way(SERVER(0), "https://localhost");
	is_way(HTTP(0), "http://localhost");
	ck_assert_uint_eq(public_backend(config, 0, false), 443);
	ck_assert_uint_eq(public_backend(config, 1, true), 443);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("public");
	TCase *tcase = tcase_create("public");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, in_clear);
	tcase_add_test(tcase, with_certificate);
	tcase_add_test(tcase, divided);
	tcase_add_test(tcase, divided_without_certificate);
	tcase_add_test(tcase, with_public);
	tcase_add_test(tcase, behind_proxy);
	tcase_add_test(tcase, redirected);
	tcase_add_test(tcase, clients_in_tls_only);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

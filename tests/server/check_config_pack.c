/* SPDX-License-Identifier: ISC
 *
 * Settings through a sealed memfd: all of them arrive as they were, and what
 * makes no sense does not arrive.
 */
#define _GNU_SOURCE

#include "server/config_pack.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/config.h"
#include "server/config_listen.h"
#include "server/config_show.h"
#include "server/sealed.h"

static struct config *config;
static char why[256];

static void
set(const char *key, const char *value)
{
	ck_assert_msg(
	    config_set(config, key, value, why, sizeof(why)) == 0, "%s", why);
}

/* The keys of a listener have no option of their own. */
static void
set_listen(size_t i, const char *key, const char *value)
{
	for (size_t k = 0; k < config_listen_keys_n; k++)
		if (strcmp(config_listen_keys[k].key, key) == 0)
			ck_assert(config_listen_set(&config->listen[i],
			    &config_listen_keys[k], value, why, sizeof(why)));
}

static void
set_up(void)
{
	config = config_new();
}

static void
tear_down(void)
{
	config_free(config);
}

/* The settings as they arrive. */
static struct config *
pass(void)
{
	struct config *got;
	int fd = config_seal(config);

	ck_assert_int_ne(fd, -1);
	got = config_open(fd, why, sizeof(why));
	ck_assert_msg(got != NULL, "%s", why);
	close(fd);
	return got;
}

/* Each setting shows as it did, listeners to their slots and ports. */
static void
arrives(void)
{
	struct config *got = pass();

	for (size_t i = 0; i < config_options_n; i++) {
		json_t *a = config_show(config, &config_options[i]);
		json_t *b = config_show(got, &config_options[i]);

		ck_assert_msg(json_equal(a, b), "%s", config_options[i].key);
		json_decref(a);
		json_decref(b);
	}
	ck_assert_uint_eq(got->listen_n, config->listen_n);
	for (size_t i = 0; i < got->listen_n; i++) {
		ck_assert_uint_eq(got->listen[i].slot, config->listen[i].slot);
		ck_assert_uint_eq(got->listen[i].port, config->listen[i].port);
	}
	config_free(got);
}

START_TEST(defaults)
{
	config->foreground = true;
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), 0);
	arrives();
}
END_TEST

START_TEST(everything)
{
	static const char *const numbers[] = { "handshakes", "queue-limit",
		"head-timeout", "queue-timeout", "grace", "grace-old",
		"heartbeat", "drain", "response-timeout", "pool-idle-old" };

	set("domain", "tunnel.example.com");
	set("listen", "127.0.0.1:0");
	set("listen", "[2001:db8::7]:443");
	set("listen", "0.0.0.0:80");
	config->listen[0].slot = 31;
	config->listen[0].port = 8123;
	config->listen[1].slot = 0;
	config->listen[2].slot = 7;
	config->listen[0].kinds = 0;
	set_listen(0, "kinds", "ltp");
	set_listen(1, "public", "https://other.example:444");
	set_listen(2, "public", "http://:81");
	set_listen(2, "proxy-protocol", "yes");
	set("trusted-proxies", "10.0.0.0/8");
	set("trusted-proxies", "2001:db8::/32");
	set("tls-certificate", "/a b/\"c\".pem");
	set("tls-key", "/a b/\"c\".key");
	set("backend-tls", "required");
	set("redirect-to-https", "yes");
	set("node-api", "yes");
	set("node-ports", "2000-2100");
	set("node-any-address", "yes");
	set("tokens", "/etc/localtunnel/tokens");
	set("reserved-names", "www,mail-*");
	set("tunnels-per-minute", "7");
	set("bandwidth-per-tunnel", "5M");
	set("log-level", "warn");
	set("log", "syslog:/dev/other");
	set("access-log", "/var/log/x y");
	set("access-log-format", "json");
	set("metrics", "127.0.0.1:9180");
	set("user", "somebody");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		set(numbers[i], i % 2 ? "17" : "19");
	config->foreground = true;
	ck_assert_msg(config_finish(config, why, sizeof(why)) == 0, "%s", why);
	arrives();
}
END_TEST

/* Two with port 0 are two. */
START_TEST(same_address_twice)
{
	set("listen", "127.0.0.1:0");
	set("listen", "127.0.0.1:0");
	config->listen[1].slot = 4;
	config->listen[0].port = 1000;
	config->listen[1].port = 1001;
	config->foreground = true;
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), 0);
	arrives();
}
END_TEST

static void
refused(const char *text, size_t len)
{
	int fd = sealed_begin("hostile");

	fd = sealed_end(fd, sealed_put(fd, text, len));
	ck_assert_int_ne(fd, -1);
	why[0] = '\0';
	ck_assert_msg(config_open(fd, why, sizeof(why)) == NULL, "%s", text);
	ck_assert_uint_gt(strlen(why), 0);
	close(fd);
}

/* A change of one place in what was packed. */
static void
refused_with(const char *before, const char *after)
{
	json_t *all = config_pack(config);
	char *text = json_dumps(all, JSON_COMPACT), *at, changed[8192];

	at = strstr(text, before);
	ck_assert_msg(at != NULL, "%s in %s", before, text);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
	    after, at + strlen(before));
	refused(changed, strlen(changed));
	free(text);
	json_decref(all);
}

START_TEST(nonsense)
{
	int fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(write(fd, "{}", 2), 2);
	ck_assert_ptr_null(config_open(fd, why, sizeof(why)));
	ck_assert_str_eq(why, "it is not sealed");
	close(fd);
	refused("", 0);
	refused("{}", 2);
	refused("[]", 2);
	refused("{", 1);
	refused("\0\0\0", 3);
	config->foreground = true;
	set("listen", "127.0.0.1:80");
	ck_assert_int_eq(config_finish(config, why, sizeof(why)), 0);
	refused_with("\"grace\":\"30\"", "\"grace\":\"many\"");
	refused_with("\"grace\":\"30\"", "\"grace\":30");
	refused_with("\"grace\":\"30\",", "");
	refused_with("\"slot\":0", "\"slot\":32");
	refused_with("\"slot\":0", "\"slot\":-1");
	refused_with("\"port\":0", "\"port\":65536");
	refused_with("127.0.0.1:80", "localhost:80");
	refused_with("127.0.0.1:80", "nowhere");
	refused_with("\"http\"", "\"gopher\"");
	arrives();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config_pack");
	TCase *tc = tcase_create("config_pack");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, everything);
	tcase_add_test(tc, same_address_twice);
	tcase_add_test(tc, nonsense);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: ISC
 *
 * Every setting can be shown, and what is shown can be set again.
 */
#include "server/config_show.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct config *
finished(void)
{
	struct config *c = config_new();
	char why[256] = "";

	c->foreground = true;
	c->open = true;
	ck_assert_msg(config_set(c, "listen", "*:8000", why, sizeof(why)) == 0,
	    "%s", why);
	ck_assert_int_eq(
	    config_set(c, "tls-certificate", "/a", why, sizeof(why)), 0);
	ck_assert_int_eq(config_set(c, "tls-key", "/b", why, sizeof(why)), 0);
	ck_assert_int_eq(
	    config_set(c, "trusted-proxies", "192.0.2.0/24", why, sizeof(why)),
	    0);
	ck_assert_int_eq(
	    config_set(c, "trusted-proxies", "2001:db8::1", why, sizeof(why)),
	    0);
	ck_assert_msg(config_finish(c, why, sizeof(why)) == 0, "%s", why);
	return c;
}

/* What `value` says is set in `c`. */
static void
set_again(struct config *c, const char *key, const json_t *value)
{
	const json_t *address = json_object_get(value, "address");
	const char *text = json_string_value(address != NULL ? address : value);
	char why[256] = "";

	ck_assert_ptr_nonnull(text);
	if (text[0] != '\0')
		ck_assert_msg(
		    config_set(c, key, text, why, sizeof(why)) == 0, "%s", why);
}

START_TEST(round_trip)
{
	struct config *c = finished(), *copy = config_new();

	for (size_t i = 0; i < config_options_n; i++) {
		const struct config_option *o = &config_options[i];
		json_t *value = config_show(c, o), *again, *item;
		size_t j;

		ck_assert_msg(value != NULL, "%s is not shown", o->key);
		if (json_is_array(value)) {
			ck_assert_uint_gt(json_array_size(value), 0);
			json_array_foreach(value, j, item)
			    set_again(copy, o->key, item);
		} else {
			set_again(copy, o->key, value);
		}
		again = config_show(copy, o);
		ck_assert_msg(json_equal(value, again), "%s", o->key);
		json_decref(value);
		json_decref(again);
	}
	config_free(c);
	config_free(copy);
}
END_TEST

START_TEST(listener)
{
	struct config *c = finished();
	json_t *want, *shown;

	c->listen[0].kinds = CONFIG_HTTP;
	c->listen[0].public =
	    (struct config_public){ "https", "example.com", 443 };
	c->listen_n = 1;
	for (size_t i = 0; i < config_options_n; i++) {
		if (config_options[i].type != CONFIG_LISTEN)
			continue;
		shown = config_show(c, &config_options[i]);
		want = json_pack("[{s:s, s:[s], s:s, s:s}]", "address",
		    "0.0.0.0:8000", "kinds", "http", "proxy-protocol", "no",
		    "public", "https://example.com:443");
		ck_assert(json_equal(shown, want));
		json_decref(shown);
		json_decref(want);
	}
	config_free(c);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config_show");
	TCase *tcase = tcase_create("config_show");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, round_trip);
	tcase_add_test(tcase, listener);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: ISC
 *
 * Limits a minute for each address, with a clock of our own.
 */
#include "server/rate.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct net_addr
from(const char *text)
{
	struct net_addr addr;

	ck_assert_int_eq(net_addr_from(&addr, text, 4711), 0);
	return addr;
}

/* How many times it may happen at that moment. */
static unsigned
take_all(struct rate *r, const char *text, uint64_t now_ms)
{
	struct net_addr addr = from(text);
	unsigned n = 0;

	for (; n < 10000 && !rate_is_over(r, &addr, now_ms); n++)
		rate_count(r, &addr, now_ms);
	return n;
}

START_TEST(burst_and_recovery)
{
	struct rate *r = rate_new(60, 1);

	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1000000), 60);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1000000), 0);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1000999), 0);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1001000), 1);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1011000), 10);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1200000), 60);
	/* Another one has his own. */
	ck_assert_uint_eq(take_all(r, "192.0.2.2", 1000000), 60);
	rate_free(r);
}
END_TEST

START_TEST(share_of_workers)
{
	struct rate *r = rate_new(10, 4);

	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1000000), 3);
	rate_free(r);
	r = rate_new(1, 4);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1000000), 1);
	rate_free(r);
	r = rate_new(0, 4);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1), 10000);
	/* As other settings have it. */
	rate_set(r, 4, 2);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1), 2);
	rate_set(r, 0, 2);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1), 10000);
	rate_free(r);
	ck_assert_uint_eq(take_all(NULL, "192.0.2.1", 1), 10000);
	rate_free(NULL);
}
END_TEST

START_TEST(who_is_one)
{
	struct rate *r = rate_new(5, 1);

	ck_assert_uint_eq(take_all(r, "2001:db8:0:1::1", 1000000), 5);
	ck_assert_uint_eq(take_all(r, "2001:db8:0:1:ffff::2", 1000000), 0);
	ck_assert_uint_eq(take_all(r, "2001:db8:0:2::1", 1000000), 5);
	ck_assert_uint_eq(take_all(r, "192.0.2.1", 1000000), 5);
	ck_assert_uint_eq(take_all(r, "::ffff:192.0.2.1", 1000000), 0);
	/* Proxies in front call from here. */
	ck_assert_uint_eq(take_all(r, "127.0.0.1", 1000000), 10000);
	ck_assert_uint_eq(take_all(r, "::1", 1000000), 10000);
	rate_free(r);
}
END_TEST

/* More addresses than there is room for: the table stays as it is, and nobody
 * is refused for what another one did. */
START_TEST(many)
{
	struct rate *r = rate_new(2, 1);
	char text[32];

	for (unsigned i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.1", i >> 8, i & 255);
		ck_assert_uint_eq(take_all(r, text, 1000000 + i), 2);
	}
	rate_free(r);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rate");
	TCase *tcase = tcase_create("rate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, burst_and_recovery);
	tcase_add_test(tcase, share_of_workers);
	tcase_add_test(tcase, who_is_one);
	tcase_add_test(tcase, many);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

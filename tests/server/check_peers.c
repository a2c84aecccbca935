/* SPDX-License-Identifier: ISC */
#include "server/peers.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct peers *peers;

static void
setup(void)
{
	peers = peers_new();
}

static void
teardown(void)
{
	peers_free(peers);
}

static void
add(struct peer_entry *entry, const char *host)
{
	struct net_addr addr = { 0 };

	if (host != NULL)
		ck_assert_int_eq(net_addr_from(&addr, host, 1), 0);
	peers_add(peers, entry, &addr);
}

static size_t
of(const char *host)
{
	struct net_addr addr = { 0 };

	if (host != NULL)
		ck_assert_int_eq(net_addr_from(&addr, host, 1), 0);
	return peers_of(peers, &addr);
}

START_TEST(each_address_has_its_own)
{
	struct peer_entry a, b, c;

	add(&a, "203.0.113.1");
	add(&b, "203.0.113.2");
	add(&c, "203.0.113.1");
	ck_assert_uint_eq(peers_count(&a), 2);
	ck_assert_uint_eq(peers_count(&b), 1);
	ck_assert_uint_eq(of("203.0.113.1"), 2);
	ck_assert_uint_eq(of("203.0.113.3"), 0);
	ck_assert_ptr_eq(peers_oldest(&c), &a);
	peers_del(peers, &a);
	ck_assert_uint_eq(peers_count(&a), 0);
	ck_assert_uint_eq(peers_count(&c), 1);
	ck_assert_ptr_eq(peers_oldest(&c), &c);
	peers_del(peers, &a);
	peers_del(peers, &b);
	peers_del(peers, &c);
	ck_assert_uint_eq(of("203.0.113.1"), 0);
}
END_TEST

/* One customer has a /64, and can use any address of it. */
START_TEST(half_of_an_ipv6_address_counts)
{
	struct peer_entry a, b, c, d, e;

	add(&a, "2001:db8:1:2::1");
	add(&b, "2001:db8:1:2:ffff::9");
	add(&c, "2001:db8:1:3::1");
	add(&d, "::ffff:203.0.113.1");
	add(&e, "203.0.113.1");
	ck_assert_uint_eq(peers_count(&a), 2);
	ck_assert_uint_eq(peers_count(&c), 1);
	ck_assert_uint_eq(peers_count(&d), 2);
	ck_assert_uint_eq(of("2001:db8:1:2::ffff"), 2);
	peers_del(peers, &a);
	peers_del(peers, &b);
	peers_del(peers, &c);
	peers_del(peers, &d);
	peers_del(peers, &e);
}
END_TEST

/* Held without an order, the same count. */
START_TEST(held)
{
	struct net_addr addr, none = { 0 };
	struct peer_entry a;
	struct peer *p, *q;

	ck_assert_int_eq(net_addr_from(&addr, "203.0.113.1", 1), 0);
	p = peers_hold(peers, &addr);
	add(&a, "203.0.113.1");
	q = peers_hold(peers, &addr);
	ck_assert_uint_eq(of("203.0.113.1"), 3);
	ck_assert_ptr_eq(peers_oldest(&a), &a);
	peers_let_go(&p);
	ck_assert_ptr_null(p);
	peers_let_go(&p);
	peers_del(peers, &a);
	ck_assert_uint_eq(of("203.0.113.1"), 1);
	peers_let_go(&q);
	ck_assert_uint_eq(of("203.0.113.1"), 0);
	ck_assert_ptr_null(peers_hold(peers, &none));
}
END_TEST

START_TEST(whoever_has_no_address_is_not_counted)
{
	struct peer_entry a;

	add(&a, NULL);
	ck_assert_uint_eq(peers_count(&a), 0);
	ck_assert_uint_eq(of(NULL), 0);
	peers_del(peers, &a);
}
END_TEST

#define MANY 20000

START_TEST(many_come_and_go)
{
	struct peer_entry *many = calloc(MANY, sizeof(*many));
	char host[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(host, sizeof(host), "10.%d.%d.%d", i >> 16,
		    i >> 8 & 255, i & 255);
		add(&many[i], host);
		ck_assert_uint_eq(peers_count(&many[i]), 1);
	}
	for (int i = 0; i < MANY; i++)
		peers_del(peers, &many[i]);
	free(many);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("peers");
	TCase *tc = tcase_create("peers");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_address_has_its_own);
	tcase_add_test(tc, half_of_an_ipv6_address_counts);
	tcase_add_test(tc, held);
	tcase_add_test(tc, whoever_has_no_address_is_not_counted);
	tcase_add_test(tc, many_come_and_go);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * Networks: what is one, what is in one, and what is wrong with the others.
 */
#include "common/cidr.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
has(const char *network, const char *host)
{
	const char *why;
	struct net_addr addr;
	struct cidr c;

	ck_assert_msg(cidr_parse(&c, network, &why), "%s: %s", network, why);
	ck_assert_int_eq(net_addr_from(&addr, host, 4711), 0);
	return cidr_has(&c, &addr);
}

static const struct {
	const char *network, *host;
	bool is_in;
} visits[] = {
	{ "192.0.2.7", "192.0.2.7", true },
	{ "192.0.2.7", "192.0.2.6", false },
	{ "192.0.2.7/32", "192.0.2.7", true },
	{ "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.0/24", "192.0.1.255", false },
	{ "10.0.0.0/8", "10.255.0.1", true },
	{ "10.0.0.0/8", "11.0.0.0", false },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.128/25", "192.0.2.128", true },
	{ "172.16.0.0/12", "172.31.255.255", true },
	{ "172.16.0.0/12", "172.32.0.0", false },
	{ "192.0.2.6/31", "192.0.2.7", true },
	{ "192.0.2.6/31", "192.0.2.8", false },
	{ "0.0.0.0/0", "255.255.255.255", true },
	{ "0.0.0.0/0", "::1", false },
	{ "128.0.0.0/1", "127.255.255.255", false },
	{ "2001:db8::/32", "2001:db8:ffff::1", true },
	{ "2001:db8::/32", "2001:db9::", false },
	{ "2001:db8::/33", "2001:db8:8000::", false },
	{ "::1", "::1", true },
	{ "::1", "::2", false },
	{ "::/0", "2001:db8::1", true },
	/* IPv4 in IPv6 is IPv4, on either side. */
	{ "::/0", "192.0.2.7", false },
	{ "::/0", "::ffff:192.0.2.7", false },
	{ "192.0.2.0/24", "::ffff:192.0.2.7", true },
	{ "192.0.2.0/24", "::ffff:192.0.3.7", false },
	{ "::ffff:192.0.2.7", "192.0.2.7", true },
	{ "::ffff:192.0.2.0/120", "192.0.2.255", true },
	{ "::ffff:192.0.2.0/120", "192.0.3.0", false },
	{ "::ffff:0:0/96", "203.0.113.1", true },
	{ "::ffff:0:0/96", "::1", false },
	/* ::192.0.2.7 is no such address. */
	{ "192.0.2.7", "::192.0.2.7", false },
};

START_TEST(networks)
{
	ck_assert_msg(
	    has(visits[_i].network, visits[_i].host) == visits[_i].is_in,
	    "%s in %s", visits[_i].host, visits[_i].network);
}
END_TEST

static const struct {
	const char *text, *word;
} wrong[] = {
	{ "", "not an address" },
	{ "/8", "not an address" },
	{ "somewhere", "not an address" },
	{ "example.com/24", "not an address" },
	{ "192.0.2", "not an address" },
	{ "192.0.2.0.1/24", "not an address" },
	{ "192.0.2.256/32", "not an address" },
	{ " 192.0.2.7", "not an address" },
	{ "192.0.2.7:80", "not an address" },
	{ "[::1]/128", "not an address" },
	{ "fe80::1%lo/128", "not an address" },
	{ "192.0.2.7\n", "not an address" },
	{ "10.0.0.0/", "0 to 32" },
	{ "10.0.0.0/33", "0 to 32" },
	{ "10.0.0.0/-1", "0 to 32" },
	{ "10.0.0.0/+8", "0 to 32" },
	{ "10.0.0.0/08", "0 to 32" },
	{ "10.0.0.0/8 ", "0 to 32" },
	{ "10.0.0.0/8/8", "0 to 32" },
	{ "10.0.0.0/255.0.0.0", "0 to 32" },
	{ "10.0.0.0/4294967304", "0 to 32" },
	{ "2001:db8::/129", "0 to 128" },
	{ "10.0.0.1/8", "must be 0" },
	{ "192.0.2.7/24", "must be 0" },
	{ "192.0.2.1/0", "must be 0" },
	{ "2001:db8::1/64", "must be 0" },
	{ "::ffff:192.0.2.7/120", "must be 0" },
	{ "::ffff:0:0/95", "96 bits" },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001",
	    "not an address" },
};

START_TEST(no_networks)
{
	const char *why = NULL;
	struct cidr c;

	ck_assert_msg(
	    !cidr_parse(&c, wrong[_i].text, &why), "%s", wrong[_i].text);
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(
	    strstr(why, wrong[_i].word) != NULL, "%s: %s", wrong[_i].text, why);
}
END_TEST

START_TEST(nobody_is_nowhere)
{
	struct net_addr none = { 0 };
	const char *why;
	struct cidr c;

	ck_assert(cidr_parse(&c, "0.0.0.0/0", &why));
	ck_assert(!cidr_has(&c, &none));
	ck_assert(cidr_parse(&c, "::/0", &why));
	ck_assert(!cidr_has(&c, &none));
}
END_TEST

START_TEST(lists)
{
	struct cidr_list list = { 0 };
	struct net_addr addr;
	const char *why;
	char text[32];

	net_addr_from(&addr, "10.0.31.9", 1);
	ck_assert(!cidr_list_has(&list, &addr));
	ck_assert(!cidr_list_add(&list, "nothing", &why));
	ck_assert_uint_eq(list.n, 0);
	for (int i = 0; i < CIDR_LIST_MAX; i++) {
		ck_assert(!cidr_list_has(&list, &addr));
		snprintf(text, sizeof(text), "10.0.%d.0/24", i);
		ck_assert_msg(cidr_list_add(&list, text, &why), "%s", why);
	}
	ck_assert(cidr_list_has(&list, &addr));
	ck_assert(!cidr_list_add(&list, "10.1.0.0/24", &why));
	ck_assert_ptr_nonnull(strstr(why, "at most 32"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cidr");
	TCase *tcase = tcase_create("cidr");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(
	    tcase, networks, 0, (int)(sizeof(visits) / sizeof(visits[0])));
	tcase_add_loop_test(
	    tcase, no_networks, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tcase, nobody_is_nowhere);
	tcase_add_test(tcase, lists);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

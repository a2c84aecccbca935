/* SPDX-License-Identifier: ISC
 *
 * Lines of the file of tokens: what is understood, what is refused and how.
 */
#include "common/token.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH                                                                   \
	"000102030405060708090a0b0c0d0e0f"                                     \
	"101112131415161718191a1b1c1d1eff"

static struct token t;
static char why[TOKEN_WHY_MAX];

static enum token_result
parse(const char *line)
{
	strcpy(why, "");
	return token_parse(&t, line, strlen(line), why);
}

/* A token with these rights. */
static enum token_result
with(const char *rights)
{
	char line[TOKEN_LINE_MAX + 100];

	snprintf(line, sizeof(line), "alice " HASH " %s", rights);
	return parse(line);
}

START_TEST(nothing)
{
	ck_assert_int_eq(parse(""), TOKEN_NONE);
	ck_assert_int_eq(parse(" \t "), TOKEN_NONE);
	ck_assert_int_eq(parse("# alice " HASH), TOKEN_NONE);
	ck_assert_int_eq(parse("  #"), TOKEN_NONE);
}
END_TEST

START_TEST(least)
{
	ck_assert_int_eq(parse("\tA.l-1_ce  " HASH " "), TOKEN_OK);
	ck_assert_str_eq(t.name, "A.l-1_ce");
	for (int i = 0; i < TOKEN_HASH_LEN - 1; i++)
		ck_assert_uint_eq(t.hash[i], i);
	ck_assert_uint_eq(t.hash[TOKEN_HASH_LEN - 1], 0xff);
	ck_assert_uint_eq(t.kinds, TOKEN_KINDS);
	ck_assert_str_eq(t.names, "");
	ck_assert_str_eq(t.domains, "");
	ck_assert(token_has_port(&t, 1) && token_has_port(&t, 65535));
	ck_assert_uint_eq(t.tunnels + t.connections + t.bandwidth, 0);
	ck_assert_int_eq(t.expires_s, 0);
}
END_TEST

START_TEST(everything)
{
	ck_assert_int_eq(
	    with("names=demo,team-* kinds=tcp,http ports=80,30000-30009 "
		 "domains=app.example.org,*.example.net tunnels=3 "
		 "connections=100 bandwidth=2M expires=2026-12-31"),
	    TOKEN_OK);
	ck_assert_str_eq(t.names, "demo,team-*");
	ck_assert_uint_eq(t.kinds, TOKEN_TCP | TOKEN_HTTP);
	ck_assert(token_has_port(&t, 80) && token_has_port(&t, 30000) &&
		  token_has_port(&t, 30009));
	ck_assert(!token_has_port(&t, 81) && !token_has_port(&t, 30010));
	ck_assert_str_eq(t.domains, "app.example.org,*.example.net");
	ck_assert_uint_eq(t.tunnels, 3);
	ck_assert_uint_eq(t.connections, 100);
	ck_assert_uint_eq(t.bandwidth, 2000000);
	/* To the end of that day: date -ud 2027-01-01 +%s */
	ck_assert_int_eq(t.expires_s, 1798761600);
}
END_TEST

START_TEST(dates)
{
	static const struct {
		const char *text;
		int64_t s;
	} dates[] = {
		{ "expires=2026-12-31T23:59:59Z", 1798761599 },
		{ "expires=2027-01-01T01:00:00+01:00", 1798761600 },
		{ "expires=2026-12-31T19:00:00-05:00", 1798761600 },
		{ "expires=2024-02-29", 1709251200 },
	};
	static const char *const bad[] = { "expires=2026-02-30",
		"expires=2026-13-01", "expires=tomorrow", "expires=1798761600",
		"expires=2026-12-31T23:59:59", "expires=2026-12-31Z",
		"expires=2026-12-31T23:59:59Zx", "expires=26-12-31",
		"expires=1960-01-01", "expires=" };

	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		ck_assert_msg(with(dates[i].text) == TOKEN_OK, "%s", why);
		ck_assert_int_eq(t.expires_s, dates[i].s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(with(bad[i]) == TOKEN_BAD, "%s", bad[i]);
		ck_assert_ptr_nonnull(strstr(why, "not a date"));
	}
}
END_TEST

START_TEST(bad_rights)
{
	static const struct {
		const char *text, *part;
	} bad[] = {
		{ "names=", "names: \"\" is not a list" },
		{ "names=a,", "names" },
		{ "names=a,,b", "names" },
		{ "names=Demo", "names" },
		{ "names=[a-z]", "names" },
		{ "kinds=http,htp", "kinds: \"http,htp\"" },
		{ "ports=0", "ports" },
		{ "ports=9-8", "ports" },
		{ "ports=1-65536", "ports" },
		{ "ports=1-2-3", "ports" },
		{ "ports=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "ports" },
		{ "domains=*.Example.org", "domains" },
		{ "tunnels=0", "tunnels" },
		{ "tunnels=-1", "tunnels" },
		{ "tunnels=3x", "tunnels" },
		{ "connections=99999999999999999999", "connections" },
		{ "bandwidth=2T", "bandwidth" },
		{ "bandwidth=2MB", "bandwidth" },
		{ "bandwidth=1000000000000G", "bandwidth" },
		{ "tunnels=1 tunnels=2", "tunnels is there twice" },
		{ "tunels=1", "do you mean \"tunnels\"" },
		{ "tunnels", "is not a right" },
		{ "=1", "no right" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(
		    with(bad[i].text) == TOKEN_BAD, "%s", bad[i].text);
		ck_assert_msg(strstr(why, bad[i].part) != NULL, "%s: %s",
		    bad[i].text, why);
	}
}
END_TEST

START_TEST(bad_lines)
{
	char line[TOKEN_LINE_MAX + 2];

	ck_assert_int_eq(parse("al/ice " HASH), TOKEN_BAD);
	ck_assert_int_eq(parse("-f " HASH), TOKEN_BAD);
	ck_assert_int_eq(parse("alice"), TOKEN_BAD);
	ck_assert_ptr_nonnull(strstr(why, "SHA-256"));
	ck_assert_int_eq(parse("alice " HASH "0"), TOKEN_BAD);
	ck_assert_int_eq(parse("al\xc3\xa9 " HASH), TOKEN_BAD);
	ck_assert_int_eq(token_parse(&t, "a\0b", 3, why), TOKEN_BAD);
	/* A token in the place of its hash is not shown. */
	ck_assert_int_eq(parse("alice lt_sesame"), TOKEN_BAD);
	ck_assert_ptr_null(strstr(why, "sesame"));
	memset(line, 'a', sizeof(line));
	ck_assert_int_eq(token_parse(&t, line, sizeof(line), why), TOKEN_BAD);
	ck_assert_ptr_nonnull(strstr(why, "2048"));
}
END_TEST

START_TEST(patterns)
{
	ck_assert(token_matches("demo", "demo"));
	ck_assert(!token_matches("demo", "demo2"));
	ck_assert(!token_matches("demo", "dem"));
	ck_assert(token_matches("a,team-*", "team-7"));
	ck_assert(token_matches("a,team-*", "team-"));
	ck_assert(!token_matches("a,team-*", "xteam-1"));
	ck_assert(token_matches("*.example.org", "a.b.example.org"));
	ck_assert(!token_matches("*.example.org", "example.org"));
	ck_assert(!token_matches("*.example.org", "a.example.org.evil"));
	ck_assert(token_matches("*", "anything"));
	ck_assert(!token_matches("", ""));
}
END_TEST

START_TEST(made)
{
	char one[TOKEN_LEN + 1], two[TOKEN_LEN + 1];
	uint8_t hash[TOKEN_HASH_LEN];

	ck_assert(token_make(one) && token_make(two));
	ck_assert_uint_eq(strlen(one), TOKEN_LEN);
	ck_assert_int_eq(strncmp(one, TOKEN_PREFIX, 3), 0);
	ck_assert_uint_eq(strspn(one + 3, "0123456789abcdef"), 64);
	ck_assert_str_ne(one, two);
	/* printf abc | sha256sum */
	token_hash("abc", hash);
	ck_assert_uint_eq(hash[0], 0xba);
	ck_assert_uint_eq(hash[31], 0xad);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token");
	TCase *tcase = tcase_create("token");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, nothing);
	tcase_add_test(tcase, least);
	tcase_add_test(tcase, everything);
	tcase_add_test(tcase, dates);
	tcase_add_test(tcase, bad_rights);
	tcase_add_test(tcase, bad_lines);
	tcase_add_test(tcase, patterns);
	tcase_add_test(tcase, made);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

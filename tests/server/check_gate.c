/* SPDX-License-Identifier: ISC
 *
 * Gates: whom they let in, and which requests for one are wrong.
 */
#include "server/gate.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/login.h"
#include "common/ltp.h"
#include "server/rate.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define ADA "Authorization: Basic YWRhOnNlc2FtZQ==\r\n" /* ada:sesame */
#define BOB "Authorization: Basic Ym9iOjp4\r\n"		/* bob::x */

static struct gate *gate;
static struct ltp_message asked;
static char why[GATE_WHY_MAX];

static void
setup(void)
{
	gate = NULL;
	memset(&asked, 0, sizeof(asked));
}

static void
teardown(void)
{
	gate_free(gate);
}

static void
add(struct ltp_list *list, const char *text)
{
	list->each[list->n++] = text;
}

/* What was asked for is granted. */
static void
good(void)
{
	const char *wrong = gate_new(&gate, &asked, REGISTRY_HTTP, NULL, why);

	ck_assert_msg(wrong == NULL, "%s", wrong);
}

/* It is refused, with these words. */
static void
bad(enum registry_kind kind, const char *words)
{
	const char *wrong = gate_new(&gate, &asked, kind, NULL, why);

	ck_assert_ptr_nonnull(wrong);
	ck_assert_ptr_null(gate);
	ck_assert_msg(strstr(wrong, words) != NULL, "%s", wrong);
	setup();
}

static bool
admits(const char *host)
{
	struct net_addr addr;

	net_addr_from(&addr, host, 1);
	return gate_admits(gate, &addr);
}

static bool
opens(const char *text)
{
	struct http_head head;
	struct net_addr from;
	const char *wrong;
	int status;

	net_addr_from(&from, "198.51.100.1", 1);
	ck_assert_int_eq(http_head(&head, text, strlen(text), NULL), HTTP_OK);
	wrong = gate_refuses(gate, &from, &head, text, &status);
	ck_assert(wrong == NULL || status == 401);
	return wrong == NULL;
}

START_TEST(none)
{
	struct net_addr nobody = { 0 };

	good();
	ck_assert_ptr_null(gate);
	ck_assert(gate_admits(NULL, &nobody));
	ck_assert(!gate_has_auth(NULL));
	ck_assert(opens(GET "\r\n"));
	ck_assert_ptr_null(gate_ref(NULL));
	gate_free(NULL);
	/* Of a tunnel that passes TLS through too. */
	ck_assert_ptr_null(gate_new(&gate, &asked, REGISTRY_TLS, NULL, why));
	ck_assert_ptr_null(gate);
}
END_TEST

START_TEST(networks)
{
	struct net_addr nobody = { 0 };

	add(&asked.allow, "192.0.2.0/24");
	add(&asked.allow, "2001:db8::/32");
	add(&asked.deny, "192.0.2.128/25");
	good();
	ck_assert(admits("192.0.2.1"));
	ck_assert(admits("::ffff:192.0.2.1"));
	ck_assert(admits("2001:db8::1"));
	ck_assert(!admits("192.0.2.200"));
	ck_assert(!admits("::ffff:192.0.2.200"));
	ck_assert(!admits("198.51.100.1"));
	ck_assert(!admits("2001:db9::1"));
	ck_assert(!gate_admits(gate, &nobody));
	ck_assert(!gate_has_auth(gate));
}
END_TEST

/* The address comes first. */
START_TEST(both)
{
	static const char text[] = GET "\r\n";
	struct http_head head;
	struct net_addr from;
	int status;

	add(&asked.auth, "ada:sesame");
	add(&asked.deny, "192.0.2.0/24");
	good();
	ck_assert_int_eq(http_head(&head, text, strlen(text), NULL), HTTP_OK);
	net_addr_from(&from, "192.0.2.1", 1);
	ck_assert_ptr_nonnull(gate_refuses(gate, &from, &head, text, &status));
	ck_assert_int_eq(status, 403);
	net_addr_from(&from, "192.0.3.1", 1);
	ck_assert_ptr_nonnull(gate_refuses(gate, &from, &head, text, &status));
	ck_assert_int_eq(status, 401);
}
END_TEST

START_TEST(only_denied)
{
	add(&asked.deny, "192.0.2.7");
	ck_assert_ptr_null(gate_new(&gate, &asked, REGISTRY_TLS, NULL, why));
	ck_assert(!admits("192.0.2.7"));
	ck_assert(admits("192.0.2.8"));
	ck_assert(admits("2001:db8::1"));
}
END_TEST

START_TEST(passwords)
{
	add(&asked.auth, "ada:sesame");
	asked.protect = "bob::x";
	good();
	ck_assert(gate_has_auth(gate));
	ck_assert(admits("192.0.2.7"));
	ck_assert(opens(GET ADA "\r\n"));
	ck_assert(opens(GET BOB "\r\n"));
	ck_assert(opens(GET "aUTHORIZATION:basic  YWRhOnNlc2FtZQ== \r\n\r\n"));
	ck_assert(!opens(GET "\r\n"));
	ck_assert(!opens(GET ADA ADA "\r\n"));
	ck_assert(!opens(GET ADA "Authorization: Bearer x\r\n\r\n"));
	ck_assert(!opens(GET "X-Authorization: Basic YWRhOnNlc2FtZQ==\r\n"
			     "\r\n"));
	ck_assert(!opens(GET "Authorization: Basic YWRhOnNlc2FtZQ=\r\n\r\n"));
	ck_assert(!opens(GET "Authorization: Basic YWRhOnNlc2FtZQ\r\n\r\n"));
	ck_assert(!opens(GET "Authorization: Basic YWRhOnNlc2FtZR==\r\n\r\n"));
	ck_assert(!opens(GET "Authorization: BasicYWRhOnNlc2FtZQ==\r\n\r\n"));
	ck_assert(!opens(GET "Authorization: YWRhOnNlc2FtZQ==\r\n\r\n"));
	ck_assert(!opens(GET "Authorization:\r\n\r\n"));
	ck_assert(!opens(GET "Authorization: Basic\r\n\r\n"));
}
END_TEST

/* The longest, and as many as there may be. */
/* After too many wrong ones none is looked at any more; who says nothing is
 * asked still, and others are let in. */
START_TEST(guesses)
{
	static const char wrong[] = GET "Authorization: Basic eDp5\r\n\r\n";
	static const char right[] =
	    GET "Authorization: Basic YWRhOnNlc2FtZQ==\r\n\r\n";
	static const char mute[] = GET "\r\n";
	static const struct {
		const char *from, *text;
		int status;
	} steps[] = {
		{ "192.0.2.1", wrong, 401 },
		{ "192.0.2.1", mute, 401 },
		{ "192.0.2.1", right, 0 },
		{ "192.0.2.1", wrong, 401 },
		{ "192.0.2.1", right, 429 },
		{ "192.0.2.1", mute, 401 },
		{ "192.0.2.2", right, 0 },
		{ "127.0.0.1", wrong, 401 },
		{ "127.0.0.1", wrong, 401 },
		{ "127.0.0.1", wrong, 401 },
		{ "127.0.0.1", right, 0 },
	};
	struct rate *failures = rate_new(2, 1);
	struct http_head head;
	struct net_addr from;
	int status;

	add(&asked.auth, "ada:sesame");
	ck_assert_ptr_null(
	    gate_new(&gate, &asked, REGISTRY_HTTP, failures, why));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const char *text = steps[i].text, *wrong_why;

		net_addr_from(&from, steps[i].from, 1);
		ck_assert_int_eq(
		    http_head(&head, text, strlen(text), NULL), HTTP_OK);
		wrong_why = gate_refuses(gate, &from, &head, text, &status);
		ck_assert_int_eq(
		    wrong_why == NULL ? 0 : status, steps[i].status);
	}
	rate_free(failures);
}
END_TEST

START_TEST(many)
{
	static char logins[LTP_LIST_MAX + 1][LOGIN_MAX + 1];

	for (int i = 0; i < LTP_LIST_MAX; i++) {
		memset(logins[i], 'x', LOGIN_MAX);
		snprintf(logins[i], 8, "user-%02d", i);
		logins[i][7] = ':';
		add(&asked.auth, logins[i]);
	}
	good();
	ck_assert(!opens(GET ADA "\r\n"));
	gate_free(gate);
	asked.auth.each[LTP_LIST_MAX - 1] = "ada:sesame";
	good();
	ck_assert(opens(GET ADA "\r\n"));
	gate_free(gate);
	gate = NULL;
	asked.protect = "a:b";
	bad(REGISTRY_HTTP, "more than 32 entries");
}
END_TEST

START_TEST(references)
{
	struct gate *other;

	add(&asked.deny, "192.0.2.7");
	good();
	other = gate_ref(gate);
	ck_assert_ptr_eq(other, gate);
	gate_free(other);
	ck_assert(!admits("192.0.2.7"));
}
END_TEST

START_TEST(refused)
{
	add(&asked.auth, "ada:sesame");
	bad(REGISTRY_TLS, "only a tunnel of kind http");
	asked.protect = "ada:sesame";
	bad(REGISTRY_TLS, "only a tunnel of kind http");
	add(&asked.auth, "ada:sesame");
	add(&asked.auth, "tell-nobody");
	bad(REGISTRY_HTTP, "auth: entry 2 is not user:password");
	ck_assert_ptr_null(strstr(why, "tell-nobody"));
	asked.protect = "ada:";
	bad(REGISTRY_HTTP, "protect is not user:password");
	add(&asked.allow, "192.0.2.0/24");
	add(&asked.allow, "192.0.2.1/24");
	bad(REGISTRY_HTTP, "allow: \"192.0.2.1/24\" is not a network");
	add(&asked.deny, "\x1b[2J");
	bad(REGISTRY_HTTP, "deny: \"\\x1b[2J\" is not an address");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tcase = tcase_create("gate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, none);
	tcase_add_test(tcase, networks);
	tcase_add_test(tcase, both);
	tcase_add_test(tcase, only_denied);
	tcase_add_test(tcase, passwords);
	tcase_add_test(tcase, guesses);
	tcase_add_test(tcase, many);
	tcase_add_test(tcase, references);
	tcase_add_test(tcase, refused);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

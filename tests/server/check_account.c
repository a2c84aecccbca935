/* SPDX-License-Identifier: ISC
 *
 * The log line of a visitor's connection, byte for byte but for the time.
 */
#define _GNU_SOURCE

#include "server/account.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/worker.h"

static struct config config = { .access_log_format = "text" };
static struct counters_worker count;
static struct worker worker = { .config = &config, .count = &count };

/* What is logged for *a, from "visitor" on; milliseconds become "N". */
static const char *
line_of(const struct account *a)
{
	static char line[2048];
	int fd = memfd_create("stderr", MFD_CLOEXEC);
	int saved = dup(STDERR_FILENO);
	char *at, *rest;
	ssize_t n;

	dup2(fd, STDERR_FILENO);
	account_visitor(&worker, a);
	dup2(saved, STDERR_FILENO);
	n = pread(fd, line, sizeof(line) - 1, 0);
	line[n < 0 ? 0 : n] = '\0';
	close(saved);
	close(fd);
	at = strstr(line, " ms=");
	if (at != NULL) {
		rest = at + 4 + strspn(at + 4, "0123456789");
		ck_assert_ptr_ne(rest, at + 4);
		at[4] = 'N';
		memmove(at + 5, rest, strlen(rest) + 1);
	}
	at = strstr(line, "visitor tunnel=");
	return at != NULL ? at : line;
}

static struct net_addr
addr_of(const char *host, uint16_t port)
{
	struct net_addr addr;

	ck_assert_int_eq(net_addr_from(&addr, host, port), 0);
	return addr;
}

START_TEST(joined)
{
	struct account a = {
		.tunnel = "demo",
		.visitor = addr_of("203.0.113.7", 40112),
		.client = addr_of("2001:db8::2", 5000),
		.accepted_ms = clock_ms(),
		.bytes_in = 412,
		.bytes_out = UINT64_MAX,
		.reason = "finished",
	};

	ck_assert_str_eq(line_of(&a),
	    "visitor tunnel=demo from=203.0.113.7:40112 "
	    "client=[2001:db8::2]:5000 in=412 out=18446744073709551615 "
	    "ms=N end=\"finished\"\n");
	a.status = 502;
	a.bytes_in = a.bytes_out = 0;
	ck_assert_str_eq(line_of(&a),
	    "visitor tunnel=demo from=203.0.113.7:40112 "
	    "client=[2001:db8::2]:5000 in=0 out=0 status=502 "
	    "ms=N end=\"finished\"\n");
}
END_TEST

START_TEST(refused)
{
	struct account a = {
		.visitor = addr_of("203.0.113.7", 40113),
		.accepted_ms = clock_ms(),
		.status = 404,
		.reason = "no such tunnel",
	};

	ck_assert_str_eq(line_of(&a),
	    "visitor tunnel=- from=203.0.113.7:40113 status=404 ms=N "
	    "end=\"no such tunnel\"\n");
}
END_TEST

START_TEST(escaped)
{
	char reason[1000];
	struct account a = {
		.tunnel = "a\nb",
		.visitor = addr_of("203.0.113.7", 1),
		.accepted_ms = clock_ms(),
		.reason = "\" in=9\r\n",
	};

	ck_assert_str_eq(line_of(&a),
	    "visitor tunnel=a\\x0ab from=203.0.113.7:1 ms=N "
	    "end=\"\\x22 in=9\\x0d\\x0a\"\n");
	/* However long, it stays one line with its end. */
	memset(reason, '\n', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	a.reason = reason;
	ck_assert_ptr_nonnull(strstr(line_of(&a), "...\"\n"));
}
END_TEST

START_TEST(level)
{
	struct account a = { .reason = "finished" };

	log_open("check", LOG_LEVEL_WARN);
	ck_assert_str_eq(line_of(&a), "");
	log_open("check", LOG_LEVEL_INFO);
	ck_assert_str_ne(line_of(&a), "");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("account");
	TCase *tcase = tcase_create("account");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, joined);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, escaped);
	tcase_add_test(tcase, level);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

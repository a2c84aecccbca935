/* SPDX-License-Identifier: ISC
 *
 * The log: what a line looks like, how long it may be, and that nothing
 * which came from outside can pass for something else. Standard error is a
 * socket of packets here, so one write is one packet.
 */
#define _GNU_SOURCE

#include "common/log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME "^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z "

static int saved_stderr, reader;

static void
catch_stderr(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_ne(dup2(pair[1], STDERR_FILENO), -1);
	close(pair[1]);
	reader = pair[0];
}

static void
release_stderr(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(reader);
}

/* What was written with one write(2), "" if there was none. */
static const char *
packet(void)
{
	static char line[8192];
	ssize_t n = recv(reader, line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

static void
matches(const char *line, const char *pattern)
{
	regex_t re;
	int r;

	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	r = regexec(&re, line, 0, NULL, 0);
	regfree(&re);
	ck_assert_msg(r == 0, "\"%s\" is not %s", line, pattern);
}

/* The state of the log lasts, so this one comes first. */
START_TEST(before_open)
{
	log_info("a %s", "text");
	ck_assert_str_eq(packet(), "check_log: a text\n");
	log_debug("not shown");
	ck_assert_str_eq(packet(), "");
}
END_TEST

START_TEST(line)
{
	log_open("ltserver", LOG_LEVEL_INFO);
	log_role("%s", "");
	log_info("a %d", 5);
	matches(packet(), TIME "ltserver\\[[0-9]+\\] info: a 5\n$");
	log_role("worker %d", 2);
	log_warn("b");
	matches(packet(), TIME "ltserver\\[[0-9]+\\] worker 2 warn: b\n$");
	log_error("c");
	matches(packet(), TIME "ltserver\\[[0-9]+\\] worker 2 error: c\n$");
	ck_assert_str_eq(packet(), "");
}
END_TEST

START_TEST(levels)
{
	log_open("ltserver", LOG_LEVEL_WARN);
	ck_assert(log_enabled(LOG_LEVEL_ERROR));
	ck_assert(log_enabled(LOG_LEVEL_WARN));
	ck_assert(!log_enabled(LOG_LEVEL_INFO));
	log_info("hidden");
	ck_assert_str_eq(packet(), "");
	log_warn("shown");
	ck_assert_str_ne(packet(), "");
	log_open("ltserver", LOG_LEVEL_DEBUG);
	log_debug("shown");
	matches(packet(), "debug: shown\n$");
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("hidden");
	ck_assert_str_eq(packet(), "");
	log_error("shown");
	matches(packet(), "error: shown\n$");
}
END_TEST

START_TEST(long_line)
{
	static char text[3000];
	const char *line;

	log_open("ltserver", LOG_LEVEL_INFO);
	memset(text, 'a', sizeof(text) - 1);
	log_info("%s", text);
	line = packet();
	ck_assert_uint_eq(strlen(line), 1024);
	matches(line, "a\\.\\.\\.\n$");
	ck_assert_str_eq(packet(), "");
}
END_TEST

/* A line of exactly the greatest length is not cut. */
START_TEST(longest_line)
{
	static char text[1024];
	size_t prefix;

	log_open("ltserver", LOG_LEVEL_INFO);
	log_info("%s", "");
	prefix = strlen(packet()) - 1;
	memset(text, 'a', 1023 - prefix);
	log_info("%s", text);
	matches(packet(), "aaaa\n$");
	text[1023 - prefix] = 'b';
	log_info("%s", text);
	matches(packet(), "aaaa\\.\\.\\.\n$");
}
END_TEST

START_TEST(keeps_errno)
{
	log_open("ltserver", LOG_LEVEL_INFO);
	errno = ENOENT;
	log_error("open: %m");
	ck_assert_int_eq(errno, ENOENT);
	matches(packet(), "open: No such file or directory\n$");
}
END_TEST

START_TEST(fatal_ends)
{
	int status;
	pid_t pid;

	log_open("ltserver", LOG_LEVEL_INFO);
	pid = fork();
	if (pid == 0)
		fatal("no %s", "way");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	matches(packet(), "error: no way\n$");
}
END_TEST

/* Lines that are left out are counted, and the next one says how many. */
START_TEST(limited)
{
	_Atomic uint64_t dropped = 0, left_out = 0;
	struct log_limit limit = { 0 };
	int n = 0;

	log_open("ltserver", LOG_LEVEL_INFO);
	log_count(&dropped, &left_out);
	for (int i = 0; i < 35; i++)
		log_limited(&limit, LOG_LEVEL_INFO, "line %d", i);
	while (packet()[0] != '\0')
		n++;
	ck_assert_int_eq(n, 10);
	ck_assert_uint_eq(left_out, 25);
	log_limited(&limit, LOG_LEVEL_DEBUG, "hidden");
	limit.since_ms -= 1000;
	log_limited(&limit, LOG_LEVEL_INFO, "next");
	matches(packet(), "info: next left_out=25\n$");
	log_limited(&limit, LOG_LEVEL_INFO, "next");
	matches(packet(), "info: next\n$");
	ck_assert_uint_eq(left_out, 25);
	ck_assert_uint_eq(dropped, 0);
	log_count(NULL, NULL);
}
END_TEST

START_TEST(dropped_is_counted)
{
	_Atomic uint64_t dropped = 0, left_out = 0;

	log_open("ltserver", LOG_LEVEL_INFO);
	log_count(&dropped, &left_out);
	log_redirect(
	    LOG_EVENTS, LOG_TO_FILE, open("/dev/full", O_WRONLY), NULL);
	log_info("lost");
	log_info("lost");
	ck_assert_uint_eq(dropped, 2);
	log_redirect(LOG_EVENTS, LOG_TO_STDERR, -1, NULL);
	log_info("here");
	matches(packet(), "here\n$");
	ck_assert_uint_eq(dropped, 2);
	log_count(NULL, NULL);
}
END_TEST

START_TEST(access_of_its_own)
{
	int pair[2];
	char text[64] = "";

	log_open("ltserver", LOG_LEVEL_ERROR);
	ck_assert_int_eq(log_target(LOG_ACCESS), LOG_TO_EVENTS);
	ck_assert_int_eq(log_fd(LOG_ACCESS), -1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	log_redirect(LOG_ACCESS, LOG_TO_FILE, pair[1], NULL);
	ck_assert_int_eq(log_target(LOG_ACCESS), LOG_TO_FILE);
	ck_assert_int_eq(log_fd(LOG_ACCESS), pair[1]);
	log_access("a line\n", 7);
	ck_assert_int_eq(read(pair[0], text, sizeof(text)), 7);
	ck_assert_str_eq(text, "a line\n");
	ck_assert_str_eq(packet(), "");
	log_redirect(LOG_ACCESS, LOG_TO_EVENTS, -1, NULL);
	close(pair[0]);
}
END_TEST

/* As syslog(3) does it: facility daemon and the level in front. */
START_TEST(syslog_form)
{
	int pair[2];
	char text[256] = "";

	log_open("ltserver", LOG_LEVEL_INFO);
	log_role("worker 2");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	log_redirect(LOG_EVENTS, LOG_TO_SYSLOG, pair[1], NULL);
	log_warn("a text");
	ck_assert_int_gt(read(pair[0], text, sizeof(text) - 1), 0);
	matches(text, "^<28>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} "
		      "ltserver\\[[0-9]+\\]: worker 2: a text$");
	log_redirect(LOG_EVENTS, LOG_TO_STDERR, -1, NULL);
	close(pair[0]);
}
END_TEST

START_TEST(time_text)
{
	char out[LOG_TIME_MAX];

	ck_assert_ptr_eq(log_time(out), out);
	matches(out, "^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z$");
}
END_TEST

static void
escapes(size_t size, const char *in, size_t len, const char *want)
{
	char out[64];

	memset(out, '#', sizeof(out));
	ck_assert_ptr_eq(log_escape(out, size, in, len), out);
	ck_assert_str_eq(out, want);
	ck_assert_uint_lt(strlen(out), size);
	ck_assert_int_eq(out[size], '#');
}

START_TEST(escape)
{
	escapes(60, "plain ~text", 11, "plain ~text");
	escapes(60, "", 0, "");
	escapes(60, "a\r\nb", 4, "a\\x0d\\x0ab");
	escapes(60, "\"\\\0\x1b\x7f\xff", 6, "\\x22\\x5c\\x00\\x1b\\x7f\\xff");
}
END_TEST

START_TEST(printable)
{
	char text[] = "a \"b\"\t\x1b\xff~";

	ck_assert_ptr_eq(log_printable(text), text);
	ck_assert_str_eq(text, "a \"b\"???~");
}
END_TEST

START_TEST(escape_cut)
{
	escapes(9, "12345678", 8, "12345678");
	escapes(9, "123456789", 9, "12345...");
	escapes(9, "1\n2\n", 4, "1\\x0a...");
	escapes(9, "12\n\n", 4, "12...");
	escapes(9, "\n\n", 2, "\\x0a\\x0a");
	escapes(9, "\n\n\n", 3, "\\x0a...");
	escapes(4, "1234", 4, "...");
	escapes(3, "123", 3, "..");
	escapes(1, "1", 1, "");
	escapes(1, "", 0, "");
}
END_TEST

START_TEST(memory)
{
	static const char zero[12];
	char *p = log_must_alloc(3, 4), *copy = log_must_strdup("text");
	void *none = log_must_alloc(0, 4);

	ck_assert_mem_eq(p, zero, sizeof(zero));
	ck_assert_str_eq(copy, "text");
	ck_assert_ptr_nonnull(none);
	free(p);
	free(copy);
	free(none);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, catch_stderr, release_stderr);
	tcase_add_test(tc, before_open);
	tcase_add_test(tc, line);
	tcase_add_test(tc, levels);
	tcase_add_test(tc, long_line);
	tcase_add_test(tc, longest_line);
	tcase_add_test(tc, keeps_errno);
	tcase_add_test(tc, fatal_ends);
	tcase_add_test(tc, limited);
	tcase_add_test(tc, dropped_is_counted);
	tcase_add_test(tc, access_of_its_own);
	tcase_add_test(tc, syslog_form);
	tcase_add_test(tc, time_text);
	tcase_add_test(tc, escape);
	tcase_add_test(tc, printable);
	tcase_add_test(tc, escape_cut);
	tcase_add_test(tc, memory);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

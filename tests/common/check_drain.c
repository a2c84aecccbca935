/* SPDX-License-Identifier: ISC
 *
 * The decent end of a connection: the last answer arrives whole although the
 * peer was still talking, and nobody can hold a connection for ever.
 */
#define _GNU_SOURCE

#include "common/drain.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/net.h"
#include "common/stream.h"

static struct event_base *base;
static struct drain_set *set;

/* Two ends of a TCP connection, both non-blocking. */
static void
tcp_pair(int fd[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(
	    connect(fd[0], (struct sockaddr *)&sin, sizeof(sin)), 0);
	fd[1] = accept(l, NULL, NULL);
	ck_assert_int_ne(fd[1], -1);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	close(l);
}

static void
setup(void)
{
	base = event_base_new();
	set = drain_set_new(base, 2);
}

static void
teardown(void)
{
	drain_set_free(set);
	event_base_free(base);
}

static void
run(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Reads to the end of file; returns how much came, -1 for an error. */
static ssize_t
read_all(int fd, char *buf, size_t size)
{
	size_t got = 0;
	ssize_t n;

	for (;;) {
		run();
		n = read(fd, buf + got, size - got);
		if (n == 0)
			return (ssize_t)got;
		if (n > 0)
			got += (size_t)n;
		else if (errno != EAGAIN)
			return -1;
	}
}

static void
start(struct drain_set *s, int fd, const void *text, size_t len)
{
	struct stream stream = { .fd = fd };

	drain_start(s, &stream, text, len);
	ck_assert_int_eq(stream.fd, -1);
}

/* The peer has sent bytes that nobody has read, and goes on sending. */
START_TEST(answer_arrives)
{
	static const char junk[4096];
	char buf[16];
	int fd[2], i;

	tcp_pair(fd);
	ck_assert_int_eq(write(fd[0], junk, sizeof(junk)), sizeof(junk));
	start(set, fd[1], "answer", 6);
	ck_assert_uint_eq(drain_count(set), 1);
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(
		    write(fd[0], junk, sizeof(junk)), sizeof(junk));
		run();
	}
	ck_assert_int_eq(read_all(fd[0], buf, sizeof(buf)), 6);
	ck_assert_mem_eq(buf, "answer", 6);
	ck_assert_uint_eq(drain_count(set), 1);
	close(fd[0]);
	while (drain_count(set) > 0)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(fcntl(fd[1], F_GETFD), -1);
}
END_TEST

/* One that does not fit into the socket at once. */
START_TEST(long_answer)
{
	const size_t len = 8 * 1024 * 1024;
	char *text = malloc(len), *buf = malloc(len + 1);
	int fd[2];
	size_t i;

	for (i = 0; i < len; i++)
		text[i] = (char)(i * 7 + i / 251);
	tcp_pair(fd);
	start(set, fd[1], text, len);
	ck_assert_int_eq(write(fd[0], "x", 1), 1);
	shutdown(fd[0], SHUT_WR); /* he only listens now */
	ck_assert_int_eq(read_all(fd[0], buf, len + 1), (ssize_t)len);
	ck_assert(memcmp(text, buf, len) == 0);
	while (drain_count(set) > 0)
		event_base_loop(base, EVLOOP_ONCE);
	close(fd[0]);
	free(text);
	free(buf);
}
END_TEST

START_TEST(nothing_to_say)
{
	char c;
	int fd[2];

	tcp_pair(fd);
	start(set, fd[1], NULL, 0);
	ck_assert_int_eq(read_all(fd[0], &c, 1), 0);
	ck_assert_uint_eq(drain_count(set), 1);
	close(fd[0]);
	while (drain_count(set) > 0)
		event_base_loop(base, EVLOOP_ONCE);
}
END_TEST

/* The third is closed at once, with the answer on its way all the same. */
START_TEST(set_is_full)
{
	char buf[8];
	int fd[3][2], i;

	for (i = 0; i < 3; i++) {
		tcp_pair(fd[i]);
		start(set, fd[i][1], "bye", 3);
	}
	ck_assert_uint_eq(drain_count(set), 2);
	ck_assert_int_eq(fcntl(fd[2][1], F_GETFD), -1);
	ck_assert_int_eq(read_all(fd[2][0], buf, sizeof(buf)), 3);
	for (i = 0; i < 3; i++)
		close(fd[i][0]);
}
END_TEST

/* A peer that never ends is cut off, at a moment or at a count. */
START_TEST(deadline)
{
	char buf[8];
	int fd[2];

	tcp_pair(fd);
	net_reset_on_close(fd[1]); /* must not count */
	start(set, fd[1], "bye", 3);
	while (drain_count(set) > 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(fcntl(fd[1], F_GETFD), -1);
	ck_assert_int_eq(read_all(fd[0], buf, sizeof(buf)), 3);
	close(fd[0]);
}
END_TEST

START_TEST(bytes_are_limited)
{
	static const char junk[65536];
	size_t sent = 0;
	int fd[2];
	ssize_t n;

	tcp_pair(fd);
	start(set, fd[1], "bye", 3);
	while (drain_count(set) > 0) {
		n = send(fd[0], junk, sizeof(junk), MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
		run();
	}
	ck_assert_uint_ge(sent, DRAIN_BYTES);
	close(fd[0]);
}
END_TEST

START_TEST(freed_while_draining)
{
	char buf[8];
	int fd[2];

	tcp_pair(fd);
	start(set, fd[1], "bye", 3);
	drain_set_free(set);
	set = NULL;
	ck_assert_int_eq(fcntl(fd[1], F_GETFD), -1);
	ck_assert_int_eq(read_all(fd[0], buf, sizeof(buf)), 3);
	close(fd[0]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("drain");
	TCase *tc = tcase_create("drain");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, answer_arrives);
	tcase_add_test(tc, long_answer);
	tcase_add_test(tc, nothing_to_say);
	tcase_add_test(tc, set_is_full);
	tcase_add_test(tc, deadline);
	tcase_add_test(tc, bytes_are_limited);
	tcase_add_test(tc, freed_while_draining);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

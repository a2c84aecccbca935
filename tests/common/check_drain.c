/* SPDX-License-Identifier: ISC
 *
 * The decent end of a connection: the last answer arrives whole although the
 * peer was still talking, and nobody can hold a connection for ever.
 */
#define _GNU_SOURCE

#include "common/drain.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/net.h"
#include "common/stream.h"
#include "tests/common/pair_rig.h"
#include "tests/common/tls_rig.h"

static struct event_base *base;
static struct drain_set *set;
static struct rig_cert ca, leaf;
static struct tls_context *client, *server;

/* What each test runs over. */
enum kind { CLEAR, TLS, KINDS };

/* A peer, and the other end, which drains. */
static void
open_pair(int kind, struct stream *peer, struct stream *stream)
{
	int fd[2];

	tcp_pair(0, fd);
	*peer = (struct stream){ .fd = fd[0] };
	*stream = (struct stream){ .fd = fd[1] };
	if (kind != TLS)
		return;
	peer->tls = tls_connect_new(client, fd[0], NULL, "a.example");
	stream->tls = tls_accept_new(server, fd[1], "here");
	rig_join(peer->tls, stream->tls);
}

static void
setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	ca = rig_issue(NULL, NULL);
	leaf = rig_issue(&ca, "DNS:a.example");
	client = rig_client(&ca, NULL);
	server = rig_server(&leaf);
	base = event_base_new();
	set = drain_set_new(base, 2);
}

static void
teardown(void)
{
	drain_set_free(set);
	event_base_free(base);
	tls_context_free(client);
	tls_context_free(server);
	rig_cert_fini(&ca);
	rig_cert_fini(&leaf);
}

static void
run(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Reads to the end of file; returns how much came, -1 for an error. */
static ssize_t
read_all(const struct stream *peer, char *buf, size_t size)
{
	size_t got = 0;
	ssize_t n;

	for (;;) {
		run();
		n = stream_read(peer, buf + got, size - got);
		if (n == 0)
			return (ssize_t)got;
		if (n > 0)
			got += (size_t)n;
		else if (errno != EAGAIN)
			return -1;
	}
}

/* Drains the other end of a new connection; says which descriptor it is. */
static int
start(int kind, struct stream *peer, const void *text, size_t len)
{
	struct stream stream;
	int fd;

	open_pair(kind, peer, &stream);
	fd = stream.fd;
	drain_start(set, &stream, text, len);
	ck_assert_int_eq(stream.fd, -1);
	ck_assert_ptr_null(stream.tls);
	return fd;
}

static void
wait_for_all(void)
{
	while (drain_count(set) > 0)
		event_base_loop(base, EVLOOP_ONCE);
}

/* The peer has sent bytes that nobody has read, and goes on sending. */
START_TEST(answer_arrives)
{
	static const char junk[4096];
	struct stream peer, stream;
	char buf[16];
	int fd, i;

	open_pair(_i, &peer, &stream);
	fd = stream.fd;
	ck_assert_int_eq(stream_write(&peer, junk, sizeof(junk)), sizeof(junk));
	drain_start(set, &stream, "answer", 6);
	ck_assert_uint_eq(drain_count(set), 1);
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(
		    stream_write(&peer, junk, sizeof(junk)), sizeof(junk));
		run();
	}
	ck_assert_int_eq(read_all(&peer, buf, sizeof(buf)), 6);
	ck_assert_mem_eq(buf, "answer", 6);
	ck_assert_uint_eq(drain_count(set), 1);
	stream_close(&peer);
	wait_for_all();
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

/* One that does not fit into the socket at once. */
START_TEST(long_answer)
{
	const size_t len = 8 * 1024 * 1024;
	char *text = malloc(len), *buf = malloc(len + 1);
	struct stream peer;
	size_t i;

	for (i = 0; i < len; i++)
		text[i] = (char)(i * 7 + i / 251);
	start(_i, &peer, text, len);
	ck_assert_int_eq(stream_write(&peer, "x", 1), 1);
	ck_assert_int_eq(stream_shutdown(&peer), 0); /* he only listens now */
	ck_assert_int_eq(read_all(&peer, buf, len + 1), (ssize_t)len);
	ck_assert(memcmp(text, buf, len) == 0);
	wait_for_all();
	stream_close(&peer);
	free(text);
	free(buf);
}
END_TEST

START_TEST(nothing_to_say)
{
	struct stream peer;
	char c;

	start(_i, &peer, NULL, 0);
	ck_assert_int_eq(read_all(&peer, &c, 1), 0);
	ck_assert_uint_eq(drain_count(set), 1);
	stream_close(&peer);
	wait_for_all();
}
END_TEST

/* The third is closed at once, with the answer on its way all the same. */
START_TEST(set_is_full)
{
	struct stream peer[3];
	char buf[8];
	int fd, i;

	for (i = 0; i < 3; i++)
		fd = start(_i, &peer[i], "bye", 3);
	ck_assert_uint_eq(drain_count(set), 2);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(read_all(&peer[2], buf, sizeof(buf)), 3);
	for (i = 0; i < 3; i++)
		stream_close(&peer[i]);
}
END_TEST

/* A peer that never ends is cut off, at a moment or at a count. */
START_TEST(deadline)
{
	struct stream peer, stream;
	char buf[8];
	int fd;

	open_pair(_i, &peer, &stream);
	fd = stream.fd;
	net_reset_on_close(fd); /* must not count */
	drain_start(set, &stream, "bye", 3);
	while (drain_count(set) > 0)
		ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(read_all(&peer, buf, sizeof(buf)), 3);
	stream_close(&peer);
}
END_TEST

START_TEST(bytes_are_limited)
{
	static const char junk[65536];
	struct stream peer;
	size_t sent = 0;
	ssize_t n;

	start(_i, &peer, "bye", 3);
	while (drain_count(set) > 0) {
		n = stream_write(&peer, junk, sizeof(junk));
		if (n > 0)
			sent += (size_t)n;
		run();
	}
	/* Of TLS what is on the wire counts. */
	ck_assert_uint_ge(sent, DRAIN_BYTES - (_i == TLS ? 32768 : 0));
	stream_close(&peer);
}
END_TEST

START_TEST(freed_while_draining)
{
	struct stream peer;
	char buf[8];
	int fd = start(_i, &peer, "bye", 3);

	drain_set_free(set);
	set = NULL;
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(read_all(&peer, buf, sizeof(buf)), 3);
	stream_close(&peer);
}
END_TEST

/* close_notify waits for room, as an answer does: without it the peer would
 * take the answer for one that was cut short. */
START_TEST(close_notify_waits_for_room)
{
	static char junk[100000];
	struct stream peer, stream;
	size_t put = 0, got = 0;
	ssize_t n;
	int i;

	open_pair(TLS, &peer, &stream);
	/* Past TLS, until the kernel at either end is full. */
	for (i = 0; i < 100; i++) {
		n = write(stream.fd, junk, sizeof(junk));
		put += n > 0 ? (size_t)n : 0;
		i = n > 0 ? 0 : i;
		run();
	}
	drain_start(set, &stream, NULL, 0);
	for (;;) {
		run();
		n = read(peer.fd, junk, sizeof(junk));
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	ck_assert_uint_gt(got, put);
	stream_close(&peer);
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
	tcase_add_loop_test(tc, answer_arrives, 0, KINDS);
	tcase_add_loop_test(tc, long_answer, 0, KINDS);
	tcase_add_loop_test(tc, nothing_to_say, 0, KINDS);
	tcase_add_loop_test(tc, set_is_full, 0, KINDS);
	tcase_add_loop_test(tc, deadline, 0, KINDS);
	tcase_add_loop_test(tc, bytes_are_limited, 0, KINDS);
	tcase_add_loop_test(tc, freed_while_draining, 0, KINDS);
	tcase_add_test(tc, close_notify_waits_for_room);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

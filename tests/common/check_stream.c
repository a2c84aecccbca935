/* SPDX-License-Identifier: ISC
 *
 * Streams: that a connection is read and written in the same way with TLS and
 * without. Each test runs over Unix and TCP sockets, in clear and with TLS.
 */
#define _GNU_SOURCE

#include "common/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "tests/common/pair_rig.h"
#include "tests/common/tls_rig.h"

#define KINDS	4
#define WAIT_MS 20000

static struct stream near = STREAM_NONE, far = STREAM_NONE;
static struct rig_cert ca, leaf;
static struct tls_context *client, *server;

static void
setup(void)
{
	ca = rig_issue(NULL, NULL);
	leaf = rig_issue(&ca, "DNS:a.example");
	client = rig_client(&ca, NULL);
	server = rig_server(&leaf);
}

static void
teardown(void)
{
	stream_close(&near);
	stream_close(&far);
	tls_context_free(client);
	tls_context_free(server);
	rig_cert_fini(&ca);
	rig_cert_fini(&leaf);
}

/* Bit 0 of `kind` says TCP, bit 1 TLS. */
static void
open_pair(int kind)
{
	int fd[2];

	small_pair(kind & 1, fd);
	near.fd = fd[0];
	far.fd = fd[1];
	if (!(kind & 2))
		return;
	signal(SIGPIPE, SIG_IGN);
	near.tls = tls_connect_new(client, fd[0], NULL, "a.example");
	far.tls = tls_accept_new(server, fd[1], "here");
	rig_join(near.tls, far.tls);
}

static void
say(const char *text)
{
	ck_assert_int_eq(stream_write(&near, text, strlen(text)), strlen(text));
}

/* Looks until so many bytes have come. */
static void
wait_for(const char *text)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	size_t len = strlen(text);
	char buf[64];

	while (stream_peek(&far, buf, sizeof(buf)) < (ssize_t)len)
		ck_assert_msg(clock_ms() < deadline, "waited in vain");
	ck_assert_int_eq(stream_peek(&far, buf, sizeof(buf)), len);
	ck_assert_mem_eq(buf, text, len);
}

static void
wait_for_end(void)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	ssize_t n;
	char c;

	while ((n = stream_read(&far, &c, 1)) == -1 && errno == EAGAIN)
		ck_assert_msg(clock_ms() < deadline, "waited in vain");
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(stream_peek(&far, &c, 1), 0);
}

START_TEST(bytes)
{
	char buf[16];

	open_pair(_i);
	ck_assert_int_eq(stream_read(&far, buf, 16), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(stream_peek(&far, buf, 16), -1);
	ck_assert_int_eq(errno, EAGAIN);
	say("hello");
	wait_for("hello");
	ck_assert_int_eq(stream_peek(&far, buf, 2), 2);
	ck_assert_int_eq(stream_read(&far, buf, 3), 3);
	ck_assert_mem_eq(buf, "hel", 3);
	wait_for("lo");
	/* It is on its way as soon as the rest is. */
	ck_assert_int_eq(stream_write_more(&near, ", ", 2), 2);
	say("world");
	wait_for("lo, world");
	ck_assert_int_eq(stream_shutdown(&near), 0);
	ck_assert_int_eq(stream_read(&far, buf, 16), 9);
	wait_for_end();
	/* The other way is still open. */
	ck_assert_int_eq(stream_write(&far, "x", 1), 1);
}
END_TEST

START_TEST(full)
{
	static const char much[1024 * 1024];
	size_t n = 0;

	open_pair(_i);
	while (stream_write(&near, much, sizeof(much)) > 0)
		ck_assert_uint_lt(n++, 1000);
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(skips)
{
	static char much[20000];
	uint64_t deadline = clock_ms() + WAIT_MS;
	size_t sent = 0;

	open_pair(_i);
	say("preamble, text");
	wait_for("preamble, text");
	ck_assert_int_eq(stream_skip(&far, 0), 0);
	ck_assert_int_eq(stream_skip(&far, 10), 0);
	wait_for("text");
	ck_assert_int_eq(stream_skip(&far, 5), -1);
	ck_assert_int_eq(errno, EAGAIN);
	/* More than one piece, all of which has been seen. */
	while (sent < sizeof(much) ||
	       stream_peek(&far, much, sizeof(much)) < 20000) {
		ssize_t n = sent == sizeof(much) ? 0
						 : stream_write(&near, much,
						       sizeof(much) - sent);

		sent += n > 0 ? (size_t)n : 0;
		ck_assert_msg(clock_ms() < deadline, "waited in vain");
	}
	ck_assert_int_eq(stream_skip(&far, sizeof(much)), 0);
	ck_assert_int_eq(stream_shutdown(&near), 0);
	while (stream_skip(&far, 1) == -1 && errno == EAGAIN)
		ck_assert_msg(clock_ms() < deadline, "waited in vain");
	ck_assert_int_eq(stream_skip(&far, 1), -1);
	ck_assert_int_eq(errno, ENODATA);
}
END_TEST

START_TEST(moves_and_closes)
{
	struct stream moved;
	int fd;

	open_pair(_i);
	moved = stream_take(&near);
	ck_assert_int_eq(near.fd, -1);
	ck_assert_ptr_null(near.tls);
	fd = moved.fd;
	ck_assert_int_eq(stream_write(&moved, "x", 1), 1);
	wait_for("x");
	stream_close(&moved);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(moved.fd, -1);
	ck_assert_ptr_null(moved.tls);
	stream_close(&moved);
}
END_TEST

/* In clear no signal comes even if nobody ignores it. */
START_TEST(nobody_listens)
{
	uint64_t deadline = clock_ms() + WAIT_MS;

	open_pair(_i);
	if (!(_i & 2))
		signal(SIGPIPE, SIG_DFL);
	stream_close(&far);
	while (stream_write(&near, "x", 1) == 1 ||
	       stream_write_more(&near, "x", 1) == 1)
		ck_assert_msg(clock_ms() < deadline, "waited in vain");
	ck_assert(errno == EPIPE || errno == ECONNRESET);
	ck_assert_int_eq(stream_write(&near, "x", 1), -1);
	ck_assert_int_eq(stream_shutdown(&near), 0);
}
END_TEST

START_TEST(buffered)
{
	struct event_base *base = event_base_new();
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct bufferevent *bev;
	struct evbuffer *in;
	int fd;

	open_pair(_i);
	say("one, ");
	wait_for("one, ");
	fd = far.fd;
	bev = stream_bufferevent(base, &far);
	ck_assert_ptr_nonnull(bev);
	in = bufferevent_get_input(bev);
	bufferevent_enable(bev, EV_READ);
	say("two");
	while (evbuffer_get_length(in) < 8) {
		ck_assert_msg(clock_ms() < deadline, "waited in vain");
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert_mem_eq(evbuffer_pullup(in, 8), "one, two", 8);
	bufferevent_free(bev);
	event_base_free(base);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(stream_write(&far, "x", 1), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stream");
	TCase *tc = tcase_create("stream");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, bytes, 0, KINDS);
	tcase_add_loop_test(tc, full, 0, KINDS);
	tcase_add_loop_test(tc, skips, 0, KINDS);
	tcase_add_loop_test(tc, moves_and_closes, 0, KINDS);
	tcase_add_loop_test(tc, nobody_listens, 0, KINDS);
	tcase_add_loop_test(tc, buffered, 0, KINDS);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

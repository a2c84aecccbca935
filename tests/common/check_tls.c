/* SPDX-License-Identifier: ISC
 *
 * TLS connections as their bytes are read and written: as a socket's, with an
 * end that tells whether somebody has cut it. Each test runs over Unix and
 * TCP sockets, with TLS 1.2 and 1.3.
 */
#define _GNU_SOURCE

#include "common/tls_context.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "common/net.h"
#include "tests/common/pair_rig.h"
#include "tests/common/tls_rig.h"

#define WAIT_MS	   20000
#define BULK	   (2 * 1024 * 1024)
#define KINDS	   4
#define RECORD	   16384 /* the largest */
#define PATIENCE   (clock_ms() + WAIT_MS)
#define HOST	   "tunnel.example"
#define IN_TIME(t) ck_assert_msg(clock_ms() < (t), "waited in vain")

static struct rig_cert ca, leaf;
static struct tls_context *client, *server;
static struct tls *near, *far; /* the client and the server */
static int fd[2];	       /* of near and far */
static char bulk[BULK + 1];

static void
setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	ca = rig_issue(NULL, NULL);
	leaf = rig_issue(&ca, "DNS:" HOST);
	client = rig_client(&ca, NULL);
	server = rig_server(&leaf);
	for (size_t i = 0; i < sizeof(bulk); i++)
		bulk[i] = (char)(i * 31 + i / 257 + i / 65537);
}

static void
open_pair(int kind)
{
	small_pair(kind & 1, fd);
	SSL_CTX_set_max_proto_version(tls_context_ssl(client),
	    kind & 2 ? TLS1_3_VERSION : TLS1_2_VERSION);
	near = tls_connect_new(client, fd[0], HOST, HOST);
	far = tls_accept_new(server, fd[1], "here");
	rig_join(near, far);
}

static void
teardown(void)
{
	tls_free(near);
	tls_free(far);
	near = far = NULL;
	if (fd[0] != -1)
		close(fd[0]);
	if (fd[1] != -1)
		close(fd[1]);
	tls_context_free(client);
	tls_context_free(server);
	rig_cert_fini(&ca);
	rig_cert_fini(&leaf);
}

static void
close_fd(int *one)
{
	close(*one);
	*one = -1;
}

/* --- helpers -------------------------------------------------------------- */

static void
say(struct tls *t, const char *text)
{
	ck_assert_int_eq(tls_write(t, text, strlen(text)), strlen(text));
}

/* Exactly this comes next. */
static void
hear(struct tls *t, const char *text)
{
	size_t len = strlen(text), got = 0;
	uint64_t deadline = PATIENCE;
	char buf[256];
	ssize_t n;

	while (got < len) {
		IN_TIME(deadline);
		n = tls_read(t, buf + got, len - got);
		ck_assert(n > 0 || (n == -1 && errno == EAGAIN));
		got += n > 0 ? (size_t)n : 0;
	}
	ck_assert_mem_eq(buf, text, len);
}

/* Next comes this end, and whoever asks again is told the same. */
static void
hear_end(struct tls *t, int error)
{
	uint64_t deadline = PATIENCE;
	ssize_t n;
	char c;

	while ((n = tls_read(t, &c, 1)) == -1 && errno == EAGAIN)
		IN_TIME(deadline);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(n, error == 0 ? 0 : -1);
		if (error != 0)
			ck_assert_int_eq(errno, error);
		n = i == 1 ? tls_peek(t, &c, 1) : tls_read(t, &c, 1);
	}
	ck_assert_str_ne(tls_why(t), "");
}

static void
hear_nothing(struct tls *t)
{
	char c;

	ck_assert_int_eq(tls_read(t, &c, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

static void
refuses(struct tls *t, int error)
{
	ck_assert_int_eq(tls_write(t, "x", 1), -1);
	ck_assert_int_eq(errno, error);
}

/* Waits until the kernel has `n` bytes for this end. */
static void
wait_for_bytes(int one, size_t n)
{
	uint64_t deadline = PATIENCE;
	static char buf[BULK];

	while (recv(one, buf, sizeof(buf), MSG_PEEK) < (ssize_t)n)
		IN_TIME(deadline);
}

/* What `text` is on the wire: written at the near end, taken from the far one
 * before TLS has seen it. */
static size_t
on_the_wire(const char *text, size_t len, char *wire, size_t size)
{
	uint64_t deadline = PATIENCE;
	size_t got = 0, sent = 0;
	ssize_t n;

	while (sent < len || got < len + 20) {
		IN_TIME(deadline);
		if (sent < len) {
			n = tls_write(near, text + sent, len - sent);
			sent += n > 0 ? (size_t)n : 0;
		}
		n = read(fd[1], wire + got, size - got);
		got += n > 0 ? (size_t)n : 0;
	}
	return got;
}

/* --- reading and writing -------------------------------------------------- */

START_TEST(small)
{
	char c[4];

	open_pair(_i);
	hear_nothing(near);
	hear_nothing(far);
	say(near, "hello");
	hear(far, "hello");
	say(far, "good day");
	hear(near, "good day");
	ck_assert_int_eq(tls_write(near, "", 0), 0);
	hear_nothing(far);
	say(near, "abc");
	wait_for_bytes(fd[1], 3);
	ck_assert_int_eq(tls_read(far, c, SIZE_MAX), 3);
	ck_assert_str_eq(tls_why(near), "");
}
END_TEST

/* Neither end can go on; each has bytes for the other one. What could not be
 * written is written from another place later. */
START_TEST(full_both_ways)
{
	struct tls *ends[2];
	static char copy[BULK], got[BULK];
	size_t sent[2] = { 0 }, have[2] = { 0 };
	uint64_t deadline = PATIENCE;
	ssize_t n = 0;

	open_pair(_i);
	ends[0] = near;
	ends[1] = far;
	for (int i = 0; i < 2; i++) {
		while ((n = tls_write(
			    ends[i], bulk + sent[i], BULK - sent[i])) > 0) {
			ck_assert_int_le(n, RECORD);
			sent[i] += (size_t)n;
		}
		ck_assert_int_eq(errno, EAGAIN);
		ck_assert_uint_gt(sent[i], 0);
		ck_assert_uint_lt(sent[i], BULK);
	}
	memcpy(copy, bulk, BULK);
	while (have[0] < BULK || have[1] < BULK)
		for (int i = 0; i < 2; i++) {
			IN_TIME(deadline);
			n = sent[i] == BULK ? 0
					    : tls_write(ends[i], copy + sent[i],
						  BULK - sent[i]);
			ck_assert(n >= 0 || errno == EAGAIN);
			sent[i] += n > 0 ? (size_t)n : 0;
			n = tls_read(ends[1 - i], got, sizeof(got));
			ck_assert(n > 0 || (n == -1 && errno == EAGAIN));
			if (n <= 0)
				continue;
			ck_assert(memcmp(got, bulk + have[i], (size_t)n) == 0);
			have[i] += (size_t)n;
		}
	hear_nothing(near);
	hear_nothing(far);
}
END_TEST

/* Each byte by itself, and each but the last is not yet the whole record. */
START_TEST(byte_by_byte)
{
	char wire[256];
	size_t len;

	open_pair(_i);
	len = on_the_wire("slowly", 6, wire, sizeof(wire));
	for (size_t i = 0; i < len; i++) {
		hear_nothing(far);
		ck_assert_int_eq(write(fd[0], wire + i, 1), 1);
		wait_for_bytes(fd[1], 1);
	}
	hear(far, "slowly");
	hear_nothing(far);
}
END_TEST

/* What came together is read without another look at the socket. */
START_TEST(many_records_at_once)
{
	open_pair(_i);
	for (int i = 0; i < 100; i++)
		say(near, "0123456789");
	wait_for_bytes(fd[1], 100 * 10);
	for (int i = 0; i < 1000; i += 25) {
		hear(far, i % 2 == 0 ? "0123456789012345678901234"
				     : "5678901234567890123456789");
	}
	hear_nothing(far);
}
END_TEST

/* --- ends ----------------------------------------------------------------- */

START_TEST(close_notify)
{
	open_pair(_i);
	say(near, "bye");
	ck_assert_int_eq(tls_shutdown(near), 0);
	close_fd(&fd[0]);
	hear(far, "bye");
	hear_end(far, 0);
}
END_TEST

/* Each way by itself: whoever has said all still hears all. */
START_TEST(half_close)
{
	open_pair(_i);
	ck_assert_int_eq(tls_shutdown(near), 0);
	hear_end(far, 0);
	say(far, "answer");
	hear(near, "answer");
	say(far, "more");
	/* To say it once more does no harm while bytes wait. */
	wait_for_bytes(fd[0], 4);
	ck_assert_int_eq(tls_shutdown(near), 0);
	hear(near, "more");
	refuses(near, EPIPE);
	say(far, "still more");
	hear(near, "still more");
	ck_assert_int_eq(tls_shutdown(far), 0);
	hear_end(near, 0);
	ck_assert_int_eq(tls_shutdown(near), 0);
	ck_assert_int_eq(tls_shutdown(far), 0);
	refuses(far, EPIPE);
}
END_TEST

START_TEST(half_close_by_the_server)
{
	open_pair(_i);
	ck_assert_int_eq(tls_shutdown(far), 0);
	hear_end(near, 0);
	say(near, "still here");
	hear(far, "still here");
	ck_assert_int_eq(tls_shutdown(near), 0);
	hear_end(far, 0);
}
END_TEST

/* An end that anybody could have made; it ends nothing but its own way. */
START_TEST(end_without_close_notify)
{
	open_pair(_i);
	say(near, "bye");
	shutdown(fd[0], SHUT_WR);
	hear(far, "bye");
	hear_end(far, TLS_NOT_SHUT);
	say(far, "an answer all the same");
	hear(near, "an answer all the same");
	ck_assert_int_eq(tls_shutdown(far), 0);
	hear_end(near, 0);
}
END_TEST

START_TEST(end_within_a_record)
{
	char wire[256];
	size_t len;

	open_pair(_i);
	len = on_the_wire("cut off", 7, wire, sizeof(wire));
	ck_assert_int_eq(write(fd[0], wire, len - 1), len - 1);
	shutdown(fd[0], SHUT_WR);
	hear_end(far, TLS_NOT_SHUT);
}
END_TEST

START_TEST(no_tls)
{
	open_pair(_i);
	say(near, "tls");
	ck_assert_int_eq(write(fd[0], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	hear(far, "tls");
	hear_end(far, EPROTO);
	refuses(far, EPIPE); /* an alert has been sent */
	ck_assert_int_eq(tls_shutdown(far), 0);
	ck_assert_str_eq(tls_why(far), "wrong version number");
}
END_TEST

START_TEST(changed_on_the_way)
{
	char wire[256];
	size_t len;

	open_pair(_i);
	len = on_the_wire("1000 pounds", 11, wire, sizeof(wire));
	wire[len - 1] ^= 1;
	ck_assert_int_eq(write(fd[0], wire, len), len);
	hear_end(far, EPROTO);
	ck_assert_str_eq(tls_why(far), "decryption failed or bad record mac");
	hear_end(near, EPROTO); /* who is told of it */
}
END_TEST

START_TEST(reset)
{
	open_pair(_i | 1);
	say(near, "bye");
	net_reset_on_close(fd[0]);
	close_fd(&fd[0]);
	hear(far, "bye");
	hear_end(far, ECONNRESET);
	ck_assert_str_eq(tls_why(far), "Connection reset by peer");
}
END_TEST

/* He is gone, but what he had said before is still heard. */
START_TEST(last_words)
{
	open_pair(_i & ~1);
	say(near, "last words");
	ck_assert_int_eq(tls_shutdown(near), 0);
	close_fd(&fd[0]);
	refuses(far, EPIPE);
	refuses(far, EPIPE);
	hear(far, "last words");
	hear_end(far, 0);
}
END_TEST

/* Bytes that somebody else has put into the socket leave no room. */
START_TEST(no_room_for_close_notify)
{
	static char junk[BULK];
	uint64_t deadline = PATIENCE;
	size_t put = 0, got = 0;
	ssize_t n;

	open_pair(_i);
	for (;;) {
		n = write(fd[0], junk, sizeof(junk));
		put += n > 0 ? (size_t)n : 0;
		if (n == -1 && tls_shutdown(near) == -1)
			break;
		IN_TIME(deadline);
	}
	ck_assert_int_eq(errno, EAGAIN);
	refuses(near, EPIPE); /* it has been said, if not heard */
	while (tls_shutdown(near) == -1) {
		ck_assert_int_eq(errno, EAGAIN);
		n = read(fd[1], junk, sizeof(junk));
		got += n > 0 ? (size_t)n : 0;
		IN_TIME(deadline);
	}
	shutdown(fd[0], SHUT_WR);
	while ((n = read(fd[1], junk, sizeof(junk))) != 0) {
		got += n > 0 ? (size_t)n : 0;
		IN_TIME(deadline);
	}
	ck_assert_uint_gt(got, put);
	ck_assert_uint_lt(got, put + 64);
}
END_TEST

/* A record that is half out cannot be followed by close_notify. */
START_TEST(shut_within_a_record)
{
	static char buf[RECORD];
	uint64_t deadline = PATIENCE;
	ssize_t n;

	open_pair(_i);
	while (tls_write(near, bulk, BULK) > 0)
		;
	say(far, "go on");
	ck_assert_int_eq(tls_shutdown(near), 0);
	hear(near, "go on");
	shutdown(fd[0], SHUT_WR);
	while ((n = tls_read(far, buf, sizeof(buf))) > 0 || errno == EAGAIN)
		IN_TIME(deadline);
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(errno, TLS_NOT_SHUT);
}
END_TEST

/* A peer who wants new keys, of us too, when we are only reading. */
START_TEST(new_keys)
{
	struct tls *t;
	char buf[8];
	SSL *peer;
	int i;

	small_pair(_i, fd);
	peer = SSL_new(tls_context_ssl(client));
	SSL_set_fd(peer, fd[0]);
	SSL_set_connect_state(peer);
	t = far = tls_accept_new(server, fd[1], "here");
	for (i = 0; i < 1000; i++) {
		SSL_do_handshake(peer);
		tls_handshake(t);
	}
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(
		    SSL_key_update(peer, SSL_KEY_UPDATE_REQUESTED), 1);
		ck_assert_int_eq(SSL_write(peer, "new", 3), 3);
		hear(t, "new");
		say(t, "keys");
		while (SSL_read(peer, buf, 4) != 4)
			;
		ck_assert_mem_eq(buf, "keys", 4);
	}
	SSL_free(peer);
}
END_TEST

/* --- peeking -------------------------------------------------------------- */

START_TEST(peek)
{
	char buf[64];

	open_pair(_i);
	ck_assert_int_eq(tls_peek(far, buf, sizeof(buf)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	say(near, "GET /");
	wait_for_bytes(fd[1], 5);
	ck_assert_int_eq(tls_peek(far, buf, sizeof(buf)), 5);
	ck_assert_int_eq(tls_peek(far, buf, sizeof(buf)), 5);
	ck_assert_int_eq(tls_peek(far, buf, 3), 3);
	ck_assert_mem_eq(buf, "GET", 3);
	say(near, " HTTP");
	say(near, "/1.1");
	wait_for_bytes(fd[1], 9);
	ck_assert_int_eq(tls_peek(far, buf, sizeof(buf)), 14);
	ck_assert_mem_eq(buf, "GET / HTTP/1.1", 14);
	hear(far, "GET");
	ck_assert_int_eq(tls_peek(far, buf, sizeof(buf)), 11);
	ck_assert_mem_eq(buf, " / HTTP/1.1", 11);
	say(near, " and so on");
	ck_assert_int_eq(tls_shutdown(near), 0);
	hear(far, " / HTTP/1.1 and so on");
	hear_end(far, 0);
}
END_TEST

/* It grows with what comes, up to what was asked for, and so does its place;
 * what is beyond stays in the socket. */
START_TEST(peek_at_much)
{
	static char buf[3 * RECORD];
	const size_t len = 2 * RECORD + 100, total = 4 * RECORD;
	size_t sent = 0, seen = 0, got = 0;
	uint64_t deadline = PATIENCE;
	ssize_t n;

	open_pair(_i);
	while (seen < len) {
		IN_TIME(deadline);
		n = sent == total
			? 0
			: tls_write(near, bulk + sent,
			      total - sent > 999 ? 999 : total - sent);
		sent += n > 0 ? (size_t)n : 0;
		n = tls_peek(far, buf, len);
		ck_assert(n > 0 || errno == EAGAIN);
		ck_assert(n < 0 || (size_t)n >= seen);
		seen = n > 0 ? (size_t)n : 0;
		ck_assert(memcmp(buf, bulk, seen) == 0);
	}
	while (got < total) {
		IN_TIME(deadline);
		n = sent == total ? 0
				  : tls_write(near, bulk + sent, total - sent);
		sent += n > 0 ? (size_t)n : 0;
		n = tls_read(far, buf, 1000);
		ck_assert(n > 0 || errno == EAGAIN);
		if (n > 0)
			ck_assert(memcmp(buf, bulk + got, (size_t)n) == 0);
		got += n > 0 ? (size_t)n : 0;
	}
	hear_nothing(far);
}
END_TEST

/* The end is told only when all before it has been read. */
START_TEST(peek_at_the_end)
{
	char buf[16];

	open_pair(_i);
	say(near, "bye");
	if (_i & 1)
		ck_assert_int_eq(tls_shutdown(near), 0);
	shutdown(fd[0], SHUT_WR);
	wait_for_bytes(fd[1], 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(tls_peek(far, buf, sizeof(buf)), 3);
	hear(far, "bye");
	hear_end(far, _i & 1 ? 0 : TLS_NOT_SHUT);
}
END_TEST

/* --- bufferevents --------------------------------------------------------- */

struct watched {
	struct event_base *base;
	struct bufferevent *bev;
	short what; /* the events that came */
};

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct watched *w = arg;

	(void)bev;
	w->what |= what;
}

static void
watch(struct watched *w, struct tls *t)
{
	w->base = event_base_new();
	w->bev = tls_bufferevent(w->base, t);
	w->what = 0;
	ck_assert_ptr_nonnull(w->bev);
	bufferevent_setcb(w->bev, NULL, NULL, event_cb, w);
	bufferevent_enable(w->bev, EV_READ | EV_WRITE);
}

/* Turns the loop until this is all of the input. */
static void
watch_for(struct watched *w, const char *text, size_t len)
{
	struct evbuffer *in = bufferevent_get_input(w->bev);
	uint64_t deadline = PATIENCE;

	while (evbuffer_get_length(in) < len) {
		IN_TIME(deadline);
		event_base_loop(w->base, EVLOOP_NONBLOCK);
	}
	ck_assert_uint_eq(evbuffer_get_length(in), len);
	ck_assert(memcmp(evbuffer_pullup(in, -1), text, len) == 0);
	evbuffer_drain(in, len);
}

static void
watch_for_end(struct watched *w, short what)
{
	uint64_t deadline = PATIENCE;

	while (w->what == 0) {
		IN_TIME(deadline);
		event_base_loop(w->base, EVLOOP_NONBLOCK);
	}
	ck_assert_int_eq(w->what, BEV_EVENT_READING | what);
	bufferevent_free(w->bev);
	event_base_free(w->base);
	/* Neither is closed by it. */
	ck_assert_int_ne(fcntl(fd[1], F_GETFD), -1);
}

START_TEST(bufferevent)
{
	struct watched w;
	char buf[4];

	open_pair(_i);
	say(near, "first");
	say(near, "second");
	wait_for_bytes(fd[1], 11);
	ck_assert_int_eq(tls_peek(far, buf, 4), 4);
	watch(&w, far);
	watch_for(&w, "firstsecond", 11);
	say(near, "third");
	say(near, "fourth");
	watch_for(&w, "thirdfourth", 11);
	bufferevent_write(w.bev, "answer", 6);
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	hear(near, "answer");
	ck_assert_int_eq(tls_shutdown(near), 0);
	shutdown(fd[0], SHUT_WR);
	watch_for_end(&w, BEV_EVENT_EOF);
}
END_TEST

/* A record of which a part is inside OpenSSL already. */
START_TEST(bufferevent_within_a_record)
{
	char wire[256], buf[4];
	struct watched w;
	size_t len;

	open_pair(_i);
	len = on_the_wire("in two parts", 12, wire, sizeof(wire));
	ck_assert_int_eq(write(fd[0], wire, 10), 10);
	wait_for_bytes(fd[1], 10);
	ck_assert_int_eq(tls_peek(far, buf, sizeof(buf)), -1);
	watch(&w, far);
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(write(fd[0], wire + 10, len - 10), len - 10);
	watch_for(&w, "in two parts", 12);
	shutdown(fd[0], SHUT_WR);
	/* Who only listens to clients takes this for an end like others. */
	watch_for_end(&w, BEV_EVENT_EOF);
}
END_TEST

START_TEST(bufferevent_garbage)
{
	struct watched w;

	open_pair(_i);
	watch(&w, far);
	ck_assert_int_eq(write(fd[0], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	watch_for_end(&w, BEV_EVENT_ERROR);
}
END_TEST

/* It begins with what is here, not with all that a hasty peer can send. */
START_TEST(bufferevent_of_a_flood)
{
	struct event_base *base = event_base_new();
	struct bufferevent *bev;
	int big = BULK;
	size_t len;

	open_pair(_i & ~1);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	while (tls_write(near, bulk, 1000) > 0)
		;
	wait_for_bytes(fd[1], 100000);
	bev = tls_bufferevent(base, far);
	len = evbuffer_get_length(bufferevent_get_input(bev));
	ck_assert_uint_le(len, 2 * RECORD);
	bufferevent_free(bev);
	event_base_free(base);
}
END_TEST

#define ADD(tc, fn) tcase_add_loop_test(tc, fn, 0, KINDS)

static TCase *
bytes_case(void)
{
	TCase *tc = tcase_create("bytes");

	ADD(tc, small);
	ADD(tc, full_both_ways);
	ADD(tc, byte_by_byte);
	ADD(tc, many_records_at_once);
	tcase_add_loop_test(tc, new_keys, 0, 2);
	ADD(tc, peek);
	ADD(tc, peek_at_much);
	ADD(tc, peek_at_the_end);
	return tc;
}

static TCase *
ends_case(void)
{
	TCase *tc = tcase_create("ends");

	ADD(tc, close_notify);
	ADD(tc, half_close);
	ADD(tc, half_close_by_the_server);
	ADD(tc, end_without_close_notify);
	ADD(tc, end_within_a_record);
	ADD(tc, no_tls);
	ADD(tc, changed_on_the_way);
	ADD(tc, reset);
	ADD(tc, last_words);
	ADD(tc, no_room_for_close_notify);
	ADD(tc, shut_within_a_record);
	return tc;
}

static TCase *
bufferevents_case(void)
{
	TCase *tc = tcase_create("bufferevents");

	ADD(tc, bufferevent);
	ADD(tc, bufferevent_within_a_record);
	ADD(tc, bufferevent_garbage);
	ADD(tc, bufferevent_of_a_flood);
	return tc;
}

int
main(void)
{
	TCase *cases[] = { bytes_case(), ends_case(), bufferevents_case() };
	Suite *s = suite_create("tls");
	SRunner *sr;
	int failed;

	for (size_t i = 0; i < 3; i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		tcase_set_timeout(cases[i], 60);
		suite_add_tcase(s, cases[i]);
	}
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

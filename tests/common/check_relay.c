/* SPDX-License-Identifier: ISC
 *
 * The relay, between real sockets: the test is the peer of both ends. Tests
 * of moving bytes run four times: over Unix and TCP sockets, with pipes and
 * without.
 *
 *   near <--> A [relay] B <--> far
 */
#define _GNU_SOURCE

#include "common/relay.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/net.h"

#define MIB	(1024 * 1024)
#define PATTERN 1000003 /* a prime: no multiple of any buffer */
#define WAIT_MS 20000	/* a test that waits longer has failed */
#define KINDS	4

static struct event_base *base;
static struct relay_env *env;
static struct relay *relay;
static int near_fd, a_fd, b_fd, far_fd;
static bool is_done;
static enum relay_end how;
static void (*script)(struct relay_view *);
static char *pattern;
static uint64_t seen;  /* bytes an inspector was shown */
static unsigned asked; /* how often */

static void
tcp_pair(int *one, int *two)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = 65536;

	/* Small buffers, which are inherited: full ones are soon made. */
	setsockopt(l, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	*one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(*one, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(*one, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	ck_assert_int_eq(connect(*one, (struct sockaddr *)&sin, len), 0);
	*two = accept(l, NULL, NULL);
	ck_assert_int_ne(*two, -1);
	close(l);
}

static void
pair(bool is_tcp, int *one, int *two)
{
	int fd[2];

	if (is_tcp) {
		tcp_pair(one, two);
	} else {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
		*one = fd[0];
		*two = fd[1];
	}
	fcntl(*one, F_SETFL, O_NONBLOCK);
	fcntl(*two, F_SETFL, O_NONBLOCK);
}

static void
inspect(void *arg, struct relay_view *v)
{
	ck_assert_ptr_eq(arg, &relay);
	seen += v->len;
	asked++;
	script(v);
}

static void
done(void *arg, enum relay_end end)
{
	ck_assert_ptr_eq(arg, &relay);
	ck_assert(!is_done);
	is_done = true;
	how = end;
	relay_free(relay);
	relay = NULL;
}

static const struct relay_ops ops = { .inspect = inspect, .done = done };

/* A relay that is not started: bit 0 of `kind` says TCP, bit 1 pipes. */
static void
make(int kind)
{
	pair(kind & 1, &near_fd, &a_fd);
	pair(kind & 1, &b_fd, &far_fd);
	env = relay_env_new(base, kind & 2 ? 4 : 0, 65536);
	relay = relay_new(env, a_fd, b_fd, &ops, &relay);
	ck_assert_ptr_nonnull(relay);
	is_done = false;
	seen = 0;
	asked = 0;
}

static void
start(void)
{
	ck_assert_int_eq(relay_start(relay), 0);
	ck_assert(!is_done);
}

static void
open_relay(int kind)
{
	make(kind);
	start();
}

static void
setup(void)
{
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	pattern = malloc(2 * PATTERN);
	for (i = 0; i < PATTERN; i++)
		pattern[i] = (char)(i * 31 + i / 257 + i / 65537);
	memcpy(pattern + PATTERN, pattern, PATTERN);
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
teardown(void)
{
	relay_free(relay);
	relay = NULL;
	ck_assert_uint_eq(relay_env_pipes(env), 0);
	relay_env_free(env);
	close_fd(&near_fd);
	close_fd(&a_fd);
	close_fd(&b_fd);
	close_fd(&far_fd);
	event_base_free(base);
	free(pattern);
}

/* --- what the peers do ---------------------------------------------------- */

static void
run(void)
{
	ck_assert_int_ne(event_base_loop(base, EVLOOP_NONBLOCK), -1);
}

/* A loop turn, as long as the test is not late. */
static void
run_until(uint64_t deadline_ms)
{
	ck_assert_msg(clock_ms() < deadline_ms, "waited in vain");
	run();
}

static void
settle_down(void)
{
	int i;

	for (i = 0; i < 20; i++)
		run();
}

static void
say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
}

/* Exactly this comes next. */
static void
hear(int fd, const char *text)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	size_t len = strlen(text), got = 0;
	char buf[4096];
	ssize_t n;

	while (got < len) {
		run_until(deadline);
		n = read(fd, buf + got, len - got);
		ck_assert_int_ne(n, 0);
		got += n > 0 ? (size_t)n : 0;
	}
	ck_assert_mem_eq(buf, text, len);
}

/* Nothing comes: neither a byte nor an end. */
static void
hear_nothing(int fd)
{
	char c;

	settle_down();
	ck_assert_int_eq(read(fd, &c, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

/* The next thing is an end of file (0) or this error. */
static void
hear_end(int fd, int error)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	ssize_t n;
	char c;

	while ((n = read(fd, &c, 1)) == -1 && errno == EAGAIN)
		run_until(deadline);
	ck_assert_int_eq(n, error == 0 ? 0 : -1);
	if (error != 0)
		ck_assert_int_eq(errno, error);
}

static void
expect_done(enum relay_end end)
{
	uint64_t deadline = clock_ms() + WAIT_MS;

	while (!is_done)
		run_until(deadline);
	ck_assert_int_eq(how, end);
	ck_assert_ptr_null(relay);
}

static void
reset(int *fd)
{
	net_reset_on_close(*fd);
	close_fd(fd);
}

/* One stream of the pattern, from one peer to the other one. */
struct stream {
	int from, to;
	uint64_t sent, got, len;
};

static void
stream_send(struct stream *s)
{
	size_t want = 200000;
	ssize_t n;

	if (s->len - s->sent < want)
		want = (size_t)(s->len - s->sent);
	if (want == 0)
		return;
	n = write(s->from, pattern + s->sent % PATTERN, want);
	ck_assert(n > 0 || errno == EAGAIN);
	s->sent += n > 0 ? (uint64_t)n : 0;
	if (s->sent == s->len)
		shutdown(s->from, SHUT_WR);
}

static void
stream_get(struct stream *s)
{
	static char buf[100000];
	ssize_t n = read(s->to, buf, sizeof(buf));

	if (n <= 0)
		return;
	ck_assert(memcmp(buf, pattern + s->got % PATTERN, (size_t)n) == 0);
	s->got += (uint64_t)n;
}

/* Writes until nothing goes any more, however often the loop turns. */
static void
stuff(struct stream *s)
{
	uint64_t before;
	int quiet = 0;

	while (quiet < 50) {
		before = s->sent;
		stream_send(s);
		run();
		quiet = s->sent == before ? quiet + 1 : 0;
	}
}

/* --- bytes ---------------------------------------------------------------- */

START_TEST(small)
{
	open_relay(_i);
	say(near_fd, "hello");
	hear(far_fd, "hello");
	say(far_fd, "good day");
	hear(near_fd, "good day");
	say(near_fd, "x");
	hear(far_fd, "x");
	ck_assert_uint_eq(relay_bytes(relay, RELAY_A_TO_B), 6);
	ck_assert_uint_eq(relay_bytes(relay, RELAY_B_TO_A), 8);
	ck_assert(relay_is_empty(relay, RELAY_A_TO_B));
	ck_assert_uint_eq(relay_env_pipes(env), 0);
}
END_TEST

START_TEST(bulk_both_ways)
{
	uint64_t deadline = clock_ms() + 3 * WAIT_MS;
	struct stream up, down;

	open_relay(_i);
	up = (struct stream){ near_fd, far_fd, 0, 0, 32 * MIB + 5 };
	down = (struct stream){ far_fd, near_fd, 0, 0, 32 * MIB + 7 };
	while (up.got < up.len || down.got < down.len) {
		stream_send(&up);
		stream_send(&down);
		run_until(deadline);
		stream_get(&up);
		stream_get(&down);
	}
	hear_end(near_fd, 0);
	hear_end(far_fd, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

/* A reader that does not read stops the writer; nothing is lost by that. */
START_TEST(slow_reader)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct stream s;

	open_relay(_i);
	s = (struct stream){ near_fd, far_fd, 0, 0, UINT64_MAX };
	stuff(&s);
	ck_assert_uint_lt(s.sent, 3 * MIB);
	ck_assert(!relay_is_empty(relay, RELAY_A_TO_B));
	ck_assert_uint_eq(relay_env_pipes(env), _i & 2 ? 1 : 0);
	say(far_fd, "unhurt"); /* the other direction */
	hear(near_fd, "unhurt");
	while (s.got < s.sent) {
		run_until(deadline);
		stream_get(&s);
	}
	settle_down();
	ck_assert_uint_eq(relay_env_pipes(env), 0);
	ck_assert_uint_eq(relay_bytes(relay, RELAY_A_TO_B), s.sent);
}
END_TEST

/* One that is freed with bytes on their way, in buffers and in pipes. */
START_TEST(freed_when_stuck)
{
	struct stream s;

	open_relay(_i);
	s = (struct stream){ near_fd, far_fd, 0, 0, UINT64_MAX };
	stuff(&s);
	relay_free(relay);
	relay = NULL;
	ck_assert_uint_eq(relay_env_pipes(env), 0);
	ck_assert_int_ne(fcntl(a_fd, F_GETFD), -1);
	ck_assert_int_ne(fcntl(b_fd, F_GETFD), -1);
	run();
	ck_assert(!is_done);
}
END_TEST

START_TEST(fed)
{
	make(_i);
	ck_assert_int_eq(relay_feed(relay, RELAY_A_TO_B, "one ", 4), 0);
	ck_assert_int_eq(relay_feed(relay, RELAY_A_TO_B, "two ", 4), 0);
	ck_assert_int_eq(relay_feed(relay, RELAY_B_TO_A, "back", 4), 0);
	ck_assert(!relay_is_empty(relay, RELAY_A_TO_B));
	say(near_fd, "three");
	start();
	hear(far_fd, "one two three");
	hear(near_fd, "back");
}
END_TEST

/* One turn moves so much and no more; the rest follows without an event. */
START_TEST(turns_are_limited)
{
	const size_t len = 300000;
	int size = MIB;

	open_relay(_i);
	setsockopt(near_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(b_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	settle_down();
	if (write(near_fd, pattern, len) != (ssize_t)len)
		return; /* this machine allows small buffers only */
	run();
	ck_assert_uint_gt(relay_bytes(relay, RELAY_A_TO_B), 0);
	ck_assert_uint_lt(relay_bytes(relay, RELAY_A_TO_B), len);
	settle_down();
	ck_assert_uint_eq(relay_bytes(relay, RELAY_A_TO_B), len);
}
END_TEST

static void
wake_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* A quiet relay does not wake: the first event is the timer of the test. */
START_TEST(idle)
{
	const struct timeval tv = clock_span(200);
	struct event *timer;

	open_relay(_i);
	say(near_fd, "a");
	hear(far_fd, "a");
	say(far_fd, "b");
	hear(near_fd, "b");
	settle_down();
	timer = event_new(base, -1, 0, wake_cb, NULL);
	event_add(timer, &tv);
	ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert(!evtimer_pending(timer, NULL));
	event_free(timer);
}
END_TEST

/* --- ends ----------------------------------------------------------------- */

START_TEST(half_close_a)
{
	open_relay(_i);
	say(near_fd, "question");
	shutdown(near_fd, SHUT_WR);
	hear(far_fd, "question");
	hear_end(far_fd, 0);
	hear_nothing(near_fd);
	say(far_fd, "answer");
	hear(near_fd, "answer");
	ck_assert(!is_done);
	close_fd(&far_fd);
	hear_end(near_fd, 0);
	expect_done(RELAY_END_EOF);
	ck_assert_int_ne(fcntl(a_fd, F_GETFD), -1);
	ck_assert_int_ne(fcntl(b_fd, F_GETFD), -1);
}
END_TEST

START_TEST(half_close_b)
{
	open_relay(_i);
	shutdown(far_fd, SHUT_WR);
	hear_end(near_fd, 0);
	say(near_fd, "still here");
	hear(far_fd, "still here");
	ck_assert(!is_done);
	shutdown(near_fd, SHUT_WR);
	hear_end(far_fd, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

/* The end comes while bytes wait for a slow reader: they come first. */
START_TEST(end_when_stuck)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct stream s;

	open_relay(_i);
	s = (struct stream){ near_fd, far_fd, 0, 0, UINT64_MAX };
	stuff(&s);
	shutdown(near_fd, SHUT_WR);
	shutdown(far_fd, SHUT_WR);
	settle_down();
	ck_assert(!is_done);
	while (s.got < s.sent) {
		run_until(deadline);
		stream_get(&s);
	}
	hear_end(far_fd, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

START_TEST(both_ended_before_the_start)
{
	make(_i);
	say(near_fd, "a");
	say(far_fd, "b");
	shutdown(near_fd, SHUT_WR);
	shutdown(far_fd, SHUT_WR);
	start();
	hear(far_fd, "a");
	hear(near_fd, "b");
	expect_done(RELAY_END_EOF);
}
END_TEST

/* The last bytes and the reset of one peer are noticed in one turn. */
START_TEST(reset_right_after_bytes)
{
	open_relay(_i);
	settle_down();
	say(near_fd, "bye");
	reset(&near_fd);
	hear(far_fd, "bye");
	expect_done(RELAY_END_RESET_A);
	close_fd(&b_fd);
	hear_end(far_fd, ECONNRESET);
}
END_TEST

START_TEST(reset_by_b)
{
	open_relay(_i);
	say(far_fd, "bye");
	hear(near_fd, "bye");
	reset(&far_fd);
	expect_done(RELAY_END_RESET_B);
	close_fd(&a_fd);
	hear_end(near_fd, ECONNRESET);
}
END_TEST

START_TEST(both_reset)
{
	struct stream s;

	open_relay(_i);
	s = (struct stream){ near_fd, far_fd, 0, 0, UINT64_MAX };
	stuff(&s);
	reset(&near_fd);
	reset(&far_fd);
	expect_done(RELAY_END_RESET_B); /* the one that is written to */
}
END_TEST

/* What was said before a reset is delivered, however slowly it is read. */
START_TEST(reset_waits_for_bytes)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct stream s;
	int queued;

	open_relay(_i);
	s = (struct stream){ near_fd, far_fd, 0, 0, UINT64_MAX };
	stuff(&s);
	do { /* some more of it gets into the relay */
		stream_get(&s);
		run_until(deadline);
		ck_assert_int_eq(ioctl(near_fd, SIOCOUTQ, &queued), 0);
	} while (queued > 0);
	reset(&near_fd);
	settle_down();
	ck_assert(!is_done);
	while (s.got < s.sent) {
		run_until(deadline);
		stream_get(&s);
	}
	expect_done(RELAY_END_RESET_A);
	close_fd(&b_fd);
	hear_end(far_fd, ECONNRESET);
}
END_TEST

/* B is gone for what A says, but its own last words are still delivered. */
START_TEST(last_words)
{
	open_relay(_i);
	settle_down();
	say(far_fd, "refused");
	shutdown(far_fd, SHUT_WR);
	say(near_fd, "a long upload");
	hear(near_fd, "refused");
	hear_end(near_fd, 0);
	reset(&far_fd);
	expect_done(RELAY_END_RESET_B);
}
END_TEST

/* --- inspectors ----------------------------------------------------------- */

static void
to_capitals(struct relay_view *v)
{
	size_t i;
	char c;

	for (i = 0; i < v->len; i++) {
		c = (char)(v->in[i] - 'a' + 'A');
		evbuffer_add(v->out, &c, 1);
	}
	v->used = v->len;
}

START_TEST(rewrites)
{
	make(_i);
	script = to_capitals;
	relay_inspect(relay, RELAY_A_TO_B);
	ck_assert_int_eq(relay_feed(relay, RELAY_A_TO_B, "fed", 3), 0);
	start();
	say(near_fd, "hello");
	hear(far_fd, "FEDHELLO");
	say(far_fd, "unseen");
	hear(near_fd, "unseen");
	say(near_fd, "bye");
	shutdown(near_fd, SHUT_WR);
	hear(far_fd, "BYE");
	hear_end(far_fd, 0);
}
END_TEST

/* A head is a line; what stands in it is how many opaque bytes follow. */
static void
by_lines(struct relay_view *v)
{
	const char *lf = memchr(v->in, '\n', v->len);

	if (v->is_eof || lf == NULL) {
		v->next = RELAY_MORE;
		return;
	}
	v->used = (size_t)(lf - v->in) + 1;
	v->opaque = strtoull(v->in, NULL, 10);
	evbuffer_add(v->out, "head\n", 5);
}

START_TEST(needs_more)
{
	const char *p;
	const char stream[] = "3\nabc12\nhello, world0\n5\n";

	make(_i);
	script = by_lines;
	relay_inspect(relay, RELAY_A_TO_B);
	start();
	for (p = stream; *p != '\0'; p++) {
		ck_assert_int_eq(write(near_fd, p, 1), 1);
		settle_down();
	}
	hear(far_fd, "head\nabchead\nhello, worldhead\nhead\n");
	say(near_fd, "12345" /* opaque */ "1\nx"
		     "77");
	hear(far_fd, "12345head\nx");
	hear_nothing(far_fd);
	ck_assert(!relay_is_empty(relay, RELAY_A_TO_B));
	shutdown(near_fd, SHUT_WR);
	hear(far_fd, "77"); /* never complete: as it is */
	hear_end(far_fd, 0);
}
END_TEST

/* The count is exact, however the bytes travel, and they travel unseen: three
 * heads with long bodies, one right after the other. */
START_TEST(opaque_is_exact)
{
	const size_t body = MIB + 1, in_len = 3 * (8 + body);
	const size_t out_len = 3 * (5 + body);
	char *in = malloc(in_len), *want = malloc(out_len);
	char *got = malloc(out_len);
	uint64_t deadline = clock_ms() + WAIT_MS;
	size_t i, sent = 0, have = 0;
	ssize_t n;

	memset(in, '\n', in_len);
	memset(want, '\n', out_len);
	for (i = 0; i < 3; i++) {
		memcpy(in + i * (8 + body), "1048577\n", 8);
		memcpy(want + i * (5 + body), "head\n", 5);
	}
	make(_i);
	script = by_lines;
	relay_inspect(relay, RELAY_A_TO_B);
	start();
	while (have < out_len) {
		n = write(near_fd, in + sent, in_len - sent);
		sent += n > 0 ? (size_t)n : 0;
		run_until(deadline);
		n = read(far_fd, got + have, out_len - have);
		have += n > 0 ? (size_t)n : 0;
	}
	ck_assert(memcmp(got, want, out_len) == 0);
	ck_assert_uint_eq(asked, 3);
	say(near_fd, "2\nok");
	hear(far_fd, "head\nok");
	free(in);
	free(want);
	free(got);
}
END_TEST

static void
hold_at_dot(struct relay_view *v)
{
	if (v->len > 0 && v->in[0] == '.') {
		v->used = 1;
		v->next = RELAY_HOLD;
	} else if (v->len > 0) {
		evbuffer_add(v->out, v->in, 1);
		v->used = 1;
	}
}

START_TEST(holds)
{
	make(_i);
	script = hold_at_dot;
	relay_inspect(relay, RELAY_A_TO_B);
	start();
	relay_resume(relay, RELAY_A_TO_B, RELAY_ALL); /* not held: nothing */
	say(near_fd, "ab.1.2.c.d.e");
	shutdown(near_fd, SHUT_WR);
	hear(far_fd, "ab");
	hear_nothing(far_fd);
	say(far_fd, "other way");
	hear(near_fd, "other way");
	relay_resume(relay, RELAY_A_TO_B, 4);
	hear(far_fd, "1.2.c");
	hear_nothing(far_fd);
	relay_resume(relay, RELAY_A_TO_B, 0);
	hear(far_fd, "d");
	hear_nothing(far_fd);
	relay_resume(relay, RELAY_A_TO_B, RELAY_ALL);
	hear(far_fd, "e");
	hear_end(far_fd, 0);
}
END_TEST

/* Nobody will answer him who is gone, and what is held is never passed. */
START_TEST(reset_while_held)
{
	make(_i);
	script = hold_at_dot;
	relay_inspect(relay, RELAY_A_TO_B);
	start();
	say(near_fd, "a.secret");
	hear(far_fd, "a");
	reset(&near_fd);
	expect_done(RELAY_END_RESET_A);
	close_fd(&b_fd);
	hear_end(far_fd, ECONNRESET);
}
END_TEST

/* Ends its direction at the first dot; one byte after that may pass. */
static void
shut_at_dot(struct relay_view *v)
{
	const char *dot = memchr(v->in, '.', v->len);

	if (dot == NULL) {
		v->opaque = v->len;
		return;
	}
	v->used = (size_t)(dot - v->in) + 1;
	v->opaque = 1;
	evbuffer_add(v->out, v->in, v->used);
	v->next = RELAY_SHUT;
}

START_TEST(shuts)
{
	make(_i);
	script = shut_at_dot;
	relay_inspect(relay, RELAY_A_TO_B);
	start();
	say(near_fd, "this.x and no more");
	hear(far_fd, "this.x");
	hear_end(far_fd, 0);
	say(near_fd, "unheard");
	say(far_fd, "answer");
	hear(near_fd, "answer");
	ck_assert(!is_done);
	ck_assert_uint_eq(asked, 1);
	shutdown(far_fd, SHUT_WR);
	hear_end(near_fd, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

static void
end_at_once(struct relay_view *v)
{
	evbuffer_add(v->out, "x", 1);
	v->next = RELAY_END_NOW;
}

START_TEST(ends)
{
	make(_i);
	script = end_at_once;
	relay_inspect(relay, RELAY_B_TO_A);
	start();
	say(far_fd, "anything");
	expect_done(RELAY_END_INSPECTOR);
	hear_nothing(near_fd);
	hear_nothing(far_fd);
}
END_TEST

/* At the end of file the inspector has the last word. */
static void
speaks_last(struct relay_view *v)
{
	if (v->is_eof) {
		ck_assert_uint_eq(v->len, 0);
		evbuffer_add(v->out, "no answer", 9);
	} else {
		v->opaque = RELAY_ALL;
	}
}

START_TEST(last_word)
{
	make(_i);
	script = speaks_last;
	relay_inspect(relay, RELAY_B_TO_A);
	start();
	shutdown(far_fd, SHUT_WR);
	hear(near_fd, "no answer");
	hear_end(near_fd, 0);
	ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(no_last_word)
{
	make(_i);
	script = speaks_last;
	relay_inspect(relay, RELAY_B_TO_A);
	start();
	say(far_fd, "answer");
	shutdown(far_fd, SHUT_WR);
	hear(near_fd, "answer");
	hear_end(near_fd, 0);
	ck_assert_uint_eq(asked, 1);
}
END_TEST

/* An inspector of one direction frees the other one. */
static void
answers_release(struct relay_view *v)
{
	if (v->dir == RELAY_A_TO_B) {
		hold_at_dot(v);
		return;
	}
	relay_resume(relay, RELAY_A_TO_B, RELAY_ALL);
	v->opaque = RELAY_ALL;
}

START_TEST(resumed_by_the_other)
{
	make(_i);
	script = answers_release;
	relay_inspect(relay, RELAY_A_TO_B);
	relay_inspect(relay, RELAY_B_TO_A);
	start();
	say(near_fd, "x.frames");
	hear(far_fd, "x");
	hear_nothing(far_fd);
	say(far_fd, "101");
	hear(near_fd, "101");
	hear(far_fd, "frames");
}
END_TEST

#define ADD(tc, fn) tcase_add_loop_test(tc, fn, 0, KINDS)
#define ADD_TCP(tc, fn)                                                        \
	do {                                                                   \
		tcase_add_loop_test(tc, fn, 1, 2);                             \
		tcase_add_loop_test(tc, fn, 3, 4);                             \
	} while (0)

static TCase *
bytes_case(void)
{
	TCase *tc = tcase_create("bytes");

	ADD(tc, small);
	ADD(tc, bulk_both_ways);
	ADD(tc, slow_reader);
	ADD(tc, freed_when_stuck);
	ADD(tc, fed);
	ADD(tc, idle);
	tcase_add_loop_test(tc, turns_are_limited, 0, 1);
	tcase_add_loop_test(tc, turns_are_limited, 2, 3);
	return tc;
}

static TCase *
ends_case(void)
{
	TCase *tc = tcase_create("ends");

	ADD(tc, half_close_a);
	ADD(tc, half_close_b);
	ADD(tc, end_when_stuck);
	ADD(tc, both_ended_before_the_start);
	ADD_TCP(tc, reset_right_after_bytes);
	ADD_TCP(tc, reset_by_b);
	ADD_TCP(tc, both_reset);
	ADD_TCP(tc, reset_waits_for_bytes);
	ADD_TCP(tc, last_words);
	return tc;
}

static TCase *
inspector_case(void)
{
	TCase *tc = tcase_create("inspector");

	ADD(tc, rewrites);
	ADD(tc, needs_more);
	ADD(tc, opaque_is_exact);
	ADD(tc, holds);
	ADD_TCP(tc, reset_while_held);
	ADD(tc, shuts);
	ADD(tc, ends);
	ADD(tc, last_word);
	ADD(tc, no_last_word);
	ADD(tc, resumed_by_the_other);
	return tc;
}

int
main(void)
{
	TCase *cases[] = { bytes_case(), ends_case(), inspector_case() };
	Suite *s = suite_create("relay");
	SRunner *sr;
	int failed;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		tcase_set_timeout(cases[i], 120);
		suite_add_tcase(s, cases[i]);
	}
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * The relay: that every byte arrives, that a slow reader is waited for, and
 * how connections end.
 */
#define _GNU_SOURCE

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>

#include "tests/common/relay_rig.h"

/* --- bytes ---------------------------------------------------------------- */

START_TEST(small)
{
	open_relay(_i);
	say(&near, "hello");
	hear(&far, "hello");
	say(&far, "good day");
	hear(&near, "good day");
	say(&near, "x");
	hear(&far, "x");
	ck_assert_uint_eq(relay_bytes(relay, RELAY_A_TO_B), 6);
	ck_assert_uint_eq(relay_bytes(relay, RELAY_B_TO_A), 8);
	ck_assert(relay_is_empty(relay, RELAY_A_TO_B));
	ck_assert_uint_eq(relay_env_pipes(env), 0);
}
END_TEST

START_TEST(bulk_both_ways)
{
	uint64_t deadline = clock_ms() + 3 * WAIT_MS;
	struct flood up, down;

	open_relay(_i);
	up = (struct flood){ &near, &far, 0, 0, 32 * MIB + 5, false };
	down = (struct flood){ &far, &near, 0, 0, 32 * MIB + 7, false };
	while (up.got < up.len || down.got < down.len || !up.is_shut ||
	       !down.is_shut) {
		flood_send(&up);
		flood_send(&down);
		run_until(deadline);
		ck_assert(is_spliced(_i) || relay_env_pipes(env) == 0);
		flood_get(&up);
		flood_get(&down);
	}
	hear_end(&near, 0);
	hear_end(&far, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

/* A reader that does not read stops the writer; nothing is lost by that. */
START_TEST(slow_reader)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct flood s;

	open_relay(_i);
	s = (struct flood){ &near, &far, 0, 0, UINT64_MAX, false };
	stuff(&s);
	ck_assert_uint_lt(s.sent, 3 * MIB);
	ck_assert(!relay_is_empty(relay, RELAY_A_TO_B));
	ck_assert_uint_eq(relay_env_pipes(env), is_spliced(_i) ? 1 : 0);
	say(&far, "unhurt"); /* the other direction */
	hear(&near, "unhurt");
	while (s.got < s.sent) {
		run_until(deadline);
		flood_get(&s);
	}
	settle_down();
	ck_assert_uint_eq(relay_env_pipes(env), 0);
	ck_assert_uint_eq(relay_bytes(relay, RELAY_A_TO_B), s.sent);
}
END_TEST

/* One that is freed with bytes on their way, in buffers and in pipes. */
START_TEST(freed_when_stuck)
{
	struct flood s;

	open_relay(_i);
	s = (struct flood){ &near, &far, 0, 0, UINT64_MAX, false };
	stuff(&s);
	relay_free(relay);
	relay = NULL;
	ck_assert_uint_eq(relay_env_pipes(env), 0);
	ck_assert_int_ne(fcntl(a_side.fd, F_GETFD), -1);
	ck_assert_int_ne(fcntl(b_side.fd, F_GETFD), -1);
	run();
	ck_assert(!is_done);
}
END_TEST

/* One turn moves so much and no more; the rest follows without an event. */
START_TEST(turns_are_limited)
{
	const size_t len = 300000;
	int size = MIB;

	open_relay(_i);
	setsockopt(near.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(b_side.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	settle_down();
	if (stream_write(&near, pattern, len) != (ssize_t)len)
		return; /* this machine allows small buffers only */
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
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
	say(&near, "a");
	hear(&far, "a");
	say(&far, "b");
	hear(&near, "b");
	settle_down();
	timer = event_new(base, -1, 0, wake_cb, NULL);
	event_add(timer, &tv);
	ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
	ck_assert(!evtimer_pending(timer, NULL));
	event_free(timer);
}
END_TEST

/* --- ends ----------------------------------------------------------------- */

/* What was read before comes first. */
START_TEST(preloaded)
{
	make(_i);
	ck_assert_int_eq(relay_preload(relay, RELAY_A_TO_B, "one ", 4), 0);
	say(&near, "two");
	start();
	hear(&far, "one two");
	hang_up(&near);
	hear_end(&far, 0);
	hang_up(&far);
	expect_done(RELAY_END_EOF);
}
END_TEST

START_TEST(half_close_a)
{
	open_relay(_i);
	say(&near, "question");
	shut(&near);
	hear(&far, "question");
	hear_end(&far, 0);
	hear_nothing(&near);
	say(&far, "answer");
	hear(&near, "answer");
	ck_assert(!is_done);
	hang_up(&far);
	hear_end(&near, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

START_TEST(half_close_b)
{
	open_relay(_i);
	shut(&far);
	hear_end(&near, 0);
	say(&near, "still here");
	hear(&far, "still here");
	ck_assert(!is_done);
	shut(&near);
	hear_end(&far, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

/* B's end is the end of both, after all that B has said. */
START_TEST(end_with_b)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct flood s;

	make(_i);
	relay_end_with_b(relay);
	start();
	say(&near, "question");
	hear(&far, "question");
	s = (struct flood){ &far, &near, 0, 0, UINT64_MAX, false };
	stuff(&s);
	say(&near, "too late to matter");
	hear(&far, "too late to matter");
	flood_end(&s);
	while (s.got < s.sent) {
		run_until(deadline);
		flood_get(&s);
	}
	hear_end(&near, 0);
	hear_end(&far, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

/* A's end is not: an answer is still due. */
START_TEST(end_with_b_not_with_a)
{
	make(_i);
	relay_end_with_b(relay);
	start();
	say(&near, "question");
	shut(&near);
	hear(&far, "question");
	hear_end(&far, 0);
	say(&far, "answer");
	hear(&near, "answer");
	ck_assert(!is_done);
	hang_up(&far);
	hear_end(&near, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

/* The end comes while bytes wait for a slow reader: they come first. */
START_TEST(end_when_stuck)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct flood s;

	open_relay(_i);
	s = (struct flood){ &near, &far, 0, 0, UINT64_MAX, false };
	stuff(&s);
	flood_end(&s);
	shut(&far);
	settle_down();
	ck_assert(!is_done);
	while (s.got < s.sent) {
		run_until(deadline);
		flood_get(&s);
	}
	hear_end(&far, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

START_TEST(both_ended_before_the_start)
{
	make(_i);
	say(&near, "a");
	say(&far, "b");
	shut(&near);
	shut(&far);
	start();
	hear(&far, "a");
	hear(&near, "b");
	expect_done(RELAY_END_EOF);
}
END_TEST

/* The last bytes and the reset of one peer are noticed in one turn. */
START_TEST(reset_right_after_bytes)
{
	open_relay(_i);
	settle_down();
	say(&near, "bye");
	reset(&near);
	hear(&far, "bye");
	expect_done(RELAY_END_RESET_A);
	stream_close(&b_side);
	hear_end(&far, ECONNRESET);
}
END_TEST

START_TEST(reset_by_b)
{
	open_relay(_i);
	say(&far, "bye");
	hear(&near, "bye");
	reset(&far);
	expect_done(RELAY_END_RESET_B);
	stream_close(&a_side);
	hear_end(&near, ECONNRESET);
}
END_TEST

START_TEST(both_reset)
{
	struct flood s;

	open_relay(_i);
	s = (struct flood){ &near, &far, 0, 0, UINT64_MAX, false };
	stuff(&s);
	reset(&near);
	reset(&far);
	expect_done(RELAY_END_RESET_B); /* the one that is written to */
}
END_TEST

/* What was said before a reset is delivered, however slowly it is read. */
START_TEST(reset_waits_for_bytes)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct flood s;
	int queued;

	open_relay(_i);
	s = (struct flood){ &near, &far, 0, 0, UINT64_MAX, false };
	stuff(&s);
	do { /* some more of it gets into the relay */
		flood_get(&s);
		run_until(deadline);
		ck_assert_int_eq(ioctl(near.fd, SIOCOUTQ, &queued), 0);
	} while (queued > 0);
	reset(&near);
	settle_down();
	ck_assert(!is_done);
	while (s.got < s.sent) {
		run_until(deadline);
		flood_get(&s);
	}
	expect_done(RELAY_END_RESET_A);
	stream_close(&b_side);
	hear_end(&far, ECONNRESET);
}
END_TEST

/* B is gone for what A says, but its own last words are still delivered. */
START_TEST(last_words)
{
	open_relay(_i);
	settle_down();
	say(&far, "refused");
	shut(&far);
	say(&near, "a long upload");
	hear(&near, "refused");
	hear_end(&near, 0);
	reset(&far);
	expect_done(RELAY_END_RESET_B);
}
END_TEST

/* How many segments have come. */
static unsigned
segments(const struct stream *s)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	ck_assert_int_eq(
	    getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_segs_in;
}

/* An end that is there with the bytes goes on with them. */
START_TEST(end_in_one_segment)
{
	struct pollfd a_has_ended = { .events = POLLRDHUP };
	unsigned before;

	open_relay(_i);
	a_has_ended.fd = a_side.fd;
	settle_down();
	before = segments(&far);
	say(&near, "bye");
	shut(&near);
	ck_assert_int_eq(poll(&a_has_ended, 1, WAIT_MS), 1);
	hear(&far, "bye");
	hear_end(&far, 0);
	ck_assert_uint_eq(segments(&far) - before, 1);
}
END_TEST

/* Bytes do not wait for an end that is another one after all. */
START_TEST(bytes_before_a_reset)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	int unsent = 0;

	open_relay(_i);
	settle_down();
	say(&near, "bye");
	reset(&near);
	while (!is_done) {
		run_until(deadline);
		ck_assert_int_eq(ioctl(b_side.fd, SIOCOUTQNSD, &unsent), 0);
		ck_assert_int_eq(unsent, 0);
	}
	hear(&far, "bye");
	expect_done(RELAY_END_RESET_A);
}
END_TEST

/* --- ends of TLS ---------------------------------------------------------- */

/* close_notify is an end by itself, before the end of the stream and without
 * it; each way by itself. */
START_TEST(half_close_by_close_notify)
{
	struct stream *tls, *other;

	open_relay(_i);
	tls = near.tls != NULL ? &near : &far;
	other = tls == &near ? &far : &near;
	say(tls, "question");
	ck_assert_int_eq(tls_shutdown(tls->tls), 0);
	hear(other, "question");
	hear_end(other, 0);
	hear_nothing(tls);
	say(other, "answer");
	hear(tls, "answer");
	ck_assert(!is_done);
	hang_up(other);
	hear_end(tls, 0);
	expect_done(RELAY_END_EOF);
}
END_TEST

/* Without it anybody may have ended the stream: so the other side is told, but
 * hears first what came before. */
START_TEST(cut)
{
	bool is_near;

	open_relay(_i);
	is_near = near.tls != NULL;
	say(is_near ? &near : &far, "bye");
	shutdown(is_near ? near.fd : far.fd, SHUT_WR);
	hear(is_near ? &far : &near, "bye");
	expect_done(is_near ? RELAY_END_RESET_A : RELAY_END_RESET_B);
	stream_close(is_near ? &b_side : &a_side);
	hear_end(is_near ? &far : &near, ECONNRESET);
}
END_TEST

/* However slowly that is read. */
START_TEST(cut_waits_for_bytes)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct flood s;
	bool is_near;

	open_relay(_i);
	is_near = near.tls != NULL;
	s = is_near ? (struct flood){ &near, &far, 0, 0, UINT64_MAX, false }
		    : (struct flood){ &far, &near, 0, 0, UINT64_MAX, false };
	stuff(&s);
	shutdown(s.from->fd, SHUT_WR); /* a record is half out, too */
	settle_down();
	ck_assert(!is_done);
	while (s.got < s.sent) {
		run_until(deadline);
		flood_get(&s);
	}
	expect_done(is_near ? RELAY_END_RESET_A : RELAY_END_RESET_B);
	stream_close(is_near ? &b_side : &a_side);
	hear_end(s.to, ECONNRESET);
}
END_TEST

/* Bytes that are no longer in the socket when the relay starts, so that no
 * event tells of them: peeked at, or read together with others. */
START_TEST(inside_at_the_start)
{
	struct stream *from, *to;
	char buf[8];
	int i;

	make(_i);
	from = near.tls != NULL ? &near : &far;
	to = from == &near ? &far : &near;
	for (i = 0; i < 100; i++)
		say(from, "0123456789");
	while (stream_peek(from == &near ? &a_side : &b_side, buf, 8) == -1)
		;
	start();
	for (i = 0; i < 100; i++)
		hear(to, "0123456789");
	hear_nothing(to);
}
END_TEST

/* Garbage is an end as well, and what came before it is delivered. */
START_TEST(no_tls)
{
	static const char text[] = "GET / HTTP/1.1\r\n\r\n";
	bool is_near;

	open_relay(_i);
	is_near = near.tls != NULL;
	say(is_near ? &near : &far, "tls");
	ck_assert_int_eq(write(is_near ? near.fd : far.fd, text, sizeof(text)),
	    sizeof(text));
	hear(is_near ? &far : &near, "tls");
	expect_done(is_near ? RELAY_END_RESET_A : RELAY_END_RESET_B);
}
END_TEST

static TCase *
bytes_case(void)
{
	TCase *tc = tcase_create("bytes");

	ADD(tc, small);
	ADD(tc, bulk_both_ways);
	ADD(tc, slow_reader);
	ADD(tc, freed_when_stuck);
	ADD(tc, idle);
	tcase_add_loop_test(tc, turns_are_limited, 0, 1);
	tcase_add_loop_test(tc, turns_are_limited, 2, 3);
	return tc;
}

static TCase *
ends_case(void)
{
	TCase *tc = tcase_create("ends");

	ADD(tc, preloaded);
	ADD(tc, half_close_a);
	ADD(tc, half_close_b);
	ADD(tc, end_with_b);
	ADD(tc, end_with_b_not_with_a);
	ADD(tc, end_when_stuck);
	ADD(tc, both_ended_before_the_start);
	ADD_TCP(tc, reset_right_after_bytes);
	ADD_TCP(tc, reset_by_b);
	ADD_TCP(tc, both_reset);
	ADD_TCP(tc, reset_waits_for_bytes);
	ADD_TCP(tc, last_words);
	tcase_add_loop_test(tc, end_in_one_segment, 1, 2);
	tcase_add_loop_test(tc, end_in_one_segment, 3, 4);
	tcase_add_loop_test(tc, bytes_before_a_reset, 1, 2);
	tcase_add_loop_test(tc, bytes_before_a_reset, 3, 4);
	return tc;
}

static TCase *
tls_case(void)
{
	TCase *tc = tcase_create("tls");

	ADD_TLS(tc, half_close_by_close_notify);
	ADD_TCP_TLS(tc, cut);
	ADD_TCP_TLS(tc, cut_waits_for_bytes);
	ADD_TLS(tc, inside_at_the_start);
	ADD_TLS(tc, no_tls);
	return tc;
}

int
main(void)
{
	TCase *cases[] = { bytes_case(), ends_case(), tls_case() };

	return run_cases("relay", cases, 3);
}

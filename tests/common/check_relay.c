/* SPDX-License-Identifier: ISC
 *
 * The relay: that every byte arrives, that a slow reader is waited for, and
 * how connections end.
 */
#define _GNU_SOURCE

#include "tests/common/relay_rig.h"

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
	struct flood up, down;

	open_relay(_i);
	up = (struct flood){ near_fd, far_fd, 0, 0, 32 * MIB + 5 };
	down = (struct flood){ far_fd, near_fd, 0, 0, 32 * MIB + 7 };
	while (up.got < up.len || down.got < down.len) {
		flood_send(&up);
		flood_send(&down);
		run_until(deadline);
		flood_get(&up);
		flood_get(&down);
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
	struct flood s;

	open_relay(_i);
	s = (struct flood){ near_fd, far_fd, 0, 0, UINT64_MAX };
	stuff(&s);
	ck_assert_uint_lt(s.sent, 3 * MIB);
	ck_assert(!relay_is_empty(relay, RELAY_A_TO_B));
	ck_assert_uint_eq(relay_env_pipes(env), _i & 2 ? 1 : 0);
	say(far_fd, "unhurt"); /* the other direction */
	hear(near_fd, "unhurt");
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
	s = (struct flood){ near_fd, far_fd, 0, 0, UINT64_MAX };
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
	struct flood s;

	open_relay(_i);
	s = (struct flood){ near_fd, far_fd, 0, 0, UINT64_MAX };
	stuff(&s);
	shutdown(near_fd, SHUT_WR);
	shutdown(far_fd, SHUT_WR);
	settle_down();
	ck_assert(!is_done);
	while (s.got < s.sent) {
		run_until(deadline);
		flood_get(&s);
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
	struct flood s;

	open_relay(_i);
	s = (struct flood){ near_fd, far_fd, 0, 0, UINT64_MAX };
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
	struct flood s;
	int queued;

	open_relay(_i);
	s = (struct flood){ near_fd, far_fd, 0, 0, UINT64_MAX };
	stuff(&s);
	do { /* some more of it gets into the relay */
		flood_get(&s);
		run_until(deadline);
		ck_assert_int_eq(ioctl(near_fd, SIOCOUTQ, &queued), 0);
	} while (queued > 0);
	reset(&near_fd);
	settle_down();
	ck_assert(!is_done);
	while (s.got < s.sent) {
		run_until(deadline);
		flood_get(&s);
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

int
main(void)
{
	TCase *cases[] = { bytes_case(), ends_case() };

	return run_cases("relay", cases, 2);
}

/* SPDX-License-Identifier: ISC
 *
 * A relay with a limit of bytes per second, over each kind of relay. How long
 * something must take at least is asserted, never how long it may.
 */
#define _GNU_SOURCE

#include "common/brake.h"

#include "tests/common/relay_rig.h"

#define RATE  1000000
#define BURST (RATE / 10)
#define READS (2 * RELAY_READ) /* overdrawn by one of each direction */

static void
open_braked(int kind, struct brake *brake)
{
	make(kind);
	relay_brake(relay, brake);
	start();
}

/* So many bytes were not faster than they may; a clock of whole milliseconds
 * can be off by one. */
static void
took_as_long(uint64_t begun_ms, uint64_t bytes)
{
	uint64_t ms = clock_ms() - begun_ms + 1;

	ck_assert_uint_ge(ms * RATE / 1000 + BURST + READS, bytes);
}

/* Sends so much from near to far; at the end everything has come. */
static void
flood(uint64_t len)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	struct flood s = { &near, &far, 0, 0, len, false };

	while (s.got < len) {
		flood_send(&s);
		run_until(deadline);
		flood_get(&s);
	}
}

START_TEST(slows_down)
{
	struct brake *brake = brake_new(base, RATE);
	const uint64_t len = 500000;
	uint64_t begun;

	open_braked(_i, brake);
	brake_free(brake); /* the relay has its own */
	begun = clock_ms();
	flood(len);
	ck_assert_uint_ge(
	    clock_ms() - begun, (len - BURST - READS) * 1000 / RATE);
	/* What is slow uses no pipe, and loses nothing. */
	ck_assert_uint_eq(relay_env_pipes(env), 0);
	ck_assert_uint_eq(relay_bytes(relay, RELAY_A_TO_B), len);
	shut(&far);
	expect_done(RELAY_END_EOF);
}
END_TEST

/* Both directions take from one bucket. */
START_TEST(both_ways)
{
	struct brake *brake = brake_new(base, RATE);
	uint64_t begun, deadline = clock_ms() + WAIT_MS;
	struct flood there = { &near, &far, 0, 0, 250000, false };
	struct flood back = { &far, &near, 0, 0, 250000, false };

	open_braked(_i, brake);
	brake_free(brake);
	begun = clock_ms();
	while (there.got < there.len || back.got < back.len) {
		flood_send(&there);
		flood_send(&back);
		run_until(deadline);
		flood_get(&there);
		flood_get(&back);
	}
	took_as_long(begun, 500000);
}
END_TEST

/* A small request after a pause does not wait. */
START_TEST(free_again)
{
	struct brake *brake = brake_new(base, 1);

	open_braked(_i, brake);
	brake_free(brake);
	say(&near, "ping");
	hear(&far, "ping");
	say(&far, "pong");
	hear(&near, "pong");
}
END_TEST

/* One that ends while it waits, and one that is reset. */
START_TEST(ends_while_held)
{
	struct brake *brake = brake_new(base, 1);
	struct flood s;

	open_braked(_i, brake);
	s = (struct flood){ &near, &far, 0, 0, UINT64_MAX, false };
	stuff(&s);
	relay_free(relay);
	relay = NULL;
	run();
	ck_assert(!is_done);
	brake_free(brake);
}
END_TEST

START_TEST(none)
{
	ck_assert_ptr_null(brake_ref(NULL));
	brake_free(NULL);
	open_braked(0, NULL);
	flood(3 * MIB);
	shut(&far);
	expect_done(RELAY_END_EOF);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("brake");
	TCase *cases[] = { tc };

	ADD(tc, slows_down);
	ADD(tc, both_ways);
	ADD(tc, free_again);
	ADD(tc, ends_while_held);
	tcase_add_test(tc, none);
	return run_cases("brake", cases, 1);
}

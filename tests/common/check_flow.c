/* SPDX-License-Identifier: ISC
 *
 * The inspectors of a relay: what they are shown, and that their answers are
 * followed to the byte.
 */
#define _GNU_SOURCE

#include "tests/common/relay_rig.h"

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
	start();
	say(near_fd, "hello");
	hear(far_fd, "HELLO");
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
	TCase *cases[] = { inspector_case() };

	return run_cases("flow", cases, 1);
}

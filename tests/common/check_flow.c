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
	say(&near, "hello");
	hear(&far, "HELLO");
	say(&far, "unseen");
	hear(&near, "unseen");
	say(&near, "bye");
	shut(&near);
	hear(&far, "BYE");
	hear_end(&far, 0);
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
		ck_assert_int_eq(stream_write(&near, p, 1), 1);
		settle_down();
	}
	hear(&far, "head\nabchead\nhello, worldhead\nhead\n");
	say(&near, "12345" /* opaque */ "1\nx"
		   "77");
	hear(&far, "12345head\nx");
	hear_nothing(&far);
	ck_assert(!relay_is_empty(relay, RELAY_A_TO_B));
	shut(&near);
	hear(&far, "77"); /* never complete: as it is */
	hear_end(&far, 0);
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
		n = stream_write(&near, in + sent, in_len - sent);
		sent += n > 0 ? (size_t)n : 0;
		run_until(deadline);
		n = stream_read(&far, got + have, out_len - have);
		have += n > 0 ? (size_t)n : 0;
	}
	ck_assert(memcmp(got, want, out_len) == 0);
	ck_assert_uint_eq(asked, 3);
	say(&near, "2\nok");
	hear(&far, "head\nok");
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
	say(&near, "ab.1.2.c.d.e");
	shut(&near);
	hear(&far, "ab");
	hear_nothing(&far);
	say(&far, "other way");
	hear(&near, "other way");
	relay_resume(relay, RELAY_A_TO_B, 4);
	hear(&far, "1.2.c");
	hear_nothing(&far);
	relay_resume(relay, RELAY_A_TO_B, 0);
	hear(&far, "d");
	hear_nothing(&far);
	relay_resume(relay, RELAY_A_TO_B, RELAY_ALL);
	hear(&far, "e");
	hear_end(&far, 0);
}
END_TEST

/* Nobody will answer him who is gone, and what is held is never passed. */
START_TEST(reset_while_held)
{
	make(_i);
	script = hold_at_dot;
	relay_inspect(relay, RELAY_A_TO_B);
	start();
	say(&near, "a.secret");
	hear(&far, "a");
	reset(&near);
	expect_done(RELAY_END_RESET_A);
	stream_close(&b_side);
	hear_end(&far, ECONNRESET);
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
	say(&near, "this.x and no more");
	hear(&far, "this.x");
	hear_end(&far, 0);
	say(&near, "unheard");
	say(&far, "answer");
	hear(&near, "answer");
	ck_assert(!is_done);
	ck_assert_uint_eq(asked, 1);
	shut(&far);
	hear_end(&near, 0);
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
	say(&far, "anything");
	expect_done(RELAY_END_INSPECTOR);
	hear_nothing(&near);
	hear_nothing(&far);
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
	shut(&far);
	hear(&near, "no answer");
	hear_end(&near, 0);
	ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(no_last_word)
{
	make(_i);
	script = speaks_last;
	relay_inspect(relay, RELAY_B_TO_A);
	start();
	say(&far, "answer");
	shut(&far);
	hear(&near, "answer");
	hear_end(&near, 0);
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
	say(&near, "x.frames");
	hear(&far, "x");
	hear_nothing(&far);
	say(&far, "101");
	hear(&near, "101");
	hear(&far, "frames");
}
END_TEST

/* --- ends without close_notify ---------------------------------------------
 */

/* Lines pass, each with as many opaque bytes as it says; after a line the
 * stream may end in any way. */
static void
whole_lines(struct relay_view *v)
{
	if (v->is_cut) {
		ck_assert(v->is_eof);
		ck_assert_uint_eq(v->len, 0);
		v->is_whole = true;
	} else {
		by_lines(v);
	}
}

static void
open_lines(int kind)
{
	make(kind);
	script = whole_lines;
	relay_inspect(relay, RELAY_A_TO_B);
	start();
}

/* Many programs just end: where nothing is missing that is no reset, and who
 * did it still gets his answer. */
START_TEST(cut_but_whole)
{
	open_lines(_i);
	say(&near, "2\nok");
	shutdown(near.fd, SHUT_WR);
	hear(&far, "head\nok");
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

/* A body of which some is missing. */
START_TEST(cut_in_a_body)
{
	open_lines(_i);
	say(&near, "5\nfour");
	shutdown(near.fd, SHUT_WR);
	hear(&far, "head\nfour");
	expect_done(RELAY_END_RESET_A);
	stream_close(&b_side);
	hear_end(&far, ECONNRESET);
}
END_TEST

/* A head of which some is missing: nobody has said that it may pass. */
START_TEST(cut_in_a_head)
{
	open_lines(_i);
	say(&near, "0\n12");
	hear(&far, "head\n");
	shutdown(near.fd, SHUT_WR);
	expect_done(RELAY_END_RESET_A);
	stream_close(&b_side);
	hear_end(&far, ECONNRESET);
}
END_TEST

/* The inspector itself knows that something is missing. */
START_TEST(cut_and_not_whole)
{
	make(_i);
	script = to_capitals;
	relay_inspect(relay, RELAY_A_TO_B);
	start();
	say(&near, "hello");
	shutdown(near.fd, SHUT_WR);
	hear(&far, "HELLO");
	expect_done(RELAY_END_RESET_A);
	ck_assert_uint_eq(asked, 2);
	stream_close(&b_side);
	hear_end(&far, ECONNRESET);
}
END_TEST

/* What is held is not known to be over; it is, once it is let go. */
START_TEST(cut_while_held)
{
	make(_i);
	script = hold_at_dot;
	relay_inspect(relay, RELAY_A_TO_B);
	start();
	say(&near, "a.b");
	hear(&far, "a");
	shutdown(near.fd, SHUT_WR);
	hear_nothing(&far);
	ck_assert(!is_done);
	relay_resume(relay, RELAY_A_TO_B, RELAY_ALL);
	hear(&far, "b");
	expect_done(RELAY_END_RESET_A);
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

/* Near has TLS, over TCP; far with it or without. */
#define ADD_CUT(tc, fn)                                                        \
	do {                                                                   \
		tcase_add_loop_test(tc, fn, 5, 6);                             \
		tcase_add_loop_test(tc, fn, 9, 10);                            \
	} while (0)

static TCase *
cuts_case(void)
{
	TCase *tc = tcase_create("cuts");

	ADD_CUT(tc, cut_but_whole);
	ADD_CUT(tc, cut_in_a_body);
	ADD_CUT(tc, cut_in_a_head);
	ADD_CUT(tc, cut_and_not_whole);
	ADD_CUT(tc, cut_while_held);
	return tc;
}

int
main(void)
{
	TCase *cases[] = { inspector_case(), cuts_case() };

	return run_cases("flow", cases, 2);
}

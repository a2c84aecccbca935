/* SPDX-License-Identifier: ISC
 *
 * Both ends of the channel between the main process and a worker, in one.
 */
#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "client/channel.h"

#define BIG_LEN 10000

struct end {
	struct channel *channel;
	unsigned n; /* messages that came */
	uint32_t last_id;
	char text[BIG_LEN];
	bool is_closed;
};

static struct event_base *base;
static struct end main_end, worker_end;

static void
message_cb(void *arg, const struct channel_msg *msg, const void *body)
{
	struct end *end = arg;

	ck_assert_uint_le(msg->len, sizeof(end->text));
	end->n++;
	end->last_id = msg->id;
	if (msg->len > 0)
		memcpy(end->text, body, msg->len);
}

static void
closed_cb(void *arg)
{
	struct end *end = arg;

	ck_assert(!end->is_closed);
	end->is_closed = true;
	channel_free(end->channel);
	end->channel = NULL;
}

static void
setup(void)
{
	static const struct channel_ops ops = { message_cb, closed_cb };
	int fds[2];

	memset(&main_end, 0, sizeof(main_end));
	memset(&worker_end, 0, sizeof(worker_end));
	base = event_base_new();
	ck_assert_int_eq(channel_pair(fds), 0);
	main_end.channel = channel_new(base, fds[0], &ops, &main_end);
	worker_end.channel = channel_new(base, fds[1], &ops, &worker_end);
	ck_assert_ptr_nonnull(main_end.channel);
	ck_assert_ptr_nonnull(worker_end.channel);
}

static void
teardown(void)
{
	channel_free(main_end.channel);
	channel_free(worker_end.channel);
	event_base_free(base);
}

static void
turn(void)
{
	for (int i = 0; i < 10; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* A text of that length, its NUL included. */
static bool
say(struct end *end, uint32_t id, size_t len)
{
	struct channel_msg msg = { .type = CHANNEL_SAY, .id = id, .len = len };
	static char text[BIG_LEN];

	memset(text, 'x', len);
	text[len - 1] = '\0';
	return channel_send(end->channel, &msg, text);
}

START_TEST(messages_stay_whole)
{
	struct channel_msg msg = { .type = CHANNEL_RETIRE, .id = 7 };

	ck_assert(channel_send(main_end.channel, &msg, NULL));
	turn();
	ck_assert_uint_eq(worker_end.n, 1);
	ck_assert_uint_eq(worker_end.last_id, 7);
	for (uint32_t i = 1; i <= 20; i++)
		ck_assert(say(&worker_end, i, BIG_LEN));
	turn();
	ck_assert_uint_eq(main_end.n, 20);
	ck_assert_uint_eq(main_end.last_id, 20);
	ck_assert_uint_eq(strlen(main_end.text), BIG_LEN - 1);
}
END_TEST

START_TEST(who_does_not_read_holds_up_nobody)
{
	unsigned sent = 0;

	while (say(&worker_end, sent + 1, BIG_LEN))
		sent++;
	ck_assert_uint_gt(sent, 50);
	ck_assert_uint_lt(sent, 500);
	while (main_end.n < sent)
		turn();
	/* What was refused is missing, and nothing else. */
	ck_assert_uint_eq(main_end.last_id, sent);
	ck_assert(say(&worker_end, 9999, 2));
	turn();
	ck_assert_uint_eq(main_end.last_id, 9999);
	ck_assert_uint_eq(main_end.n, sent + 1);
}
END_TEST

START_TEST(what_was_said_before_the_end_arrives)
{
	ck_assert(say(&worker_end, 1, 100));
	channel_flush(worker_end.channel);
	channel_free(worker_end.channel);
	worker_end.channel = NULL;
	turn();
	ck_assert_uint_eq(main_end.n, 1);
	ck_assert(main_end.is_closed);
}
END_TEST

START_TEST(an_end_drops_what_waits)
{
	ck_assert(say(&main_end, 1, 100));
	channel_end(main_end.channel);
	turn();
	ck_assert_uint_eq(worker_end.n, 0);
	ck_assert(worker_end.is_closed);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("channel");
	TCase *tcase = tcase_create("channel");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, messages_stay_whole);
	tcase_add_test(tcase, who_does_not_read_holds_up_nobody);
	tcase_add_test(tcase, what_was_said_before_the_end_arrives);
	tcase_add_test(tcase, an_end_drops_what_waits);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * The channel, with a good and with a hostile other side.
 */
#define _GNU_SOURCE

#include "server/channel.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/fdpass.h"
#include "common/log.h"
#include "server/config.h"

#define QUEUE_MAX 65536

/* One end: what came in. */
struct end {
	struct channel *channel;
	struct channel_msg last;
	unsigned messages;
	unsigned closed;
	uint32_t next_id; /* they come in order */
	int fd;
	bool frees_itself;
};

static struct event_base *base;
static struct end a, b;
static int fds[2];

static void
message(void *arg, const struct channel_msg *msg, int fd)
{
	struct end *e = arg;

	ck_assert_uint_eq(e->closed, 0);
	e->last = *msg;
	e->messages++;
	ck_assert_uint_eq(msg->id, e->next_id++);
	if (fd != -1) {
		if (e->fd != -1)
			close(e->fd);
		e->fd = fd;
	}
	if (e->frees_itself) {
		channel_free(e->channel);
		e->channel = NULL;
	}
}

static void
closed(void *arg, const char *why)
{
	struct end *e = arg;

	ck_assert_ptr_nonnull(why);
	e->closed++;
	if (e->frees_itself) {
		channel_free(e->channel);
		e->channel = NULL;
	}
}

static void
start(struct end *e, int fd)
{
	static const struct channel_ops ops = { message, closed };

	memset(e, 0, sizeof(*e));
	e->fd = -1;
	e->channel = channel_new(base, fd, &ops, e);
	ck_assert_ptr_nonnull(e->channel);
}

static void
set_up(void)
{
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	ck_assert_int_eq(channel_pair(fds), 0);
	memset(&b, 0, sizeof(b));
	b.fd = -1;
	start(&a, fds[0]);
}

static void
tear_down(void)
{
	channel_free(a.channel);
	channel_free(b.channel);
	if (a.fd != -1)
		close(a.fd);
	if (b.fd != -1)
		close(b.fd);
	event_base_free(base);
}

/* Runs the loop until nothing more happens by itself. */
static void
settle(void)
{
	for (int quiet = 0; quiet < 3; quiet++) {
		unsigned before = a.messages + a.closed + b.messages + b.closed;

		event_base_loop(base, EVLOOP_NONBLOCK);
		if (a.messages + a.closed + b.messages + b.closed != before)
			quiet = -1;
	}
}

START_TEST(pair_is_as_it_should_be)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_int_ne(fcntl(fds[i], F_GETFL) & O_NONBLOCK, 0);
		ck_assert_int_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
	}
	close(fds[1]);
	channel_free(NULL);
}
END_TEST

START_TEST(messages_go_both_ways)
{
	struct channel_msg msg = { .type = CHANNEL_CLAIM };
	int null = open("/dev/null", O_RDONLY);

	start(&b, fds[1]);
	strcpy(msg.claim.name, "demo");
	msg.claim.dialect = REGISTRY_EXT;
	msg.claim.kind = REGISTRY_TLS;
	channel_send(a.channel, &msg, -1);
	ck_assert_uint_eq(b.messages, 0);
	settle();
	ck_assert_uint_eq(b.messages, 1);
	ck_assert_mem_eq(&b.last, &msg, sizeof(msg));
	ck_assert_int_eq(b.fd, -1);

	memset(&msg, 0, sizeof(msg));
	msg.type = CHANNEL_GONE;
	msg.tunnel = (struct registry_ref){ 4, 5 };
	channel_send(b.channel, &msg, null);
	close(null);
	settle();
	ck_assert_uint_eq(a.messages, 1);
	ck_assert(registry_ref_same(a.last.tunnel, msg.tunnel));
	ck_assert_int_ne(a.fd, -1);
	ck_assert_uint_eq(a.closed + b.closed, 0);
}
END_TEST

/* Before there is a channel: the first message alone is taken. */
START_TEST(first_message)
{
	struct channel_msg msg = { .type = CHANNEL_CERTS }, got;
	int fd;

	channel_send(a.channel, &msg, STDERR_FILENO);
	msg.type = CHANNEL_DRAIN;
	msg.id = 1;
	channel_send(a.channel, &msg, -1);
	ck_assert(channel_first(fds[1], &got, &fd));
	ck_assert_uint_eq(got.type, CHANNEL_CERTS);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	start(&b, fds[1]);
	b.next_id = 1;
	settle();
	ck_assert_uint_eq(b.messages, 1);
	ck_assert_uint_eq(b.last.type, CHANNEL_DRAIN);
}
END_TEST

START_TEST(no_first_message)
{
	struct channel_msg msg = { .type = CHANNEL_LEAVE + 1 }, got;
	int fd;

	channel_send(a.channel, &msg, STDERR_FILENO);
	ck_assert(!channel_first(fds[1], &got, &fd));
	ck_assert_int_eq(fdpass_send(fds[0], "short", 5, -1), FDPASS_OK);
	ck_assert(!channel_first(fds[1], &got, &fd));
	ck_assert_int_eq(fd, -1);
	channel_free(a.channel);
	a.channel = NULL;
	ck_assert(!channel_first(fds[1], &got, &fd));
	close(fds[1]);
}
END_TEST

/* Far more than the socket takes, descriptors too, in order. */
START_TEST(what_does_not_fit_waits)
{
	struct channel_msg msg = { .type = CHANNEL_READY };
	const uint32_t many = 20000;
	struct channel_msg first;
	int fd;

	for (msg.id = 0; msg.id < many; msg.id++)
		channel_send(a.channel, &msg,
		    msg.id % 4000 == 3999 ? STDERR_FILENO : -1);
	/* There is room again, but others have waited longer. */
	ck_assert_int_eq(
	    fdpass_recv(fds[1], &first, sizeof(first), &fd), FDPASS_OK);
	ck_assert_uint_eq(first.id, 0);
	channel_send(a.channel, &msg, -1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	start(&b, fds[1]);
	b.next_id = 1;
	settle();
	ck_assert_uint_eq(b.messages, many);
	ck_assert_int_ne(b.fd, -1);
	ck_assert_uint_eq(a.closed + b.closed, 0);
	msg.id++;
	channel_send(a.channel, &msg, -1);
	settle();
	ck_assert_uint_eq(b.messages, many + 1);
}
END_TEST

START_TEST(peer_that_does_not_read_is_dead)
{
	struct channel_msg msg = { .type = CHANNEL_READY };
	unsigned sent = 0;

	while (fdpass_send(fds[0], &msg, sizeof(msg), -1) == FDPASS_OK)
		;
	for (; sent < QUEUE_MAX; sent++)
		channel_send(a.channel, &msg, -1);
	settle();
	ck_assert_uint_eq(a.closed, 0);
	channel_send(a.channel, &msg, -1);
	ck_assert_uint_eq(a.closed, 0);
	channel_send(a.channel, &msg, -1);
	settle();
	ck_assert_uint_eq(a.closed, 1);
	channel_send(a.channel, &msg, -1);
	settle();
	ck_assert_uint_eq(a.closed, 1);
	close(fds[1]);
}
END_TEST

START_TEST(end_of_file_comes_after_the_messages)
{
	struct channel_msg msg = { .type = CHANNEL_READY };

	channel_send(a.channel, &msg, -1); /* the peer never reads it */
	ck_assert_int_eq(fdpass_send(fds[1], &msg, sizeof(msg), -1), FDPASS_OK);
	msg.id = 1;
	ck_assert_int_eq(fdpass_send(fds[1], &msg, sizeof(msg), -1), FDPASS_OK);
	close(fds[1]);
	settle();
	ck_assert_uint_eq(a.messages, 2);
	ck_assert_uint_eq(a.closed, 1);
	channel_send(a.channel, &msg, -1);
	settle();
	ck_assert_uint_eq(a.closed, 1);
}
END_TEST

/* The same if writing notices the end before reading does. */
START_TEST(sending_to_the_dead_loses_no_message)
{
	struct channel_msg msg = { .type = CHANNEL_READY };

	ck_assert_int_eq(fdpass_send(fds[1], &msg, sizeof(msg), -1), FDPASS_OK);
	close(fds[1]);
	channel_send(a.channel, &msg, -1);
	channel_send(a.channel, &msg, -1);
	ck_assert_uint_eq(a.messages + a.closed, 0);
	settle();
	ck_assert_uint_eq(a.messages, 1);
	ck_assert_uint_eq(a.closed, 1);
}
END_TEST

START_TEST(callbacks_may_free)
{
	struct channel_msg msg = { .type = CHANNEL_READY };

	start(&b, fds[1]);
	a.frees_itself = b.frees_itself = true;
	channel_send(b.channel, &msg, -1);
	channel_send(b.channel, &msg, -1);
	settle();
	ck_assert_uint_eq(a.messages, 1);
	ck_assert_ptr_null(a.channel);
	ck_assert_uint_eq(b.closed, 1);
	ck_assert_ptr_null(b.channel);
}
END_TEST

/* Sends raw bytes and expects the end of the channel, without a message. */
static void
is_nonsense(const void *raw, size_t len)
{
	unsigned before = a.messages;

	ck_assert_int_eq(send(fds[1], raw, len, MSG_DONTWAIT), (int)len);
	settle();
	ck_assert_uint_eq(a.messages, before);
	ck_assert_uint_eq(a.closed, 1);
	channel_free(a.channel);
	close(fds[1]);
	ck_assert_int_eq(channel_pair(fds), 0);
	start(&a, fds[0]);
}

START_TEST(wrong_form_ends_it)
{
	char raw[2 * sizeof(struct channel_msg)] = { CHANNEL_READY };

	is_nonsense(raw, 0);
	is_nonsense(raw, 1);
	is_nonsense(raw, sizeof(struct channel_msg) - 1);
	is_nonsense(raw, sizeof(struct channel_msg) + 1);
	close(fds[1]);
}
END_TEST

START_TEST(wrong_content_ends_it)
{
	struct channel_msg msg = { 0 };

	is_nonsense(&msg, sizeof(msg));
	msg.type = CHANNEL_LEAVE + 1;
	is_nonsense(&msg, sizeof(msg));
	msg.type = UINT32_MAX;
	is_nonsense(&msg, sizeof(msg));
	msg.type = CHANNEL_LOG;
	msg.id = LOG_STREAMS;
	is_nonsense(&msg, sizeof(msg));
	msg.type = CHANNEL_CLAIM;
	is_nonsense(&msg, sizeof(msg)); /* of no kind */
	memset(&msg.claim.kind, 0xff, sizeof(msg.claim.kind));
	is_nonsense(&msg, sizeof(msg));
	msg.claim.kind = REGISTRY_HTTP;
	msg.claim.dialect = REGISTRY_OLD;
	memset(msg.claim.name, 'x', sizeof(msg.claim.name));
	is_nonsense(&msg, sizeof(msg));
	memset(&msg.claim, 0, sizeof(msg.claim));
	msg.claim.kind = REGISTRY_HTTP;
	msg.claim.dialect = REGISTRY_OLD;
	memset(msg.claim.session, 'x', sizeof(msg.claim.session));
	is_nonsense(&msg, sizeof(msg));
	memset(&msg.claim, 0, sizeof(msg.claim));
	msg.claim.kind = REGISTRY_HTTP;
	msg.claim.dialect = REGISTRY_OLD;
	memset(msg.claim.domain, 'x', sizeof(msg.claim.domain));
	is_nonsense(&msg, sizeof(msg));
	memset(&msg, 0, sizeof(msg));
	msg.type = CHANNEL_CLAIMED;
	memset(msg.claimed.domain, 'x', sizeof(msg.claimed.domain));
	is_nonsense(&msg, sizeof(msg));
	memset(&msg.claimed, 0, sizeof(msg.claimed));
	memset(msg.claimed.name, 'x', sizeof(msg.claimed.name));
	is_nonsense(&msg, sizeof(msg));
	memset(&msg.claimed, 0, sizeof(msg.claimed));
	memset(msg.claimed.label, 'x', sizeof(msg.claimed.label));
	is_nonsense(&msg, sizeof(msg));
	msg.type = CHANNEL_ADOPT;
	is_nonsense(&msg, sizeof(msg));
	close(fds[1]);
}
END_TEST

START_TEST(claims_are_checked)
{
	struct channel_msg msg = { .type = CHANNEL_CLAIM };
	unsigned n;

	msg.claim.kind = REGISTRY_HTTP;
	msg.claim.dialect = REGISTRY_NODE;
	msg.claim.listener = CONFIG_SLOTS_MAX - 1;
	ck_assert_int_eq(send(fds[1], &msg, sizeof(msg), 0), (int)sizeof(msg));
	settle();
	ck_assert_uint_eq(a.messages, 1);
	msg.claim.listener = CONFIG_SLOTS_MAX;
	is_nonsense(&msg, sizeof(msg));
	msg.claim.listener = 0;
	n = 0;
	memcpy(&msg.claim.dialect, &n, sizeof(n));
	is_nonsense(&msg, sizeof(msg));
	n = REGISTRY_NODE + 1;
	memcpy(&msg.claim.dialect, &n, sizeof(n));
	is_nonsense(&msg, sizeof(msg));
	close(fds[1]);
}
END_TEST

/* A byte that no bool can hold. */
START_TEST(bools_are_made_bools)
{
	struct channel_msg msg = { .type = CHANNEL_CLAIM };

	msg.claim.kind = REGISTRY_HTTP;
	msg.claim.dialect = REGISTRY_EXT;
	memset(&msg.claim.has_proof, 0xff, 1);
	ck_assert_int_eq(send(fds[1], &msg, sizeof(msg), 0), (int)sizeof(msg));
	settle();
	ck_assert_uint_eq(a.messages, 1);
	ck_assert_int_eq(memcmp(&a.last.claim.has_proof, "\1", 1), 0);
	memset(&msg, 0, sizeof(msg));
	msg.type = CHANNEL_EMPTY;
	msg.id = 1;
	memset(&msg.empty.is_empty, 2, 1);
	ck_assert_int_eq(send(fds[1], &msg, sizeof(msg), 0), (int)sizeof(msg));
	settle();
	ck_assert_uint_eq(a.messages, 2);
	ck_assert_int_eq(memcmp(&a.last.empty.is_empty, "\1", 1), 0);
	close(fds[1]);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { pair_is_as_it_should_be,
		messages_go_both_ways, first_message, no_first_message,
		what_does_not_fit_waits, peer_that_does_not_read_is_dead,
		end_of_file_comes_after_the_messages,
		sending_to_the_dead_loses_no_message, callbacks_may_free,
		wrong_form_ends_it, wrong_content_ends_it, claims_are_checked,
		bools_are_made_bools };
	Suite *suite = suite_create("channel");
	TCase *tc = tcase_create("channel");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

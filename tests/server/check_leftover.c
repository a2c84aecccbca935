/* SPDX-License-Identifier: ISC
 *
 * Inboxes without a reader: what is in them goes to somebody else, whole, as
 * soon as there is somebody.
 */
#define _GNU_SOURCE

#include "server/leftover.h"

#include <check.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "server/inbox.h"

static struct event_base *base;
static struct inbox *in;
static struct leftovers *left;
static uint32_t heir;

static uint32_t
pick(void *arg)
{
	ck_assert_ptr_eq(arg, &heir);
	return heir;
}

static void
set_up(void)
{
	base = event_base_new();
	in = inbox_new(3);
	left = leftovers_new(base, in, 3, pick, &heir);
	heir = 2;
}

static void
tear_down(void)
{
	leftovers_free(left);
	inbox_free(in);
	event_base_free(base);
}

/* A connection for a slot; the peer's end is returned. */
static int
send_to(size_t slot)
{
	struct inbox_msg msg = { .kind = INBOX_VISITOR };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	msg.tunnel = (struct registry_ref){ 1, 2 };
	msg.conn.stream.fd = pair[0];
	msg.conn.accepted_ms = msg.conn.ready_ms = clock_ms();
	ck_assert_int_eq(net_addr_from(&msg.conn.peer, "192.0.2.1", 5), 0);
	ck_assert_int_eq(inbox_send(in, slot, &msg), FDPASS_OK);
	return pair[1];
}

/* The next one in an inbox is the other end of `fd`, and as it was sent. */
static void
arrives(size_t slot, int fd)
{
	struct inbox_msg got;
	char text[8] = "";

	ck_assert_int_eq(inbox_recv(in, slot, &got), FDPASS_OK);
	ck_assert_int_eq(got.kind, INBOX_VISITOR);
	ck_assert_uint_eq(got.tunnel.generation, 2);
	ck_assert_uint_eq(net_addr_port(&got.conn.peer), 5);
	ck_assert_int_eq(write(fd, "hello", 5), 5);
	ck_assert_int_eq(read(got.conn.stream.fd, text, sizeof(text)), 5);
	conn_close(&got.conn);
	close(fd);
}

static void
is_empty(size_t slot)
{
	struct inbox_msg got;

	ck_assert_int_eq(inbox_recv(in, slot, &got), FDPASS_AGAIN);
}

START_TEST(passed_on)
{
	int a, b;

	a = send_to(0);
	leftovers_begin(left, 0);
	b = send_to(0);
	event_base_loop(base, EVLOOP_ONCE);
	event_base_loop(base, EVLOOP_NONBLOCK);
	is_empty(0);
	arrives(2, a);
	arrives(2, b);
	is_empty(2);
}
END_TEST

/* Only while nobody reads it. */
START_TEST(read_by_its_own)
{
	int a;

	leftovers_begin(left, 0);
	leftovers_begin(left, 0);
	leftovers_end(left, 0);
	leftovers_end(left, 0);
	a = send_to(0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	is_empty(2);
	arrives(0, a);
}
END_TEST

START_TEST(waits_for_somebody)
{
	int a;

	heir = UINT32_MAX;
	a = send_to(1);
	leftovers_begin(left, 1);
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_ONCE);
	heir = 2;
	for (int i = 0; i < 3; i++)
		event_base_loop(base, i < 2 ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
	is_empty(1);
	arrives(2, a);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("leftover");
	TCase *tc = tcase_create("leftover");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, passed_on);
	tcase_add_test(tc, read_by_its_own);
	tcase_add_test(tc, waits_for_somebody);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

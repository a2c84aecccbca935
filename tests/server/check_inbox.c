/* SPDX-License-Identifier: ISC
 *
 * Inboxes: what one worker hands over another one gets, whole and unread, and
 * nothing else gets through.
 */
#define _GNU_SOURCE

#include "server/inbox.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "server/config.h"

static struct inbox *in;
static struct inbox_msg msg, got;
static size_t fds_before;

static size_t
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* A connection with something to read in it; the peer's end is closed. */
static void
fill(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(write(pair[1], "hello", 5), 5);
	close(pair[1]);
	memset(&msg, 0, sizeof(msg));
	msg.kind = INBOX_PROXY;
	msg.tunnel = (struct registry_ref){ 1, 2 };
	msg.session = (struct registry_ref){ 3, 4 };
	msg.conn.stream.fd = pair[0];
	msg.conn.listener = CONFIG_SLOTS_MAX - 1;
	msg.conn.hops = 2;
	msg.conn.accepted_ms = msg.conn.ready_ms = clock_ms();
	ck_assert_int_eq(net_addr_from(&msg.conn.peer, "192.0.2.1", 5), 0);
}

static void
set_up(void)
{
	fds_before = count_fds();
	in = inbox_new(3);
	ck_assert_ptr_nonnull(in);
	fill();
}

static void
tear_down(void)
{
	conn_close(&msg.conn);
	inbox_free(in);
	ck_assert_uint_eq(count_fds(), fds_before);
}

START_TEST(connection_arrives_unread)
{
	char text[8];

	ck_assert_int_eq(inbox_recv(in, 1, &got), FDPASS_AGAIN);
	ck_assert_int_eq(got.conn.stream.fd, -1);
	ck_assert_int_eq(inbox_send(in, 1, &msg), FDPASS_OK);
	ck_assert_int_eq(msg.conn.stream.fd, -1);
	ck_assert_int_eq(inbox_recv(in, 0, &got), FDPASS_AGAIN);
	ck_assert_int_eq(inbox_recv(in, 1, &got), FDPASS_OK);
	ck_assert_int_eq(got.kind, INBOX_PROXY);
	ck_assert(registry_ref_same(got.tunnel, msg.tunnel));
	ck_assert(registry_ref_same(got.session, msg.session));
	ck_assert_uint_eq(got.conn.listener, msg.conn.listener);
	ck_assert_uint_eq(got.conn.hops, 2);
	ck_assert_uint_eq(got.conn.accepted_ms, msg.conn.accepted_ms);
	ck_assert_uint_eq(net_addr_port(&got.conn.peer), 5);
	ck_assert_int_eq(read(got.conn.stream.fd, text, sizeof(text)), 5);
	ck_assert_int_eq(fcntl(got.conn.stream.fd, F_GETFD), FD_CLOEXEC);
	conn_close(&got.conn);
	ck_assert_int_eq(inbox_recv(in, 1, &got), FDPASS_AGAIN);
}
END_TEST

START_TEST(slot_out_of_range_is_an_error)
{
	ck_assert_int_eq(inbox_send(in, 3, &msg), FDPASS_ERROR);
	ck_assert_int_ne(msg.conn.stream.fd, -1);
}
END_TEST

/* Sends msg as it is, by hand, and expects that it is dropped. */
static void
is_dropped(void)
{
	ck_assert_int_eq(inbox_send(in, 2, &msg), FDPASS_OK);
	ck_assert_int_eq(inbox_recv(in, 2, &got), FDPASS_BAD);
	ck_assert_int_eq(got.conn.stream.fd, -1);
	ck_assert_int_eq(inbox_recv(in, 2, &got), FDPASS_AGAIN);
	fill();
}

START_TEST(nonsense_is_dropped)
{
	msg.kind = 0;
	is_dropped();
	msg.kind = INBOX_PROXY + 1;
	is_dropped();
	memset(&msg.kind, 0xff, sizeof(msg.kind));
	is_dropped();
	msg.conn.listener = CONFIG_SLOTS_MAX;
	is_dropped();
	msg.conn.hops = 17;
	is_dropped();
	memset(&msg.conn.is_bridged, 2, 1);
	is_dropped();
	memset(&msg.conn.language, 0xff, sizeof(msg.conn.language));
	is_dropped();
	msg.conn.accepted_ms = UINT64_MAX;
	is_dropped();
	msg.conn.ready_ms = UINT64_MAX;
	is_dropped();
	msg.conn.peer.sa.sa_family = AF_UNIX;
	is_dropped();
	conn_close(&msg.conn); /* no descriptor at all */
	is_dropped();
	ck_assert_int_eq(inbox_send(in, 2, &msg), FDPASS_OK);
	ck_assert_int_eq(inbox_recv(in, 2, &got), FDPASS_OK);
	conn_close(&got.conn);
}
END_TEST

/* However large the kernel lets it be: in the end it is full, and what does
 * not fit stays the sender's. */
START_TEST(full_inbox_refuses_and_recovers)
{
	struct inbox_msg one;
	size_t n = 0;

	for (;;) {
		one = msg;
		one.conn.stream.fd = dup(msg.conn.stream.fd);
		ck_assert_int_ne(one.conn.stream.fd, -1);
		if (inbox_send(in, 0, &one) != FDPASS_OK)
			break;
		ck_assert_uint_lt(++n, 100000);
	}
	ck_assert_int_ne(one.conn.stream.fd, -1);
	ck_assert_uint_gt(n, 100);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(inbox_recv(in, 0, &got), FDPASS_OK);
		conn_close(&got.conn);
	}
	ck_assert_int_eq(inbox_recv(in, 0, &got), FDPASS_AGAIN);
	ck_assert_int_eq(inbox_send(in, 0, &one), FDPASS_OK);
	ck_assert_int_eq(inbox_recv(in, 0, &got), FDPASS_OK);
	conn_close(&got.conn);
}
END_TEST

static int
worker(void)
{
	inbox_keep(in, 1);
	if (inbox_fd(in, 0) != -1 || inbox_fd(in, 2) != -1)
		return 1;
	if (inbox_send(in, 0, &msg) != FDPASS_OK)
		return 2;
	return inbox_recv(in, 1, &got) == FDPASS_AGAIN ? 0 : 3;
}

/* What waits when a worker dies is there for the next one in its slot. */
START_TEST(inbox_outlives_workers)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0)
		_exit(worker());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(inbox_recv(in, 0, &got), FDPASS_OK);
	conn_close(&got.conn);
	ck_assert_int_eq(inbox_recv(in, 0, &got), FDPASS_AGAIN);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { connection_arrives_unread,
		slot_out_of_range_is_an_error, nonsense_is_dropped,
		full_inbox_refuses_and_recovers, inbox_outlives_workers };
	Suite *suite = suite_create("inbox");
	TCase *tc = tcase_create("inbox");
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

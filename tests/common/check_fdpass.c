/* SPDX-License-Identifier: ISC
 *
 * Passing of descriptors over a real pair of sockets, with a hostile peer at
 * the other end. After each test there are as many descriptors open as there
 * were before it.
 */
#define _GNU_SOURCE

#include "common/fdpass.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct message {
	int number;
	char text[28];
};

static const struct message sent = { 42, "hello" };
static struct message got;
static int pair[2]; /* the hostile end, ours */
static int extra;   /* something to pass */
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

static void
set_up(void)
{
	fds_before = count_fds();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	extra = open("/dev/null", O_RDONLY);
	ck_assert_int_ne(extra, -1);
	memset(&got, 0, sizeof(got));
}

static void
tear_down(void)
{
	close(pair[0]);
	close(pair[1]);
	close(extra);
	ck_assert_uint_eq(count_fds(), fds_before);
}

/* Sends what a peer may send who does not keep to our rules: any length, any
 * number of descriptors. */
static void
send_raw(const void *buf, size_t len, const int *fds, size_t n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	memset(control, 0, sizeof(control));
	if (n > 0) {
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, n * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(pair[0], &mh, MSG_DONTWAIT), (int)len);
}

static void
receives(enum fdpass_result want)
{
	int fd = 99;

	ck_assert_int_eq(fdpass_recv(pair[1], &got, sizeof(got), &fd), want);
	ck_assert_int_eq(fd, -1);
}

/* After something bad a good message still gets through. */
static void
still_works(void)
{
	ck_assert_int_eq(
	    fdpass_send(pair[0], &sent, sizeof(sent), -1), FDPASS_OK);
	receives(FDPASS_OK);
	ck_assert_mem_eq(&got, &sent, sizeof(got));
}

START_TEST(without_descriptor)
{
	receives(FDPASS_AGAIN);
	still_works();
	receives(FDPASS_AGAIN);
}
END_TEST

START_TEST(with_descriptor)
{
	int ends[2], fd = -1;
	char byte = 0;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(
	    fdpass_send(pair[0], &sent, sizeof(sent), ends[1]), FDPASS_OK);
	close(ends[1]);
	ck_assert_int_eq(
	    fdpass_recv(pair[1], &got, sizeof(got), &fd), FDPASS_OK);
	ck_assert_mem_eq(&got, &sent, sizeof(got));
	ck_assert_int_ne(fd, -1);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'x');
	close(fd);
	close(ends[0]);
}
END_TEST

/* Each length but the right one, with and without a descriptor, which must
 * not stay open. */
START_TEST(wrong_length)
{
	static const size_t lengths[] = { 0, 1, sizeof(sent) - 1,
		sizeof(sent) + 1, 4096 };
	static char buf[4096];

	send_raw(buf, lengths[_i], NULL, 0);
	receives(FDPASS_BAD);
	send_raw(buf, lengths[_i], &extra, 1);
	receives(FDPASS_BAD);
	still_works();
}
END_TEST

START_TEST(more_descriptors)
{
	int fds[8];
	size_t i;

	for (i = 0; i < 8; i++)
		fds[i] = extra;
	send_raw(&sent, sizeof(sent), fds, (size_t)_i);
	receives(FDPASS_BAD);
	still_works();
}
END_TEST

/* Control data of another kind: credentials, which the kernel adds. */
START_TEST(other_control_data)
{
	int on = 1, off = 0;

	ck_assert_int_eq(
	    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	send_raw(&sent, sizeof(sent), NULL, 0);
	send_raw(&sent, sizeof(sent), &extra, 1);
	receives(FDPASS_BAD);
	receives(FDPASS_BAD);
	ck_assert_int_eq(
	    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &off, sizeof(off)), 0);
	still_works();
}
END_TEST

/* No place for another descriptor: the message comes, without it. */
START_TEST(at_our_limit)
{
	struct rlimit old, low;
	enum fdpass_result r;
	int fd = 99;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(
	    fdpass_send(pair[0], &sent, sizeof(sent), extra), FDPASS_OK);
	low = old;
	low.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = fdpass_recv(pair[1], &got, sizeof(got), &fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(r, FDPASS_LOST);
	ck_assert_int_eq(fd, -1);
	ck_assert_mem_eq(&got, &sent, sizeof(got));
	still_works();
}
END_TEST

/* Two were sent and there is place for one: that one is closed again. */
START_TEST(two_at_our_limit)
{
	struct rlimit old, low;
	int fds[2] = { extra, extra }, fd = 99, next = dup(extra);
	enum fdpass_result r;

	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	send_raw(&sent, sizeof(sent), fds, 2);
	low = old;
	low.rlim_cur = (rlim_t)next + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	r = fdpass_recv(pair[1], &got, sizeof(got), &fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(r, FDPASS_BAD);
	ck_assert_int_eq(fd, -1);
	still_works();
}
END_TEST

START_TEST(full_socket)
{
	enum fdpass_result r;
	size_t n = 0, i;
	int fd;

	while (
	    (r = fdpass_send(pair[0], &sent, sizeof(sent), extra)) == FDPASS_OK)
		n++;
	ck_assert_int_eq(r, FDPASS_AGAIN);
	ck_assert_uint_gt(n, 0);
	for (i = 0; i < n; i++) {
		ck_assert_int_eq(
		    fdpass_recv(pair[1], &got, sizeof(got), &fd), FDPASS_OK);
		ck_assert_int_ne(fd, -1);
		close(fd);
	}
	receives(FDPASS_AGAIN);
	still_works();
}
END_TEST

/* As a user other than root: as many descriptors are under way as the limit
 * of open ones allows. The socket is far from full. */
static void
send_to_limit(void)
{
	struct rlimit low = { 8, 8 };
	enum fdpass_result r = FDPASS_OK;
	int i;

	if (geteuid() == 0 && setuid(65534) == -1)
		_exit(2);
	if (setrlimit(RLIMIT_NOFILE, &low) == -1)
		_exit(2);
	for (i = 0; i < 32 && r == FDPASS_OK; i++)
		r = fdpass_send(pair[0], &sent, sizeof(sent), extra);
	_exit(r == FDPASS_AGAIN && errno == ETOOMANYREFS ? 0 : 1);
}

START_TEST(too_many_under_way)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		send_to_limit();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(other_end_closed)
{
	ck_assert_int_eq(
	    fdpass_send(pair[0], &sent, sizeof(sent), -1), FDPASS_OK);
	close(pair[0]);
	pair[0] = -1;
	receives(FDPASS_OK);
	receives(FDPASS_EOF);
	receives(FDPASS_EOF);
	signal(SIGPIPE, SIG_DFL);
	ck_assert_int_eq(
	    fdpass_send(pair[1], &sent, sizeof(sent), extra), FDPASS_EOF);
	pair[0] = dup(extra); /* for tear_down */
}
END_TEST

/* The other end was closed before it had read what we sent. */
START_TEST(other_end_reset)
{
	ck_assert_int_eq(
	    fdpass_send(pair[1], &sent, sizeof(sent), extra), FDPASS_OK);
	close(pair[0]);
	receives(FDPASS_EOF);
	pair[0] = dup(extra); /* for tear_down */
}
END_TEST

START_TEST(no_socket)
{
	int fd = 99;

	ck_assert_int_eq(
	    fdpass_send(extra, &sent, sizeof(sent), -1), FDPASS_ERROR);
	ck_assert_int_eq(errno, ENOTSOCK);
	ck_assert_int_eq(
	    fdpass_recv(extra, &got, sizeof(got), &fd), FDPASS_ERROR);
	ck_assert_int_eq(errno, ENOTSOCK);
	ck_assert_int_eq(fd, -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("fdpass");
	TCase *tc = tcase_create("fdpass");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, without_descriptor);
	tcase_add_test(tc, with_descriptor);
	tcase_add_loop_test(tc, wrong_length, 0, 5);
	tcase_add_loop_test(tc, more_descriptors, 2, 9);
	tcase_add_test(tc, other_control_data);
	tcase_add_test(tc, at_our_limit);
	tcase_add_test(tc, two_at_our_limit);
	tcase_add_test(tc, full_socket);
	tcase_add_test(tc, too_many_under_way);
	tcase_add_test(tc, other_end_closed);
	tcase_add_test(tc, other_end_reset);
	tcase_add_test(tc, no_socket);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

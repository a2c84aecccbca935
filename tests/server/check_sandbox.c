/* SPDX-License-Identifier: ISC
 *
 * The sandbox of workers, in children of our own: what they need they can do,
 * and any other system call is their end. What needs root is left out without.
 */
#define _GNU_SOURCE

#include "server/sandbox.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/config.h"

/* Sanitizers make system calls of their own. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

static struct config *config;
static struct sandbox sandbox;

static void
use(const char *key, const char *value)
{
	char why[256];

	ck_assert_int_eq(config_set(config, key, value, why, sizeof(why)), 0);
}

static void
set_up(void)
{
	config = config_new();
	log_open("check", LOG_LEVEL_ERROR);
}

static void
tear_down(void)
{
	config_free(config);
}

/* Confines a child as the settings say; it ends with what `act` returns. The
 * status that wait(2) gives. */
static int
confined(int (*act)(void))
{
	char why[SANDBOX_WHY_MAX];
	int status;
	pid_t pid;

	sandbox_preset(config);
	sandbox_find(&sandbox, config);
	if ((pid = fork()) == 0) {
		if (sandbox_enter(&sandbox, why) == -1) {
			log_error("%s", why);
			_exit(100);
		}
		_exit(act());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (sandbox.root_fd != -1)
		close(sandbox.root_fd);
	return status;
}

static int
do_open(void)
{
	return open("/dev/null", O_RDONLY) == -1;
}

static int
do_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) == -1;
}

static int
do_bind(void)
{
	return bind(0, NULL, 0) == -1;
}

static int
do_connect(void)
{
	return connect(0, NULL, 0) == -1;
}

static int
do_execve(void)
{
	char *argv[] = { NULL };

	return execve("/bin/true", argv, argv) == -1;
}

static int
do_fork(void)
{
	return fork() == -1;
}

static int
do_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1;
}

static int
do_kill(void)
{
	return kill(getpid(), 0) == -1;
}

static int
do_chroot(void)
{
	return chroot("/") == -1;
}

static int
do_setuid(void)
{
	return setuid(0) == -1;
}

static int
do_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1;
}

static int
do_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static int
do_more_files(void)
{
	const struct rlimit limit = { 1, 1 };

	return setrlimit(RLIMIT_NOFILE, &limit) == -1;
}

/* A connection that no connect(2) makes. */
static int
do_fast_open(void)
{
	return send(0, "x", 1, MSG_FASTOPEN) == -1;
}

static int
do_fast_open_message(void)
{
	struct msghdr msg = { 0 };

	return sendmsg(0, &msg, MSG_FASTOPEN) == -1;
}

static int
do_send_to(void)
{
	const struct sockaddr to = { .sa_family = AF_UNIX };

	return sendto(0, "x", 1, 0, &to, sizeof(to)) == -1;
}

static int
do_datagrams(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == -1;
}

/* Signals that no kill(2) sends. */
static int
do_own(void)
{
	return fcntl(0, F_SETOWN, getpid()) == -1;
}

static int
do_async(void)
{
	return fcntl(0, F_SETFL, O_ASYNC) == -1;
}

static int (*const forbidden[])(void) = { do_fast_open, do_fast_open_message,
	do_send_to, do_datagrams, do_own, do_async, do_open, do_socket, do_bind,
	do_connect, do_execve, do_fork, do_ptrace, do_kill, do_chroot,
	do_setuid, do_prctl, do_code, do_more_files };

START_TEST(is_killed)
{
	int status = confined(forbidden[_i]);

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSYS);
}
END_TEST

/* The same list, and the call has a name. */
START_TEST(is_trapped)
{
	char text[256] = "";
	int fds[2], status;

	ck_assert_int_eq(pipe(fds), 0);
	log_redirect(LOG_EVENTS, LOG_TO_STDERR, fds[1], NULL);
	use("sandbox", "trap");
	status = confined(do_socket);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSYS);
	ck_assert_int_gt(read(fds[0], text, sizeof(text) - 1), 0);
	ck_assert_ptr_nonnull(strstr(text, "sandbox forbids: socket ("));
	close(fds[0]);
}
END_TEST

static int
live(void)
{
	const struct timespec nap = { .tv_nsec = 1 };
	struct rlimit limit;
	char byte, *heap;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1 || write(fds[1], "x", 1) != 1 ||
	    read(fds[0], &byte, 1) != 1 || close(fds[0]) == -1)
		return 1;
	heap = malloc(8 << 20);
	memset(heap, 1, 8 << 20);
	free(heap);
	if (nanosleep(&nap, NULL) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		fds) == -1 ||
	    fcntl(fds[0], F_SETFL, O_NONBLOCK) == -1 ||
	    send(fds[0], "x", 1, MSG_NOSIGNAL | MSG_MORE) != 1)
		return 1;
	return getrlimit(RLIMIT_NOFILE, &limit) == -1 || getpid() <= 1;
}

START_TEST(may_live)
{
	ck_assert_int_eq(confined(live), 0);
}
END_TEST

static int
give_up(void)
{
	abort();
}

START_TEST(aborts_without_core)
{
	int status = confined(give_up);

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGABRT);
	ck_assert(!WCOREDUMP(status));
}
END_TEST

/* stat(2) is let through; there is nothing that it could find. */
static int
sees_files(void)
{
	struct stat st;

	if (stat("/", &st) == -1 || st.st_uid != 0 ||
	    (st.st_mode & 07777) != 0555)
		return 1;
	return stat("/etc", &st) == 0 || stat("/../etc", &st) == 0 ||
	       stat("/proc", &st) == 0 || geteuid() == 0 || getegid() == 0;
}

START_TEST(has_no_files)
{
	ck_assert_int_eq(confined(sees_files), 0);
	ck_assert_int_eq(access("/etc", F_OK), 0);
}
END_TEST

/* Nothing of it is left in the file system. */
START_TEST(leaves_no_directory)
{
	char path[64], link[256] = "";

	sandbox_preset(config);
	sandbox_find(&sandbox, config);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sandbox.root_fd);
	ck_assert_int_gt(readlink(path, link, sizeof(link) - 1), 0);
	ck_assert_ptr_nonnull(strstr(link, " (deleted)"));
	ck_assert_int_eq(
	    openat(sandbox.root_fd, "x", O_CREAT | O_RDWR, 0600), -1);
	ck_assert_int_eq(errno, ENOENT);
	close(sandbox.root_fd);
}
END_TEST

START_TEST(no_is_no)
{
	use("sandbox", "no");
	ck_assert_int_eq(confined(do_open), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tcase = tcase_create("sandbox");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, no_is_no);
	if (!SANITIZED) {
		tcase_add_loop_test(tcase, is_killed, 0,
		    sizeof(forbidden) / sizeof(forbidden[0]));
		tcase_add_test(tcase, is_trapped);
		tcase_add_test(tcase, may_live);
		tcase_add_test(tcase, aborts_without_core);
	}
	if (!SANITIZED && geteuid() == 0) {
		tcase_add_test(tcase, has_no_files);
		tcase_add_test(tcase, leaves_no_directory);
	}
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: ISC
 *
 * Where lines go: to files, FIFOs and sockets, none of which may ever make
 * anybody wait; and what is said of lines that are lost.
 */
#define _GNU_SOURCE

#include "common/log_sink.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[64], path[96];
static struct log_sink sink;

static void
setup(void)
{
	strcpy(dir, "/tmp/check_log_sink.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
}

static void
teardown(void)
{
	log_sink_fini(&sink);
	(void)unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void
to_file(void)
{
	int fd = log_sink_open_file(path);

	ck_assert_int_ne(fd, -1);
	log_sink_init(&sink, fd, NULL);
}

static bool
put(const char *line)
{
	return log_sink_write(&sink, line, strlen(line));
}

static const char *
content(void)
{
	static char text[8192];
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

START_TEST(file)
{
	struct stat st;

	to_file();
	ck_assert(put("one\n"));
	log_sink_fini(&sink);
	to_file();
	ck_assert(put("two\n"));
	ck_assert_str_eq(content(), "one\ntwo\n");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0027, 0);
}
END_TEST

START_TEST(no_file)
{
	ck_assert_int_eq(log_sink_open_file(dir), -1);
	ck_assert_int_eq(errno, EISDIR);
	snprintf(path, sizeof(path), "%s/no/log", dir);
	ck_assert_int_eq(log_sink_open_file(path), -1);
	ck_assert_int_eq(errno, ENOENT);
	sink.fd = -1;
}
END_TEST

START_TEST(full_device)
{
	int fd = log_sink_open_file("/dev/full");

	ck_assert_int_ne(fd, -1);
	log_sink_init(&sink, fd, NULL);
	ck_assert(!put("lost\n"));
	ck_assert(!put("lost\n"));
}
END_TEST

/* A line that was cut does not run into the next one. */
START_TEST(torn)
{
	struct rlimit old, small = { 6, RLIM_INFINITY };

	to_file();
	ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert(!put("a long line\n"));
	ck_assert(!put("lost\n"));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert(put("whole\n"));
	ck_assert_str_eq(content(), "a long\nwhole\n");
}
END_TEST

START_TEST(fifo_without_reader)
{
	char line[1024], first[1024];
	int fd, n = 0;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	to_file();
	memset(line, 'x', sizeof(line));
	while (log_sink_write(&sink, line, sizeof(line)))
		n++;
	ck_assert_int_gt(n, 0);
	ck_assert(!put("lost\n"));
	fd = open(path, O_RDONLY | O_NONBLOCK);
	for (; n > 0; n--) {
		ck_assert_int_eq(read(fd, first, sizeof(first)), sizeof(first));
		ck_assert_mem_eq(first, line, sizeof(line));
	}
	ck_assert(put("again\n"));
	ck_assert_int_eq(read(fd, first, sizeof(first)), 6);
	close(fd);
}
END_TEST

/* One that was opened by somebody else, to whom it must stay as it is. */
START_TEST(pipe_that_would_block)
{
	char line[1024] = { 0 };
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	log_sink_init(&sink, fds[1], NULL);
	while (log_sink_write(&sink, line, sizeof(line)))
		;
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	close(fds[0]);
}
END_TEST

static int
listen_syslog(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

START_TEST(syslog)
{
	int fd, reader = listen_syslog();
	char text[64] = "";

	fd = log_sink_open_syslog(path);
	ck_assert_int_ne(fd, -1);
	log_sink_init(&sink, fd, path);
	ck_assert(put("<30>a"));
	ck_assert_int_eq(read(reader, text, sizeof(text)), 5);
	ck_assert_str_eq(text, "<30>a");
	/* It does not read. */
	while (put("<30>a"))
		;
	/* It is another one now. */
	close(reader);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!put("lost"));
	reader = listen_syslog();
	sink.tried_ms = 0;
	ck_assert(put("<30>b"));
	ck_assert_int_eq(read(reader, text, sizeof(text)), 5);
	ck_assert_str_eq(text, "<30>b");
	close(reader);
}
END_TEST

START_TEST(syslog_comes_later)
{
	int reader, fd = log_sink_open_syslog(path);

	ck_assert_int_ne(fd, -1);
	log_sink_init(&sink, fd, path);
	ck_assert(!put("lost"));
	reader = listen_syslog();
	ck_assert(!put("not looked for again so soon"));
	sink.tried_ms = 0;
	ck_assert(put("found"));
	close(reader);
}
END_TEST

/* One process may look for it, for another that has the same socket. */
START_TEST(syslog_found_by_another)
{
	int reader, fd = log_sink_open_syslog(path);
	struct log_sink other;

	ck_assert_int_ne(fd, -1);
	log_sink_init(&sink, fd, NULL);
	log_sink_init(&other, fd, path);
	reader = listen_syslog();
	ck_assert(!put("lost"));
	log_sink_tend(&sink);
	ck_assert(!put("lost"));
	log_sink_tend(&other);
	ck_assert(put("found"));
	close(reader);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!put("lost"));
	reader = listen_syslog();
	log_sink_tend(&other);
	ck_assert(put("found"));
	close(reader);
	other.fd = -1; /* it is the same */
	log_sink_fini(&other);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("log_sink");
	TCase *tcase = tcase_create("log_sink");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, file);
	tcase_add_test(tcase, no_file);
	tcase_add_test(tcase, full_device);
	tcase_add_test(tcase, torn);
	tcase_add_test(tcase, fifo_without_reader);
	tcase_add_test(tcase, pipe_that_would_block);
	tcase_add_test(tcase, syslog);
	tcase_add_test(tcase, syslog_comes_later);
	tcase_add_test(tcase, syslog_found_by_another);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: ISC
 *
 * What the tests of the relay share: a relay between real sockets, of which
 * the test is the peer at both ends. Tests run up to four times: over Unix
 * and TCP sockets, with pipes and without.
 *
 *   near <--> A [relay] B <--> far
 */
#ifndef LT_TESTS_COMMON_RELAY_RIG_H
#define LT_TESTS_COMMON_RELAY_RIG_H

#include "common/relay.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/net.h"
#include "common/stream.h"

#define MIB	(1024 * 1024)
#define PATTERN 1000003 /* a prime: no multiple of any buffer */
#define WAIT_MS 20000	/* a test that waits longer has failed */
#define KINDS	4

static struct event_base *base;
static struct relay_env *env;
static struct relay *relay;
static int near_fd, a_fd, b_fd, far_fd;
static bool is_done;
static enum relay_end how;
static void (*script)(struct relay_view *);
static char *pattern;
static uint64_t seen;  /* bytes an inspector was shown */
static unsigned asked; /* how often */

static inline void
tcp_pair(int *one, int *two)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = 65536;

	/* Small buffers, which are inherited: full ones are soon made. */
	setsockopt(l, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	*one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(*one, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(*one, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	ck_assert_int_eq(connect(*one, (struct sockaddr *)&sin, len), 0);
	*two = accept(l, NULL, NULL);
	ck_assert_int_ne(*two, -1);
	close(l);
}

static inline void
pair(bool is_tcp, int *one, int *two)
{
	int fd[2];

	if (is_tcp) {
		tcp_pair(one, two);
	} else {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
		*one = fd[0];
		*two = fd[1];
	}
	fcntl(*one, F_SETFL, O_NONBLOCK);
	fcntl(*two, F_SETFL, O_NONBLOCK);
}

static inline void
inspect(void *arg, struct relay_view *v)
{
	ck_assert_ptr_eq(arg, &relay);
	seen += v->len;
	asked++;
	script(v);
}

static inline void
done(void *arg, enum relay_end end)
{
	ck_assert_ptr_eq(arg, &relay);
	ck_assert(!is_done);
	is_done = true;
	how = end;
	relay_free(relay);
	relay = NULL;
}

static const struct relay_ops ops = { .inspect = inspect, .done = done };

/* A relay that is not started: bit 0 of `kind` says TCP, bit 1 pipes. */
static inline void
make(int kind)
{
	pair(kind & 1, &near_fd, &a_fd);
	pair(kind & 1, &b_fd, &far_fd);
	env = relay_env_new(base, kind & 2 ? 4 : 0, 65536);
	relay = relay_new(env, &(struct stream){ .fd = a_fd },
	    &(struct stream){ .fd = b_fd }, &ops, &relay);
	ck_assert_ptr_nonnull(relay);
	is_done = false;
	seen = 0;
	asked = 0;
}

static inline void
start(void)
{
	ck_assert_int_eq(relay_start(relay), 0);
	ck_assert(!is_done);
}

static inline void
open_relay(int kind)
{
	make(kind);
	start();
}

static inline void
setup(void)
{
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	pattern = malloc(2 * PATTERN);
	for (i = 0; i < PATTERN; i++)
		pattern[i] = (char)(i * 31 + i / 257 + i / 65537);
	memcpy(pattern + PATTERN, pattern, PATTERN);
}

static inline void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static inline void
teardown(void)
{
	relay_free(relay);
	relay = NULL;
	ck_assert_uint_eq(relay_env_pipes(env), 0);
	relay_env_free(env);
	close_fd(&near_fd);
	close_fd(&a_fd);
	close_fd(&b_fd);
	close_fd(&far_fd);
	event_base_free(base);
	free(pattern);
}

/* --- what the peers do ---------------------------------------------------- */

static inline void
run(void)
{
	ck_assert_int_ne(event_base_loop(base, EVLOOP_NONBLOCK), -1);
}

/* A loop turn, as long as the test is not late. */
static inline void
run_until(uint64_t deadline_ms)
{
	ck_assert_msg(clock_ms() < deadline_ms, "waited in vain");
	run();
}

static inline void
settle_down(void)
{
	int i;

	for (i = 0; i < 20; i++)
		run();
}

static inline void
say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
}

/* Exactly this comes next. */
static inline void
hear(int fd, const char *text)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	size_t len = strlen(text), got = 0;
	char buf[4096];
	ssize_t n;

	while (got < len) {
		run_until(deadline);
		n = read(fd, buf + got, len - got);
		ck_assert_int_ne(n, 0);
		got += n > 0 ? (size_t)n : 0;
	}
	ck_assert_mem_eq(buf, text, len);
}

/* Nothing comes: neither a byte nor an end. */
static inline void
hear_nothing(int fd)
{
	char c;

	settle_down();
	ck_assert_int_eq(read(fd, &c, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

/* The next thing is an end of file (0) or this error. */
static inline void
hear_end(int fd, int error)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	ssize_t n;
	char c;

	while ((n = read(fd, &c, 1)) == -1 && errno == EAGAIN)
		run_until(deadline);
	ck_assert_int_eq(n, error == 0 ? 0 : -1);
	if (error != 0)
		ck_assert_int_eq(errno, error);
}

static inline void
expect_done(enum relay_end end)
{
	uint64_t deadline = clock_ms() + WAIT_MS;

	while (!is_done)
		run_until(deadline);
	ck_assert_int_eq(how, end);
	ck_assert_ptr_null(relay);
}

static inline void
reset(int *fd)
{
	net_reset_on_close(*fd);
	close_fd(fd);
}

/* A flood of the pattern, from one peer to the other one. */
struct flood {
	int from, to;
	uint64_t sent, got, len;
};

static inline void
flood_send(struct flood *s)
{
	size_t want = 200000;
	ssize_t n;

	if (s->len - s->sent < want)
		want = (size_t)(s->len - s->sent);
	if (want == 0)
		return;
	n = write(s->from, pattern + s->sent % PATTERN, want);
	ck_assert(n > 0 || errno == EAGAIN);
	s->sent += n > 0 ? (uint64_t)n : 0;
	if (s->sent == s->len)
		shutdown(s->from, SHUT_WR);
}

static inline void
flood_get(struct flood *s)
{
	static char buf[100000];
	ssize_t n = read(s->to, buf, sizeof(buf));

	if (n <= 0)
		return;
	ck_assert(memcmp(buf, pattern + s->got % PATTERN, (size_t)n) == 0);
	s->got += (uint64_t)n;
}

/* Writes until nothing goes any more, however often the loop turns. */
static inline void
stuff(struct flood *s)
{
	uint64_t before;
	int quiet = 0;

	while (quiet < 50) {
		before = s->sent;
		flood_send(s);
		run();
		quiet = s->sent == before ? quiet + 1 : 0;
	}
}

#define ADD(tc, fn) tcase_add_loop_test(tc, fn, 0, KINDS)
#define ADD_TCP(tc, fn)                                                        \
	do {                                                                   \
		tcase_add_loop_test(tc, fn, 1, 2);                             \
		tcase_add_loop_test(tc, fn, 3, 4);                             \
	} while (0)

/* Runs the cases; what main() returns. */
static inline int
run_cases(const char *name, TCase *cases[], size_t n)
{
	Suite *s = suite_create(name);
	SRunner *sr;
	int failed;
	size_t i;

	for (i = 0; i < n; i++) {
		tcase_add_checked_fixture(cases[i], setup, teardown);
		tcase_set_timeout(cases[i], 120);
		suite_add_tcase(s, cases[i]);
	}
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif

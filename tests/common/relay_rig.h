/* SPDX-License-Identifier: ISC
 *
 * What the tests of the relay share: a relay between real sockets, of which
 * the test is the peer at both ends. Tests run once for each kind of relay:
 * over Unix and TCP sockets, with pipes and without, in clear and with TLS on
 * either side or on both.
 *
 *   near <--> A [relay] B <--> far
 */
#ifndef LT_TESTS_COMMON_RELAY_RIG_H
#define LT_TESTS_COMMON_RELAY_RIG_H

#include "common/relay.h"
#include "common/watch.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/net.h"
#include "common/stream.h"
#include "tests/common/pair_rig.h"
#include "tests/common/tls_rig.h"

#define MIB	(1024 * 1024)
#define PATTERN 1000003 /* a prime: no multiple of any buffer */
#define WAIT_MS 20000	/* a test that waits longer has failed */

static struct event_base *base;
static struct watch_set *watches;
static struct relay_env *env;
static struct relay *relay;
static struct stream near = STREAM_NONE, a_side = STREAM_NONE;
static struct stream b_side = STREAM_NONE, far = STREAM_NONE;
static struct rig_cert ca, leaf;
static struct tls_context *client, *server;
static bool is_done;
static enum relay_end how;
static void (*script)(struct relay_view *);
static char *pattern;
static uint64_t seen;  /* bytes an inspector was shown */
static unsigned asked; /* how often */

/* What a test runs over; those with an odd number over TCP. */
static const struct kind {
	bool is_tcp;
	bool has_pipes;
	bool tls_a; /* near is a client who speaks TLS to A */
	bool tls_b; /* far is a server that speaks it to B */
} kinds[] = {
	{ false, false, false, false },
	{ true, false, false, false },
	{ false, true, false, false },
	{ true, true, false, false },
	{ false, true, true, false },
	{ true, true, true, false },
	{ false, true, false, true },
	{ true, true, false, true },
	{ false, true, true, true },
	{ true, true, true, true },
};

#define KINDS	  ((int)(sizeof(kinds) / sizeof(kinds[0])))
#define KINDS_TLS 4 /* the first with TLS */

/* True if bulk goes through a pipe: nowhere with TLS. */
static inline bool
is_spliced(int kind)
{
	return kinds[kind].has_pipes && kind < KINDS_TLS;
}

/* Two ends, the first of them a client's. */
static inline void
stream_pair(bool is_tcp, bool is_tls, struct stream *one, struct stream *two)
{
	int fd[2];

	small_pair(is_tcp, fd);
	*one = (struct stream){ .fd = fd[0] };
	*two = (struct stream){ .fd = fd[1] };
	if (!is_tls)
		return;
	one->tls = tls_connect_new(client, fd[0], "a.example", "a.example");
	two->tls = tls_accept_new(server, fd[1], "here");
	rig_join(one->tls, two->tls);
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
	ck_assert_int_ne(fcntl(a_side.fd, F_GETFD), -1);
	ck_assert_int_ne(fcntl(b_side.fd, F_GETFD), -1);
	/* The last end is told by closing, which says it to both. */
	if (end == RELAY_END_EOF && a_side.tls == NULL)
		shutdown(a_side.fd, SHUT_WR);
	if (end == RELAY_END_EOF && b_side.tls == NULL)
		shutdown(b_side.fd, SHUT_WR);
}

static const struct relay_ops ops = { .inspect = inspect, .done = done };

/* A relay that is not started. */
static inline void
make(int kind)
{
	const struct kind *k = &kinds[kind];

	stream_pair(k->is_tcp, k->tls_a, &near, &a_side);
	stream_pair(k->is_tcp, k->tls_b, &b_side, &far);
	watches = watch_set_new(base);
	env = relay_env_new(base, watches, k->has_pipes ? 4 : 0, 65536);
	relay = relay_new(env, &a_side, &b_side, &ops, &relay);
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
	ca = rig_issue(NULL, NULL);
	leaf = rig_issue(&ca, "DNS:a.example");
	client = rig_client(&ca, NULL);
	server = rig_server(&leaf);
	pattern = malloc(2 * PATTERN);
	for (i = 0; i < PATTERN; i++)
		pattern[i] = (char)(i * 31 + i / 257 + i / 65537);
	memcpy(pattern + PATTERN, pattern, PATTERN);
}

static inline void
teardown(void)
{
	relay_free(relay);
	relay = NULL;
	ck_assert_uint_eq(relay_env_pipes(env), 0);
	relay_env_free(env);
	watch_set_free(watches);
	stream_close(&near);
	stream_close(&a_side);
	stream_close(&b_side);
	stream_close(&far);
	tls_context_free(client);
	tls_context_free(server);
	rig_cert_fini(&ca);
	rig_cert_fini(&leaf);
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
say(struct stream *s, const char *text)
{
	ck_assert_int_eq(stream_write(s, text, strlen(text)), strlen(text));
}

/* Says that no more will be said. */
static inline void
shut(struct stream *s)
{
	ck_assert_int_eq(stream_shutdown(s), 0);
}

/* The same, and listens no more. */
static inline void
hang_up(struct stream *s)
{
	shut(s);
	stream_close(s);
}

/* Exactly this comes next. */
static inline void
hear(struct stream *s, const char *text)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	size_t len = strlen(text), got = 0;
	char buf[4096];
	ssize_t n;

	while (got < len) {
		run_until(deadline);
		n = stream_read(s, buf + got, len - got);
		ck_assert_int_ne(n, 0);
		got += n > 0 ? (size_t)n : 0;
	}
	ck_assert_mem_eq(buf, text, len);
}

/* Nothing comes: neither a byte nor an end. */
static inline void
hear_nothing(struct stream *s)
{
	char c;

	settle_down();
	ck_assert_int_eq(stream_read(s, &c, 1), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

/* The next thing is an end of file (0) or this error. */
static inline void
hear_end(struct stream *s, int error)
{
	uint64_t deadline = clock_ms() + WAIT_MS;
	ssize_t n;
	char c;

	while ((n = stream_read(s, &c, 1)) == -1 && errno == EAGAIN)
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
reset(struct stream *s)
{
	net_reset_on_close(s->fd);
	stream_close(s);
}

/* A flood of the pattern, from one peer to the other one. */
struct flood {
	struct stream *from, *to;
	uint64_t sent, got, len;
	bool is_shut;
};

static inline void
flood_send(struct flood *s)
{
	size_t want = 200000;
	ssize_t n;

	if (s->len - s->sent < want)
		want = (size_t)(s->len - s->sent);
	if (want > 0) {
		n = stream_write(s->from, pattern + s->sent % PATTERN, want);
		ck_assert(n > 0 || errno == EAGAIN);
		s->sent += n > 0 ? (uint64_t)n : 0;
	} else if (!s->is_shut) {
		s->is_shut = stream_shutdown(s->from) == 0;
	}
}

static inline void
flood_get(struct flood *s)
{
	static char buf[100000];
	ssize_t n = stream_read(s->to, buf, sizeof(buf));

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

/* Ends one that was stuffed: with TLS the record that is half out first. */
static inline void
flood_end(struct flood *s)
{
	uint64_t deadline = clock_ms() + WAIT_MS, before = s->sent;

	while (s->from->tls != NULL && s->sent == before) {
		flood_get(s);
		run_until(deadline);
		flood_send(s);
	}
	s->len = s->sent;
	while (!s->is_shut) {
		flood_send(s);
		run_until(deadline);
	}
}

#define ADD(tc, fn)	    tcase_add_loop_test(tc, fn, 0, KINDS)
#define ADD_TCP(tc, fn)	    ADD_ODD(tc, fn, 1)
#define ADD_TCP_TLS(tc, fn) ADD_ODD(tc, fn, KINDS_TLS + 1)
#define ADD_ODD(tc, fn, from)                                                  \
	for (int kind_ = (from); kind_ < KINDS; kind_ += 2)                    \
	tcase_add_loop_test(tc, fn, kind_, kind_ + 1)
#define ADD_TLS(tc, fn) tcase_add_loop_test(tc, fn, KINDS_TLS, KINDS)

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

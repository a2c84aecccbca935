/* SPDX-License-Identifier: ISC
 *
 * Host rewriting and the request log, over a real relay between two pairs of
 * sockets. The log is read as JSON events from standard output.
 */
#define _GNU_SOURCE
#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/options.h"
#include "client/request.h"
#include "common/clock.h"
#include "common/relay.h"
#include "common/stream.h"
#include "common/watch.h"

#define PATIENCE_MS 20000
#define BUF_MAX	    200000

static struct event_base *base;
static struct watch_set *watches;
static struct relay_env *env;
static struct relay *relay;
static struct request *request;
static struct tunnel_options options;
static int visitor, service, ends[2];
static bool is_done;
static int log_fd, saved_stdout;

static void
inspect(void *arg, struct relay_view *view)
{
	(void)arg;
	request_inspect(request, view);
}

static void
done(void *arg, enum relay_end end)
{
	(void)arg;
	(void)end;
	is_done = true;
}

static void
make_pair(int *outer, int *inner)
{
	int pair[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*outer = pair[0];
	*inner = pair[1];
}

static void
setup(void)
{
	memset(&options, 0, sizeof(options));
	options.print_requests = true;
	options.display.json = true;
	is_done = false;
	make_pair(&visitor, &ends[0]);
	make_pair(&service, &ends[1]);
	fflush(stdout);
	saved_stdout = dup(STDOUT_FILENO);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	ck_assert_int_ne(log_fd, -1);
	dup2(log_fd, STDOUT_FILENO);
}

static void
start(void)
{
	static const struct relay_ops ops = { inspect, done };

	base = event_base_new();
	watches = watch_set_new(base);
	env = relay_env_new(base, watches, 4, 65536);
	relay = relay_new(env, &(struct stream){ .fd = ends[0] },
	    &(struct stream){ .fd = ends[1] }, &ops, NULL);
	request = request_new(&options, relay);
	ck_assert_ptr_nonnull(request);
	relay_inspect(relay, RELAY_A_TO_B);
	relay_inspect(relay, RELAY_B_TO_A);
	ck_assert_int_eq(relay_start(relay), 0);
}

/* Ends the connection as proxy does; the log is whole after that. */
static void
stop(void)
{
	relay_free(relay);
	request_free(request);
	relay = NULL;
	request = NULL;
}

static void
teardown(void)
{
	stop();
	fflush(stdout);
	dup2(saved_stdout, STDOUT_FILENO);
	close(saved_stdout);
	close(log_fd);
	relay_env_free(env);
	watch_set_free(watches);
	event_base_free(base);
	close(visitor);
	close(service);
	close(ends[0]);
	close(ends[1]);
}

static void
say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Turns the loop until exactly `text` has come out at `fd`. */
static void
expect(int fd, const char *text)
{
	static char buf[BUF_MAX];
	uint64_t deadline = clock_ms() + PATIENCE_MS;
	size_t len = 0;
	ssize_t n;

	while (len < strlen(text) && clock_ms() < deadline) {
		turn();
		n = read(fd, buf + len, sizeof(buf) - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	buf[len] = '\0';
	ck_assert_str_eq(buf, text);
}

/* The loop has nothing to do, and nothing came out. */
static void
expect_nothing(int fd)
{
	char c;
	int i;

	for (i = 0; i < 50; i++)
		turn();
	ck_assert_int_eq(read(fd, &c, 1), -1);
}

/* The log has as many lines as there are texts, and each has its text. */
static void
expect_log(const char *const *texts, int n)
{
	static char buf[BUF_MAX];
	ssize_t len = pread(log_fd, buf, sizeof(buf) - 1, 0);
	char *line, *rest = buf;
	int i;

	ck_assert_int_ge(len, 0);
	buf[len] = '\0';
	for (i = 0; i < n; i++) {
		line = strsep(&rest, "\n");
		ck_assert_ptr_nonnull(rest);
		ck_assert_msg(
		    strstr(line, texts[i]) != NULL, "%s: %s", line, texts[i]);
	}
	ck_assert_str_eq(rest, "");
}

#define EXPECT_LOG(...)                                                        \
	do {                                                                   \
		const char *const texts[] = { __VA_ARGS__ };                   \
		expect_log(texts, sizeof(texts) / sizeof(texts[0]));           \
	} while (0)

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

START_TEST(logs_a_request)
{
	start();
	say(visitor, "GET /a?b=c HTTP/1.1\r\nHost: x.example\r\n\r\n");
	expect(service, "GET /a?b=c HTTP/1.1\r\nHost: x.example\r\n\r\n");
	say(service, OK);
	expect(visitor, OK);
	EXPECT_LOG("\"method\":\"GET\",\"path\":\"/a?b=c\",\"status\":200,"
		   "\"ms\":");
}
END_TEST

START_TEST(rewrites_each_host)
{
	strcpy(options.host_header, "localhost:5000");
	start();
	say(visitor, "GET /1 HTTP/1.1\r\nHost: x.example\r\nA: b\r\n\r\n"
		     "GET /2 HTTP/1.1\r\nhost:x.example\r\n\r\n");
	expect(service, "GET /1 HTTP/1.1\r\nHost: localhost:5000\r\nA: b\r\n"
			"\r\n"
			"GET /2 HTTP/1.1\r\nhost: localhost:5000\r\n\r\n");
	say(service, OK OK);
	expect(visitor, OK OK);
	EXPECT_LOG("/1\",\"status\":200", "/2\",\"status\":200");
}
END_TEST

START_TEST(byte_by_byte)
{
	const char *head = "GET / HTTP/1.1\r\nHost: x.example\r\n\r\n";

	strcpy(options.host_header, "app");
	start();
	for (; *head != '\0'; head++) {
		ck_assert_int_eq(write(visitor, head, 1), 1);
		turn();
	}
	expect(service, "GET / HTTP/1.1\r\nHost: app\r\n\r\n");
}
END_TEST

START_TEST(bodies_pass_as_they_are)
{
	static const char body[] = "POST /c HTTP/1.1\r\nHost: app\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n"
				   "6\r\nGET / \r\n0\r\n\r\n";

	strcpy(options.host_header, "app");
	start();
	say(visitor, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n"
		     "\r\nHost: x\r\n");
	expect(service, "POST /a HTTP/1.1\r\nHost: app\r\nContent-Length: 20"
			"\r\n\r\nHost: x\r\n");
	say(visitor, "Host: y\r\n\r\n");
	expect(service, "Host: y\r\n\r\n");
	say(visitor, body);
	expect(service, body);
	say(visitor, "GET /z HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(service, "GET /z HTTP/1.1\r\nHost: app\r\n\r\n");
	say(service, "HTTP/1.1 100 Continue\r\n\r\n" OK OK OK);
	expect(visitor, "HTTP/1.1 100 Continue\r\n\r\n" OK OK OK);
	EXPECT_LOG("/a\",\"status\":200", "/c\",\"status\":200",
	    "/z\",\"status\":200");
}
END_TEST

START_TEST(head_has_no_body)
{
	start();
	say(visitor, "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n"
		     "GET /g HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(service, "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n"
			"GET /g HTTP/1.1\r\nHost: x\r\n\r\n");
	say(service, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
		     "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
	expect(visitor, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
			"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
	EXPECT_LOG("/h\",\"status\":200", "/g\",\"status\":404");
}
END_TEST

#define UPGRADE                                                                \
	"GET /ws HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\n"             \
	"Upgrade: websocket\r\n\r\n"

START_TEST(upgrade_accepted)
{
	strcpy(options.host_header, "app");
	start();
	say(visitor, UPGRADE "GET / HTTP/1.1\r\nHost: raw\r\n\r\n");
	expect(service, UPGRADE);
	expect_nothing(service);
	say(service, "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n\x01\x02");
	expect(visitor, "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n"
			"\x01\x02");
	expect(service, "GET / HTTP/1.1\r\nHost: raw\r\n\r\n");
	say(service, "HTTP/1.1 raw");
	expect(visitor, "HTTP/1.1 raw");
	EXPECT_LOG("/ws\",\"status\":101");
}
END_TEST

START_TEST(upgrade_declined)
{
	strcpy(options.host_header, "app");
	start();
	say(visitor, UPGRADE "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(service, UPGRADE);
	expect_nothing(service);
	say(service, "HTTP/1.1 100 Continue\r\n\r\n");
	expect(visitor, "HTTP/1.1 100 Continue\r\n\r\n");
	expect_nothing(service);
	say(service, OK);
	expect(visitor, OK);
	expect(service, "GET / HTTP/1.1\r\nHost: app\r\n\r\n");
}
END_TEST

START_TEST(queue_is_bounded)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";
	char want[BUF_MAX] = "";
	int i;

	strcpy(options.host_header, "app");
	start();
	for (i = 0; i < 20; i++) {
		say(visitor, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
		if (i < 8)
			strcat(want, get);
	}
	expect(service, want);
	expect_nothing(service);
	for (i = 0; i < 12; i++) {
		say(service, OK);
		expect(service, get);
	}
	for (i = 0; i < 8; i++)
		say(service, OK);
	want[0] = '\0';
	for (i = 0; i < 20; i++)
		strcat(want, OK);
	expect(visitor, want);
	EXPECT_LOG("200", "200", "200", "200", "200", "200", "200", "200",
	    "200", "200", "200", "200", "200", "200", "200", "200", "200",
	    "200", "200", "200");
}
END_TEST

START_TEST(what_is_no_http_passes)
{
	strcpy(options.host_header, "app");
	start();
	say(visitor, "\x16\x03\x01 hello\r\n\r\n");
	expect(service, "\x16\x03\x01 hello\r\n\r\n");
	say(service, "\x15\x03 no");
	expect(visitor, "\x15\x03 no");
}
END_TEST

START_TEST(hosts_are_rewritten_behind_a_strange_answer)
{
	strcpy(options.host_header, "app");
	start();
	say(visitor, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(service, "GET /1 HTTP/1.1\r\nHost: app\r\n\r\n");
	say(service, "NONSENSE\r\n\r\n");
	expect(visitor, "NONSENSE\r\n\r\n");
	say(visitor, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(service, "GET /2 HTTP/1.1\r\nHost: app\r\n\r\n");
	EXPECT_LOG("/1\",\"status\":0");
}
END_TEST

START_TEST(unanswered_is_logged_at_the_end)
{
	start();
	say(visitor, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(service, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_int_eq(lseek(log_fd, 0, SEEK_END), 0);
	stop();
	EXPECT_LOG("/slow\",\"status\":0");
}
END_TEST

START_TEST(cut_answer_is_logged_at_the_end)
{
	start();
	say(visitor, "GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(service, "GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
	say(service, "HTTP/1.0 203 Half\r\n\r\nuntil the end");
	expect(visitor, "HTTP/1.0 203 Half\r\n\r\nuntil the end");
	stop();
	EXPECT_LOG("/cut\",\"status\":203");
}
END_TEST

START_TEST(no_log_unless_asked_for)
{
	options.print_requests = false;
	strcpy(options.host_header, "app");
	ck_assert(request_is_wanted(&options));
	start();
	say(visitor, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(service, "GET / HTTP/1.1\r\nHost: app\r\n\r\n");
	say(service, OK);
	expect(visitor, OK);
	stop();
	ck_assert_int_eq(lseek(log_fd, 0, SEEK_END), 0);
	options.host_header[0] = '\0';
	ck_assert(!request_is_wanted(&options));
}
END_TEST

START_TEST(half_closed_visitor_has_its_answer)
{
	start();
	say(visitor, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	shutdown(visitor, SHUT_WR);
	expect(service, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	say(service, OK);
	expect(visitor, OK);
	ck_assert(!is_done);
	shutdown(service, SHUT_WR);
	while (!is_done)
		turn();
	EXPECT_LOG("200");
}
END_TEST

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

/* What is said to a direction that ended as if somebody had cut it. */
static bool
is_whole(enum relay_dir dir)
{
	struct relay_view view = {
		.dir = dir, .in = "", .is_eof = true, .is_cut = true
	};

	request_inspect(request, &view);
	ck_assert_int_eq(view.next, RELAY_GO);
	return view.is_whole;
}

/* Answers to one GET, or to a HEAD, and whether a service may end behind them
 * without close_notify. */
static const struct {
	const char *ask, *answer;
	bool is_whole;
} cuts[] = {
	{ GET, OK, true },
	{ GET, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", true },
	{ GET, "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", true },
	{ GET,
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "2\r\nhi\r\n0\r\n\r\n",
	    true },
	{ GET, "HTTP/1.1 100 Continue\r\n\r\n" OK, true },
	{ "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true },
	{ GET GET, OK OK, true },
	{ GET GET, OK, false },
	{ GET, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", false },
	{ GET,
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "2\r\nhi\r\n",
	    false },
	{ GET, "HTTP/1.1 200 OK\r\n\r\nhi", false },
	{ GET, "HTTP/1.1 200 OK\r\nContent-", false },
	{ GET, "HTTP/1.1 100 Continue\r\n\r\n", false },
	{ GET, "SSH-2.0-x\r\n", false },
};

START_TEST(ends_that_tls_does_not_confirm)
{
	options.print_requests = false;
	options.target.is_tls = true;
	ck_assert(request_is_wanted(&options));
	start();
	ck_assert(is_whole(RELAY_B_TO_A));
	say(visitor, cuts[_i].ask);
	expect(service, cuts[_i].ask);
	ck_assert(!is_whole(RELAY_B_TO_A));
	say(service, cuts[_i].answer);
	expect(visitor, cuts[_i].answer);
	ck_assert(is_whole(RELAY_B_TO_A) == cuts[_i].is_whole);
	/* Of the visitor's own end nothing is known. */
	ck_assert(!is_whole(RELAY_A_TO_B));
	ck_assert(lseek(log_fd, 0, SEEK_END) == 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("request");
	TCase *tcase = tcase_create("request");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, logs_a_request);
	tcase_add_test(tcase, rewrites_each_host);
	tcase_add_test(tcase, byte_by_byte);
	tcase_add_test(tcase, bodies_pass_as_they_are);
	tcase_add_test(tcase, head_has_no_body);
	tcase_add_test(tcase, upgrade_accepted);
	tcase_add_test(tcase, upgrade_declined);
	tcase_add_test(tcase, queue_is_bounded);
	tcase_add_test(tcase, what_is_no_http_passes);
	tcase_add_test(tcase, hosts_are_rewritten_behind_a_strange_answer);
	tcase_add_test(tcase, unanswered_is_logged_at_the_end);
	tcase_add_test(tcase, cut_answer_is_logged_at_the_end);
	tcase_add_test(tcase, no_log_unless_asked_for);
	tcase_add_test(tcase, half_closed_visitor_has_its_answer);
	tcase_add_loop_test(tcase, ends_that_tls_does_not_confirm, 0,
	    sizeof(cuts) / sizeof(cuts[0]));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

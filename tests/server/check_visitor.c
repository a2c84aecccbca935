/* SPDX-License-Identifier: ISC
 *
 * What a tunnel does to requests, with a real relay between two socket
 * pairs: the test is the visitor at one end and the local service at the
 * other.
 */
#define _GNU_SOURCE

#include "common/watch.h"
#include "server/visitor.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/cidr.h"
#include "common/ltp.h"
#include "common/stream.h"
#include "server/gate.h"
#include "server/registry.h"

#define HOST	    "Host: demo.example.com:8000\r\n"
#define GET	    "GET / HTTP/1.1\r\n" HOST "\r\n"
#define GET_OTHER   "GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n"
#define OK	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SWITCHING   "HTTP/1.1 101 Switching Protocols\r\n\r\n"
#define UPGRADE	    "Connection: Upgrade\r\nUpgrade: x\r\n"
#define GET_UPGRADE "GET /ws HTTP/1.1\r\n" HOST UPGRADE "\r\n"

#define BUFFER_SIZE (1024 * 1024)

static struct registry *registry;
static struct event_base *base;
static struct watch_set *watches;
static struct relay_env *env;
static struct relay *relay;
static struct visitor v;
static int ours[2]; /* A, B: the ends of the relay */
static int visitor; /* the other ends */
static int service;
static bool is_over;
static enum relay_end how;
static struct gate *gate;
static char got[BUFFER_SIZE];

static void
inspect(void *arg, struct relay_view *view)
{
	(void)arg;
	if (view->dir == RELAY_A_TO_B || v.state == VISITOR_HELD)
		visitor_inspect(&v, view);
	else
		view->opaque = RELAY_ALL;
}

static void
done(void *arg, enum relay_end end)
{
	(void)arg;
	is_over = true;
	how = end;
	relay_free(relay);
	relay = NULL;
	close(ours[0]);
	close(ours[1]);
}

/* Two connected sockets; *mine is the test's. */
static int
new_pair(int *mine)
{
	int fds[2], size = BUFFER_SIZE;

	ck_assert_int_eq(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	*mine = fds[0];
	return fds[1];
}

static void
setup(void)
{
	static struct net_addr peer;
	static const struct relay_ops ops = { inspect, done };

	registry = registry_new(4);
	base = event_base_new();
	watches = watch_set_new(base);
	env = relay_env_new(base, watches, 8, 65536);
	ours[0] = new_pair(&visitor);
	ours[1] = new_pair(&service);
	is_over = false;
	relay = relay_new(env, &(struct stream){ .fd = ours[0] },
	    &(struct stream){ .fd = ours[1] }, &ops, NULL);
	v = (struct visitor){
		.name = "demo",
		.domain = "example.com",
		.registry = registry,
		.scheme = "http",
		.port = 8000,
		.forwarded = true,
		.peer = &peer,
	};
	ck_assert_int_eq(net_addr_from(&peer, "203.0.113.7", 40112), 0);
	visitor_init(&v, relay);
	ck_assert_int_eq(relay_start(relay), 0);
}

static void
teardown(void)
{
	if (relay != NULL) {
		relay_free(relay);
		close(ours[0]);
		close(ours[1]);
	}
	close(visitor);
	close(service);
	gate_free(gate);
	gate = NULL;
	visitor_fini(&v);
	registry_free(registry);
	relay_env_free(env);
	watch_set_free(watches);
	event_base_free(base);
}

/* Lets the relay do all it can do now. */
static void
run(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
send_bytes(int fd, const char *text, size_t len)
{
	ck_assert_int_eq(write(fd, text, len), len);
	run();
}

static void
asks(const char *text)
{
	send_bytes(visitor, text, strlen(text));
}

static void
answers(const char *text)
{
	send_bytes(service, text, strlen(text));
}

/* What has come at one end; true if the end of it has too. */
static bool
collect(int fd, size_t *got_len)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, got + len, sizeof(got) - 1 - len)) > 0)
		len += (size_t)n;
	ck_assert(n == 0 || errno == EAGAIN);
	got[len] = '\0';
	if (got_len != NULL)
		*got_len = len;
	return n == 0;
}

/* Exactly that has come, and no end. */
static void
has_come(int fd, const char *text)
{
	ck_assert(!collect(fd, NULL));
	ck_assert_str_eq(got, text);
}

static void
has_come_last(int fd, const char *text)
{
	ck_assert(collect(fd, NULL));
	ck_assert_str_eq(got, text);
}

/* One more head has come to the service, with our headers in it. */
static void
head_has_come(const char *first_line)
{
	ck_assert(!collect(service, NULL));
	ck_assert_ptr_eq(strstr(got, first_line), got);
	ck_assert_ptr_nonnull(
	    strstr(got, "\r\nX-Forwarded-For: 203.0.113.7\r\n"));
}

/* A request and its answer, which leave nothing behind. */
static void
exchange(void)
{
	asks(GET);
	head_has_come("GET / HTTP/1.1\r\n");
	answers(OK);
	has_come(visitor, OK);
}

static void
is_refused(int status)
{
	ck_assert(is_over);
	ck_assert_int_eq(how, RELAY_END_INSPECTOR);
	ck_assert_int_eq(v.state, VISITOR_REFUSED);
	ck_assert_int_eq(v.status, status);
	ck_assert_ptr_nonnull(v.why);
	collect(service, NULL);
	ck_assert_str_eq(got, "");
}

/* The service sees the end of requests, `text` the last of them; what it
 * answers still gets through. */
static void
is_cut(const char *text)
{
	ck_assert(!is_over);
	ck_assert_int_eq(v.state, VISITOR_CUT);
	ck_assert_ptr_nonnull(v.why);
	ck_assert(collect(service, NULL));
	ck_assert_ptr_eq(strstr(got, text), got);
	ck_assert_ptr_null(strstr(got, "other.example.com"));
	answers(OK);
	has_come(visitor, OK);
}

START_TEST(headers)
{
	asks("GET /x HTTP/1.1\r\n" HOST "X-Forwarded-For: 198.51.100.1\r\n"
	     "x-forwarded-proto: gopher\r\nX-Forwarded-Host: evil\r\n"
	     "X-Forwarded-Port: 1\r\nX-Forwarded-Server: evil\r\n"
	     "Forwarded: for=evil\r\nX-Real-IP: 198.51.100.1\r\n"
	     "Accept: text/html\r\nCookie: a=b\r\n\r\n");
	has_come(service,
	    "GET /x HTTP/1.1\r\n" HOST "Accept: text/html\r\nCookie: a=b\r\n"
	    "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: http\r\n"
	    "X-Forwarded-Host: demo.example.com:8000\r\n"
	    "X-Forwarded-Port: 8000\r\n\r\n");
	ck_assert(v.wants_html);
	ck_assert_uint_eq(v.requests, 1);
}
END_TEST

START_TEST(headers_left)
{
	static const char text[] =
	    "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 198.51.100.1\r\n\r\n";

	v.forwarded = false;
	asks(text);
	has_come(service, text);
	answers(OK);
	has_come(visitor, OK);
	asks(GET_OTHER);
	is_refused(421);
}
END_TEST

/* For a node session, whatever the visitor wants to do with his connection. */
START_TEST(once)
{
	v.is_once = true;
	asks("GET /x HTTP/1.1\r\n" HOST "connection: keep-alive, x\r\n"
	     "Accept: a/b\r\n\r\n");
	ck_assert(!collect(service, NULL));
	ck_assert_ptr_nonnull(
	    strstr(got, "\r\nAccept: a/b\r\nConnection: close\r\nX-Forw"));
	ck_assert_ptr_null(strstr(got, "keep-alive"));
	answers(OK);
	has_come(visitor, OK);
	asks(GET_UPGRADE);
	ck_assert(!collect(service, NULL));
	ck_assert_ptr_nonnull(strstr(got, "Connection: Upgrade\r\n"));
	ck_assert_ptr_null(strstr(got, "close"));
}
END_TEST

START_TEST(once_and_nothing_else)
{
	v.is_once = true;
	v.forwarded = false;
	asks("GET /x HTTP/1.1\r\n" HOST "X-Forwarded-For: a\r\n\r\n");
	has_come(service, "GET /x HTTP/1.1\r\n" HOST "X-Forwarded-For: a\r\n"
			  "Connection: close\r\n\r\n");
	answers(OK);
	has_come(visitor, OK);
	asks(GET_UPGRADE);
	has_come(service, GET_UPGRADE);
}
END_TEST

/* A host that is the custom domain of this tunnel is its own; that of another,
 * or one that is gone, is not. */
START_TEST(custom_domain)
{
	struct registry_tunnel like = { .domain = "app.example.org" }, mine;
	struct registry_tunnel other = { .domain = "other.example.org" }, t;
	struct registry_session s = { .kind = REGISTRY_HTTP };

	ck_assert(registry_add(registry, "demo", &s, &like, &mine));
	ck_assert(registry_add(registry, "other", &s, &other, &t));
	ck_assert_pstr_eq(registry_check(registry), NULL);
	asks("GET / HTTP/1.1\r\nHost: App.Example.Org:8000\r\n\r\n");
	ck_assert_int_eq(v.state, VISITOR_CHECKING);
	ck_assert_uint_eq(v.requests, 1);
	asks("GET / HTTP/1.1\r\nHost: other.example.org\r\n\r\n");
	ck_assert_int_eq(v.state, VISITOR_CUT);
}
END_TEST

START_TEST(host_forms)
{
	asks("GET / HTTP/1.1\r\nHost: A.b.DEMO.Example.com.\r\n\r\n");
	head_has_come("GET / HTTP/1.1\r\nHost: A.b.DEMO.Example.com.\r\n");
	answers(OK);
	has_come(visitor, OK);
	asks("GET / HTTP/1.1\r\nHost: demo.example.com.other.org\r\n\r\n");
	is_refused(421);
}
END_TEST

START_TEST(first_for_another)
{
	asks(GET_OTHER);
	is_refused(421);
}
END_TEST

START_TEST(base_domain)
{
	asks("HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n");
	is_refused(421);
	ck_assert(v.is_head);
	ck_assert(!v.wants_html);
}
END_TEST

START_TEST(later_for_another)
{
	exchange();
	exchange();
	asks(GET_OTHER);
	is_refused(421);
	ck_assert_uint_eq(v.requests, 2);
}
END_TEST

START_TEST(pipelined)
{
	asks(GET GET);
	head_has_come("GET / ");
	ck_assert_ptr_nonnull(strstr(got + 1, "GET / "));
	ck_assert_uint_eq(v.requests, 2);
	answers(OK OK);
	has_come(visitor, OK OK);
	exchange();
}
END_TEST

START_TEST(pipelined_for_another)
{
	asks(GET GET_OTHER GET);
	is_cut("GET / HTTP/1.1\r\n" HOST);
	ck_assert_uint_eq(v.requests, 1);
	/* No more is read. */
	asks(GET);
	has_come_last(service, "");
	shutdown(service, SHUT_WR);
	run();
	ck_assert(is_over);
	ck_assert_int_eq(how, RELAY_END_EOF);
}
END_TEST

/* An answer that has not gone out yet is not followed by a page. */
START_TEST(answer_is_waiting)
{
	size_t len = 0, sent = 0, chunk = 65536;
	char *zeros = calloc(1, chunk);
	ssize_t n;

	exchange();
	asks(GET);
	head_has_come("GET / ");
	/* More than the visitor's socket takes. */
	while (sent < 64 * chunk && (n = write(service, zeros, chunk)) != -1) {
		sent += (size_t)n;
		run();
	}
	free(zeros);
	asks(GET_OTHER);
	ck_assert_int_eq(v.state, VISITOR_CUT);
	ck_assert(!is_over);
	shutdown(service, SHUT_WR);
	while (!collect(visitor, &len)) {
		sent -= len;
		run();
	}
	ck_assert_uint_eq(sent, len);
	ck_assert(is_over);
}
END_TEST

START_TEST(bad_heads)
{
	static const struct {
		const char *text;
		int status;
	} heads[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "Host: other\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\n" HOST "\r\n", 400 },
		{ "CONNECT demo.example.com:80 HTTP/1.1\r\n" HOST "\r\n", 405 },
		{ "\r\n" GET, 400 },
	};

	exchange();
	asks(heads[_i].text);
	is_refused(heads[_i].status);
}
END_TEST

START_TEST(bad_head_pipelined)
{
	asks(GET "GET / HTTP/1.1\r\n\r\n");
	is_cut("GET / HTTP/1.1\r\n" HOST);
}
END_TEST

START_TEST(long_head)
{
	static char head[HTTP_HEAD_MAX + 1] = "GET / HTTP/1.1\r\n" HOST "X: ";
	size_t len = strlen(head);

	memset(head + len, 'x', sizeof(head) - 1 - len);
	exchange();
	send_bytes(visitor, head, HTTP_HEAD_MAX / 2);
	has_come(service, "");
	ck_assert(!is_over);
	send_bytes(visitor, head + HTTP_HEAD_MAX / 2, HTTP_HEAD_MAX / 2);
	is_refused(431);
}
END_TEST

START_TEST(byte_by_byte)
{
	static const char text[] =
	    GET "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" GET;

	for (const char *at = text; *at != '\0'; at++)
		send_bytes(visitor, at, 1);
	head_has_come("GET / HTTP/1.1\r\n");
	ck_assert_uint_eq(v.requests, 3);
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\nabcGET / "));
}
END_TEST

START_TEST(half_a_head)
{
	asks(GET "GET / HTTP/1.1\r\nHost: oth");
	shutdown(visitor, SHUT_WR);
	run();
	ck_assert(collect(service, NULL));
	ck_assert_ptr_eq(strstr(got, "GET / "), got);
	ck_assert_ptr_null(strstr(got, "oth"));
	ck_assert(!is_over);
	answers(OK);
	has_come(visitor, OK);
}
END_TEST

/* A body passes as it is, however it looks, and then heads are checked. */
START_TEST(sized_body)
{
	char head[256];
	size_t size = 300000, sent = 0, done_len, len;
	char *body = malloc(size);
	ssize_t n;

	for (size_t i = 0; i < size; i++)
		body[i] = GET_OTHER[i % (sizeof(GET_OTHER) - 1)];
	snprintf(head, sizeof(head),
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", size);
	asks(head);
	head_has_come("POST / ");
	for (done_len = 0; done_len < size; done_len += len) {
		n = write(visitor, body + sent, size - sent);
		sent += n > 0 ? (size_t)n : 0;
		run();
		ck_assert(!collect(service, &len));
		ck_assert_mem_eq(got, body + done_len, len);
	}
	ck_assert_uint_eq(done_len, size);
	free(body);
	answers(OK);
	has_come(visitor, OK);
	exchange();
	asks(GET_OTHER);
	is_refused(421);
}
END_TEST

START_TEST(chunked_body)
{
	static const char body[] =
	    "35;a=b\r\n" GET_OTHER "0123456789\r\n0\r\nTrailer: x\r\n\r\n";
	char *at;

	ck_assert_uint_eq(sizeof(GET_OTHER "0123456789") - 1, 0x35);
	asks("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	head_has_come("POST / ");
	send_bytes(visitor, body, 20);
	asks(body + 20);
	has_come(service, body);
	answers(OK);
	has_come(visitor, OK);
	/* Behind a body in the same segment, too. */
	asks("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	     "1\r\nx\r\n0\r\n\r\n" GET);
	head_has_come("POST / ");
	at = strstr(got, "1\r\nx\r\n0\r\n\r\nGET / ");
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_nonnull(strstr(at, "\r\nX-Forwarded-For: "));
	asks(GET_OTHER);
	is_cut("");
}
END_TEST

START_TEST(bad_chunk)
{
	asks("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	head_has_come("POST / ");
	asks("5\r\nhello\r\nzz\r\n");
	is_refused(400);
}
END_TEST

/* An answer to it may be half through. */
START_TEST(bad_chunk_answered)
{
	asks("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	head_has_come("POST / ");
	answers("HTTP/1.1 200 OK\r\n");
	has_come(visitor, "HTTP/1.1 200 OK\r\n");
	asks("zz\r\n");
	is_cut("");
}
END_TEST

START_TEST(upgrade)
{
	exchange();
	asks(GET_UPGRADE GET_OTHER);
	head_has_come("GET /ws ");
	ck_assert_ptr_nonnull(strstr(got, UPGRADE));
	ck_assert_ptr_null(strstr(got, "other"));
	ck_assert_int_eq(v.state, VISITOR_HELD);
	asks("more");
	has_come(service, "");
	answers("HTTP/1.1 103 Early Hints\r\n\r\n");
	has_come(visitor, "HTTP/1.1 103 Early Hints\r\n\r\n");
	ck_assert_int_eq(v.state, VISITOR_HELD);
	answers(SWITCHING "hello");
	has_come(visitor, SWITCHING "hello");
	ck_assert_int_eq(v.state, VISITOR_OPAQUE);
	has_come(service, GET_OTHER "more");
	asks(GET_OTHER "\r\n\r\n\n");
	has_come(service, GET_OTHER "\r\n\r\n\n");
	answers("raw");
	has_come(visitor, "raw");
	ck_assert(!is_over);
}
END_TEST

/* The status line may come in pieces. */
START_TEST(upgrade_slowly)
{
	asks(GET_UPGRADE);
	head_has_come("GET /ws ");
	for (const char *at = SWITCHING; *at != '\0'; at++)
		send_bytes(service, at, 1);
	has_come(visitor, SWITCHING);
	ck_assert_int_eq(v.state, VISITOR_OPAQUE);
	asks("raw");
	has_come(service, "raw");
}
END_TEST

START_TEST(upgrade_declined)
{
	asks(GET_UPGRADE);
	head_has_come("GET /ws ");
	asks(GET);
	has_come(service, "");
	answers(OK);
	has_come(visitor, OK);
	ck_assert_int_eq(v.state, VISITOR_CHECKING);
	head_has_come("GET / ");
	answers(OK);
	has_come(visitor, OK);
	/* And once more. */
	asks(GET_UPGRADE);
	head_has_come("GET /ws ");
	answers(OK);
	has_come(visitor, OK);
	asks(GET_OTHER);
	is_refused(421);
}
END_TEST

START_TEST(upgrade_no_http)
{
	asks(GET_UPGRADE);
	head_has_come("GET /ws ");
	answers("\001\002 no such thing\r\n");
	has_come(visitor, "\001\002 no such thing\r\n");
	ck_assert_int_eq(v.state, VISITOR_CHECKING);
	asks(GET_OTHER);
	is_refused(421);
}
END_TEST

START_TEST(upgrade_pipelined)
{
	asks(GET GET_UPGRADE);
	is_cut("GET / HTTP/1.1\r\n" HOST);
	ck_assert_uint_eq(v.requests, 1);
}
END_TEST

/* Its own body goes on; what follows that is held. */
START_TEST(upgrade_with_body)
{
	asks("POST /ws HTTP/1.1\r\n" HOST UPGRADE
	     "Content-Length: 5\r\n\r\nhel");
	head_has_come("POST /ws ");
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\nhel"));
	asks("loraw");
	has_come(service, "lo");
	answers(SWITCHING);
	has_come(service, "raw");
	asks("raw");
	has_come(service, "raw");
}
END_TEST

START_TEST(upgrade_with_chunks)
{
	asks("POST /ws HTTP/1.1\r\n" HOST UPGRADE
	     "Transfer-Encoding: chunked\r\n\r\n1\r\n");
	head_has_come("POST /ws ");
	asks("x\r\n0\r\n\r\n" GET);
	has_come(service, "x\r\n0\r\n\r\n");
	answers(OK);
	has_come(visitor, OK);
	head_has_come("GET / ");
}
END_TEST

/* The service goes without an answer: the visitor is not held for ever. */
START_TEST(upgrade_unanswered)
{
	asks(GET_UPGRADE);
	head_has_come("GET /ws ");
	shutdown(service, SHUT_WR);
	run();
	has_come_last(visitor, "");
	ck_assert_int_eq(v.state, VISITOR_CHECKING);
	shutdown(visitor, SHUT_WR);
	run();
	ck_assert(is_over);
	ck_assert_int_eq(how, RELAY_END_EOF);
}
END_TEST

/* --- gates ---------------------------------------------------------------
 */

#define GOOD	 "Authorization: Basic YWRhOnNlc2FtZQ==\r\n" /* ada:sesame */
#define GET_GOOD "GET / HTTP/1.1\r\n" HOST GOOD "\r\n"

/* Puts a gate before the tunnel. */
static void
gate_is(const char *login, const char *denied)
{
	struct ltp_message m = { .protect = login };
	char why[GATE_WHY_MAX];

	if (denied != NULL)
		m.deny = (struct ltp_list){ { denied }, 1 };
	ck_assert_ptr_null(gate_new(&gate, &m, REGISTRY_HTTP, NULL, why));
	v.gate = gate;
}

START_TEST(password)
{
	gate_is("ada:sesame", NULL);
	for (int i = 0; i < 2; i++) {
		asks(GET_GOOD);
		head_has_come("GET / HTTP/1.1\r\n");
		ck_assert_ptr_null(strstr(got, "uthorization"));
		answers(OK);
		has_come(visitor, OK);
	}
	asks(GET);
	is_refused(401);
}
END_TEST

START_TEST(password_at_first)
{
	gate_is("ada:sesame", NULL);
	asks("POST / HTTP/1.1\r\n" HOST "Accept: text/html\r\n"
	     "Content-Length: 5\r\n\r\nhello");
	is_refused(401);
	ck_assert(v.wants_html);
}
END_TEST

/* Another tunnel's page comes before the question for a password. */
START_TEST(password_for_another)
{
	gate_is("ada:sesame", NULL);
	asks(GET_OTHER);
	is_refused(421);
}
END_TEST

START_TEST(password_pipelined)
{
	gate_is("ada:sesame", NULL);
	asks(GET_GOOD GET);
	is_cut("GET / HTTP/1.1\r\n");
}
END_TEST

START_TEST(password_for_upgrade)
{
	gate_is("ada:sesame", NULL);
	asks(GET_UPGRADE);
	is_refused(401);
}
END_TEST

START_TEST(password_heads_unchanged)
{
	gate_is("ada:sesame", NULL);
	v.forwarded = false;
	asks(GET_GOOD);
	has_come(service, GET);
}
END_TEST

START_TEST(address)
{
	gate_is("ada:sesame", "203.0.113.0/24");
	asks(GET_GOOD);
	is_refused(403);
}
END_TEST

/* Behind a proxy it is the address of each request. */
START_TEST(address_of_request)
{
	struct cidr_list trusted = { 0 };
	const char *why;

	ck_assert(cidr_list_add(&trusted, "203.0.113.7", &why));
	v.trusted = &trusted;
	gate_is(NULL, "192.0.2.0/24");
	asks("GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 198.51.100.1\r\n"
	     "\r\n");
	ck_assert(!collect(service, NULL));
	ck_assert_ptr_nonnull(
	    strstr(got, "\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n"));
	answers(OK);
	has_come(visitor, OK);
	asks("GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 192.0.2.1\r\n\r\n");
	is_refused(403);
}
END_TEST

static void
add_gate_tests(TCase *tcase)
{
	tcase_add_test(tcase, password);
	tcase_add_test(tcase, password_at_first);
	tcase_add_test(tcase, password_for_another);
	tcase_add_test(tcase, password_pipelined);
	tcase_add_test(tcase, password_for_upgrade);
	tcase_add_test(tcase, password_heads_unchanged);
	tcase_add_test(tcase, address);
	tcase_add_test(tcase, address_of_request);
}

static void
add_tests(TCase *tcase)
{
	tcase_add_test(tcase, headers);
	tcase_add_test(tcase, headers_left);
	tcase_add_test(tcase, once);
	tcase_add_test(tcase, once_and_nothing_else);
	tcase_add_test(tcase, host_forms);
	tcase_add_test(tcase, custom_domain);
	tcase_add_test(tcase, first_for_another);
	tcase_add_test(tcase, base_domain);
	tcase_add_test(tcase, later_for_another);
	tcase_add_test(tcase, pipelined);
	tcase_add_test(tcase, pipelined_for_another);
	tcase_add_test(tcase, answer_is_waiting);
	tcase_add_loop_test(tcase, bad_heads, 0, 5);
	tcase_add_test(tcase, bad_head_pipelined);
	tcase_add_test(tcase, long_head);
	tcase_add_test(tcase, byte_by_byte);
	tcase_add_test(tcase, half_a_head);
	tcase_add_test(tcase, sized_body);
	tcase_add_test(tcase, chunked_body);
	tcase_add_test(tcase, bad_chunk);
	tcase_add_test(tcase, bad_chunk_answered);
	tcase_add_test(tcase, upgrade);
	tcase_add_test(tcase, upgrade_slowly);
	tcase_add_test(tcase, upgrade_declined);
	tcase_add_test(tcase, upgrade_no_http);
	tcase_add_test(tcase, upgrade_pipelined);
	tcase_add_test(tcase, upgrade_with_body);
	tcase_add_test(tcase, upgrade_with_chunks);
	tcase_add_test(tcase, upgrade_unanswered);
}

int
main(void)
{
	Suite *suite = suite_create("visitor");
	TCase *tcase = tcase_create("visitor");
	SRunner *runner = srunner_create(suite);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(tcase, setup, teardown);
	add_tests(tcase);
	add_gate_tests(tcase);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

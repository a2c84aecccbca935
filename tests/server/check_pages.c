/* SPDX-License-Identifier: ISC
 *
 * What the server answers by itself, read at the other end of a socket that
 * is drained for real.
 */
#define _GNU_SOURCE

#include "server/pages.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "common/drain.h"
#include "server/config.h"
#include "server/counters.h"
#include "server/public.h"
#include "server/registry.h"

static struct event_base *base;
static struct config *config;
static struct registry *registry;
static struct counters *counters;
static struct drain_set *drains;
static struct pages *pages;
static char answer[65536];

static void
setup(void)
{
	static const uint16_t ports[] = { 8000, 80, 9000 };

	base = event_base_new();
	config = config_new();
	registry = registry_new(8);
	counters = counters_new(3, 8);
	drains = drain_set_new(base, 8);
	for (uint16_t i = 0; i < 3; i++) {
		config->listen[i].kinds = CONFIG_KINDS;
		config->listen[i].slot = i;
		config->listen[i].port = ports[i];
	}
	config->listen_n = 3;
	config->listen[2].public =
	    (struct config_public){ "https", "tunnel.example", 444 };
	pages = pages_new(config, registry, counters, drains);
}

static void
teardown(void)
{
	pages_free(pages);
	drain_set_free(drains);
	counters_free(counters);
	registry_free(registry);
	config_free(config);
	event_base_free(base);
}

/* A visitor who has sent `text` and nothing more; returns his end. */
static int
visitor(const char *text, struct conn *conn)
{
	int fds[2];

	ck_assert_int_eq(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	ck_assert_int_eq(write(fds[0], text, strlen(text)), strlen(text));
	shutdown(fds[0], SHUT_WR);
	*conn = (struct conn){ .stream.fd = fds[1] };
	return fds[0];
}

/* Lets the drain end; what the visitor got is in `answer`. */
static void
collect(int fd)
{
	size_t len = 0;
	ssize_t n;

	event_base_dispatch(base);
	ck_assert_uint_eq(drain_count(drains), 0);
	while ((n = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)n;
	ck_assert_int_eq(n, 0); /* an end, not a reset */
	answer[len] = '\0';
	close(fd);
}

static bool
has(const char *text)
{
	return strcasestr(answer, text) != NULL;
}

/* The body; its length must be what the head says unless it has none. */
static const char *
body(bool is_head)
{
	const char *end = strstr(answer, "\r\n\r\n");
	const char *length = strcasestr(answer, "\r\nContent-Length: ");

	ck_assert_ptr_nonnull(end);
	ck_assert_ptr_nonnull(length);
	ck_assert(length < end);
	if (is_head)
		ck_assert_uint_eq(strlen(end + 4), 0);
	else
		ck_assert_uint_eq(strlen(end + 4),
		    strtoul(length + strlen("\r\nContent-Length: "), NULL, 10));
	return end + 4;
}

static void
error(const char *request, int status, const char *why)
{
	char line[32];
	struct conn conn;
	int fd = visitor(request, &conn);

	pages_error(pages, &conn, status, why);
	ck_assert_int_eq(conn.stream.fd, -1);
	collect(fd);
	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	ck_assert_ptr_eq(strstr(answer, line), answer);
	ck_assert(has("\r\nConnection: close\r\n"));
	ck_assert(has("\r\nServer: ltserver/"));
}

/* Serves a request for the base domain, on one of the three listeners. */
static void
base_page(const char *request, uint16_t listener)
{
	struct http_head head;
	struct conn conn;
	int fd = visitor(request, &conn);

	conn.listener = listener;
	ck_assert_int_eq(
	    http_head(&head, request, strlen(request), NULL), HTTP_OK);
	pages_base(pages, &conn, &head);
	ck_assert_int_eq(conn.stream.fd, -1);
	collect(fd);
}

static void
get(const char *target, uint16_t listener)
{
	char request[256];

	snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
	base_page(request, listener);
}

static void
json(int status, const char *text, bool is_head)
{
	struct conn conn;
	int fd = visitor("GET /?new HTTP/1.1\r\nHost: a\r\n\r\n", &conn);

	pages_json(pages, &conn, status, text, is_head);
	ck_assert_int_eq(conn.stream.fd, -1);
	collect(fd);
}

START_TEST(json_answers)
{
	json(200, "{\"id\":\"demo\"}", false);
	ck_assert_ptr_eq(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
	ck_assert(has("\r\nContent-Type: application/json"));
	ck_assert(has("\r\nCache-Control: no-store\r\n"));
	ck_assert(has("\r\nConnection: close\r\n"));
	ck_assert(!has("Retry-After"));
	ck_assert_str_eq(body(false), "{\"id\":\"demo\"}");
	json(503, "{}", true);
	ck_assert_ptr_eq(
	    strstr(answer, "HTTP/1.1 503 Service Unavailable\r\n"), answer);
	ck_assert(has("\r\nContent-Length: 2\r\n"));
	ck_assert(has("\r\nRetry-After: 1\r\n"));
	body(true);
	/* Out of memory: an end, no nonsense, and the next one is whole. */
	json(200, NULL, false);
	ck_assert_str_eq(answer, "");
	json(403, "{}", false);
	ck_assert_ptr_eq(strstr(answer, "HTTP/1.1 403 Forbidden\r\n"), answer);
}
END_TEST

START_TEST(error_plain)
{
	static const int statuses[] = { 400, 404, 405, 408, 421, 431, 502, 503,
		504 };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		error("GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n",
		    statuses[i], "it did not work");
		ck_assert_ptr_nonnull(strstr(body(false), "It did not work"));
		ck_assert(!has("<html"));
		ck_assert_int_eq(has("\r\nRetry-After: 1\r\n"),
		    statuses[i] == 502 || statuses[i] == 503);
		/* What a tunnel allows is not ours to say. */
		ck_assert(!has("\r\nAllow:"));
	}
}
END_TEST

START_TEST(error_html)
{
	error("GET / HTTP/1.1\r\nHost: demo.localhost\r\n"
	      "Accept: text/html\r\n\r\n",
	    404, "there is no <b>tunnel</b>");
	ck_assert(has("\r\nContent-Type: text/html"));
	ck_assert_ptr_nonnull(strstr(body(false), "demo.localhost"));
	ck_assert(has("There is no &lt;b&gt;tunnel"));
	ck_assert(!has("<b>"));
	ck_assert(has("<h1>No tunnel here</h1>"));
	ck_assert_ptr_eq(strstr(answer, "HTTP/1.1 404 Not Found\r\n"), answer);
	ck_assert(!has("Tunnels here are"));
}
END_TEST

/* Who asks for a host that cannot be a tunnel learns what could. */
START_TEST(error_other_host)
{
	error("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 404,
	    "no tunnel has this host name");
	ck_assert_str_eq(body(false),
	    "404 Not Found: No tunnel has this host name: example.com. "
	    "Tunnels here are NAME.localhost.\n");
}
END_TEST

/* In place of an answer that a tunnel owes: as the page that is sent. */
START_TEST(error_put)
{
	struct evbuffer *out = evbuffer_new();
	char made[8192];
	ssize_t n;

	ck_assert_int_eq(
	    pages_put_error(out, 502, "the service left", true, false), 0);
	n = evbuffer_copyout(out, made, sizeof(made) - 1);
	ck_assert_int_gt(n, 0);
	made[n] = '\0';
	ck_assert_ptr_nonnull(strstr(made, "\r\nRetry-After: 1\r\n"));
	ck_assert_ptr_nonnull(
	    strstr(made, "<h1>The tunnel is not answering</h1>"));
	error("GET / HTTP/1.1\r\nHost: demo.localhost\r\n"
	      "Accept: text/html\r\n\r\n",
	    502, "the service left");
	ck_assert_str_eq(answer, made);
	evbuffer_free(out);
}
END_TEST

START_TEST(error_head)
{
	error("HEAD / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n", 404, "no");
	body(true);
}
END_TEST

/* Nothing, half a head, and one that was refused. */
START_TEST(error_without_head)
{
	error("", 408, "too slow");
	body(false);
	error("GET / HTTP/1.1\r\nAccept: text/html\r\n", 408, "too slow");
	body(false);
	error("GET / HTTP/1.1\r\nHost: <script>\r\n"
	      "Accept: text/html\r\n\r\n",
	    400, "bad host");
	ck_assert(!has("script"));
	body(false);
}
END_TEST

START_TEST(password)
{
	struct conn conn;
	int fd = visitor("rest of something", &conn);

	pages_ask_password(pages, &conn, "demo", "log in", true, false);
	ck_assert_int_eq(conn.stream.fd, -1);
	collect(fd);
	ck_assert_ptr_eq(strstr(answer, "HTTP/1.1 401 Unauthorized"), answer);
	ck_assert(has("\r\nWWW-Authenticate: Basic realm=\"demo\", "
		      "charset=\"UTF-8\"\r\n"));
	ck_assert_ptr_nonnull(strstr(body(false), "<h1>"));
	/* Of one who is unread, for the tunnel that he asks for. */
	error("GET / HTTP/1.1\r\nHost: a.Demo.localhost:80\r\n\r\n", 401,
	    "log in");
	ck_assert(has("\r\nWWW-Authenticate: Basic realm=\"demo\", "));
	body(false);
	fd = visitor("", &conn);
	pages_ask_password(pages, &conn, "demo", "log in", false, true);
	collect(fd);
	body(true);
}
END_TEST

START_TEST(error_read)
{
	struct conn conn;
	int fd = visitor("rest of something", &conn);

	pages_error_read(pages, &conn, 421, "another host", true, false);
	ck_assert_int_eq(conn.stream.fd, -1);
	collect(fd);
	ck_assert_ptr_eq(strstr(answer, "HTTP/1.1 421 "), answer);
	ck_assert_ptr_nonnull(strstr(body(false), "<html"));
	fd = visitor("", &conn);
	pages_error_read(pages, &conn, 421, "another host", false, false);
	collect(fd);
	ck_assert_ptr_null(strstr(body(false), "<html"));
	fd = visitor("", &conn);
	pages_error_read(pages, &conn, 421, "another host", true, true);
	collect(fd);
	body(true);
}
END_TEST

/* Where a request is sent that ought to have come in TLS. */
static void
to_https(const char *request, uint16_t listener, const char *location)
{
	char line[128];
	struct conn conn;
	int fd = visitor(request, &conn);

	conn.listener = listener;
	pages_to_https(pages, &conn);
	ck_assert_int_eq(conn.stream.fd, -1);
	collect(fd);
	ck_assert_ptr_eq(
	    strstr(answer, "HTTP/1.1 308 Permanent Redirect\r\n"), answer);
	snprintf(line, sizeof(line), "\r\nLocation: %s\r\n", location);
	ck_assert_msg(has(line), "%s", answer);
}

START_TEST(redirects)
{
	to_https("GET /a?b=c HTTP/1.1\r\nHost: demo.localhost:8000\r\n\r\n", 0,
	    "https://demo.localhost:8000/a?b=c");
	to_https("POST http://DEMO.localhost./ HTTP/1.1\r\n"
		 "Host: DEMO.localhost.\r\n\r\n",
	    1, "https://demo.localhost:80/");
	to_https("GET / HTTP/1.1\r\nHost: x.demo.localhost\r\n\r\n", 2,
	    "https://x.demo.tunnel.example:444/");
	to_https("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 2,
	    "https://tunnel.example:444");
}
END_TEST

START_TEST(landing)
{
	get("/", 0);
	ck_assert_ptr_eq(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
	ck_assert(has("\r\nContent-Type: text/plain"));
	ck_assert(has("\r\nServer: ltserver/"));
	ck_assert_ptr_nonnull(strstr(
	    body(false), "\nrun: ltclient -S http://localhost:8000 5000\n"));
	get("/?utm=1", 1);
	ck_assert_ptr_nonnull(
	    strstr(body(false), "ltclient -S http://localhost "));
	base_page("GET / HTTP/1.1\r\nHost: localhost\r\n"
		  "Accept: text/html,*/*\r\n\r\n",
	    0);
	ck_assert(has("\r\nContent-Type: text/html"));
	ck_assert_ptr_nonnull(strstr(
	    body(false), "<pre>ltclient -S http://localhost:8000 5000</pre>"));
	ck_assert_ptr_nonnull(strstr(body(false), "<main>\n<h1>localtunnel"));
	base_page("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", 0);
	ck_assert_ptr_eq(strstr(answer, "HTTP/1.1 200 OK\r\n"), answer);
	body(true);
}
END_TEST

START_TEST(meta)
{
	get("/meta/version", 0);
	ck_assert_str_eq(body(false), PAGES_AGENT);
	get("/meta/backend", 0);
	ck_assert_str_eq(body(false), "8000");
	ck_assert(has("\r\nContent-Type: text/plain"));
	get("/meta/backend?x", 1);
	ck_assert_str_eq(body(false), "80");
	get("http://localhost/meta/backend", 0);
	ck_assert_str_eq(body(false), "8000");
}
END_TEST

/* The number of that name in the answer. */
static json_int_t
metric(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i,
	    item) if (strcmp(json_string_value(json_object_get(item, "name")),
			  name) ==
		      0) return json_integer_value(json_object_get(item,
	    "value"));
	ck_abort_msg("no metric %s", name);
	return -1;
}

START_TEST(metrics)
{
	struct registry_session session = { .worker = 1 };
	struct registry_tunnel tunnel;
	json_t *list;

	ck_assert(registry_add(registry, "demo", &session, NULL, &tunnel));
	for (size_t i = 0; i < 3; i++) {
		counter_set(&counters_worker(counters, i)->ready, i > 0);
		counter_add(&counters_worker(counters, i)->visitors, 5);
		counter_add(
		    &counters_worker(counters, i)->bytes_out, (int64_t)1 << 40);
	}
	get("/meta/metrics", 0);
	ck_assert(has("\r\nContent-Type: application/json"));
	list = json_loads(body(false), JSON_REJECT_DUPLICATES, NULL);
	ck_assert(json_is_array(list));
	ck_assert_int_eq(metric(list, "tunnels"), 1);
	ck_assert_int_eq(metric(list, "workers"), 2);
	ck_assert_int_eq(metric(list, "visitors"), 15);
	ck_assert_int_eq(metric(list, "sessions"), 0);
	ck_assert_int_eq(metric(list, "refused"), 0);
	ck_assert_int_eq(metric(list, "handed_out"), 0);
	ck_assert_int_eq(metric(list, "bytes_out"), (json_int_t)3 << 40);
	json_decref(list);
}
END_TEST

START_TEST(nothing_there)
{
	static const char *const paths[] = { "/x", "/meta", "/meta/",
		"/meta/versions", "/meta/versio", "//meta/version", "/index",
		"/META/version" };
	char line[64];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		get(paths[i], 0);
		ck_assert_msg(
		    strncmp(answer, "HTTP/1.1 404 ", 13) == 0, "%s", paths[i]);
		ck_assert_str_eq(strstr(body(false), " such page here: ") + 17,
		    strcat(strcpy(line, paths[i]), ".\n"));
	}
	base_page("GET /%3C<b>&\"\\?q HTTP/1.1\r\nHost: localhost\r\n"
		  "Accept: text/html\r\n\r\n",
	    0);
	ck_assert(has("<p>There is no such page here: "
		      "/%3C&lt;b&gt;&amp;\\x22\\x5c.</p>"));
	ck_assert(has("<h1>No such page</h1>"));
	base_page("POST / HTTP/1.1\r\nHost: localhost\r\n"
		  "Content-Length: 0\r\n\r\n",
	    0);
	ck_assert_ptr_eq(strstr(answer, "HTTP/1.1 405 "), answer);
	ck_assert(has("\r\nAllow: GET, HEAD\r\n"));
	base_page("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 0);
	ck_assert_ptr_eq(strstr(answer, "HTTP/1.1 404 "), answer);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pages");
	TCase *tcase = tcase_create("pages");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, error_plain);
	tcase_add_test(tcase, json_answers);
	tcase_add_test(tcase, error_html);
	tcase_add_test(tcase, error_other_host);
	tcase_add_test(tcase, error_put);
	tcase_add_test(tcase, error_head);
	tcase_add_test(tcase, error_without_head);
	tcase_add_test(tcase, password);
	tcase_add_test(tcase, error_read);
	tcase_add_test(tcase, redirects);
	tcase_add_test(tcase, landing);
	tcase_add_test(tcase, meta);
	tcase_add_test(tcase, metrics);
	tcase_add_test(tcase, nothing_there);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

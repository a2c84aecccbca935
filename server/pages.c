/* SPDX-License-Identifier: ISC
 *
 * Our own answers to visitors. Each is put together in one buffer and handed
 * to the drain set with the descriptor, so nothing here waits or keeps a
 * connection. Called by whoever has a visitor that no tunnel will answer.
 *
 * Owns the buffer that heads are peeked into and the one that answers are
 * made in. What a visitor sent comes back at most as the name of his host,
 * which the head's parser has checked and the page escapes.
 */
#include "server/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <jansson.h>

#include "common/drain.h"
#include "common/log.h"
#include "common/page.h"
#include "server/config.h"
#include "server/counters.h"
#include "server/registry.h"

#define TEXT_SIZE 640
#define HTTP_PORT 80

struct pages {
	const struct config *config;
	const struct registry *registry;
	struct counters *counters;
	struct drain_set *drains;
	const uint16_t *ports;
	struct evbuffer *out; /* empty between two calls */
	char peek[HTTP_HEAD_MAX];
};

/* What an error page says after the reason itself. */
static const struct {
	int status;
	const char *hint;
	const char *extra; /* header lines, or NULL */
} errors[] = {
	{ 404, "The address may be misspelt, or what was there is gone.",
	    NULL },
	{ 405, "", "Allow: GET, HEAD\r\n" },
	{ 421, "Open a new connection for another host.", NULL },
	{ 502, "Whoever runs the tunnel may be back in a moment.",
	    "Retry-After: 1\r\n" },
	{ 503, "Try again in a moment.", "Retry-After: 1\r\n" },
	{ 504, "The service behind the tunnel does not answer.", NULL },
};

/* A built-in page: appends its body; -1 without memory. */
typedef int body_fn(const struct pages *, const struct conn *, bool html,
    struct evbuffer *body);

struct pages *
pages_new(const struct config *config, const struct registry *registry,
    struct counters *counters, struct drain_set *drains, const uint16_t *ports)
{
	struct pages *p = log_must_alloc(1, sizeof(*p));

	p->config = config;
	p->registry = registry;
	p->counters = counters;
	p->drains = drains;
	p->ports = ports;
	p->out = evbuffer_new();
	if (p->out == NULL)
		fatal("out of memory");
	return p;
}

void
pages_free(struct pages *p)
{
	if (p == NULL)
		return;
	evbuffer_free(p->out);
	free(p);
}

/* Sends what is in the buffer and ends the connection. Without memory
 * (`made` is -1) it ends without a word. */
static void
send_out(struct pages *p, int *fd, int made)
{
	size_t len = made == -1 ? 0 : evbuffer_get_length(p->out);
	const void *text = evbuffer_pullup(p->out, -1);

	drain_start(p->drains, *fd, text, text == NULL ? 0 : len);
	*fd = -1;
	evbuffer_drain(p->out, evbuffer_get_length(p->out));
}

/* The reason as a sentence, with the host it is about, and what to do. */
static void
make_text(
    char text[TEXT_SIZE], const char *why, const char *host, const char *hint)
{
	char first = why[0];

	if (first >= 'a' && first <= 'z')
		first = (char)(first - 'a' + 'A');
	snprintf(text, TEXT_SIZE, "%c%s%s%s.%s%s", first,
	    first == '\0' ? "" : why + 1, host[0] == '\0' ? "" : ": ", host,
	    hint[0] == '\0' ? "" : " ", hint);
}

/* An error page; `head` is empty if there is none. */
static int
put_error(
    struct pages *p, int status, const char *why, const struct http_head *head)
{
	const char *hint = "", *extra = NULL;
	char text[TEXT_SIZE];
	struct page page;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].status == status) {
			hint = errors[i].hint;
			extra = errors[i].extra;
		}
	}
	make_text(text, why, status == 404 ? head->name : "", hint);
	page = (struct page){
		.status = status,
		.title = page_reason(status),
		.text = text,
		.agent = PAGES_AGENT,
		.extra = extra,
		.html = head->wants_html,
		.no_body = http_text_is(head->method, "HEAD"),
	};
	return page_format(&page, p->out);
}

void
pages_error(struct pages *p, struct conn *conn, int status, const char *why)
{
	struct http_head head = { 0 };
	ssize_t n =
	    recv(conn->fd, p->peek, sizeof(p->peek), MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0 || http_head(&head, p->peek, (size_t)n, NULL) != HTTP_OK)
		head = (struct http_head){ 0 };
	send_out(p, &conn->fd, put_error(p, status, why, &head));
}

void
pages_error_read(struct pages *p, int *fd, int status, const char *why,
    bool html, bool is_head)
{
	struct http_head head = { .wants_html = html };

	if (is_head)
		head.method = (struct http_text){ "HEAD", 4 };
	send_out(p, fd, put_error(p, status, why, &head));
}

/* How a user reaches this server. */
static int
put_url(const struct pages *p, const struct conn *conn, struct evbuffer *out)
{
	uint16_t port = p->ports[conn->listener];

	if (evbuffer_add_printf(out, "http://%s", p->config->domain) == -1)
		return -1;
	if (port == HTTP_PORT)
		return 0;
	return evbuffer_add_printf(out, ":%u", (unsigned)port);
}

static int
put_landing_html(
    const struct pages *p, const struct conn *conn, struct evbuffer *body)
{
	static const char before[] =
	    "<!doctype html>\n"
	    "<html lang=\"en\">\n"
	    "<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width\">\n"
	    "<title>localtunnel</title>\n"
	    "<style>\n"
	    ":root { color-scheme: light dark }\n"
	    "body { font: 1.1em/1.6 system-ui, sans-serif; max-width: 36em;\n"
	    "  margin: 14vh auto; padding: 0 1.5em }\n"
	    "h1 { font-weight: 600; margin-bottom: 0 }\n"
	    "pre { background: #8882; padding: 1em; border-radius: .5em;\n"
	    "  overflow-x: auto }\n"
	    "</style>\n"
	    "<h1>localtunnel</h1>\n"
	    "<p>This server gives a program on your own machine a public "
	    "address.\n"
	    "<p>Is something listening on port 5000 there? Then run\n"
	    "<pre>ltclient -S ";
	static const char after[] =
	    " 5000</pre>\n"
	    "<p>and it prints the address under which everybody reaches it,\n"
	    "for as long as it runs.\n"
	    "</html>\n";

	if (evbuffer_add(body, before, sizeof(before) - 1) == -1 ||
	    put_url(p, conn, body) == -1)
		return -1;
	return evbuffer_add(body, after, sizeof(after) - 1);
}

static int
put_landing(const struct pages *p, const struct conn *conn, bool html,
    struct evbuffer *body)
{
	if (html)
		return put_landing_html(p, conn, body);
	if (evbuffer_add_printf(body,
		"localtunnel: this server gives a program on your own machine "
		"a public address.\nltclient -S ") == -1 ||
	    put_url(p, conn, body) == -1)
		return -1;
	return evbuffer_add_printf(body, " PORT\n");
}

static int
put_version(const struct pages *p, const struct conn *conn, bool html,
    struct evbuffer *body)
{
	(void)p;
	(void)conn;
	(void)html;
	return evbuffer_add_printf(body, PAGES_AGENT);
}

static int
put_backend(const struct pages *p, const struct conn *conn, bool html,
    struct evbuffer *body)
{
	(void)html;
	return evbuffer_add_printf(
	    body, "%u", (unsigned)p->ports[conn->listener]);
}

/* The same number of all workers, added up. */
static uint64_t
sum_of(const struct pages *p, size_t offset)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < counters_workers(p->counters); i++) {
		const char *row = (char *)counters_worker(p->counters, i);

		sum += counter_get((const counter *)(row + offset));
	}
	return sum;
}

static int
add_metric(json_t *list, const char *name, uint64_t value)
{
	return json_array_append_new(list,
	    json_pack("{s:s, s:I}", "name", name, "value", (json_int_t)value));
}

#define METRIC(field)                                                          \
	{                                                                      \
#field, offsetof(struct counters_worker, field)                \
	}

static json_t *
make_metrics(const struct pages *p)
{
	static const struct {
		const char *name;
		size_t offset;
	} metrics[] = {
		{ "workers", offsetof(struct counters_worker, ready) },
		METRIC(sessions),
		METRIC(half_made),
		METRIC(parked),
		METRIC(queued),
		METRIC(idle),
		METRIC(joined),
		METRIC(accepted),
		METRIC(handed_out),
		METRIC(handed_in),
		METRIC(visitors),
		METRIC(refused),
		METRIC(bytes_in),
		METRIC(bytes_out),
	};
	json_t *list = json_array();
	int failed = add_metric(list, "tunnels", registry_count(p->registry));

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		failed |= add_metric(
		    list, metrics[i].name, sum_of(p, metrics[i].offset));
	if (failed == 0)
		return list;
	json_decref(list);
	return NULL;
}

static int
put_metrics(const struct pages *p, const struct conn *conn, bool html,
    struct evbuffer *body)
{
	json_t *list = make_metrics(p);
	char *text = list == NULL ? NULL : json_dumps(list, 0);
	int result = text == NULL ? -1 : evbuffer_add(body, text, strlen(text));

	(void)conn;
	(void)html;
	free(text);
	json_decref(list);
	return result;
}

static const struct built_in {
	const char *path;
	const char *type; /* NULL: HTML for browsers, else plain text */
	body_fn *put;
} built_ins[] = {
	{ "/", NULL, put_landing },
	{ "/meta/version", "text/plain", put_version },
	{ "/meta/backend", "text/plain", put_backend },
	{ "/meta/metrics", "application/json", put_metrics },
};

/* Finds a page by its path, whatever the query. */
static const struct built_in *
find_built_in(struct http_text path)
{
	const char *query = memchr(path.at, '?', path.len);
	size_t len = query == NULL ? path.len : (size_t)(query - path.at);

	for (size_t i = 0; i < sizeof(built_ins) / sizeof(built_ins[0]); i++)
		if (strlen(built_ins[i].path) == len &&
		    memcmp(built_ins[i].path, path.at, len) == 0)
			return &built_ins[i];
	return NULL;
}

static int
put_built_in(struct pages *p, const struct conn *conn,
    const struct http_head *head, const struct built_in *found)
{
	struct evbuffer *body = evbuffer_new();
	const char *type = found->type;
	int result = -1;

	if (type == NULL)
		type = head->wants_html ? "text/html" : "text/plain";
	if (body == NULL || found->put(p, conn, head->wants_html, body) == -1 ||
	    evbuffer_add_printf(p->out,
		"HTTP/1.1 200 OK\r\n"
		"Server: " PAGES_AGENT "\r\n"
		"Content-Type: %s; charset=utf-8\r\n"
		"Content-Length: %zu\r\n"
		"Cache-Control: no-store\r\n"
		"Connection: close\r\n\r\n",
		type, evbuffer_get_length(body)) == -1)
		goto out;
	result = 0;
	if (!http_text_is(head->method, "HEAD"))
		result = evbuffer_add_buffer(p->out, body);
out:
	if (body != NULL)
		evbuffer_free(body);
	return result;
}

void
pages_base(struct pages *p, struct conn *conn, const struct http_head *head)
{
	const struct built_in *found = find_built_in(head->path);
	int made;

	if (found == NULL)
		made = put_error(p, 404, "there is no such page here", head);
	else if (!http_text_is(head->method, "GET") &&
		 !http_text_is(head->method, "HEAD"))
		made = put_error(p, 405, "this page can only be read", head);
	else
		made = put_built_in(p, conn, head, found);
	send_out(p, &conn->fd, made);
}

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
#include "server/public.h"
#include "server/registry.h"
#include "server/route.h"

#define TEXT_SIZE  640
#define SHOWN_SIZE 280 /* a host or path; a longer one is cut */

struct pages {
	const struct config *config;
	const struct registry *registry;
	struct counters *counters;
	struct drain_set *drains;
	struct evbuffer *out; /* empty between two calls */
	char peek[HTTP_HEAD_MAX];
};

/* What an error page says besides the reason itself. */
struct error {
	int status;
	const char *heading; /* NULL: that of page.h */
	const char *hint;
	const char *extra; /* header lines, or NULL */
};

static const struct error errors[] = {
	{ 403, NULL, "Whoever runs the tunnel decides who may.", NULL },
	{ 404, "No tunnel here",
	    "The address may be misspelt, or what was there is gone.", NULL },
	{ 421, NULL, "Open a new connection for another host.", NULL },
	{ 429, NULL, "Try again in a minute.", "Retry-After: 60\r\n" },
	{ 502, "The tunnel is not answering",
	    "Whoever runs the tunnel may be back in a moment.",
	    "Retry-After: 1\r\n" },
	{ 503, NULL, "Try again in a moment.", "Retry-After: 1\r\n" },
	{ 504, NULL, "The service behind the tunnel does not answer.", NULL },
	{ 0, NULL, "", NULL }, /* all others */
};

/* Errors of the built-in pages, which are no tunnels. */
static const struct error no_page = { 404, "No such page", "", NULL };
static const struct error read_only = { 405, "This page can only be read", "",
	"Allow: GET, HEAD\r\n" };

/* A built-in page: appends its body; -1 without memory. */
typedef int body_fn(const struct pages *, const struct conn *, bool html,
    struct evbuffer *body);

struct pages *
pages_new(const struct config *config, const struct registry *registry,
    struct counters *counters, struct drain_set *drains)
{
	struct pages *p = log_must_alloc(1, sizeof(*p));

	p->config = config;
	p->registry = registry;
	p->counters = counters;
	p->drains = drains;
	p->out = evbuffer_new();
	if (p->out == NULL)
		fatal("out of memory");
	return p;
}

void
pages_use(struct pages *p, const struct config *config)
{
	p->config = config;
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
send_out(struct pages *p, struct conn *conn, int made)
{
	size_t len = made == -1 ? 0 : evbuffer_get_length(p->out);

	drain_start(p->drains, &conn->stream, evbuffer_pullup(p->out, -1), len);
	evbuffer_drain(p->out, evbuffer_get_length(p->out));
}

/* The reason as a sentence, with what it is about, and what to do. */
static void
make_text(
    char text[TEXT_SIZE], const char *why, const char *about, const char *hint)
{
	char first = why[0];

	if (first >= 'a' && first <= 'z')
		first = (char)(first - 'a' + 'A');
	snprintf(text, TEXT_SIZE, "%c%s%s%s.%s%s", first,
	    first == '\0' ? "" : why + 1, about[0] == '\0' ? "" : ": ", about,
	    hint[0] == '\0' ? "" : " ", hint);
}

static const struct error *
find_error(int status)
{
	const struct error *e = errors;

	while (e->status != 0 && e->status != status)
		e++;
	return e;
}

static bool
asks_head(const struct http_head *head)
{
	return http_text_is(head->method, "HEAD");
}

/* An error page for whoever sent `head`; `about`, which may be empty, is the
 * host or path that is not there. */
static int
put_error(struct evbuffer *out, const struct http_head *head,
    const struct error *e, int status, const char *why, const char *about)
{
	char text[TEXT_SIZE];
	struct page page = {
		.status = status,
		.title = page_reason(status),
		.heading = e->heading,
		.text = text,
		.agent = PAGES_AGENT,
		.extra = e->extra,
		.html = head->wants_html,
		.no_body = asks_head(head),
	};

	make_text(text, why, about, e->hint);
	return page_format(&page, out);
}

/* 404 says which host it is about; to one who is not even below our domain,
 * where the tunnels are. */
static int
put_not_found(struct pages *p, const char *why, const struct http_head *head)
{
	const char *domain = p->config->domain;
	struct error e = *find_error(404);
	char name[LTP_NAME_MAX + 1], hint[SHOWN_SIZE];

	if (head->name[0] != '\0' &&
	    route_host(head->name, domain, name) == ROUTE_HOST_OTHER) {
		snprintf(
		    hint, sizeof(hint), "Tunnels here are NAME.%s.", domain);
		e.hint = hint;
	}
	return put_error(p->out, head, &e, 404, why, head->name);
}

bool
pages_peek(struct pages *p, const struct conn *conn, struct http_head *head,
    const char **buf)
{
	ssize_t n = stream_peek(&conn->stream, p->peek, sizeof(p->peek));

	*buf = p->peek;
	if (n > 0 && http_head(head, p->peek, (size_t)n, NULL) == HTTP_OK)
		return true;
	*head = (struct http_head){ 0 };
	return false;
}

/* 401 says where the password is for. */
static int
put_question(struct pages *p, const char *why, const struct http_head *head,
    const char *name)
{
	char extra[LTP_NAME_MAX + 64];
	struct error e = { 401, NULL, "", extra };

	snprintf(extra, sizeof(extra),
	    "WWW-Authenticate: Basic realm=\"%s\", charset=\"UTF-8\"\r\n",
	    name);
	return put_error(p->out, head, &e, 401, why, "");
}

void
pages_error(struct pages *p, struct conn *conn, int status, const char *why)
{
	char name[LTP_NAME_MAX + 1] = "";
	struct http_head head;
	const char *buf;
	int made;

	(void)pages_peek(p, conn, &head, &buf);
	if (status == 404) {
		made = put_not_found(p, why, &head);
	} else if (status == 401) {
		(void)route_name(
		    p->registry, head.name, p->config->domain, name);
		made = put_question(p, why, &head, name);
	} else {
		made = put_error(
		    p->out, &head, find_error(status), status, why, "");
	}
	send_out(p, conn, made);
}

int
pages_put_error(
    struct evbuffer *out, int status, const char *why, bool html, bool is_head)
{
	struct http_head head = { .wants_html = html };

	if (is_head)
		head.method = (struct http_text){ "HEAD", 4 };
	return put_error(out, &head, find_error(status), status, why, "");
}

void
pages_error_read(struct pages *p, struct conn *conn, int status,
    const char *why, bool html, bool is_head)
{
	send_out(p, conn, pages_put_error(p->out, status, why, html, is_head));
}

void
pages_ask_password(struct pages *p, struct conn *conn, const char *name,
    const char *why, bool html, bool is_head)
{
	struct http_head head = { .wants_html = html };

	if (is_head)
		head.method = (struct http_text){ "HEAD", 4 };
	send_out(p, conn, put_question(p, why, &head, name));
}

/* How a user reaches this server. */
static int
put_url(const struct pages *p, const struct conn *conn, struct evbuffer *out)
{
	struct public_way way = public_server(p->config, conn->listener);
	char suffix[PUBLIC_SUFFIX_MAX];

	return evbuffer_add_printf(out, "%s://%s%s", way.scheme, way.host,
	    public_suffix(&way, suffix));
}

static const char landing_what[] =
    "This server gives a program on your own machine a public address.";

static int
put_landing_text(
    const struct pages *p, const struct conn *conn, struct evbuffer *body)
{
	if (evbuffer_add_printf(body, "localtunnel: %s\nrun: ltclient -S ",
		landing_what) == -1 ||
	    put_url(p, conn, body) == -1)
		return -1;
	return evbuffer_add_printf(body, " 5000\n");
}

static int
put_landing_html(
    const struct pages *p, const struct conn *conn, struct evbuffer *body)
{
	if (page_begin(body, "localtunnel") == -1 ||
	    evbuffer_add_printf(body,
		"<p>%s</p>\n"
		"<p>Is something listening on port 5000 there? Then run</p>\n"
		"<pre>ltclient -S ",
		landing_what) == -1 ||
	    put_url(p, conn, body) == -1 ||
	    evbuffer_add_printf(body,
		" 5000</pre>\n"
		"<p>and it prints the address under which everybody reaches "
		"it, for as long as it runs.</p>\n") == -1)
		return -1;
	return page_end(body, PAGES_AGENT);
}

static int
put_landing(const struct pages *p, const struct conn *conn, bool html,
    struct evbuffer *body)
{
	return html ? put_landing_html(p, conn, body)
		    : put_landing_text(p, conn, body);
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
	return evbuffer_add_printf(body, "%u",
	    (unsigned)public_backend(
		p->config, conn->listener, conn->stream.tls != NULL));
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
		METRIC(handshaking),
		METRIC(parked),
		METRIC(queued),
		METRIC(idle),
		METRIC(joined),
		METRIC(accepted),
		METRIC(handed_out),
		METRIC(handed_in),
		METRIC(handshakes),
		METRIC(resumed),
		METRIC(visitors),
		METRIC(refused),
		METRIC(bytes_in),
		METRIC(bytes_out),
		METRIC(log_dropped),
		METRIC(log_left_out),
	};
	json_t *list = json_array();
	int failed = add_metric(list, "tunnels", registry_count(p->registry));

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		failed |= add_metric(list, metrics[i].name,
		    counters_sum(p->counters, metrics[i].offset));
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

/* The path without its query. */
static struct http_text
cut_query(struct http_text path)
{
	const char *query = memchr(path.at, '?', path.len);

	if (query != NULL)
		path.len = (size_t)(query - path.at);
	return path;
}

static const struct built_in *
find_built_in(struct http_text path)
{
	for (size_t i = 0; i < sizeof(built_ins) / sizeof(built_ins[0]); i++)
		if (strlen(built_ins[i].path) == path.len &&
		    memcmp(built_ins[i].path, path.at, path.len) == 0)
			return &built_ins[i];
	return NULL;
}

/* The header lines that belong to the status of an answer in JSON. */
static const char *
extra_of(int status)
{
	switch (status) {
	case 401:
		return "WWW-Authenticate: Basic realm=\"localtunnel\", "
		       "charset=\"UTF-8\"\r\n";
	case 429:
		return "Retry-After: 60\r\n";
	case 503:
		return "Retry-After: 1\r\n";
	default:
		return "";
	}
}

/* A whole answer with a body of ours; -1 without memory. */
static int
put_answer(struct evbuffer *out, int status, const char *type,
    struct evbuffer *body, bool is_head)
{
	if (evbuffer_add_printf(out,
		"HTTP/1.1 %d %s\r\n"
		"Server: " PAGES_AGENT "\r\n"
		"Content-Type: %s; charset=utf-8\r\n"
		"Content-Length: %zu\r\n"
		"%s"
		"Cache-Control: no-store\r\n"
		"Connection: close\r\n\r\n",
		status, page_reason(status), type, evbuffer_get_length(body),
		extra_of(status)) == -1)
		return -1;
	return is_head ? 0 : evbuffer_add_buffer(out, body);
}

void
pages_json(struct pages *p, struct conn *conn, int status, const char *json,
    bool is_head)
{
	struct evbuffer *body = json == NULL ? NULL : evbuffer_new();
	int made = -1;

	if (body != NULL && evbuffer_add(body, json, strlen(json)) == 0)
		made = put_answer(
		    p->out, status, "application/json", body, is_head);
	if (body != NULL)
		evbuffer_free(body);
	send_out(p, conn, made);
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
	if (body != NULL && found->put(p, conn, head->wants_html, body) != -1)
		result = put_answer(p->out, 200, type, body, asks_head(head));
	if (body != NULL)
		evbuffer_free(body);
	return result;
}

void
pages_base(struct pages *p, struct conn *conn, const struct http_head *head)
{
	struct http_text path = cut_query(head->path);
	const struct built_in *found = find_built_in(path);
	char shown[SHOWN_SIZE];
	int made;

	if (found == NULL)
		made = put_error(p->out, head, &no_page, 404,
		    "there is no such page here",
		    log_escape(shown, sizeof(shown), path.at, path.len));
	else if (!http_text_is(head->method, "GET") && !asks_head(head))
		made = put_error(p->out, head, &read_only, 405,
		    "this page can only be read", "");
	else
		made = put_built_in(p, conn, head, found);
	send_out(p, conn, made);
}

/* The https URL of what a head asks for, as a header line. The head was checked
 * before, so nothing in it can end the line. */
static void
make_location(struct pages *p, const struct conn *conn,
    const struct http_head *head, char *out, size_t size)
{
	struct public_way way = public_tls(p->config, conn->listener);
	size_t below = strlen(head->name), domain = strlen(p->config->domain);
	struct http_text path = head->path;
	char suffix[PUBLIC_SUFFIX_MAX], name[LTP_NAME_MAX + 1];

	/* OPTIONS * is about the server as a whole and has no path. */
	if (path.at[0] == '*')
		path.len = 0;
	below = below < domain ? 0 : below - domain;
	/* A custom domain is whole. */
	if (route_host(head->name, p->config->domain, name) ==
	    ROUTE_HOST_OTHER) {
		below = strlen(head->name);
		way.host = "";
	}
	snprintf(out, size, "Location: https://%.*s%s%s%.*s\r\n", (int)below,
	    head->name, way.host, public_suffix(&way, suffix), (int)path.len,
	    path.at);
}

void
pages_to_https(struct pages *p, struct conn *conn)
{
	struct http_head head;
	const char *buf;
	char extra[HTTP_HEAD_MAX + 2 * NET_HOST_MAX + 32];
	struct page page = {
		.status = 308,
		.title = page_reason(308),
		.text = "This is served over TLS only.",
		.agent = PAGES_AGENT,
		.extra = extra,
	};

	if (!pages_peek(p, conn, &head, &buf)) {
		pages_error(p, conn, 400, "the request could not be read");
		return;
	}
	make_location(p, conn, &head, extra, sizeof(extra));
	page.html = head.wants_html;
	page.no_body = asks_head(&head);
	send_out(p, conn, page_format(&page, p->out));
}

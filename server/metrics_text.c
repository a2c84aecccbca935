/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/metrics_text.h"

#include <inttypes.h>
#include <string.h>

#include <event2/buffer.h>

#include "server/counters.h"
#include "server/registry.h"

#define PREFIX "localtunnel_"

/* Metrics that are the sum of one cell of each worker. Those that stand
 * together and have one name differ in their label. */
static const struct simple {
	const char *name;
	const char *label; /* with braces, or "" */
	const char *type;
	const char *help; /* NULL: of the one before */
	size_t offset;
} simples[] = {
#define CELL(field) offsetof(struct counters_worker, field)
	{ "workers", "", "gauge", "Workers that are ready.", CELL(ready) },
	{ "sessions", "", "gauge", "Sessions of clients.", CELL(sessions) },
	{ "proxy_connections", "{state=\"idle\"}", "gauge",
	    "Connections from clients, in pools or joined with a visitor.",
	    CELL(idle) },
	{ "proxy_connections", "{state=\"busy\"}", NULL, NULL, CELL(joined) },
	{ "visitors_waiting", "{for=\"proxy connection\"}", "gauge",
	    "Visitors who wait for a proxy connection, or for a client to "
	    "come back.",
	    CELL(queued) },
	{ "visitors_waiting", "{for=\"client\"}", NULL, NULL, CELL(parked) },
	{ "unclassified", "", "gauge",
	    "Connections that have not said yet what they want.",
	    CELL(half_made) },
	{ "tls_handshaking", "", "gauge", "TLS handshakes in progress.",
	    CELL(handshaking) },
	{ "accepted_total", "", "counter", "Connections accepted.",
	    CELL(accepted) },
	{ "handovers_total", "{direction=\"out\"}", "counter",
	    "Connections passed from one worker to another.",
	    CELL(handed_out) },
	{ "handovers_total", "{direction=\"in\"}", NULL, NULL,
	    CELL(handed_in) },
	{ "tls_handshakes_total", "", "counter", "TLS handshakes completed.",
	    CELL(handshakes) },
	{ "tls_resumptions_total", "", "counter",
	    "TLS handshakes that resumed a session.", CELL(resumed) },
	{ "joined_total", "", "counter",
	    "Visitors joined with a proxy connection.", CELL(visitors) },
	{ "bytes_total", "{direction=\"in\"}", "counter",
	    "Bytes of joined connections that have ended; in is to the client.",
	    CELL(bytes_in) },
	{ "bytes_total", "{direction=\"out\"}", NULL, NULL, CELL(bytes_out) },
#undef CELL
};

static int
put_head(
    struct evbuffer *out, const char *name, const char *type, const char *help)
{
	return evbuffer_add_printf(out,
	    "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help,
	    name, type);
}

static int
put(struct evbuffer *out, const char *name, const char *label, uint64_t value)
{
	return evbuffer_add_printf(
	    out, PREFIX "%s%s %" PRIu64 "\n", name, label, value);
}

static int
put_one(struct evbuffer *out, const char *name, const char *type,
    const char *help, uint64_t value)
{
	return put_head(out, name, type, help) == -1 ||
		       put(out, name, "", value) == -1
		   ? -1
		   : 0;
}

static int
put_simples(struct evbuffer *out, struct counters *c)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof(simples) / sizeof(simples[0]); i++) {
		const struct simple *s = &simples[i];

		if (s->help != NULL)
			bad |= put_head(out, s->name, s->type, s->help);
		bad |= put(out, s->name, s->label, counters_sum(c, s->offset));
	}
	return bad < 0 ? -1 : 0;
}

/* Visitors' connections by how they ended: the lines of the access log. */
static int
put_results(struct evbuffer *out, struct counters *c)
{
	size_t at = offsetof(struct counters_worker, results);
	int bad = put_head(out, "visitors_total", "counter",
	    "Visitors' connections that have ended, by the status of the page "
	    "they were answered with, if they were.");

	for (int i = 0; i < COUNTERS_RESULTS; i++)
		bad |= evbuffer_add_printf(out,
		    PREFIX "visitors_total{result=\"%s\"} %" PRIu64 "\n",
		    counters_result_text((enum counters_result)i),
		    counters_sum(c, at + (size_t)i * sizeof(counter)));
	return bad < 0 ? -1 : 0;
}

static int
put_joins(struct evbuffer *out, struct counters *c)
{
	size_t at = offsetof(struct counters_worker, joins);
	uint64_t n = 0, ms = COUNTERS_SUM(c, joins_ms);
	int bad = put_head(out, "join_seconds", "histogram",
	    "Time from a visitor's whole request head until he was joined.");

	for (size_t i = 0; i < COUNTERS_JOINS - 1; i++) {
		n += counters_sum(c, at + i * sizeof(counter));
		bad |= evbuffer_add_printf(out,
		    PREFIX "join_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
		    counters_join_ms[i] / 1000.0, n);
	}
	n += counters_sum(c, at + (COUNTERS_JOINS - 1) * sizeof(counter));
	bad |= evbuffer_add_printf(out,
	    PREFIX "join_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n" PREFIX
		   "join_seconds_sum %" PRIu64 ".%03u\n" PREFIX
		   "join_seconds_count %" PRIu64 "\n",
	    n, ms / 1000, (unsigned)(ms % 1000), n);
	return bad < 0 ? -1 : 0;
}

/* The same cell of each worker that is ready. */
static int
put_each(struct evbuffer *out, struct counters *c, const char *name,
    const char *help, size_t offset)
{
	int bad = put_head(out, name, "gauge", help);

	for (size_t i = 0; i < counters_workers(c); i++) {
		const struct counters_worker *w = counters_worker(c, i);

		if (counter_get(&w->ready) == 0)
			continue;
		bad |= evbuffer_add_printf(out,
		    PREFIX "%s{worker=\"%zu\"} %" PRIu64 "\n", name, i + 1,
		    counter_get((const counter *)((const char *)w + offset)));
	}
	return bad < 0 ? -1 : 0;
}

static int
put_master(struct evbuffer *out, struct counters *c)
{
	const struct counters_master *m = counters_master(c);

	return put_one(out, "worker_restarts_total", "counter",
		   "Workers that took the place of one that had died.",
		   counter_get(&m->restarts)) |
	       put_one(out, "log_dropped_total", "counter",
		   "Lines of logs that could not be written at once.",
		   COUNTERS_SUM(c, log_dropped) +
		       counter_get(&m->log_dropped)) |
	       put_one(out, "log_left_out_total", "counter",
		   "Lines of the log that were too many of their kind.",
		   COUNTERS_SUM(c, log_left_out) +
		       counter_get(&m->log_left_out));
}

int
metrics_text(struct evbuffer *out, struct counters *c, const struct registry *r)
{
	int bad = put_head(out, "build_info", "gauge", "The version.");

	bad |= put(out, "build_info", "{version=\"" LT_VERSION "\"}", 1);
	bad |= put_one(out, "tunnels", "gauge",
	    "Tunnels, names that are held for lost clients among them.",
	    registry_count(r));
	bad |= put_simples(out, c);
	bad |= put_results(out, c);
	bad |= put_joins(out, c);
	bad |= put_master(out, c);
	bad |= put_each(out, c, "worker_open_fds",
	    "Descriptors that a worker uses.",
	    offsetof(struct counters_worker, fds));
	bad |= put_each(out, c, "worker_room",
	    "Connections that a worker can take before it runs out of "
	    "descriptors.",
	    offsetof(struct counters_worker, room));
	return bad < 0 ? -1 : 0;
}

/* True if the text at *at begins with `word`, which is passed then. */
static bool
pass(const char **at, const char *end, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end - *at) < len || memcmp(*at, word, len) != 0)
		return false;
	*at += len;
	return true;
}

static enum metrics_page
find_page(const char *path, size_t len)
{
	static const struct {
		const char *path;
		enum metrics_page page;
	} pages[] = {
		{ "/metrics", METRICS_METRICS },
		{ "/health", METRICS_HEALTH },
		{ "/ready", METRICS_READY },
	};
	const char *query = memchr(path, '?', len);

	if (query != NULL)
		len = (size_t)(query - path);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strlen(pages[i].path) == len &&
		    memcmp(pages[i].path, path, len) == 0)
			return pages[i].page;
	return METRICS_NO_PAGE;
}

/* The first line, without its end. */
static enum metrics_page
read_line(const char *at, const char *end, bool *is_head)
{
	const char *method = at, *path, *gap;

	gap = memchr(at, ' ', (size_t)(end - at));
	path = gap == NULL ? NULL : gap + 1;
	if (path == NULL || gap == at || path == end || *path != '/')
		return METRICS_BAD;
	gap = memchr(path, ' ', (size_t)(end - path));
	if (gap == NULL)
		return METRICS_BAD;
	at = gap + 1;
	if (!pass(&at, end, "HTTP/1."))
		return METRICS_BAD;
	*is_head = pass(&method, end, "HEAD ");
	if (!*is_head && !pass(&method, end, "GET "))
		return METRICS_NO_METHOD;
	return find_page(path, (size_t)(gap - path));
}

bool
metrics_request(
    const char *buf, size_t len, enum metrics_page *page, bool *is_head)
{
	const char *end = memchr(buf, '\n', len);

	*is_head = false;
	*page = METRICS_BAD;
	if (len >= METRICS_REQUEST_MAX)
		return true;
	if (memmem(buf, len, "\r\n\r\n", 4) == NULL &&
	    memmem(buf, len, "\n\n", 2) == NULL)
		return false;
	if (end > buf && end[-1] == '\r')
		end--;
	*page = read_line(buf, end, is_head);
	return true;
}

/* SPDX-License-Identifier: ISC */
#include "server/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/drain.h"
#include "common/log.h"
#include "common/page.h"
#include "common/stream.h"
#include "server/metrics_text.h"
#include "server/room.h"
#include "server/worker.h"

#define CALLERS_MAX 16
#define CALLER_MS   5000 /* until the request must be there */
#define PAUSE_MS    200	 /* after EMFILE and its like */

struct caller {
	TAILQ_ENTRY(caller) link; /* in the order of coming */
	struct metrics *metrics;
	struct stream stream;
	struct event *readable;
	struct event *limit;
	size_t len;
	char buf[METRICS_REQUEST_MAX];
};

TAILQ_HEAD(caller_list, caller);

struct metrics {
	struct worker *worker;
	int fd;
	struct event *readable;
	struct event *resume; /* its timer */
	struct caller_list callers;
	size_t callers_n;
};

static void
caller_free(struct caller *c)
{
	TAILQ_REMOVE(&c->metrics->callers, c, link);
	c->metrics->callers_n--;
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->limit != NULL)
		event_free(c->limit);
	stream_close(&c->stream);
	free(c);
}

/* The body of a page, and its status. */
static int
put_body(struct worker *w, enum metrics_page page, struct evbuffer *body)
{
	switch (page) {
	case METRICS_METRICS:
		(void)room_look(w); /* to have our own gauges right */
		return metrics_text(body, w->counters, w->registry) == -1 ? 503
									  : 200;
	case METRICS_HEALTH:
		evbuffer_add_printf(body, "alive\n");
		return 200;
	case METRICS_READY:
		if (!w->draining && COUNTERS_SUM(w->counters, ready) > 0) {
			evbuffer_add_printf(body, "ready\n");
			return 200;
		}
		evbuffer_add_printf(body, "draining\n");
		return 503;
	case METRICS_NO_PAGE:
		evbuffer_add_printf(
		    body, "there are /metrics, /health and /ready\n");
		return 404;
	case METRICS_NO_METHOD:
		evbuffer_add_printf(body, "only GET and HEAD\n");
		return 405;
	case METRICS_BAD:
		break;
	}
	evbuffer_add_printf(body, "this is no HTTP request\n");
	return 400;
}

static void
answer(struct caller *c, enum metrics_page page, bool is_head)
{
	struct worker *w = c->metrics->worker;
	struct evbuffer *out = evbuffer_new(), *body = evbuffer_new();
	struct stream stream = stream_take(&c->stream);
	const void *text = NULL;
	int status;

	caller_free(c);
	if (out != NULL && body != NULL) {
		status = put_body(w, page, body);
		evbuffer_add_printf(out,
		    "HTTP/1.1 %d %s\r\n"
		    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		    "Content-Length: %zu\r\n"
		    "Cache-Control: no-store\r\n"
		    "Connection: close\r\n\r\n",
		    status, page_reason(status), evbuffer_get_length(body));
		if (!is_head)
			evbuffer_add_buffer(out, body);
		text = evbuffer_pullup(out, -1);
	}
	drain_start(w->drains, &stream, text,
	    text == NULL ? 0 : evbuffer_get_length(out));
	if (out != NULL)
		evbuffer_free(out);
	if (body != NULL)
		evbuffer_free(body);
}

static void
read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct caller *c = arg;
	enum metrics_page page;
	bool is_head;
	ssize_t n;

	(void)fd;
	(void)what;
	n = stream_read(&c->stream, c->buf + c->len, sizeof(c->buf) - c->len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		caller_free(c);
		return;
	}
	c->len += (size_t)n;
	if (metrics_request(c->buf, c->len, &page, &is_head))
		answer(c, page, is_head);
}

static void
limit_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	caller_free(arg);
}

static void
take(struct metrics *m, int fd)
{
	struct event_base *base = m->worker->base;
	struct timeval limit = clock_span(CALLER_MS);
	struct caller *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	/* Too many at once: whoever has been here longest goes. */
	while (m->callers_n >= CALLERS_MAX)
		caller_free(TAILQ_FIRST(&m->callers));
	c->metrics = m;
	c->stream.fd = fd;
	TAILQ_INSERT_TAIL(&m->callers, c, link);
	m->callers_n++;
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, read_cb, c);
	c->limit = evtimer_new(base, limit_cb, c);
	if (c->readable == NULL || c->limit == NULL ||
	    event_add(c->readable, NULL) == -1 ||
	    evtimer_add(c->limit, &limit) == -1)
		caller_free(c);
}

static void
resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct metrics *m = arg;

	(void)fd;
	(void)what;
	event_add(m->readable, NULL);
}

static void
accept_cb(evutil_socket_t sock, short what, void *arg)
{
	struct timeval tv = clock_span(PAUSE_MS);
	struct metrics *m = arg;
	struct net_addr peer;
	int fd = net_accept(sock, &peer);

	(void)what;
	if (fd != -1) {
		take(m, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		   errno == ENOMEM) {
		event_del(m->readable);
		evtimer_add(m->resume, &tv);
	}
}

struct metrics *
metrics_new(struct worker *w)
{
	struct metrics *m = log_must_alloc(1, sizeof(*m));

	m->worker = w;
	m->fd = -1;
	TAILQ_INIT(&m->callers);
	m->resume = evtimer_new(w->base, resume_cb, m);
	if (m->resume == NULL)
		fatal("out of memory");
	return m;
}

void
metrics_listen(struct metrics *m, int fd)
{
	event_del(m->resume);
	if (m->fd != -1) {
		event_free(m->readable);
		m->readable = NULL;
		close(m->fd);
	}
	m->fd = fd;
	if (fd == -1)
		return;
	m->readable =
	    event_new(m->worker->base, fd, EV_READ | EV_PERSIST, accept_cb, m);
	if (m->readable != NULL && event_add(m->readable, NULL) == 0)
		return;
	log_error("cannot wait for those who want metrics");
	if (m->readable != NULL)
		event_free(m->readable);
	m->readable = NULL;
	close(fd);
	m->fd = -1;
}

void
metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	while (!TAILQ_EMPTY(&m->callers))
		caller_free(TAILQ_FIRST(&m->callers));
	metrics_listen(m, -1);
	event_free(m->resume);
	free(m);
}

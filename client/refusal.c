/* SPDX-License-Identifier: ISC
 *
 * Visitors whom no local service answers. Called by proxy. Owns an event; the
 * page goes to the drains of the client, and the connection with it.
 */
#include "client/refusal.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/local.h"
#include "common/clock.h"
#include "common/drain.h"
#include "common/http.h"
#include "common/stream.h"

#define TIMEOUT_MS 2000 /* for the head of the request */

struct refusal {
	struct refusal_of of;
	struct dial_result failure;
	char *why;
	struct event *event;
	uint64_t deadline_ms;
	refusal_fn done;
	void *arg;
};

/* Tells him whose request begins with these bytes. */
static void
send_page(const struct refusal_of *of, const char *head, size_t len)
{
	struct evbuffer *page = evbuffer_new();

	if (page != NULL &&
	    local_page(of->service, of->failure, head, len, page) == 0)
		drain_start(of->client->drains, of->stream,
		    evbuffer_pullup(page, -1), evbuffer_get_length(page));
	if (page != NULL)
		evbuffer_free(page);
}

static void
news_cb(int fd, short what, void *arg)
{
	struct refusal *refusal = arg;
	const struct refusal_of *of = &refusal->of;
	char buf[REFUSAL_EARLY_MAX + HTTP_HEAD_MAX];
	size_t len = of->early_len;
	struct http_head head;
	struct timeval left = clock_until(refusal->deadline_ms);
	ssize_t n;
	bool is_last;

	(void)fd;
	memcpy(buf, len > 0 ? of->early : "", len);
	n = stream_peek(of->stream, buf + len, HTTP_HEAD_MAX);
	is_last =
	    n == 0 || of->is_headless || (what & (EV_TIMEOUT | EV_CLOSED)) != 0;
	if (n == -1 && errno != EAGAIN) {
		refusal->done(refusal->arg);
		return;
	}
	if (n > 0)
		len += (size_t)n;
	if (!is_last &&
	    (len == 0 || http_head(&head, buf, len, NULL) == HTTP_MORE)) {
		/* Else what comes would begin the time anew. */
		event_add(refusal->event, &left);
		return;
	}
	event_del(refusal->event);
	send_page(of, buf, len);
	refusal->done(refusal->arg);
}

struct refusal *
refusal_start(const struct refusal_of *of, refusal_fn done, void *arg)
{
	struct refusal *refusal = calloc(1, sizeof(*refusal));
	struct timeval timeout = clock_span(TIMEOUT_MS);

	if (refusal == NULL)
		return NULL;
	refusal->of = *of;
	refusal->deadline_ms = clock_ms() + TIMEOUT_MS;
	refusal->why = strdup(of->failure->why);
	refusal->failure.error = of->failure->error;
	refusal->failure.why = refusal->why;
	refusal->of.failure = &refusal->failure;
	refusal->done = done;
	refusal->arg = arg;
	refusal->event = event_new(of->client->base, of->stream->fd,
	    EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, news_cb, refusal);
	if (refusal->why == NULL || refusal->event == NULL ||
	    event_add(refusal->event, &timeout) == -1) {
		refusal_free(refusal);
		return NULL;
	}
	/* Of what was read already, here or by TLS, nobody tells. */
	event_active(refusal->event, EV_READ, 0);
	return refusal;
}

void
refusal_free(struct refusal *refusal)
{
	if (refusal == NULL)
		return;
	if (refusal->event != NULL)
		event_free(refusal->event);
	free(refusal->why);
	free(refusal);
}

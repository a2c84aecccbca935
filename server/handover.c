/* SPDX-License-Identifier: ISC */
#include "server/handover.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/watch.h"
#include "server/arrival.h"
#include "server/pulse.h"
#include "server/room.h"
#include "server/serve.h"
#include "server/session.h"
#include "server/worker.h"

#define HANDOVER_RETRY_MS 20
#define HANDOVER_BURST	  64 /* taken in one turn of the loop */

/* One that did not fit into its inbox yet. */
struct waiting {
	TAILQ_ENTRY(waiting) link;
	struct inbox_msg msg;
	uint32_t slot;
};

TAILQ_HEAD(waiting_list, waiting);

struct handover {
	struct worker *worker;
	struct event *receive;
	struct event *resume; /* after a time without room */
	struct event *retry;
	size_t n;		       /* how many wait */
	struct waiting_list by_slot[]; /* in order */
};

/* A connection that could not be handed over in time, or ever. */
static void
fail(struct worker *w, struct inbox_msg *msg, const char *why)
{
	if (msg->kind == INBOX_VISITOR)
		serve_refused(w, &msg->conn, NULL, 503, why);
	else
		serve_bad_client(w, &msg->conn, why);
}

/* One attempt; false if it has to wait. */
static bool
attempt(struct worker *w, uint32_t slot, struct inbox_msg *msg)
{
	static struct log_limit limit;

	if (counter_get(&counters_worker(w->counters, slot)->room) == 0 ||
	    !pulse_is_there(w->counters, slot))
		return false;
	if (msg->conn.stream.is_watched)
		watch_remove(w->watches, msg->conn.stream.fd);
	msg->conn.stream.is_watched = false;
	switch (inbox_send(w->inbox, slot, msg)) {
	case FDPASS_OK:
		counter_add(&w->count->handed_out, 1);
		return true;
	case FDPASS_AGAIN:
		return false;
	default:
		log_limited(&limit, LOG_LEVEL_ERROR,
		    "hand-over to worker %u: %s", slot, strerror(errno));
		fail(w, msg, "the server could not hand the connection over");
		return true;
	}
}

static void received(struct worker *, struct inbox_msg *);

/* True if a connection that waits must not go to that worker any more: its
 * session has moved, or the worker takes nobody new. */
static bool
is_astray(const struct worker *w, uint32_t slot, const struct inbox_msg *msg)
{
	struct registry_session session;

	if (msg->session.generation == 0)
		return counter_get(
			   &counters_worker(w->counters, slot)->ready) == 0;
	return !registry_session(w->registry, msg->session, &session) ||
	       session.worker != slot;
}

/* Sends what waits for one slot, as far as its inbox takes it. */
static void
retry_slot(struct handover *h, uint32_t slot, uint64_t limit)
{
	struct waiting_list *list = &h->by_slot[slot];
	struct worker *w = h->worker;
	struct waiting *p;

	while ((p = TAILQ_FIRST(list)) != NULL) {
		if (clock_ms() - p->msg.conn.ready_ms > limit)
			fail(w, &p->msg, "the server is overloaded");
		else if (is_astray(w, slot, &p->msg))
			received(w, &p->msg);
		else if (!attempt(w, slot, &p->msg))
			return;
		TAILQ_REMOVE(list, p, link);
		h->n--;
		free(p);
	}
}

static void
retry_cb(evutil_socket_t fd, short what, void *arg)
{
	struct handover *h = arg;
	struct worker *w = h->worker;
	struct timeval tv = clock_span(HANDOVER_RETRY_MS);

	(void)fd;
	(void)what;
	for (uint32_t i = 0; i < counters_workers(w->counters); i++)
		retry_slot(h, i, w->config->queue_timeout * 1000ull);
	if (h->n > 0)
		evtimer_add(h->retry, &tv);
}

/* A visitor of kind tcp whose session has ended: his first bytes would not say
 * where he belongs. */
static void
received_opaque(struct worker *w, struct inbox_msg *msg)
{
	struct registry_tunnel tunnel;

	if (registry_tunnel(w->registry, msg->tunnel, &tunnel))
		serve_tunnel(w, &msg->conn, tunnel.name);
	else
		fail(w, msg, "the tunnel is gone");
}

/* A connection from another worker, or one that could not go to it. Its session
 * may have ended since. */
static void
received(struct worker *w, struct inbox_msg *msg)
{
	struct session *s = session_find(w->sessions, msg->session);

	if (msg->conn.hops > HANDOVER_HOPS_MAX)
		fail(w, msg, "the tunnel moved too often");
	else if (msg->kind == INBOX_VISITOR && s != NULL)
		serve_here(s, &msg->conn);
	else if (msg->conn.language == CONN_OPAQUE)
		received_opaque(w, msg);
	else
		arrival_start(w, &msg->conn);
}

static void
receive_cb(evutil_socket_t fd, short what, void *arg)
{
	static struct log_limit limit;
	struct worker *w = arg;
	struct timeval tv = clock_span(HANDOVER_RETRY_MS);
	struct inbox_msg msg;

	(void)fd;
	(void)what;
	/* Without room what is in the inbox is safest there. */
	if (!room_is_left(w, ROOM_ANY)) {
		event_del(w->handover->receive);
		evtimer_add(w->handover->resume, &tv);
		return;
	}
	for (int i = 0; i < HANDOVER_BURST; i++) {
		switch (inbox_recv(w->inbox, w->slot, &msg)) {
		case FDPASS_OK:
			counter_add(&w->count->handed_in, 1);
			received(w, &msg);
			break;
		case FDPASS_LOST:
			log_limited(&limit, LOG_LEVEL_ERROR,
			    "a connection handed over was lost: out of "
			    "descriptors");
			break;
		case FDPASS_BAD:
			log_error("nonsense in the inbox was dropped");
			break;
		default:
			return;
		}
	}
}

static void
resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct handover *h = arg;

	(void)fd;
	(void)what;
	event_add(h->receive, NULL);
}

struct handover *
handover_new(struct worker *w)
{
	size_t slots = counters_workers(w->counters);
	struct handover *h =
	    log_must_alloc(1, sizeof(*h) + slots * sizeof(h->by_slot[0]));

	h->worker = w;
	for (size_t i = 0; i < slots; i++)
		TAILQ_INIT(&h->by_slot[i]);
	h->retry = evtimer_new(w->base, retry_cb, h);
	h->resume = evtimer_new(w->base, resume_cb, h);
	h->receive = event_new(w->base, inbox_fd(w->inbox, w->slot),
	    EV_READ | EV_PERSIST, receive_cb, w);
	if (h->retry == NULL || h->resume == NULL || h->receive == NULL ||
	    event_add(h->receive, NULL) == -1)
		fatal("cannot wait on the inbox");
	return h;
}

void
handover_free(struct handover *h)
{
	struct waiting *p;

	if (h == NULL)
		return;
	for (size_t i = 0; i < counters_workers(h->worker->counters); i++)
		while ((p = TAILQ_FIRST(&h->by_slot[i])) != NULL) {
			TAILQ_REMOVE(&h->by_slot[i], p, link);
			fail(h->worker, &p->msg, "the server is leaving");
			free(p);
		}
	event_free(h->receive);
	event_free(h->resume);
	event_free(h->retry);
	free(h);
}

void
handover_send(struct worker *w, uint32_t slot, struct inbox_msg *msg)
{
	struct timeval tv = clock_span(HANDOVER_RETRY_MS);
	struct handover *h = w->handover;
	struct waiting *p;

	msg->conn.hops++;
	if (msg->kind == INBOX_CONTROL && msg->session.generation == 0)
		counters_send(w->counters, slot, clock_ms());
	/* Those that wait already go first. */
	if (TAILQ_EMPTY(&h->by_slot[slot]) && attempt(w, slot, msg))
		return;
	if ((p = malloc(sizeof(*p))) == NULL) {
		fail(w, msg, "the server is out of memory");
		return;
	}
	p->msg = *msg;
	msg->conn.stream = (struct stream)STREAM_NONE;
	p->slot = slot;
	TAILQ_INSERT_TAIL(&h->by_slot[slot], p, link);
	h->n++;
	if (!evtimer_pending(h->retry, NULL))
		evtimer_add(h->retry, &tv);
}

size_t
handover_count(const struct handover *h)
{
	return h->n;
}

bool
handover_is_empty(const struct handover *h)
{
	struct pollfd pfd = { .fd = inbox_fd(h->worker->inbox, h->worker->slot),
		.events = POLLIN };

	return h->n == 0 && poll(&pfd, 1, 0) == 0;
}

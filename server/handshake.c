/* SPDX-License-Identifier: ISC
 *
 * Handshakes in progress. serve starts them; when one is done its connection
 * goes back to arrival. Each owns its connection, one event and its place in
 * two lists, that of all by age and that of its address.
 */
#include "server/handshake.h"

#include <stddef.h>
#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/cidr.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/tls.h"
#include "server/arrival.h"
#include "server/deadline.h"
#include "server/peers.h"
#include "server/serve.h"
#include "server/worker.h"

/* One that goes well is over by then. */
#define HANDSHAKE_MOMENT_MS 1000

struct handshake {
	TAILQ_ENTRY(handshake) link;
	struct peer_entry of_peer;
	struct deadline deadline;
	struct worker *worker;
	struct conn conn;
	struct event ev;
	bool is_waiting; /* ev is in use */
};

struct handshakes {
	TAILQ_HEAD(, handshake) all; /* the oldest first */
	size_t n;
	struct peers *peers;
	struct deadline_list *deadlines;
};

/* The connection leaves: whoever goes on with it takes it from *conn. */
static void
leave(struct handshake *h, struct conn *conn)
{
	struct worker *w = h->worker;
	struct handshakes *hs = w->handshakes;

	if (h->is_waiting)
		event_del(&h->ev);
	TAILQ_REMOVE(&hs->all, h, link);
	hs->n--;
	peers_del(hs->peers, &h->of_peer);
	deadline_del(hs->deadlines, &h->deadline);
	counter_add(&w->count->handshaking, -1);
	*conn = conn_take(&h->conn);
	free(h);
}

static void
give_up(struct handshake *h, const char *why)
{
	struct worker *w = h->worker;
	struct conn conn;

	leave(h, &conn);
	serve_no_handshake(w, &conn, why);
}

static void
done(struct handshake *h)
{
	struct worker *w = h->worker;
	struct conn conn;

	counter_add(&w->count->handshakes, 1);
	if (tls_is_resumed(h->conn.stream.tls))
		counter_add(&w->count->resumed, 1);
	leave(h, &conn);
	conn.language = CONN_UNKNOWN;
	arrival_start(w, &conn);
}

/* Goes on as far as it can; true if the handshake is gone. */
static bool
step(struct handshake *h)
{
	switch (tls_handshake(h->conn.stream.tls)) {
	case TLS_OK:
		done(h);
		return true;
	case TLS_BAD:
		give_up(h, tls_why(h->conn.stream.tls));
		return true;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		break;
	}
	return false;
}

static void
handshake_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	step(arg);
}

static void
expired(void *arg, struct deadline *d)
{
	(void)arg;
	give_up(deadline_of(d, struct handshake, deadline),
	    "the TLS handshake took too long");
}

struct handshakes *
handshakes_new(struct worker *w)
{
	struct handshakes *hs = log_must_alloc(1, sizeof(*hs));

	TAILQ_INIT(&hs->all);
	hs->peers = peers_new();
	hs->deadlines = deadline_list_new(w->base, expired, w);
	return hs;
}

void
handshakes_free(struct handshakes *hs)
{
	struct handshake *h;
	struct conn conn;

	if (hs == NULL)
		return;
	while ((h = TAILQ_FIRST(&hs->all)) != NULL) {
		leave(h, &conn);
		conn_close(&conn);
	}
	deadline_list_free(hs->deadlines);
	peers_free(hs->peers);
	free(hs);
}

bool
handshakes_make_room(struct worker *w)
{
	static struct log_limit limit;
	struct handshake *first = TAILQ_FIRST(&w->handshakes->all);
	uint64_t left_ms =
	    w->config->handshake_timeout * 1000ull - HANDSHAKE_MOMENT_MS;
	struct conn conn;

	if (first == NULL || first->deadline.due_ms > clock_ms() + left_ms)
		return false;
	leave(first, &conn);
	log_limited(&limit, LOG_LEVEL_WARN,
	    "short of descriptors: a TLS handshake that takes long is ended");
	conn_close(&conn);
	return true;
}

/* Whoever came first and has not got through yet makes room. */
static void
make_room(struct worker *w, const struct handshake *fresh)
{
	struct handshakes *hs = w->handshakes;

	if (peers_count(&fresh->of_peer) > w->config->handshakes_per_address &&
	    !cidr_list_has(&w->config->trusted_proxies.list, &fresh->conn.peer))
		give_up(deadline_of(peers_oldest(&fresh->of_peer),
			    struct handshake, of_peer),
		    "too many TLS handshakes from this address");
	if (hs->n > w->config->handshakes)
		give_up(TAILQ_FIRST(&hs->all), "too many TLS handshakes");
}

/* Waits for both kinds of readiness at once: one registration in all. */
static bool
wait_on(struct handshake *h)
{
	event_assign(&h->ev, h->worker->base, h->conn.stream.fd,
	    EV_READ | EV_WRITE | EV_ET | EV_PERSIST, handshake_cb, h);
	h->is_waiting = event_add(&h->ev, NULL) == 0;
	return h->is_waiting;
}

void
handshake_start(struct worker *w, struct conn *conn, const char *scope)
{
	struct handshakes *hs = w->handshakes;
	struct handshake *h = calloc(1, sizeof(*h));

	if (h != NULL)
		conn->stream.tls =
		    tls_accept_new(w->tls, conn->stream.fd, scope);
	if (h == NULL || conn->stream.tls == NULL) {
		free(h);
		serve_bad_tls(w, conn, HELLO_INTERNAL_ERROR,
		    "the server is out of memory");
		return;
	}
	h->worker = w;
	h->conn = conn_take(conn);
	TAILQ_INSERT_TAIL(&hs->all, h, link);
	hs->n++;
	peers_add(hs->peers, &h->of_peer, &h->conn.peer);
	deadline_add(hs->deadlines, &h->deadline,
	    clock_ms() + w->config->handshake_timeout * 1000ull);
	counter_add(&w->count->handshaking, 1);
	make_room(w, h);
	if (!step(h) && !wait_on(h))
		give_up(h, "the server is out of memory");
}

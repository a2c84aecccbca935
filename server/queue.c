/* SPDX-License-Identifier: ISC */
#include "server/queue.h"

#include <stddef.h>
#include <stdlib.h>

#include "server/counters.h"
#include "server/crowd.h"
#include "server/deadline.h"
#include "server/peers.h"
#include "server/serve.h"
#include "server/session.h"
#include "server/worker.h"

struct visit {
	TAILQ_ENTRY(visit) link;
	struct deadline deadline;
	struct peer *of_peer; /* he is counted there, or NULL */
	struct session *session;
	struct conn conn;
};

/* Takes one out and frees it; the connection goes to *conn. */
static void
leave(struct visit *v, struct conn *conn)
{
	struct session *s = v->session;

	TAILQ_REMOVE(&s->queue.waiting, v, link);
	s->queue.n--;
	deadline_del(s->worker->waits, &v->deadline);
	peers_let_go(&v->of_peer);
	counter_add(&s->count->queued, -1);
	counter_add(&s->worker->count->queued, -1);
	*conn = conn_take(&v->conn);
	free(v);
}

static void
expired(void *arg, struct deadline *d)
{
	struct visit *v = deadline_of(d, struct visit, deadline);
	struct session *s = v->session;
	struct conn conn;

	leave(v, &conn);
	serve_refused(arg, &conn, s->name, 502,
	    "the tunnel's client offered no connection in time");
}

void
queue_init(struct queue *q)
{
	TAILQ_INIT(&q->waiting);
	q->n = 0;
}

struct deadline_list *
queue_deadlines_new(struct worker *w)
{
	return deadline_list_new(w->base, expired, w);
}

/* Makes a place in the queue; NULL, and the visitor is refused, without
 * memory. */
static struct visit *
enter(struct session *s, struct conn *conn)
{
	struct worker *w = s->worker;
	struct visit *v = calloc(1, sizeof(*v));

	if (v == NULL) {
		serve_refused(
		    w, conn, s->name, 503, "the server is out of memory");
		return NULL;
	}
	v->session = s;
	v->conn = conn_take(conn);
	s->queue.n++;
	v->of_peer = crowd_add(w, &v->conn.peer);
	deadline_add(w->waits, &v->deadline,
	    v->conn.ready_ms + w->config->queue_timeout * 1000ull);
	counter_add(&s->count->queued, 1);
	counter_add(&w->count->queued, 1);
	return v;
}

void
queue_put(struct session *s, struct conn *conn)
{
	struct visit *v;

	if (s->queue.n >= s->worker->config->queue_limit)
		serve_refused(s->worker, conn, s->name, 503,
		    "too many visitors are waiting for this tunnel");
	else if ((v = enter(s, conn)) != NULL)
		TAILQ_INSERT_TAIL(&s->queue.waiting, v, link);
}

void
queue_put_first(struct session *s, struct conn *conn)
{
	struct visit *v = enter(s, conn);

	if (v != NULL)
		TAILQ_INSERT_HEAD(&s->queue.waiting, v, link);
}

bool
queue_take(struct session *s, struct conn *conn)
{
	struct visit *v = TAILQ_FIRST(&s->queue.waiting);

	if (v == NULL)
		return false;
	leave(v, conn);
	return true;
}

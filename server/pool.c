/* SPDX-License-Identifier: ISC */
#include "server/pool.h"

#include <stdlib.h>

#include "common/watch.h"
#include "server/counters.h"
#include "server/node.h"
#include "server/session.h"
#include "server/worker.h"

struct proxy {
	TAILQ_ENTRY(proxy) link;
	struct session *session;
	struct conn conn;
};

/* Takes one out and frees it; the connection goes to *conn. Whoever joins it
 * goes on watching it; whoever closes it stops that. */
static void
leave(struct proxy *p, struct conn *conn)
{
	struct session *s = p->session;

	watch_pause(s->worker->watches, p->conn.stream.fd, 0);
	p->conn.stream.is_watched = true;
	TAILQ_REMOVE(&s->pool.idle, p, link);
	s->pool.n--;
	counter_add(&s->count->idle, -1);
	counter_add(&s->worker->count->idle, -1);
	*conn = conn_take(&p->conn);
	free(p);
}

static void
leave_and_close(struct proxy *p)
{
	struct watch_set *watches = p->session->worker->watches;
	struct conn conn;

	leave(p, &conn);
	watch_stop(watches, conn.stream.fd);
	conn_close(&conn);
}

/* It has ended, or it spoke, which is not its turn. */
static void
proxy_cb(int fd, unsigned what, void *arg)
{
	struct proxy *p = arg;
	struct session *s = p->session;

	(void)fd;
	if ((what & (WATCH_IN | WATCH_HUP)) == 0)
		return;
	leave_and_close(p);
	node_look(s);
}

void
pool_init(struct pool *pool, unsigned target)
{
	TAILQ_INIT(&pool->idle);
	pool->n = 0;
	pool->target = target;
	pool->is_short = false;
}

/* Watches it; -1 without memory. One that is watched already, and of which
 * nothing is known but that it is there, need not be started anew. */
static int
start_watch(struct proxy *p, const struct stream *stream)
{
	struct watch_set *watches = p->session->worker->watches;

	if (stream->is_watched &&
	    watch_resume(watches, stream->fd, proxy_cb, p) == WATCH_OUT)
		return 0;
	return watch_start(watches, stream->fd, WATCH_IN, proxy_cb, p);
}

bool
pool_put(struct session *s, struct conn *conn)
{
	struct proxy *p;

	if (s->pool.n >= s->pool.target || (p = calloc(1, sizeof(*p))) == NULL)
		return false;
	p->session = s;
	if (start_watch(p, &conn->stream) == -1) {
		free(p);
		return false;
	}
	p->conn = conn_take(conn);
	TAILQ_INSERT_HEAD(&s->pool.idle, p, link);
	s->pool.n++;
	counter_add(&s->count->idle, 1);
	counter_add(&s->worker->count->idle, 1);
	return true;
}

bool
pool_take(struct session *s, struct conn *conn)
{
	struct proxy *p = TAILQ_FIRST(&s->pool.idle);

	if (p == NULL)
		return false;
	leave(p, conn);
	return true;
}

void
pool_trim(struct session *s, unsigned n)
{
	while (s->pool.n > n)
		leave_and_close(TAILQ_LAST(&s->pool.idle, proxy_list));
}

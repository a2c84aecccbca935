/* SPDX-License-Identifier: ISC
 *
 * The port of a node session and who may use it. It owns the listening
 * descriptor and the connections that are neither idle nor joined; those are
 * the pool's and the joins'. It never reads what a proxy connection says,
 * except to throw it away.
 */
#include "server/node.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/deadline.h"
#include "server/room.h"
#include "server/session.h"
#include "server/worker.h"

#define NODE_BURST	16     /* accepted in one turn of the loop */
#define NODE_EMPTY_MS	500    /* before the master hears of it */
#define NODE_SURPLUS_MS 1000   /* before one too many is closed */
#define NODE_PAUSE_MS	200    /* without room for another one */
#define NODE_SPENT_MS	120000 /* its machine is gone, then */
#define NODE_CHUNK	4096
#define NODE_THROW_MAX	(1024 * 1024) /* bytes of a spent one */

/* A connection that is no use: one too many, or spent. */
struct held {
	TAILQ_ENTRY(held) link;
	struct node *node;
	struct conn conn;
	struct deadline deadline; /* one too many */
	struct event ev;	  /* spent */
	size_t thrown;		  /* bytes, spent */
};

TAILQ_HEAD(held_list, held);

struct node {
	struct session *session;
	int fd; /* listens */
	struct event accept;
	struct deadline pause;
	struct deadline empty; /* then the master is told */
	struct deadline grace; /* then the session ends */
	bool is_told;
	struct held_list surplus; /* oldest first */
	struct held_list spent;
	unsigned surplus_n;
	unsigned spent_n;
};

struct node_set {
	/* One list for each length of time, so that what is added is due
	 * last. */
	struct deadline_list *pauses;
	struct deadline_list *empties;
	struct deadline_list *graces;
	struct deadline_list *surplus;
	size_t held;
};

static unsigned
limit(const struct node *n)
{
	return n->session->pool.target;
}

static unsigned
count(const struct node *n)
{
	const struct session *s = n->session;

	return s->pool.n + s->joined + n->spent_n;
}

/* --- those that are no use ------------------------------------------------ */

static struct held *
hold(
    struct node *n, struct held_list *list, unsigned *list_n, struct conn *conn)
{
	struct held *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		conn_close(conn);
		return NULL;
	}
	h->node = n;
	h->conn = conn_take(conn);
	TAILQ_INSERT_TAIL(list, h, link);
	++*list_n;
	n->session->worker->nodes->held++;
	return h;
}

static void
unhold(
    struct held *h, struct held_list *list, unsigned *list_n, struct conn *conn)
{
	struct worker *w = h->node->session->worker;

	if (h->deadline.due_ms != 0)
		deadline_del(w->nodes->surplus, &h->deadline);
	if (event_initialized(&h->ev))
		event_del(&h->ev);
	TAILQ_REMOVE(list, h, link);
	--*list_n;
	w->nodes->held--;
	*conn = conn_take(&h->conn);
	free(h);
}

static void
surplus_expired(void *arg, struct deadline *d)
{
	struct held *h = deadline_of(d, struct held, deadline);
	struct node *n = h->node;
	struct conn conn;

	(void)arg;
	unhold(h, &n->surplus, &n->surplus_n, &conn);
	conn_close(&conn);
}

/* Throws away what a spent connection says, until it ends. */
static void
spent_cb(evutil_socket_t fd, short what, void *arg)
{
	struct held *h = arg;
	struct node *n = h->node;
	char chunk[NODE_CHUNK];
	struct conn conn;
	ssize_t len = stream_read(&h->conn.stream, chunk, sizeof(chunk));

	(void)fd;
	(void)what;
	if (len == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len > 0 && (h->thrown += (size_t)len) < NODE_THROW_MAX)
		return;
	unhold(h, &n->spent, &n->spent_n, &conn);
	conn_close(&conn);
	node_look(n->session);
}

void
node_spend(struct session *s, struct conn *conn)
{
	struct node *n = s->node;
	struct held *h;
	char byte;

	if (stream_peek(&conn->stream, &byte, 1) == 0 ||
	    stream_shutdown(&conn->stream) == -1) {
		conn_close(conn);
		return;
	}
	net_user_timeout(conn->stream.fd, NODE_SPENT_MS);
	h = hold(n, &n->spent, &n->spent_n, conn);
	if (h == NULL)
		return;
	event_assign(&h->ev, s->worker->base, h->conn.stream.fd,
	    EV_READ | EV_PERSIST, spent_cb, h);
	if (event_add(&h->ev, NULL) == -1) {
		struct conn lost;

		unhold(h, &n->spent, &n->spent_n, &lost);
		conn_close(&lost);
	}
}

/* --- without room for more ------------------------------------------------ */

/* Others wait in the backlog meanwhile. */
static void
pause_port(struct node *n)
{
	event_del(&n->accept);
	deadline_add(n->session->worker->nodes->pauses, &n->pause,
	    clock_ms() + NODE_PAUSE_MS);
}

/* Does nothing if it is not paused. */
static void
resume_port(struct node *n)
{
	if (n->pause.due_ms == 0)
		return;
	deadline_del(n->session->worker->nodes->pauses, &n->pause);
	if (event_add(&n->accept, NULL) == -1)
		pause_port(n);
}

static void
pause_expired(void *arg, struct deadline *d)
{
	struct node *n = deadline_of(d, struct node, pause);

	(void)arg;
	if (event_add(&n->accept, NULL) == -1)
		pause_port(n);
}

/* --- with and without connections ----------------------------------------- */

static void
tell_master(const struct node *n, bool is_empty)
{
	struct session *s = n->session;
	struct channel_msg msg = { .type = CHANNEL_EMPTY,
		.empty = { s->ref, is_empty } };

	channel_send(s->worker->channel, &msg, -1);
}

static void
empty_expired(void *arg, struct deadline *d)
{
	struct node *n = deadline_of(d, struct node, empty);

	(void)arg;
	n->is_told = true;
	tell_master(n, true);
}

static void
grace_expired(void *arg, struct deadline *d)
{
	struct node *n = deadline_of(d, struct node, grace);

	(void)arg;
	session_end(n->session, SESSION_CLOSED, "no connection in time");
}

static void
stop_waiting(struct node *n)
{
	struct node_set *set = n->session->worker->nodes;

	deadline_del(set->empties, &n->empty);
	deadline_del(set->graces, &n->grace);
	if (n->is_told)
		tell_master(n, false);
	n->is_told = false;
}

static void
start_waiting(struct node *n)
{
	struct worker *w = n->session->worker;
	uint64_t now = clock_ms();
	unsigned grace_s = w->config->grace_old;

	/* Without any time a client could never come. */
	deadline_add(w->nodes->graces, &n->grace,
	    now + (grace_s == 0 ? 1 : grace_s) * 1000ull);
	deadline_add(w->nodes->empties, &n->empty, now + NODE_EMPTY_MS);
}

void
node_look(struct session *s)
{
	struct node *n = s->node;
	struct conn conn;

	if (n == NULL)
		return;
	while (count(n) < limit(n) && n->surplus_n > 0) {
		unhold(TAILQ_FIRST(&n->surplus), &n->surplus, &n->surplus_n,
		    &conn);
		if (!session_take(s, &conn))
			conn_close(&conn);
	}
	if (count(n) < limit(n))
		resume_port(n);
	if (count(n) > 0 && n->grace.due_ms != 0)
		stop_waiting(n);
	else if (count(n) == 0 && n->grace.due_ms == 0)
		start_waiting(n);
}

/* --- the port ------------------------------------------------------------- */

/* Somebody has connected. */
static void
arrived(struct node *n, struct conn *conn)
{
	struct session *s = n->session;
	struct worker *w = s->worker;
	char peer[NET_TEXT_MAX];
	struct held *h;

	if (!w->config->node_any_address &&
	    !net_addr_same_host(&conn->peer, &s->peer)) {
		log_debug("port of tunnel=%s closed to %s", s->name,
		    net_addr_text(&conn->peer, peer));
		conn_close(conn);
		return;
	}
	if (count(n) >= limit(n)) {
		h = hold(n, &n->surplus, &n->surplus_n, conn);
		if (h != NULL)
			deadline_add(w->nodes->surplus, &h->deadline,
			    clock_ms() + NODE_SURPLUS_MS);
		return;
	}
	if (!session_take(s, conn))
		conn_close(conn);
	node_look(s);
}

static void
accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct node *n = arg;
	struct conn conn = { .stream = STREAM_NONE };

	(void)what;
	if (!room_is_left(n->session->worker, ROOM_ANY)) {
		pause_port(n);
		return;
	}
	for (int i = 0; i < NODE_BURST; i++) {
		if (n->surplus_n >= limit(n)) {
			pause_port(n);
			return;
		}
		conn.stream.fd = net_accept(fd, &conn.peer);
		if (conn.stream.fd != -1) {
			arrived(n, &conn);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			pause_port(n);
		return;
	}
}

/* Opens the port for a session that is there already. */
static bool
open_port(struct session *s, int *fd)
{
	struct node *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return false;
	n->session = s;
	n->fd = *fd;
	*fd = -1;
	TAILQ_INIT(&n->surplus);
	TAILQ_INIT(&n->spent);
	event_assign(&n->accept, s->worker->base, n->fd, EV_READ | EV_PERSIST,
	    accept_cb, n);
	s->node = n;
	return event_add(&n->accept, NULL) == 0;
}

struct session *
node_start(struct worker *w, const struct channel_claimed *claimed, int *fd,
    const char **why)
{
	struct channel_msg down = { .type = CHANNEL_DOWN,
		.down = { claimed->session, CHANNEL_CLOSED } };
	struct session *s;

	*why = *fd == -1 ? "the server is out of descriptors"
			 : "the server is leaving";
	if (*fd == -1 || w->draining || (s = session_new(w, claimed)) == NULL) {
		channel_send(w->channel, &down, -1);
		return NULL;
	}
	s->dialect = REGISTRY_NODE;
	s->kind = claimed->kind;
	s->peer = claimed->peer;
	pool_init(&s->pool, w->config->pool_idle);
	if (!open_port(s, fd)) {
		*why = "the server is out of memory";
		session_end(s, SESSION_CLOSED, *why);
		return NULL;
	}
	node_look(s);
	return s;
}

void
node_stop(struct session *s)
{
	struct node *n = s->node;
	struct node_set *set = s->worker->nodes;
	struct conn conn;

	if (n == NULL)
		return;
	event_del(&n->accept);
	close(n->fd);
	deadline_del(set->pauses, &n->pause);
	deadline_del(set->empties, &n->empty);
	deadline_del(set->graces, &n->grace);
	while (n->surplus_n > 0) {
		unhold(TAILQ_FIRST(&n->surplus), &n->surplus, &n->surplus_n,
		    &conn);
		conn_close(&conn);
	}
	while (n->spent_n > 0) {
		unhold(TAILQ_FIRST(&n->spent), &n->spent, &n->spent_n, &conn);
		conn_close(&conn);
	}
	s->node = NULL;
	free(n);
}

/* --- what they share ------------------------------------------------------ */

struct node_set *
node_set_new(struct worker *w)
{
	struct node_set *set = log_must_alloc(1, sizeof(*set));

	set->pauses = deadline_list_new(w->base, pause_expired, set);
	set->empties = deadline_list_new(w->base, empty_expired, set);
	set->graces = deadline_list_new(w->base, grace_expired, set);
	set->surplus = deadline_list_new(w->base, surplus_expired, set);
	return set;
}

void
node_set_free(struct node_set *set)
{
	if (set == NULL)
		return;
	deadline_list_free(set->pauses);
	deadline_list_free(set->empties);
	deadline_list_free(set->graces);
	deadline_list_free(set->surplus);
	free(set);
}

size_t
node_set_held(const struct node_set *set)
{
	return set->held;
}

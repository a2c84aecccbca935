/* SPDX-License-Identifier: ISC */
#include "server/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "common/brake.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/control.h"
#include "server/crowd.h"
#include "server/door.h"
#include "server/gate.h"
#include "server/join.h"
#include "server/node.h"
#include "server/serve.h"
#include "server/worker.h"

struct session_table {
	size_t size;
	struct session *by_slot[];
};

struct session_table *
session_table_new(const struct registry *r)
{
	size_t size = registry_sessions(r);
	struct session_table *t =
	    log_must_alloc(1, sizeof(*t) + size * sizeof(t->by_slot[0]));

	t->size = size;
	return t;
}

void
session_table_free(struct session_table *t)
{
	free(t);
}

struct session *
session_find(const struct session_table *t, struct registry_ref ref)
{
	struct session *s;

	if (ref.generation == 0 || ref.slot >= t->size)
		return NULL;
	s = t->by_slot[ref.slot];
	return s != NULL && registry_ref_same(s->ref, ref) ? s : NULL;
}

void
session_each(struct session_table *t, void (*fn)(struct session *))
{
	for (size_t i = 0; i < t->size; i++)
		if (t->by_slot[i] != NULL)
			fn(t->by_slot[i]);
}

struct session *
session_new(struct worker *w, const struct channel_claimed *c)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->worker = w;
	s->tunnel = c->tunnel;
	s->ref = c->session;
	memcpy(s->name, c->name, sizeof(s->name));
	memcpy(s->label, c->label, sizeof(s->label));
	memcpy(s->domain, c->domain, sizeof(s->domain));
	s->connections = c->connections;
	s->bandwidth = c->bandwidth;
	if (s->bandwidth != 0 &&
	    (s->brake = brake_new(w->base, s->bandwidth)) == NULL) {
		free(s);
		return NULL;
	}
	s->started_ms = clock_ms();
	queue_init(&s->queue);
	LIST_INIT(&s->joins);
	s->count = counters_session(w->counters, s->ref.slot);
	memset(s->count, 0, sizeof(*s->count));
	counter_set(&s->count->started_ms, s->started_ms);
	w->sessions->by_slot[s->ref.slot] = s;
	counter_add(&w->count->sessions, 1);
	return s;
}

/* Word to the master, who holds the name or frees it. */
static void
tell_master(const struct session *s, enum session_end end)
{
	struct channel_msg msg = { .type = CHANNEL_DOWN };

	if (end == SESSION_TAKEN || end == SESSION_CUT)
		return;
	msg.down.session = s->ref;
	/* The client of a node session knows its port alone, which goes with
	 * it: there is nothing to hold the name for. */
	msg.down.cause = end == SESSION_CLOSED || s->dialect == REGISTRY_NODE
			     ? CHANNEL_CLOSED
			     : CHANNEL_LOST;
	channel_send(s->worker->channel, &msg, -1);
}

static void
log_end(const struct session *s, const char *why)
{
	char peer[NET_TEXT_MAX];

	log_info("session ended tunnel=%s end=\"%s\" from=%s s=%" PRIu64
		 " visitors=%" PRIu64,
	    s->name, why, net_addr_text(&s->peer, peer),
	    (clock_ms() - s->started_ms) / 1000,
	    counter_get(&s->count->visitors));
}

void
session_end(struct session *s, enum session_end end, const char *why)
{
	struct worker *w = s->worker;
	struct conn conn;
	char name[LTP_NAME_MAX + 1];

	log_end(s, why);
	w->sessions->by_slot[s->ref.slot] = NULL;
	counter_add(&w->count->sessions, -1);
	/* The shared row has, or will have, another writer: what is left of
	 * this session must not be taken off the gauges of the next one. */
	s->count = &w->ended;
	tell_master(s, end);
	if (end == SESSION_TAKEN || end == SESSION_CUT)
		control_close(s->control, why);
	else
		control_free(s->control);
	node_stop(s);
	door_close(s);
	pool_trim(s, 0);
	if (end == SESSION_SILENT)
		join_end_all(&s->joins, 504, "the tunnel's client went silent");
	else if (end == SESSION_CUT)
		join_end_all(&s->joins, 502, "the tunnel was closed");
	else
		join_leave_all(&s->joins);
	/* The registry may not know yet that the session has ended: those
	 * who wait are parked, and word of the master wakes them. */
	memcpy(name, s->name, sizeof(name));
	while (queue_take(s, &conn))
		serve_tunnel(w, &conn, name);
	gate_free(s->gate);
	brake_free(s->brake);
	OPENSSL_cleanse(s->secret, sizeof(s->secret));
	free(s);
}

/* Joins the two; false if the proxy connection was dead and the visitor has
 * to wait for another. */
static bool
join(struct session *s, struct conn *visitor, struct conn *proxy)
{
	switch (join_start(s, visitor, proxy)) {
	case JOIN_STARTED:
		return true;
	case JOIN_DEAD_PROXY:
		return false;
	case JOIN_NO_MEMORY:
		break;
	}
	serve_refused(
	    s->worker, visitor, s->name, 503, "the server is out of memory");
	if (!pool_put(s, proxy))
		conn_close(proxy);
	return true;
}

/* Joins a visitor with the newest idle proxy connection that is good; false
 * if none is left. */
static bool
join_idle(struct session *s, struct conn *visitor)
{
	struct conn proxy;

	while (pool_take(s, &proxy))
		if (join(s, visitor, &proxy))
			return true;
	return false;
}

static void
set_target(struct session *s, unsigned n)
{
	log_debug("pool tunnel=%s target=%u was=%u idle=%u queued=%u", s->name,
	    n, s->pool.target, (unsigned)s->pool.n, (unsigned)s->queue.n);
	s->pool.target = n;
	control_concurrency(s->control, n);
}

unsigned
session_siblings(const struct session *s)
{
	return s->bandwidth != 0 ? 1 : s->worker->config->sessions;
}

/* This session's share of a number that is meant for its client, 1 or more. */
static unsigned
share(const struct session *s, unsigned n)
{
	unsigned sessions = session_siblings(s);

	return session_has_ext(s) ? (n + sessions - 1) / sessions : n;
}

unsigned
session_idle(const struct session *s)
{
	const struct config *config = s->worker->config;

	return share(
	    s, session_has_ext(s) ? config->pool_idle : config->pool_idle_old);
}

/* Visitors come faster than proxy connections: asks for more of them. */
static void
grow(struct session *s)
{
	unsigned max = share(s, s->worker->config->pool_idle_max);

	s->pool.is_short = true;
	if (!session_has_ext(s) || s->pool.target >= max ||
	    s->queue.n <= s->pool.target / 2)
		return;
	set_target(s, s->pool.target * 2 < max ? s->pool.target * 2 : max);
}

/* A visitor counts as one who waits until he does so, or is joined: then nobody
 * who adds up finds him nowhere. */
static void
count_ahead(struct session *s)
{
	counter_add(&s->count->queued, 1);
}

static void
count_back(struct session *s)
{
	atomic_thread_fence(memory_order_release);
	counter_add(&s->count->queued, -1);
}

/* True if the tunnel, over all its sessions, has more visitors than it may, the
 * one included who has been counted ahead. Each owner counts before it looks:
 * of two that take one at the same moment one at least sees the other's, so
 * that the limit is never passed. */
static bool
is_full(const struct session *s)
{
	const struct worker *w = s->worker;
	struct counters_session *count;
	struct registry_tunnel tunnel;
	uint64_t n = 0, most = s->connections != 0
				   ? s->connections
				   : w->config->connections_per_tunnel;

	if (most == 0)
		return false;
	atomic_thread_fence(memory_order_seq_cst);
	if (!registry_tunnel(w->registry, s->tunnel, &tunnel))
		return false;
	for (uint32_t i = 0; i < tunnel.seats_n; i++) {
		if (tunnel.seats[i].worker == REGISTRY_NO_WORKER)
			continue;
		count =
		    counters_session(w->counters, tunnel.seats[i].session.slot);
		n += counter_get(&count->queued);
		/* Who goes from there to here is counted twice, not missed. */
		atomic_thread_fence(memory_order_acquire);
		n += counter_get(&count->busy);
	}
	return n > most;
}

void
session_visitor(struct session *s, struct conn *conn)
{
	char peer[NET_TEXT_MAX];

	if (conn->hops > 0 && log_enabled(LOG_LEVEL_DEBUG))
		log_debug("handed over kind=visitor from=%s tunnel=%s hops=%u",
		    net_addr_text(&conn->peer, peer), s->name,
		    (unsigned)conn->hops);
	if (!crowd_admits(s->worker, conn, s->name))
		return;
	count_ahead(s);
	if (is_full(s)) {
		serve_refused(s->worker, conn, s->name, 503,
		    "this tunnel has as many visitors as it may have");
	} else if (!TAILQ_EMPTY(&s->queue.waiting) || !join_idle(s, conn)) {
		queue_put(s, conn);
		grow(s);
	}
	count_back(s);
}

/* True if whoever opened this proxy connection owns the session: by its
 * secret, or as LTP/0.2 has it, by client string and address. Those of a node
 * session come by its port and nowhere else. */
static bool
is_owner(const struct session *s, const struct conn *conn,
    const struct ltp_message *m)
{
	uint8_t hash[REGISTRY_HASH_LEN];

	if (session_has_ext(s))
		return m->secret != NULL &&
		       strlen(m->secret) == SESSION_SECRET_LEN &&
		       CRYPTO_memcmp(
			   m->secret, s->secret, SESSION_SECRET_LEN) == 0;
	if (s->dialect == REGISTRY_NODE)
		return false;
	SHA256((const uint8_t *)m->client, strlen(m->client), hash);
	return CRYPTO_memcmp(hash, s->client, sizeof(hash)) == 0 &&
	       net_addr_same_host(&conn->peer, &s->peer);
}

bool
session_take(struct session *s, struct conn *conn)
{
	struct conn visitor;

	if (TAILQ_EMPTY(&s->queue.waiting))
		return pool_put(s, conn);
	count_ahead(s);
	(void)queue_take(s, &visitor);
	if (!join(s, &visitor, conn))
		queue_put_first(s, &visitor);
	count_back(s);
	return true;
}

void
session_proxy(struct session *s, struct conn *conn, const struct ltp_message *m)
{
	struct worker *w = s->worker;

	if (!is_owner(s, conn, m)) {
		serve_client_error(w, conn, s->name, "unavailable",
		    "this tunnel belongs to another client");
		return;
	}
	if (!session_take(s, conn))
		serve_client_error(w, conn, s->name,
		    session_has_ext(s) ? "full" : "exception",
		    "the pool is full");
}

void
session_tick(struct session *s)
{
	unsigned base = session_idle(s);
	bool was_short = s->pool.is_short;

	s->pool.is_short = false;
	if (was_short || s->pool.target <= base)
		return;
	set_target(s, s->pool.target / 2 > base ? s->pool.target / 2 : base);
	pool_trim(s, s->pool.target);
}

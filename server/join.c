/* SPDX-License-Identifier: ISC */
#include "server/join.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/drain.h"
#include "common/log.h"
#include "common/relay.h"
#include "server/account.h"
#include "server/crowd.h"
#include "server/deadline.h"
#include "server/forwarded.h"
#include "server/gate.h"
#include "server/node.h"
#include "server/pages.h"
#include "server/peers.h"
#include "server/public.h"
#include "server/serve.h"
#include "server/visitor.h"
#include "server/worker.h"

/* How often a join without an answer is looked at, within the time it has. */
#define JOIN_LOOKS 4

struct join {
	LIST_ENTRY(join) link;	 /* while there is a session */
	struct session *session; /* NULL once it is gone */
	struct worker *worker;
	struct peer *of_peer; /* the visitor is counted there, or NULL */
	struct conn visitor;  /* A of the relay */
	struct conn proxy;    /* B */
	struct relay *relay;
	struct visitor inspector;
	struct gate *gate;	 /* a reference */
	struct event *cut;	 /* limits VISITOR_CUT; made when needed */
	struct deadline silence; /* node: until a byte of the answer comes */
	struct deadline look;	 /* at what follows */
	uint64_t moved[2];	 /* bytes each way, at the last look */
	uint64_t moved_ms;	 /* when they were others */
	uint64_t owed_ms[2];	 /* since when the one they go to has sent no
				    ACK that it owes; 0: it owes none */
	bool is_settled[2];	 /* nor will it: all is acknowledged */
	uint64_t asked;		 /* bytes of the request at the last look */
	uint64_t quiet_ms;	 /* since when there are no more */
	enum registry_kind kind;
	bool is_node;
	bool has_page; /* we answered for the local service */
	char name[];   /* of the tunnel, which may be gone before it */
};

/* The books: the log line and the counters. */
static void
account(struct join *j, int status, const char *reason)
{
	struct worker *w = j->worker;
	struct account a = {
		.tunnel = j->name,
		.visitor = j->visitor.peer,
		.client = j->proxy.peer,
		.accepted_ms = j->visitor.accepted_ms,
		.bytes_in = relay_bytes(j->relay, RELAY_A_TO_B),
		.bytes_out = relay_bytes(j->relay, RELAY_B_TO_A),
		.status = status,
		.reason = reason,
	};

	account_visitor(w, &a);
	counter_add(&w->count->joined, -1);
	counter_add(&w->count->bytes_in, (int64_t)a.bytes_in);
	counter_add(&w->count->bytes_out, (int64_t)a.bytes_out);
	if (j->session == NULL)
		return;
	j->session->joined--;
	counter_add(&j->session->count->busy, -1);
	counter_add(&j->session->count->bytes_in, (int64_t)a.bytes_in);
	counter_add(&j->session->count->bytes_out, (int64_t)a.bytes_out);
}

/* The one door out. */
static void
join_close(struct join *j, int status, const char *reason)
{
	struct session *s = j->session;

	account(j, status, reason);
	if (s != NULL)
		LIST_REMOVE(j, link);
	if (j->cut != NULL)
		event_free(j->cut);
	deadline_del(j->worker->silences, &j->silence);
	deadline_del(j->worker->looks, &j->look);
	peers_let_go(&j->of_peer);
	relay_free(j->relay);
	gate_free(j->gate);
	visitor_fini(&j->inspector);
	conn_close(&j->visitor);
	if (s != NULL && s->node != NULL)
		node_spend(s, &j->proxy);
	else
		conn_close(&j->proxy);
	free(j);
	if (s != NULL)
		node_look(s);
}

static void
close_with_reset(struct join *j, struct conn *whom, const char *why)
{
	net_reset_on_close(whom->stream.fd);
	join_close(j, 0, why);
}

/* Ends a visitor who has had no byte of an answer with a page, or an alert if
 * he speaks TLS, or nothing if he may speak anything. The relay goes first: it
 * still has events on the descriptor.
 */
static void
close_with_page(struct join *j, int status, const char *why)
{
	bool html = j->inspector.wants_html, is_head = j->inspector.is_head;
	bool is_http = j->kind == REGISTRY_HTTP;
	struct worker *w = j->worker;
	struct conn visitor = conn_take(&j->visitor);
	char name[LTP_NAME_MAX + 1];
	enum registry_kind kind = j->kind;

	strcpy(name, j->name);
	join_close(j, is_http ? status : 0, why);
	if (kind == REGISTRY_TCP)
		conn_close(&visitor);
	else if (kind == REGISTRY_TLS)
		serve_alert(w, &visitor, HELLO_INTERNAL_ERROR);
	else if (status == 401)
		pages_ask_password(
		    w->pages, &visitor, name, why, html, is_head);
	else
		pages_error_read(
		    w->pages, &visitor, status, why, html, is_head);
}

/* Ends the visitor gently, whatever he has still to say. */
static void
close_drained(struct join *j, int status, const char *why)
{
	struct drain_set *drains = j->worker->drains;
	struct conn visitor = conn_take(&j->visitor);

	join_close(j, status, why);
	drain_start(drains, &visitor.stream, NULL, 0);
}

static void
done(void *arg, enum relay_end end)
{
	struct join *j = arg;

	switch (end) {
	case RELAY_END_INSPECTOR:
		close_with_page(j, j->inspector.status, j->inspector.why);
		return;
	case RELAY_END_EOF:
		if (j->inspector.state == VISITOR_CUT)
			close_drained(j, 0, j->inspector.why);
		else if (j->has_page)
			close_drained(j, 502, "closed without an answer");
		else if (j->is_node)
			close_drained(j, 0, "finished");
		else
			join_close(j, 0, "finished");
		return;
	case RELAY_END_RESET_A:
		close_with_reset(j, &j->proxy, "reset by the visitor");
		return;
	case RELAY_END_RESET_B:
		if (j->has_page)
			close_drained(j, 502, "reset without an answer");
		else if (relay_bytes(j->relay, RELAY_B_TO_A) == 0)
			close_with_page(j, 502,
			    "the tunnel's client dropped the connection");
		else
			close_with_reset(j, &j->visitor, "reset by the client");
		return;
	case RELAY_END_NO_MEMORY:
		close_with_reset(j, &j->visitor, "out of memory");
		return;
	}
}

/* The proxy connection has ended without a word: the visitor is told so. */
static void
answer_for(struct join *j, struct evbuffer *out)
{
	pages_put_error(out, 502,
	    "the local service closed the connection without an answer",
	    j->inspector.wants_html, j->inspector.is_head);
	j->has_page = true;
}

static void
cut_cb(evutil_socket_t fd, short what, void *arg)
{
	struct join *j = arg;

	(void)fd;
	(void)what;
	close_drained(j, 0, j->inspector.why);
}

/* What the visitor pipelined is not served; what is on its way is, for as
 * long as VISITOR_CUT_MS. */
static void
limit_cut(struct join *j)
{
	struct timeval tv = clock_span(VISITOR_CUT_MS);

	if (j->cut != NULL)
		return;
	j->cut = evtimer_new(j->worker->base, cut_cb, j);
	if (j->cut != NULL)
		evtimer_add(j->cut, &tv);
}

static void
inspect(void *arg, struct relay_view *v)
{
	struct join *j = arg;

	if (v->dir == RELAY_A_TO_B) {
		visitor_inspect(&j->inspector, v);
		if (j->inspector.state == VISITOR_CUT)
			limit_cut(j);
		return;
	}
	deadline_del(j->worker->silences, &j->silence);
	if (v->is_eof && v->len == 0 &&
	    relay_bytes(j->relay, RELAY_B_TO_A) == 0)
		answer_for(j, v->out);
	/* At its end as well, so that no request is held for ever. */
	if (j->inspector.state == VISITOR_HELD)
		visitor_inspect(&j->inspector, v);
	else
		v->opaque = RELAY_ALL;
}

/* How the visitor has come. */
static struct public_way
way_of(const struct worker *w, const struct conn *visitor)
{
	return public_used(
	    w->config, visitor->listener, conn_is_secure(visitor));
}

/* What the visitor speaks, as far as that is known. */
static const char *
scheme_of(const struct session *s, const struct conn *visitor)
{
	switch (s->kind) {
	case REGISTRY_TLS:
		return "tls";
	case REGISTRY_TCP:
		return "tcp";
	default:
		return way_of(s->worker, visitor).scheme;
	}
}

/* {"proxy": true}; -1 if the connection is dead. What the visitor has said goes
 * with it, but of a port nobody knows whether he will say anything. */
static int
send_reply(const struct session *s, const struct conn *visitor,
    const struct stream *proxy)
{
	char peer[NET_TEXT_MAX], frame[LTP_JOIN_MAX];
	const char *scheme = scheme_of(s, visitor);
	size_t len = ltp_format_join(frame,
	    session_has_ext(s) ? net_addr_text(&visitor->peer, peer) : NULL,
	    scheme);
	ssize_t n = s->kind == REGISTRY_TCP
			? stream_write(proxy, frame, len)
			: stream_write_more(proxy, frame, len);

	return n == (ssize_t)len ? 0 : -1;
}

/* The same where nothing is to be sent: one that has ended, or spoke out of its
 * turn, is dead. */
static int
check_silent(const struct stream *proxy)
{
	char byte;

	return stream_peek(proxy, &byte, 1) == -1 && errno == EAGAIN ? 0 : -1;
}

static int
begin(const struct session *s, const struct conn *visitor,
    const struct stream *proxy)
{
	return s->node != NULL ? check_silent(proxy)
			       : send_reply(s, visitor, proxy);
}

static void
count(struct session *s, const struct conn *visitor)
{
	counters_joined(s->worker->count, clock_ms() - visitor->ready_ms);
	s->joined++;
	counter_add(&s->count->visitors, 1);
	counter_add(&s->count->busy, 1);
	counter_add(&s->worker->count->visitors, 1);
	counter_add(&s->worker->count->joined, 1);
}

/* Puts the join under the inspection that kind http has. */
static void
watch_requests(struct join *j)
{
	const struct worker *w = j->worker;
	struct public_way way = way_of(w, &j->visitor);

	j->inspector = (struct visitor){
		.name = j->name,
		.domain = w->domain,
		.registry = w->registry,
		.scheme = way.scheme,
		.port = way.port,
		.forwarded = w->config->forwarded,
		.is_once = j->is_node,
		.peer = &j->visitor.peer,
		.gate = j->gate,
		.trusted = forwarded_trusted(w->config, &j->visitor),
	};
	visitor_init(&j->inspector, j->relay);
	relay_inspect(j->relay, RELAY_B_TO_A);
}

/* Until the next look at a join without an answer. */
static void
await_answer(struct join *j, uint64_t now)
{
	struct worker *w = j->worker;

	deadline_add(w->silences, &j->silence,
	    now + w->config->response_timeout * 1000ull / JOIN_LOOKS);
}

static void
silence_expired(void *arg, struct deadline *d)
{
	struct join *j = deadline_of(d, struct join, silence);
	uint64_t asked = relay_bytes(j->relay, RELAY_A_TO_B);
	uint64_t now = clock_ms();
	struct worker *w = arg;

	if (asked != j->asked) {
		j->asked = asked;
		j->quiet_ms = now;
	} else if (now - j->quiet_ms >= w->config->response_timeout * 1000ull) {
		close_with_page(
		    j, 504, "the local service did not answer in time");
		return;
	}
	await_answer(j, now);
}

struct deadline_list *
join_deadlines_new(struct worker *w)
{
	return deadline_list_new(w->base, silence_expired, w);
}

/* One of the two does not answer, so neither the kernel nor the other one needs
 * to go on trying. */
static void
close_stalled(struct join *j, const char *why)
{
	net_reset_on_close(j->visitor.stream.fd);
	close_with_reset(j, &j->proxy, why);
}

/* Sees whether one direction has moved since the last look, and since when its
 * receiver acknowledges nothing. A zero window is no silence: the kernel asks
 * such a peer again and again, and it answers. */
static bool
look_at(struct join *j, enum relay_dir dir, uint64_t now)
{
	const struct conn *to = dir == RELAY_A_TO_B ? &j->proxy : &j->visitor;
	uint64_t bytes = relay_bytes(j->relay, dir);
	bool has_moved = bytes != j->moved[dir];
	long silent_ms;

	if (!has_moved && j->is_settled[dir])
		return false;
	j->moved[dir] = bytes;
	silent_ms = net_unanswered_ms(to->stream.fd);
	j->is_settled[dir] = silent_ms == -1;
	if (silent_ms <= 0)
		j->owed_ms[dir] = 0;
	else if (j->owed_ms[dir] == 0 ||
		 j->owed_ms[dir] + (uint64_t)silent_ms < now)
		j->owed_ms[dir] = now;
	return has_moved;
}

static bool
is_stalled(const struct join *j, enum relay_dir dir, uint64_t now)
{
	uint64_t limit = j->worker->config->stall_timeout * 1000ull;

	return limit > 0 && j->owed_ms[dir] != 0 &&
	       now - j->owed_ms[dir] >= limit;
}

/* The next look, some in the time that is the shorter one of the two. */
static void
look_later(struct join *j, uint64_t now)
{
	struct worker *w = j->worker;
	unsigned stall = w->config->stall_timeout;
	unsigned idle = w->config->idle_timeout;
	unsigned s = stall == 0 || (idle != 0 && idle < stall) ? idle : stall;

	if (s > 0)
		deadline_add(
		    w->looks, &j->look, now + s * 1000ull / JOIN_LOOKS);
}

static void
look_cb(void *arg, struct deadline *d)
{
	struct join *j = deadline_of(d, struct join, look);
	const struct worker *w = arg;
	uint64_t now = clock_ms(), limit = w->config->idle_timeout * 1000ull;
	bool has_moved = look_at(j, RELAY_A_TO_B, now);

	if (look_at(j, RELAY_B_TO_A, now) || has_moved)
		j->moved_ms = now;
	if (is_stalled(j, RELAY_B_TO_A, now))
		close_stalled(j, "the visitor is gone");
	else if (is_stalled(j, RELAY_A_TO_B, now))
		close_stalled(j, "the tunnel's client is gone");
	else if (limit > 0 && now - j->moved_ms >= limit)
		close_drained(j, 0, "idle for too long");
	else
		look_later(j, now);
}

struct deadline_list *
join_looks_new(struct worker *w)
{
	return deadline_list_new(w->base, look_cb, w);
}

/* What only joins of node sessions have. */
static void
watch_answer(struct join *j)
{
	j->quiet_ms = clock_ms();
	await_answer(j, j->quiet_ms);
	relay_end_with_b(j->relay);
}

enum join_result
join_start(struct session *s, struct conn *visitor, struct conn *proxy)
{
	static const struct relay_ops ops = { .inspect = inspect,
		.done = done };
	struct worker *w = s->worker;
	struct join *j;

	if ((j = calloc(1, sizeof(*j) + strlen(s->name) + 1)) == NULL)
		return JOIN_NO_MEMORY;
	j->relay =
	    relay_new(w->relays, &visitor->stream, &proxy->stream, &ops, j);
	if (j->relay == NULL) {
		free(j);
		return JOIN_NO_MEMORY;
	}
	if (begin(s, visitor, &proxy->stream) == -1) {
		relay_free(j->relay);
		free(j);
		conn_close(proxy);
		return JOIN_DEAD_PROXY;
	}
	/* ltclient waits for no acknowledgement; of others nobody knows. */
	if (session_has_ext(s))
		net_ack_later(proxy->stream.fd);
	j->session = s;
	j->worker = w;
	j->visitor = conn_take(visitor);
	j->proxy = conn_take(proxy);
	strcpy(j->name, s->name);
	j->kind = s->kind;
	j->is_node = s->node != NULL;
	j->gate = gate_ref(s->gate);
	relay_brake(j->relay, s->brake);
	if (s->kind == REGISTRY_HTTP)
		watch_requests(j);
	if (j->is_node)
		watch_answer(j);
	j->moved_ms = clock_ms();
	look_later(j, j->moved_ms);
	LIST_INSERT_HEAD(&s->joins, j, link);
	count(s, &j->visitor);
	j->of_peer = crowd_add(w, &j->visitor.peer);
	if (relay_start(j->relay) == -1)
		close_with_page(j, 503, "the server is out of memory");
	return JOIN_STARTED;
}

/* One join goes on without its session. */
static void
leave(struct join *j)
{
	assert(j->session != NULL);
	LIST_REMOVE(j, link);
	j->session->joined--;
	counter_add(&j->session->count->busy, -1);
	j->session = NULL;
}

void
join_leave_all(struct join_list *joins)
{
	while (!LIST_EMPTY(joins))
		leave(LIST_FIRST(joins));
}

void
join_end_all(struct join_list *joins, int status, const char *why)
{
	struct join *j;

	while ((j = LIST_FIRST(joins)) != NULL) {
		leave(j);
		if (relay_bytes(j->relay, RELAY_B_TO_A) == 0)
			close_with_page(j, status, why);
		else
			close_with_reset(j, &j->visitor, why);
	}
}

/* SPDX-License-Identifier: ISC
 *
 * The master's book of claims: has claim_rules decide who gets a name, tells
 * the workers, and changes the registry when sessions end. It owns a timer for
 * each name that is held, and the listening descriptor of each node session.
 * What it is given comes from workers and is believed only as far as it
 * concerns the sender itself.
 */
#include "server/claim.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "server/claim_inside.h"
#include "server/rights.h"
#include "server/tokens.h"

struct claim_book *
claim_book_new(struct event_base *base, struct registry *registry,
    const struct config *config, struct tokens *tokens,
    const struct claim_ops *ops, void *arg)
{
	struct claim_book *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->holds = calloc(registry_sessions(registry), sizeof(*b->holds));
	b->ports = calloc(registry_size(registry), sizeof(*b->ports));
	if (b->holds == NULL || b->ports == NULL) {
		free(b->holds);
		free(b->ports);
		free(b);
		return NULL;
	}
	b->base = base;
	b->registry = registry;
	b->config = config;
	b->tokens = tokens;
	b->ops = ops;
	b->arg = arg;
	TAILQ_INIT(&b->orphans);
	b->peers = peers_new();
	return b;
}

void
claim_book_free(struct claim_book *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < registry_sessions(b->registry); i++)
		if (b->holds[i].timer != NULL)
			event_free(b->holds[i].timer);
	for (size_t i = 0; i < registry_size(b->registry); i++) {
		peers_let_go(&b->ports[i].of_peer);
		if (b->ports[i].port != 0)
			close(b->ports[i].fd);
	}
	peers_free(b->peers);
	free(b->holds);
	free(b->ports);
	free(b);
}

void
claim_use(struct claim_book *b, const struct config *config)
{
	b->config = config;
}

static void
tell_all(
    struct claim_book *b, enum channel_type type, struct registry_ref tunnel)
{
	struct channel_msg msg = { .type = type, .tunnel = tunnel };

	b->ops->send_all(b->arg, &msg);
}

void
claim_hold_end(struct claim_book *b, struct registry_ref session)
{
	struct hold *h = &b->holds[session.slot];

	if (h->timer != NULL)
		event_del(h->timer);
	if (h->is_orphan)
		TAILQ_REMOVE(&b->orphans, h, orphan);
	h->is_orphan = false;
	h->is_empty = false;
	h->is_leaving = false;
}

/* What a session's end means for its tunnel: it is up still, for visitors who
 * wait for word of it, or away, or gone. */
static void
tell_after(struct claim_book *b, struct registry_ref tunnel)
{
	struct claim_port *p = &b->ports[tunnel.slot];
	struct registry_tunnel now;

	if (!registry_tunnel(b->registry, tunnel, &now)) {
		if (p->port != 0)
			b->ops->close_port(b->arg, p->is_tcp, p->fd, p->port);
		p->port = 0;
		if (p->row != NULL)
			p->row->tunnels--;
		p->row = NULL;
		peers_let_go(&p->of_peer);
		tell_all(b, CHANNEL_GONE, tunnel);
	} else if (registry_is_live(&now)) {
		tell_all(b, CHANNEL_UP, tunnel);
	}
}

static void
drop(struct claim_book *b, const struct registry_session *session)
{
	if (!registry_drop(b->registry, session->ref))
		return;
	claim_hold_end(b, session->ref);
	tell_after(b, session->tunnel);
}

static void
expired_cb(evutil_socket_t fd, short what, void *arg)
{
	struct hold *h = arg;
	struct registry_session session;

	(void)fd;
	(void)what;
	if (registry_session(h->book->registry, h->session, &session))
		drop(h->book, &session);
}

bool
claim_hold(struct claim_book *b, struct registry_ref session, uint64_t ms)
{
	struct timeval tv = clock_span(ms);
	struct hold *h = &b->holds[session.slot];

	h->book = b;
	h->session = session;
	if (h->timer == NULL)
		h->timer = evtimer_new(b->base, expired_cb, h);
	return h->timer != NULL && evtimer_add(h->timer, &tv) == 0;
}

/* A client that says goodbye means all its sessions: those that it lost before
 * and has not taken again hold the name for nobody, and the others have only
 * to end. */
static void
leave(struct claim_book *b, const struct registry_session *session)
{
	struct registry_session other;
	struct registry_tunnel tunnel;

	if (!registry_tunnel(b->registry, session->tunnel, &tunnel))
		return;
	drop(b, session);
	for (uint32_t i = 0; i < tunnel.seats_n; i++) {
		if (tunnel.seats[i].member != session->member ||
		    !registry_session(
			b->registry, tunnel.seats[i].session, &other))
			continue;
		if (other.worker == REGISTRY_NO_WORKER)
			drop(b, &other);
		else
			b->holds[other.ref.slot].is_leaving = true;
	}
}

/* A session has lost its client or its worker: it is kept for it a while, and
 * with it the name. */
static void
lose(struct claim_book *b, const struct registry_session *session)
{
	struct registry_session now;
	unsigned grace_s = session->dialect == REGISTRY_EXT
			       ? b->config->grace
			       : b->config->grace_old;

	if (b->holds[session->ref.slot].is_leaving || grace_s == 0 ||
	    !registry_lose(b->registry, session->ref,
		clock_ms() + grace_s * 1000ull, &now)) {
		drop(b, session);
		return;
	}
	if (!claim_hold(b, now.ref, grace_s * 1000ull))
		drop(b, &now);
	else
		tell_after(b, session->tunnel);
}

uint64_t
claim_bandwidth(const struct claim_book *b, const struct tokens_row *row)
{
	return row != NULL && row->token.bandwidth != 0
		   ? row->token.bandwidth
		   : b->config->bandwidth_per_tunnel;
}

/* Sends a session to its owner, with all that it needs, and word to all. */
static void
send_session(struct claim_book *b, struct channel_msg *msg,
    const struct registry_session *session)
{
	struct channel_claimed *claimed = &msg->claimed;
	const struct claim_port *p = &b->ports[session->tunnel.slot];
	struct registry_tunnel tunnel;

	if (!registry_tunnel(b->registry, session->tunnel, &tunnel))
		return;
	claimed->tunnel = tunnel.ref;
	claimed->session = session->ref;
	memcpy(claimed->name, tunnel.name, sizeof(claimed->name));
	memcpy(claimed->label, session->label, sizeof(claimed->label));
	claimed->kind = session->kind;
	claimed->peer = session->peer;
	claimed->port = p->port;
	memcpy(claimed->domain, tunnel.domain, sizeof(claimed->domain));
	if (p->row != NULL)
		claimed->connections = p->row->token.connections;
	/* One that had several sessions before there was a limit. */
	claimed->bandwidth =
	    (claim_bandwidth(b, p->row) + tunnel.seats_n - 1) / tunnel.seats_n;
	b->ops->send(b->arg, session->worker, msg, p->port != 0 ? p->fd : -1);
	tell_all(b, CHANNEL_UP, tunnel.ref);
}

void
claim_answer(struct claim_book *b, uint32_t worker, uint32_t id,
    const struct channel_claim *claim)
{
	struct channel_msg msg = { .type = CHANNEL_CLAIMED, .id = id };
	struct registry_session session;

	msg.claimed.verdict = claim_decide(b, worker, claim, &session);
	if (msg.claimed.verdict == CHANNEL_GRANTED ||
	    msg.claimed.verdict == CHANNEL_RESUMED ||
	    msg.claimed.verdict == CHANNEL_FURTHER)
		send_session(b, &msg, &session);
	else
		b->ops->send(b->arg, worker, &msg, -1);
}

void
claim_down(struct claim_book *b, uint32_t worker, struct registry_ref ref,
    enum channel_cause cause)
{
	struct registry_session session;

	if (!registry_session(b->registry, ref, &session) ||
	    session.worker != worker)
		return;
	if (cause == CHANNEL_CLOSED)
		leave(b, &session);
	else
		lose(b, &session);
}

void
claim_empty(struct claim_book *b, uint32_t worker, struct registry_ref ref,
    bool is_empty)
{
	struct registry_session session;

	if (registry_session(b->registry, ref, &session) &&
	    session.worker == worker)
		b->holds[session.ref.slot].is_empty = is_empty;
}

/* Gives a node session to another worker, whatever has become of its owner. */
static void
adopt(struct claim_book *b, struct registry_session *session, uint32_t worker)
{
	struct channel_msg msg = { .type = CHANNEL_ADOPT };
	struct net_addr peer = session->peer;

	if (!registry_move(b->registry, session->ref, worker, &peer, session))
		return;
	claim_hold_end(b, session->ref);
	send_session(b, &msg, session);
}

/* Nobody can take a node session now: its name is held like any other, and
 * whoever is ready first within that time gets it. */
static void
orphan(struct claim_book *b, const struct registry_session *session)
{
	struct hold *h = &b->holds[session->ref.slot];

	lose(b, session);
	if (b->ports[session->tunnel.slot].port != 0)
		claim_orphan(b, h);
}

void
claim_orphan(struct claim_book *b, struct hold *h)
{
	h->is_orphan = true;
	TAILQ_INSERT_TAIL(&b->orphans, h, orphan);
}

static void
worker_gone_cb(void *arg, const struct registry_session *lost)
{
	struct registry_session session = *lost;
	struct claim_book *b = arg;
	uint32_t heir;

	if (session.dialect != REGISTRY_NODE)
		lose(b, &session);
	else if ((heir = b->ops->pick(b->arg)) != REGISTRY_NO_WORKER)
		adopt(b, &session, heir);
	else
		orphan(b, &session);
}

void
claim_worker_gone(struct claim_book *b, uint32_t worker)
{
	registry_each_of(b->registry, worker, worker_gone_cb, b);
}

static void
worker_leaves_cb(void *arg, const struct registry_session *held)
{
	struct registry_session session = *held;
	struct channel_msg taken = { .type = CHANNEL_TAKEN,
		.session = session.ref };
	struct claim_book *b = arg;
	uint32_t owner = session.worker, heir;

	if (session.dialect != REGISTRY_NODE)
		return;
	heir = b->ops->pick(b->arg);
	if (heir == REGISTRY_NO_WORKER)
		return;
	adopt(b, &session, heir);
	b->ops->send(b->arg, owner, &taken, -1);
}

void
claim_worker_leaves(struct claim_book *b, uint32_t worker)
{
	registry_each_of(b->registry, worker, worker_leaves_cb, b);
}

void
claim_worker_ready(struct claim_book *b, uint32_t worker)
{
	struct registry_session session;
	struct hold *h;

	while ((h = TAILQ_FIRST(&b->orphans)) != NULL) {
		TAILQ_REMOVE(&b->orphans, h, orphan);
		h->is_orphan = false;
		if (registry_session(b->registry, h->session, &session))
			adopt(b, &session, worker);
	}
}

/* Ends a tunnel; its owners hear why. */
static void
end(struct claim_book *b, const struct registry_tunnel *tunnel,
    enum channel_close why)
{
	struct channel_msg msg = { .type = CHANNEL_CLOSE, .id = why };
	const struct registry_seat *seat;

	if (!registry_remove(b->registry, tunnel->ref))
		return;
	/* Who waits for it must find it gone when the owners let them go. */
	for (seat = tunnel->seats; seat < tunnel->seats + tunnel->seats_n;
	     seat++)
		claim_hold_end(b, seat->session);
	tell_after(b, tunnel->ref);
	for (seat = tunnel->seats; seat < tunnel->seats + tunnel->seats_n;
	     seat++) {
		msg.session = seat->session;
		if (seat->worker != REGISTRY_NO_WORKER)
			b->ops->send(b->arg, seat->worker, &msg, -1);
	}
}

bool
claim_close(struct claim_book *b, const char *name)
{
	struct registry_tunnel tunnel;

	if (!registry_find(b->registry, name, &tunnel))
		return false;
	end(b, &tunnel, CHANNEL_BY_OPERATOR);
	return true;
}

/* The token of a tunnel, if it is there still and allows it; NULL too if none
 * is needed any more. */
static bool
is_allowed(struct claim_book *b, const struct registry_tunnel *tunnel,
    const struct claim_port *port, struct tokens_row **row)
{
	*row = NULL;
	if (!tokens_are_needed(b->tokens))
		return true;
	if (tunnel->has_token)
		*row = tokens_find(b->tokens, tunnel->token);
	return *row != NULL && !tokens_is_expired(*row) &&
	       rights_check(b->config, *row, tunnel,
		   port->is_tcp ? port->port : 0) == CHANNEL_GRANTED;
}

void
claim_review(struct claim_book *b)
{
	struct registry_tunnel tunnel;
	struct tokens_row *row;

	tokens_count_anew(b->tokens);
	for (size_t i = 0; i < registry_size(b->registry); i++) {
		struct claim_port *p = &b->ports[i];
		bool is_good;

		if (!registry_tunnel_at(b->registry, i, &tunnel))
			continue;
		is_good = is_allowed(b, &tunnel, p, &row);
		if (row != NULL)
			row->tunnels++;
		p->row = row;
		if (!is_good)
			end(b, &tunnel, CHANNEL_BY_TOKEN);
	}
}

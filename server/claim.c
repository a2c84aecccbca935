/* SPDX-License-Identifier: ISC
 *
 * The master's book of claims: decides who gets a name, changes the registry
 * accordingly and tells the workers. It owns a timer for each name that is
 * held, and the listening descriptor of each node session. What it is given
 * comes from workers and is believed only as far as it concerns the sender
 * itself.
 */
#include "server/claim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "common/clock.h"
#include "server/claim_inside.h"

struct claim_book *
claim_book_new(struct event_base *base, struct registry *registry,
    const struct config *config, const struct claim_ops *ops, void *arg)
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
	b->ops = ops;
	b->arg = arg;
	TAILQ_INIT(&b->orphans);
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
	for (size_t i = 0; i < registry_size(b->registry); i++)
		if (b->ports[i].port != 0)
			close(b->ports[i].fd);
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

/* The session is not held any more: somebody is there, or it is gone. */
static void
hold_end(struct claim_book *b, struct registry_ref session)
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
	hold_end(b, session->ref);
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

/* True if `proof` is what `kept` was made from. Every worker can read the
 * registry, so what stands there must not be a proof itself: it is the hash
 * of what a claim has to bring. */
static bool
proves(const uint8_t *proof, const uint8_t *kept)
{
	uint8_t hash[REGISTRY_HASH_LEN];

	SHA256(proof, REGISTRY_HASH_LEN, hash);
	return CRYPTO_memcmp(hash, kept, REGISTRY_HASH_LEN) == 0;
}

static bool
has_secret(
    const struct registry_session *session, const struct channel_claim *claim)
{
	return session->dialect == REGISTRY_EXT &&
	       claim->dialect == REGISTRY_EXT && claim->has_proof &&
	       proves(claim->proof, session->secret);
}

/* As far as that can be known of a client without a secret. A node client
 * shows nothing at all: its session is taken only while nobody uses it, and
 * by whoever can reach its port. */
static bool
is_same_client(struct claim_book *b, const struct registry_session *session,
    const struct channel_claim *claim)
{
	const struct hold *h = &b->holds[session->ref.slot];
	const struct claim_port *p = &b->ports[session->tunnel.slot];

	if (session->dialect != claim->dialect ||
	    !net_addr_same_host(&session->peer, &claim->peer))
		return false;
	if (session->dialect == REGISTRY_OLD)
		return proves(claim->client, session->client);
	return session->dialect == REGISTRY_NODE && h->is_empty &&
	       p->listener == claim->listener;
}

/* Gives a session to `worker`, and word to whoever has it until now. */
static enum channel_verdict
resume(struct claim_book *b, uint32_t worker, const struct channel_claim *claim,
    struct registry_session *session)
{
	struct channel_msg taken = { .type = CHANNEL_TAKEN,
		.session = session->ref };
	uint32_t owner = session->worker;

	if (session->kind != claim->kind ||
	    !registry_move(
		b->registry, session->ref, worker, &claim->peer, session))
		return CHANNEL_TAKEN_NAME;
	hold_end(b, session->ref);
	if (owner != REGISTRY_NO_WORKER)
		b->ops->send(b->arg, owner, &taken, -1);
	return CHANNEL_RESUMED;
}

/* Opens the port that a tunnel has of its own, if it has one; GRANTED, or what
 * is in the way. */
static enum channel_verdict
open_port(struct claim_book *b, const struct channel_claim *claim,
    struct claim_port *port)
{
	port->is_tcp = claim->kind == REGISTRY_TCP;
	port->port = port->is_tcp ? claim->port : 0;
	if (claim->dialect != REGISTRY_NODE && !port->is_tcp)
		return CHANNEL_GRANTED;
	port->listener = claim->listener;
	port->fd = b->ops->open_port(
	    b->arg, port->is_tcp, claim->listener, &port->port);
	if (port->fd != -1)
		return CHANNEL_GRANTED;
	if (errno == ERANGE)
		return CHANNEL_PORT_RANGE;
	return errno == EADDRINUSE ? CHANNEL_PORT_TAKEN : CHANNEL_NO_PORT;
}

/* A session as a claim asks for it; `proof` is what will prove that it is its
 * client's. */
static struct registry_session
make_session(
    uint32_t worker, const struct channel_claim *claim, const uint8_t *proof)
{
	struct registry_session session = {
		.worker = worker,
		.dialect = claim->dialect,
		.kind = claim->kind,
		.peer = claim->peer,
	};

	SHA256(proof, REGISTRY_HASH_LEN, session.secret);
	SHA256(claim->client, sizeof(claim->client), session.client);
	return session;
}

static enum channel_verdict
grant(struct claim_book *b, uint32_t worker, const struct channel_claim *claim,
    const char *name, struct registry_session *session)
{
	uint8_t group[REGISTRY_HASH_LEN];
	struct registry_tunnel tunnel;
	struct claim_port port;
	enum channel_verdict verdict = open_port(b, claim, &port);

	if (verdict != CHANNEL_GRANTED)
		return verdict;
	*session = make_session(worker, claim, claim->secret);
	SHA256(claim->group, sizeof(claim->group), group);
	if (!registry_add(b->registry, name, session,
		claim->has_group ? group : NULL, &tunnel)) {
		if (port.port != 0)
			b->ops->close_port(
			    b->arg, port.is_tcp, port.fd, port.port);
		return CHANNEL_FULL;
	}
	b->ports[tunnel.ref.slot] = port;
	return CHANNEL_GRANTED;
}

/* A client that has proven one of its sessions by the secret alone: one of
 * them that was lost, one more, or the first again. */
static enum channel_verdict
further(struct claim_book *b, uint32_t worker,
    const struct channel_claim *claim, const struct registry_tunnel *tunnel,
    struct registry_session *session)
{
	const struct registry_seat *seat;
	uint32_t member = session->member;
	unsigned n = 0;

	for (seat = tunnel->seats; seat < tunnel->seats + tunnel->seats_n;
	     seat++) {
		if (seat->member != member)
			continue;
		if (seat->worker == REGISTRY_NO_WORKER &&
		    registry_session(b->registry, seat->session, session))
			return resume(b, worker, claim, session);
		n++;
	}
	if (n >= b->config->sessions || tunnel->kind != claim->kind)
		return resume(b, worker, claim, session);
	*session = make_session(worker, claim, claim->proof);
	session->member = member;
	return registry_join(b->registry, tunnel->ref, session)
		   ? CHANNEL_FURTHER
		   : CHANNEL_FULL;
}

/* Another client that shares the name. */
static enum channel_verdict
share(struct claim_book *b, uint32_t worker, const struct channel_claim *claim,
    const struct registry_tunnel *tunnel, struct registry_session *session)
{
	*session = make_session(worker, claim, claim->secret);
	return registry_join(b->registry, tunnel->ref, session)
		   ? CHANNEL_GRANTED
		   : CHANNEL_FULL;
}

/* A name that is in use. */
static enum channel_verdict
decide_known(struct claim_book *b, uint32_t worker,
    const struct channel_claim *claim, const struct registry_tunnel *tunnel,
    struct registry_session *session)
{
	for (uint32_t i = 0; i < tunnel->seats_n; i++) {
		if (!registry_session(
			b->registry, tunnel->seats[i].session, session))
			continue;
		if (has_secret(session, claim))
			return further(b, worker, claim, tunnel, session);
		if (is_same_client(b, session, claim))
			return resume(b, worker, claim, session);
	}
	if (tunnel->has_group && claim->has_group &&
	    claim->dialect == REGISTRY_EXT && tunnel->kind == claim->kind &&
	    proves(claim->group, tunnel->group))
		return share(b, worker, claim, tunnel, session);
	return CHANNEL_TAKEN_NAME;
}

/* The rules. A session that is named and proven comes before the name. */
static enum channel_verdict
decide(struct claim_book *b, uint32_t worker, const struct channel_claim *claim,
    struct registry_session *session)
{
	char name[LTP_NAME_MAX + 1];
	struct registry_tunnel tunnel;

	if (registry_find_session(b->registry, claim->session, session) &&
	    has_secret(session, claim) && session->kind == claim->kind)
		return resume(b, worker, claim, session);
	if (!ltp_name(claim->name, name) ||
	    (claim->dialect == REGISTRY_NODE && claim->kind != REGISTRY_HTTP))
		return CHANNEL_TAKEN_NAME;
	if (!registry_find(b->registry, name, &tunnel))
		return grant(b, worker, claim, name, session);
	return decide_known(b, worker, claim, &tunnel, session);
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
	b->ops->send(b->arg, session->worker, msg, p->port != 0 ? p->fd : -1);
	tell_all(b, CHANNEL_UP, tunnel.ref);
}

void
claim_answer(struct claim_book *b, uint32_t worker, uint32_t id,
    const struct channel_claim *claim)
{
	struct channel_msg msg = { .type = CHANNEL_CLAIMED, .id = id };
	struct registry_session session;

	msg.claimed.verdict = decide(b, worker, claim, &session);
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
	hold_end(b, session->ref);
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

bool
claim_close(struct claim_book *b, const char *name)
{
	struct channel_msg msg = { .type = CHANNEL_CLOSE };
	const struct registry_seat *seat;
	struct registry_tunnel tunnel;

	if (!registry_find(b->registry, name, &tunnel) ||
	    !registry_remove(b->registry, tunnel.ref))
		return false;
	/* Who waits for it must find it gone when the owners let them go. */
	for (seat = tunnel.seats; seat < tunnel.seats + tunnel.seats_n; seat++)
		hold_end(b, seat->session);
	tell_after(b, tunnel.ref);
	for (seat = tunnel.seats; seat < tunnel.seats + tunnel.seats_n;
	     seat++) {
		msg.session = seat->session;
		if (seat->worker != REGISTRY_NO_WORKER)
			b->ops->send(b->arg, seat->worker, &msg, -1);
	}
	return true;
}

/* SPDX-License-Identifier: ISC
 *
 * The master's book of claims: decides who gets a name, changes the registry
 * accordingly and tells the workers. It owns a timer for each name that is
 * held. What it is given comes from workers and is believed only as far as it
 * concerns the sender itself.
 */
#include "server/claim.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "common/clock.h"

/* The grace period of the tunnel in one slot. */
struct hold {
	struct claim_book *book;
	struct registry_ref tunnel;
	struct event *timer; /* NULL until it is needed for the first time */
};

struct claim_book {
	struct event_base *base;
	struct registry *registry;
	const struct config *config;
	const struct claim_ops *ops;
	void *arg;
	struct hold *holds; /* by slot of the tunnel */
};

struct claim_book *
claim_book_new(struct event_base *base, struct registry *registry,
    const struct config *config, const struct claim_ops *ops, void *arg)
{
	struct claim_book *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->holds = calloc(registry_size(registry), sizeof(*b->holds));
	if (b->holds == NULL) {
		free(b);
		return NULL;
	}
	b->base = base;
	b->registry = registry;
	b->config = config;
	b->ops = ops;
	b->arg = arg;
	return b;
}

void
claim_book_free(struct claim_book *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < registry_size(b->registry); i++)
		if (b->holds[i].timer != NULL)
			event_free(b->holds[i].timer);
	free(b->holds);
	free(b);
}

static void
tell_all(
    struct claim_book *b, enum channel_type type, struct registry_ref tunnel)
{
	struct channel_msg msg = { .type = type, .tunnel = tunnel };

	b->ops->send_all(b->arg, &msg);
}

/* The name is not held any more: somebody is there, or it is free. */
static void
hold_end(struct claim_book *b, struct registry_ref tunnel)
{
	struct hold *h = &b->holds[tunnel.slot];

	if (h->timer != NULL)
		event_del(h->timer);
}

static void
drop(struct claim_book *b, struct registry_ref tunnel)
{
	if (!registry_remove(b->registry, tunnel))
		return;
	hold_end(b, tunnel);
	tell_all(b, CHANNEL_GONE, tunnel);
}

static void
expired_cb(evutil_socket_t fd, short what, void *arg)
{
	struct hold *h = arg;

	(void)fd;
	(void)what;
	drop(h->book, h->tunnel);
}

/* Starts the grace period of a tunnel; false if there is no memory. */
static bool
hold_begin(struct claim_book *b, struct registry_ref tunnel, unsigned grace_s)
{
	struct timeval tv = { .tv_sec = grace_s };
	struct hold *h = &b->holds[tunnel.slot];

	h->book = b;
	h->tunnel = tunnel;
	if (h->timer == NULL)
		h->timer = evtimer_new(b->base, expired_cb, h);
	return h->timer != NULL && evtimer_add(h->timer, &tv) == 0;
}

/* A session has lost its client or its worker: the name waits for it. */
static void
lose(struct claim_book *b, const struct registry_session *session)
{
	struct registry_session now;
	unsigned grace_s =
	    session->has_ext ? b->config->grace : b->config->grace_old;

	if (grace_s == 0 || !hold_begin(b, session->tunnel, grace_s)) {
		drop(b, session->tunnel);
		return;
	}
	(void)registry_lose(
	    b->registry, session->ref, clock_ms() + grace_s * 1000ull, &now);
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
	return session->has_ext && claim->has_ext && claim->has_proof &&
	       proves(claim->proof, session->secret);
}

/* As LTP/0.2 has it, which knows no secret. */
static bool
is_same_client(
    const struct registry_session *session, const struct channel_claim *claim)
{
	return !session->has_ext && !claim->has_ext &&
	       proves(claim->client, session->client) &&
	       net_addr_same_host(&session->peer, &claim->peer);
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
	hold_end(b, session->tunnel);
	if (owner != REGISTRY_NO_WORKER)
		b->ops->send(b->arg, owner, &taken);
	return CHANNEL_RESUMED;
}

static enum channel_verdict
grant(struct claim_book *b, uint32_t worker, const struct channel_claim *claim,
    const char *name, struct registry_session *session)
{
	struct registry_tunnel tunnel;

	memset(session, 0, sizeof(*session));
	session->worker = worker;
	session->has_ext = claim->has_ext;
	session->kind = claim->kind;
	SHA256(claim->secret, sizeof(claim->secret), session->secret);
	SHA256(claim->client, sizeof(claim->client), session->client);
	session->peer = claim->peer;
	return registry_add(b->registry, name, session, &tunnel)
		   ? CHANNEL_GRANTED
		   : CHANNEL_FULL;
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
	if (!ltp_name(claim->name, name))
		return CHANNEL_TAKEN_NAME;
	if (!registry_find(b->registry, name, &tunnel))
		return grant(b, worker, claim, name, session);
	if (registry_session(b->registry, tunnel.session, session) &&
	    (has_secret(session, claim) || is_same_client(session, claim)))
		return resume(b, worker, claim, session);
	return CHANNEL_TAKEN_NAME;
}

void
claim_answer(struct claim_book *b, uint32_t worker, uint32_t id,
    const struct channel_claim *claim)
{
	struct channel_msg msg = { .type = CHANNEL_CLAIMED, .id = id };
	struct channel_claimed *claimed = &msg.claimed;
	struct registry_session session;
	struct registry_tunnel tunnel;

	claimed->verdict = decide(b, worker, claim, &session);
	if ((claimed->verdict != CHANNEL_GRANTED &&
		claimed->verdict != CHANNEL_RESUMED) ||
	    !registry_tunnel(b->registry, session.tunnel, &tunnel)) {
		b->ops->send(b->arg, worker, &msg);
		return;
	}
	claimed->tunnel = tunnel.ref;
	claimed->session = session.ref;
	memcpy(claimed->name, tunnel.name, sizeof(claimed->name));
	memcpy(claimed->label, session.label, sizeof(claimed->label));
	b->ops->send(b->arg, worker, &msg);
	tell_all(b, CHANNEL_UP, tunnel.ref);
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
		drop(b, session.tunnel);
	else
		lose(b, &session);
}

static void
worker_gone_cb(void *arg, const struct registry_session *session)
{
	lose(arg, session);
}

void
claim_worker_gone(struct claim_book *b, uint32_t worker)
{
	registry_each_of(b->registry, worker, worker_gone_cb, b);
}

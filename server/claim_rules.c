/* SPDX-License-Identifier: ISC
 *
 * The rules of claim.h: who gets a name, and opening the port that goes with
 * some. What a claim says comes from a worker and is believed only as far as
 * it concerns the sender itself.
 */
#include "server/claim_inside.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "server/config.h"
#include "server/rights.h"
#include "server/tokens.h"

#define PORT_TRIES 256 /* busy ones, of those a token is limited to */

/* Who claims, by which worker, and with which token (NULL: none is needed). */
struct claimant {
	uint32_t worker;
	const struct channel_claim *claim;
	struct tokens_row *row;
};

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
		return rights_is_proof(claim->client, session->client);
	return session->dialect == REGISTRY_NODE && h->is_empty &&
	       p->listener == claim->listener;
}

/* Gives a session to the worker, and word to whoever has it until now. */
static enum channel_verdict
resume(struct claim_book *b, const struct claimant *who,
    struct registry_session *session)
{
	struct channel_msg taken = { .type = CHANNEL_TAKEN,
		.session = session->ref };
	uint32_t owner = session->worker;

	if (session->kind != who->claim->kind ||
	    !registry_move(b->registry, session->ref, who->worker,
		&who->claim->peer, session))
		return CHANNEL_TAKEN_NAME;
	claim_hold_end(b, session->ref);
	if (owner != REGISTRY_NO_WORKER)
		b->ops->send(b->arg, owner, &taken, -1);
	return CHANNEL_RESUMED;
}

/* Opens any of the ports that a token is limited to: those that the first tries
 * find. */
static int
open_any_of(struct claim_book *b, const struct token *token, uint16_t listener,
    uint16_t *port)
{
	unsigned tries = PORT_TRIES;
	int fd = -1;

	for (size_t i = 0; i < token->ports_n && fd == -1; i++)
		for (unsigned p = token->ports[i].first;
		     p <= token->ports[i].last && fd == -1 && tries > 0;
		     p++, tries--) {
			*port = (uint16_t)p;
			fd = b->ops->open_port(b->arg, true, listener, port);
		}
	if (fd == -1)
		errno = EADDRNOTAVAIL;
	return fd;
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
	port->fd = port->row != NULL && port->is_tcp && port->port == 0 &&
			   port->row->token.ports_n > 0
		       ? open_any_of(
			     b, &port->row->token, claim->listener, &port->port)
		       : b->ops->open_port(b->arg, port->is_tcp,
			     claim->listener, &port->port);
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

/* True if whoever claims has as many tunnels as one address may have. */
static bool
has_many(const struct claim_book *b, const struct net_addr *peer)
{
	unsigned most = b->config->tunnels_per_address;

	return most != 0 && !config_is_shared(b->config, peer) &&
	       peers_of(b->peers, peer) >= most;
}

/* What a claim asks for as a tunnel, and whether it may have that. */
static enum channel_verdict
describe(struct claim_book *b, const struct channel_claim *claim,
    const struct tokens_row *row, const char *name,
    struct registry_tunnel *tunnel)
{
	struct registry_tunnel other;

	memset(tunnel, 0, sizeof(*tunnel));
	strcpy(tunnel->name, name);
	strcpy(tunnel->domain, claim->domain);
	tunnel->kind = claim->kind;
	tunnel->has_group = claim->has_group;
	if (claim->has_group)
		SHA256(claim->group, sizeof(claim->group), tunnel->group);
	tunnel->has_token = row != NULL;
	if (row != NULL)
		memcpy(tunnel->token, row->kept, sizeof(tunnel->token));
	if (registry_find_domain(b->registry, claim->domain, &other))
		return CHANNEL_DOMAIN_TAKEN;
	if (row != NULL && row->token.tunnels != 0 &&
	    row->tunnels >= row->token.tunnels)
		return CHANNEL_TOKEN_FULL;
	if (has_many(b, &claim->peer))
		return CHANNEL_ADDRESS_FULL;
	return rights_check(b->config, row, tunnel, claim->port);
}

static enum channel_verdict
grant(struct claim_book *b, const struct claimant *who, const char *name,
    struct registry_session *session)
{
	const struct channel_claim *claim = who->claim;
	struct registry_tunnel like, tunnel;
	struct claim_port port = { .row = who->row };
	enum channel_verdict verdict =
	    describe(b, claim, who->row, name, &like);

	if (verdict == CHANNEL_GRANTED)
		verdict = open_port(b, claim, &port);
	if (verdict != CHANNEL_GRANTED)
		return verdict;
	*session = make_session(who->worker, claim, claim->secret);
	if (!registry_add(b->registry, name, session, &like, &tunnel)) {
		if (port.port != 0)
			b->ops->close_port(
			    b->arg, port.is_tcp, port.fd, port.port);
		return CHANNEL_FULL;
	}
	if (port.row != NULL)
		port.row->tunnels++;
	port.of_peer = peers_hold(b->peers, &claim->peer);
	b->ports[tunnel.ref.slot] = port;
	return CHANNEL_GRANTED;
}

/* A client that has proven one of its sessions by the secret alone: one of
 * them that was lost, one more, or the first again. */
static enum channel_verdict
further(struct claim_book *b, const struct claimant *who,
    const struct registry_tunnel *tunnel, struct registry_session *session)
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
			return resume(b, who, session);
		n++;
	}
	if (n >= b->config->sessions || tunnel->kind != who->claim->kind ||
	    claim_bandwidth(b, who->row) != 0)
		return resume(b, who, session);
	*session = make_session(who->worker, who->claim, who->claim->proof);
	session->member = member;
	return registry_join(b->registry, tunnel->ref, session)
		   ? CHANNEL_FURTHER
		   : CHANNEL_FULL;
}

/* Another client that shares the name. */
static enum channel_verdict
share(struct claim_book *b, const struct claimant *who,
    const struct registry_tunnel *tunnel, struct registry_session *session)
{
	if (claim_bandwidth(b, who->row) != 0)
		return CHANNEL_ALONE;
	*session = make_session(who->worker, who->claim, who->claim->secret);
	return registry_join(b->registry, tunnel->ref, session)
		   ? CHANNEL_GRANTED
		   : CHANNEL_FULL;
}

/* A name that is in use. */
static enum channel_verdict
decide_known(struct claim_book *b, const struct claimant *who,
    const struct registry_tunnel *tunnel, struct registry_session *session)
{
	const struct channel_claim *claim = who->claim;
	bool is_same_tunnel = rights_is_of(tunnel, who->row) &&
			      strcmp(tunnel->domain, claim->domain) == 0;

	for (uint32_t i = 0; i < tunnel->seats_n; i++) {
		if (!registry_session(
			b->registry, tunnel->seats[i].session, session))
			continue;
		if (rights_has_secret(session, claim))
			return is_same_tunnel ? further(b, who, tunnel, session)
					      : CHANNEL_OTHER_TOKEN;
		if (is_same_tunnel && is_same_client(b, session, claim))
			return resume(b, who, session);
	}
	if (is_same_tunnel && tunnel->has_group && claim->has_group &&
	    claim->dialect == REGISTRY_EXT && tunnel->kind == claim->kind &&
	    rights_is_proof(claim->group, tunnel->group))
		return share(b, who, tunnel, session);
	return CHANNEL_TAKEN_NAME;
}

/* True if the claim names a session and proves that it is its own. */
static bool
finds_session(struct claim_book *b, const struct claimant *who,
    struct registry_session *session)
{
	const struct channel_claim *claim = who->claim;
	struct registry_tunnel tunnel;

	return registry_find_session(b->registry, claim->session, session) &&
	       rights_has_secret(session, claim) &&
	       session->kind == claim->kind &&
	       registry_tunnel(b->registry, session->tunnel, &tunnel) &&
	       rights_is_of(&tunnel, who->row) &&
	       strcmp(tunnel.domain, claim->domain) == 0;
}

/* The rules. A session that is named and proven comes before the name. */
enum channel_verdict
claim_decide(struct claim_book *b, uint32_t worker,
    const struct channel_claim *claim, struct registry_session *session)
{
	struct claimant who = { worker, claim, NULL };
	char name[LTP_NAME_MAX + 1];
	struct registry_tunnel tunnel;
	enum channel_verdict verdict = rights_admit(b->tokens, claim, &who.row);

	if (verdict != CHANNEL_GRANTED)
		return verdict;
	if (finds_session(b, &who, session))
		return resume(b, &who, session);
	if (!ltp_name(claim->name, name) ||
	    (claim->dialect == REGISTRY_NODE && claim->kind != REGISTRY_HTTP))
		return CHANNEL_TAKEN_NAME;
	if (!registry_find(b->registry, name, &tunnel))
		return grant(b, &who, name, session);
	return decide_known(b, &who, &tunnel, session);
}

/* SPDX-License-Identifier: ISC
 *
 * The inside of the book of claims, shared by claim.c, which keeps it,
 * claim_rules.c, which decides, and claim_handoff.c, which hands it to another
 * program; nobody else includes it.
 */
#ifndef LT_SERVER_CLAIM_INSIDE_H
#define LT_SERVER_CLAIM_INSIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/claim.h"
#include "server/peers.h"
#include "server/registry.h"

struct event;
struct tokens_row;

/* What the master alone has of the session in one slot. */
struct hold {
	struct claim_book *book;
	struct registry_ref session; /* whose grace period it is */
	struct event *timer; /* NULL until it is needed for the first time */
	bool is_leaving;     /* its client said goodbye on another session */

	/* Of a node session. */
	TAILQ_ENTRY(hold) orphan;
	bool is_orphan; /* without an owner: for the next ready worker */
	bool is_empty;	/* nobody is connected, as the owner says */
};

TAILQ_HEAD(hold_list, hold);

/* And of the tunnel in one slot. */
struct claim_port {
	struct tokens_row *row; /* of its token; NULL: it has none */
	struct peer *of_peer;	/* who opened it; NULL: not counted */
	int fd;			/* listens on the port */
	uint16_t port;		/* 0: none */
	uint16_t listener;	/* beside which the port was opened */
	bool is_tcp; /* of those for kind tcp, not for node sessions */
};

struct claim_book {
	struct event_base *base;
	struct registry *registry;
	const struct config *config;
	struct tokens *tokens;
	const struct claim_ops *ops;
	void *arg;
	struct hold *holds;	  /* by slot of the session */
	struct claim_port *ports; /* by slot of the tunnel */
	struct hold_list orphans;
	struct peers *peers; /* tunnels of each address */
};

/* Starts the grace period of a session; false if there is no memory. */
bool claim_hold(struct claim_book *, struct registry_ref session, uint64_t ms);

/* It is not held any more: somebody is there, or it is gone. */
void claim_hold_end(struct claim_book *, struct registry_ref session);

/* Decides and, if a claim is granted, changes the registry; *session is then
 * the session. */
enum channel_verdict claim_decide(struct claim_book *, uint32_t worker,
    const struct channel_claim *, struct registry_session *session);

/* Bytes per second that a tunnel of this token (NULL: none) may carry; 0: no
 * limit. All of it is in one session then, where that is exact. */
uint64_t claim_bandwidth(const struct claim_book *, const struct tokens_row *);

/* Whoever is ready next gets this session. */
void claim_orphan(struct claim_book *, struct hold *);

#endif

/* SPDX-License-Identifier: ISC
 *
 * What a tunnel of kind http does to a visitor's bytes: the inspector of the
 * relay between visitor (A) and proxy connection (B).
 *
 * Every request head is checked as it passes: its host must be the tunnel's,
 * the tunnel's gate must let it in, and X-Forwarded-For, -Proto, -Host and
 * -Port are set by us (what the visitor sent under these names, and Forwarded,
 * X-Forwarded-Server and X-Real-IP, is dropped) unless `forwarded` is off; see
 * forwarded.h about proxies in front. Where the gate asks for a password,
 * Authorization is the gate's and does not go on. For node sessions
 * Connection becomes "close" unless an upgrade is asked for: the few
 * connections of such a client would all be kept by the first browsers. Bodies
 * pass unseen, except that chunked ones are followed to find their end. Answers
 * pass unseen, except that after a request for an upgrade the request direction
 * is held until its answer has come: 101 makes both directions opaque; after
 * the end of any other answer checking goes on.
 *
 * A later request can be refused with a page, or ask for an upgrade, only if
 * answer bytes have flowed since the request before it and none are waiting.
 * Otherwise (pipelined) requests are no longer read, writing to the proxy
 * connection is shut down, and what comes back is relayed to its end without
 * a page.
 */
#ifndef LT_SERVER_VISITOR_H
#define LT_SERVER_VISITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/follow.h"
#include "common/net.h"
#include "common/relay.h"

struct cidr_list;
struct gate;
struct registry;

enum visitor_state {
	VISITOR_CHECKING, /* heads are checked as they come */
	VISITOR_HELD,	  /* an upgrade was asked for, no answer yet */
	VISITOR_OPAQUE,	  /* upgraded: nothing is looked at any more */
	VISITOR_REFUSED, /* the relay was ended: send `status` to the visitor */
	VISITOR_CUT,	 /* pipelined: answers are relayed to their end; the
			    caller limits how long (VISITOR_CUT_MS) */
};

#define VISITOR_CUT_MS 5000

struct visitor {
	enum visitor_state state;
	int status;	   /* REFUSED: of the page */
	const char *why;   /* REFUSED, CUT: static text */
	bool wants_html;   /* of the last head */
	bool is_head;	   /* the last head's method is HEAD */
	bool is_held;	   /* HELD: the relay awaits relay_resume() */
	unsigned requests; /* heads that went on */
	uint64_t answered; /* answer bytes delivered when the last one did */
	struct relay *relay;
	const char *name;		 /* the tunnel's; borrowed */
	const char *domain;		 /* the base domain; borrowed */
	const struct registry *registry; /* has custom ones; borrowed */
	const char *scheme;		 /* "http", "https"; static */
	uint16_t port;			 /* under which the public reaches us */
	bool forwarded;
	bool is_once; /* the local service is asked to close the connection
			 after its answer */
	const struct net_addr *peer;	 /* the visitor's; borrowed */
	const struct gate *gate;	 /* NULL: open to all; borrowed */
	const struct cidr_list *trusted; /* of forwarded_trusted() */
	struct follow follow;
	struct answer *answer; /* made for the first upgrade; few ask */
};

/* The caller has filled in name, domain, registry, scheme, port, forwarded,
 * is_once, peer, gate and trusted; the rest is set, and the relay's request
 * direction (A to B) comes under inspection. Before relay_start(). */
void visitor_init(struct visitor *, struct relay *);

/* Frees what it holds; all zero is fine. */
void visitor_fini(struct visitor *);

/* The inspect callback of the relay, for both directions. */
void visitor_inspect(struct visitor *, struct relay_view *);

#endif

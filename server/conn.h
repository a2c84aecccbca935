/* SPDX-License-Identifier: ISC
 *
 * A connection that was accepted and not yet read: what is known of it
 * beside its descriptor. It travels through classify, route and hand-over by
 * pointer; whoever takes the stream out leaves STREAM_NONE behind.
 */
#ifndef LT_SERVER_CONN_H
#define LT_SERVER_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"
#include "common/stream.h"

/* What a connection speaks, as far as its first bytes have said it. */
enum conn_language {
	CONN_UNKNOWN,
	CONN_HTTP,
	CONN_LTP,
	CONN_TLS,
	CONN_OPAQUE, /* came by the port of its tunnel: nobody looks */
};

struct conn {
	struct stream stream; /* none once somebody else has taken it */
	uint64_t accepted_ms; /* clock_ms() of accept: limits the head */
	uint64_t ready_ms;    /* when the first bytes were whole: limits the
				 wait for a proxy connection. Browsers open
				 connections long before they ask */
	struct net_addr peer;
	enum conn_language language;
	uint16_t listener; /* of those that are bound, see public.h */
	uint16_t hops;	   /* how often it was handed over */
	bool is_bridged;   /* another worker has its TLS, see bridge.h */
};

/* Moves the connection out of *from, whose stream is none then. */
struct conn conn_take(struct conn *from);

/* True if the peer speaks TLS, and we end it: here or in another worker. */
static inline bool
conn_is_secure(const struct conn *c)
{
	return c->stream.tls != NULL || c->is_bridged;
}

/* Closes it if it is still here. */
void conn_close(struct conn *);

#endif

/* SPDX-License-Identifier: ISC
 *
 * What all parts of ltclient share, made once by main and only borrowed by
 * everybody else.
 */
#ifndef LT_CLIENT_CLIENT_H
#define LT_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct drain_set;
struct event_base;
struct options;
struct pool;
struct relay_env;
struct trust;
struct tunnel_options;
struct watch_set;

/* What visitors have done so far. */
struct traffic {
	uint64_t now; /* of them are here */
	uint64_t all;
	uint64_t in; /* bytes to the local service */
	uint64_t out;
};

#define CLIENT_AGENT "ltclient/" LT_VERSION

struct client {
	struct event_base *base;
	const struct options *options;
	struct watch_set *watches; /* of proxy and local connections */
	struct relay_env *relays;
	struct drain_set *drains;
	struct trust *server_trust; /* NULL: the server is met in clear */
	struct trust *web_trust;    /* the same, for HTTP instead of LTP */
	LIST_HEAD(, pool) pools; /* retired ones with joined connections too */
	size_t connections;	 /* proxy connections, in whatever state */
	size_t joined;		 /* those of them with a visitor */
	size_t pipes;		 /* of the relays, at most */
	uint64_t visitors;	 /* that have come so far */
	uint64_t bytes_in;	 /* of those who have gone, to the local */
	uint64_t bytes_out;	 /* service and from it */
	bool said_full;		 /* that descriptors have run out */
};

/* What one tunnel leads to. Lives as long as the client, since visitors may be
 * joined with it when their tunnel is over. */
struct service {
	const struct tunnel_options *options;
	struct trust *trust;   /* NULL: it is met in clear */
	uint64_t said_away_ms; /* when the user was told that it is not there */
};

#endif

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
struct watch_set;

#define CLIENT_AGENT "ltclient/" LT_VERSION

struct client {
	struct event_base *base;
	const struct options *options;
	struct watch_set *watches; /* of proxy and local connections */
	struct relay_env *relays;
	struct drain_set *drains;
	struct trust *server_trust; /* NULL: the server is met in clear */
	struct trust *local_trust;  /* and the local service */
	LIST_HEAD(, pool) pools; /* retired ones with joined connections too */
	size_t connections;	 /* proxy connections, in whatever state */
	size_t pipes;		 /* of the relays, at most */
	uint64_t visitors;	 /* that have come so far */
	bool said_full;		 /* that descriptors have run out */
	uint64_t said_local_ms;	 /* when that there is no local service */
};

#endif

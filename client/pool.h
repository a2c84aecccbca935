/* SPDX-License-Identifier: ISC
 *
 * The proxy connections of one session: as many idle ones as the server asked
 * for, and the joined ones. Bare ones, of a server of the Node.js localtunnel,
 * are as many in all, joined ones included.
 */
#ifndef LT_CLIENT_POOL_H
#define LT_CLIENT_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"

struct client;
struct pool;
struct service;

#define POOL_MAX 64 /* idle ones, whatever the server asks for */

/* What a proxy request says; NULL where there is nothing to say. Copied. */
struct pool_session {
	unsigned number; /* of the session, 1 being the first; not said */
	struct net_addr backend;
	const char *name;
	const char *client;
	const char *session;
	const char *secret;
	const char *sni;
	bool is_bare; /* no request, no reply: they begin with the visitor */
};

struct pool_ops {
	/* No visitor can come: there is no idle connection, and the last
	 * attempts to have one came to nothing. The pool may be retired here.
	 */
	void (*unserved)(void *arg, const char *why);
};

/* A pool that fills itself, for visitors of that service. NULL if there is no
 * memory. */
struct pool *pool_new(struct client *, struct service *,
    const struct pool_session *, int64_t concurrency, const struct pool_ops *,
    void *arg);

/* The server wants another number of idle connections. It closes itself what
 * is too much. */
void pool_resize(struct pool *, int64_t concurrency);

/* True if a visitor has come, or a connection was idle for so long that the
 * server is one. */
bool pool_is_proven(const struct pool *);

/* Refills no more; the joined connections live on, and the pool frees itself
 * when the last one has ended. NULL is fine. Sets the pointer to NULL. */
void pool_retire(struct pool **);

/* Ends all pools of the client, joined connections too. */
void pool_free_all(struct client *);

/* Counts the bytes of all visitors, for counters_traffic(). */
void pool_publish(const struct client *);

#endif

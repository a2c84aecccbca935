/* SPDX-License-Identifier: ISC
 *
 * One proxy connection: opened, idle until the server joins it with a
 * visitor, then joined with the local service until both have ended.
 *
 * User memory: about 600 bytes while it is idle.
 */
#ifndef LT_CLIENT_PROXY_H
#define LT_CLIENT_PROXY_H

#include <stddef.h>

struct client;
struct net_addr;
struct proxy;

struct proxy_ops {
	/* A visitor came; it is no longer idle. */
	void (*joined)(void *arg);

	/* It has ended, or never came to be: `why` is NULL after a join, else
	 * printable, and gone after the call. Free it here. */
	void (*ended)(void *arg, const char *why);
};

/* Starts. `hello` is what is sent when it is connected, borrowed until then.
 * Never calls back before it returns. NULL if there is no memory. */
struct proxy *proxy_start(struct client *, const struct net_addr *,
    const char *hello, size_t len, const struct proxy_ops *, void *arg);

/* Closes it wherever it stands; NULL is fine. Sets the pointer to NULL. */
void proxy_free(struct proxy **);

#endif

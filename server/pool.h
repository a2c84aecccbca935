/* SPDX-License-Identifier: ISC
 *
 * The idle proxy connections of a session, the newest taken first. One whose
 * end is seen, or that speaks before it is joined, is put aside at once, so
 * that no visitor meets it.
 *
 * How many the client should keep (target) grows under a burst and shrinks
 * after it; the client is told each time. Only this side closes surplus ones:
 * if the client did, a visitor could be sent to one that is just closing.
 */
#ifndef LT_SERVER_POOL_H
#define LT_SERVER_POOL_H

#include <stdbool.h>
#include <sys/queue.h>

#include "server/conn.h"

struct proxy;
struct session;

TAILQ_HEAD(proxy_list, proxy);

struct pool {
	struct proxy_list idle; /* newest first */
	unsigned n;
	unsigned target;
	bool is_short; /* a visitor had to wait since the last tick */
};

void pool_init(struct pool *, unsigned target);

/* Takes the connection. False, and it is still the caller's, if there are
 * `target` already or there is no memory. */
bool pool_put(struct session *, struct conn *);

/* False if none is idle. */
bool pool_take(struct session *, struct conn *);

/* Closes the oldest ones until `n` are left. */
void pool_trim(struct session *, unsigned n);

#endif

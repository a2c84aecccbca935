/* SPDX-License-Identifier: ISC
 *
 * A visitor and a proxy connection, tied together by a relay until both have
 * ended. A join outlives its session unless that ended in silence.
 *
 * About 1.3 KB of user memory each, relay included.
 */
#ifndef LT_SERVER_JOIN_H
#define LT_SERVER_JOIN_H

#include <stdbool.h>

#include "server/conn.h"
#include "server/session.h"

enum join_result {
	JOIN_STARTED,	 /* both connections are taken */
	JOIN_DEAD_PROXY, /* the proxy connection turned out to be dead and is
			    closed; of the visitor nothing was read */
	JOIN_NO_MEMORY,	 /* both are still the caller's */
};

/* Sends the proxy reply and starts the relay. */
enum join_result join_start(
    struct session *, struct conn *visitor, struct conn *proxy);

/* Their session is gone; if `end` they end too: with a page (504) where
 * no byte of an answer has passed, with a reset elsewhere. */
void join_leave_all(struct join_list *, bool end);

#endif

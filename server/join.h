/* SPDX-License-Identifier: ISC
 *
 * A visitor and a proxy connection, tied together by a relay until both have
 * ended. A join outlives its session unless that ended in silence.
 *
 * In a node session the end of the proxy connection is the end of both: its
 * client opens another one only then. And a client that holds the connection
 * without a word, as that one does while its local service is down, has
 * response-timeout for the first byte, counted from the last time that bytes
 * of the request moved: then the visitor gets 504.
 *
 * About 1,000 bytes of user memory each, relay included.
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

/* Make the lists of deadlines that the joins of a worker share: for the first
 * byte of an answer, and for the next look at whether bytes still move. */
struct deadline_list *join_deadlines_new(struct worker *);
struct deadline_list *join_looks_new(struct worker *);

/* Sends the proxy reply, unless it is a node session, and starts the relay. */
enum join_result join_start(
    struct session *, struct conn *visitor, struct conn *proxy);

/* Their session is gone: they go on without it. */
void join_leave_all(struct join_list *);

/* The same, but they end too: with a page of this status where no byte of an
 * answer has passed, with a reset elsewhere. */
void join_end_all(struct join_list *, int status, const char *why);

#endif

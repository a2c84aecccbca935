/* SPDX-License-Identifier: ISC
 *
 * The visitors of a session who wait, unread, for a proxy connection, in
 * order of arrival. Who has waited for queue-timeout gets 502; who comes when
 * queue-limit wait already gets 503.
 */
#ifndef LT_SERVER_QUEUE_H
#define LT_SERVER_QUEUE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "server/conn.h"

struct session;
struct visit;
struct worker;

TAILQ_HEAD(visit_list, visit);

struct queue {
	struct visit_list waiting; /* first come first */
	unsigned n;
};

void queue_init(struct queue *);

/* Makes the list of deadlines that all queues of a worker share. */
struct deadline_list *queue_deadlines_new(struct worker *);

/* Takes the visitor. */
void queue_put(struct session *, struct conn *);

/* Takes one back who was taken out and could not be served after all. */
void queue_put_first(struct session *, struct conn *);

/* False if nobody waits. */
bool queue_take(struct session *, struct conn *);

#endif

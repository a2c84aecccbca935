/* SPDX-License-Identifier: ISC
 *
 * Passes connections, unread, to the workers that own their sessions, and
 * takes those that others pass here. An inbox that is full is tried again
 * until the connection's time is up; nothing is lost on the way.
 */
#ifndef LT_SERVER_HANDOVER_H
#define LT_SERVER_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "server/inbox.h"

struct handover;
struct worker;

/* Of how many hand-overs a connection may be the object. */
#define HANDOVER_HOPS_MAX 3

struct handover *handover_new(struct worker *);
void handover_free(struct handover *);

/* Hands msg->conn, which must have no events, to `slot`. */
void handover_send(struct worker *, uint32_t slot, struct inbox_msg *msg);

/* How many wait here for another worker's inbox. */
size_t handover_count(const struct handover *);

/* True if nothing waits for an inbox, nor in ours. */
bool handover_is_empty(const struct handover *);

#endif

/* SPDX-License-Identifier: ISC
 *
 * The sessions of clients of the Node.js localtunnel, in their owner. Such a
 * session has no control connection. It has a port: whatever connects there,
 * from the address that has registered it, is a proxy connection from its
 * first moment, without a header or a reply. Each carries one visitor, once,
 * and the client replaces those that end.
 *
 *   accept --> its address? --> fewer than pool-idle there? --> session
 *                  no: closed       no: closed a second later
 *
 * What counts is idle, joined and spent ones together. The second is there
 * because a client that wants more than it was told opens another as soon as
 * one is closed; a place that gets free meanwhile goes to the one that waits.
 *
 * Spent ones have lost their visitor before they ended. The client keeps one
 * whose local service is down, and does not even notice that it was closed:
 * so it is kept open as long, lest the session ends under its client.
 *
 * A session that has had no connection for the grace period ends.
 */
#ifndef LT_SERVER_NODE_H
#define LT_SERVER_NODE_H

#include <stddef.h>

#include "server/channel.h"
#include "server/conn.h"

struct node_set;
struct session;
struct worker;

/* What all node sessions of a worker share. Fatal without memory. */
struct node_set *node_set_new(struct worker *);
void node_set_free(struct node_set *);

/* How many connections it has beside those that are idle or joined. */
size_t node_set_held(const struct node_set *);

/* A session as the master gave it; the descriptor that listens on its port is
 * taken out of *fd. NULL, with the reason, and the master has been told, if
 * that is not possible. */
struct session *node_start(
    struct worker *, const struct channel_claimed *, int *fd, const char **why);

/* Closes the port. Only for session_end(). */
void node_stop(struct session *);

/* A connection of this session has ended, or has begun: lets another one in,
 * or starts to wait for one. Does nothing for other sessions. */
void node_look(struct session *);

/* Takes a proxy connection whose visitor is gone. */
void node_spend(struct session *, struct conn *);

#endif

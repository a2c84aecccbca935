/* SPDX-License-Identifier: ISC
 *
 * The public port of a tunnel of kind tcp, where the port is the name. The
 * master has bound it, and each session of the tunnel accepts on it in its
 * worker; whoever is accepted is a visitor of the tunnel, and goes to the
 * session that route chooses like any other.
 */
#ifndef LT_SERVER_DOOR_H
#define LT_SERVER_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "server/channel.h"

struct session;

/* Begins to accept for a session on the descriptor that came with it; takes
 * *fd. `listener` is the one that its client came by. False if there is no
 * descriptor or no memory. */
bool door_open(struct session *, const struct channel_claimed *,
    unsigned listener, int *fd);

/* Accepts no more. Does nothing if the session has none. */
void door_close(struct session *);

#endif

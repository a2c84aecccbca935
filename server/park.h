/* SPDX-License-Identifier: ISC
 *
 * Visitors of a tunnel whose client is away. They wait, unread, in the
 * worker that accepted them, until the master says that the tunnel is up
 * (then they are routed again) or gone (404), or their time is up (502).
 */
#ifndef LT_SERVER_PARK_H
#define LT_SERVER_PARK_H

#include "server/conn.h"
#include "server/registry.h"

struct park;
struct worker;

struct park *park_new(struct worker *);
void park_free(struct park *);

/* Takes a visitor of the tunnel. */
void park_add(struct worker *, struct conn *, struct registry_ref tunnel,
    const char *name);

/* The master says that the tunnel is up, or gone: routes again whoever waits
 * for it. The registry, which is newer than the message, decides. */
void park_wake(struct worker *, struct registry_ref tunnel);

#endif

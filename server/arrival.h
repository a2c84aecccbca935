/* SPDX-License-Identifier: ISC
 *
 * Connections of which it is not known yet what they want. Their first bytes
 * are only peeked at, so that they can still be handed to another worker
 * whole. Who has not said it within head-timeout of being accepted is
 * answered 408 or closed.
 *
 * Waiting is edge-triggered: a peek leaves the bytes where they are, so a
 * level-triggered wait would spin. WATCH_HUP says that no more will come.
 * Whoever relays goes on with the same watch.
 *
 * On listeners for proxies that say who calls (proxy-protocol), what they say
 * is read, and nothing else: it stands before everything, and from then on the
 * connection is as if it came from there.
 *
 * How many there are of an address is limited; beyond that the oldest is
 * closed.
 *
 * About 250 bytes a connection; all peeks go to one buffer.
 */
#ifndef LT_SERVER_ARRIVAL_H
#define LT_SERVER_ARRIVAL_H

#include <stdbool.h>

#include "server/conn.h"

struct arrivals;
struct worker;

struct arrivals *arrivals_new(struct worker *);
void arrivals_free(struct arrivals *);

/* For room_make(): closes the one that has been waited for longest, if that is
 * not a moment. True if there was one. */
bool arrivals_make_room(struct worker *);

/* Takes a connection and has it served as soon as its first bytes are
 * there, which may be at once. */
void arrival_start(struct worker *, struct conn *);

#endif

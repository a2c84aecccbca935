/* SPDX-License-Identifier: ISC
 *
 * How many more connections this worker can take before it runs out of
 * descriptors, a reserve kept back. A process at its limit is handed a
 * message without its descriptor, and the visitor is lost; so every worker
 * publishes its room (counters), nobody hands a connection to one that has
 * none, and one that has none neither accepts nor reads its inbox.
 */
#ifndef LT_SERVER_ROOM_H
#define LT_SERVER_ROOM_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct worker;

/* How many descriptors a process needs that may have to serve all the visitors
 * that the settings name, or a few where they name no number. `slots` is for
 * how many workers there are inboxes. */
size_t room_need(const struct config *, size_t slots);

/* At the end of start-up: counts what is open. */
void room_init(struct worker *);

/* Looks, and publishes. The limit is read each time: it can be changed from
 * outside (prlimit(1)). */
bool room_is_left(struct worker *);

#endif

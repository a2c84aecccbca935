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

/* Who gets no more descriptors when so many are left, or fewer: so what is
 * needed least goes without first. What is joined is never touched. */
enum room_for {
	ROOM_ANY = 0,	      /* to be accepted, or handed over: they wait */
	ROOM_VISITOR = 32,    /* 503 */
	ROOM_TUNNEL = 64,     /* refused */
	ROOM_HALF_MADE = 128, /* to say what it wants: few are waited for */
};

/* How many descriptors a process needs that may have to serve all the visitors
 * that the settings name, or a few where they name no number. `slots` is for
 * how many workers there are inboxes. */
size_t room_need(const struct config *, size_t slots);

/* At the end of start-up: counts what is open. */
void room_init(struct worker *);

/* Looks how many more descriptors there may be, and publishes that. The limit
 * is read each time: it can be changed from outside (prlimit(1)). */
size_t room_look(struct worker *);

/* True if more are left than are kept for others. Before the answer is no,
 * whoever is half-made and idle makes room. */
bool room_is_left(struct worker *, enum room_for);

/* Closes the connection that has been half-made for longest, if that is more
 * than a moment. True if there was one. */
bool room_make(struct worker *);

#endif

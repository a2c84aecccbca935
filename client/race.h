/* SPDX-License-Identifier: ISC
 *
 * Connects to the first of several addresses that takes the connection (RFC
 * 8305): a dead one among them costs a quarter of a second, not a timeout.
 */
#ifndef LT_CLIENT_RACE_H
#define LT_CLIENT_RACE_H

#include <stddef.h>
#include <stdint.h>

#include "common/net.h"

struct display;
struct event_base;
struct race;

#define RACE_MAX     8	 /* addresses */
#define RACE_STEP_MS 250 /* after which the next one starts beside it */

struct race_to {
	const struct net_addr *addrs;  /* copied */
	size_t n;		       /* 1 to RACE_MAX */
	uint64_t timeout_ms;	       /* for all of them together */
	const struct display *display; /* hears of each step; may be NULL */
};

struct race_result {
	int fd;		      /* connected, the caller's now; -1: none is */
	struct net_addr addr; /* that is connected, or failed last */
	int error;	      /* errno: what most of all kept us from it */
};

typedef void (*race_fn)(void *arg, const struct race_result *);

/* Puts the addresses into the order to try them in: IPv6 and IPv4 in turn, as
 * far as there are both, and each family as it was. n is at most RACE_MAX. */
void race_order(struct net_addr *, size_t n);

/* Starts. Never calls back before it returns. NULL if there is no memory. */
struct race *race_start(
    struct event_base *, const struct race_to *, race_fn, void *arg);

/* Gives up; NULL is fine. Sets the pointer to NULL. */
void race_stop(struct race **);

#endif

/* SPDX-License-Identifier: ISC
 *
 * Ports that are given out one by one from a range, at random: each for a
 * session that needs one of its own. Used by the master, which binds.
 *
 * A port that was given back rests before anybody gets it again, so that who
 * still knows it does not reach its next owner; so does one that turned out
 * to be busy, since another program has it. Giving out, giving back and
 * finding none left cost the same however large the range is.
 */
#ifndef LT_SERVER_PORTS_H
#define LT_SERVER_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"

#define PORTS_REST_MS 60000

struct ports;

struct ports_range {
	uint16_t first;
	uint16_t last;
};

/* Reads "FIRST-LAST", or one port alone; false unless both are from 1 to
 * 65535 and in order. */
bool ports_range(struct ports_range *, const char *text);

/* All of them free. Fatal without memory. */
struct ports *ports_new(struct ports_range, uint64_t rest_ms);
void ports_free(struct ports *);

/* Another range from here on. What is given out stays so, in the range or not,
 * and what rests goes on resting. Fatal without memory. */
void ports_change(struct ports **, struct ports_range);

/*
 * Listens on a free port of the address (whose own port does not matter); now
 * is clock_ms(). The descriptor is the caller's, *port its number. -1 with
 * errno: EADDRNOTAVAIL if all are given out, rest, or seem to be busy.
 */
int ports_listen(
    struct ports *, const struct net_addr *, uint64_t now_ms, uint16_t *port);

/* The same for one certain port, resting or not. -1 with errno: ERANGE if it is
 * not one of ours, EADDRINUSE if somebody has it. */
int ports_listen_at(
    struct ports *, const struct net_addr *, uint64_t now_ms, uint16_t port);

/* Counts a port as given out that somebody has already. */
void ports_take(struct ports *, uint16_t port);

/* Gives a port back, whose descriptor the caller has closed; nothing happens if
 * the range has become another one. */
void ports_release(struct ports *, uint16_t port, uint64_t now_ms);

#endif

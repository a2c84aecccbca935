/* SPDX-License-Identifier: ISC
 *
 * Visitors over TLS whose tunnel has moved to another worker since they shook
 * hands. What has been decrypted cannot be handed over; so this worker goes on
 * with the TLS, and the other one is handed a socket in clear in its place,
 * with a relay between the two.
 *
 *   visitor == TLS == this worker -- socketpair -- owner of the session
 */
#ifndef LT_SERVER_BRIDGE_H
#define LT_SERVER_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/conn.h"

struct bridge_set;
struct worker;

/* All of a worker. Fatal without memory. */
struct bridge_set *bridge_set_new(void);

/* Ends those that are left. NULL is fine. */
void bridge_set_free(struct bridge_set *);

/* How many there are, each with two descriptors. */
size_t bridge_count(const struct bridge_set *);

/* Puts a socket in clear into the connection in place of its TLS, which stays
 * here. False, and nothing has changed, without memory or descriptors. */
bool bridge_start(struct worker *, struct conn *);

#endif

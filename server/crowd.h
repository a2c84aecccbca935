/* SPDX-License-Identifier: ISC
 *
 * The visitors of this worker, joined and waiting, by address, and whether one
 * more may come in: while there is room, and by visitors-per-address. Proxies,
 * trusted or on this machine, bring any number. Whoever keeps a visitor counts
 * him.
 */
#ifndef LT_SERVER_CROWD_H
#define LT_SERVER_CROWD_H

#include <stdbool.h>

#include "common/net.h"

struct conn;
struct peer;
struct worker;

/* True if a visitor of that tunnel may come in; else he was refused, and the
 * connection is taken. */
bool crowd_admits(struct worker *, struct conn *, const char *tunnel);

/* Counts one, until peers_let_go(), which NULL is fine for. */
struct peer *crowd_add(struct worker *, const struct net_addr *visitor);

#endif

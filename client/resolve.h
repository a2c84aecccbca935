/* SPDX-License-Identifier: ISC
 *
 * Turns host names into addresses without blocking. Literals, localhost and
 * the names below it never go to a name server (RFC 6761, section 6.3), and
 * what /etc/hosts knows does not either.
 */
#ifndef LT_CLIENT_RESOLVE_H
#define LT_CLIENT_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "common/net.h"

struct event_base;
struct resolve;

#define RESOLVE_MAX	   8 /* addresses of one host that are looked at */
#define RESOLVE_TIMEOUT_MS 10000

/* The end of a look-up: n addresses in the order to try them in, or 0 and a
 * text. Both are gone after the call; so is the look-up. */
typedef void (*resolve_fn)(
    void *arg, const struct net_addr *, size_t n, const char *why);

/* The addresses of a host that needs no look-up; 0 if it does. */
size_t resolve_now(
    const char *host, uint16_t port, struct net_addr addrs[RESOLVE_MAX]);

/* Looks a host up, with the name servers that /etc/resolv.conf names at this
 * moment: a laptop changes its network. Never calls back before it returns.
 * NULL if there is no memory. */
struct resolve *resolve_start(struct event_base *, const char *host,
    uint16_t port, resolve_fn, void *arg);

/* Nobody waits for it any more; NULL is fine. Sets the pointer to NULL. */
void resolve_stop(struct resolve **);

#endif

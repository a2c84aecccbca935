/* SPDX-License-Identifier: ISC
 *
 * How often something happens to each address: at most so many times a minute,
 * which may come all at once. IPv6 is counted by /64. This machine's own
 * addresses are not counted: proxies in front of us call from there.
 *
 * The table never grows: 4,096 addresses, of which the ones that have been
 * quiet for longest make room. Counted is in one worker alone, so each has its
 * share of the limit.
 */
#ifndef LT_SERVER_RATE_H
#define LT_SERVER_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net.h"

struct rate;

/* `limit` a minute, of all workers together; 0: no limit. Fatal without
 * memory. */
struct rate *rate_new(unsigned limit, unsigned workers);
void rate_free(struct rate *);

/* Another limit from now on. */
void rate_set(struct rate *, unsigned limit, unsigned workers);

/* True if it must not happen again now; NULL is no limit. */
bool rate_is_over(
    const struct rate *, const struct net_addr *, uint64_t now_ms);

/* It has happened. NULL is fine. */
void rate_count(struct rate *, const struct net_addr *, uint64_t now_ms);

#endif

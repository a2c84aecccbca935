/* SPDX-License-Identifier: ISC
 *
 * What --verbose hears of a visitor, from his coming to his end. Called by
 * proxy.
 */
#ifndef LT_CLIENT_TELL_H
#define LT_CLIENT_TELL_H

#include <stdint.h>

struct net_addr;
struct tunnel_options;

/* `peer` is where he comes from as the server has it; NULL: it does not say. */
void tell_visitor(
    const struct tunnel_options *, uint64_t number, const char *peer);

/* `to` is where the local service was found; NULL: as it was given. */
void tell_joined(
    const struct tunnel_options *, uint64_t number, const struct net_addr *to);

/* `in` and `out` are the bytes that came from him and went to him. */
void tell_end(const struct tunnel_options *, uint64_t number, const char *why,
    uint64_t in, uint64_t out);

#endif

/* SPDX-License-Identifier: ISC
 *
 * The way to the local service, and the page that a visitor gets when there
 * is none.
 */
#ifndef LT_CLIENT_LOCAL_H
#define LT_CLIENT_LOCAL_H

#include "client/dial.h"

struct client;
struct evbuffer;
struct service;

#define LOCAL_TIMEOUT_MS 5000 /* to connect */

/* Dials the local service for a visitor, who may be unknown (none); see
 * dial_start(). */
struct dial *local_dial(const struct client *, const struct service *,
    const struct net_addr *visitor, dial_fn, void *arg);

/* The same without waiting; see dial_at_once(). */
int local_dial_at_once(struct service *, bool speaks, struct net_addr *addr);

/* Appends the answer for a visitor whose request, as far as it is known, is
 * `buf`: 504 if the service did not answer in time, 502 else. -1 if there is
 * no memory. */
int local_page(const struct service *, const struct dial_result *,
    const char *buf, size_t len, struct evbuffer *out);

/* Tells the user why it cannot be reached, but not for each of many visitors.
 */
void local_tell_away(struct service *, const char *why);

#endif

/* SPDX-License-Identifier: ISC
 *
 * The way to the tunnel server, in whatever language: straight, or through the
 * proxy that the user has named.
 */
#ifndef LT_CLIENT_BACKEND_H
#define LT_CLIENT_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "client/dial.h"

struct client;
struct display;
struct net_addr;
struct trust;

struct backend_to {
	const struct net_addr *addr; /* that an earlier dial, or the server, has
					named; NULL: host and port of the URL */
	const struct trust *trust;   /* NULL: no TLS */
	const char *sni;	     /* NULL: as trust says */
	const struct display *display; /* may be NULL */
};

/* True if to be connected is all that it takes: to a known address, straight
 * and in clear. */
bool backend_is_plain(const struct client *, const struct backend_to *);

/* Dials it. See dial_start(). */
struct dial *backend_dial(
    const struct client *, const struct backend_to *, dial_fn, void *arg);

#endif

/* SPDX-License-Identifier: ISC
 *
 * TLS handshakes of connections that end here: visitors of tunnels of kind
 * http and of our own pages, clients. Before it the connection is unread, so
 * it can be handed over; after it the connection is an arrival once more,
 * whose first bytes are those inside.
 *
 * Bounded in time (handshake-timeout, from where it begins) and in number, in
 * all (`handshakes`) and for each address (`handshakes-per-address`): at the
 * limit the oldest one is ended for the new one.
 */
#ifndef LT_SERVER_HANDSHAKE_H
#define LT_SERVER_HANDSHAKE_H

#include <stdbool.h>

#include "server/conn.h"

/* The scope of tickets for clients and for pages of our own; those of a
 * tunnel's visitors have its name, which can be neither. */
#define HANDSHAKE_CLIENT ":ltp"
#define HANDSHAKE_BASE	 ":base"

struct handshakes;
struct worker;

/* Fatal without memory. */
struct handshakes *handshakes_new(struct worker *);
void handshakes_free(struct handshakes *); /* NULL is fine */

/* For room_make(): closes the one that has been in progress for longest, if
 * that is not a moment. True if there was one. */
bool handshakes_make_room(struct worker *);

/* Takes an unread connection that begins with a ClientHello. The worker must
 * have a certificate. */
void handshake_start(struct worker *, struct conn *, const char *scope);

#endif

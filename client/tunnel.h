/* SPDX-License-Identifier: ISC
 *
 * The tunnel that the user asked for: opens it, keeps it, and gets it back
 * when it was lost.
 */
#ifndef LT_CLIENT_TUNNEL_H
#define LT_CLIENT_TUNNEL_H

struct client;
struct service;
struct tunnel;

/* Exit codes, as ltclient(1) has them. */
enum tunnel_exit {
	TUNNEL_EXIT_REQUEST = 0,
	TUNNEL_EXIT_FAILURE = 1,
	TUNNEL_EXIT_USAGE = 2,
	TUNNEL_EXIT_NAME = 3,
	TUNNEL_EXIT_UNAUTHORIZED = 4,
	TUNNEL_EXIT_UNREACHABLE = 5,
};

/* It is over; the user has been told why. */
typedef void (*tunnel_over_fn)(void *arg, enum tunnel_exit);

/* Starts one that leads to that service; never calls back before it returns.
 * NULL if there is no memory or no randomness. */
struct tunnel *tunnel_new(
    struct client *, struct service *, tunnel_over_fn, void *arg);

/* Tells the server that the tunnel is no longer wanted; no visitor comes after
 * that, and it never calls back. Joined connections live on. */
void tunnel_leave(struct tunnel *);

/* Joined connections live on until pool_free_all(). NULL is fine. */
void tunnel_free(struct tunnel *);

#endif

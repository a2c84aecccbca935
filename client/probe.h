/* SPDX-License-Identifier: ISC
 *
 * Tries whether a server speaks LTP with us: asks for a tunnel, sends one ping,
 * and gives the tunnel back.
 */
#ifndef LT_CLIENT_PROBE_H
#define LT_CLIENT_PROBE_H

#include <stdbool.h>

struct client;
struct probe;
struct stream;

struct probe_ops {
	/* There is a tunnel. With `has_ext` pong or failed follows; else there
	 * is nothing more to try: the server is one that must not be pinged. */
	void (*up)(void *arg, bool has_ext);

	/* The ping was answered after so many microseconds. */
	void (*pong)(void *arg, long us);

	/* The server has refused, for a reason with that code; or `code` is ""
	 * and it came to nothing. Texts are printable. */
	void (*failed)(void *arg, const char *code, const char *text);
};

/* Starts on a connection, which it takes. A server that is not ours is given a
 * name to ask for. Never calls back before it returns. NULL if there is no
 * memory or no randomness. */
struct probe *probe_start(const struct client *, struct stream *,
    bool is_ltserver, const struct probe_ops *, void *arg);

/* Gives the tunnel back, if there is one. Not to be called from a callback;
 * NULL is fine. */
void probe_free(struct probe *);

#endif

/* SPDX-License-Identifier: ISC
 *
 * One proxy connection: opened, idle until the server joins it with a
 * visitor, then joined with the local service until both have ended.
 *
 * User memory: about 200 bytes while it is idle; with TLS 40 KB.
 */
#ifndef LT_CLIENT_PROXY_H
#define LT_CLIENT_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/net.h"

struct client;
struct proxy;
struct service;

struct proxy_ops {
	/* It is connected, and idle; perhaps before proxy_start() returns. */
	void (*opened)(void *arg);

	/* A visitor came; it is no longer idle. */
	void (*joined)(void *arg);

	/* It has ended, or never came to be: `why` is NULL after a join, else
	 * printable, and gone after the call. Free it here. */
	void (*ended)(void *arg, const char *why);
};

/* Where it goes, and what is sent when it is connected; borrowed until then. */
struct proxy_to {
	struct net_addr addr;
	const char *sni; /* with TLS; NULL: the host of the server */
	const char *hello;
	size_t hello_len;
	bool is_ours; /* a server that never waits for an acknowledgement */
	bool is_bare; /* in clear; nothing is sent, and the first byte that
			 comes is the visitor's */
};

/* Starts. Of what goes wrong it never tells before it returns. NULL if there is
 * no memory. */
struct proxy *proxy_start(struct client *, struct service *,
    const struct proxy_to *, const struct proxy_ops *, void *arg);

/* It has lived for some time, and may well go on for long: from here on it is
 * noticed if the peer is gone without a word. Until then it would cost more
 * system calls than a short visit has. */
void proxy_settle(struct proxy *);

/* True if nobody listens there. Once it has ended. */
bool proxy_is_refused(const struct proxy *);

/* True if it is joined, but between two requests, all that came being answered.
 * Known of bare ones only. */
bool proxy_is_between(const struct proxy *);

/* Adds the bytes of its visitor, as long as it is joined. */
void proxy_add_bytes(const struct proxy *, uint64_t *in, uint64_t *out);

/* Closes it wherever it stands; NULL is fine. Sets the pointer to NULL. */
void proxy_free(struct proxy **);

#endif

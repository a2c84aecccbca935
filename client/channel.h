/* SPDX-License-Identifier: ISC
 *
 * The private socket between the main process of the client and one worker.
 * Neither side ever blocks on it: what the socket does not take waits, up to a
 * limit. End of file on it is how each side learns that the other one is gone.
 *
 *      main                            worker
 *        POOL id              ->       keep proxy connections ready
 *        RESIZE id            ->       keep another number of them
 *        RETIRE id            ->       keep none any more
 *                             <-       SAY, what only main may write
 *        LEAVE                ->       end when the last visitor has gone
 */
#ifndef LT_CLIENT_CHANNEL_H
#define LT_CLIENT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "client/secrets.h"
#include "common/hello.h"
#include "common/net.h"

struct channel;
struct event_base;

enum channel_type {
	CHANNEL_POOL = 1,
	CHANNEL_RESIZE,
	CHANNEL_RETIRE,
	CHANNEL_LEAVE,
	CHANNEL_SAY,
};

#define CHANNEL_BODY_MAX 16384 /* bytes */

struct channel_msg {
	uint32_t type;
	uint32_t id;	     /* of a pool; SAY: an enum display_to */
	int64_t concurrency; /* POOL, RESIZE */
	uint64_t len;	     /* of the body, which follows */
};

/* The body of POOL; that of SAY is a text with its NUL. */
struct channel_pool {
	uint32_t tunnel; /* which of those in the options */
	struct net_addr backend;
	char name[LTP_NAME_MAX + 1];
	char client[LTP_CLIENT_MAX + 1];
	char session[SECRETS_TEXT_MAX];
	char secret[SECRETS_TEXT_MAX];
	char sni[HELLO_NAME_MAX]; /* "": none */
};

struct channel_ops {
	/* A whole message; the body is there during the call. Do not free the
	 * channel here. */
	void (*message)(
	    void *arg, const struct channel_msg *, const void *body);

	/* The other side is gone. Called once; free the channel here. */
	void (*closed)(void *arg);
};

/* The two ends, non-blocking and close-on-exec; -1 with errno. */
int channel_pair(int fds[2]);

/* Takes over `fd`, if it does not return NULL: then there is no memory. */
struct channel *channel_new(
    struct event_base *, int fd, const struct channel_ops *, void *arg);

/* NULL is fine. */
void channel_free(struct channel *);

/* Sends, or keeps for later; false, and nothing of it is sent, if too much is
 * waiting. Never calls back. */
bool channel_send(
    struct channel *, const struct channel_msg *, const void *body);

/* Sends nothing more, not even what waits, and says so. */
void channel_end(struct channel *);

/* Sends what waits, as long as the other side reads. */
void channel_flush(struct channel *);

#endif

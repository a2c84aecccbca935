/* SPDX-License-Identifier: ISC
 *
 * Control connections. First a claim: the master is asked for the name, and
 * the connection waits for its word. Then the session is up, and this module
 * exchanges heartbeats and events with the client until one side ends it.
 *
 * Every heartbeat (5 s) a ping goes out; a client from whom nothing was
 * heard between two of them is given up. An LTP/0.2 client answers pings and
 * says nothing else; one that knows ext pings too.
 */
#ifndef LT_SERVER_CONTROL_H
#define LT_SERVER_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ltp.h"
#include "server/channel.h"
#include "server/conn.h"

struct control;
struct control_claims;
struct session;
struct worker;

/* The claims of a worker that the master has not answered yet. Fatal without
 * memory. */
struct control_claims *control_claims_new(void);
void control_claims_free(struct control_claims *);

/* Takes a connection that asks for a tunnel; its hello has been read. */
void control_start(struct worker *, struct conn *, const struct ltp_message *);

/* The master's answer to claim `id`. */
void control_claimed(
    struct worker *, uint32_t id, const struct channel_claimed *, int *fd);

/* The client should keep so many proxy connections idle. */
void control_concurrency(struct control *, unsigned n);

/* This process is leaving: the client should resume within `ms`. Clients of
 * LTP/0.2 are not told, they come back by themselves. */
void control_reconnect(struct session *, unsigned ms);

/* Tells the client why, if it understands, and closes. NULL is fine. */
void control_close(struct control *, const char *why);

/* Closes without a word. NULL is fine. */
void control_free(struct control *);

/* True if somebody waits for the master's word. */
bool control_claims_pending(const struct control_claims *);

/* The master is gone: nobody waits any longer. */
void control_claims_drop(struct worker *);

#endif

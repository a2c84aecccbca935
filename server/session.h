/* SPDX-License-Identifier: ISC
 *
 * A session: one client's control connection with its pool of idle proxy
 * connections, the visitors who wait for one, and the joins. All of it lives
 * in one worker, the owner, so none of it needs a lock. A node session has a
 * port in place of the control connection.
 *
 *   visitor --> session_visitor --> pool has one idle? --> join
 *                                        no --> queue -----^
 *   proxy connection --> session_proxy --> somebody waits? |
 *   (node: session_take)                 no --> pool ------'
 */
#ifndef LT_SERVER_SESSION_H
#define LT_SERVER_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/ltp.h"
#include "server/channel.h"
#include "server/conn.h"
#include "server/pool.h"
#include "server/queue.h"
#include "server/registry.h"

#define SESSION_SECRET_LEN 32 /* hexadecimal digits: 128 random bits */

struct brake;
struct control;
struct door;
struct counters_session;
struct gate;
struct join;
struct node;
struct session_table;
struct worker;

LIST_HEAD(join_list, join);

struct session {
	struct worker *worker;
	struct registry_ref tunnel;
	struct registry_ref ref;
	char name[LTP_NAME_MAX + 1];
	char label[REGISTRY_LABEL_MAX + 1];
	char secret[SESSION_SECRET_LEN + 1]; /* "" without ext */
	uint8_t client[REGISTRY_HASH_LEN];   /* SHA-256 of the client string */
	struct net_addr peer; /* of the control connection, or of who
				 registered */
	enum registry_dialect dialect;
	enum registry_kind kind;
	struct gate *gate;		      /* owned; NULL: open to all */
	struct control *control;	      /* owned; NULL: node */
	struct node *node;		      /* owned; NULL: not node */
	struct door *door;		      /* owned; NULL: not of kind tcp */
	uint16_t port;			      /* of kind tcp, else 0 */
	char domain[REGISTRY_DOMAIN_MAX + 1]; /* custom host name, or "" */
	uint32_t connections;		      /* visitors of its tunnel at once,
						 by its token; 0: the settings
						 say how many */
	uint64_t bandwidth;		      /* bytes/s; 0: no limit */
	struct brake *brake;		      /* for that; owned, or NULL */
	struct pool pool;
	struct queue queue;
	uint64_t started_ms;
	struct join_list joins; /* each of them owns itself */
	unsigned joined;	/* how many these are */
	struct counters_session *count;
};

/* True if its client knows our extensions of LTP. */
static inline bool
session_has_ext(const struct session *s)
{
	return s->dialect == REGISTRY_EXT;
}

/* What the client hears when its token is good no more; it has a meaning in
 * ltp(7). */
#define SESSION_NO_TOKEN "the token is not good any more"

/* Why a session ends. */
enum session_end {
	SESSION_LOST,	/* control connection gone: the name is held */
	SESSION_SILENT, /* heartbeats missed: joined connections end too */
	SESSION_CLOSED, /* the client said goodbye: the name is free */
	SESSION_TAKEN,	/* it has another owner, or another client, now */
	SESSION_CUT,	/* the master wants it gone: joined connections end */
};

/* The sessions of a worker, by registry slot. Fatal without memory. */
struct session_table *session_table_new(const struct registry *);
void session_table_free(struct session_table *);

/* The session of this very generation, or NULL. */
struct session *session_find(const struct session_table *, struct registry_ref);

/* Calls fn for every session; fn may end it. */
void session_each(struct session_table *, void (*fn)(struct session *));

/* A session as the master granted it. The caller sets the fields that came
 * with the hello (secret to control). NULL without memory. */
struct session *session_new(struct worker *, const struct channel_claimed *);

/* Ends and frees it: tells the master, routes its waiting visitors again. */
void session_end(struct session *, enum session_end, const char *why);

/* Both take the connection. The proxy connection's hello has been read. */
void session_visitor(struct session *, struct conn *);
void session_proxy(struct session *, struct conn *, const struct ltp_message *);

/* Takes a proxy connection of which it is known whose it is: joins it, or puts
 * it into the pool. False, and it is still the caller's, if that is full. */
bool session_take(struct session *, struct conn *);

/* How many sessions its client may have for the tunnel: one where there is a
 * limit of bytes per second, so that it is exact. */
unsigned session_siblings(const struct session *);

/* How many idle proxy connections it has when it is quiet: its share of what
 * is meant for the tunnel. */
unsigned session_idle(const struct session *);

/* The heartbeat's tick: the pool shrinks again after a burst. */
void session_tick(struct session *);

#endif

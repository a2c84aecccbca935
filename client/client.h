/* SPDX-License-Identifier: ISC
 *
 * What all parts of ltclient share, made once by main, or by a worker for
 * itself, and only borrowed by everybody else.
 */
#ifndef LT_CLIENT_CLIENT_H
#define LT_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct counters;
struct counters_process;
struct crew;
struct display_pen;
struct drain_set;
struct event_base;
struct options;
struct pool;
struct relay_env;
struct service;
struct status;
struct trust;
struct tunnel_options;
struct watch_set;

/* What visitors have done so far. */
struct traffic {
	uint64_t now; /* of them are here */
	uint64_t all;
	uint64_t in; /* bytes to the local service */
	uint64_t out;
};

#define CLIENT_AGENT "ltclient/" LT_VERSION

struct client {
	struct event_base *base;
	const struct options *options;
	struct service *services; /* one for each tunnel of the options; all
				     processes share them */
	struct crew *crew;	  /* NULL in a worker */
	struct counters *counters;
	struct counters_process *own; /* row of those */
	struct watch_set *watches;    /* of proxy and local connections */
	struct relay_env *relays;
	struct drain_set *drains;
	struct trust *server_trust; /* NULL: the server is met in clear */
	struct trust *web_trust;    /* the same, for HTTP instead of LTP */
	LIST_HEAD(, pool) pools; /* retired ones with joined connections too */
	size_t connections;	 /* proxy connections, in whatever state */
	size_t pipes;		 /* of the relays, at most */
	uint64_t bytes_in;	 /* of those who have gone, to the local */
	uint64_t bytes_out;	 /* service and from it */
	bool said_full;		 /* that descriptors have run out */
};

/* Makes an event loop, and what relays need; -1 if that cannot be had. Either
 * way client_fini() it. */
int client_init(struct client *);
void client_fini(struct client *);

/* Whoever displays something has it told there too, and written so; see struct
 * display. */
void client_set_display(
    struct options *, struct status *, const struct display_pen *);

/* What one tunnel leads to. Lives as long as the client, since visitors may be
 * joined with it when their tunnel is over. */
struct service {
	const struct tunnel_options *options;
	struct trust *trust;	       /* NULL: it is met in clear */
	_Atomic unsigned first_addr;   /* to be tried; see dial_at_once() */
	_Atomic uint64_t said_away_ms; /* when the user was told that it is not
					  there, by whichever process */
};

#endif

/* SPDX-License-Identifier: ISC
 *
 * One worker process: it accepts connections, owns sessions, and joins
 * visitors with them. struct worker is what all modules of a worker share;
 * each of them owns one of its fields.
 */
#ifndef LT_SERVER_WORKER_H
#define LT_SERVER_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/config.h"
#include "server/counters.h"
#include "server/inbox.h"
#include "server/registry.h"

/* The exit code of a worker that cannot start. */
#define WORKER_CANNOT_START 2

/* Of the relays, in all workers together. */
#define WORKER_PIPE_SIZE ((size_t)256 * 1024)
#define WORKER_PIPES	 ((size_t)48 * 1024 * 1024 / WORKER_PIPE_SIZE)

struct api;
struct arrivals;
struct bound;
struct bridge_set;
struct channel;
struct control_claims;
struct deadline_list;
struct drain_set;
struct event;
struct event_base;
struct handover;
struct handshakes;
struct listener_set;
struct metrics;
struct node_set;
struct pages;
struct park;
struct peers;
struct recent;
struct rate;
struct relay_env;
struct sandbox;
struct session_table;
struct tls_context;
struct watch_set;

/* What the master hands a new worker; everything is the worker's own. */
struct worker_start {
	struct config *config;
	struct registry *registry;
	struct counters *counters;
	struct inbox *inbox;
	const struct bound *bound; /* listeners, of which it keeps some */
	uint32_t slot;
	int channel_fd;
	const struct sandbox *sandbox;
};

struct worker {
	struct counters_session ended; /* of sessions that are ending */
	const struct config *config; /* owned; another one after each CONFIG */
	struct registry *registry;   /* read-only */
	struct counters *counters;
	struct counters_worker *count; /* our own row */
	struct inbox *inbox;
	size_t fds_fixed; /* see room_init() */
	size_t pipes;	  /* that relays may have */

	struct event_base *base;
	struct channel *channel;
	struct listener_set *listeners; /* NULL once draining */
	struct event *drain_look;	/* NULL until draining */
	struct arrivals *arrivals;
	struct recent *recent; /* or NULL */
	struct handover *handover;
	struct handshakes *handshakes;
	struct tls_context *tls; /* NULL: no certificate */
	struct park *park;
	struct session_table *sessions;
	struct control_claims *claims;
	struct api *api;
	struct node_set *nodes;
	struct rate *openings;		/* of tunnels */
	struct rate *failures;		/* of passwords and tokens */
	struct peers *visitors;		/* of each address, see crowd.h */
	struct deadline_list *waits;	/* of visitors in queues */
	struct deadline_list *silences; /* of joins without an answer */
	struct deadline_list *looks;	/* at all joins, now and then */
	struct event *pulse;
	struct watch_set *watches; /* of arrivals, relays, idle proxies */
	struct relay_env *relays;
	struct drain_set *drains;
	struct bridge_set *bridges;
	struct pages *pages;
	struct metrics *metrics;

	uint32_t slot;
	uint32_t turn;	     /* see route_visitor() */
	uint32_t last_claim; /* the id of it, whoever made it */
	unsigned doors;	     /* that are open, see door.h */
	bool draining;
	bool leaving;		   /* draining, while others serve on */
	char domain[NET_HOST_MAX]; /* of the settings, at a place that stays */
};

/* The life of a worker, in a process of its own; returns its exit code: 0
 * when drained. */
int worker_run(const struct worker_start *);

#endif

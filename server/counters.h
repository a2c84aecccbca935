/* SPDX-License-Identifier: ISC
 *
 * Counters and gauges in shared memory: a row a worker slot, a row a session
 * slot, each on cache lines of its own. A row has one writer: the worker, or
 * the owner of the session (the master once that worker is dead). Everybody
 * reads without a lock. They survive the replacement of a worker.
 */
#ifndef LT_SERVER_COUNTERS_H
#define LT_SERVER_COUNTERS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

/* How a visitor's connection ended, as its line in the access log has it. */
enum counters_result {
	COUNTERS_JOINED, /* joined, and no page of ours: the first */
	COUNTERS_CLOSED, /* neither joined nor answered with a page */
	COUNTERS_308,
	COUNTERS_400,
	COUNTERS_401,
	COUNTERS_403,
	COUNTERS_404,
	COUNTERS_405,
	COUNTERS_408,
	COUNTERS_421,
	COUNTERS_431,
	COUNTERS_502,
	COUNTERS_503,
	COUNTERS_504,
	COUNTERS_OTHER, /* a page of another status */
	COUNTERS_RESULTS,
};

/* The result of a connection with this status, or 0; and its word. */
enum counters_result counters_result(int status, bool was_joined);
const char *counters_result_text(enum counters_result);

/* Milliseconds from a whole request head to the join: how many took at most
 * that, and more than the one before; the last one has no limit. */
#define COUNTERS_JOINS 13
extern const unsigned counters_join_ms[COUNTERS_JOINS - 1];

struct counters_worker {
	/* Gauges; the master sets them to 0 when the worker is dead. */
	alignas(64) counter ready; /* 1: may be handed connections */
	counter sessions;
	counter half_made;   /* being classified */
	counter handshaking; /* in a TLS handshake */
	counter parked;	     /* waiting for a tunnel to come back */
	counter queued;	     /* waiting for a proxy connection */
	counter idle;	     /* proxy connections in pools */
	counter joined;
	counter fds;	  /* descriptors in use, when last looked at */
	counter room;	  /* how many more connections it can take */
	counter pulse_ms; /* clock_ms() of its last sign of life, see pulse.h */

	/* Counters. */
	counter accepted;
	counter handed_out; /* to other workers */
	counter handed_in;
	counter handshakes; /* of TLS, that came to an end */
	counter resumed;    /* short ones among them */
	counter visitors;   /* visitor connections that were joined */
	counter refused;    /* visitor connections answered with a page */
	counter bytes_in;   /* visitor to local service */
	counter bytes_out;
	counter claims;	      /* of clients, that the master has answered */
	counter log_dropped;  /* lines that could not be written */
	counter log_left_out; /* lines that were too many of their kind */
	counter results[COUNTERS_RESULTS]; /* of visitors' connections */
	counter joins[COUNTERS_JOINS];
	counter joins_ms; /* all that time */
};

/* The master's own. */
struct counters_master {
	alignas(64) counter restarts; /* workers that took a dead one's place */
	counter log_dropped;
	counter log_left_out;
};

struct counters_session {
	alignas(64) counter started_ms; /* clock_ms(), in this worker */
	counter visitors;
	counter idle;
	counter busy;
	counter queued;
	counter bytes_in;
	counter bytes_out;
};

struct counters;

/* Made by the master before the first fork; inherited. NULL with errno. */
struct counters *counters_new(size_t workers, size_t sessions);

/* The same from one that another program has made, with counters_fd() there;
 * takes over the descriptor. */
struct counters *counters_adopt(int fd, size_t workers, size_t sessions);
int counters_fd(const struct counters *);

void counters_free(struct counters *);

/* A row; the slot must be in range. */
struct counters_worker *counters_worker(struct counters *, size_t slot);
struct counters_session *counters_session(struct counters *, size_t slot);
struct counters_master *counters_master(struct counters *);
size_t counters_workers(const struct counters *);
size_t counters_sessions(const struct counters *);

#define COUNTERS_BURST_MS 1000

/* This process sends a new session to that worker, in whose row it stands only
 * once it is granted: in a burst all would go to the one with the fewest. */
void counters_send(struct counters *, size_t slot, uint64_t now_ms);

/* The sessions of a worker, and those that this process has sent there since
 * it last had an answer for somebody, within COUNTERS_BURST_MS. */
uint64_t counters_load(struct counters *, size_t slot, uint64_t now_ms);

/* The same counter or gauge of all workers, added up; where it is in a row. */
#define COUNTERS_SUM(counters, field)                                          \
	counters_sum((counters), offsetof(struct counters_worker, field))
uint64_t counters_sum(struct counters *, size_t offset);

/* A visitor was joined after so many milliseconds. */
void counters_joined(struct counters_worker *, uint64_t ms);

/* The master, about a worker that is dead: its gauges become 0. */
void counters_worker_gone(struct counters *, size_t slot);

/* For the one writer of a row: no locked instruction is needed. */
static inline void
counter_add(counter *c, int64_t n)
{
	atomic_store_explicit(c,
	    atomic_load_explicit(c, memory_order_relaxed) + (uint64_t)n,
	    memory_order_relaxed);
}

static inline void
counter_set(counter *c, uint64_t n)
{
	atomic_store_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t
counter_get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

#endif

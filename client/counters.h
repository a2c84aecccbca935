/* SPDX-License-Identifier: ISC
 *
 * What visitors have done so far, in memory that all processes of the client
 * share: a row a process, on cache lines of its own and with it as the only
 * writer; the main process writes in that of a worker which is dead. Everybody
 * reads without a lock. One cell has many writers: what it was is the number
 * of the next visitor, and no two may have the same.
 */
#ifndef LT_CLIENT_COUNTERS_H
#define LT_CLIENT_COUNTERS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "client/processes.h"

struct traffic;

typedef _Atomic uint64_t counter;

struct counters_process {
	alignas(64) counter joined; /* proxy connections with a visitor */
	counter bytes_in;  /* as pool_publish() has found them, to the local */
	counter bytes_out; /* service and from it */
};

struct counters {
	alignas(64) counter visitors; /* that have come so far */
	struct counters_process process[PROCESSES_MAX];
};

/* All zero; NULL if there is no memory. */
struct counters *counters_new(void);
void counters_free(struct counters *); /* NULL is fine */

/* Visitors who are joined now, in all processes. */
uint64_t counters_joined(const struct counters *);

/* The sums over all processes. */
void counters_traffic(const struct counters *, struct traffic *);

#endif

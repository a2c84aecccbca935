/* SPDX-License-Identifier: ISC
 *
 * A worker's sign of life: a word in its row of counters, set anew twice a
 * second by its own event loop. One that stands still, in whatever way, stops
 * setting it: other workers hand it nothing then (handover, route), and the
 * master ends it (places). A busy loop still comes round.
 */
#ifndef LT_SERVER_PULSE_H
#define LT_SERVER_PULSE_H

#include <stdbool.h>
#include <stdint.h>

struct counters;
struct worker;

/* Begins; fatal() if it cannot. The event is the worker's to free. */
void pulse_start(struct worker *);

/* Whether a worker has one, or has not begun yet. */
bool pulse_is_there(struct counters *, uint32_t slot);

#endif

/* SPDX-License-Identifier: ISC
 *
 * A limit of bytes per second that several relays share: a token bucket. What
 * they read is taken out of it; while there is nothing in it they do not read,
 * so that whoever sends is slowed down by his own connection, and nothing is
 * kept here. A relay without a brake pays nothing for it.
 *
 * A tenth of a second's bytes may come at once, 16 KiB at least.
 */
#ifndef LT_COMMON_BRAKE_H
#define LT_COMMON_BRAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct brake;
struct event_base;
struct relay;

/* NULL without memory. `rate` is in bytes per second, not 0. */
struct brake *brake_new(struct event_base *, uint64_t rate);

/* One more who holds it; returns it. NULL is fine. */
struct brake *brake_ref(struct brake *);

/* One fewer; NULL is fine. */
void brake_free(struct brake *);

/* For relays: true if nothing may be read now. The relay then has another turn
 * as soon as something may. */
bool brake_holds(struct brake *, struct relay *);

/* For relays: so much was read. */
void brake_took(struct brake *, size_t bytes);

#endif

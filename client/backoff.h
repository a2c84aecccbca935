/* SPDX-License-Identifier: ISC
 *
 * How long to wait before the next try: from half a second to half a minute,
 * growing with each failure, and never the same for two clients, so that a
 * server that comes back is not met by all of them at once.
 */
#ifndef LT_CLIENT_BACKOFF_H
#define LT_CLIENT_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 30000

/* All zero to begin with. */
struct backoff {
	uint64_t limit_ms; /* of the last wait */
};

/* The next wait; each is drawn from the upper half of a limit that doubles. */
uint64_t backoff_next(struct backoff *);

/* It worked, though perhaps not for long: the next wait is of two seconds at
 * most, however many failures there were. */
void backoff_ease(struct backoff *);

/* It worked: the next wait is the shortest again. */
void backoff_reset(struct backoff *);

/* A random time of at least `low_ms` and at most `high_ms`. */
uint64_t backoff_between(uint64_t low_ms, uint64_t high_ms);

#endif

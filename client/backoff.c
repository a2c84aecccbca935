/* SPDX-License-Identifier: ISC
 *
 * Waits that grow and that differ from client to client. Called by tunnel
 * and pool. Knows no clock and sets no timer.
 */
#include "client/backoff.h"

#include <sys/random.h>

uint64_t
backoff_between(uint64_t low_ms, uint64_t high_ms)
{
	uint32_t random = 0;

	/* Without randomness all wait the shortest time: still right. */
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return low_ms;
	return low_ms + random % (high_ms - low_ms + 1);
}

uint64_t
backoff_next(struct backoff *backoff)
{
	uint64_t limit = backoff->limit_ms * 2;

	if (limit == 0)
		limit = 2 * BACKOFF_MIN_MS;
	if (limit > BACKOFF_MAX_MS)
		limit = BACKOFF_MAX_MS;
	backoff->limit_ms = limit;
	return backoff_between(limit / 2, limit);
}

void
backoff_ease(struct backoff *backoff)
{
	if (backoff->limit_ms > 2 * BACKOFF_MIN_MS)
		backoff->limit_ms = 2 * BACKOFF_MIN_MS;
}

void
backoff_reset(struct backoff *backoff)
{
	backoff->limit_ms = 0;
}

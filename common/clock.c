/* SPDX-License-Identifier: ISC
 *
 * The clock that deadlines are counted by; every module with a deadline calls
 * it. It owns nothing.
 */
#include "common/clock.h"

#include <time.h>

uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct timeval
clock_until(uint64_t deadline_ms)
{
	uint64_t now = clock_ms();

	return clock_span(deadline_ms > now ? deadline_ms - now : 0);
}

struct timeval
clock_span(uint64_t ms)
{
	return (struct timeval){
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};
}

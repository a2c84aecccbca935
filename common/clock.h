/* SPDX-License-Identifier: ISC
 *
 * The clock that deadlines are counted by: CLOCK_MONOTONIC, which all
 * processes of a machine share and nobody can set.
 */
#ifndef LT_COMMON_CLOCK_H
#define LT_COMMON_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

/* Milliseconds since some fixed moment in the past. */
uint64_t clock_ms(void);

/* Milliseconds from now to `deadline_ms`, 0 if it has passed, as libevent
 * wants them. */
struct timeval clock_until(uint64_t deadline_ms);

/* A span of milliseconds as libevent wants it. */
struct timeval clock_span(uint64_t ms);

#endif

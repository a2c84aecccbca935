/* SPDX-License-Identifier: ISC
 *
 * The event loop of a process.
 */
#ifndef LT_COMMON_LOOP_H
#define LT_COMMON_LOOP_H

struct event_base;

/* A loop with room for LOOP_TIMERS timers: so many at once can be set without
 * memory, and a timer that is always there need not be asked if it could be.
 * The caller owns it; NULL without memory. */
#define LOOP_TIMERS 1024
struct event_base *loop_new(void);

#endif

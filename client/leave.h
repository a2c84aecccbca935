/* SPDX-License-Identifier: ISC
 *
 * The end on request: when no new visitor can come any more, those who are
 * there are served to their end, for a while.
 */
#ifndef LT_CLIENT_LEAVE_H
#define LT_CLIENT_LEAVE_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct leave;

#define LEAVE_MAX_S    30
#define LEAVE_FOR_EVER INT64_MAX

typedef void (*leave_fn)(void *arg);

/* Does nothing yet; those who are joined will have so long. NULL if there is
 * no memory. */
struct leave *leave_new(
    struct client *, int64_t joined_ms, leave_fn, void *arg);

/* NULL is fine. */
void leave_free(struct leave *);

/* Its tunnels have left. Calls back, maybe before it returns, once nobody is
 * there, in this process and in its workers, and what drains has ended, the
 * goodbyes above all: that takes DRAIN_MS at most. If `is_urgent` nothing but
 * the latter is waited for; if it was begun before, nothing. */
void leave_begin(struct leave *, bool is_urgent);

#endif

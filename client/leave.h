/* SPDX-License-Identifier: ISC
 *
 * The end on request: when no new visitor can come any more, those who are
 * there are served to their end, for a while.
 */
#ifndef LT_CLIENT_LEAVE_H
#define LT_CLIENT_LEAVE_H

#include <stdbool.h>

struct client;
struct leave;

#define LEAVE_MAX_S 30 /* for those who are joined */

typedef void (*leave_fn)(void *arg);

/* Does nothing yet. NULL if there is no memory. */
struct leave *leave_new(struct client *, leave_fn, void *arg);

/* NULL is fine. */
void leave_free(struct leave *);

/* Its tunnels have left. Calls back once nobody is there, or the time is up;
 * may do so before it returns: if nobody is joined and it `is_urgent`, or if
 * it was begun before. */
void leave_begin(struct leave *, bool is_urgent);

#endif
